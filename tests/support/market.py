"""Everything a purchase needs at once: home with card and agent, shop, processor, Chromium.

    with Market() as market:
        purchase = market.approved("key-1")
        page = market.open()
        with market.agent() as agent:
            agent.call("purchase.fill", purchase=purchase, page={"url": market.shop.checkout})
"""

from support.cdp import Browser
from support.chromium import Chromium
from support.home import CARD, PASSPHRASE, Home
from support.shop import Shop


class Market:
    def __init__(self, card=None, passphrase=PASSPHRASE, home=None):
        self.passphrase = passphrase
        self.fields = {**CARD, **(card or {})}
        self.home = home or Home()
        self.shop = self.chromium = self.browser = None
        self._connections = []
        try:
            self.home.start()
            self.home.make_vault(passphrase)
            self.card = self.home.add_card(**self.fields)
            self.key = self.home.add_agent("helper", passphrase)["key"]
            self.shop = Shop()
            self.chromium = Chromium()
            self.browser = Browser(self.chromium.port)
            self.set("allow_loopback_http", "true")
            self.set("browser.endpoint", self.chromium.endpoint)
            self.set_policy()
        except BaseException:
            self.close()
            raise

    def set(self, key, value):
        return self.home.cli("config", "set", key, value, passphrase=self.passphrase)

    def set_policy(self, **change):
        values = {"merchant": self.shop.origin, "processors": [self.shop.processor.origin], "per_use": "100.00",
                  "per_day": "5000.00", "strength": "dom", "passphrase": self.passphrase, **change}
        return self.home.set_policy("helper", **values)

    def agent(self):
        return self.home.agent(self.key)

    def request(self, idempotency_key, agent=None, **change):
        params = {"record": self.card["id"], "amount_minor": 2500, "currency": "USD",
                  "merchant_origin": self.shop.origin, "reason": "A book", "idempotency_key": idempotency_key, **change}
        if agent:
            return agent.call("purchase.request", **params)
        with self.agent() as own:
            return own.call("purchase.request", **params)

    def approved(self, idempotency_key, **change):
        """The id of a new purchase that the owner has approved."""
        asked = self.request(idempotency_key, **change)
        if asked["status"] != "awaiting_approval":
            raise AssertionError("not asked for approval: %r" % asked)
        self.home.cli("approve", asked["purchase"], passphrase=self.passphrase)
        return asked["purchase"]

    def open(self, url=None):
        """A new tab; the checkout page by default, ready to be filled."""
        page = self.browser.open(url or self.shop.checkout)
        if url is None:
            page.wait_for("window.ready === 3")
        return page

    def pay(self, page):
        """Press the page's button; what came in at the processor."""
        before = len(self.shop.processor.received)
        page.evaluate("document.getElementById('pay').click()")
        page.wait_for("window.outcome", 15)
        return self.shop.processor.received[before]

    def close(self):
        for thing in (self.browser and self.browser.close, self.chromium and self.chromium.stop,
                      self.shop and self.shop.stop, self.home.remove):
            if thing:
                try:
                    thing()
                except OSError:
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def digits(text):
    return "".join(c for c in text if c.isdigit())
