"""Records of every kind through the real programs: added, edited, moved to the trash and back, destroyed. What is kept is
read from the files without popvault (support/vault_reader.py)."""

import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import scan
from support.home import CARD, PASSPHRASE, Home
from support.owner_key import OwnerKey
from support.programs import program
from support.rpc import bundle
from support.terminal import Terminal
from support.vault_reader import record_fields

IDENTITY = {"name": "Ada Lovelace", "email": "ada@mail.example", "phone": "+44 20 7946 0000", "address": "12 St James's Sq",
            "city": "London", "postal_code": "SW1Y 4JH", "country": "gb"}
LOGIN = {"origin": "https://mail.example", "username": "ada", "password": " correct horse battery ",
         "totp": "gezd gnbv gy3t qojq gezd gnbv gy3t qojq"}
API_KEY = {"key": "sk-test-9f8e7d6c5b4a", "service": "weather"}
SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.home.start()
        cls.home.make_vault()
        cls.owner_key = OwnerKey(PASSPHRASE)

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    def add(self, kind, fields, label="Demo"):
        return self.home.cli("add", kind, "--label", label, fields=fields).json

    def kept(self, record):
        return record_fields(self.home.path, self.owner_key.vault_key, record["id"])

    def edit(self, record, fields=None, *more, passphrase=PASSPHRASE):
        return self.home.cli("edit", record["id"], *more, fields=fields, passphrase=passphrase).json

    def refused(self, answer, reason, code, secrets=()):
        self.assertEqual((answer.reason, answer.code, answer.out), (reason, code, ""), repr(answer))
        self.assertEqual(answer.err.count("\n"), 1)
        for secret in secrets:
            self.assertNotIn(secret, answer.err)

    def blobs(self):
        return sorted(name for _, _, names in os.walk(self.home.file("blobs")) for name in names)

    def ids(self, *more):
        return [view["id"] for view in self.home.cli("list", *more).json]

    def journal(self, record):
        """The kinds of the rows that name the record."""
        with self.home.owner() as owner:
            rows, after = [], 0
            while True:
                page = owner.call("audit.list", after=after, limit=1000)["rows"]
                if not page:
                    return [row["kind"] for row in rows if record["id"] in json.dumps(row["body"])]
                rows += page
                after = page[-1]["seq"]

    def terminal(self, *arguments):
        terminal = Terminal([program("popvault"), *arguments], self.home.env(TERM="xterm"))
        self.addCleanup(terminal.close)
        return terminal


class Kinds(Case):
    def test_what_is_kept(self):
        self.assertEqual(self.kept(self.add("card", {**CARD, "number": "4242 4242-4242 4242", "exp_month": "3"})),
                         {**CARD, "exp_month": "03"})
        self.assertEqual(self.kept(self.add("identity", {**IDENTITY, "phone": ""})),
                         {**{k: v for k, v in IDENTITY.items() if k != "phone"}, "country": "GB"})
        self.assertEqual(self.kept(self.add("login", LOGIN)), {**LOGIN, "totp": SEED})
        address = "otpauth://totp/Mail:ada?secret=%s&issuer=Mail&algorithm=SHA256&digits=8&period=60" % SEED.lower()
        self.assertEqual(self.kept(self.add("login", {**LOGIN, "origin": "https://mail.example:443/", "totp": address})),
                         {**LOGIN, "totp": SEED, "totp_algorithm": "SHA256", "totp_digits": "8", "totp_period": "60"})
        self.assertEqual(self.kept(self.add("api-key", API_KEY)), API_KEY)

    def test_what_is_not(self):
        for kind, base, changes in (
                ("identity", IDENTITY, ({"name": ""}, {"email": "not-an-address-77"}, {"city": "L" * 201},
                                        {"postal_code": "SW1Y\x1b[2J"})),
                ("login", LOGIN, ({"origin": "http://mail.example"}, {"origin": "https://mail.example/inbox77"},
                                  {"password": ""}, {"password": "p" * 1025}, {"username": ""}, {"totp": "89898989"},
                                  {"totp": "otpauth://hotp/x?secret=" + SEED}, {"totp": "otpauth://totp/x?issuer=77secret77"})),
                ("api-key", API_KEY, ({"key": ""}, {"key": "k" * 4090 + "\x07"}, {"service": "s" * 201}))):
            for change in changes:
                with self.subTest(kind=kind, change=change):
                    fields = {**base, **change}
                    (name, value), = change.items()
                    secrets = [v for v in fields.values() if len(v) > 5]
                    answer = self.home.run("add", kind, "--label", "X", fields=fields)
                    self.refused(answer, "invalid_field", 1, secrets)
                    self.assertIn(name, answer.error["message"])
                    # The daemon says the same to whoever does not ask the CLI.
                    with self.home.owner() as owner:
                        fd = bundle(fields)
                        try:
                            word = {"api-key": "api_key"}.get(kind, kind)
                            owner.start("record.add", {"kind": word, "label": "X"}, fd)
                            answer = owner.reply()
                        finally:
                            os.close(fd)
                    self.assertEqual(answer["error"]["data"]["reason"], "invalid_field")
                    for secret in secrets:
                        self.assertNotIn(secret, json.dumps(answer))
        self.assertEqual(scan.scan_tree(self.home.base, scan.spellings("password", LOGIN["password"])), [])


class Edits(Case):
    def test_a_card(self):
        card = self.add("card", CARD)
        before = self.blobs()
        view = self.edit(card, {"number": "378282246310005", "cvv": "1234"})
        self.assertEqual((view["id"], view["alias"], view["brand"], view["masked"], view["label"]),
                         (card["id"], card["alias"], "amex", "****-******-*0005", "Demo"))
        self.assertEqual(self.kept(card), {**CARD, "number": "378282246310005", "cvv": "1234"})
        self.assertEqual(self.home.cli("show", card["id"]).json["version"], 2)
        self.assertEqual(len(self.blobs()), len(before), "the old blob is gone")
        self.assertNotEqual(self.blobs(), before)
        self.edit(card, {"cvv": "", "holder": ""})
        self.assertEqual(self.kept(card), {"number": "378282246310005", "exp_month": "12", "exp_year": "2034"})
        self.assertTrue(self.edit(card, {"exp_year": "19"})["expired"])
        self.assertIn("record_edited", self.journal(card))

    def test_an_identity(self):
        identity = self.add("identity", IDENTITY)
        self.edit(identity, {"city": "Paris", "country": "fr", "phone": ""}, "--label", "Home")
        expected = {**IDENTITY, "city": "Paris", "country": "FR"}
        del expected["phone"]
        self.assertEqual(self.kept(identity), expected)
        self.assertEqual(self.home.cli("show", identity["id"]).json["label"], "Home")

    def test_a_login(self):
        login = self.add("login", {**LOGIN, "totp": "otpauth://totp/x?digits=8&secret=" + SEED})
        self.edit(login, {"password": "another one entirely"})
        self.assertEqual(self.kept(login), {**LOGIN, "password": "another one entirely", "totp": SEED, "totp_digits": "8"})
        # Another seed has its own form.
        self.edit(login, {"totp": "MZXW6YTBOI======"})
        self.assertEqual(self.kept(login), {**LOGIN, "password": "another one entirely", "totp": "MZXW6YTBOI"})
        self.edit(login, {"totp": "", "origin": "https://new.example/"})
        self.assertEqual(self.kept(login), {"origin": "https://new.example", "username": "ada",
                                            "password": "another one entirely"})

    def test_an_api_key(self):
        key = self.add("api-key", API_KEY)
        self.edit(key, {"key": "sk-test-other-1"})
        self.assertEqual(self.kept(key), {"key": "sk-test-other-1", "service": "weather"})

    def test_a_label_alone(self):
        card = self.add("card", CARD)
        self.assertEqual(self.edit(card, None, "--label", "Other")["label"], "Other")
        self.assertEqual(self.kept(card), CARD)

    def test_wrong_input_changes_nothing_and_is_not_repeated(self):
        card = self.add("card", CARD)
        login = self.add("login", LOGIN)
        for record, change, name in (
                (card, {"number": "4242424242424241"}, "number"), (card, {"cvv": "98765"}, "cvv"),
                (card, {"number": "378282246310005"}, "cvv"), (card, {"exp_month": ""}, "exp_month"),
                (card, {"password": "a secret of 77"}, "password"), (login, {"origin": "http://77.example"}, "origin"),
                (login, {"password": ""}, "password"), (login, {"totp": "1111-0000-77"}, "totp")):
            with self.subTest(change=change):
                answer = self.home.run("edit", record["id"], fields=change, passphrase=PASSPHRASE)
                self.refused(answer, "invalid_field", 1, [v for v in change.values() if len(v) > 2])
                self.assertIn(name, answer.error["message"])
        self.refused(self.home.run("edit", card["id"], fields=b"4242424242424242\n", passphrase=PASSPHRASE),
                     "invalid_field", 1, ["42424242"])
        self.refused(self.home.run("edit", card["id"], fields={"cvv": "999"}, passphrase="not the passphrase"),
                     "proof_invalid", 1)
        self.assertEqual(self.kept(card), CARD)
        self.assertEqual(self.kept(login), {**LOGIN, "totp": SEED})

    def test_nothing_to_change(self):
        card = self.add("card", CARD)
        for more in ((), ("--label", "")):
            self.refused(self.home.run("edit", card["id"], *more, fields=b"\n", passphrase=PASSPHRASE), "usage", 2)
        answer = self.home.run("edit", card["id"], passphrase=PASSPHRASE)
        self.refused(answer, "usage", 2)
        self.assertIn("--fields-fd", answer.error["message"])
        self.refused(self.home.run("edit", card["id"], "--fields-fd", "0", "--passphrase-fd", "0"), "usage", 2)
        self.refused(self.home.run("edit", "crd_aaaaaaaaaaaaaaaaaaaaaaaaaa", "--label", "X", passphrase=PASSPHRASE),
                     "not_found", 4)
        self.assertEqual(self.home.cli("show", card["id"]).json["version"], 1)

    def test_on_a_terminal(self):
        login = self.add("login", LOGIN, label="Mail")
        terminal = self.terminal("edit", login["id"])
        answers = (('label, now "Mail" (enter keeps it): ', "Post"), ("origin (enter keeps it): ", ""),
                   ("username (enter keeps it): ", "eve"), ("password (not shown; enter keeps it): ", "typed unseen 1"),
                   ("totp (not shown; enter keeps it, - takes it away): ", "-"),
                   ('Passphrase to change "Mail": ', PASSPHRASE))
        for prompt, text in answers:
            terminal.wait_for(lambda screen, prompt=prompt: prompt in screen.main_text)
            terminal.press(text + "\n")
        self.assertEqual(terminal.finish(), 0)
        self.assertIn("eve", terminal.screen.main_text)
        for secret in ("typed unseen 1", PASSPHRASE, LOGIN["password"], SEED, LOGIN["totp"]):
            self.assertNotIn(secret, terminal.screen.main_text)
        self.assertEqual(self.kept(login), {"origin": "https://mail.example", "username": "eve", "password": "typed unseen 1"})
        self.assertEqual(self.home.cli("show", login["id"]).json["label"], "Post")
        # Enter at every question.
        terminal = self.terminal("edit", login["id"])
        for prompt in ("label, now", "origin", "username", "password", "totp"):
            terminal.wait_for(lambda screen, prompt=prompt: "\n" + prompt in "\n" + screen.text().replace(" " * 4, ""))
            terminal.press("\n")
        self.assertEqual(terminal.finish(), 2)
        self.assertIn("nothing to change", terminal.screen.main_text)


class Trash(Case):
    def setUp(self):
        self.key = self.home.add_agent("a" + os.urandom(4).hex())
        self.home.set_policy(self.key["name"])

    def sees(self, record):
        """What an agent learns of the record: in its list, by id, by alias, for a purchase."""
        with self.home.agent(self.key["key"]) as agent:
            listed, cursor = [], {}
            while True:
                page = agent.call("credentials.list", **cursor)
                listed += [view["id"] for view in page["credentials"]]
                if page["next"] is None:
                    break
                cursor = {"cursor": page["next"]}
            words = []
            for method, params in (("credentials.get", {"id": record["id"]}), ("credentials.get", {"alias": record["alias"]}),
                                   ("purchase.request", {
                                       "record": record["id"], "amount_minor": 100, "currency": "USD", "reason": "A book",
                                       "merchant_origin": "https://shop.example", "idempotency_key": os.urandom(8).hex()})):
                try:
                    words.append(agent.call(method, **params).get("status", "found"))
                except Exception as error:  # an RpcError: its word is what counts
                    words.append(getattr(error, "reason", str(error)))
        return record["id"] in listed, words

    def test_there_and_back(self):
        card = self.add("card", CARD)
        other = self.add("card", CARD, label="Other")
        self.assertEqual(self.sees(card), (True, ["found", "found", "awaiting_approval"]))
        answer = self.home.cli("rm", card["id"], passphrase=PASSPHRASE).json
        self.assertEqual(set(answer), {"id", "trashed_until"})
        until = time.mktime(time.strptime(answer["trashed_until"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        self.assertAlmostEqual(until, time.time() + 30 * 86400, delta=60)
        self.assertNotIn(card["id"], self.ids())
        self.assertIn(other["id"], self.ids())
        trash = [view for view in self.home.cli("list", "--trash").json if view["id"] == card["id"]]
        self.assertEqual([view["trashed_until"] for view in trash], [answer["trashed_until"]])
        self.assertNotIn(other["id"], self.ids("--trash"))
        self.assertNotIn(card["id"], self.ids("--trash", "--kind", "login"))
        self.assertIn("in the trash until " + answer["trashed_until"],
                      self.home.cli("list", "--trash", json_output=False).out)
        for name in (card["id"], card["alias"]):
            self.refused(self.home.run("show", name), "not_found", 4)
            self.refused(self.home.run("edit", name, fields={"cvv": "999"}, passphrase=PASSPHRASE), "not_found", 4)
            self.refused(self.home.run("rm", name, passphrase=PASSPHRASE), "not_found", 4)
            self.refused(self.home.run("export", "pop-pay", os.path.join(self.home.base, "x"), "--record", name, "--mode",
                                       "machine-oss", "--accept-public-salt", passphrase=PASSPHRASE), "not_found", 4)
        with self.home.owner() as owner:
            fake = {"id": card["id"]}
            with self.assertRaisesRegex(Exception, "not_found"):
                self.owner_key.call(owner, "record.reveal", **fake)
        listed, words = self.sees(card)
        self.assertFalse(listed)
        unknown = {**card, "id": "crd_" + "a" * 26, "alias": "tok_card_" + "a" * 26}
        self.assertEqual(words, self.sees(unknown)[1], "as if it had never been there")
        self.home.restart()
        self.home.unlock()
        self.assertNotIn(card["id"], self.ids())
        with self.home.owner() as owner:
            self.assertEqual(owner.refusal("record.restore", id=card["id"]), "proof_required", "it gives power back")
        back = self.home.cli("rm", "--undo", card["id"], passphrase=PASSPHRASE).json
        self.assertEqual(back["id"], card["id"])
        self.assertEqual(back["alias"], card["alias"])
        self.assertIn(card["id"], self.ids())
        self.assertNotIn(card["id"], self.ids("--trash"))
        self.assertEqual(self.kept(card), CARD)
        self.assertEqual(self.sees(card), (True, ["found", "found", "awaiting_approval"]))
        self.assertEqual([kind for kind in self.journal(card) if kind.startswith("record_")],
                         ["record_added", "record_trashed", "record_untrashed"])
        self.refused(self.home.run("rm", "--undo", card["id"]), "not_found", 4)

    def test_at_once(self):
        for first in (False, True):
            with self.subTest(from_the_trash=first):
                card = self.add("card", CARD)
                before = self.blobs()
                if first:
                    self.home.cli("rm", card["id"], passphrase=PASSPHRASE)
                    self.assertEqual(self.blobs(), before)
                answer = self.home.cli("rm", card["id"], "--now", passphrase=PASSPHRASE).json
                self.assertEqual(answer, {"id": card["id"], "shredded": True})
                self.assertEqual(len(self.blobs()), len(before) - 1)
                for more in ((), ("--trash",)):
                    self.assertNotIn(card["id"], self.ids(*more))
                self.refused(self.home.run("rm", "--undo", card["id"]), "not_found", 4)
                self.refused(self.home.run("rm", "--now", card["id"], passphrase=PASSPHRASE), "not_found", 4)
                self.refused(self.home.run("show", card["id"]), "not_found", 4)
                self.assertEqual(self.journal(card)[-1], "record_shredded")
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])

    def test_a_proof_is_needed(self):
        card = self.add("card", CARD)
        for more in ((), ("--now",)):
            self.refused(self.home.run("rm", card["id"], *more, passphrase="not the passphrase"), "proof_invalid", 1)
            self.refused(self.home.run("rm", card["id"], *more), "proof_required", 1)
        with self.home.owner() as owner:
            self.assertEqual(owner.refusal("record.remove", id=card["id"]), "proof_required")
            self.assertEqual(owner.refusal("record.edit", id=card["id"], label="X"), "proof_required")
        self.refused(self.home.run("rm", card["id"], "--now", "--undo", passphrase=PASSPHRASE), "usage", 2)
        self.assertIn(card["id"], self.ids())

    def test_the_question(self):
        card = self.add("card", CARD, label="Old \u202ecard")
        terminal = self.terminal("rm", card["id"])
        terminal.wait_for(lambda screen: "Passphrase to move it to the trash: " in screen.main_text)
        self.assertIn('Move "Old \\u{202E}card" to the trash? It can be taken back for 30 days.', terminal.screen.main_text)
        terminal.press(PASSPHRASE + "\n")
        self.assertEqual(terminal.finish(), 0)
        terminal = self.terminal("rm", card["id"], "--now")
        terminal.wait_for(lambda screen: "Passphrase to destroy it: " in screen.main_text)
        self.assertIn('Destroy "Old \\u{202E}card"? It cannot be taken back.', terminal.screen.main_text)
        terminal.press(PASSPHRASE + "\n")
        self.assertEqual(terminal.finish(), 0)
        self.assertNotIn(card["id"], self.ids("--trash"))

    def test_locked(self):
        card = self.add("card", CARD)
        self.home.cli("lock")
        for arguments in (("rm", card["id"]), ("rm", "--undo", card["id"]), ("edit", card["id"], "--label", "X"),
                          ("list", "--trash")):
            self.refused(self.home.run(*arguments), "locked", 3)
        self.home.unlock()


class Disk(Case):
    def test_nothing_of_a_value_is_on_disk(self):
        card = self.add("card", CARD)
        login = self.add("login", LOGIN)
        key = self.add("api-key", API_KEY)
        self.edit(card, {"number": "5555555555554444", "cvv": "777"})
        self.edit(login, {"password": "second password 2"})
        self.edit(key, {"key": "sk-test-second-22"})
        self.home.cli("rm", card["id"], passphrase=PASSPHRASE)
        self.home.cli("rm", key["id"], "--now", passphrase=PASSPHRASE)
        self.home.stop()
        needles = {**scan.card_needles(CARD["number"], CARD["cvv"], CARD["exp_month"], CARD["exp_year"], CARD["holder"]),
                   **scan.pair_needles(("cvv",), "777")}
        for name, value in (("second number", "5555555555554444"), ("password", LOGIN["password"]), ("seed", SEED),
                            ("second password", "second password 2"), ("key", API_KEY["key"]),
                            ("second key", "sk-test-second-22"), ("passphrase", PASSPHRASE)):
            needles.update(scan.spellings(name, value))
        self.assertEqual(scan.scan_tree(self.home.base, needles), [])
        with open(os.path.join(self.home.base, "planted"), "w", encoding="ascii") as file:
            file.write("second password 2")
        self.assertNotEqual(scan.scan_tree(self.home.base, needles), [], "the control")


if __name__ == "__main__":
    unittest.main()
