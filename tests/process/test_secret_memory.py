"""Plants a canary in every secret field, uses the system for real, and searches for it: in the memory of the daemon and
its children (as root, through /proc/PID/mem), in core files, logs, database, journal and temporary folders."""

import os
import random
import resource
import signal
import string
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import programs, scan
from support.home import Home
from support.market import Market, digits
from support.owner_key import hkdf, vault_key
from support.processes import descendants, injectors, status_of
from support.shop import luhn
from support.vault_reader import keys_of, open_vault

# Each key that is typed holds the page for a while, so that there is time to look.
SLOW = """<!doctype html><title>slow</title><form>
<input autocomplete="cc-number"><input autocomplete="cc-exp" placeholder="MM/YY"><input autocomplete="cc-csc"></form>
<script>for (const i of document.querySelectorAll("input")) i.addEventListener("input", () => {
  const end = performance.now() + 1500; while (performance.now() < end) {} });</script>"""


def canary():
    """A card, holder and passphrase that occur nowhere else."""
    letters = lambda count: "".join(random.choice(string.ascii_letters) for _ in range(count))
    while True:
        number = "4" + "".join(random.choice(string.digits) for _ in range(15))
        if luhn(number):
            break
    card = {"number": number, "cvv": "%03d" % random.randrange(100, 1000), "exp_month": "%02d" % random.randrange(1, 13),
            "exp_year": str(random.randrange(2036, 2046)), "holder": "Quentin %s Zz%s" % (letters(8), letters(8))}
    return card, "canary %s %s" % (letters(12), letters(12))


class Canary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.card, cls.passphrase = canary()
        cls.market = Market(cls.card, cls.passphrase)
        cls.home = cls.market.home
        cls.needles = scan.card_needles(cls.card["number"], cls.card["cvv"], cls.card["exp_month"],
                                        cls.card["exp_year"], cls.card["holder"])
        cls.needles.update(scan.spellings("passphrase", cls.passphrase))

    @classmethod
    def tearDownClass(cls):
        cls.market.close()

    def processes(self):
        return [self.home.pid] + descendants(self.home.pid)

    def clean(self, needles=None):
        """Nothing in the daemon and its children; the number of bytes that were read."""
        total = 0
        for pid in self.processes():
            found = scan.scan_process(pid, needles or self.needles)
            self.assertEqual(found, [], "process %d" % pid)
            total += found.bytes
        self.assertGreater(total, 1 << 20)
        return total

    def files_clean(self):
        found = scan.scan_tree(self.home.base, self.needles)
        self.assertEqual(found, [])
        self.assertGreater(found.bytes, 10000)

    def test_control_in_a_process_and_in_files(self):
        program = "import sys,time; x = bytearray(sys.stdin.buffer.read()); print('ready', flush=True); time.sleep(600)"
        for what, needle in self.needles.items():
            if not what.startswith(("number raw", "number spaced utf", "number base64/1", "holder raw", "passphrase utf",
                                    "pair cvv=", "field cvv", "number hex")):
                continue
            with self.subTest(what=what):
                child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                try:
                    child.stdin.write(b"\x01\x02" + needle + b"\x03")
                    child.stdin.close()
                    child.stdout.readline()
                    found = scan.scan_process(child.pid, self.needles)
                    self.assertTrue(any(line.startswith(what) for line in found), found)
                finally:
                    child.kill()
                    child.wait()
                    child.stdout.close()
        with tempfile.TemporaryDirectory(prefix="pv-") as folder:
            self.assertEqual(scan.scan_tree(folder, self.needles), [])
            with open(os.path.join(folder, "planted"), "wb") as file:
                file.write(bytes(scan.CHUNK - 5) + self.card["number"].encode())  # across the border of two reads
            self.assertTrue(scan.scan_tree(folder, self.needles))

    def test_1_before(self):
        self.clean()
        self.files_clean()

    def test_2_during_and_after_a_fill(self):
        shop = self.market.shop
        shop.pages["/slow"] = SLOW
        page = self.market.open(shop.origin + "/slow")
        purchase = self.market.approved("canary")
        agent = self.market.agent()
        self.addCleanup(agent.close)
        answer = {}

        def fill():
            try:
                answer["filled"] = agent.call("purchase.fill", purchase=purchase, page={"url": shop.origin + "/slow"})
            except Exception as error:
                answer["error"] = error

        worker = threading.Thread(target=fill)
        number = scan.number_needles(self.card["number"])
        worker.start()
        scans, seen, found = 0, set(), []
        while worker.is_alive():
            found += scan.scan_process(self.home.pid, number)
            scans += 1
            for pid in injectors(self.home.pid):
                try:
                    seen.add(self.look_at_injector(pid))
                    found += ["injector: " + line for line in scan.scan_process(pid, number)]
                except (FileNotFoundError, ProcessLookupError):
                    pass  # it has just ended
        worker.join()
        self.assertEqual(found, [])
        self.assertEqual(answer.get("filled", {}).get("status"), "filled", answer)
        self.assertGreaterEqual(scans, 2, "the fill was too quick to look")
        self.assertIn("2", seen, "no injector was seen behind its filter")
        self.assertEqual(digits(page.evaluate("document.querySelector('input').value")), self.card["number"])
        self.clean()
        self.files_clean()
        self.assertEqual(scan.scan_bytes(agent.received, self.needles, "what the agent received"), [])
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])

    def look_at_injector(self, pid):
        """What an injector has and has not, while it works; the state of its seccomp filter (2: in force)."""
        status = status_of(pid)
        links = {int(name): os.readlink("/proc/%d/fd/%s" % (pid, name)) for name in os.listdir("/proc/%d/fd" % pid)}
        with open("/proc/%d/environ" % pid, "rb") as file:
            environ = file.read()
        if not links:
            return "ended"
        self.assertEqual(environ, b"")
        more = {name: link for name, link in links.items() if name > 4 and "secretmem" not in link}
        self.assertEqual(more, {})
        self.assertEqual(links.get(0), "/dev/null")
        self.assertEqual(status["NoNewPrivs"], "1")
        return status["Seccomp"]

    def test_3_keys_after_lock(self):
        key = vault_key(self.passphrase)
        with open(self.home.file("vault.enc"), "rb") as file:
            document = open_vault(key, file.read())
        keys = keys_of(document, key)
        self.assertIn("umk", keys)
        for name, value in list(keys.items()):
            if name.startswith("epoch."):
                keys["record key " + name] = hkdf(value, b"popvault:record:" + self.market.card["id"].encode())
        needles = {}
        for name, value in keys.items():
            needles.update(scan.key_needles(name, value))
        self.home.cli("lock")
        self.clean({**self.needles, **needles})
        self.files_clean()
        self.assertEqual(scan.scan_tree(self.home.base, needles), [])
        # Unlocked they are in secret memory only, which the scan cannot read; the control for that is test_control.
        self.home.unlock(self.passphrase)
        if self.home.cli("status").json["secret_memory"] == "memfd_secret":
            self.clean(needles)

    def test_4_export_and_refusals(self):
        """More roads that a secret travels: show, an export, wrong passphrases, a restart."""
        path = os.path.join(self.home.tmp, "out.enc")
        read_end, write_end = os.pipe()
        os.write(write_end, self.passphrase.encode())
        os.close(write_end)
        done = subprocess.run([programs.program("popvault"), "export", "pop-pay", path, "--record", self.market.card["id"],
                               "--passphrase-fd", "0", "--file-passphrase-fd", str(read_end), "--json"],
                              input=self.passphrase.encode(), pass_fds=[read_end], env=self.home.env(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.close(read_end)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(scan.scan_bytes(done.stdout + done.stderr, self.needles, "the export's output"), [])
        self.home.cli("show", self.market.card["id"])
        self.home.run("unlock", passphrase="wrong " + self.passphrase)
        self.home.run("add", "card", "--label", "again", fields={**self.card, "exp_month": "77"})
        self.home.add_card(label="twice", **self.card)
        self.clean()
        self.files_clean()
        self.home.restart()
        self.home.unlock(self.passphrase)
        self.home.cli("list")
        self.clean()
        self.files_clean()


class LockedPages(unittest.TestCase):
    """The fallback where the kernel has no memfd_secret, forced. Root can read it, so here the scan sees the keys while the
    vault is unlocked, and sees that they are wiped by lock."""

    def test_keys_are_there_and_then_gone(self):
        card, passphrase = canary()
        with Home() as home:
            home.start("--secret-memory", "locked")
            home.make_vault(passphrase)
            home.add_card(**card)
            self.assertEqual(home.cli("status").json["secret_memory"], "locked_pages")
            key = vault_key(passphrase)
            with open(home.file("vault.enc"), "rb") as file:
                keys = keys_of(open_vault(key, file.read()), key)
            umk = {**scan.key_needles("vault key", keys["vault key"]), **scan.key_needles("umk", keys["umk"])}
            self.assertTrue(scan.scan_process(home.pid, umk), "the scan should find the keys of an unlocked vault")
            home.cli("lock")
            needles = {}
            for name, value in keys.items():
                needles.update(scan.key_needles(name, value))
            needles.update(scan.card_needles(card["number"], card["cvv"], card["exp_month"], card["exp_year"],
                                             card["holder"]))
            needles.update(scan.spellings("passphrase", passphrase))
            for pid in [home.pid] + descendants(home.pid):
                self.assertEqual(scan.scan_process(pid, needles), [])
            home.unlock(passphrase)
            self.assertEqual(home.cli("list").json[0]["last4"], card["number"][-4:])


class CoreFiles(unittest.TestCase):
    def test_no_core(self):
        unlimited = (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_CORE)[1])
        card, passphrase = canary()
        with Home() as home:
            home.start(preexec=lambda: resource.setrlimit(resource.RLIMIT_CORE, unlimited))
            home.make_vault(passphrase)
            home.add_card(**card)
            os.kill(home.pid, signal.SIGABRT)
            _, status = os.waitpid(home.daemon.pid, 0)
            home.daemon.returncode = -signal.SIGABRT
            home.daemon = None
            self.assertTrue(os.WIFSIGNALED(status))
            self.assertFalse(os.WCOREDUMP(status))
            needles = {**scan.number_needles(card["number"]), **scan.spellings("passphrase", passphrase)}
            self.assertEqual(scan.scan_tree(home.base, needles), [])
            self.assertEqual([name for name in os.listdir(home.base) if name.startswith("core")], [])

    def test_control(self):
        """A plain program leaves a core in the same place."""
        unlimited = (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_CORE)[1])
        with tempfile.TemporaryDirectory(prefix="pv-", dir="/tmp") as folder:
            child = subprocess.Popen(["sleep", "600"], cwd=folder,
                                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, unlimited))
            time.sleep(0.2)
            os.kill(child.pid, signal.SIGABRT)
            _, status = os.waitpid(child.pid, 0)
            child.returncode = -signal.SIGABRT
            self.assertTrue(os.WCOREDUMP(status))


if __name__ == "__main__":
    unittest.main()
