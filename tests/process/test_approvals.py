"""popvault approvals --watch: the whole terminal, on a real one (support/terminal.py)."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import termios
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home, wait_until
from support.programs import program
from support.terminal import Terminal

HOSTILE = "\u202eelpmaxe\u200b \u65e5\u672c e\u0301 \U0001f600 \u05e9\u05dc\u05d5\u05dd \U000e0041"

# A shell with job control, as far as it takes: the program in a process group of its own in the foreground.
SHELL = """
import os, signal, sys, termios
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    _, status = os.waitpid(child, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        sys.exit(os.waitstatus_to_exitcode(status) & 255)
    os.tcsetpgrp(0, os.getpid())
    echoes = bool(termios.tcgetattr(0)[3] & termios.ECHO)
    print("stopped, echo %s" % echoes, flush=True)
    sys.stdin.readline()
    os.tcsetpgrp(0, child)
    os.kill(-child, signal.SIGCONT)
"""

# What the daemon reads as time, moved by the seconds in a file.
CLOCK = r"""
#include <cstdio>
#include <ctime>
#include <dlfcn.h>
static long ahead() {
  static const char* const path = CLOCK_FILE;
  long seconds = 0;
  if (FILE* file = fopen(path, "r")) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
  return seconds;
}
extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static auto real = reinterpret_cast<int (*)(clockid_t, timespec*)>(dlsym(RTLD_NEXT, "clock_gettime"));
  const int result = real(clock, time);
  if (clock == CLOCK_BOOTTIME || clock == CLOCK_REALTIME) time->tv_sec += ahead();
  return result;
}
extern "C" time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
"""


class WatchCase(unittest.TestCase):
    def make(self, **start):
        home = Home()
        self.addCleanup(home.remove)
        home.start(**start)
        home.make_vault()
        home.card = home.add_card()
        home.key = home.add_agent("helper")["key"]
        home.set_policy("helper", per_use="1000.00", per_day="100000.00")
        return home

    def setUp(self):
        self.home = self.make()

    def ask(self, reason="A book", amount=2500):
        with self.home.agent(self.home.key) as agent:
            return agent.call("purchase.request", record=self.home.card["id"], amount_minor=amount, currency="USD",
                              merchant_origin="https://shop.example", reason=reason, idempotency_key=os.urandom(8).hex())["purchase"]

    def ask_after(self, reason):
        """In a later second of the daemon's than the one before: times are kept in whole seconds."""
        time.sleep(1.1)
        return self.ask(reason)

    def status(self, purchase):
        with self.home.agent(self.home.key) as agent:
            return agent.call("purchase.status", purchase=purchase)["status"]

    def terminal(self, *arguments, rows=24, columns=80, argv=(), **env):
        terminal = Terminal([*argv, program("popvault"), "approvals", "--watch", *arguments], self.home.env(**{"TERM": "xterm", **env}),
                            rows, columns)
        self.addCleanup(terminal.close)
        return terminal

    def watch(self, **options):
        terminal = self.terminal(**options)
        terminal.wait_for("popvault approvals:")
        return terminal

    def left(self, terminal, code):
        """The terminal is as it was, and nothing of the screen is left on it."""
        self.assertEqual(terminal.finish(), code)
        self.assertEqual(terminal.settings(), terminal.settings_before)
        self.assertFalse(terminal.screen.alternate)
        self.assertTrue(terminal.screen.cursor_shown)
        self.assertTrue(terminal.screen.wrap)
        self.assertEqual(terminal.screen.scrolled, 0)
        self.assertEqual(terminal.screen.left_behind, "")
        self.assertNotIn("USD", terminal.screen.main_text)


class Answering(WatchCase):
    def test_it_shows_what_comes_and_quits(self):
        terminal = self.watch()
        self.assertIn("nothing waits for you", terminal.screen.text())
        self.assertTrue(terminal.screen.alternate)
        self.assertFalse(terminal.settings()[3] & termios.ECHO)
        self.ask("First")
        terminal.wait_for("helper: First")
        first, second = terminal.screen.lines()[1:3]
        self.assertRegex(first, r"^> 25\.00 USD  https://shop\.example +(10:00|9:5\d) left$")
        self.assertEqual(second, '    visa ****-****-****-4242 "Demo"  dom  helper: First')
        self.ask_after("Second")
        terminal.wait_for("2 wait")
        self.assertLess(terminal.screen.text().index("First"), terminal.screen.text().index("Second"))
        before = terminal.screen.lines()[1]
        terminal.wait_for(lambda screen: screen.lines()[1] != before)  # it counts
        terminal.press("q")
        self.left(terminal, 0)

    def test_details(self):
        purchase = self.ask()
        terminal = self.watch()
        terminal.wait_for("1 waits")
        terminal.press("\r")
        terminal.wait_for("it says:     A book")
        text = terminal.screen.text()
        for part in ("amount:      25.00 USD", "merchant:    https://shop.example", "strength:    dom", "(a label, not checked)",
                     "agent:       helper (agt_", "python", purchase):
            self.assertIn(part, text)
        terminal.press("\x1b")
        terminal.wait_for("helper: A book")
        terminal.press("q")
        self.left(terminal, 0)

    def test_approve_with_the_passphrase(self):
        other = self.ask("Other")
        purchase = self.ask_after("This")
        terminal = self.watch()
        terminal.wait_for("2 wait")
        terminal.press("\x1b[B")
        terminal.wait_for(lambda screen: screen.lines()[3].startswith("> "))
        terminal.press("a")
        terminal.wait_for("Passphrase to approve this")
        self.assertIn("it says:     This", terminal.screen.text())  # seen before it is proved
        terminal.press("not the passphrase\n")
        terminal.wait_for("Not approved: the owner's proof is wrong.")
        self.assertEqual(self.status(purchase), "awaiting_approval")
        terminal.press("a")
        terminal.wait_for("Passphrase to approve this")
        self.assertFalse(terminal.settings()[3] & termios.ECHO)
        terminal.press(PASSPHRASE + "\n")
        terminal.wait_for(purchase + " is approved.")
        terminal.wait_for("1 waits")
        self.assertEqual((self.status(purchase), self.status(other)), ("approved", "awaiting_approval"))
        self.assertNotIn(PASSPHRASE.encode(), terminal.screen.raw)
        terminal.press("q")
        self.left(terminal, 0)

    def test_a_kept_proof(self):
        """With approvals.proof `session` the passphrase is typed once; a key that was meant otherwise still pays nothing."""
        self.home.cli("config", "set", "approvals.proof", "session", passphrase=PASSPHRASE)
        first, second = self.ask("First"), self.ask_after("Second")
        terminal = self.watch()
        terminal.wait_for("2 wait")
        terminal.press("a")
        terminal.wait_for("Passphrase to approve this")
        terminal.press(PASSPHRASE + "\n")
        terminal.wait_for(first + " is approved.")
        terminal.wait_for("1 waits")
        terminal.press("a")
        terminal.wait_for("Approve this? y")
        terminal.press("n")
        terminal.wait_for(lambda screen: "Approve this?" not in screen.text())
        self.assertEqual(self.status(second), "awaiting_approval")
        terminal.press("a")
        terminal.wait_for("Approve this? y")
        terminal.press("y")
        terminal.wait_for(second + " is approved.")
        self.assertEqual(terminal.screen.text().count("Passphrase"), 0)
        terminal.press("q")
        self.left(terminal, 0)

    def test_nothing_typed_approves_nothing(self):
        purchase = self.ask()
        terminal = self.watch()
        terminal.wait_for("1 waits")
        terminal.press("a")
        terminal.wait_for("Passphrase to approve this")
        terminal.press("\n")
        terminal.wait_for("Not approved.")
        self.assertEqual(self.status(purchase), "awaiting_approval")
        self.assertEqual(self.home.cli("status").json["bad_proofs"], 0)

    def test_deny(self):
        first, second = self.ask("First"), self.ask_after("Second")
        terminal = self.watch()
        terminal.wait_for("2 wait")
        terminal.press("d")
        terminal.wait_for("1 waits")
        terminal.wait_for(first + " is denied.")
        self.assertEqual((self.status(first), self.status(second)), ("denied", "awaiting_approval"))
        terminal.wait_for(lambda screen: screen.lines()[1].startswith("> "))  # and on to the next one
        terminal.press("d")
        terminal.wait_for("nothing waits")
        self.assertEqual(self.status(second), "denied")

    def test_answered_elsewhere(self):
        """The next one is not chosen by itself: a key meant for the one that went must not hit it."""
        first, second = self.ask("First"), self.ask_after("Second")
        terminal = self.watch()
        terminal.wait_for("2 wait")
        with self.home.owner() as owner:
            owner.call("purchase.deny", purchase=first)
        terminal.wait_for("What was chosen is denied.")
        terminal.press("da")
        terminal.press("j")
        terminal.wait_for(lambda screen: screen.lines()[1].startswith("> "))
        self.assertEqual(self.status(second), "awaiting_approval")

    def test_locked_and_unlocked_meanwhile(self):
        self.ask()
        terminal = self.watch()
        terminal.wait_for("1 waits")
        self.home.cli("lock")
        terminal.wait_for("the vault is locked")
        self.assertNotIn("USD", terminal.screen.text())
        self.home.unlock()
        terminal.wait_for(lambda screen: "the vault is locked" not in screen.text())
        terminal.press("q")
        self.left(terminal, 0)

    def test_a_machine_vault_asks_once_more(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.cli("init", "--machine", "--accept-public-salt")
        self.home.unlock(None)
        self.home.card = self.home.add_card()
        self.home.key = self.home.add_agent("helper", passphrase=None)["key"]
        self.home.set_policy("helper", passphrase=None)
        purchase = self.ask()
        terminal = self.watch()
        terminal.wait_for("1 waits")
        terminal.press("a")
        terminal.wait_for("Approve this? y: yes")
        terminal.press("n")
        terminal.wait_for("Not approved.")
        self.assertEqual(self.status(purchase), "awaiting_approval")
        terminal.press("ay")
        terminal.wait_for("is approved.")
        self.assertEqual(self.status(purchase), "approved")

    def test_the_daemon_goes(self):
        terminal = self.watch()
        self.home.kill()
        self.left(terminal, 1)
        self.assertEqual(terminal.screen.main_text.count("\n"), 1)
        self.assertIn("popvaultd does not answer", terminal.screen.main_text)

    def test_it_does_not_keep_asking(self):
        """Events bring what is new; in between the daemon is left alone."""
        self.ask()
        terminal = self.watch()
        terminal.wait_for("1 waits")
        pid = subprocess.Popen(["strace", "-f", "-s", "2000", "-e", "trace=sendmsg,sendto,write", "-o", os.path.join(self.home.base, "trace"),
                                "-p", str(terminal.pid)], stderr=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(os.path.join(self.home.base, "trace")), "strace")
        end = time.monotonic() + 3
        while time.monotonic() < end:
            terminal.read(0.2)
        pid.terminate()
        pid.wait()
        with open(os.path.join(self.home.base, "trace"), encoding="utf-8") as file:
            trace = file.read()
        self.assertIn(" left", trace)  # the countdown: it was looked at
        self.assertNotIn("purchase.list", trace)


class Terminals(WatchCase):
    def test_signals(self):
        self.ask()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(signal=number):
                terminal = self.watch()
                terminal.wait_for("1 waits")
                terminal.signal(number)
                self.left(terminal, -number)

    def test_ctrl_c(self):
        self.ask()
        terminal = self.watch()
        terminal.wait_for("1 waits")
        terminal.press("\x03")
        self.left(terminal, -signal.SIGINT)

    def test_ctrl_c_at_the_passphrase(self):
        purchase = self.ask()
        terminal = self.watch()
        terminal.wait_for("1 waits")
        terminal.press("a")
        terminal.wait_for("Passphrase to approve this")
        terminal.press(PASSPHRASE[:5] + "\x03")
        self.left(terminal, -signal.SIGINT)
        self.assertEqual(self.status(purchase), "awaiting_approval")

    def test_the_terminal_goes_away(self):
        terminal = self.watch()
        terminal.hang_up()
        wait_until(terminal.ended, "its end")

    def test_ctrl_z_and_on(self):
        self.ask()
        terminal = self.terminal(argv=(sys.executable, "-c", SHELL))
        terminal.wait_for("1 waits")
        terminal.press("\x1a")
        terminal.wait_for("stopped, echo True")
        self.assertFalse(terminal.screen.alternate)
        self.assertTrue(terminal.screen.cursor_shown)
        terminal.press("\n")
        terminal.wait_for("1 waits")
        self.assertTrue(terminal.screen.alternate)
        self.assertFalse(terminal.settings()[3] & termios.ECHO)
        terminal.press("q")
        self.assertEqual(terminal.finish(), 0)
        self.assertEqual(terminal.settings(), terminal.settings_before)

    def test_resize(self):
        for _ in range(5):
            self.ask()
        terminal = self.watch()
        terminal.wait_for("5 wait")
        for rows, columns in ((40, 120), (10, 41), (24, 80)):
            terminal.resize(rows, columns)
            terminal.wait_for(lambda screen: "5 wait" in screen.lines()[0] and screen.lines()[-1].startswith("j/k"))
        terminal.resize(5, 20)
        terminal.wait_for("Enlarge the")
        terminal.resize(24, 80)
        terminal.wait_for("5 wait")
        self.assertEqual(terminal.screen.scrolled, 0)
        terminal.press("q")
        self.left(terminal, 0)

    def test_fifty(self):
        for number in range(50):
            self.ask("Number %d." % number)
        terminal = self.watch()
        terminal.wait_for("50 wait")
        terminal.wait_for(lambda screen: screen.lines()[1].startswith("> "))
        seen = []
        for _ in range(50):
            row = next(row for row, line in enumerate(terminal.screen.lines()) if line.startswith("> "))
            seen.append(terminal.screen.lines()[row + 1])
            terminal.press("j")
            if len(seen) < 50:
                terminal.wait_for(lambda screen: [line[:1] for line in screen.lines()].count(">") == 1 and
                                  screen.lines()[next(row for row, line in enumerate(screen.lines()) if line[:1] == ">") + 1] not in seen)
        self.assertEqual({line.rsplit(": ")[1] for line in seen}, {"Number %d." % number for number in range(50)})
        last = seen[-1]
        terminal.press("\x1b[5~" * 9)
        terminal.wait_for(lambda screen: screen.lines()[2] == seen[0])
        terminal.press("G")
        terminal.wait_for(lambda screen: last in screen.lines())
        self.assertEqual(terminal.screen.scrolled, 0)

    def test_hostile_text(self):
        self.ask(HOSTILE)
        terminal = self.watch()
        terminal.wait_for("1 waits")
        terminal.press("\r")
        terminal.wait_for("it says:")
        self.assertIn("\\u{202E}elpmaxe\\u{200B}\\u{65E5}\\u{672C}e\\u{0301}\\u{1F600}\\u{05E9}", re.sub(r"\s", "", terminal.screen.text()))
        self.assertTrue(terminal.screen.raw.isascii())
        terminal.press("q")
        self.left(terminal, 0)

    def test_where_it_cannot_be(self):
        """One line that names what can be used instead."""
        for name, run in (("no terminal", lambda: self.home.run("approvals", "--watch", json_output=False)),
                          ("json", lambda: self.home.run("approvals", "--watch"))):
            with self.subTest(name):
                answer = run()
                self.assertEqual(answer.code, 2)
                self.assertEqual(answer.err.count("\n"), 1)
                self.assertIn("popvault approvals", answer.err)
        terminal = self.terminal(TERM="dumb")
        self.assertEqual(terminal.finish(), 2)
        self.assertIn("popvault approvals lists them once", terminal.screen.main_text)
        self.assertEqual(terminal.screen.switches, 0)
        self.home.cli("lock")
        locked = self.terminal()
        self.assertEqual(locked.finish(), 3)
        self.assertEqual(locked.screen.switches, 0)


class Expiry(WatchCase):
    def setUp(self):
        folder = tempfile.mkdtemp(prefix="pv-clock-", dir="/tmp")
        self.addCleanup(lambda: subprocess.run(["rm", "-r", folder], check=True))
        self.ahead = os.path.join(folder, "ahead")
        source, library = os.path.join(folder, "clock.cpp"), os.path.join(folder, "clock.so")
        with open(source, "w", encoding="ascii") as file:
            file.write(CLOCK)
        subprocess.run(["g++", "-shared", "-fPIC", "-w", "-DCLOCK_FILE=\"%s\"" % self.ahead, "-o", library, source, "-ldl"], check=True)
        self.preload = {"LD_PRELOAD": library}
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start(env=self.home.env(**self.preload))
        self.home.make_vault()
        self.home.card = self.home.add_card()
        self.home.key = self.home.add_agent("helper")["key"]
        self.home.set_policy("helper")

    def test_expiry_while_it_is_shown(self):
        purchase = self.ask()
        terminal = self.watch(**self.preload)
        terminal.wait_for("1 waits")
        with open(self.ahead + ".new", "w", encoding="ascii") as file:
            file.write("597")
        os.rename(self.ahead + ".new", self.ahead)
        terminal.wait_for(lambda screen: re.search(r" 0:0\d left", screen.text()) or "expired" in screen.text())
        terminal.wait_for("What was chosen is expired.")
        terminal.wait_for("nothing waits for you")
        self.assertEqual(self.status(purchase), "expired")
        terminal.press("q")
        self.left(terminal, 0)


if __name__ == "__main__":
    unittest.main()
