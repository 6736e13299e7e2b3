-- A reset of a password, or shutting a user out, ends all that was given out before in one statement: what is of an
-- earlier generation than its user works no more.

ALTER TABLE users ADD COLUMN generation BIGINT NOT NULL DEFAULT 0;
-- When the last generation ended.
ALTER TABLE users ADD COLUMN reset BIGINT;
ALTER TABLE sessions ADD COLUMN generation BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN generation BIGINT NOT NULL DEFAULT 0;
