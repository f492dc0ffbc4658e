"""Verifies a journal without popvault: an independent check of docs/JOURNAL_FORMAT.md. Ed25519 verification is RFC 8032's
own plain algorithm (slow: for tests only). Each check can be turned off by name, for negative controls.

    verify_rows(rows, vault, public_key)          # rows of read_state() or read_export(); raises Broken
    verify_export(path, public_key)
    seal_checkpoint(seed, vault, previous, at)    # a checkpoint row, as somebody with a seed makes it
"""

import hashlib
import json
import sqlite3
from collections import namedtuple

from support.owner_key import BASE, D, P, Q, ROOT, SigningKey, _add, _multiply, hkdf

Row = namedtuple("Row", "seq at kind body hash")
CHECKPOINT, EXPORTED, RESTORED = 100, 101, 92
CHECKS = ("sequence", "hash", "checkpoint", "covered", "canonical")
ZERO = bytes(32)


class Broken(Exception):
    pass


def _decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def ed25519_verify(public, message, signature):
    a, r = _decompress(public), _decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= Q:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % Q
    left, right = _multiply(s, BASE), _add(r, _multiply(k, a))
    return ((left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0)


def row_bytes(previous, row):
    body = row.body.encode()
    return (previous + b"PVJ1" + row.seq.to_bytes(8, "big") + row.at.to_bytes(8, "big") + row.kind.to_bytes(2, "big") +
            len(body).to_bytes(4, "big") + body)


def row_hash(previous, row):
    return hashlib.sha256(row_bytes(previous, row)).digest()


def checkpoint_bytes(vault, seq, at, digest):
    return (b"PVCP1" + len(vault.encode()).to_bytes(2, "big") + vault.encode() + seq.to_bytes(8, "big") +
            at.to_bytes(8, "big") + digest)


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def seal_checkpoint(seed, vault, previous, at):
    """The row behind `previous`, signed with this seed."""
    key = SigningKey(seed)
    body = canonical({"at": at, "hash": previous.hash.hex(), "public_key": key.public.hex(), "seq": previous.seq,
                      "signature": key.sign(checkpoint_bytes(vault, previous.seq, at, previous.hash)).hex()})
    row = Row(previous.seq + 1, at, CHECKPOINT, body, b"")
    return row._replace(hash=row_hash(previous.hash, row))


def journal_seed(umk):
    return hkdf(umk, b"popvault:journal")


def _check_checkpoint(row, before, vault, public):
    body = json.loads(row.body)
    if set(body) != {"at", "hash", "public_key", "seq", "signature"} or canonical(body) != row.body:
        raise Broken("row %d: not of a checkpoint's form" % row.seq)
    if (body["seq"], body["hash"], body["at"]) != (before.seq, before.hash.hex(), row.at):
        raise Broken("row %d: of another row" % row.seq)
    message = checkpoint_bytes(vault, body["seq"], body["at"], before.hash)
    own = bytes.fromhex(body["public_key"])
    if not ed25519_verify(own, message, bytes.fromhex(body["signature"])):
        raise Broken("row %d: a wrong signature" % row.seq)
    return own == public


def verify_rows(rows, vault, public, start=Row(0, 0, 0, "", ZERO), without=()):
    """The number of the last row that a checkpoint covers."""
    before, covered, foreign = start, 0, None
    for row in rows:
        if "sequence" not in without and row.seq != before.seq + 1:
            raise Broken("row %d: out of order" % row.seq)
        if "hash" not in without and row_hash(before.hash, row) != row.hash:
            raise Broken("row %d: does not match its hash" % row.seq)
        if row.kind == RESTORED:
            foreign = None
        if row.kind == CHECKPOINT and "checkpoint" not in without:
            if _check_checkpoint(row, before, vault, public):
                if foreign:
                    raise Broken(foreign)
                covered = row.seq
            else:
                foreign = foreign or "row %d: of another key" % row.seq
        before = row
    if foreign:
        raise Broken(foreign)
    return covered


def read_export(path, without=()):
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    if lines.pop() != "" or not lines:
        raise Broken("the file does not end")
    for number, line in enumerate(lines, 1):
        if "canonical" not in without and canonical(json.loads(line)) != line:
            raise Broken("line %d: not canonical" % number)
    head, *rows = [json.loads(line) for line in lines]
    if head["format"] != "popvault-journal-1":
        raise Broken("another format")
    return head, [Row(r["seq"], r["at"], r["kind"], r["body"], bytes.fromhex(r["hash"])) for r in rows]


def verify_export(path, public, without=()):
    head, rows = read_export(path, without)
    start = Row(head["after"], 0, 0, "", bytes.fromhex(head["hash"]))
    covered = verify_rows(rows, head["vault"], public, start, without)
    ends = [row.kind for row in rows[-2:]] == [EXPORTED, CHECKPOINT]
    if "covered" not in without and not (ends and covered == rows[-1].seq):
        raise Broken("the end is missing")
    return rows


def write_export(path, head, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.write(canonical(head) + "\n")
        for row in rows:
            file.write(canonical({"at": row.at, "body": row.body, "hash": row.hash.hex(), "kind": row.kind,
                                  "seq": row.seq}) + "\n")


def rechained(rows, start=Row(0, 0, 0, "", ZERO)):
    """The same rows with every number and hash made anew, as anybody can who has no key."""
    out, before = [], start
    for row in rows:
        row = row._replace(seq=before.seq + 1)
        before = row._replace(hash=row_hash(before.hash, row))
        out.append(before)
    return out


def read_state(path):
    """The journal of a state.db that no daemon has open."""
    db = sqlite3.connect(path)
    try:
        return [Row(*row) for row in db.execute("SELECT seq, at, kind, body, hash FROM journal ORDER BY seq")]
    finally:
        db.close()
