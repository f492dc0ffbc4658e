"""The salt of a hardened build: it derives the right key, and no piece of it is in the stripped program.

Builds the crypto library with a random salt, optimised as a release is, with each compiler that is here, links a
small program with it, strips that and searches it. The control plants the salt and the search must find it.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PIECE = 8

PROGRAM = r"""
#include <cstdio>
#include "crypto/compiled_salt.hpp"
#include "crypto/kdf.hpp"
PLANTED
int main() {
  using namespace popvault;
  const auto salt = crypto::compiled_salt();
  const auto key = crypto::scrypt_machine_key(as_bytes("machine"), "user", salt.reveal(SecretAccess{}));
  if (!key) return 1;
  std::printf("%d %s\n", crypto::hardened_build() ? 1 : 0, to_hex(key->reveal(SecretAccess{})).c_str());
}
"""


def pieces(salt):
    """Every 8 bytes of the salt (or all of a shorter one), raw and as text in the usual ways."""
    size = min(PIECE, len(salt))
    for at in range(len(salt) - size + 1):
        piece = salt[at:at + size]
        yield piece
        yield piece[::-1]
        yield piece.hex().encode()
        yield piece.hex().upper().encode()
        yield base64.b64encode(piece)[:10]


def found(program, salt):
    with open(program, "rb") as file:
        data = file.read()
    return [piece for piece in pieces(salt) if piece in data]


def run(*arguments, **options):
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise AssertionError("%s failed:\n%s" % (" ".join(arguments[:4]), done.stdout[-4000:]))
    return done.stdout


class CompiledSalt(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="popvault-salt-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.salt = os.urandom(32)
        cls.built = {}

    def configure(self, compiler, salt, build):
        salt_file = build + ".salt"
        with open(salt_file, "wb") as file:
            file.write(salt)
        return subprocess.run(
            ["cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
             "-DCMAKE_CXX_COMPILER=" + compiler, "-DPOPVAULT_TESTS=OFF", "-DPOPVAULT_COMPILED_SALT_FILE=" + salt_file],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def library(self, compiler, salt):
        """The build folder of a hardened crypto library; each is built once."""
        if (compiler, salt) not in self.built:
            build = os.path.join(self.folder, "build%d" % len(self.built))
            done = self.configure(compiler, salt, build)
            self.assertEqual(done.returncode, 0, done.stdout[-4000:])
            run("cmake", "--build", build, "--target", "pv_crypto")
            self.built[compiler, salt] = build
        return self.built[compiler, salt]

    def program(self, compiler, salt, planted=b""):
        build = self.library(compiler, salt)
        source = os.path.join(self.folder, "main.cpp")
        plant = ""
        if planted:
            plant = 'extern const unsigned char planted[] = {%s};\n' % ",".join(str(b) for b in planted)
            plant += "const unsigned char* volatile keep = planted;"
        with open(source, "w", encoding="ascii") as file:
            file.write(PROGRAM.replace("PLANTED", plant))
        out = os.path.join(self.folder, "probe")
        libraries = [os.path.join(build, "src", room, "libpv_%s.a" % room) for room in ("crypto", "secret", "base")]
        run(compiler, "-std=c++20", "-O2", "-DPOPVAULT_MAY_REVEAL", "-I" + os.path.join(ROOT, "src"), source,
            *libraries, "-lcrypto", "-lsodium", "-lscrypt", "-lpthread", "-o", out)
        run("strip", out)
        return out

    def test_the_key_is_right_and_the_salt_is_not_in_the_program(self):
        expected = hashlib.scrypt(b"machine:user", salt=self.salt, n=2 ** 14, r=8, p=1, dklen=32).hex()
        for compiler in [name for name in ("g++", "clang++") if shutil.which(name)]:
            with self.subTest(compiler=compiler):
                program = self.program(compiler, self.salt)
                self.assertEqual(run(program).split(), ["1", expected])
                self.assertEqual(found(program, self.salt), [])

    def test_control_a_planted_salt_is_found(self):
        self.assertNotEqual(found(self.program("g++", self.salt, self.salt), self.salt), [])

    def test_control_a_planted_piece_is_found(self):
        self.assertEqual(len(found(self.program("g++", self.salt, self.salt[5:13]), self.salt)), 1)

    def test_a_salt_of_a_wrong_size_or_the_public_one_is_refused(self):
        for salt in (b"", bytes(65), b"pop-pay-oss-v1-public-salt-2026"):
            done = self.configure("g++", salt, os.path.join(self.folder, "refused"))
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("POPVAULT_COMPILED_SALT_FILE", done.stdout)

    def test_a_salt_of_one_zero_byte_works(self):
        expected = hashlib.scrypt(b"machine:user", salt=b"\0", n=2 ** 14, r=8, p=1, dklen=32).hex()
        self.assertEqual(run(self.program("g++", b"\0")).split(), ["1", expected])


if __name__ == "__main__":
    unittest.main()
