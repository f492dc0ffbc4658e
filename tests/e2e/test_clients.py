"""Stock clients (support/stock.py) at the guard's endpoint, and at a plain Chromium as the control: what works there must
work through the guard, but for what a processor's documents hold.

    POPVAULT_BUILD=build/dev python3 tests/e2e/test_clients.py [Plain | Guarded]
"""

import base64
import json
import os
import re
import shutil
import struct
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import stock
from support.chromium import Chromium
from support.guard import Guard
from support.home import wait_until
from support.shop import HTML, Server
from support.tap import Tap

MARK = "quince-marmalade-%s"  # what a document holds, which is looked for in all that a client got

SHOP = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Lantern Books</title>
<h1>Lantern Books</h1>
<form onsubmit="said.textContent = 'Hello ' + who.value; return false">
  <label>Your name <input id="who"></label>
  <label>Size <select id="size"><option value="s">Small</option><option value="l">Large</option></select></label>
  <button id="greet">Greet</button>
</form>
<p id="said"></p>
<button id="pay" onclick="paid.textContent = 'Paid'">Pay now</button> <p id="paid"></p>
<p><a id="away" href="/second">Second page</a> <a id="hosted" href="$psp/hosted">Pay there</a>
<a id="popup" href="/second" target="_blank">In a new tab</a></p>
%s
</html>"""
HOSTED = """<!doctype html><html lang="en"><meta charset="utf-8"><title>%(mark)s title</title><h1>%(mark)s</h1>
<button id="confirm" autofocus onclick="location.href = '%(shop)s/second'">Confirm</button></html>"""
SECOND = "<!doctype html><html lang='en'><meta charset='utf-8'><title>Second</title><h1>The second page</h1></html>"
FRAME = """<!doctype html><html lang="en"><meta charset="utf-8"><title>%(mark)s title</title>
<p id="inside">%(mark)s</p><label>Inner <input id="field" value="%(mark)s field"></label></html>"""


class Site:
    """shop.localhost with pages that embed help.localhost (anybody's) and psp.localhost (a processor's)."""

    def __init__(self):
        self.hosted = 0  # visits
        self.server = Server(self._answer)
        self.shop, self.help, self.psp = ("http://%s.localhost:%d" % (name, self.server.port) for name in ("shop", "help", "psp"))

    def _answer(self, handler, _, path, __, ___):
        host = handler.headers["Host"].split(".")[0]
        if path == "/hosted":
            self.hosted += 1
            return 200, HTML, (HOSTED % {"mark": MARK % "hosted", "shop": self.shop}).encode()
        if host in ("help", "psp"):
            return 200, HTML, (FRAME % {"mark": MARK % host}).encode()
        frames = {"/": "", "/help": self.help, "/psp": self.psp, "/both": self.help + " " + self.psp}
        if path in frames:
            return 200, HTML, (SHOP.replace("$psp", self.psp) % "".join('<iframe src="%s/frame" width="400" height="120"></iframe>' % origin
                                              for origin in frames[path].split())).encode()
        return (200, HTML, SECOND.encode()) if path == "/second" else (404, HTML, b"<!doctype html>nothing here")


def png_size(encoded):
    data = base64.b64decode(encoded)
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and data[-8:-4] == b"IEND", data[:16]
    return struct.unpack("!II", data[16:24])


class McpClient:
    """@playwright/mcp with the same verbs as the scripts; elements are named by the references of its snapshots."""

    def __init__(self, _):
        self.work = tempfile.mkdtemp(prefix="pv-mcp-")
        self.mcp = None

    def __call__(self, verb, **order):
        return getattr(self, verb)(**order)

    def connect(self, endpoint):
        if self.mcp:
            self.mcp.end()
        self.mcp = stock.Mcp(endpoint, self.work)

    def disconnect(self):
        self.mcp.end()

    def _snapshot(self):
        """The page as the tool tells it, in the text or in the file that the text names."""
        text, _ = self.mcp.tool("browser_snapshot")
        return text

    _NAMED = {"#who": 'textbox "Your name"', "#size": 'combobox "Size"', "#greet": 'button "Greet"', "#pay": 'button "Pay now"',
              "#away": 'link "Second page"', "#hosted": 'link "Pay there"', "#popup": 'link "In a new tab"', "#field": 'textbox "Inner"'}

    def _ref(self, selector):
        text = self._snapshot()
        found = re.search(re.escape(self._NAMED[selector]) + r".*?\[ref=(\w+)\]", text)
        if not found:
            raise stock.Error("%s is not in the snapshot: %s" % (selector, text))
        return found.group(1)

    def open(self, url):
        self.mcp.tool("browser_tabs", action="new")
        self.goto(url)

    def goto(self, url):
        text, _ = self.mcp.tool("browser_navigate", url=url)
        if "Page URL: " + url not in text:
            raise stock.Error(text)
        return 200

    def _tabs(self):
        """[(index, current, url)]"""
        text, _ = self.mcp.tool("browser_tabs", action="list")
        return [(int(n), bool(now), url) for n, now, url in re.findall(r"^- (\d+):( \(current\))? \[.*\]\((.*)\)$", text, re.M)]

    def tabs(self):
        return [url for _, _, url in self._tabs()]

    def pick(self, url):
        for index, _, there in self._tabs():
            if there == url:
                self.mcp.tool("browser_tabs", action="select", index=index)
                return True
        return False

    front = pick

    def popup(self, selector):
        before = len(self._tabs())
        self.mcp.tool("browser_click", target=self._ref(selector), element=selector)
        tabs = self._tabs()
        if len(tabs) == before:
            raise stock.Error("no new tab: %r" % tabs)
        self.mcp.tool("browser_tabs", action="select", index=tabs[-1][0])
        return self._tabs()[-1][2]

    def close(self):
        self.mcp.tool("browser_tabs", action="close")

    def back(self):
        self.mcp.tool("browser_navigate_back")
        return self.evaluate("location.href")

    def reload(self):
        self.mcp.tool("browser_press_key", key="F5")  # does nothing in a headless browser, and harms none
        return self.evaluate("location.href")

    def title(self):
        return self.evaluate("document.title")

    def fill(self, selector, value):
        self.mcp.tool("browser_fill_form", fields=[{"name": selector, "type": "textbox", "target": self._ref(selector), "value": value}])

    def type(self, selector, value):
        self.mcp.tool("browser_type", target=self._ref(selector), element=selector, text=value, slowly=True)

    def click(self, selector):
        self.mcp.tool("browser_click", target=self._ref(selector), element=selector)

    def press(self, key):
        self.mcp.tool("browser_press_key", key=key)

    def select(self, selector, value):
        self.mcp.tool("browser_select_option", target=self._ref(selector), element=selector, values=[value])

    def wait(self, selector, text):
        self.mcp.tool("browser_wait_for", text=text)

    def evaluate(self, script):
        text, _ = self.mcp.tool("browser_evaluate", function="() => (%s)" % script)
        found = re.search(r"### Result\n(.*?)(?:\n### |\Z)", text, re.S)
        return json.loads(found.group(1)) if found and found.group(1).strip() != "undefined" else None

    def text(self, selector):
        return self.evaluate("document.querySelector(%s).textContent" % json.dumps(selector))

    def value(self, selector):
        return self.evaluate("document.querySelector(%s).value" % json.dumps(selector))

    def screenshot(self, full=False):
        _, images = self.mcp.tool("browser_take_screenshot", type="png", scale="css", fullPage=full)
        return images[0]

    def snapshot(self):
        return self._snapshot()

    pageSnapshot = snapshot

    def frameText(self, part, selector):
        mark = MARK % part.split(".")[0]
        if mark not in self._snapshot():
            raise stock.Error("not in the snapshot")
        return mark

    def frameFill(self, part, selector, value):
        self.fill(selector, value)

    def frameEvaluate(self, part, script):
        """All that its own language can do is at hand."""
        code = "async page => page.frames().find(f => f.url().includes(%s)).evaluate(%s)" % (json.dumps(part), json.dumps(script))
        text, _ = self.mcp.tool("browser_run_code_unsafe", code="async page => await Promise.race([(%s)(page), new Promise((_, no) => "
                                "setTimeout(() => no(new Error('no answer')), 2000))])" % code)
        return text

    def end(self):
        if self.mcp:
            self.mcp.end()
        shutil.rmtree(self.work, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


CLIENTS = {"playwright": stock.Script, "puppeteer": stock.Script, "remote_interface": stock.Script, "mcp": McpClient}


# What a client runs into at any browser: it tidies up what a navigation took away.
_ORDINARY = ("Cannot find context with specified id", "Session with given id not found.", "Could not find object with given id")


class Endpoint:
    """What both browsers must do. `guarded` says whose endpoint it is."""

    guarded = False

    @classmethod
    def setUpClass(cls):
        stock.install()
        cls.site = Site()
        cls.browser = cls.start()

    @classmethod
    def tearDownClass(cls):
        cls.browser.stop()
        cls.site.server.stop()

    def setUp(self):
        self.tap = Tap(self.browser.port)
        self.addCleanup(self.tap.close)

    def client(self, name):
        client = CLIENTS[name](name)
        self.addCleanup(client.end)
        client("connect", endpoint=self.tap.endpoint)
        return client

    def refusals(self, name):
        """What was refused to a client that did nothing but its ordinary work goes where it can be looked at."""
        if self.guarded and self.tap.refused:
            for (method, text), params in list(self.tap.refused.items()):
                if text in _ORDINARY:
                    continue
                print("refused to %s: %s %s: %s" % (name, method, json.dumps(params)[:300], text), file=sys.stderr)

    # Everyday work.

    def work(self, name, path="/"):
        client, site = self.client(name), self.site
        try:
            client("open", url=site.shop + path)
            self.assertEqual(client("title"), "Lantern Books")
            client("fill", selector="#who", value="Ada")
            self.assertEqual(client("value", selector="#who"), "Ada")
            client("type", selector="#who", value=" L")
            self.assertEqual(client("value", selector="#who").replace("Ada", "").strip(), "L")
            client("select", selector="#size", value="l")
            self.assertEqual(client("value", selector="#size"), "l")
            client("click", selector="#greet")
            client("wait", selector="#said", text="Hello")
            self.assertIn("L", client("text", selector="#said"))
            client("click", selector="#pay")
            client("wait", selector="#paid", text="Paid")
            self.assertEqual(client("evaluate", script="1 + 1"), 2)
            for full in (False, True):
                wide, high = png_size(client("screenshot", full=full))
                self.assertTrue(200 < wide < 4000 and 200 < high < 4000, (wide, high))
            for snapshot in ("snapshot", "pageSnapshot"):
                self.assertIn("Pay now", client(snapshot))
            # Away, back and anew.
            client("goto", url=site.shop + "/second")
            self.assertEqual(client("title"), "Second")
            self.assertEqual(client("back"), site.shop + path)
            self.assertEqual(client("reload"), site.shop + path)
            client("click", selector="#away")
            client("wait", selector="h1", text="The second page")
            # Tabs.
            client("goto", url=site.shop + path)
            self.assertEqual(client("popup", selector="#popup"), site.shop + "/second")
            self.assertEqual(client("title"), "Second")
            self.assertIn(site.shop + path, client("tabs"))
            client("close")
            wait_until(lambda: site.shop + "/second" not in client("tabs"), "the end of the tab", 30)
            # Hang up, and come again: the tab is still there.
            client("disconnect")
            client("connect", endpoint=self.tap.endpoint)
            self.assertTrue(client("pick", url=site.shop + path), client("tabs"))
            client("fill", selector="#who", value="Grace")
            client("click", selector="#greet")
            client("wait", selector="#said", text="Hello Grace")
            client("close")
            client("disconnect")
        finally:
            self.refusals(name)

    def apart(self, name):
        """A context of the client's own: what is in it is not in the others, and goes with it."""
        client = self.client(name)
        client("open", url=self.site.shop + "/")
        try:
            self.assertEqual(client("apart", url=self.site.shop + "/"),
                             {"answer": "yes640taste=plum", "cookies": ["taste=plum"], "said": ["hello"]})
        finally:
            self.refusals(name)
        self.assertEqual(client("cookie"), "")
        client("close")
        client("disconnect")  # Playwright answers the dialogs of others

    # Frames.

    def frame_of_anybody(self, name):
        client = self.client(name)
        client("open", url=self.site.shop + "/help")
        self.assertEqual(client("frameText", part="help.localhost", selector="#inside"), MARK % "help")
        client("frameFill", part="help.localhost", selector="#field", value="written")
        self.assertIn("written", client("frameEvaluate", part="help.localhost", script="document.getElementById('field').value"))
        client("click", selector="#pay")
        client("wait", selector="#paid", text="Paid")
        client("close")
        self.refusals(name)

    def frame_of_a_processor(self, name):
        """The page works; the frame is out of bounds behind the guard, and open without."""
        client = self.client(name)
        client("open", url=self.site.shop + "/both")
        tries = [("frameText", {"selector": "#inside"}), ("frameFill", {"selector": "#field", "value": "planted"}),
                 ("frameEvaluate", {"script": "document.body.innerHTML"})]
        if name == "mcp":  # fill_form names the other frame's field
            tries.pop(1)
        for verb, order in tries:
            if self.guarded:
                with self.assertRaises(stock.Error, msg=verb):
                    client(verb, part="psp.localhost", **order)
            elif verb != "frameFill":
                self.assertIn(MARK % "psp", str(client(verb, part="psp.localhost", **order)))
        self.assertIn("Pay now", client("snapshot"))
        self.assertIn("Pay now", client("pageSnapshot"))
        self.assertEqual(client("frameText", part="help.localhost", selector="#inside"), MARK % "help")
        client("fill", selector="#who", value="Ada")
        client("click", selector="#greet")
        client("wait", selector="#said", text="Hello Ada")
        png_size(client("screenshot"))
        client("close")
        self.assertIn((MARK % "help").encode(), self.tap.received)
        (self.assertNotIn if self.guarded else self.assertIn)((MARK % "psp").encode(), self.tap.received)
        self.refusals(name)

    def arrives(self, client):
        """At the shop again: a client that looks while the processor's page is still there is refused, and looks again."""
        end = time.monotonic() + 15
        while True:
            try:
                return client("wait", selector="h1", text="The second page")
            except stock.Error:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def hosted_checkout(self, name):
        """The whole page is the processor's: nobody reads it, but the agent can press its button and goes on afterwards."""
        client, visits = self.client(name), self.site.hosted
        client("open", url=self.site.shop + "/")
        try:
            client("click", selector="#hosted")
        except stock.Error as error:  # MCP says what the page looks like after each click
            if not self.guarded or "payment processor's" not in str(error):
                raise
        wait_until(lambda: self.site.hosted > visits, "the processor's page is asked for")
        time.sleep(0.5)
        if self.guarded:
            for verb, order in (("text", {"selector": "h1"}), ("evaluate", {"script": "document.body.innerHTML"}), ("snapshot", {})):
                try:
                    self.assertNotIn(MARK % "hosted", str(client(verb, **order)))
                except stock.Error:
                    pass
        else:
            self.assertIn(MARK % "hosted", client("text", selector="h1"))
        try:
            client("press", key="Enter")
        except stock.Error as error:  # a client that wants to see the page afterwards
            print("%s: %s" % (name, str(error)[:300]), file=sys.stderr)
        self.arrives(client)
        self.assertEqual(client("title"), "Second")
        client("goto", url=self.site.shop + "/")
        client("fill", selector="#who", value="Ada")
        client("click", selector="#greet")
        client("wait", selector="#said", text="Hello Ada")
        client("close")
        (self.assertNotIn if self.guarded else self.assertIn)((MARK % "hosted").encode(), self.tap.received)
        self.refusals(name)

    # Two at once.

    def two(self, one, other):
        first, second = self.client(one), self.client(other)
        first("open", url=self.site.shop + "/")
        second("open", url=self.site.shop + "/help")
        for client, who in ((first, "Ada"), (second, "Grace"), (first, "Ada again")):
            client("fill", selector="#who", value=who)
            client("click", selector="#greet")
            client("wait", selector="#said", text="Hello " + who)
            client("front", url=self.site.shop + ("/" if client is first else "/help"))
            png_size(client("screenshot"))
        self.assertEqual(first("text", selector="#said"), "Hello Ada again")
        self.assertEqual(second("text", selector="#said"), "Hello Grace")
        # One goes away, the other does not notice.
        first("close")
        first("disconnect")
        second("goto", url=self.site.shop + "/second")
        self.assertEqual(second("title"), "Second")
        second("close")
        self.refusals(one + " and " + other)

    def test_playwright(self):
        self.work("playwright")

    def test_contexts(self):
        self.apart("playwright")
        self.apart("puppeteer")

    def test_playwright_frames(self):
        self.frame_of_anybody("playwright")
        self.frame_of_a_processor("playwright")

    def test_puppeteer(self):
        self.work("puppeteer")

    def test_puppeteer_frames(self):
        self.frame_of_anybody("puppeteer")
        self.frame_of_a_processor("puppeteer")

    def test_remote_interface(self):
        self.work("remote_interface")

    def test_remote_interface_frames(self):
        self.frame_of_anybody("remote_interface")
        self.frame_of_a_processor("remote_interface")

    def test_playwright_mcp(self):
        self.work("mcp")

    def test_playwright_mcp_frames(self):
        self.frame_of_anybody("mcp")
        self.frame_of_a_processor("mcp")

    def test_hosted_checkout(self):
        for name in ("playwright", "puppeteer", "remote_interface"):
            self.hosted_checkout(name)

    def test_hosted_checkout_mcp(self):
        self.hosted_checkout("mcp")

    def test_two_at_once(self):
        self.two("playwright", "puppeteer")
        self.two("playwright", "playwright")
        self.two("mcp", "remote_interface")


class Plain(Endpoint, unittest.TestCase):
    """The control: a Chromium with a debugging port, which keeps nothing from anybody."""

    @classmethod
    def start(cls):
        return Chromium(("--disable-features=BackForwardCache",))  # as the guard does: a page from there never loads


class Guarded(Endpoint, unittest.TestCase):
    """The same through the guard, which keeps the documents of psp.localhost from every client."""

    guarded = True

    @classmethod
    def start(cls):
        return Guard(processors=[cls.site.psp])


if __name__ == "__main__":
    unittest.main(verbosity=1)
