"""What the gate costs: a masked read beside an ssh-agent, a request beside one bare commit, a step with a mirror, many at once.

Every figure stands beside a plain doing of the same in the same run, in turn.
"""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import sqlite3
import struct
import subprocess

from daemon import add_cards, atomic_save, round_trip
from measure import WARM_UPS, Row, Sample, by_turns, milliseconds, timed
from support import programs
from support.home import PASSPHRASE, Home, wait_until
from support.owner_key import OwnerKey
from support.processes import die_with_parent
from vault import Fact

SHOP = "https://shop.example"
AGENTS = 64         # each with its key, its policy and its card
FEW = 3             # records of a masked read, and keys of the ssh-agent
TRIPS = 10          # round trips per turn
TURNS = 20          # of them per round
CYCLES = 40         # requests and cancels per round
PROBES = 9          # requests whose bytes are looked at
EACH = 4            # requests of each agent per turn, alone and together
SYNCED = "bench-sync"
IDENTITIES = struct.pack(">IB", 1, 11)  # SSH_AGENTC_REQUEST_IDENTITIES


def client():
    path = os.path.join(programs.BUILD, "tests", "bench", "bench_client")
    if not os.access(path, os.X_OK):
        raise FileNotFoundError("bench_client is not built: cmake --build %s --target bench_client" % programs.BUILD)
    return path


def run_client(*arguments, text):
    done = subprocess.run([client(), *map(str, arguments)], input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode("utf-8", "replace").strip())
    return [line.split() for line in done.stdout.decode().splitlines()]


def p99(sample):
    return sample.values[min(len(sample.values) - 1, int(len(sample.values) * 0.99))]


def with_p99(row):
    """The row and a line of its 99th percentiles."""
    ours, beside = p99(row.ours), p99(row.beside)
    text = "%s against %s: %.2f" % (milliseconds(ours), milliseconds(beside), ours / beside)
    return [row, Fact("  99th percentile", text, ours_ms=round(ours, 4), beside_ms=round(beside, 4))]


class GateHome:
    """A home with cards and agents: `agents` is a list of (session.hello, key)."""

    def __init__(self, stack, key, cards, agents, own_card):
        self.home, self.key, self.agents, self.ids = stack.enter_context(Home()), key, [], []
        self.home.start()
        self.home.make_vault()
        add_cards(self.home, cards)
        with self.home.owner() as owner:
            self.cards = self._cards(owner)
            for number in range(agents):
                self._agent(owner, number, [self.cards[number]] if own_card else None)

    @staticmethod
    def _cards(owner):
        out, cursor = [], {}
        while cursor is not None:
            page = owner.call("record.list", limit=100, **cursor)
            out += [item["id"] for item in page["records"]]
            cursor = {"cursor": page["next"]} if page["next"] else None
        return out

    def _agent(self, owner, number, records):
        key = "pak_" + os.urandom(20).hex()
        self.key.call(owner, "agent.add", name="agent-%d" % number, key_sha256=hashlib.sha256(key.encode()).hexdigest(),
                      key_first=key[:12], key_last=key[-4:])
        limits = {"per_use_minor": 10_000, "per_day_minor": 100_000_000, "uses_per_hour": 10_000, "ask_above_minor": 10_000}
        self.key.call(owner, "policy.set", agent="agent-%d" % number, merchants=[{"origin": SHOP, "processors": []}], currency="USD",
                      strength="dom", **limits, **({"records": records} if records else {}))
        self.agents.append(line("session.hello", agent_key=key, client="bench"))

    def request(self, number, idempotency_key):
        return line("purchase.request", record=self.cards[number], amount_minor=100, currency="USD", merchant_origin=SHOP,
                    reason="A book that was asked for", idempotency_key=idempotency_key)


def line(method, **params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, separators=(",", ":")).encode()


# A masked read beside a key listing.

class SshAgent:
    """A real one with so many keys."""

    def __init__(self, stack, folder, keys):
        self.path = os.path.join(folder, "ssh-%d.sock" % keys)
        process = subprocess.Popen(["ssh-agent", "-D", "-a", self.path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   preexec_fn=die_with_parent)
        stack.callback(lambda: (process.terminate(), process.wait(10)))
        wait_until(lambda: os.path.exists(self.path), "the ssh-agent")
        env = {"SSH_AUTH_SOCK": self.path, "PATH": "/usr/bin:/bin"}
        for number in range(keys):
            file = os.path.join(folder, "key-%d-%d" % (keys, number))
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "Card %d" % number, "-f", file], check=True)
            subprocess.run(["ssh-add", "-q", file], env=env, stderr=subprocess.DEVNULL, check=True)


def answer_size(path, first, request):
    """Of one answer, and a look at whether it is one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        if first:
            round_trip(connection, first)
            answer = round_trip(connection, request)
            if b'"result"' not in answer:
                raise RuntimeError("a masked read: %r" % answer[:200])
            return len(answer)
        connection.sendall(request)
        answer = connection.recv(1 << 16)
        if answer[4] != 12 or len(answer) != 4 + struct.unpack(">I", answer[:4])[0]:
            raise RuntimeError("the ssh-agent: %r" % answer[:40])
        return len(answer)


def read_row(what, place, method, params, agent, keys, rounds):
    sides = []
    for path, first, request in ((place.home.agent_socket, place.agents[0] + b"\n", line(method, **params) + b"\n"),
                                 (agent.path, b"", IDENTITIES)):
        sides.append("%s %s %s %d" % (path, first.hex() or "-", request.hex(), answer_size(path, first, request)))
    taken = run_client("trips", (WARM_UPS + rounds) * TURNS, TRIPS, text="\n".join(sides) + "\n")
    skip = WARM_UPS * TURNS * TRIPS
    ours, beside = ([int(ns) / 1e6 for side, ns in taken if side == which][skip:] for which in "01")
    return with_p99(Row(what, Sample(ours), "ssh-agent lists %d key%s" % (keys, "" if keys == 1 else "s"), Sample(beside), 1))


def changed_row(place, agent, keys, rounds):
    """A list of which nothing is remembered, because a request was written just before."""
    asking = line("credentials.list") + b"\n"
    with contextlib.closing(connected(place.home.agent_socket)) as reader, contextlib.closing(connected(agent.path)) as ssh:
        round_trip(reader, place.agents[0] + b"\n")
        number = iter(range(1000))

        def ours():
            round_trip(reader, place.request(0, "changed-%d" % next(number)) + b"\n")
            return timed(lambda: round_trip(reader, asking))

        def beside():
            ssh.sendall(IDENTITIES)
            return ssh.recv(1 << 16)

        # 60 at once is what an agent may ask.
        one, other = by_turns(min(5 * rounds, 55), ours, lambda: timed(beside))
    return Row("credentials.list, first after a change", one, "ssh-agent lists %d keys, Python" % keys, other)


def reads(key, rounds, say):
    say("masked reads and an ssh-agent")
    if not shutil.which("ssh-agent"):
        return [Fact("masked reads", "not measured: there is no ssh-agent (openssh-client)")]
    with contextlib.ExitStack() as stack:
        place = GateHome(stack, key, FEW, 1, own_card=False)
        few, one = (SshAgent(stack, place.home.tmp, count) for count in (FEW, 1))
        return [*read_row("credentials.list, %d cards" % FEW, place, "credentials.list", {}, few, FEW, rounds),
                *read_row("credentials.get", place, "credentials.get", {"id": place.cards[0]}, one, 1, rounds),
                changed_row(place, few, FEW, rounds)]


# One durable commit, and one with a mirror.

class Bare:
    """SQLite as plainly as it can be, with the same promise: WAL, synchronous FULL, one row in one commit."""

    def __init__(self, stack, folder, size):
        self.row = os.urandom(size // 2).hex()
        self.db = sqlite3.connect(os.path.join(folder, "bench-bare.db"), isolation_level=None)
        stack.callback(self.db.close)
        for statement in ("PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
                          "CREATE TABLE rows(id INTEGER PRIMARY KEY, body TEXT)"):
            self.db.execute(statement)

    def commit(self):
        self.db.execute("INSERT INTO rows(body) VALUES(?)", (self.row,))


class Sync:
    """What the disk alone takes: so many bytes behind the others, and fdatasync."""

    def __init__(self, stack, folder, size):
        self.data = os.urandom(size)
        self.fd = os.open(os.path.join(folder, SYNCED), os.O_WRONLY | os.O_CREAT, 0o600)
        stack.callback(os.close, self.fd)
        # As in a log that is used again: its blocks are there.
        os.write(self.fd, bytes(256 * size))
        os.fsync(self.fd)
        self.at = 0

    def write(self):
        os.pwrite(self.fd, self.data, self.at % 256 * len(self.data))
        os.fdatasync(self.fd)
        self.at += 1


def rows_of(home):
    """Bytes of purchases, ledger and journal with their seals, from a copy of state.db while nobody writes."""
    folder = os.path.join(home.tmp, "copy")
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    for suffix in ("", "-wal"):
        shutil.copy(home.file("state.db" + suffix), os.path.join(folder, "state.db" + suffix))
    with contextlib.closing(sqlite3.connect(os.path.join(folder, "state.db"))) as db:
        return sum(db.execute("SELECT coalesce(sum(length(CAST(body AS BLOB)) + length(%s)), 0) FROM %s" % (seal, table)).fetchone()[0]
                   for table, seal in (("purchases", "mac"), ("ledger", "mac"), ("journal", "hash")))


def written(home):
    """Bytes that the daemon has written to files."""
    with open("/proc/%d/io" % home.pid, encoding="ascii") as file:
        return int(next(text.split()[1] for text in file if text.startswith("wchar:")))


def on_cpu(home):
    """Milliseconds that the daemon's threads have run."""
    total = 0
    for thread in os.listdir("/proc/%d/task" % home.pid):
        with open("/proc/%d/task/%s/schedstat" % (home.pid, thread), encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e6


class Buyers:
    """Connections of all agents; request() and cancel() of each in turn."""

    def __init__(self, stack, place):
        self.place, self.asked, self.purchase = place, 0, None
        self.agents = []
        for hello in place.agents:
            agent = stack.enter_context(contextlib.closing(connected(place.home.agent_socket)))
            round_trip(agent, hello + b"\n")
            self.agents.append(agent)

    def request(self):
        number = self.asked % len(self.agents)
        self.asked += 1
        request = self.place.request(number, "turn-%d" % self.asked) + b"\n"
        answers = []
        took = timed(lambda: answers.append(round_trip(self.agents[number], request)))
        answer = json.loads(answers[0])
        if answer.get("result", {}).get("status") != "approved":
            raise RuntimeError("purchase.request: %r" % answer)
        self.purchase = (number, answer["result"]["purchase"])
        return took

    def cancel(self):
        number, purchase = self.purchase
        request = line("purchase.cancel", purchase=purchase) + b"\n"
        answers = []
        took = timed(lambda: answers.append(round_trip(self.agents[number], request)))
        if b'"canceled"' not in answers[0]:
            raise RuntimeError("purchase.cancel: %r" % answers[0])
        return took


def connected(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(path)
    return connection


def commits(stack, place, rounds, say):
    say("one commit, and one with a mirror")
    home = place.home
    buyers = Buyers(stack, place)
    buyers.request()  # what only the first request of a connection writes does not count
    buyers.cancel()
    before, logs = rows_of(home), []
    for _ in range(PROBES):
        bytes_before = written(home)
        buyers.request()
        logs.append(written(home) - bytes_before)
    # SQLite moves what is in the log into the file now and then: not in most of these.
    rows, log = (rows_of(home) - before) // PROBES, sorted(logs)[PROBES // 2]
    buyers.cancel()
    saved = os.urandom(os.path.getsize(home.file("vault.enc")))
    bare, small, large = Bare(stack, home.path, rows), Sync(stack, home.path, 4096), Sync(stack, home.tmp, max(log, 4096))

    def both():
        bare.commit()
        atomic_save(home.path, saved)

    request, commit, cancel, commit_and_save, one_sync, log_sync = by_turns(
        rounds * CYCLES, buyers.request, lambda: timed(bare.commit), buyers.cancel, lambda: timed(both),
        lambda: timed(small.write), lambda: timed(large.write))
    for name in ("bench-save", SYNCED):
        os.unlink(home.file(name))
    return [*with_p99(Row("purchase.request, %d bytes of rows" % rows, request, "bare commit, one row of as many", commit, 1.5)),
            *with_p99(Row("purchase.request", request, "%d bytes of log, fdatasync" % log, log_sync)),
            *with_p99(Row("purchase.cancel, mirrored", cancel, "bare commit and save, %d bytes" % len(saved), commit_and_save)),
            *with_p99(Row("bare commit", commit, "4096 bytes, fdatasync", one_sync))]


# Many at once.

def together(place, rounds, say):
    say("%d agents at once" % AGENTS)
    lines = []
    for number, hello in enumerate(place.agents):
        lines += [hello.decode(), place.request(number, "load-@@@@@@@@").decode()]
    # 60 at once and 1 a second is what an agent may ask.
    turns = max(2, min(rounds, 40 // (2 * EACH)))
    before = on_cpu(place.home)
    taken = run_client("load", place.home.agent_socket, turns, EACH, text="\n".join(lines) + "\n")
    count = EACH * AGENTS
    cpu = (on_cpu(place.home) - before) / (2 * turns * count)
    alone, at_once = (sorted(count / float(seconds) for what, seconds in taken if what == which) for which in ("alone", "together"))
    gain = sorted(at_once)[len(at_once) // 2] / sorted(alone)[len(alone) // 2]
    middle = [values[len(values) // 2] for values in (alone, at_once)]
    text = "%.0f a second, one by one %.0f: %.1f times, at least 5: %s" % (middle[1], middle[0], gain, "held" if gain >= 5 else "NOT held")
    return [Fact("purchase.request, %d agents at once" % AGENTS, text, together_per_s=round(middle[1], 1),
                 alone_per_s=round(middle[0], 1), gain=round(gain, 2), all_together=at_once, all_alone=alone),
            Fact("  of a request, on a processor", milliseconds(cpu), cpu_ms=round(cpu, 4))]


def rows(rounds, say):
    client()
    key = OwnerKey(PASSPHRASE)
    with contextlib.ExitStack() as stack:
        out = reads(key, rounds, say)
        say("%d agents, each with policy and card" % AGENTS)
        place = GateHome(stack, key, AGENTS, AGENTS, own_card=True)
        # A request in turn takes one of an agent's sixty, and so does each of those together.
        out += together(place, rounds, say)
        out += commits(stack, place, rounds, say)
        return out
