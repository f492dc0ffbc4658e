"""Stock Playwright, where Node and the package playwright-core are. It is put into a cache folder of its own, on request only."""

import json
import os
import shutil
import subprocess

from fills import VALUES

HERE = os.path.dirname(os.path.abspath(__file__))


class Playwright:
    """`there` tells whether it can be measured; `why_not` is empty then."""

    def __init__(self, endpoint, install):
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        self.folder = os.path.join(cache, "popvault-bench")
        self.process = None
        self.why_not = self._reason(install)
        self.there = not self.why_not
        if self.there:
            self.process = subprocess.Popen(["node", os.path.join(HERE, "playwright_fill.mjs"), self.folder, endpoint],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _reason(self, install):
        if not shutil.which("node"):
            return " (no Node)"
        package = os.path.join(self.folder, "node_modules", "playwright-core", "package.json")
        if not os.path.exists(package) and install:
            self._install()
        return "" if os.path.exists(package) else " (ask for it: --playwright)"

    def _install(self):
        if not shutil.which("npm"):
            raise RuntimeError("--playwright needs npm to install playwright-core")
        os.makedirs(self.folder, exist_ok=True)
        with open(os.path.join(self.folder, "package.json"), "w", encoding="ascii") as file:
            json.dump({"name": "popvault-bench", "private": True}, file)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "playwright-core@1"], cwd=self.folder,
                       check=True, stdout=subprocess.DEVNULL)

    @property
    def version(self):
        with open(os.path.join(self.folder, "node_modules", "playwright-core", "package.json"), encoding="utf-8") as file:
            return json.load(file)["version"]

    def fill(self, kind, url):
        """One connect and fill, in ms, measured by Playwright's own process. As many fields as the bare fill has."""
        values = {name: VALUES[name] for name in ("number", "expiry", "cvc")}
        self.process.stdin.write(json.dumps({"kind": kind, "url": url, "values": values}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError("Playwright: " + answer["error"])
        return answer["ms"]

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait(10)
