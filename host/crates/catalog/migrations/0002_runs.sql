-- Runs of pipelines, those that wait and those that are over too.

CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    pipeline TEXT NOT NULL,
    -- By whom: an id, and the name they had.
    user_id TEXT NOT NULL,
    user_name TEXT NOT NULL,
    -- The client's own key of the request, and a hash of what it asked for.
    request TEXT,
    asked TEXT NOT NULL,
    -- fresh, resume, again: how the program's `run` is told to begin.
    mode TEXT NOT NULL,
    -- The machine that has the uploaded file; null of a run without one.
    upload TEXT,
    -- queued, running, done, rejected, failed, cancelled
    state TEXT NOT NULL,
    cancel BIGINT,
    -- The server that works on it, and when it last said so.
    holder TEXT,
    seen BIGINT,
    starts BIGINT NOT NULL DEFAULT 0,
    created BIGINT NOT NULL,
    started BIGINT,
    ended BIGINT,
    rows_done BIGINT NOT NULL DEFAULT 0,
    bytes_done BIGINT NOT NULL DEFAULT 0,
    bytes_all BIGINT,
    report TEXT,
    problem TEXT
);

CREATE UNIQUE INDEX runs_by_request ON runs (user_id, request);
CREATE UNIQUE INDEX one_run_a_pipeline ON runs (pipeline) WHERE state = 'running';
CREATE INDEX runs_by_state ON runs (state, created);
CREATE INDEX runs_by_time ON runs (created, id);
