"""A line JSON-RPC 2.0 client for agent.sock and owner.sock that passes descriptors.

    agent = Client(home.agent_socket)
    agent.call("session.hello", agent_key=KEY, client="test")
    agent.received   # every byte that came back
"""

import array
import json
import os
import socket
import struct
import time


class RpcError(Exception):
    def __init__(self, error):
        super().__init__("%s: %s" % (error.get("data", {}).get("reason"), error.get("message")))
        self.error = error
        self.code = error.get("code")
        self.data = error.get("data", {})
        self.reason = self.data.get("reason")


class Closed(Exception):
    """The daemon closed the connection."""


class Client:
    def __init__(self, path, timeout=30.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.received = bytearray()
        self.events = []
        self._at = 0
        self._next_id = 0

    def send(self, data, fd=None):
        """Bytes as they are; the descriptor, or a list of them, goes with the first of them."""
        if isinstance(data, str):
            data = data.encode()
        if fd is not None:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fd if isinstance(fd, list) else [fd]))]
            sent = self.socket.sendmsg([data], rights)
            data = data[sent:]
        self.socket.sendall(data)

    def line(self):
        """The next whole line; Closed at the end of the stream."""
        while True:
            end = self.received.find(b"\n", self._at)
            if end >= 0:
                line = bytes(self.received[self._at:end])
                self._at = end + 1
                return line
            try:
                data = self.socket.recv(1 << 16)
            except (ConnectionResetError, BrokenPipeError):
                data = b""
            if not data:
                raise Closed()
            self.received += data

    def reply(self):
        """The next message that is not a notification, as an object."""
        while True:
            message = json.loads(self.line())
            if "method" in message and "id" not in message:
                self.events.append(message)
                continue
            return message

    def raw(self, text, fd=None):
        """Send one line as it stands; its reply as an object."""
        self.send((text if isinstance(text, bytes) else text.encode()) + b"\n", fd)
        return self.reply()

    def start(self, method, params=None, fd=None):
        self._next_id += 1
        message = {"jsonrpc": "2.0", "id": self._next_id, "method": method}
        if params is not None:
            message["params"] = params
        self.send(json.dumps(message, ensure_ascii=False) + "\n", fd)
        return self._next_id

    def call(self, method, fd=None, **params):
        wanted = self.start(method, params or None, fd)
        while True:
            answer = self.reply()
            if answer.get("id") == wanted:
                if "error" in answer:
                    raise RpcError(answer["error"])
                return answer["result"]

    def refusal(self, method, **params):
        """The reason word of the error that this call must give."""
        try:
            answer = self.call(method, **params)
        except RpcError as error:
            return error.reason
        raise AssertionError("%s was answered with %r" % (method, answer))

    def peer_pid(self):
        data = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return struct.unpack("iii", data)[0]

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def connect(path, timeout=30.0, patience=15.0):
    """A client as soon as somebody listens there."""
    end = time.monotonic() + patience
    while True:
        try:
            return Client(path, timeout)
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def bundle(fields, job=bytes(16)):
    """The read end of a pipe that holds a secret bundle (docs/VAULT_FORMAT.md, "Secret bundle"). The caller closes it."""
    body = struct.pack(">H", len(fields))
    for name, value in fields.items():
        value = value.encode() if isinstance(value, str) else value
        body += struct.pack(">B", len(name)) + name.encode() + struct.pack(">H", len(value)) + value
    data = b"PVBUNDL1" + struct.pack(">HHI", 1, 0, len(body)) + job + body
    read_end, write_end = os.pipe()
    os.write(write_end, data)
    os.close(write_end)
    return read_end
