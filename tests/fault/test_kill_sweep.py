"""kill -9 at every system call of every save of the vault, and of the real daemon at random moments: afterwards the old or
the new state is there, whole."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import CARD, PASSPHRASE, Home
from support.programs import BUILD
from support.rpc import Closed, RpcError, bundle

STEPPER = os.path.join(BUILD, "tests", "fault", "fault_stepper")
SAVER = os.path.join(BUILD, "tests", "fault", "fault_saver")
OLD = "vault old mode old first there second absent temporaries 0"


class Sweep(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="pv-", dir="/tmp")
        cls.old = os.path.join(cls.folder, "old")
        os.mkdir(cls.old, 0o700)
        subprocess.run([SAVER, "prepare", cls.old], check=True)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def fresh(self):
        home = os.path.join(self.folder, "home")
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self.old, home)
        return home

    def step(self, number, action, home):
        return subprocess.run([STEPPER, str(number), SAVER, action, home], stdout=subprocess.PIPE, check=True,
                              timeout=60).stdout.decode().strip()

    def check(self, home):
        return subprocess.run([SAVER, "check", home], stdout=subprocess.PIPE, check=True).stdout.decode().strip()

    def sweep(self, action):
        """Every state that a kill leaves, and how often."""
        home = self.fresh()
        ended = self.step(0, action, home).split()
        self.assertEqual(ended[:2], ["ended", "0"])
        stops, after = int(ended[2]), self.check(home)
        self.assertGreater(stops, 5)
        states = {}
        for number in range(1, stops + 1):
            home = self.fresh()
            where = self.step(number, action, home)
            if not where.startswith("killed"):
                continue  # a temporary's random name made this run a call shorter
            state = self.check(home)
            states.setdefault(state, []).append("%d (%s)" % (number, where))
        return after, states

    def old_or_new(self, action, new):
        after, states = self.sweep(action)
        self.assertEqual(after, new)
        self.assertEqual(set(states), {OLD, new}, states)

    def test_prepared(self):
        self.assertEqual(self.check(self.fresh()), OLD)

    def test_vault(self):
        self.old_or_new("vault", OLD.replace("vault old", "vault new"))

    def test_mode(self):
        self.old_or_new("mode", OLD.replace("mode old", "mode new"))

    def test_blob(self):
        self.old_or_new("blob", OLD.replace("second absent", "second there"))

    def test_remove(self):
        self.old_or_new("remove", OLD.replace("first there", "first absent"))

    def test_control_in_place(self):
        """The careless writer is caught."""
        _, states = self.sweep("unsafe")
        self.assertTrue([state for state in states if "vault broken" in state or "vault unreadable" in state], states)


class Daemon(unittest.TestCase):
    """The real daemon, killed forty times in the middle of whatever it does."""

    def work(self, home, stop, done):
        """Verbs one after the other until the daemon is gone; notes what was promised."""
        count = 0
        while not stop.is_set():
            try:
                owner = home.owner()
            except OSError:
                return
            with owner:
                try:
                    while not stop.is_set():
                        count += 1
                        what = random.choice(("add", "request", "deny", "list"))
                        if what == "add":
                            fd = bundle(CARD)
                            try:
                                view = owner.call("record.add", kind="card", label="card", fd=fd)
                                done["cards"].add(view["id"])
                            finally:
                                os.close(fd)
                        elif what == "list":
                            owner.call("record.list")
                        elif what == "request":
                            with home.agent(self.key) as agent:
                                answer = agent.call("purchase.request", record=self.card["id"], amount_minor=1,
                                                    currency="USD", merchant_origin="https://shop.example", reason="x",
                                                    idempotency_key=os.urandom(8).hex())
                                done["purchases"].append(answer["purchase"])
                        elif done["purchases"]:
                            purchase = done["purchases"].pop()
                            owner.call("purchase.deny", purchase=purchase)
                            done["denied"].add(purchase)
                except (Closed, OSError):
                    return
                except RpcError as error:
                    done["errors"].append(str(error))
                    return

    def test_forty_kills(self):
        random.seed(11)
        with Home() as home:
            home.start()
            home.make_vault()
            self.card = home.add_card()
            self.key = home.add_agent("helper")["key"]
            home.set_policy("helper", per_day="100000.00")
            done = {"cards": {self.card["id"]}, "purchases": [], "denied": set(), "errors": []}
            for turn in range(40):
                stop = threading.Event()
                worker = threading.Thread(target=self.work, args=(home, stop, done))
                worker.start()
                time.sleep(random.uniform(0.0, 0.08))
                home.kill()
                stop.set()
                worker.join()
                home.start()
                answer = home.run("unlock", passphrase=PASSPHRASE)
                self.assertEqual(answer.code, 0, "kill %d: %r" % (turn, answer))
            self.assertTrue(home.cli("audit", "verify").json["ok"])
            with home.owner() as owner:
                seen, cursor = set(), None
                while True:
                    page = owner.call("record.list", **({"cursor": cursor} if cursor else {}))
                    seen |= {record["id"] for record in page["records"]}
                    cursor = page["next"]
                    if not cursor:
                        break
            # Whatever was answered is there; what was cut off may be.
            self.assertLessEqual(done["cards"], seen)
            self.assertGreater(len(done["cards"]), 5)
            with home.agent(self.key) as agent:
                for purchase in done["denied"]:
                    self.assertEqual(agent.call("purchase.status", purchase=purchase)["status"], "denied")
            self.assertEqual([error for error in done["errors"] if not error.startswith("rate_limited")], [])
            # Nothing is left lying about.
            left = [name for folder, _, files in os.walk(home.path) for name in files if ".tmp" in name]
            self.assertEqual(left, [])


if __name__ == "__main__":
    unittest.main()
