"""`popvault reveal`: values on the alternate screen for 30 seconds and nowhere else.

What a person sees is looked at on a terminal of its own (support/terminal.py), against a daemon that plays its part of
docs/PROTOCOL.md and gives out any values, also such as no vault would take; then against the real daemon, three times an
hour."""

import array
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import scan
from support.home import CARD, PASSPHRASE, Home
from support.programs import program
from support.rpc import bundle
from support.terminal import Screen, Terminal

RFC3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
GROUPED = "4242 4242 4242 4242"
ID = "crd_aaaaaaaaaaaaaaaaaaaaaaaaaa"


class FakeDaemon(threading.Thread):
    """owner.sock of a home: an unlocked vault with one record."""

    def __init__(self, home, kind, label, fields, send_bundle=True):
        super().__init__(daemon=True)
        self.home, self.kind, self.label, self.fields = home, kind, label, fields
        self.send_bundle = send_bundle
        self.methods = []
        os.makedirs(home.runtime, 0o700, exist_ok=True)
        os.chmod(home.path, 0o700)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if os.path.exists(home.owner_socket):
            os.unlink(home.owner_socket)
        self.listener.bind(home.owner_socket)
        os.chmod(home.owner_socket, 0o600)
        self.listener.listen(4)
        self.start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer, peer.makefile("rb") as lines:
                for line in lines:
                    self.answer(peer, json.loads(line))

    def answer(self, peer, request):
        method, params = request["method"], request.get("params", {})
        self.methods.append(method)
        rights, fd = [], -1
        view = {"id": ID, "kind": self.kind, "label": self.label, "alias": "tok_x", "brand": "", "last4": "",
                "masked": "", "expired": False}
        if method == "owner.hello":
            result = {"home": self.home.path, "mode": "passphrase", "state": "unlocked", "vault": "vlt_1", "version": "0"}
        elif method == "proof.challenge":
            now = int(time.time())
            challenge = {"domain": "popvault-owner-proof-v1", "issued_at": now, "expires_at": now + 120,
                         "nonce": "0" * 64, "purpose": params["purpose"],
                         "request_hash": params["request_hash"], "vault": "vlt_1"}
            result = {"challenge": json.dumps(challenge, sort_keys=True, separators=(",", ":"))}
        elif method == "record.reveal":
            result = {"id": ID, "kind": self.kind, "label": self.label, "fields": sorted(self.fields), "left": 2}
            if self.send_bundle:
                fd = bundle(self.fields)
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        else:
            result = view
        line = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}) + "\n"
        peer.sendmsg([line.encode()], rights)
        if fd >= 0:
            os.close(fd)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.join(10)
        os.unlink(self.home.owner_socket)


class Case(unittest.TestCase):
    def reveal(self, record=ID, *more, passphrase=PASSPHRASE, rows=24, columns=80, **env):
        """The terminal with `popvault reveal` after the passphrase was typed."""
        terminal = Terminal([program("popvault"), "reveal", record, *more], self.home.env(TERM="xterm", **env), rows, columns)
        self.addCleanup(terminal.close)
        terminal.wait_for(lambda screen: "assphrase" in screen.main_text)
        terminal.press(passphrase + "\n")
        return terminal

    def seen(self, *arguments, **options):
        """The same, when the values are there."""
        terminal = self.reveal(*arguments, **options)
        terminal.wait_for("Gone in")
        return terminal

    def nothing_left(self, terminal, secrets):
        """After the end: settings, cursor and screen are as they were, and the values are nowhere but were there."""
        screen = terminal.screen
        self.assertFalse(screen.alternate)
        self.assertTrue(screen.cursor_shown and screen.wrap)
        self.assertEqual(screen.left_behind, "", "the alternate screen was not wiped")
        self.assertEqual(screen.scrolled, 0)
        self.assertEqual(screen.switches, 2)
        self.assertEqual(terminal.settings(), terminal.settings_before)
        self.assertNotIn(b"\x1b[2J", screen.raw)
        self.assertNotIn(b"\x1b[3J", screen.raw)
        for value in secrets:
            self.assertIn(value.encode(), screen.raw, "the control: it was shown")
            self.assertNotIn(value, screen.main_text)
            self.assertNotIn(value, screen.text())
        self.assertNotIn(PASSPHRASE.encode(), screen.raw)


class Looks(Case):
    def setUp(self):
        self.home = Home()
        os.mkdir(self.home.path)
        self.addCleanup(self.home.remove)
        self.fake = None

    def play(self, kind="card", label="Everyday", fields=None, **options):
        self.fake = FakeDaemon(self.home, kind, label, fields or CARD, **options)
        self.addCleanup(self.fake.stop)

    def test_a_card(self):
        self.play()
        terminal = self.seen()
        self.assertTrue(terminal.screen.alternate)
        self.assertFalse(terminal.screen.cursor_shown)
        self.assertFalse(terminal.settings()[3] & (termios.ECHO | termios.ICANON | termios.ISIG))
        lines = terminal.screen.lines()
        self.assertEqual(lines[0], "Everyday (card, %s)" % ID)
        self.assertEqual(lines[2:7], ["number: " + GROUPED, "exp_month: 12", "exp_year: 2034", "cvv: 123",
                                      "holder: Ada Lovelace"])
        self.assertRegex(lines[23], "^Gone in [0-9]+ s, or at any key.$")
        terminal.press("x")
        self.assertEqual(terminal.finish(), 0)
        self.nothing_left(terminal, [GROUPED, "Ada Lovelace", "Gone in"])
        after = terminal.screen.main_text.replace("\r", "").split("\n")
        self.assertEqual(after[1:], ["revealed Everyday (%s)" % ID, ""])
        self.assertEqual(self.fake.methods, ["owner.hello", "record.show", "proof.challenge", "record.reveal"])

    def test_after_30_seconds(self):
        self.play("api_key", fields={"key": "sk-test-1"})
        terminal = self.seen()
        begin = time.monotonic()
        terminal.wait_for("Gone in 27 s")
        self.assertEqual(terminal.finish(), 0)
        self.assertAlmostEqual(time.monotonic() - begin, 30, delta=2)
        self.nothing_left(terminal, ["sk-test-1"])

    def test_keys(self):
        self.play()
        for keys in (" ", "\n", "\x03", "\x1a", "\x1c", "\x04", "\x1b[A", "\x13", "x" * 100):
            with self.subTest(keys=keys):
                terminal = self.seen()
                terminal.press(keys)
                self.assertEqual(terminal.finish(10), 0)
                self.nothing_left(terminal, [GROUPED])

    def test_signals(self):
        self.play()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(number=number):
                terminal = self.seen()
                terminal.signal(number)
                self.assertEqual(terminal.finish(10), -number)
                self.nothing_left(terminal, [GROUPED])

    def test_it_cannot_be_stopped_meanwhile(self):
        self.play()
        terminal = self.seen()
        for number in (signal.SIGTSTP, signal.SIGTTOU, signal.SIGTTIN):
            terminal.signal(number)
        time.sleep(0.5)
        with open("/proc/%d/stat" % terminal.pid, encoding="ascii") as file:
            self.assertNotEqual(file.read().rsplit(")", 1)[1].split()[0], "T")
        terminal.wait_for("Gone in 28 s")
        # The stop takes effect when the screen is gone.
        terminal.press("x")
        terminal.wait_for(lambda screen: not screen.alternate)
        terminal.signal(signal.SIGCONT)
        terminal.finish(10)
        self.nothing_left(terminal, [GROUPED])

    def test_the_terminal_goes_away(self):
        self.play()
        terminal = self.seen()
        terminal.hang_up()
        end = time.monotonic() + 10
        while not terminal.ended() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertTrue(terminal.ended())

    def test_a_login_with_its_code(self):
        # RFC 6238 appendix B's seed; the code itself is computed in the unit tests.
        self.play("login", "Mail", {"origin": "https://mail.example", "username": "ada", "password": "correct horse",
                                    "totp": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "totp_period": "2"})
        terminal = self.seen()
        self.assertIn("password: correct horse", terminal.screen.text())
        codes = set()
        end = time.monotonic() + 5
        while time.monotonic() < end:
            terminal.read(0.1)
            found = re.search(r"^code now: (\d{6}) \([12] s\)$", terminal.screen.text(), re.M)
            if found:
                codes.add(found.group(1))
        self.assertGreaterEqual(len(codes), 3, "a new one every two seconds")
        terminal.press("q")
        self.assertEqual(terminal.finish(), 0)
        self.nothing_left(terminal, ["correct horse", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", *codes])

    def test_nothing_in_ordinary_memory(self):
        fields = {"origin": "https://mail.example", "username": "ada.of.the.canary", "password": "canary of the password 1",
                  "totp": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}
        needles = {}
        for name in ("username", "password", "totp"):
            needles.update(scan.spellings(name, fields[name]))
        needles.update(scan.spellings("seed", b"12345678901234567890"))
        self.play("login", "Mail", fields)
        terminal = self.seen()
        time.sleep(1.5)
        found = scan.scan_process(terminal.pid, needles)
        self.assertNotEqual(scan.scan_process(terminal.pid, scan.spellings("id", ID)), [], "the control")
        if found.unreadable == 0:
            self.skipTest("this kernel has no memfd_secret: root reads all")
        self.assertEqual(found, [])
        terminal.press("x")
        self.assertEqual(terminal.finish(), 0)

    def test_values_that_play_with_the_terminal(self):
        self.play("login", "L\u202egool", {
            "username": "a\x1b[?1049l\x1b]0;x\x07b", "password": b"\xff\xc3(\r\nback\\slash\x9b1m",
            "origin": "\u202e\u200b\ufeff\U000e0041 \u00e9\u4e2d"})
        terminal = self.seen()
        text = terminal.screen.text()
        self.assertIn("L\\u{202E}gool (login", text)
        self.assertIn("username: a\\u{001B}[?1049l\\u{001B}]0;x\\u{0007}b", text)
        self.assertIn("password: \\x{FF}\\x{C3}(\\u{000D}\\u{000A}back\\slash\\x{9B}1m", text)
        self.assertIn("origin: \\u{202E}\\u{200B}\\u{FEFF}\\u{E0041} \u00e9\u4e2d", text)
        terminal.press("x")
        self.assertEqual(terminal.finish(), 0)
        self.nothing_left(terminal, ["back\\slash"])

    def test_small_windows_never_scroll(self):
        self.play("api_key", fields={"key": "k" * 3000})
        for rows, columns in ((5, 40), (1, 80), (24, 8), (2, 2), (24, 80)):
            with self.subTest(rows=rows, columns=columns):
                terminal = self.reveal(rows=rows, columns=columns)
                terminal.wait_for(lambda screen: screen.alternate and screen.text())
                time.sleep(1.2)
                terminal.press("x")
                self.assertEqual(terminal.finish(), 0)
                self.nothing_left(terminal, [])
                self.assertNotIn("kk", terminal.screen.main_text)

    def test_the_window_is_resized(self):
        self.play("api_key", fields={"key": "k" * 3000})
        terminal = self.seen()
        self.assertIn("Not all fits", terminal.screen.text())
        terminal.resize(60, 100)
        terminal.wait_for("Gone in")
        self.assertEqual(terminal.screen.text().count("k") - terminal.screen.text().count("key"), 3000)
        self.assertNotIn("Not all fits", terminal.screen.text())
        terminal.press("x")
        self.assertEqual(terminal.finish(), 0)
        self.nothing_left(terminal, ["kkkk"])

    def test_json_has_names_only(self):
        self.play()
        terminal = self.seen(ID, "--json")
        terminal.press("x")
        self.assertEqual(terminal.finish(), 0)
        self.nothing_left(terminal, [GROUPED])
        line = terminal.screen.main_text.replace("\r", "").split("\n")[1]
        self.assertEqual(json.loads(line), {"id": ID, "kind": "card", "fields": sorted(CARD)})

    def test_a_reply_without_values(self):
        self.play(send_bundle=False)
        terminal = self.reveal()
        self.assertEqual(terminal.finish(), 1)
        self.assertEqual(terminal.screen.switches, 0)

    def test_only_on_a_terminal(self):
        self.play()
        for more in ((), ("--json",)):
            answer = self.home.run("reveal", ID, *more, passphrase=PASSPHRASE, json_output=False)
            self.assertEqual((answer.code, answer.out), (2, ""))
            self.assertIn("terminal", answer.err)
        self.assertEqual(self.home.run("reveal", ID, passphrase=PASSPHRASE).reason, "usage")
        # Standard output is a file, although there is a terminal.
        path = os.path.join(self.home.base, "out")
        script = "exec %s reveal %s > %s" % (program("popvault"), ID, path)
        terminal = Terminal(["/bin/sh", "-c", script], self.home.env(TERM="xterm"))
        self.addCleanup(terminal.close)
        self.assertEqual(terminal.finish(), 2)
        self.assertIn("standard output", terminal.screen.main_text)
        dumb = Terminal([program("popvault"), "reveal", ID], self.home.env(TERM="dumb"))
        self.addCleanup(dumb.close)
        self.assertEqual(dumb.finish(), 2)
        self.assertEqual(self.fake.methods, [], "nobody was asked")

    def test_standard_output_is_the_terminal(self):
        """Nothing else is: the passphrase comes from a pipe, and there is no controlling terminal."""
        self.play()
        master, slave = pty.openpty()
        child = subprocess.Popen([program("popvault"), "reveal", ID, "--passphrase-fd", "0"], stdin=subprocess.PIPE,
                                 stdout=slave, stderr=subprocess.PIPE, env=self.home.env(), start_new_session=True)
        os.close(slave)
        child.stdin.write(PASSPHRASE.encode())
        child.stdin.close()
        screen, pressed = Screen(), False
        while True:
            try:
                data = os.read(master, 4096)
            except OSError:
                break
            screen.feed(data)
            if not pressed and "Gone in" in screen.text():
                self.assertIn(GROUPED, screen.text())
                os.write(master, b"x")
                pressed = True
        os.close(master)
        self.assertEqual((child.wait(30), child.stderr.read()), (0, b""))
        child.stderr.close()
        self.assertTrue(pressed)
        self.assertEqual((screen.left_behind, screen.main_text), ("", "revealed Everyday (%s)\r\n" % ID))

    def test_control_the_screen_notices(self):
        screen = Screen(3, 10)
        screen.feed(b"before\x1b[?1049h\x1b[Hsecret\r\n\r\n\r\nx\x1b[?1049l")
        self.assertEqual((screen.main_text, screen.text(), screen.scrolled), ("before", "before", 1))
        self.assertIn("x", screen.left_behind)
        with self.assertRaises(AssertionError):
            screen.feed(b"\x1b[3J")
        with self.assertRaises(AssertionError):
            screen.feed("\x9b".encode())


class Rates(Case):
    """With the real daemon: three an hour, and the fourth is told when."""

    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.make_vault()

    def refused(self, record):
        terminal = self.reveal(record)
        self.assertEqual(terminal.finish(), 1)
        self.assertEqual(terminal.screen.switches, 0)
        text = terminal.screen.main_text.replace("\r", "")
        self.assertIn("too many requests", text)
        found = re.findall(RFC3339, text)
        self.assertEqual(len(found), 1, text)
        return found[0]

    def kinds(self):
        with self.home.owner() as owner:
            rows = owner.call("audit.list", limit=1000)["rows"]
        return [row["kind"] for row in rows]

    def test_three_an_hour_and_over_a_restart(self):
        card = self.home.add_card()
        login = self.home.cli("add", "login", "--label", "Mail", fields={
            "origin": "https://mail.example", "username": "ada", "password": "correct horse battery",
            "totp": "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=8"}).json
        begin = time.time()
        # Wrong passphrases cost nothing.
        wrong = self.reveal(card["id"], passphrase="not the passphrase")
        self.assertEqual(wrong.finish(), 1)
        self.assertEqual(wrong.screen.switches, 0)
        for record, value in ((card["id"], GROUPED), (login["id"], "correct horse battery"), (card["alias"], GROUPED)):
            terminal = self.seen(record)
            self.assertIn(value, terminal.screen.text())
            terminal.press("x")
            self.assertEqual(terminal.finish(), 0)
            self.nothing_left(terminal, [value])
        self.assertEqual(self.kinds().count("record_revealed"), 3)
        at = self.refused(card["id"])
        seconds = time.mktime(time.strptime(at, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone - begin
        self.assertTrue(3500 < seconds < 3700, at)
        self.assertEqual(self.refused(login["id"]), at)
        self.home.restart()
        self.home.unlock()
        self.assertEqual(self.refused(card["id"]), at)
        self.assertEqual(self.kinds().count("record_revealed"), 3)
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])
        needles = {**scan.card_needles(CARD["number"], holder=CARD["holder"]),
                   **scan.spellings("password", "correct horse battery"),
                   **scan.spellings("seed", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")}
        self.assertEqual(scan.scan_tree(self.home.base, needles), [])

    def test_nobody_but_the_owner(self):
        card = self.home.add_card()
        key = self.home.add_agent("helper")["key"]
        with self.home.agent(key) as agent:
            self.assertEqual(agent.refusal("record.reveal", id=card["id"]), "unknown_method")
        with self.home.owner() as owner:
            self.assertEqual(owner.refusal("record.reveal", id=card["id"]), "proof_required")
        self.home.cli("lock")
        locked = Terminal([program("popvault"), "reveal", card["id"]], self.home.env(TERM="xterm"))
        self.addCleanup(locked.close)
        self.assertEqual(locked.finish(), 3)
        self.assertNotIn("assphrase", locked.screen.main_text.replace("Passphrase to unlock", ""))

    def test_unknown(self):
        terminal = Terminal([program("popvault"), "reveal", ID], self.home.env(TERM="xterm"))
        self.addCleanup(terminal.close)
        self.assertEqual(terminal.finish(), 4)


if __name__ == "__main__":
    unittest.main()
