"""The finished programs: how they were compiled and linked, and what they do not contain. Each check has a control: a small
program built without the protection, or a program that does contain it."""

import fnmatch
import glob
import os
import platform
import re
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.programs import BUILD, SOURCE, program

NAMES = ("popvaultd", "popvault", "popvault-injector", "popvault-browser", "popvault-watcher")
X86 = platform.machine() == "x86_64"


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True).stdout.decode(
        "utf-8", "replace")


def calls(path, archives):
    """What a program calls in the C library; of a static one, what our own rooms in it call."""
    if "NEEDED" in output("readelf", "-dW", path):
        return output("nm", "-D", "--undefined-only", path)
    return "".join(output("nm", "--undefined-only", archive) for archive in archives)


def faults(path, archives=()):
    """What is missing in a program, as a set of words."""
    found = set()
    header, segments = output("readelf", "-hW", path), output("readelf", "-lW", path)
    dynamic, symbols = output("readelf", "-dW", path), calls(path, archives)
    if not re.search(r"Type:\s+DYN", header) or not re.search(r"FLAGS_1.*\bPIE\b", dynamic):
        found.add("PIE")
    if "GNU_RELRO" not in segments:
        found.add("RELRO")
    if not re.search(r"\(FLAGS\).*BIND_NOW|FLAGS_1.*\bNOW\b|\(BIND_NOW\)", dynamic):
        found.add("BIND_NOW")
    stack = re.search(r"GNU_STACK.*", segments)
    if not stack or re.search(r"RWE", stack.group(0)):
        found.add("stack")
    for line in segments.splitlines():
        if line.strip().startswith("LOAD") and "RWE" in line:
            found.add("RWX")
    if re.search(r"\((RPATH|RUNPATH)\)", dynamic):
        found.add("RPATH")
    if "__stack_chk_fail" not in symbols:
        found.add("stack protector")
    if not re.search(r"__\w+_chk\b(?<!stack_chk)", symbols.replace("__stack_chk_fail", "")):
        found.add("FORTIFY")
    return found


def defined(path):
    """Global functions that a program or archive defines: {name: address}."""
    found = {}
    for line in output("nm", "--defined-only", "--extern-only", path).splitlines():
        part = line.split()
        if len(part) == 3 and part[1] == "T":
            found[part[2]] = int(part[0], 16)
    return found


def bytes_at(path):
    """A function that reads the program's bytes at a virtual address."""
    with open(path, "rb") as file:
        data = file.read()
    offset, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    loads = [struct.unpack_from("<IIQQQQ", data, offset + i * size) for i in range(count)]

    def read(address, length):
        for kind, _, at, virtual, _, in_file in loads:
            if kind == 1 and virtual <= address < virtual + in_file:
                return data[at + address - virtual:at + address - virtual + length]
        return b""
    return read


def without_endbr(path, wanted):
    """Our own functions that do not begin with endbr64."""
    read = bytes_at(path)
    functions = {name: at for name, at in defined(path).items() if wanted(name)}
    return len(functions), [name for name, at in functions.items() if read(at, 4) != b"\xf3\x0f\x1e\xfa"]


def compile_plain(folder, text, *flags):
    source, target = os.path.join(folder, "plain.cpp"), os.path.join(folder, "plain")
    with open(source, "w", encoding="ascii") as file:
        file.write(text)
    subprocess.run(["g++", *flags, "-o", target, source], check=True)
    return target


class Protections(unittest.TestCase):
    def test_programs(self):
        for name in NAMES:
            with self.subTest(program=name):
                archives = [os.path.join(BUILD, "src", room, "libpv_%s.a" % room) for room in link_line(name)[0]]
                self.assertEqual(faults(program(name), archives), set())

    def test_control(self):
        with tempfile.TemporaryDirectory() as folder:
            plain = compile_plain(folder, "#include <cstdio>\n#include <cstring>\nint main(int, char** v)"
                                  "{ char b[8]; std::strcpy(b, v[0]); std::puts(b); }", "-O1", "-no-pie",
                                  "-fno-stack-protector", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=0", "-Wl,-z,norelro",
                                  "-Wl,-z,lazy", "-Wl,-z,execstack", "-Wl,-rpath,/tmp", "-w")
            self.assertLessEqual({"PIE", "RELRO", "BIND_NOW", "stack", "RPATH", "stack protector", "FORTIFY"},
                                 faults(plain))

    def test_functions_begin_with_endbr(self):
        if not X86:
            return  # endbr64 and its note are of x86-64
        for name in NAMES:
            with self.subTest(program=name):
                count, bad = without_endbr(program(name), lambda symbol: "popvault" in symbol)
                self.assertGreater(count, 20)
                self.assertEqual(bad, [])

    def test_objects_carry_the_notes(self):
        if not X86:
            return  # the mark and the note are of x86-64
        objects = glob.glob(os.path.join(BUILD, "src", "**", "*.cpp.o"), recursive=True)
        self.assertGreater(len(objects), 30)
        for path in objects:
            self.assertRegex(output("readelf", "-nW", path), r"IBT.*SHSTK", path)

    def test_control_endbr(self):
        if not X86:
            return  # the mark and the note are of x86-64
        with tempfile.TemporaryDirectory() as folder:
            plain = compile_plain(folder, "int popvault_thing(int x) { return x + 1; } int main() { return popvault_thing(1); }",
                                  "-O0", "-fcf-protection=none")
            count, bad = without_endbr(plain, lambda symbol: "popvault" in symbol)
            self.assertEqual((count, len(bad)), (1, 1))


def link_line(name):
    """The archives and libraries on the link line of a program, from build.ninja."""
    with open(os.path.join(BUILD, "build.ninja"), encoding="utf-8") as file:
        text = file.read()
    target = os.path.relpath(program(name), BUILD)
    block = re.search(r"^build %s:[^\n]*\n((?:  [^\n]*\n)+)" % re.escape(target), text, re.M)
    libraries = re.search(r"^  LINK_LIBRARIES = (.*)$", block.group(1), re.M).group(1).split()
    rooms = {re.match(r"libpv_(\w+)\.a", os.path.basename(one)).group(1)
             for one in libraries if re.match(r"libpv_\w+\.a", os.path.basename(one))}
    return rooms, libraries


FORBIDDEN_ROOMS = ("vault", "backup", "store", "policy", "journal", "crypto")
FORBIDDEN_LIBRARIES = ("crypto", "sodium", "sqlite3", "scrypt")
FORBIDDEN_SYMBOLS = re.compile(r"^(sqlite3_|EVP_|crypto_|sodium_|libscrypt|HMAC|RAND_|PKCS5)")


def secrets_in(name):
    """Everything of the vault's side that a program contains, by four ways of looking."""
    path, found = program(name), set()
    rooms, libraries = link_line(name)
    found |= {"room " + room for room in rooms if room in FORBIDDEN_ROOMS}
    for one in libraries:
        base = os.path.basename(one)
        found |= {"links " + word for word in FORBIDDEN_LIBRARIES if re.match(r"(-l|lib)%s\b" % word, base)}
    needed = re.findall(r"NEEDED.*\[lib(\w+)", output("readelf", "-dW", path))
    found |= {"needs " + word for word in needed if word in FORBIDDEN_LIBRARIES}
    all_symbols = {line.split()[-1] for line in output("nm", path).splitlines() if line.split()}
    found |= {"symbol " + name for name in all_symbols if FORBIDDEN_SYMBOLS.match(name)}
    allowed = set()
    for room in rooms - set(FORBIDDEN_ROOMS):
        allowed |= set(defined(os.path.join(BUILD, "src", room, "libpv_%s.a" % room)))
    for room in FORBIDDEN_ROOMS:
        archive = os.path.join(BUILD, "src", room, "libpv_%s.a" % room)
        ours = set(defined(archive)) - allowed
        if not ours:
            raise AssertionError(archive + " defines nothing")
        found |= {"%s of %s" % (symbol, room) for symbol in ours & all_symbols}
    return found


class LinkLine(unittest.TestCase):
    def test_injector(self):
        """It never sees a key, a policy, a database or a file: it links none of that code."""
        self.assertEqual(secrets_in("popvault-injector"), set())
        self.assertLessEqual(link_line("popvault-injector")[0], {"base", "secret", "os", "rpc", "wire", "injector"})

    def test_watcher(self):
        """It parses what other programs say on a bus, so it links nothing that could open a vault."""
        self.assertEqual(secrets_in("popvault-watcher"), set())
        self.assertLessEqual(link_line("popvault-watcher")[0], {"base", "secret", "os", "rpc", "client", "log", "watcher"})

    def test_nobody_else_parses_a_bus(self):
        found = {name for name in NAMES if "systemd" in re.findall(r"NEEDED.*\[lib(\w+)", output("readelf", "-dW", program(name)))}
        self.assertEqual(found, {"popvault-watcher"})

    def test_control_daemon(self):
        """The same search in the daemon finds each of them."""
        found = secrets_in("popvaultd")
        for room in FORBIDDEN_ROOMS:
            self.assertIn("room " + room, found)
            self.assertTrue(any(one.endswith(" of " + room) for one in found), room)
        self.assertTrue(any(one.startswith("symbol sqlite3_") for one in found))
        self.assertTrue(any(one.startswith("symbol EVP_") for one in found))
        self.assertTrue(any(one.startswith("needs ") for one in found))

    def test_the_daemon_parses_no_browser(self):
        rooms, _ = link_line("popvaultd")
        self.assertNotIn("injector", rooms)

    def test_the_injector_makes_no_sockets_and_processes(self):
        """Its own room names no call that makes one; the seccomp filter is behind that."""
        undefined = {line.split()[-1] for line in output(
            "nm", "--undefined-only", os.path.join(BUILD, "src", "injector", "libpv_injector.a")).splitlines()
            if line.split()}
        for call in ("fopen", "openat", "socket", "connect", "execve", "execvp", "fork", "vfork",
                     "system", "popen", "ptrace"):
            self.assertFalse(call in undefined, call)


# Headers of the C and C++ libraries and of the kernel: anything else in <> is somebody else's.
OWN = re.compile(r"^((sys|linux|netinet|arpa|asm)/.+|[a-z0-9_]+|(unistd|fcntl|signal|poll|pwd|grp|termios|dirent|errno|"
                 r"string|stdlib|stdio|stdint|stddef|time|sched|ftw|limits|endian|pthread|elf|link|dlfcn|execinfo|"
                 r"netdb|locale|fnmatch|glob|getopt)\.h)$")


def dependency_table(text):
    """[(library, [include patterns], [folders])] of docs/DEPENDENCIES.md."""
    rows = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) >= 3 and "`" in cells[1]:
            rows.append((cells[0], re.findall(r"`([^`]+)`", cells[1]), re.findall(r"`([^`]+)`", cells[2])))
    return rows


def includes():
    """(path below the source, header) of every #include <...> in src, include and tests."""
    for top in ("src", "include", "tests"):
        for folder, _, files in os.walk(os.path.join(SOURCE, top)):
            for name in files:
                if name.endswith((".cpp", ".hpp", ".h", ".c")):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as file:
                        for header in re.findall(r"^\s*#\s*include\s*<([^>]+)>", file.read(), re.M):
                            yield os.path.relpath(path, SOURCE), header


def misplaced(table, found):
    """Includes that the table does not allow where they stand."""
    wrong = []
    for path, header in found:
        rows = [row for row in table if any(fnmatch.fnmatchcase(header, pattern) for pattern in row[1])]
        if not rows:
            if not OWN.match(header):
                wrong.append("%s: <%s> is of no library in the table" % (path, header))
            continue
        folders = [folder.rstrip("/") for row in rows for folder in row[2]]
        # A folder is named from the top (`src/crypto`), inside src (`crypto`), or as one file.
        places = [prefix + folder for folder in folders for prefix in ("", "src/")]
        if not any(path == place or path.startswith(place + "/") for place in places):
            wrong.append("%s: <%s> may only be in %s" % (path, header, ", ".join(folders)))
    return wrong


class Includes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(SOURCE, "docs", "DEPENDENCIES.md"), encoding="utf-8") as file:
            cls.table = dependency_table(file.read())

    def test_every_include_is_where_the_table_allows_it(self):
        found = list(includes())
        self.assertGreater(len(found), 200)
        self.assertGreaterEqual(len(self.table), 8)
        self.assertEqual(misplaced(self.table, found), [])

    def test_no_row_is_unused(self):
        headers = {header for _, header in includes()}
        for library, patterns, _ in self.table:
            self.assertTrue(any(fnmatch.fnmatchcase(header, pattern) for header in headers for pattern in patterns), library)

    def test_control(self):
        self.assertEqual(len(misplaced(self.table, [("src/injector/x.cpp", "openssl/evp.h")])), 1)
        self.assertEqual(len(misplaced(self.table, [("src/daemon/x.cpp", "sqlite3.h")])), 1)
        self.assertEqual(len(misplaced(self.table, [("src/base/x.cpp", "curl/curl.h")])), 1)
        self.assertEqual(misplaced(self.table, [("src/base/x.cpp", "vector"), ("src/os/x.cpp", "sys/mman.h")]), [])


if __name__ == "__main__":
    unittest.main()
