"""Looks for secrets in the memory of a process (as root) and in files.

    needles = card_needles("4242424242424242")
    scan_process(pid, needles)  -> ["number base64/1 at 7f..., [heap]", ...]
    scan_tree(folder, needles)  -> ["number raw in /path", ...]

Run as a program it reads {"pid":..., "trees":[...], "exclude":[...], "number":..., "passphrase":...} from
standard input and prints the findings one a line: so that an ordinary user's demo can use it through sudo.
"""

import base64
import json
import os
import sys

CHUNK = 1 << 20


def spellings(name, value):
    """One secret as it would look in memory or in a file: {what: bytes}."""
    data = value.encode() if isinstance(value, str) else bytes(value)
    found = {name + " raw": data, name + " hex": data.hex().encode(), name + " HEX": data.hex().upper().encode()}
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + data).rstrip(b"=")
        # The first characters also hold the bytes before, the last one those after.
        begin = (shift * 8 + 5) // 6
        end = (shift + len(data)) * 8 // 6
        found["%s base64/%d" % (name, shift)] = text[begin:end]
        urlsafe = text[begin:end].replace(b"+", b"-").replace(b"/", b"_")
        if urlsafe != text[begin:end]:
            found["%s base64url/%d" % (name, shift)] = urlsafe
    if isinstance(value, str):
        found[name + " utf-16-le"] = value.encode("utf-16-le")
        found[name + " utf-16-be"] = value.encode("utf-16-be")
    return found


def number_needles(number):
    found = spellings("number", number)
    groups = [4, 6, 5] if len(number) == 15 else [4] * 4
    for what, separator in (("spaced", " "), ("dashed", "-")):
        at, parts = 0, []
        for size in groups:
            parts.append(number[at:at + size])
            at += size
        grouped = separator.join(part for part in parts if part)
        found.update(spellings("number " + what, grouped))
    return found


def pair_needles(names, value):
    """A short value is only looked for together with its name."""
    found = {}
    for name in names:
        for form in ('%s=%s', '"%s":"%s"', '"%s": "%s"', '"%s":%s', '"%s": %s'):
            text = form % (name, value)
            found["pair " + text] = text.encode()
            found["pair utf-16 " + text] = text.encode("utf-16-le")
        encoded = bytes([len(name)]) + name.encode() + len(value).to_bytes(2, "big") + value.encode()
        found["field %s" % name] = encoded
    return found


def card_needles(number, cvv=None, exp_month=None, exp_year=None, holder=None):
    found = number_needles(number)
    if holder:
        found.update(spellings("holder", holder))
    if cvv:
        found.update(pair_needles(("cvv", "cvc", "csc"), cvv))
    if exp_year:
        found.update(pair_needles(("exp_year",), exp_year))
        if exp_month:
            for year in (exp_year, exp_year[-2:]):
                found.update(pair_needles(("expiration_date", "expiry", "exp"), exp_month + "/" + year))
    return found


def key_needles(name, key):
    """32 bytes of a key, raw and as text."""
    return spellings(name, bytes(key))


def _overlap(needles):
    return max(len(needle) for needle in needles.values()) - 1


def _different(needles):
    """Without those that look the same (hex digits of digits)."""
    return {needle: what for what, needle in reversed(needles.items())}


def _find(data, different, where, found):
    for needle, what in different.items():
        if needle in data:
            found.append("%s in %s" % (what, where))


def regions(pid):
    with open("/proc/%d/maps" % pid, encoding="utf-8", errors="replace") as file:
        for line in file:
            part = line.split(None, 5)
            begin, end = (int(x, 16) for x in part[0].split("-"))
            yield begin, end, part[1], part[5].strip() if len(part) > 5 else ""


class Scan(list):
    """The findings; `bytes` were read and `unreadable` regions refused (memfd_secret does, also for root)."""

    def __init__(self):
        super().__init__()
        self.bytes = 0
        self.unreadable = 0


def scan_process(pid, needles):
    found = Scan()
    overlap, different = _overlap(needles), _different(needles)
    memory = os.open("/proc/%d/mem" % pid, os.O_RDONLY)
    try:
        for begin, end, rights, name in regions(pid):
            if rights[0] != "r" or name in ("[vvar]", "[vvar_vclock]", "[vsyscall]"):
                continue
            where = "%x %s" % (begin, name or "anonymous")
            at, tail, readable = begin, b"", False
            while at < end:
                try:
                    data = os.pread(memory, min(CHUNK, end - at), at)
                except OSError:
                    data = b""
                if not data:  # one page at a time past what cannot be read
                    at += 4096
                    tail = b""
                    continue
                readable = True
                found.bytes += len(data)
                if data.strip(b"\x00"):  # most of a stack or heap was never used
                    _find(tail + data, different, where, found)
                tail = data[-overlap:] if overlap else b""
                at += len(data)
            if not readable:
                found.unreadable += 1
    finally:
        os.close(memory)
    return found


def scan_bytes(data, needles, where):
    found = Scan()
    found.bytes = len(data)
    _find(bytes(data), _different(needles), where, found)
    return found


def scan_file(path, needles, found):
    overlap, different = _overlap(needles), _different(needles)
    try:
        with open(path, "rb") as file:
            tail = b""
            while True:
                data = file.read(CHUNK)
                if not data:
                    break
                found.bytes += len(data)
                _find(tail + data, different, path, found)
                tail = data[-overlap:] if overlap else b""
    except FileNotFoundError:
        pass  # it has just gone
    except OSError:
        found.unreadable += 1


def scan_tree(folder, needles, exclude=()):
    found = Scan()
    exclude = {os.path.realpath(path) for path in exclude}
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if os.path.realpath(os.path.join(path, name)) not in exclude]
        for name in files:
            full = os.path.join(path, name)
            _find(os.fsencode(name), _different(needles), "the name of " + full, found)
            if os.path.isfile(full) and not os.path.islink(full) and os.path.realpath(full) not in exclude:
                scan_file(full, needles, found)
    return found


def main():
    order = json.load(sys.stdin)
    needles = card_needles(order["number"], order.get("cvv"), order.get("exp_month"), order.get("exp_year"),
                           order.get("holder"))
    if order.get("passphrase"):
        needles.update(spellings("passphrase", order["passphrase"]))
    for pid in order.get("pids", []):
        for line in scan_process(pid, needles):
            print("process %d: %s" % (pid, line))
    for tree in order.get("trees", []):
        for line in scan_tree(tree, needles, order.get("exclude", ())):
            print(line)


if __name__ == "__main__":
    main()
