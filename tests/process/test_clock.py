"""The system's clock set forwards and backwards, while the daemon runs and while it does not."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.moved_clock import MovedClock
from support.owner_key import OwnerKey
from support.rpc import RpcError

SHOP = "https://shop.example"
OWNER = OwnerKey(PASSPHRASE)
HOUR, DAY = 3600, 86400
PAGE = {"url": "https://shop.example/pay"}


class ClockCase(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.clock = MovedClock(self.home.base)
        self.start()
        self.home.make_vault()
        self.card = self.home.add_card()["id"]
        self.key = self.home.add_agent("helper")["key"]
        self.home.set_policy("helper", per_use="100.00", per_day="100.00", more=("--per-month", "100.00"))

    def start(self):
        self.home.start(env=self.home.env(**self.clock.env))

    def restart_at(self, seconds, unlock=True):
        self.home.stop()
        self.clock.move(seconds)
        self.start()
        if unlock:
            self.home.unlock()

    def warned(self):
        return [warning for warning in self.home.cli("status").json["warnings"] if "clock" in warning]

    def ask(self, key, amount=6000):
        with self.home.agent(self.key) as agent:
            return agent.call("purchase.request", record=self.card, amount_minor=amount, currency="USD", reason="x",
                              merchant_origin=SHOP, idempotency_key=key)

    def approve(self, purchase):
        with self.home.owner() as owner:
            return OWNER.call(owner, "purchase.approve", purchase=purchase)

    def status(self, purchase):
        with self.home.agent(self.key) as agent:
            return agent.call("purchase.status", purchase=purchase)["status"]

    def fill(self, purchase):
        with self.home.agent(self.key) as agent:
            return agent.refusal("purchase.fill", purchase=purchase, page=PAGE)

    def adjusted(self, amount):
        with self.home.owner() as owner:
            return OWNER.call(owner, "purchase.adjust", agent="helper", currency="USD", amount_minor=amount, reason="x")

    def spent(self):
        with self.home.owner() as owner:
            return owner.call("policy.explain", agent="helper", request={
                "record": self.card, "amount_minor": 1, "currency": "USD", "merchant_origin": SHOP})["spent"]


class WhileItRuns(ClockCase):
    def test_nothing_moves_until_the_next_unlock(self):
        waiting = self.ask("one")["purchase"]
        ready = self.ask("two", 3000)["purchase"]
        self.approve(ready)
        self.adjusted(1000)
        self.assertEqual(self.warned(), [])
        for ahead in (40 * DAY, -40 * DAY, 400 * DAY, -HOUR, HOUR):
            with self.subTest(ahead=ahead):
                self.clock.move(ahead)
                self.assertEqual(len(self.warned()), 1, "status says so")
                # Windows do not pass and come back; approvals neither end nor live longer; keys do not expire.
                self.assertEqual(self.spent()["day_minor"], 10000)
                self.assertEqual(self.ask("k%d" % ahead, 1)["reason"], "limit_exceeded")
                self.assertEqual(self.status(waiting), "awaiting_approval")
                self.assertEqual(self.status(ready), "approved")
                self.assertEqual(self.fill(ready), "browser_not_enrolled", "it got as far as the browser")
                self.assertEqual(self.home.cli("status").json["state"], "unlocked")
        self.clock.move(0)
        self.assertEqual(self.warned(), [])
        self.approve(waiting)

    def test_the_unlock_takes_the_clock_as_it_is(self):
        purchase = self.ask("one")["purchase"]
        self.clock.move(HOUR)
        self.home.cli("lock")
        self.home.unlock()
        self.assertEqual(self.warned(), [])
        self.assertEqual(self.status(purchase), "expired")
        self.assertEqual(self.spent()["day_minor"], 0)

    def test_a_grant_ends_when_it_would_have(self):
        with self.home.owner() as owner:
            agent = owner.call("agent.list")["agents"][0]["agent"]
            OWNER.call(owner, "grant.create", agent=agent, records=[self.card], ttl_s=600)
            owner.call("vault.lock")
        for ahead in (DAY, -DAY):
            self.clock.move(ahead)
            with self.home.agent(self.key) as agent:
                self.assertEqual(len(agent.call("credentials.list")["credentials"]), 1)


class OverARestart(ClockCase):
    def test_ahead(self):
        """A clock that is ahead ends what it must end by that clock; what is spent counts again when it is right."""
        purchase = self.ask("one")["purchase"]
        self.adjusted(4000)
        self.restart_at(DAY)
        self.assertEqual(self.status(purchase), "expired")
        self.assertEqual(self.spent()["day_minor"], 0)
        self.assertEqual(self.spent()["month_minor"], 4000)
        future = self.ask("later", 6000)
        self.assertEqual(future["status"], "awaiting_approval")
        self.adjusted(500)
        self.restart_at(0)
        spent = self.spent()
        self.assertEqual(spent["day_minor"], 10500, "rows of the future count")
        self.assertEqual(self.ask("now", 1)["reason"], "limit_exceeded")

    def test_behind(self):
        """What was asked for, approved, granted and spent at a later time than now."""
        waiting = self.ask("one", 1000)["purchase"]
        ready = self.ask("two", 2000)["purchase"]
        self.approve(ready)
        self.adjusted(3000)
        for behind in (-HOUR, -40 * DAY):
            with self.subTest(behind=behind):
                self.restart_at(behind)
                self.assertEqual(self.spent()["day_minor"], 6000, "all of it counts")
                self.assertEqual(self.fill(ready), "purchase_expired")
                self.assertEqual(self.ask("k%d" % behind, 4001)["reason"], "limit_exceeded")
        # An approval that is given now does not make an old request one of now.
        self.approve(waiting)
        self.assertEqual(self.fill(waiting), "purchase_expired")
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])
        # The control: with the right clock it is as before.
        self.restart_at(0)
        self.assertEqual(self.fill(ready), "browser_not_enrolled")

    def test_keys_of_agents(self):
        self.restart_at(89 * DAY)
        self.ask("before", 1)
        self.restart_at(90 * DAY)
        with self.assertRaises(RpcError) as caught:
            self.home.agent(self.key)
        self.assertEqual(caught.exception.reason, "unauthenticated")
        self.restart_at(0)
        self.ask("after", 1)
        self.restart_at(-DAY)
        self.ask("behind", 1)

    def test_a_grant_from_the_future(self):
        with self.home.owner() as owner:
            agent = owner.call("agent.list")["agents"][0]["agent"]
            OWNER.call(owner, "grant.create", agent=agent, records=[self.card], ttl_s=DAY)
        # The unlock takes it up again, and after it only its own time counts.
        for behind, wanted in ((-2 * DAY, "locked"), (0, None)):
            self.restart_at(behind)
            self.home.cli("lock")
            with self.home.agent(self.key) as agent:
                if wanted:
                    self.assertEqual(agent.refusal("credentials.list"), wanted)
                else:
                    self.assertEqual(len(agent.call("credentials.list")["credentials"]), 1)


class TheClock(ClockCase):
    """The control: the daemon reads the clock that the test moves."""

    def test_it_is_moved(self):
        with self.home.owner() as owner:
            before = owner.call("audit.list", limit=100)["rows"][-1]["at"]
        self.restart_at(10 * DAY)
        with self.home.owner() as owner:
            after = owner.call("audit.list", limit=100)["rows"][-1]["at"]
        self.assertNotEqual(before[:10], after[:10])


if __name__ == "__main__":
    unittest.main()
