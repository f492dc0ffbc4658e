"""The demo shop and the demo payment processor: two small HTTP servers on loopback.

    with Shop() as shop:
        shop.checkout        # http://shop.localhost:PORT/checkout: three frames of the processor
        shop.processor.received   # what came in at the processor, in memory only

shop.localhost and psp.localhost are two sites for Chromium, so the frames are out-of-process. Any other
NAME.localhost leads to the same two servers: `shop.url("evil", "/simple")`.
"""

import json
import os
import string
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.programs import SOURCE

PAGES = os.path.join(SOURCE, "demo", "pages")
FIELDS = {
    "number": {"name": "cardnumber", "token": "cc-number", "placeholder": "1234 1234 1234 1234",
               "label": "Card number", "limit": "23"},
    "expiry": {"name": "exp-date", "token": "cc-exp", "placeholder": "MM / YY", "label": "Expiry", "limit": "9"},
    "cvc": {"name": "cvc", "token": "cc-csc", "placeholder": "CVC", "label": "Security code", "limit": "4"},
}


def page(file_name, **values):
    with open(os.path.join(PAGES, file_name), encoding="utf-8") as file:
        return string.Template(file.read()).substitute(values).encode()


def luhn(number):
    total = 0
    for index, char in enumerate(reversed(number)):
        digit = int(char) * (2 if index % 2 else 1)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0 and len(number) >= 12


class Server:
    """One HTTP server on a free port of 127.0.0.1; `answer(handler, method, path, query, body)` gives (status, type,
    bytes), and further headers if there are any."""

    def __init__(self, answer):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self, method):
                parts = urllib.parse.urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, kind, data, *more = answer(self, method, parts.path, dict(urllib.parse.parse_qsl(parts.query)), body)
                self.send_response(status)
                for name, value in (more[0] if more else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                self._serve("GET")

            def do_POST(self):
                self._serve("POST")

            def do_OPTIONS(self):
                self._serve("OPTIONS")

            def log_message(self, *_):
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *where):
                if not isinstance(sys.exc_info()[1], ConnectionError):  # a browser that hangs up is no error
                    super().handle_error(*where)

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


HTML = "text/html; charset=utf-8"


class Processor:
    """Takes card data like a hosted-fields processor: its own origin, its own frames."""

    def __init__(self):
        self.received = []
        self.server = Server(self._answer)
        self.origin = "http://psp.localhost:%d" % self.server.port

    def _answer(self, _, method, path, query, body):
        name = path[len("/field/"):]
        if method == "GET" and path.startswith("/field/") and name in FIELDS:
            # The shop's origin comes from the page that embeds us: letters, digits, dots and a port only.
            shop = "".join(c for c in query.get("shop", "") if c.isalnum() or c in ":/.-")
            return 200, HTML, page("field.html", field=name, shop=shop, **FIELDS[name])
        if method == "POST" and path == "/charge":
            order = json.loads(body)
            self.received.append(order)
            number = "".join(c for c in order.get("number", "") if c.isdigit())
            if not luhn(number) or not order.get("expiry") or not order.get("cvc"):
                return 402, "application/json", json.dumps({"reason": "the card was not accepted"}).encode()
            return 200, "application/json", json.dumps({"receipt": "LB-%04d" % (1000 + len(self.received))}).encode()
        return 404, "text/plain", b"not found"

    def stop(self):
        self.server.stop()


class Shop:
    def __init__(self):
        self.processor = Processor()
        self.posted = []  # forms that were posted to the shop itself
        self.beacons = []  # paths of what pages told with sendBeacon("/beacon/...")
        self.pages = {}   # path -> HTML text: further pages for a test
        self.server = Server(self._answer)
        self.port = self.server.port
        self.origin = "http://shop.localhost:%d" % self.port
        self.checkout = self.origin + "/checkout"

    def url(self, host, path):
        return "http://%s.localhost:%d%s" % (host, self.port, path)

    def _answer(self, handler, method, path, query, body):
        if path.startswith("/beacon/"):
            self.beacons.append(path)
            return 204, HTML, b""
        if path in self.pages:
            return 200, HTML, self.pages[path].encode()
        if method == "POST" and path == "/charge":
            self.posted.append(dict(urllib.parse.parse_qsl(body.decode())))
            return 200, HTML, b"<!doctype html><title>Thank you</title><p>Thank you."
        if path == "/checkout":
            origin = "http://" + handler.headers.get("Host", "")
            return 200, HTML, page("checkout.html", psp=self.processor.origin, shop=origin)
        if path == "/simple":
            return 200, HTML, page("simple.html")
        return 404, "text/plain", b"not found"

    def stop(self):
        self.server.stop()
        self.processor.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
