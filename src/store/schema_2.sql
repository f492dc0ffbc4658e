-- What schema 2 adds: epochs, and what finds records by their epoch, the trash, and journal rows by kind.
CREATE TABLE epochs (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;

CREATE INDEX records_epoch   ON records(json_extract(body, '$.epoch'));
CREATE INDEX records_trashed ON records(json_extract(body, '$.trashed_at')) WHERE json_extract(body, '$.trashed_at') IS NOT NULL;
CREATE INDEX journal_kind    ON journal(kind, at);
