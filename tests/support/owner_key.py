"""The owner's keys, computed from the passphrase without popvault: an independent check of docs/VAULT_FORMAT.md and
docs/PROTOCOL.md. Ed25519 is RFC 8032's own plain algorithm (slow, not constant time: for tests only).

    key = OwnerKey("passphrase")
    key.proof(owner, "purchase.approve", {"purchase": "pur_..."})   # a fresh proof for these params
"""

import hashlib
import hmac
import json

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    x, y, z, t = f - e, h - g, h + g, f + e
    return x * y % P, z * t % P, y * z % P, x * t % P


def _multiply(scalar, point):
    out = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            out = _add(out, point)
        point = _add(point, point)
        scalar >>= 1
    return out


def _base():
    y = 4 * pow(5, P - 2, P) % P
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P)
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if x & 1:
        x = P - x
    return x, y, 1, x * y % P


BASE = _base()


def _compress(point):
    inverse = pow(point[2], P - 2, P)
    return int.to_bytes(point[1] * inverse % P | ((point[0] * inverse % P & 1) << 255), 32, "little")


class SigningKey:
    def __init__(self, seed):
        digest = hashlib.sha512(seed).digest()
        self._scalar = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | (1 << 254)
        self._prefix = digest[32:]
        self.public = _compress(_multiply(self._scalar, BASE))

    def sign(self, message):
        r = int.from_bytes(hashlib.sha512(self._prefix + message).digest(), "little") % Q
        point = _compress(_multiply(r, BASE))
        k = int.from_bytes(hashlib.sha512(point + self.public + message).digest(), "little") % Q
        return point + int.to_bytes((r + k * self._scalar) % Q, 32, "little")


def hkdf(key, info, salt=bytes(32)):
    secret = hmac.new(salt, key, hashlib.sha256).digest()
    return hmac.new(secret, info + b"\x01", hashlib.sha256).digest()


def machine_id():
    with open("/etc/machine-id", "rb") as file:
        return file.read().strip()


def vault_key(passphrase, salt=None):
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), machine_id() if salt is None else salt, 600000, 32)


def request_hash(method, params):
    canonical = json.dumps({"method": method, "params": params}, sort_keys=True, separators=(",", ":"),
                           ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


class OwnerKey:
    def __init__(self, passphrase, key=None):
        self.vault_key = key if key is not None else vault_key(passphrase)
        self.signing = SigningKey(hkdf(self.vault_key, b"popvault:owner-proof"))

    def answer(self, challenge):
        """A proof object for the challenge's text."""
        return {"challenge": challenge, "public_key": self.signing.public.hex(),
                "signature": self.signing.sign(challenge.encode()).hex()}

    def proof(self, owner, method, params):
        challenge = owner.call("proof.challenge", purpose=method, request_hash=request_hash(method, params))
        return self.answer(challenge["challenge"])

    def call(self, owner, method, **params):
        return owner.call(method, proof=self.proof(owner, method, params), **params)
