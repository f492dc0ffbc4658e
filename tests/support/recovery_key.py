"""The keys of 24 recovery words, computed without popvault: an independent check of docs/VAULT_FORMAT.md.

    key = RecoveryKey("abandon abandon ... art")
    key.secret, key.public, key.signing, key.recipient, key.identity
"""

import hashlib
import hmac

P = 2**255 - 19
LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def hkdf(key, info, salt=bytes(32)):
    return hmac.new(hmac.new(salt, key, "sha256").digest(), info + b"\x01", "sha256").digest()


def x25519(secret, u=9):
    """RFC 7748 section 5, as it is printed there."""
    k = int.from_bytes(secret, "little") & ~7 & ((1 << 255) - 1) | (1 << 254)
    x1, x2, z2, x3, z3, swap = u, 1, 0, u, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a, b * b, d * a, c * b
        e = aa - bb
        x3, z3, x2, z2 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P, aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def bech32(prefix, data):
    """BIP-173."""
    bits = "".join("{:08b}".format(byte) for byte in data)
    bits += "0" * (-len(bits) % 5)
    values = [int(bits[at:at + 5], 2) for at in range(0, len(bits), 5)]
    check = 1
    for value in [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + values + [0] * 6:
        top = check >> 25
        check = (check & 0x1ffffff) << 5 ^ value
        for i, generator in enumerate((0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3)):
            check ^= generator if top >> i & 1 else 0
    values += [(check ^ 1) >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(LETTERS[value] for value in values)


class RecoveryKey:
    def __init__(self, words):
        self.seed = hashlib.pbkdf2_hmac("sha512", " ".join(words.split()).encode(), b"mnemonic", 2048, 64)
        self.secret = hkdf(self.seed, b"popvault:recovery:x25519")
        self.signing = hkdf(self.seed, b"popvault:recovery:signing")
        self.public = x25519(self.secret)
        self.recipient = bech32("age", self.public)
        self.identity = bech32("age-secret-key-", self.secret).upper()
