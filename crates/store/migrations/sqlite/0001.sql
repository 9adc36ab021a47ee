-- API keys. Only a keyed hash of a key's text is kept; the pepper is in meta.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    id          TEXT PRIMARY KEY,
    hash        BLOB NOT NULL UNIQUE,
    prefix      TEXT NOT NULL,
    name        TEXT NOT NULL,
    team        TEXT,
    profile     TEXT NOT NULL,
    models      TEXT NOT NULL,
    tools       TEXT,
    rpm         INTEGER,
    tpm         INTEGER,
    concurrency INTEGER,
    budget      TEXT,
    created_ms  INTEGER NOT NULL,
    rotated_ms  INTEGER,
    expires_ms  INTEGER,
    revoked_ms  INTEGER
) STRICT;

CREATE UNIQUE INDEX live_key_names ON api_keys (name) WHERE revoked_ms IS NULL;

-- A number that every change of a key raises, whichever process or hand makes it.
CREATE TABLE keys_version (
    version INTEGER NOT NULL
) STRICT;
INSERT INTO keys_version VALUES (1);
CREATE TRIGGER key_inserted AFTER INSERT ON api_keys BEGIN UPDATE keys_version SET version = version + 1; END;
CREATE TRIGGER key_updated AFTER UPDATE ON api_keys BEGIN UPDATE keys_version SET version = version + 1; END;
CREATE TRIGGER key_deleted AFTER DELETE ON api_keys BEGIN UPDATE keys_version SET version = version + 1; END;

-- What was made at a provider, and by which key.
CREATE TABLE owned (
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    owner      TEXT NOT NULL,
    upstream   TEXT NOT NULL,
    model      TEXT,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

-- Sums by meter and hour since 1970 UTC; cost in millionths of a dollar.
CREATE TABLE usage (
    meter     TEXT NOT NULL,
    hour      INTEGER NOT NULL,
    requests  INTEGER NOT NULL,
    input     INTEGER NOT NULL,
    cached    INTEGER NOT NULL,
    output    INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    cost      INTEGER NOT NULL,
    PRIMARY KEY (meter, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_by_hour ON usage (hour);

-- The audit log. Every column is covered by the chain: request_id stands in the record, too, and hash follows from
-- seq, record and the hash before.
CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY CHECK (seq > 0),
    request_id TEXT NOT NULL UNIQUE,
    record     TEXT NOT NULL,
    hash       BLOB NOT NULL
) STRICT;

-- Signed heads: checkpoints, and the present head.
CREATE TABLE audit_heads (
    seq       INTEGER PRIMARY KEY CHECK (seq >= 0),
    previous  INTEGER NOT NULL,
    unix_ms   INTEGER NOT NULL,
    hash      BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;
