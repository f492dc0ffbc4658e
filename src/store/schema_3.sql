-- What schema 3 adds: grants, authenticators, and what finds an agent's purchases, ledger rows and the journal by their time.
CREATE TABLE grants         (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE authenticators (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;

CREATE INDEX purchases_agent ON purchases(json_extract(body, '$.agent'), json_extract(body, '$.requested_at'));
CREATE INDEX ledger_at       ON ledger(json_extract(body, '$.at'));
CREATE INDEX journal_at      ON journal(at);
