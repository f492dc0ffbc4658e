"""Runs the examples of docs/PROTOCOL.md, in their order, against a real daemon."""

import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.programs import SOURCE
from support.rpc import Client

NAME = re.compile(r"\$([a-z_0-9]+)")
VALUE = "@value:"
MORE = "@more"


def examples(text, language):
    """The (request line, reply line) pairs of all blocks of one language."""
    pairs = []
    for block in re.findall(r"^```%s\n(.*?)^```" % language, text, re.S | re.M):
        request = None
        for line in block.splitlines():
            if line.startswith("-> "):
                request = line[3:]
            elif line.startswith("<- "):
                pairs.append((request, line[3:]))
            else:
                raise AssertionError("not an example line: " + line)
    return pairs


def pattern(line):
    """A reply line as an object in which values may be names and objects may be open."""
    line = NAME.sub(r'"%s\1"' % VALUE, line)
    line = re.sub(r",?\s*\.\.\.(?=\s*})", ',"%s":0' % MORE, line)
    return json.loads(line.replace("{,", "{"))


def match(expected, got, names, where="reply"):
    """Raises AssertionError where the two differ; takes new names from `got`."""
    if isinstance(expected, str) and expected.startswith(VALUE):
        name = expected[len(VALUE):]
        if name in names and names[name] != got:
            raise AssertionError("%s: $%s was %r and is %r" % (where, name, names[name], got))
        names[name] = got
    elif isinstance(expected, dict):
        if not isinstance(got, dict):
            raise AssertionError("%s: not an object: %r" % (where, got))
        wanted = set(expected) - {MORE}
        if not wanted <= set(got) or (MORE not in expected and set(got) != wanted):
            raise AssertionError("%s: members %s, documented %s" % (where, sorted(got), sorted(wanted)))
        for key in wanted:
            match(expected[key], got[key], names, where + "." + key)
    elif isinstance(expected, list):
        if not isinstance(got, list) or len(got) != len(expected):
            raise AssertionError("%s: %r, documented %r" % (where, got, expected))
        for index, one in enumerate(expected):
            match(one, got[index], names, "%s[%d]" % (where, index))
    elif expected != got or type(expected) is not type(got):
        raise AssertionError("%s: %r, documented %r" % (where, got, expected))


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.home.start()
        cls.home.make_vault()
        cls.record = cls.home.add_card(label="Demo")["id"]
        cls.agent = cls.home.add_agent("helper")
        cls.home.set_policy("helper", merchant="https://shop.example", per_use="100.00", per_day="500.00",
                            strength="dom")
        with open(os.path.join(SOURCE, "docs", "PROTOCOL.md"), encoding="utf-8") as file:
            cls.text = file.read()

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    def run_examples(self, language, socket, names):
        pairs = examples(self.text, language)
        self.assertGreaterEqual(len(pairs), 5)
        with Client(socket) as connection:
            for request, reply in pairs:
                sent = NAME.sub(lambda m: json.dumps(names[m.group(1)]), request)
                got = connection.raw(sent)
                try:
                    match(pattern(reply), got, names)
                except AssertionError as error:
                    raise AssertionError("%s\n  sent %s\n  got  %s" % (error, sent, json.dumps(got))) from None

    def test_agent_socket(self):
        self.run_examples("agent", self.home.agent_socket, {"agent_key": self.agent["key"],
                                                            "agent_name": "helper", "home": self.home.path})

    def test_owner_socket(self):
        # What only a proof makes: the grant that the examples list, lock with and revoke. And the agent's two purchases: with
        # their keys they are the same whether its examples ran or not.
        self.home.cli("grant", "helper", "--record", self.record, passphrase=PASSPHRASE)
        with self.home.agent(self.agent["key"]) as agent:
            for key, amount, reason in (("doc-1", 2500, "A book"), ("doc-2", 990000, "A car")):
                agent.call("purchase.request", record=self.record, amount_minor=amount, currency="USD", reason=reason,
                           merchant_origin="https://shop.example", idempotency_key=key)
        self.run_examples("owner", self.home.owner_socket, {"home": self.home.path})


class TheMatcher(unittest.TestCase):
    """The control: what does not fit is noticed."""

    def test_it_bites(self):
        reply = '{"id":1,"result":{"a":$x,"b":[{"c":1, ...}]}}'
        names = {}
        match(pattern(reply), {"id": 1, "result": {"a": 7, "b": [{"c": 1, "d": 2}]}}, names)
        self.assertEqual(names, {"x": 7})
        for wrong in ({"id": 1, "result": {"a": 8, "b": [{"c": 1}]}},       # another $x
                      {"id": 1, "result": {"a": 7, "b": [{"c": 2}]}},       # another value
                      {"id": 1, "result": {"a": 7, "b": [{}]}},             # a member is missing
                      {"id": 1, "result": {"a": 7, "b": []}},
                      {"id": True, "result": {"a": 7, "b": [{"c": 1}]}},    # another type
                      {"id": 1, "result": {"a": 7, "b": [{"c": 1}]}, "more": 1}):
            with self.subTest(wrong=wrong):
                with self.assertRaises(AssertionError):
                    match(pattern(reply), wrong, dict(names))


if __name__ == "__main__":
    unittest.main()
