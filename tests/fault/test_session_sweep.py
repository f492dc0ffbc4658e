"""kill -9 at every system call of the daemon's own changes of a home: state.db, blobs and vault.enc together. Afterwards
the home opens and holds the old or the new state."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.programs import BUILD

STEPPER = os.path.join(BUILD, "tests", "fault", "fault_stepper")
SESSION = os.path.join(BUILD, "tests", "fault", "fault_session")
ONE, TWO, FROZEN = ("records %d frozen %d journal ok" % state for state in ((1, 0), (2, 0), (1, 1)))


class Sweep(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="pv-", dir="/tmp")
        cls.old = os.path.join(cls.folder, "old")
        os.mkdir(cls.old, 0o700)
        subprocess.run([SESSION, "prepare", cls.old], check=True)
        cls.kills = 0

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)
        print("killed at %d system calls" % cls.kills, file=sys.stderr)

    def fresh(self, empty):
        home = os.path.join(self.folder, "home")
        shutil.rmtree(home, ignore_errors=True)
        if empty:
            os.mkdir(home, 0o700)
        else:
            shutil.copytree(self.old, home)
        return home

    def step(self, number, action, home):
        return subprocess.run([STEPPER, str(number), SESSION, action, home], stdout=subprocess.PIPE, check=True,
                              timeout=60).stdout.decode().strip()

    def check(self, home):
        return subprocess.run([SESSION, "check", home], stdout=subprocess.PIPE).stdout.decode().strip()

    def sweep(self, action, old, new, empty=False):
        home = self.fresh(empty)
        ended = self.step(0, action, home).split()
        self.assertEqual(ended[:2], ["ended", "0"], ended)
        self.assertEqual(self.check(home), new)
        states = {}
        stops = int(ended[2])
        self.assertGreater(stops, 20)
        for number in range(1, stops + 1):
            home = self.fresh(empty)
            where = self.step(number, action, home)
            if where.startswith("killed"):
                type(self).kills += 1
                states.setdefault(self.check(home), []).append("%d (%s)" % (number, where))
        self.assertEqual(set(states), {old, new}, {state: where[:3] for state, where in states.items()})

    def test_init(self):
        self.sweep("init", "uninitialised", "records 0 frozen 0 journal ok", empty=True)

    def test_unlock(self):
        self.sweep("unlock", ONE, ONE)

    def test_add(self):
        self.sweep("add", ONE, TWO)

    def test_freeze(self):
        self.sweep("freeze", ONE, FROZEN)

    def test_narrow(self):
        self.sweep("narrow", ONE, FROZEN)

    def test_lock(self):
        self.sweep("lock", ONE, ONE)

    def test_control(self):
        """A home that is neither is told from one that is."""
        home = self.fresh(False)
        with open(os.path.join(home, "vault.enc"), "r+b") as file:
            file.truncate(40)
        self.assertNotIn(self.check(home), (ONE, TWO, FROZEN, "uninitialised"))


if __name__ == "__main__":
    unittest.main()
