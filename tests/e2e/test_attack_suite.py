"""Every attack of tests/e2e/attacks at every strength against a real Chromium, and every honest page.

At `dom` each attack with a control must get the number: that proves that it works. At `wire` and `sealed` none may. A refusal counts as
a pass, and is counted apart. POPVAULT_ATTACKS=name,name runs those alone; POPVAULT_STRENGTHS=wire one strength.
"""

import os
import sys
import time
import unittest
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import attacks
from support import scan
from support.checkout import checkout_for
from support.market import digits

ONLY = [name for name in os.environ.get("POPVAULT_ATTACKS", "").split(",") if name]
STRENGTHS = os.environ.get("POPVAULT_STRENGTHS", "dom,wire,sealed").split(",")


class Suite:
    strength = None

    @classmethod
    def setUpClass(cls):
        if cls.strength not in STRENGTHS:
            raise unittest.SkipTest("POPVAULT_STRENGTHS")
        cls.checkout = checkout_for(cls.strength)
        cls.results = []

    @classmethod
    def tearDownClass(cls):
        count = Counter(result.outcome for result in cls.results)
        print("\n%s: %s" % (cls.strength, ", ".join("%s %d" % item for item in sorted(count.items()))), file=sys.stderr)
        if os.environ.get("POPVAULT_ATTACKS_LIST"):
            for result in cls.results:
                print("%-8s %-34s %-16s %s" % (result.outcome, result.name, result.site, result.detail), file=sys.stderr)
        cls.checkout.close()

    def attacks(self):
        return [one for one in attacks.load() if self.strength in one.strengths and (not ONLY or one.name in ONLY)]

    def run_one(self, one):
        result = attacks.run(self.checkout, one)
        self.results.append(result)
        return result


    # Pages that cannot be filled here, and what is said instead.
    refused = {}

    def test_honest_pages(self):
        """Every page is filled, and the real number arrives at its processor exactly once."""
        if ONLY:
            self.skipTest("POPVAULT_ATTACKS")
        for site in self.checkout.sites.all():
            with self.subTest(page=site.name):
                page, answer = self.place(site)
                try:
                    if site.name in self.refused:
                        self.assertIn(answer.get("refused") or answer["status"], self.refused[site.name])
                        continue
                    self.assertNotIn("refused", answer, self.checkout.home.log_text()[-2000:])
                    self.assertIsNotNone(self.checkout.arrived(page))
                    time.sleep(0.1)
                    came = [self.checkout.sites.card(request) for request in self.checkout.sites.arrivals(site, page.since)]
                    self.assertEqual([[digits(v) for v in one.values()].count(self.checkout.fields["number"]) for one in came], [1])
                finally:
                    self.checkout.shut(page)

    def place(self, site):
        page = self.checkout.open(site)
        answer = self.checkout.fill(page)
        if "refused" not in answer:
            self.checkout.press_pay(page)
        return page, answer


class Dom(Suite, unittest.TestCase):
    """The negative control: here the number is in the page, and an agent that reads the page has it."""

    strength = "dom"

    def test_every_attack_can_get_it(self):
        for one in self.attacks():
            if one.control:
                with self.subTest(attack=one.name, site=one.site):
                    # Some race with the page: that it works at all is what counts here.
                    for _ in range(3):
                        result = self.run_one(one)
                        if result.outcome == "got":
                            break
                    self.assertEqual(result.outcome, "got", result.detail)


class Guarded(Suite):
    # What this strength does not promise, told in docs/TESTING.md.
    allowed = {}

    def test_attacks(self):
        """The number is obtained 0 times."""
        for one in self.attacks():
            with self.subTest(attack=one.name, site=one.site):
                result = self.run_one(one)
                allowed = ("held", "refused", *self.allowed.get(one.name, ()))
                self.assertIn(result.outcome, allowed, result.detail)

    def test_zz_profile(self):
        """Last: no file of the browser's profile has it, in UTF-8 or UTF-16, plain or in groups."""
        found = scan.scan_tree(self.checkout.profile(), self.checkout.needles())
        self.assertEqual(list(found), [])
        self.assertGreater(found.bytes, 0)


class Wire(Guarded, unittest.TestCase):
    strength = "wire"
    # Encrypted in the page, or posted to the shop itself: there is no request to put the number into.
    refused = {"sealed_fields": ("armed",), "sealed_form": ("armed",), "plain_post": ("armed",)}


class Sealed(Guarded, unittest.TestCase):
    strength = "sealed"
    # The processor's own frame posts the real number: how often, and for which account, is not looked at.
    allowed = {"paid_twice": ("misdirected",), "account_of_the_frame_replaced": ("misdirected",)}
    # The agent's script could be in the shop's document, which holds a part of the card; a dialog without a button in its form.
    refused = {"methods_frame": ("page_tainted",), "modal_frame": ("filled",)}

    def place(self, site):
        """Pages that hold the fields themselves are opened and paid by popvault: what an agent has opened is not clean."""
        if site.where in ("page", "top"):
            return self.checkout.fill_unopened(site)
        return super().place(site)


if __name__ == "__main__":
    unittest.main()
