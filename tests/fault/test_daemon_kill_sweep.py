"""kill -9 of the real daemon at the system calls of every verb (verbs.py), sent over its real socket; each time a fresh
daemon must find the old state or the new one, whole, and the new one when the answer had been given.

    POPVAULT_SWEEP=full   every entry and exit of every system call (an hour); else a share of each verb's
    POPVAULT_SWEEP_SEED   which share; printed
    POPVAULT_SWEEP_ONLY   the verbs whose name contains this
"""

import concurrent.futures
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from prepared import Kitchen
from support.processes import die_with_parent
from support.programs import BUILD
from support.rpc import Client, Closed, connect
from swept_home import ready_to_send
from verbs import VERBS, Verb, asked

TRACER = os.path.join(BUILD, "tests", "fault", "fault_tracer")
UNSAFE = os.path.join(BUILD, "tests", "fault", "fault_unsafe")
FULL = os.environ.get("POPVAULT_SWEEP") == "full"
SEED = int(os.environ.get("POPVAULT_SWEEP_SEED", "1"))
ONLY = os.environ.get("POPVAULT_SWEEP_ONLY", "")
EDGE = 20      # the first and the last stops are always there
SHARE = 44     # of each verb, when it is not a full sweep
AFTER = 0.05   # seconds that a daemon has for what it does behind its answer
STEPS = 1.5    # the same for a verb that goes on in the background
WORKERS = 2


class CannotAttach(AssertionError):
    """Seen once in some thousand times, on a busy machine: nothing was asked yet."""


class Killed:
    """One daemon, stopped by the tracer, that gets a request and goes on until its n-th system call."""

    def __init__(self, pid, number):
        self.tracer = subprocess.Popen([TRACER, str(pid), str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.tracer.stdout.readline() != b"ready\n":
            self.tracer.communicate()
            raise CannotAttach("the tracer could not attach")

    def go(self, wait_for_answer, after=AFTER):
        """(where it was killed, the answer that came before or None)"""
        with self.tracer as tracer:
            tracer.stdin.write(b"g")
            tracer.stdin.flush()
            answer = wait_for_answer()
            with contextlib.suppress(subprocess.TimeoutExpired):
                tracer.wait(after)
            return tracer.communicate(timeout=30)[0].decode().strip(), answer


def answer_of(client):
    def wait():
        try:
            return client.reply()
        except (Closed, OSError):
            return None
    return wait


def strike(home, verb, prepared, number):
    for _ in range(2):
        with contextlib.suppress(CannotAttach):
            return strike_once(home, verb, prepared, number)
        home.kill()
    return strike_once(home, verb, prepared, number)


def strike_once(home, verb, prepared, number):
    """Sends the verb to a fresh daemon and kills it at a system call: where, the answer, the state afterwards."""
    home.replace(prepared.source)
    home.start()
    with ready_to_send(home, verb, prepared) as (client, send):
        killed = Killed(home.daemon.pid, number)
        send()
        where, answer = killed.go(answer_of(client), STEPS if verb.in_steps else AFTER)
    home.kill()
    try:
        home.start()
    except AssertionError as error:  # it ended
        return where, answer, {"refused to start": str(error)[-300:]}
    return where, answer, home.state()


def chosen(stops, rng):
    if FULL or stops <= SHARE:
        return range(1, stops + 1)
    edges = [*range(1, EDGE + 1), *range(stops - EDGE + 1, stops + 1)]
    middle = range(EDGE + 1, stops - EDGE + 1)
    stride = max(1, len(middle) // (SHARE - 2 * EDGE))
    return sorted({*edges, *middle[rng.randrange(stride)::stride]})


def told_apart(state, old, new, in_steps=False):
    if state == new:
        return "new"
    if state == old:
        return "old"
    return "new" if in_steps and on_the_way(state, old, new) else "neither"


def on_the_way(state, old, new):
    """Whether a verb that goes on in the background was cut off between two of its steps: each step is whole, the journal
    tells them in their order, and no record is lost."""
    moving = ("epoch", "epochs", "journal", "records")
    for name in {*state, *old, *new} - set(moving):
        if state.get(name) not in (old.get(name), new.get(name)):
            return False
    steps = state["journal"]
    return len(steps) > len(old["journal"]) and new["journal"][:len(steps)] == steps


def differences(state, old, new):
    """What of a third state is in neither."""
    return {name: value for name, value in state.items() if value not in (old.get(name), new.get(name))} or {
        name: value for name, value in state.items() if old.get(name) != new.get(name)}


class Sweep:
    """All kills of one verb."""

    def __init__(self, kitchen, verb):
        self.kitchen, self.verb = kitchen, verb
        self.counts = {"old": 0, "new": 0}
        self.problems = []

    def run(self):
        verb = self.verb
        with self.kitchen.prepared(verb) as prepared, self.kitchen.spare_home(prepared) as home:
            home.replace(prepared.source)
            home.start()
            old = home.state()
            where, answer, new = strike(home, verb, prepared, 0)
            self.expect_answer(answer)
            if verb.changes and old == new:
                self.problems.append("the new state cannot be told from the old one")
            stops = int(where.split()[1])
            numbers = chosen(stops, random.Random("%d %s" % (SEED, verb.name)))
            for number in numbers:
                self.one(home, prepared, number, old, new)
        if verb.changes and not (self.counts["old"] and self.counts["new"]):
            self.problems.append("only one of the two states was seen: %r" % self.counts)
        print("%-45s old %4d  new %4d  neither %d" % (verb.name, *self.counts.values(), len(self.problems)), file=sys.stderr)
        return self

    def one(self, home, prepared, number, old, new):
        where, answer, state = strike(home, self.verb, prepared, number)
        found = told_apart(state, old, new, self.verb.in_steps)
        if found == "old" and answer and "result" in answer and old != new:
            found = "answered, and lost"
        if found in self.counts:
            self.counts[found] += 1
        else:
            self.problems.append("stop %d (%s): %s: %s" % (number, where, found,
                                                            json.dumps(differences(state, old, new))[:1500]))

    def expect_answer(self, answer):
        verb = self.verb
        if answer is None:
            self.problems.append("no answer")
        elif verb.refusal and answer.get("error", {}).get("data", {}).get("reason") != verb.refusal:
            self.problems.append("answered %r" % answer)
        elif not verb.refusal and "error" in answer:
            self.problems.append("answered %r" % answer)


class DaemonKillSweep(unittest.TestCase):
    def test_every_verb(self):
        verbs = [verb for verb in VERBS if ONLY in verb.name]
        folder = tempfile.mkdtemp(prefix="pv-", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        began = time.monotonic()
        with Kitchen(folder) as kitchen, concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            sweeps = list(pool.map(lambda verb: Sweep(kitchen, verb).run(), verbs))
        kills = sum(sum(sweep.counts.values()) + len(sweep.problems) for sweep in sweeps)
        print("killed at %d system calls of %d verbs, %.0f s, seed %d" % (kills, len(verbs), time.monotonic() - began, SEED),
              file=sys.stderr)
        problems = ["%s: %s" % (sweep.verb.name, problem) for sweep in sweeps for problem in sweep.problems]
        self.assertFalse(problems, "\n".join(problems[:30]))
        if not ONLY:
            self.assertGreaterEqual(kills, 1000)


class Controls(unittest.TestCase):
    """What the sweep must catch."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="pv-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def files(self):
        found = []
        for name in ("vault.enc", "state.db"):
            with open(os.path.join(self.folder, name), "rb") as file:
                found.append(file.read())
        return found

    def strike_unsafe(self, number):
        """The same tracer, in the same way, at a daemon that writes in place and one file after the other."""
        path = os.path.join(self.folder, "socket")
        for name in ("vault.enc", "state.db"):
            with open(os.path.join(self.folder, name), "wb") as file:
                file.write(b"o" * 999 + b"\n")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        daemon = subprocess.Popen([UNSAFE, self.folder], preexec_fn=die_with_parent)
        try:
            with connect(path) as client:
                killed = Killed(daemon.pid, number)
                client.send(b"n" * 999 + b"\n")

                def done():
                    with contextlib.suppress(Closed, OSError):
                        return client.line()

                where, _ = killed.go(done)
        finally:
            daemon.kill()
            daemon.wait()
        return where, self.files()

    def test_an_unsafe_daemon(self):
        old, new = [b"o" * 999 + b"\n"] * 2, [b"n" * 999 + b"\n"] * 2
        where, after = self.strike_unsafe(0)
        self.assertEqual(after, new)
        stops = int(where.split()[1])
        found = {"old": 0, "new": 0, "neither": 0}
        for number in range(1, stops + 1):
            _, state = self.strike_unsafe(number)
            found[told_apart(state, old, new)] += 1
        print("an unsafe daemon, killed at %d system calls: %r" % (stops, found), file=sys.stderr)
        self.assertGreater(found["old"], 0)
        self.assertGreater(found["neither"], 5)

    def test_states_are_told_apart(self):
        """The eyes of the sweep: a home that lost or gained anything is another state."""
        with Kitchen(self.folder) as kitchen, kitchen.prepared(Verb("nothing", prepare=asked)) as prepared, \
                kitchen.spare_home(prepared) as home:

            def seen(harm=None):
                home.replace(prepared.source)
                if harm:
                    harm()
                home.start()
                return home.state()

            blob = sorted(os.path.join(folder, name) for folder, _, names in os.walk(prepared.source) for name in names
                          if name.startswith("blb_"))[0].replace(prepared.source, home.path)
            old = seen()
            self.assertEqual(seen(), old)
            self.assertEqual(old["opens_with"], 0)
            self.assertEqual(len(old["contents"]), 5)
            for harm in (lambda: os.unlink(blob), lambda: os.truncate(blob, 40),
                         lambda: os.unlink(home.file("state.db")), lambda: os.unlink(home.file("vault.enc")),
                         lambda: os.chmod(home.file("blobs"), 0o755)):
                self.assertNotEqual(seen(harm), old)


if __name__ == "__main__":
    unittest.main()
