-- Texts compare by their bytes, as in SQLite: the order of a page must not depend on a server's locale.
CREATE TABLE meta (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value BYTEA NOT NULL
);

-- API keys. Only a keyed hash of a key's text is kept; the pepper is in meta.
CREATE TABLE api_keys (
    id          TEXT COLLATE "C" PRIMARY KEY,
    hash        BYTEA NOT NULL UNIQUE,
    prefix      TEXT NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    kind        TEXT NOT NULL,
    org         TEXT,
    team        TEXT,
    user_name   TEXT,
    roles       TEXT NOT NULL,
    profile     TEXT,
    models      TEXT NOT NULL,
    endpoints   TEXT NOT NULL,
    tools       TEXT,
    networks    TEXT NOT NULL,
    rpm         BIGINT,
    tpm         BIGINT,
    concurrency BIGINT,
    budget      TEXT,
    created_ms  BIGINT NOT NULL,
    rotated_ms  BIGINT,
    expires_ms  BIGINT,
    revoked_ms  BIGINT,
    prior_hash  BYTEA UNIQUE,
    prior_until_ms BIGINT
);
CREATE UNIQUE INDEX live_key_names ON api_keys (name) WHERE revoked_ms IS NULL;

-- A number that every change of a key raises, whichever process or hand makes it.
CREATE TABLE keys_version (
    version BIGINT NOT NULL
);
INSERT INTO keys_version VALUES (1);
CREATE FUNCTION keys_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE keys_version SET version = version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER keys_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION keys_changed();

-- When a key was last used. A table of its own: a use is no change of the key, and must not make every process read all keys.
CREATE TABLE key_uses (
    id      TEXT COLLATE "C" PRIMARY KEY,
    used_ms BIGINT NOT NULL
);

-- What was made at a provider, and by which key.
CREATE TABLE owned (
    kind       TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    owner      TEXT NOT NULL,
    upstream   TEXT NOT NULL,
    model      TEXT,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);

-- Sums by meter and hour since 1970 UTC; cost in millionths of a dollar.
CREATE TABLE usage (
    meter     TEXT COLLATE "C" NOT NULL,
    hour      BIGINT NOT NULL,
    requests  BIGINT NOT NULL,
    input     BIGINT NOT NULL,
    cached    BIGINT NOT NULL,
    output    BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    cost      BIGINT NOT NULL,
    PRIMARY KEY (meter, hour)
);
CREATE INDEX usage_by_hour ON usage (hour);

-- The audit log. Every column is covered by the chain: request_id stands in the record, too, and hash follows from
-- seq, record and the hash before.
CREATE TABLE audit (
    seq        BIGINT CONSTRAINT audit_seq PRIMARY KEY CHECK (seq > 0),
    request_id TEXT COLLATE "C" NOT NULL CONSTRAINT audit_request UNIQUE,
    record     TEXT NOT NULL,
    hash       BYTEA NOT NULL
);

-- Signed heads: checkpoints, and the present head.
CREATE TABLE audit_heads (
    seq       BIGINT PRIMARY KEY CHECK (seq >= 0),
    previous  BIGINT NOT NULL,
    unix_ms   BIGINT NOT NULL,
    hash      BYTEA NOT NULL,
    signature BYTEA NOT NULL
);
