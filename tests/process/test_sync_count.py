"""How often a step waits for the disk: counted with strace on the running daemon, which is exact where a time is not.

purchase.request is one commit, however many come at once. A step with a mirror is one commit and one atomic save more.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home, wait_until
from support.owner_key import OwnerKey

SYNCS = "fsync,fdatasync,sync_file_range,sync,syncfs,msync"
COMMIT = ["state.db-wal"]
SAVE = ["vault.enc's temporary", "home"]


class Traced:
    """What a process syncs meanwhile: `with Traced(pid, folder) as traced: ...; traced.paths`."""

    def __init__(self, pid, folder):
        self.pid, self.file, self.paths = pid, os.path.join(folder, "syncs"), []

    def __enter__(self):
        self.strace = subprocess.Popen(["strace", "-f", "-y", "-e", "trace=" + SYNCS, "-o", self.file, "-p", str(self.pid)],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.all_threads, "strace")
        return self

    def all_threads(self):
        if self.strace.poll() is not None:
            raise AssertionError("strace ended with %d" % self.strace.returncode)
        for thread in os.listdir("/proc/%d/task" % self.pid):
            with open("/proc/%d/task/%s/status" % (self.pid, thread), encoding="ascii") as file:
                if "TracerPid:\t%d\n" % self.strace.pid not in file.read():
                    return False
        return True

    def __exit__(self, *_):
        self.strace.terminate()
        self.strace.wait()
        with open(self.file, encoding="utf-8", errors="replace") as file:
            self.paths = re.findall(r"\b(?:%s)\(\d*<?([^>)]*)" % SYNCS.replace(",", "|"), file.read())


@unittest.skipUnless(os.geteuid() == 0, "only root may trace the daemon")
@unittest.skipUnless(shutil.which("strace"), "strace is not there")
class Syncs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.addClassCleanup(cls.home.remove)
        cls.home.start()
        cls.home.make_vault()
        cls.card = cls.home.add_card()["id"]
        cls.key, owner_key = "pak_" + os.urandom(20).hex(), OwnerKey(PASSPHRASE)
        with cls.home.owner() as owner:
            owner_key.call(owner, "agent.add", name="helper", key_sha256=hashlib.sha256(cls.key.encode()).hexdigest(),
                           key_first=cls.key[:12], key_last=cls.key[-4:])
            owner_key.call(owner, "policy.set", agent="helper", merchants=[{"origin": "https://shop.example"}], currency="USD",
                           per_use_minor=1000, per_day_minor=100000, ask_above_minor=500, uses_per_hour=1000, strength="dom")
        cls.agent = cls.home.agent(cls.key)
        cls.addClassCleanup(cls.agent.close)
        cls.agent.call("credentials.list")  # who connects for the first time is written down
        cls.asked = 0

    @classmethod
    def params(cls, **change):
        cls.asked += 1
        return {"record": cls.card, "amount_minor": 100, "currency": "USD", "merchant_origin": "https://shop.example",
                "reason": "x", "idempotency_key": "sync-%d" % cls.asked, **change}

    def request(self, **change):
        return self.agent.call("purchase.request", **self.params(**change))

    def syncs(self, act):
        with Traced(self.home.pid, self.home.tmp) as traced:
            self.answer = act()
        names = {self.home.file("state.db-wal"): COMMIT[0], self.home.path: SAVE[1]}
        return [SAVE[0] if os.path.basename(path).startswith(".vault.enc.tmp-") else names.get(path, path) for path in traced.paths]

    def test_request(self):
        for amount, status in ((100, "approved"), (600, "awaiting_approval"), (2000, "denied")):
            with self.subTest(status=status):
                self.assertEqual(self.syncs(lambda: self.request(amount_minor=amount)), COMMIT)
                self.assertEqual(self.answer["status"], status)

    def test_the_same_request_again(self):
        params = self.params()
        self.agent.call("purchase.request", **params)
        self.assertEqual(self.syncs(lambda: self.agent.call("purchase.request", **params)), [])

    def test_many_at_once_share_a_commit(self):
        def eight():
            lines = [b'{"jsonrpc":"2.0","id":%d,"method":"purchase.request","params":%s}\n' % (number, compact(self.params()))
                     for number in range(8)]
            self.agent.send(b"".join(lines))
            return [self.agent.reply()["result"]["status"] for _ in lines]
        self.assertEqual(self.syncs(eight), COMMIT)
        self.assertEqual(self.answer, ["approved"] * 8)

    def test_cancel(self):
        purchase = self.request()["purchase"]
        self.assertEqual(self.syncs(lambda: self.agent.call("purchase.cancel", purchase=purchase)), COMMIT + SAVE)

    def test_deny(self):
        purchase = self.request(amount_minor=600)["purchase"]
        with self.home.owner() as owner:
            self.assertEqual(self.syncs(lambda: owner.call("purchase.deny", purchase=purchase)), COMMIT + SAVE)

    def test_reads(self):
        purchase = self.request()["purchase"]
        for method, params in (("credentials.list", {}), ("credentials.get", {"id": self.card}), ("purchase.status", {"purchase": purchase})):
            with self.subTest(method=method):
                self.assertEqual(self.syncs(lambda m=method, p=params: self.agent.call(m, **p)), [])

    def test_control(self):
        """The count sees each of them: two steps are twice as many, and so is another process that syncs by itself."""
        self.assertEqual(self.syncs(lambda: [self.request(), self.request()]), 2 * COMMIT)
        purchase = self.request()["purchase"]
        both = self.syncs(lambda: [self.agent.call("purchase.cancel", purchase=purchase), self.request()])
        self.assertEqual(both, COMMIT + SAVE + COMMIT)

    def test_control_of_the_tracer(self):
        path = os.path.join(self.home.tmp, "plain")
        code = ("import os,sys\nsys.stdin.readline()\nfd=os.open(%r,os.O_RDWR|os.O_CREAT)\n"
                "os.fsync(fd);os.fdatasync(fd);os.fsync(fd)\nprint('done',flush=True)\nsys.stdin.readline()\n" % path)
        plain = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            with Traced(plain.pid, self.home.tmp) as traced:
                plain.stdin.write(b"\n")
                plain.stdin.flush()
                self.assertEqual(plain.stdout.readline(), b"done\n")
            self.assertEqual(traced.paths, [path] * 3)
        finally:
            plain.communicate(b"\n", timeout=20)


def compact(params):
    return json.dumps(params, separators=(",", ":")).encode()


if __name__ == "__main__":
    unittest.main()
