"""Home with card and agent, checkout pages (support/sites.py) and the guarded browser, which the daemon started.

    with GuardedMarket() as market:
        purchase = market.approved(market.site("js_token"), "key-1")
        market.endpoint          # for any CDP client
"""

import json
import os

from support.home import CARD, PASSPHRASE, Home
from support.sites import Sites

# How the pages of js_token post a card; the processor is a local one, so the owner vouches for it.
RECIPE = {
    "name": "local-js-token", "version": 1, "title": "A local processor", "source": "tests/e2e/sites/processors/js_token.js",
    "checked": True, "date": "2026-11-22", "mode": "wire", "frames": ["filled"],
    "requests": [{
        "method": "POST", "path": "/js/v1/token", "body": "form",
        "places": {"number": "number", "exp_month": {"path": "month", "formats": ["MM"]},
                   "exp_year": {"path": "year", "formats": ["YYYY"]}, "cvc": "cvv"},
        "allow": ["first_name", "last_name", "version", "deviceId", "sessionId"],
        "accounts": [{"member": "key"}]}]}
ACCOUNT = "ewr1-test"


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
            self._add_recipe()
            self.browser = self.home.cli("browser", *(["--headless"] if headless else []), timeout=120).json
            self.endpoint = self.browser["endpoint"].rstrip("/")
        except BaseException:
            self.close()
            raise

    def _add_recipe(self):
        origin = self.sites.origin("js-token")
        recipe = json.loads(json.dumps(RECIPE))
        recipe["documents"] = [origin]
        recipe["requests"][0]["origins"] = [origin]
        path = os.path.join(self.home.tmp, "local-js-token.json")
        with open(path, "w", encoding="ascii") as file:
            json.dump(recipe, file)
        self.home.cli("recipe", "add", path, "--unsigned", passphrase=self.passphrase)

    def set_policy(self, name, strength="wire", more=()):
        shop = self.sites.origin("shop")
        return self.home.set_policy(name, merchant=shop, processors=[self.sites.origin("js-token")], per_use="100.00", per_day="5000.00",
                                    strength=strength, more=("--account", "%s=%s" % (shop, ACCOUNT), *more),
                                    passphrase=self.passphrase)

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


__all__ = ["ACCOUNT", "CARD", "GuardedMarket"]
