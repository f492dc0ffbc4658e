"""What may be used once, used many times at once: one wins, and the journal has one row of it."""

import hashlib
import json
import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.market import Market
from support.owner_key import OwnerKey
from support.rpc import Closed, RpcError

SHOP = "https://shop.example"
OWNER = OwnerKey(PASSPHRASE)


def all_at_once(calls):
    """What each of these gave, begun together: an answer, or the reason word."""
    start = threading.Barrier(len(calls))
    out = [None] * len(calls)

    def one(index):
        start.wait()
        try:
            out[index] = calls[index]()
        except RpcError as error:
            out[index] = error.reason
        except (Closed, OSError) as error:
            out[index] = type(error).__name__

    threads = [threading.Thread(target=one, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return out


class Case(unittest.TestCase):
    def rows(self, home, purchase=None):
        """[(kind, body)] of the journal, of one purchase where one is named."""
        with home.owner() as owner:
            rows, after = [], 0
            while True:
                page = owner.call("audit.list", after=after, limit=100)["rows"]
                if not page:
                    break
                after = page[-1]["seq"]
                rows += page
        return [(row["kind"], row["body"]) for row in rows if purchase is None or row["body"].get("purchase") == purchase]

    def count(self, home, kind, purchase=None):
        return sum(1 for row in self.rows(home, purchase) if row[0] == kind)

    def proved(self, owner, method, **params):
        """A call whose proof is ready, so that the race is about the method itself."""
        proof = OWNER.proof(owner, method, params)
        return lambda: owner.call(method, proof=proof, **params)


class WithoutABrowser(Case):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.make_vault()
        self.card = self.home.add_card()["id"]
        self.key = self.home.add_agent("helper")["key"]
        self.home.set_policy("helper", per_use="100.00", per_day="1000.00")
        self.connections = []

    def tearDown(self):
        for connection in self.connections:
            connection.close()

    def owner(self):
        self.connections.append(self.home.owner())
        return self.connections[-1]

    def agent(self):
        self.connections.append(self.home.agent(self.key))
        return self.connections[-1]

    def request(self, agent, key, amount=1000):
        return agent.call("purchase.request", record=self.card, amount_minor=amount, currency="USD", reason="x",
                          merchant_origin=SHOP, idempotency_key=key)

    def status(self, purchase):
        with self.home.agent(self.key) as agent:
            return agent.call("purchase.status", purchase=purchase)["status"]

    def spent(self):
        with self.home.owner() as owner:
            return owner.call("policy.explain", agent="helper", request={
                "record": self.card, "amount_minor": 1, "currency": "USD", "merchant_origin": SHOP})["spent"]["day_minor"]

    def test_an_idempotency_key_from_16_connections(self):
        agents = [self.agent() for _ in range(16)]
        answers = all_at_once([lambda agent=agent: self.request(agent, "same")["purchase"] for agent in agents])
        self.assertEqual(len(set(answers)), 1, answers)
        self.assertEqual(self.count(self.home, "purchase_requested"), 1)
        self.assertEqual(self.spent(), 1000)
        # Two requests under one key: one of them is the purchase, the other is told.
        answers = all_at_once([lambda agent=agent, index=index: self.request(agent, "two", 100 + index % 2)["purchase"]
                               for index, agent in enumerate(agents)])
        self.assertEqual(answers.count("idempotency_conflict"), 8, answers)
        self.assertEqual(len(set(answers)), 2, answers)
        self.assertEqual(self.count(self.home, "purchase_requested"), 2)

    def test_approved_twice(self):
        purchase = self.request(self.agent(), "one")["purchase"]
        answers = all_at_once([self.proved(self.owner(), "purchase.approve", purchase=purchase) for _ in range(8)])
        self.assertEqual(sum(isinstance(answer, dict) for answer in answers), 1, answers)
        self.assertEqual({answer for answer in answers if isinstance(answer, str)}, {"wrong_status"}, answers)
        self.assertEqual(self.count(self.home, "purchase_approved", purchase), 1)

    def test_approved_and_denied_and_canceled(self):
        for index in range(6):
            with self.subTest(round=index):
                purchase = self.request(self.agent(), "r%d" % index)["purchase"]
                approving, denying, agent = self.owner(), self.owner(), self.agent()
                approve = self.proved(approving, "purchase.approve", purchase=purchase)
                answers = dict(zip(("approved", "denied", "canceled"), all_at_once([
                    approve, lambda: denying.call("purchase.deny", purchase=purchase),
                    lambda: agent.call("purchase.cancel", purchase=purchase)])))
                done = {word for word, answer in answers.items() if isinstance(answer, dict)}
                rows = [kind for kind, _ in self.rows(self.home, purchase)]
                for word in answers:
                    self.assertEqual(rows.count("purchase_" + word), 1 if word in done else 0, (answers, rows))
                # An approval may be taken back once; of the two ends there is one, and it stays.
                self.assertEqual(len(done - {"approved"}), 1, answers)
                self.assertEqual(self.status(purchase), (done - {"approved"}).pop())
        self.assertEqual(self.spent(), 0)

    def test_forced_twice(self):
        purchase = self.request(self.agent(), "large", 20000)
        self.assertEqual(purchase["status"], "denied")
        purchase = purchase["purchase"]
        answers = all_at_once([self.proved(self.owner(), "purchase.approve", purchase=purchase, force=True) for _ in range(8)])
        self.assertEqual(sum(isinstance(answer, dict) for answer in answers), 1, answers)
        self.assertEqual(self.count(self.home, "purchase_forced", purchase), 1)
        self.assertEqual(self.count(self.home, "purchase_approved", purchase), 0)
        self.assertEqual(self.spent(), 20000)

    def test_a_key_rotated_while_it_is_used(self):
        """Each request was before the rotation or after it: nothing is written that was answered with a refusal."""
        agents = [self.agent() for _ in range(12)]
        key = "pak_" + os.urandom(20).hex()
        rotate = self.proved(self.owner(), "agent.rotate", agent="helper", key_sha256=hashlib.sha256(key.encode()).hexdigest(),
                             key_first=key[:12], key_last=key[-4:])
        answers = all_at_once([rotate] + [lambda agent=agent, index=index: self.request(agent, "k%d" % index)["purchase"]
                                          for index, agent in enumerate(agents)])
        self.assertIsInstance(answers[0], dict)
        got = [answer for answer in answers[1:] if answer.startswith("pur_")]
        self.assertLessEqual({answer for answer in answers[1:] if answer not in got}, {"unauthenticated", "Closed"}, answers)
        kinds = [(kind, body.get("purchase")) for kind, body in self.rows(self.home)]
        after = [purchase for kind, purchase in kinds[kinds.index(("agent_rotated", None)):] if kind == "purchase_requested"]
        self.assertEqual(after, [])
        self.assertLessEqual(set(got), {purchase for kind, purchase in kinds if kind == "purchase_requested"})

    def test_a_grant_revoked_while_it_is_used(self):
        with self.home.owner() as owner:
            agent_id = next(a["agent"] for a in owner.call("agent.list")["agents"])
            grant = OWNER.call(owner, "grant.create", agent=agent_id, records=[self.card])["grant"]
            owner.call("vault.lock")
        agents = [self.agent() for _ in range(12)]
        revokers = [self.owner() for _ in range(4)]
        answers = all_at_once([lambda owner=owner: owner.call("grant.revoke", grant=grant) for owner in revokers] +
                              [lambda agent=agent, index=index: self.request(agent, "k%d" % index)["purchase"]
                               for index, agent in enumerate(agents)])
        self.assertTrue(any(isinstance(answer, dict) for answer in answers[:4]), answers)
        asked = answers[4:]
        got = {answer for answer in asked if answer.startswith("pur_")}
        self.assertLessEqual(set(asked) - got, {"locked", "not_found"}, answers)
        with self.home.agent(self.key) as agent:
            self.assertEqual(agent.refusal("credentials.list"), "locked")
        self.home.unlock()
        with self.home.owner() as owner:
            held = {p["purchase"] for p in owner.call("purchase.list")["purchases"] if p["status"] == "awaiting_approval"}
        self.assertEqual(held, got, "what was answered is there, and nothing else")
        told = [body for kind, body in self.rows(self.home) if kind == "narrowed_locked"]
        self.assertEqual([(body["what"], body["id"]) for body in told], [("grant", grant)])
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])


class WithABrowser(Case):
    """Needs Chromium."""

    @classmethod
    def setUpClass(cls):
        cls.market = Market()
        cls.addClassCleanup(cls.market.close)

    def test_an_approval_filled_many_times(self):
        market = self.market
        purchase = market.approved("fill")
        page = market.open()
        agents = [market.agent() for _ in range(8)]
        try:
            answers = all_at_once([lambda agent=agent: agent.call("purchase.fill", purchase=purchase,
                                                                  page={"url": market.shop.checkout})["status"] for agent in agents])
            self.assertEqual(answers.count("filled"), 1, answers)
            self.assertLessEqual(set(answers), {"filled", "busy", "purchase_used"}, answers)
            # Later ones too.
            answers = all_at_once([lambda agent=agent: agent.call("purchase.fill", purchase=purchase,
                                                                  page={"url": market.shop.checkout})["status"] for agent in agents])
            self.assertEqual(set(answers), {"purchase_used"}, answers)
        finally:
            for agent in agents:
                agent.close()
            page.close()
        self.assertEqual(self.count(market.home, "use_begin", purchase), 1)
        self.assertEqual(self.count(market.home, "use_done", purchase), 1)

    def test_settled_and_released(self):
        """An outcome that nobody knows: the daemon is killed in the middle of a fill."""
        market = self.market
        for index in range(2):
            with self.subTest(round=index):
                purchase = self.unknown("unknown%d" % index)
                owners = [market.home.owner() for _ in range(8)]
                try:
                    answers = all_at_once([self.proved(owner, "purchase." + ("settle", "release")[number % 2], purchase=purchase)
                                           for number, owner in enumerate(owners)])
                finally:
                    for owner in owners:
                        owner.close()
                won = [answer["status"] for answer in answers if isinstance(answer, dict)]
                self.assertEqual(len(won), 1, answers)
                rows = [kind for kind, _ in self.rows(market.home, purchase)]
                self.assertEqual(rows.count("purchase_settled") + rows.count("purchase_released"), 1, rows)
                with market.agent() as agent:
                    self.assertEqual(agent.call("purchase.status", purchase=purchase)["status"], won[0])

    def unknown(self, key):
        """A purchase whose fill was cut off after use_begin. A fill may be done before the kill comes: then another one is."""
        for attempt in range(20):
            purchase, status = self.cut_off("%s-%d" % (key, attempt))
            if status == "outcome_unknown":
                return purchase
            self.assertEqual(status, "filled")
        self.fail("every fill was done before the daemon was killed")

    def cut_off(self, key):
        market = self.market
        purchase = market.approved(key)
        page = market.open()
        with market.home.agent(market.key) as agent, market.home.agent(market.key) as watching:
            watching.call("events.subscribe")
            agent.start("purchase.fill", {"purchase": purchase, "page": {"url": market.shop.checkout}})
            while True:
                message = json.loads(watching.line())
                if message.get("method") == "event" and message["params"] == {"purchase": purchase, "status": "filling"}:
                    break
            market.home.kill()
        page.close()
        market.home.start()
        market.home.unlock()
        with market.agent() as agent:
            return purchase, agent.call("purchase.status", purchase=purchase)["status"]


if __name__ == "__main__":
    unittest.main()
