"""The whole job through daemon, CLI, agent.sock and a real Chromium, and every refusal on the way."""

import json
import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import scan
from support.chromium import Chromium
from support.home import CARD, PASSPHRASE
from support.market import Market, digits
from support.rpc import Closed, RpcError

EMPTY = "JSON.stringify([...document.querySelectorAll('input')].map(i => i.value)) "


class Checkout(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.market = Market()
        cls.home = cls.market.home
        cls.shop = cls.market.shop

    @classmethod
    def tearDownClass(cls):
        cls.market.close()

    def setUp(self):
        self.pages = []

    def tearDown(self):
        for page in self.pages:
            try:
                page.close()
            except Exception:
                pass

    def open(self, url=None):
        page = self.market.open(url)
        self.pages.append(page)
        return page

    def refusal(self, purchase, page):
        with self.market.agent() as agent:
            return agent.refusal("purchase.fill", purchase=purchase, page=page)

    def status(self, purchase):
        with self.market.agent() as agent:
            return agent.call("purchase.status", purchase=purchase)["status"]

    def nothing_placed(self, page):
        """No frame of the page holds a digit of the card."""
        values = page.evaluate(EMPTY)
        for frame in self.market.browser.frames(page).values():
            values += frame.evaluate(EMPTY)
        self.assertNotIn("4242", values)

    # What works.

    def test_three_frames(self):
        page = self.open()
        frames = [info for info in self.market.browser.targets() if info["type"] == "iframe"]
        self.assertEqual(len(frames), 3)
        purchase = self.market.approved("three")
        agent = self.market.agent()
        self.addCleanup(agent.close)
        filled = agent.call("purchase.fill", purchase=purchase, page={"url": self.shop.checkout})
        self.assertEqual((filled["status"], filled["strength"], filled["purchase"]), ("filled", "dom", purchase))
        self.assertEqual(filled["card"], self.market.card)
        self.assertEqual({field["origin"] for field in filled["fields"]}, {self.shop.processor.origin})
        self.assertTrue(all(field["ok"] is True for field in filled["fields"]))
        self.assertIn("number", [field["field"] for field in filled["fields"]])
        got = self.market.pay(page)
        self.assertEqual([digits(got[name]) for name in ("number", "expiry", "cvc")],
                         [CARD["number"], CARD["exp_month"] + CARD["exp_year"][2:], CARD["cvv"]])
        self.assertIn(self.status(purchase), ("filled", "settled"))
        needles = scan.card_needles(CARD["number"], CARD["cvv"], CARD["exp_month"], CARD["exp_year"], CARD["holder"])
        self.assertEqual(scan.scan_bytes(agent.received, needles, "what the agent received"), [])
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])

    def test_a_form_in_the_page_by_target_id(self):
        page = self.open(self.shop.origin + "/simple")
        purchase = self.market.approved("simple")
        with self.market.agent() as agent:
            filled = agent.call("purchase.fill", purchase=purchase, page={"target_id": page.target_id})
        self.assertEqual({field["origin"] for field in filled["fields"]}, {self.shop.origin})
        page.evaluate("document.querySelector('button').click()")
        page.wait_for("document.title === 'Thank you'")
        self.assertEqual(digits(self.shop.posted[-1]["number"]), CARD["number"])
        self.assertEqual(digits(self.shop.posted[-1]["expiry"]), "1234")
        self.assertEqual(self.shop.posted[-1]["cvc"], CARD["cvv"])

    def test_two_tabs_by_target_id(self):
        first, second = self.open(), self.open()
        purchase = self.market.approved("two-tabs")
        self.assertEqual(self.refusal(purchase, {"url": self.shop.checkout}), "page_ambiguous")
        with self.market.agent() as agent:
            filled = agent.call("purchase.fill", purchase=purchase, page={"target_id": second.target_id})
        self.assertEqual(filled["status"], "filled")
        self.assertEqual(digits(self.market.pay(second)["number"]), CARD["number"])
        self.assertEqual(first.evaluate("document.querySelectorAll('.complete').length"), 0)

    def test_events_and_wait(self):
        agent, other = self.market.agent(), self.market.agent()
        self.addCleanup(agent.close)
        self.addCleanup(other.close)
        self.assertEqual(other.call("events.subscribe"), {"subscribed": True})
        asked = self.market.request("events", agent)
        waiting = agent.start("purchase.wait", {"purchase": asked["purchase"], "timeout_ms": 60000})
        self.home.cli("approve", asked["purchase"], passphrase=PASSPHRASE)
        answer = agent.reply()
        self.assertEqual((answer["id"], answer["result"]["status"]), (waiting, "approved"))
        other.call("vault.status")
        seen = [event["params"]["status"] for event in other.events if event["params"]["purchase"] == asked["purchase"]]
        while "approved" not in seen:
            message = json.loads(other.line())
            seen.append(message["params"]["status"])
        self.home.cli("deny", asked["purchase"])

    # What is refused.

    def test_not_approved(self):
        page = self.open()
        asked = self.market.request("not-approved")
        self.assertEqual(self.refusal(asked["purchase"], {"url": self.shop.checkout}), "not_approved")
        self.home.cli("deny", asked["purchase"])
        self.assertEqual(self.refusal(asked["purchase"], {"url": self.shop.checkout}), "denied")
        self.nothing_placed(page)

    def test_canceled(self):
        purchase = self.market.approved("canceled")
        with self.market.agent() as agent:
            self.assertEqual(agent.call("purchase.cancel", purchase=purchase)["status"], "canceled")
        self.open()
        self.assertEqual(self.refusal(purchase, {"url": self.shop.checkout}), "canceled")

    def test_used_twice(self):
        page = self.open()
        purchase = self.market.approved("twice")
        with self.market.agent() as agent:
            agent.call("purchase.fill", purchase=purchase, page={"url": self.shop.checkout})
            self.assertEqual(agent.refusal("purchase.cancel", purchase=purchase), "purchase_used")
        page.close()
        again = self.open()
        self.assertEqual(self.refusal(purchase, {"url": self.shop.checkout}), "purchase_used")
        self.nothing_placed(again)
        self.home.restart()
        self.home.unlock()
        self.assertEqual(self.refusal(purchase, {"url": self.shop.checkout}), "purchase_used")
        self.nothing_placed(again)

    def test_many_at_once(self):
        """Eight callers, one approval: one fill."""
        self.open()
        purchase = self.market.approved("race")
        answers = []

        def fill():
            with self.market.agent() as agent:
                try:
                    answers.append(agent.call("purchase.fill", purchase=purchase,
                                              page={"url": self.shop.checkout})["status"])
                except RpcError as error:
                    answers.append(error.reason)

        threads = [threading.Thread(target=fill) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers.count("filled"), 1, answers)
        self.assertLessEqual(set(answers), {"filled", "busy", "purchase_used"})

    def test_another_agents_purchase(self):
        purchase = self.market.approved("mine")
        other = self.home.add_agent("other")
        self.market.home.set_policy("other", merchant=self.shop.origin, processors=[self.shop.processor.origin])
        self.open()
        with self.home.agent(other["key"]) as agent:
            for method, more in (("purchase.fill", {"page": {"url": self.shop.checkout}}), ("purchase.status", {}),
                                 ("purchase.cancel", {}), ("purchase.wait", {"timeout_ms": 1})):
                self.assertEqual(agent.refusal(method, purchase=purchase, **more), "not_found")
        self.home.cli("agent", "revoke", "other")

    def test_page_not_found(self):
        purchase = self.market.approved("no-page")
        for page in ({"url": self.shop.checkout + "?x=1"}, {"url": self.shop.origin + "/"},
                     {"target_id": "0123456789ABCDEF0123456789ABCDEF"}):
            with self.subTest(page=page):
                self.assertEqual(self.refusal(purchase, page), "page_not_found")
        # Nothing was used up.
        self.assertEqual(self.status(purchase), "approved")

    def test_wrong_origin(self):
        """A page elsewhere is refused, whatever is said about it."""
        purchase = self.market.approved("elsewhere")
        for url in (self.shop.url("evil", "/simple"), self.shop.url("shop.localhost.evil", "/simple"),
                    self.shop.url("evil", "/checkout?" + self.shop.checkout),
                    self.shop.origin.replace("shop.localhost", "127.0.0.1") + "/simple"):
            with self.subTest(url=url):
                page = self.open(url)
                for name in ({"url": url}, {"target_id": page.target_id}):
                    self.assertEqual(self.refusal(purchase, name), "origin_mismatch")
                self.nothing_placed(page)
        self.assertEqual(self.status(purchase), "approved")

    def test_processor_not_listed(self):
        self.market.set_policy(processors=[])
        self.addCleanup(self.market.set_policy)
        page = self.open()
        purchase = self.market.approved("unlisted")
        self.assertIn(self.refusal(purchase, {"url": self.shop.checkout}), ("origin_not_allowed", "fields_missing"))
        self.nothing_placed(page)

    def test_no_fields(self):
        self.shop.pages["/empty"] = "<!doctype html><title>x</title><p>Nothing to pay here.<input name='q'>"
        page = self.open(self.shop.origin + "/empty")
        purchase = self.market.approved("no-fields")
        with self.market.agent() as agent:
            with self.assertRaises(RpcError) as caught:
                agent.call("purchase.fill", purchase=purchase, page={"url": self.shop.origin + "/empty"})
        self.assertEqual(caught.exception.reason, "fields_missing")
        self.assertIn("number", [field["field"] for field in caught.exception.data["fields"]])
        self.nothing_placed(page)

    def test_a_page_that_keeps_nothing(self):
        """Never a success that is not one."""
        self.shop.pages["/deaf"] = ("<!doctype html><title>x</title><form>"
                                    "<input autocomplete='cc-number' oninput='this.value=\"\"'>"
                                    "<input autocomplete='cc-exp'><input autocomplete='cc-csc'></form>")
        page = self.open(self.shop.origin + "/deaf")
        purchase = self.market.approved("deaf")
        self.assertEqual(self.refusal(purchase, {"url": self.shop.origin + "/deaf"}), "field_rejected")
        self.nothing_placed(page)
        self.assertEqual(page.evaluate(EMPTY), '["","",""]')

    def test_other_merchant_amount_currency_record(self):
        for change, status in (({"merchant_origin": "https://other.example"}, "denied"),
                               ({"merchant_origin": self.shop.origin.replace("http:", "https:")}, "denied"),
                               ({"merchant_origin": self.shop.url("evil", "")}, "denied"),
                               ({"amount_minor": 10001}, "denied"), ({"currency": "EUR"}, "denied")):
            with self.subTest(change=change):
                self.assertEqual(self.market.request("other-%s" % change, **change)["status"], status)
        with self.market.agent() as agent:
            with self.assertRaises(RpcError):
                self.market.request("no-record", agent, record="rec_aaaaaaaaaaaaaaaaaaaaaaaaaa")

    def test_strength(self):
        self.market.set_policy(strength="wire")
        self.addCleanup(self.market.set_policy)
        answer = self.market.request("strong")
        self.assertEqual((answer["status"], answer["reason"]), ("denied", "strength_unavailable"))

    def test_a_stronger_policy_after_the_approval_wins(self):
        page = self.open()
        purchase = self.market.approved("raised")
        self.market.set_policy(strength="wire")
        self.addCleanup(self.market.set_policy)
        self.assertIn(self.refusal(purchase, {"url": self.shop.checkout}), ("strength_unavailable", "denied"))
        self.nothing_placed(page)

    def test_a_policy_taken_away_wins(self):
        page = self.open()
        purchase = self.market.approved("taken")
        self.home.cli("policy", "unset", "helper")
        self.addCleanup(self.market.set_policy)
        self.assertEqual(self.refusal(purchase, {"url": self.shop.checkout}), "denied")
        self.nothing_placed(page)

    def test_frozen(self):
        page = self.open()
        purchase = self.market.approved("frozen")
        self.home.cli("freeze")
        try:
            self.assertEqual(self.refusal(purchase, {"url": self.shop.checkout}), "frozen")
            self.home.restart()
            self.home.unlock()
            self.assertEqual(self.refusal(purchase, {"url": self.shop.checkout}), "frozen")
            with self.market.agent() as agent:
                self.assertTrue(agent.call("vault.status")["frozen"])
        finally:
            self.home.cli("unfreeze", passphrase=PASSPHRASE)
        self.nothing_placed(page)
        # An approval outlives freezing and a restart.
        with self.market.agent() as agent:
            self.assertEqual(agent.call("purchase.fill", purchase=purchase,
                                        page={"url": self.shop.checkout})["status"], "filled")

    def test_locked(self):
        page = self.open()
        purchase = self.market.approved("locked")
        self.home.cli("lock")
        try:
            self.assertEqual(self.refusal(purchase, {"url": self.shop.checkout}), "locked")
            with self.market.agent() as agent:
                self.assertEqual(agent.refusal("credentials.list"), "locked")
        finally:
            self.home.unlock()
        self.nothing_placed(page)

    def test_browser_gone(self):
        other = Chromium()
        self.addCleanup(self.market.set, "browser.endpoint", self.market.chromium.endpoint)
        self.addCleanup(other.stop)
        self.market.set("browser.endpoint", other.endpoint)
        purchase = self.market.approved("gone")
        other.stop()
        self.assertEqual(self.refusal(purchase, {"url": self.shop.checkout}), "browser_unreachable")
        self.assertEqual(self.status(purchase), "approved")

    def test_no_browser_enrolled(self):
        purchase = self.market.approved("unenrolled")
        self.market.set("browser.endpoint", "none")
        self.addCleanup(self.market.set, "browser.endpoint", self.market.chromium.endpoint)
        self.assertEqual(self.refusal(purchase, {"url": self.shop.checkout}), "browser_not_enrolled")

    def test_a_browser_that_logs(self):
        log = os.path.join(self.home.tmp, "net.json")
        other = Chromium(["--log-net-log=" + log])
        self.addCleanup(self.market.set, "browser.endpoint", self.market.chromium.endpoint)
        self.addCleanup(other.stop)
        self.market.set("browser.endpoint", other.endpoint)
        purchase = self.market.approved("logging")
        self.assertEqual(self.refusal(purchase, {"url": self.shop.checkout}), "browser_refused")

    def test_loopback_http_only_if_allowed(self):
        page = self.open()
        purchase = self.market.approved("http")
        self.market.set("allow_loopback_http", "false")
        self.addCleanup(self.market.set, "allow_loopback_http", "true")
        self.assertIn(self.refusal(purchase, {"url": self.shop.checkout}), ("denied", "origin_mismatch"))
        self.nothing_placed(page)

    def test_zz_revoked(self):
        """Last: the agent's key ends, and its live connection with it."""
        agent = self.market.agent()
        self.addCleanup(agent.close)
        agent.call("credentials.list")
        self.home.cli("agent", "revoke", "helper")
        with self.assertRaises((Closed, RpcError, OSError)):
            agent.call("credentials.list")
        with self.assertRaises(RpcError) as caught:
            self.market.agent()
        self.assertEqual(caught.exception.reason, "unauthenticated")


if __name__ == "__main__":
    unittest.main()
