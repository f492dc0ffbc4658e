"""The list of verbs that the sweeps walk through is whole: each method of the daemon is there, or changes nothing."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from prepared import methods_of
from verbs import READ_ONLY, VERBS


class Verbs(unittest.TestCase):
    def missing(self, door, table):
        return methods_of(table) - READ_ONLY[door] - {verb.method for verb in VERBS if verb.door == door}

    def test_every_method_is_listed(self):
        for door, table in (("owner", "kOwnerMethods"), ("agent", "kAgentMethods")):
            self.assertGreater(len(methods_of(table)), 8)
            self.assertEqual(self.missing(door, table), set(), "enter it in tests/fault/verbs.py")

    def test_nothing_is_listed_that_is_not_there(self):
        known = {"owner": methods_of("kOwnerMethods"), "agent": methods_of("kAgentMethods")}
        for door, names in READ_ONLY.items():
            self.assertEqual(names - known[door], set())
        self.assertEqual({verb.name for verb in VERBS if verb.method not in known[verb.door]}, set())

    def test_no_method_is_both(self):
        for verb in VERBS:
            self.assertNotIn(verb.method, READ_ONLY[verb.door])

    def test_names_are_unique(self):
        names = [verb.name for verb in VERBS]
        self.assertEqual(len(names), len(set(names)))

    def test_control(self):
        """A method that nobody entered is missed."""
        self.assertEqual(self.missing("agent", "kOwnerMethods") & {"record.add", "vault.init"}, {"record.add", "vault.init"})


if __name__ == "__main__":
    unittest.main()
