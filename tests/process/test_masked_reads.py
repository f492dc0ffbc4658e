"""credentials.list and credentials.get say again what they said while nothing was written: and nothing that was ever stays."""

import hashlib
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.owner_key import OwnerKey
from support.rpc import RpcError


class MaskedReads(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.make_vault()
        self.key = OwnerKey(PASSPHRASE)
        self.one, self.other = (self.home.add_card(label)["id"] for label in ("One", "Other"))
        self.helper, self.second = (self.add(name) for name in ("helper", "second"))
        self.addCleanup(self.helper.close)
        self.addCleanup(self.second.close)

    def add(self, name):
        key = "pak_" + os.urandom(20).hex()
        self.owner("agent.add", name=name, key_sha256=hashlib.sha256(key.encode()).hexdigest(), key_first=key[:12], key_last=key[-4:])
        self.policy(name, [self.one, self.other])
        return self.home.agent(key)

    def owner(self, method, proof=True, **params):
        with self.home.owner() as owner:
            return self.key.call(owner, method, **params) if proof else owner.call(method, **params)

    def policy(self, agent, records, **change):
        self.owner("policy.set", agent=agent, merchants=[{"origin": "https://shop.example"}], currency="USD", per_use_minor=1000,
                   per_day_minor=10000, strength="dom", records=records, **change)

    def seen(self, agent=None):
        """{id: label} of the list and of each record asked for by itself, which must be the same; or the refusal's word."""
        agent = agent or self.helper
        try:
            listed = {item["id"]: item["label"] for item in agent.call("credentials.list")["credentials"]}
        except RpcError as error:
            return error.reason
        got = {}
        for record in (self.one, self.other):
            try:
                got[record] = agent.call("credentials.get", id=record)["label"]
            except RpcError as error:
                self.assertEqual(error.reason, "not_found")
        self.assertEqual(got, listed)
        return listed

    def both_times(self, expected, agent=None):
        for _ in range(2):
            self.assertEqual(self.seen(agent), expected)

    def test_every_change_is_seen(self):
        every = {self.one: "One", self.other: "Other"}
        self.both_times(every)
        self.policy("helper", [self.other])
        self.both_times({self.other: "Other"})
        self.both_times(every, self.second)
        self.policy("helper", [self.one, self.other])
        self.both_times(every)
        self.home.cli("edit", self.one, "--label", "Renamed", passphrase=PASSPHRASE)
        self.both_times({**every, self.one: "Renamed"})
        self.owner("record.remove", id=self.one)
        self.both_times({self.other: "Other"})

    def test_who_may_not_any_more(self):
        every = {self.one: "One", self.other: "Other"}
        self.both_times(every)
        self.owner("agent.suspend", proof=False, agent="helper")
        self.both_times("agent_suspended")
        self.both_times(every, self.second)
        self.owner("agent.resume", agent="helper")
        self.both_times(every)
        self.home.cli("lock")
        self.both_times("locked")
        self.owner("agent.suspend", proof=False, agent="helper")
        self.home.unlock()
        self.both_times("agent_suspended")
        self.both_times(every, self.second)
        self.home.cli("freeze")
        for agent in (self.helper, self.second):
            self.assertIn(self.seen(agent), ("frozen", "locked", "agent_suspended"))

    def test_questions_are_kept_apart(self):
        first = self.helper.call("credentials.list", limit=1)
        second = self.helper.call("credentials.list", limit=1, cursor=first["next"])
        every = [item["id"] for page in (first, second) for item in page["credentials"]]
        self.assertEqual(sorted(every), sorted([self.one, self.other]))
        self.assertEqual(self.helper.call("credentials.list", limit=1), first)
        self.assertEqual(self.helper.call("credentials.list", kind="login")["credentials"], [])
        self.assertEqual(len(self.helper.call("credentials.list", kind="card")["credentials"]), 2)
        # An agent without a policy asks what another has just been answered.
        self.owner("policy.unset", proof=False, agent="second")
        self.both_times({}, self.second)


if __name__ == "__main__":
    unittest.main()
