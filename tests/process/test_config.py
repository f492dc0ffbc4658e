"""Settings that name a program and a folder: they are looked at when they are set."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.owner_key import OwnerKey


class Paths(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.home.start()
        cls.home.make_vault()
        cls.key = OwnerKey(PASSPHRASE)

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    def setUp(self):
        self.folder = os.path.join(self.home.base, self.id().split(".")[-1])
        os.mkdir(self.folder, 0o700)

    def set(self, key, value):
        return self.home.run("config", "set", key, value, passphrase=PASSPHRASE)

    def told(self, key, value):
        """What the daemon itself answers, whatever a client looked at."""
        with self.home.owner() as owner:
            proof = self.key.proof(owner, "config.set", {"key": key, "value": value})
            return owner.refusal("config.set", key=key, value=value, proof=proof)

    def program(self, name, mode=0o755):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n")
        os.chmod(path, mode)
        return path

    def test_a_program(self):
        path = self.program("chromium")
        self.assertIsNone(self.home.cli("config", "get", "browser.program").json["browser.program"])
        self.assertEqual(self.home.run("config", "set", "browser.program", path).reason, "proof_required")
        self.assertEqual(self.set("browser.program", path).json["browser.program"], path)
        # What a link leads to is what is enrolled.
        link = os.path.join(self.folder, "link")
        os.symlink("/usr/bin/env", link)
        self.assertEqual(self.set("browser.program", link).json["browser.program"], os.path.realpath("/usr/bin/env"))
        self.assertEqual(self.told("browser.program", link), "invalid_field")
        for wrong in ("chromium", "./chromium", self.folder, os.path.join(self.folder, "absent"), self.program("all", 0o757),
                      self.program("plain", 0o600)):
            with self.subTest(wrong=wrong):
                self.assertEqual(self.set("browser.program", wrong).reason, "invalid_field")
                self.assertEqual(self.told("browser.program", wrong), "invalid_field")
        for wrong in (True, 1, "", "/bin/../bin/true"):
            self.assertEqual(self.told("browser.program", wrong), "invalid_field")
        self.assertIsNone(self.set("browser.program", "none").json["browser.program"])

    def test_a_program_in_a_folder_of_others(self):
        path = self.program("chromium")
        os.chmod(self.folder, 0o777)
        answer = self.set("browser.program", path)
        self.assertEqual(answer.reason, "invalid_field")
        self.assertIn("writable by others", answer.err)
        self.assertEqual(self.told("browser.program", path), "invalid_field")

    def test_an_exchange_folder(self):
        path = os.path.join(self.folder, "exchange")
        os.mkdir(path, 0o700)
        self.assertEqual(self.home.run("config", "set", "browser.exchange", path).reason, "proof_required")
        self.assertEqual(self.set("browser.exchange", path).json["browser.exchange"], path)
        self.assertEqual(self.set("browser.exchange", "none").json["browser.exchange"], None)
        for wrong in ("exchange", os.path.join(self.folder, "absent"), self.program("file"), "/tmp"):
            with self.subTest(wrong=wrong):
                self.assertEqual(self.set("browser.exchange", wrong).reason, "invalid_field")
                self.assertEqual(self.told("browser.exchange", wrong), "invalid_field")
        self.assertEqual(self.told("browser.exchange", path + "/../exchange"), "invalid_field")
        os.chmod(path, 0o722)
        self.assertEqual(self.set("browser.exchange", path).reason, "invalid_field")

    def test_the_vault_is_neither_in_it_nor_above_it(self):
        inside = self.home.file("exchange")
        os.mkdir(inside, 0o700)
        for wrong in (self.home.path, inside, self.home.base):
            with self.subTest(wrong=wrong):
                answer = self.set("browser.exchange", wrong)
                self.assertEqual(answer.reason, "invalid_field")
                self.assertIn("vault", answer.err)


if __name__ == "__main__":
    unittest.main()
