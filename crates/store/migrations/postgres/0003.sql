-- Sealed texts: what must be known of conversations that a provider stores.
CREATE TABLE kept (
    name     BYTEA PRIMARY KEY,
    sealed   BYTEA NOT NULL,
    until_ms BIGINT NOT NULL
);
CREATE INDEX kept_by_time ON kept (until_ms);
