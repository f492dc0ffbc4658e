"""Execution grants and the kill switch: what an agent may use while the vault is locked, for how long, and what ends it."""

import contextlib
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home, wait_until
from support.rpc import RpcError
from support.owner_key import OwnerKey
from support.scan import key_needles, scan_process
from support.vault_reader import keys_of, open_vault

SHOP = "https://shop.example"


class Granted(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.begin()
        self.home.make_vault()
        self.card = self.home.add_card("One")["id"]
        self.other = self.home.add_card("Two")["id"]
        self.key = self.home.add_agent("helper")["key"]
        self.second = self.home.add_agent("second")["key"]
        for name in ("helper", "second"):
            self.home.set_policy(name, per_use="100.00", per_day="300.00")

    def begin(self):
        self.home.start()

    def grant(self, *more, agent="helper", records=None):
        options = [word for record in (records or [self.card]) for word in ("--record", record)]
        return self.home.cli("grant", agent, *options, *more, passphrase=PASSPHRASE).json

    def request(self, agent, key, record=None, amount=1000):
        return agent.call("purchase.request", record=record or self.card, amount_minor=amount, currency="USD", reason="x",
                          merchant_origin=SHOP, idempotency_key=key)

    def status(self, grant):
        return next(g["status"] for g in self.home.cli("grants").json if g["grant"] == grant["grant"])


class Locked(Granted):
    def test_only_its_records_for_its_agent(self):
        grant = self.grant()
        self.assertEqual(grant["status"], "active")
        self.home.cli("lock")
        self.assertEqual(self.home.cli("status").json["state"], "granted")
        with self.home.agent(self.key) as agent:
            seen = [c["id"] for c in agent.call("credentials.list")["credentials"]]
            self.assertEqual(seen, [self.card])
            self.assertEqual(agent.refusal("credentials.get", id=self.other), "locked")
            self.assertEqual(self.request(agent, "one")["status"], "awaiting_approval")
            with self.assertRaises(RpcError) as caught:
                self.request(agent, "two", self.other)
            self.assertEqual(caught.exception.reason, "locked")
        with self.home.agent(self.second) as agent:
            self.assertEqual(agent.refusal("credentials.list"), "locked")
            self.assertEqual(agent.refusal("events.subscribe"), "locked")
            self.assertEqual(agent.refusal("purchase.status", purchase="pur_none"), "locked")
            with self.assertRaises(RpcError) as caught:
                self.request(agent, "three")
            self.assertEqual(caught.exception.reason, "locked")
        # For the owner it is locked.
        self.assertEqual(self.home.run("list").code, 3)
        with self.home.owner() as owner:
            for method, params in (("record.list", {}), ("agent.list", {}), ("policy.show", {"agent": "helper"}),
                                   ("vault.unfreeze", {}), ("record.reveal", {"id": self.card})):
                self.assertEqual(owner.refusal(method, **params), "locked", method)
        # What was asked under it is there after the unlock, and the journal holds.
        self.home.unlock()
        self.assertEqual(len(self.home.cli("approvals").json), 1)
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])

    def test_without_one_locked_is_locked(self):
        self.home.cli("lock")
        with self.home.agent(self.key) as agent:
            self.assertEqual(agent.refusal("credentials.list"), "locked")

    def test_no_other_key_stays_in_memory(self):
        """The vault key, the master key and the epoch key are wiped with the lock, also when a grant lives on."""
        self.home.stop()
        self.home.start("--secret-memory", "locked")
        self.home.unlock()
        self.grant()
        vault_key = OwnerKey(PASSPHRASE).vault_key
        with open(self.home.file("vault.enc"), "rb") as file:
            document = open_vault(vault_key, file.read())
        kept = {"subkey row", "subkey view", "subkey journal"}
        needles = {}
        for name, value in keys_of(document, vault_key).items():
            if name not in kept:
                needles.update(key_needles(name, value))
        self.assertNotEqual(scan_process(self.home.pid, needles), [], "the control: they are there while it is unlocked")
        self.home.cli("lock")
        self.assertEqual(self.home.cli("status").json["state"], "granted")
        self.assertEqual(scan_process(self.home.pid, needles), [])

    def test_revoked_at_once_also_while_locked(self):
        grant = self.grant()
        self.home.cli("lock")
        with self.home.agent(self.key) as agent:
            agent.call("credentials.list")
            self.home.cli("revoke", grant["grant"])
            self.assertEqual(agent.refusal("credentials.list"), "locked")
        self.assertEqual(self.home.cli("status").json["state"], "locked")
        self.assertEqual(self.status(grant), "revoked")
        self.home.restart()
        self.home.unlock()
        self.assertEqual(self.status(grant), "revoked")
        self.home.cli("lock")
        with self.home.agent(self.key) as agent:
            self.assertEqual(agent.refusal("credentials.list"), "locked")

    def test_a_restart_suspends_it_until_the_unlock(self):
        grant = self.grant()
        self.home.cli("lock")
        self.home.restart()
        self.assertEqual(self.home.cli("status").json["state"], "locked")
        self.assertEqual(self.status(grant), "suspended")
        with self.home.agent(self.key) as agent:
            self.assertEqual(agent.refusal("credentials.list"), "locked")
        self.home.unlock()
        self.assertEqual(self.status(grant), "active")
        self.home.cli("lock")
        with self.home.agent(self.key) as agent:
            agent.call("credentials.list")

    def test_it_ends(self):
        grant = self.grant("--ttl", "60s")
        self.home.cli("lock")
        with self.home.agent(self.key) as agent:
            agent.call("credentials.list")
            wait_until(lambda: self.home.cli("status").json["state"] == "locked", "the end of the grant", 90)
            self.assertEqual(agent.refusal("credentials.list"), "locked")
        self.assertEqual(self.status(grant), "expired")

    def test_killed_under_it(self):
        self.grant()
        self.home.cli("lock")
        with self.home.agent(self.key) as agent:
            asked = self.request(agent, "one")
        self.home.kill()
        self.home.start()
        self.home.unlock()
        self.assertEqual([p["purchase"] for p in self.home.cli("approvals").json], [asked["purchase"]])
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])

    def test_its_record_is_not_moved_or_edited(self):
        grant = self.grant()
        refused = self.home.run("edit", self.card, fields={"holder": "Grace Hopper"}, passphrase=PASSPHRASE)
        self.assertEqual(refused.reason, "record_granted", repr(refused))
        self.home.run("rotate", "--now", passphrase=PASSPHRASE, timeout=20)
        epochs = {e["epoch"]: e["records"] for e in self.home.cli("epochs").json["epochs"]}
        self.assertEqual(epochs[1], 1, "the granted record stays under the old key")
        self.home.cli("revoke", grant["grant"])
        self.home.cli("rotate", "--now", passphrase=PASSPHRASE)
        epochs = {e["epoch"]: e for e in self.home.cli("epochs").json["epochs"]}
        self.assertEqual(epochs[1]["status"], "destroyed")

    def test_the_older_file_is_not_taken(self):
        """What was asked under a grant cannot be taken back by an older state.db, nor by taking granted.head away."""
        self.grant()
        self.home.cli("lock")
        self.home.stop()
        with open(self.home.file("state.db"), "rb") as file:
            older = file.read()
        head = self.home.file("granted.head")
        with open(head, "rb") as file:
            signed = file.read()
        self.home.start()
        self.home.unlock()  # it counts as ended in vault.enc, and lives on
        self.home.cli("lock")
        with self.home.agent(self.key) as agent:
            self.request(agent, "one")
        self.home.stop()
        with open(self.home.file("state.db"), "rb") as file:
            newer = file.read()
        for name, content, reason in (("state.db", older, "state_rolled_back"), ("granted.head", None, "state_rolled_back"),
                                      ("granted.head", b"{}", "checkpoint_invalid"), ("granted.head", signed, "state_rolled_back")):
            with open(head, "rb") as file:
                right = file.read()
            path = self.home.file(name)
            if content is None:
                os.unlink(path)
            else:
                with open(path, "wb") as file:
                    file.write(content)
            self.home.start()
            refused = self.home.run("unlock", passphrase=PASSPHRASE)
            self.assertIn(refused.reason, (reason, "checkpoint_invalid"), (name, repr(refused)))
            self.home.stop()
            for back, whole in ((self.home.file("state.db"), newer), (head, right)):
                with open(back, "wb") as file:
                    file.write(whole)
                os.chmod(back, 0o600)
        self.home.start()
        self.home.unlock()  # the control: with the right files it opens
        self.assertEqual(len(self.home.cli("approvals").json), 1)

    def test_wrong_input(self):
        for words, reason in ((("--ttl", "25h"), "invalid_field"), (("--ttl", "soon"), "invalid_field"),
                              (("--ttl", "10s"), "invalid_field"), (("--seal", "systemd"), "credential_missing")):
            refused = self.home.run("grant", "helper", "--record", self.card, *words, passphrase=PASSPHRASE)
            self.assertEqual(refused.reason, reason, repr(refused))
        self.assertEqual(self.home.run("grant", "nobody", "--record", self.card, passphrase=PASSPHRASE).reason, "not_found")
        self.assertEqual(self.home.run("grant", "helper", "--record", "crd_none", passphrase=PASSPHRASE).reason, "not_found")
        self.assertEqual(self.home.run("revoke", "grt_none").reason, "not_found")
        with self.home.owner() as owner:
            self.assertEqual(owner.refusal("grant.create", agent="helper", records=[self.card]), "proof_required")


class Sealed(Granted):
    """With the credential of a service, as systemd's LoadCredential= gives it."""

    def begin(self):
        self.folder = os.path.join(self.home.base, "credentials")
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        with open(os.path.join(self.folder, "popvault-grant"), "wb") as file:
            file.write(os.urandom(32))
        self.home.start(env=self.home.env(CREDENTIALS_DIRECTORY=self.folder))

    def again(self):
        self.home.start(env=self.home.env(CREDENTIALS_DIRECTORY=self.folder))

    def test_it_outlives_a_restart_and_a_kill(self):
        grant = self.grant("--seal", "systemd", "--ttl", "8h")
        self.assertTrue(grant["sealed"])
        for end in (self.home.stop, self.home.kill):
            end()
            self.again()
            self.assertEqual(self.home.cli("status").json["state"], "granted", self.home.log_text())
            with self.home.agent(self.key) as agent:
                self.assertEqual([c["id"] for c in agent.call("credentials.list")["credentials"]], [self.card])
                self.request(agent, end.__name__)
        self.home.unlock()
        self.assertEqual(len(self.home.cli("approvals").json), 2)
        self.home.kill()
        self.again()
        self.assertEqual(self.home.cli("status").json["state"], "granted", "killed while it was unlocked: " + self.home.log_text())
        self.home.unlock()
        self.home.cli("revoke", grant["grant"])
        self.home.stop()
        self.again()
        self.assertEqual(self.home.cli("status").json["state"], "locked")

    def test_killed_while_unlocked_and_used_before_the_unlock(self):
        """What is done under it after a kill does not make vault.enc look older, and cannot be taken back by state.db alone."""
        self.grant("--seal", "systemd")
        self.home.kill()
        files = {}
        for name in ("state.db", "state.db-wal"):
            if os.path.exists(self.home.file(name)):
                with open(self.home.file(name), "rb") as file:
                    files[name] = file.read()
        self.again()
        with self.home.agent(self.key) as agent:
            for key in ("one", "two", "three"):
                agent.call("purchase.cancel", purchase=self.request(agent, key)["purchase"])
        self.home.kill()
        newer = {}
        for name in ("state.db", "state.db-wal"):
            path = self.home.file(name)
            if os.path.exists(path):
                with open(path, "rb") as file:
                    newer[name] = file.read()
                os.unlink(path)
        for name, content in files.items():
            self.put(name, content)
        self.home.start()
        refused = self.home.run("unlock", passphrase=PASSPHRASE)
        self.assertEqual(refused.reason, "state_rolled_back", repr(refused))
        self.home.kill()
        for name in ("state.db", "state.db-wal"):
            if os.path.exists(self.home.file(name)):
                os.unlink(self.home.file(name))
        for name, content in newer.items():
            self.put(name, content)
        self.again()
        self.home.unlock()
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])
        self.assertEqual([p["status"] for p in self.home.cli("purchases").json], ["canceled"] * 3)

    def put(self, name, content):
        with open(self.home.file(name), "wb") as file:
            os.chmod(file.fileno(), 0o600)
            file.write(content)

    def test_one_that_was_refused_does_not_come_to_life(self):
        with open(self.home.file("grants"), "wb") as file:  # no folder can be made here
            os.chmod(file.fileno(), 0o600)
        refused = self.home.run("grant", "helper", "--record", self.card, "--seal", "systemd", passphrase=PASSPHRASE)
        self.assertEqual(refused.code, 1, repr(refused))
        os.unlink(self.home.file("grants"))
        self.assertEqual(self.home.cli("grants").json, [])
        self.home.cli("lock")
        self.home.unlock()
        self.home.cli("lock")
        self.assertEqual(self.home.cli("status").json["state"], "locked")

    def test_another_credential_and_a_changed_file(self):
        grant = self.grant("--seal", "systemd")
        self.home.stop()
        sealed = self.home.file("grants", grant["grant"] + ".grant")
        with open(sealed, "rb") as file:
            right = file.read()
        self.assertNotIn(self.card.encode(), right)
        with open(sealed, "wb") as file:
            file.write(right[:-1] + bytes([right[-1] ^ 1]))
        self.again()
        self.assertEqual(self.home.cli("status").json["state"], "locked")
        self.home.stop()
        with open(sealed, "wb") as file:
            file.write(right)
        self.again()
        self.assertEqual(self.home.cli("status").json["state"], "granted")
        self.home.stop()
        with open(os.path.join(self.folder, "popvault-grant"), "wb") as file:
            file.write(os.urandom(32))
        self.again()
        self.assertEqual(self.home.cli("status").json["state"], "locked")

    def test_state_put_back_is_found(self):
        self.grant("--seal", "systemd")
        self.home.stop()
        with open(self.home.file("state.db"), "rb") as file:
            older = file.read()
        self.again()
        with self.home.agent(self.key) as agent:
            asked = self.request(agent, "one")
            agent.call("purchase.cancel", purchase=asked["purchase"])
        self.home.stop()
        with open(self.home.file("state.db"), "wb") as file:
            file.write(older)
        self.again()
        self.assertEqual(self.home.cli("status").json["state"], "locked")
        self.assertIn("stays closed", self.home.log_text())


class Frozen(Granted):
    def test_it_needs_no_secret_and_drops_every_key(self):
        grant = self.grant()
        self.home.cli("freeze")
        state = self.home.cli("status").json
        self.assertEqual((state["state"], state["frozen"], state["grants"]), ("locked", True, 0))
        with self.home.agent(self.key) as agent:
            self.assertEqual(agent.refusal("credentials.list"), "frozen")
        self.home.restart()
        self.home.unlock()
        with self.home.agent(self.key) as agent:
            self.assertEqual(agent.refusal("credentials.list"), "frozen")
            with self.assertRaises(RpcError) as caught:
                self.request(agent, "one")
            self.assertEqual(caught.exception.reason, "frozen")
        refused = self.home.run("grant", "helper", "--record", self.card, passphrase=PASSPHRASE)
        self.assertEqual(refused.reason, "frozen")
        self.home.cli("lock")
        self.assertEqual(self.home.cli("status").json["state"], "locked", "a frozen vault has no grants")
        self.home.cli("unfreeze", passphrase=PASSPHRASE)
        self.assertEqual(self.status(grant), "revoked", "what a freeze stopped does not come back by itself")
        with self.home.agent(self.key) as agent:
            self.assertEqual(self.request(agent, "one")["status"], "awaiting_approval")

    def test_under_a_grant(self):
        self.grant()
        self.home.cli("lock")
        self.home.cli("freeze")
        self.assertEqual(self.home.cli("status").json["state"], "locked")
        with self.home.agent(self.key) as agent:
            self.assertEqual(agent.refusal("credentials.list"), "frozen")
        self.home.kill()
        self.home.start()
        self.home.unlock()
        self.assertTrue(self.home.cli("status").json["frozen"])

    def test_its_row_is_gone(self):
        import sqlite3
        self.home.cli("freeze")
        self.home.stop()
        with sqlite3.connect(self.home.file("state.db")) as db:
            db.execute("DELETE FROM settings WHERE id='frozen'")
            db.execute("DELETE FROM meta WHERE key='frozen'")
        db.close()
        self.home.start()
        self.assertTrue(self.home.cli("status").json["frozen"])
        self.assertNotEqual(self.home.run("unlock", passphrase=PASSPHRASE).code, 0)
        with self.home.agent(self.key) as agent:
            self.assertEqual(agent.refusal("credentials.list"), "frozen")


class Times(Granted):
    def test_idle(self):
        """Neither looking nor what is refused puts it off."""
        self.home.cli("config", "set", "lock.idle", "60", passphrase=PASSPHRASE)
        refused = self.home.run("config", "set", "lock.idle", "5", passphrase=PASSPHRASE)
        self.assertEqual(refused.reason, "invalid_field")
        self.assertEqual(self.home.cli("config", "get", "lock.idle").json, {"lock.idle": 60})

        connection = self.home.agent(self.key)
        agent = connection.__enter__()
        self.addCleanup(connection.__exit__, None, None, None)
        self.home.cli("agent", "suspend", "helper")

        def locked():
            with contextlib.suppress(RpcError):
                agent.call("purchase.request", wrong=1)
            self.home.run("list")
            return self.home.cli("status").json["state"] == "locked"
        wait_until(locked, "the idle lock, though status and list are asked", 100)

    def test_the_longest_session(self):
        for wrong in ("0", "59", "86401", "soon"):
            refused = self.home.run("config", "set", "lock.after", wrong, passphrase=PASSPHRASE)
            self.assertEqual(refused.reason, "invalid_field", wrong)
        self.home.cli("config", "set", "lock.after", "60", passphrase=PASSPHRASE)
        wait_until(lambda: self.home.cli("status").json["state"] == "locked", "the end of the session", 90)
        self.home.unlock()
        self.home.cli("config", "set", "lock.after", "none", passphrase=PASSPHRASE)

    def test_a_signal_locks(self):
        os.kill(self.home.pid, signal.SIGUSR1)
        wait_until(lambda: self.home.cli("status").json["state"] == "locked", "the lock")


if __name__ == "__main__":
    unittest.main()
