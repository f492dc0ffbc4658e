"""docs/POLICY.md: its ten policies are set with the commands that stand there, and every line of their tables is asked about.
The control changes single cells of a copy of the text."""

import json
import os
import re
import shlex
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.programs import SOURCE
from support.rpc import RpcError

DIGITS = {"JPY": 0, "USD": 2, "EUR": 2, "GBP": 2}
REQUEST = re.compile(r"([\d.]+) ([A-Z]{3}) at (\S+)(?: with (\$[A-Z]+))?(?: in (\w+))?$")
ANSWERS = {"allowed": "allow", "asked": "ask", "denied": "deny"}
ROW = re.compile(r"^\| (.+?) \| (.*?) ?\| (\w+) \| `(\w+)` \|$", re.M)
PART = re.compile(r"^```(widens|narrows)\n(.*?)^```\n|^(\| request \|.*?)(?=\n\n|\Z)", re.S | re.M)


def minor(text):
    amount, currency = text.split()
    whole, _, part = amount.partition(".")
    if len(part) != DIGITS[currency]:
        raise AssertionError("not an amount of %s: %s" % (currency, text))
    return int(whole + part), currency


def policies(text):
    """[(title, its parts in their order)]"""
    sections = re.split(r"^### (?=\d+\. )", text, flags=re.M)[1:]
    return [(section.splitlines()[0], list(PART.finditer(section))) for section in sections]


class Document:
    def __init__(self, home):
        self.home = home
        self.cards = {"$CARD": home.add_card()["id"], "$OTHER": home.add_card("Other", number="5555555555554444")["id"]}
        self.count = 0
        self.claims = 0

    def run(self, title, parts):
        """Raises AssertionError where the document is wrong."""
        self.count += 1
        self.agent = "shopper%d" % self.count
        self.key = self.home.add_agent(self.agent)["key"]
        self.held = 0
        self.merchant = None
        for part in parts:
            kind, command, table = part.groups()
            if command:
                self.set(kind, command)
            else:
                rows = ROW.findall(table)
                if len(rows) != len(table.strip().splitlines()) - 2:
                    raise AssertionError("%s: a line of the table cannot be read" % title)
                for row in rows:
                    self.claim(title, *row)

    def set(self, kind, command):
        for name, value in self.cards.items():
            command = command.replace(name, value)
        words = shlex.split(command.replace("\\\n", " "))
        if words[:2] != ["popvault", "policy"] or words[3] != "shopper":
            raise AssertionError("not a command on shopper's policy: " + command)
        words[3] = self.agent
        answer = self.home.cli(*words[1:], passphrase=PASSPHRASE if kind == "widens" else None).json
        if answer["widens"] != (kind == "widens"):
            raise AssertionError("not what it says, %s: %s" % (kind, command))
        self.merchant = answer["merchants"][0]["origin"]

    def hold(self, total, currency):
        """Purchases at the first merchant until so much is held."""
        with self.home.owner() as owner:
            most = owner.call("policy.show", agent=self.agent)["per_use_minor"]
        while self.held < total:
            amount = min(most, total - self.held)
            with self.home.agent(self.key) as agent:
                got = agent.call("purchase.request", record=self.cards["$CARD"], amount_minor=amount, currency=currency,
                                 merchant_origin=self.merchant, reason="x", idempotency_key=os.urandom(8).hex())
            if got["status"] == "denied":
                raise AssertionError("%s %s more cannot be held" % (amount, currency))
            self.held += amount
        if self.held != total:
            raise AssertionError("more is held already")

    def claim(self, title, request, held, answer, rule):
        self.claims += 1
        found = REQUEST.match(request)
        if not found or answer not in ANSWERS:
            raise AssertionError("%s: not a request: %s" % (title, request))
        if held:
            self.hold(*minor(held))
        amount, currency = minor(" ".join(found.group(1, 2)))
        question = {"record": self.cards[found.group(4) or "$CARD"], "amount_minor": amount, "currency": currency,
                    "merchant_origin": found.group(3)}
        if found.group(5):
            question["strength"] = found.group(5)
        with self.home.owner() as owner:
            said = owner.call("policy.explain", agent=self.agent, request=question)
        if (said["verdict"], said["rule"]) != (ANSWERS[answer], rule):
            raise AssertionError("%s: %s is said to be %s by %s, and is: %s" % (title, request, answer, rule, json.dumps(said)))


class Policies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.home.start()
        cls.home.make_vault()
        cls.document = Document(cls.home)
        with open(os.path.join(SOURCE, "docs", "POLICY.md"), encoding="utf-8") as file:
            cls.text = file.read()

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    def test_ten_policies(self):
        found = policies(self.text)
        self.assertEqual(len(found), 10)
        for title, parts in found:
            with self.subTest(title=title):
                self.document.run(title, parts)
        self.assertGreater(self.document.claims, 35)

    def test_the_rules_are_in_their_order(self):
        with open(os.path.join(SOURCE, "src", "policy", "decide.cpp"), encoding="utf-8") as file:
            words = re.search(r"kRules\[\] = \{(.*?)\};", file.read(), re.S).group(1)
        rules = re.findall(r'"(\w+)"', words)
        told = re.findall(r"^\| \d+ \| `(\w+)` \|", self.text, re.M)
        self.assertEqual(len(told), len(rules) + 1)
        told.pop(12)  # the second time, as what is asked
        self.assertEqual(told, rules)

    def test_control(self):
        title, parts = policies(self.text)[1]
        whole = "".join(part.group() + "\n\n" for part in parts)
        for old, new in (("asked | `ask_above`", "allowed | `within`"), ("allowed | `within`", "asked | `within`"),
                         ("denied | `per_day`", "denied | `per_month`"), ("5.01 USD", "5.00 USD"), ("| 95.01 USD", "| 94.99 USD"),
                         ("--ask-above 5.00", "--ask-above 5.01"), ("```widens", "```narrows"), ("5.00 USD at", "five USD at")):
            with self.subTest(old=old):
                self.assertIn(old, whole)
                changed = whole.replace(old, new, 1)
                with self.assertRaises((AssertionError, RpcError)):
                    self.document.run(title, list(PART.finditer(changed)))


if __name__ == "__main__":
    unittest.main()
