"""What a vault costs as it grows: unlock, add, list, rotation in the background, backups. No browser."""

import contextlib
import hashlib
import json
import os
import random
import select
import subprocess
import tempfile
import time

from daemon import TRIPS, add_cards, atomic_save, round_trip
from measure import Row, Sample, by_turns, milliseconds, timed
from support import programs
from support.home import CARD, PASSPHRASE, Home
from support.owner_key import OwnerKey
from support.recovery_key import RecoveryKey
from support.rpc import bundle

FEW, PAGEFUL = 10, 100
PACE = 0.005       # a paced read comes once in so many seconds on average
IDLE_READS = 400   # of each kind, before
# A rotation that is not done by then is not looked at any longer; shorter where the vault is one among other parts.
LOOK, LOOK_SMALL = 60, 15
FIELDS = {name: CARD[name] for name in ("number", "exp_month", "exp_year", "cvv", "holder")}


class Fact:
    """One line with a text of its own."""

    def __init__(self, what, text, **figures):
        self.what, self.text, self.figures = what, text, figures

    def cells(self):
        return [self.what, self.text, "", "", "", "", ""]

    def json(self):
        return {"what": self.what, **self.figures}


class Vaults:
    """Homes with so many cards, each with its daemon; the key to all of them is derived once."""

    def __init__(self, say):
        self.say, self.stack, self.key = say, contextlib.ExitStack(), OwnerKey(PASSPHRASE)

    def __call__(self, count):
        home = self.stack.enter_context(Home())
        home.start()
        home.make_vault()
        begin = time.monotonic()
        add_cards(home, count)
        if count >= 1000:
            self.say("%d records in %.0f s" % (count, time.monotonic() - begin))
        return home

    def empty(self):
        home = self.stack.enter_context(Home())
        home.start()
        return home

    def owner(self, home):
        return self.stack.enter_context(contextlib.closing(home.owner()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()


def with_descriptor(fd, call):
    try:
        return call(fd)
    finally:
        os.close(fd)


# Unlock.

def derivation():
    """(what it is, a run of it in ms): the library and the flags of this build where they are there."""
    program = os.path.join(programs.BUILD, "tests", "bench", "bench_derive")
    if os.access(program, os.X_OK):
        return "bare derivation, this build", lambda: float(subprocess.run([program], stdout=subprocess.PIPE, check=True).stdout)
    return "bare derivation, Python's", lambda: timed(
        lambda: hashlib.pbkdf2_hmac("sha256", PASSPHRASE.encode(), bytes(32), 600_000))


def unlock_command(home, rounds):
    """The whole of `popvault unlock` as a script starts it, from the start of the process to its end."""
    command, env = [programs.program("popvault"), "unlock", "--passphrase-fd", "0"], home.env()
    with home.owner() as owner, open(os.devnull, "wb") as nothing:
        def ours():
            owner.call("vault.lock")
            read_end, write_end = os.pipe()
            os.write(write_end, PASSPHRASE.encode())
            os.close(write_end)
            return with_descriptor(read_end, lambda fd: timed(
                lambda: subprocess.run(command, stdin=fd, stdout=nothing, stderr=nothing, env=env, check=True)))

        what, bare = derivation()
        one, other = by_turns(2 * rounds, ours, bare)
    return Row("popvault unlock (%d records)" % FEW, one, what, other, 1.1)


def unlock_inside(vaults, homes, rounds):
    """vault.unlock with the key at hand: what the daemon itself needs."""
    def turn(owner):
        def run():
            owner.call("vault.lock")
            return with_descriptor(bundle({"key": vaults.key.vault_key}),
                                   lambda fd: timed(lambda: owner.call("vault.unlock", fd=fd)))
        return run

    counts = sorted(homes)
    samples = by_turns(rounds, *(turn(vaults.owner(homes[count])) for count in counts))
    return [Row("vault.unlock, %d records" % count, sample, "%d records" % counts[0], samples[0])
            for count, sample in list(zip(counts, samples))[1:]]


# Add and list.

def add(vaults, few, many, count, rounds):
    def turn(owner):
        return lambda: timed(lambda: with_descriptor(
            bundle(FIELDS), lambda fd: owner.call("record.add", fd=fd, kind="card", label="One more")))

    content = os.urandom(114)  # as long as the blob of such a card
    one, other, save = by_turns(2 * rounds, turn(vaults.owner(many)), turn(vaults.owner(few)),
                                lambda: timed(lambda: atomic_save(many.base, content)))
    return [Row("add to %d records" % count, one, "add to %d" % FEW, other, 1.3),
            Row("add to %d records" % FEW, other, "atomic save, %d bytes" % len(content), save)]


def line(method, **params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n"


def first_page(vaults, few, many, count, rounds):
    request = line("record.list", limit=50)
    connections = [vaults.owner(home).socket for home in (many, few)]
    for connection in connections:
        if len(json.loads(round_trip(connection, request))["result"]["records"]) != 50:
            raise RuntimeError("not a full page")
    samples = [[], []]
    for _ in range(rounds):
        for connection, into in zip(connections, samples):
            into += [timed(lambda: round_trip(connection, request)) for _ in range(TRIPS)]
    return Row("first page of %d records" % count, Sample(samples[0]), "of %d" % PAGEFUL, Sample(samples[1]), 2)


# Reads while something else is going on.

class Reads:
    """Masked reads on a connection of their own: `paced` come when they come, as from somebody who does not know what the
    daemon is about; of `close` ones each follows the last answer."""

    def __init__(self, connection):
        self.socket, self.request = connection.socket, line("record.list", limit=1)
        self.paced, self.close = [], []

    def one(self):
        return timed(lambda: round_trip(self.socket, self.request))

    def some(self, count, going=lambda: True, twin=None):
        """`count` of each kind, or until it is over; those of `twin` in turn with them."""
        for paced in (True, False):
            for _ in range(count):
                if not going():
                    return
                for reads in (self, twin) if twin else (self,):
                    if paced:
                        time.sleep(random.uniform(0, 2 * PACE))
                    (reads.paced if paced else reads.close).append(reads.one())


def p99(sample):
    return sample.values[min(len(sample.values) - 1, int(len(sample.values) * 0.99))]


def reads_rows(during, idle, twin, what, limit):
    rows = []
    for kind, name in (("paced", "read now and then"), ("close", "reads in a row")):
        if len(getattr(during, kind)) < FEW:
            continue  # it was over at once
        ours, beside = Sample(getattr(during, kind)), Sample(getattr(idle, kind))
        rows += [Row("%s, %s" % (name, what), ours, "idle, before", beside, limit),
                 Row("%s, %s" % (name, what), ours, "resting vault, in turn", Sample(getattr(twin, kind)), limit),
                 Fact("  99th percentile, longest", "%s, %s" % (milliseconds(p99(ours)), milliseconds(ours.values[-1])),
                      p99_ms=round(p99(ours), 4), longest_ms=round(ours.values[-1], 4), idle_p99_ms=round(p99(beside), 4))]
    return rows


def rotation(vaults, home, resting, count, say):
    """vault.rotate with now: every record is sealed anew between other requests."""
    say("rotation of %d records" % count)
    owner, reader = vaults.owner(home), vaults.owner(home)
    at_rest = vaults.owner(resting)
    idle, during, twin = Reads(reader), Reads(reader), Reads(at_rest)
    idle.some(IDLE_READS, twin=Reads(at_rest))
    begin = time.monotonic()
    vaults.key.call(owner, "vault.rotate", now=True)
    looked, moved, sweeping = begin, 0, True
    end = begin + (LOOK if count >= 10_000 else LOOK_SMALL)

    def going():
        nonlocal looked, moved, sweeping
        if sweeping and time.monotonic() > looked + 0.5:
            epochs = owner.call("vault.epochs")
            looked, moved, sweeping = time.monotonic(), epochs["epochs"][-1]["records"], epochs["sweeping"]
        return sweeping and looked < end

    while going():
        during.some(IDLE_READS // 4, going, twin)
    took = looked - begin
    if not sweeping and moved < count:
        raise RuntimeError("the rotation stopped at %d records" % moved)
    return [Fact("rotation of %d records" % count, "%s, %.0f a second" % (
                     "%.1f s" % took if not sweeping else "%d in %.0f s" % (moved, took), moved / took),
                 seconds=round(took, 2), moved=moved, done=not sweeping),
            *reads_rows(during, idle, twin, "during a rotation", 2)]


# Backups.

class Backups:
    def __init__(self, vaults, home, resting):
        self.vaults, self.home, self.owner = vaults, home, vaults.owner(home)
        self.folder = vaults.stack.enter_context(tempfile.TemporaryDirectory(dir=home.base))
        self.recovery = RecoveryKey("any words will do")
        self.signer, self.number = None, 0
        with open(self.path("identity"), "w", encoding="ascii") as file:
            file.write(self.recovery.identity + "\n")
        self.reader = vaults.owner(home)
        self.at_rest = vaults.owner(resting)
        self.idle, self.during, self.twin = Reads(self.reader), Reads(self.reader), Reads(self.at_rest)

    def path(self, name):
        return os.path.join(self.folder, name)

    def create(self):
        """A backup while somebody reads now and then; one that nobody disturbs would be faster."""
        self.number += 1
        params = {"recipients": [self.recovery.recipient]}
        proof = self.vaults.key.proof(self.owner, "backup.create", params)
        fd = os.open(self.path("backup-%d" % self.number), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)

        def run():
            self.owner.start("backup.create", {**params, "proof": proof}, fd=fd)
            while not select.select([self.owner.socket], [], [], 0)[0]:
                self.during.some(20, lambda: not select.select([self.owner.socket], [], [], 0)[0], self.twin)
            self.signer = self.owner.reply()["result"]["signer"]
        return with_descriptor(fd, lambda _: timed(run))

    def newest(self):
        return self.path("backup-%d" % self.number)

    def verify(self):
        with open(self.newest(), "rb") as file:
            return timed(lambda: self.owner.call("backup.verify", fd=file.fileno()))

    def restore(self):
        home = self.vaults.empty()
        try:
            with home.owner() as owner, open(self.newest(), "rb") as file:
                owner.socket.settimeout(600)
                keys = bundle({"identity": self.recovery.secret, "key": self.vaults.key.vault_key})
                return with_descriptor(keys, lambda fd: timed(
                    lambda: owner.call("backup.restore", fd=[fd, file.fileno()], signer=self.signer)))
        finally:
            home.remove()

    # The stock program over the same bytes.

    def age(self, *arguments):
        subprocess.run(["age", *arguments], check=True)

    def encrypt(self):
        def run():
            self.age("-r", self.recovery.recipient, "-o", self.path("plain.age"), self.path("plain"))
            fd = os.open(self.path("plain.age"), os.O_RDONLY)
            with_descriptor(fd, os.fsync)
        return timed(run)

    def decrypt(self):
        return timed(lambda: self.age("-d", "-i", self.path("identity"), "-o", os.devnull, self.newest()))

    def rows(self, count, rounds):
        self.owner.socket.settimeout(600)
        self.idle.some(IDLE_READS, twin=Reads(self.at_rest))
        self.create()
        self.during.paced, self.during.close, self.twin.paced, self.twin.close = [], [], [], []
        self.age("-d", "-i", self.path("identity"), "-o", self.path("plain"), self.newest())
        create, encrypt = [], []
        verify, decrypt = [], []
        for _ in range(rounds):
            for into, run in ((create, self.create), (encrypt, self.encrypt), (verify, self.verify), (decrypt, self.decrypt)):
                into.append(run())
        restore = [self.restore()]
        size = os.path.getsize(self.newest()) / 1e6
        rows = []
        for what, ours, beside_what, beside in (("create", create, "age, encrypt", encrypt), ("verify", verify, "age, decrypt", decrypt),
                                                ("restore", restore, "age, decrypt", decrypt)):
            row = Row("backup.%s, %d records" % (what, count), Sample(ours), beside_what, Sample(beside))
            rows += [row, Fact("  of %.1f MB" % size, "%.1f MB/s" % (1000 * size / row.ours.median), megabytes=round(size, 3),
                               megabytes_per_second=round(1000 * size / row.ours.median, 3))]
        return rows + reads_rows(self.during, self.idle, self.twin, "during a backup", None)


def backups(vaults, home, resting, count, rounds, say):
    say("backups of %d records" % count)
    return Backups(vaults, home, resting).rows(count, rounds)


def rows(count, rounds, say):
    """All of it with `count` records as the many."""
    with Vaults(say) as vaults:
        few, pageful, many = vaults(FEW), vaults(PAGEFUL), vaults(count)
        middle = vaults(1000) if count > 1000 else None
        say("unlock, add, list")
        out = [unlock_command(few, rounds)]
        out += unlock_inside(vaults, {FEW: few, **({1000: middle} if middle else {}), count: many}, rounds)
        out += [*add(vaults, few, many, count, rounds), first_page(vaults, pageful, many, count, rounds)]
        out += backups(vaults, many, few, count, max(3, rounds // 5), say)
        out += rotation(vaults, many, few, count, say)  # the last: it may still be at work afterwards
        return out
