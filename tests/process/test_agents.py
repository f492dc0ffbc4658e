"""Agents' lives: rotated, suspended, resumed, revoked, tied to a user, near their end; the programs they come from."""

import hashlib
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.agent_process import AgentProcess, other_program, this_program
from support.home import PASSPHRASE, Home, wait_until
from support.owner_key import OwnerKey
from support.rpc import Client, Closed, RpcError
from support.users import User

SHOP = "https://shop.example"


class Case(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.make_vault()

    def listed(self, name="helper"):
        return next(agent for agent in self.home.cli("agent", "list").json if agent["name"] == name)

    def rows(self, kind):
        rows = self.home.cli("audit", "list", "--limit", "1000").json
        return [row["body"] for row in rows if row["kind"] == kind]

    def hello_refused(self, key):
        with Client(self.home.agent_socket) as agent:
            return agent.refusal("session.hello", agent_key=key, client="x")

    def ends_by_itself(self, agent):
        """The next read gives the end, though nothing was sent."""
        with self.assertRaises(Closed):
            agent.line()


class Lives(Case):
    def setUp(self):
        super().setUp()
        self.card = self.home.add_card()
        self.agent = self.home.add_agent("helper")
        self.key = self.agent["key"]
        self.home.set_policy("helper")

    def uses(self, agent, purchase):
        """What each use is answered with."""
        request = {"record": self.card["id"], "amount_minor": 100, "currency": "USD", "merchant_origin": SHOP,
                   "reason": "x", "idempotency_key": os.urandom(8).hex()}
        for method, params in (("credentials.list", {}), ("credentials.get", {"id": self.card["id"]}),
                               ("purchase.request", request), ("purchase.status", {"purchase": purchase}),
                               ("purchase.wait", {"purchase": purchase, "timeout_ms": 0}),
                               ("purchase.fill", {"purchase": purchase, "page": {"url": SHOP + "/pay"}}),
                               ("purchase.cancel", {"purchase": purchase}), ("events.subscribe", {})):
            try:
                agent.call(method, **params)
                yield method, None
            except RpcError as error:
                yield method, error.reason

    def ask(self, agent):
        return agent.call("purchase.request", record=self.card["id"], amount_minor=100, currency="USD",
                          merchant_origin=SHOP, reason="x", idempotency_key=os.urandom(8).hex())["purchase"]

    def test_revoke_ends_live_connections(self):
        with self.home.agent(self.key) as one, self.home.agent(self.key) as two, \
                self.home.agent(self.home.add_agent("other")["key"]) as other:
            two.call("events.subscribe")
            self.home.cli("agent", "revoke", "helper")
            self.ends_by_itself(one)
            self.ends_by_itself(two)
            self.assertEqual(other.call("credentials.list"), {"credentials": [], "next": None})  # the control
        self.assertEqual(self.hello_refused(self.key), "unauthenticated")

    def test_rotate(self):
        with self.home.agent(self.key) as agent:
            purchase = self.ask(agent)
            path = os.path.join(self.home.base, "key")
            answer = self.home.cli("agent", "rotate", "helper", "--key-file", path, passphrase=PASSPHRASE)
            self.ends_by_itself(agent)
        with open(path, encoding="ascii") as file:
            key = file.read().strip()
        self.assertNotIn(key, answer.out + answer.err)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(answer.json["agent"], self.agent["agent"])
        self.assertEqual(self.hello_refused(self.key), "unauthenticated")
        with self.home.agent(key) as agent:  # the same agent: its policy and purchases
            self.assertEqual(agent.call("purchase.status", purchase=purchase)["status"], "awaiting_approval")
        shown = self.home.cli("agent", "rotate", "helper", passphrase=PASSPHRASE).json
        self.assertRegex(shown["key"], "^pak_[A-Za-z0-9_-]{43}$")
        self.assertEqual(self.hello_refused(key), "unauthenticated")
        self.home.restart()
        self.home.unlock()
        self.assertEqual(self.hello_refused(key), "unauthenticated")
        self.home.agent(shown["key"]).close()
        self.assertIsNotNone(self.listed()["rotated_at"])
        self.assertEqual(len(self.rows("agent_rotated")), 2)

    def test_rotate_is_refused(self):
        self.assertEqual(self.home.run("agent", "rotate", "nobody", passphrase=PASSPHRASE).reason, "not_found")
        self.assertEqual(self.home.run("agent", "rotate", "helper", passphrase="not the passphrase").reason, "proof_invalid")
        existing = os.path.join(self.home.base, "there")
        with open(existing, "w", encoding="ascii"):
            pass
        self.assertEqual(self.home.run("agent", "rotate", "helper", "--key-file", existing, passphrase=PASSPHRASE).reason,
                         "already_exists")
        self.home.agent(self.key).close()  # none of them took the key away
        self.home.cli("agent", "revoke", "helper")
        self.assertEqual(self.home.run("agent", "rotate", "helper", passphrase=PASSPHRASE).reason, "not_found")

    def test_a_key_is_one_agents(self):
        owner_key = OwnerKey(PASSPHRASE)
        key = {"key_sha256": hashlib.sha256(self.key.encode()).hexdigest(), "key_first": "x", "key_last": "x"}
        for method, params in (("agent.add", {"name": "twin"}), ("agent.rotate", {"agent": "helper"})):
            with self.home.owner() as owner, self.assertRaises(RpcError) as caught:
                owner_key.call(owner, method, **params, **key)
            self.assertEqual(caught.exception.reason, "already_exists")
        with self.home.owner() as owner, self.assertRaises(RpcError) as caught:
            owner_key.call(owner, "agent.add", name="upper", **{**key, "key_sha256": key["key_sha256"].upper()})
        self.assertEqual(caught.exception.reason, "invalid_params")

    def test_suspend_and_resume(self):
        with self.home.agent(self.key) as agent:
            purchase = self.ask(agent)
            self.assertEqual(self.home.cli("agent", "suspend", "helper").json,
                             {"agent": self.agent["agent"], "status": "suspended"})
            self.assertEqual(self.listed()["status"], "suspended")
            self.assertEqual({reason for _, reason in self.uses(agent, purchase)}, {"agent_suspended"})
            self.assertEqual(self.hello_refused(self.key), "agent_suspended")
            self.home.cli("agent", "suspend", "helper")  # again changes nothing
            self.assertEqual(len(self.rows("agent_suspended")), 1)
            self.assertEqual(self.home.run("agent", "resume", "helper").reason, "proof_required")
            self.home.cli("agent", "resume", "helper", passphrase=PASSPHRASE)
            # The connection stayed, and what it had asked for is still there.
            answers = dict(self.uses(agent, purchase))
            self.assertEqual({method for method, reason in answers.items() if reason is None},
                             {"credentials.list", "credentials.get", "purchase.request", "purchase.status",
                              "purchase.wait", "purchase.cancel", "events.subscribe"})
        self.assertEqual(self.listed()["status"], "active")

    def test_suspend_while_locked(self):
        with self.home.agent(self.key) as agent:
            self.home.cli("lock")
            self.assertEqual(self.home.cli("agent", "suspend", "helper").json["status"], "suspended")
            self.home.restart()
            self.home.unlock()
            self.assertEqual(self.listed()["status"], "suspended")
        self.assertEqual(self.hello_refused(self.key), "agent_suspended")
        self.home.cli("agent", "resume", "helper", passphrase=PASSPHRASE)
        self.home.restart()
        self.home.unlock()
        with self.home.agent(self.key) as agent:
            agent.call("credentials.list")
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])

    def test_suspended_and_revoked(self):
        self.home.cli("agent", "suspend", "helper")
        self.home.cli("agent", "revoke", "helper")
        self.assertEqual(self.listed()["status"], "revoked")
        for verb in ("suspend", "resume"):
            self.assertEqual(self.home.run("agent", verb, "helper", passphrase=PASSPHRASE if verb == "resume" else None).reason,
                             "not_found")
        self.home.add_agent("helper")  # the name is free again

    def test_a_suspended_agents_name_is_taken(self):
        self.home.cli("agent", "suspend", "helper")
        self.assertEqual(self.home.run("agent", "add", "helper", passphrase=PASSPHRASE).reason, "already_exists")


class Ends(Case):
    def test_near_its_end(self):
        short = self.home.cli("agent", "add", "short", "--expires-days", "5", passphrase=PASSPHRASE).json
        long = self.home.add_agent("long")
        with Client(self.home.agent_socket) as agent:
            told = agent.call("session.hello", agent_key=short["key"], client="x")
        self.assertEqual(told["key_expires_at"], short["expires_at"])
        with Client(self.home.agent_socket) as agent:
            self.assertNotIn("key_expires_at", agent.call("session.hello", agent_key=long["key"], client="x"))
        self.assertEqual((self.listed("short")["expires_soon"], self.listed("long")["expires_soon"]), (True, False))
        status = self.home.cli("status").json
        self.assertEqual(status["agents_expiring"],
                         [{"agent": short["agent"], "expires_at": short["expires_at"], "name": "short"}])
        self.assertIn("the key of agent short ends", self.home.cli("status", json_output=False).out)
        self.home.cli("lock")
        self.assertIsNone(self.home.cli("status").json["agents_expiring"])
        self.home.unlock()
        self.home.cli("agent", "revoke", "short")
        self.assertEqual(self.home.cli("status").json["agents_expiring"], [])

    def test_a_rotated_key_lives_as_long_as_the_first(self):
        self.home.cli("agent", "add", "short", "--expires-days", "5", passphrase=PASSPHRASE)
        self.home.cli("agent", "rotate", "short", passphrase=PASSPHRASE)
        self.assertTrue(self.listed("short")["expires_soon"])

    def test_wrong_days_and_users(self):
        for args in (("--expires-days", "0"), ("--expires-days", "91"), ("--expires-days", "x"), ("--uid", "-1"),
                     ("--uid", "4294967295"), ("--uid", "root")):
            with self.subTest(args=args):
                self.assertEqual(self.home.run("agent", "add", "x", *args, passphrase=PASSPHRASE).reason, "usage")
        owner_key = OwnerKey(PASSPHRASE)
        for more in ({"expires_days": 0}, {"expires_days": 91}, {"uid": -1}, {"uid": 4294967295}, {"uid": "0"}):
            with self.subTest(more=more), self.home.owner() as owner, self.assertRaises(RpcError) as caught:
                owner_key.call(owner, "agent.add", name="x", key_sha256="0" * 64, key_first="x", key_last="x", **more)
            self.assertEqual(caught.exception.reason, "invalid_params")


class Users(Case):
    def test_tied_to_a_user(self):
        uid = os.geteuid()
        mine = self.home.cli("agent", "add", "mine", "--uid", str(uid), passphrase=PASSPHRASE).json
        self.home.agent(mine["key"]).close()
        other = self.home.run("agent", "add", "other", "--uid", str(uid + 1), passphrase=PASSPHRASE, json_output=False)
        self.assertIn("nobody can use this key here", other.out)
        key = next(line for line in other.out.splitlines() if line.startswith("pak_"))
        self.assertEqual(self.hello_refused(key), "unauthenticated")
        self.assertEqual(len(self.rows("agent_rejected")), 1)
        self.assertEqual((self.listed("mine")["uid"], self.listed("other")["uid"]), (uid, uid + 1))
        # A hello while locked finds out as soon as there is a key.
        self.home.cli("lock")
        with self.home.agent(key) as agent:
            self.home.unlock()
            self.assertEqual(agent.refusal("credentials.list"), "unauthenticated")

    def test_another_users_daemon(self):
        """With isolation `user` the tie only narrows: the socket answers its own user alone."""
        with User() as user:
            home = Home(user=user)
            self.addCleanup(home.remove)
            home.cli("init", passphrase=PASSPHRASE)
            home.cli("unlock", passphrase=PASSPHRASE)
            tied = home.cli("agent", "add", "tied", "--uid", str(user.uid), passphrase=PASSPHRASE).json
            to_root = home.cli("agent", "add", "root", "--uid", "0", passphrase=PASSPHRASE).json
            with AgentProcess(home.agent_socket, user=user) as agent:
                self.assertEqual(agent.call("session.hello", agent_key=tied["key"], client="x")["name"], "tied")
            with AgentProcess(home.agent_socket, user=user) as agent:
                self.assertEqual(agent.refusal("session.hello", agent_key=to_root["key"], client="x"), "unauthenticated")
            with Client(home.agent_socket) as agent:  # root may open the socket, and is not answered
                self.assertEqual(json.loads(agent.line())["error"]["data"]["reason"], "wrong_peer")


class Programs(Case):
    def setUp(self):
        super().setUp()
        self.key = self.home.add_agent("helper")["key"]
        self.other = other_program(self.home.base, "other")

    def come(self, program):
        """An agent that has said who it is, from this program."""
        agent = AgentProcess(self.home.agent_socket, program)
        agent.call("session.hello", agent_key=self.key, client="x")
        return agent


    def test_the_program_and_its_change(self):
        self.assertIsNone(self.listed()["executable"])
        for program, count in ((this_program(), 1), (this_program(), 1), (self.other, 2), (this_program(), 3)):
            with self.come(program):
                self.assertEqual(self.listed()["executable"], program)
                self.assertIsNotNone(self.listed()["last_seen"])
            self.assertEqual(len(self.rows("agent_executable")), count)
        self.home.restart()
        self.home.unlock()
        after = self.listed()
        self.assertEqual((after["executable"], after["last_seen"]), (this_program(), None))
        with self.come(this_program()):
            pass
        self.assertEqual(len(self.rows("agent_executable")), 3)
        self.assertIn("seen from " + this_program(), self.home.cli("agent", "list", json_output=False).out)

    def test_a_hello_while_locked_is_noted_at_the_first_use(self):
        self.home.cli("lock")
        with self.come(self.other) as agent:
            self.assertEqual(self.rows("agent_executable"), [])
            self.home.unlock()
            agent.call("credentials.list")
            self.assertEqual(self.listed()["executable"], self.other)

    def test_a_wrong_key_is_no_sighting(self):
        with AgentProcess(self.home.agent_socket, self.other) as agent:
            agent.refusal("session.hello", agent_key="pak_" + "x" * 43, client="x")
        self.assertEqual(self.rows("agent_executable"), [])

    def test_anomaly(self):
        status = self.home.cli("status").json
        self.assertEqual(status["agent_anomalies"], [])
        with self.come(this_program()), self.come(this_program()):
            self.assertEqual(self.rows("agent_anomaly"), [], "the same program twice is none")
            with self.come(self.other), self.come(self.other):
                pass
            self.assertEqual(len(self.rows("agent_anomaly")), 1)
        pair = sorted([self.other, this_program()])
        anomaly = self.home.cli("status").json["agent_anomalies"]
        self.assertEqual([(one["name"], one["executables"]) for one in anomaly], [("helper", pair)])
        self.assertEqual([one["executables"] for one in self.listed()["anomalies"]], [pair])
        for args in (("status",), ("agent", "list")):
            self.assertIn("two programs at once", self.home.cli(*args, json_output=False).out)
        self.home.restart()
        self.home.unlock()
        self.assertEqual(len(self.home.cli("status").json["agent_anomalies"]), 1)
        with self.come(self.other), self.come(this_program()):
            pass
        self.assertEqual(len(self.rows("agent_anomaly")), 1, "once per pair")
        self.key = self.home.cli("agent", "rotate", "helper", passphrase=PASSPHRASE).json["key"]
        self.assertEqual(self.home.cli("status").json["agent_anomalies"], [])
        self.home.restart()
        self.home.unlock()
        self.assertEqual(self.home.cli("status").json["agent_anomalies"], [])

    def test_what_is_purged(self):
        """Paths of programs are personal: sealed in the journal, and gone with the agent's key."""
        with self.come(this_program()), self.come(self.other):
            pass
        self.assertEqual({row["executable"] for row in self.rows("agent_executable")}, {this_program(), self.other})
        self.home.cli("audit", "purge", "--subject", "helper", passphrase=PASSPHRASE)
        self.assertEqual({row["personal"] for row in self.rows("agent_executable")}, {"purged"})
        self.assertIsNone(self.listed()["executable"])
        self.assertEqual(self.home.cli("status").json["agent_anomalies"], [])
        self.home.restart()
        self.home.unlock()
        self.assertIsNone(self.listed()["executable"])
        self.home.stop()
        for name in ("state.db", "vault.enc"):
            with open(self.home.file(name), "rb") as file:
                self.assertNotIn(self.other.encode(), file.read())
        self.home.start()

    def test_one_after_the_other_is_none(self):
        for program in (this_program(), self.other):
            with self.come(program) as agent:
                agent.call("vault.status")
        self.assertEqual(self.rows("agent_anomaly"), [])

    def test_many_changes_are_bounded(self):
        """A key in wrong hands does not fill the journal; another agent's change is still told."""
        other_agent = self.home.add_agent("second")["key"]
        for _ in range(8):
            for program in (this_program(), self.other):
                with self.come(program):
                    pass
        self.assertLessEqual(len(self.rows("agent_executable")), 11)
        with AgentProcess(self.home.agent_socket, self.other) as agent:
            second = agent.call("session.hello", agent_key=other_agent, client="x")["agent"]
        self.assertIn(second, [row["agent"] for row in self.rows("agent_executable")])


if __name__ == "__main__":
    unittest.main()
