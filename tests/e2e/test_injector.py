"""popvault-injector against a real Chromium and pages that are made to fool it. No daemon: see support/injector.py.

    POPVAULT_BUILD=build/dev python3 tests/e2e/test_injector.py
"""

import http.server
import os
import signal
import socket
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from support import injector as inj  # noqa: E402
from support.cdp import Browser  # noqa: E402
from support.chromium import Chromium  # noqa: E402

BUILD = os.environ.get("POPVAULT_BUILD", os.path.join(HERE, "..", "..", "build", "dev"))
PROGRAM = os.path.abspath(os.path.join(BUILD, "src", "injector", "popvault-injector"))
NO_HOLDER = {k: v for k, v in inj.CARD.items() if k != "holder"}
READ = "(() => typeof values === 'function' ? values() : Object.fromEntries(" \
       "[...document.querySelectorAll('input,select')].map(e => [e.id, e.value])))()"


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        if "slow" in query:
            time.sleep(float(query[4:] or 0.3))
        try:
            with open(os.path.join(HERE, "pages", os.path.basename(path) + ".html"), encoding="utf-8") as file:
                body = file.read()
        except FileNotFoundError:
            return self.send_error(404)
        for name, host in HOSTS.items():
            body = body.replace("{{%s}}" % name, "http://%s:%d" % (host, self.server.server_port))
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        try:
            self.wfile.write(body.encode())
        except BrokenPipeError:
            pass  # the frame is gone

    def log_message(self, *_):
        pass


HOSTS = {"SHOP": "shop.localhost", "PSP": "psp.localhost", "PAY": "pay.localhost", "OTHER": "other.localhost"}


class InjectorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.shop, cls.psp, cls.pay, cls.other = (
            "http://%s:%d" % (host, cls.server.server_port) for host in HOSTS.values())
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

    def open(self, name, ready=None):
        page = self.browser.open(self.shop + "/" + name)
        if ready:
            page.wait_for(ready)
        self.pages.append(page)
        return page

    def fill(self, page, origins=None, card=NO_HOLDER, **options):
        options.setdefault("by_target_id", True)
        target = page.target_id if options["by_target_id"] else options.pop("url")
        return inj.fill(PROGRAM, self.chromium.port, target, origins or [self.shop], card, **options)

    def fills(self, name, expected, origins=None, card=NO_HOLDER, **options):
        page = self.open(name)
        answer = self.fill(page, origins, card, **options)
        self.assertEqual(answer.outcome, "filled", answer)
        values = page.evaluate(READ)
        self.assertEqual({k: values.get(k) for k in expected}, expected)
        return page, answer

    def refuses(self, name, outcome, origins=None, card=NO_HOLDER, **options):
        page = self.open(name)
        answer = self.fill(page, origins, card, **options)
        self.assertEqual(answer.outcome, outcome, answer)
        if outcome not in ("field_rejected", "navigated"):
            self.assertFalse(answer.typed, answer)
        for digits in ("4242424242424242", "4242 4242 4242 4242"):
            self.assertNotIn(digits, str(page.evaluate(READ)))
        return page, answer

    def frame_values(self, page):
        """id -> value over the out-of-process frames of this page."""
        out = {}
        for session in self.browser.frames(page).values():
            out.update(session.evaluate(READ))
        return out

    # -- what is filled --

    def test_simple(self):
        page, answer = self.fills("simple", {"number": "4242424242424242", "exp": "04/31", "cvc": "737",
                                             "holder": inj.CARD["holder"]}, card=inj.CARD)
        self.assertEqual([f[0] for f in answer.fields], ["number", "exp", "cvc", "holder"])
        self.assertTrue(all(origin == 0 and why == "ok" for _, origin, why in answer.fields))
        dots = "getComputedStyle(document.getElementById('%s')).webkitTextSecurity"
        self.assertEqual([page.evaluate(dots % i) for i in ("number", "exp", "cvc", "holder")],
                         ["disc", "disc", "disc", "none"])

    def test_simple_by_url(self):
        page = self.open("simple?by-url")
        answer = self.fill(page, by_target_id=False, url=self.shop + "/simple?by-url")
        self.assertEqual(answer.outcome, "filled", answer)

    def test_record_without_holder_leaves_it_empty(self):
        page, _ = self.fills("simple", {"number": "4242424242424242", "holder": ""})

    def test_three_frames(self):
        page = self.open("three_frames")
        answer = self.fill(page, [self.shop, self.psp])
        self.assertEqual(answer.outcome, "filled", answer)
        self.assertEqual(self.frame_values(page), {"number": "4242424242424242", "exp": "04 / 31", "cvc": "737"})
        self.assertEqual({origin for _, origin, _ in answer.fields}, {1})

    def test_nested_frames(self):
        page = self.open("nested")
        answer = self.fill(page, [self.shop, self.psp, self.pay])
        self.assertEqual(answer.outcome, "filled", answer)
        self.assertEqual(self.frame_values(page), {"number": "4242424242424242", "exp": "04/31", "cvc": "737"})

    def test_shadow_open(self):
        self.fills("shadow_open", {"number": "4242424242424242", "exp": "04/31", "cvc": "737"})

    def test_shadow_closed(self):
        self.fills("shadow_closed", {"number": "4242424242424242", "exp": "04 / 31", "cvc": "737"})

    def test_controlled_inputs(self):
        self.fills("controlled", {"number": "4242424242424242", "exp": "04/31", "cvc": "737"})

    def test_keydown_formatter(self):
        self.fills("keydown", {"number": "4242424242424242", "exp": "0431", "cvc": "737"})

    def test_masked(self):
        self.fills("masked", {"number": "4242 4242 4242 4242", "exp": "04/31", "cvc": "737"})

    def test_selects(self):
        page, _ = self.fills("selects", {"number": "4242424242424242", "month": "3", "year": "31", "cvc": "737"})
        self.assertTrue(all(page.evaluate("trusted")))

    def test_selects_german(self):
        self.fills("selects_german", {"number": "4242424242424242", "month": "Apr", "year": "2031", "cvc": "737",
                                      "holder": inj.CARD["holder"]}, card=inj.CARD)

    def test_long_year(self):
        self.fills("long_year", {"number": "4242424242424242", "exp": "04 / 2031", "cvc": "737"})

    def test_month_and_year(self):
        self.fills("month_year", {"number": "4242424242424242", "month": "04", "year": "31", "cvc": "737"})

    def test_month_input(self):
        self.fills("month_input", {"number": "4242424242424242", "exp": "2031-04", "cvc": "737"})

    def test_labels_french(self):
        self.fills("labels", {"x1": "4242424242424242", "x2": "04/31", "x3": "737", "x4": inj.CARD["holder"]}, card=inj.CARD)

    def test_table_labels(self):
        self.fills("table_labels", {"f1": "4242424242424242", "f2": "04/2031", "f3": "737"})

    def test_decoys(self):
        page, _ = self.fills("decoys", {"number": "4242424242424242", "exp": "04/31", "cvc": "737"})
        others = page.evaluate("[...document.querySelectorAll('input')].filter(e => e.value && !/^(number|exp|cvc)$/.test(e.id)).map(e => e.id)")
        self.assertEqual(others, [])

    def test_floating_label(self):
        self.fills("floating_label", {"number": "4242424242424242", "exp": "04/31", "cvc": "737"})

    def test_pixel_frame_is_skipped(self):
        page, answer = self.fills("pixel_frame", {"number": "4242424242424242", "exp": "04/31", "cvc": "737"},
                                  origins=[self.shop, self.psp])
        self.assertEqual(set(self.frame_values(page).values()), {""})

    def test_late_fields(self):
        self.fills("late", {"number": "4242424242424242", "cvc": "737"})

    def test_late_code_frame(self):
        page = self.open("late_frame")
        answer = self.fill(page, [self.shop, self.psp])
        self.assertEqual(answer.outcome, "filled", answer)
        self.assertEqual(self.frame_values(page), {"cvc": "737"})

    def test_code_frame_that_does_not_come_in_time(self):
        page = self.open("very_late_frame")
        answer = self.fill(page, [self.shop, self.psp])
        self.assertEqual((answer.outcome, answer.typed, answer.why("cvc")), ("fields_missing", False, "missing"), answer)

    def test_frames_that_come_while_it_looks(self):
        for delay in (0, 5, 20, 60, 150, 400) * 4:
            page = self.open("late_frames")
            page.evaluate("bring(%d)" % delay)
            answer = self.fill(page, [self.shop, self.psp])
            self.assertEqual(answer.outcome, "filled", (delay, answer))
            self.assertEqual(self.frame_values(page), {"number": "4242424242424242", "exp": "04 / 31", "cvc": "737"})
            page.close()
            self.pages.remove(page)

    def test_frames_in_frames_that_come_while_it_looks(self):
        for delay in (0, 20, 150) * 2:
            page = self.open("late_frames")
            page.evaluate("bring(%d, ['%s/nested_inner'])" % (delay, self.psp))
            answer = self.fill(page, [self.shop, self.psp, self.pay])
            self.assertEqual(answer.outcome, "filled", (delay, answer))
            self.assertEqual(self.frame_values(page), {"number": "4242424242424242", "exp": "04/31", "cvc": "737"})
            page.close()
            self.pages.remove(page)

    def test_page_without_code(self):
        _, answer = self.fills("no_cvc", {"number": "4242424242424242"})
        self.assertEqual([f[0] for f in answer.fields], ["number", "exp"])

    def test_name_in_two_fields(self):
        self.fills("two_names", {"number": "4242424242424242", "given": 'Zoë "Z"', "family": "O'Neil"}, card=inj.CARD)

    def test_names_of_the_card_beside_those_of_a_person(self):
        self.fills("card_names", {"number": "4242424242424242", "given": 'Zoë "Z"', "family": "O'Neil", "person": ""}, card=inj.CARD)

    def test_lone_field_that_says_again(self):
        self.fills("confirm_alone", {"number": "4242424242424242", "gift": "", "mail": ""})

    def test_same_process_frame(self):
        page = self.open("same_process_frame")
        answer = self.fill(page)
        self.assertEqual(answer.outcome, "filled", answer)
        self.assertEqual(page.evaluate("frames[0].document.getElementById('number').value"), "4242424242424242")

    def test_dialog_on_blur(self):
        self.fills("alerts", {"number": "4242424242424242", "cvc": "737"})

    def test_clipped_code_is_not_asked_for(self):
        self.fills("clipped_code", {"number": "4242424242424242", "trap": ""})

    def test_disabled_fieldset(self):
        self.fills("disabled_fieldset", {"number": "4242424242424242", "old": ""})

    # -- what is refused --

    def test_unlisted_processor(self):
        page = self.open("three_frames")
        answer = self.fill(page, [self.shop])
        self.assertEqual((answer.outcome, answer.typed, answer.why("number")),
                         ("origin_not_allowed", False, "frame_not_allowed"), answer)

    def test_listed_frame_inside_an_unlisted_one(self):
        _, answer = self.refuses("inside_unlisted", "origin_not_allowed", [self.shop, self.psp])

    def test_sandboxed_frame(self):
        self.refuses("sandboxed", "origin_not_allowed", [self.shop, self.psp])

    def test_frames_that_come_while_it_looks_and_are_not_allowed(self):
        for bring, outcome in (("['%s/frame_all']" % self.other, "origin_not_allowed"),
                               ("['%s/inside_unlisted_inner']" % self.other, "origin_not_allowed"),
                               ("['%s/frame_all'], f => f.sandbox = 'allow-scripts allow-same-origin'" % self.psp, "origin_not_allowed"),
                               ("['%s/frame_all'], f => f.width = f.height = 1" % self.psp, "fields_missing"),
                               ("['%s/frame_all'], f => f.style.opacity = 0.01" % self.psp, "fields_missing")):
            for delay in (0, 20, 150):
                page = self.open("late_frames")
                page.evaluate("bring(%d, %s)" % (delay, bring))
                answer = self.fill(page, [self.shop, self.psp])
                self.assertEqual((answer.outcome, answer.typed), (outcome, False), (delay, bring, answer))
                self.assertEqual(set(self.frame_values(page).values()), {""})
                page.close()
                self.pages.remove(page)

    def test_srcdoc_frame(self):
        self.refuses("srcdoc", "origin_not_allowed")

    def test_one_pixel_frame_alone(self):
        _, answer = self.refuses("pixel_frame_only", "fields_missing", [self.shop, self.psp])
        self.assertEqual(answer.why("number"), "too_small")

    def test_covered(self):
        _, answer = self.refuses("covered", "fields_missing")
        self.assertEqual(answer.why("number"), "covered")

    def test_covered_frame(self):
        _, answer = self.refuses("covered_frame", "fields_missing", [self.shop, self.psp])
        self.assertEqual(answer.why("number"), "covered")

    def test_two_forms(self):
        _, answer = self.refuses("two_forms", "fields_ambiguous")
        self.assertEqual(answer.why("number"), "ambiguous")

    def test_number_wanted_twice(self):
        for name in ("confirm_number", "number_twice"):
            page, answer = self.refuses(name, "fields_ambiguous")
            self.assertEqual((answer.typed, answer.why("number")), (False, "ambiguous"), answer)

    def test_names_required_and_not_in_the_record(self):
        _, answer = self.refuses("card_names", "fields_missing")
        self.assertEqual(answer.why("holder"), "missing")

    def test_name_that_is_asked_for_after_the_number(self):
        page = self.open("late_name")
        answer = self.fill(page, card=inj.CARD)
        self.assertEqual((answer.outcome, answer.typed, answer.cleared, answer.why("holder")),
                         ("fields_missing", True, True, "missing"), answer)
        self.assertEqual(set(page.evaluate(READ).values()), {""})

    def test_wrong_origin(self):
        self.refuses("simple", "origin_mismatch", [self.psp])

    def test_https_is_required_without_loopback_http(self):
        self.refuses("simple", "origin_mismatch", allow_loopback_http=False)

    def test_code_asked_for_and_not_in_the_record(self):
        card = {k: v for k, v in NO_HOLDER.items() if k != "cvv"}
        _, answer = self.refuses("simple", "fields_missing", card=card)
        self.assertEqual(answer.why("cvc"), "missing")

    def test_page_clears_on_blur(self):
        page, answer = self.refuses("clears_on_blur", "field_rejected")
        self.assertEqual((answer.typed, answer.cleared, answer.why("number")), (True, True, "not_kept"), answer)
        self.assertEqual(set(page.evaluate(READ).values()), {""})

    def test_page_refuses_the_code(self):
        page, answer = self.refuses("refuses", "field_rejected")
        self.assertEqual((answer.cleared, answer.why("cvc")), (True, "not_kept"), answer)
        self.assertEqual(set(page.evaluate(READ).values()), {""})

    def test_model_that_only_keys_empty(self):
        page, answer = self.refuses("stubborn", "field_rejected")
        self.assertEqual((answer.cleared, answer.why("exp")), (True, "not_kept"), answer)
        self.assertEqual(page.evaluate("values()"), {"number": "", "cvc": "", "shown": ""})

    def test_daemon_hangs_up_while_typing(self):
        page = self.open("keydown")
        run = inj.Injector(PROGRAM, self.chromium.port)
        run.send_job(page.target_id, [self.shop], by_target_id=True, has_holder=False)
        self.assertEqual(run.receive()[0], inj.READY)
        run.send_bundle(NO_HOLDER)
        page.wait_for("values().number.length > 2")
        run.control.close()
        run.wait()
        self.assertEqual(page.evaluate("values()"), {"number": "", "exp": "", "cvc": ""})

    def test_select_without_the_year(self):
        page, answer = self.refuses("missing_year", "field_rejected")
        self.assertEqual((answer.cleared, answer.why("exp_year")), (True, "no_such_option"), answer)

    def test_stolen_focus(self):
        page, answer = self.refuses("steals_focus", "field_rejected")
        self.assertEqual(page.evaluate("thief.value"), "")

    def test_keys_do_not_follow_the_focus_into_an_unlisted_frame(self):
        for query in ("0", "2", "5", "15", "30", "60", "0,back", "2,back"):
            page = self.open("steals_to_frame?" + query, "stolen >= 0")
            answer = self.fill(page, [self.shop, self.psp])
            frames = {url: session.evaluate("values()") for url, session in self.browser.frames(page).items()}
            self.assertEqual(frames[self.other + "/listens"], {"loot": "", "heard": ""}, query)
            self.assertEqual((answer.outcome, answer.typed, answer.cleared), ("field_rejected", True, True), query)
            self.assertEqual(frames[self.psp + "/keydown"], {"number": "", "exp": "", "cvc": ""}, query)

    def test_keys_in_a_frame(self):
        page = self.open("key_frame")
        answer = self.fill(page, [self.shop, self.psp])
        self.assertEqual(answer.outcome, "filled", answer)
        self.assertEqual([session.evaluate("values()") for session in self.browser.frames(page).values()],
                         [{"number": "4242424242424242", "exp": "0431", "cvc": "737"}])

    def test_navigation_while_filling(self):
        page = self.open("navigates")
        answer = self.fill(page)
        self.assertEqual((answer.outcome, answer.typed, answer.cleared), ("navigated", True, False), answer)

    def test_navigation_before_the_bundle(self):
        page = self.open("simple")
        answer = self.fill(page, before_bundle=lambda _: page.call("Page.navigate", url=self.other + "/simple"))
        self.assertEqual((answer.outcome, answer.typed), ("navigated", False), answer)
        page.wait_for("location.host.startsWith('other')")
        self.assertEqual(page.evaluate("number.value"), "")

    def test_reload_before_the_bundle(self):
        page = self.open("simple")
        answer = self.fill(page, before_bundle=lambda _: (page.call("Page.reload"), time.sleep(0.2)))
        self.assertEqual((answer.outcome, answer.typed), ("navigated", False), answer)

    def test_frames_that_are_made_anew(self):
        for delay in range(0, 200, 16):
            page = self.open("late_frames")
            page.evaluate("bring(0); setTimeout(() => here.replaceChildren(), %d); bring(%d)" % (delay, delay + 60))
            answer = self.fill(page, [self.shop, self.psp])
            self.assertIn(answer.outcome, ("filled", "navigated"), (delay, answer))
            page.close()
            self.pages.remove(page)

    def test_wrong_tab_with_the_right_words(self):
        decoy = self.browser.open(self.other + "/simple?" + self.shop + "/simple")
        self.pages.append(decoy)
        answer = self.fill(decoy, by_target_id=False, url=self.shop + "/simple")
        self.assertEqual(answer.outcome, "page_not_found", answer)
        answer = self.fill(decoy)
        self.assertEqual(answer.outcome, "origin_mismatch", answer)
        self.assertEqual(decoy.evaluate("number.value"), "")

    def test_ambiguous_page(self):
        first, second = self.open("simple?twice"), self.open("simple?twice")
        answer = self.fill(first, by_target_id=False, url=self.shop + "/simple?twice")
        self.assertEqual(answer.outcome, "page_ambiguous", answer)

    def test_unknown_target(self):
        answer = inj.fill(PROGRAM, self.chromium.port, "0" * 32, [self.shop], NO_HOLDER, by_target_id=True)
        self.assertEqual(answer.outcome, "page_not_found", answer)

    # -- the conversation --

    def test_bundle_of_another_job(self):
        page = self.open("simple")
        run = inj.Injector(PROGRAM, self.chromium.port)
        run.send_job(page.target_id, [self.shop], by_target_id=True, has_holder=False)
        self.assertEqual(run.receive()[0], inj.READY)
        run.send_bundle(NO_HOLDER, job_id=b"x" * 16)
        answer = run.answer(run.receive())
        self.assertEqual((answer.outcome, answer.typed), ("failed", False), answer)
        run.close()

    def test_daemon_hangs_up_before_the_bundle(self):
        page = self.open("simple")
        run = inj.Injector(PROGRAM, self.chromium.port)
        run.send_job(page.target_id, [self.shop], by_target_id=True, has_holder=False)
        self.assertEqual(run.receive()[0], inj.READY)
        run.control.close()
        self.assertTrue(os.WIFEXITED(run.wait()))
        self.assertEqual(page.evaluate("number.value"), "")

    def test_daemon_hangs_up_behind_the_bundle(self):
        for half in (True, False):
            page = self.open("simple")
            run = inj.Injector(PROGRAM, self.chromium.port)
            run.send_job(page.target_id, [self.shop], by_target_id=True, has_holder=False)
            self.assertEqual(run.receive()[0], inj.READY)
            page.evaluate("number.addEventListener('focus', () => { window.touched = true; })")
            # Both are there when it looks again.
            os.kill(run.pid, signal.SIGSTOP)
            run.send_bundle(NO_HOLDER)
            if half:
                run.control.shutdown(socket.SHUT_WR)
            else:
                run.control.close()
            os.kill(run.pid, signal.SIGCONT)
            if half:
                answer = run.answer(run.receive())
                self.assertEqual((answer.outcome, answer.typed), ("stopped", False), answer)
            self.assertTrue(os.WIFEXITED(run.wait()))
            run.close()
            self.assertEqual(page.evaluate("[window.touched, number.value]"), [None, ""])

    def test_deadline(self):
        page = self.open("covered")
        answer = self.fill(page, deadline_ms=300)
        self.assertEqual((answer.outcome, answer.typed), ("timeout", False), answer)

    def test_not_a_browser(self):
        answer = inj.fill(PROGRAM, self.server.server_port, "0" * 32, [self.shop], NO_HOLDER, by_target_id=True)
        self.assertEqual(answer.outcome, "browser_unreachable", answer)

    def test_browser_that_logs_or_forwards(self):
        log = os.path.join(self.chromium.profile, "net.json")
        for extra in ("--log-net-log=" + log, "--proxy-server=127.0.0.1:9", "--v=1"):
            with Chromium([extra]) as chromium:
                browser = Browser(chromium.port)
                target = browser.open("about:blank#x").target_id
                answer = inj.fill(PROGRAM, chromium.port, target, [self.shop], NO_HOLDER, by_target_id=True)
                browser.close()
            self.assertEqual((answer.outcome, answer.typed), ("browser_refused", False), extra)


if __name__ == "__main__":
    unittest.main(verbosity=1)
