-- What servers of tools say of their tools (see pin.rs).
CREATE TABLE pins (
    id         TEXT COLLATE "C" PRIMARY KEY,
    server     TEXT COLLATE "C" NOT NULL,
    kind       TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    folded     TEXT COLLATE "C" NOT NULL,
    state      TEXT NOT NULL,
    why        TEXT NOT NULL,
    other      TEXT,
    digest     BYTEA NOT NULL,
    definition BYTEA NOT NULL,
    first_ms   BIGINT NOT NULL,
    decided_by TEXT,
    decided_ms BIGINT,
    UNIQUE (server, kind, name, digest)
);
CREATE INDEX pins_by_name ON pins (folded, kind);
CREATE INDEX pins_by_time ON pins (first_ms);
