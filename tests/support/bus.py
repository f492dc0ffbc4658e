"""A D-Bus of the test's own, with a real dbus-daemon, and peers on it (tests/support/bus_peer.cpp).

    with Bus() as system:
        logind = system.peer("logind")
        ... DBUS_SYSTEM_BUS_ADDRESS=system.address ...
        logind.do("sleep true")
        logind.wait_for("released")
"""

import os
import select
import shutil
import subprocess
import tempfile
import time

from support.processes import die_with_parent
from support.programs import BUILD

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"""


class Peer:
    def __init__(self, address, role):
        self.process = subprocess.Popen([os.path.join(BUILD, "tests", "bus_peer"), address, role], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, preexec_fn=die_with_parent)
        self.lines = []
        self._rest = b""
        self.wait_for("ready")

    def _read(self, seconds):
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if ready:
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                raise AssertionError("the peer ended; it said %r" % self.lines)
            *whole, self._rest = (self._rest + data).split(b"\n")
            self.lines += [line.decode() for line in whole]
        return bool(ready)

    def wait_for(self, start, patience=20.0):
        """Takes the first line that begins so."""
        end = time.monotonic() + patience
        while True:
            for line in self.lines:
                if line.startswith(start):
                    self.lines.remove(line)
                    return line
            if time.monotonic() > end:
                raise AssertionError("the peer never said %r, but %r" % (start, self.lines))
            self._read(0.1)

    def said(self):
        while self._read(0):
            pass
        return list(self.lines)

    def do(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        self.wait_for("ok")

    def notification(self):
        """(summary, body) of the next one."""
        _, summary, body = self.wait_for("notify ").split(" ")
        return bytes.fromhex(summary).decode(), bytes.fromhex(body).decode()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Bus:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="pv-bus-", dir="/tmp")
        self.peers = []
        socket = os.path.join(self.folder, "bus")
        self.address = "unix:path=" + socket
        config = os.path.join(self.folder, "bus.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(CONFIG % socket)
        self.process = subprocess.Popen(["dbus-daemon", "--config-file=" + config, "--nofork", "--nosyslog"],
                                        stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        end = time.monotonic() + 20
        while not os.path.exists(socket):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError("dbus-daemon did not start")
            time.sleep(0.02)

    def peer(self, role):
        self.peers.append(Peer(self.address, role))
        return self.peers[-1]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for peer in self.peers:
            peer.close()
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
