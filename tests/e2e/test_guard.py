"""popvault-browser with a real Chromium and without a daemon: who may ask, whose sessions are whose, what no agent gets."""

import json
import os
import pwd
import socket
import stat
import struct
import sys
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.cdp import Browser, CdpError, Session, WebSocket
from support.guard import Guard, GuardFailed, InjectorStream
from support.processes import alive, descendants
from support.shop import Shop

PLANTED = "window.PLANTED = 1; window.top !== window && top.postMessage('planted in ' + location.origin, '*')"


def until(what, seconds=20.0):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise AssertionError("never")
        time.sleep(0.02)


def http(guard, path, method="GET", headers=None, raw_target=None):
    """(status, body) over a bare socket, so that every header is ours."""
    with socket.create_connection(("127.0.0.1", guard.port), 20) as s:
        lines = {"Host": "127.0.0.1:%d" % guard.port, "Connection": "close", **(headers or {})}
        s.sendall(("%s %s HTTP/1.1\r\n" % (method, path) + "".join("%s: %s\r\n" % item for item in lines.items()) + "\r\n").encode())
        data = b""
        while True:
            more = s.recv(65536)
            if not more:
                break
            data += more
    head, _, body = data.partition(b"\r\n\r\n")
    return (int(head.split(b" ")[1]) if head else 0), body


class GuardCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shop = Shop()
        cls.guard = Guard([cls.shop.processor.origin])

    @classmethod
    def tearDownClass(cls):
        cls.guard.stop()
        cls.shop.stop()

    def client(self):
        browser = Browser(self.guard.port)
        self.addCleanup(browser.close)
        return browser

    def page(self, browser, url="about:blank"):
        page = browser.attach(browser.call("Target.createTarget", {"url": "about:blank"})["targetId"])
        page.call("Page.enable")
        if url != "about:blank":
            self.go(page, url)
        return page

    def go(self, page, url):
        page.call("Page.navigate", url=url)

    def injector(self, strength="sealed"):
        job, stream, pipe = self.guard.open(strength)
        injector = InjectorStream(stream, pipe)
        self.addCleanup(injector.close)
        injector.job = job
        return injector

    def processor_frames(self, injector, page, count=3):
        def frames():
            return [info for info in injector.call("Target.getTargets")["targetInfos"]
                    if info.get("parentId") == page.target_id and info["url"].startswith(self.shop.processor.origin)]
        until(lambda: len(frames()) >= count)
        return [info["targetId"] for info in frames()]

    def refused(self, call, *args, **params):
        with self.assertRaises(CdpError) as caught:
            call(*args, **params)
        return str(caught.exception)


class Endpoint(GuardCase):
    def test_host_and_origin(self):
        self.assertEqual(http(self.guard, "/json/version")[0], 200)
        self.assertEqual(http(self.guard, "/json/version", headers={"Host": "localhost:%d" % self.guard.port})[0], 200)
        for headers in ({"Host": "evil.example:%d" % self.guard.port}, {"Host": "127.0.0.1"}, {"Origin": "http://evil.example"},
                        {"Origin": "null"}, {"Origin": "http://127.0.0.1:%d" % self.guard.port}, {"Sec-Fetch-Site": "same-origin"}):
            self.assertEqual(http(self.guard, "/json/version", headers=headers)[0], 403, headers)

    def test_protocol(self):
        domains = {entry["domain"]: entry for entry in json.loads(http(self.guard, "/json/protocol")[1])["domains"]}
        names = [command["name"] for command in domains["Page"]["commands"]]
        self.assertIn("navigate", names)
        self.assertNotIn("Fetch", domains)

    def test_paths_and_verbs(self):
        self.assertEqual(http(self.guard, "/json/new")[0], 405)
        self.assertEqual(http(self.guard, "/json/new?file:///etc/passwd", "PUT")[0], 400)
        self.assertEqual(http(self.guard, "/nothing")[0], 404)
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "A" * 22 + "=="}
        for path in ("/devtools/page/0", "/devtools/browser/0", "/"):
            self.assertEqual(http(self.guard, path, headers=upgrade)[0], 404, path)
        status, body = http(self.guard, "/json/new?" + self.shop.url("shop", "/simple"), "PUT")
        self.assertEqual(status, 200)
        made = json.loads(body)
        self.assertIn(made["id"], [entry["id"] for entry in json.loads(http(self.guard, "/json/list")[1])])
        self.assertEqual(http(self.guard, "/json/close/" + made["id"])[0], 200)

    def test_a_page_socket_sees_its_page_as_root(self):
        client = self.client()
        page = self.page(client, self.shop.url("shop", "/simple"))
        socket_ = WebSocket("127.0.0.1", self.guard.port, "/devtools/page/" + page.target_id)
        self.addCleanup(socket_.close)
        socket_.send(json.dumps({"id": 7, "method": "Runtime.evaluate", "params": {"expression": "6*7"}}))
        answer = json.loads(socket_.receive())
        self.assertEqual((answer["id"], answer["result"]["result"]["value"], "sessionId" in answer), (7, 42, False))

    def test_a_malformed_message_ends_its_client_only(self):
        other = self.client()
        for text in ("nonsense", '{"id":1,"id":2,"method":"Browser.getVersion"}', '{"id":1.5,"method":"Browser.getVersion"}',
                     '{"method":"Browser.getVersion"}', '{"id":1,"method":"Browser.getVersion","extra":1}', "[]"):
            client = Browser(self.guard.port)
            client.socket.send(text)
            with self.assertRaises((CdpError, OSError), msg=text):
                client.socket.receive()
            client.close()
        client = Browser(self.guard.port)
        client.socket.socket.sendall(b"\x83\xff" + b"\0" * 20)  # a reserved opcode
        with self.assertRaises((CdpError, OSError)):
            client.call("Browser.getVersion")
        client.close()
        self.assertIn("product", other.call("Browser.getVersion"))

    def test_fragments_and_pings(self):
        client = self.client()
        text = json.dumps({"id": 1, "method": "Browser.getVersion", "params": {}}).encode()
        mask = b"\0\0\0\0"
        client.socket.socket.sendall(b"\x01" + bytes([0x80 | 10]) + mask + text[:10] + b"\x89\x82" + mask + b"hi" +
                                     b"\x80" + bytes([0x80 | (len(text) - 10)]) + mask + text[10:])
        answers = json.loads(client.socket.receive())
        self.assertEqual(answers["id"], 1)


class Sessions(GuardCase):
    def test_two_clients_with_the_same_ids(self):
        one, two = self.client(), self.client()
        first, second = self.page(one), self.page(two)
        for n in range(50):
            one.next_id = two.next_id = 1000 + n
            one.socket.send(json.dumps({"id": 9, "method": "Runtime.evaluate", "params": {"expression": "'one'"}, "sessionId": first.session_id}))
            two.socket.send(json.dumps({"id": 9, "method": "Runtime.evaluate", "params": {"expression": "'two'"}, "sessionId": second.session_id}))
            for client, word in ((one, "one"), (two, "two")):
                while True:
                    answer = json.loads(client.socket.receive())
                    if answer.get("id") == 9:
                        break
                self.assertEqual(answer["result"]["result"]["value"], word)

    def test_a_forged_session_is_unknown(self):
        one, two = self.client(), self.client()
        page = self.page(one)
        injector = self.injector()
        theirs = injector.attach(page.target_id)
        for session in (page.session_id, theirs, "0" * 32):
            self.assertIn("not found", self.refused(Session(two, session, page.target_id).evaluate, "1"))

    def test_a_client_that_goes_takes_its_contexts(self):
        client = Browser(self.guard.port)
        context = client.call("Target.createBrowserContext", {"disposeOnDetach": True})["browserContextId"]
        target = client.call("Target.createTarget", {"url": "about:blank", "browserContextId": context})["targetId"]
        client.close()
        other = self.client()
        until(lambda: target not in [info["targetId"] for info in other.targets()])

    def test_an_injector_writes_past_the_guard(self):
        client = self.client()
        page = self.page(client, self.shop.url("shop", "/simple"))
        injector = self.injector("wire")
        session = injector.attach(page.target_id)
        answer = injector.direct({"method": "Runtime.evaluate", "params": {"expression": "6*7"}, "sessionId": session})
        self.assertEqual(answer["result"]["value"], 42)

    def test_an_injector_that_dies_in_the_middle(self):
        client = self.client()
        page = self.page(client)
        job, stream, pipe = self.guard.open("wire")
        injector = InjectorStream(stream, pipe)
        number = injector.call("Popvault.begin")["id"]
        os.write(pipe, b'{"id":%d,"method":"Runtime.evalu' % number)
        client.socket.send(json.dumps({"id": 77, "method": "Runtime.evaluate", "params": {"expression": "5"}, "sessionId": page.session_id}))
        injector.close()
        while True:
            answer = json.loads(client.socket.receive())
            if answer.get("id") == 77:
                break
        self.assertEqual(answer["result"]["result"]["value"], 5)


class OutOfBounds(GuardCase):
    def test_no_agent_script_in_a_processors_frame(self):
        client = self.client()
        page = self.page(client)
        page.call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True)
        page.call("Page.addScriptToEvaluateOnNewDocument", source=PLANTED)
        self.go(page, self.shop.checkout)
        injector = self.injector()
        frames = self.processor_frames(injector, page)
        for frame in frames:
            self.assertEqual(injector.evaluate(injector.attach(frame), "typeof PLANTED"), "undefined")
            self.assertIn("No target", self.refused(client.attach, frame))
        # The control: it ran where it may.
        self.assertEqual(page.evaluate("typeof PLANTED"), "number")
        told = json.dumps([client.events, client.targets(), json.loads(http(self.guard, "/json/list")[1])])
        for frame in frames:
            self.assertNotIn('"targetId": "%s"' % frame, told)

    def test_another_frame_is_attached_as_ever(self):
        self.shop.pages["/outer"] = '<iframe src="%s"></iframe>' % self.shop.url("other", "/simple")
        client = self.client()
        page = self.page(client)
        page.call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True)
        self.go(page, self.shop.url("shop", "/outer"))
        until(lambda: page.evaluate("1") and [e for e in client.events if e["method"] == "Target.attachedToTarget" and e["params"]["targetInfo"]["type"] == "iframe"])

    def test_hosted_checkout(self):
        client = self.client()
        page = self.page(client)
        page.call("Runtime.enable")
        page.call("Page.addScriptToEvaluateOnNewDocument", source=PLANTED)
        page.call("Runtime.addBinding", name="tell")
        self.go(page, self.shop.url("shop", "/simple"))
        self.assertEqual(page.evaluate("typeof PLANTED"), "number")
        self.go(page, self.shop.processor.origin + "/field/number")
        injector = self.injector()
        session = injector.attach(page.target_id)
        self.assertEqual(injector.evaluate(session, "[location.origin, typeof PLANTED].join()"),
                         self.shop.processor.origin + ",undefined")
        # A binding's name may be left over in the window; it leads nowhere.
        injector.evaluate(session, "self.tell && tell('from the processor')")
        for method, params in (("Runtime.evaluate", {"expression": "1"}), ("DOM.getDocument", {}), ("Page.printToPDF", {})):
            self.refused(page.call, method, **params)
        page.call("Input.dispatchMouseEvent", type="mouseMoved", x=5, y=5)
        injector.call("Popvault.seal", targetId=page.target_id, frameIds=[page.target_id])
        injector.call("Popvault.unseal", targetId=page.target_id)
        self.go(page, self.shop.url("shop", "/simple"))
        page.wait_for("typeof PLANTED === 'number' && typeof tell === 'function'")
        page.evaluate("tell('from the shop')")
        until(lambda: page.evaluate("1") and [e for e in client.events if e["method"] == "Runtime.bindingCalled"])
        self.assertNotIn("from the processor", json.dumps(client.events))

    def test_an_origin_does_not_leave_the_list(self):
        client = self.client()
        self.guard.set_processors([])
        self.guard.set_processors(["https://another.example"])
        page = self.page(client, self.shop.processor.origin + "/field/number")
        self.refused(page.evaluate, "1")
        page.call("Page.navigate", url=self.shop.url("shop", "/simple"))
        page.wait_for("1")

    def test_raw_headers_are_kept_while_a_purchase_is_live(self):
        client = self.client()
        page = self.page(client, self.shop.url("shop", "/simple"))
        page.call("Network.enable")

        def asked():
            """What an agent hears of one request."""
            client.events.clear()
            page.evaluate("fetch('/simple').then(answer => answer.text()).then(() => 1)")
            until(lambda: page.evaluate("1") and [e for e in client.events if e["method"] == "Network.loadingFinished"])
            heard = [e for e in client.events if e["method"].startswith("Network.")]
            extra, = [e["params"]["hasExtraInfo"] for e in heard if e["method"] == "Network.responseReceived"]
            return extra, len([e for e in heard if e["method"].endswith("ExtraInfo")])

        self.assertEqual(asked(), (True, 2))
        injector = self.injector("wire")
        injector.attach(page.target_id)
        self.assertEqual(asked(), (False, 0))

    def test_a_redirect_to_a_processor(self):
        client = self.client()
        page = self.page(client, self.shop.url("shop", "/simple"))
        page.call("Page.addScriptToEvaluateOnNewDocument", source=PLANTED)
        page.evaluate("void (location.href = %s)" % json.dumps(self.shop.processor.origin + "/field/number"))
        injector = self.injector()
        session = injector.attach(page.target_id)
        until(lambda: injector.evaluate(session, "location.origin") == self.shop.processor.origin)
        self.assertEqual(injector.evaluate(session, "typeof PLANTED"), "undefined")
        self.refused(page.evaluate, "1")


class Sealing(GuardCase):
    def test_a_touched_document_is_tainted(self):
        client = self.client()
        page = self.page(client, self.shop.url("shop", "/simple"))
        injector = self.injector()
        self.assertIn("tainted", self.refused(injector.call, "Popvault.seal", targetId=page.target_id, frameIds=[page.target_id]))

    def test_sealed_and_unsealed(self):
        client = self.client()
        page = self.page(client, self.shop.checkout)
        injector = self.injector()
        frames = self.processor_frames(injector, page)
        # Under way when the seal comes: cut, and answered.
        client.next_id += 1
        client.socket.send(json.dumps({"id": client.next_id, "method": "Runtime.evaluate", "sessionId": page.session_id,
                                       "params": {"expression": "new Promise(() => 0)", "awaitPromise": True}}))
        pending = client.next_id
        page.evaluate("1")
        injector.call("Popvault.seal", targetId=page.target_id, frameIds=frames)
        answer = {}
        while answer.get("id") != pending:  # the page's own events may come before it
            answer = json.loads(client.socket.receive())
        self.assertIn("error", answer)
        for method, params in (("Runtime.evaluate", {"expression": "1"}), ("Page.captureScreenshot", {}), ("DOM.getDocument", {})):
            self.refused(page.call, method, **params)
        late = self.client()
        self.refused(late.attach(page.target_id).evaluate, "1")
        injector.call("Popvault.unseal", targetId=page.target_id)
        self.assertEqual(page.evaluate("2"), 2)
        self.assertGreater(pending, 0)

    def test_a_page_opened_for_an_injector(self):
        client = self.client()
        client.call("Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True})
        injector = self.injector()
        target = injector.call("Popvault.open", url=self.shop.url("shop", "/simple"))["targetId"]
        session = injector.attach(target)
        until(lambda: injector.evaluate(session, "document.readyState + location.pathname") == "complete/simple")
        self.assertNotIn(target, [info["targetId"] for info in client.targets()])
        self.refused(client.attach, target)
        injector.call("Popvault.seal", targetId=target, frameIds=[target])
        injector.call("Popvault.unseal", targetId=target)
        until(lambda: client.targets() and [e for e in client.events if e["method"] == "Target.attachedToTarget" and
                                            e["params"]["targetInfo"]["targetId"] == target])

    def test_a_context_of_its_own(self):
        """For one purchase: no agent sees it, and it ends with the unsealing."""
        client = self.client()
        client.call("Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True})
        injector = self.injector()
        target = injector.call("Popvault.open", url=self.shop.url("own", "/simple"), own=True)["targetId"]
        session = injector.attach(target)
        until(lambda: injector.evaluate(session, "document.readyState + location.pathname") == "complete/simple")
        context = injector.call("Target.getTargetInfo", targetId=target)["targetInfo"]["browserContextId"]
        self.assertNotIn(context, client.call("Target.getBrowserContexts")["browserContextIds"])
        for method, params in (("Target.createTarget", {"url": "about:blank", "browserContextId": context}),
                               ("Target.disposeBrowserContext", {"browserContextId": context}),
                               ("Storage.getCookies", {"browserContextId": context})):
            self.refused(client.call, method, params)
        injector.call("Popvault.seal", targetId=target, frameIds=[target])
        injector.call("Popvault.unseal", targetId=target)
        until(lambda: context not in injector.call("Target.getBrowserContexts")["browserContextIds"])
        self.assertNotIn(target, [info["targetId"] for info in client.targets()])

    def test_what_an_agent_left_at_an_origin_taints_it(self):
        """Its storage, caches and workers are the agent's, also for pages that it never saw; another context has none of that."""
        client = self.client()
        self.page(client, self.shop.url("planted", "/simple")).close()
        injector = self.injector()
        for own in (False, True):
            target = injector.call("Popvault.open", url=self.shop.url("planted", "/simple"), own=own)["targetId"]
            session = injector.attach(target)
            until(lambda: injector.evaluate(session, "document.readyState + location.pathname") == "complete/simple")
            if own:
                injector.call("Popvault.seal", targetId=target, frameIds=[target])
            else:
                self.assertIn("tainted", self.refused(injector.call, "Popvault.seal", targetId=target, frameIds=[target]))
            injector.call("Popvault.unseal", targetId=target)

    def test_the_seal_outlives_its_injector_until_the_document_is_gone(self):
        client = self.client()
        page = self.page(client, self.shop.checkout)
        injector = self.injector()
        frames = self.processor_frames(injector, page)
        injector.call("Popvault.seal", targetId=page.target_id, frameIds=frames)
        injector.close()
        self.refused(page.evaluate, "1")
        page.call("Page.navigate", url=self.shop.url("shop", "/simple"))
        page.wait_for("1")


class Life(unittest.TestCase):
    def test_token(self):
        with Guard(require_token=True) as guard:
            self.assertRegex(guard.token, "^[0-9a-f]{32}$")
            self.assertEqual(http(guard, "/json/version")[0], 401)
            self.assertEqual(http(guard, "/json/version?token=" + "0" * 32)[0], 401)
            status, body = http(guard, "/%s/json/version/" % guard.token)
            self.assertEqual(status, 200)
            path = "/" + json.loads(body)["webSocketDebuggerUrl"].split("/", 3)[3]
            socket_ = WebSocket("127.0.0.1", guard.port, path)
            socket_.send('{"id":1,"method":"Browser.getVersion"}')
            self.assertEqual(json.loads(socket_.receive())["id"], 1)
            socket_.close()
            with self.assertRaises(CdpError):
                WebSocket("127.0.0.1", guard.port, path.split("?")[0])

    def test_profile_and_end(self):
        guard = Guard()
        try:
            self.assertEqual(stat.S_IMODE(os.stat(guard.profile).st_mode), 0o700)
            with self.assertRaises(GuardFailed) as caught:
                Guard(profile=guard.profile)
            self.assertEqual(str(caught.exception), "bad_profile")
            children = descendants(guard.process.pid)
            self.assertTrue(children)
            guard.control.close()
            self.assertEqual(guard.process.wait(20), 0)
            until(lambda: not any(alive(pid) for pid in children))
        finally:
            guard.stop()
        with self.assertRaises(GuardFailed) as caught:
            Guard(profile=os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".config/chromium"))
        self.assertEqual(str(caught.exception), "bad_profile")

    def test_a_killed_guard_takes_the_browser_along(self):
        guard = Guard()
        children = descendants(guard.process.pid)
        guard.process.kill()
        guard.process.wait()
        until(lambda: not any(alive(pid) for pid in children))
        guard.stop()

    def test_a_killed_browser_ends_the_guard(self):
        guard = Guard()
        browser = [pid for pid in descendants(guard.process.pid)][0]
        os.kill(browser, 9)
        self.assertEqual(guard.process.wait(20), 0)
        guard.stop()

    def test_no_browser(self):
        with self.assertRaises(GuardFailed) as caught:
            Guard(browser="/nonexistent")
        self.assertEqual(str(caught.exception), "no_browser")


if __name__ == "__main__":
    unittest.main()
