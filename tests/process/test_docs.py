"""The documents against the code: errors made from their table, links and paths that lead somewhere, commands that exist,
every kind of the journal named, methods with their proofs and states, rooms, a purchase's steps. Each checker finds a fault planted in a copy."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.programs import SOURCE, program

TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.S | re.M)
CODE = re.compile(r"`([^`\n]+)`")


def documents(root):
    """{path: text} of the documents of a copy of the sources."""
    paths = list(TOP) + [os.path.join("docs", name) for name in sorted(os.listdir(os.path.join(root, "docs")))
                         if name.endswith(".md")]
    found = {}
    for path in paths:
        with open(os.path.join(root, path), encoding="utf-8") as file:
            found[path] = file.read()
    return found


def anchors(text):
    """The names that headings get."""
    titles = re.findall(r"^#+ +(.+?) *$", FENCE.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def dead_links(root):
    """(document, link) of every relative link that leads to no file or to no heading of one."""
    dead, texts = set(), documents(root)
    for path, text in texts.items():
        for link in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", FENCE.sub("", text))):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, heading = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
            if not os.path.exists(os.path.join(root, target)):
                dead.add((path, link))
            elif heading and heading not in anchors(texts.get(target, "")):
                dead.add((path, link))
    return dead


def missing_paths(root):
    """(document, path) of every `src/...` and the like that is not there."""
    return {(path, one) for path, text in documents(root).items() for one in CODE.findall(text)
            if re.fullmatch(r"(src|tests|tools|docs|include|cmake|demo)/[\w./-]+", one)
            and not os.path.exists(os.path.join(root, one))}


class Help:
    """What `popvault --help` knows: commands, what stands below them, their options."""

    def __init__(self):
        self.pages = {}
        self.valued = set()  # (words of the command, an option that takes a value)

    def of(self, *words):
        if words not in self.pages:
            done = subprocess.run([program("popvault"), *words, "--help"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  check=True)
            text = done.stdout.decode()
            below = re.search(r"^Subcommands:\n(.*?)(?:\n\n|\Z)", text, re.S | re.M)
            names = set(re.findall(r"^  (\S+)", below.group(1), re.M)) if below else set()
            self.pages[words] = names, set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))
            self.valued |= {words + (option,) for option in re.findall(r"(--[a-z-]+) [A-Z]", text)}
        return self.pages[words]

    def fault(self, words):
        """What is unknown in the words behind `popvault`, or None."""
        path, (below, options) = (), self.of()
        value = False
        for word in words:
            if value:
                value = False
            elif word.startswith("-"):
                if word not in options:
                    return word
                value = path + (word,) in self.valued
            elif word in below:
                path += (word,)
                below, more = self.of(*path)
                options = options | more
            elif below:
                return word
        return None


def commands(text, prose):
    """The words behind every `popvault` that stands as a command in code, and in `prose` behind "run"."""
    found = []
    blocks = FENCE.findall(text)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines += CODE.findall(FENCE.sub("", text))
    for line in lines:
        line = re.sub(r"^(?:\$ |[A-Z_]+=\S+ )*", "", line.strip())
        if re.match(r"popvault +[a-z-]", line):
            words = shlex.split(line, comments=True)[1:]
            end = next((at for at, word in enumerate(words) if re.match(r"[|&;<>(]", word)), len(words))
            found.append([word for word in words[:end] if not re.fullmatch(r"[A-Z.]+", word)])
    if prose:
        for tail in re.findall(r"(?:\bruns?|\bat|\bwith) popvault ((?:[a-z]+)(?: (?:show|set|verify))?)", text):
            found.append(tail.split())
    return found


def unknown_commands(root, known):
    """(document, command, what is unknown in it)."""
    wrong = set()
    for path, text in documents(root).items():
        for words in commands(text, prose=path.endswith("ERRORS.md")):
            fault = known.fault(words)
            if fault:
                wrong.add((path, " ".join(words), fault))
    return wrong


def journal_faults(root):
    """Rows of src/journal/kinds.def that docs/ARCHITECTURE.md does not have, and the other way round."""
    with open(os.path.join(root, "src", "journal", "kinds.def"), encoding="utf-8") as file:
        kinds = {(number, word, "yes" if flag == "true" else "no") for number, word, flag in
                 re.findall(r"^POPVAULT_JOURNAL_KIND\((\d+),\s*(\w+),\s*(true|false)\)", file.read(), re.M)}
    text = documents(root)[os.path.join("docs", "ARCHITECTURE.md")]
    told = set(re.findall(r"^\| (\d+) \| `(\w+)`[^|]* \| (yes|no) \|$", text, re.M))
    return kinds ^ told


def read(root, *path):
    with open(os.path.join(root, *path), encoding="utf-8") as file:
        return file.read()


STATES = {"kAnyState": "any", "kMade": "any but uninitialised", "kUnlocked": "unlocked", "kUninitialised": "uninitialised"}


def method_faults(root):
    """Methods of src/daemon/dispatch.cpp that docs/PROTOCOL.md tells otherwise or not at all, and the other way round."""
    agent, owner = read(root, "src", "daemon", "dispatch.cpp").split("kOwnerMethods[]")
    row = re.compile(r'^ +\{"([a-z._]+)", +(\w+), +Proof::(\w+),', re.M)
    wanted = {(name, proof, STATES[states]) for name, states, proof in row.findall(owner)}
    agents = {name for name, _, _ in row.findall(agent)}
    first, second = read(root, "docs", "PROTOCOL.md").split("\n## owner.sock\n")
    told = set(re.findall(r"^\| ([a-z]+\.[a-z_]+) \| (none|session|fresh) \| ([a-z ]+) \|", second, re.M))
    return (wanted ^ told) | (agents ^ set(re.findall(r"^### ([a-z]+\.[a-z_]+)$", first, re.M)))


def room_faults(root):
    """Rooms whose row in docs/ARCHITECTURE.md is not what their CMakeLists.txt says."""
    text, above, told = documents(root)[os.path.join("docs", "ARCHITECTURE.md")], [], {}
    for name, uses, secrets in re.findall(r"^\| `src/(\w+)` \| ([\w, ]*?) ?\| (yes )?\|", text, re.M):
        but = re.fullmatch(r"all above but (\w+)", uses)
        deps = set(above) - {but.group(1)} if but else {word for word in uses.split(", ") if word}
        told[name] = (frozenset(deps), bool(secrets))
        above.append(name)
    built = {}
    for name in sorted(os.listdir(os.path.join(root, "src"))):
        if os.path.isdir(os.path.join(root, "src", name)):
            call = re.search(r"pv_room\(%s\b([^)]*)\)" % name, read(root, "src", name, "CMakeLists.txt")).group(1)
            deps = re.search(r"\bDEPS((?:\s+[a-z]+)*)", call)
            built[name] = (frozenset(deps.group(1).split()) if deps else frozenset(), "MAY_REVEAL" in call)
    return {name for name in set(told) | set(built) if told.get(name) != built.get(name)}


def step_faults(root):
    """Steps of a purchase that docs/ARCHITECTURE.md has and src/ledger/purchases.cpp has not, and the other way round."""
    code = {(a, b, money) for a, b, money in
            re.findall(r'^ +\{"(\w+)", "(\w+)", Money::(\w+)\},', read(root, "src", "ledger", "purchases.cpp"), re.M)}
    text, told = documents(root)[os.path.join("docs", "ARCHITECTURE.md")], set()
    for begins, to, money in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| `(\w+)` \| (stays|HOLD|DEBIT|RELEASE) \|", text, re.M):
        told |= {(begin, to, money.lower()) for begin in re.findall(r"\w+", begins)}
    return code ^ told


def passive_faults(root):
    """Methods that do not reset the idle lock: the document against dispatch.cpp."""
    code = re.search(r"kPassive\[\] = \{(.*?)\};", read(root, "src", "daemon", "dispatch.cpp"), re.S).group(1)
    text = documents(root)[os.path.join("docs", "ARCHITECTURE.md")]
    told = re.search(r"What does not \(`kPassive`[^)]*\):(.*?)\. So ", text, re.S).group(1)
    return set(re.findall(r'"([\w.]+)"', code)) ^ set(re.findall(r"`([\w.]+)`", told))


def errors_check(root):
    return subprocess.run([sys.executable, "-B", os.path.join(SOURCE, "tools", "errors-doc"), "--check", "--root", root],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)


class Copy:
    """The documents and what they are checked against, to be spoiled."""

    def __enter__(self):
        self.root = tempfile.mkdtemp(prefix="pv-docs-", dir="/tmp")
        for name in TOP:
            shutil.copy(os.path.join(SOURCE, name), self.root)
        for name in ("docs", "src"):
            shutil.copytree(os.path.join(SOURCE, name), os.path.join(self.root, name))
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root)

    def append(self, path, text):
        with open(os.path.join(self.root, path), "a", encoding="utf-8") as file:
            file.write(text)

    def replace(self, path, old, new):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            text = file.read()
        if old not in text:
            raise AssertionError("%s has no %r" % (path, old))
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as file:
            file.write(text.replace(old, new, 1))


class Errors(unittest.TestCase):
    def test_the_document_is_the_table(self):
        done = errors_check(SOURCE)
        self.assertEqual(done.returncode, 0, done.stderr.decode())

    def test_control(self):
        for path, old, new in (("docs/ERRORS.md", "the vault is frozen", "the vault is warm"),
                               ("docs/ERRORS.md", "| 1202 |", "| 1203 |"),
                               ("src/base/errc.def", "the vault is frozen", "the vault is warm")):
            with Copy() as copy:
                self.assertEqual(errors_check(copy.root).returncode, 0)
                copy.replace(path, old, new)
                done = errors_check(copy.root)
                self.assertEqual(done.returncode, 1)
                self.assertIn(b"tools/errors-doc", done.stderr)

    def test_control_a_row_that_cannot_be_read(self):
        with Copy() as copy:
            copy.append("src/base/errc.def", 'POPVAULT_ERRC(half, 1, 1, false, "x"\n')
            self.assertNotEqual(errors_check(copy.root).returncode, 0)


class Links(unittest.TestCase):
    def test_links(self):
        self.assertEqual(dead_links(SOURCE), set())

    def test_paths(self):
        self.assertEqual(missing_paths(SOURCE), set())

    def test_control(self):
        with Copy() as copy:
            links, paths = dead_links(copy.root), missing_paths(copy.root)
            copy.append("README.md", "\n[a](docs/NOT_THERE.md) [b](docs/ERRORS.md#not-there) [c](docs/ERRORS.md#the-vault) "
                                     "`src/not/there.cpp` [d](https://example.org/x)\n")
            copy.append("docs/ERRORS.md", "\n[e](ARCHITECTURE.md#the-gate) [f](docs/ERRORS.md)\n")
            self.assertEqual(dead_links(copy.root) - links, {
                ("README.md", "docs/NOT_THERE.md"), ("README.md", "docs/ERRORS.md#not-there"),
                ("docs/ERRORS.md", "docs/ERRORS.md")})
            self.assertEqual(missing_paths(copy.root) - paths, {("README.md", "src/not/there.cpp")})


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.known = Help()

    def test_commands(self):
        found = [words for path, text in documents(SOURCE).items() for words in commands(text, path.endswith("ERRORS.md"))]
        self.assertGreater(len(found), 20)
        self.assertEqual(unknown_commands(SOURCE, self.known), set())

    def test_control(self):
        with Copy() as copy:
            before = unknown_commands(copy.root, self.known)
            copy.append("README.md", "\n`popvault fly` `popvault agent promote X` `popvault approve ID --twice`\n"
                                     "```\n$ popvault policy set shopper \\\n    --per-week 1.00\npopvault status | cat\n```\n")
            copy.replace("docs/ERRORS.md", "run popvault unlock", "run popvault unlok")
            self.assertEqual({fault for _, _, fault in unknown_commands(copy.root, self.known) - before},
                             {"fly", "promote", "--twice", "--per-week", "unlok"})


class Journal(unittest.TestCase):
    def test_every_kind_is_told(self):
        self.assertEqual(journal_faults(SOURCE), set())

    def test_control(self):
        with Copy() as copy:
            copy.append("src/journal/kinds.def", "POPVAULT_JOURNAL_KIND(99, moon_landed, true)\n")
            copy.replace("docs/ARCHITECTURE.md", "| 60 | `use_begin`", "| 59 | `use_begin`")
            self.assertEqual({number for number, _, _ in journal_faults(copy.root)}, {"99", "60", "59"})


class Tables(unittest.TestCase):
    """What the documents list, against the source."""

    def test_methods(self):
        self.assertEqual(method_faults(SOURCE), set())

    def test_rooms(self):
        self.assertEqual(room_faults(SOURCE), set())

    def test_steps_of_a_purchase(self):
        self.assertEqual(step_faults(SOURCE), set())

    def test_what_does_not_reset_the_idle_lock(self):
        self.assertEqual(passive_faults(SOURCE), set())

    def test_control(self):
        with Copy() as copy:
            copy.replace("docs/PROTOCOL.md", "| grant.revoke | none |", "| grant.revoke | fresh |")
            copy.replace("docs/PROTOCOL.md", "### purchase.cancel\n", "### purchase.undo\n")
            self.assertEqual({one if isinstance(one, str) else one[0] for one in method_faults(copy.root)},
                             {"grant.revoke", "purchase.cancel", "purchase.undo"})
            copy.replace("src/policy/CMakeLists.txt", "DEPS base", "DEPS base os")
            copy.replace("src/gate/CMakeLists.txt", "MAY_REVEAL ", "")
            self.assertEqual(room_faults(copy.root), {"policy", "gate"})
            copy.replace("src/ledger/purchases.cpp", '{"approved", "filling", Money::stays},', "")
            copy.replace("src/daemon/dispatch.cpp", '"grant.list",       "authenticator.list"', '"authenticator.list"')
            self.assertEqual(step_faults(copy.root), {("approved", "filling", "stays")})
            self.assertEqual(passive_faults(copy.root), {"grant.list"})


if __name__ == "__main__":
    unittest.main()
