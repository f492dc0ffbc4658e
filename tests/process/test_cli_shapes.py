"""The shapes, exit codes and errors of the command line that scripts rely on."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import programs, scan
from support.home import CARD, PASSPHRASE, Home
from support.users import User

ID = "[a-z2-7]{26}"
RFC3339 = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"
VIEW = {"id", "kind", "alias", "label", "brand", "last4", "masked", "expired"}
NUMBER = scan.number_needles(CARD["number"])


class Case(unittest.TestCase):
    def refused(self, answer, reason, code):
        """Nothing on stdout, one JSON error on stderr, the right exit code."""
        self.assertEqual((answer.reason, answer.code), (reason, code), repr(answer))
        self.assertEqual(answer.out, "", repr(answer))
        self.assertEqual(set(answer.error), {"reason", "message", "remediation"})
        self.assertEqual(answer.err.count("\n"), 1, answer.err)
        for text in answer.error.values():
            self.assertNotIn("\n", text)
            self.assertTrue(text)
        self.assertEqual(scan.scan_bytes(answer.err.encode(), NUMBER, "stderr"), [])


class Shapes(Case):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.home.start()
        cls.vault = cls.home.cli("init", passphrase=PASSPHRASE).json
        cls.home.unlock()
        cls.card = cls.home.add_card()
        cls.agent = cls.home.add_agent("helper")
        cls.home.set_policy("helper")

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    def request(self, key, amount=2500):
        with self.home.agent(self.agent["key"]) as agent:
            return agent.call("purchase.request", record=self.card["id"], amount_minor=amount, currency="USD",
                              merchant_origin="https://shop.example", reason="A book", idempotency_key=key)

    def test_init(self):
        self.assertEqual(set(self.vault), {"vault", "mode"})
        self.assertRegex(self.vault["vault"], "^vlt_")
        self.assertEqual(self.vault["mode"], "passphrase")
        self.refused(self.home.run("init", passphrase=PASSPHRASE), "vault_exists", 1)

    def test_lock_and_unlock(self):
        self.assertEqual(self.home.cli("lock").json["state"], "locked")
        self.refused(self.home.run("list"), "locked", 3)
        self.refused(self.home.run("unlock", passphrase="not the passphrase"), "wrong_key", 1)
        answer = self.home.cli("unlock", passphrase=PASSPHRASE).json
        self.assertEqual(set(answer), {"state", "expires_at"})
        self.assertEqual(answer["state"], "unlocked")
        self.assertRegex(answer["expires_at"], RFC3339)

    def test_a_newline_after_the_passphrase_does_not_count(self):
        self.home.cli("lock")
        self.home.cli("unlock", passphrase=PASSPHRASE + "\n")

    def test_add_card_and_list(self):
        self.assertEqual(set(self.card), VIEW)
        self.assertEqual({k: self.card[k] for k in VIEW - {"id", "alias"}},
                         {"kind": "card", "label": "Demo", "brand": "visa", "last4": "4242",
                          "masked": "****-****-****-4242", "expired": False})
        self.assertRegex(self.card["alias"], "^tok_card_" + ID + "$")
        cards = self.home.cli("list").json
        self.assertIn(self.card, cards)
        self.assertIsInstance(cards, list)
        self.assertLessEqual(VIEW, set(self.home.cli("show", self.card["id"]).json))
        self.assertEqual(self.home.cli("show", self.card["alias"]).json["id"], self.card["id"])

    def test_brands_and_masks(self):
        for number, brand, masked in (("378282246310005", "amex", "****-******-*0005"),
                                      ("5555555555554444", "mastercard", "****-****-****-4444")):
            card = self.home.add_card(label=brand, number=number, cvv="1234" if brand == "amex" else "123")
            self.assertEqual((card["brand"], card["masked"], card["last4"]), (brand, masked, number[-4:]))

    def test_expired_card(self):
        self.assertTrue(self.home.add_card(label="Old", exp_year="2019")["expired"])

    def test_agent_add(self):
        self.assertLessEqual({"agent", "name", "key"}, set(self.agent))
        self.assertRegex(self.agent["agent"], "^agt_")
        self.assertEqual(self.agent["name"], "helper")
        self.assertRegex(self.agent["key"], "^pak_[A-Za-z0-9_-]{43}$")
        self.refused(self.home.run("agent", "add", "helper", passphrase=PASSPHRASE), "already_exists", 1)
        listed = self.home.cli("agent", "list").json
        listed = listed if isinstance(listed, list) else listed["agents"]
        self.assertNotIn(self.agent["key"], json.dumps(listed))

    def test_agent_verbs(self):
        added = self.home.cli("agent", "add", "shaped", "--uid", "12", "--expires-days", "5", passphrase=PASSPHRASE).json
        self.assertEqual(set(added), {"agent", "name", "key", "expires_at", "uid"})
        self.assertEqual(added["uid"], 12)
        rotated = self.home.cli("agent", "rotate", "shaped", passphrase=PASSPHRASE).json
        self.assertEqual(set(rotated), {"agent", "expires_at", "key"})
        for verb, status, passphrase in (("suspend", "suspended", None), ("resume", "active", PASSPHRASE), ("revoke", "revoked", None)):
            self.assertEqual(self.home.cli("agent", verb, "shaped", passphrase=passphrase).json,
                             {"agent": added["agent"], "status": status})
        listed = next(agent for agent in self.home.cli("agent", "list").json if agent["agent"] == added["agent"])
        self.assertEqual(set(listed), {"agent", "anomalies", "created_at", "executable", "executable_since", "expires_at",
                                       "expires_soon", "key", "last_seen", "name", "rotated_at", "status", "uid"})
        for at in ("created_at", "expires_at", "rotated_at"):
            self.assertRegex(listed[at], RFC3339)
        for verb in ("rotate", "suspend", "resume", "revoke"):
            passphrase = PASSPHRASE if verb in ("rotate", "resume") else None
            self.refused(self.home.run("agent", verb, "nobody", passphrase=passphrase), "not_found", 4)
            self.refused(self.home.run("agent", verb), "usage", 2)

    def test_authenticators(self):
        one = {"id", "kind", "label", "public_key", "created_at"}
        self.assertEqual([set(entry) for entry in self.home.cli("authenticator", "list").json], [one])
        # RFC 8032, section 7.1, test 1.
        key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        added = self.home.cli("authenticator", "add", "raw", "--public-key", key, "--label", "Token", passphrase=PASSPHRASE).json
        self.assertEqual(set(added), one)
        self.assertEqual((added["kind"], added["label"], added["public_key"]), ("raw", "Token", key))
        self.assertEqual(self.home.cli("authenticator", "rm", added["id"], passphrase=PASSPHRASE).json, {"id": added["id"]})
        for args in (("authenticator",), ("authenticator", "add"), ("authenticator", "add", "raw"), ("authenticator", "rm"),
                     ("authenticator", "add", "raw", "--public-key", key), ("authenticator", "add", "token"),
                     ("status", "--authenticator", "hsm")):
            self.refused(self.home.run(*args), "usage", 2)

    def test_agent_key_file(self):
        path = os.path.join(self.home.base, "key")
        answer = self.home.cli("agent", "add", "filed", "--key-file", path, passphrase=PASSPHRASE)
        with open(path, encoding="ascii") as file:
            key = file.read().strip()
        self.assertRegex(key, "^pak_[A-Za-z0-9_-]{43}$")
        self.assertNotIn(key, answer.out + answer.err)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_approve(self):
        asked = self.request("shape-1")
        self.assertEqual(asked["status"], "awaiting_approval")
        self.assertRegex(asked["purchase"], "^pur_")
        waiting = self.home.cli("approvals").json
        waiting = waiting if isinstance(waiting, list) else waiting["purchases"]
        self.assertIn(asked["purchase"], [one["purchase"] for one in waiting])
        self.refused(self.home.run("approve", asked["purchase"], passphrase="not the passphrase"), "proof_invalid", 1)
        self.assertEqual(self.home.cli("approve", asked["purchase"], passphrase=PASSPHRASE).json,
                         {"purchase": asked["purchase"], "status": "approved"})

    def test_deny(self):
        asked = self.request("shape-2")
        self.assertEqual(self.home.cli("deny", asked["purchase"]).json,
                         {"purchase": asked["purchase"], "status": "denied"})
        self.assertNotEqual(self.home.run("approve", asked["purchase"], passphrase=PASSPHRASE).code, 0)

    def test_audit_verify(self):
        answer = self.home.cli("audit", "verify").json
        self.assertEqual(set(answer), {"ok", "rows", "head", "checkpoints", "uncovered", "public_key"})
        self.assertRegex(answer["public_key"], "^[0-9a-f]{64}$")
        self.assertIs(answer["ok"], True)
        self.assertGreater(answer["rows"], 0)
        self.assertRegex(answer["head"], "^[0-9a-f]{64}$")
        self.assertEqual(set(self.home.cli("audit", "list").json[0]), {"at", "body", "covered", "hash", "kind", "seq"})

    def test_audit_export_and_purge(self):
        path = os.path.join(self.home.base, "journal.jsonl")
        answer = self.home.cli("audit", "export", path, passphrase=PASSPHRASE).json
        self.assertEqual(set(answer), {"file", "head", "public_key", "rows"})
        checked = self.home.cli("audit", "verify", "--file", path, "--public-key", answer["public_key"]).json
        self.assertEqual(set(checked), {"after", "at", "checkpoints", "head", "ok", "public_key", "rows", "uncovered", "vault"})
        self.home.add_agent("passing")
        self.assertEqual(set(self.home.cli("audit", "purge", "--subject", "passing", passphrase=PASSPHRASE).json),
                         {"rows", "subject"})

    def test_status(self):
        answer = self.home.cli("status").json
        self.assertLessEqual({"state", "mode", "isolation", "version"}, set(answer))
        self.assertEqual((answer["state"], answer["mode"], answer["isolation"]), ("unlocked", "passphrase", "user"))

    def test_unknown_ids(self):
        for args in (("show", "rec_aaaaaaaaaaaaaaaaaaaaaaaaaa"), ("show", "tok_card_aaaaaaaaaaaaaaaaaaaaaaaaaa"),
                     ("deny", "pur_aaaaaaaaaaaaaaaaaaaaaaaaaa"), ("agent", "revoke", "nobody"),
                     ("policy", "show", "nobody")):
            with self.subTest(args=args):
                self.refused(self.home.run(*args), "not_found", 4)
        self.refused(self.home.run("approve", "pur_aaaaaaaaaaaaaaaaaaaaaaaaaa", passphrase=PASSPHRASE), "not_found", 4)

    def test_wrong_fields(self):
        for change in ({"number": "4242424242424241"}, {"number": "4242"}, {"number": "4242-4242-4242-424x"},
                       {"exp_month": "13"}, {"exp_month": "0"}, {"exp_year": "20x4"}, {"cvv": "12"},
                       {"cvv": "12345"}, {"nonsense": "1"}):
            with self.subTest(change=change):
                answer = self.home.run("add", "card", "--label", "X", fields={**CARD, **change})
                self.refused(answer, "invalid_field", 1)
                name, value = next(iter(change.items()))
                self.assertIn(name, answer.error["message"])
                if len(value) > 2:
                    self.assertNotIn(value, answer.err)
        missing = {k: v for k, v in CARD.items() if k != "number"}
        self.refused(self.home.run("add", "card", "--label", "X", fields=missing), "invalid_field", 1)

    def test_usage(self):
        for args in ((), ("no-such-verb",), ("add",), ("add", "boat"), ("approve",), ("status", "extra"),
                     ("--no-such-option",), ("policy", "set", "helper")):
            with self.subTest(args=args):
                self.refused(self.home.run(*args), "usage", 2)

    def test_a_secret_is_never_an_argument(self):
        for args in (("unlock", "--passphrase", PASSPHRASE), ("unlock", "--passphrase=" + PASSPHRASE),
                     ("unlock", PASSPHRASE), ("add", "card", "--number", CARD["number"]),
                     ("add", "card", "--number=" + CARD["number"]), ("add", "card", CARD["number"]),
                     ("add", "card", "--fields", "number=" + CARD["number"]),
                     ("unlock", "--passphrase-fd", PASSPHRASE)):
            with self.subTest(args=args):
                answer = self.home.run(*args)
                self.refused(answer, "usage", 2)
                self.assertNotIn(PASSPHRASE, answer.err)

    def test_the_environment_is_no_way_in(self):
        self.home.cli("lock")
        env = self.home.env(POPVAULT_PASSPHRASE=PASSPHRASE, POPVAULT_KEY=PASSPHRASE)
        answer = self.home.run("unlock", env=env)
        self.assertNotEqual(answer.code, 0)
        self.assertEqual(self.home.cli("status").json["state"], "locked")
        self.home.cli("unlock", passphrase=PASSPHRASE)

    def test_without_json_errors_are_one_line(self):
        answer = self.home.run("show", "rec_aaaaaaaaaaaaaaaaaaaaaaaaaa", json_output=False)
        self.assertEqual(answer.code, 4)
        self.assertEqual(answer.out, "")
        self.assertLessEqual(answer.err.count("\n"), 2)
        self.assertNotIn("{", answer.err)

    def test_help_and_version(self):
        self.assertEqual(self.home.run("--help", json_output=False).code, 0)
        answer = self.home.run("--version", json_output=False)
        self.assertRegex(answer.out, r"^popvault \d+\.\d+\.\d+\n$")

    def test_every_shape_is_free_of_secrets(self):
        """All output of the reading verbs, searched; and the control."""
        needles = scan.card_needles(CARD["number"], CARD["cvv"], CARD["exp_month"], CARD["exp_year"], CARD["holder"])
        needles.update(scan.spellings("passphrase", PASSPHRASE))
        text = "".join(repr(self.home.run(*args)) for args in (
            ("list",), ("show", self.card["id"]), ("status",), ("agent", "list"), ("policy", "show", "helper"),
            ("config", "get"), ("approvals",), ("purchases",), ("audit", "list"), ("doctor",)))
        self.assertEqual(scan.scan_bytes(text.encode(), needles, "the output"), [])
        self.assertTrue(scan.scan_bytes((text + CARD["number"]).encode(), needles, "the output"))


class NoBrowser(Case):
    def test_fill_without_a_browser(self):
        with Home() as home:
            home.start()
            home.make_vault()
            card, agent = home.add_card(), home.add_agent("helper")
            home.set_policy("helper")
            with home.agent(agent["key"]) as connection:
                asked = connection.call("purchase.request", record=card["id"], amount_minor=100, currency="USD",
                                        merchant_origin="https://shop.example", reason="x", idempotency_key="1")
                home.cli("approve", asked["purchase"], passphrase=PASSPHRASE)
                page = {"url": "https://shop.example/pay"}
                self.assertEqual(connection.refusal("purchase.fill", purchase=asked["purchase"], page=page),
                                 "browser_not_enrolled")
                # Port 9 of loopback: nobody listens there.
                home.cli("config", "set", "browser.endpoint", "http://127.0.0.1:9", passphrase=PASSPHRASE)
                self.assertEqual(connection.refusal("purchase.fill", purchase=asked["purchase"], page=page),
                                 "browser_unreachable")
                # Nothing was unwrapped, so the purchase is still there to be filled.
                self.assertEqual(connection.call("purchase.status", purchase=asked["purchase"])["status"], "approved")

    def test_the_endpoint_must_be_loopback(self):
        with Home() as home:
            home.start()
            home.make_vault()
            for endpoint in ("http://192.0.2.1:9222", "http://example.com:9222", "https://127.0.0.1:9222",
                             "http://127.0.0.1:0", "http://127.0.0.1:9222/path", "http://127.0.0.1.example.com:9222"):
                with self.subTest(endpoint=endpoint):
                    answer = home.run("config", "set", "browser.endpoint", endpoint, passphrase=PASSPHRASE)
                    self.assertIn(answer.reason, ("invalid_params", "invalid_field", "usage"), repr(answer))


class Daemon(Case):
    def test_started_on_demand_but_not_by_status(self):
        with Home() as home:
            answer = home.run("status")
            self.assertFalse(os.path.exists(home.owner_socket))
            self.assertNotIn("unlocked", answer.out)
            self.refused(home.run("list"), "vault_missing", 4)
            home.note_daemon()
            self.assertEqual(home.cli("status").json["state"], "uninitialised")
            home.cli("stop")
            for _ in range(200):
                if not os.path.exists("/proc/%d" % home.pid):
                    break
                time.sleep(0.05)
            self.assertFalse(os.path.exists("/proc/%d" % home.pid))

    def test_one_daemon_per_home(self):
        with Home() as home:
            home.start()
            second = subprocess.run([programs.program("popvaultd"), "--foreground"], env=home.env(),
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
            self.assertNotEqual(second.returncode, 0)
            self.assertEqual(home.cli("status").json["state"], "uninitialised")

    def test_a_stale_socket_is_no_obstacle(self):
        with Home() as home:
            home.start()
            home.make_vault()
            home.kill()
            self.assertTrue(os.path.exists(home.owner_socket))
            home.start()
            self.assertEqual(home.cli("status").json["state"], "locked")

    def test_path_too_long(self):
        with Home() as home:
            long = os.path.join(home.base, "x" * 110)
            self.refused(home.run("list", env=home.env(POPVAULT_HOME=long)), "path_too_long", 1)

    def test_another_home_on_the_socket(self):
        with Home() as home, Home() as other:
            home.start()
            env = other.env(POPVAULT_RUNTIME_DIR=home.runtime)
            self.assertIn(other.run("list", env=env).reason, ("wrong_home", "wrong_peer"))


class Files(Case):
    """Damaged and misowned files, each refused by name with nothing lost."""

    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.home.start()
        cls.home.make_vault()
        cls.home.add_card()
        cls.home.stop()
        cls.copy = os.path.join(cls.home.base, "copy")
        shutil.copytree(cls.home.path, cls.copy, symlinks=True)

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    def setUp(self):
        self.home.stop()
        shutil.rmtree(self.home.path)
        shutil.copytree(self.copy, self.home.path, symlinks=True)

    def tearDown(self):
        self.home.stop()

    def unlock(self):
        answer = self.home.run("unlock", passphrase=PASSPHRASE)
        if os.path.exists(self.home.owner_socket):
            try:
                self.home.note_daemon_now()
            except OSError:
                pass
        return answer

    def test_control_untouched(self):
        self.assertEqual(self.unlock().code, 0)
        self.assertEqual(len(self.home.cli("list").json), 1)

    def test_truncated(self):
        with open(self.home.file("vault.enc"), "rb") as file:
            data = file.read()
        for size, reason in ((0, "vault_corrupt"), (27, "vault_corrupt"), (28, "wrong_key"), (len(data) - 1, "wrong_key")):
            with self.subTest(size=size):
                with open(self.home.file("vault.enc"), "wb") as file:
                    file.write(data[:size])
                self.refused(self.unlock(), reason, 1)
                self.home.stop()
        with open(self.home.file("vault.enc"), "wb") as file:
            file.write(data)
        self.assertEqual(self.unlock().code, 0)

    def test_flipped_bit(self):
        with open(self.home.file("vault.enc"), "r+b") as file:
            file.seek(40)
            byte = file.read(1)[0]
            file.seek(40)
            file.write(bytes([byte ^ 1]))
        self.refused(self.unlock(), "wrong_key", 1)

    def test_modes(self):
        for name, mode in (("vault.enc", 0o644), ("state.db", 0o660), (".vault_mode", 0o666), ("", 0o755), ("blobs", 0o777)):
            with self.subTest(name=name):
                path = self.home.file(name) if name else self.home.path
                before = os.stat(path).st_mode & 0o777
                os.chmod(path, mode)
                self.refused(self.unlock(), "insecure_file", 1)
                self.home.stop()
                os.chmod(path, before)

    def test_owner(self):
        with User() as user:
            for name in ("vault.enc", "state.db"):
                with self.subTest(name=name):
                    path = self.home.file(name)
                    os.chown(path, user.uid, user.gid)
                    self.refused(self.unlock(), "insecure_file", 1)
                    self.home.stop()
                    os.chown(path, os.geteuid(), os.getegid())

    def test_symbolic_link(self):
        path = self.home.file("vault.enc")
        os.rename(path, path + ".real")
        os.symlink(path + ".real", path)
        self.refused(self.unlock(), "insecure_file", 1)

    def test_mode_word(self):
        for text in ("machine-oss", "nonsense"):
            with self.subTest(text=text):
                with open(self.home.file(".vault_mode"), "w", encoding="ascii") as file:
                    file.write(text)
                answer = self.unlock()
                self.assertNotEqual(answer.code, 0, repr(answer))
                self.assertTrue(answer.reason)
                self.home.stop()

    def test_missing_vault_with_state(self):
        os.unlink(self.home.file("vault.enc"))
        answer = self.unlock()
        self.assertNotEqual(answer.code, 0)
        self.assertTrue(answer.reason)
        # A new vault is not put over what is left of the old one.
        self.assertNotEqual(self.home.run("init", passphrase=PASSPHRASE).code, 0)
        self.home.note_daemon_now()


class FullDisk(Case):
    """A disk of 2 MiB that is really full."""

    def setUp(self):
        self.home = Home()
        os.mkdir(self.home.path, 0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "popvault-test", self.home.path], check=True)

    def tearDown(self):
        self.home.stop()
        subprocess.run(["umount", "--lazy", self.home.path], check=True)
        self.home.remove()

    def fill(self):
        path = self.home.file("filler")
        with open(path, "wb", buffering=0) as file:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass
        return path

    def test_add_on_a_full_disk(self):
        self.home.start()
        self.home.make_vault()
        card = self.home.add_card()
        filler = self.fill()
        answer = self.home.run("add", "card", "--label", "Second", fields=CARD)
        self.refused(answer, "disk_full", 1)
        os.unlink(filler)
        self.assertEqual(self.home.cli("list").json, [card])
        self.home.add_card(label="Second")
        self.home.restart()
        self.home.unlock()
        self.assertEqual(len(self.home.cli("list").json), 2)
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])

    def test_init_on_a_full_disk(self):
        self.home.start()
        filler = self.fill()
        self.refused(self.home.run("init", passphrase=PASSPHRASE), "disk_full", 1)
        os.unlink(filler)
        self.home.make_vault()
        self.home.add_card()


class Terminal(Case):
    def test_the_prompt_does_not_echo(self):
        with Home() as home:
            home.start()
            home.make_vault()
            home.cli("lock")
            pid, master = pty.fork()
            if pid == 0:
                os.execve(programs.program("popvault"), ["popvault", "unlock"], home.env())
            shown, sent = b"", False
            try:
                while True:
                    ready, _, _ = select.select([master], [], [], 30)
                    if not ready:
                        break
                    try:
                        data = os.read(master, 4096)
                    except OSError:
                        break
                    if not data:
                        break
                    shown += data
                    if not sent and b"assphrase" in shown:
                        os.write(master, PASSPHRASE.encode() + b"\n")
                        sent = True
            finally:
                os.close(master)
            _, status = os.waitpid(pid, 0)
            self.assertEqual(os.waitstatus_to_exitcode(status), 0, shown)
            self.assertTrue(sent)
            self.assertNotIn(PASSPHRASE.encode(), shown)
            self.assertEqual(home.cli("status").json["state"], "unlocked")


if __name__ == "__main__":
    unittest.main()
