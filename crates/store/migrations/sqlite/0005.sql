-- Calls of tools that a person decides about. Arguments and reasons go once it is over.
CREATE TABLE approvals (
    id         TEXT PRIMARY KEY,
    key_id     TEXT NOT NULL,
    key_name   TEXT NOT NULL,
    tool       TEXT NOT NULL,
    request_id TEXT NOT NULL,
    state      TEXT NOT NULL,
    team       TEXT,
    arguments  BLOB,
    reasons    TEXT,
    binding    BLOB NOT NULL,
    asked      BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    decided_by TEXT,
    decided_ms INTEGER,
    signature  BLOB
) STRICT;
CREATE INDEX approvals_by_call ON approvals (key_id, binding);
CREATE INDEX approvals_by_state ON approvals (state, expires_ms);
CREATE INDEX approvals_by_time ON approvals (created_ms);
