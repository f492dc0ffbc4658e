"""popvault-watcher: locks before sleep and with the screen, tells the owner of what waits, and holds nobody up. The buses
are real (tests/support/bus.py); logind and the desktop are peers on them."""

import json
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.bus import Bus
from support.home import CARD, PASSPHRASE, Home, wait_until
from support.processes import alive, die_with_parent, status_of
from support.programs import program
from support.rpc import Closed, RpcError

OWN = "/org/freedesktop/login1/session/_31"
HOSTILE = "book\u202e<b>&amp;\u200b<img src=x> Approved"
HOOK = """#!/bin/sh
cat > %(out)s.$$
env >> %(out)s.env
mv %(out)s.$$ %(out)s
"""


class WatcherCase(unittest.TestCase):
    def setUp(self):
        self.system, self.session = Bus(), Bus()
        self.addCleanup(self.session.__exit__)
        self.addCleanup(self.system.__exit__)
        self.logind, self.desktop = self.system.peer("logind"), self.session.peer("desktop")
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.cli("init", "--machine", "--accept-public-salt")  # its key is made sooner
        self.unlock()
        self.card = self.home.add_card()
        self.key = self.home.add_agent("helper", passphrase=None)["key"]
        self.home.set_policy("helper", per_use="1000.00", per_day="100000.00", passphrase=None)
        self.watcher = None

    def unlock(self):
        self.home.unlock(None)

    def env(self, **more):
        return self.home.env(DBUS_SYSTEM_BUS_ADDRESS=self.system.address, DBUS_SESSION_BUS_ADDRESS=self.session.address, **more)

    def watch(self, **env):
        self.messages = os.path.join(self.home.base, "watcher.log")
        with open(self.messages, "ab") as log:
            self.watcher = subprocess.Popen([program("popvault-watcher")], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**self.env(), "SECRET_OF_THE_SHELL": "x", **env}, preexec_fn=die_with_parent)
        self.addCleanup(self.end_watcher)
        wait_until(self.watched, "a watcher in the status")
        return self.watcher

    def end_watcher(self):
        if self.watcher.poll() is None:
            self.watcher.kill()
        self.watcher.wait()

    def log(self):
        with open(self.messages, encoding="utf-8") as file:
            return file.read()

    def status(self):
        with self.home.owner() as owner:
            return owner.call("vault.status")

    def watched(self):
        return self.status()["watcher"]

    def state(self):
        return self.status()["state"]

    def ask(self, reason="A book", amount=2500):
        with self.home.agent(self.key) as agent:
            return agent.call("purchase.request", record=self.card["id"], amount_minor=amount, currency="USD",
                              merchant_origin="https://shop.example", reason=reason, idempotency_key=os.urandom(8).hex())["purchase"]

    def set_hook(self, path):
        return self.home.run("config", "set", "approvals.hook", path)

    def hook(self, text=None, name="hook", mode=0o700):
        path, out = os.path.join(self.home.base, name), os.path.join(self.home.base, name + ".out")
        with open(path, "w", encoding="utf-8") as file:
            file.write((text or HOOK) % {"out": out})
        os.chmod(path, mode)
        return path, out

    def output(self, path):
        wait_until(lambda: os.path.exists(path), "what the hook writes; the log: " + self.log())
        with open(path, encoding="utf-8") as file:
            return file.read()


class Locking(WatcherCase):
    def test_control_without_a_watcher(self):
        self.logind.do("sleep true")
        self.logind.do("lock " + OWN)
        self.session.peers[0].do("active org.gnome.ScreenSaver true")
        self.assertEqual((self.state(), self.watched()), ("unlocked", False))

    def test_sleep_waits_until_it_is_locked(self):
        self.watch()
        self.assertEqual(self.logind.wait_for("inhibit"), "inhibit sleep popvault delay")
        self.assertNotIn("released", self.logind.said())
        self.logind.do("sleep true")
        self.logind.wait_for("released")
        self.assertEqual(self.state(), "locked")
        self.logind.do("sleep false")
        self.logind.wait_for("inhibit")
        self.unlock()
        self.logind.do("sleep true")
        self.logind.wait_for("released")
        self.assertEqual(self.state(), "locked")

    def test_waking_does_not_lock(self):
        self.watch()
        self.logind.wait_for("inhibit")
        self.logind.do("sleep false")
        self.logind.wait_for("inhibit")
        self.assertEqual(self.state(), "unlocked")

    def test_session_lock(self):
        self.watch()
        self.logind.wait_for("inhibit")
        for command in ("lock " + OWN, "hint %s true" % OWN, "lock %s_gone" % OWN):
            with self.subTest(command=command):
                self.unlock()
                self.logind.do(command)
                wait_until(lambda: self.state() == "locked", "locked")

    def test_what_does_not_lock(self):
        self.watch()
        self.logind.wait_for("inhibit")
        self.logind.do("lock /org/freedesktop/login1/session/other")
        self.logind.do("hint /org/freedesktop/login1/session/other true")
        self.logind.do("hint %s false" % OWN)
        self.desktop.do("active org.freedesktop.ScreenSaver false")
        self.desktop.do("active org.example.ScreenSaver true")
        self.logind.do("sleep false")  # after the others on the same connection
        self.logind.wait_for("inhibit")
        self.assertEqual(self.state(), "unlocked")

    def test_a_signal_of_somebody_else_does_not_count_as_logind(self):
        self.watch()
        self.logind.wait_for("inhibit")
        stranger = self.system.peer("desktop")
        stranger.do("sleep true")
        self.logind.do("sleep false")
        self.logind.wait_for("inhibit")
        self.assertEqual(self.state(), "unlocked")

    def test_screen_savers(self):
        self.watch()
        for interface in ("org.freedesktop.ScreenSaver", "org.gnome.ScreenSaver"):
            with self.subTest(interface=interface):
                self.unlock()
                self.desktop.do("active %s true" % interface)
                wait_until(lambda: self.state() == "locked", "locked")


class Telling(WatcherCase):
    def test_notification(self):
        self.watch()
        purchase = self.ask()
        summary, body = self.desktop.notification()
        self.assertEqual(summary, "Approve 25.00 USD?")
        self.assertEqual(body, "https://shop.example\nhelper says: A book\nTo answer: popvault approvals --watch")
        with self.home.owner() as owner:
            owner.call("purchase.deny", purchase=purchase)
        self.desktop.wait_for("close 1")

    def test_under_a_grant_while_locked(self):
        path, out = self.hook()
        self.set_hook(path)
        self.watch()
        self.home.cli("grant", "helper", "--record", self.card["id"])
        self.home.cli("lock")
        self.ask("Later")
        summary, body = self.desktop.notification()
        self.assertEqual(summary, "A purchase waits for you")
        self.assertNotIn("Later", body)
        self.unlock()
        self.ask("Now")
        self.assertIn("Now", self.desktop.notification()[1])
        self.assertIn('"text":"Now"', self.output(out))

    def test_hostile_text(self):
        path, out = self.hook()
        self.assertEqual(self.set_hook(path).code, 0)
        self.watch()
        self.ask(HOSTILE)
        summary, body = self.desktop.notification()
        for bad in ("\u202e", "\u200b", "<", ">", "& "):
            self.assertNotIn(bad, summary + body)
        self.assertIn("book\\u{202E}&lt;b&gt;&amp;amp;\\u{200B}&lt;img src=x&gt; Approved", body)
        self.assertEqual(body.count("\n"), 2)
        text = self.output(out)
        self.assertEqual(json.loads(text)["text"], "book\\u{202E}<b>&amp;\\u{200B}<img src=x> Approved")
        self.assertTrue(text.isascii())

    def test_long_text_is_cut(self):
        self.watch()
        self.ask("\u202e" * 60)
        _, body = self.desktop.notification()
        self.assertLess(len(body), 400)
        self.assertRegex(body, r"says: (\\u\{202E\})+\.\.\.\n")

    def test_hook(self):
        path, out = self.hook()
        answer = self.set_hook(path)
        self.assertEqual(answer.json["approvals.hook"], path)
        self.watch()
        purchase = self.ask()
        lines = self.output(out).splitlines()
        self.assertEqual(len(lines), 1)
        told = json.loads(lines[0])
        self.assertEqual(told["card"], {"kind": "card", "brand": "visa", "masked": "****-****-****-4242", "label": "Demo",
                                        "expired": False})
        for name, value in (("what", "approval"), ("purchase", purchase), ("amount", "25.00 USD"), ("amount_minor", 2500),
                            ("currency", "USD"), ("merchant", "https://shop.example"), ("agent_name", "helper"),
                            ("text", "A book"), ("strength", "dom"), ("status", "awaiting_approval")):
            self.assertEqual(told[name], value, name)
        self.assertEqual(set(told), {"what", "purchase", "agent", "agent_name", "amount", "amount_minor", "currency", "card",
                                     "executable", "expires_at", "merchant", "page_url", "requested_at", "status", "strength",
                                     "text"})
        for secret in (CARD["number"], CARD["number"][:6], CARD["cvv"] + '"', CARD["holder"], "2034", self.key, self.card["alias"]):
            self.assertNotIn(secret, lines[0])
        with open(out + ".env", encoding="utf-8") as file:
            names = {line.split("=")[0] for line in file.read().splitlines()}
        self.assertEqual(names - {"PWD", "SHLVL", "_", "OLDPWD"}, {"PATH", "HOME", "LANG", "POPVAULT_HOME"})

    def test_no_hook_no_process(self):
        self.watch()
        self.ask()
        self.desktop.notification()
        self.assertEqual(self.status()["pending_approvals"], 1)
        self.assertNotIn("hook", self.log())

    def test_a_purchase_that_needs_no_approval_is_not_told(self):
        self.watch()
        self.ask(amount=999_999)  # denied by its cap
        self.ask("The second")
        self.assertIn("The second", self.desktop.notification()[1])


class BadHooks(WatcherCase):
    def said(self, text):
        wait_until(lambda: text in self.log(), "%r in %s" % (text, self.log()))

    def test_refused_when_it_is_set(self):
        path, _ = self.hook()
        link = os.path.join(self.home.base, "link")
        os.symlink(path, link)
        open_to_all, _ = self.hook(name="open", mode=0o722)
        plain, _ = self.hook(name="plain", mode=0o600)
        shared = os.path.join(self.home.base, "shared")
        os.mkdir(shared)
        os.chmod(shared, 0o777)
        inside, _ = self.hook(name="shared/inside")
        for bad in (link, open_to_all, plain, inside, path + "/..", "hook", "/", os.path.join(self.home.base, "absent"),
                    os.path.join(self.home.base, "home"), self.home.base + "//hook", path + "\n"):
            with self.subTest(path=bad):
                answer = self.set_hook(bad)
                self.assertEqual((answer.code, answer.reason), (1, "invalid_field"))
        self.assertEqual(self.home.cli("config", "get", "approvals.hook").json, {"approvals.hook": None})
        self.assertEqual(self.set_hook(path).code, 0)
        self.assertEqual(self.set_hook("none").json["approvals.hook"], None)

    def test_it_needs_a_proof(self):
        path, _ = self.hook()
        with self.home.owner() as owner:
            self.assertEqual(owner.refusal("config.set", key="approvals.hook", value=path), "proof_required")

    def test_fails(self):
        path, _ = self.hook("#!/bin/sh\nexit 3\n# %(out)s\n")
        self.set_hook(path)
        self.watch()
        self.ask()
        self.said("approvals.hook: it failed with status 3")
        self.assertEqual(self.log().count("approvals.hook"), 1)

    def test_no_program(self):
        path, _ = self.hook("no interpreter %(out)s")
        self.set_hook(path)
        self.watch()
        self.ask()
        self.said("approvals.hook: it could not be run")

    def test_hangs(self):
        """It is killed with what it started, and meanwhile at most four run and the vault locks."""
        path, out = self.hook("#!/bin/sh\nsleep 1000 &\necho $$ $! >> %(out)s\nsleep 1000\n")
        self.set_hook(path)
        self.watch()
        for _ in range(6):
            self.ask()
        lines = lambda: self.output(out).splitlines()
        wait_until(lambda: len(lines()) >= 4, "four hooks")
        first = [int(pid) for line in lines()[:4] for pid in line.split()]
        self.assertTrue(all(alive(pid) for pid in first))
        self.assertEqual(len(lines()), 4)
        self.logind.wait_for("inhibit")
        self.logind.do("sleep true")
        self.logind.wait_for("released")
        self.assertEqual(self.state(), "locked")
        wait_until(lambda: len(lines()) == 6, "the others, after the first were killed", patience=40)
        wait_until(lambda: not any(alive(pid) for pid in first), "their end")
        self.said("approvals.hook: it took over 10 s and was killed")
        last = [int(pid) for line in lines()[4:] for pid in line.split()]
        self.watcher.terminate()
        self.watcher.wait()
        wait_until(lambda: not alive(int(lines()[4].split()[0])), "the hook's end with its watcher")
        for pid in last:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)

    def test_replaced(self):
        """What others could have put there is not run; a file of the owner is."""
        path, out = self.hook()
        self.set_hook(path)
        self.watch()
        other, _ = self.hook(name="other")
        os.chmod(path, 0o777)
        self.ask()
        self.said("is writable by others")
        os.remove(path)
        os.symlink(other, path)
        self.ask()
        self.said("is no regular file")
        os.remove(path)
        self.ask()
        self.said("there is no such thing")
        self.assertFalse(os.path.exists(out))
        self.hook()
        self.ask()
        self.output(out)

    def test_a_folder_that_was_replaced(self):
        folder = os.path.join(self.home.base, "folder")
        os.mkdir(folder, 0o700)
        path, out = self.hook(name="folder/hook")
        self.set_hook(path)
        self.watch()
        os.rename(folder, folder + "2")
        os.symlink(folder + "2", folder)
        self.ask()
        self.said("is a symbolic link or no folder")
        self.assertFalse(os.path.exists(out))


class Living(WatcherCase):
    def test_hardened(self):
        self.watch()
        status = status_of(self.watcher.pid)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Umask"], "0077")
        with open("/proc/%d/limits" % self.watcher.pid, encoding="ascii") as file:
            self.assertRegex(file.read(), r"Max core file size +0 +0 ")
        self.assertEqual(os.stat("/proc/%d/mem" % self.watcher.pid).st_uid, 0)

    def test_killed_watcher_leaves_the_daemon(self):
        self.watch()
        self.watcher.kill()
        self.watcher.wait()
        wait_until(lambda: not self.watched(), "no watcher in the status")
        self.assertEqual(self.state(), "unlocked")
        self.watch()

    def test_ends_with_the_daemon(self):
        for how in ("kill", "stop"):
            with self.subTest(how=how):
                self.watch()
                self.home.kill() if how == "kill" else self.home.cli("stop")
                self.assertEqual(self.watcher.wait(30), 0)
                if how == "kill":
                    self.home.start()

    def test_comes_back_while_the_daemon_lives(self):
        """Cut off by the daemon's own limit for those who do not read: it comes again."""
        self.watch()
        os.kill(self.watcher.pid, signal.SIGSTOP)
        with self.home.owner() as owner:
            for _ in range(20):
                for _ in range(2_000):
                    owner.start("vault.freeze")
                for _ in range(2_000):
                    owner.reply()
                if not owner.call("vault.status")["watcher"]:
                    break
            self.assertFalse(owner.call("vault.status")["watcher"])
        os.kill(self.watcher.pid, signal.SIGCONT)
        wait_until(self.watched, "the watcher again")

    def test_one_per_home(self):
        self.watch()
        second = subprocess.run([program("popvault-watcher")], env=self.env(), capture_output=True, timeout=60)
        self.assertEqual((second.returncode, second.stdout, second.stderr), (0, b"", b""))
        self.assertTrue(self.watched())

    def test_buses_that_are_not_there(self):
        self.watch(DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nonexistent", DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent")
        path, out = self.hook()
        self.set_hook(path)
        self.ask()
        self.output(out)
        self.home.cli("lock")
        self.unlock()
        self.ask()
        self.assertEqual(self.log().count("is not there"), 2)

    def test_buses_that_die(self):
        self.watch()
        self.logind.wait_for("inhibit")
        self.system.kill()
        self.session.kill()
        wait_until(lambda: self.log().count("is not there") == 2, "two lines")
        path, out = self.hook()
        self.set_hook(path)
        self.ask()
        self.output(out)
        self.home.cli("lock")
        self.unlock()
        self.assertEqual(self.log().count("is not there"), 2)
        self.assertIsNone(self.watcher.poll())

    def test_no_daemon(self):
        self.home.stop()
        done = subprocess.run([program("popvault-watcher")], env=self.env(), capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"popvaultd does not answer", done.stderr)

    def test_wrong_use(self):
        done = subprocess.run([program("popvault-watcher"), "--what"], env=self.env(), capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr.count(b"\n"), 1)


class OnDemand(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.env = self.home.env(DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nonexistent", DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent")

    def watchers(self):
        """The watchers of this home, by the lock file that they hold open."""
        found = []
        for pid in os.listdir("/proc"):
            try:
                if pid.isdigit() and os.readlink("/proc/%s/exe" % pid) == program("popvault-watcher"):
                    with open("/proc/%s/environ" % pid, "rb") as file:
                        if self.home.path.encode() + b"\0" in file.read():
                            found.append(int(pid))
            except OSError:
                pass
        return found

    def test_the_command_starts_one(self):
        del self.env["POPVAULT_NO_WATCHER"]
        self.home.run("list", env=self.env)
        self.home.note_daemon()
        wait_until(lambda: self.home.cli("status").json["watcher"], "the watcher")
        pids = self.watchers()
        self.assertEqual(len(pids), 1)
        self.home.cli("init", passphrase=PASSPHRASE, env=self.env)
        self.assertEqual(self.watchers(), pids)
        self.assertIn("popvault-watcher", self.home.log_text())
        self.home.cli("stop", env=self.env)
        wait_until(lambda: not alive(pids[0]), "its end")

    def test_control_not_when_it_is_unwanted(self):
        self.home.run("list", env=self.env)
        self.home.note_daemon()
        self.assertFalse(self.home.cli("status").json["watcher"])
        self.assertEqual(self.watchers(), [])


class Events(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.home.start()

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    def test_what_an_owner_hears(self):
        home = self.home
        with home.owner() as listener, home.owner() as deaf:
            self.assertEqual(listener.call("events.subscribe"), {"subscribed": True})  # before there is a vault
            home.make_vault()
            card, key = home.add_card(), home.add_agent()["key"]
            home.set_policy()
            with home.agent(key) as agent:
                purchase = agent.call("purchase.request", record=card["id"], amount_minor=2500, currency="USD",
                                      merchant_origin="https://shop.example", reason="A book", idempotency_key="1")["purchase"]
            with home.owner() as owner:
                owner.call("purchase.deny", purchase=purchase)
                owner.call("vault.lock")
                owner.call("vault.lock")
                owner.call("vault.freeze")
            listener.call("vault.status")
            deaf.call("vault.status")
        self.assertEqual([event["params"] for event in listener.events],
                         [{"what": "unlocked"}, {"what": "purchase", "purchase": purchase, "status": "awaiting_approval"},
                          {"what": "purchase", "purchase": purchase, "status": "denied"}, {"what": "locked"}, {"what": "frozen"}])
        self.assertEqual(deaf.events, [])

    def test_agents_hear_nothing_of_the_owner(self):
        with self.home.owner() as owner:
            self.assertEqual(owner.refusal("events.subscribe", client="x" * 65), "invalid_params")
            self.assertEqual(owner.refusal("events.subscribe", what="all"), "invalid_params")

    def test_only_the_name_watcher_is_shown(self):
        with self.home.owner() as owner:
            owner.call("events.subscribe", client="docs")
            self.assertFalse(owner.call("vault.status")["watcher"])
            owner.call("events.subscribe", client="watcher")
            self.assertTrue(owner.call("vault.status")["watcher"])


if __name__ == "__main__":
    unittest.main()
