"""Drives popvault-injector without the daemon: the other end of descriptor 3 (src/rpc/injector_protocol.hpp)."""

import array
import os
import socket
import struct
import time

FIELDS = ["number", "exp", "exp_month", "exp_year", "cvc", "holder", "name", "given_name", "family_name", "email", "phone",
          "address", "address2", "city", "state", "postal_code", "country", "username", "password", "totp"]
OUTCOMES = ["filled", "page_not_found", "page_ambiguous", "origin_mismatch", "origin_not_allowed", "fields_missing",
            "fields_ambiguous", "field_rejected", "navigated", "browser_unreachable", "browser_refused", "timeout",
            "stopped", "failed", "page_tainted", "recipe_mismatch", "account_mismatch", "no_request", "challenge",
            "price_mismatch", "guard_lost"]
STRENGTHS = {"dom": 0, "wire_attached": 1, "sealed": 2, "wire": 3}
KINDS = {"card": 0, "identity": 1, "login": 2}
WHYS = ["ok", "missing", "hidden", "too_small", "covered", "frame_not_allowed", "ambiguous", "wrong_type", "not_kept",
        "no_such_option"]
JOB, READY, BUNDLE, DONE, PROCEED, ARMED, WANTED = 1, 2, 3, 4, 5, 6, 7

CARD = {"number": "4242424242424242", "exp_month": "04", "exp_year": "2031", "cvv": "737", "holder": "Zoë \"Z\" O'Neil"}


def text(value):
    data = value.encode()
    return struct.pack("!H", len(data)) + data


def encode_job(job_id, page, origins, by_target_id=False, has_cvc=True, has_holder=True, allow_loopback_http=True,
               deadline_ms=10000, kind="card", strength="dom", guarded=False, submit=False, open_page=False, armed_ms=0,
               fields=(), aliases=("", "", "", ""), recipes=(), accounts=(), price=("", 0, 2, 0)):
    """`aliases`: number, month, year, code. `price`: selector, minor units, exponent, basis points."""
    def texts(values):
        return bytes([len(values)]) + b"".join(text(value) for value in values)
    out = bytes([JOB]) + job_id + bytes([by_target_id]) + text(page) + texts(origins)
    out += bytes([has_cvc, has_holder, allow_loopback_http]) + struct.pack("!I", deadline_ms)
    out += bytes([KINDS[kind], STRENGTHS[strength], guarded, submit, open_page])
    out += struct.pack("!II", armed_ms, sum(1 << FIELDS.index(name) for name in fields))
    out += b"".join(text(value) for value in aliases) + texts(recipes) + texts(accounts)
    return out + text(price[0]) + struct.pack("!QBH", *price[1:])


def encode_bundle(job_id, fields):
    body = struct.pack("!H", len(fields))
    for name, value in fields.items():
        data = value.encode()
        body += bytes([len(name)]) + name.encode() + struct.pack("!H", len(data)) + data
    return b"PVBUNDL1" + struct.pack("!HHI", 1, 0, len(body)) + job_id + body


def decode_reports(data):
    out = []
    for i in range(data[0]):
        field, origin, why = data[1 + 3 * i:4 + 3 * i]
        out.append((FIELDS[field], origin, WHYS[why]))
    return out


class Answer:
    """What the injector said: `outcome`, `typed`, `cleared`, `fields` and how long it took from Job to Done."""

    def __init__(self, message, job_id, seconds):
        assert message[0] == DONE and message[1:17] == job_id, message
        self.outcome = OUTCOMES[message[17]]
        self.typed, self.cleared = bool(message[18]), bool(message[19])
        self.fields = decode_reports(message[20:])
        self.seconds = seconds

    def why(self, field):
        return next((why for name, _, why in self.fields if name == field), None)

    def __repr__(self):
        return "%s typed=%s cleared=%s %s %.1f ms" % (self.outcome, self.typed, self.cleared, self.fields, self.seconds * 1e3)


class Injector:
    """One run of the program. The caller sends the job, and the bundle when ready() says so. `port`: of the browser; or
    `guard`, the guard's stream and the browser's pipe, both closed here then."""

    def __init__(self, program, port=None, guard=None):
        self.job_id = os.urandom(16)
        self.began = time.perf_counter()
        if guard:
            browser, pipe = guard
        else:
            browser, pipe = socket.create_connection(("127.0.0.1", port)), None
            browser.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(20)
        # High numbers first, so that no dup2 hits a descriptor that is still needed.
        null = os.open(os.devnull, os.O_RDONLY)
        log_read, log_write = os.pipe()
        self.log = log_read
        actions = []
        wanted = [(0, null), (1, log_write), (2, log_write), (3, theirs.fileno()), (4, browser.fileno())]
        for number, fd in wanted + ([(5, pipe)] if pipe else []):
            high = os.dup(fd) if fd > 63 else _dup_above(fd, 64)
            actions += [(os.POSIX_SPAWN_DUP2, high, number), (os.POSIX_SPAWN_CLOSE, high)]
            setattr(self, "_high%d" % number, high)
        self.pid = os.posix_spawn(program, [os.path.basename(program)], {"PLANTED": "1"}, file_actions=actions)
        for number in range(6 if pipe else 5):
            os.close(getattr(self, "_high%d" % number))
        for fd in (null, log_write, *([pipe] if pipe else [])):
            os.close(fd)
        theirs.close()
        browser.close()
        self.status = None

    def send_job(self, page, origins, **options):
        self.control.send(encode_job(self.job_id, page, origins, **options))

    def receive(self):
        return self.control.recv(8192)

    def send_bundle(self, fields, job_id=None):
        read_end, write_end = os.pipe()
        os.write(write_end, encode_bundle(job_id or self.job_id, fields))
        os.close(write_end)
        self.control.sendmsg([bytes([BUNDLE]) + self.job_id],
                             [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [read_end]))])
        os.close(read_end)

    def signal(self, kind):
        self.control.send(bytes([kind]) + self.job_id)

    def answer(self, message):
        return Answer(message, self.job_id, time.perf_counter() - self.began)

    def wait(self):
        if self.status is None:
            _, self.status = os.waitpid(self.pid, 0)
        return self.status

    def close(self):
        self.control.close()
        self.wait()
        os.close(self.log)


def _dup_above(fd, least):
    import fcntl
    return fcntl.fcntl(fd, fcntl.F_DUPFD, least)


def fill(program, port, page, origins, card=None, before_bundle=None, **options):
    """The whole conversation. `before_bundle(reports)` is called between Ready and the bundle."""
    card = dict(CARD) if card is None else card
    options.setdefault("has_cvc", "cvv" in card)
    options.setdefault("has_holder", "holder" in card)
    injector = Injector(program, port)
    try:
        injector.send_job(page, origins, **options)
        message = injector.receive()
        if message and message[0] == READY:
            if before_bundle:
                before_bundle(decode_reports(message[17:]))
            injector.send_bundle(card)
            message = injector.receive()
        if not message:
            raise RuntimeError("the injector ended with status %d: %r" % (injector.wait(), os.read(injector.log, 4096)))
        return injector.answer(message)
    finally:
        injector.close()


ALIASES = ("4000056655665556", "01", "2039", "111")


def fill_by_wire(program, port, page, origins, card=None, armed=None, wanted=None, guard=None, **options):
    """The conversation of wire and wire_attached. `armed()` is called when the aliases stand in the page, `wanted(injector)`
    before the bundle goes: False withholds it and hangs up. Gives the answer, with `said`: what came before it."""
    card = dict(CARD) if card is None else card
    options.setdefault("has_cvc", "cvv" in card)
    options.setdefault("has_holder", "holder" in card)
    options.setdefault("strength", "wire_attached")
    options.setdefault("armed_ms", 5000)
    options.setdefault("aliases", ALIASES)
    injector = Injector(program, port, guard)
    said = []
    try:
        injector.send_job(page, origins, **options)
        while True:
            message = injector.receive()
            if not message:
                raise RuntimeError("the injector ended with status %d: %r" % (injector.wait(), os.read(injector.log, 4096)))
            said.append(message[0])
            if message[0] == READY:
                injector.signal(PROCEED)
            elif message[0] == ARMED:
                if armed:
                    armed()
            elif message[0] == WANTED:
                if wanted and wanted(injector) is False:
                    injector.control.shutdown(socket.SHUT_WR)
                    continue
                injector.send_bundle(card)
            else:
                answer = injector.answer(message)
                answer.said = said[:-1]
                return answer
    finally:
        injector.close()
