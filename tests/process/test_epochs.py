"""Epochs on the real programs, looked at from the files alone: which keys are in vault.enc, which blobs are there, and what
an old copy of the home opens with today's vault."""

import os
import shutil
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home, wait_until
from support.owner_key import hkdf, vault_key
from support.rpc import RpcError
from support.vault_reader import decrypt, open_vault

NUMBER = "4242424242424242"


def vault_of(home):
    with open(home.file("vault.enc"), "rb") as file:
        return open_vault(vault_key(PASSPHRASE), file.read())


def epochs_in(document):
    return sorted(int(name[len("epoch."):]) for name in document if name.startswith("epoch."))


def blobs_of(folder):
    """{epoch: [path]}"""
    found = {}
    for path, _, names in os.walk(os.path.join(folder, "blobs")):
        for name in names:
            found.setdefault(int(os.path.basename(path)), []).append(os.path.join(path, name))
    return found


def opens(document, path, record, needle):
    """Whether any epoch key of this vault gives the record's plaintext (the tag is not checked: the value tells)."""
    with open(path, "rb") as file:
        data = file.read()
    keys = [hkdf(bytes.fromhex(value), b"popvault:record:" + record.encode())
            for name, value in document.items() if name.startswith("epoch.")]
    return any(needle in decrypt(key, data) for key in keys)


class Epochs(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.make_vault()

    def copy(self, name):
        """A copy of blobs and state.db, as somebody takes it who never gets at vault.enc."""
        target = os.path.join(self.home.base, name)
        os.makedirs(target)
        shutil.copytree(self.home.file("blobs"), os.path.join(target, "blobs"))
        for file in ("state.db", "state.db-wal"):
            if os.path.exists(self.home.file(file)):
                shutil.copy(self.home.file(file), target)
        return target

    def blob_of(self, record):
        """The blob of a record: the one that the check misses when it is away."""
        for path in sum(blobs_of(self.home.path).values(), []):
            os.rename(path, path + ".away")
            with self.home.owner() as owner:
                problems = owner.call("vault.check")["problems"]
            os.rename(path + ".away", path)
            if [problem["id"] for problem in problems] == [record]:
                return path
        raise AssertionError("no blob of " + record)

    def test_an_old_copy_opens_nothing_with_todays_vault(self):
        card = self.home.add_card()["id"]
        copies = []
        for turn in range(4):
            copies.append(self.copy("copy%d" % turn))
            before = vault_of(self.home)
            for path in sum(blobs_of(copies[-1]).values(), []):
                self.assertTrue(opens(before, path, card, NUMBER.encode()), "the control: it opens with the vault of its day")
            self.home.cli("rotate", "--now", passphrase=PASSPHRASE)
        today = vault_of(self.home)
        self.assertEqual(epochs_in(today), [5])
        self.assertEqual(sorted(blobs_of(self.home.path)), [5])
        checked = 0
        for copy in copies:
            for epoch, paths in blobs_of(copy).items():
                self.assertLess(epoch, 5)
                for path in paths:
                    self.assertFalse(opens(today, path, card, NUMBER.encode()), path)
                    checked += 1
        self.assertEqual(checked, 4)
        for path in blobs_of(self.home.path)[5]:
            self.assertTrue(opens(today, path, card, NUMBER.encode()))

    def test_records_move_at_their_next_use_and_the_old_key_goes_with_the_last(self):
        first, second = self.home.add_card("One")["id"], self.home.add_card("Two")["id"]
        answer = self.home.cli("rotate", passphrase=PASSPHRASE).json
        self.assertEqual(answer, {"epoch": 2, "records": 2})
        self.assertEqual(epochs_in(vault_of(self.home)), [1, 2])
        for number, record in enumerate((first, second)):
            self.home.cli("edit", record, "--label", "New", passphrase=PASSPHRASE)
            self.assertEqual(epochs_in(vault_of(self.home)), [1, 2] if number == 0 else [2])
        kinds = [row["kind"] for row in self.home.cli("audit", "list").json if row["kind"].startswith("epoch_")]
        self.assertEqual(kinds, ["epoch_rotated", "epoch_drained", "epoch_destroyed"])

    def test_revoking_an_agent_that_could_use_a_record_rotates(self):
        self.home.add_card()
        self.home.add_agent("without")
        self.home.add_agent("helper")
        self.home.set_policy("helper")
        self.home.cli("agent", "revoke", "without")
        self.assertEqual(self.home.cli("epochs").json["current"], 1)
        self.home.cli("agent", "revoke", "helper")
        self.assertEqual(self.home.cli("epochs").json["current"], 2)
        rows = [row for row in self.home.cli("audit", "list").json if row["kind"] == "epoch_rotated"]
        self.assertEqual(rows[0]["body"]["reason"], "agent_revoked")
        self.home.cli("agent", "revoke", "helper")
        self.assertEqual(self.home.cli("epochs").json["current"], 2, "an agent is revoked once")

    def test_revoked_while_locked_rotates_at_the_unlock(self):
        self.home.add_card()
        self.home.add_agent("helper")
        self.home.set_policy("helper")
        self.home.cli("lock")
        self.home.cli("agent", "revoke", "helper")
        self.home.unlock()
        self.assertEqual(self.home.cli("epochs").json["current"], 2)

    def test_a_harmed_record_keeps_its_epoch_and_is_named(self):
        good, bad = self.home.add_card("Good")["id"], self.home.add_card("Bad")["id"]
        path = self.blob_of(bad)
        with open(path, "r+b") as file:
            file.truncate(20)
        answer = self.home.run("rotate", "--now", passphrase=PASSPHRASE)
        self.assertEqual((answer.code, answer.reason), (1, "epoch_in_use"))
        self.assertIn("because they cannot be read: 1", answer.error["message"])
        records = {epoch["epoch"]: epoch for epoch in self.home.cli("epochs").json["epochs"]}
        self.assertEqual((records[1]["status"], records[1]["records"]), ("draining", 1))
        with self.home.owner() as owner:
            self.assertEqual(owner.call("record.show", id=good)["epoch"], 2)
            problems = owner.call("vault.check")["problems"]
        self.assertEqual([p["id"] for p in problems], [bad])

    def test_rotate_needs_the_owner(self):
        with self.home.owner() as owner, self.assertRaises(RpcError) as refused:
            owner.call("vault.rotate")
        self.assertEqual(refused.exception.reason, "proof_required")
        answer = self.home.run("rotate", passphrase="not the passphrase")
        self.assertEqual(answer.reason, "proof_invalid")
        self.assertEqual(self.home.cli("epochs").json["current"], 1)

    def test_a_blob_without_a_record_goes_after_the_unlock(self):
        card = self.home.add_card()["id"]
        stray = self.home.file("blobs", "card", "1", "blb_stray.enc")
        with open(stray, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(bytes(64))
        month = time.time() - 31 * 86400
        os.utime(stray, (month, month))
        self.home.restart()
        self.home.unlock()
        wait_until(lambda: not os.path.exists(stray), "the stray blob is removed")
        self.assertEqual(self.home.cli("show", card).json["id"], card)
        with self.home.owner() as owner:
            self.assertTrue(owner.call("vault.check")["ok"])


if __name__ == "__main__":
    unittest.main()
