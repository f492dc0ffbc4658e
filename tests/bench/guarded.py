"""What the guard costs: a round trip, large answers, and the memory of a client that does nothing.

The same calls go to a Chromium with a debugging port in the same run, in turn.
"""

import os
import shutil
import stat
import tempfile
import time

from measure import WARM_UPS, Row, Sample, by_turns, timed
from support.cdp import Browser, WebSocket
from support.chromium import Chromium
from support.guard import Guard
from support.processes import descendants
from vault import Fact

HERE = os.path.dirname(os.path.abspath(__file__))
TRIPS = 100             # round trips per turn
ADDED = 0.3             # ms, at most, on the median
RATE = 200              # MB/s of pictures, at least
PICTURES = 24           # of 8 MiB each, per turn
IDLE = 40               # clients
EACH = 8                # MiB of memory for each of them, at most
NOISE = """<!doctype html><title>noise</title><body style="margin:0"><canvas id=c width=1600 height=1200></canvas><script>
const x = c.getContext('2d'), d = x.createImageData(1600, 1200);
for (let i = 0; i < d.data.length; ++i) d.data[i] = i % 4 == 3 ? 255 : Math.random() * 256;
x.putImageData(d, 0, 0);</script>"""


class Quick(WebSocket):
    """Takes large messages without copying them again and again."""

    def _take(self, count):
        if len(self.buffer) >= count:
            out, self.buffer = self.buffer[:count], self.buffer[count:]
            return out
        out = bytearray(count)
        view, at = memoryview(out), len(self.buffer)
        out[:at], self.buffer = self.buffer, b""
        while at < count:
            got = self.socket.recv_into(view[at:at + (1 << 20)])
            if not got:
                raise RuntimeError("the connection was closed")
            at += got
        return out

    def frame(self):
        """Length of the next whole frame; what it says is not looked at."""
        _, second = self._take(2)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
        self._take(size)
        return size


def quick(port):
    browser = Browser(port)
    path = "/" + browser.version["webSocketDebuggerUrl"].split("/", 3)[3]
    browser.socket.close()
    browser.socket = Quick("127.0.0.1", port, path, timeout=60)
    return browser


def round_trips(guard, plain, url, rounds):
    pages = [quick(one.port).open(url) for one in (guard, plain)]

    def one(page):
        page.browser.events.clear()
        page.call("Runtime.evaluate", expression="1", returnByValue=True)

    samples = [[], []]
    for number in range(WARM_UPS + rounds):
        for page, into in zip(pages, samples):
            spent = [timed(lambda: one(page)) for _ in range(TRIPS)]
            if number >= WARM_UPS:
                into += spent
    for page in pages:
        page.close()
        page.browser.close()
    ours, bare = Sample(samples[0]), Sample(samples[1])
    added = ours.median - bare.median
    return [Row("CDP round trip through the guard", ours, "Chromium's own port", bare),
            Fact("  added to the median", "%.3f ms, at most %g: %s" % (added, ADDED, "held" if added < ADDED else "NOT held"),
                 added_ms=round(added, 4))]


def screenshots(guard, plain, url, rounds):
    pages = [quick(one.port).open(url) for one in (guard, plain)]
    sizes = []

    def one(page):
        sizes.append(len(page.call("Page.captureScreenshot", format="png")["data"]))

    def run(page):
        page.call("Page.bringToFront")
        return timed(lambda: one(page))

    samples = by_turns(max(5, rounds // 2), *(lambda page=page: run(page) for page in pages))
    for page in pages:
        page.close()
        page.browser.close()
    return [Row("screenshot of %.1f MB through the guard" % (sizes[-1] / 1e6), samples[0], "Chromium's own port", samples[1])]


def throughput(folder, url, rounds):
    """Pictures that are ready made: what is timed is how they pass."""
    program = os.path.join(folder, "chromium")
    shutil.copyfile(os.path.join(HERE, "relay.py"), program)
    os.chmod(program, stat.S_IRWXU)
    with Guard(browser=program) as guard:
        page = quick(guard.port).open(url)
        socket = page.browser.socket

        def turn():
            """MB/s. Four calls are always under way."""
            def ask():
                page.browser.next_id += 1
                socket.send('{"id":%d,"method":"Page.captureScreenshot","params":{},"sessionId":"%s"}' % (
                    page.browser.next_id, page.session_id))
            begin, asked, got, total = time.perf_counter(), 0, 0, 0
            while got < PICTURES:
                while asked < min(PICTURES, got + 4):
                    ask()
                    asked += 1
                size = socket.frame()
                if size > 1 << 20:
                    got, total = got + 1, total + size
            return total / 1e6 / (time.perf_counter() - begin)

        rates = sorted(turn() for _ in range(WARM_UPS + max(5, rounds // 2)))
        page.close()
        page.browser.close()
    rate = rates[len(rates) // 2]
    return [Fact("pictures through the guard", "%.0f MB/s (%.0f to %.0f), at least %d: %s" % (
        rate, rates[0], rates[-1], RATE, "held" if rate >= RATE else "NOT held"), megabytes_per_second=round(rate, 1))]


def pss(pid):
    """Memory of one process in KiB, shared pages counted in part."""
    try:
        with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0


def idle_clients(guard, url):
    """Clients as Playwright makes them: attached to everything, with the usual domains enabled on one page."""
    watcher = Browser(guard.port)
    page = watcher.open(url)
    everything = [guard.process.pid, *descendants(guard.process.pid)]
    time.sleep(1)
    before = {pid: pss(pid) for pid in everything}
    clients = []
    for _ in range(IDLE):
        client = Browser(guard.port)
        client.call("Target.setDiscoverTargets", {"discover": True})
        client.call("Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True})
        own = client.attach(page.target_id)
        for domain in ("Page", "Runtime", "Network", "DOM", "Log"):
            own.call(domain + ".enable")
        clients.append(client)
    time.sleep(1)
    after = {pid: pss(pid) for pid in before}
    for client in clients:
        client.close()
    page.close()
    watcher.close()
    own = (after[guard.process.pid] - before[guard.process.pid]) / 1024 / IDLE
    whole = (sum(after.values()) - sum(before.values())) / 1024 / IDLE
    return [Fact("memory of an idle client", "%.2f MiB in the guard, %.2f with the browser, at most %d: %s" % (
        own, whole, EACH, "held" if whole <= EACH else "NOT held"), guard_mib=round(own, 3), whole_mib=round(whole, 3)),
        Fact("  of the guard without clients", "%.1f MiB" % (before[guard.process.pid] / 1024), mib=round(before[guard.process.pid] / 1024, 2))]


def rows(site, rounds, say):
    site.pages["/noise"] = NOISE
    url = site.origin + "/simple"
    with tempfile.TemporaryDirectory(prefix="pv-bench-") as folder:
        say("guard: round trips, screenshots, clients")
        with Guard() as guard, Chromium() as plain:
            out = round_trips(guard, plain, url, rounds)
            out += screenshots(guard, plain, site.origin + "/noise", rounds)
            out += idle_clients(guard, url)
        say("guard: pictures")
        return out + throughput(folder, url, rounds)
