"""Attacks on epochs, recovery and backups by a process of the owner's user that has both sockets and every file, and no
passphrase; and by what a damaged or half restored home does by itself. Each test says what must hold."""

import array
import hashlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.owner_key import SigningKey
from support.recovery_case import create, use
from support.recovery_key import bech32, x25519
from support.rpc import Client, RpcError, bundle

PAGE = 4096
OTHER_WORDS = ("void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol "
               "group space point ten exist slush involve unfold")


def entry(name, data, when):
    head = bytearray(512)
    for at, text in ((0, name.encode()), (100, b"0000600\0"), (108, b"0000000\0"), (116, b"0000000\0"),
                     (124, b"%011o\0" % len(data)), (136, b"%011o\0" % when), (148, b"        "), (156, b"0"),
                     (257, b"ustar\00000"), (329, b"0000000\0"), (337, b"0000000\0")):
        head[at:at + len(text)] = text
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + data + bytes(-len(data) % 512)


def forged_backup(vault, counter, signing, recipient):
    """An empty, well-formed backup of `vault` by somebody else."""
    when = int(time.time())
    body = entry("README.txt", b"x\n", when) + entry("journal.jsonl", b"", when)
    manifest = {"counter": counter, "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when)), "format": 1,
                "journal": {"hash": "00" * 32, "seq": 0}, "popvault": "0.2.0", "records": 0,
                "sha256": hashlib.sha256(body).hexdigest(), "signer": signing.public.hex(), "vault": vault}
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    signature = signing.sign(b"popvault-backup-v1\n" + text).hex().encode()
    body += entry("manifest.json", text, when) + entry("manifest.sig", signature, when) + bytes(1024)
    return subprocess.run(["age", "--recipient", recipient], input=body, stdout=subprocess.PIPE, check=True).stdout


def call_with(client, method, params, descriptors):
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n"
    client.socket.sendmsg([line.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))])
    return client.reply()


class Case(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.make_vault()

    def copy(self, *names):
        kept = {}
        for name in names:
            with open(self.home.file(name), "rb") as file:
                kept[name] = file.read()
        return kept

    def put(self, files):
        for name in os.listdir(self.home.path):
            if name.startswith("state.db-"):
                os.unlink(self.home.file(name))
        for name, data in files.items():
            with open(self.home.file(name), "wb") as file:
                file.write(data)

    def blobs(self):
        return {name for _, _, names in os.walk(self.home.file("blobs")) for name in names}

    def back_up(self, name):
        return self.home.run("backup", "create", os.path.join(self.home.base, name), passphrase=PASSPHRASE)


class Backups(Case):
    def test_a_signature_that_the_caller_vouches_for_is_not_the_vaults_own_backup(self):
        create(self.home)
        secret, signing = os.urandom(32), SigningKey(os.urandom(32))
        path = os.path.join(self.home.base, "forged.age")
        with self.home.owner() as owner:
            vault = owner.call("owner.hello")["vault"]
            with open(path, "wb") as file:
                file.write(forged_backup(vault, 2**63 - 1, signing, bech32("age", x25519(secret))))
            file, keys = os.open(path, os.O_RDONLY), bundle({"identity": secret})
            call_with(owner, "backup.verify", {"signer": signing.public.hex()}, [keys, file])
            os.close(file)
            os.close(keys)
        self.assertIsNone(self.home.cli("status").json["last_backup"])
        self.assertFalse(os.path.exists(self.home.file(".backups")))
        made = self.back_up("own.age")
        self.assertEqual((made.code, made.json["counter"] if made.code == 0 else made.reason), (0, 1))

    def test_a_number_that_somebody_wrote_into_the_file_of_known_backups_does_not_end_them(self):
        create(self.home)
        vault = self.home.cli("status").json["vault"]
        with open(self.home.file(".backups"), "w", encoding="ascii") as file:
            os.chmod(file.fileno(), 0o600)
            file.write("%s %d\n" % (vault, 2**63 - 1))
        self.assertEqual(self.back_up("own.age").code, 0)

    def test_freezing_again_and_again_while_locked_does_not_end_backups(self):
        create(self.home)
        self.home.cli("lock")
        with self.home.owner() as owner:
            for _ in range(1000):
                owner.call("vault.freeze")
        self.home.unlock()
        self.home.cli("unfreeze", passphrase=PASSPHRASE)
        made = self.back_up("own.age")
        self.assertEqual(made.code, 0, repr(made))


class Files(Case):
    def test_a_row_put_back_under_a_running_daemon_does_not_undo_a_revocation(self):
        key = self.home.add_agent()["key"]
        self.home.add_card()
        self.home.set_policy(more=("--ask-above", "90.00"))
        self.home.stop()
        before = self.copy("state.db")["state.db"]
        self.home.start()
        self.home.unlock()
        with self.home.owner() as owner:
            owner.call("agent.revoke", agent="helper")
            # Needs no proof, and turns SQLite's cache of pages over.
            for _ in range(3000):
                fd = bundle({"key": "k" * 3000})
                owner.call("record.add", fd=fd, kind="api_key", label="x" * 100)
                os.close(fd)
        with open(self.home.file("state.db"), "r+b") as file:
            now = file.read()
            for at in range(0, min(len(before), len(now)), PAGE):
                if b'"name":"helper"' in before[at:at + PAGE] and b'"name":"helper"' in now[at:at + PAGE]:
                    file.seek(at)
                    file.write(before[at:at + PAGE])
        with self.home.owner() as owner:
            try:
                status = [agent["status"] for agent in owner.call("agent.list")["agents"]]
            except RpcError:
                status = []
        self.assertNotIn("active", status)
        with Client(self.home.agent_socket) as agent:
            self.assertIsNotNone(agent.refusal("session.hello", agent_key=key, client="revoked"))

    def test_state_db_alone_does_not_change_the_word_of_the_mode_on_disk(self):
        self.home.stop()
        good = self.copy("state.db")
        digest = hashlib.sha256(self.copy("vault.enc")["vault.enc"]).hexdigest()
        database = sqlite3.connect(self.home.file("state.db"), isolation_level=None)
        database.execute("INSERT OR REPLACE INTO meta VALUES('mode_next', 'machine-oss')")
        database.execute("INSERT OR REPLACE INTO meta VALUES('vault_sha256_next', ?)", (digest,))
        database.close()
        self.home.start()
        self.assertNotEqual(self.home.run("unlock", passphrase=PASSPHRASE).code, 0)
        self.home.stop()
        self.put(good)
        self.home.start()
        self.home.cli("unlock", passphrase=PASSPHRASE)

    def test_blobs_of_today_outlive_an_unlock_with_an_older_vault_and_state(self):
        card = self.home.add_card()
        self.home.stop()
        older = self.copy("state.db", "vault.enc")
        self.home.start()
        self.home.unlock()
        self.home.cli("edit", card["id"], "--label", "Today", passphrase=PASSPHRASE)
        self.home.add_card("Added today")
        self.home.stop()
        today, blobs = self.copy("state.db", "vault.enc"), self.blobs()
        self.put(older)
        self.home.start()
        self.home.run("unlock", passphrase=PASSPHRASE)
        time.sleep(1)
        self.home.stop()
        self.put(today)
        self.assertEqual(blobs - self.blobs(), set())

    def test_a_folder_in_the_place_of_an_old_copy_does_not_keep_the_owner_out(self):
        self.home.stop()
        os.mkdir(self.home.file("state.db.schema-1"))
        self.home.start()
        self.home.cli("unlock", passphrase=PASSPHRASE)


class Recovery(Case):
    def test_wrong_tries_are_counted_whatever_an_agent_was_refused_before(self):
        create(self.home)
        with Client(self.home.agent_socket) as agent:
            for _ in range(9):
                agent.refusal("session.hello", agent_key="pak_" + "A" * 43, client="x")
        with Client(self.home.agent_socket) as agent:
            for _ in range(9):
                agent.refusal("session.hello", agent_key="pak_" + "A" * 43, client="x")
        for _ in range(3):
            self.assertEqual(use(self.home, OTHER_WORDS).reason, "words_wrong")
        self.assertEqual(self.home.cli("status").json["failed_recoveries"], 3)


class Purchases(Case):
    def test_an_approval_is_for_the_card_as_it_was_shown(self):
        card = self.home.add_card()
        key = self.home.add_agent()["key"]
        self.home.set_policy()
        with self.home.agent(key) as agent:
            purchase = agent.call("purchase.request", record=card["id"], amount_minor=1000, currency="USD", reason="r",
                                  merchant_origin="https://shop.example", idempotency_key="k1")["purchase"]
            self.home.cli("approve", purchase, passphrase=PASSPHRASE)
            self.home.cli("edit", card["id"], fields={"number": "5555555555554444"}, passphrase=PASSPHRASE)
            now = agent.call("purchase.status", purchase=purchase)
        self.assertFalse(now["status"] == "approved" and now["card"]["last4"] == "4444", now)


if __name__ == "__main__":
    unittest.main()
