"""A home whose vault key the test holds itself (no passphrase, no key derivation), its state as everything that can be
seen of it, and a verb sent to its daemon.

    home = SweptHome(folder)
    home.start(); home.make_vault(); state = home.state()
"""

import contextlib
import hashlib
import json
import os
import pwd
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import Home
from support.owner_key import OwnerKey, machine_id
from support.programs import BUILD
from support.rpc import Client, RpcError, bundle

SESSION = os.path.join(BUILD, "tests", "fault", "fault_session")
KEY, NEW_KEY = bytes([7]) * 32, bytes([9]) * 32
KEYS = (KEY, NEW_KEY)
MACHINE_KEY = hashlib.scrypt(machine_id() + b":" + pwd.getpwuid(os.geteuid()).pw_name.encode(), n=1 << 14, r=8, p=1,
                             salt=b"pop-pay-oss-v1-public-salt-2026", dklen=32)
OWNERS = {key: OwnerKey(None, key=key) for key in (*KEYS, MACHINE_KEY)}
AGENT_KEYS = {name: "pak_" + name * 6 for name in ("helper", "second")}
CARD = {"number": "4242424242424242", "exp_month": "12", "exp_year": "2034", "cvv": "123", "holder": "Ada Lovelace"}
RECORDS = {
    "card": CARD,
    "identity": {"name": "Ada Lovelace", "email": "ada@example.org"},
    "login": {"origin": "https://shop.example", "username": "ada", "password": "pass word"},
    "api_key": {"key": "sk-0123456789", "service": "example"},
}
POLICY = {"merchants": [{"origin": "https://shop.example"}], "currency": "USD", "per_use_minor": 10000,
          "per_day_minor": 50000, "strength": "dom"}

# Rows that an unlock or a lock writes by itself, and those that say what is about to be done.
PASSING = {"unlocked", "locked", "unlock_failed", "proof_rejected", "record_opened", "recovery_resealed", "recovery_used",
           "agent_executable", "checkpoint"}
ID = re.compile(r"\b[a-z]{3}_[a-z2-7]{26}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class SweptHome(Home):
    def __init__(self, base, known=()):
        os.makedirs(base, exist_ok=True)
        super().__init__(base=base)
        self.known = set(known)

    def replace(self, source):
        """The files of another home, and of no other."""
        shutil.rmtree(self.path, ignore_errors=True)
        if source:
            shutil.copytree(source, self.path, symlinks=True, ignore=shutil.ignore_patterns("run"))
        else:
            os.mkdir(self.path, 0o700)

    # Making one.

    def make_vault(self, mode="passphrase"):
        with self.owner() as owner:
            if mode == "machine":
                owner.call("vault.init", mode="machine", accept_public_salt=True)
            else:
                with given(key=KEY) as fd:
                    owner.call("vault.init", fd=fd, mode=mode)
            self.unlock_raw(owner)

    def furnish(self):
        """Four records, two agents and a policy; their ids by name."""
        ids = {}
        with self.owner() as owner:
            for kind, fields in RECORDS.items():
                ids[kind] = self.add(owner, kind, kind.title(), fields)
            for name, key in AGENT_KEYS.items():
                ids[name] = self.call(owner, "agent.add", True, name=name, **fingerprint(key))["agent"]
            self.call(owner, "policy.set", True, agent="helper", **POLICY)
            self.call(owner, "config.set", True, key="allow_loopback_http", value=True)
        self.known |= set(ids.values())
        self.ids = ids
        return ids

    def add(self, owner, kind, label, fields):
        with given(**fields) as fd:
            return owner.call("record.add", fd=fd, kind=kind, label=label)["id"]

    def call(self, owner, method, proof=False, **params):
        """A request of the owner's, with a proof by the key that opens the vault."""
        if proof:
            params["proof"] = self.proof(owner, method, params)
        return owner.call(method, **params)

    def proof(self, owner, method, params):
        return OWNERS[self.opens_with].proof(owner, method, params)

    opens_with = KEY

    def unlock_raw(self, owner, key=KEY):
        machine = owner.call("owner.hello")["mode"] != "passphrase"
        self.opens_with = MACHINE_KEY if machine else key
        if machine:
            return owner.call("vault.unlock")
        with given(key=key) as fd:
            return owner.call("vault.unlock", fd=fd)

    # Looking at one.

    def state(self):
        """Everything that can be seen of the home, with ids, times and aliases that a verb made taken out. Its daemon
        is ended."""
        with self.owner() as owner:
            out = self._seen(owner)
        self.kill()
        if "opens_with" in out:
            out["contents"] = self._contents(out["opens_with"])
        plain = json.loads(self._plain(json.dumps(out, sort_keys=True)))
        for value in plain.values():
            if isinstance(value, list) and value is not plain.get("journal"):
                value.sort(key=lambda item: json.dumps(item, sort_keys=True))
        return plain

    def _plain(self, text):
        text = ID.sub(lambda found: found[0] if found[0] in self.known else "<new>", text)
        text = re.sub(r'"alias": "[^"]*"', '"alias": "?"', text)
        return TIME.sub("<time>", text)

    def _seen(self, owner):
        hello = owner.call("owner.hello")
        out = {"state": hello["state"], "mode": hello["mode"]}
        if hello["state"] == "damaged":
            out["why"] = ask(owner, "audit.verify")
        if hello["state"] in ("uninitialised", "damaged"):
            return out
        for number, key in enumerate(KEYS):
            try:
                self.unlock_raw(owner, key)
                out["opens_with"] = number
                break
            except RpcError as error:
                if error.reason != "wrong_key":
                    return {**out, "refused": str(error)}
        else:
            return {**out, "refused": "no key opens it"}
        status = owner.call("vault.status")
        for name in ("frozen", "mode", "records", "pending_approvals", "recovery", "failed_recoveries", "trash", "epoch"):
            out[name] = status.get(name)
        out["backed_up"] = status.get("last_backup") is not None
        records = ask(owner, "record.list", limit=100)["records"]
        out["records"] = [ask(owner, "record.show", id=record["id"]) for record in records]
        trash = ask(owner, "record.list", limit=100, trash=True)
        out["trashed"] = trash.get("records", trash.get("refused"))
        out["agents"] = owner.call("agent.list")["agents"]
        for agent in out["agents"]:  # from where it came before, in this run or that
            agent.pop("executable")
            agent.pop("executable_since")
        out["authenticators"] = ask(owner, "authenticator.list")
        out["policies"] = [ask(owner, "policy.show", agent=agent["agent"]) for agent in out["agents"]]
        out["config"] = ask(owner, "config.get")
        out["recipes"] = ask(owner, "recipe.list")
        out["grants"] = ask(owner, "grant.list")
        out["purchases"] = ask(owner, "purchase.list", limit=100)["purchases"]
        out["epochs"] = ask(owner, "vault.epochs")
        out["check"] = ask(owner, "vault.check")
        verified = ask(owner, "audit.verify")
        out["audit"] = verified.get("ok", verified)
        out["journal"] = [row["kind"] for row in owner.call("audit.list", limit=1000)["rows"] if row["kind"] not in PASSING]
        out["left"] = sorted(name for _, _, files in os.walk(self.path) for name in files if ".tmp-" in name)
        return out

    def _contents(self, key):
        """Every record opened by the vault's own code, without the daemon: its id, kind and a digest."""
        done = subprocess.run([SESSION, "contents", self.path, str(KEYS[key][0])], stdout=subprocess.PIPE, timeout=60)
        return done.stdout.decode().splitlines()


def ask(owner, method, **params):
    """The answer, or the refusal's word; a method that is not there yet is no difference."""
    try:
        return owner.call(method, **params)
    except RpcError as error:
        return {"refused": error.reason if error.reason in ("unknown_method", "invalid_params") else str(error)}


@contextlib.contextmanager
def given(**fields):
    """A bundle of these fields: its descriptor."""
    fd = bundle(fields)
    try:
        yield fd
    finally:
        with contextlib.suppress(OSError):
            os.close(fd)


@contextlib.contextmanager
def opened(path, flags):
    if flags & os.O_CREAT:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def ready_to_send(home, verb, prepared):
    """The verb's request to the home's daemon, all but sent: (the connection, a function that sends it)."""
    with contextlib.ExitStack() as stack:
        owner = stack.enter_context(home.owner())
        if verb.start == "unlocked":
            home.unlock_raw(owner)
        client = owner
        if verb.door == "agent":
            client = stack.enter_context(Client(home.agent_socket) if verb.method == "session.hello"
                                         else home.agent(AGENT_KEYS["helper"]))
        params = verb.request(prepared)
        if verb.proof:
            params["proof"] = home.proof(owner, verb.method, params)
        descriptors = []
        fields = verb.bundle(prepared)
        if fields is not None:
            descriptors.append(stack.enter_context(given(**fields)))
        if verb.file:
            descriptors.append(stack.enter_context(opened(prepared.file(verb.file[0]), verb.file[1])))
        yield client, lambda: client.start(verb.method, params or None, descriptors or None)


def fingerprint(key):
    return {"key_sha256": hashlib.sha256(key.encode()).hexdigest(), "key_first": key[:12], "key_last": key[-4:]}
