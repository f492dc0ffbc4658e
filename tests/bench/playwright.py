"""Stock Playwright, with the Node and the version that the tests pin (tests/e2e/clients). It is installed on request only."""

import json
import os
import subprocess

from fills import VALUES
from support import stock

HERE = os.path.dirname(os.path.abspath(__file__))


class Playwright:
    """`there` tells whether it can be measured; `why_not` is empty then."""

    def __init__(self, endpoint, install):
        if install:
            stock.install()
        self.there = stock.installed()
        self.why_not = "" if self.there else " (ask for it: --playwright)"
        self.process = None
        if self.there:
            self.process = subprocess.Popen([stock.NODE, os.path.join(HERE, "playwright_fill.mjs"), stock.FOLDER, endpoint],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @property
    def version(self):
        return stock.version("playwright-core")

    def fill(self, kind, url, frame="/field/NAME?"):
        """One connect and fill, in ms, measured by Playwright's own process. As many fields as the bare fill has."""
        values = {name: VALUES[name] for name in ("number", "expiry", "cvc")}
        self.process.stdin.write(json.dumps({"kind": kind, "url": url, "values": values, "frame": frame}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError("Playwright: " + answer["error"])
        return answer["ms"]

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait(10)
