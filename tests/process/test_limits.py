"""Caps, holds and idempotency keys under many callers and over restarts: each is used exactly once."""

import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.rpc import RpcError


class Limits(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.make_vault()
        self.card = self.home.add_card()
        self.key = self.home.add_agent("helper")["key"]
        self.home.set_policy("helper", per_use="100.00", per_day="500.00")

    def request(self, agent, key, amount=10000, **change):
        return agent.call("purchase.request", **{**{
            "record": self.card["id"], "amount_minor": amount, "currency": "USD", "reason": "x",
            "merchant_origin": "https://shop.example", "idempotency_key": key}, **change})

    def together(self, count, work):
        answers, lock = [], threading.Lock()

        def one(index):
            with self.home.agent(self.key) as agent:
                try:
                    answer = work(agent, index)
                except RpcError as error:
                    answer = {"status": error.reason}
            with lock:
                answers.append(answer)

        threads = [threading.Thread(target=one, args=(index,)) for index in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def test_the_cap_of_a_day(self):
        answers = self.together(12, lambda agent, index: self.request(agent, "cap-%d" % index))
        statuses = [answer["status"] for answer in answers]
        self.assertEqual(statuses.count("awaiting_approval"), 5, statuses)
        self.assertEqual({answer.get("reason") for answer in answers if answer["status"] == "denied"},
                         {"limit_exceeded"})
        self.home.restart()
        self.home.unlock()
        with self.home.agent(self.key) as agent:
            self.assertEqual(self.request(agent, "after", 1)["reason"], "limit_exceeded")
            # What is denied or given up is released.
            held = [answer["purchase"] for answer in answers if answer["status"] == "awaiting_approval"]
            self.home.cli("deny", held[0])
            agent.call("purchase.cancel", purchase=held[1])
            self.assertEqual(self.request(agent, "room", 20001)["reason"], "limit_exceeded")  # per use
            self.assertEqual(self.request(agent, "room-1")["status"], "awaiting_approval")
            self.assertEqual(self.request(agent, "room-2")["status"], "awaiting_approval")
            self.assertEqual(self.request(agent, "room-3", 1)["reason"], "limit_exceeded")

    def test_one_idempotency_key(self):
        answers = self.together(10, lambda agent, index: self.request(agent, "same"))
        self.assertEqual(len({answer["purchase"] for answer in answers}), 1, answers)
        with self.home.agent(self.key) as agent:
            for change in ({"amount": 9999}, {"reason": "y"}):
                with self.assertRaises(RpcError) as caught:
                    self.request(agent, "same", **change)
                self.assertEqual(caught.exception.reason, "idempotency_conflict")
        self.home.restart()
        self.home.unlock()
        with self.home.agent(self.key) as agent:
            self.assertEqual(self.request(agent, "same")["purchase"], answers[0]["purchase"])

    def test_one_approval(self):
        with self.home.agent(self.key) as agent:
            asked = self.request(agent, "one")
            self.home.cli("approve", asked["purchase"], passphrase=PASSPHRASE)
            again = self.home.run("approve", asked["purchase"], passphrase=PASSPHRASE)
            self.assertNotEqual(again.code, 0, repr(again))
            self.home.cli("deny", asked["purchase"])
            self.assertEqual(agent.call("purchase.status", purchase=asked["purchase"])["status"], "denied")
            self.assertNotEqual(self.home.run("approve", asked["purchase"], passphrase=PASSPHRASE).code, 0)

    def test_auto_approval(self):
        self.home.set_policy("helper", more=("--ask-above", "4.99"))
        with self.home.agent(self.key) as agent:
            self.assertEqual(self.request(agent, "a", 499)["status"], "approved")
            self.assertEqual(self.request(agent, "b", 500)["status"], "awaiting_approval")
            self.assertEqual(self.request(agent, "c", 10001)["reason"], "limit_exceeded")

    def test_only_named_records(self):
        other = self.home.add_card(label="Other", number="5555555555554444")
        self.home.set_policy("helper", more=("--record", other["id"]))
        with self.home.agent(self.key) as agent:
            seen = agent.call("credentials.list")["credentials"]
            self.assertEqual([card["id"] for card in seen], [other["id"]])
            for name in ({"id": self.card["id"]}, {"alias": self.card["alias"]}):
                self.assertEqual(agent.refusal("credentials.get", **name), "not_found")
            try:
                self.assertEqual(self.request(agent, "hidden")["status"], "denied")
            except RpcError as error:
                self.assertIn(error.reason, ("not_found", "denied"))
        # No policy, no cards.
        self.home.cli("policy", "unset", "helper")
        with self.home.agent(self.key) as agent:
            self.assertEqual(agent.call("credentials.list")["credentials"], [])


if __name__ == "__main__":
    unittest.main()
