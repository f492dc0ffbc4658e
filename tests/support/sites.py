"""The checkout pages of tests/e2e/sites, served from origins of their own, and processors that record what came in.

    with Sites() as sites:
        site = sites.site("elements_three")
        site.url                  # http://shop.localhost:PORT/elements_three
        sites.arrivals(site)      # requests that reached its processor's endpoint: Request(host, method, path, headers, body)
        sites.elsewhere(site)     # every other request with a body or query, wherever it went

Each NAME.localhost is a site of its own for Chromium, so frames of other names are out-of-process. All of it is one server on
127.0.0.1; what comes in is kept in memory only.
"""

import base64
import hashlib
import json
import os
import random
import re
import threading
import time
import urllib.parse
from collections import namedtuple

from support.programs import SOURCE
from support.shop import Server

FOLDER = os.path.join(SOURCE, "tests", "e2e", "sites")
Request = namedtuple("Request", "host method path headers body")

# psp, path: the endpoint that gets the card.
# where: "frame" fields in processors' frames, "page" in the merchant's document, "mixed" both, "top" the processor's own page.
# wire: the request can be described by a recipe; else it is sealed in the page, or goes to the shop itself.
# account: what names the merchant at the processor.
Page = namedtuple("Page", "name psp path where wire account")
PAGES = {page.name: page for page in [
    Page("elements_three", "elements", "/v1/tokens", "frame", True, "pk_test_elements"),
    Page("payment_element", "element", "/v1/payment_intents/pi_test1/confirm", "frame", True, "pk_test_element"),
    Page("hosted_checkout", "hosted", "/v1/payment_methods", "top", True, "pk_test_hosted"),
    Page("hosted_graphql", "graphql", "/graphql", "frame", True, "sandbox_graphql_key"),
    Page("web_payments", "square", "/v2/card-nonce", "frame", True, "sandbox-sq0idb-test"),
    Page("order_fields", "orders", "/v2/checkout/orders/ORDER1/confirm-payment-source", "frame", True, "client_orders"),
    Page("card_sessions", "sessions", "/sessions", "frame", True, "store.localhost"),
    Page("token_frames", "tokens", "/tokens", "frame", True, "pk_sbox_tokens"),
    Page("js_token", "js-token", "/js/v1/token", "frame", True, "ewr1-test"),
    Page("components", "components", "/v1/card-tokens", "frame", True, "pfl_test"),
    Page("multipart", "multipart", "/vault/store", "frame", True, "m_multipart"),
    Page("one_line", "line", "/v1/sources", "frame", True, "pub_line"),
    Page("lazy_frame", "line", "/v1/sources", "frame", True, "pub_line"),
    Page("nested_frame", "inner", "/cards/tokens", "frame", True, "merchant_inner"),
    Page("three_d_secure", "js-token", "/js/v1/token", "frame", True, "ewr1-test"),
    Page("methods_frame", "methods", "/v1/payment_methods/restricted.json", "mixed", True, "env_test"),
    Page("sealed_fields", "shop", "/payments", "frame", False, None),
    Page("sealed_form", "shop", "/charge", "page", False, None),
    Page("plain_post", "shop", "/charge", "page", False, None),
    Page("accept", "accept", "/xml/v1/request.api", "page", True, "client_key_test"),
    *[Page(name, "direct", "/tokens", "page", True, "pk_test_direct") for name in (
        "masked", "controlled", "model", "blur_validation", "shadow_open", "shadow_closed", "split_boxes", "combined_select",
        "month_year_selects", "editable", "multi_step", "modal_frame", "xhr_form")],
]}
# Frames of these stand around or beside the form.
ALSO = {"nested_frame": ["outer"], "three_d_secure": ["acs"], "sealed_fields": ["sealed-fields"]}
# Processors that are listed for store.localhost; the others for shop.localhost.
STORE = ("graphql", "square", "orders", "sessions", "tokens", "components", "inner", "methods")
HTML = "text/html; charset=utf-8"
SHELL = ("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Checkout - %s</title>\n"
         "<style>body{font:16px sans-serif;margin:20px}[data-mount]{max-width:420px;min-height:46px}[data-mount] iframe{width:400px;border:1px solid #bbb}"
         "[data-mount] iframe:not([height]){height:44px}input,select{font-size:16px;height:28px}button{height:36px;min-width:90px}"
         "</style></head>\n<body>\n<h1>Checkout</h1>\n%s\n<p id=\"result\" role=\"status\"></p>\n</body></html>\n")


def _prime(bits, source):
    while True:
        n = source.getrandbits(bits) | (3 << (bits - 2)) | 1
        if n % 65537 == 1 or any(n % p == 0 for p in (3, 5, 7, 11, 13, 17, 19, 23, 29)):
            continue
        d, s = n - 1, 0
        while d % 2 == 0:
            d, s = d // 2, s + 1
        for _ in range(16):
            x = pow(source.randrange(2, n - 1), d, n)
            if x in (1, n - 1):
                continue
            if not any((x := x * x % n) == n - 1 for _ in range(s - 1)):
                break
        else:
            return n


class Rsa:
    """The key pair of the processors that encrypt in the page; RSA-OAEP with SHA-256, to be opened without a library."""

    def __init__(self):
        source = random.SystemRandom()
        p, q = _prime(512, source), _prime(512, source)
        self.n, self.d = p * q, pow(65537, -1, (p - 1) * (q - 1))

    def jwk(self):
        text = base64.urlsafe_b64encode(self.n.to_bytes(128, "big")).rstrip(b"=").decode()
        return json.dumps({"kty": "RSA", "alg": "RSA-OAEP-256", "ext": True, "e": "AQAB", "n": text})

    def open(self, sealed):
        block = pow(int.from_bytes(base64.b64decode(sealed), "big"), self.d, self.n).to_bytes(128, "big")

        def mask(seed, size):
            out = b"".join(hashlib.sha256(seed + i.to_bytes(4, "big")).digest() for i in range(size // 32 + 1))
            return out[:size]

        masked_seed, masked = block[1:33], block[33:]
        seed = bytes(a ^ b for a, b in zip(masked_seed, mask(masked, 32)))
        data = bytes(a ^ b for a, b in zip(masked, mask(seed, 95)))
        if block[0] != 0 or data[:32] != hashlib.sha256(b"").digest():
            raise ValueError("not sealed for this key")
        return data[32:].split(b"\1", 1)[1].decode()


GROUPED, PLAIN = "grouped", "plain"
# processor -> how its request is described to the owner (docs/RECIPES.md): body, number, places, other members, what names the account.
_MM, _YY, _YYYY = ["MM"], ["YY"], ["YYYY"]


def _split(month, year, months=None, years=None, json_kind=None):
    kind = {"json": json_kind} if json_kind else {}
    return {"exp_month": {"path": month, "formats": months or _MM, **kind}, "exp_year": {"path": year, "formats": years or _YYYY, **kind}}


REQUESTS = {
    "elements": ("form", ("card[number]", GROUPED), {"cvc": "card[cvc]", **_split("card[exp_month]", "card[exp_year]", years=_YY)},
                 ["guid", "muid", "sid", "payment_user_agent", "time_on_page"], {"member": "key"}),
    "element": ("form", ("payment_method_data[card][number]", GROUPED), {
        "cvc": "payment_method_data[card][cvc]", **_split("payment_method_data[card][exp_month]", "payment_method_data[card][exp_year]", years=_YY)},
                ["return_url", "payment_method_data[type]", "payment_method_data[billing_details][address][country]", "client_secret"], {"member": "key"}),
    "hosted": ("form", ("card[number]", GROUPED), {"cvc": "card[cvc]", "holder": "billing_details[name]", **_split("card[exp_month]", "card[exp_year]", years=_YY)},
               ["type"], {"member": "key"}),
    "graphql": ("graphql", ("variables.input.creditCard.number", PLAIN), {
        "cvc": "variables.input.creditCard.cvv", **_split("variables.input.creditCard.expirationMonth", "variables.input.creditCard.expirationYear")},
                ["clientSdkMetadata.*", {"path": "variables.input.options.validate", "type": "boolean"}], {"header": "authorization", "bearer": True}),
    "square": ("json", ("card_data.number", PLAIN), {"cvc": "card_data.cvv", **_split("card_data.exp_month", "card_data.exp_year", ["M"], json_kind="integer")},
               ["location_id", "session_id", "website_url", "card_data.billing_postal_code"], {"member": "client_id"}),
    "orders": ("json", ("payment_source.card.number", PLAIN), {"cvc": "payment_source.card.security_code",
                                                              "exp": {"path": "payment_source.card.expiry", "formats": ["YYYY-MM"]}},
               [], {"member": "application_context.client_id"}),
    "sessions": ("json", ("credit_card.number", GROUPED), {"cvc": "credit_card.verification_value", "holder": "credit_card.name",
                                                           **_split("credit_card.month", "credit_card.year", ["M"], json_kind="integer")},
                 ["credit_card.start_month", "credit_card.start_year", "credit_card.issue_number"], {"member": "payment_session_scope"}),
    "tokens": ("json", ("number", PLAIN), {"cvc": "cvv", **_split("expiry_month", "expiry_year", ["M"], json_kind="integer")},
               ["type", "preferred_scheme", "requestSource"], {"header": "authorization"}),
    "js-token": ("form", ("number", PLAIN), {"cvc": "cvv", **_split("month", "year")},
                 ["first_name", "last_name", "version", "deviceId", "sessionId"], {"member": "key"}),
    "components": ("json", ("cardNumber", PLAIN), {"cvc": "cardCvv", "holder": "cardHolder", "exp": {"path": "cardExpiryDate", "formats": ["MMYY"]}},
                   ["locale", {"path": "testmode", "type": "boolean"}], {"member": "profileToken"}),
    "multipart": ("multipart", ("pan", PLAIN), {"cvc": "code", **_split("exp_month", "exp_year")}, [], {"member": "merchant"}),
    "line": ("json", ("source.number", GROUPED), {"cvc": "source.cvc", "exp": {"path": "source.expiry", "formats": ["MM/YY"]}},
             ["source.object"], {"header": "x-public-key"}),
    "inner": ("json", ("number", PLAIN), {"cvc": "securityCode", **_split("expiryMonth", "expiryYear", years=_YY)}, [], {"member": "merchant"}),
    "methods": ("json", ("payment_method.credit_card.number", PLAIN), {
        "cvc": "payment_method.credit_card.verification_value", "holder": "payment_method.credit_card.full_name",
        **_split("payment_method.credit_card.month", "payment_method.credit_card.year")}, [], {"member": "environment_key"}),
    "accept": ("json", ("securePaymentContainerRequest.data.token.cardNumber", PLAIN), {
        "cvc": "securePaymentContainerRequest.data.token.cardCode",
        "exp": {"path": "securePaymentContainerRequest.data.token.expirationDate", "formats": ["MMYYYY"]}},
               ["securePaymentContainerRequest.data.type", "securePaymentContainerRequest.data.id", "securePaymentContainerRequest.merchantAuthentication.name"],
               {"member": "securePaymentContainerRequest.merchantAuthentication.clientKey"}),
    "direct": ("json", ("card.number", GROUPED), {"cvc": "card.cvc", **_split("card.exp_month", "card.exp_year")}, [], {"member": "publishable_key"}),
}


class Site:
    def __init__(self, sites, page):
        self.name, self.psp, self.path, self.where, self.wire, self.account = page
        # Two shops, because no merchant has more than eight recipes.
        shop = "hosted" if self.where == "top" else "store" if self.psp in STORE else "shop"
        self.merchant = origin = sites.origin(shop)
        self.url = origin + ("/pay?back=" + sites.origin("shop") + "/thanks" if self.where == "top" else "/" + self.name)
        self.host = self.psp
        self.fields = [self.psp] if self.psp != "shop" else []
        self.processors = [sites.origin(name) for name in [*self.fields, *ALSO.get(self.name, [])]]
        if self.where == "top":
            self.processors = []


class Sites:
    def __init__(self):
        self.requests = []  # all that came in, in order
        self.behave = {}    # host -> "echo", "quote", "metadata", "redirect", "header": what a hostile processor does
        self.pages = {}     # (host, path) -> HTML, or (status, headers, bytes), or a function of the request giving either
        self.rsa = Rsa()
        self._lock = threading.Lock()
        self.server = Server(self._answer)
        self.port = self.server.port

    def origin(self, host):
        return "http://%s.localhost:%d" % (host, self.port)

    def site(self, name):
        return Site(self, PAGES[name])

    def all(self):
        return [self.site(name) for name in PAGES]

    def merchants(self):
        """merchant -> (processors, accounts), as the owner's policy lists them."""
        found = {}
        for site in self.all():
            processors, accounts = found.setdefault(site.merchant, (set(), set()))
            processors.update(site.processors)
            accounts.update([site.account] if site.account else [])
        return {merchant: (sorted(processors), sorted(accounts)) for merchant, (processors, accounts) in found.items()}

    def recipes(self):
        """processor -> recipe of it, with the origins of this run."""
        found = {}
        for page in PAGES.values():
            if page.psp in found or page.psp not in REQUESTS:
                continue
            body, (number, form), places, allow, account = REQUESTS[page.psp]
            origin = self.origin(page.psp)
            request = {"origins": [origin], "method": "POST", "path": page.path, "body": body,
                       "places": {"number": {"path": number, "form": form}, **places}, "allow": allow, "accounts": [account]}
            if body == "graphql":
                request["graphql"] = {"root": "tokenizeCreditCard", "arguments": {"input": "TokenizeCreditCardInput!"}}
            frames = [{"relation": "sibling", "urls": [origin + "/frame"]}] if page.name == "elements_three" else ["filled"]
            if page.psp == "direct":  # the shop's dialog: its own page posts what stands in its frame
                frames.append({"relation": "parent", "urls": [self.origin("shop") + "/modal_frame"]})
            found[page.psp] = {"name": "test-" + page.psp, "version": 1, "title": page.name.replace("_", " "), "source": "tests/e2e/sites/README.md",
                               "date": "2026-11-22", "mode": "wire", "frames": frames, "requests": [request]}
            if page.where in ("frame", "mixed"):
                found[page.psp]["documents"] = [origin]
            if page.name == "js_token":
                found[page.psp]["challenges"] = [self.origin("acs") + "/challenge"]
            if page.where == "top":
                found[page.psp]["documents"] = [origin]
                found[page.psp]["submit"] = "#pay"
        found["sealed-fields"] = {"name": "test-sealed-fields", "version": 1, "title": "sealed fields", "source": "tests/e2e/sites/README.md",
                                  "date": "2026-11-22", "mode": "sealed", "documents": [self.origin("sealed-fields")]}
        return found

    # What came in.

    def arrivals(self, site, since=0):
        return [r for r in self.requests[since:] if r.host == site.host and r.method == "POST" and r.path.split("?")[0] == site.path]

    def honest(self, site, request):
        """Whether a request is the one that the site's page sends: its endpoint, the shop's account, and the number in its one place."""
        if request.host != site.host or request.method != "POST" or request.path != site.path:
            return False
        if not site.account:
            return True
        try:
            found = self.card(request)
        except (ValueError, KeyError, IndexError):
            return False
        digits = [re.sub(r"\D", "", value) for value in found.values()]
        accounts = [value for value in [*found.values(), request.headers.get("authorization", ""), request.headers.get("x-public-key", "")]]
        return (sum(len(value) > 11 for value in digits) == 1 and any(value in (site.account, "Bearer " + site.account) for value in accounts)
                and b"attacker" not in request.body)

    def wait_arrival(self, site, since=0, patience=10.0):
        end = time.monotonic() + patience
        while not self.arrivals(site, since):
            if time.monotonic() > end:
                return None
            time.sleep(0.02)
        return self.arrivals(site, since)[0]

    def card(self, request):
        """What a processor finds in a request to its endpoint: its texts and numbers, by name; sealed ones opened."""
        kind = request.headers.get("content-type", "")
        if kind.startswith("application/x-www-form-urlencoded"):
            found = dict(urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True))
        elif kind.startswith("multipart/form-data"):
            parts = request.body.split(b"--" + kind.split("boundary=")[1].encode())[1:-1]
            found = {re.search(rb'name="([^"]*)"', part).group(1).decode(): part.split(b"\r\n\r\n", 1)[1][:-2].decode() for part in parts}
        else:
            found = {}

            def walk(value, name):
                if isinstance(value, dict):
                    for key, inner in value.items():
                        walk(inner, key)
                else:
                    found[name] = str(value)

            walk(json.loads(request.body), "")
        for name, value in found.items():
            if name.startswith("encrypted"):
                found[name] = self.rsa.open(value)
        return found

    # The server.

    def _text(self, *names):
        with open(os.path.join(FOLDER, *names), encoding="utf-8") as file:
            text = file.read()
        return re.sub(r"@([a-z_]+)@", lambda m: self.rsa.jwk() if m.group(1) == "jwk" else self.origin(m.group(1).replace("_", "-")), text)

    def _answer(self, handler, method, path, query, body):
        host = handler.headers.get("Host", "").split(":")[0].rstrip(".")
        host = host[:-len(".localhost")] if host.endswith(".localhost") else host
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Request(host, method, handler.path, headers, body)
        with self._lock:
            self.requests.append(request)
        found = self._respond(request, path)
        if isinstance(found, str):
            found = (200, HTML, found.encode())
        status, kind, data, *more = found
        origin = headers.get("origin")
        open_to_all = {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Headers": "content-type, authorization, x-public-key",
                       "Access-Control-Allow-Methods": "POST", "Access-Control-Expose-Headers": "X-Debug"} if origin else {}
        return status, kind, data, {**open_to_all, **(more[0] if more else {})}

    def _respond(self, request, path):
        planned = self.pages.get((request.host, path))
        if planned is not None:
            return planned(request) if callable(planned) else planned
        if request.method == "OPTIONS":
            return 204, "text/plain", b""
        if request.method == "GET":
            return self._page(request.host, path)
        # The 204 of a beacon, the receipt of a shop, the token of a processor.
        if request.host in ("shop", "store"):
            return 200, HTML, b"<!doctype html><title>Thank you</title><p>Thank you."
        body = request.body.decode("utf-8", "replace")
        how = self.behave.get(request.host)
        if how == "echo":
            return 200, "application/json", json.dumps({"id": "tok_echo", "sent": body}).encode()
        if how == "quote":
            return 402, "application/json", json.dumps({"error": {"message": "Your card " + body + " was declined"}}).encode()
        if how == "metadata":
            return 200, "application/json", json.dumps({"id": "tok_1", "metadata": {"raw": base64.b64encode(request.body).decode()}}).encode()
        if how == "grouped":
            number = re.search(r"\d{4}[ +-]?\d{4}[ +-]?\d{4}[ +-]?\d{4}", urllib.parse.unquote_plus(body))
            plain = re.sub(r"\D", "", number.group(0)) if number else ""
            return 200, "application/json", json.dumps({"id": "tok_1", "display": "-".join(re.findall("....", plain))}).encode()
        if how == "redirect":
            return 307, "text/plain", b"", {"Location": self.origin("evil") + "/take"}
        if how == "redirect-302":
            return 302, "text/plain", b"", {"Location": self.origin("evil") + "/take?" + urllib.parse.quote(body)}
        if how == "header":
            return 200, "application/json", b'{"id": "tok_1"}', {"X-Debug": urllib.parse.quote(body)}
        return 200, "application/json", json.dumps({"id": "tok_%d" % len(self.requests)}).encode()

    def _page(self, host, path):
        name = path.strip("/")
        if path.startswith("/lib/") and re.fullmatch(r"/lib/[a-z]+\.js", path):
            return 200, "text/javascript; charset=utf-8", self._text("lib", name[4:]).encode()
        if path == "/processor.js":
            return 200, "text/javascript; charset=utf-8", self._text("processors", host.replace("-", "_") + ".js").encode()
        if path == "/frame":
            return self._text("frames", "frame.html")
        if (host, path) in (("outer", "/outer"), ("acs", "/challenge")):
            return self._text("frames", name + ".html")
        if (host, path) == ("hosted", "/pay"):
            return self._text("frames", "hosted.html")
        if re.fullmatch("[a-z_]+", name) and os.path.exists(os.path.join(FOLDER, "pages", name + ".html")):
            return SHELL % (name.replace("_", " "), self._text("pages", name + ".html"))
        if host in ("shop", "store", "evil", "hosted"):
            return "<!doctype html><title>%s</title><p>Nothing to see." % name
        return 404, "text/plain", b"not found"

    def stop(self):
        self.server.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
