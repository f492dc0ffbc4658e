-- What schema 3 adds: grants, authenticators, and what finds the newest of an agent's purchases and of the journal.
CREATE TABLE grants         (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE authenticators (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;

CREATE INDEX purchases_agent ON purchases(json_extract(body, '$.agent'), json_extract(body, '$.requested_at'));
CREATE INDEX journal_at      ON journal(at);
