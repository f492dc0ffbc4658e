"""Policies: what narrows counts at once and needs no proof, what widens is shown and proved; what is explained is what happens."""

import hashlib
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.owner_key import OwnerKey
from support.programs import program
from support.rpc import RpcError
from support.terminal import Terminal

SHOP, OTHER, NEW = "https://shop.example", "https://other.example", "https://new.example"
POLICY = {"merchants": [{"origin": SHOP, "processors": ["https://psp.example"]}, {"origin": OTHER, "processors": []}],
          "records": ["*"], "currency": "USD", "per_use_minor": 5000, "per_day_minor": 20000, "per_month_minor": 100000,
          "uses_per_hour": 1000, "ask_above_minor": 1000, "strength": "dom", "unlisted": "deny", "drift_bp": 100,
          "expires_at": 4000000000, "killed": False}
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.home.start()
        cls.home.make_vault()
        cls.card = cls.home.add_card()["id"]
        cls.second = cls.home.add_card("Second", number="5555555555554444")["id"]
        cls.owner_key = OwnerKey(PASSPHRASE)
        cls.serial = 0

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    def setUp(self):
        type(self).serial += 1
        self.name = "agent%d" % self.serial
        self.key = "pak_" + os.urandom(21).hex() + "x"
        with self.home.owner() as owner:
            self.owner_key.call(owner, "agent.add", name=self.name, key_sha256=hashlib.sha256(self.key.encode()).hexdigest(),
                                key_first=self.key[:12], key_last=self.key[-4:])
        self.asked = 0
        self.set()

    def set(self, **change):
        with self.home.owner() as owner:
            return self.owner_key.call(owner, "policy.set", agent=self.name, **{**POLICY, **change})

    def narrow(self, **change):
        with self.home.owner() as owner:
            return owner.call("policy.narrow", agent=self.name, **{**POLICY, **change})

    def show(self):
        with self.home.owner() as owner:
            return owner.call("policy.show", agent=self.name)

    def params(self, amount=500, merchant=SHOP, currency="USD", record=None):
        self.asked += 1
        return {"record": record or self.card, "amount_minor": amount, "currency": currency, "merchant_origin": merchant,
                "reason": "x", "idempotency_key": "k%d" % self.asked}

    def ask(self, *args, **more):
        """The purchase's status, or (denied, reason), or the word of the error."""
        with self.home.agent(self.key) as agent:
            try:
                got = agent.call("purchase.request", **self.params(*args, **more))
            except RpcError as error:
                return error.reason
            return (got["status"], got["reason"]) if got["status"] == "denied" else got["status"]

    def kinds(self):
        return [row["kind"] for row in self.home.cli("audit", "list", "--limit", "1000").json]


class Changes(Case):
    def test_a_narrowing_counts_at_once_and_needs_no_proof(self):
        self.assertEqual(self.ask(4000), "awaiting_approval")
        answer = self.home.cli("policy", "set", self.name, "--per-use", "20.00").json
        self.assertEqual(answer["widens"], False)
        self.assertEqual(answer["changes"], [{"what": "per_use_minor", "from": 5000, "to": 2000, "widens": False}])
        self.assertEqual(answer["per_use_minor"], 2000)
        self.assertEqual(self.show()["per_use_minor"], 2000)
        self.assertEqual(self.ask(4000), ("denied", "limit_exceeded"))
        self.assertEqual(self.ask(2000), "awaiting_approval")
        self.assertEqual(self.kinds()[-3:], ["policy_narrowed", "request_denied", "purchase_requested"])

    def test_what_was_approved_before_a_narrowing_is_not_used_after_it(self):
        with self.home.agent(self.key) as agent:
            got = agent.call("purchase.request", **self.params(900))
            self.assertEqual(got["status"], "approved")
            self.home.cli("policy", "set", self.name, "--per-use", "5.00")
            self.assertEqual(agent.refusal("purchase.fill", purchase=got["purchase"], page={"target_id": "x"}), "limit_exceeded")

    def test_what_is_asked_about_by_now_is_not_used_without_asking(self):
        with self.home.agent(self.key) as agent:
            got = agent.call("purchase.request", **self.params(900))
            self.assertEqual(got["status"], "approved")
            self.home.cli("policy", "set", self.name, "--ask-above", "0")
            self.assertEqual(agent.refusal("purchase.fill", purchase=got["purchase"], page={"target_id": "x"}), "denied")

    def test_every_member_alone(self):
        """One step back is a narrowing, one step forward is refused with the member's name."""
        def merchants(*origins):
            return [{"origin": o, "processors": ["https://psp.example"] if o == SHOP else []} for o in origins]

        rows = (
            ("per_use_minor", 4999, 5001), ("per_day_minor", 19999, 20001), ("per_month_minor", 99999, 100001),
            ("uses_per_hour", 999, 1001), ("ask_above_minor", 999, 1001), ("drift_bp", 99, 101),
            ("expires_at", 3999999999, 4000000001), ("expires_at", 1, None), ("strength", "wire_attached", None),
            ("killed", True, None), ("unlisted", None, "ask"), ("records", [self.card], None), ("currency", None, "EUR"),
            ("merchants", merchants(SHOP), merchants(SHOP, OTHER, NEW)),
            ("merchants", [{"origin": SHOP}, {"origin": OTHER}],
             [{"origin": SHOP, "processors": ["https://psp.example", "https://evil.example"]}, {"origin": OTHER}]),
        )
        for member, less, more in rows:
            with self.subTest(member=member, less=less, more=more), self.home.owner() as owner:
                self.set()
                if more is not None or member == "expires_at":
                    with self.assertRaises(RpcError) as caught:
                        owner.call("policy.narrow", agent=self.name, **{**POLICY, member: more})
                    self.assertEqual(caught.exception.reason, "policy_widens")
                    self.assertIn(member.rstrip("s") if member != "merchants" else "https://", str(caught.exception))
                    self.assertEqual(self.show()[member], POLICY[member])
                if less is not None:
                    self.narrow(**{member: less})
                    # And back is a widening.
                    self.assertEqual(owner.refusal("policy.narrow", agent=self.name, **POLICY), "policy_widens")

    def test_one_widening_among_narrowings_is_refused(self):
        with self.home.owner() as owner:
            self.assertEqual(owner.refusal("policy.narrow", agent=self.name, **{
                **POLICY, "per_use_minor": 1, "per_day_minor": 2, "ask_above_minor": 1001}), "policy_widens")
        self.assertEqual(self.show(), {**POLICY, "agent": self.show()["agent"]})

    def test_without_a_policy_everything_widens(self):
        self.home.cli("policy", "unset", self.name)  # which needs no proof
        self.assertEqual(self.ask(1), "not_found")
        with self.home.owner() as owner:
            for change in ({}, {"killed": True}, {"per_use_minor": 0, "per_day_minor": 0, "per_month_minor": 0}):
                self.assertEqual(owner.refusal("policy.narrow", agent=self.name, **{**POLICY, **change}), "policy_widens")
            self.assertEqual(owner.refusal("policy.set", agent=self.name, **POLICY), "proof_required")
            self.assertEqual(owner.refusal("policy.show", agent=self.name), "not_found")

    def test_a_widening_on_the_command_line_asks(self):
        refused = self.home.run("policy", "set", self.name, "--per-use", "60.00")  # there is no terminal
        self.assertEqual((refused.code, refused.reason), (1, "proof_required"))
        wrong = self.home.run("policy", "set", self.name, "--per-use", "60.00", passphrase="not the passphrase")
        self.assertEqual((wrong.code, wrong.reason), (1, "proof_invalid"))
        self.assertEqual(self.show()["per_use_minor"], 5000)
        answer = self.home.cli("policy", "set", self.name, "--per-use", "60.00", passphrase=PASSPHRASE).json
        self.assertEqual((answer["widens"], answer["per_use_minor"]), (True, 6000))
        self.assertIn("policy_set", self.kinds())

    def test_the_difference_is_shown_before_the_passphrase_is_asked_for(self):
        with Terminal([program("popvault"), "policy", "set", self.name, "--per-use", "60.00", "--per-day", "150.00",
                       "--merchant", SHOP, NEW], self.home.env(TERM="xterm"), rows=40) as terminal:
            terminal.wait_for("Passphrase to allow this:")
            seen = terminal.screen.text()
            for line in ("this lets the agent do more than now:", "merchant %s: added   (allows more)" % NEW,
                         "merchant %s: taken away" % OTHER, "per day: 200.00 USD -> 150.00 USD",
                         "per use: 50.00 USD -> 60.00 USD   (allows more)"):
                self.assertIn(line, seen)
            self.assertEqual(self.show()["per_use_minor"], 5000)
            terminal.press(PASSPHRASE + "\n")
            self.assertEqual(terminal.finish(), 0)
        self.assertEqual(self.show()["per_use_minor"], 6000)

    def test_a_narrowing_on_a_terminal_asks_nothing(self):
        with Terminal([program("popvault"), "policy", "set", self.name, "--per-day", "30.00"], self.home.env(TERM="xterm"),
                      rows=40) as terminal:
            self.assertEqual(terminal.finish(), 0)
            self.assertIn("per use: 50.00 USD -> 30.00 USD", terminal.screen.text())
            self.assertNotIn("Passphrase", terminal.screen.text())
        self.assertEqual(self.show()["per_use_minor"], 3000)  # a limit that is kept is never over a wider one

    def test_what_is_left_out_stays(self):
        self.home.cli("policy", "set", self.name, "--merchant", SHOP)
        self.assertEqual(self.show(), {**POLICY, "merchants": POLICY["merchants"][:1], "agent": self.show()["agent"]})
        same = self.home.cli("policy", "set", self.name, "--per-use", "50.00", json_output=False)
        self.assertTrue(same.out.startswith("nothing changes\n"), repr(same))

    def test_processors_of_one_merchant(self):
        answer = self.home.cli("policy", "set", self.name, "--processor", OTHER + "=https://p2.example", passphrase=PASSPHRASE).json
        self.assertEqual(answer["merchants"], [POLICY["merchants"][0], {"origin": OTHER, "processors": ["https://p2.example"]}])
        answer = self.home.cli("policy", "set", self.name, "--processor", "none").json
        self.assertEqual([m["processors"] for m in answer["merchants"]], [[], []])
        wrong = self.home.run("policy", "set", self.name, "--processor", NEW + "=https://p2.example", passphrase=PASSPHRASE)
        self.assertEqual((wrong.code, wrong.reason), (1, "invalid_field"))

    def test_accounts_and_selectors_of_one_merchant(self):
        def set_(*options, **kw):
            return self.home.run("policy", "set", self.name, *options, **kw)

        def merchant():
            return self.show()["merchants"][1]

        self.assertEqual(set_("--account", OTHER + "=acct_1").reason, "proof_required")
        answer = self.home.cli("policy", "set", self.name, "--account", OTHER + "=acct_1", OTHER + "=pk_a=b==", passphrase=PASSPHRASE).json
        self.assertEqual(merchant()["accounts"], ["acct_1", "pk_a=b=="])
        self.assertEqual([c["what"] for c in answer["changes"]], ["account acct_1 at " + OTHER, "account pk_a=b== at " + OTHER])
        self.assertEqual(set_("--price-selector", OTHER + "=#total [data-x='1']").reason, "proof_required")
        self.home.cli("policy", "set", self.name, "--price-selector", OTHER + "=#total [data-x='1']", passphrase=PASSPHRASE)
        self.assertEqual(merchant(), {"origin": OTHER, "processors": [], "accounts": ["acct_1", "pk_a=b=="],
                                      "price_selector": "#total [data-x='1']"})
        shown = self.home.cli("policy", "show", self.name, json_output=False).out
        self.assertIn("  account: pk_a=b==\n  price at: #total [data-x='1']\n", shown)
        # What is not named stays; fewer accounts need no proof, another selector or none does.
        self.home.cli("policy", "set", self.name, "--per-use", "1.00")
        self.home.cli("policy", "set", self.name, "--account", OTHER + "=acct_1")
        self.assertEqual((merchant()["accounts"], merchant()["price_selector"]), (["acct_1"], "#total [data-x='1']"))
        self.assertEqual(set_("--price-selector", OTHER + "=none").reason, "proof_required")
        self.home.cli("policy", "set", self.name, "--price-selector", "none", passphrase=PASSPHRASE)
        self.home.cli("policy", "set", self.name, "--account", "none")
        self.assertEqual(merchant(), {"origin": OTHER, "processors": []})
        for wrong in (("--account", "acct_1"), ("--account", NEW + "=acct_1"), ("--account", OTHER + "="),
                      ("--account", OTHER + "=" + "x" * 257), ("--account", OTHER + "=a\u00e9"),
                      ("--price-selector", OTHER + "=a", OTHER + "=b"), ("--price-selector", "#total"),
                      ("--price-selector", OTHER + "=" + "x" * 257), ("--price-selector", OTHER + "=a\tb")):
            with self.subTest(wrong=wrong):
                self.assertEqual(set_(*wrong, passphrase=PASSPHRASE).reason, "invalid_field")
        self.assertEqual(set_("--account", *[OTHER + "=a%d" % n for n in range(17)], passphrase=PASSPHRASE).reason, "invalid_params")

    def test_a_preview_changes_nothing(self):
        before, kinds = self.show(), self.kinds()
        with self.home.owner() as owner:
            got = owner.call("policy.preview", agent=self.name, **{**POLICY, "per_day_minor": 100000, "strength": "wire"})
        self.assertEqual(got, {"agent": before["agent"], "widens": True, "changes": [
            {"what": "strength", "from": "dom", "to": "wire", "widens": False},
            {"what": "per_day_minor", "from": 20000, "to": 100000, "widens": True}]})
        self.assertEqual((self.show(), self.kinds()), (before, kinds))

    def test_a_narrowing_that_changes_nothing_leaves_no_trace(self):
        before = self.kinds()
        self.assertEqual(self.narrow()["per_use_minor"], 5000)
        self.assertEqual(self.kinds(), before)

    def test_a_record_that_is_gone_does_not_stand_in_the_way_of_a_narrowing(self):
        third = self.home.add_card("Third", number="4111111111111111")["id"]
        self.set(records=[self.card, third])
        self.home.cli("rm", third, "--now", passphrase=PASSPHRASE)
        self.assertEqual(self.home.cli("policy", "set", self.name, "--per-use", "1.00").json["records"], [self.card, third])
        self.assertEqual(self.home.cli("policy", "kill", self.name).json["killed"], True)

    def test_it_is_kept_over_a_restart(self):
        self.narrow(per_use_minor=1234)
        self.home.restart()
        self.home.unlock()
        self.assertEqual(self.show(), {**POLICY, "per_use_minor": 1234, "agent": self.show()["agent"]})


class Decisions(Case):
    def explain(self, *args, **more):
        question = self.params(*args, **more)
        for name in ("reason", "idempotency_key"):
            del question[name]
        with self.home.owner() as owner:
            return owner.call("policy.explain", agent=self.name, request=question)

    def agrees(self, *args, **more):
        """What is explained, and that the request is answered so."""
        said = self.explain(*args, **more)
        wanted = {"allow": "approved", "ask": "awaiting_approval", "deny": ("denied", said["reason"])}[said["verdict"]]
        if said["rule"] == "record":
            wanted = "not_found"  # an agent is not told of records that its policy does not name
        self.assertEqual(self.ask(*args, **more), wanted, said)
        self.assertRegex(said["text"], r"^(allowed without asking|you are asked|denied): [^\n]+$")
        return said["rule"]

    def test_what_is_explained_is_what_happens(self):
        self.set(records=[self.card])
        rules = [
            self.agrees(1000), self.agrees(1001), self.agrees(5000), self.agrees(5001), self.agrees(500, OTHER),
            self.agrees(500, NEW), self.agrees(500, "https://psp.example"), self.agrees(500, SHOP, "EUR"),
            self.agrees(500, SHOP, "JPY"), self.agrees(500, record=self.second)]
        self.assertEqual(rules, ["within", "ask_above", "ask_above", "per_use", "within", "unlisted_merchant", "unlisted_merchant",
                                 "currency", "currency", "record"])
        # 75.01 are held by now: what is left of the day, to the cent.
        spent = self.explain(1)["spent"]
        self.assertEqual(spent["day_minor"], 1000 + 1001 + 5000 + 500)
        self.assertEqual(self.agrees(5000), "ask_above")
        self.assertEqual(self.agrees(5000), "ask_above")
        left = 20000 - self.explain(1)["spent"]["day_minor"]
        self.assertEqual(self.agrees(left + 1), "per_day")
        self.assertEqual(self.agrees(left), "ask_above")
        self.assertEqual(self.agrees(1), "per_day")

    def test_the_kill_switch(self):
        self.assertEqual(self.agrees(1), "within")
        self.assertEqual(self.home.cli("policy", "kill", self.name).json["changes"],
                         [{"what": "killed", "from": False, "to": True, "widens": False}])
        self.assertEqual(self.agrees(1), "killed")
        # Off again only with a proof, and never by another edit.
        self.home.cli("policy", "set", self.name, "--per-use", "10.00")
        self.assertEqual(self.agrees(1), "killed")
        self.assertEqual(self.home.run("policy", "set", self.name, "--no-kill").reason, "proof_required")
        self.home.cli("policy", "set", self.name, "--no-kill", passphrase=PASSPHRASE)
        self.assertEqual(self.agrees(1), "within")

    def test_expiry(self):
        self.narrow(expires_at=1)
        self.assertEqual(self.agrees(1), "expired")
        self.assertEqual(self.home.run("policy", "set", self.name, "--expires", "30").reason, "proof_required")
        self.home.cli("policy", "set", self.name, "--expires", "2100-01-01", passphrase=PASSPHRASE)
        self.assertEqual(self.show()["expires_at"], 4102444800)
        self.assertEqual(self.agrees(1), "within")
        self.home.cli("policy", "set", self.name, "--expires", "2099-12-31T12:30:00Z")  # earlier: no proof
        self.assertEqual(self.show()["expires_at"], 4102403400)
        self.home.cli("policy", "set", self.name, "--expires", "never", passphrase=PASSPHRASE)
        self.assertIsNone(self.show()["expires_at"])
        for wrong in ("0", "-1", "soon", "2100-02-30", "1999-01-01", "99999", ""):
            got = self.home.run("policy", "set", self.name, "--expires", wrong)
            self.assertIn((got.code, got.reason), ((1, "invalid_field"), (2, "usage")), wrong)

    def test_an_unlisted_merchant_is_asked_about(self):
        self.assertEqual(self.agrees(1, NEW), "unlisted_merchant")
        self.home.cli("policy", "set", self.name, "--unlisted", "ask", passphrase=PASSPHRASE)
        self.assertEqual(self.ask(1, NEW), "awaiting_approval")
        self.assertEqual(self.explain(1, NEW)["verdict"], "ask")
        self.assertEqual(self.agrees(5001, NEW), "per_use")
        self.home.cli("policy", "set", self.name, "--unlisted", "deny")
        self.assertEqual(self.agrees(1, NEW), "unlisted_merchant")

    def test_a_strength_that_the_browser_cannot_give(self):
        self.narrow(strength="wire")
        self.assertEqual(self.agrees(1), "strength")
        with self.home.owner() as owner:
            question = {"record": self.card, "amount_minor": 1, "currency": "USD", "merchant_origin": SHOP, "strength": "wire"}
            self.assertEqual(owner.call("policy.explain", agent=self.name, request=question)["verdict"], "allow")

    def test_plain_http_is_explained_too(self):
        local = "http://127.0.0.1:8080"
        self.set(merchants=[{"origin": local}])
        self.assertEqual(self.agrees(1, local), "no_policy")
        self.home.cli("config", "set", "allow_loopback_http", "true", passphrase=PASSPHRASE)
        self.addCleanup(self.home.cli, "config", "set", "allow_loopback_http", "false", passphrase=PASSPHRASE)
        self.assertEqual(self.agrees(1, local), "within")

    def test_on_the_command_line(self):
        path = os.path.join(self.home.base, "request.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"jsonrpc": "2.0", "id": 1, "method": "purchase.request", "params": self.params(2500)}, file)
        answer = self.home.cli("policy", "show", self.name, "--explain", path, json_output=False)
        self.assertEqual(answer.out, "you are asked: 25.00 USD is above 10.00 USD, from where on you are asked\nrule: ask_above\n")
        question = json.dumps(self.params(6000)).encode()
        answer = self.home.cli("policy", "show", self.name, "--explain", "-", stdin=question)
        self.assertEqual((answer.json["verdict"], answer.json["reason"]), ("deny", "limit_exceeded"))
        self.assertEqual(answer.json["text"], "denied: 60.00 USD is over 50.00 USD for one use")
        for wrong, word in ((b"", "invalid_field"), (b"[]", "invalid_field"), (b"{}", "invalid_params"),
                            (json.dumps({**self.params(), "amount_minor": 1.5}).encode(), "invalid_params"),
                            (json.dumps({**self.params(), "more": 1}).encode(), "invalid_params")):
            self.assertEqual(self.home.run("policy", "show", self.name, "--explain", "-", stdin=wrong).reason, word, wrong)
        self.assertEqual(self.home.run("policy", "show", self.name, "--explain", path + "x").code, 4)

    def test_explaining_says_what_stands_before_the_policy(self):
        self.home.cli("freeze")
        self.home.unlock()
        try:
            said = self.explain(1)
        finally:
            self.home.cli("unfreeze", passphrase=PASSPHRASE)
        self.assertTrue(said["text"].endswith("; but the vault is frozen, so every request is refused"), said)

    def test_an_agent_cannot_ask_about_or_change_it(self):
        with self.home.agent(self.key) as agent:
            for method in ("policy.set", "policy.narrow", "policy.preview", "policy.explain", "policy.show", "policy.unset"):
                self.assertEqual(agent.refusal(method, agent=self.name), "unknown_method")


class Input(Case):
    def refused(self, word, **change):
        with self.home.owner() as owner, self.assertRaises(RpcError) as caught:
            owner.call("policy.preview", agent=self.name, **{**POLICY, **change})
        self.assertEqual(caught.exception.reason, word, change)
        return str(caught.exception)

    def test_the_member_is_named(self):
        self.assertIn("per_use_minor is over per_day_minor", self.refused("invalid_field", per_use_minor=20001))
        self.assertIn("per_day_minor is over per_month_minor", self.refused("invalid_field", per_day_minor=100001))
        for member, wrong in (("per_use_minor", -1), ("per_day_minor", 10**12 + 1), ("per_month_minor", "1"), ("per_use_minor", 1.5),
                              ("uses_per_hour", -1), ("uses_per_hour", 100001), ("ask_above_minor", True), ("drift_bp", 10001),
                              ("expires_at", 0), ("expires_at", "2030-01-01"), ("expires_at", 2**62), ("killed", 1),
                              ("merchants", {}), ("records", "*"), ("records", []), ("currency", "USDT"), ("agent", ["x"]),
                              ("no_such_member", 1)):
            with self.subTest(member=member, wrong=wrong):
                with self.home.owner() as owner, self.assertRaises(RpcError) as caught:
                    owner.call("policy.preview", **{"agent": self.name, **POLICY, member: wrong})
                self.assertEqual(caught.exception.reason, "invalid_params")
                self.assertIn(member, str(caught.exception))
        for member, wrong in (("strength", "strong"), ("unlisted", "allow"), ("currency", "XXX"), ("currency", "usd")):
            self.assertIn(member, self.refused("invalid_field", **{member: wrong}))
        self.assertIn("twice", self.refused("invalid_field", merchants=[{"origin": SHOP}, {"origin": SHOP + "/"}]))
        self.refused("not_found", records=["crd_aaaaaaaaaaaaaaaaaaaaaaaaaa"])

    def test_on_the_command_line_it_is_one_line(self):
        rows = ((("--per-use", "300.00"), 1, "--per-use is over --per-day, which is 200.00 USD"),
                (("--per-day", "2000.00"), 1, "--per-day is over --per-month, which is 1000.00 USD"),
                (("--per-use", "1.001"), 1, "--per-use"), (("--ask-above", "-1"), 1, "--ask-above"),
                (("--currency", "EUR"), 2, "--per-use and --per-day"), (("--unlisted", "allow"), 2, "--unlisted"),
                (("--uses-per-hour", "many"), 2, ""), (("--auto-approve-below", "5.00"), 2, "--ask-above"), ((), 2, "--per-day 20.00"))
        for words, code, text in rows:
            with self.subTest(words=words):
                got = self.home.run("policy", "set", self.name, *words, json_output=False)
                self.assertEqual(got.code, code, repr(got))
                self.assertIn(text, got.err)
                self.assertEqual(got.err.count("\n"), 1)
        self.home.cli("policy", "unset", self.name)
        first = self.home.run("policy", "set", self.name, "--per-day", "1.00", json_output=False)
        self.assertEqual(first.code, 2)
        self.assertIn("--merchant is missing", first.err)

    def test_hostile_text_is_refused_or_escaped(self):
        hostile = ("https://sh\u043ep.example", "https://shop.example\x1b[31m", "https://\u202eshop.example", "https://shop.\u200bexample",
                   "https://shop.example\n", "https://user@shop.example", "https://shop.example/path", "https://SHOP.example", "x\0y")
        for origin in hostile:
            with self.subTest(origin=origin):
                self.refused("invalid_field", merchants=[{"origin": origin}])
                self.refused("invalid_field", merchants=[{"origin": SHOP, "processors": [origin]}])
                if "\0" not in origin:
                    got = self.home.run("policy", "set", self.name, "--merchant", origin, json_output=False)
                    self.assertEqual(got.code, 1)
                    self.assertIsNone(UNSAFE.search(got.err), got.err)
                    self.assertTrue(got.err.isascii(), got.err)
        for name in ("evil\x1b[2J", "\u202elive", "a\u200bb", "two words"):
            with self.subTest(name=name), self.home.owner() as owner:
                self.assertIn(owner.refusal("policy.show", agent=name), ("not_found", "invalid_params"))
                got = self.home.run("policy", "show", name, json_output=False)
                self.assertEqual((got.code, UNSAFE.search(got.err)), (4, None), repr(got))
                with self.assertRaises(RpcError) as caught:
                    self.owner_key.call(owner, "agent.add", name=name, key_sha256="0" * 64, key_first="pak_AbCdEfGh", key_last="wxyz")
                self.assertEqual(caught.exception.reason, "invalid_field")

    def test_an_idn_origin_is_shown_in_ascii(self):
        origin = "https://xn--shp-tna.example"
        answer = self.home.cli("policy", "set", self.name, "--merchant", SHOP, origin, passphrase=PASSPHRASE, json_output=False)
        self.assertIn("merchant %s: added   (allows more)" % origin, answer.out)
        self.assertTrue(answer.out.isascii())
        self.assertTrue(self.home.cli("policy", "show", self.name, json_output=False).out.isascii())

    def test_money_of_every_exponent(self):
        for currency, per_use, minor in (("JPY", "5000", 5000), ("EUR", "50.00", 5000), ("KWD", "5.000", 5000), ("CLF", "0.5000", 5000)):
            answer = self.home.cli("policy", "set", self.name, "--currency", currency, "--per-use", per_use, "--per-day", per_use,
                                   passphrase=PASSPHRASE).json
            self.assertEqual((answer["per_use_minor"], answer["ask_above_minor"]), (minor, 0))
            text = self.home.cli("policy", "show", self.name, json_output=False).out
            self.assertIn("per use: %s %s\n" % (per_use, currency), text)


if __name__ == "__main__":
    unittest.main()
