"""Vaults of the existing tool (tests/vectors/foreign-vault): read with import pop-pay, written with export pop-pay."""

import glob
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import programs, scan
from support.home import CARD, PASSPHRASE, Answer, Home
from support.owner_key import vault_key
from support.shop import luhn
from support.vault_reader import open_vault

FOLDER = os.path.join(programs.SOURCE, "tests", "vectors", "foreign-vault")
REFUSED = ("vault_corrupt", "wrong_key")


def vectors():
    for path in sorted(glob.glob(os.path.join(FOLDER, "*.json"))):
        with open(path, encoding="utf-8") as file:
            yield json.load(file), path[:-5] + ".enc"


def options(vector, passphrase=None):
    """What its owner would say on another machine."""
    mode = {"hardened": "machine-hardened"}.get(vector["mode"], vector["mode"])
    args = ["--mode", mode, "--machine-id-hex", vector["machine_id_hex"]]
    if mode == "passphrase":
        return args, (vector["passphrase"] if passphrase is None else passphrase).encode()
    return args + ["--username", vector["username"], "--salt-hex", vector["salt_hex"]], None


class Import(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    def dry_run(self, path, args, passphrase):
        return self.home.run("import", "pop-pay", path, "--dry-run", *args, passphrase=passphrase)

    def silent(self, answer, creds):
        """No value of the vault is in the answer, but for what a masked view shows."""
        text = (answer.out + answer.err).encode()
        number = creds.get("card_number", "")
        if len(number) > 8:
            self.assertEqual(scan.scan_bytes(text, scan.number_needles(number), "the answer"), [])
        if creds.get("cvv"):
            self.assertEqual(scan.scan_bytes(text, scan.pair_needles(("cvv",), creds["cvv"]), "the answer"), [])

    def test_vectors(self):
        count = 0
        for vector, path in vectors():
            with self.subTest(vector=vector["id"]):
                with open(path, "rb") as file:
                    before = file.read()
                args, passphrase = options(vector)
                answer = self.dry_run(path, args, passphrase)
                if vector["expect"] == "ok":
                    self.check_good(vector["creds"], answer)
                else:
                    self.assertEqual((answer.code, answer.out), (1, ""), repr(answer))
                    self.assertIn(answer.reason, REFUSED)
                    if vector["blob_len"] < 28 or "plaintext_hex" in vector:  # too short, or authentic but no object
                        self.assertEqual(answer.reason, "vault_corrupt")
                    else:
                        self.assertEqual(answer.reason, "wrong_key")
                with open(path, "rb") as file:
                    self.assertEqual(file.read(), before)
                count += 1
        self.assertGreaterEqual(count, 10)
        # A dry run needs no vault and starts no daemon.
        self.assertFalse(os.path.exists(self.home.owner_socket))

    def check_good(self, creds, answer):
        self.silent(answer, creds)
        number = creds.get("card_number", "")
        if number and not luhn(number):
            self.assertEqual((answer.json["ok"], answer.json["reason"]), (False, "invalid_field"))
            return
        self.assertEqual(answer.code, 0, repr(answer))
        got = answer.json
        self.assertIs(got["ok"], True)
        self.assertEqual(sorted(got["fields"]), sorted(creds))
        if not number:
            self.assertIsNone(got["card"])
            return
        self.assertIsNone(got["card"]["id"])
        self.assertIsNone(got["card"]["alias"])
        self.assertEqual((got["card"]["kind"], got["card"]["last4"], got["card"]["masked"]),
                         ("card", number[-4:], "****-****-****-" + number[-4:]))

    def test_control_wrong_keys(self):
        """The good ones with one thing changed do not open."""
        for vector, path in vectors():
            if vector["expect"] != "ok":
                continue
            args, passphrase = options(vector)
            changes = [("--machine-id-hex", "00" + vector["machine_id_hex"])]
            if passphrase is None:
                changes += [("--username", vector["username"] + "x"), ("--salt-hex", vector["salt_hex"] + "00")]
            for name, value in changes:
                with self.subTest(vector=vector["id"], changed=name):
                    changed = list(args)
                    changed[changed.index(name) + 1] = value
                    answer = self.dry_run(path, changed, passphrase)
                    self.assertEqual((answer.code, answer.reason), (1, "wrong_key"), repr(answer))
            if passphrase is not None:
                answer = self.dry_run(path, args, passphrase + b"x")
                self.assertEqual((answer.code, answer.reason), (1, "wrong_key"), repr(answer))

    def test_bad_files(self):
        folder = self.home.base
        args = ["--mode", "machine-oss", "--machine-id-hex", "00", "--username", "alice"]
        for name, data, reason in (("empty", b"", "vault_corrupt"), ("zeros", bytes(27), "vault_corrupt"),
                                   ("noise", os.urandom(500), "wrong_key"), ("big", bytes(2 << 20), "vault_corrupt")):
            with self.subTest(name=name):
                path = os.path.join(folder, name)
                with open(path, "wb") as file:
                    file.write(data)
                self.assertEqual(self.dry_run(path, args, None).reason, reason)
        self.assertEqual(self.dry_run(os.path.join(folder, "absent"), args, None).code, 4)
        self.assertEqual(self.dry_run(folder, args, None).code, 1)
        self.assertEqual(self.dry_run(os.path.join(folder, "zeros"), ["--mode", "boat"], None).code, 2)
        self.assertNotEqual(self.dry_run(os.path.join(folder, "zeros"), ["--machine-id-hex", "xyz"], None).code, 0)


class RoundTrip(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.home.start()
        cls.home.make_vault()
        cls.card = cls.home.add_card()

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    def export(self, path, *args, passphrase=PASSPHRASE, file_passphrase=None):
        command = [programs.program("popvault"), "export", "pop-pay", path, "--record", self.card["id"], *args,
                   "--passphrase-fd", "0", "--json"]
        keep = []
        if file_passphrase is not None:
            read_end, write_end = os.pipe()
            os.write(write_end, file_passphrase.encode())
            os.close(write_end)
            command += ["--file-passphrase-fd", str(read_end)]
            keep = [read_end]
        done = subprocess.run(command, input=passphrase.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.home.env(), pass_fds=keep, timeout=60)
        for fd in keep:
            os.close(fd)
        return Answer(done)

    def test_passphrase(self):
        path = os.path.join(self.home.base, "passphrase", "vault.enc")
        os.mkdir(os.path.dirname(path), 0o700)
        answer = self.export(path, file_passphrase="another eight characters")
        self.assertEqual(answer.code, 0, repr(answer))
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        # It is what the other tool writes: read here with independent code.
        with open(path, "rb") as file:
            plain = open_vault(vault_key("another eight characters"), file.read())
        self.assertEqual(plain, {"card_number": CARD["number"], "cvv": CARD["cvv"], "exp_month": CARD["exp_month"],
                                 "exp_year": CARD["exp_year"][2:],
                                 "expiration_date": CARD["exp_month"] + "/" + CARD["exp_year"][2:]})
        self.assertEqual(list(plain), ["card_number", "cvv", "exp_month", "exp_year", "expiration_date"])
        answer = self.home.cli("import", "pop-pay", path, "--mode", "passphrase", "--label", "Back",
                               passphrase="another eight characters")
        self.assertEqual((answer.json["label"], answer.json["last4"], answer.json["expired"]), ("Back", "4242", False))
        self.assertIn(answer.json, self.home.cli("list").json)

    def test_machine(self):
        path = os.path.join(self.home.base, "machine", "vault.enc")
        os.mkdir(os.path.dirname(path), 0o700)
        self.assertEqual(self.export(path, "--mode", "machine-oss").reason, "consent_required")
        self.assertFalse(os.path.exists(path))
        answer = self.export(path, "--mode", "machine-oss", "--accept-public-salt")
        self.assertEqual(answer.code, 0, repr(answer))
        got = self.home.cli("import", "pop-pay", path, "--mode", "machine-oss", "--dry-run").json
        self.assertEqual(got["card"]["last4"], "4242")

    def test_nothing_is_overwritten_and_a_proof_is_needed(self):
        path = os.path.join(self.home.base, "there.enc")
        with open(path, "w", encoding="ascii") as file:
            file.write("mine")
        self.assertEqual(self.export(path, file_passphrase="eight characters").reason, "already_exists")
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read(), "mine")
        other = os.path.join(self.home.base, "other.enc")
        answer = self.export(other, passphrase="wrong passphrase", file_passphrase="eight characters")
        self.assertEqual((answer.code, answer.reason), (1, "proof_invalid"), repr(answer))
        self.assertFalse(os.path.exists(other))


if __name__ == "__main__":
    unittest.main()
