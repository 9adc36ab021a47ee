-- What servers of tools say of their tools (see pin.rs).
CREATE TABLE pins (
    id         TEXT PRIMARY KEY,
    server     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    folded     TEXT NOT NULL,
    state      TEXT NOT NULL,
    why        TEXT NOT NULL,
    other      TEXT,
    digest     BLOB NOT NULL,
    definition BLOB NOT NULL,
    first_ms   INTEGER NOT NULL,
    decided_by TEXT,
    decided_ms INTEGER,
    UNIQUE (server, kind, name, digest)
) STRICT;
CREATE INDEX pins_by_name ON pins (folded, kind);
CREATE INDEX pins_by_time ON pins (first_ms);
