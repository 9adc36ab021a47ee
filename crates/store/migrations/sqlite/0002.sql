-- Principals: what a key belongs to, where it may be used, the text before the present one, and when it was last used.
CREATE TABLE api_keys_next (
    id             TEXT PRIMARY KEY,
    hash           BLOB NOT NULL UNIQUE,
    prefix         TEXT NOT NULL,
    name           TEXT NOT NULL,
    kind           TEXT NOT NULL,
    org            TEXT,
    team           TEXT,
    user_name      TEXT,
    roles          TEXT NOT NULL,
    profile        TEXT,
    models         TEXT NOT NULL,
    endpoints      TEXT NOT NULL,
    tools          TEXT,
    networks       TEXT NOT NULL,
    rpm            INTEGER,
    tpm            INTEGER,
    concurrency    INTEGER,
    budget         TEXT,
    created_ms     INTEGER NOT NULL,
    rotated_ms     INTEGER,
    expires_ms     INTEGER,
    revoked_ms     INTEGER,
    prior_hash     BLOB UNIQUE,
    prior_until_ms INTEGER
) STRICT;

-- `default` was what a key got where none was named: such keys now follow their team's profile, where that has one.
INSERT INTO api_keys_next
SELECT id, hash, prefix, name, 'key', NULL, team, NULL, '[]', NULLIF(profile, 'default'), models, '[]', tools, '[]',
       rpm, tpm, concurrency, budget, created_ms, rotated_ms, expires_ms, revoked_ms, NULL, NULL
FROM api_keys;
DROP TABLE api_keys;
ALTER TABLE api_keys_next RENAME TO api_keys;

CREATE UNIQUE INDEX live_key_names ON api_keys (name) WHERE revoked_ms IS NULL;
CREATE TRIGGER key_inserted AFTER INSERT ON api_keys BEGIN UPDATE keys_version SET version = version + 1; END;
CREATE TRIGGER key_updated AFTER UPDATE ON api_keys BEGIN UPDATE keys_version SET version = version + 1; END;
CREATE TRIGGER key_deleted AFTER DELETE ON api_keys BEGIN UPDATE keys_version SET version = version + 1; END;
UPDATE keys_version SET version = version + 1;

-- When a key was last used. A table of its own: a use is no change of the key, and must not make every process read all keys.
CREATE TABLE key_uses (
    id      TEXT PRIMARY KEY,
    used_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
