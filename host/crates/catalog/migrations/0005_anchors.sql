-- How far each audit log was: by it a log that was cut together with its checkpoints is known. The
-- catalog needs not know a log's folder to hold it to this.

CREATE TABLE audit_anchors (
    log TEXT PRIMARY KEY,
    place TEXT NOT NULL,
    checkpoint BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    head TEXT NOT NULL,
    anchored BIGINT NOT NULL
);

-- Anchors that a log was behind when somebody said that it was restored from a backup.
CREATE TABLE audit_restores (
    id TEXT PRIMARY KEY,
    log TEXT NOT NULL,
    place TEXT NOT NULL,
    checkpoint BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    head TEXT NOT NULL,
    restored BIGINT NOT NULL,
    because TEXT NOT NULL
);
