"""Reads vault.enc without popvault: an independent check of docs/VAULT_FORMAT.md. AES-256 is FIPS 197's plain algorithm,
used in counter mode as GCM does; the tag is not checked. For tests only.

    open_vault(key, data) -> {"umk": "...", ...}
    record_fields("/path/of/home", key, "crd_...") -> {"number": "4242...", ...}
"""

import json
import os
import shutil
import sqlite3
import tempfile

from support.owner_key import hkdf


def _tables():
    box, p, q = [0] * 256, 1, 1
    while True:
        p = p ^ (p << 1) & 0xFF ^ (0x1B if p & 0x80 else 0)
        for shift in (1, 2, 4):
            q ^= q << shift & 0xFF
        if q & 0x80:
            q ^= 0x09
        rotated = q
        for shift in range(1, 5):
            rotated ^= (q << shift | q >> (8 - shift)) & 0xFF
        box[p] = rotated ^ 0x63
        if p == 1:
            box[0] = 0x63
            return box


BOX = _tables()


def _double(byte):
    return byte << 1 & 0xFF ^ (0x1B if byte & 0x80 else 0)


def _expand(key):
    words, constant = [list(key[i:i + 4]) for i in range(0, 32, 4)], 1
    while len(words) < 60:
        word = list(words[-1])
        if len(words) % 8 == 0:
            word = [BOX[b] for b in word[1:] + word[:1]]
            word[0] ^= constant
            constant = _double(constant)
        elif len(words) % 8 == 4:
            word = [BOX[b] for b in word]
        words.append([a ^ b for a, b in zip(word, words[-8])])
    return [sum(words[i:i + 4], []) for i in range(0, 60, 4)]


def encrypt_block(round_keys, block):
    state = [a ^ b for a, b in zip(block, round_keys[0])]
    for turn in range(1, 15):
        state = [BOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if turn < 14:
            mixed = []
            for column in range(0, 16, 4):
                a = state[column:column + 4]
                total = a[0] ^ a[1] ^ a[2] ^ a[3]
                mixed += [a[i] ^ total ^ _double(a[i] ^ a[(i + 1) % 4]) for i in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, round_keys[turn])]
    return bytes(state)


def decrypt(key, data):
    """nonce (12) || ciphertext || tag (16)"""
    nonce, text = data[:12], data[12:-16]
    round_keys, out = _expand(key), bytearray()
    for index in range(0, len(text), 16):
        stream = encrypt_block(round_keys, nonce + (index // 16 + 2).to_bytes(4, "big"))
        out += bytes(a ^ b for a, b in zip(text[index:index + 16], stream))
    return bytes(out)


def open_vault(key, data):
    return json.loads(decrypt(key, data))


def keys_of(document, vault_key):
    """Every key that an unlocked daemon works with, by name."""
    found = {"vault key": vault_key, "owner-proof seed": hkdf(vault_key, b"popvault:owner-proof")}
    for name, value in document.items():
        if name == "umk" or name.startswith("epoch."):
            found[name] = bytes.fromhex(value)
    for purpose in ("journal", "row", "view", "grant"):
        found["subkey " + purpose] = hkdf(found["umk"], b"popvault:" + purpose.encode())
    return found


def read_fields(block):
    """The fields of a well-formed block, as text."""
    count, at, found = int.from_bytes(block[:2], "big"), 2, {}
    for _ in range(count):
        name = block[at + 1:at + 1 + block[at]].decode("ascii")
        at += 1 + block[at]
        size = int.from_bytes(block[at:at + 2], "big")
        found[name] = block[at + 2:at + 2 + size].decode("utf-8")
        at += 2 + size
    if at != len(block) or len(found) != count:
        raise ValueError("not well-formed fields")
    return found


def _row_of(home, record):
    """From a copy: a running daemon holds the lock of its own."""
    with tempfile.TemporaryDirectory(prefix="pv-state-", dir="/tmp") as copy:
        for name in ("state.db", "state.db-wal"):
            if os.path.exists(os.path.join(home, name)):
                shutil.copy(os.path.join(home, name), copy)
        database = sqlite3.connect(os.path.join(copy, "state.db"))
        try:
            (body,), = database.execute("SELECT body FROM records WHERE id = ?", (record,))
        finally:
            database.close()
    return body


def record_fields(home, vault_key, record):
    """What the files of a home say about a record: its row names the epoch and the blob."""
    with open(os.path.join(home, "vault.enc"), "rb") as file:
        document = open_vault(vault_key, file.read())
    row = json.loads(_row_of(home, record))
    key = hkdf(bytes.fromhex(document["epoch.%d" % row["epoch"]]), b"popvault:record:" + record.encode())
    with open(os.path.join(home, "blobs", row["kind"], str(row["epoch"]), row["blob"] + ".enc"), "rb") as file:
        return read_fields(decrypt(key, file.read()))
