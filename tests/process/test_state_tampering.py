"""Edits the files with the daemon stopped, as somebody who may write them but has no key could. Each edit is refused at
unlock or at use, and each comes with what it would have given."""

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import struct
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home

REFUSED = ("state_corrupt", "state_rolled_back", "journal_broken", "wrong_key", "vault_corrupt", "vault_missing")
SEALED = ("records", "agents", "policies", "settings", "purchases", "ledger", "epochs")


class Tampering(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = home = Home()
        home.start()
        home.make_vault()
        cls.card = home.add_card()
        cls.other = home.add_card(label="Other", number="5555555555554444")
        cls.key = home.add_agent("helper")["key"]
        cls.second = home.add_agent("second")["key"]
        cls.revoked = home.add_agent("revoked")["key"]
        cls.old = cls.copy("old")
        home.set_policy("helper", per_use="50.00", per_day="60.00")
        home.set_policy("second", per_use="500.00", per_day="600.00")
        home.cli("config", "set", "browser.endpoint", "http://127.0.0.1:9222", passphrase=PASSPHRASE)
        home.cli("agent", "revoke", "revoked")
        cls.purchase = cls.request(home, "one")["purchase"]
        cls.denied = cls.request(home, "two", 100)["purchase"]
        home.cli("deny", cls.denied)
        home.cli("freeze")
        cls.new = cls.copy("new")

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    @classmethod
    def request(cls, home, key, amount=5000):
        with home.agent(cls.key) as agent:
            return agent.call("purchase.request", record=cls.card["id"], amount_minor=amount, currency="USD",
                              merchant_origin="https://shop.example", reason="x", idempotency_key=key)

    @classmethod
    def copy(cls, name):
        """Stop, keep a copy of the whole home, go on."""
        cls.home.stop()
        target = os.path.join(cls.home.base, name)
        shutil.copytree(cls.home.path, target, symlinks=True)
        cls.home.start()
        cls.home.unlock()
        return target

    def put(self, source):
        self.home.stop()
        shutil.rmtree(self.home.path)
        shutil.copytree(source, self.home.path, symlinks=True)

    def setUp(self):
        self.put(self.new)

    def tearDown(self):
        self.home.stop()

    @contextlib.contextmanager
    def database(self):
        """state.db with its triggers out of the way; they are put back, so that only the edit is seen."""
        db = sqlite3.connect(self.home.file("state.db"), isolation_level=None)
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute("DROP TRIGGER " + name)
        try:
            yield db
        finally:
            for _, sql in triggers:
                db.execute(sql)
            db.close()

    def edit(self, *statements, must_change=True):
        changed = 0
        with self.database() as db:
            for statement in statements:
                values = ()
                if isinstance(statement, tuple):
                    statement, *values = statement
                changed += max(0, db.execute(statement, values).rowcount)
        if must_change:
            self.assertGreater(changed, 0, "the edit changed nothing: %s" % (statements,))

    def unlock(self):
        """As an owner does: the command starts the daemon, which may refuse to."""
        answer = self.home.run("unlock", passphrase=PASSPHRASE)
        try:
            self.home.note_daemon_now()
        except OSError:
            pass  # it did not start
        return answer

    def refused(self, words=REFUSED):
        answer = self.unlock()
        self.assertEqual(answer.code, 1, repr(answer))
        self.assertIn(answer.reason, words)
        # It says so again the next time, and nothing was "mended".
        self.assertEqual(self.home.run("unlock", passphrase=PASSPHRASE).reason, answer.reason)
        status = self.home.run("status")
        if status.code == 0:
            self.assertNotEqual(status.json["state"], "unlocked")
        return answer.reason

    def row(self, table, name):
        """The id of the row whose body names it."""
        db = sqlite3.connect(self.home.file("state.db"))
        found = [i for i, body in db.execute("SELECT id, body FROM %s" % table) if name in i or name in body]
        db.close()
        self.assertEqual(len(found), 1, (table, name, found))
        return found[0]

    def agent_id(self, name):
        return self.row("agents", '"name":"%s"' % name)

    # Controls.

    def test_control_untouched(self):
        self.assertEqual(self.unlock().code, 0)
        self.assertEqual(len(self.home.cli("list").json), 2)
        with self.home.agent(self.key) as agent:
            self.assertEqual(agent.call("purchase.status", purchase=self.purchase)["status"], "awaiting_approval")
            self.assertTrue(agent.call("vault.status")["frozen"])

    def test_control_opened_and_closed(self):
        db = sqlite3.connect(self.home.file("state.db"))
        self.assertGreater(db.execute("SELECT count(*) FROM journal").fetchone()[0], 5)
        db.execute("VACUUM")
        db.close()
        self.assertEqual(self.unlock().code, 0)

    def test_changed_tables(self):
        """A trigger, an index or a table that is not the program's own could act in its name."""
        for statement in ("DROP TRIGGER journal_no_update", "DROP INDEX agents_key", "CREATE TABLE more (x)",
                          "CREATE TRIGGER evil AFTER UPDATE ON purchases BEGIN DELETE FROM ledger; END"):
            with self.subTest(statement=statement):
                self.put(self.new)
                db = sqlite3.connect(self.home.file("state.db"), isolation_level=None)
                db.execute(statement)
                db.close()
                self.refused(("state_corrupt",))

    def test_control_the_old_home_opens_whole(self):
        """A whole older home is not noticed without an outside anchor: the threat model says so."""
        self.put(self.old)
        self.assertEqual(self.unlock().code, 0)

    def test_the_journal_refuses_by_itself(self):
        db = sqlite3.connect(self.home.file("state.db"), isolation_level=None)
        for statement in ("UPDATE journal SET body = '{}' WHERE seq = 2", "DELETE FROM journal WHERE seq = 2"):
            with self.assertRaises(sqlite3.DatabaseError):
                db.execute(statement)
        db.close()

    # Rows that give authority.

    def test_approve_a_purchase(self):
        self.edit(("UPDATE purchases SET body = json_set(body, '$.status', 'approved') WHERE id = ?", self.purchase))
        self.refused()

    def test_revive_a_denied_purchase(self):
        self.edit(("UPDATE purchases SET body = json_set(body, '$.status', 'approved') WHERE id = ?", self.denied))
        self.refused()

    def test_copy_another_purchases_row(self):
        self.edit(("UPDATE purchases SET body = (SELECT body FROM purchases WHERE id = ?1), version = (SELECT version "
                   "FROM purchases WHERE id = ?1), mac = (SELECT mac FROM purchases WHERE id = ?1) WHERE id = ?2",
                   self.denied, self.purchase))
        self.refused()

    def test_add_an_agent(self):
        self.edit("INSERT INTO agents SELECT 'agt_aaaaaaaaaaaaaaaaaaaaaaaaaa', 1, body, mac FROM agents LIMIT 1")
        self.refused()

    def test_unrevoke_an_agent(self):
        self.edit(("UPDATE agents SET body = replace(body, 'revoked\"', 'active\"') WHERE id = ?",
                   self.agent_id("revoked")))
        self.refused()

    def test_put_back_the_row_before_the_revocation(self):
        """With its own, once good, MAC."""
        old = sqlite3.connect(os.path.join(self.old, "state.db"))
        row = old.execute("SELECT id, version, body, mac FROM agents WHERE body LIKE '%\"name\":\"revoked\"%'").fetchone()
        old.close()
        self.edit(("UPDATE agents SET version = ?2, body = ?3, mac = ?4 WHERE id = ?1", *row))
        self.refused()

    def test_put_back_a_row_with_a_journal_row_that_names_it(self):
        """The chain has no key: anybody can add a row to it, also one that names an older version as the latest."""
        old = sqlite3.connect(os.path.join(self.old, "state.db"))
        row = old.execute("SELECT id, version, body, mac FROM agents WHERE body LIKE '%\"name\":\"revoked\"%'").fetchone()
        old.close()
        change = {"digest": hashlib.sha256(row[2].encode()).hexdigest(), "id": row[0], "table": "agents", "version": row[1]}
        body = json.dumps({"changes": [change]}, separators=(",", ":"), sort_keys=True)
        for kind in (2, 20):  # unlocked, agent_added
            with self.subTest(kind=kind):
                self.put(self.new)
                with self.database() as db:
                    self.append(db, kind, body)
                    db.execute("UPDATE agents SET version = ?2, body = ?3, mac = ?4 WHERE id = ?1", row)
                self.refused(("state_corrupt", "state_rolled_back", "journal_broken"))

    def test_begin_anew_with_first_versions(self):
        """As a restored backup does: only that vault.enc does not know of it."""
        with self.database() as db:
            changes = []
            for table in SEALED:
                db.execute("DELETE FROM %s WHERE version > 1" % table)
                changes += [{"digest": hashlib.sha256(body.encode()).hexdigest(), "id": identity, "table": table, "version": 1}
                            for identity, body in db.execute("SELECT id, body FROM %s" % table)]
            self.assertGreater(len(changes), 3)
            self.append(db, 92, json.dumps({"changes": changes}, separators=(",", ":"), sort_keys=True))  # vault_restored
        self.refused(("state_rolled_back", "state_corrupt"))

    def append(self, db, kind, body):
        """A row at the end of the journal, as anybody can make one."""
        seq, at, previous = db.execute("SELECT seq, at, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
        head = b"PVJ1" + struct.pack(">QQHI", seq + 1, at, kind, len(body))
        digest = hashlib.sha256(previous + head + body.encode()).digest()
        db.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?)", (seq + 1, at, kind, body, digest))

    def test_another_key_for_an_agent(self):
        self.edit(("UPDATE agents SET body = json_set(body, '$.key_sha256', ?) WHERE id = ?", "ab" * 32,
                   self.agent_id("helper")))
        self.refused()

    def test_swap_two_policies(self):
        """The other agent's wider policy, sealed by the owner himself, but not for this one."""
        first, second = self.agent_id("helper"), self.agent_id("second")
        self.edit(("UPDATE policies SET body = (SELECT body FROM policies WHERE id = ?1), mac = (SELECT mac FROM policies "
                   "WHERE id = ?1) WHERE id = ?2", second, first))
        self.refused()

    def test_widen_a_policy(self):
        self.edit(("UPDATE policies SET body = replace(body, 'https://shop.example', 'https://evil.example') WHERE id = ?",
                   self.agent_id("helper")))
        self.refused()

    def test_raise_a_cap(self):
        identity = self.agent_id("helper")
        with self.database() as db:
            (body,) = db.execute("SELECT body FROM policies WHERE id = ?", (identity,)).fetchone()
            wider = body.replace("5000", "500000").replace("6000", "600000")
            self.assertNotEqual(body, wider)
            db.execute("UPDATE policies SET body = ? WHERE id = ?", (wider, identity))
        self.refused()

    def test_lower_the_strength(self):
        self.edit(("UPDATE policies SET mac = zeroblob(32) WHERE id = ?", self.agent_id("helper")))
        self.refused()

    def test_another_browser(self):
        self.edit("UPDATE settings SET body = replace(body, '9222', '9333') WHERE body LIKE '%9222%'")
        self.refused()

    def test_rename_a_record(self):
        """A pointer to another record's blob."""
        self.edit(("UPDATE records SET body = (SELECT body FROM records WHERE id = ?1), mac = (SELECT mac FROM records "
                   "WHERE id = ?1) WHERE id = ?2", self.other["id"], self.card["id"]))
        self.refused()

    def test_rows_taken_away(self):
        for table in SEALED:
            with self.subTest(table=table):
                self.put(self.new)
                self.edit("DELETE FROM " + table)
                self.refused()

    def test_a_higher_version(self):
        for table in SEALED:
            with self.subTest(table=table):
                self.put(self.new)
                self.edit("UPDATE %s SET version = version + 1" % table)
                self.refused()

    def test_mac_of_another_table(self):
        self.edit("UPDATE policies SET mac = (SELECT mac FROM agents LIMIT 1)")
        self.refused()

    # Frozen.

    def test_unfreeze(self):
        """No edit of state.db thaws: either it is refused, or it is still frozen."""
        for what, statements in (
                ("narrowings", ["DELETE FROM narrowings"]),
                ("settings", ["UPDATE settings SET body = replace(body, 'true', 'false')"]),
                ("settings gone", ["DELETE FROM settings"]),
                ("meta", ["UPDATE meta SET value = 'false' WHERE value = 'true'", "DELETE FROM meta WHERE key = 'frozen'"])):
            with self.subTest(what=what):
                self.put(self.new)
                self.edit(*statements, must_change=False)
                answer = self.unlock()
                if answer.code == 0:
                    self.assertTrue(self.home.cli("status").json["frozen"])
                else:
                    self.assertIn(answer.reason, REFUSED)

    def test_freeze_while_locked_survives(self):
        self.put(self.old)
        self.home.start()
        self.assertEqual(self.home.cli("status").json["state"], "locked")
        self.home.cli("freeze")
        self.home.restart()
        self.home.unlock()
        self.assertTrue(self.home.cli("status").json["frozen"])

    # The journal.

    def test_journal_edits(self):
        cases = {
            "edit a body": ["UPDATE journal SET body = replace(body, '\"', ' \"') WHERE seq = 5"],
            "edit a time": ["UPDATE journal SET at = at + 1 WHERE seq = 3"],
            "edit a kind": ["UPDATE journal SET kind = kind + 1 WHERE seq = 3"],
            "edit a hash": ["UPDATE journal SET hash = zeroblob(32) WHERE seq = 3"],
            "delete the first": ["DELETE FROM journal WHERE seq = (SELECT min(seq) FROM journal)"],
            "delete one": ["DELETE FROM journal WHERE seq = 5"],
            "delete one and close the gap": ["DELETE FROM journal WHERE seq = 5",
                                             "UPDATE journal SET seq = -seq WHERE seq > 5",
                                             "UPDATE journal SET seq = -seq - 1 WHERE seq < 0"],
            "cut the end": ["DELETE FROM journal WHERE seq > (SELECT max(seq) FROM journal) - 4"],
            "all of it": ["DELETE FROM journal"],
            "reorder": ["UPDATE journal SET seq = -1 WHERE seq = 4", "UPDATE journal SET seq = 4 WHERE seq = 5",
                        "UPDATE journal SET seq = 5 WHERE seq = -1"],
            "insert": ["INSERT INTO journal SELECT (SELECT max(seq) FROM journal) + 1, at, kind, body, hash FROM journal "
                       "WHERE seq = 3"],
        }
        for what, statements in cases.items():
            with self.subTest(what=what):
                self.put(self.new)
                self.edit(*statements)
                self.refused()

    def test_audit_verify_finds_it_while_locked(self):
        self.edit("UPDATE journal SET body = replace(body, '\"', ' \"') WHERE seq = 5")
        self.home.start()
        answer = self.home.run("audit", "verify")
        self.assertEqual((answer.code, answer.reason), (1, "journal_broken"), repr(answer))

    # Rolling back one thing alone.

    def test_old_state_alone(self):
        for suffix in ("", "-wal", "-shm"):
            for folder, action in ((self.home.path, "remove"), (self.old, "copy")):
                path = os.path.join(folder, "state.db" + suffix)
                if os.path.exists(path):
                    if action == "remove":
                        os.unlink(path)
                    else:
                        shutil.copy2(path, self.home.file("state.db" + suffix))
        self.refused()

    def test_old_vault_alone(self):
        shutil.copy2(os.path.join(self.old, "vault.enc"), self.home.file("vault.enc"))
        self.refused()

    def test_no_state_at_all(self):
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(self.home.file("state.db" + suffix)):
                os.unlink(self.home.file("state.db" + suffix))
        self.refused()
        # And no new vault is made over the one that is there.
        with open(self.home.file("vault.enc"), "rb") as file:
            before = file.read()
        self.assertNotEqual(self.home.run("init", passphrase=PASSPHRASE).code, 0)
        with open(self.home.file("vault.enc"), "rb") as file:
            self.assertEqual(file.read(), before)

    def test_truncated_state(self):
        for size in (4096, 100, 0):
            with self.subTest(size=size):
                self.put(self.new)
                with open(self.home.file("state.db"), "r+b") as file:
                    file.truncate(size)
                self.refused()

    def test_a_vault_of_another_home(self):
        with Home() as other:
            other.start()
            other.make_vault()
            other.stop()
            shutil.copy2(other.file("vault.enc"), self.home.file("vault.enc"))
        self.refused()

    # Blobs.

    def blobs(self):
        found = []
        for folder, _, files in os.walk(self.home.file("blobs")):
            found += [os.path.join(folder, name) for name in files if name.endswith(".enc")]
        return sorted(found)

    def export(self, record):
        path = os.path.join(self.home.tmp, "export-" + os.urandom(4).hex())
        return self.home.run("export", "pop-pay", path, "--record", record, "--mode", "machine-oss",
                             "--accept-public-salt", passphrase=PASSPHRASE)

    def use_is_refused(self):
        """No record can be used whose blob was touched."""
        answer = self.unlock()
        if answer.code != 0:
            self.assertIn(answer.reason, REFUSED)
            return
        self.home.cli("unfreeze", passphrase=PASSPHRASE)
        for card in (self.card, self.other):
            answer = self.export(card["id"])
            self.assertEqual((answer.code, answer.reason), (1, "state_corrupt"), repr(answer))

    def test_control_export(self):
        self.assertEqual(self.unlock().code, 0)
        self.home.cli("unfreeze", passphrase=PASSPHRASE)
        self.assertEqual(self.export(self.card["id"]).code, 0)

    def test_swapped_blobs(self):
        first, second = self.blobs()
        os.rename(first, first + ".x")
        os.rename(second, first)
        os.rename(first + ".x", second)
        self.use_is_refused()

    def test_flipped_bits_in_blobs(self):
        for path in self.blobs():
            with open(path, "r+b") as file:
                file.seek(20)
                byte = file.read(1)[0]
                file.seek(20)
                file.write(bytes([byte ^ 1]))
        self.use_is_refused()

    def test_missing_and_truncated_blobs(self):
        first, second = self.blobs()
        os.unlink(first)
        with open(second, "r+b") as file:
            file.truncate(10)
        self.use_is_refused()

    # A copy elsewhere.

    def test_the_passphrase_does_not_help_without_the_files(self):
        with Home() as other:
            other.start()
            self.assertNotEqual(other.run("unlock", passphrase=PASSPHRASE).code, 0)


if __name__ == "__main__":
    unittest.main()
