"""Stands between a CDP client and its endpoint, and keeps what went through.

    with Tap(browser.port) as tap:
        client("connect", endpoint=tap.endpoint)
    tap.refused     # {(method, text of the error): parameters of the first such call}
    tap.received    # all that clients got, as one byte string (messages, and bodies of /json/...)
"""

import json
import socket
import struct
import threading


class Frames:
    """Messages of one direction of a WebSocket, out of its bytes."""

    def __init__(self):
        self.buffer, self.message = bytearray(), b""

    def feed(self, data):
        self.buffer += data
        out = []
        while len(self.buffer) >= 2:
            first, second = self.buffer[0], self.buffer[1]
            size, at = second & 0x7F, 2
            for short, form in ((126, "!H"), (127, "!Q")):
                if size == short:
                    if len(self.buffer) < at + struct.calcsize(form):
                        return out
                    size, = struct.unpack_from(form, self.buffer, at)
                    at += struct.calcsize(form)
                    break
            mask = second & 0x80
            if len(self.buffer) < at + (4 if mask else 0) + size:
                return out
            key = bytes(self.buffer[at:at + 4]) if mask else b""
            at += len(key)
            body = bytes(self.buffer[at:at + size])
            del self.buffer[:at + size]
            if mask and size:
                pad = key * (size // 4 + 1)
                body = (int.from_bytes(body, "big") ^ int.from_bytes(pad[:size], "big")).to_bytes(size, "big")
            if first & 15 < 3:
                self.message += body
                if first & 0x80:
                    out.append(self.message)
                    self.message = b""
        return out


class Tap:
    def __init__(self, port):
        self.upstream = port
        self.refused, self.calls, self.parts, self.sent = {}, {}, [], []
        self.guard = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.endpoint = "http://127.0.0.1:%d" % self.port
        self.open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def received(self):
        with self.guard:
            return b"\n".join(self.parts)

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        server = socket.create_connection(("127.0.0.1", self.upstream))
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open.add(one)
        try:
            upgraded, rest = self._head(client, server)
            if upgraded:
                waiting = {}
                back = threading.Thread(target=self._pump, args=(server, client, waiting, False, b""), daemon=True)
                back.start()
                self._pump(client, server, waiting, True, rest)
                back.join()
        except OSError:
            pass
        finally:
            for one in (client, server):
                self.open.discard(one)
                one.close()

    def _head(self, client, server):
        """Requests of /json/...: one a connection, as if the client had asked to close; until one is an upgrade."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = client.recv(1 << 16)
            if not more:
                return False, b""
            data += more
        head, rest = data.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        upgrade = any(line.lower().startswith("upgrade:") for line in lines)
        kept = [line for line in lines[1:] if line.split(":")[0].lower() not in ("host", "sec-websocket-extensions")
                and (upgrade or line.split(":")[0].lower() != "connection")]
        kept += ["Host: 127.0.0.1:%d" % self.upstream] + ([] if upgrade else ["Connection: close"])
        server.sendall("\r\n".join([lines[0], *kept, "", ""]).encode("latin-1"))
        if upgrade:
            return True, rest
        self._answer(client, server, rest)
        return False, b""

    def _answer(self, client, server, rest):
        if rest:
            server.sendall(rest)
        answer = b""
        while True:
            if b"\r\n\r\n" in answer:
                head, body = answer.split(b"\r\n\r\n", 1)
                sizes = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
                if sizes and len(body) >= sizes[0]:
                    break
            more = server.recv(1 << 16)
            if not more:
                break
            answer += more
        head, _, body = answer.partition(b"\r\n\r\n")
        with self.guard:
            self.parts.append(body)
        body = body.replace(b"127.0.0.1:%d" % self.upstream, b"127.0.0.1:%d" % self.port)
        lines = [line for line in head.split(b"\r\n") if line.split(b":")[0].lower() not in (b"content-length", b"connection")]
        client.sendall(b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"Connection: close", b"", b""]) + body)

    def _pump(self, source, sink, waiting, outward, rest):
        frames = Frames()
        started = outward  # the answer to the upgrade comes first the other way
        head = b""
        data = rest
        try:
            while True:
                if data:
                    sink.sendall(data)
                    if not started:
                        head += data
                        if b"\r\n\r\n" in head:
                            started, data = True, head.split(b"\r\n\r\n", 1)[1]
                    if started:
                        for message in frames.feed(data):
                            self._note(message, waiting, outward)
                data = source.recv(1 << 18)
                if not data:
                    break
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _note(self, message, waiting, outward):
        with self.guard:
            if not outward:
                self.parts.append(message)
            if not outward and b'"error"' not in message:
                return
            try:
                parsed = json.loads(message)
            except ValueError:
                return
            key = (parsed.get("sessionId"), parsed.get("id"))
            if outward:
                waiting[key] = (parsed.get("method"), parsed.get("params", {}))
                self.calls[parsed.get("method")] = self.calls.get(parsed.get("method"), 0) + 1
                self.sent.append(message)
            elif "error" in parsed:
                # A refusal that names no session is found by its id alone.
                method, params = waiting.get(key) or next((v for k, v in waiting.items() if k[1] == parsed.get("id")), (None, {}))
                self.refused.setdefault((method, parsed["error"].get("message", "")[:200]), params)

    def close(self):
        self.listener.close()
        for one in list(self.open):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
