-- What schema 3 adds: grants, authenticators, and what finds ledger rows and the journal by their time.
CREATE TABLE grants         (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE authenticators (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;

CREATE INDEX ledger_at  ON ledger(json_extract(body, '$.at'));
CREATE INDEX journal_at ON journal(at);
