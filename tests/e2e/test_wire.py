"""popvault-injector in wire_attached, against a real Chromium: the page gets aliases, the processor the card. No daemon: see
support/injector.py.

    POPVAULT_BUILD=build/dev python3 tests/e2e/test_wire.py
"""

import gzip
import http.server
import json
import os
import sys
import threading
import time
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from support import injector as inj  # noqa: E402
from support.cdp import Browser  # noqa: E402
from support.chromium import Chromium  # noqa: E402

BUILD = os.environ.get("POPVAULT_BUILD", os.path.join(HERE, "..", "..", "build", "dev"))
PROGRAM = os.path.abspath(os.path.join(BUILD, "src", "injector", "popvault-injector"))
ALIAS, CARD = inj.ALIASES[0], inj.CARD["number"]
NO_HOLDER = {k: v for k, v in inj.CARD.items() if k != "holder"}
ACCOUNT = "pk_test_of_this_shop"
SAID = [inj.READY, inj.ARMED]
HELD = SAID + [inj.WANTED]

FIELDS = """<!doctype html><meta charset="utf-8"><title>Pay</title>
<form onsubmit="return false">
<input id="number" autocomplete="cc-number" aria-label="Card number">
<input id="exp" autocomplete="cc-exp" placeholder="MM/YY">
<input id="cvc" autocomplete="cc-csc" aria-label="CVC">
<button type="submit" id="pay" onclick="%s">Pay</button></form>
<script>
const account = "pk_test_of_this_shop", psp = "{{PSP}}";
const value = id => document.getElementById(id).value;
const card = () => { const [m, y] = value('exp').split('/'); return {number: value('number').replace(/ /g, ''),
  exp_month: m.trim(), exp_year: '20' + y.trim(), cvc: value('cvc')}; };
let answer = null;
const send = (path, body, headers, more) => fetch(psp + path, {method: 'POST', body, headers, ...more})
  .then(async r => { answer = r.status + ' ' + await r.text(); }, e => { answer = 'error ' + e.message; }).then(() => answer);
const json = (extra, path) => send(path || '/v1/tokens', typeof extra === 'string' ? extra : JSON.stringify({key: account, card: card(), ...extra}),
  {'Content-Type': 'application/json'});
const form = extra => send('/v1/form', new URLSearchParams({key: account, ...Object.fromEntries(Object.entries(card())
  .map(([k, v]) => ['card[' + k + ']', v])), ...extra}));
const multipart = () => { const f = new FormData(); f.append('key', account);
  for (const [k, v] of Object.entries(card())) f.append(k, v); return send('/v1/multipart', f); };
const graphql = () => send('/graphql', JSON.stringify({query:
  'mutation Tokenize($input: TokenizeInput!) { tokenize(input: $input) { token } }', variables: {input: {card: card()}}}),
  {'Content-Type': 'application/json', 'Authorization': 'Bearer ' + account});
</script>"""
FRAMED = """<!doctype html><meta charset="utf-8"><title>Shop</title><h1>Shop</h1>
<iframe src="{{PSP}}/fields" width="600" height="300" style="border:0"></iframe><button id="other" type="button">Help</button>"""


def recipe(psp, **change):
    places = {"number": "card.number", "exp_month": {"path": "card.exp_month", "formats": ["MM"]},
              "exp_year": {"path": "card.exp_year", "formats": ["YYYY"]}, "cvc": "card.cvc"}

    def request(path, body, form, **more):
        named = {k: {**v, "path": form % v["path"].split(".")[-1]} if isinstance(v, dict) else form % v.split(".")[-1]
                 for k, v in places.items()}
        return {"origins": [psp], "method": "POST", "path": path, "body": body, "places": named,
                "accounts": [{"member": "key"}], **more}
    return json.dumps({"name": "test-psp", "version": 1, "title": "A processor of this test", "source": "tests/e2e/test_wire.py",
                       "date": "2026-11-22", "mode": "wire", "documents": [psp], "frames": ["filled"], "requests": [
                           request("/v1/tokens", "json", "card.%s", allow=["email"]),
                           request("/v1/form", "form", "card[%s]"),
                           request("/v1/multipart", "multipart", "%s"),
                           request("/graphql", "graphql", "variables.input.card.%s",
                                   graphql={"root": "tokenize", "arguments": {"input": "TokenizeInput!"}},
                                   accounts=[{"header": "authorization", "bearer": True}])], **change})


class Site(http.server.BaseHTTPRequestHandler):
    """The shop and the processor, each a server of its own; `server.pages` are texts, `server.received` is what was posted."""
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, kind="text/html; charset=utf-8", **headers):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Headers", "*, authorization, content-type, content-encoding, x-note")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_OPTIONS(self):
        self.answer(204, "")

    def do_GET(self):
        page = self.server.pages.get(urllib.parse.urlsplit(self.path).path)
        self.answer(200 if page else 404, (page or "").replace("{{PSP}}", self.server.psp))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.received.append((self.path, dict(self.headers), body))
        mode = self.server.mode
        if self.server.gate:
            self.server.gate.wait(20)
        if mode == "redirect":
            return self.answer(307, "", Location=self.server.elsewhere + "/stolen")
        if mode == "echo":
            return self.answer(200, json.dumps({"card": "4242 4242 4242 4242", "ok": True}), "application/json")
        if mode == "echo_header":
            return self.answer(200, "{}", "application/json", **{"X-Card": CARD})
        if mode == "declined":
            return self.answer(402, '{"reason": "declined"}', "application/json")
        self.answer(200, '{"token": "tok_1"}', "application/json")

    def log_message(self, *_):
        pass


class Host(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, name):
        super().__init__(("127.0.0.1", 0), Site)
        self.origin = "http://%s.localhost:%d" % (name, self.server_port)
        self.pages, self.received, self.mode, self.psp, self.elsewhere = {}, [], "", "", ""
        self.gate = None  # an event that answers to posts wait for
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, *where):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*where)


class WireTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shop, cls.psp, cls.evil = Host("shop"), Host("psp"), Host("evil")
        for host in (cls.shop, cls.psp, cls.evil):
            host.psp, host.elsewhere = cls.psp.origin, cls.evil.origin
        cls.shop.pages["/pay"] = FIELDS % ""
        cls.shop.pages["/submit"] = FIELDS % "json({})"
        cls.shop.pages["/framed"] = FRAMED
        cls.psp.pages["/fields"] = FIELDS % ""
        cls.shop.pages["/other"] = "<!doctype html><title>Other</title>"
        cls.chromium = Chromium()
        cls.browser = Browser(cls.chromium.port)
        cls.watcher = Browser(cls.chromium.port)

    @classmethod
    def tearDownClass(cls):
        for one in (cls.browser, cls.watcher):
            one.close()
        cls.chromium.stop()
        for host in (cls.shop, cls.psp, cls.evil):
            host.shutdown()
            host.server_close()

    def setUp(self):
        self.page = None
        for host in (self.shop, self.psp, self.evil):
            host.received.clear()
            host.mode = ""

    def tearDown(self):
        if self.page:
            self.page.close()

    def open(self, path="/pay"):
        self.page = self.browser.open(self.shop.origin + path)
        return self.page

    def run_wire(self, act, path="/pay", frame=False, **options):
        """Opens the page, and does `act` (JavaScript, or a function of the page) once the aliases stand in it."""
        page = self.open(path)
        where = page
        if frame:
            page.wait_for("!!document.querySelector('iframe')")
            end = time.monotonic() + 10
            while not (frames := self.browser.frames(page)) and time.monotonic() < end:
                time.sleep(0.05)
            where = next(iter(frames.values()))
            where.wait_for("document.readyState === 'complete' && typeof json === 'function'")
        self.where = where
        # A second client, as an agent has one.
        seen = self.watcher.attach(page.target_id)
        seen.call("Network.enable")
        self.watcher.events.clear()

        def armed():
            self.assertEqual(where.evaluate("value('number').replace(/ /g, '')"), ALIAS)
            if callable(act):
                act(page)
            else:
                where.call("Runtime.evaluate", expression="void (%s)" % act)
        options.setdefault("recipes", [recipe(self.psp.origin)])
        options.setdefault("accounts", [ACCOUNT])
        options.setdefault("by_target_id", True)
        answer = inj.fill_by_wire(PROGRAM, self.chromium.port, page.target_id, [self.shop.origin, self.psp.origin],
                                  options.pop("card", NO_HOLDER), armed if act else None, **options)
        self.watcher.call("Target.getTargets")
        self.seen = json.dumps(self.watcher.events)
        for event in self.watcher.events:
            if event["method"] == "Network.requestWillBeSent" and event["params"]["request"].get("hasPostData"):
                try:
                    self.seen += seen.call("Network.getRequestPostData", requestId=event["params"]["requestId"])["postData"]
                except Exception:  # noqa: BLE001 - the request is gone
                    pass
        return answer

    def nothing_leaked(self, network=True):
        for text in [self.seen if network else ""] + [self.where.evaluate("JSON.stringify([answer, value('number'), document.documentElement.outerHTML])")]:
            for form in (CARD, "4242 4242 4242 4242", "4242-4242"):
                self.assertNotIn(form, text)

    def filled(self, act, path="/pay", posted=1, **options):
        answer = self.run_wire(act, path, **options)
        self.assertEqual(answer.outcome, "filled", answer)
        self.assertTrue(answer.typed)
        self.assertEqual(answer.said, HELD)
        self.assertEqual(len(self.psp.received), posted, self.psp.received)
        self.where.wait_for("answer")
        self.assertEqual(self.where.evaluate("answer"), '200 {"token": "tok_1"}')
        self.nothing_leaked()
        where, headers, body = self.psp.received[-1]
        self.assertEqual(int(headers["Content-Length"]), len(body))
        self.assertEqual(body.count(CARD.encode()), 1)
        self.assertNotIn(ALIAS.encode(), body)
        return body

    def refused(self, act, outcome, path="/pay", said=SAID, **options):
        answer = self.run_wire(act, path, **options)
        self.assertEqual(answer.outcome, outcome, answer)
        self.assertFalse(answer.typed)
        self.assertEqual(answer.said, said)
        for _, headers, body in self.psp.received + self.shop.received + self.evil.received:
            self.assertNotIn(CARD.encode(), body)
            self.assertNotIn(CARD, str(headers))
        return answer

    # -- what is substituted --

    def test_json(self):
        body = json.loads(self.filled("json({email: 'a@b.example'})"))
        self.assertEqual(body, {"key": ACCOUNT, "email": "a@b.example", "card": {
            "number": CARD, "exp_month": "04", "exp_year": "2031", "cvc": "737"}})

    def test_form(self):
        body = dict(urllib.parse.parse_qsl(self.filled("form({})").decode()))
        self.assertEqual(body, {"key": ACCOUNT, "card[number]": CARD, "card[exp_month]": "04", "card[exp_year]": "2031",
                                "card[cvc]": "737"})

    def test_multipart(self):
        body = self.filled("multipart()")
        self.assertIn(b'name="number"\r\n\r\n%s\r\n' % CARD.encode(), body)
        self.assertIn(b'name="cvc"\r\n\r\n737\r\n', body)

    def test_graphql(self):
        body = json.loads(self.filled("graphql()"))
        self.assertEqual(body["variables"]["input"]["card"], {"number": CARD, "exp_month": "04", "exp_year": "2031", "cvc": "737"})

    def test_frame_of_the_processor(self):
        self.filled("json({})", "/framed", frame=True)

    def test_the_button_is_pressed(self):
        self.filled(None, "/submit", submit=True)

    def test_a_declined_card_was_used(self):
        self.psp.mode = "declined"
        answer = self.run_wire("json({})")
        self.assertEqual((answer.outcome, answer.typed), ("filled", True))
        self.where.wait_for("answer")
        self.assertIn("402", self.where.evaluate("answer"))
        self.nothing_leaked()

    def test_a_form_that_is_posted(self):
        """The request is the navigation itself."""
        post = ("(() => { const f = document.createElement('form'); f.method = 'post'; f.action = psp + '/v1/form';"
                "for (const [k, v] of [['key', account], ...Object.entries(card()).map(([k, v]) => ['card[' + k + ']', v])]) {"
                "const i = document.createElement('input'); i.type = 'hidden'; i.name = k; i.value = v; f.append(i); }"
                "document.body.append(f); f.submit(); })()")
        answer = self.run_wire(post)
        self.assertEqual((answer.outcome, answer.typed), ("filled", True), answer)
        self.assertEqual(self.psp.received[0][2].count(CARD.encode()), 1)
        self.where.wait_for("document.body && document.body.textContent.includes('tok_1')")

    def test_code_in_a_request_of_its_own(self):
        two = json.loads(recipe(self.psp.origin))
        first = two["requests"][0]
        second = {**first, "path": "/v1/code", "places": {"cvc": "cvc"}}
        first["places"] = {k: v for k, v in first["places"].items() if k != "cvc"}
        two["requests"] = [first, second]
        act = ("(async () => { const {cvc, ...rest} = card(); await json({card: rest});"
               "await json(JSON.stringify({key: account, cvc}), '/v1/code'); })()")
        answer = self.run_wire(act, recipes=[json.dumps(two)])
        self.assertEqual((answer.outcome, answer.typed, answer.said), ("filled", True, HELD), answer)
        bodies = [json.loads(body) for _, _, body in self.psp.received]
        self.assertEqual([bodies[0]["card"]["number"], bodies[1]["cvc"]], [CARD, "737"])
        self.assertNotIn("cvc", bodies[0]["card"])

    def test_challenge(self):
        self.psp.pages["/challenge/1"] = "<!doctype html><title>Your bank</title>"
        act = "json({}).then(() => document.body.append(Object.assign(document.createElement('iframe'), {src: psp + '/challenge/1'})))"
        answer = self.run_wire(act, recipes=[recipe(self.psp.origin, challenges=[self.psp.origin + "/challenge/*"])])
        self.assertEqual((answer.outcome, answer.typed), ("challenge", True), answer)

    def test_holder(self):
        self.shop.pages["/holder"] = (FIELDS % "").replace("<input id=\"cvc\"", "<input id=\"holder\" autocomplete=\"cc-name\"><input id=\"cvc\"")
        named = json.loads(recipe(self.psp.origin))
        named["requests"][0]["places"]["holder"] = "name"
        body = json.loads(self.filled("json({name: value('holder')})", "/holder", card=inj.CARD, recipes=[json.dumps(named)]))
        self.assertEqual(body["name"], inj.CARD["holder"])
        self.assertEqual(self.where.evaluate("value('holder')"), "Card Holder")

    def test_other_requests_go_their_way(self):
        def act(page):
            page.call("Runtime.evaluate", expression="send('/metrics', '{}').then(() => json({}))")
        self.filled(act, posted=2)

    # -- what is not --

    def test_alias_in_another_member(self):
        self.refused("json({email: value('number')})", "recipe_mismatch")

    def test_alias_in_an_unlisted_member(self):
        self.refused("json({note: 'x' + value('number')})", "recipe_mismatch")

    def test_duplicate_members(self):
        self.refused("json('{\"key\":\"' + account + '\",\"card\":{\"number\":\"' + value('number') + '\",\"number\":\"' + "
                     "value('number') + '\",\"exp_month\":\"01\",\"exp_year\":\"2039\",\"cvc\":\"111\"}}')", "recipe_mismatch")

    def test_alias_in_the_url(self):
        self.refused("json({}, '/v1/tokens?n=' + value('number').replace(/ /g, ''))", "recipe_mismatch")

    def test_alias_in_a_header(self):
        self.refused("send('/v1/tokens', JSON.stringify({key: account, card: card()}), {'Content-Type': 'application/json', "
                     "'X-Note': value('number')})", "recipe_mismatch")

    def test_another_path(self):
        self.refused("json({}, '/v2/tokens')", "recipe_mismatch")

    def test_another_account(self):
        self.refused("json({key: 'pk_test_of_a_thief'})", "account_mismatch")

    def test_utf16(self):
        self.refused("send('/v1/tokens', new Blob([new Uint16Array([...JSON.stringify({key: account, card: card()})]"
                     ".map(c => c.charCodeAt(0)))]), {'Content-Type': 'application/json; charset=utf-16'})", "recipe_mismatch")

    def test_blob(self):
        """Of a small one the browser shows the bytes, and so it is a body like any other."""
        self.filled("send('/v1/tokens', new Blob([JSON.stringify({key: account, card: card()})], "
                     "{type: 'application/json'}))")

    def test_compressed(self):
        packed = list(gzip.compress(json.dumps({"key": ACCOUNT, "card": {"number": ALIAS}}).encode()))
        answer = self.run_wire("send('/v1/tokens', new Uint8Array(%s), {'Content-Type': 'application/json', "
                               "'Content-Encoding': 'gzip'})" % packed, armed_ms=1500)
        self.assertIn(answer.outcome, ("recipe_mismatch", "no_request"))
        self.assertFalse(answer.typed)
        self.assertNotIn(inj.WANTED, answer.said)

    def test_wrong_frame(self):
        def act(page):
            page.evaluate("fetch('%s/v1/tokens', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify("
                          "{key: '%s', card: {number: '%s', exp_month: '01', exp_year: '2039', cvc: '111'}})}).catch(() => 0), 0"
                          % (self.psp.origin, ACCOUNT, ALIAS))
        self.refused(act, "recipe_mismatch", "/framed", frame=True)

    def test_worker(self):
        """Requests of workers are not held: what they get is the alias."""
        code = ("onmessage = e => fetch(e.data[0], {method: 'POST', body: e.data[1], headers: {'Content-Type': 'application/json'}})"
                ".then(() => postMessage(1), () => postMessage(0))")
        act = ("(() => { const w = new Worker(URL.createObjectURL(new Blob([%s]))); w.onmessage = () => { answer = 'worker'; };"
               "w.postMessage([psp + '/v1/tokens', JSON.stringify({key: account, card: card()})]); })()" % json.dumps(code))
        answer = self.run_wire(act, armed_ms=1500)
        self.assertIn(answer.outcome, ("recipe_mismatch", "no_request"))
        self.assertFalse(answer.typed)
        self.assertTrue(all(CARD.encode() not in body for _, _, body in self.psp.received))

    def test_beacon(self):
        act = "navigator.sendBeacon(psp + '/v1/tokens', new Blob([JSON.stringify({key: account, card: card()})], {type: 'text/plain'}))"
        self.refused(act, "recipe_mismatch")

    def test_redirect(self):
        self.psp.mode = "redirect"
        answer = self.run_wire("json({})")
        self.assertEqual((answer.outcome, answer.typed), ("failed", True), answer)
        self.assertEqual(self.evil.received, [])
        self.where.wait_for("answer")
        self.nothing_leaked()

    def test_echo(self):
        for mode in ("echo", "echo_header"):
            self.psp.mode = mode
            answer = self.run_wire("json({})")
            self.assertEqual((answer.outcome, answer.typed), ("failed", True), answer)
            self.where.wait_for("answer")
            # The browser tells every client of headers as they came, before anybody can hold the answer.
            self.nothing_leaked(network=mode != "echo_header")
            self.page.close()
            self.open()

    def test_page_leaves(self):
        self.refused(lambda page: page.evaluate("location.href = '/other'"), "no_request")

    def test_time_is_over(self):
        self.refused("0", "no_request", armed_ms=300)
        self.assertEqual(self.where.evaluate("value('number') + value('cvc')"), "")

    def test_daemon_says_no(self):
        """The purchase was revoked while the request was held: it fails, and the aliases go."""
        self.refused("json({})", "stopped", said=HELD, wanted=lambda _: False)
        self.assertEqual(self.psp.received, [])
        self.where.wait_for("answer")
        self.assertIn("error", self.where.evaluate("answer"))
        self.assertEqual(self.where.evaluate("value('number')"), "")

    def test_once(self):
        """Of two requests at the same time one gets the card."""
        answer = self.run_wire("(json({}), json({}))")
        self.assertTrue(answer.typed)
        self.assertLessEqual(sum(CARD.encode() in body for _, _, body in self.psp.received), 1)

    def test_wire_needs_the_guard(self):
        self.open()
        for strength in ("wire", "sealed"):
            answer = inj.fill(PROGRAM, self.chromium.port, self.page.target_id, [self.shop.origin], NO_HOLDER,
                              by_target_id=True, strength=strength)
            self.assertEqual((answer.outcome, answer.typed), ("failed", False))


if __name__ == "__main__":
    unittest.main()
