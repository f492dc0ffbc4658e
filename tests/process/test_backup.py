"""Backups from end to end: made and checked, opened by hand with the stock age and tar, restored into an empty home, refused
when they are edited, cut, older or somebody else's."""

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import programs, scan
from support.home import CARD, PASSPHRASE, Answer, Failed, Home
from support.journal_reader import verify_export
from support.owner_key import OwnerKey

NEW_PASSPHRASE = "another nine lanterns on the pier"
NEEDLES = scan.number_needles(CARD["number"])


def run(home, *args, **secrets):
    """One run of `popvault`; each secret (passphrase="...") goes through a pipe of its own as --passphrase-fd N."""
    command, kept = [programs.program("popvault"), *args, "--json"], []
    for name, value in secrets.items():
        read_end, write_end = os.pipe()
        os.write(write_end, value.encode())
        os.close(write_end)
        kept.append(read_end)
        command += ["--%s-fd" % name.replace("_", "-"), str(read_end)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=home.env(), pass_fds=kept, timeout=120, cwd=home.base, start_new_session=True)
    finally:
        for fd in kept:
            os.close(fd)
    return Answer(done)


def well(home, *args, **secrets):
    answer = run(home, *args, **secrets)
    if answer.code != 0:
        raise Failed(args, answer)
    return answer.json


def make_words(home):
    """24 words of popvault recovery create."""
    read_end, write_end = os.pipe()
    passphrase_read, passphrase_write = os.pipe()
    os.write(passphrase_write, PASSPHRASE.encode())
    os.close(passphrase_write)
    try:
        done = subprocess.run([programs.program("popvault"), "recovery", "create", "--words-fd", str(write_end),
                               "--passphrase-fd", str(passphrase_read), "--json"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=home.env(), cwd=home.base,
                              pass_fds=[write_end, passphrase_read], timeout=60)
    finally:
        os.close(write_end)
        os.close(passphrase_read)
    with os.fdopen(read_end) as file:
        words = file.read().strip()
    if done.returncode != 0:
        raise Failed(["recovery", "create"], Answer(done))
    return words


class Case(unittest.TestCase):
    def setUp(self):
        self.homes = []

    def tearDown(self):
        for home in self.homes:
            home.remove()

    def new_home(self):
        home = Home()
        self.homes.append(home)
        home.start()
        return home

    def refused(self, answer, reason, code=1):
        self.assertEqual((answer.reason, answer.code), (reason, code), repr(answer))
        self.assertEqual(answer.out, "")

    def filled(self):
        """A home with a card, an API key, an agent, a purchase and recovery words."""
        home = self.new_home()
        home.make_vault()
        home.card = home.add_card()
        home.key = home.cli("add", "api-key", "--label", "Weather", fields={"key": "sk-weather-1234567890"}).json
        home.agent_key = home.add_agent()["key"]
        home.set_policy()
        home.words = make_words(home)
        return home

    def back_up(self, home, name="one.age", *more):
        home.backup = os.path.join(home.base, name)
        home.made = well(home, "backup", "create", home.backup, *more, passphrase=PASSPHRASE)
        return home.backup

    def identity_file(self, home):
        """The recovery words as an identity file of age."""
        identity = well(home, "recovery", "identity", words=home.words, passphrase=PASSPHRASE)
        path = os.path.join(home.base, "identity")
        with open(path, "w", encoding="ascii") as file:
            file.write("# recipient: %s\n%s\n" % (identity["recipient"], identity["identity"]))
        return path, identity["recipient"]

    def restore(self, home, backup, words, *more):
        return run(home, "backup", "restore", backup, *more, words=words, new_passphrase=NEW_PASSPHRASE)

    def tool(self, *command, cwd, data=None):
        done = subprocess.run(command, cwd=cwd, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


class Create(Case):
    def test_what_it_makes(self):
        home = self.filled()
        backup = self.back_up(home)
        made = home.made
        self.assertEqual((made["counter"], made["records"], made["file"]), (1, 2, backup))
        info = os.stat(backup)
        self.assertEqual((stat.S_IMODE(info.st_mode), info.st_size), (0o600, made["size"]))
        with open(backup, "rb") as file:
            content = file.read()
        self.assertEqual(hashlib.sha256(content).hexdigest(), made["sha256"])
        self.assertTrue(content.startswith(b"age-encryption.org/v1\n-> X25519 "))
        self.assertEqual(scan.scan_bytes(content, NEEDLES, "backup"), [])
        self.assertRegex(made["signer"], "^[0-9a-f]{64}$")
        self.assertEqual(len(made["recipients"]), 1)
        self.assertEqual([name for name in os.listdir(home.base) if "tmp-" in name], [])
        self.assertIsNotNone(home.cli("status").json["last_backup"])
        self.back_up(home, "two.age")
        self.assertEqual(home.made["counter"], 2)

    def test_refusals(self):
        home = self.filled()
        backup = self.back_up(home)
        with open(backup, "rb") as file:
            before = file.read()
        self.refused(run(home, "backup", "create", backup, passphrase=PASSPHRASE), "already_exists")
        with open(backup, "rb") as file:
            self.assertEqual(file.read(), before)
        other = os.path.join(home.base, "other.age")
        self.refused(run(home, "backup", "create", other, "--recipient", "age1abc", passphrase=PASSPHRASE), "invalid_field")
        self.refused(run(home, "backup", "create", other, passphrase="not the passphrase"), "proof_invalid")
        home.cli("lock")
        self.refused(run(home, "backup", "create", other, passphrase=PASSPHRASE), "locked", 3)
        self.assertEqual([name for name in os.listdir(home.base) if name.startswith("other")], [])

    def test_without_recovery_words(self):
        home = self.new_home()
        home.make_vault()
        backup = os.path.join(home.base, "one.age")
        self.refused(run(home, "backup", "create", backup, passphrase=PASSPHRASE), "recovery_missing")
        key = os.path.join(home.base, "key")
        self.tool("age-keygen", "-o", key, cwd=home.base)
        recipient = self.tool("age-keygen", "-y", key, cwd=home.base).decode().strip()
        made = well(home, "backup", "create", backup, "--recipient", recipient, passphrase=PASSPHRASE)
        self.assertEqual(made["recipients"], [recipient])
        self.assertIn(b"manifest.sig", self.tool("age", "-d", "-i", key, backup, cwd=home.base))


class Told(Case):
    def notes(self, home):
        return {finding["check"] for finding in home.run("doctor").json["findings"] if finding["level"] == "note"}

    def test_doctor_and_status_tell_of_words_and_backups(self):
        with Home() as home:
            home.start()
            home.make_vault()
            self.assertLessEqual({"recovery", "backup"}, self.notes(home))
            self.assertIn("last verified backup: none", home.cli("status", json_output=False).out)
            make_words(home)
            self.assertNotIn("recovery", self.notes(home))
            well(home, "backup", "create", os.path.join(home.base, "told.age"), passphrase=PASSPHRASE)
            self.assertFalse({"recovery", "backup"} & self.notes(home))
            at = home.cli("status").json["last_backup"]
            self.assertIn("last verified backup: " + at, home.cli("status", json_output=False).out)


class ByHand(Case):
    def test_stock_programs_open_it(self):
        home = self.filled()
        backup = self.back_up(home)
        identity, recipient = self.identity_file(home)
        self.assertEqual(home.made["recipients"], [recipient])
        folder = os.path.join(home.base, "unpacked")
        os.mkdir(folder)
        archive = self.tool("age", "--decrypt", "--identity", identity, backup, cwd=folder)
        self.tool("tar", "--extract", cwd=folder, data=archive)
        with open(os.path.join(folder, "records", home.card["id"] + ".json"), encoding="utf-8") as file:
            card = json.load(file)
        self.assertEqual({name: card["field." + name] for name in CARD}, CARD)
        self.assertEqual((card["kind"], card["label"], card["alias"]), ("card", "Demo", home.card["alias"]))
        with open(os.path.join(folder, "journal.jsonl"), encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        self.assertEqual([row["seq"] for row in rows], list(range(1, len(rows) + 1)))
        with open(os.path.join(folder, "manifest.json"), "rb") as file:
            manifest = json.loads(file.read())
        self.assertEqual(manifest["journal"], {"hash": rows[-1]["hash"], "seq": rows[-1]["seq"]})
        self.assertEqual((manifest["records"], manifest["counter"]), (2, 1))
        self.check_document(folder, identity, backup, manifest)
        # No key of an agent.
        self.assertNotIn(home.agent_key.encode(), archive)

    def check_document(self, folder, identity, backup, manifest):
        """The commands of docs/BACKUP_FORMAT.md that check the digest and the signature."""
        with open(os.path.join(programs.SOURCE, "docs", "BACKUP_FORMAT.md"), encoding="utf-8") as file:
            blocks = re.findall(r"^```\n(.*?)^```", file.read(), re.S | re.M)
        script = next(block for block in blocks if "openssl" in block)
        script = script.replace("--identity key", "--identity " + identity).replace("backup.age", backup)
        out = self.tool("bash", "-ec", script, cwd=folder).decode()
        self.assertIn(manifest["sha256"], out)
        self.assertIn("Signature Verified Successfully", out)

    def test_several_recipients(self):
        home = self.filled()
        keys, recipients = [], []
        for name in ("a", "b"):
            keys.append(os.path.join(home.base, name))
            self.tool("age-keygen", "-o", keys[-1], cwd=home.base)
            recipients += ["--recipient", self.tool("age-keygen", "-y", keys[-1], cwd=home.base).decode().strip()]
        backup = self.back_up(home, "one.age", *recipients)
        for key in [*keys, self.identity_file(home)[0]]:
            self.assertIn(b"records/" + home.card["id"].encode(),
                          self.tool("age", "-d", "-i", key, backup, cwd=home.base))
        self.assertEqual(len(home.made["recipients"]), 3)


class Verify(Case):
    def test_in_every_way(self):
        home = self.filled()
        backup = self.back_up(home)
        identity, _ = self.identity_file(home)
        # Unlocked, it opens by itself.
        said = well(home, "backup", "verify", backup)
        self.assertEqual((said["counter"], said["records"], said["newest_known"], said["signer"]),
                         (1, 2, 1, home.made["signer"]))
        home.cli("lock")
        self.assertEqual(well(home, "backup", "verify", backup, words=home.words)["counter"], 1)
        self.assertEqual(well(home, "backup", "verify", backup, "--identity", identity, "--signer",
                              home.made["signer"])["counter"], 1)
        self.refused(run(home, "backup", "verify", backup, "--identity", identity, "--signer", "ab" * 32),
                     "backup_foreign")
        other = self.filled()
        self.refused(run(home, "backup", "verify", backup, words=other.words), "backup_wrong_key")
        self.refused(run(other, "backup", "verify", backup), "backup_wrong_key")
        # On a machine that has no vault, too.
        empty = self.new_home()
        self.assertEqual(well(empty, "backup", "verify", backup, words=home.words)["vault"], said["vault"])

    def test_wrong_requests(self):
        home = self.filled()
        backup = self.back_up(home)
        identity, _ = self.identity_file(home)
        with open(identity, encoding="ascii") as file:
            line = file.read().splitlines()[1]
        answer = run(home, "backup", "verify", backup, "--identity", line)
        self.refused(answer, "usage", 2)
        self.assertNotIn(line[20:40], answer.err)
        self.refused(run(home, "backup", "verify", os.path.join(home.base, "none.age")), "not_found", 4)
        self.refused(run(home, "backup", "verify", home.base), "backup_invalid")
        self.refused(run(home, "backup", "verify", backup, "--identity", identity, words=home.words), "usage", 2)
        broken = " ".join(home.words.split()[:-1] + ["zzzz"])
        home.cli("lock")
        self.refused(run(home, "backup", "verify", backup, words=broken), "words_invalid")

    def test_cut_and_changed_files(self):
        home = self.filled()
        backup = self.back_up(home)
        with open(backup, "rb") as file:
            whole = file.read()
        bad = os.path.join(home.base, "bad.age")
        sizes = [0, 1, 100, whole.index(b"---"), len(whole) // 2, len(whole) - 1]
        changes = [whole[:size] for size in sizes] + [whole + b"\0"]
        for at in range(0, len(whole), max(1, len(whole) // 40)):
            changes.append(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        for content in changes:
            with open(bad, "wb") as file:
                file.write(content)
            answer = run(home, "backup", "verify", bad, words=home.words)
            self.assertIn(answer.reason, ("backup_invalid", "backup_wrong_key"), repr(answer))


class Restore(Case):
    def test_into_an_empty_home(self):
        home = self.filled()
        with home.agent(home.agent_key) as agent:
            asked = agent.call("purchase.request", record=home.card["id"], amount_minor=2500, currency="USD",
                               merchant_origin="https://shop.example", reason="A book", idempotency_key="k1")
        with home.owner() as owner:
            owner.call("owner.hello")
            removed = {"id": home.key["id"]}
            owner.call("record.remove", **removed, proof=OwnerKey(PASSPHRASE).proof(owner, "record.remove", removed))
        backup = self.back_up(home)
        policy = home.cli("policy", "show", "helper").json
        cards = home.cli("list").json
        home.cli("lock")

        fresh = self.new_home()
        restored = self.restore(fresh, backup, home.words)
        self.assertEqual(restored.code, 0, repr(restored))
        self.assertEqual((restored.json["counter"], restored.json["records"], restored.json["mode"]), (1, 2, "passphrase"))
        self.assertEqual(restored.json["vault"], home.cli("status").json["vault"])
        self.refused(run(fresh, "unlock", passphrase=PASSPHRASE), "wrong_key")
        fresh.unlock(NEW_PASSPHRASE)
        self.assertEqual(fresh.cli("list").json, cards)
        self.assertEqual(fresh.cli("policy", "show", "helper").json, policy)
        self.assertEqual([agent["status"] for agent in self.agents(fresh)], ["revoked"])
        with fresh.owner() as owner:
            owner.call("owner.hello")
            trashed = owner.call("record.list", trash=True)
            self.assertEqual([one["id"] for one in trashed["records"]], [home.key["id"]])
        with self.assertRaisesRegex(Exception, "unauthenticated"):
            fresh.agent(home.agent_key)
        self.assertTrue(fresh.cli("audit", "verify").json["ok"])
        kinds = [row["kind"] for row in fresh.cli("audit", "list", "--limit", "1000").json]
        self.assertEqual(kinds[0], "vault_created")
        self.assertIn("vault_restored", kinds)
        self.assertTrue(asked["purchase"])
        # What the journal tells of the agent came along, and its older checkpoints are taken as those of an older key.
        (added,) = fresh.cli("audit", "list", "--kind", "agent_added").json
        self.assertEqual(added["body"]["name"], "helper")
        exported = os.path.join(fresh.base, "journal.jsonl")
        key = fresh.cli("audit", "export", exported, passphrase=NEW_PASSPHRASE).json["public_key"]
        self.assertNotEqual(key, home.cli("audit", "verify").json["public_key"])
        fresh.cli("audit", "verify", "--file", exported, "--public-key", key)
        verify_export(exported, bytes.fromhex(key))
        # The files again: other keys, other blobs, and the card is what it was.
        again = self.back_up_of(fresh, home.words)
        self.assertEqual(again["counter"], 2)

    def back_up_of(self, home, words):
        path = os.path.join(home.base, "again.age")
        made = well(home, "backup", "create", path, passphrase=NEW_PASSPHRASE)
        self.assertEqual(well(home, "backup", "verify", path, words=words)["counter"], made["counter"])
        return made

    def agents(self, home):
        listed = home.cli("agent", "list").json
        return listed if isinstance(listed, list) else listed["agents"]

    def test_by_identity(self):
        home = self.filled()
        backup = self.back_up(home)
        identity, _ = self.identity_file(home)
        fresh = self.new_home()
        arguments = ["backup", "restore", backup, "--identity", identity]
        self.refused(run(fresh, *arguments, new_passphrase=NEW_PASSPHRASE), "usage", 2)
        self.refused(run(fresh, *arguments, "--signer", "ab" * 32, new_passphrase=NEW_PASSPHRASE), "backup_foreign")
        self.assertEqual(fresh.cli("status").json["state"], "uninitialised")
        well(fresh, *arguments, "--signer", home.made["signer"], new_passphrase=NEW_PASSPHRASE)
        fresh.unlock(NEW_PASSPHRASE)
        self.assertEqual(len(fresh.cli("list").json), 2)
        # Words are made again by the owner.
        self.assertIsNone(fresh.cli("status").json["recovery"])

    def test_not_over_a_vault(self):
        home = self.filled()
        backup = self.back_up(home)
        self.refused(self.restore(home, backup, home.words), "vault_exists")
        self.assertEqual(len(home.cli("list").json), 2)

    def test_an_edited_archive(self):
        """Somebody with the key edits a record with stock programs; the words do not sign it."""
        home = self.filled()
        backup = self.back_up(home)
        identity, recipient = self.identity_file(home)
        archive = self.tool("age", "-d", "-i", identity, backup, cwd=home.base)
        edited = archive.replace(CARD["number"].encode(), b"4111111111111111")
        self.assertNotEqual(edited, archive)
        at = edited.index(b"manifest.json\0")
        manifest = json.loads(edited[at + 512:edited.index(b"\0", at + 512)])
        fitting = edited.replace(manifest["sha256"].encode(), hashlib.sha256(edited[:at]).hexdigest().encode())
        fresh = self.new_home()
        for content in (edited, fitting, archive[:len(archive) - 512], archive + bytes(512)):
            path = os.path.join(home.base, "edited.age")
            if os.path.exists(path):
                os.unlink(path)
            self.tool("age", "-r", recipient, "-o", path, cwd=home.base, data=content)
            self.refused(self.restore(fresh, path, home.words), "backup_invalid")
            self.refused(run(home, "backup", "verify", path, words=home.words), "backup_invalid")
        self.assertEqual(fresh.cli("status").json["state"], "uninitialised")
        path = os.path.join(home.base, "same.age")
        self.tool("age", "-r", recipient, "-o", path, cwd=home.base, data=archive)
        self.assertEqual(self.restore(fresh, path, home.words).code, 0)

    def test_a_cut_file_leaves_an_empty_home(self):
        home = self.filled()
        backup = self.back_up(home)
        with open(backup, "rb") as file:
            content = file.read()
        cut = os.path.join(home.base, "cut.age")
        fresh = self.new_home()
        for size in (0, 200, len(content) - 1):
            with open(cut, "wb") as file:
                file.write(content[:size])
            self.refused(self.restore(fresh, cut, home.words), "backup_invalid")
        self.assertEqual(fresh.cli("status").json["state"], "uninitialised")
        self.assertFalse(os.path.exists(fresh.file("vault.enc")))
        self.assertEqual(self.restore(fresh, backup, home.words).code, 0)

    def test_a_foreign_one(self):
        """Sealed to this owner's key, signed by another vault."""
        home, stranger = self.filled(), self.filled()
        _, recipient = self.identity_file(home)
        backup = self.back_up(stranger, "foreign.age", "--recipient", recipient)
        fresh = self.new_home()
        self.refused(self.restore(fresh, backup, home.words), "backup_foreign")
        self.refused(run(home, "backup", "verify", backup, words=home.words), "backup_foreign")
        self.assertEqual(fresh.cli("status").json["state"], "uninitialised")

    def test_an_older_one(self):
        """The home that made a newer one and lost its vault knows."""
        home = self.filled()
        first = self.back_up(home, "first.age")
        home.add_card("Second")
        self.back_up(home, "second.age")
        self.assertEqual(well(home, "backup", "verify", first)["newest_known"], 2)
        home.stop()
        for name in ("vault.enc", "state.db", "state.db-wal", "state.db-shm", ".vault_mode"):
            if os.path.exists(home.file(name)):
                os.unlink(home.file(name))
        shutil.rmtree(home.file("blobs"))
        shutil.rmtree(home.file("slots"), ignore_errors=True)
        home.start()
        self.refused(self.restore(home, first, home.words), "backup_older")
        self.assertEqual(home.cli("status").json["state"], "uninitialised")
        self.assertEqual(self.restore(home, first, home.words, "--allow-older").code, 0)
        home.unlock(NEW_PASSPHRASE)
        self.assertEqual(len(home.cli("list").json), 2)


class Memory(Case):
    def clean(self, home, needles):
        found = scan.scan_process(home.pid, needles)
        self.assertEqual(found, [])
        self.assertGreater(found.bytes, 1 << 20)
        found = scan.scan_tree(home.base, needles)
        self.assertEqual(found, [])

    def test_nothing_of_a_record_stays_readable(self):
        """Neither in the daemon that writes and reads a backup, nor in the files of the home."""
        card = {**CARD, "number": "4929420573595709", "cvv": "739", "holder": "Quentin Zzyzxolm Vantongeren"}
        home = self.new_home()
        home.make_vault()
        home.words = make_words(home)
        for number in range(3):
            home.add_card("Card %d" % number, **card)
        needles = scan.card_needles(card["number"], card["cvv"], card["exp_month"], card["exp_year"], card["holder"])
        for number, word in enumerate(home.words.split()[:-1]):
            pair = word + " " + home.words.split()[number + 1]
            needles["words %d" % number] = pair.encode()
        backup = self.back_up(home)
        self.clean(home, needles)
        well(home, "backup", "verify", backup, words=home.words)
        self.clean(home, needles)
        fresh = self.new_home()
        self.assertEqual(self.restore(fresh, backup, home.words).code, 0)
        self.clean(fresh, needles)
        fresh.unlock(NEW_PASSPHRASE)
        self.clean(fresh, needles)


if __name__ == "__main__":
    unittest.main(verbosity=2)
