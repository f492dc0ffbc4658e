"""purchase.fill in the guarded browser, in wire strength, beside bare calls and stock Playwright at a browser's own port.

What is timed ends with the alias typed and read back (`armed`): then the agent presses Pay.
"""

import os
from types import SimpleNamespace

from fills import FORM, VALUES, Tab, bare_simple
from measure import WARM_UPS, Row, by_turns, timed
from playwright import Playwright
from support.cdp import Browser
from support.chromium import Chromium
from support.guarded_market import GuardedMarket
from support.home import wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
FRAMES = "window.ready === true"
SIMPLE_LIMIT, FRAMES_LIMIT = 2, 4  # times the bare fill


class Ours:
    """purchase.fill from the request to the reply, with purchases that were approved before."""

    def __init__(self, market, name, site, count):
        market.set_policy_of(name)
        self.agent = market.home.agent(market.keys[name], "bench")
        self.purchases = []
        for number in range(count):
            asked = market.request(self.agent, site, "fill-%d" % number)
            if asked["status"] != "approved":
                raise RuntimeError("a purchase was not approved by the policy: %r" % asked)
            self.purchases.append(asked["purchase"])
        self.last = None

    def __call__(self, page):
        if self.last:  # its page is gone: it is over before the next begins
            wait_until(lambda: self.agent.call("purchase.status", purchase=self.last)["status"] != "armed", "the last one ends")
        self.last = self.purchases.pop()
        answer = {}
        spent = timed(lambda: answer.update(self.agent.call("purchase.fill", purchase=self.last, page={"target_id": page.target_id})))
        if answer["status"] != "armed" or answer["strength"] != "wire":
            raise RuntimeError("not filled: %r" % answer)
        return spent


def bare_frames(page):
    """As fills.bare_frames, on the pages of tests/e2e/sites."""
    page.call("Emulation.setFocusEmulationEnabled", enabled=True)
    frames = {url.split("fields=")[1].split("&")[0]: frame for url, frame in page.browser.frames(page).items()}
    for frame in frames.values():
        frame.call("Emulation.setFocusEmulationEnabled", enabled=True)
    read = {}

    def fill():
        for name, frame in frames.items():
            frame.evaluate("document.querySelector('input').focus()")
            frame.call("Input.insertText", text=VALUES[name])
            read[name] = frame.evaluate("document.querySelector('input').value")

    spent = timed(fill)
    if len(read) != 3 or any("".join(c for c in value if c.isdigit()) != VALUES[name].replace("/", "") for name, value in read.items()):
        raise RuntimeError("the bare fill did not fill the frames: %r" % read)
    return spent


class BenchMarket(GuardedMarket):
    def __init__(self):
        self.keys = {}
        super().__init__()

    def set_policy_of(self, name):
        self.keys[name] = self.home.add_agent(name, self.passphrase)["key"]
        store = self.sites.origin("store")
        self.set_policy(name, more=("--ask-above", "50.00", "--merchant", store, "--processor", store + "=" + self.sites.origin("tokens"),
                                    "--account", store + "=pk_sbox_tokens"))


def rows(rounds, install, say):
    say("guard: starting daemon, shop and browsers")
    with BenchMarket() as market, Chromium() as chromium:
        with open(os.path.join(HERE, "simple.html"), encoding="utf-8") as file:
            market.sites.pages[("shop", "/bench")] = file.read()
        simple = market.sites.origin("shop") + "/bench"
        guarded = SimpleNamespace(browser=Browser(int(market.endpoint.rsplit(":", 1)[1])))
        plain = SimpleNamespace(browser=Browser(chromium.port))
        playwright = Playwright(chromium.endpoint, install)
        out = []
        try:
            for what, kind, site, url, ready, bare, bare_what, limit in (
                    ("simple page", "simple", market.site("xhr_form"), simple, FORM, bare_simple, "7 bare calls", SIMPLE_LIMIT),
                    ("three frames", "frames", market.site("token_frames"), market.site("token_frames").url, FRAMES, bare_frames,
                     "9 bare calls", FRAMES_LIMIT)):
                say("guard: filling, " + what)
                ours_tab, plain_tab = Tab(guarded, url, ready), Tab(plain, url, ready)
                ours = Ours(market, "fill-" + kind, site, rounds + WARM_UPS)
                samples = by_turns(
                    rounds, lambda: ours_tab.run(ours), lambda: plain_tab.run(bare, attached=True),
                    lambda: plain_tab.run(lambda _: playwright.fill(kind, url, "fields=NAME&")) if playwright.there else None)
                ours_tab.close()
                plain_tab.close()
                out += [Row("%s, guarded: purchase.fill" % what, samples[0], bare_what, samples[1], limit),
                        Row("%s, guarded: purchase.fill" % what, samples[0], "stock Playwright" + playwright.why_not,
                            samples[2] if playwright.there else None),
                        *([Row("%s: stock Playwright" % what, samples[2], bare_what, samples[1])] if playwright.there else [])]
        finally:
            playwright.close()
        return out
