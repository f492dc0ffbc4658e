"""identity.fill and login.fill by an agent: through the gate like a purchase, a login never into a document that an agent can read."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.cdp import Browser
from support.home import PASSPHRASE, Home, wait_until
from support.shop import Shop

IDENTITY = {"name": "Ada Lovelace", "email": "ada@example.org", "address": "12 St James's Square", "city": "London",
            "postal_code": "SW1Y 4JH", "country": "gb"}
FORM = """<!doctype html><title>address</title><form><input id="n" autocomplete="billing name"><input id="e" autocomplete="billing email">
<input id="a" autocomplete="billing address-line1"><input id="p" autocomplete="billing postal-code">
<select id="c" autocomplete="billing country"><option value="">-</option><option value="FR">France</option><option value="GB">United Kingdom
</option></select></form>"""
LOGIN = """<!doctype html><title>login</title><form method="post" action="/charge"><input name="user" autocomplete="username">
<input name="pass" type="password" autocomplete="current-password"><button>Sign in</button></form>"""
PASSWORD = "correct-horse-7316"


class Filling(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home, cls.shop = Home(), Shop()
        home, shop = cls.home, cls.shop
        home.start()
        home.make_vault()
        shop.pages["/address"], shop.pages["/login"] = FORM, LOGIN
        home.cli("config", "set", "allow_loopback_http", "true", passphrase=PASSPHRASE)
        cls.identity = home.cli("add", "identity", "--label", "Me", fields=IDENTITY).json["id"]
        # An origin of its own for each: where an agent's page was, no login goes.
        cls.origins = {name: shop.url(name, "") for name in ("accounts", "scripted")}
        cls.login, cls.scripted = (home.cli("add", "login", "--label", name, fields={
            "origin": cls.origins[name], "username": "ada", "password": PASSWORD}).json["id"] for name in ("accounts", "scripted"))
        cls.other = home.cli("add", "login", "--label", "Other",
                             fields={"origin": "https://other.example", "username": "ada", "password": PASSWORD}).json["id"]
        cls.key = home.add_agent("helper")["key"]
        cls.named = [part for record in (cls.identity, cls.login, cls.scripted, cls.other) for part in ("--record", record)]
        cls.policy(*cls.named)
        cls.count = 0

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()
        cls.shop.stop()

    @classmethod
    def policy(cls, *records, ask="1.00"):
        merchants = [part for origin in (cls.shop.origin, *cls.origins.values()) for part in ("--merchant", origin)]
        cls.home.cli("policy", "set", "helper", *merchants, "--per-use", "10.00", "--per-day", "10.00", "--per-month",
                     "10.00", "--currency", "USD", "--strength", "wire", "--ask-above", ask, "--uses-per-hour", "100", *records,
                     passphrase=PASSPHRASE)

    def setUp(self):
        if not self.home.cli("status").json["browser"]:
            type(self).endpoint = self.home.cli("browser", "--headless", timeout=120).json["endpoint"]
        self.browser = Browser(int(self.endpoint.rsplit(":", 1)[1]))
        self.addCleanup(self.browser.close)
        self.agent = self.home.agent(self.key)
        self.addCleanup(self.agent.close)

    def params(self, record, page, origin=None, **more):
        type(self).count += 1
        return {"record": record, "page": page, "merchant_origin": origin or self.shop.origin, "reason": "an order",
                "idempotency_key": "fill-%d" % self.count, **more}

    def test_an_identity(self):
        page = self.browser.open(self.shop.origin + "/address")
        answer = self.agent.call("identity.fill", **self.params(self.identity, {"target_id": page.target_id}))
        self.assertEqual(answer["status"], "filled", answer)
        values = page.evaluate("[...document.querySelectorAll('input,select')].map(i => i.value).join('|')")
        self.assertEqual(values, "Ada Lovelace|ada@example.org|12 St James's Square|SW1Y 4JH|GB")

    def test_asked_first(self):
        self.policy(*self.named, ask="0")
        self.addCleanup(self.policy, *self.named)
        page = self.browser.open(self.shop.origin + "/address")
        asked = self.agent.call("identity.fill", **self.params(self.identity, {"target_id": page.target_id}))
        self.assertEqual(asked["status"], "awaiting_approval", asked)
        self.home.cli("approve", asked["purchase"], passphrase=PASSPHRASE)
        answer = self.agent.call("purchase.fill", purchase=asked["purchase"], page={"target_id": page.target_id})
        self.assertEqual(answer["status"], "filled", answer)

    def test_a_login_into_a_page_of_its_own(self):
        origin = self.origins["accounts"]
        answer = self.agent.call("login.fill", **self.params(self.login, {"url": origin + "/login", "open": True}, origin, submit=True))
        self.assertEqual((answer["status"], answer["strength"]), ("filled", "sealed"), answer)
        wait_until(lambda: self.shop.posted, "the form", 30)
        self.assertEqual(self.shop.posted.pop(), {"user": "ada", "pass": PASSWORD})

    def test_a_login_never_into_the_agents_page(self):
        origin = self.origins["scripted"]
        page = self.browser.open(origin + "/login")
        params = self.params(self.scripted, {"target_id": page.target_id}, origin)
        self.assertEqual(self.agent.refusal("login.fill", **params), "page_tainted")
        self.assertEqual(page.evaluate("[...document.querySelectorAll('input')].map(i => i.value).join('')"), "")
        page.close()
        # Nor into another page of that origin: its storage and its workers are the agent's by now.
        opened = self.params(self.scripted, {"url": origin + "/login", "open": True}, origin, submit=True)
        self.assertEqual(self.agent.refusal("login.fill", **opened), "page_tainted")
        self.assertEqual(self.shop.posted, [])

    def test_a_login_of_another_origin(self):
        origin = self.origins["accounts"]
        page = {"url": origin + "/login", "open": True}
        self.assertEqual(self.agent.refusal("login.fill", **self.params(self.other, page, origin, submit=True)), "origin_mismatch")
        self.assertEqual(self.shop.posted, [])

    def test_records_of_other_kinds(self):
        page = {"url": self.shop.origin + "/login"}
        self.assertEqual(self.agent.refusal("identity.fill", **self.params(self.login, page)), "unsupported")
        self.assertEqual(self.agent.refusal("login.fill", **self.params(self.identity, page)), "unsupported")
        for amount, refused in ((0, None), (1, "invalid_params")):
            request = {"record": self.identity, "amount_minor": amount, "currency": "USD", "merchant_origin": self.shop.origin,
                       "reason": "x", "idempotency_key": "kind-%d" % amount}
            if refused:
                self.assertEqual(self.agent.refusal("purchase.request", **request), refused)
            else:
                self.assertEqual(self.agent.call("purchase.request", **request)["status"], "approved")

    def test_a_policy_names_them(self):
        """Every card is not every record."""
        self.policy("--record", "*")
        self.addCleanup(self.policy, *self.named)
        page = {"url": self.shop.origin + "/login", "open": True}
        self.assertEqual(self.agent.refusal("login.fill", **self.params(self.login, page)), "not_found")

    def test_without_the_guard(self):
        self.home.cli("browser", "--stop")
        page = {"url": self.shop.origin + "/login"}
        self.assertEqual(self.agent.refusal("login.fill", **self.params(self.login, page)), "strength_unavailable")


if __name__ == "__main__":
    unittest.main()
