-- The same text for SQLite and PostgreSQL: TEXT and BIGINT only, times in seconds since 1970.

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    roles TEXT NOT NULL,
    -- A PHC string of argon2id.
    password TEXT NOT NULL,
    disabled BIGINT NOT NULL DEFAULT 0,
    created BIGINT NOT NULL
);

-- What a login opens and a logout closes; every access token names one.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    revoked BIGINT
);

CREATE INDEX sessions_of_users ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (ends);

-- SHA-256 of a refresh token; a used one stays until its session ends, to know it again.
CREATE TABLE refresh_tokens (
    hash TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    expires BIGINT NOT NULL,
    used BIGINT
);

CREATE INDEX refresh_tokens_of_sessions ON refresh_tokens (session_id);

-- SHA-256 of an API key; roles are what the key may use of its user's.
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    roles TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    revoked BIGINT
);

CREATE INDEX api_keys_of_users ON api_keys (user_id);

-- Failed logins: `who` is a hash of the name as it was given, whether there is such a user or not.
CREATE TABLE attempts (
    who TEXT NOT NULL,
    address TEXT NOT NULL,
    failures BIGINT NOT NULL,
    until BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    PRIMARY KEY (who, address)
);
