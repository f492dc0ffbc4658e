"""state.db edited by hand, one statement after the other over every table and what is around them, as somebody may who can
write the file and has no key. Each either keeps the vault shut, with a word that says so, or changes nothing that is
decided; the few that anybody may do can only narrow. The daemon never ends over it."""

import hashlib
import json
import os
import shutil
import sqlite3
import struct
import sys
import unittest
from collections import namedtuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.owner_key import OwnerKey
from support.rpc import RpcError

SHOP = "https://shop.example"
Edit = namedtuple("Edit", "what sql expect")

# What may come of an edit. A word: the unlock is refused with it. SAME: everything is decided as before.
CORRUPT, ROLLED, CHAIN, FORGED = "state_corrupt", "state_rolled_back", "journal_broken", "checkpoint_invalid"
SAME = {}


def narrower(**changes):
    """Decided as before but for these."""
    return changes


def body(table, where, change, expect=CORRUPT):
    return Edit("%s: %s" % (table, change), ["UPDATE %s SET body = %s WHERE %s" % (table, change, where)], expect)


# Its next requests once a purchase that waits is given up: the money that was held is free again.
FREED = ["denied", "awaiting_approval", "awaiting_approval"]
HELPER = "id = :helper"
FIRST = "id = (SELECT min(id) FROM %s)"

EDITS = [
    # Records: pointers to blobs.
    body("records", "id = :card", "json_set(body, '$.epoch', 2)"),
    body("records", "id = :card", "json_set(body, '$.alias', 'tok_card_a')"),
    body("records", "id = :card", "json_set(body, '$.trashed_at', 1)"),
    body("records", "id = :card", "(SELECT body FROM records WHERE id = :other)"),
    Edit("records: two swapped, seals too",
         ["UPDATE records SET body = (SELECT r.body FROM records r WHERE r.id <> records.id), "
          "mac = (SELECT r.mac FROM records r WHERE r.id <> records.id)"], CORRUPT),
    Edit("records: one taken away", ["DELETE FROM records WHERE id = :card"], CORRUPT),
    Edit("records: one doubled", ["INSERT INTO records SELECT 'crd_' || substr(id, 5, 25) || 'a', version, body, mac "
                                  "FROM records WHERE id = :card"], CORRUPT),
    Edit("records: a blank seal", ["UPDATE records SET mac = zeroblob(32)"], CORRUPT),
    Edit("records: a short seal", ["UPDATE records SET mac = x''"], CORRUPT),
    # Agents.
    body("agents", "id = :revoked", "json_set(body, '$.status', 'active')"),
    body("agents", HELPER, "json_set(body, '$.expires_at', 99999999999)"),
    body("agents", HELPER, "json_set(body, '$.key_sha256', '%s')" % ("ab" * 32)),
    body("agents", HELPER, "json_set(body, '$.uid', 0)"),
    Edit("agents: another one's row", ["UPDATE agents SET body = (SELECT body FROM agents WHERE id = :helper), mac = "
                                       "(SELECT mac FROM agents WHERE id = :helper) WHERE id = :revoked"], CORRUPT),
    Edit("agents: none", ["DELETE FROM agents"], CORRUPT),
    Edit("agents: a version less", ["UPDATE agents SET version = version - 1 WHERE version > 1"], CORRUPT),
    # Policies.
    body("policies", HELPER, "json_set(body, '$.per_use_minor', 99999999)"),
    body("policies", HELPER, "json_set(body, '$.per_day_minor', 99999999)"),
    body("policies", HELPER, "replace(body, 'shop.example', 'evil.example')"),
    body("policies", HELPER, "json_set(body, '$.records', json('[\"*\"]'), '$.more', 1)"),
    body("policies", HELPER, "'{}'"),
    body("policies", HELPER, "'no json'"),
    body("policies", HELPER, "NULL || body", None),  # NOT NULL: SQLite refuses it
    Edit("policies: the wider one for all",
         ["UPDATE policies SET body = (SELECT body FROM policies WHERE id = :second), mac = (SELECT mac FROM policies WHERE "
          "id = :second), version = (SELECT version FROM policies WHERE id = :second)"], CORRUPT),
    Edit("policies: one for the revoked agent", ["INSERT INTO policies SELECT :revoked, version, body, mac FROM policies WHERE "
                                                 "id = :second"], CORRUPT),
    Edit("policies: none", ["DELETE FROM policies"], CORRUPT),
    # Settings.
    body("settings", "id = 'browser.endpoint'", "replace(body, '9222', '9333')"),
    body("settings", "id = 'frozen'", "replace(body, 'false', 'true')"),
    Edit("settings: one more", ["INSERT INTO settings SELECT 'allow_loopback_http', 1, '{\"value\":true}', mac FROM settings "
                                "WHERE id = 'frozen'"], CORRUPT),
    Edit("settings: not frozen, nor anything", ["DELETE FROM settings WHERE id = 'frozen'"], CORRUPT),
    # Purchases.
    body("purchases", "id = :waiting", "json_set(body, '$.status', 'approved', '$.approved_by', 'owner')"),
    body("purchases", "id = :denied", "json_set(body, '$.status', 'approved')"),
    body("purchases", "id = :approved", "json_set(body, '$.amount_minor', 1)"),
    body("purchases", "id = :approved", "json_set(body, '$.merchant', 'https://evil.example')"),
    body("purchases", "id = :approved", "json_set(body, '$.expires_at', 99999999999)"),
    body("purchases", "id = :approved", "json_set(body, '$.idempotency_key', 'other')"),
    body("purchases", "id = :approved", "json_set(body, '$.agent', :second)"),
    Edit("purchases: one taken away", ["DELETE FROM purchases WHERE id = :approved"], CORRUPT),
    Edit("purchases: an approved one under another id",
         ["INSERT INTO purchases SELECT 'pur_aaaaaaaaaaaaaaaaaaaaaaaaaa', version, body, mac FROM purchases WHERE id = :approved"],
         CORRUPT),
    # Money.
    body("ledger", FIRST % "ledger", "json_set(body, '$.amount_minor', 0)"),
    body("ledger", FIRST % "ledger", "json_set(body, '$.amount_minor', -100000)"),
    body("ledger", FIRST % "ledger", "json_set(body, '$.at', 1)"),
    body("ledger", FIRST % "ledger", "json_set(body, '$.currency', 'EUR')"),
    body("ledger", FIRST % "ledger", "json_set(body, '$.agent', :second)"),
    Edit("ledger: nothing was spent", ["DELETE FROM ledger"], CORRUPT),
    Edit("ledger: one entry less", ["DELETE FROM ledger WHERE id = (SELECT max(id) FROM ledger)"], CORRUPT),
    Edit("ledger: an entry twice", ["INSERT INTO ledger SELECT 'adj_' || id, version, body, mac FROM ledger LIMIT 1"], CORRUPT),
    # Epochs, grants, authenticators.
    body("epochs", "id = '1'", "json_set(body, '$.status', 'live')"),
    Edit("epochs: none", ["DELETE FROM epochs"], CORRUPT),
    body("grants", "1", "json_set(body, '$.expires_at', 99999999999)"),
    body("grants", "1", "json_set(body, '$.agent', :second)"),
    Edit("grants: none", ["DELETE FROM grants"], CORRUPT),
    Edit("grants: one more", ["INSERT INTO grants SELECT 'grt_aaaaaaaaaaaaaaaaaaaaaaaaaa', version, body, mac FROM grants"], CORRUPT),
    Edit("authenticators: one of the stranger's", ["INSERT INTO authenticators SELECT 'aut_aaaaaaaaaaaaaaaaaaaaaaaaaa', 1, "
                                                   "'{\"kind\":\"raw\"}', mac FROM settings LIMIT 1"], CORRUPT),
    # The journal (test_journal_tampering.py has more).
    Edit("journal: a body", ["UPDATE journal SET body = '{}' WHERE kind = 20"], CHAIN),
    Edit("journal: a body that is no JSON", ["UPDATE journal SET body = 'x' WHERE kind = 20"], CHAIN),
    Edit("journal: a body as a blob, the same bytes", ["UPDATE journal SET body = CAST(body AS BLOB) WHERE kind = 20"], SAME),
    Edit("journal: a kind that there is not", ["UPDATE journal SET kind = 999 WHERE kind = 20"], CHAIN),
    Edit("journal: a kind out of range", ["UPDATE journal SET kind = -1 WHERE kind = 20"], CHAIN),
    Edit("journal: a hash as text", ["UPDATE journal SET hash = hex(hash) WHERE kind = 20"], CHAIN),
    Edit("journal: no end", ["DELETE FROM journal WHERE seq > (SELECT max(seq) FROM journal) - 2"], ROLLED),
    Edit("journal: nothing", ["DELETE FROM journal"], ROLLED),
    Edit("journal: a row before the first", ["INSERT INTO journal SELECT -1, at, kind, body, hash FROM journal WHERE seq = 1"], CHAIN),
    Edit("journal: a row far behind", ["INSERT INTO journal SELECT 9223372036854775807, at, kind, body, hash FROM journal WHERE "
                                       "seq = 1"], CHAIN),
    Edit("journal: a note more", [("append", 8, "{}")], SAME),
    Edit("journal: a checkpoint more", [("append", 100, "{}")], FORGED),
    Edit("journal: that the owner thawed", [("append", 5, "{}"), ("append", 5, "{}")], ROLLED),
    Edit("journal: that an agent was revoked while locked",
         [("append", 6, '{"id":"%(helper)s","what":"revoke"}')], narrower(helper="unauthenticated", agents="helper is revoked")),
    # Narrowings: anybody may say no.
    Edit("narrowings: revoke", ["INSERT INTO narrowings(what, id, at) VALUES ('revoke', :helper, 1)"],
         narrower(helper="unauthenticated", agents="helper is revoked")),
    Edit("narrowings: freeze", ["INSERT INTO narrowings(what, id, at) VALUES ('freeze', '', 1)"], narrower(frozen=True, helper="frozen",
                                                                                                       second="frozen")),
    Edit("narrowings: deny", ["INSERT INTO narrowings(what, id, at) VALUES ('deny', :waiting, 1)"], 
         narrower(purchases="waiting is denied", helper=FREED)),
    Edit("narrowings: of what there is not", ["INSERT INTO narrowings(what, id, at) VALUES ('revoke', 'agt_x', 1), ('deny', 'x', 1)"], SAME),
    Edit("narrowings: a word that there is not", ["INSERT INTO narrowings(what, id, at) VALUES ('allow', :waiting, 1)"],
         narrower(purchases="waiting is canceled", helper=FREED)),  # whatever it says, it says no
    # Facts that are checked against the vault.
    Edit("meta: another vault.enc", ["UPDATE meta SET value = '%s' WHERE key LIKE 'vault_sha256%%'" % ("ab" * 32)], ROLLED),
    Edit("meta: no vault.enc", ["DELETE FROM meta WHERE key LIKE 'vault_sha256%'"], CORRUPT),
    Edit("meta: another vault", ["UPDATE meta SET value = 'vlt_aaaaaaaaaaaaaaaaaaaaaaaaaa' WHERE key = 'vault_id'"], CORRUPT),
    Edit("meta: no vault", ["DELETE FROM meta WHERE key = 'vault_id'"], CORRUPT),
    Edit("meta: another mode", ["UPDATE meta SET value = 'machine-oss' WHERE key = 'mode'"], "usage"),  # no passphrase then
    Edit("meta: a mode to come", ["INSERT INTO meta VALUES ('mode_next', 'machine-oss')"], "any"),
    Edit("meta: not frozen", ["INSERT OR REPLACE INTO meta VALUES ('frozen', '0')"], SAME),
    Edit("meta: something", ["INSERT INTO meta VALUES ('admin', '1')"], SAME),
    Edit("meta: nothing", ["DELETE FROM meta"], CORRUPT),
    # The tables themselves.
    Edit("schema: older", ["PRAGMA user_version = 1"], CORRUPT),
    Edit("schema: none", ["PRAGMA user_version = 0"], CORRUPT),
    Edit("schema: newer", ["PRAGMA user_version = 99"], "newer_version"),
    Edit("schema: negative", ["PRAGMA user_version = -1"], CORRUPT),
    Edit("schema: a trigger less", ["DROP TRIGGER journal_no_delete"], CORRUPT),
    Edit("schema: a trigger more", ["CREATE TRIGGER t AFTER INSERT ON ledger BEGIN UPDATE ledger SET body = '{}'; END"], CORRUPT),
    Edit("schema: an index less", ["DROP INDEX purchases_key"], CORRUPT),
    Edit("schema: an index that leaves rows out", ["DROP INDEX agents_key", "CREATE INDEX agents_key ON agents("
                                                   "json_extract(body, '$.key_sha256')) WHERE 0"], CORRUPT),
    Edit("schema: a view in a table's place", ["ALTER TABLE grants RENAME TO g", "CREATE VIEW grants AS SELECT * FROM g"], CORRUPT),
    Edit("schema: a column more", ["ALTER TABLE policies ADD COLUMN admin"], CORRUPT),
    Edit("schema: a table less", ["DROP TABLE authenticators"], CORRUPT),
    Edit("schema: text of a table rewritten",
         ["PRAGMA writable_schema = ON", "UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '') WHERE name = 'ledger'"], CORRUPT),
    Edit("schema: an index that points nowhere",
         ["PRAGMA writable_schema = ON", "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = "
          "'ledger_agent') WHERE name = 'purchases_key'"], CORRUPT),
    Edit("schema: statistics", ["ANALYZE"], SAME),
    Edit("schema: an application's number", ["PRAGMA application_id = 7"], SAME),
    Edit("schema: packed anew", ["VACUUM"], SAME),
    Edit("schema: another journal mode", ["PRAGMA journal_mode = DELETE"], SAME),
]


class HandEdits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = home = Home()
        home.start()
        home.make_vault()
        cls.card = home.add_card()["id"]
        cls.other = home.add_card(label="Other", number="5555555555554444")["id"]
        cls.agents = {name: home.add_agent(name) for name in ("helper", "second", "revoked")}
        home.set_policy("helper", per_use="50.00", per_day="120.00")
        home.set_policy("second", per_use="500.00", per_day="900.00")
        home.cli("config", "set", "browser.endpoint", "http://127.0.0.1:9222", passphrase=PASSPHRASE)
        home.cli("agent", "revoke", "revoked")
        home.cli("rotate", passphrase=PASSPHRASE)
        cls.names = {"card": cls.card, "other": cls.other, **{name: one["agent"] for name, one in cls.agents.items()}}
        for name in ("waiting", "approved", "denied"):
            cls.names[name] = cls.request("helper", name, 2500)["purchase"]
        home.cli("approve", cls.names["approved"], passphrase=PASSPHRASE)
        home.cli("deny", cls.names["denied"])
        with home.owner() as owner:
            OwnerKey(PASSPHRASE).call(owner, "grant.create", agent=cls.names["helper"], records=[cls.card], ttl_s=3600)
            grant = owner.call("grant.list")["grants"][0]["grant"]
            owner.call("grant.revoke", grant=grant)
        home.cli("lock")
        home.stop()
        cls.whole = os.path.join(home.base, "whole")
        shutil.copytree(home.path, cls.whole, symlinks=True)

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    @classmethod
    def request(cls, agent, key, amount):
        with cls.home.agent(cls.agents[agent]["key"]) as connection:
            return connection.call("purchase.request", record=cls.card, amount_minor=amount, currency="USD",
                                   merchant_origin=SHOP, reason="x", idempotency_key=key)

    def put_whole(self):
        self.home.stop()
        shutil.rmtree(self.home.path)
        shutil.copytree(self.whole, self.home.path, symlinks=True)

    def append(self, db, kind, text):
        """A row at the end of the journal, as anybody can make one."""
        seq, at, previous = db.execute("SELECT seq, at, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
        digest = hashlib.sha256(previous + b"PVJ1" + struct.pack(">QQHI", seq + 1, at, kind, len(text)) + text.encode()).digest()
        db.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?)", (seq + 1, at, kind, text, digest))

    def apply(self, edit):
        """The edit; triggers of the journal step aside for it, unless it is about them."""
        db = sqlite3.connect(self.home.file("state.db"), isolation_level=None)
        triggers = [] if edit.what.startswith("schema") else db.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute("DROP TRIGGER " + name)
        before = self.dump(db)
        try:
            for statement in edit.sql:
                if isinstance(statement, tuple):
                    self.append(db, statement[1], statement[2] % self.names if "%" in statement[2] else statement[2])
                else:
                    db.execute(statement, self.names if ":" in statement else ()).fetchall()
            changed = self.dump(db) != before
        finally:
            for _, sql in triggers:
                db.execute(sql)
            db.close()
        return changed

    def dump(self, db):
        """Everything that the file says, to see that an edit edits."""
        tables = [name for name, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]
        return ([db.execute("SELECT * FROM " + name).fetchall() for name in sorted(tables)],
                db.execute("SELECT type, name, sql, rootpage FROM sqlite_master").fetchall(),
                db.execute("PRAGMA user_version").fetchall())

    def asked(self, agent, amount):
        """What an agent gets for a request, as a word."""
        try:
            return self.request(agent, "new-%s-%d" % (agent, amount), amount)["status"]
        except RpcError as error:
            return error.reason

    def decisions(self):
        """What the vault decides, in a form that can be compared."""
        cli = lambda *args: self.home.cli(*args).json
        ids = {value: name for name, value in self.names.items()}
        out = {"frozen": cli("status")["frozen"]}
        out["agents"] = {one["name"]: (one["status"], one["expires_at"], one["key"]) for one in cli("agent", "list")}
        out["policies"] = [self.home.run("policy", "show", name).out for name in ("helper", "second", "revoked")]
        out["config"] = cli("config", "get")
        out["records"] = cli("list")
        out["purchases"] = {ids[one["purchase"]]: (one["status"], one["amount_minor"], one["merchant"], one["agent_name"])
                            for one in cli("purchases")}
        with self.home.owner() as owner:
            out["grants"] = [(one["grant"], one["agent"], one["status"], one["expires_at"]) for one in owner.call("grant.list")["grants"]]
        # Under, at the day's rest (50.00 are held) and over a cap; the revoked one nothing.
        out["helper"] = [self.asked("helper", amount) for amount in (5001, 5000, 2500)]
        out["second"] = [self.asked("second", amount) for amount in (50001, 5000)]
        out["revoked"] = self.asked("revoked", 1)
        return out

    def unlock(self):
        answer = self.home.run("unlock", passphrase=PASSPHRASE)
        try:
            self.home.note_daemon_now()
        except OSError:
            pass
        return answer

    def same_but(self, expect, found):
        wanted = dict(self.untouched)
        for key, value in expect.items():
            if value == "helper is revoked":
                wanted[key] = {**wanted[key], "helper": ("revoked", *wanted[key]["helper"][1:])}
            elif key == "purchases":
                wanted[key] = {**wanted[key], "waiting": (value.split()[-1], *wanted[key]["waiting"][1:])}
            elif isinstance(wanted[key], list) and not isinstance(value, list):
                wanted[key] = [value] * len(wanted[key])
            else:
                wanted[key] = value
        self.assertEqual(found, wanted)

    def check(self, edit):
        answer = self.unlock()
        if isinstance(edit.expect, dict):
            self.assertEqual(answer.code, 0, repr(answer))
            self.same_but(edit.expect, self.decisions())
        elif edit.expect == "any":
            if answer.code == 0:
                self.same_but(SAME, self.decisions())
        else:
            self.assertEqual((answer.code, answer.reason), (2 if edit.expect == "usage" else 1, edit.expect), repr(answer))
            self.assertEqual(answer.err.count("\n"), 1)
            self.assertEqual(self.home.run("unlock", passphrase=PASSPHRASE).reason, edit.expect, "and again")
            with self.home.owner() as owner:
                self.assertNotEqual(owner.call("vault.status")["state"], "unlocked", "it is there and says so")
            try:
                with self.home.agent(self.agents["second"]["key"]) as agent:
                    agent.call("credentials.list")
                self.fail("an agent was served")
            except RpcError as error:
                self.assertNotEqual(error.reason, "internal")
        self.assertNotIn("popvaultd stops", self.home.log_text())

    def test_the_list(self):
        self.assertGreaterEqual(len(EDITS), 50)
        self.assertEqual(len({edit.what for edit in EDITS}), len(EDITS), "each once")
        touched = " ".join(statement for edit in EDITS for statement in edit.sql if isinstance(statement, str))
        for table in ("records", "agents", "policies", "settings", "purchases", "ledger", "epochs", "grants", "authenticators",
                      "journal", "narrowings", "meta", "user_version", "TRIGGER", "INDEX"):
            self.assertIn(table, touched)

    def test_every_edit(self):
        self.put_whole()
        self.assertEqual(self.unlock().code, 0, "the control: untouched")
        type(self).untouched = self.decisions()
        self.assertEqual(self.untouched["revoked"], "unauthenticated")
        self.assertEqual(len(set(self.untouched["helper"])), 2, "some are allowed and some are not: %r" % self.untouched["helper"])
        for edit in EDITS:
            with self.subTest(edit=edit.what):
                self.put_whole()
                if edit.expect is None:
                    with self.assertRaises(sqlite3.DatabaseError):
                        self.apply(edit)
                    continue
                changed = self.apply(edit)
                if edit.what not in ("schema: statistics", "schema: an application's number", "schema: packed anew",
                                     "schema: another journal mode"):
                    self.assertTrue(changed, "the edit changes nothing")
                self.check(edit)


if __name__ == "__main__":
    unittest.main()
