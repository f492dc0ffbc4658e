"""A purchase between the aliases in the page and the page's own request, in the guarded browser: nothing secret has moved, so
whatever happens leaves the card unused. And what the guard holds of a card at any time: nothing."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import scan
from support.checkout import checkout_for
from support.home import PASSPHRASE, Home, wait_until
from support.processes import guards, injectors
from support.rpc import RpcError


class Armed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.checkout = checkout_for("wire")
        cls.home = cls.checkout.home

    @classmethod
    def tearDownClass(cls):
        cls.checkout.close()

    def arm(self, name="elements_three"):
        page = self.checkout.open(self.checkout.sites.site(name))
        self.addCleanup(self.checkout.shut, page)
        answer = self.checkout.fill(page)
        self.assertEqual((answer.get("status"), answer.get("strength"), answer.get("browser")), ("armed", "wire", "guarded"), answer)
        return page

    def status(self, page):
        with self.checkout.agent() as agent:
            return agent.call("purchase.status", purchase=page.purchase)["status"]

    def no_injector(self):
        wait_until(lambda: not injectors(self.home.pid), "the end of the injector", 60)

    def press_for_nothing(self, page):
        """The page's request after that carries the alias at most."""
        self.checkout.press_pay(page)
        arrived = self.checkout.arrived(page, 3.0)
        if arrived is not None:
            found = [n for n in self.checkout.needles().values() if n in arrived.body]
            self.assertEqual(found, [])

    def test_the_honest_way(self):
        page = self.arm()
        self.assertEqual(self.status(page), "armed")
        self.checkout.press_pay(page)
        arrived = self.checkout.arrived(page)
        self.assertIsNotNone(arrived)
        self.assertIn(self.checkout.fields["number"].encode(), arrived.body.replace(b"+", b"").replace(b"%20", b""))
        wait_until(lambda: self.status(page) == "filled", "the outcome", 30)
        self.no_injector()

    def test_the_agent_cancels(self):
        page = self.arm()
        with self.checkout.agent() as agent:
            self.assertEqual(agent.call("purchase.cancel", purchase=page.purchase)["status"], "canceled")
        self.no_injector()
        self.press_for_nothing(page)
        self.assertEqual(self.status(page), "canceled")

    def test_the_owner_denies(self):
        page = self.arm()
        self.home.cli("deny", page.purchase)
        self.no_injector()
        self.press_for_nothing(page)
        self.assertEqual(self.status(page), "denied")

    def test_the_policy_ends_it(self):
        """A policy that is narrowed while a page is armed counts when the request comes."""
        page = self.arm()
        agent = "agent%d" % (self.checkout._count % len(self.checkout.keys))
        self.home.cli("policy", "kill", agent)
        try:
            self.press_for_nothing(page)
            self.no_injector()
        finally:
            self.home.cli("policy", "set", agent, "--no-kill", passphrase=PASSPHRASE)
        self.assertEqual(self.status(page), "approved")

    def test_locked(self):
        page = self.arm()
        self.home.cli("lock")
        self.no_injector()
        self.press_for_nothing(page)
        self.home.unlock()
        self.assertEqual(self.status(page), "approved")

    def test_the_page_is_left(self):
        page = self.arm()
        page.session.call("Page.navigate", url=page.site.url)
        self.no_injector()
        wait_until(lambda: self.status(page) == "approved", "the purchase to be free again", 30)
        with self.checkout.agent() as agent:
            self.assertEqual(agent.call("purchase.status", purchase=page.purchase)["reason"], "no_request")
            agent.call("purchase.cancel", purchase=page.purchase)

    def test_frozen(self):
        page = self.arm()
        self.home.cli("freeze")
        self.no_injector()
        self.press_for_nothing(page)
        self.home.cli("unfreeze", passphrase=PASSPHRASE)
        self.assertEqual(self.status(page), "approved")

    def test_the_guard_never_holds_the_card(self):
        page = self.arm()
        self.checkout.press_pay(page)
        self.assertIsNotNone(self.checkout.arrived(page))
        wait_until(lambda: self.status(page) == "filled", "the outcome", 30)
        running = guards(self.home.pid)
        self.assertEqual(len(running), 1)
        self.assertEqual(scan.scan_process(running[0], self.checkout.needles()), [])
        # The scan sees what is there: the guard carried the page's address.
        self.assertNotEqual(scan.scan_process(running[0], {"url": page.site.url.encode()}), [])


class Browser(unittest.TestCase):
    def test_stopped_and_started_again(self):
        """At once, with the same profile."""
        with Home() as home:
            home.start()
            home.make_vault()
            for _ in range(3):
                self.assertEqual(home.cli("browser", "--headless", timeout=120).json["kind"], "guarded")
                self.assertEqual(home.run("browser", "--headless").reason, "browser_running")
                self.assertEqual(home.cli("browser", "--stop").json, {"stopped": True})
            self.assertEqual(home.cli("browser", "--stop").json, {"stopped": False})


class Cut(unittest.TestCase):
    """The daemon or the browser is gone while a page is armed."""

    def setUp(self):
        self.checkout = checkout_for("wire")
        self.addCleanup(self.checkout.close)
        self.home = self.checkout.home
        self.page = self.checkout.open(self.checkout.sites.site("js_token"))
        self.assertEqual(self.checkout.fill(self.page)["status"], "armed")

    def status(self):
        with self.checkout.agent() as agent:
            return agent.call("purchase.status", purchase=self.page.purchase)["status"]

    def test_the_daemon_is_killed(self):
        self.home.kill()
        self.home.start()
        self.home.unlock()
        self.assertEqual(self.status(), "approved")
        with self.checkout.agent() as agent:
            # The guard ended with its daemon: what was approved for wire is not filled any weaker.
            self.assertEqual(agent.refusal("purchase.fill", purchase=self.page.purchase, page={"url": self.page.site.url}),
                             "strength_unavailable")
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])

    def test_the_browser_is_stopped(self):
        self.home.cli("browser", "--stop")
        wait_until(lambda: self.status() == "approved", "the purchase to be free again", 30)
        with self.assertRaises(RpcError) as refused, self.checkout.agent() as agent:
            agent.call("purchase.fill", purchase=self.page.purchase, page={"url": self.page.site.url})
        self.assertEqual(refused.exception.reason, "strength_unavailable")


if __name__ == "__main__":
    unittest.main()
