"""A small Chrome DevTools Protocol client over its own WebSocket (RFC 6455): standard library only.

    browser = Browser(port)
    page = browser.open("http://shop.localhost:8080/")   # a Session of a new tab
    page.evaluate("document.title")
    browser.close()
"""

import base64
import json
import os
import socket
import struct
import time
import urllib.request


class CdpError(Exception):
    pass


class WebSocket:
    def __init__(self, host, port, path, timeout=20.0):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((
            "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n" % (path, host, port, key)).encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101"):
            raise CdpError("no upgrade: %r" % head[:80])

    def _more(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise CdpError("the browser closed the connection")
        self.buffer += data

    def _take(self, count):
        while len(self.buffer) < count:
            self._more()
        out, self.buffer = self.buffer[:count], self.buffer[count:]
        return out

    def send(self, text, opcode=1):
        data = text.encode() if isinstance(text, str) else text
        mask = os.urandom(4)
        size = len(data)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        elif size < 65536:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
        body = bytes(b ^ mask[i & 3] for i, b in enumerate(data))
        self.socket.sendall(head + mask + body)

    def receive(self):
        message = b""
        while True:
            first, second = self._take(2)
            size = second & 0x7F
            if size == 126:
                size, = struct.unpack("!H", self._take(2))
            elif size == 127:
                size, = struct.unpack("!Q", self._take(8))
            data = self._take(size)
            opcode = first & 15
            if opcode == 9:
                self.send(data, 10)
            elif opcode == 8:
                raise CdpError("the browser closed the WebSocket")
            elif opcode in (0, 1, 2):
                message += data
                if first & 0x80:
                    return message.decode()

    def close(self):
        self.socket.close()


class Session:
    """One attached target; session_id None is the browser itself."""

    def __init__(self, browser, session_id, target_id):
        self.browser, self.session_id, self.target_id = browser, session_id, target_id

    def call(self, method, **params):
        return self.browser.call(method, params, self.session_id)

    def evaluate(self, expression, **extra):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, **extra)
        if "exceptionDetails" in answer:
            raise CdpError(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def wait_for(self, expression, timeout=10.0):
        end = time.monotonic() + timeout
        while True:
            try:
                value = self.evaluate(expression)
            except CdpError:
                value = None  # the context is being replaced by a navigation
            if value:
                return value
            if time.monotonic() > end:
                raise CdpError("never true: " + expression)
            time.sleep(0.02)

    def close(self):
        self.browser.call("Target.closeTarget", {"targetId": self.target_id})


class Browser:
    def __init__(self, port, host="127.0.0.1"):
        with urllib.request.urlopen("http://%s:%d/json/version" % (host, port), timeout=20) as answer:
            self.version = json.load(answer)
        path = "/" + self.version["webSocketDebuggerUrl"].split("/", 3)[3]
        self.socket = WebSocket(host, port, path)
        self.events = []
        self.next_id = 0

    def call(self, method, params=None, session_id=None):
        self.next_id += 1
        message = {"id": self.next_id, "method": method, "params": params or {}}
        if session_id:
            message["sessionId"] = session_id
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.receive())
            if answer.get("id") == message["id"]:
                if "error" in answer:
                    raise CdpError("%s: %s" % (method, answer["error"]["message"]))
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def targets(self):
        return self.call("Target.getTargets")["targetInfos"]

    def attach(self, target_id):
        answer = self.call("Target.attachToTarget", {"targetId": target_id, "flatten": True})
        return Session(self, answer["sessionId"], target_id)

    def open(self, url, timeout=20.0):
        target = self.call("Target.createTarget", {"url": url})["targetId"]
        page = self.attach(target)
        page.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'", timeout)
        return page

    def frames(self, page):
        """Sessions of the out-of-process frames below a page, by URL."""
        targets = {info["targetId"]: info for info in self.targets()}

        def below(info):
            while info and info["type"] == "iframe":
                info = targets.get(info.get("parentId"))
            return bool(info) and info["targetId"] == page.target_id

        found = {}
        for info in targets.values():
            if info["type"] == "iframe" and below(info):
                found[info["url"]] = self.attach(info["targetId"])
        return found

    def close(self):
        self.socket.close()
