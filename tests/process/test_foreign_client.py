"""A client of both sockets written from docs/PROTOCOL.md alone: nothing of popvault's or of the other tests' clients is used,
but the arithmetic of Ed25519."""

import hashlib
import hmac
import json
import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.owner_key import SigningKey

SHOP = "https://shop.example"


class Refused(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.code, self.data = error["code"], error["data"]
        self.reason = error["data"]["reason"]


class Wire:
    """"One message per line"; replies by their id, notifications apart."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rb")
        self.notified, self.replies, self.number = [], {}, 0

    def close(self):
        self.lines.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, method, **params):
        self.number += 1
        message = {"jsonrpc": "2.0", "id": "n%d" % self.number, "method": method}
        if params:
            message["params"] = params
        line = json.dumps(message).encode() + b"\n"
        if len(line) > 64 * 1024:
            raise ValueError("a message is at most 64 KiB")
        self.socket.sendall(line)
        return message["id"]

    def take(self):
        line = self.lines.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        message = json.loads(line)
        if message["jsonrpc"] != "2.0":
            raise ValueError(message)
        if "id" in message:
            if set(message) not in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"}):
                raise ValueError(message)
            self.replies[message["id"]] = message
        else:
            if message["method"] != "event":
                raise ValueError(message)
            self.notified.append(message["params"])

    def reply(self, number):
        """"Replies may come in another order than the requests.\""""
        while number not in self.replies:
            self.take()
        message = self.replies.pop(number)
        if "error" in message:
            raise Refused(message["error"])
        return message["result"]

    def event(self, wanted):
        """The first notification of which `wanted` is a part."""
        while True:
            for index, params in enumerate(self.notified):
                if wanted.items() <= params.items():
                    return self.notified.pop(index)
            self.take()

    def call(self, method, **params):
        return self.reply(self.send(method, **params))


class Owner(Wire):
    """owner.sock, with the key that the passphrase gives."""

    def __init__(self, path, passphrase, salt):
        super().__init__(path)
        # VAULT_FORMAT.md, "The vault key", then PROTOCOL.md, "Owner proof".
        vault_key = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, 600000, 32)
        extracted = hmac.new(bytes(32), vault_key, hashlib.sha256).digest()
        seed = hmac.new(extracted, b"popvault:owner-proof" + b"\x01", hashlib.sha256).digest()
        self.key = SigningKey(seed)

    @classmethod
    def canonical(cls, value):
        """Members sorted by their bytes; of the escapes only those that the document names."""
        if isinstance(value, dict):
            members = sorted((key.encode(), item) for key, item in value.items())
            return b"{" + b",".join(cls.text(key.decode()) + b":" + cls.canonical(item) for key, item in members) + b"}"
        if isinstance(value, list):
            return b"[" + b",".join(cls.canonical(item) for item in value) + b"]"
        return cls.text(value) if isinstance(value, str) else json.dumps(value).encode()

    @staticmethod
    def text(value):
        short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
        return ('"%s"' % "".join(short.get(c) or ("\\u%04x" % ord(c) if c < " " else c) for c in value)).encode()

    def proof(self, method, params):
        wanted = hashlib.sha256(self.canonical({"method": method, "params": params})).hexdigest()
        text = self.call("proof.challenge", purpose=method, request_hash=wanted)["challenge"]
        told = json.loads(text)
        if set(told) != {"domain", "expires_at", "issued_at", "nonce", "purpose", "request_hash", "vault"}:
            raise ValueError(told)
        if self.canonical(told) != text.encode() or told["domain"] != "popvault-owner-proof-v1":
            raise ValueError(told)
        if told["purpose"] != method or told["request_hash"] != wanted or told["expires_at"] - told["issued_at"] != 120:
            raise ValueError(told)
        return {"challenge": text, "public_key": self.key.public.hex(), "signature": self.key.sign(text.encode()).hex()}

    def proved(self, method, **params):
        return self.call(method, **params, proof=self.proof(method, params))


class ForeignClient(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.make_vault()
        self.home.add_card(label="Demo")
        self.key = self.home.add_agent("helper")["key"]
        self.home.set_policy("helper", merchant=SHOP)

    def agent(self):
        wire = Wire(os.path.join(self.home.path, "run", "agent.sock"))
        self.addCleanup(wire.close)
        return wire

    def owner(self, passphrase=PASSPHRASE):
        with open("/etc/machine-id", "rb") as file:
            salt = file.read().strip()
        wire = Owner(os.path.join(self.home.path, "run", "owner.sock"), passphrase, salt)
        self.addCleanup(wire.close)
        return wire

    def hello(self):
        wire = self.agent()
        hello = wire.call("session.hello", agent_key=self.key, client="foreign")
        self.assertEqual((hello["name"], hello["home"]), ("helper", self.home.path))
        return wire

    def request(self, key, **change):
        return {**{"record": self.card["id"], "amount_minor": 2500, "currency": "USD", "merchant_origin": SHOP,
                   "reason": "A book", "idempotency_key": key}, **change}

    def test_a_purchase_from_hello_to_cancel(self):
        agent, watching = self.hello(), self.hello()
        self.assertEqual(agent.call("vault.status")["state"], "unlocked")
        listed = agent.call("credentials.list", kind="card", limit=1)
        self.card = listed["credentials"][0]
        self.assertIsNone(listed["next"])
        self.assertEqual(agent.call("credentials.get", alias=self.card["alias"]), self.card)
        self.assertEqual(agent.call("credentials.get", id=self.card["id"]), self.card)
        self.assertEqual(watching.call("events.subscribe"), {"subscribed": True})
        owner = self.owner()
        self.assertEqual(owner.call("events.subscribe", client="foreign"), {"subscribed": True})

        asked = agent.call("purchase.request", **self.request("one"))
        purchase = asked["purchase"]
        self.assertEqual((asked["status"], asked["reason"], asked["card"]), ("awaiting_approval", None, self.card))
        watching.event({"purchase": purchase, "status": "awaiting_approval"})
        owner.event({"what": "purchase", "purchase": purchase, "status": "awaiting_approval"})
        self.assertEqual(agent.call("purchase.request", **self.request("one"))["purchase"], purchase)
        self.assertEqual(self.refusal(agent, "purchase.request", **self.request("one", amount_minor=2501)), "idempotency_conflict")

        # Waits on one connection, asks on it meanwhile: the replies come in another order.
        waiting = agent.send("purchase.wait", purchase=purchase, timeout_ms=600000)
        self.assertEqual(agent.call("purchase.status", purchase=purchase)["status"], "awaiting_approval")
        seen = [p for p in owner.call("purchase.list", status="awaiting_approval")["purchases"] if p["purchase"] == purchase]
        self.assertEqual((seen[0]["amount"], seen[0]["merchant"], seen[0]["text"]), ("25.00 USD", SHOP, "A book"))
        self.assertEqual(self.refusal(owner, "purchase.approve", purchase=purchase), "proof_required")
        self.assertEqual(owner.proved("purchase.approve", purchase=purchase), {"purchase": purchase, "status": "approved"})
        self.assertEqual(agent.reply(waiting)["status"], "approved")
        watching.event({"purchase": purchase, "status": "approved"})
        owner.event({"what": "purchase", "purchase": purchase, "status": "approved"})

        self.assertEqual(agent.call("purchase.cancel", purchase=purchase), {"purchase": purchase, "status": "canceled"})
        watching.event({"purchase": purchase, "status": "canceled"})
        self.assertEqual(self.refusal(agent, "purchase.fill", purchase=purchase, page={"url": SHOP + "/pay"}), "canceled")

    def test_text_beyond_ascii_in_what_is_proved(self):
        """The canonical form of quotes, control characters and other scripts is the same on both sides."""
        owner = self.owner()
        for label in ("Zo\u00eb", "\u65e5\u672c \U0001f600", "a\"b\\c/d"):
            key = SigningKey(os.urandom(32)).public.hex()
            made = owner.proved("authenticator.add", kind="raw", label=label, public_key=key)
            self.assertEqual(made["label"], label)
        # Members and nesting, and numbers that are negative.
        owner.proved("policy.set", agent="helper", merchants=[{"origin": SHOP, "processors": ["https://psp.example"]}],
                     currency="USD", per_use_minor=1, per_day_minor=2, strength="dom", expires_at=None, killed=False)
        adjusted = owner.proved("purchase.adjust", agent="helper", currency="USD", amount_minor=-5, reason="caf\u00e9 \u0001\t\u007f\r\b\f\u001f")
        self.assertEqual(adjusted["spent_day_minor"], 0)

    def test_a_proof_of_another_passphrase(self):
        agent = self.hello()
        self.card = agent.call("credentials.list")["credentials"][0]
        purchase = agent.call("purchase.request", **self.request("one"))["purchase"]
        with self.assertRaises(Refused) as caught:
            self.owner("another one").proved("purchase.approve", purchase=purchase)
        self.assertEqual(caught.exception.reason, "proof_invalid")
        # A proof of one purchase is none for another, nor for the same one twice.
        owner = self.owner()
        other = agent.call("purchase.request", **self.request("two"))["purchase"]
        proof = owner.proof("purchase.approve", {"purchase": purchase})
        self.assertEqual(self.refusal(owner, "purchase.approve", purchase=other, proof=proof), "proof_invalid")
        proof = owner.proof("purchase.approve", {"purchase": purchase})
        owner.call("purchase.approve", purchase=purchase, proof=proof)
        self.assertEqual(self.refusal(owner, "purchase.deny", purchase=other, proof=proof), "invalid_params")
        self.assertEqual(self.refusal(owner, "purchase.approve", purchase=other, proof=proof), "proof_expired")

    def test_what_the_document_refuses(self):
        self.assertEqual(self.refusal(self.agent(), "credentials.list"), "unauthenticated")
        self.assertEqual(self.refusal(self.agent(), "session.hello", agent_key="pak_wrong", client="x"), "unauthenticated")
        agent = self.hello()
        self.card = agent.call("credentials.list")["credentials"][0]
        self.assertEqual(self.refusal(agent, "credentials.get"), "invalid_params")
        self.assertEqual(self.refusal(agent, "purchase.request", **self.request("k", more=1)), "invalid_params")
        self.assertEqual(self.refusal(agent, "purchase.approve", purchase="pur_x"), "unknown_method")
        denied = agent.call("purchase.request", **self.request("big", amount_minor=10001))
        self.assertEqual((denied["status"], denied["reason"]), ("denied", "limit_exceeded"))

    def refusal(self, wire, method, **params):
        with self.assertRaises(Refused) as caught:
            wire.call(method, **params)
        self.assertLessEqual({"reason", "remediation", "retryable"}, set(caught.exception.data))
        return caught.exception.reason


if __name__ == "__main__":
    unittest.main()
