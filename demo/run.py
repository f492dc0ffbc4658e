"""The whole job once, in a temporary home: a card goes from a vault into a real checkout page and no agent sees it.

    run.py [--headed] [--screenshot FILE]     with POPVAULT_BUILD naming the build folder
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests"))
from support import programs, scan  # noqa: E402
from support.cdp import Browser  # noqa: E402
from support.chromium import Chromium  # noqa: E402
from support.home import PASSPHRASE, Home  # noqa: E402
from support.shop import Shop  # noqa: E402

NUMBER, MONTH, YEAR, CVC, HOLDER = "4242424242424242", "12", "2034", "123", "Ada Lovelace"


class Wrong(Exception):
    """What a person should read when the demo did not work."""


def step(text):
    print("  " + text, flush=True)


class Demo:
    def __init__(self, headed, screenshot):
        self.headed = headed
        self.screenshot = screenshot
        self.folder = tempfile.mkdtemp(prefix="pv-demo-", dir="/tmp")
        self.transcript = os.path.join(self.folder, "agent-received.txt")
        self.profiles = os.path.join(self.folder, "browser")
        os.mkdir(self.profiles)
        self.home = Home(base=os.path.join(self.folder))
        self.shop = self.chromium = self.browser = self.agent = None

    def owner_side(self):
        home = self.home
        home.start()
        home.make_vault(PASSPHRASE)
        step("vault made, sealed with a passphrase")
        card = home.add_card(label="Demo", number=NUMBER, exp_month=MONTH, exp_year=YEAR, cvv=CVC, holder=HOLDER)
        step("card added: %s %s" % (card["brand"], card["masked"]))
        self.key = home.add_agent("demo-agent")["key"]
        step("agent enrolled: demo-agent")

    def surroundings(self):
        self.shop = Shop()
        self.chromium = Chromium(headless=not self.headed, folder=self.profiles, env=dict(
            os.environ, TMPDIR=self.profiles))
        self.browser = Browser(self.chromium.port)
        self.page = self.browser.open(self.shop.checkout)
        self.page.wait_for("window.ready === 3")
        frames = [info for info in self.browser.targets() if info["type"] == "iframe"]
        if len(frames) != 3:
            raise Wrong("the card fields are not in three out-of-process frames (%d)" % len(frames))
        step("shop open: %s, card fields in 3 frames of %s" % (self.shop.checkout, self.shop.processor.origin))
        home = self.home
        home.cli("config", "set", "allow_loopback_http", "true", passphrase=PASSPHRASE)
        home.cli("config", "set", "browser.endpoint", self.chromium.endpoint, passphrase=PASSPHRASE)
        home.set_policy("demo-agent", merchant=self.shop.origin, processors=[self.shop.processor.origin],
                        per_use="50.00", per_day="200.00", strength="dom")
        step("policy set: %s up to 50.00 USD, browser %s enrolled" % (self.shop.origin, self.chromium.endpoint))

    def start_agent(self):
        read_end, write_end = os.pipe()
        os.write(write_end, self.key.encode())
        os.close(write_end)
        self.agent = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "agent.py"), "--socket", self.home.agent_socket,
             "--key-fd", str(read_end), "--origin", self.shop.origin, "--page", self.shop.checkout,
             "--transcript", self.transcript],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            pass_fds=[read_end], env={"PATH": os.environ.get("PATH", ""), "PYTHONDONTWRITEBYTECODE": "1"})
        os.close(read_end)

    def approve(self):
        while True:
            line = self.agent.stdout.readline()
            if not line:
                raise Wrong("the agent ended before it asked for anything")
            step("agent: " + line.rstrip())
            if "refused" in line:
                raise Wrong("the agent was refused: " + line.strip())
            if "awaiting_approval" in line:
                break
        waiting = self.home.cli("approvals").json
        if isinstance(waiting, dict):
            waiting = waiting["purchases"]
        if len(waiting) != 1:
            raise Wrong("there should be one purchase to approve, not %d" % len(waiting))
        one = waiting[0]
        step("owner sees: %s asks for %s at %s (%s)" % (one["agent_name"], one["amount"], one["merchant"], one["text"]))
        self.home.cli("approve", one["purchase"], passphrase=PASSPHRASE)
        step("owner approved, proved with the passphrase")

    def watch_fill(self):
        for line in self.agent.stdout:
            step("agent: " + line.rstrip())
        if self.agent.wait(30) != 0:
            raise Wrong("the agent did not get its purchase filled")

    def pay(self):
        self.page.evaluate("document.getElementById('pay').click()")
        outcome = self.page.wait_for("window.outcome", 15)
        if outcome["kind"] != "paid" or len(self.shop.processor.received) != 1:
            raise Wrong("the processor did not accept the card: %s" % outcome.get("reason"))
        step("the page posted the form; the shop shows receipt " + outcome["receipt"])
        if not self.headed:
            self.page.call("Emulation.setDeviceMetricsOverride", width=1040, height=700, deviceScaleFactor=1,
                           mobile=False)
        picture = base64.b64decode(self.page.call("Page.captureScreenshot", format="png")["data"])
        with open(self.screenshot, "wb") as file:
            file.write(picture)

    def table(self):
        got = self.shop.processor.received[0]
        with open(self.transcript, encoding="utf-8") as file:
            messages = [json.loads(line) for line in file]
        card = next(m["result"]["card"] for m in messages if "card" in m.get("result", {}))
        expected = {"number": NUMBER, "expiry": MONTH + YEAR[2:], "cvc": CVC}
        for name, value in expected.items():
            if "".join(c for c in got[name] if c.isdigit()) != value:
                raise Wrong("the processor received a wrong %s" % name)
        rows = [("what the agent saw", "what the processor received"), None,
                ("number  " + card["masked"], "number  " + got["number"]),
                ("expiry  (nothing)", "expiry  " + got["expiry"]),
                ("CVC     (nothing)", "CVC     " + got["cvc"]),
                ("brand   %s, label %s" % (card["brand"], card["label"]), "amount  %d.%02d %s" % (
                    *divmod(got["amount"], 100), got["currency"]))]
        width = max(len(row[0]) for row in rows if row)
        print()
        for row in rows:
            print("  " + ("%s | %s" % (row[0].ljust(width), row[1]) if row else "-" * width + "-+-" + "-" * 30))
        print()

    def search(self):
        """The number must be nowhere but in the page and at the processor."""
        order = {"number": NUMBER, "cvv": CVC, "exp_month": MONTH, "exp_year": YEAR, "holder": HOLDER,
                 "passphrase": PASSPHRASE, "pids": [self.home.pid], "trees": [self.folder],
                 "exclude": [self.profiles]}
        # A control: the same search must find a copy in a file that is planted for it, and in this program's memory.
        planted = os.path.join(self.home.tmp, "planted")
        with open(planted, "w", encoding="ascii") as file:
            file.write(NUMBER)
        control = self.run_scan({**order, "pids": [os.getpid()]})
        if not [line for line in control if planted in line] or not [line for line in control if "process" in line]:
            raise Wrong("the search does not find a number that was planted for it")
        os.unlink(planted)
        found = self.run_scan(order)
        if found:
            raise Wrong("a secret was found where it must not be: " + found[0])
        print("  searched: what the agent received, the logs, the daemon's memory, the files of the home and the")
        print("  temporary folder: the number, the CVC, the holder and the passphrase are in none of them")
        print("  screenshot: " + self.screenshot)
        print()

    def run_scan(self, order):
        command = [sys.executable, os.path.join(HERE, "..", "tests", "support", "scan.py")]
        if os.geteuid() != 0:
            command = ["sudo", *command]
        done = subprocess.run(command, input=json.dumps(order), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))
        if done.returncode != 0:
            raise Wrong("the search could not run (it needs root or sudo): " + done.stderr.strip()[-200:])
        return done.stdout.splitlines()

    def run(self):
        self.owner_side()
        self.surroundings()
        self.start_agent()
        self.approve()
        self.watch_fill()
        self.pay()
        self.table()
        self.search()

    def clean(self):
        if self.agent and self.agent.poll() is None:
            self.agent.kill()
            self.agent.wait()
        for thing in (self.browser and self.browser.close, self.chromium and self.chromium.stop,
                      self.shop and self.shop.stop, self.home.remove):
            if thing:
                try:
                    thing()
                except Exception as error:  # the rest must still be cleaned up
                    print("while cleaning up: %s" % error, file=sys.stderr)
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--headed", action="store_true")
    parser.add_argument("--screenshot", default=os.path.join(programs.BUILD, "demo-checkout.png"))
    order = parser.parse_args()
    begin = time.monotonic()
    demo = Demo(order.headed, os.path.abspath(order.screenshot))
    try:
        demo.run()
    except KeyboardInterrupt:
        print("demo: stopped")
        return 1
    except Exception as error:
        print("demo: failed: %s" % (str(error) or type(error).__name__))
        tail = demo.home.log_text().strip().splitlines()[-5:]
        for line in tail:
            print("  daemon: " + line)
        return 1
    finally:
        demo.clean()
    print("  (%.1f s)" % (time.monotonic() - begin))
    print("demo: ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
