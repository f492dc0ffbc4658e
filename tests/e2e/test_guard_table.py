"""The guard's table against the protocol of the browser that is installed, and docs/GUARD.md against the table."""

import copy
import importlib.machinery
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.dont_write_bytecode = True
from support.chromium import Chromium

SOURCE = os.path.dirname(os.path.dirname(HERE))
TOOL = os.path.join(SOURCE, "tools", "guard-doc")
TABLE = os.path.join(SOURCE, "src", "guard", "rules_table.def")


def load_tool():
    loader = importlib.machinery.SourceFileLoader("guard_doc", TOOL)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("guard_doc", loader))
    loader.exec_module(module)
    return module


def run(*arguments):
    return subprocess.run([sys.executable, "-B", TOOL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


class Table(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tool = load_tool()
        with open(TABLE, encoding="utf-8") as file:
            cls.text = file.read()
        with Chromium() as browser:
            with urllib.request.urlopen(browser.endpoint + "/json/protocol", timeout=30) as answer:
                cls.protocol = json.load(answer)

    def domain(self, protocol, name):
        return next(domain for domain in protocol["domains"] if domain["domain"] == name)

    def test_every_method_parameter_and_event_has_a_verdict(self):
        self.assertEqual(self.tool.differences(self.text, self.protocol), [])
        methods, events = self.tool.known(self.text)
        self.assertGreater(len(methods), 600)
        self.assertGreater(len(events), 200)

    def test_what_is_new_is_noticed(self):
        """The negative control: a method, a parameter, an event and a domain that a later browser could bring."""
        def method(protocol):
            self.domain(protocol, "Page")["commands"].append({"name": "readEverything"})
            return "the table does not know the method Page.readEverything"

        def parameter(protocol):
            command = next(c for c in self.domain(protocol, "Page")["commands"] if c["name"] == "navigate")
            command["parameters"].append({"name": "proxy"})
            return "the table does not know the parameter proxy of Page.navigate"

        def first_parameter(protocol):
            command = next(c for c in self.domain(protocol, "Page")["commands"] if c["name"] == "close")
            command["parameters"] = [{"name": "force"}]
            return "the table does not know the parameter force of Page.close"

        def event(protocol):
            self.domain(protocol, "Network").setdefault("events", []).append({"name": "bodySeen"})
            return "the table does not know the event Network.bodySeen"

        def domain(protocol):
            protocol["domains"].append({"domain": "Telepathy", "commands": [{"name": "enable"}]})
            return "the table does not know the method Telepathy.enable"

        def gone(protocol):
            commands = self.domain(protocol, "Page")["commands"]
            commands.remove(next(c for c in commands if c["name"] == "reload"))
            return "the browser does not know the method Page.reload"

        for change in (method, parameter, first_parameter, event, domain, gone):
            with self.subTest(change=change.__name__):
                protocol = copy.deepcopy(self.protocol)
                wanted = change(protocol)
                self.assertEqual(self.tool.differences(self.text, protocol), [wanted])

    def test_a_row_that_is_taken_out_is_noticed(self):
        for wanted, line in (("the table does not know the method Page.navigate", 'PASS("Page.navigate"'),
                             ("the table does not know the method Tracing.start", "REFUSE(Tracing,"),
                             ("the table does not know the event Page.lifecycleEvent", 'EVENTS(Page, "lifecycleEvent"')):
            with self.subTest(line=line):
                kept, count = re.subn(r"^%s.*?\)\n" % re.escape(line), "", self.text, flags=re.M | re.S)
                self.assertEqual(count, 1)
                self.assertIn(wanted, self.tool.differences(kept, self.protocol))

    def test_a_row_that_stands_twice_is_noticed(self):
        row = next(row for row in self.text.splitlines() if row.startswith('PASS("Page.navigate"'))
        with self.assertRaises(SystemExit):
            self.tool.known(self.text + "\n" + row)

    def test_against_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(self.protocol, file)
            file.flush()
            done = run("--against", file.name)
            self.assertEqual((done.returncode, done.stderr), (0, b""))


class Document(unittest.TestCase):
    def test_docs_guard_is_made_from_the_table(self):
        done = run("--check")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_a_change_of_the_table_is_noticed(self):
        with tempfile.TemporaryDirectory() as root:
            for path in ("src/guard/rules_table.def", "docs/GUARD.md"):
                with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
                    text = file.read()
                os.makedirs(os.path.dirname(os.path.join(root, path)))
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(re.sub(r'REFUSE\(Page, "crash"', 'REFUSE(Page, "crash_"', text))
            done = run("--check", "--root", root)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"tools/guard-doc", done.stderr)


if __name__ == "__main__":
    unittest.main()
