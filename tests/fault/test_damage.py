"""Every kind of harm to every file of a home: it ends in the right refusal, nothing is written to what is damaged, what is
not damaged goes on working, and doctor names the file and says what can be done.

The matrix uses the real programs; flips at every byte and cuts at every length go through fault_session, which opens a home
as the daemon does and takes a millisecond. POPVAULT_SWEEP_SEED chooses the bytes of state.db.
"""

import contextlib
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.rpc import RpcError
from swept_home import KEY, NEW_KEY, SESSION, SweptHome, ask, given
from verbs import RECOVERY, words

SEED = int(os.environ.get("POPVAULT_SWEEP_SEED", "1"))
SAMPLES = 400  # bytes of state.db, and lengths
STRANGER = 12345  # a user that is not us

# Where a harm is noticed: at the daemon's start (the state "damaged"), at the unlock, at the use of the record.
DAMAGED, UNLOCK, USE, OK = "damaged", "unlock", "use", "ok"
INSECURE = (DAMAGED, "insecure_file")


class Harm:
    """What is done to one file. `other` is the file that takes its place, where one does."""

    def __init__(self, name, do):
        self.name, self.do = name, do


def flip(path, at=None):
    size = os.path.getsize(path)
    at = size // 2 if at is None else at
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def flip_in_a_row(path):
    """In a page of state.db that is in use."""
    with open(path, "rb") as file:
        flip(path, file.read().index(b'"status":"active"') + 12)


def cut(path):
    os.truncate(path, os.path.getsize(path) // 2)


def put(path, source):
    os.unlink(path)
    shutil.copyfile(source, path)
    os.chmod(path, 0o600)


def aside(path):
    os.rename(path, path + ".aside")
    return path + ".aside"


def link(path):
    os.symlink(aside(path), path)


def directory(path):
    aside(path)
    os.mkdir(path, 0o700)


def fifo(path):
    aside(path)
    os.mkfifo(path, 0o600)


PLAIN = {
    "a bit flipped": flip,
    "cut in half": cut,
    "cut to nothing": lambda path: os.truncate(path, 0),
    "gone": os.unlink,
    "open to others": lambda path: os.chmod(path, 0o644),
    "of another user": lambda path: os.chown(path, STRANGER, STRANGER),
    "a link to the right content": link,
    "a directory in its place": directory,
    "a fifo in its place": fifo,
}
RIGHTS = ("open to others", "of another user", "a link to the right content", "a directory in its place",
          "a fifo in its place")


def insecure(where):
    return {name: (where, "insecure_file") for name in RIGHTS}


# file -> harm -> where it is noticed, and the reason
EXPECTED = {
    "vault.enc": {
        "a bit flipped": (UNLOCK, "wrong_key"),
        "cut in half": (UNLOCK, "wrong_key"),
        "cut to nothing": (UNLOCK, "vault_corrupt"),
        "gone": (UNLOCK, "vault_corrupt"),
        "an older copy": (UNLOCK, "state_rolled_back"),
        "another vault's, same key": (UNLOCK, "state_rolled_back"),
        "another vault's": (UNLOCK, "wrong_key"),
        **insecure(DAMAGED),
    },
    ".vault_mode": {
        "a bit flipped": (UNLOCK, "vault_mode_mismatch"),
        "cut in half": (UNLOCK, "vault_mode_mismatch"),
        "cut to nothing": (UNLOCK, "vault_mode_mismatch"),
        "gone": (UNLOCK, "vault_mode_mismatch"),
        "another vault's": (UNLOCK, "vault_mode_mismatch"),
        **insecure(DAMAGED),
    },
    "state.db": {
        "a bit flipped": ((DAMAGED, UNLOCK), ("state_corrupt", "journal_broken")),
        "cut in half": ((DAMAGED, UNLOCK), "state_corrupt"),
        "cut to nothing": (DAMAGED, "state_corrupt"),
        "gone": (DAMAGED, "state_corrupt"),
        "an older copy": (UNLOCK, "state_rolled_back"),
        "another vault's, same key": (UNLOCK, ("state_corrupt", "state_rolled_back")),
        "another vault's": (UNLOCK, ("state_corrupt", "state_rolled_back", "wrong_key")),
        **insecure(DAMAGED),
    },
    "blob": {
        "a bit flipped": (USE, "state_corrupt"),
        "cut in half": (USE, "state_corrupt"),
        "cut to nothing": (USE, "state_corrupt"),
        "gone": (USE, "state_corrupt"),
        "an older copy": (USE, "state_corrupt"),
        "another record's": (USE, "state_corrupt"),
        "another vault's": (USE, "state_corrupt"),
        **insecure(USE),
    },
    # An unlock makes it good again: the vault key is at hand then.
    "slots/recovery.slot": {name: (OK, None) for name in (*PLAIN, "an older copy", "another vault's")},
    ".narrowed": {
        "a bit flipped": (UNLOCK, ("state_rolled_back", "state_corrupt")),
        "cut in half": (UNLOCK, ("state_rolled_back", "state_corrupt")),
        "cut to nothing": (UNLOCK, "state_corrupt"),
        "gone": (OK, None),  # the journal says the same
        **insecure(UNLOCK),
    },
}
# What an unlock cannot put right.
STAYS = {("slots/recovery.slot", "a directory in its place")}
# With the words instead of the passphrase.
EXPECTED_RECOVERY = {
    "a bit flipped": "slot_damaged",
    "cut in half": "slot_damaged",
    "cut to nothing": "slot_damaged",
    "gone": "slot_damaged",
    "an older copy": None,
    "another vault's": ("words_wrong", "slot_damaged"),
    **{name: "insecure_file" for name in RIGHTS},
}


def copied(source, target):
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("run"))
    return target


class Homes:
    """The home that is harmed, an older copy of it, and other vaults."""

    def __init__(self, folder):
        self.folder = folder
        self.old = os.path.join(folder, "old")
        self.now = os.path.join(folder, "now")
        home = SweptHome(os.path.join(folder, "made"))
        os.mkdir(home.path, 0o700)
        home.start()
        home.make_vault()
        self.ids = home.furnish()
        with home.owner() as owner:
            words(home, owner, self.ids)
            self.ids["second"] = home.add(owner, "card", "Second", {"number": "5555555555554444", "exp_month": "01",
                                                                   "exp_year": "2033"})
        home.kill()  # so that state.db-wal is there as well
        copied(home.path, self.old)
        home.start()
        with home.owner() as owner:
            home.unlock_raw(owner)
            params = {"id": self.ids["card"], "label": "Card"}
            params["proof"] = home.proof(owner, "record.edit", params)
            with given(holder="Grace Hopper") as fd:
                owner.call("record.edit", fd=fd, **params)
            home.call(owner, "config.set", True, key="browser.endpoint", value="http://127.0.0.1:9")
        home.stop()
        copied(home.path, self.now)
        # Frozen while locked: with .narrowed.
        self.narrowed = os.path.join(folder, "narrowed")
        home.start()
        with home.owner() as owner:
            owner.call("vault.freeze")
        home.kill()
        copied(home.path, self.narrowed)
        home.remove()
        self.other = self.another("other", KEY)
        self.foreign = self.another("foreign", NEW_KEY)
        self.machine = self.another("machine", None)
        self.blob = self.blob_of(self.now, self.ids["card"])
        self.second_blob = self.blob_of(self.now, self.ids["second"])

    def another(self, name, key):
        home = SweptHome(os.path.join(self.folder, "made-" + name))
        os.mkdir(home.path, 0o700)
        home.start()
        with home.owner() as owner:
            if key is None:
                owner.call("vault.init", mode="machine", accept_public_salt=True)
            else:
                with given(key=key) as fd:
                    owner.call("vault.init", fd=fd, mode="passphrase")
            home.unlock_raw(owner, key)
            home.add(owner, "card", "Other", {"number": "4242424242424242", "exp_month": "01", "exp_year": "2033"})
            params = {"public_key": hashlib.sha256(name.encode()).hexdigest()}
            params["proof"] = home.proof(owner, "recovery.create", params)
            with given(signing=bytes(32)) as fd:
                owner.call("recovery.create", fd=fd, **params)
        home.stop()
        copied(home.path, os.path.join(self.folder, name))
        home.remove()
        return os.path.join(self.folder, name)

    def blob_of(self, home, record):
        """Its path in the home, from state.db."""
        import sqlite3
        with contextlib.closing(sqlite3.connect("file:%s?immutable=1" % os.path.join(home, "state.db"), uri=True)) as db:
            (body,) = db.execute("SELECT body FROM records WHERE id = ?", (record,)).fetchone()
        body = json.loads(body)
        return os.path.join("blobs", body["kind"], str(body["epoch"]), body["blob"] + ".enc")

    def first_blob(self, home):
        return sorted(os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(home, "blobs", "card"))
                      for name in names)[0]

    def source(self, file):
        return self.narrowed if file == ".narrowed" else self.now

    def path(self, file):
        return self.blob if file == "blob" else file

    def harms(self, file):
        """Everything that can be done to a file, by name."""
        path = self.path(file)
        out = dict(PLAIN)
        older = os.path.join(self.old, path)
        if file == "blob":
            out["an older copy"] = lambda p: put(p, self.first_old_blob())
            out["another record's"] = lambda p: put(p, os.path.join(self.now, self.second_blob))
            out["another vault's"] = lambda p: put(p, self.first_blob(self.other))
        elif file == ".vault_mode":
            out["another vault's"] = lambda p: put(p, os.path.join(self.machine, path))
        elif file != ".narrowed":
            if file == "state.db":
                out["a bit flipped"] = flip_in_a_row
            out["an older copy"] = lambda p: self.put_older(file, p, older)
            out["another vault's"] = lambda p: put(p, os.path.join(self.foreign, path))
            if file != "slots/recovery.slot":
                out["another vault's, same key"] = lambda p: put(p, os.path.join(self.other, path))
        return out

    def first_old_blob(self):
        """The card's blob of before it was edited."""
        old = {name for _, _, names in os.walk(os.path.join(self.old, "blobs", "card")) for name in names}
        now = {name for _, _, names in os.walk(os.path.join(self.now, "blobs", "card")) for name in names}
        (name,) = old - now
        return os.path.join(self.old, "blobs", "card", "1", name)

    def put_older(self, file, path, older):
        put(path, older)
        if file == "state.db":  # all of it
            shutil.copyfile(older + "-wal", path + "-wal")
            os.chmod(path + "-wal", 0o600)


def fingerprint_of(path):
    """What is at a path: its kind, rights and bytes."""
    if not os.path.lexists(path):
        return None
    stat = os.lstat(path)
    content = None
    if os.path.isfile(path) and not os.path.islink(path):
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()
    return (stat.st_mode, stat.st_uid, content, os.readlink(path) if os.path.islink(path) else None)


def use(home, owner, record):
    """What an export of the card is answered."""
    params = {"id": record}
    params["proof"] = home.proof(owner, "record.export", params)
    with given(key=bytes(32)) as fd:
        try:
            owner.call("record.export", fd=fd, **params)
            return None
        except RpcError as error:
            return error.reason


def outcome(home, ids):
    """Where the harm was noticed and the word that it was given, with the daemon left running."""
    home.start()
    with home.owner() as owner:
        hello = owner.call("owner.hello")
        if hello["state"] == "damaged":
            try:
                owner.call("audit.verify")
            except RpcError as error:
                return DAMAGED, error.reason
        try:
            home.unlock_raw(owner)
        except RpcError as error:
            return UNLOCK, error.reason
        other = use(home, owner, ids["second"])
        if other is not None:
            return "other record", other
        found = use(home, owner, ids["card"])
        return (OK, None) if found is None else (USE, found)


def fits(found, expected):
    where, why = expected
    wheres = where if isinstance(where, tuple) else (where,)
    whys = why if isinstance(why, tuple) else (why,)
    return found[0] in wheres and found[1] in whys


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="pv-", dir="/tmp")
        cls.homes = Homes(cls.folder)
        cls.home = SweptHome(os.path.join(cls.folder, "harmed"))

    @classmethod
    def tearDownClass(cls):
        cls.home.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def doctor(self):
        answer = self.home.run("doctor", timeout=30)
        return answer, [finding for finding in answer.json["findings"]
                        if finding["level"] == "problem" and finding["message"] != "the vault is frozen"]


class Matrix(Case):
    def one(self, file, harm, do):
        home = self.home
        home.replace(self.homes.source(file))
        path = home.file(self.homes.path(file))
        do(path)
        before = fingerprint_of(path)
        try:
            found = outcome(home, self.homes.ids)
            problems = []
            if not fits(found, EXPECTED[file][harm]):
                problems.append("%r instead of %r" % (found, EXPECTED[file][harm]))
            answer, findings = self.doctor()
            if found[0] != OK:
                problems += self.told(file, findings)
                home.kill()
                if fingerprint_of(path) != before:
                    problems.append("it was written to")
            elif (file, harm) in STAYS:
                problems += self.told(file, findings)
            elif findings:
                problems.append("doctor finds %r" % findings)
        finally:
            if home.daemon:
                home.kill()
        return problems

    def told(self, file, findings):
        """doctor must name the file and say what can be done."""
        name = os.path.basename(self.homes.path(file))
        named = [finding for finding in findings if name in finding["message"]]
        if not named:
            return ["doctor does not name it: %r" % findings]
        if not any(finding["remediation"] for finding in named):
            return ["doctor does not say what can be done: %r" % named]
        return []

    def test_matrix(self):
        problems, cases = [], 0
        for file in EXPECTED:
            harms = self.homes.harms(file)
            self.assertEqual(set(harms), set(EXPECTED[file]), file)
            for harm, do in harms.items():
                cases += 1
                problems += ["%s, %s: %s" % (file, harm, problem) for problem in self.one(file, harm, do)]
        print("%d harms by the real programs" % cases, file=sys.stderr)
        self.assertEqual(problems, [], "\n" + "\n".join(problems))

    def test_control_unharmed(self):
        """Without harm everything opens, and doctor finds nothing."""
        for source in (self.homes.now, self.homes.narrowed):
            self.home.replace(source)
            found = outcome(self.home, self.homes.ids)
            answer, findings = self.doctor()
            self.home.kill()
            self.assertEqual(found, (OK, None))
            self.assertEqual(findings, [], repr(answer))

    def test_recovery_with_a_damaged_slot(self):
        for harm, do in self.homes.harms("slots/recovery.slot").items():
            with self.subTest(harm=harm):
                self.home.replace(self.homes.now)
                do(self.home.file("slots/recovery.slot"))
                self.home.start()
                found = None
                with self.home.owner() as owner, given(recovery_key=RECOVERY, key=NEW_KEY) as fd:
                    try:
                        owner.call("vault.recover", fd=fd)
                    except RpcError as error:
                        found = error.reason
                self.home.kill()
                expected = EXPECTED_RECOVERY[harm]
                self.assertIn(found, expected if isinstance(expected, tuple) else (expected,))


class EveryByte(Case):
    """Flips and cuts, by the daemon's own code without its sockets."""

    def check(self, home):
        done = subprocess.run([SESSION, "contents", home], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
        return done.returncode, done.stdout.decode(errors="replace").splitlines()

    def contents(self, home):
        code, lines = self.check(home)
        self.assertEqual(code, 0, lines)
        return sorted(lines)

    def harmed(self, file, harm, allowed, unharmed, source, whole=False):
        """One harm on a fresh copy: a word of `allowed`, or nothing was lost."""
        path = os.path.join(self.home.path, file)
        shutil.copyfile(os.path.join(source, file), path)
        harm(path)
        before = fingerprint_of(path)
        code, lines = self.check(self.home.path)
        if code == 0 and whole:
            return sorted(lines) == unharmed
        if code != 1 or not lines or not lines[-1].startswith("refused: "):
            return False  # a crash, or opened
        return lines[-1].split(": ")[1] in allowed and fingerprint_of(path) == before

    def sweep(self, file, allowed, positions, lengths, unharmed=(), whole=False, source=None):
        source = source or self.homes.now
        bad, cases = [], 0
        for kind, numbers in (("byte", positions), ("length", lengths)):
            for number in numbers:
                if whole or not cases:  # what an unlock may have changed
                    self.home.replace(source)
                cases += 1
                harm = (lambda path: flip(path, number)) if kind == "byte" else (lambda path: os.truncate(path, number))
                if not self.harmed(file, harm, allowed, unharmed, source, whole):
                    bad.append((kind, number, self.check(self.home.path)))
        print("%s: %d flips and cuts" % (file, cases), file=sys.stderr)
        self.assertEqual(bad[:5], [], "%d of %d" % (len(bad), cases))

    def size(self, file):
        return os.path.getsize(os.path.join(self.homes.now, file))

    def test_vault_file(self):
        size = self.size("vault.enc")
        self.sweep("vault.enc", {"wrong_key", "vault_corrupt"}, range(size), range(size))

    def test_mode(self):
        size = self.size(".vault_mode")
        self.sweep(".vault_mode", {"vault_mode_mismatch"}, range(size), range(size))

    def test_blob(self):
        size = self.size(self.homes.blob)
        self.sweep(self.homes.blob, {"state_corrupt"}, range(size), range(size))

    def test_narrowed(self):
        size = os.path.getsize(os.path.join(self.homes.narrowed, ".narrowed"))
        self.sweep(".narrowed", {"state_rolled_back", "state_corrupt"}, range(size), range(size),
                   source=self.homes.narrowed)

    def test_state(self):
        """A byte of state.db that nothing uses may change; whatever opens has lost nothing."""
        rng = random.Random(SEED)
        size = self.size("state.db")
        self.home.replace(self.homes.now)
        unharmed = self.contents(self.home.path)
        positions = sorted({*range(0, 100, 3), *(rng.randrange(size) for _ in range(SAMPLES))})
        lengths = sorted({0, 1, 100, 4096, *(rng.randrange(size) for _ in range(SAMPLES // 4))})
        print("state.db: seed %d" % SEED, file=sys.stderr)
        self.sweep("state.db", {"state_corrupt", "journal_broken", "state_rolled_back", "newer_version", "io_error"},
                   positions, lengths, unharmed, whole=True)

    def test_log(self):
        """The write-ahead log that a killed daemon left: what is cut off it is seen, or was nothing."""
        rng = random.Random(SEED)
        file = "state.db-wal"
        size = os.path.getsize(os.path.join(self.homes.old, file))
        self.assertGreater(size, 4096)
        self.home.replace(self.homes.old)
        unharmed = self.contents(self.home.path)
        self.sweep(file, {"state_corrupt", "journal_broken", "state_rolled_back"},
                   sorted(rng.randrange(size) for _ in range(SAMPLES // 4)),
                   sorted(rng.randrange(size) for _ in range(SAMPLES // 4)), unharmed, whole=True, source=self.homes.old)

    def test_control_unharmed(self):
        self.home.replace(self.homes.now)
        self.assertEqual(len(self.contents(self.home.path)), 6)


if __name__ == "__main__":
    unittest.main()
