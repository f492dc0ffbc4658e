"""popvault-browser without a daemon: the other end of its descriptor 3 (src/rpc/guard_protocol.hpp).

    with Shop() as shop, Guard(processors=[shop.processor.origin]) as guard:
        browser = Browser(guard.port)                  # support.cdp, or any client at guard.endpoint
        job, stream, pipe = guard.open("sealed")       # as an injector gets them: a socket and a descriptor
        injector = InjectorStream(stream, pipe)
        injector.call("Popvault.seal", targetId=page.target_id, frameIds=[frame])
        injector.direct({"method": "Input.insertText", "params": {"text": "…"}, "sessionId": session})
        guard.close(job)

`guard.log()` is what it wrote so far. GuardFailed carries the reason when it does not start.
"""

import array
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

from support.injector import STRENGTHS
from support.cdp import CdpError
from support.processes import die_with_parent
from support.programs import program

CONFIGURE, STARTED, FAILED, PROCESSORS, OPEN, OPENED, REFUSED, CLOSE = range(1, 9)
REASONS = ["none", "no_browser", "browser_failed", "port_taken", "bad_profile", "bad_setting"]


class GuardFailed(Exception):
    pass


def _text(value):
    data = value.encode()
    return struct.pack("!H", len(data)) + data


def _texts(values):
    return struct.pack("!H", len(values)) + b"".join(_text(value) for value in values)


def encode_configure(profile, browser="", headless=True, port=0, exchange="", require_token=False, environment=(),
                     processors=()):
    return (bytes([CONFIGURE]) + _text(browser) + bytes([headless]) + struct.pack("!H", port) + _text(profile) +
            _text(exchange) + bytes([require_token]) + _texts(environment) + _texts(processors))


class Guard:
    """`options` are those of encode_configure. Without `profile` a new folder is made, and removed at the end."""

    def __init__(self, processors=(), profile=None, environment=None, **options):
        self.folder = tempfile.mkdtemp(prefix="popvault-guard-")
        self.profile = profile or os.path.join(self.folder, "profile")
        self.log_path = os.path.join(self.folder, "log")
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(90)
        if environment is None:
            environment = ["HOME=" + self.folder, "PATH=/usr/bin:/bin", "LANG=C.UTF-8"]

        def place():
            die_with_parent()
            os.dup2(theirs.fileno(), 3)

        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([program("popvault-browser")], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=(3,) if theirs.fileno() == 3 else (3, theirs.fileno()),
                                            preexec_fn=place, env={"PLANTED": "1"})
        theirs.close()
        try:
            self.control.send(encode_configure(self.profile, environment=environment, processors=processors, **options))
            message = self.control.recv(65536)
            if not message or message[0] != STARTED:
                raise GuardFailed(REASONS[message[1]] if message and message[0] == FAILED else "ended: " + self.log())
        except BaseException:
            self.stop()
            raise
        self.port, size = struct.unpack("!HH", message[1:5])
        self.token = message[5:5 + size].decode()

    @property
    def endpoint(self):
        return "http://127.0.0.1:%d" % self.port + ("/" + self.token if self.token else "")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def set_processors(self, origins):
        self.control.send(bytes([PROCESSORS]) + _texts(list(origins)))

    def open(self, strength="sealed", job=None):
        """(job id, stream socket, pipe descriptor); GuardFailed("refused")."""
        job = job or os.urandom(16)
        self.control.send(bytes([OPEN]) + job + bytes([STRENGTHS[strength]]))
        message, ancillary, _, _ = self.control.recvmsg(65536, socket.CMSG_SPACE(8))
        if message != bytes([OPENED]) + job:
            raise GuardFailed("refused")
        fds = array.array("i")
        fds.frombytes(ancillary[0][2])
        return job, socket.socket(fileno=fds[0]), fds[1]

    def close(self, job):
        self.control.send(bytes([CLOSE]) + job)

    def stop(self):
        self.control.close()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class InjectorStream:
    """CDP on an injector's stream, with the direct way into the pipe."""

    def __init__(self, stream, pipe=-1, timeout=20.0):
        self.stream, self.pipe = stream, pipe
        stream.settimeout(timeout)
        self.buffer, self.events, self.next_id = b"", [], 0

    def receive(self):
        while b"\0" not in self.buffer:
            data = self.stream.recv(1 << 16)
            if not data:
                raise CdpError("the guard closed the stream")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def answer_of(self, number):
        while True:
            message = self.receive()
            if message.get("id") == number:
                if "error" in message:
                    raise CdpError(message["error"]["message"])
                return message["result"]
            if "method" in message:
                self.events.append(message)

    def send(self, message):
        self.stream.sendall(json.dumps(message).encode() + b"\0")

    def call(self, method, session_id=None, **params):
        self.next_id += 1
        self.send({"id": self.next_id, "method": method, "params": params, **({"sessionId": session_id} if session_id else {})})
        return self.answer_of(self.next_id)

    def attach(self, target_id):
        return self.call("Target.attachToTarget", targetId=target_id, flatten=True)["sessionId"]

    def evaluate(self, session_id, expression):
        answer = self.call("Runtime.evaluate", session_id, expression=expression, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    def direct(self, message):
        """Begin, one message straight into the browser's pipe, end; its answer."""
        number = self.call("Popvault.begin")["id"]
        os.write(self.pipe, json.dumps({**message, "id": number}).encode() + b"\0")
        self.call("Popvault.end")
        return self.answer_of(number)

    def wait_event(self, method, seconds=20.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for event in self.events:
                if event["method"] == method:
                    self.events.remove(event)
                    return event
            message = self.receive()
            if "method" in message:
                self.events.append(message)
        raise CdpError("no " + method)

    def close(self):
        self.stream.close()
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1
