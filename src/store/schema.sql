-- state.db, schema version 1 (PRAGMA user_version); schema_2.sql is the next step. Holds no plaintext secret and no key.
--
-- The tables of rows that give authority all have one shape: id, version (counts from 1), body (canonical
-- JSON) and mac = HMAC-SHA256 under the "row" subkey over table, id, version and body. The journal row of
-- each change names table, id, version and SHA-256 of the body. A row is never deleted: what is gone has
-- "deleted":true in its body.
CREATE TABLE records   (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE agents    (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE policies  (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE settings  (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE purchases (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE ledger    (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;

CREATE INDEX records_alias    ON records(json_extract(body, '$.alias'));
CREATE INDEX agents_key       ON agents(json_extract(body, '$.key_sha256'));
CREATE INDEX purchases_status ON purchases(json_extract(body, '$.status'));
CREATE INDEX purchases_key    ON purchases(json_extract(body, '$.agent'), json_extract(body, '$.idempotency_key'));
CREATE INDEX ledger_agent     ON ledger(json_extract(body, '$.agent'), json_extract(body, '$.at'));

-- Append-only and chained (docs/ARCHITECTURE.md, "Journal").
CREATE TABLE journal (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind INTEGER NOT NULL, body TEXT NOT NULL,
                      hash BLOB NOT NULL);
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

-- What was denied, revoked or frozen while no key was there to seal it. It can only narrow, counts at once,
-- and is folded into sealed rows at the next unlock.
CREATE TABLE narrowings (seq INTEGER PRIMARY KEY, what TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL);

-- Facts that are checked against the vault, never believed on their own: vault_sha256 (hex, the vault.enc in
-- place), vault_sha256_next (the one being written), mode, vault_id, frozen, needs (the first popvault that knows
-- this schema), mode_next (while the vault key is being changed).
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
