"""A whole purchase by an agent with stock @playwright/mcp on the guard's endpoint and a key for agent.sock, in wire strength."""

import os
import re
import sys
import tempfile
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import scan, stock
from support.guarded_market import GuardedMarket
from support.home import CARD, wait_until
from support.tap import Tap

LOOKED_AT, LOOK_FOR = 8, 5  # requests, and seconds for each look


class Purchase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        stock.install()
        cls.market = GuardedMarket()

    @classmethod
    def tearDownClass(cls):
        cls.market.close()

    def setUp(self):
        self.tap = Tap(int(urllib.parse.urlsplit(self.market.endpoint).port))
        self.addCleanup(self.tap.close)
        folder = tempfile.TemporaryDirectory(prefix="pv-mcp-")
        self.addCleanup(folder.cleanup)
        self.work = folder.name
        self.mcp = stock.Mcp(self.tap.endpoint, self.work)
        self.addCleanup(self.mcp.end)
        self.agent = self.market.agent()
        self.addCleanup(self.agent.close)

    def tool(self, name, **arguments):
        return self.mcp.tool(name, **arguments)[0]

    def ref(self, what):
        text = self.tool("browser_snapshot")
        found = re.search(re.escape(what) + r".*?\[ref=(\w+)\]", text)
        self.assertTrue(found, "%s is not in %s" % (what, text))
        return found.group(1)

    def status(self, purchase):
        return self.agent.call("purchase.status", purchase=purchase)["status"]

    def test_playwright_mcp_buys(self):
        market, site = self.market, self.market.site("js_token")
        # The agent goes to the shop.
        self.assertIn("Page URL: " + site.url, self.tool("browser_navigate", url=site.url))
        pay = self.ref('button "Pay 1.00"')
        # It asks, and the owner says yes.
        asked = market.request(self.agent, site, "mcp-1")
        purchase = asked["purchase"]
        self.assertEqual(asked["status"], "awaiting_approval", asked)
        market.approve(purchase)
        filled = self.agent.call("purchase.fill", purchase=purchase, page={"url": site.url})
        self.assertEqual((filled["strength"], filled["browser"]), ("wire", "guarded"), filled)
        self.assertEqual(filled["status"], "armed", filled)
        # It presses Pay, as in any shop.
        before = len(market.sites.requests)
        self.tool("browser_take_screenshot", type="png", scale="css")
        self.tool("browser_click", target=pay, element="Pay")
        arrival = market.sites.wait_arrival(site, before)
        self.assertTrue(arrival, "nothing came to the processor")
        got = market.sites.card(arrival)
        self.assertEqual([got[name] for name in ("number", "month", "year", "cvv")],
                         [CARD["number"], CARD["exp_month"], CARD["exp_year"], CARD["cvv"]])
        wait_until(lambda: self.status(purchase) in ("filled", "settled"), "the purchase is filled")
        # The order is confirmed, as the agent sees it.
        self.tool("browser_wait_for", text="tok_")
        self.assertIn("tok_", self.tool("browser_snapshot"))
        # It looks everywhere that its tools reach.
        listed = self.tool("browser_network_requests", static=True)
        # Of those that have an answer: the tool waits for the others.
        answered = re.findall(r"^(\d+)\. .*=> \[\d+\]", listed, re.M)
        self.assertTrue(answered, listed)
        for index in answered[-LOOKED_AT:]:
            for part in ("request-headers", "request-body", "response-headers", "response-body"):
                try:
                    self.mcp.tool("browser_network_request", seconds=LOOK_FOR, index=int(index), part=part)
                except stock.Error:
                    pass
        for script in ("document.documentElement.outerHTML", "JSON.stringify(window.outcome)", "performance.getEntries().map(e => e.name).join()"):
            self.tool("browser_evaluate", function="() => %s" % script)
        for part in ("frames", "value"):
            try:
                self.tool("browser_run_code_unsafe", code="async page => (await Promise.all(page.frames().map(f => Promise.race(["
                          "f.evaluate(\"[...document.querySelectorAll('input')].map(i => i.value).join()\"), "
                          "new Promise(r => setTimeout(() => r('none'), 2000))])))).join()")
            except stock.Error:
                pass
        self.tool("browser_console_messages", level="debug")
        # And has the number nowhere: what is looked for is what really arrived.
        needles = scan.card_needles(CARD["number"], CARD["cvv"])
        self.assertTrue(scan.scan_bytes(arrival.body, needles, "control"))
        for where, data in (("CDP", self.tap.received), ("MCP", self.mcp.received), ("agent.sock", self.agent.received)):
            self.assertGreater(len(data), 100, where)
            self.assertEqual(scan.scan_bytes(data, needles, where), [])
        self.assertEqual(scan.scan_tree(self.work, needles), [])
        # Once is once.
        before = len(market.sites.requests)
        self.tool("browser_click", target=self.ref('button "Pay 1.00"'), element="Pay")
        for request in market.sites.requests[before:]:
            self.assertEqual(scan.scan_bytes(request.body, needles, "a second post"), [])


if __name__ == "__main__":
    unittest.main(verbosity=1)
