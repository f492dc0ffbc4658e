"""The two sockets against malformed, oversized, greedy and foreign peers."""

import json
import os
import random
import resource
import socket
import string
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import Home, wait_until
from support.programs import PublicCopy, program
from support.rpc import Client, Closed, bundle
from support.users import PYTHON, User

OWNER_METHODS = (
    "owner.hello vault.init vault.unlock vault.lock vault.freeze vault.unfreeze daemon.stop proof.challenge record.add "
    "record.list record.show record.export agent.add agent.list agent.revoke policy.set policy.show policy.unset "
    "recipe.list recipe.add recipe.remove recipe.pin recipe.rollback config.get config.set purchase.list purchase.approve purchase.deny purchase.settle purchase.release audit.list "
    "audit.verify").split()


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.home.start()
        cls.home.make_vault()
        cls.card = cls.home.add_card()
        cls.agent = cls.home.add_agent("helper")
        cls.home.set_policy("helper")

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    def both(self):
        return (("agent.sock", self.home.agent_socket), ("owner.sock", self.home.owner_socket))

    def still_works(self):
        for _, path in self.both():
            with Client(path) as client:
                self.assertEqual(client.call("vault.status")["state"], "unlocked")

    def reasons(self, path, data):
        """The reason words of all replies until the daemon closes or is silent after a ping."""
        with Client(path) as client:
            out = []
            try:
                client.send(data + b'\n{"jsonrpc":"2.0","id":"ping","method":"vault.status"}\n')
                while True:
                    reply = client.reply()
                    if reply.get("id") == "ping" and "result" in reply:
                        return out
                    out.append(reply["error"]["data"]["reason"])
            except (Closed, BrokenPipeError, ConnectionResetError):
                return out + ["closed"]


class Asker:
    """Calls as one agent after the other, a new one whenever the last has asked too often."""

    def __init__(self, home):
        self.home = home
        self.count = 0
        self.connection = None
        self.renew()

    def renew(self):
        self.close()
        self.count += 1
        name = "asker-%d" % self.count
        key = self.home.add_agent(name)["key"]
        self.home.set_policy(name)
        self.connection = self.home.agent(key)

    def refusal(self, method, **params):
        reason = self.connection.refusal(method, **params)
        if reason != "rate_limited":
            return reason
        self.renew()
        return self.connection.refusal(method, **params)

    def raw(self, line):
        return self.connection.raw(line)

    def close(self):
        if self.connection:
            self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Codec(Case):
    def test_malformed(self):
        """Each is refused in words (or the connection is closed after them); none is taken for a request."""
        ok = '{"jsonrpc":"2.0","id":1,"method":"vault.status"}'
        cases = {
            "not JSON": (b"hello", "parse_error"),
            "empty line": (b"", "parse_error"),
            "half an object": (b'{"jsonrpc":"2.0","id":1', "parse_error"),
            "trailing text": (ok.encode() + b" x", "parse_error"),
            "two objects": (ok.encode() + ok.encode(), "parse_error"),
            "not UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}', "parse_error"),
            "overlong UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"\xc0\xaf"}', "parse_error"),
            "half a surrogate": (b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}', "parse_error"),
            "a comment": (b'{"jsonrpc":"2.0","id":1,/* */"method":"vault.status"}', "parse_error"),
            "trailing comma": (b'{"jsonrpc":"2.0","id":1,"method":"vault.status",}', "parse_error"),
            "NaN": (b'{"jsonrpc":"2.0","id":NaN,"method":"vault.status"}', "parse_error"),
            "a number": (b"7", "invalid_request"),
            "null": (b"null", "invalid_request"),
            "a batch": (b"[" + ok.encode() + b"]", "invalid_request"),
            "an empty batch": (b"[]", "invalid_request"),
            "no jsonrpc": (b'{"id":1,"method":"vault.status"}', "invalid_request"),
            "jsonrpc 1.0": (b'{"jsonrpc":"1.0","id":1,"method":"vault.status"}', "invalid_request"),
            "jsonrpc number": (b'{"jsonrpc":2.0,"id":1,"method":"vault.status"}', "invalid_request"),
            "no id": (b'{"jsonrpc":"2.0","method":"vault.status"}', "invalid_request"),
            "null id": (b'{"jsonrpc":"2.0","id":null,"method":"vault.status"}', "invalid_request"),
            "fractional id": (b'{"jsonrpc":"2.0","id":1.5,"method":"vault.status"}', "invalid_request"),
            "huge id": (b'{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"vault.status"}', None),
            "long id": (b'{"jsonrpc":"2.0","id":"%s","method":"vault.status"}' % (b"x" * 65), "invalid_request"),
            "object id": (b'{"jsonrpc":"2.0","id":{},"method":"vault.status"}', "invalid_request"),
            "no method": (b'{"jsonrpc":"2.0","id":1}', "invalid_request"),
            "method number": (b'{"jsonrpc":"2.0","id":1,"method":7}', "invalid_request"),
            "unknown member": (b'{"jsonrpc":"2.0","id":1,"method":"vault.status","more":1}', "invalid_request"),
            "duplicate member": (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"vault.status"}', None),
            "params array": (b'{"jsonrpc":"2.0","id":1,"method":"vault.status","params":[]}', None),
            "params text": (b'{"jsonrpc":"2.0","id":1,"method":"vault.status","params":"x"}', None),
            "unknown method": (b'{"jsonrpc":"2.0","id":1,"method":"vault.open"}', "unknown_method"),
            "depth 17": (b'{"jsonrpc":"2.0","id":1,"method":"vault.status","params":{"a":' + b"[" * 15 + b"]" * 15 + b"}}",
                         "parse_error"),
        }
        for name, path in self.both():
            for what, (line, expected) in cases.items():
                with self.subTest(socket=name, what=what):
                    reasons = [word for word in self.reasons(path, line) if word != "closed"]
                    self.assertEqual(len(reasons), 1, reasons)
                    if expected:
                        self.assertEqual(reasons[0], expected)
                    else:
                        self.assertIn(reasons[0], ("parse_error", "invalid_request", "invalid_params"))
        self.still_works()

    def test_depth_16_is_read(self):
        line = b'{"jsonrpc":"2.0","id":1,"method":"vault.status","params":{"a":' + b"[" * 14 + b"]" * 14 + b"}}"
        for _, path in self.both():
            self.assertEqual(self.reasons(path, line), ["invalid_params"])

    def test_sizes(self):
        head, tail = b'{"jsonrpc":"2.0","id":1,"method":"vault.status","params":{"a":"', b'"}}'
        fits = head + b"x" * (65536 - len(head) - len(tail) - 1) + tail
        for name, path in self.both():
            with self.subTest(socket=name):
                self.assertEqual(self.reasons(path, fits), ["invalid_params"])
                self.assertEqual(self.reasons(path, head + b"x" * 65536 + tail)[0], "too_large")
                # No end of line in sight: cut off after the limit, not kept in memory.
                with Client(path) as client:
                    sent, closed = 0, False
                    try:
                        while sent < 64 << 20:
                            client.send(b"x" * 65536)
                            sent += 65536
                    except (BrokenPipeError, ConnectionResetError):
                        closed = True
                    self.assertTrue(closed)
        self.still_works()

    def test_params_of_the_agent(self):
        """Unknown, missing, duplicate and mistyped members of every agent method."""
        good = {
            "credentials.list": {"kind": "card", "limit": 5},
            "credentials.get": {"id": self.card["id"]},
            "purchase.request": {"record": self.card["id"], "amount_minor": 100, "currency": "USD",
                                 "merchant_origin": "https://shop.example", "reason": "x", "idempotency_key": "p"},
            "purchase.status": {"purchase": "pur_aaaaaaaaaaaaaaaaaaaaaaaaaa"},
            "purchase.wait": {"purchase": "pur_aaaaaaaaaaaaaaaaaaaaaaaaaa", "timeout_ms": 1},
            "purchase.fill": {"purchase": "pur_aaaaaaaaaaaaaaaaaaaaaaaaaa", "page": {"url": "https://shop.example/"}},
            "purchase.cancel": {"purchase": "pur_aaaaaaaaaaaaaaaaaaaaaaaaaa"},
        }
        optional = {"kind", "limit", "cursor", "page_url", "id", "alias"}
        with Asker(self.home) as agent:
            for method, params in good.items():
                bad = [{**params, "more": 1}]
                for name, value in params.items():
                    if name not in optional:
                        bad.append({k: v for k, v in params.items() if k != name})
                    bad += [{**params, name: wrong} for wrong in (None, True, [], {}, {"x": 1}, 1.5)]
                    bad.append({**params, name: 7 if isinstance(value, str) else "7"})
                for one in bad:
                    with self.subTest(method=method, params=one):
                        self.assertEqual(agent.refusal(method, **one), "invalid_params")
            base = good["purchase.request"]
            for change in ({"amount_minor": 0}, {"amount_minor": -1}, {"amount_minor": 4294967301000000000000},
                           {"amount_minor": 100.0}, {"currency": "usd"}, {"currency": "DOLLARS"},
                           {"merchant_origin": "https://shop.example/x"},
                           {"merchant_origin": "shop.example"}, {"merchant_origin": "HTTPS://shop.example"},
                           {"merchant_origin": "https://u@shop.example"},
                           {"merchant_origin": "javascript:alert(1)"}, {"reason": "x" * 201}, {"reason": "two\nlines"},
                           {"idempotency_key": ""}, {"idempotency_key": "x" * 65}):
                with self.subTest(change=change):
                    self.assertIn(agent.refusal("purchase.request", **{**base, **change}),
                                  ("invalid_params", "invalid_field", "denied"))
            line = '{"jsonrpc":"2.0","id":9,"method":"credentials.list","params":{"kind":"card","kind":"card"}}'
            self.assertIn(agent.raw(line)["error"]["data"]["reason"], ("invalid_params", "parse_error", "invalid_request"))
            for page in ({}, {"url": "https://a/", "target_id": "x"}, {"ws": "ws://127.0.0.1:1/"}, {"url": 7}):
                with self.subTest(page=page):
                    self.assertEqual(agent.refusal("purchase.fill", purchase="pur_aaaaaaaaaaaaaaaaaaaaaaaaaa", page=page),
                                     "invalid_params")

    def test_random_bytes(self):
        """Nothing that is thrown at a socket ends the daemon or gets a result."""
        random.seed(7)
        start = b'{"jsonrpc":"2.0","id":1,"method":"vault.status"}'
        for _, path in self.both():
            for _ in range(150):
                line = bytearray(start)
                for _ in range(random.randint(1, 4)):
                    line[random.randrange(len(line))] = random.randrange(256)
                with Client(path) as client:
                    client.send(bytes(line).replace(b"\n", b"x") + b"\n")
                    try:
                        client.line()
                    except Closed:
                        pass
            for _ in range(50):
                with Client(path) as client:
                    try:
                        client.send(random.randbytes(random.randint(1, 3000)) + b"\n")
                    except OSError:
                        pass
        self.still_works()


class Peers(Case):
    def test_agent_socket_has_no_owner_method(self):
        with self.home.agent(self.agent["key"]) as agent:
            for method in OWNER_METHODS:
                with self.subTest(method=method):
                    self.assertEqual(agent.refusal(method), "unknown_method")
            self.assertEqual(agent.call("vault.status")["state"], "unlocked")

    def test_owner_methods_exist_on_the_owners_socket(self):
        """The control: the same names are known there."""
        with self.home.owner() as owner:
            for method in OWNER_METHODS:
                if method in ("daemon.stop", "vault.lock", "vault.freeze"):
                    continue
                with self.subTest(method=method):
                    try:
                        owner.call(method, nonsense=1)
                        self.fail("taken with an unknown parameter")
                    except Exception as error:
                        self.assertNotEqual(getattr(error, "reason", None), "unknown_method")

    def test_without_a_key_only_the_status(self):
        with Client(self.home.agent_socket) as agent:
            self.assertEqual(set(agent.call("vault.status")), {"state", "frozen", "version"})
            self.assertEqual(agent.refusal("credentials.list"), "unauthenticated")
            self.assertEqual(agent.refusal("purchase.status", purchase="pur_aaaaaaaaaaaaaaaaaaaaaaaaaa"),
                             "unauthenticated")
            wrong = "pak_" + "".join(random.choice(string.ascii_letters) for _ in range(43))
            for key in (wrong, self.agent["key"][:-1], self.agent["key"] + "x", "", "pak_"):
                self.assertIn(agent.refusal("session.hello", agent_key=key, client="x"),
                              ("unauthenticated", "invalid_params", "rate_limited"))
            self.assertEqual(agent.refusal("credentials.list"), "unauthenticated")

    def test_descriptors_nobody_asked_for(self):
        """A passed descriptor is closed, not kept."""
        def count():
            return len(os.listdir("/proc/%d/fd" % self.home.pid))
        with Client(self.home.agent_socket) as agent, self.home.owner() as owner:
            agent.call("vault.status")
            owner.call("vault.status")
            before = count()
            for client in (agent, owner):
                for _ in range(20):
                    fd = bundle({"number": "x"})
                    try:
                        client.raw('{"jsonrpc":"2.0","id":1,"method":"vault.status"}', fd)
                    except (Closed, BrokenPipeError):
                        break
                    finally:
                        os.close(fd)
            self.assertLessEqual(count(), before + 2)
        self.still_works()

    def test_bad_bundles(self):
        """record.add with everything but a good bundle."""
        params = json.dumps({"kind": "card", "label": "B"})
        line = '{"jsonrpc":"2.0","id":1,"method":"record.add","params":%s}' % params
        good = {"number": "5555555555554444", "exp_month": "01", "exp_year": "2031"}

        def reason(data=None, fd=None):
            if data is not None:
                fd, write_end = os.pipe()
                os.write(write_end, data)
                os.close(write_end)
            with self.home.owner() as owner:
                answer = owner.raw(line, fd)
            if fd is not None:
                os.close(fd)
            return answer.get("error", {}).get("data", {}).get("reason", "taken")

        def bytes_of(fields, **options):
            fd = bundle(fields, **options)
            data = os.read(fd, 1 << 16)
            os.close(fd)
            return data

        right = bytes_of(good)
        self.assertEqual(reason(right), "taken")  # the control
        self.assertIn(reason(), ("invalid_params", "invalid_field"))
        with open("/dev/null", "rb") as null:
            self.assertIn(reason(fd=os.dup(null.fileno())), ("invalid_params", "invalid_field"))
        cases = {"empty": b"", "magic": b"X" + right[1:], "version": right[:9] + b"\x02" + right[10:],
                 "job": bytes_of(good, job=b"\x01" * 16), "short": right[:-1], "long": right + b"\x00",
                 "only a header": right[:32], "count": right[:33] + b"\xff" + right[34:],
                 "too big": right + bytes(20000)}
        for what, data in cases.items():
            with self.subTest(what=what):
                self.assertIn(reason(data), ("invalid_params", "invalid_field"))
        for fields in ({**good, "evil": "x"}, {"number": good["number"]}, {}):
            with self.subTest(fields=sorted(fields)):
                self.assertIn(reason(bytes_of(fields)), ("invalid_params", "invalid_field"))


class Limits(Case):
    def test_1025_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
        held = []
        try:
            refused = 0
            for _ in range(1030):
                client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                client.settimeout(30)
                held.append(client)
                wait_until(lambda: client.connect_ex(self.home.agent_socket) == 0, "room in the backlog")
            # The first of them are served, the last ones are told why not, or closed.
            held[0].sendall(b'{"jsonrpc":"2.0","id":1,"method":"vault.status"}\n')
            self.assertIn(b'"result"', held[0].recv(4096))
            for client in held[-6:]:
                try:
                    client.sendall(b'{"jsonrpc":"2.0","id":1,"method":"vault.status"}\n')
                    data = client.recv(4096)
                except (BrokenPipeError, ConnectionResetError):
                    data = b""
                if b'"result"' not in data:
                    self.assertIn(data[:1], (b"", b"{"))
                    if data:
                        self.assertIn(b"too_many_connections", data)
                    refused += 1
            self.assertGreater(refused, 0)
        finally:
            for client in held:
                client.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        end = time.monotonic() + 20
        while True:  # the closed ones are noticed and there is room again
            try:
                self.still_works()
                return
            except (Closed, Exception):
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def test_half_sent_line(self):
        """Cut off after its deadline; others are served meanwhile."""
        for _, path in self.both():
            with Client(path, timeout=60) as slow:
                slow.send(b'{"jsonrpc":"2.0","id":1,')
                self.still_works()
                try:
                    self.assertEqual(slow.reply()["error"]["data"]["reason"], "timeout")
                    with self.assertRaises(Closed):
                        slow.line()
                except Closed:
                    pass

    def test_dripping_bytes(self):
        """A byte now and then does not keep a half-sent line alive: it is the whole line that has a deadline."""
        with Client(self.home.agent_socket, timeout=1) as slow:
            line = b'{"jsonrpc":"2.0","id":1,"method":"vault.status"' + b" " * 40
            for byte in line[:40]:
                try:
                    slow.send(bytes([byte]))
                    answer = slow.socket.recv(4096)
                except TimeoutError:
                    continue
                except OSError:
                    answer = b""
                self.assertTrue(answer == b"" or b'"timeout"' in answer, answer)
                return
            self.fail("still open after forty bytes in forty seconds")

    def test_many_requests_in_one_write(self):
        with Client(self.home.agent_socket) as client:
            client.send(b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"vault.status"}\n' % i for i in range(500)))
            self.assertEqual(sorted(client.reply()["id"] for _ in range(500)), list(range(500)))

    def test_a_request_in_single_bytes(self):
        with Client(self.home.agent_socket) as client:
            for byte in b'{"jsonrpc":"2.0","id":1,"method":"vault.status"}\n':
                client.send(bytes([byte]))
            self.assertIn("result", client.reply())


SPEAK = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(30)
try:
    s.connect(sys.argv[1])
    s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"vault.status"}\\n')
    print(s.recv(4096).decode() or "closed")
except PermissionError:
    print("EACCES")
except (BrokenPipeError, ConnectionResetError):
    print("closed")
"""


class Activation(unittest.TestCase):
    """Sockets that a service manager made and passed (LISTEN_FDS)."""

    def test_passed_sockets(self):
        with Home() as home:
            os.mkdir(home.path, 0o700)
            os.mkdir(home.runtime, 0o700)
            listening = []
            for path in (home.agent_socket, home.owner_socket):
                one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                one.bind(path)
                os.chmod(path, 0o600)
                one.listen(16)
                listening.append(one)
            early = Client(home.agent_socket)  # it connected before the daemon was there
            self.addCleanup(early.close)
            early.send('{"jsonrpc":"2.0","id":1,"method":"vault.status"}\n')
            first, second = (one.fileno() for one in listening)
            script = "exec 3<&%d 4<&%d; LISTEN_PID=$$ LISTEN_FDS=2 exec %s --foreground" % (
                first, second, program("popvaultd"))
            with open(home.log, "ab") as log:
                home.daemon = subprocess.Popen(["bash", "-c", script], env=home.env(), pass_fds=(first, second),
                                               stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            for one in listening:
                one.close()
            self.assertEqual(early.reply()["result"]["state"], "uninitialised")
            home.make_vault()
            self.assertEqual(home.cli("status").json["state"], "unlocked")

    def test_the_end_is_graceful(self):
        with Home() as home:
            home.start()
            home.make_vault()
            home.daemon.terminate()
            self.assertEqual(home.daemon.wait(15), 0)
            self.assertFalse(os.path.exists(home.owner_socket))
            home.daemon = None
            home.start()
            home.unlock()


class OtherUsers(unittest.TestCase):
    def speak(self, path, user):
        done = subprocess.run([PYTHON, "-c", SPEAK, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              cwd="/", timeout=60, **user.popen())
        return done.stdout.decode()

    def test_another_user_is_refused(self):
        copy = PublicCopy()
        self.addCleanup(copy.remove)
        with User() as owner, User() as stranger, Home(user=owner, build=copy.build) as home:
            home.start()
            home.make_vault()
            for path in (home.agent_socket, home.owner_socket):
                with self.subTest(socket=path):
                    self.assertIn('"result"', self.speak(path, owner))  # the control
                    self.assertEqual(self.speak(path, stranger).strip(), "EACCES")
            # With every door of the file system open the kernel's word about the peer still counts.
            for path, mode in ((home.base, 0o755), (home.path, 0o755), (home.runtime, 0o755),
                               (home.agent_socket, 0o666), (home.owner_socket, 0o666)):
                os.chmod(path, mode)
            for path in (home.agent_socket, home.owner_socket):
                with self.subTest(socket=path):
                    answer = self.speak(path, stranger)
                    self.assertNotIn('"result"', answer)
                    self.assertTrue("wrong_peer" in answer or answer.strip() == "closed", answer)


if __name__ == "__main__":
    unittest.main()
