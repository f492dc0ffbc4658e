"""Attacks of an independent review, each tried again on the real programs. What holds it off is written at each; beside
each stands the honest way, which must go on working."""

import contextlib
import hashlib
import json
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home, wait_until
from support.market import Market
from support.owner_key import OwnerKey
from support.processes import injectors
from support.rpc import Client, Closed, RpcError

SHOP = "https://shop.example"
OWNER = OwnerKey(PASSPHRASE)
WRONG = OwnerKey(None, key=bytes(range(32)))
REFUSED = ("state_corrupt", "state_rolled_back", "journal_broken")


def by_owner(home, method, **params):
    """A method with its proof, without the key derivation of a whole command."""
    with home.owner() as owner:
        return OWNER.call(owner, method, **params)


def new_agent(home, name):
    """(id, key) of a new agent."""
    key = "pak_" + os.urandom(20).hex()
    made = by_owner(home, "agent.add", name=name, key_sha256=hashlib.sha256(key.encode()).hexdigest(),
                    key_first=key[:12], key_last=key[-4:])
    return made["agent"], key


def set_policy(home, agent, **change):
    by_owner(home, "policy.set", **{**{
        "agent": agent, "merchants": [{"origin": SHOP, "processors": []}], "currency": "USD", "strength": "dom",
        "per_use_minor": 10000, "per_day_minor": 50000, "uses_per_hour": 10000}, **change})


def ask(agent, record, key, amount=100, **change):
    return agent.call("purchase.request", **{**{
        "record": record, "amount_minor": amount, "currency": "USD", "merchant_origin": SHOP, "reason": "x",
        "idempotency_key": key}, **change})


def known(home, key):
    """Whether the daemon takes an agent's key for its own."""
    try:
        with home.agent(key) as agent:
            agent.call("credentials.list")
    except RpcError as error:
        if error.reason not in ("unauthenticated", "frozen"):
            raise
        return error.reason == "frozen"
    return True


def edit(path, *statements):
    db = sqlite3.connect(path, isolation_level=None)
    try:
        for statement in statements:
            db.execute(statement)
    finally:
        db.close()


def put_database(home, folder):
    """The state.db of a folder in the place of the home's; nothing of the home's own stays beside it."""
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(home.file("state.db" + suffix))
        source = os.path.join(folder, "state.db" + suffix)
        if os.path.exists(source):
            shutil.copy2(source, home.file("state.db" + suffix))


def keep_database(home, name):
    folder = os.path.join(home.base, name)
    os.mkdir(folder)
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(home.file("state.db" + suffix)):
            shutil.copy2(home.file("state.db" + suffix), folder)
    return folder


class Database(unittest.TestCase):
    """state.db is changed with the daemon stopped, so that every row and every seal of it stays right."""

    @classmethod
    def setUpClass(cls):
        cls.home = home = Home()
        home.start()
        home.make_vault()
        cls.card = home.add_card()["id"]
        agent, cls.key = new_agent(home, "helper")
        cls.agent = agent
        set_policy(home, agent, per_use_minor=10000, per_day_minor=10000, ask_above_minor=9999)
        with home.agent(cls.key) as agent:
            assert ask(agent, cls.card, "first", 9000)["status"] == "approved"
        home.stop()
        cls.kept = os.path.join(home.base, "kept")
        shutil.copytree(home.path, cls.kept, symlinks=True)

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    def setUp(self):
        self.put()

    def tearDown(self):
        self.home.stop()

    def put(self):
        self.home.stop()
        shutil.rmtree(self.home.path)
        shutil.copytree(self.kept, self.home.path, symlinks=True)

    def unlock(self):
        self.home.start()
        return self.home.run("unlock", passphrase=PASSPHRASE)

    def second(self):
        """What becomes of 90 more where the cap is 100."""
        with self.home.agent(self.key) as agent:
            return ask(agent, self.card, "second", 9000)

    def test_control_untouched(self):
        self.assertEqual(self.unlock().code, 0)
        answer = self.second()
        self.assertEqual((answer["status"], answer["reason"]), ("denied", "limit_exceeded"))
        with self.home.agent(self.key) as agent:
            self.assertEqual(ask(agent, self.card, "small", 1000)["status"], "approved")

    def test_names_that_look_like_the_databases_own(self):
        """LIKE 'sqlite_%' takes any letter for the '_'. The trigger would forget what is spent."""
        for statement in ("CREATE TRIGGER sqliteZ AFTER INSERT ON ledger BEGIN DELETE FROM ledger WHERE id = NEW.id; END",
                          "CREATE TRIGGER SQLITEz AFTER UPDATE ON agents BEGIN SELECT 1; END",
                          "CREATE TABLE sqliteZ (x)", "CREATE VIEW sqliteZ AS SELECT 1",
                          "CREATE INDEX sqliteZ ON ledger(version)"):
            with self.subTest(statement=statement):
                self.put()
                edit(self.home.file("state.db"), statement)
                answer = self.unlock()
                self.assertEqual((answer.code, answer.reason), (1, "state_corrupt"), repr(answer))

    def poison(self, index, change):
        """An index that was built by another rule than the one that is written there."""
        path = self.home.file("state.db")
        db = sqlite3.connect(path)
        (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", (index,)).fetchone()
        db.close()
        changed = change(sql)
        self.assertNotEqual(sql, changed)
        for text in (changed, sql):
            db = sqlite3.connect(path, isolation_level=None)
            (version,) = db.execute("PRAGMA schema_version").fetchone()
            db.execute("PRAGMA writable_schema = ON")
            db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (text, index))
            db.execute("PRAGMA schema_version = %d" % (version + 1))
            db.close()
            if text is changed:
                edit(path, "REINDEX " + index)

    def test_poisoned_index(self):
        """The rows are all there; the query that adds them up would not find them."""
        for what, change in (("leaves rows out", lambda sql: sql + " WHERE 0"),
                             ("calls them old", lambda sql: sql.replace("'$.at')", "'$.at') - 1000000")),
                             ("calls them another's", lambda sql: sql.replace("'$.agent')", "'$.agent') || 'x'"))):
            with self.subTest(what=what):
                self.put()
                self.poison("ledger_agent", change)
                # It works on an ordinary reader: the attack is a real one.
                db = sqlite3.connect(self.home.file("state.db"))
                # A plus sign keeps SQLite from using the index.
                query = ("SELECT count(*) FROM ledger WHERE %sjson_extract(body, '$.agent') = ?"
                         " AND json_extract(body, '$.at') > ?")
                found = [db.execute(query % sign, (self.agent, int(time.time()) - 86400)).fetchone()[0]
                         for sign in ("+", "")]
                db.close()
                self.assertEqual(found, [1, 0])
                answer = self.unlock()
                if answer.code != 0:
                    self.assertIn(answer.reason, REFUSED)
                    continue
                answer = self.second()
                self.assertEqual((answer["status"], answer["reason"]), ("denied", "limit_exceeded"))


class PutBack(unittest.TestCase):
    """What was narrowed while locked cannot be undone with the state.db of before."""

    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.make_vault()
        self.card = self.home.add_card()["id"]
        self.agent, self.key = new_agent(self.home, "helper")
        set_policy(self.home, self.agent)
        with self.home.agent(self.key) as agent:
            self.purchase = ask(agent, self.card, "one")["purchase"]

    def before_and_after(self, *commands):
        """Lock, run the commands, stop; folders with the state.db before and after."""
        self.home.cli("lock")
        self.home.stop()
        before = keep_database(self.home, "before")
        self.home.start()
        for command in commands:
            self.home.cli(*command)
        self.home.stop()
        return before, keep_database(self.home, "after")

    def attack(self, *commands):
        before, after = self.before_and_after(*commands)
        put_database(self.home, before)
        self.home.start()
        for _ in range(2):  # and it is not forgotten by asking
            answer = self.home.run("unlock", passphrase=PASSPHRASE)
            self.assertEqual((answer.code, answer.reason), (1, "state_rolled_back"), repr(answer))
        self.assertNotEqual(self.home.cli("status").json["state"], "unlocked")
        self.home.stop()
        # Control: the newest copy opens, and says what was done.
        put_database(self.home, after)
        self.home.start()
        self.home.unlock()
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])

    def test_revoke_and_freeze(self):
        self.attack(("agent", "revoke", "helper"), ("freeze",))
        self.assertTrue(self.home.cli("status").json["frozen"])
        by_owner(self.home, "vault.unfreeze")
        self.assertFalse(known(self.home, self.key))
        # All is sealed now, so the next session begins with nothing to remember.
        self.home.restart()
        self.home.unlock()
        self.assertFalse(self.home.cli("status").json["frozen"])

    def test_deny(self):
        self.attack(("deny", self.purchase))
        with self.home.agent(self.key) as agent:
            self.assertEqual(agent.call("purchase.status", purchase=self.purchase)["status"], "denied")

    def test_control_nothing_was_narrowed(self):
        before, _ = self.before_and_after(("status",))
        put_database(self.home, before)
        self.home.start()
        self.home.unlock()
        self.assertTrue(known(self.home, self.key))


class Shared(unittest.TestCase):
    """What needs a home, and leaves it as it was."""

    @classmethod
    def setUpClass(cls):
        cls.home = home = Home()
        home.start()
        home.make_vault()
        cls.card = home.add_card()["id"]
        cls.agent, cls.key = new_agent(home, "helper")
        set_policy(home, cls.agent)

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    # A name that is used again.

    def agents_named(self, name):
        return {item["agent"]: item["status"] for item in self.home.cli("agent", "list").json if item["name"] == name}

    def test_revoke_after_the_name_was_used_again(self):
        for _ in range(5):  # ids are random: the wrong one would be hit by the last round with 119 in 120
            agent, key = new_agent(self.home, "again")
            with self.home.agent(key) as open_one:
                open_one.call("credentials.list")
                self.assertEqual(self.home.cli("agent", "revoke", "again").json, {"agent": agent, "status": "revoked"})
                with self.assertRaises((RpcError, Closed, ConnectionError)):
                    open_one.call("credentials.list")
            self.assertFalse(known(self.home, key))
        self.assertEqual(list(self.agents_named("again").values()), ["revoked"] * 5)
        self.assertTrue(known(self.home, self.key))

    def test_revoke_while_locked_after_the_name_was_used_again(self):
        for _ in range(5):
            new_agent(self.home, "later")
            self.home.cli("agent", "revoke", "later")
        agent, key = new_agent(self.home, "later")
        other, other_key = new_agent(self.home, "by-id")
        self.assertEqual(self.agents_named("later")[agent], "active")
        self.home.cli("lock")
        try:
            self.home.cli("agent", "revoke", "later")
            self.home.cli("agent", "revoke", other)
        finally:
            self.home.unlock()
        self.assertEqual(set(self.agents_named("later").values()), {"revoked"})
        self.assertFalse(known(self.home, key))
        self.assertFalse(known(self.home, other_key))
        self.assertTrue(known(self.home, self.key))

    def test_the_name_of_an_active_agent(self):
        for _ in range(5):
            new_agent(self.home, "taken")
            self.home.cli("agent", "revoke", "taken")
        new_agent(self.home, "taken")
        answer = self.home.run("agent", "add", "taken", passphrase=PASSPHRASE)
        self.assertEqual((answer.code, answer.reason), (1, "already_exists"), repr(answer))
        self.home.cli("agent", "revoke", "taken")
        self.assertEqual(len(self.agents_named("taken")), 6)
        self.home.cli("agent", "add", "taken", passphrase=PASSPHRASE)
        self.home.cli("agent", "revoke", "taken")

    # What an agent may write for the owner's eyes.

    def test_control_characters(self):
        with self.home.agent(self.key) as agent:
            for name in ("page_url", "reason"):
                for text in ("\x01" * 200, "a\0b", "\x1b[2J", "a\nb", "a\rb", "a\tb", "\x7f"):
                    with self.subTest(name=name, text=text[:8]):
                        with self.assertRaises(RpcError) as caught:
                            ask(agent, self.card, os.urandom(8).hex(), **{name: text})
                        self.assertEqual(caught.exception.reason, "invalid_field")
            asked = ask(agent, self.card, "plain", page_url=SHOP + "/pay?a='\"", reason="Ein Büchlein, 漢字")
            self.assertEqual(asked["status"], "awaiting_approval")
            agent.call("purchase.cancel", purchase=asked["purchase"])

    def test_pending_purchases(self):
        """However many agents there are, the owner can read the list; one of them alone cannot make it long."""
        odd = [(SHOP + "/?" + text * 2048)[:2048] for text in ("\"", "\\", "<&'%$`{")]
        waiting = set()
        for number in range(3):
            agent_id, key = new_agent(self.home, "crowd-%d" % number)
            set_policy(self.home, agent_id)
            card = self.home.add_card("crowd %d" % number)["id"]
            with self.home.agent(key) as agent:
                own = [ask(agent, card, "crowd-%d" % i, 1, page_url=odd[i % 3],
                           reason="\"\\" * 100)["purchase"] for i in range(50)]
                waiting.update(own)
                with self.assertRaises(RpcError) as caught:
                    ask(agent, card, "one-more", 1)
                self.assertEqual(caught.exception.reason, "rate_limited")
                # The same request again is no new one, and what is given up makes room.
                self.assertEqual(ask(agent, card, "crowd-19", 1, page_url=odd[19 % 3], reason="\"\\" * 100)["purchase"],
                                 own[19])
                agent.call("purchase.cancel", purchase=own[0])
                waiting.remove(own[0])
                waiting.add(ask(agent, card, "one-more", 1)["purchase"])
        listed = {item["purchase"] for item in self.home.cli("approvals").json}
        self.assertLessEqual(waiting, listed)
        self.assertEqual(len(waiting), 150)
        for command in (("purchases",), ("audit", "list")):
            self.assertGreater(len(self.home.cli(*command).json), 0)
        with self.home.owner() as owner:
            for purchase in waiting:
                owner.call("purchase.deny", purchase=purchase)

    # The journal.

    def test_wrong_keys_do_not_fill_the_journal(self):
        before = self.home.cli("audit", "verify").json["rows"]
        tries, end = 0, time.monotonic() + 1
        while (time.monotonic() < end or tries < 150) and tries < 2000:
            with Client(self.home.agent_socket, 5) as client:
                for _ in range(3):
                    tries += 1
                    with contextlib.suppress(Closed, ConnectionError):
                        self.assertIn(client.refusal("session.hello", agent_key="pak_wrong", client="x"),
                                      ("unauthenticated", "rate_limited", "too_many_connections"))
        grown = self.home.cli("audit", "verify").json["rows"] - before
        self.assertLessEqual(grown, 32, "%d rows for %d wrong keys" % (grown, tries))
        self.assertGreaterEqual(grown, 1)
        self.assertTrue(known(self.home, self.key))  # nobody is locked out

    # Challenges.

    def pending(self):
        with self.home.agent(self.key) as agent:
            return ask(agent, self.card, os.urandom(8).hex())["purchase"]

    def test_challenges_of_another_connection(self):
        purchase = self.pending()
        with self.home.owner() as first, self.home.owner() as second:
            proof = OWNER.proof(first, "purchase.approve", {"purchase": purchase})
            for _ in range(200):
                second.call("proof.challenge", purpose="purchase.approve", request_hash="00" * 32)
            self.assertEqual(first.call("purchase.approve", purchase=purchase, proof=proof)["status"], "approved")
        self.home.cli("deny", purchase)

    def test_approve_under_a_flood_of_challenges(self):
        purchase, stop, asked = self.pending(), threading.Event(), []
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "proof.challenge",
                           "params": {"purpose": "purchase.approve", "request_hash": "00" * 32}}) + "\n"
        block = line * 80  # more than enough, and read in one go

        def flood():
            with self.home.owner() as owner:
                while not stop.is_set():
                    owner.send(block)
                    for _ in range(80):
                        asked.append(b'"result"' in owner.line())

        threads = [threading.Thread(target=flood) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: len(asked) >= 200, "200 challenges")
            answer = self.home.run("approve", purchase, passphrase=PASSPHRASE)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(answer.code, 0, repr(answer))
        self.assertEqual(answer.json["status"], "approved")
        self.assertTrue(all(asked))
        self.home.cli("deny", purchase)

    def test_only_a_good_proof_takes_the_warning_away(self):
        by_owner(self.home, "config.set", key="allow_loopback_http", value=False)
        self.assertEqual(self.home.cli("status").json["bad_proofs"], 0)
        purchase = self.pending()
        with self.home.owner() as owner:
            proof = WRONG.proof(owner, "purchase.approve", {"purchase": purchase})
            self.assertEqual(owner.refusal("purchase.approve", purchase=purchase, proof=proof), "proof_invalid")
            for _ in range(2):
                self.assertEqual(owner.call("vault.status")["bad_proofs"], 1)
        for _ in range(2):
            self.assertEqual(self.home.cli("status").json["bad_proofs"], 1)
        self.home.cli("approve", purchase, passphrase=PASSPHRASE)
        self.assertEqual(self.home.cli("status").json["bad_proofs"], 0)
        self.home.cli("deny", purchase)

    # Not a card.

    def test_a_login_cannot_pay(self):
        login = self.home.cli("add", "login", "--label", "Site", fields={
            "origin": SHOP, "username": "ada", "password": "correct horse"}).json["id"]
        agent_id, key = new_agent(self.home, "reader")
        set_policy(self.home, agent_id, records=[login, self.card], ask_above_minor=9999)
        with self.home.agent(key) as agent:
            with self.assertRaises(RpcError) as caught:
                ask(agent, login, "login")
            self.assertEqual(caught.exception.reason, "invalid_params")
            self.assertEqual(ask(agent, self.card, "card")["status"], "approved")
        self.home.cli("agent", "revoke", "reader")


class Crowd(unittest.TestCase):
    """Idle connections of agent.sock, which any process of the user can open, do not keep the owner out."""

    COUNT = 1030

    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 4096:
            self.skipTest("needs 4096 open files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def crowd(self, limit):
        home = Home()
        self.addCleanup(home.remove)
        home.start(preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit))
        home.make_vault()
        _, key = new_agent(home, "helper")
        crowd = []
        self.addCleanup(lambda: [one.close() for one in crowd])
        patience = time.monotonic() + 5
        while len(crowd) < self.COUNT and time.monotonic() < patience:
            try:
                crowd.append(Client(home.agent_socket, 2))
            except (socket.timeout, BlockingIOError):
                time.sleep(0.01)  # the listener's queue is full; if it stays so, that is a crowd as well
        time.sleep(0.3)
        for command, name, value in (("freeze", "frozen", True), ("status", "state", "locked"),
                                     ("lock", "state", "locked"), ("status", "frozen", True)):
            start = time.monotonic()
            try:
                answer = home.run(command, timeout=15)
            except subprocess.TimeoutExpired:
                self.fail("%s: no answer in 15 s" % command)
            self.assertEqual(answer.code, 0, "%s: %r" % (command, answer))
            self.assertEqual(answer.json[name], value)
            self.assertLess(time.monotonic() - start, 3)
        # There was a crowd: one more agent is turned away, and let in when they have gone.
        with contextlib.closing(Client(home.agent_socket, 2)) as late:
            with self.assertRaises((RpcError, Closed, ConnectionError, socket.timeout)):
                late.call("vault.status")
                self.fail("an agent was served")
        while crowd:
            crowd.pop().close()
        home.unlock()
        wait_until(lambda: self.served(home, key), "an agent that is served")

    @staticmethod
    def served(home, key):
        try:
            return known(home, key)
        except (Closed, ConnectionError, RpcError):
            return False

    def test_more_than_the_allowance(self):
        self.crowd((4096, 4096))

    def test_few_descriptors_to_begin_with(self):
        """A login shell's limit; the daemon raises it as far as it may."""
        self.crowd((1024, 4096))


class NoRoom(unittest.TestCase):
    """Less power is had at once, even when nothing can be written about it."""

    def prepare(self, home):
        home.start()
        home.make_vault()
        self.card = home.add_card()["id"]
        self.keys = {}
        for name in ("helper", "second"):
            agent, self.keys[name] = new_agent(home, name)
            set_policy(home, agent, ask_above_minor=9999)
        with home.agent(self.keys["helper"]) as agent:
            self.purchase = ask(agent, self.card, "one")["purchase"]
            self.assertEqual(agent.call("purchase.status", purchase=self.purchase)["status"], "approved")

    def narrow(self, home):
        """Deny, revoke, freeze; the commands that said it was done and written."""
        written = []

        def run(*command):
            if home.run(*command).code == 0:
                written.append(command[0])

        with home.agent(self.keys["helper"]) as agent, home.agent(self.keys["second"]) as second:
            second.call("credentials.list")
            fill = {"purchase": self.purchase, "page": {"url": SHOP + "/"}}
            self.assertEqual(agent.refusal("purchase.fill", **fill), "browser_not_enrolled")  # control: the approval holds
            run("deny", self.purchase)
            self.assertEqual(agent.refusal("purchase.fill", **fill), "denied")
            run("agent", "revoke", "second")
            with self.assertRaises((RpcError, Closed, ConnectionError)) as caught:
                second.call("credentials.list")
            if isinstance(caught.exception, RpcError):
                self.assertEqual(caught.exception.reason, "unauthenticated")
            with self.assertRaises(RpcError) as caught:
                home.agent(self.keys["second"])
            self.assertEqual(caught.exception.reason, "unauthenticated")
            self.assertEqual(len(agent.call("credentials.list")["credentials"]), 1)  # the other one goes on
            run("freeze")
            self.assertTrue(home.cli("status").json["frozen"])
            self.assertTrue(agent.call("vault.status")["frozen"])
            for method, params in (("credentials.list", {}),
                                   ("purchase.request", {"record": self.card, "amount_minor": 1, "currency": "USD",
                                                         "merchant_origin": SHOP, "reason": "x", "idempotency_key": "two"}),
                                   ("purchase.fill", fill)):
                self.assertEqual(agent.refusal(method, **params), "frozen")
        return written

    def check(self, home, written):
        """There is room again."""
        self.assertTrue(home.cli("status").json["frozen"])
        self.assertTrue(home.cli("audit", "verify").json["ok"])
        self.assertFalse(known(home, self.keys["second"]))
        home.restart()
        home.unlock()
        self.assertTrue(home.cli("audit", "verify").json["ok"])
        self.assertEqual(len(home.cli("list").json), 1)
        state = home.cli("status").json
        if "freeze" in written:
            self.assertTrue(state["frozen"])
        if state["frozen"]:
            by_owner(home, "vault.unfreeze")
        if "agent" in written:
            self.assertFalse(known(home, self.keys["second"]))
        with home.agent(self.keys["helper"]) as agent:
            if "deny" in written:
                self.assertEqual(agent.call("purchase.status", purchase=self.purchase)["status"], "denied")
            self.assertEqual(ask(agent, self.card, "three")["status"], "approved")

    def test_full_disk(self):
        home = Home()
        os.mkdir(home.path, 0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "popvault-test", home.path], check=True)
        self.addCleanup(home.remove)
        self.addCleanup(subprocess.run, ["umount", "--lazy", home.path], check=True)
        self.addCleanup(home.stop)
        self.prepare(home)
        with open(home.file("filler"), "wb", buffering=0) as file:
            for size in (65536, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))
        answer = home.run("add", "card", "--label", "Second", fields={"number": "5555555555554444", "exp_month": "12",
                                                                      "exp_year": "2034", "cvv": "123", "holder": "A"})
        self.assertEqual(answer.reason, "disk_full", repr(answer))  # it is full indeed
        written = self.narrow(home)
        os.unlink(home.file("filler"))
        self.check(home, written)

    def test_vault_file_that_cannot_be_replaced(self):
        with Home() as home:
            self.prepare(home)
            os.rename(home.file("vault.enc"), home.file("aside"))
            os.mkdir(home.file("vault.enc"))
            written = self.narrow(home)
            # Power is not given meanwhile.
            self.assertNotEqual(home.run("unfreeze", passphrase=PASSPHRASE).code, 0)
            self.assertTrue(home.cli("status").json["frozen"])
            os.rmdir(home.file("vault.enc"))
            os.rename(home.file("aside"), home.file("vault.enc"))
            self.check(home, written)


class MachineMode(unittest.TestCase):
    def test_lock_while_unlocking(self):
        """The key is derived beside the loop: a lock that comes meanwhile counts."""
        with Home() as home:
            home.start()
            home.cli("init", "--machine", "--accept-public-salt")
            home.cli("lock")
            for delay in (0, 0.02, 0.1):
                with home.owner() as first, home.owner() as second:
                    first.start("vault.unlock")
                    time.sleep(delay)
                    self.assertEqual(second.call("vault.lock")["state"], "locked")
                    first.reply()
                    self.assertEqual(second.call("vault.status")["state"], "locked")
            home.cli("unlock")
            self.assertEqual(home.cli("status").json["state"], "unlocked")


class PolicyWhileSearching(unittest.TestCase):
    """The injector looks for fields by the policy of its start. When they show, that must still be the policy."""

    def fill(self, market, name, meanwhile):
        """(what purchase.fill gave, what stands in the processor's fields, the purchase)"""
        purchase, given = market.approved(name), []
        page = market.open()
        fields = [session for url, session in market.browser.frames(page).items() if "/field/" in url]
        self.assertEqual(len(fields), 3)
        for field in fields:
            field.evaluate("document.querySelector('input').style.display = 'none'")

        def run():
            with market.agent() as agent:
                try:
                    given.append(agent.call("purchase.fill", purchase=purchase,
                                            page={"target_id": page.target_id})["status"])
                except RpcError as error:
                    given.append(error.reason)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            wait_until(lambda: injectors(market.home.pid), "the injector")
            time.sleep(0.2)
            self.assertEqual(given, [])  # it searches
            meanwhile()
            for field in fields:
                field.evaluate("document.querySelector('input').style.display = ''")
        finally:
            thread.join()
        wait_until(lambda: not injectors(market.home.pid), "the injector's end")
        values = [field.evaluate("document.querySelector('input').value") for field in fields]
        page.close()
        return given[0], values, purchase

    def test_processor_taken_away(self):
        with Market() as market:

            def narrower():
                set_policy(market.home, "helper", merchants=[{"origin": market.shop.origin, "processors": []}])

            with self.subTest("control: fields that show late are filled"):
                given, values, _ = self.fill(market, "control", lambda: None)
                self.assertEqual(given, "filled")
                self.assertTrue(all(values), values)
            given, values, purchase = self.fill(market, "attack", narrower)
            self.assertNotEqual(given, "filled")
            self.assertEqual(values, ["", "", ""])
            with market.agent() as agent:
                self.assertEqual(agent.call("purchase.status", purchase=purchase)["status"], "approved")
                # The owner thinks better of it: nothing was handed over, so the approval is still there.
                market.set_policy()
                page = market.open()
                answer = agent.call("purchase.fill", purchase=purchase, page={"target_id": page.target_id})
                self.assertEqual(answer["status"], "filled")


if __name__ == "__main__":
    unittest.main()
