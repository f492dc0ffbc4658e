"""One purchase after another through the whole product, at one strength, from an agent's side.

    with checkout_for("wire") as checkout:
        page = checkout.open(checkout.sites.site("elements_three"))
        answer = checkout.fill(page)      # {"status": ...} or {"refused": reason}
        checkout.press_pay(page)
        checkout.arrived(page)            # the request that reached the processor

`Attached` is a Chromium of its own with a debugging port (dom, wire_attached); `Guarded` is `popvault browser` (wire, sealed). Each has
one home, one daemon and one browser; purchases are approved by the policy.
"""

import json
import os
import time

from support import scan
from support.cdp import Browser, CdpError
from support.chromium import Chromium
from support.home import PASSPHRASE, Home
from support.rpc import RpcError
from support.sites import Sites

# A number that no test, page or alias uses, so that a find is a find.
CARD = {"number": "4539178253096149", "exp_month": "11", "exp_year": "2033", "cvv": "862", "holder": "Ada Lovelace"}
AGENTS = 3  # each may ask 60 times at once


def patiently(call, patience=120.0):
    """The buckets of an agent and a record fill again: a fast machine asks faster than they do."""
    end = time.monotonic() + patience
    while True:
        try:
            return call()
        except RpcError as error:
            if error.reason != "rate_limited" or time.monotonic() > end:
                raise
        time.sleep(0.5)


class Page:
    """A tab of the agent's and the site it shows."""

    def __init__(self, session, site, since):
        self.session, self.site, self.since = session, site, since
        self.target_id = session.target_id if session else None
        self.pay_at = None


class Checkout:
    strength = None

    def __init__(self, strength, card=None, sites=None):
        self.strength = strength
        self.fields = {**CARD, **(card or {})}
        self.home = Home()
        self.sites = sites or Sites()
        self._own_sites = sites is None
        self._browsers = []
        self._count = 0
        try:
            self.home.start()
            self.home.make_vault()
            self.card = self.home.add_card(**self.fields)
            self.set("allow_loopback_http", "true")
            if self.strength != "dom":
                self.add_recipes()
            self.keys = []
            for number in range(AGENTS):
                name = "agent%d" % number
                self.keys.append(self.home.add_agent(name)["key"])
                self._policy(name)
            self.start_browser()
            self.browser = self.client()
        except BaseException:
            self.close()
            raise

    # What the two kinds do differently.

    def add_recipes(self):
        for name, recipe in self.sites.recipes().items():
            if recipe["mode"] == "wire" and not self.strength.startswith("wire"):
                continue  # what can be replaced in a request is not sealed
            path = os.path.join(self.home.tmp, name + ".json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(recipe, file)
            self.home.cli("recipe", "add", path, "--unsigned", passphrase=PASSPHRASE)

    def start_browser(self):
        raise NotImplementedError

    def profile(self):
        """The browser's profile folder."""
        raise NotImplementedError

    def stop_browser(self):
        raise NotImplementedError

    # The owner's part.

    def set(self, key, value):
        return self.home.cli("config", "set", key, value, passphrase=PASSPHRASE)

    def _policy(self, name):
        args = ["policy", "set", name]
        for merchant, (processors, accounts) in self.sites.merchants().items():
            args += ["--merchant", merchant]
            for origin in processors:
                args += ["--processor", merchant + "=" + origin]
            if self.strength.startswith("wire"):
                for account in accounts:
                    args += ["--account", merchant + "=" + account]
        args += ["--per-use", "100.00", "--per-day", "5000.00", "--per-month", "50000.00", "--currency", "USD", "--strength", self.strength,
                 "--ask-above", "1000.00", "--no-kill", "--uses-per-hour", "10000", "--record", "*", "--unlisted", "deny", "--expires", "never"]
        return self.home.cli(*args, passphrase=PASSPHRASE)

    # The agent's part.

    def client(self):
        """A further CDP client at the agents' endpoint; `tap` keeps all that it receives."""
        browser = Browser(self.port)
        browser.socket.socket.settimeout(8)  # what is held for ever is given up
        browser.tap = []
        receive = browser.socket.receive

        def tapped():
            text = receive()
            browser.tap.append(text)
            return text
        browser.socket.receive = tapped
        self._browsers.append(browser)
        return browser

    def revive(self):
        """The browser answers; a client that lost its connection is replaced, further ones are closed."""
        for browser in self._browsers:
            if browser is not self.browser:
                browser.close()
        try:
            self.browser.call("Target.getTargets")
        except (CdpError, OSError):
            self.browser.close()
            self.browser = self.client()
            self.browser.call("Target.getTargets")

    def forget_clients(self):
        self._browsers = [self.browser]
        self.browser.tap.clear()
        self.browser.events.clear()

    def agent(self):
        return self.home.agent(self.keys[self._count % len(self.keys)])

    def open(self, site, browser=None, ready=True):
        """The site's page in a new tab, ready to be filled."""
        since = len(self.sites.requests)
        browser = browser or self.browser
        if site.where == "top":  # no script runs there for an agent
            target = browser.call("Target.createTarget", {"url": site.url})["targetId"]
            wait_for(lambda: [r for r in self.sites.requests[since:] if r.path == "/lib/card.js"])
            page = Page(browser.attach(target), site, since)
            page.pay_at = [80, 338]
            return page
        session = browser.open(site.url)
        if ready:
            session.wait_for("window.ready")
        page = Page(session, site, since)
        page.pay_at = where_is(session, "#pay")
        return page

    def fill_unopened(self, site):
        """purchase.fill of a page that popvault opens by itself and whose button it presses; (Page, answer)."""
        page = Page(None, site, len(self.sites.requests))
        return page, self.fill(page, named={"url": site.url, "open": True}, submit=True)

    def fill(self, page, named=None, **more):
        """purchase.request and purchase.fill; the answer, or {"refused": reason}."""
        site = page.site
        self._count += 1
        with self.agent() as agent:
            asked = patiently(lambda: agent.call(
                "purchase.request", record=self.card["id"], amount_minor=100, currency="USD", merchant_origin=site.merchant,
                reason="A book", idempotency_key="key-%d-%d" % (os.getpid(), self._count)))
            if asked["status"] != "approved":
                return {"refused": asked.get("reason") or asked["status"], "purchase": asked["purchase"]}
            page.purchase = asked["purchase"]
            try:
                return patiently(lambda: agent.call("purchase.fill", purchase=asked["purchase"],
                                                    page=named or {"target_id": page.target_id}, **more))
            except RpcError as error:
                return {"refused": error.reason, "purchase": asked["purchase"], "data": error.data}

    def press_pay(self, page):
        """A mouse click on the page's button, as an agent gives it."""
        at = page.pay_at or where_is(page.session, "#pay")
        for kind in ("mousePressed", "mouseReleased"):
            page.session.call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", clickCount=1)

    def arrived(self, page, patience=10.0):
        """The first request that reached the processor's endpoint since the page was opened, or None."""
        return self.sites.wait_arrival(page.site, page.since, patience)

    def ended(self, page):
        """The purchase's status, when nothing more will come of it."""
        with self.agent() as agent:
            try:
                status = agent.call("purchase.status", purchase=page.purchase)["status"]
            except RpcError as error:
                return error.reason
        return status if status not in ("armed", "filling") else None

    def outcome(self, page, patience=6.0):
        """Waits until the card arrived at the processor or, where the page holds an alias, the purchase ended."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self.sites.arrivals(page.site, page.since):
                return self.sites.arrivals(page.site, page.since)[0]
            if self.strength.startswith("wire") and self.ended(page):
                return None
            if not self.strength.startswith("wire") and end - time.monotonic() < patience - 1.0:
                return None
            time.sleep(0.03)
        return None

    def shut(self, page):
        try:
            self.browser.call("Target.closeTarget", {"targetId": page.target_id})
        except (CdpError, OSError):
            pass

    # What may be nowhere.

    def needles(self):
        return scan.number_needles(self.fields["number"])

    def close(self):
        things = [*[browser.close for browser in self._browsers], self.stop_browser, self.home.remove]
        if self._own_sites:
            things.append(self.sites.stop)
        for thing in things:
            try:
                thing()
            except (OSError, AttributeError, CdpError):
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Attached(Checkout):
    """A Chromium that the owner enrolled: agents use its debugging port themselves."""

    chromium = None

    def start_browser(self):
        self.chromium = Chromium()
        self.port = self.chromium.port
        self.set("browser.endpoint", self.chromium.endpoint)

    def profile(self):
        return self.chromium.profile

    def stop_browser(self):
        if self.chromium:
            self.chromium.stop()


class Guarded(Checkout):
    """`popvault browser`: agents have the guard's endpoint."""

    def start_browser(self):
        self.folder = os.path.join(self.home.base, "browser")
        answer = self.home.cli("browser", "--headless", "--profile", self.folder).json
        self.port = int(answer["endpoint"].rsplit(":", 1)[1].split("/")[0])

    def profile(self):
        return self.folder

    def stop_browser(self):
        self.home.run("browser", "--stop")


def checkout_for(strength, **more):
    return (Attached if strength in ("dom", "wire_attached") else Guarded)(strength, **more)


def where_is(session, selector):
    return session.evaluate("(() => { const r = document.querySelector('%s').getBoundingClientRect();"
                            "return [r.x + r.width / 2, r.y + r.height / 2]; })()" % selector)


def wait_for(condition, patience=10.0):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    return None
