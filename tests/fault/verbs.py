"""Every verb that changes something, and how it is done: the one list that the sweeps walk through.

To add a verb, add a Verb. test_verbs.py fails while a method of the daemon's table (src/daemon/dispatch.cpp) is neither
here nor among READ_ONLY.
"""

import dataclasses
import json
import os
import subprocess
from typing import Any, Callable, Optional, Union

from swept_home import AGENT_KEYS, KEY, NEW_KEY, POLICY, RECORDS, SESSION, given
from support.programs import SOURCE

SHOP = "https://shop.example"
BASE_POINT = (9).to_bytes(32, "little")
RECOVERY, SIGNING = bytes([5]) * 32, bytes([6]) * 32  # what recovery words would have given

# Methods that change nothing on disk. (Looking at purchases ends those whose time is over: see test_limits.py.)
READ_ONLY = {
    "owner": {"owner.hello", "browser.start", "browser.stop", "vault.status", "proof.challenge", "record.list", "record.show", "agent.list",
              "authenticator.list", "policy.show",
              "policy.preview", "policy.explain", "recipe.list", "config.get", "purchase.list", "audit.list", "audit.verify",
              "vault.epochs", "vault.check", "grant.list", "events.subscribe"},
    "agent": {"vault.status", "credentials.list", "credentials.get", "purchase.status", "purchase.wait",
              "events.subscribe"},
}

Given = Union[dict, Callable[["Prepared"], dict]]


@dataclasses.dataclass
class Prepared:
    """What a verb's preparation left: the ids of what there is, and files beside the home."""
    home: Any
    ids: dict
    folder: str
    source: Optional[str] = None  # of the copies that are swept; None: nothing

    def file(self, name):
        return os.path.join(self.folder, name)


@dataclasses.dataclass
class Verb:
    name: str                      # the method, and what tells it from others of that method
    params: Given = dataclasses.field(default_factory=dict)
    fields: Optional[Given] = None  # of the bundle
    proof: bool = False
    door: str = "owner"
    start: str = "unlocked"        # "locked", "unlocked", or "none": in an empty home
    mode: str = "passphrase"       # of the vault that it is prepared in
    prepare: Optional[Callable] = None  # (home, owner, ids): once, before the sweep, in an unlocked vault
    offline: Optional[Callable] = None  # (home): after that, with the daemon stopped
    file: Optional[tuple] = None   # (name, mode): a regular file that is passed
    changes: bool = True           # the new state can be told from the old one
    refusal: Optional[str] = None  # the word it ends with
    in_steps: bool = False         # what it begins is done bit by bit, also after a restart

    @property
    def method(self):
        return self.name.split(" ")[0]

    def request(self, prepared):
        return self.params(prepared) if callable(self.params) else dict(self.params)

    def bundle(self, prepared):
        return self.fields(prepared) if callable(self.fields) else self.fields


# Preparations.

def request_purchase(home, key="one", amount=2500):
    with home.agent(AGENT_KEYS["helper"]) as agent:
        return agent.call("purchase.request", **purchase_params(home.ids["card"], key, amount))["purchase"]


def purchase_params(card, key, amount=2500):
    return {"record": card, "amount_minor": amount, "currency": "USD", "merchant_origin": SHOP, "reason": "A book",
            "idempotency_key": key}


def fill_params(record):
    return {"record": record, "merchant_origin": SHOP, "reason": "An order", "idempotency_key": "fill", "page": {"url": SHOP + "/pay"}}


def asked(home, owner, ids):
    ids["purchase"] = request_purchase(home)


def approved(home, owner, ids):
    asked(home, owner, ids)
    home.call(owner, "purchase.approve", True, purchase=ids["purchase"])


def cut_off(home):
    subprocess.run([SESSION, "cut_off", home.path], check=True)


def removed(home, owner, ids):
    home.call(owner, "record.remove", True, id=ids["card"])


def granted(home, owner, ids):
    ids["grant"] = home.call(owner, "grant.create", True, agent="helper", records=[ids["card"]])["grant"]


def denied_by_policy(home, owner, ids):
    with home.agent(AGENT_KEYS["helper"]) as agent:
        ids["purchase"] = agent.call("purchase.request", **purchase_params(ids["card"], "over", 1000000))["purchase"]


def frozen(home, owner, ids):
    owner.call("vault.freeze")
    home.unlock_raw(owner)


def rotated(home, owner, ids):
    home.call(owner, "vault.rotate", True)


def suspended(home, owner, ids):
    owner.call("agent.suspend", agent="helper")


def enrolled(home, owner, ids):
    ids["authenticator"] = home.call(owner, "authenticator.add", True, **AUTHENTICATOR)["id"]


def recipe(version):
    """One that came with popvault, as another version: the owner vouches for it."""
    folder = os.path.join(SOURCE, "recipes")
    with open(os.path.join(folder, min(name for name in os.listdir(folder) if name.endswith(".json"))), encoding="utf-8") as file:
        text = json.load(file)
    return {"text": json.dumps({**text, "version": version}), "unsigned": True}


def recipe_name(_):
    return {"name": json.loads(recipe(1)["text"])["name"]}


def with_recipes(home, owner, ids):
    for version in (1, 2):
        home.call(owner, "recipe.add", True, **recipe(version))


def words(home, owner, ids):
    params = {"public_key": x25519(RECOVERY, BASE_POINT).hex()}
    params["proof"] = home.proof(owner, "recovery.create", params)
    with given(signing=SIGNING) as fd:
        owner.call("recovery.create", fd=fd, **params)


def backed_up(home, owner, ids):
    words(home, owner, ids)
    params = {"recipients": []}
    params["proof"] = home.proof(owner, "backup.create", params)
    fd = os.open(os.path.join(home.base, "backup"), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        owner.call("backup.create", fd=fd, **params)
    finally:
        os.close(fd)


def x25519(secret, point):
    """RFC 7748, section 5."""
    prime, scalar = 2**255 - 19, int.from_bytes(secret, "little") & ~7 & (1 << 254) - 1 | 1 << 254
    x1 = int.from_bytes(point, "little") & (1 << 255) - 1
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for at in range(254, -1, -1):
        bit = scalar >> at & 1
        if swap != bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % prime, b * b % prime, d * a % prime, c * b % prime
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % prime, x1 * (da - cb) ** 2 % prime
        x2, z2 = aa * bb % prime, e * (aa + 121665 * e) % prime
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, prime - 2, prime) % prime).to_bytes(32, "little")


def card(prepared):
    return {"id": prepared.ids["card"]}


def purchase(prepared):
    return {"purchase": prepared.ids["purchase"]}


NEW_AGENT_KEY = {"key_sha256": "ab" * 32, "key_first": "pak_abcdefgh", "key_last": "wxyz"}
NEW_AGENT = {"name": "new", **NEW_AGENT_KEY}
# RFC 8032, section 7.1, test 1.
AUTHENTICATOR = {"kind": "raw", "label": "New", "public_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"}

def ended(home, owner, ids):
    asked(home, owner, ids)
    owner.call("purchase.deny", purchase=ids["purchase"])


VERBS = [
    # The vault itself.
    Verb("vault.init", {"mode": "passphrase"}, {"key": KEY}, start="none"),
    Verb("vault.init machine", {"mode": "machine", "accept_public_salt": True}, start="none"),
    Verb("vault.unlock", fields={"key": KEY}, start="locked", changes=False),
    Verb("vault.unlock machine", start="locked", mode="machine", changes=False),
    Verb("vault.unlock with a wrong key", fields={"key": bytes(32)}, start="locked", changes=False, refusal="wrong_key"),
    Verb("vault.unlock after a fill was cut off", fields={"key": KEY}, start="locked", prepare=approved, offline=cut_off,
         changes=False),
    Verb("vault.lock", changes=False),
    Verb("vault.freeze"),
    Verb("vault.freeze while locked", start="locked"),
    Verb("vault.unfreeze", proof=True, prepare=frozen),
    Verb("vault.rekey", {"mode": "passphrase"}, {"key": NEW_KEY}, proof=True),
    Verb("vault.rekey to machine", {"mode": "machine", "accept_machine_key": True, "accept_public_salt": True}, proof=True),
    Verb("vault.rotate", proof=True, in_steps=True),
    Verb("vault.rotate now", {"now": True}, proof=True, in_steps=True),
    Verb("vault.rotate again", {"now": True}, proof=True, prepare=rotated, in_steps=True),
    Verb("daemon.stop", changes=False),
    # Records.
    *[Verb("record.add " + kind, {"kind": kind, "label": "New"}, fields) for kind, fields in RECORDS.items()],
    Verb("record.export", card, {"key": bytes(32)}, proof=True),
    Verb("record.edit", lambda p: {"id": p.ids["card"], "label": "Edited"}, {"holder": "Grace Hopper", "cvv": ""},
         proof=True),
    Verb("record.remove", card, proof=True),
    Verb("record.remove now", lambda p: {"id": p.ids["card"], "now": True}, proof=True),
    Verb("record.remove now, from the trash", lambda p: {"id": p.ids["card"], "now": True}, proof=True, prepare=removed),
    Verb("record.restore", card, proof=True, prepare=removed),
    Verb("record.reveal", card, proof=True),
    # Who may do what.
    Verb("agent.add", NEW_AGENT, proof=True),
    Verb("agent.add for a user, for a while", {**NEW_AGENT, "uid": 0, "expires_days": 5}, proof=True),
    Verb("agent.rotate", {"agent": "helper", **NEW_AGENT_KEY}, proof=True),
    Verb("agent.suspend", {"agent": "helper"}),
    Verb("agent.suspend while locked", {"agent": "helper"}, start="locked"),
    Verb("agent.resume", {"agent": "helper"}, proof=True, prepare=suspended),
    Verb("agent.revoke", {"agent": "helper"}),
    Verb("agent.revoke while locked", {"agent": "helper"}, start="locked"),
    Verb("authenticator.add", AUTHENTICATOR, proof=True),
    Verb("authenticator.remove", lambda p: {"id": p.ids["authenticator"]}, proof=True, prepare=enrolled),
    Verb("policy.set", {**POLICY, "agent": "second"}, proof=True),
    Verb("policy.set again", {**POLICY, "agent": "helper", "per_use_minor": 1}, proof=True),
    Verb("policy.narrow", {**POLICY, "agent": "helper", "per_use_minor": 1}),
    Verb("policy.narrow to more", {**POLICY, "agent": "helper", "per_use_minor": 100000, "per_day_minor": 100000},
         refusal="policy_widens", changes=False),
    Verb("policy.unset", {"agent": "helper"}),
    Verb("config.set", {"key": "browser.endpoint", "value": "http://127.0.0.1:9"}, proof=True),
    Verb("recipe.add", lambda p: recipe(1), proof=True),
    Verb("recipe.add a newer one", lambda p: recipe(3), proof=True, prepare=with_recipes),
    Verb("recipe.pin", lambda p: {**recipe_name(p), "version": 1}, proof=True, prepare=with_recipes),
    Verb("recipe.rollback", recipe_name, proof=True, prepare=with_recipes),
    Verb("recipe.remove", recipe_name, prepare=with_recipes),
    # The journal.
    Verb("audit.export", proof=True, file=("export", os.O_RDWR | os.O_CREAT)),
    Verb("audit.purge", {"subject": "helper"}, proof=True, prepare=ended),
    # Purchases.
    Verb("session.hello with a wrong key", {"agent_key": "pak_" + "x" * 40, "client": "x"}, door="agent",
         refusal="unauthenticated"),
    Verb("purchase.request", lambda p: purchase_params(p.ids["card"], "new"), door="agent"),
    Verb("purchase.request over the limit", lambda p: purchase_params(p.ids["card"], "new", 1000000), door="agent"),
    Verb("purchase.cancel", purchase, door="agent", prepare=asked),
    Verb("purchase.fill without a browser", lambda p: {**purchase(p), "page": {"url": SHOP + "/pay"}}, door="agent",
         prepare=approved, refusal="browser_not_enrolled", changes=False),
    # What they write is what purchase.request and purchase.fill write.
    Verb("identity.fill of what is not there", lambda p: fill_params("idn_" + "a" * 26), door="agent", refusal="not_found", changes=False),
    Verb("login.fill of what is not there", lambda p: fill_params("lgn_" + "a" * 26), door="agent", refusal="not_found", changes=False),
    Verb("purchase.approve", purchase, proof=True, prepare=asked),
    Verb("purchase.deny", purchase, prepare=asked),
    Verb("purchase.deny while locked", purchase, start="locked", prepare=asked),
    Verb("purchase.approve forced", lambda p: {**purchase(p), "force": True}, proof=True, prepare=denied_by_policy),
    Verb("purchase.adjust", {"agent": "helper", "currency": "USD", "amount_minor": -100, "reason": "refund"}, proof=True),
    Verb("grant.create", lambda p: {"agent": "helper", "records": [p.ids["card"]]}, proof=True),
    Verb("grant.revoke", lambda p: {"grant": p.ids["grant"]}, prepare=granted),
    Verb("grant.revoke while locked", lambda p: {"grant": p.ids["grant"]}, prepare=granted, start="locked"),
    Verb("vault.lock under a grant", prepare=granted, changes=False),
    Verb("purchase.settle", purchase, proof=True, prepare=approved, offline=cut_off),
    Verb("purchase.release", purchase, proof=True, prepare=approved, offline=cut_off),
    # Ways back.
    Verb("recovery.create", {"public_key": x25519(RECOVERY, BASE_POINT).hex()}, {"signing": SIGNING}, proof=True),
    Verb("recovery.create again", {"public_key": x25519(SIGNING, BASE_POINT).hex()}, {"signing": RECOVERY}, proof=True,
         prepare=words),
    Verb("recovery.show", proof=True, prepare=words),
    Verb("recovery.report", {"reason": "checksum"}, start="locked", prepare=words),
    Verb("vault.recover", fields={"recovery_key": RECOVERY, "key": NEW_KEY}, start="locked", prepare=words),
    Verb("vault.recover from a machine vault", fields={"recovery_key": RECOVERY, "key": NEW_KEY}, start="locked",
         mode="machine", prepare=words),
    Verb("vault.rekey with recovery words", {"mode": "passphrase"}, {"key": NEW_KEY}, proof=True, prepare=words),
    Verb("vault.rekey from machine", {"mode": "passphrase"}, {"key": NEW_KEY}, proof=True, mode="machine"),
    Verb("backup.create", {"recipients": []}, proof=True, prepare=words, file=("new-backup", os.O_RDWR | os.O_CREAT)),
    Verb("backup.verify", fields={"identity": RECOVERY, "signing": SIGNING}, prepare=backed_up, file=("backup", os.O_RDONLY)),
    Verb("backup.verify while locked", fields={"identity": RECOVERY, "signing": SIGNING}, start="locked", prepare=backed_up,
         file=("backup", os.O_RDONLY), changes=False),
    Verb("backup.restore", fields={"identity": RECOVERY, "signing": SIGNING, "key": NEW_KEY}, start="none",
         prepare=backed_up, file=("backup", os.O_RDONLY)),
]
