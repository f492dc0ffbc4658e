"""Home with card and agent, checkout pages (support/sites.py) and the guarded browser, which the daemon started.

    with GuardedMarket() as market:
        purchase = market.approved(market.site("js_token"), "key-1")
        market.endpoint          # for any CDP client
"""

import json
import os

from support.home import PASSPHRASE, Home
from support.sites import Sites

# How some pages of tests/e2e/sites post a card, by the processor's host. The processors are local ones, so the owner vouches.
EXPIRY = {"exp_month": {"path": "month", "formats": ["MM"]}, "exp_year": {"path": "year", "formats": ["YYYY"]}}
RECIPES = {
    "js-token": {"method": "POST", "path": "/js/v1/token", "body": "form", "places": {"number": "number", **EXPIRY, "cvc": "cvv"},
                 "allow": ["first_name", "last_name", "version", "deviceId", "sessionId"], "accounts": [{"member": "key"}]},
    "tokens": {"method": "POST", "path": "/tokens", "body": "json",
               "places": {"number": "number", "exp_month": {"path": "expiry_month", "formats": ["M"], "json": "integer"},
                          "exp_year": {"path": "expiry_year", "formats": ["YYYY"], "json": "integer"}, "cvc": "cvv"},
               "allow": ["type", "preferred_scheme", "requestSource", "phone.*"], "accounts": [{"header": "authorization"}]},
    "direct": {"method": "POST", "path": "/tokens", "body": "json",
               "places": {"number": "card.number", "exp_month": {"path": "card.exp_month", "formats": ["MM", "M"]},
                          "exp_year": {"path": "card.exp_year", "formats": ["YYYY", "YY"]}, "cvc": "card.cvc"},
               "allow": [], "accounts": [{"member": "publishable_key"}]}}
ACCOUNTS = ["ewr1-test", "pk_sbox_tokens", "pk_test_direct"]


class GuardedMarket:
    def __init__(self, passphrase=PASSPHRASE, headless=True):
        self.passphrase, self.home, self.sites = passphrase, Home(), None
        try:
            self.home.start()
            self.home.make_vault(passphrase)
            self.card = self.home.add_card()
            self.sites = Sites()
            self.home.cli("config", "set", "allow_loopback_http", "true", passphrase=passphrase)
            self.key = self.home.add_agent("helper", passphrase)["key"]
            self.set_policy("helper")
            self._add_recipes()
            self.browser = self.home.cli("browser", *(["--headless"] if headless else []), timeout=120).json
            self.endpoint = self.browser["endpoint"].rstrip("/")
        except BaseException:
            self.close()
            raise

    def _add_recipes(self):
        for host, request in RECIPES.items():
            origin = self.sites.origin(host)
            path = os.path.join(self.home.tmp, host + ".json")
            with open(path, "w", encoding="ascii") as file:
                json.dump({"name": "local-" + host, "version": 1, "title": "A local processor", "source": "tests/e2e/sites", "checked": True,
                           "date": "2026-11-22", "mode": "wire", "documents": [origin], "frames": ["filled"],
                           "requests": [{**request, "origins": [origin]}]}, file)
            self.home.cli("recipe", "add", path, "--unsigned", passphrase=self.passphrase)

    def set_policy(self, name, strength="wire", more=()):
        shop = self.sites.origin("shop")
        accounts = [part for account in ACCOUNTS for part in ("--account", "%s=%s" % (shop, account))]
        return self.home.set_policy(name, merchant=shop, processors=[self.sites.origin(host) for host in RECIPES], per_use="100.00",
                                    per_day="5000.00", strength=strength, more=(*accounts, *more), passphrase=self.passphrase)

    def site(self, name):
        return self.sites.site(name)

    def agent(self):
        return self.home.agent(self.key)

    def request(self, agent, site, idempotency_key, **change):
        return agent.call("purchase.request", **{"record": self.card["id"], "amount_minor": 100, "currency": "USD",
                                                 "merchant_origin": site.merchant, "reason": "A book",
                                                 "idempotency_key": idempotency_key, **change})

    def approve(self, purchase):
        self.home.cli("approve", purchase, passphrase=self.passphrase)

    def close(self):
        for thing in (self.sites and self.sites.stop, self.home.remove):
            if thing:
                thing()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
