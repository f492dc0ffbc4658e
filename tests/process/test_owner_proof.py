"""Owner proofs: being the same user is not enough. Everything here speaks owner.sock itself, as an agent with a shell could;
the keys are computed independently of popvault (support/owner_key.py)."""

import hashlib
import hmac
import json
import os
import re
import shutil
import sqlite3
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.owner_key import OwnerKey, SigningKey, request_hash
from support.programs import SOURCE
from support.rpc import RpcError, bundle

# Methods that a kept proof is enough for.
SESSION = {"record.edit", "record.remove", "record.restore", "agent.rotate", "agent.resume", "purchase.settle",
           "purchase.release", "backup.create", "vault.rotate", "audit.export"}
REFUSED = ("proof_invalid", "proof_expired", "proof_required")


class Proofs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.home.start()
        cls.home.make_vault()
        cls.card = cls.home.add_card()
        cls.key = cls.home.add_agent("helper")["key"]
        cls.home.set_policy("helper", per_day="10000.00")
        cls.right = OwnerKey(PASSPHRASE)
        cls.wrong = OwnerKey(None, key=bytes(range(32)))
        # The oldest challenge of all, for the last test.
        cls.old_purchase = cls.ask()
        cls.old_owner = cls.home.owner()
        cls.old_proof = cls.right.proof(cls.old_owner, "purchase.approve", {"purchase": cls.old_purchase})
        cls.old_time = time.monotonic()

    @classmethod
    def tearDownClass(cls):
        cls.old_owner.close()
        cls.home.remove()

    @classmethod
    def ask(cls):
        """A new purchase that waits for approval."""
        with cls.home.agent(cls.key) as agent:
            return agent.call("purchase.request", record=cls.card["id"], amount_minor=100, currency="USD",
                              merchant_origin="https://shop.example", reason="x",
                              idempotency_key=os.urandom(8).hex())["purchase"]

    def state(self, purchase):
        with self.home.agent(self.key) as agent:
            return agent.call("purchase.status", purchase=purchase)["status"]

    def refused(self, owner, purchase, proof, words=REFUSED):
        with self.assertRaises(RpcError) as caught:
            owner.call("purchase.approve", purchase=purchase, proof=proof)
        self.assertIn(caught.exception.reason, words)
        self.assertEqual(self.state(purchase), "awaiting_approval")
        return caught.exception.reason

    def test_control_a_right_proof(self):
        purchase = self.ask()
        with self.home.owner() as owner:
            answer = self.right.call(owner, "purchase.approve", purchase=purchase)
        self.assertEqual(answer, {"purchase": purchase, "status": "approved"})

    def test_every_method_that_gives_power_needs_one(self):
        with open(os.path.join(SOURCE, "docs", "PROTOCOL.md"), encoding="utf-8") as file:
            proved = dict(re.findall(r"^\| ([a-z.]+) \| (fresh|session) \|", file.read(), re.M))
        purchase = self.ask()
        params = {
            "vault.unfreeze": {}, "record.export": {"id": self.card["id"]},
            "agent.add": {"name": "intruder", "key_sha256": "0" * 64, "key_first": "pak_AbCdEfGh", "key_last": "wxyz"},
            "policy.set": {"agent": "helper", "merchants": [{"origin": "https://evil.example", "processors": []}],
                           "currency": "USD", "per_use_minor": 100, "per_day_minor": 100},
            "agent.rotate": {"agent": "helper", "key_sha256": "0" * 64, "key_first": "pak_AbCdEfGh", "key_last": "wxyz"},
            "agent.resume": {"agent": "helper"},
            "authenticator.add": {"kind": "raw", "label": "intruder", "public_key": self.wrong.signing.public.hex()},
            "authenticator.remove": {"id": "aut_" + "a" * 26},
            "config.set": {"key": "allow_loopback_http", "value": True},
            "recipe.add": {"text": "{}", "unsigned": True}, "recipe.pin": {"name": "stripe", "version": 1},
            "recipe.rollback": {"name": "stripe"},
            "purchase.approve": {"purchase": purchase}, "purchase.settle": {"purchase": purchase},
            "purchase.release": {"purchase": purchase},
            "record.edit": {"id": self.card["id"], "label": "Renamed"}, "record.remove": {"id": self.card["id"]},
            "record.restore": {"id": self.card["id"]},
            "record.reveal": {"id": self.card["id"]}, "vault.rekey": {"mode": "machine", "accept_machine_key": True,
                                                                     "accept_public_salt": True},
            "vault.rotate": {"now": True}, "recovery.create": {"public_key": "09" * 32}, "recovery.show": {},
            "backup.create": {"recipients": []},
            "audit.export": {}, "audit.purge": {"subject": "helper"},
            "purchase.adjust": {"agent": "helper", "currency": "USD", "amount_minor": -100, "reason": "x"},
            "grant.create": {"agent": "helper", "records": [self.card["id"]]},
        }
        self.assertEqual(set(params), set(proved))
        self.assertEqual({method for method, level in proved.items() if level == "session"}, SESSION)
        for method, values in params.items():
            # A connection each: wrong proofs are answered ever later on one.
            with self.home.owner() as owner, self.subTest(method=method):
                self.assertEqual(owner.refusal(method, **values), "proof_required")
                self.assertIn(owner.refusal(method, proof={}, **values), ("invalid_params", *REFUSED))
                self.assertIn(owner.refusal(method, proof="yes", **values), ("invalid_params", *REFUSED))
                self.assertIn(owner.refusal(method, proof=None, **values), ("invalid_params", *REFUSED))
        self.assertEqual(self.state(purchase), "awaiting_approval")

    def test_wrong_key(self):
        purchase = self.ask()
        with self.home.owner() as owner:
            self.refused(owner, purchase, self.wrong.proof(owner, "purchase.approve", {"purchase": purchase}))

    def test_wrong_signature_under_the_right_name(self):
        purchase = self.ask()
        with self.home.owner() as owner:
            proof = self.wrong.proof(owner, "purchase.approve", {"purchase": purchase})
            proof["public_key"] = self.right.signing.public.hex()
            self.refused(owner, purchase, proof)
        with self.home.owner() as owner:
            proof = self.right.proof(owner, "purchase.approve", {"purchase": purchase})
            flipped = int(proof["signature"][:2], 16) ^ 1
            proof["signature"] = "%02x" % flipped + proof["signature"][2:]
            self.refused(owner, purchase, proof)
            proof["signature"] = "0" * 128
            self.refused(owner, purchase, proof)

    def test_a_challenge_of_ones_own_making(self):
        purchase = self.ask()
        with self.home.owner() as owner:
            issued = json.loads(self.right.proof(owner, "purchase.approve", {"purchase": purchase})["challenge"])
            issued["nonce"] = os.urandom(32).hex()
            for made in (issued, {**issued, "expires_at": issued["expires_at"] + 100000}):
                text = json.dumps(made, sort_keys=True, separators=(",", ":"))
                self.refused(owner, purchase, self.right.answer(text))

    def test_a_changed_challenge(self):
        """The text is signed and used as it was given, or not at all."""
        purchase, other = self.ask(), self.ask()
        with self.home.owner() as owner:
            answer = owner.call("proof.challenge", purpose="purchase.approve",
                                request_hash=request_hash("purchase.approve", {"purchase": other}))
            changed = answer["challenge"].replace(request_hash("purchase.approve", {"purchase": other}),
                                                  request_hash("purchase.approve", {"purchase": purchase}))
            self.refused(owner, purchase, self.right.answer(changed))
            self.refused(owner, purchase, self.right.answer(answer["challenge"] + " "))

    def test_bound_to_another_request(self):
        purchase, other = self.ask(), self.ask()
        with self.home.owner() as owner:
            proof = self.right.proof(owner, "purchase.approve", {"purchase": other})
            self.refused(owner, purchase, proof)
        with self.home.owner() as owner:  # another method
            proof = self.right.proof(owner, "purchase.release", {"purchase": purchase})
            self.refused(owner, purchase, proof)
        with self.home.owner() as owner:  # the method's name, another purpose
            answer = owner.call("proof.challenge", purpose="config.set",
                                request_hash=request_hash("purchase.approve", {"purchase": purchase}))
            self.refused(owner, purchase, self.right.answer(answer["challenge"]))
        self.assertEqual(self.state(other), "awaiting_approval")

    def test_replayed(self):
        params = {"key": "allow_loopback_http", "value": False}
        with self.home.owner() as owner:
            proof = self.right.proof(owner, "config.set", params)
            owner.call("config.set", proof=proof, **params)
            with self.home.owner() as other:
                for connection in (owner, other):
                    self.assertIn(connection.refusal("config.set", proof=proof, **params),
                                  ("proof_expired", "proof_invalid"))
            purchase = self.ask()
            proof = self.right.proof(owner, "purchase.approve", {"purchase": purchase})
            owner.call("purchase.approve", proof=proof, purchase=purchase)
            self.assertIn(owner.refusal("purchase.approve", proof=proof, purchase=purchase),
                          ("proof_expired", "proof_invalid", "already_exists", "invalid_params"))

    def test_a_wrong_answer_uses_the_challenge_up(self):
        purchase = self.ask()
        with self.home.owner() as owner:
            challenge = owner.call("proof.challenge", purpose="purchase.approve",
                                   request_hash=request_hash("purchase.approve", {"purchase": purchase}))["challenge"]
            self.refused(owner, purchase, self.wrong.answer(challenge))
            self.refused(owner, purchase, self.right.answer(challenge))

    def test_dies_with_lock_and_restart(self):
        purchase = self.ask()
        owner = self.home.owner()
        self.addCleanup(owner.close)
        proof = self.right.proof(owner, "purchase.approve", {"purchase": purchase})
        self.home.cli("lock")
        self.assertEqual(owner.refusal("proof.challenge", purpose="purchase.approve", request_hash="0" * 64), "locked")
        self.assertEqual(owner.refusal("purchase.approve", purchase=purchase, proof=proof), "locked")
        self.home.unlock()
        self.refused(owner, purchase, proof)
        kept = self.right.proof(owner, "purchase.approve", {"purchase": purchase})
        old, fresh = type(self).old_owner, None
        self.home.restart()
        self.home.unlock()
        old.close()
        type(self).old_owner = fresh = self.home.owner()
        with self.home.owner() as again:
            self.refused(again, purchase, kept)
        # The old challenge died with the daemon: a new one for the last test.
        type(self).old_proof = self.right.proof(fresh, "purchase.approve", {"purchase": self.old_purchase})
        type(self).old_time = time.monotonic()

    def test_wrong_ones_are_shown_and_lock_nobody_out(self):
        self.home.cli("status")
        purchase = self.ask()
        with self.home.owner() as owner:
            for _ in range(3):
                self.refused(owner, purchase, self.wrong.proof(owner, "purchase.approve", {"purchase": purchase}))
        self.assertGreaterEqual(self.home.cli("status").json["bad_proofs"], 3)
        # Looking does not take the warning away; a good proof does.
        self.assertGreaterEqual(self.home.cli("status").json["bad_proofs"], 3)
        self.home.cli("config", "set", "allow_loopback_http", "false", passphrase=PASSPHRASE)
        self.assertEqual(self.home.cli("status").json["bad_proofs"], 0)
        self.assertEqual(self.home.cli("approve", purchase, passphrase=PASSPHRASE).json["status"], "approved")

    def test_agent_key_and_hello_give_no_power(self):
        purchase = self.ask()
        with self.home.agent(self.key) as agent:
            self.assertEqual(agent.refusal("purchase.approve", purchase=purchase), "unknown_method")
        self.assertEqual(self.state(purchase), "awaiting_approval")

    def test_zz_expired(self):
        """A challenge is good for two minutes; it was taken when this program began."""
        time.sleep(max(0.0, self.old_time + 122 - time.monotonic()))
        self.refused(self.old_owner, self.old_purchase, self.old_proof, ("proof_expired",))
        with self.home.owner() as owner:
            self.right.call(owner, "purchase.approve", purchase=self.old_purchase)


class Kept(unittest.TestCase):
    """A good proof is kept by its connection for methods of level `session`."""

    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.make_vault()
        self.card = self.home.add_card()
        self.key = self.home.add_agent("helper")["key"]
        self.home.set_policy("helper", per_day="10000.00")
        self.right = OwnerKey(PASSPHRASE)
        self.wrong = OwnerKey(None, key=bytes(range(32)))
        self.owner = self.home.owner()
        self.addCleanup(self.owner.close)

    def prove(self):
        self.right.call(self.owner, "config.set", key="allow_loopback_http", value=False)

    def edit(self, owner=None):
        """The answer of a method of this level, asked without a proof."""
        try:
            (owner or self.owner).call("record.edit", id=self.card["id"], label="Label")
            return "done"
        except RpcError as error:
            return error.reason

    def ask(self):
        with self.home.agent(self.key) as agent:
            return agent.call("purchase.request", record=self.card["id"], amount_minor=100, currency="USD",
                              merchant_origin="https://shop.example", reason="x",
                              idempotency_key=os.urandom(8).hex())["purchase"]

    def test_for_this_level_only(self):
        self.assertEqual(self.edit(), "proof_required")
        self.prove()
        self.assertEqual([self.edit(), self.edit()], ["done", "done"])
        for method, params in (("config.set", {"key": "allow_loopback_http", "value": True}),
                               ("agent.add", {"name": "x", "key_sha256": "0" * 64, "key_first": "x", "key_last": "x"}),
                               ("authenticator.add", {"kind": "raw", "label": "x", "public_key": "0" * 64}),
                               ("purchase.approve", {"purchase": self.ask()}), ("record.reveal", {"id": self.card["id"]})):
            self.assertEqual(self.owner.refusal(method, **params), "proof_required")
        self.assertEqual(self.edit(), "done", "being asked for a proof takes nothing away")

    def test_a_method_of_this_level_keeps_it_too(self):
        self.right.call(self.owner, "agent.resume", agent="helper")
        self.assertEqual(self.edit(), "done")

    def test_of_this_connection_only(self):
        self.prove()
        with self.home.owner() as other:
            self.assertEqual(self.edit(other), "proof_required")

    def test_a_wrong_proof_ends_it(self):
        self.prove()
        params = {"id": self.card["id"], "label": "X"}
        self.assertEqual(self.owner.refusal("record.edit", proof=self.wrong.proof(self.owner, "record.edit", params), **params),
                         "proof_invalid")
        self.assertEqual(self.edit(), "proof_required")

    def test_a_lock_ends_it(self):
        self.prove()
        self.home.cli("lock")
        self.assertEqual(self.edit(), "locked")
        self.home.unlock()
        self.assertEqual(self.edit(), "proof_required")

    def test_another_passphrase_ends_it(self):
        self.prove()
        fd = bundle({"key": bytes([9]) * 32})
        try:
            params = {"mode": "passphrase"}
            with self.home.owner() as other:
                other.call("vault.rekey", fd=fd, proof=self.right.proof(other, "vault.rekey", params), **params)
        finally:
            os.close(fd)
        self.assertEqual(self.edit(), "proof_required")

    def test_approvals(self):
        self.prove()
        purchase = self.ask()
        self.assertEqual(self.owner.refusal("purchase.approve", purchase=purchase), "proof_required")
        self.assertEqual(self.home.run("config", "set", "approvals.proof", "never", passphrase=PASSPHRASE).reason,
                         "invalid_field")
        self.home.cli("config", "set", "approvals.proof", "session", passphrase=PASSPHRASE)
        self.assertEqual(self.home.cli("config", "get", "approvals.proof").json["approvals.proof"], "session")
        # One against the policy is always proved itself.
        for force in (True, 1, "yes"):
            self.assertEqual(self.owner.refusal("purchase.approve", purchase=purchase, force=force), "proof_required")
        self.assertEqual(self.owner.call("purchase.approve", purchase=purchase)["status"], "approved")
        with self.home.owner() as other:
            self.assertEqual(other.refusal("purchase.approve", purchase=self.ask()), "proof_required")
        self.home.cli("config", "set", "approvals.proof", "fresh", passphrase=PASSPHRASE)
        self.assertEqual(self.owner.refusal("purchase.approve", purchase=self.ask()), "proof_required")


class Together(unittest.TestCase):
    """One proof, many callers at once."""

    TRIES = 64

    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.make_vault()
        self.right = OwnerKey(PASSPHRASE)
        self.params = {"key": "allow_loopback_http", "value": False}

    def count(self):
        rows = self.home.cli("audit", "list", "--limit", "1000").json
        return len([row for row in rows if row["kind"] == "config_set"])

    def test_on_one_connection(self):
        with self.home.owner() as owner:
            proof = self.right.proof(owner, "config.set", self.params)
            line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "config.set", "params": {**self.params, "proof": proof}})
            owner.socket.settimeout(120)
            owner.send((line + "\n") * self.TRIES)
            answers = [owner.reply() for _ in range(self.TRIES)]
        good = [answer for answer in answers if "result" in answer]
        self.assertEqual(len(good), 1)
        self.assertEqual({answer["error"]["data"]["reason"] for answer in answers if "error" in answer}, {"proof_expired"})
        self.assertEqual(self.count(), 1)

    def test_on_as_many_connections(self):
        connections = [self.home.owner() for _ in range(self.TRIES)]
        proof = self.right.proof(connections[0], "config.set", self.params)
        start, answers = threading.Barrier(self.TRIES), []

        def one(owner):
            start.wait()
            try:
                owner.call("config.set", proof=proof, **self.params)
                answers.append("done")
            except RpcError as error:
                answers.append(error.reason)

        threads = [threading.Thread(target=one, args=(owner,)) for owner in connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for owner in connections:
            owner.close()
        self.assertEqual(sorted(answers), sorted(["done"] + ["proof_expired"] * (self.TRIES - 1)))
        self.assertEqual(self.count(), 1)


class StoredVerifiers(unittest.TestCase):
    """What is stored, or was once sent, is worth nothing to who knows it."""

    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.make_vault()
        self.agent = self.home.add_agent("helper")
        self.right = OwnerKey(PASSPHRASE)
        self.params = {"key": "allow_loopback_http", "value": True}

    def refused(self, proof_of):
        with self.home.owner() as owner:
            challenge = owner.call("proof.challenge", purpose="config.set",
                                   request_hash=request_hash("config.set", self.params))["challenge"]
            self.assertIn(owner.refusal("config.set", proof=proof_of(challenge), **self.params),
                          ("proof_invalid", "proof_expired", "invalid_params"))
        self.assertIs(self.home.cli("config", "get", "allow_loopback_http").json["allow_loopback_http"], False)

    def stored(self):
        """Every 32 bytes of hex that the database or a reply tells: public keys, hashes of agents' keys, of files, of rows."""
        seen = {self.right.signing.public.hex()}
        with self.home.owner() as owner:
            seen |= {one["public_key"] for one in owner.call("authenticator.list")["authenticators"]}
        self.home.stop()
        copy = os.path.join(self.home.base, "copy.db")
        shutil.copy(self.home.file("state.db"), copy)
        with sqlite3.connect(copy) as db:
            for table in ("agents", "meta", "journal", "settings"):
                for row in db.execute("SELECT * FROM " + table):
                    for value in row:
                        text = value.hex() if isinstance(value, bytes) else str(value)
                        seen |= set(re.findall(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", text))
        self.home.start()
        self.home.unlock()
        return seen

    def test_control(self):
        with self.home.owner() as owner:
            self.right.call(owner, "config.set", **{**self.params, "value": False})

    def test_public_keys_and_hashes(self):
        stored = self.stored()
        key_hash = hashlib.sha256(self.agent["key"].encode()).hexdigest()
        self.assertIn(key_hash, stored)  # the control: they were found
        self.assertIn(self.right.signing.public.hex(), stored)
        self.assertGreater(len(stored), 5)
        public = self.right.signing.public.hex()
        chosen = {public, key_hash, *sorted(stored)[:5]}
        for text in chosen:
            secret = bytes.fromhex(text)
            # As a seed, as a vault key, as a signature's halves, as an HMAC of the challenge.
            for signing in (SigningKey(secret), OwnerKey(None, key=secret).signing):
                for name in (public, signing.public.hex()):
                    self.refused(lambda challenge, signing=signing, name=name: {
                        "challenge": challenge, "public_key": name, "signature": signing.sign(challenge.encode()).hex()})
            self.refused(lambda challenge, text=text: {"challenge": challenge, "public_key": public, "signature": text * 2})
            self.refused(lambda challenge, secret=secret: {
                "challenge": challenge, "public_key": public,
                "signature": hmac.new(secret, challenge.encode(), hashlib.sha512).hexdigest()})

    def test_an_old_proof(self):
        """Everything that went over the wire once, sent again and in parts."""
        same = {**self.params, "value": False}
        with self.home.owner() as owner:
            old = self.right.proof(owner, "config.set", same)
            owner.call("config.set", proof=old, **same)
            self.assertEqual(owner.refusal("config.set", proof=old, **same), "proof_expired")
        with self.home.owner() as owner:
            self.assertEqual(owner.refusal("config.set", proof=old, **same), "proof_expired")
        self.refused(lambda challenge: old)
        self.refused(lambda challenge: {**old, "challenge": challenge})
        self.home.restart()
        self.home.unlock()
        self.refused(lambda challenge: old)

    def test_the_journal_holds_no_proof(self):
        with self.home.owner() as owner:
            proof = self.right.proof(owner, "config.set", {**self.params, "value": False})
            owner.call("config.set", proof=proof, **{**self.params, "value": False})
        text = self.home.cli("audit", "list", "--limit", "1000").out
        self.assertIn("config_set", text)
        self.assertNotIn(proof["signature"], text)
        self.assertNotIn(json.loads(proof["challenge"])["nonce"], text)


if __name__ == "__main__":
    unittest.main()
