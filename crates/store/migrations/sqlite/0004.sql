-- Sealed texts: what must be known of conversations that a provider stores.
CREATE TABLE kept (
    name     BLOB PRIMARY KEY,
    sealed   BLOB NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_by_time ON kept (until_ms);
