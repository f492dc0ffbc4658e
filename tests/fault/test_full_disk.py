"""Every verb on a really full disk, full at several points of its work: it is done or it answers disk_full, and afterwards,
with space again, the old state or the new one opens. Needs root, to mount a disk of four megabytes."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from prepared import Kitchen
from support.rpc import Closed
from swept_home import ready_to_send
from test_daemon_kill_sweep import differences, told_apart
from verbs import VERBS

PAGE = 4096
FREE = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55)  # pages that are left
ROOMY = 1 << 10
ONLY = os.environ.get("POPVAULT_SWEEP_ONLY", "")
# What the owner may always do: it counts although nothing can be written, and the answer says which it was.
NARROWING = {"vault.lock", "vault.freeze", "agent.revoke", "agent.suspend", "grant.revoke", "purchase.deny", "daemon.stop"}
# Notes of what anybody can cause: never a reason to refuse.
NOTES = {"recovery.report", "session.hello"}


def plainly(verb, state):
    """What could not be sealed is written as a narrowing: other rows of the journal say the same."""
    if verb.method not in NARROWING:
        return state
    out = {name: value for name, value in state.items() if name not in ("journal", "epoch", "epochs")}
    out["purchases"] = [{**purchase, "reason": None} for purchase in state.get("purchases", [])]
    return out


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="pv-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.disk = os.path.join(self.folder, "disk")
        self.filled = {"done": 0, "disk_full": 0}

    @contextlib.contextmanager
    def mounted(self, home):
        """The home's folder is the disk."""
        os.makedirs(home.path, 0o700, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "popvault-test", home.path], check=True)
        try:
            yield
        finally:
            if home.daemon:
                home.kill()
            subprocess.run(["umount", "--lazy", home.path], check=True)

    def lay_out(self, home, source):
        for name in os.listdir(home.path):
            path = os.path.join(home.path, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        if source:
            shutil.copytree(source, home.path, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("run"))

    def fill(self, home, pages):
        """Leaves so many pages; gives the file to remove."""
        path = home.file("filler")
        with open(path, "wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(PAGE))
            file.truncate(max(0, os.path.getsize(path) - pages * PAGE))
        return path

    def one(self, home, verb, prepared, pages):
        """The answer with so many pages left, and the state when there is space again."""
        self.lay_out(home, prepared.source)
        home.start()
        with ready_to_send(home, verb, prepared) as (client, send):
            filler = self.fill(home, pages)
            send()
            try:
                answer = client.reply()
            except (Closed, OSError):
                answer = {"closed": True}
        os.unlink(filler)
        home.kill()
        home.start()
        return answer, home.state()

    def judge(self, verb, answer, state, old, new):
        found = told_apart(state, old, new, verb.in_steps)
        if found == "neither":
            found = told_apart(plainly(verb, state), plainly(verb, old), plainly(verb, new))
        error = answer.get("error", {})
        reason, message = error.get("data", {}).get("reason"), error.get("message", "")
        if found == "neither":
            return "neither: " + json.dumps(differences(state, old, new))[:900]
        if "result" in answer:
            self.filled["done"] += 1
            return "done, and lost" if found == "old" and old != new and verb.method not in NOTES else None
        if reason == verb.refusal and verb.refusal:
            return None
        self.filled["disk_full"] += 1
        if reason != "disk_full" or "\n" in message:
            return "answered %r" % answer
        if found == "new" and old != new and "it is done" not in message and verb.method not in NARROWING:
            return "failed, and done all the same: " + message
        return None

    def test_every_verb(self):
        problems = []
        with Kitchen(self.folder) as kitchen:
            for verb in VERBS:
                if ONLY not in verb.name:
                    continue
                with kitchen.prepared(verb) as prepared, kitchen.spare_home(prepared) as home, self.mounted(home):
                    self.lay_out(home, prepared.source)
                    home.start()
                    old = home.state()
                    _, new = self.one(home, verb, prepared, ROOMY)
                    for pages in FREE:
                        answer, state = self.one(home, verb, prepared, pages)
                        problem = self.judge(verb, answer, state, old, new)
                        if problem:
                            problems.append("%s, %d pages left: %s" % (verb.name, pages, problem))
        print("%(done)d done, %(disk_full)d refused" % self.filled, file=sys.stderr)
        self.assertFalse(problems, "\n".join(problems[:30]))
        if not ONLY:
            self.assertGreater(self.filled["disk_full"], 50)  # it was full indeed
            self.assertGreater(self.filled["done"], 50)


if __name__ == "__main__":
    unittest.main()
