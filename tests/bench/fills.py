"""Ours, the bare fill and stock Playwright on the same pages, each time on a page that has just been loaded."""

import os
import time

from measure import WARM_UPS, Row, by_turns, timed
from support.home import CARD

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 3  # times the bare fill, on the simple page
VALUES = {"number": CARD["number"], "expiry": CARD["exp_month"] + "/" + CARD["exp_year"][2:], "cvc": CARD["cvv"],
          "holder": CARD["holder"]}
FORM, FRAMES = "document.forms.length === 1", "window.ready === 3"  # when a page can be filled
READ_FRAME = "document.getElementById('field').value"
REST = 0.2  # seconds between loading and filling: a page that is still busy with itself would be measured


EMPTY = "document.querySelectorAll('input').forEach(e => { e.value = ''; e.removeAttribute('style'); e.blur(); })"


class Tab:
    """One tab, loaded anew for each run, or emptied if it is `kept`; nobody is attached to it then but runs that are
    `attached`."""

    def __init__(self, market, url, ready, kept=False):
        self.browser, self.url, self.ready, self.kept = market.browser, url, ready, kept
        self.target = self.browser.open(url).target_id

    def run(self, fill, attached=False):
        page = self.browser.attach(self.target)
        if self.kept:
            page.evaluate(EMPTY)
        else:
            page.call("Page.navigate", url=self.url)
        page.wait_for(self.ready)
        time.sleep(REST)
        if attached:
            spent = fill(page)
        self.browser.call("Target.detachFromTarget", {"sessionId": page.session_id})
        return spent if attached else fill(page)

    def close(self):
        self.browser.call("Target.closeTarget", {"targetId": self.target})


class Ours:
    """purchase.fill from the request to the reply, with purchases that were approved before."""

    def __init__(self, market, agent, count):
        self.agent = agent
        self.purchases = []
        for number in range(count):
            asked = market.request("fill-%d" % number, agent, amount_minor=100)
            if asked["status"] != "approved":
                raise RuntimeError("a purchase was not approved by the policy: %r" % asked)
            self.purchases.append(asked["purchase"])

    def __call__(self, page):
        purchase = self.purchases.pop()
        return timed(lambda: self.agent.call("purchase.fill", purchase=purchase, page={"target_id": page.target_id}))


def bare_simple(page):
    """Seven calls on a warm socket: focus and text for number, expiry and code, and one that reads them back. The holder's
    name, which ours fills too, is left out."""
    page.call("Emulation.setFocusEmulationEnabled", enabled=True)
    names = ["number", "expiry", "cvc"]
    read = []

    def fill():
        for name in names:
            page.evaluate("document.forms[0].%s.focus()" % name)
            page.call("Input.insertText", text=VALUES[name])
        read.extend(page.evaluate("[%s]" % ",".join("document.forms[0].%s.value" % name for name in names)))

    spent = timed(fill)
    if read != [VALUES[name] for name in names]:
        raise RuntimeError("the bare fill did not fill the page")
    return spent


def bare_frames(page):
    """Focus, text and read back in each of three frames, on a warm socket with all three attached: nine calls."""
    page.call("Emulation.setFocusEmulationEnabled", enabled=True)
    frames = {url.split("/field/")[1].split("?")[0]: frame for url, frame in page.browser.frames(page).items()}
    for frame in frames.values():
        frame.call("Emulation.setFocusEmulationEnabled", enabled=True)
    read = {}

    def fill():
        for name, frame in frames.items():
            frame.evaluate("document.getElementById('field').focus()")
            frame.call("Input.insertText", text=VALUES[name])
            read[name] = frame.evaluate(READ_FRAME)

    spent = timed(fill)
    for name, value in read.items():
        if "".join(c for c in value if c.isdigit()) != VALUES[name].replace("/", ""):
            raise RuntimeError("the bare fill did not fill the frame %s: %r" % (name, value))
    return spent


def rows(market, new_agent, playwright, rounds, say):
    with open(os.path.join(HERE, "simple.html"), encoding="utf-8") as file:
        market.shop.pages["/bench"] = file.read()
    simple = market.shop.origin + "/bench"
    out = []
    for what, kind, url, ready, bare, bare_what, limit in (
            ("simple page", "simple", simple, FORM, bare_simple, "7 bare calls", LIMIT),
            ("same page, kept open", "kept", simple, FORM, bare_simple, "7 bare calls", LIMIT),
            ("three frames", "frames", market.shop.checkout, FRAMES, bare_frames, "9 bare calls", None)):
        say("filling: " + what)
        kept = kind == "kept"
        stock = playwright.there and not kept
        tab = Tab(market, url, ready, kept)
        with new_agent("fill-" + kind) as agent:
            ours = Ours(market, agent, rounds + WARM_UPS)
            samples = by_turns(rounds, lambda: tab.run(ours), lambda: tab.run(bare, attached=True),
                               lambda: tab.run(lambda _: playwright.fill(kind, url)) if stock else None)
        tab.close()
        out.append(Row(what + ": purchase.fill", samples[0], bare_what, samples[1], limit))
        if not kept:
            out.append(Row(what + ": purchase.fill", samples[0], "stock Playwright" + playwright.why_not,
                           samples[2] if stock else None))
    return out
