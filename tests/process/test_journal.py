"""The journal from outside: checkpoints, lists, exports that another program verifies, what is personal and how it goes, and
the worked example of docs/JOURNAL_FORMAT.md."""

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home, wait_until
from support.journal_reader import (CHECKPOINT, EXPORTED, ZERO, checkpoint_bytes, ed25519_verify, journal_seed,
                                    read_export, read_state, row_bytes, verify_export, verify_rows)
from support.owner_key import OwnerKey, SigningKey, hkdf, vault_key
from support.programs import SOURCE
from support.rpc import bundle
from support.vault_reader import decrypt, open_vault

REASON = "a present for Ada Byron"
SHOP = "https://shop.example"
WEEK = 7 * 24 * 3600


def examples():
    """The named blocks of docs/JOURNAL_FORMAT.md, as bytes."""
    with open(os.path.join(SOURCE, "docs", "JOURNAL_FORMAT.md"), encoding="utf-8") as file:
        blocks = re.findall(r"^```(hex|text) (\S+)\n(.*?)^```$", file.read(), re.S | re.M)
    return {name: bytes.fromhex(body.replace("\n", "")) if kind == "hex" else body.encode() for kind, name, body in blocks}


class Document(unittest.TestCase):
    """The example of the document, computed again."""

    @classmethod
    def setUpClass(cls):
        cls.found = examples()
        cls.export = os.path.join(os.environ.get("TMPDIR", "/tmp"), "pv-export-%d.jsonl" % os.getpid())
        with open(cls.export, "wb") as file:
            file.write(cls.found["export"])
        cls.head, cls.rows = read_export(cls.export)

    @classmethod
    def tearDownClass(cls):
        os.unlink(cls.export)

    def test_keys(self):
        self.assertEqual(journal_seed(self.found["umk"]), self.found["seed"])
        self.assertEqual(SigningKey(self.found["seed"]).public, self.found["public-key"])

    def test_rows(self):
        self.assertEqual(row_bytes(ZERO, self.rows[0]), self.found["row-1"])
        self.assertEqual(hashlib.sha256(self.found["row-1"]).digest(), self.found["row-1-hash"])
        self.assertEqual(self.rows[0].hash, self.found["row-1-hash"])

    def test_checkpoint(self):
        before, row = self.rows[-2:]
        self.assertEqual(checkpoint_bytes(self.head["vault"], before.seq, row.at, before.hash), self.found["checkpoint"])
        self.assertEqual(json.loads(row.body)["signature"], self.found["signature"].hex())
        self.assertEqual(SigningKey(self.found["seed"]).sign(self.found["checkpoint"]), self.found["signature"])
        self.assertTrue(ed25519_verify(self.found["public-key"], self.found["checkpoint"], self.found["signature"]))
        self.assertFalse(ed25519_verify(self.found["public-key"], self.found["checkpoint"][:-1], self.found["signature"]))

    def test_payload(self):
        member = self.found["subject"]
        self.assertEqual(int.from_bytes(member[:4], "big") + 1, self.rows[1].at // WEEK)
        following = hkdf(member[4:], b"popvault:subject:next")
        self.assertEqual(following, self.found["subject-next"])
        self.assertEqual(hkdf(following, b"popvault:subject:payload"), self.found["payload-key"])
        personal = json.loads(self.rows[1].body)["personal"]
        self.assertEqual(personal["sealed"], self.found["payload-sealed"].hex())
        self.assertEqual(decrypt(self.found["payload-key"], self.found["payload-sealed"]), self.found["payload"].rstrip(b"\n"))
        wanted = b"PVPP1"
        for text in (self.head["vault"], personal["subject"]):
            wanted += len(text).to_bytes(2, "big") + text.encode()
        self.assertEqual(wanted + personal["period"].to_bytes(4, "big"), self.found["payload-associated"])

    def test_both_readers_take_the_export(self):
        self.assertEqual(len(verify_export(self.export, self.found["public-key"])), 4)
        with Home() as home:
            answer = home.cli("audit", "verify", "--file", self.export, "--public-key", self.found["public-key"].hex()).json
            self.assertEqual((answer["rows"], answer["checkpoints"], answer["ok"]), (4, 1, True))
            self.assertFalse(os.path.exists(home.path), "no vault is needed or made")


class Case(unittest.TestCase):
    def setUp(self):
        self.home = home = Home()
        self.addCleanup(home.remove)
        home.start()
        home.make_vault()
        self.card = home.add_card()
        self.agent = home.add_agent("helper")
        home.set_policy("helper")

    def request(self, key, agent=None):
        with self.home.agent((agent or self.agent)["key"]) as connection:
            return connection.call("purchase.request", record=self.card["id"], amount_minor=100, currency="USD",
                                   merchant_origin=SHOP, reason=REASON, idempotency_key=key)["purchase"]

    def list(self, *args):
        return self.home.cli("audit", "list", "--limit", "1000", *args).json

    def kinds(self, *args):
        return [row["kind"] for row in self.list(*args)]

    def write_rows(self, owner, count):
        """Changes of authority, each with its row."""
        for number in range(count):
            fd = bundle({"key": "sk-%d" % number})
            try:
                owner.call("record.add", fd=fd, kind="api_key", label="One of many")
            finally:
                os.close(fd)

    def export(self, name="journal.jsonl", *args):
        path = os.path.join(self.home.base, name)
        answer = self.home.cli("audit", "export", path, *args, passphrase=PASSPHRASE).json
        return path, answer

    def state_files(self):
        data = b""
        for name in ("state.db", "state.db-wal"):
            if os.path.exists(self.home.file(name)):
                with open(self.home.file(name), "rb") as file:
                    data += file.read()
        return data


class Checkpoints(Case):
    def test_at_each_lock(self):
        before = self.home.cli("audit", "verify").json
        self.assertGreater(before["uncovered"], 0)
        self.assertTrue(any(not row["covered"] for row in self.list()))
        self.home.cli("lock")
        after = self.home.cli("audit", "verify").json
        self.assertEqual((after["uncovered"], after["checkpoints"]), (0, before["checkpoints"] + 1))
        self.assertTrue(all(row["covered"] for row in self.list()))

    def test_rows_written_while_locked(self):
        """Flagged until the next unlock."""
        self.home.cli("lock")
        self.assertEqual(self.home.run("unlock", passphrase="not the passphrase").reason, "wrong_key")
        self.assertEqual([row["kind"] for row in self.list() if not row["covered"]], ["unlock_failed"])
        self.home.unlock()
        self.assertEqual([row["kind"] for row in self.list() if not row["covered"]], [])

    def test_after_256_rows(self):
        """Soon after, in a commit of its own."""
        with self.home.owner() as owner:
            before = owner.call("audit.verify")["checkpoints"]
            self.write_rows(owner, 260)
        wait_until(lambda: self.home.cli("audit", "verify").json["checkpoints"] > before, "a checkpoint")
        rows = self.list("--after", "200")
        self.assertIn("checkpoint", [row["kind"] for row in rows])

    def test_the_public_key(self):
        key = self.home.cli("audit", "verify").json["public_key"]
        self.assertEqual(self.home.cli("status").json["journal_key"], key)
        self.assertIn(key, self.home.cli("status", json_output=False).out)
        with open(self.home.file("vault.enc"), "rb") as file:
            document = open_vault(vault_key(PASSPHRASE), file.read())
        self.assertEqual(SigningKey(journal_seed(bytes.fromhex(document["umk"]))).public.hex(), key)

    def test_another_program_verifies_state_db(self):
        self.request("one")
        status = self.home.cli("audit", "verify").json
        vault = self.home.cli("status").json["vault"]
        self.home.stop()
        rows = read_state(self.home.file("state.db"))
        self.assertEqual(verify_rows(rows, vault, bytes.fromhex(status["public_key"])), len(rows))
        self.assertEqual(rows[-1].kind, CHECKPOINT)


class Lists(Case):
    def test_filters(self):
        other = self.home.add_agent("other")
        self.home.set_policy("other")
        mine, theirs = self.request("one"), self.request("one", other)
        self.home.cli("deny", mine)
        self.home.cli("deny", theirs)
        rows = self.list("--agent", "helper")
        self.assertEqual([row["kind"] for row in rows], ["agent_added", "policy_set", "agent_executable", "purchase_requested",
                                                        "purchase_denied"])
        self.assertEqual({row["body"]["purchase"] for row in rows if "purchase" in row["body"]}, {mine})
        self.assertEqual(self.list("--agent", self.agent["agent"]), rows, "by id")
        self.assertEqual(set(self.kinds("--kind", "purchase_denied")), {"purchase_denied"})
        self.assertEqual(len(self.list("--kind", "purchase_denied", "--agent", "other")), 1)
        self.assertEqual(self.list("--since", "2200-01-01"), [])
        self.assertEqual(self.list("--since", "24h"), self.list())
        self.assertEqual(self.list("--since", "2026-01-01T00:00:00Z"), self.list())
        self.assertEqual([row["seq"] for row in self.home.cli("audit", "list", "--after", "3", "--limit", "2").json], [4, 5])
        self.home.cli("lock")
        self.assertEqual(len(self.list("--agent", "helper")), 5, "while locked")

    def test_wrong_filters(self):
        self.assertEqual(self.home.run("audit", "list", "--agent", "nobody").reason, "not_found")
        self.assertEqual(self.home.run("audit", "list", "--kind", "no_such").reason, "invalid_params")
        for since in ("yesterday", "-1h", "1y", "2026-13-01", "", "99999999999999999999h"):
            with self.subTest(since=since):
                answer = self.home.run("audit", "list", "--since", since)
                self.assertEqual((answer.code, answer.reason), (2, "usage"), repr(answer))


class Exports(Case):
    def test_both_readers(self):
        self.request("one")
        path, answer = self.export()
        key = answer["public_key"]
        rows = verify_export(path, bytes.fromhex(key))
        self.assertEqual((len(rows), rows[-1].hash.hex()), (answer["rows"], answer["head"]))
        self.assertEqual([row.kind for row in rows[-2:]], [EXPORTED, CHECKPOINT])
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.home.stop()
        verified = self.home.cli("audit", "verify", "--file", path, "--public-key", key).json
        self.assertEqual((verified["rows"], verified["head"], verified["uncovered"]), (len(rows), answer["head"], 0))
        self.assertFalse(os.path.exists(self.home.owner_socket), "without the daemon")
        with open(path, "rb") as file:
            data = file.read()
        for private in (REASON, SHOP, "helper"):
            self.assertNotIn(private.encode(), data)

    def test_a_part(self):
        path, answer = self.export("part.jsonl", "--after", "4")
        rows = verify_export(path, bytes.fromhex(answer["public_key"]))
        self.assertEqual(rows[0].seq, 5)
        verified = self.home.cli("audit", "verify", "--file", path, "--public-key", answer["public_key"]).json
        self.assertEqual((verified["after"], verified["rows"]), (4, len(rows)))
        self.assertEqual(self.home.run("audit", "export", os.path.join(self.home.base, "x"), "--after", "100000",
                                       passphrase=PASSPHRASE).reason, "invalid_params")
        self.assertFalse(os.path.exists(os.path.join(self.home.base, "x")))

    def test_more_rows_than_go_at_once(self):
        with self.home.owner() as owner:
            self.write_rows(owner, 700)
        path, answer = self.export()
        self.assertGreater(answer["rows"], 700)
        verified = self.home.cli("audit", "verify", "--file", path, "--public-key", answer["public_key"]).json
        self.assertGreaterEqual(verified["checkpoints"], 3)

    def test_refusals(self):
        path, answer = self.export()
        other = "ab" * 32
        usage = [("--file", path), ("--public-key", answer["public_key"]), ("--file", path, "--public-key", "xyz"),
                 ("--file", path, "--public-key", answer["public_key"].upper())]
        for args in usage:
            with self.subTest(args=args):
                self.assertEqual(self.home.run("audit", "verify", *args).code, 2)
        self.assertEqual(self.home.run("audit", "verify", "--file", path, "--public-key", other).reason, "checkpoint_invalid")
        self.assertEqual(self.home.run("audit", "verify", "--file", path + "x", "--public-key", other).reason, "not_found")
        self.assertEqual(self.home.run("audit", "verify", "--file", self.home.base, "--public-key", other).code, 1)
        self.assertEqual(self.home.run("audit", "export", path, passphrase=PASSPHRASE).reason, "already_exists")
        self.assertEqual(self.home.run("audit", "export", path + "2", "--format", "csv", passphrase=PASSPHRASE).code, 2)
        self.home.cli("lock")
        self.assertEqual(self.home.run("audit", "export", path + "2", passphrase=PASSPHRASE).reason, "locked")

    def test_the_method_needs_a_file_and_a_proof(self):
        with self.home.owner() as owner:
            self.assertEqual(owner.refusal("audit.export"), "proof_required")
            self.assertEqual(owner.refusal("audit.purge", subject="helper"), "proof_required")
            key = OwnerKey(PASSPHRASE)
            with self.assertRaises(Exception) as error:
                key.call(owner, "audit.export")
            self.assertEqual(error.exception.reason, "invalid_params")


class Personal(Case):
    def stored(self, kind):
        """The rows of a kind as they stand in the file; the daemon goes on."""
        with tempfile.TemporaryDirectory(prefix="pv-state-", dir="/tmp") as copy:
            for name in ("state.db", "state.db-wal"):
                if os.path.exists(self.home.file(name)):
                    shutil.copy(self.home.file(name), copy)
            found = [row for row in read_state(os.path.join(copy, "state.db")) if row.kind == kind]
        self.assertTrue(found)
        return found

    def purge(self, subject="helper"):
        return self.home.cli("audit", "purge", "--subject", subject, passphrase=PASSPHRASE).json

    def test_opened_by_another_program(self):
        """The payload of agent_added, with the keys that vault.enc holds."""
        self.home.stop()
        with open(self.home.file("vault.enc"), "rb") as file:
            document = open_vault(vault_key(PASSPHRASE), file.read())
        member = bytes.fromhex(document["subject." + self.agent["agent"]])
        (row,) = [row for row in read_state(self.home.file("state.db")) if row.kind == 20]
        personal = json.loads(row.body)["personal"]
        self.assertEqual(personal["period"], row.at // WEEK)
        key = member[4:]
        for _ in range(personal["period"] - int.from_bytes(member[:4], "big")):
            key = hkdf(key, b"popvault:subject:next")
        opened = decrypt(hkdf(key, b"popvault:subject:payload"), bytes.fromhex(personal["sealed"]))
        self.assertEqual(json.loads(opened), {"name": "helper"})

    def test_shown_while_unlocked_only(self):
        self.request("one")
        (row,) = self.list("--kind", "agent_added")
        self.assertEqual(row["body"]["name"], "helper")
        self.assertNotIn("personal", row["body"])
        (row,) = self.list("--kind", "agent_executable")
        self.assertIn("python", row["body"]["executable"])
        self.assertNotIn(row["body"]["executable"].encode(), b"".join(row.body.encode() for row in self.stored(26)))
        self.home.cli("lock")
        (row,) = self.list("--kind", "agent_added")
        self.assertEqual(row["body"]["personal"], "locked")
        self.assertNotIn("name", row["body"])

    def test_purge(self):
        one = self.request("one")
        self.assertEqual(self.home.run("audit", "purge", "--subject", "helper", passphrase=PASSPHRASE).reason, "wrong_status")
        self.assertEqual(self.home.run("audit", "purge", "--subject", "nobody", passphrase=PASSPHRASE).reason, "not_found")
        self.home.cli("deny", one)
        path, exported = self.export()
        self.assertIn(REASON.encode(), self.state_files(), "the control")
        self.assertEqual(self.purge(), {"rows": 1, "subject": self.agent["agent"]})
        self.assertNotIn(REASON.encode(), self.state_files())
        self.assertEqual(self.home.run("approve", one, "--force", passphrase=PASSPHRASE).reason, "wrong_status", "it is over for good")
        (row,) = self.list("--kind", "agent_added")
        self.assertEqual(row["body"]["personal"], "purged")
        (purchase,) = self.home.cli("purchases").json
        for name in ("executable", "merchant", "page_url", "text"):
            self.assertIsNone(purchase[name], name)
        self.assertEqual((purchase["amount_minor"], purchase["status"]), (100, "denied"))
        self.assertIn("pur_", self.home.cli("purchases", json_output=False).out)
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])
        self.home.cli("audit", "verify", "--file", path, "--public-key", exported["public_key"])
        self.home.restart()
        self.home.unlock()
        (row,) = self.list("--kind", "agent_added")
        self.assertEqual(row["body"]["personal"], "purged", "for good")
        # The agent goes on, and so do its rows.
        self.request("two")

    def test_the_key_leaves_vault_enc(self):
        self.home.cli("agent", "revoke", "helper")
        self.purge()
        self.home.stop()
        with open(self.home.file("vault.enc"), "rb") as file:
            document = open_vault(vault_key(PASSPHRASE), file.read())
        self.assertNotIn("subject." + self.agent["agent"], document)

    def test_retention_setting(self):
        def put(value):
            return self.home.run("config", "set", "journal.retention_days", value, passphrase=PASSPHRASE)
        self.assertIsNone(self.home.cli("config", "get").json["journal.retention_days"])
        for value in ("6", "36501", "-1", "x", "1.5", "99999999999999999999"):
            with self.subTest(value=value):
                self.assertEqual(put(value).reason, "invalid_field")
        self.assertEqual(put("30").json["journal.retention_days"], 30)
        self.assertIsNone(put("none").json["journal.retention_days"])


if __name__ == "__main__":
    unittest.main()
