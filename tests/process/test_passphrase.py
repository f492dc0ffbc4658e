"""`popvault passphrase`: another one, the first one of a machine vault, none any more."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import scan
from support.home import PASSPHRASE
from support.programs import program
from support.recovery_case import NEW, Case, run
from support.terminal import Terminal


class Passphrase(Case):
    def setUp(self):
        super().setUp()
        self.home.make_vault()
        self.card = self.home.add_card()

    def change(self, old=PASSPHRASE, new=NEW):
        return run(self.home, "passphrase", secrets={"--passphrase-fd": old, "--new-passphrase-fd": new})

    def remove(self, *consents, old=PASSPHRASE):
        return run(self.home, "passphrase", "--remove", *consents, secrets={"--passphrase-fd": old})

    def only(self, passphrase, *others):
        """This one opens the vault and has everything; the others do not."""
        self.home.cli("lock")
        for other in others:
            self.refused(self.home.run("unlock", passphrase=other), "wrong_key")
        self.home.cli("unlock", passphrase=passphrase)
        self.number_of(self.card)

    def test_another_one(self):
        answer = self.change()
        self.assertEqual(answer.json, {"mode": "passphrase"})
        self.only(NEW, PASSPHRASE)
        # Proofs are the new one's from now on.
        self.refused(self.home.run("agent", "add", "old", passphrase=PASSPHRASE), "proof_invalid")
        self.home.cli("agent", "add", "new", passphrase=NEW)
        self.home.restart()
        self.home.cli("unlock", passphrase=NEW)
        self.number_of(self.card)
        self.assertIn("key_changed", self.journal())
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])

    def test_what_is_refused_changes_nothing(self):
        self.refused(self.change(old="not the passphrase"), "proof_invalid")
        self.refused(self.change(new="seven.."), "invalid_field")
        self.refused(self.change(new=PASSPHRASE), "invalid_field")
        self.refused(run(self.home, "passphrase", secrets={"--passphrase-fd": PASSPHRASE}), "usage", 2)
        self.home.cli("lock")
        self.refused(self.change(), "locked", 3)
        self.home.cli("unlock", passphrase=PASSPHRASE)
        self.only(PASSPHRASE, NEW)
        self.assertNotIn("key_changed", self.journal())

    def test_none_any_more_needs_two_consents(self):
        answer = self.remove()
        self.refused(answer, "usage", 2)
        self.assertIn("--accept-machine-key", answer.error["message"])
        answer = self.remove("--accept-machine-key")
        self.refused(answer, "consent_required", 2)
        self.assertIn("--accept-public-salt", answer.error["remediation"])
        self.refused(self.remove("--accept-machine-key", "--accept-public-salt", old="not the passphrase"), "proof_invalid")
        self.only(PASSPHRASE)
        self.assertNotIn("key_changed", self.journal())

    def test_none_and_one_again(self):
        answer = self.remove("--accept-machine-key", "--accept-public-salt")
        self.assertEqual(answer.json, {"mode": "machine-oss"}, repr(answer))
        with open(self.home.file(".vault_mode"), encoding="ascii") as file:
            self.assertEqual(file.read().strip(), "machine-oss")
        self.home.restart()
        self.home.cli("unlock")
        self.number_of(self.card)
        self.refused(run(self.home, "passphrase", "--remove", "--accept-machine-key", "--accept-public-salt"), "usage", 2)
        # There is no passphrase to give.
        self.refused(self.change(), "usage", 2)
        answer = run(self.home, "passphrase", secrets={"--new-passphrase-fd": NEW})
        self.assertEqual(answer.json, {"mode": "passphrase"}, repr(answer))
        self.only(NEW, PASSPHRASE)
        self.assertEqual(self.journal().count("key_changed"), 2)

    def test_on_a_terminal(self):
        with Terminal([program("popvault"), "passphrase"], self.home.env()) as terminal:
            for prompt, keys in (("Passphrase to change it", PASSPHRASE), ("New passphrase for the vault", NEW),
                                 ("The same again", NEW)):
                terminal.wait_for(prompt)
                terminal.press(keys + "\n")
            self.assertEqual(terminal.finish(), 0, terminal.screen.text())
            for secret in (PASSPHRASE, NEW):
                self.assertNotIn(secret.encode(), terminal.screen.raw)
        self.only(NEW, PASSPHRASE)

    def test_two_that_are_not_the_same(self):
        with Terminal([program("popvault"), "passphrase"], self.home.env()) as terminal:
            for prompt, keys in (("Passphrase to change it", PASSPHRASE), ("New passphrase for the vault", NEW),
                                 ("The same again", NEW + "!")):
                terminal.wait_for(prompt)
                terminal.press(keys + "\n")
            self.assertEqual(terminal.finish(), 1)
        self.only(PASSPHRASE, NEW)

    def test_it_is_nowhere(self):
        self.assertEqual(self.change().code, 0)
        needles = scan.spellings("passphrase", PASSPHRASE)
        needles.update(scan.spellings("new passphrase", NEW))
        found = scan.scan_tree(self.home.base, needles)
        self.assertEqual(found, [])
        self.assertGreater(found.bytes, 0)
        self.assertEqual(scan.scan_process(self.home.pid, needles), [])


if __name__ == "__main__":
    unittest.main()
