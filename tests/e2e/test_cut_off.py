"""What is cut off or stopped in the middle of a fill: the outcome is named honestly, money stays held until the owner says,
and nothing is done twice."""

import os
import signal
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.cdp import CdpError
from support.home import PASSPHRASE, wait_until
from support.market import Market
from support.processes import alive, injectors
from support.rpc import Closed, RpcError

# Each field tells that it was typed into and then holds the page, so that there is time to step in.
SLOW = """<!doctype html><title>slow</title><form>
<input id="n" autocomplete="cc-number"><input id="e" autocomplete="cc-exp" placeholder="MM/YY">
<input id="c" autocomplete="cc-csc"></form><script>
for (const i of document.querySelectorAll("input")) i.addEventListener("input", () => {
  navigator.sendBeacon("/beacon/" + i.id );
  const end = performance.now() + 1200; while (performance.now() < end) {} });</script>"""


class CutOff(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.market = Market()
        cls.home = cls.market.home
        cls.market.shop.pages["/slow"] = SLOW
        cls.count = 0

    @classmethod
    def tearDownClass(cls):
        cls.market.close()

    def begin(self):
        """A fill that is in the middle of its typing: (purchase, page, thread, answers)."""
        type(self).count += 1
        self.url = "%s/slow?%d" % (self.market.shop.origin, self.count)  # the last tab may take a while to close
        page = self.market.open(self.url)
        self.addCleanup(self.close, page)
        self.market.shop.beacons.clear()
        purchase = self.market.approved("cut-%d" % self.count)
        agent = self.market.agent()
        self.addCleanup(agent.close)
        answers = []

        def fill():
            try:
                answers.append(agent.call("purchase.fill", purchase=purchase, page={"url": self.url})["status"])
            except RpcError as error:
                answers.append(error.reason)
            except (Closed, OSError):
                answers.append("closed")

        thread = threading.Thread(target=fill)
        thread.start()
        self.addCleanup(thread.join)
        wait_until(lambda: answers or "/beacon/n" in self.market.shop.beacons, "the first key", 60)
        self.assertEqual(answers, [])
        return purchase, page, thread, answers

    def close(self, page):
        try:
            page.close()
        except CdpError:
            pass  # it is closed already

    def status(self, purchase):
        with self.market.agent() as agent:
            return agent.call("purchase.status", purchase=purchase)["status"]

    def refusal(self, purchase):
        with self.market.agent() as agent:
            return agent.refusal("purchase.fill", purchase=purchase, page={"url": self.url})

    def test_a_policy_narrowed_while_the_injector_still_looks(self):
        """It has no value yet: it is stopped, and the purchase may be used again once the policy allows it."""
        url = self.market.shop.origin + "/nothing-to-fill"
        self.market.shop.pages["/nothing-to-fill"] = "<!doctype html><title>nothing</title>"
        page = self.market.open(url)
        self.addCleanup(self.close, page)
        self.addCleanup(self.market.set_policy)
        with self.home.owner() as owner, self.market.agent() as agent:
            policy = owner.call("policy.show", agent="helper")
            for attempt in range(5):  # it looks for a moment only
                purchase = self.market.approved("narrowed-%d" % attempt)
                number = agent.start("purchase.fill", {"purchase": purchase, "page": {"url": url}})
                wait_until(lambda: injectors(self.home.pid), "an injector", 60)
                owner.call("policy.narrow", **{**policy, "killed": True})
                answer = agent.reply()
                self.assertEqual(answer["id"], number)
                if answer["error"]["data"]["reason"] != "fields_missing":
                    break
                self.home.cli("policy", "set", "helper", "--no-kill", passphrase=PASSPHRASE)
            self.assertEqual(answer["error"]["data"]["reason"], "canceled")
            wait_until(lambda: not injectors(self.home.pid), "the end of the injector")
            self.assertEqual(self.status(purchase), "approved")
            self.assertEqual(agent.refusal("purchase.fill", purchase=purchase, page={"url": url}), "denied")

    def test_daemon_killed(self):
        purchase, page, thread, answers = self.begin()
        children = injectors(self.home.pid)
        self.assertEqual(len(children), 1)
        self.home.kill()
        thread.join()
        self.assertEqual(answers, ["closed"])
        wait_until(lambda: not alive(children[0]), "the end of the injector")
        self.home.start()
        self.home.unlock()
        self.assertEqual(self.status(purchase), "outcome_unknown")
        self.assertEqual(self.refusal(purchase), "outcome_unknown")
        with self.market.agent() as agent:
            self.assertEqual(agent.refusal("purchase.cancel", purchase=purchase), "outcome_unknown")
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])
        # Only the owner ends it, and needs a proof for it.
        with self.home.owner() as owner:
            self.assertEqual(owner.refusal("purchase.release", purchase=purchase), "proof_required")
        self.assertEqual(self.home.cli("purchases", "settle", purchase, passphrase=PASSPHRASE).json["status"], "settled")
        self.assertEqual(self.status(purchase), "settled")

    def test_injector_killed(self):
        purchase, page, thread, answers = self.begin()
        (injector,) = injectors(self.home.pid)
        os.kill(injector, signal.SIGKILL)
        thread.join()
        self.assertIn(answers[0], ("injector_failed", "outcome_unknown"))
        self.assertEqual(self.status(purchase), "outcome_unknown")
        self.assertEqual(self.refusal(purchase), "outcome_unknown")
        self.assertEqual(self.home.cli("purchases", "release", purchase, passphrase=PASSPHRASE).json["status"],
                         "released")

    def test_the_money_of_an_unknown_outcome_stays_held(self):
        purchase, page, thread, answers = self.begin()
        (injector,) = injectors(self.home.pid)
        os.kill(injector, signal.SIGKILL)
        thread.join()
        self.assertEqual(self.status(purchase), "outcome_unknown")
        self.market.set_policy(per_use="25.00", per_day="25.00")  # exactly what this purchase holds
        self.addCleanup(self.market.set_policy)
        self.assertEqual(self.market.request("held", amount_minor=1)["reason"], "limit_exceeded")

    def stopped(self, action):
        """An owner's word in the middle: the fill does not go on to its end."""
        purchase, page, thread, answers = self.begin()
        action(purchase)
        thread.join()
        self.assertNotEqual(answers, ["filled"])
        wait_until(lambda: not injectors(self.home.pid), "the end of the injector")
        values = page.evaluate("[n, e, c].map(i => i.value.length).join()")
        self.assertNotEqual(values.split(",")[2], "3", "the last field was filled after the stop: " + values)
        return purchase, answers[0]

    def test_frozen_in_the_middle(self):
        purchase, reason = self.stopped(lambda _: self.home.cli("freeze"))
        self.home.cli("unfreeze", passphrase=PASSPHRASE)
        self.assertNotEqual(self.status(purchase), "filled")

    def test_locked_in_the_middle(self):
        purchase, reason = self.stopped(lambda _: self.home.cli("lock"))
        self.home.unlock()
        self.assertNotEqual(self.status(purchase), "filled")

    def test_denied_in_the_middle(self):
        purchase, reason = self.stopped(lambda purchase: self.home.run("deny", purchase))
        self.assertNotEqual(self.status(purchase), "filled")

    def test_page_navigates_in_the_middle(self):
        purchase, page, thread, answers = self.begin()
        try:
            page.evaluate("location.href = '/empty?' + Math.random()")
        except Exception:
            pass  # the document that answered is gone
        thread.join()
        self.assertIn(answers[0], ("navigated", "outcome_unknown"))
        self.assertIn(self.status(purchase), ("outcome_unknown", "approved"))

    def test_tab_closed_in_the_middle(self):
        purchase, page, thread, answers = self.begin()
        page.close()
        thread.join()
        self.assertIn(answers[0], ("navigated", "page_not_found", "browser_unreachable", "outcome_unknown", "timeout"))
        self.assertNotEqual(self.status(purchase), "filled")

    def test_zz_agent_revoked_in_the_middle(self):
        purchase, reason = self.stopped(lambda _: self.home.cli("agent", "revoke", "helper"))
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])


if __name__ == "__main__":
    unittest.main()
