"""Owner proofs: being the same user is not enough. Everything here speaks owner.sock itself, as an agent with a shell could;
the keys are computed independently of popvault (support/owner_key.py)."""

import json
import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.owner_key import OwnerKey, request_hash
from support.programs import SOURCE
from support.rpc import RpcError

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
            fresh = set(re.findall(r"^\| ([a-z.]+) \| fresh \|", file.read(), re.M))
        purchase = self.ask()
        params = {
            "vault.unfreeze": {}, "record.export": {"id": self.card["id"]},
            "agent.add": {"name": "intruder", "key_sha256": "0" * 64, "key_first": "pak_AbCdEfGh", "key_last": "wxyz"},
            "policy.set": {"agent": "helper", "merchants": [{"origin": "https://evil.example", "processors": []}],
                           "currency": "USD", "per_use_minor": 100, "per_day_minor": 100},
            "config.set": {"key": "allow_loopback_http", "value": True},
            "purchase.approve": {"purchase": purchase}, "purchase.settle": {"purchase": purchase},
            "purchase.release": {"purchase": purchase},
            "record.edit": {"id": self.card["id"], "label": "Renamed"}, "record.remove": {"id": self.card["id"]},
            "record.restore": {"id": self.card["id"]},
            "record.reveal": {"id": self.card["id"]}, "vault.rekey": {"mode": "machine", "accept_machine_key": True,
                                                                     "accept_public_salt": True},
            "vault.rotate": {"now": True}, "recovery.create": {"public_key": "09" * 32}, "recovery.show": {},
            "backup.create": {"recipients": []},
        }
        self.assertEqual(set(params), fresh)
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


if __name__ == "__main__":
    unittest.main()
