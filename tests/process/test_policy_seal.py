"""A policy whose row was edited, or put back as it was before, under a running daemon: it is no policy, and its agent may do
nothing from then on. Rows that were read are kept in SQLite's cache, so other rows are written until it has turned over."""

import hashlib
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.owner_key import OwnerKey
from support.rpc import RpcError

MARK, MORE = b"https://marked.example", b"https://minted.example"
AGENTS, NEAR = 56, 12  # each with a policy of some 14 pages; those whose rows may share a page with the first one's
# More than fits into a page: what is read of it goes through the cache of 2 MB.
LARGE = {"merchants": [{"origin": "https://" + "x" * 60 + "-%03d.example" % i,
                        "processors": ["https://" + "y" * 60 + "-%d.example" % j for j in range(7)]} for i in range(90)],
         "currency": "USD", "per_use_minor": 1, "per_day_minor": 1}


class Seal(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.make_vault()
        self.card = self.home.add_card()["id"]
        self.key = OwnerKey(PASSPHRASE)
        # Rows stand in the order of their ids: the first and the last share no page.
        agents = sorted(self.add("agent%d" % i) for i in range(AGENTS))
        (self.helper, self.helper_key), *self.fillers, (self.other, self.other_key) = agents
        for agent, _ in self.fillers:
            self.set(agent, **LARGE)
        self.set(self.helper)
        self.set(self.other, merchants=[{"origin": "https://shop.example"}])

    def add(self, name):
        key = "pak_" + os.urandom(21).hex() + "x"
        with self.home.owner() as owner:
            agent = self.key.call(owner, "agent.add", name=name, key_sha256=hashlib.sha256(key.encode()).hexdigest(),
                                  key_first=key[:12], key_last=key[-4:])
        return agent["agent"], key

    def set(self, agent, **change):
        policy = {"merchants": [{"origin": MARK.decode()}], "currency": "USD", "per_use_minor": 1000, "per_day_minor": 100000,
                  "ask_above_minor": 100000, "strength": "dom", "uses_per_hour": 1000}
        with self.home.owner() as owner:
            self.key.call(owner, "policy.set", agent=agent, **{**policy, **change})

    def turn_the_cache_over(self):
        with self.home.owner() as owner:
            for agent, _ in self.fillers[NEAR:]:
                owner.call("policy.show", agent=agent)

    def files(self):
        return [self.home.file(name) for name in ("state.db", "state.db-wal") if os.path.exists(self.home.file(name))]

    def edit(self, old, new):
        """In place, in every page that has it."""
        count = 0
        for path in self.files():
            with open(path, "r+b") as file:
                data = file.read()
                at = data.find(old)
                while at >= 0:
                    file.seek(at)
                    file.write(new)
                    count += 1
                    at = data.find(old, at + 1)
        self.assertGreater(count, 0)

    def row(self):
        """The bytes of the helper's row, body and seal, as they stand in a page."""
        agent = self.helper.encode()
        for path in reversed(self.files()):
            with open(path, "rb") as file:
                data = file.read()
            at = data.rfind(b'{"ask_above_minor"', 0, data.rfind(MARK))
            start = data.rfind(agent, 0, at)
            end = data.find(b'"uses_per_hour":1000}', at)
            if at >= 0 and 0 <= at - start < 64:
                return data[start:end + len(b'"uses_per_hour":1000}') + 32]
        self.fail("the row was not found")

    def ask(self, key, merchant=MARK.decode(), amount=900):
        try:
            with self.home.agent(key) as agent:
                got = agent.call("purchase.request", record=self.card, amount_minor=amount, currency="USD", merchant_origin=merchant,
                                 reason="x", idempotency_key=os.urandom(8).hex())
                return got["reason"] or got["status"]
        except RpcError as error:
            return "refused: " + error.reason

    def ended(self, merchant=MARK.decode(), amount=900):
        self.assertEqual(self.ask(self.helper_key, merchant, amount), "refused: denied")
        # From then on, whatever it asks, and also for what stood in the policy.
        for _ in range(2):
            self.assertEqual(self.ask(self.helper_key), "refused: agent_suspended")
        self.assertEqual([one["status"] for one in self.home.cli("agent", "list").json if one["agent"] == self.helper], ["suspended"])
        # Another agent is as it was, and the owner is told.
        self.assertEqual(self.ask(self.other_key, "https://shop.example"), "approved")
        rows = self.home.cli("audit", "list", "--limit", "1000").json
        told = [row for row in rows if row["kind"] == "policy_unverified"]
        self.assertEqual(len(told), 1)
        with self.home.owner() as owner:
            self.assertIn(owner.refusal("policy.show", agent=self.helper), ("state_corrupt", "state_rolled_back"))
            self.assertIn(owner.refusal("policy.explain", agent=self.helper, request={
                "record": self.card, "amount_minor": 1, "currency": "USD", "merchant_origin": MARK.decode()}),
                ("state_corrupt", "state_rolled_back"))

    def test_control(self):
        self.assertEqual(self.ask(self.helper_key), "approved")
        self.turn_the_cache_over()
        self.edit(MARK, MARK)
        self.assertEqual(self.ask(self.helper_key), "approved")
        self.assertEqual(self.ask(self.helper_key, MORE.decode()), "denied")  # by the policy
        self.assertNotIn("policy_unverified", [row["kind"] for row in self.home.cli("audit", "list", "--limit", "1000").json])
        self.assertEqual(self.ask(self.helper_key), "approved")

    def test_an_edited_row(self):
        self.turn_the_cache_over()
        self.edit(MARK, MORE)
        self.ended(MORE.decode())

    def test_an_older_row(self):
        """The row is whole and its seal is good, but it is not the newest."""
        self.set(self.helper, per_use_minor=2000)
        older = self.row()
        self.assertEqual(len(older), len(older.replace(b"2000", b"1000")))
        self.set(self.helper, per_use_minor=1000)
        newer = self.row()
        self.assertEqual((len(newer), newer != older), (len(older), True))
        self.turn_the_cache_over()
        self.edit(newer, older)
        self.ended(amount=1900)


if __name__ == "__main__":
    unittest.main()
