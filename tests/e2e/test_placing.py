"""What popvault-injector finds and fills: card forms of every make, identities, logins, and the price of the page.
Real Chromium, no daemon: see support/injector.py. What it must not fill is the second half of each test.

    POPVAULT_BUILD=build/dev python3 tests/e2e/test_placing.py
"""

import http.server
import os
import sys
import threading
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from support import injector as inj  # noqa: E402
from support.cdp import Browser  # noqa: E402
from support.chromium import Chromium  # noqa: E402

BUILD = os.environ.get("POPVAULT_BUILD", os.path.join(HERE, "..", "..", "build", "dev"))
PROGRAM = os.path.abspath(os.path.join(BUILD, "src", "injector", "popvault-injector"))

CARD = {"number": "4242424242424242", "exp_month": "04", "exp_year": "2031", "cvv": "737"}
AMEX = dict(CARD, number="378282246310005", cvv="7373")
PERSON = {"name": "Zoë Anne O'Neil", "email": "zoe@post.example", "phone": "+49 30 1234567", "address": "Allee 12",
          "address2": "Hof 3", "city": "Berlin", "state": "Berlin", "postal_code": "10117", "country": "DE"}
AMERICAN = {"name": "Jo Doe", "email": "jo@post.example", "phone": "+1 (415) 555-0123", "address": "1 Main St",
            "city": "San Jose", "state": "CA", "postal_code": "95110-1234", "country": "US"}
LOGIN = {"username": "zoe@post.example", "password": "p\"ä\\ss' 1", "totp": "204816"}
READ = "Object.fromEntries([...document.querySelectorAll('input,select,textarea,[contenteditable]')].map(" \
       "e => [e.id, e.type === 'checkbox' ? e.checked : e.value ?? e.textContent]))"
EXP_CVC = '<input id=exp autocomplete=cc-exp placeholder="MM/YY"><input id=cvc autocomplete=cc-csc>'


def options(pairs):
    return "".join('<option value="%s">%s</option>' % pair for pair in pairs)


class Pages(http.server.BaseHTTPRequestHandler):
    bodies = {}

    def do_GET(self):
        body = self.bodies.get(urllib.parse.urlsplit(self.path).path)
        if body is None:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(("<!doctype html><meta charset=utf-8><title>t</title>" + body).encode())

    def log_message(self, *_):
        pass


class PlacingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.shop, cls.psp, cls.other = ("http://%s.localhost:%d" % (name, cls.server.server_port)
                                        for name in ("shop", "psp", "other"))
        cls.chromium = Chromium()
        cls.browser = Browser(cls.chromium.port)

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.chromium.stop()
        cls.server.shutdown()
        cls.server.server_close()

    def setUp(self):
        self.pages = []

    def tearDown(self):
        for page in self.pages:
            page.close()

    def open(self, body):
        path = "/page%d" % len(Pages.bodies)
        Pages.bodies[path] = body
        page = self.browser.open(self.shop + path)
        self.pages.append(page)
        return page

    def frame(self, origin, body):
        path = "/frame%d" % len(Pages.bodies)
        Pages.bodies[path] = body
        return origin + path

    def run_fill(self, page, record, kind="card", origins=None, **more):
        if kind != "card":
            more.setdefault("fields", list(record))
        return inj.fill(PROGRAM, self.chromium.port, page.target_id, origins or [self.shop], record, by_target_id=True,
                        kind=kind, **more)

    def fills(self, body, expected, record=None, kind="card", **more):
        """All fields that the page has are compared: what is not in `expected` is empty."""
        page = self.open(body)
        answer = self.run_fill(page, record or CARD, kind, **more)
        self.assertEqual(answer.outcome, "filled", answer)
        values = page.evaluate(READ)
        self.assertEqual({k: v for k, v in values.items() if v}, expected)
        return page, answer

    def refuses(self, body, outcome, record=None, kind="card", **more):
        page = self.open(body)
        answer = self.run_fill(page, record or CARD, kind, **more)
        self.assertEqual(answer.outcome, outcome, answer)
        if outcome not in ("field_rejected", "navigated"):
            self.assertFalse(answer.typed, answer)
        secrets = (record or CARD)
        shown = str(page.evaluate(READ))
        for name in ("number", "password", "email", "phone"):
            if name in secrets:
                self.assertNotIn(secrets[name], shown)
        return page, answer

    def identity(self, body, expected, record=None, **more):
        return self.fills(body, expected, record or PERSON, "identity", **more)

    def login(self, body, expected, record=None, **more):
        return self.fills(body, expected, record or LOGIN, "login", **more)

    # -- cards --

    FOUR = "<form><fieldset><legend>Card number</legend>%s</fieldset>" + EXP_CVC + "</form>"
    ADVANCE = "<script>for (const e of document.querySelectorAll('fieldset input')) e.addEventListener('input', () => {" \
              " if (e.value.length >= e.maxLength) e.nextElementSibling?.focus(); });</script>"

    def test_number_in_four_boxes(self):
        boxes = "".join('<input id=n%d maxlength=4 inputmode=numeric>' % i for i in range(4))
        expected = {"n0": "4242", "n1": "4242", "n2": "4242", "n3": "4242", "exp": "04/31", "cvc": "737"}
        for script in ("", self.ADVANCE):
            _, answer = self.fills(self.FOUR % boxes + script, expected)
            self.assertEqual([f[0] for f in answer.fields], ["number", "exp", "cvc"])
        self.fills(self.FOUR % boxes, dict(expected, n0="3782", n1="8224", n2="6310", n3="005", cvc="7373"), AMEX)

    def test_number_in_boxes_of_other_types(self):
        for kind in ("type=tel maxlength=4", "type=password maxlength=4", "type=number max=9999", "pattern=[0-9]{4}"):
            boxes = "".join('<input id=n%d %s name=cardnumber%d>' % (i, kind, i) for i in range(4))
            self.fills("<form>%s%s</form>" % (boxes, EXP_CVC),
                       {"n0": "4242", "n1": "4242", "n2": "4242", "n3": "4242", "exp": "04/31", "cvc": "737"})

    def test_amex_in_three_boxes(self):
        boxes = "".join('<input id=n%d maxlength=%d aria-label="Card number part %d">' % (i, size, i + 1)
                        for i, size in enumerate((4, 6, 5)))
        expected = {"n0": "3782", "n1": "822463", "n2": "10005", "exp": "04/31", "cvc": "7373"}
        self.fills("<form>%s%s</form>" % (boxes, EXP_CVC), expected, AMEX)
        # A number that does not fit in.
        self.refuses("<form>%s%s</form>" % (boxes, EXP_CVC), "field_rejected")

    def test_boxes_that_are_no_card_number(self):
        boxes = "".join('<input id=g%d maxlength=4>' % i for i in range(4))
        self.fills("<form><input id=number autocomplete=cc-number>%s<fieldset><legend>Gift card number</legend>%s"
                   "</fieldset></form>" % (EXP_CVC, boxes), {"number": "4242424242424242", "exp": "04/31", "cvc": "737"})

    def test_box_that_cannot_be_typed_into(self):
        boxes = "".join('<input id=n%d maxlength=4 %s>' % (i, "disabled" if i == 2 else "") for i in range(4))
        self.refuses(self.FOUR % boxes, "fields_missing")

    def test_month_and_year_in_one_select(self):
        months = [(m, y) for y in range(2026, 2036) for m in range(1, 13)]
        names = "January February March April May June July August September October November December".split()
        for form in (lambda m, y: ("%02d/%d" % (m, y), "%02d/%d" % (m, y)), lambda m, y: ("x%d" % (m * 37 + y), "%02d / %02d" % (m, y % 100)),
                     lambda m, y: ("%d-%02d" % (y, m), "%s %d" % (names[m - 1], y)), lambda m, y: ("%d-%02d" % (y, m), "in %s" % names[m - 1])):
            values = [form(m, y) for m, y in months]
            wanted = form(4, 2031)[0]
            self.fills("<form><input id=number autocomplete=cc-number><label>Expires <select id=exp><option value=''>Choose%s"
                       "</select></label><input id=cvc autocomplete=cc-csc></form>" % options(values),
                       {"number": "4242424242424242", "exp": wanted, "cvc": "737"})

    def test_select_of_dates_without_ours(self):
        values = options(("%d-%02d" % (y, m), "%02d/%d" % (m, y)) for y in (2026, 2027) for m in range(1, 13))
        _, answer = self.refuses("<form><input id=number autocomplete=cc-number><select id=exp name=expiry>%s</select></form>" % values,
                                 "field_rejected")
        self.assertEqual((answer.cleared, answer.why("exp")), (True, "no_such_option"), answer)

    def test_editable_text(self):
        editable = '<div id=%s contenteditable role=textbox aria-label="%s" style="border:1px solid;height:20px"></div>'
        body = "<form>" + editable % ("number", "Card number") + editable % ("exp", "Expiry date MM/YY") + editable % ("cvc", "CVC") + "</form>"
        self.fills(body, {"number": "4242424242424242", "exp": "04/31", "cvc": "737"})
        notes = body + editable % ("notes", "Notes") + '<p contenteditable=false id=p>x</p>'
        self.fills(notes, {"number": "4242424242424242", "exp": "04/31", "cvc": "737", "p": "x"})
        # What was typed is taken out again.
        page, answer = self.refuses(body + "<script>cvc.addEventListener('input', () => { cvc.textContent = '1'; });</script>", "field_rejected")
        self.assertEqual((answer.typed, page.evaluate("number.textContent")), (True, ""))

    LATE = "<form><input id=number autocomplete=cc-number>" + EXP_CVC + "</form><script>%s</script>"

    def test_page_that_clears_a_field_late(self):
        for script in ("number.addEventListener('blur', () => setTimeout(() => { number.value = ''; }, 300))",
                       "cvc.addEventListener('blur', () => setTimeout(() => { cvc.value = ''; }, 250))",
                       "cvc.onchange = () => setTimeout(() => { exp.value = ''; }, 300)",
                       "document.forms[0].addEventListener('focusout', () => setTimeout(() => { cvc.value = '12'; }, 200))"):
            _, answer = self.refuses(self.LATE % script, "field_rejected")
            self.assertEqual((answer.typed, answer.cleared), (True, True), (script, answer))

    def test_page_that_only_formats_late(self):
        self.fills(self.LATE % "number.onblur = () => setTimeout(() => { number.value = number.value.replace(/(....)(?=.)/g, '$1 '); }, 150)",
                   {"number": "4242 4242 4242 4242", "exp": "04/31", "cvc": "737"})

    def test_types_and_lengths(self):
        self.fills("<form><input id=number type=tel maxlength=16 autocomplete=cc-number pattern='[0-9 ]{16,19}'>"
                   "<input id=exp type=tel maxlength=5 autocomplete=cc-exp placeholder='MM / YYYY'>"
                   "<input id=cvc type=password maxlength=3 autocomplete=cc-csc></form>",
                   {"number": "4242424242424242", "exp": "04/31", "cvc": "737"})
        self.fills("<form><input id=number type=number autocomplete=cc-number><input id=m type=number autocomplete=cc-exp-month>"
                   "<input id=y type=number autocomplete=cc-exp-year><input id=cvc type=number autocomplete=cc-csc></form>",
                   {"number": "4242424242424242", "m": "04", "y": "2031", "cvc": "737"})
        # Grouped by its pattern, too short for the groups, and put into groups by the page.
        self.fills("<form><input id=number maxlength=19 autocomplete=cc-number pattern='(\\d{4} ){3}\\d{4}'>%s</form>" % EXP_CVC,
                   {"number": "4242 4242 4242 4242", "exp": "04/31", "cvc": "737"})
        self.fills("<form><input id=number maxlength=16 autocomplete=cc-number pattern='(\\d{4} ){3}\\d{4}'>%s</form><script>"
                   "number.oninput = () => { number.value = number.value.replace(/ /g, '').replace(/(....)(?=.)/g, '$1 '); }</script>" % EXP_CVC,
                   {"number": "4242 4242 4242 4242", "exp": "04/31", "cvc": "737"})

    def test_boxes_and_editable_text_in_a_frame_and_a_shadow(self):
        boxes = "".join('<input id=n%d maxlength=4 aria-label="Card number %d">' % (i, i) for i in range(4))
        inner = "<form>%s%s</form>" % (boxes, EXP_CVC)
        page = self.open("<iframe src='%s' width=700 height=200></iframe>" % self.frame(self.psp, inner))
        answer = self.run_fill(page, CARD, origins=[self.shop, self.psp])
        self.assertEqual(answer.outcome, "filled", answer)
        (values,) = [session.evaluate(READ) for session in self.browser.frames(page).values()]
        self.assertEqual(values, {"n0": "4242", "n1": "4242", "n2": "4242", "n3": "4242", "exp": "04/31", "cvc": "737"})
        for mode in ("open", "closed"):
            page = self.open("<x-card></x-card><script>const root = document.querySelector('x-card').attachShadow({mode: '%s'}); root.innerHTML = "
                             "'<div id=number contenteditable role=textbox aria-label=\"Card number\" style=\"border:1px solid;height:20px\"></div>%s'; "
                             "window.shown = () => [root.getElementById('number').textContent, root.getElementById('cvc').value]</script>"
                             % (mode, EXP_CVC))
            answer = self.run_fill(page, CARD)
            self.assertEqual(answer.outcome, "filled", answer)
            self.assertEqual(page.evaluate("shown()"), ["4242424242424242", "737"])

    # -- identities --

    def test_identity_by_token(self):
        tokens = ["name", "email", "tel", "address-line1", "address-line2", "address-level2", "address-level1", "postal-code", "country-name"]
        body = "<form>" + "".join("<input id=f%d autocomplete='billing %s'>" % pair for pair in enumerate(tokens)) + \
               "<input id=trap autocomplete='billing email' style='opacity:0'>" \
               "<input id=trap2 autocomplete='billing tel' style='position:absolute;left:-5000px'><input id=org autocomplete=organization></form>"
        page, answer = self.identity(body, dict(zip(("f%d" % i for i in range(9)),
                                     (PERSON["name"], PERSON["email"], PERSON["phone"], "Allee 12", "Hof 3", "Berlin", "Berlin", "10117", "Germany"))))
        self.assertEqual({f[0] for f in answer.fields}, set(PERSON))
        self.assertEqual(page.evaluate("getComputedStyle(f0).webkitTextSecurity"), "none")

    def test_identity_by_label_and_name(self):
        self.identity("<form><label>First name <input id=a></label><label>Last name <input id=b></label>"
                      "<input id=c name=emailAddress><input id=d placeholder='Phone number'>"
                      "<label>Street address <input id=e></label><label>Town / City <input id=f></label>"
                      "<label>Postcode <input id=g></label><input id=h aria-label=Country>"
                      "<label>Company name <input id=x></label><label>Coupon code <input id=y></label><label>Card number <input id=z></label>"
                      "<input id=q type=search name=search_address></form>",
                      {"a": "Zoë Anne", "b": "O'Neil", "c": PERSON["email"], "d": PERSON["phone"], "e": "Allee 12, Hof 3", "f": "Berlin",
                       "g": "10117", "h": "Germany"})

    def test_identity_by_the_names_of_well_known_shops(self):
        for names in (["checkout[billing_address][%s]" % n for n in ("first_name", "last_name", "address1", "address2", "city", "zip", "phone")],
                      ["billing_%s" % n for n in ("first_name", "last_name", "address_1", "address_2", "city", "postcode", "phone")],
                      ["billingFirstName", "billingLastName", "billingAddressLine1", "billingAddressLine2", "billingCity", "billingZip", "billingPhone"],
                      ["firstname", "lastname", "street[0]", "street[2]", "city", "postcode", "telephone"]):
            self.identity("<form>%s<input id=vat name=vat_id><input id=co name=company></form>" % "".join("<input id=f%d name='%s'>" % pair for pair in enumerate(names)),
                          {"f0": "Zoë Anne", "f1": "O'Neil", "f2": "Allee 12", "f3": "Hof 3", "f4": "Berlin", "f5": "10117", "f6": PERSON["phone"]})

        self.identity("<form><input id=a name='billing_address[name]'><input id=b name='billing_address[line1]'><input id=c name='billing_address[city]'>"
                      "<input id=d name='billing_address[postal_code]'></form>",
                      {"a": PERSON["name"], "b": "Allee 12, Hof 3", "c": "Berlin", "d": "10117"})

    def test_identity_in_german(self):
        self.identity("<html lang=de><form><label>Vorname <input id=a></label><label>Nachname <input id=b></label><label>E-Mail <input id=c></label>"
                      "<label>Telefon <input id=d></label><label>Straße <input id=e></label><label>Adresszusatz <input id=f></label>"
                      "<label>PLZ <input id=g maxlength=5></label><label>Ort <input id=h></label>"
                      "<label>Land <select id=i><option>Bitte<option value=1>Österreich<option value=2>Deutschland</select></label></form>",
                      {"a": "Zoë Anne", "b": "O'Neil", "c": PERSON["email"], "d": PERSON["phone"], "e": "Allee 12", "f": "Hof 3",
                       "g": "10117", "h": "Berlin", "i": "2"})

    def test_billing_before_shipping(self):
        fields = "<input id=%sname autocomplete='%sname'><input id=%scity autocomplete='%saddress-level2'><input id=%szip autocomplete='%spostal-code'>"
        part = lambda ids, token="": fields % (ids, token, ids, token, ids, token)  # noqa: E731
        expected = {"bname": PERSON["name"], "bcity": "Berlin", "bzip": "10117"}
        self.identity("<form>" + part("s", "shipping ") + part("b", "billing ") + "</form>", expected)
        self.identity("<form>" + part("s", "section-a shipping ") + part("b", "section-b billing ") + "</form>", expected)
        self.identity("<form><fieldset><legend>Shipping address</legend>" + part("s") + "</fieldset><fieldset><legend>Billing address</legend>" +
                      part("b") + "</fieldset></form>", expected)
        self.identity("<form>" + part("s", "shipping ") + "</form>", {"sname": PERSON["name"], "scity": "Berlin", "szip": "10117"})
        # The contact in front of both is no section of its own; a newsletter's form is another one.
        self.identity("<form><input id=mail type=email><fieldset><legend>Billing address</legend>" + part("b") + "</fieldset></form>"
                      "<form><input id=news type=email></form>", dict(expected, mail=PERSON["email"]))

    def test_two_sections_of_a_sort(self):
        fields = "<form><input autocomplete=name><input autocomplete=address-level2><input autocomplete=postal-code></form>"
        self.refuses(fields + fields, "fields_ambiguous", PERSON, "identity")

    def test_country_by_value_text_or_code(self):
        for pairs, wanted in (([("FR", "France"), ("DE", "Germany")], "DE"), ([("FRA", "x"), ("DEU", "y")], "DEU"),
                              ([("1", "France"), ("2", "Germany")], "2"), ([("10", "FR"), ("20", "DE")], "20"),
                              ([("a", "France (FR)"), ("b", "Germany (DE)")], "b"), ([("a", "Allemagne"), ("b", "France")], "a")):
            self.identity("<html lang=fr><form><select id=c autocomplete='country'><option value=''>-%s</select><input id=n autocomplete=name></form>"
                          % options(pairs), {"c": wanted, "n": PERSON["name"]})
        for record in ("Germany", "DEU", "DE"):
            self.identity("<form><input id=c autocomplete=country maxlength=2><input id=n autocomplete=name></form>",
                          {"c": "DE", "n": PERSON["name"]}, dict(PERSON, country=record))

    def test_country_that_is_not_offered(self):
        _, answer = self.refuses("<form><select autocomplete=country>%s</select><input autocomplete=name></form>" %
                                 options([("", "-"), ("FR", "France"), ("NE", "Niger")]), "field_rejected", dict(PERSON, country="NG"), "identity")
        self.assertEqual(answer.why("country"), "no_such_option")

    def test_state_by_code_or_name(self):
        for record, pairs, wanted in (("CA", [("1", "Alabama"), ("2", "California")], "2"), ("California", [("AL", "x"), ("CA", "y")], "CA"),
                                      ("california", [("US-AL", "x"), ("US-CA", "y")], "US-CA"), ("CA", [("a", "AL - Alabama"), ("b", "CA - California")], "b")):
            self.identity("<form><select id=s autocomplete=address-level1><option value=''>-%s</select><input id=n autocomplete=name></form>" %
                          options(pairs), {"s": wanted, "n": "Jo Doe"}, dict(AMERICAN, state=record))
        self.identity("<form><label>State <input id=s maxlength=2></label><input id=n autocomplete=name></form>", {"s": "CA", "n": "Jo Doe"},
                      dict(AMERICAN, state="California"))
        self.identity("<form><select id=s autocomplete=address-level1>%s</select><input id=n autocomplete=name></form>" %
                      options([("", "-"), ("AB", "Alberta"), ("QC", "Québec")]), {"s": "QC", "n": "Jo Doe"}, dict(AMERICAN, country="CA", state="Quebec"))
        self.identity("<form><select id=s autocomplete=address-level1>%s</select><input id=n autocomplete=name></form>" %
                      options([("", "-"), ("1", "Bayern"), ("2", "Berlin")]), {"s": "2", "n": PERSON["name"]})

    def test_states_that_come_with_the_country(self):
        script = "<script>c.onchange = () => setTimeout(() => { place.innerHTML = c.value !== 'US' ? '' : " \
                 "'<select id=s autocomplete=address-level1><option value=\"\">-<option value=CA>California</select>'; }, 50)</script>"
        for before in ("<input id=s autocomplete=address-level1>", "<select id=s autocomplete=address-level1><option value=''>-</select>"):
            self.identity("<form><input id=n autocomplete=name><select id=c autocomplete=country><option value=''>-<option value=US>United States"
                          "</select><span id=place>%s</span></form>%s" % (before, script), {"n": "Jo Doe", "c": "US", "s": "CA"}, AMERICAN)

    def test_phone_with_and_without_prefix(self):
        name = "<input id=n autocomplete=name>"
        for fields, expected in (
                ("<input id=p autocomplete=tel>", {"p": "+49 30 1234567"}),
                ("<input id=p autocomplete=tel-national>", {"p": "0301234567"}),
                ("<input id=c autocomplete=tel-country-code><input id=p autocomplete=tel-national>", {"c": "+49", "p": "301234567"}),
                ("<input id=p autocomplete=tel pattern='[+][0-9]{6,15}'>", {"p": "+49301234567"}),
                ("<input id=p type=tel maxlength=10 name=phone>", {"p": "0301234567"}),
                ("<select id=c name=phone_country_code>%s</select><input id=p type=tel name=phone>" %
                 options([("", "-"), ("+1", "US +1"), ("+49", "DE +49")]), {"c": "+49", "p": "301234567"}),
                ("<select id=c name=dial_code>%s</select><input id=p type=tel name=phone>" %
                 options([("", "-"), ("x", "Nigeria (+234)"), ("y", "Germany (+49)")]), {"c": "y", "p": "301234567"})):
            self.identity("<form>%s%s</form>" % (name, fields), dict(expected, n=PERSON["name"]))
        self.identity("<form>%s<input id=p autocomplete=tel-national></form>" % name, {"n": "Jo Doe", "p": "4155550123"}, AMERICAN)
        self.identity("<form>%s<input id=c autocomplete=tel-country-code><input id=p autocomplete=tel-national></form>" % name,
                      {"n": PERSON["name"], "c": "+49", "p": "301234567"}, dict(PERSON, phone="030 1234567"))

    def test_postal_code_forms(self):
        for record, attributes, shown in ((AMERICAN, "maxlength=5", "95110"), (AMERICAN, "pattern=[0-9]{5}", "95110"), (AMERICAN, "", "95110-1234"),
                                          (dict(AMERICAN, country="GB", postal_code="SW1A 1AA"), "maxlength=7", "SW1A1AA"),
                                          (dict(AMERICAN, country="CA", postal_code="K1A0B1"), "pattern='[A-Z][0-9][A-Z] [0-9][A-Z][0-9]'", "K1A 0B1")):
            self.identity("<form><input id=n autocomplete=name><input id=z autocomplete=postal-code %s></form>" % attributes,
                          {"n": "Jo Doe", "z": shown}, record)

    def test_address_in_one_field(self):
        self.identity("<form><input id=n autocomplete=name><textarea id=a autocomplete=street-address></textarea></form>",
                      {"n": PERSON["name"], "a": "Allee 12\nHof 3"})

    def test_what_the_record_lacks_stays_empty(self):
        self.identity("<form><input id=n autocomplete=name required><input id=p autocomplete=tel required><input id=m type=email></form>",
                      {"n": "Jo Doe", "m": "jo@post.example"}, {"name": "Jo Doe", "email": "jo@post.example", "city": "X"})
        self.refuses("<form><input autocomplete=tel></form>", "fields_missing", {"name": "Jo Doe"}, "identity")

    def test_email_that_is_asked_for_twice(self):
        self.identity("<form><input id=n autocomplete=name><input id=a type=email name=email><input id=b type=email name=confirm_email></form>",
                      {"n": PERSON["name"], "a": PERSON["email"], "b": PERSON["email"]})

    def test_identity_only_into_listed_origins(self):
        inner = "<form><input id=n autocomplete=name><input id=m autocomplete=email></form>"
        for origin, outcome in ((self.psp, "filled"), (self.other, "origin_not_allowed")):
            page = self.open("<iframe src='%s' width=600 height=200></iframe>" % self.frame(origin, inner))
            answer = self.run_fill(page, PERSON, "identity", [self.shop, self.psp])
            self.assertEqual(answer.outcome, outcome, answer)
            (values,) = [session.evaluate(READ) for session in self.browser.frames(page).values()]
            self.assertEqual(values, {"n": PERSON["name"], "m": PERSON["email"]} if outcome == "filled" else {"n": "", "m": ""})

    def test_card_fields_are_no_identity(self):
        self.identity("<form><input id=n autocomplete=name><input id=card autocomplete=cc-number><input id=holder autocomplete=cc-name>"
                      "<label>Name on card <input id=h></label><label>CVC <input id=v type=tel></label></form>", {"n": PERSON["name"]})

    # -- logins --

    def test_login(self):
        _, answer = self.login("<form><input id=u autocomplete=username><input id=p type=password autocomplete=current-password></form>",
                               {"u": LOGIN["username"], "p": LOGIN["password"]})
        self.assertEqual([(f[0], f[2]) for f in answer.fields], [("username", "ok"), ("password", "ok"), ("totp", "missing")])
        self.login("<form action=/login><label>E-mail <input id=u type=email></label><label>Password <input id=p type=password></label>"
                   "<input type=checkbox id=keep><button>Sign in</button></form><form><input id=news type=email name=newsletter></form>",
                   {"u": LOGIN["username"], "p": LOGIN["password"]})

    def test_login_in_steps(self):
        _, answer = self.login("<form><input id=u type=email name=identifier><button>Next</button></form>", {"u": LOGIN["username"]})
        self.assertEqual((answer.why("password"), answer.why("totp")), ("missing", "missing"), answer)
        _, answer = self.login("<form><input id=p type=password><button>Sign in</button></form>", {"p": LOGIN["password"]})
        self.assertEqual(answer.why("username"), "missing")
        _, answer = self.login("<form><input id=t autocomplete=one-time-code inputmode=numeric></form>", {"t": LOGIN["totp"]})
        self.assertEqual((answer.why("username"), answer.why("password")), ("missing", "missing"), answer)
        self.refuses("<form><label>Search <input></label></form>", "fields_missing", LOGIN, "login")

    def test_login_by_label(self):
        self.login("<form><label>Email or username <input id=u></label><label>Password <input id=p type=password></label>"
                   "<button type=button>Show password</button><button>Log in</button></form><form><label>Search <input id=q></label></form>",
                   {"u": LOGIN["username"], "p": LOGIN["password"]})
        self.login("<html lang=de><form><label>Benutzername <input id=u></label><label>Passwort <input id=p type=password></label>"
                   "<label>Einmalcode <input id=t></label></form>", {"u": LOGIN["username"], "p": LOGIN["password"], "t": LOGIN["totp"]})
        # The password of the next step is there and not shown.
        self.login("<form><input id=u type=email name=email><input id=p type=password style='display:none'><button>Next</button></form>",
                   {"u": LOGIN["username"]})
        for body in ("<form><label>Your e-mail for our newsletter <input type=email></label><button>Subscribe</button></form>",
                     "<form><label>E-mail <input type=email></label><button>Send invoice</button></form>"):
            self.refuses(body, "fields_missing", LOGIN, "login")

    def test_code_in_six_boxes(self):
        boxes = "".join("<input id=t%d maxlength=1 inputmode=numeric>" % i for i in range(6))
        expected = {"t%d" % i: digit for i, digit in enumerate(LOGIN["totp"])}
        head = "<form><fieldset><legend>Enter your verification code</legend>"
        self.login(head + boxes + "</fieldset></form>", expected)
        self.login(head + boxes + "</fieldset></form>" + self.ADVANCE, expected)
        self.login("<form>" + boxes.replace("<input id=t0", "<input autocomplete=one-time-code id=t0") + "</form>", expected)
        # Boxes that take keys alone, and move on by themselves.
        self.login(head + boxes + "</fieldset></form><script>const all = [...document.querySelectorAll('input')]; all.forEach((e, i) => {"
                   " e.onbeforeinput = event => event.preventDefault(); e.onkeydown = event => { if (!/^\\d$/.test(event.key)) return;"
                   " event.preventDefault(); e.value = event.key; all[i + 1]?.focus(); }; });</script>", expected)
        # Boxes of something else.
        self.login("<form><input id=u autocomplete=username>" + boxes.replace("id=t", "id=x") + "</form>", {"u": LOGIN["username"]})

    def test_new_passwords_are_left_alone(self):
        new = "<input id=a type=password autocomplete=new-password><input id=b type=password autocomplete=new-password>"
        self.login("<form><input id=p type=password autocomplete=current-password>%s</form>" % new, {"p": LOGIN["password"]})
        for body in ("<form><input id=u name=username>%s</form>" % new,
                     "<form><input id=u name=username><input id=a type=password name=password><input id=b type=password name=password_confirm></form>",
                     "<form><label>Create a password <input type=password></label></form>",
                     "<form><label>New password <input type=password></label></form>"):
            self.refuses(body, "fields_missing", LOGIN, "login")
        # Signing in beside signing up.
        self.login("<form><input id=u autocomplete=username><input id=p type=password autocomplete=current-password></form>"
                   "<form><input id=nu name=username>%s</form>" % new, {"u": LOGIN["username"], "p": LOGIN["password"]})

    def test_hidden_password_and_code(self):
        self.login("<form><input id=u autocomplete=username><input id=p type=password style='opacity:0.01'></form>", {"u": LOGIN["username"]})

    def test_covered_password(self):
        self.refuses("<form><input autocomplete=username><div style='position:relative'><input type=password>"
                     "<div style='position:absolute;inset:0;background:#fff'></div></div></form>", "fields_missing", LOGIN, "login")

    def test_login_only_into_listed_origins(self):
        inner = "<form><input id=u autocomplete=username><input id=p type=password></form>"
        page = self.open("<iframe src='%s' width=600 height=200></iframe>" % self.frame(self.other, inner))
        answer = self.run_fill(page, LOGIN, "login")
        self.assertEqual((answer.outcome, answer.typed), ("origin_not_allowed", False), answer)
        page = self.open(inner)
        answer = self.run_fill(page, LOGIN, "login", [self.other])
        self.assertEqual((answer.outcome, answer.typed), ("origin_mismatch", False), answer)

    # -- the price --

    PAY = "<p>Total <b id=total>%s</b></p><form><input id=number autocomplete=cc-number>" + EXP_CVC + "</form>"
    PAID = {"number": "4242424242424242", "exp": "04/31", "cvc": "737"}

    def test_price(self):
        for text, price in (("$1,234.56", ("#total", 123456, 2, 0)), ("1.234,56&nbsp;€", ("#total", 123456, 2, 0)),
                            ("¥1,234", ("#total", 1234, 0, 0)), ("$100.99", ("#total", 10000, 2, 100)),
                            ("$12.<span style='display:none'>9</span>00", ("#total", 1200, 2, 0))):
            self.fills(self.PAY % text, self.PAID, price=price)

    def test_price_that_differs(self):
        for text, price in (("$1,234.57", ("#total", 123456, 2, 0)), ("$101.01", ("#total", 10000, 2, 100)), ("$98.99", ("#total", 10000, 2, 100)),
                            ("$100.00", ("#absent", 10000, 2, 100)), ("$100.00", ("b[", 10000, 2, 100)), ("free", ("#total", 10000, 2, 100)),
                            ("was $120.00 now $100.00", ("#total", 10000, 2, 100)),
                            ("<i style='display:none'>$100.00</i>", ("#total", 10000, 2, 100)),
                            ("<i class=p>$100.00</i> <i class=p>$200.00</i>", (".p", 10000, 2, 100))):
            page, answer = self.refuses(self.PAY % text, "price_mismatch", price=price)
            self.assertEqual(page.evaluate("number.value"), "")

    def test_price_in_another_document(self):
        inner = self.frame(self.psp, "<b id=total>$100.00</b>")
        self.refuses(self.PAY.replace("id=total", "") % "x" + "<iframe src='%s'></iframe>" % inner, "price_mismatch",
                     origins=[self.shop, self.psp], price=("#total", 10000, 2, 100))


if __name__ == "__main__":
    unittest.main(verbosity=1)
