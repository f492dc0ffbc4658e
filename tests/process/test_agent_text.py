"""What an agent wrote, as its owner sees it: no control, no bidirectional, no invisible character reaches a terminal, a list, a
journal or JSON output; origins are ASCII."""

import json
import os
import pty
import select
import sys
import unicodedata
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import programs
from support.agent_process import AgentProcess, other_program
from support.home import PASSPHRASE, Home
from support.rpc import Client, RpcError

SHOP = "https://shop.example"
TRICKS = {
    "colour": "\x1b[31mred\x1b[0m",
    "clear screen": "\x1b[2J\x1b[H",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;b3duZWQ=\x07",
    "device": "\x1bP$q\"p\x1b\\",
    "carriage return": "50.00 USD\r05.00 USD",
    "backspace": "500\b\b\b5",
    "nul": "a\0b",
    "delete": "a\x7fb",
    "new line": "a\nmerchant: https://bank.example",
    "c1 csi": "\x9b31m",
    "c1 osc": "\x9d0;owned\x9c",
    "next line": "a\u0085b",
    "right to left override": "\u202e00.05 DSU",
    "left to right override": "\u202da\u202c",
    "embedding": "\u202aa\u202bb\u202c",
    "isolates": "\u2066a\u2067b\u2068c\u2069",
    "marks": "a\u200eb\u200fc\u061c",
    "zero width": "pay\u200bpal\u200c\u200d\ufeff",
    "word joiner": "a\u2060b",
    "soft hyphen": "a\u00adb",
    "invisible operators": "a\u2061\u2062\u2063b",
    "line separators": "a\u2028b\u2029c",
    "tags": "a\U000e0041\U000e007f",
    "variation": "a\ufe0f\U000e0100",
    "fillers": "a\u3164b\u115fc\uffa0",
    "private": "a\ue000\U000f0000",
    "not a character": "a\ufffe\U0001ffff",
    "wide space": "a\u3000b\u2003c\u00a0d",
}
# As bytes of a message: no UTF-8 at all.
BROKEN = {
    "overlong slash": b"\xc0\xaf",
    "overlong escape": b"\xc0\x9b[31m",
    "overlong in three": b"\xe0\x80\x9b",
    "surrogate": b"\xed\xa0\x80",
    "above the last": b"\xf4\x90\x80\x80",
    "lone continuation": b"\x9b31m",
    "cut off": b"\xe2\x80",
    "bare byte": b"\xff",
}
NEVER = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
INVISIBLE = set("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0\u2800\u00a0\u3000") | {
    chr(point) for point in (*range(0x2000, 0x200b), *range(0xfe00, 0xfe10), *range(0xe0100, 0xe01f0))}


def unsafe(data, allowed="\n"):
    """The characters (or the bytes) that must not be printed."""
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        return {"not UTF-8 at byte %d" % error.start}
    return {"U+%04X" % ord(char) for char in text
            if char not in allowed and (unicodedata.category(char) in NEVER or char in INVISIBLE)}


class TheChecker(unittest.TestCase):
    def test_control(self):
        """It finds every trick, and passes what people write."""
        for name, text in TRICKS.items():
            with self.subTest(name=name):
                self.assertTrue(unsafe(text.replace("\n", "\x0b")))
        for name, data in BROKEN.items():
            with self.subTest(name=name):
                self.assertTrue(unsafe(b"a" + data + b"b"))
        self.assertEqual(unsafe("Bücher für 5 € – 本 \\u{202E}\n"), set())


class AgentText(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.home.start()
        cls.home.make_vault()
        cls.card = cls.home.add_card()
        cls.agents = {}

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    def key(self, name):
        """A new agent, which has its own limits."""
        if name not in self.agents:
            self.agents[name] = self.home.add_agent(name)["key"]
            self.home.set_policy(name, per_day="90000.00")
        return self.agents[name]

    def request(self, agent, **change):
        return agent.call("purchase.request", **{**{
            "record": self.card["id"], "amount_minor": 100, "currency": "USD", "merchant_origin": SHOP, "reason": "x",
            "idempotency_key": os.urandom(8).hex()}, **change})

    def outputs(self):
        """(what, bytes) of everything that shows what an agent wrote."""
        for args in (("approvals",), ("purchases", "--limit", "100"), ("audit", "list", "--limit", "1000"), ("agent", "list"),
                     ("status",), ("policy", "show", next(iter(self.agents), "none"))):
            for json_output in (False, True):
                answer = self.home.run(*args, json_output=json_output)
                yield " ".join(args), (answer.out + answer.err).encode("utf-8", "surrogateescape")

    def check(self, marks=()):
        seen = b""
        for what, data in self.outputs():
            self.assertEqual(unsafe(data), set(), what)
            seen += data
        for mark in marks:
            self.assertIn(mark.encode(), seen)  # the control: it was shown
        with open(self.home.log, "rb") as log:
            self.assertEqual(unsafe(log.read()), set())

    def test_reason(self):
        with self.home.agent(self.key("reason")) as agent:
            shown = []
            for name, text in TRICKS.items():
                mark = "MARK-%s-" % name.replace(" ", "-")
                try:
                    self.request(agent, reason=mark + text)
                    shown.append(mark)
                except RpcError as error:
                    self.assertEqual(error.reason, "invalid_field", name)
                    self.assertEqual(unsafe(json.dumps(error.error, ensure_ascii=False)), set(), name)
            self.assertGreater(len(shown), 15)
            self.check(shown)
            for purchase in self.home.cli("approvals").json:
                self.home.cli("deny", purchase["purchase"])

    def test_page_url(self):
        with self.home.agent(self.key("page")) as agent:
            for name, text in TRICKS.items():
                with self.assertRaises(RpcError, msg=name) as caught:
                    self.request(agent, page_url=SHOP + "/" + text)
                self.assertEqual(caught.exception.reason, "invalid_field", name)
                self.assertEqual(unsafe(json.dumps(caught.exception.error, ensure_ascii=False)), set(), name)
            self.assertEqual(self.request(agent, page_url=SHOP + "/MARK-page?q=%1b[31m%E2%80%AE")["status"],
                             "awaiting_approval")
        self.check(["MARK-page"])

    def test_idempotency_key_and_client(self):
        key = self.key("keys")
        for name, text in TRICKS.items():
            with Client(self.home.agent_socket) as agent:
                agent.call("session.hello", agent_key=key, client=text[:16])
                self.request(agent, idempotency_key="MARK" + text[:16], amount_minor=1)
                for purchase in self.home.cli("approvals").json:
                    self.home.cli("deny", purchase["purchase"])
        self.check()

    def test_other_parameters_come_back_in_no_error(self):
        with self.home.agent(self.key("others")) as agent:
            for name, text in TRICKS.items():
                for method, params in (("purchase.status", {"purchase": text}), ("credentials.get", {"alias": text}),
                                       ("purchase.request", {text: 1}), (text[:60], {})):
                    agent.start(method, params)
                    error = agent.reply()["error"]
                    self.assertEqual(unsafe(json.dumps(error, ensure_ascii=False)), set(), (name, method))

    def test_broken_utf8(self):
        key = self.key("broken")
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "purchase.request", "params": {
            "record": self.card["id"], "amount_minor": 100, "currency": "USD", "merchant_origin": SHOP, "reason": "HERE",
            "idempotency_key": "broken"}}).encode()
        for name, data in BROKEN.items():
            with self.home.agent(key) as agent:
                self.assertEqual(agent.raw(line.replace(b"HERE", b"a" + data))["error"]["data"]["reason"], "parse_error", name)
        for escape in (b"\\ud800", b"\\udc00\\ud800", b"\\u"):  # as escapes of JSON
            with self.home.agent(key) as agent:
                self.assertEqual(agent.raw(line.replace(b"HERE", escape))["error"]["data"]["reason"], "parse_error", escape)
        with self.home.agent(key) as agent:  # the control
            self.assertIn("result", agent.raw(line))
        self.check()

    def test_origins_are_ascii(self):
        with self.home.agent(self.key("origins")) as agent:
            for origin in ("https://bücher.example", "https://shоp.example", "https://shop。example", "https://ｓhop.example",
                           "https://shop.example\u202e", "https://sh\u200bop.example", "https://SHOP.example",
                           "https://shop%2eexample", "https://user@shop.example", "https://shop.example\x1b[31m",
                           "https://shop.example/#\u202e"):
                with self.assertRaises(RpcError, msg=origin) as caught:
                    self.request(agent, merchant_origin=origin)
                self.assertEqual(caught.exception.reason, "invalid_field", origin)
                self.assertTrue(json.dumps(caught.exception.error, ensure_ascii=False).isascii(), origin)
            # An IDN's one spelling; denied, since the policy does not name it, and shown as it is.
            self.assertEqual(self.request(agent, merchant_origin="https://xn--bcher-kva.example")["status"], "denied")
        out = self.home.cli("purchases", "--limit", "100", json_output=False).out
        self.assertIn("https://xn--bcher-kva.example", out)
        self.check()

    def test_the_programs_path(self):
        """A program may be called what its maker likes."""
        folder = os.path.join(self.home.base, "\x1b[31m\u202eMARK-path\u200b")
        os.mkdir(folder)
        key = self.key("program")
        for name in ("agent\n--approve", "agent\x9b\x07"):
            program = other_program(folder, name)
            with AgentProcess(self.home.agent_socket, program) as agent, self.home.agent(key):
                agent.call("session.hello", agent_key=key, client="x")
                self.request(agent)
        program = other_program(os.fsencode(folder).decode("utf-8", "surrogateescape"), os.fsdecode(b"agent\xff\xc0\x9b"))
        with AgentProcess(self.home.agent_socket, program) as agent:
            agent.call("session.hello", agent_key=key, client="x")
            self.request(agent)
        self.check(["MARK-path"])

    def test_before_the_passphrase(self):
        """What `approve` shows on the terminal, raw."""
        with self.home.agent(self.key("approve")) as agent:
            asked = self.request(agent, reason="MARK-approve " + "".join(
                text for text in TRICKS.values() if not any(ord(char) < 0x20 or ord(char) == 0x7f for char in text))[:60])
        pid, master = pty.fork()
        if pid == 0:
            os.execve(programs.program("popvault"), ["popvault", "approve", asked["purchase"]], self.home.env())
        shown = b""
        sent = False
        try:
            while select.select([master], [], [], 30)[0]:
                data = os.read(master, 4096)
                shown += data
                if not sent and b"assphrase" in shown:
                    os.write(master, PASSPHRASE.encode() + b"\n")
                    sent = True
        except OSError:
            pass
        finally:
            os.close(master)
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0, shown)
        self.assertIn(b"MARK-approve", shown)
        self.assertEqual(unsafe(shown, "\r\n"), set())


if __name__ == "__main__":
    unittest.main()
