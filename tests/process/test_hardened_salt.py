"""A hardened build carries its salt in two halves only: builds one with a random salt, strips it and searches it. A vault that
it made is refused by the source build."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import CARD, Home
from support.programs import BUILD, SOURCE

PLACES = {"popvaultd": "src/daemon/popvaultd", "popvault": "src/cli/popvault", "popvault-injector": "src/injector/popvault-injector",
          "popvault-browser": "src/guard/popvault-browser"}


def pieces(salt):
    """The salt and every 8-byte piece of it, raw and as hex text."""
    parts = [salt] + [salt[at:at + 8] for at in range(len(salt) - 7)]
    found = {}
    for part in parts:
        found["raw " + part.hex()] = part
        found["hex " + part.hex()] = part.hex().encode()
        found["HEX " + part.hex()] = part.hex().upper().encode()
        found["reversed " + part.hex()] = part[::-1]
        found["C " + part.hex()] = ", ".join("0x%02x" % byte for byte in part).encode()
    return found


def search(path, salt):
    with open(path, "rb") as file:
        data = file.read()
    return [what for what, piece in pieces(salt).items() if piece in data]


def cache(name):
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as file:
        return re.search(r"^%s:\w+=(.*)$" % re.escape(name), file.read(), re.M).group(1)


class HardenedBuild:
    """popvaultd and popvault of this source with another salt. Only the crypto room differs, so only that is compiled, with
    the optimisation of a release; the rest is linked from the build that is tested."""

    def __init__(self, salt):
        self.folder = tempfile.mkdtemp(prefix="pv-salt-", dir="/tmp")
        self.build = os.path.join(self.folder, "programs")
        salt_file = os.path.join(self.folder, "salt")
        with open(salt_file, "wb") as file:
            file.write(salt)
        room = os.path.join(self.folder, "room")
        self.run("cmake", "-S", SOURCE, "-B", room, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DPOPVAULT_TESTS=OFF",
                 "-DCMAKE_CXX_COMPILER=" + cache("CMAKE_CXX_COMPILER"), "-DPOPVAULT_COMPILED_SALT_FILE=" + salt_file)
        self.run("cmake", "--build", room, "--target", "pv_crypto")
        os.unlink(salt_file)
        for place in PLACES.values():
            target = os.path.join(self.build, place)
            os.makedirs(os.path.dirname(target))
            if place in (PLACES["popvault-injector"], PLACES["popvault-browser"]):
                shutil.copy2(os.path.join(BUILD, place), target)
            else:
                self.link(place, target, os.path.join(room, "src", "crypto", "libpv_crypto.a"))

    def link(self, place, target, crypto):
        commands = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", place], stdout=subprocess.PIPE,
                                  check=True).stdout.decode().splitlines()
        line = next(one for one in reversed(commands) if " -o %s " % place in one)
        line = line.replace(" -o %s " % place, " -o %s " % shlex.quote(target))
        line, count = re.subn(r"\S*src/crypto/libpv_crypto\.a", shlex.quote(crypto), line)
        if not count:
            raise AssertionError("the crypto room is not on the link line of " + place)
        subprocess.run(["sh", "-c", line], cwd=BUILD, check=True, stdout=subprocess.DEVNULL)
        self.run("strip", target)

    def run(self, *command):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise AssertionError("%s: %s" % (" ".join(command[:4]), done.stdout.decode("utf-8", "replace")[-2000:]))

    def path(self, name):
        return os.path.join(self.build, PLACES[name])

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Salt(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.salt = os.urandom(32)
        cls.hardened = HardenedBuild(cls.salt)

    @classmethod
    def tearDownClass(cls):
        cls.hardened.remove()

    def test_the_salt_is_not_in_the_programs(self):
        for name in ("popvaultd", "popvault"):
            self.assertEqual(search(self.hardened.path(name), self.salt), [])

    def test_control_a_program_with_the_salt(self):
        """Also one that hides it no better than with a constant XOR, which the compiler folds."""
        folder = tempfile.mkdtemp(prefix="pv-")
        self.addCleanup(shutil.rmtree, folder)
        mask = os.urandom(32)

        def array(data):
            return ",".join(str(byte) for byte in data)
        plain = "constexpr unsigned char s[] = {%s};" % array(self.salt)
        folded = ("constexpr unsigned char a[] = {%s}; constexpr unsigned char b[] = {%s}; struct S { unsigned char v[32]; };"
                  "constexpr S make() { S r{}; for (int i = 0; i < 32; ++i) r.v[i] = a[i] ^ b[i]; return r; }"
                  "constexpr S whole = make(); const unsigned char* s = whole.v;" % (
                      array(mask), array(bytes(x ^ y for x, y in zip(mask, self.salt)))))
        for text in (plain, folded):
            source, target = os.path.join(folder, "p.cpp"), os.path.join(folder, "p")
            with open(source, "w", encoding="ascii") as file:
                file.write(text + "\n#include <unistd.h>\nint main() { return write(1, s, 32) == 32 ? 0 : 1; }\n")
            subprocess.run(["g++", "-std=c++20", "-O2", "-s", "-o", target, source], check=True)
            self.assertTrue(search(target, self.salt))

    def test_the_salt_does_its_work(self):
        """A machine vault of the hardened build opens there, and a second daemon of that build opens it again."""
        with Home(build=self.hardened.build) as home:
            home.start()
            self.assertEqual(home.cli("init", "--machine").json["mode"], "machine-hardened")
            status = home.cli("status").json
            self.assertEqual((status["build"], status["proof_strength"]), ("hardened", "same_user_can_sign"))
            if status["state"] != "unlocked":
                home.cli("unlock")
            home.add_card()
            home.restart()
            home.cli("unlock")
            self.assertEqual(len(home.cli("list").json), 1)

    def test_the_source_build_refuses_its_vault(self):
        """Whatever .vault_mode says, or if it is gone."""
        with Home(build=self.hardened.build) as home:
            home.start()
            home.cli("init", "--machine")
            home.stop()
            marker = home.file(".vault_mode")
            with open(marker, encoding="ascii") as file:
                self.assertEqual(file.read().strip(), "machine-hardened")
            with open(home.file("vault.enc"), "rb") as file:
                vault = file.read()
            home.build = BUILD
            for word in ("machine-hardened", "hardened", "machine-oss", "oss", "passphrase", None):
                with self.subTest(word=word):
                    if word is None:
                        os.unlink(marker)
                    else:
                        with open(marker, "w", encoding="ascii") as file:
                            file.write(word)
                        os.chmod(marker, 0o600)
                    home.start()
                    answer = home.run("unlock")
                    home.stop()
                    self.assertEqual((answer.code, answer.reason), (1, "downgrade_refused"), repr(answer))
                    with open(home.file("vault.enc"), "rb") as file:
                        self.assertEqual(file.read(), vault)

    def test_import_needs_the_salt(self):
        """The same vault as a foreign file: with its salt in hand the owner can move it, without it nobody."""
        with Home(build=self.hardened.build) as home:
            home.start()
            home.cli("init", "--machine")
            home.stop()
            home.build = BUILD
            args = ["import", "pop-pay", home.file("vault.enc"), "--mode", "machine-hardened", "--dry-run"]
            self.assertIn(home.run(*args).reason, ("downgrade_refused", "wrong_key"))
            self.assertEqual(home.run(*args, "--salt-hex", "00" * 32).reason, "wrong_key")
            self.assertEqual(home.run(*args, "--salt-hex", self.salt.hex()).code, 0)


class SourceBuild(unittest.TestCase):
    def test_consent(self):
        with Home() as home:
            home.start()
            answer = home.run("init", "--machine")
            self.assertEqual((answer.code, answer.reason), (2, "consent_required"), repr(answer))
            self.assertFalse(os.path.exists(home.file("vault.enc")))
            self.assertEqual(home.cli("init", "--machine", "--accept-public-salt").json["mode"], "machine-oss")
            if home.cli("status").json["state"] != "unlocked":
                home.cli("unlock")
            status = home.cli("status").json
            self.assertEqual((status["build"], status["proof_strength"]), ("source", "same_user_can_sign"))
            home.cli("add", "card", "--label", "Demo", fields=CARD)
            home.cli("agent", "add", "helper")
            home.restart()
            home.cli("unlock")
            self.assertEqual(home.cli("list").json[0]["last4"], "4242")

    def test_the_public_salt_may_not_be_compiled_in_as_a_secret(self):
        with tempfile.TemporaryDirectory(prefix="pv-") as folder:
            for salt in (b"pop-pay-oss-v1-public-salt-2026", b"", bytes(65)):
                path = os.path.join(folder, "salt")
                with open(path, "wb") as file:
                    file.write(salt)
                done = subprocess.run(["cmake", "-S", SOURCE, "-B", os.path.join(folder, "b"), "-G", "Ninja",
                                       "-DPOPVAULT_TESTS=OFF", "-DPOPVAULT_COMPILED_SALT_FILE=" + path],
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(b"POPVAULT_COMPILED_SALT_FILE", done.stdout)


if __name__ == "__main__":
    unittest.main()
