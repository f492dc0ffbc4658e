"""The daemon without a browser: round trips, unlock, the cost of a commit, memory."""

import hashlib
import json
import os
import resource
import socket
import subprocess
import sys
import time

from measure import WARM_UPS, Memory, Row, Sample, by_turns, timed
from support.home import CARD, PASSPHRASE
from support.rpc import bundle

HERE = os.path.dirname(os.path.abspath(__file__))
TRIPS = 40         # round trips per turn
IDLE = 1000        # connections
SAVED = "bench-save"


def round_trip(connection, request):
    """One line out, one line back, both as plain as can be; the answer."""
    connection.sendall(request)
    answer = b""
    while not answer.endswith(b"\n"):
        answer += connection.recv(1 << 16)
    return answer


class Echo:
    """A plain server in a process of its own that answers with as many bytes."""

    def __init__(self, folder, size):
        self.path = os.path.join(folder, "echo.sock")
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "echo.py"), self.path, str(size)])
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end = time.monotonic() + 10
        while True:
            try:
                self.socket.connect(self.path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def __enter__(self):
        return self.socket

    def __exit__(self, *_):
        self.socket.close()
        self.process.wait(10)
        os.unlink(self.path)


def trips_row(what, agent, method, params, folder, rounds):
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, **({"params": params} if params else {})}).encode() + b"\n"
    answer = round_trip(agent.socket, request)
    if b'"result"' not in answer:
        raise RuntimeError("%s: %r" % (method, answer[:200]))
    with Echo(folder, len(answer)) as echo:
        ours, plain = [], []
        for _ in range(WARM_UPS + rounds):
            ours += [timed(lambda: round_trip(agent.socket, request)) for _ in range(TRIPS)]
            plain += [timed(lambda: round_trip(echo, request)) for _ in range(TRIPS)]
    skip = WARM_UPS * TRIPS
    return Row(what, Sample(ours[skip:]), "plain echo, %d bytes" % len(answer), Sample(plain[skip:]))


def add_cards(home, count):
    """Further cards straight through owner.sock: no process and no derivation for each."""
    fields = {name: CARD[name] for name in ("number", "exp_month", "exp_year", "cvv", "holder")}
    with home.owner() as owner:
        for number in range(count):
            fd = bundle(fields)
            try:
                owner.call("record.add", fd=fd, kind="card", label="Card %d" % number)
            finally:
                os.close(fd)


def trips(home, new_agent, rounds, say):
    say("round trips")
    with new_agent("reader") as agent:
        rows = [trips_row("vault.status", agent, "vault.status", None, home.tmp, rounds),
                trips_row("list of 1 card", agent, "credentials.list", {"limit": 100}, home.tmp, rounds)]
        add_cards(home, 99)
        rows.append(trips_row("list of 100 cards", agent, "credentials.list", {"limit": 100}, home.tmp, rounds))
    return rows


def unlock(home, rounds, say):
    """The whole of `popvault unlock`, its process included, against the derivation alone."""
    say("unlock")
    with open("/etc/machine-id", "rb") as file:
        salt = file.read().strip()

    def ours():
        home.cli("lock")
        return timed(lambda: home.cli("unlock", passphrase=PASSPHRASE))

    def bare():
        return timed(lambda: hashlib.pbkdf2_hmac("sha256", PASSPHRASE.encode(), salt, 600_000))

    return [Row("popvault unlock", *_pair(by_turns(rounds, ours, bare), "bare PBKDF2, 600 000"))]


def atomic_save(folder, content):
    """As safely as popvault writes a file: temporary file, fsync, rename, fsync of the folder."""
    path = os.path.join(folder, SAVED)
    fd = os.open(path + ".tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(fd, content)
    os.fsync(fd)
    os.close(fd)
    os.rename(path + ".tmp", path)
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(directory)
    os.close(directory)


def commit(market, new_agent, rounds, say):
    """A request is on disk, in state.db and in vault.enc, before it is answered."""
    say("commits")
    home = market.home
    content = os.urandom(os.path.getsize(home.file("vault.enc")))
    number = iter(range(1_000_000))

    with new_agent("buyer") as agent:
        def ours():
            return timed(lambda: market.request("commit-%d" % next(number), agent, amount_minor=100))
        samples = by_turns(rounds, ours, lambda: timed(lambda: atomic_save(home.path, content)))
    os.unlink(home.file(SAVED))
    return [Row("purchase.request", *_pair(samples, "atomic save, %d bytes" % len(content)))]


def _pair(samples, beside):
    return samples[0], beside, samples[1]


def resident(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def memory(home, say):
    say("memory")
    rows = [Memory("daemon resident, idle", resident(home.pid))]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE + 200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        return rows
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    idle = []
    try:
        for _ in range(IDLE):
            one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            one.connect(home.agent_socket)
            idle.append(one)
        # The last of them has been taken in when it answers.
        round_trip(idle[-1], b'{"jsonrpc":"2.0","id":1,"method":"vault.status"}\n')
        rows.append(Memory("daemon resident, %d idle connections" % IDLE, resident(home.pid)))
    finally:
        for one in idle:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return rows
