"""A whole home of every released version opens, keeps what it held and can be used; a newer one is refused with the version
it needs. tests/golden/README.md says how the homes were made."""

import glob
import json
import os
import shutil
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.owner_key import OwnerKey
from support.rpc import RpcError, bundle

from test_backup import well

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")


def put_home(home, version):
    """A copy of the golden home in its place, with the modes that git does not keep; and what is known of it."""
    shutil.copytree(os.path.join(GOLDEN, "home-" + version), home.path)
    for folder, _, names in os.walk(home.path):
        os.chmod(folder, 0o700)
        for name in names:
            os.chmod(os.path.join(folder, name), 0o600)
    with open(os.path.join(GOLDEN, "home-%s.json" % version), encoding="utf-8") as file:
        return json.load(file)


def unlock(owner, known):
    fd = bundle({"key": bytes.fromhex(known["vault_key"])})
    try:
        return owner.call("vault.unlock", fd=fd)
    finally:
        os.close(fd)


def versions():
    return sorted(os.path.basename(path)[len("home-"):] for path in glob.glob(os.path.join(GOLDEN, "home-*"))
                  if os.path.isdir(path))


class GoldenHomes(unittest.TestCase):
    def check_policy(self, home, owner, known):
        """A policy from before the amount above which one is asked: it asks for what it asked for then."""
        (agent,) = [one["agent"] for one in owner.call("agent.list")["agents"] if one["status"] == "active"]
        policy = owner.call("policy.show", agent=agent)
        self.assertEqual({**policy, "agent": 0}, {
            "agent": 0, "ask_above_minor": 1999, "currency": "USD", "drift_bp": 0, "expires_at": None, "killed": False,
            "merchants": [{"origin": "https://shop.example", "processors": []}], "per_day_minor": 50000,
            "per_month_minor": 1500000, "per_use_minor": 10000, "records": ["*"], "strength": "dom", "unlisted": "deny",
            "uses_per_hour": 60})
        self.assertEqual(owner.call("policy.preview", **policy)["changes"], [])
        card = next(i for i in known["records"] if i.startswith("crd_"))
        with home.agent(known["agent_key"]) as connection:
            for amount, status in ((1999, "approved"), (2000, "awaiting_approval")):
                self.assertEqual(connection.call(
                    "purchase.request", record=card, amount_minor=amount, currency="USD", merchant_origin="https://shop.example",
                    reason="x", idempotency_key="golden-%d" % amount)["status"], status)

    def check(self, version):
        with Home() as home:
            known = put_home(home, version)
            home.start()
            with home.owner() as owner:
                self.assertEqual(owner.call("owner.hello")["vault"], known["vault"])
                unlock(owner, known)
                self.assertFalse(glob.glob(home.file("state.db.schema-*")), "the copy goes when everything was found right")
                records = owner.call("record.list")["records"]
                self.assertEqual({r["id"]: r["label"] for r in records}, known["records"])
                self.assertTrue(owner.call("vault.check")["ok"])
                self.assertTrue(owner.call("audit.verify")["ok"])
                for purchase, status in known["purchases"].items():
                    kept = [p for p in owner.call("purchase.list")["purchases"] if p["purchase"] == purchase]
                    self.assertIn(kept[0]["status"], (status, "expired"))
                seeds = {r["id"] for r in records if r["kind"] == "login"}
                self.assertEqual(seeds, {r for r in known["records"] if r.startswith("lgn_")})
                with home.agent(known["agent_key"]) as agent:
                    seen = {r["id"] for r in agent.call("credentials.list")["credentials"]}
                    self.assertEqual(seen, {r for r in known["records"] if r.startswith("crd_")})
                self.check_policy(home, owner, known)
                key = OwnerKey(None, bytes.fromhex(known["vault_key"]))
                key.call(owner, "vault.rotate", now=True)
                self.assertTrue(owner.call("vault.check")["ok"])
            home.restart()
            with home.owner() as owner:
                unlock(owner, known)
                self.assertEqual(len(owner.call("record.list")["records"]), len(known["records"]))

    def test_every_version(self):
        self.assertIn("0.1.0", versions())
        for version in versions():
            with self.subTest(version=version):
                self.check(version)

    def test_words_and_backups(self):
        """The words open the home with a new passphrase, and bring the backup back into an empty one."""
        for version in ("0.2.0", "0.3.0"):
            with self.subTest(version=version):
                self.check_words_and_backup(version)

    def check_words_and_backup(self, version):
        with Home() as home:
            known = put_home(home, version)
            home.start()
            well(home, "recovery", "use", words=known["words"], new_passphrase=PASSPHRASE)
            self.assertEqual({r["id"]: r["label"] for r in home.cli("list").json}, known["records"])
            self.assertEqual(len(home.cli("list", "--trash").json), 1)
        with Home() as home:
            home.start()
            well(home, "backup", "restore", os.path.join(GOLDEN, "home-%s.age" % version), words=known["words"], new_passphrase=PASSPHRASE)
            home.unlock()
            self.assertEqual({r["id"]: r["label"] for r in home.cli("list").json}, known["records"])
            self.assertEqual([a["status"] for a in home.cli("agent", "list").json], ["revoked"])
            with home.owner() as owner:
                self.assertTrue(owner.call("vault.check")["ok"])
                self.assertTrue(owner.call("audit.verify")["ok"])

    def test_the_copy_stays_until_the_first_unlock(self):
        with Home() as home:
            put_home(home, "0.1.0")
            home.start()
            copy = home.file("state.db.schema-1")
            self.assertEqual(os.stat(copy).st_mode & 0o777, 0o600)
            old = sqlite3.connect("file:%s?mode=ro" % copy, uri=True)
            self.assertEqual(old.execute("PRAGMA user_version").fetchone()[0], 1)
            self.assertEqual(old.execute("SELECT count(*) FROM records").fetchone()[0], 5)
            old.close()

    def test_a_copy_that_a_killed_try_left_is_made_anew(self):
        with Home() as home:
            known = put_home(home, "0.1.0")
            with open(home.file("state.db.schema-1"), "wb") as file:
                file.write(b"half")
            home.start()
            with home.owner() as owner:
                unlock(owner, known)
                self.assertEqual(len(owner.call("record.list")["records"]), 5)

    def test_a_changed_one_is_not_moved(self):
        """The control: an old home with a trigger of somebody else's is refused as it stands."""
        with Home() as home:
            known = put_home(home, "0.1.0")
            database = sqlite3.connect(home.file("state.db"))
            database.execute("CREATE TRIGGER evil AFTER INSERT ON journal BEGIN DELETE FROM narrowings; END")
            database.commit()
            database.close()
            home.start()
            with home.owner() as owner, self.assertRaises(RpcError) as refused:
                unlock(owner, known)
            self.assertEqual(refused.exception.reason, "state_corrupt")
            database = sqlite3.connect(home.file("state.db"))
            self.assertEqual(database.execute("PRAGMA user_version").fetchone()[0], 1)
            database.close()

    def test_a_newer_one_is_refused_with_the_version_it_needs(self):
        with Home() as home:
            known = put_home(home, "0.1.0")
            home.start()
            home.stop()
            database = sqlite3.connect(home.file("state.db"))
            database.execute("PRAGMA user_version=7")
            database.execute("UPDATE meta SET value='3.2.0' WHERE key='needs'")
            database.commit()
            database.close()
            home.start()
            with home.owner() as owner, self.assertRaises(RpcError) as refused:
                unlock(owner, known)
            self.assertEqual(refused.exception.reason, "newer_version")
            self.assertIn("needs popvault 3.2.0", str(refused.exception))
            answer = home.run("list", json_output=False)
            self.assertEqual(answer.code, 1)
            self.assertIn("needs popvault 3.2.0", answer.err)


if __name__ == "__main__":
    unittest.main()
