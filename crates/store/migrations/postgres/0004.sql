-- Calls of tools that a person decides about. Arguments and reasons go once it is over.
CREATE TABLE approvals (
    id         TEXT COLLATE "C" PRIMARY KEY,
    key_id     TEXT COLLATE "C" NOT NULL,
    key_name   TEXT NOT NULL,
    tool       TEXT NOT NULL,
    request_id TEXT NOT NULL,
    state      TEXT NOT NULL,
    team       TEXT,
    arguments  BYTEA,
    reasons    TEXT,
    binding    BYTEA NOT NULL,
    asked      BYTEA NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    decided_by TEXT,
    decided_ms BIGINT,
    signature  BYTEA
);
CREATE INDEX approvals_by_call ON approvals (key_id, binding);
CREATE INDEX approvals_by_state ON approvals (state, expires_ms);
CREATE INDEX approvals_by_time ON approvals (created_ms);
