"""popvault-injector behind the real guard: wire and sealed, with an agent's client at the guard's endpoint. No daemon.

    POPVAULT_BUILD=build/dev python3 tests/e2e/test_wire_guarded.py
"""

import os
import socket
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, HERE)

import test_wire as attached  # noqa: E402
from support import injector as inj  # noqa: E402
from support.cdp import Browser, CdpError  # noqa: E402
from support.guard import Guard, InjectorStream  # noqa: E402
from support.home import wait_until  # noqa: E402


class GuardedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shop, cls.psp, cls.evil = attached.Host("shop"), attached.Host("psp"), attached.Host("evil")
        for host in (cls.shop, cls.psp):
            host.psp, host.elsewhere = cls.psp.origin, cls.evil.origin
        cls.shop.pages["/pay"] = attached.FIELDS % ""
        cls.shop.pages["/submit"] = attached.FIELDS % "json({})"
        cls.shop.pages["/framed"] = attached.FRAMED
        # The frame posts by itself when its button is pressed, and leaves then.
        cls.psp.pages["/fields"] = attached.FIELDS % "json({}).then(() => location.replace('/done'))"
        cls.psp.pages["/done"] = "<!doctype html><title>Done</title>"
        cls.guard = Guard(processors=[cls.psp.origin])
        cls.agent = Browser(cls.guard.port)

    @classmethod
    def tearDownClass(cls):
        cls.agent.close()
        cls.guard.stop()
        for host in (cls.shop, cls.psp, cls.evil):
            host.shutdown()
            host.server_close()

    def setUp(self):
        for host in (self.shop, self.psp, self.evil):
            host.received.clear()
            host.mode, host.gate = "", None

    def open(self, strength):
        job, stream, pipe = self.guard.open(strength)
        self.addCleanup(self.guard.close, job)
        return stream, pipe

    def wire(self, path, act=None, **options):
        page = self.agent.open(self.shop.origin + path)
        self.addCleanup(page.close)
        self.page = page

        def armed():
            if act:
                page.call("Runtime.evaluate", expression="void (%s)" % act)
        return inj.fill_by_wire(attached.PROGRAM, None, page.target_id, [self.shop.origin, self.psp.origin],
                                attached.NO_HOLDER, armed, guard=self.open("wire"), strength="wire", guarded=True,
                                recipes=[attached.recipe(self.psp.origin)], accounts=[attached.ACCOUNT],
                                by_target_id=True, **options)

    def test_wire(self):
        for kind in ("json", "form", "multipart", "graphql"):
            with self.subTest(kind):
                self.psp.received.clear()
                answer = self.wire("/pay", "%s({})" % kind)
                self.assertEqual((answer.outcome, answer.typed, answer.said), ("filled", True, attached.HELD), answer)
                (_, headers, body), = self.psp.received
                self.assertEqual(int(headers["Content-Length"]), len(body))
                self.assertEqual(body.count(attached.CARD.encode()), 1)
                self.page.wait_for("answer")
                self.assertNotIn(attached.CARD, self.page.evaluate("answer + document.documentElement.outerHTML + value('number')"))

    def test_wire_submits(self):
        answer = self.wire("/submit", submit=True)
        self.assertEqual(answer.outcome, "filled", answer)

    def test_wire_in_a_frame_no_agent_reaches(self):
        answer = self.wire("/framed", submit=True)
        self.assertEqual((answer.outcome, answer.typed), ("filled", True), answer)
        self.assertEqual(self.psp.received[0][2].count(attached.CARD.encode()), 1)

    def test_wire_mismatch(self):
        answer = self.wire("/pay", "json({email: value('number')})")
        self.assertEqual((answer.outcome, answer.typed), ("recipe_mismatch", False), answer)

    def test_wire_large_body(self):
        """Over the pipe's capacity in one frame."""
        big = attached.json.loads(attached.recipe(self.psp.origin))
        big["requests"][0]["allow"] = [{"path": "email", "max": 65536}]
        page = self.agent.open(self.shop.origin + "/pay")
        self.addCleanup(page.close)
        answer = inj.fill_by_wire(
            attached.PROGRAM, None, page.target_id, [self.shop.origin], attached.NO_HOLDER,
            lambda: page.call("Runtime.evaluate", expression="void json({email: 'x'.repeat(60000)})"), guard=self.open("wire"),
            strength="wire", guarded=True, recipes=[attached.json.dumps(big)], accounts=[attached.ACCOUNT], by_target_id=True)
        self.assertEqual(answer.outcome, "filled", answer)
        self.assertEqual(len(self.psp.received[0][2].split(b"x" * 60000)), 2)

    def test_an_injector_that_is_gone_before_the_answer(self):
        """The answer is held, or on its way, or the request is still held: nothing is followed, and the page hears of a failure."""
        for when in ("held", "on its way", "asked"):
            with self.subTest(when):
                for host in (self.psp, self.evil):
                    host.received.clear()
                self.psp.mode, self.psp.gate = "redirect", threading.Event()
                page = self.agent.open(self.shop.origin + "/pay")
                stream, pipe = self.open("wire")
                injector = InjectorStream(stream, pipe)
                session = injector.attach(page.target_id)
                injector.call("Network.enable", session)
                injector.call("Fetch.enable", session, patterns=[{"urlPattern": self.psp.origin + "/*"}])
                page.evaluate("void (window.said = '', fetch(psp + '/v1/tokens', {method: 'POST', body: 'card'})"
                              ".then(() => said = 'answered', () => said = 'failed'))")
                held = injector.wait_event("Fetch.requestPaused")["params"]
                if when != "asked":
                    # As direct(), whose answer comes with that of the request.
                    number = injector.call("Popvault.begin")["id"]
                    os.write(pipe, attached.json.dumps({"id": number, "method": "Fetch.continueRequest", "sessionId": session, "params": {
                        "requestId": held["requestId"], "interceptResponse": True}}).encode() + b"\0")
                    injector.call("Popvault.end")
                if when == "held":
                    self.psp.gate.set()
                    injector.wait_event("Fetch.requestPaused")
                if when == "on its way":
                    wait_until(lambda: self.psp.received, "the request is at the processor")
                injector.close()
                if when == "on its way":
                    time.sleep(0.3)
                self.psp.gate.set()
                page.wait_for("said")
                self.assertEqual(page.evaluate("said"), "failed")
                time.sleep(0.3)
                self.assertEqual(len(self.psp.received), 0 if when == "asked" else 1)
                self.assertEqual(self.evil.received, [])
                page.close()

    def sealed(self, path=None, armed=None, target=None, hang_up=False, **options):
        """READY, the bundle, ARMED as the early word, then Done."""
        if path:
            self.page = self.agent.open(self.shop.origin + path)
            target = self.page.target_id
        options.setdefault("by_target_id", True)
        options.setdefault("origins", [self.shop.origin, self.psp.origin])
        options.setdefault("armed_ms", 1500)
        injector = inj.Injector(attached.PROGRAM, guard=self.open("sealed"))
        said = []
        try:
            injector.send_job(target, has_holder=False, guarded=True, strength="sealed", **options)
            while True:
                message = injector.receive()
                self.assertTrue(message, os.read(injector.log, 4096) if not message else "")
                said.append(message[0])
                if message[0] == inj.READY:
                    injector.send_bundle(attached.NO_HOLDER)
                elif message[0] == inj.ARMED:
                    if armed:
                        armed()
                    if hang_up:
                        injector.control.shutdown(socket.SHUT_WR)
                else:
                    answer = injector.answer(message)
                    answer.said = said[:-1]
                    return answer
        finally:
            injector.close()

    def test_sealed_in_a_frame(self):
        seen = []

        def armed():
            for method, params in (("Page.captureScreenshot", {}), ("Runtime.evaluate", {"expression": "1"}),
                                   ("DOMSnapshot.captureSnapshot", {"computedStyles": []})):
                try:
                    self.page.call(method, **params)
                    seen.append(method)
                except CdpError:
                    pass
        answer = self.sealed("/framed", armed)
        self.assertEqual((answer.outcome, answer.typed, answer.cleared), ("filled", True, True), answer)
        self.assertEqual(answer.said, [inj.READY, inj.ARMED])
        self.assertEqual(seen, [])
        # Unsealed again.
        end = time.monotonic() + 10
        while True:
            try:
                self.assertEqual(self.page.evaluate("1 + 1"), 2)
                break
            except CdpError:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.1)
        self.page.close()

    def test_sealed_submits_and_leaves(self):
        answer = self.sealed("/framed", submit=True, armed_ms=10000)
        # Nothing was left to be cleared.
        self.assertEqual((answer.outcome, answer.typed, answer.cleared), ("filled", True, False), answer)
        self.assertEqual(self.psp.received[0][2].count(attached.CARD.encode()), 1)
        self.page.close()

    def test_sealed_redirect(self):
        """The processor answers 307: the body goes nowhere else."""
        self.psp.mode = "redirect"
        answer = self.sealed("/framed", submit=True, armed_ms=3000)
        self.assertEqual((answer.outcome, answer.typed, answer.cleared), ("filled", True, False), answer)
        self.assertEqual(len(self.psp.received), 1)
        self.assertEqual(self.evil.received, [])
        self.page.close()

    def test_sealed_daemon_hangs_up(self):
        answer = self.sealed("/framed", hang_up=True, armed_ms=20000)
        self.assertEqual((answer.outcome, answer.typed, answer.cleared), ("stopped", True, True), answer)
        self.page.close()

    def test_guard_ends(self):
        guard = Guard(processors=[self.psp.origin])
        self.addCleanup(guard.stop)
        agent = Browser(guard.port)
        self.addCleanup(agent.close)
        page = agent.open(self.shop.origin + "/pay")
        _, stream, pipe = guard.open("wire")
        answer = inj.fill_by_wire(attached.PROGRAM, None, page.target_id, [self.shop.origin], attached.NO_HOLDER, guard.stop,
                                  guard=(stream, pipe), strength="wire", guarded=True, recipes=[attached.recipe(self.psp.origin)],
                                  accounts=[attached.ACCOUNT], by_target_id=True)
        self.assertEqual((answer.outcome, answer.typed), ("guard_lost", False), answer)

    def test_sealed_refuses_a_page_of_the_agent(self):
        answer = self.sealed("/pay")
        self.assertEqual((answer.outcome, answer.typed, answer.said), ("page_tainted", False, []), answer)
        self.page.close()

    def test_sealed_page_of_its_own(self):
        alone = attached.Host("alone")
        self.addCleanup(alone.server_close)
        self.addCleanup(alone.shutdown)
        alone.psp, alone.pages["/pay"] = self.psp.origin, attached.FIELDS % ""
        answer = self.sealed(target=alone.origin + "/pay", origins=[alone.origin], by_target_id=False, open_page=True)
        self.assertEqual((answer.outcome, answer.typed, answer.cleared), ("filled", True, True), answer)


if __name__ == "__main__":
    unittest.main()
