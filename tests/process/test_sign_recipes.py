"""tools/sign-recipes: the shipped signatures fit, what was changed is found, and a new key signs anew."""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.programs import SOURCE


def run(folder, *options):
    return subprocess.run([os.path.join(SOURCE, "tools", "sign-recipes"), "--folder", folder, *options], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)


def flip(path):
    with open(path, "r+b") as file:
        first = file.read(1)[0]
        file.seek(0)
        file.write(bytes([first ^ 1]))


class SignRecipes(unittest.TestCase):
    def setUp(self):
        self.folder = os.path.join(tempfile.mkdtemp(), "recipes")
        self.addCleanup(shutil.rmtree, os.path.dirname(self.folder))
        shutil.copytree(os.path.join(SOURCE, "recipes"), self.folder)

    def test_shipped(self):
        self.assertEqual(run(os.path.join(SOURCE, "recipes"), "--check").returncode, 0)

    def test_control(self):
        stripe = os.path.join(self.folder, "stripe.json")
        for change in (lambda: flip(stripe), lambda: flip(stripe + ".sig"), lambda: os.remove(stripe + ".sig"),
                       lambda: os.remove(stripe), lambda: flip(os.path.join(self.folder, "signer.pub")),
                       lambda: shutil.copy(stripe, os.path.join(self.folder, "other.json"))):
            shutil.rmtree(self.folder)
            shutil.copytree(os.path.join(SOURCE, "recipes"), self.folder)
            change()
            self.assertEqual(run(self.folder, "--check").returncode, 1)

    def test_new_key(self):
        with open(os.path.join(self.folder, "signer.pub"), encoding="ascii") as file:
            before = file.read()
        os.remove(os.path.join(self.folder, "adyen.json"))
        self.assertEqual(run(self.folder).returncode, 0)
        self.assertEqual(run(self.folder, "--check").returncode, 0)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "adyen.json.sig")))
        with open(os.path.join(self.folder, "signer.pub"), encoding="ascii") as file:
            self.assertNotEqual(file.read(), before)
        for path in glob.glob(os.path.join(self.folder, "*")):
            with open(path, "rb") as file:
                self.assertNotIn(b"PRIVATE", file.read())


if __name__ == "__main__":
    unittest.main()
