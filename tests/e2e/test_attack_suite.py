"""Every attack of tests/e2e/attacks at every strength against a real Chromium, and every honest page.

At `dom` each attack with a control must get the number: that proves that it works. At `wire` and `sealed` none may. A refusal counts as
a pass, and is counted apart. POPVAULT_ATTACKS=name,name runs those alone; POPVAULT_STRENGTHS=wire one strength.
"""

import os
import sys
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


class Dom(Suite, unittest.TestCase):
    """The negative control: here the number is in the page, and an agent that reads the page has it."""

    strength = "dom"

    def test_every_attack_can_get_it(self):
        for one in self.attacks():
            if one.control:
                with self.subTest(attack=one.name, site=one.site):
                    result = self.run_one(one)
                    self.assertEqual(result.outcome, "got", result.detail)


class Guarded(Suite):
    def test_attacks(self):
        """The number is obtained 0 times."""
        for one in self.attacks():
            with self.subTest(attack=one.name, site=one.site):
                result = self.run_one(one)
                self.assertIn(result.outcome, ("held", "refused"), result.detail)

    def test_zz_profile(self):
        """Last: no file of the browser's profile has it, in UTF-8 or UTF-16, plain or in groups."""
        found = scan.scan_tree(self.checkout.profile(), self.checkout.needles())
        self.assertEqual(list(found), [])
        self.assertGreater(found.bytes, 0)


class Wire(Guarded, unittest.TestCase):
    strength = "wire"


class Sealed(Guarded, unittest.TestCase):
    strength = "sealed"


if __name__ == "__main__":
    unittest.main()
