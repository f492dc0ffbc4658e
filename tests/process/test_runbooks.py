"""docs/RUNBOOKS.md: every block of commands is run, in its order, where the page says that it helps. A command that the tests do
not run, or that fails, is noticed; the control plants both."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import programs
from support.cdp import Browser
from support.guarded_market import GuardedMarket
from support.home import CARD, PASSPHRASE, Answer, Failed, Home, wait_until
from support.market import Market
from support.rpc import Closed, RpcError

SHOP = "https://shop.example"
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```\n", re.S | re.M)

# What the daemon reads as the wall clock, moved by the seconds in a file.
CLOCK = r"""
#include <cstdio>
#include <ctime>
#include <dlfcn.h>
extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static auto real = reinterpret_cast<int (*)(clockid_t, timespec*)>(dlsym(RTLD_NEXT, "clock_gettime"));
  const int result = real(clock, time);
  long seconds = 0;
  if (clock == CLOCK_REALTIME) {
    if (FILE* file = fopen(CLOCK_FILE, "r")) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
    time->tv_sec += seconds;
  }
  return result;
}
extern "C" time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
"""


def blocks(text):
    """{name: [words of each command, without `popvault`]}; every block of the document has a name."""
    found = {}
    for info, body in BLOCK.findall(text):
        kind, _, name = info.partition(" ")
        if kind != "sh" or not name or name in found:
            raise AssertionError("a block that is not `sh NAME`, once: %r" % info)
        commands = [shlex.split(line) for line in body.replace("\\\n", " ").splitlines()]
        for words in commands:
            if words[:1] != ["popvault"]:
                raise AssertionError("not a command of popvault: %r" % (words,))
        found[name] = [words[1:] for words in commands]
    return found


def document():
    with open(os.path.join(programs.SOURCE, "docs", "RUNBOOKS.md"), encoding="utf-8") as file:
        return file.read()


def left_out(names):
    """Those that no test below runs."""
    with open(os.path.abspath(__file__), encoding="utf-8") as file:
        text = file.read()
    return set(names) - set(re.findall(r'(?:run_block\(|BOOK\.run\(home, )"([\w-]+)"', text))


class Book:
    """The commands of the document."""

    def __init__(self, text):
        self.blocks = blocks(text)
        self.options = {}

    def options_of(self, words):
        path = tuple(word for word in words[:2] if re.fullmatch(r"[a-z]+", word))
        while path not in self.options:
            done = subprocess.run([programs.program("popvault"), *path, "--help"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, check=False)
            if done.returncode == 0:
                self.options[path] = set(re.findall(r"--[a-z-]+-fd\b", done.stdout.decode().split("Secrets come")[0]))
            else:
                path = path[:1]
        return self.options[path]

    def run(self, home, name, **values):
        """The answers of one block's commands, which all must end well; `values` stands in for words."""
        answers = []
        for words in self.blocks[name]:
            words = [values.get(word, word) for word in words]
            left = [word for word in words if re.fullmatch(r"[A-Z]{3,}", word) and word != "USD"]
            if left:
                raise AssertionError("nothing stands for %s in %s" % (left, name))
            answer = self.command(home, words)
            if answer.code != 0:
                raise Failed(words, answer)
            answers.append(answer)
        return answers

    def command(self, home, words):
        command, kept = [programs.program("popvault"), *words, "--json"], []
        writes = words[:2] == ["recovery", "create"]
        secrets = {"--passphrase-fd": home.passphrase, "--new-passphrase-fd": home.next_passphrase, "--words-fd": home.words}
        secrets["--fields-fd"] = "".join("%s=%s\n" % item for item in CARD.items())
        words_end = None
        for option in sorted(self.options_of(words) & set(secrets)):
            read_end, write_end = os.pipe()
            if option == "--words-fd" and writes:
                words_end, given = read_end, write_end
            else:
                os.write(write_end, (secrets[option] or "").encode())
                os.close(write_end)
                given = read_end
            kept.append(given)
            command += [option, str(given)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=home.env(),
                              cwd=home.base, pass_fds=kept, timeout=120, start_new_session=True, check=False)
        for fd in kept:
            os.close(fd)
        if words_end is not None:
            with open(words_end, "rb") as file:
                home.words = file.read().decode().strip() or home.words
        if done.returncode == 0 and (words[0] == "passphrase" or words[:2] in (["backup", "restore"], ["recovery", "use"])):
            home.passphrase = home.next_passphrase
        return Answer(done)


BOOK = Book(document())


def ready(home):
    """What Book needs to know of a home."""
    home.passphrase, home.next_passphrase, home.words = PASSPHRASE, "eleven grey geese over the marsh", None
    return home


class Runbook(unittest.TestCase):
    def setUp(self):
        self.home = self.new_home()
        self.begin()
        self.home.make_vault()
        self.card = self.home.add_card()["id"]
        self.key = self.home.add_agent("shopper")["key"]
        self.home.set_policy("shopper")

    def begin(self):
        self.home.start()

    def new_home(self):
        home = ready(Home())
        self.addCleanup(home.remove)
        return home

    def run_block(self, name, home=None, **more):
        return BOOK.run(home or self.home, name, **more)

    def ask(self, key, amount=1000):
        with self.home.agent(self.key) as agent:
            return agent.call("purchase.request", record=self.card, amount_minor=amount, currency="USD", reason="x",
                              merchant_origin=SHOP, idempotency_key=key)["purchase"]

    def refusal(self, key=None, method="credentials.list", **params):
        with self.home.agent(key or self.key) as agent:
            return agent.refusal(method, **params)

    def hello(self, key, home=None):
        """Why an agent with this key is not let in."""
        with self.assertRaises(RpcError) as caught:
            (home or self.home).agent(key)
        return caught.exception.reason

    def explain(self):
        with self.home.owner() as owner:
            return owner.call("policy.explain", agent="shopper",
                              request={"record": self.card, "amount_minor": 1, "currency": "USD", "merchant_origin": SHOP})


class FirstAid(Runbook):
    def test_freeze_and_after(self):
        grant = self.home.cli("grant", "shopper", "--record", self.card, passphrase=PASSPHRASE).json
        freeze, status = self.run_block("first-aid")
        self.assertTrue(freeze.json["frozen"])
        self.assertEqual((status.json["frozen"], status.json["state"], status.json["grants"]), (True, "locked", 0))
        self.assertEqual(self.refusal(), "frozen")
        self.home.restart()
        self.assertEqual(self.refusal(), "frozen")
        self.run_block("first-aid-over")
        with self.home.agent(self.key) as agent:
            agent.call("credentials.list")
        statuses = {one["grant"]: one["status"] for one in self.home.cli("grants").json}
        self.assertEqual(statuses[grant["grant"]], "revoked")


class Queue(Runbook):
    def test_deep(self):
        with self.home.agent(self.key) as agent:
            asked = [agent.call("purchase.request", record=self.card, amount_minor=100, currency="USD", reason="x",
                                merchant_origin=SHOP, idempotency_key=str(i))["purchase"] for i in range(50)]
            self.assertEqual(agent.refusal("purchase.request", record=self.card, amount_minor=100, currency="USD", reason="x",
                                           merchant_origin=SHOP, idempotency_key="more"), "rate_limited")
        status, approvals, policy, rows = self.run_block("queue-look")
        self.assertEqual(status.json["pending_approvals"], 50)
        self.assertEqual(len(approvals.json), 50)
        self.assertEqual(len(rows.json), 50)
        held = self.explain()["spent"]["day_minor"]
        self.run_block("queue-stop", PURCHASE=asked[0])
        self.assertEqual(self.hello(self.key), "agent_suspended")
        self.assertEqual(self.explain()["spent"]["day_minor"], held - 100)
        self.assertEqual(len(self.home.cli("approvals").json), 49)
        more, less, resumed = self.run_block("queue-less")
        self.assertTrue(more.json["widens"])
        self.assertFalse(less.json["widens"])
        self.assertEqual(resumed.json["status"], "active")


class Proofs(Runbook):
    def test_spike(self):
        for _ in range(3):
            self.assertEqual(self.home.run("agent", "add", "x", passphrase="not the passphrase").code, 1)
        self.home.cli("lock")
        self.assertEqual(self.home.run("unlock", passphrase="not the passphrase").reason, "wrong_key")
        self.home.unlock()
        for _ in range(2):
            self.home.run("agent", "add", "x", passphrase="not the passphrase")
        public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        status, rejected, unlocks, recoveries, keys = self.run_block("proofs-look")
        self.assertGreater(status.json["bad_proofs"], 0)
        self.assertGreaterEqual(len(rejected.json), 2)
        self.assertTrue(all("executable" in row["body"] for row in rejected.json))
        self.assertEqual(len(unlocks.json), 1)
        self.assertEqual(recoveries.json, [])
        self.assertEqual([key["id"] for key in keys.json], ["passphrase"])
        added = self.home.cli("authenticator", "add", "raw", "--public-key", public, "--label", "not mine", passphrase=PASSPHRASE).json
        self.run_block("first-aid")
        self.run_block("proofs-after", AUTHENTICATOR=added["id"])
        self.home.cli("lock")
        self.assertEqual(self.home.run("unlock", passphrase=PASSPHRASE).reason, "wrong_key")
        self.home.unlock(self.home.passphrase)
        self.assertEqual([key["id"] for key in self.home.cli("authenticator", "list").json], ["passphrase"])


class ClockJumped(Runbook):
    def begin(self):
        self.folder = tempfile.mkdtemp(prefix="pv-clock-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)
        self.ahead = os.path.join(self.folder, "ahead")
        source, library = os.path.join(self.folder, "clock.cpp"), os.path.join(self.folder, "clock.so")
        with open(source, "w", encoding="ascii") as file:
            file.write(CLOCK)
        subprocess.run(["g++", "-shared", "-fPIC", "-w", "-DCLOCK_FILE=\"%s\"" % self.ahead, "-o", library, source, "-ldl"],
                       check=True)
        self.home.start(env=self.home.env(LD_PRELOAD=library))

    def move(self, seconds):
        with open(self.ahead + ".new", "w", encoding="ascii") as file:
            file.write(str(seconds))
        os.rename(self.ahead + ".new", self.ahead)

    def warned(self):
        return any("clock was moved" in line for line in self.home.cli("status").json["warnings"])

    def test_ahead_and_back(self):
        before = self.ask("one")
        self.assertFalse(self.warned())
        self.move(40 * 86400)
        self.assertTrue(self.warned())
        # While it is unlocked nothing moves.
        self.assertEqual([one["purchase"] for one in self.home.cli("approvals").json], [before])
        self.assertTrue(all(agent["status"] == "active" for agent in self.home.cli("agent", "list").json))
        # Under the wrong time ...
        self.run_block("clock-after")
        self.assertFalse(self.warned())
        self.assertEqual(self.home.cli("approvals").json, [], "it is over by then")
        later = self.ask("two")
        self.home.cli("approve", later, passphrase=PASSPHRASE)
        # ... and set right again.
        self.move(0)
        answers = self.run_block("clock-after")
        self.assertEqual(answers[2].json["warnings"], self.home.cli("status").json["warnings"])
        self.assertFalse(self.warned())
        self.assertEqual(self.explain()["spent"]["day_minor"], 1000, "what lies in the future counts")
        self.assertEqual(self.refusal(method="purchase.fill", purchase=later, page={"url": SHOP + "/pay"}), "purchase_expired")
        denied, adjusted = self.run_block("clock-future", PURCHASE=later)
        self.assertEqual(denied.json["status"], "denied")
        self.assertEqual(adjusted.json["spent_day_minor"], 0)
        self.assertEqual(self.explain()["spent"]["day_minor"], 0)


class CutOff(unittest.TestCase):
    """With a browser: the daemon is killed while a page is being filled."""

    SLOW = """<!doctype html><title>slow</title><form><input id="n" autocomplete="cc-number">
<input id="e" autocomplete="cc-exp" placeholder="MM/YY"><input id="c" autocomplete="cc-csc"></form><script>
for (const i of document.querySelectorAll("input")) i.addEventListener("input", () => {
  navigator.sendBeacon("/beacon/" + i.id);
  const end = performance.now() + 1500; while (performance.now() < end) {} });</script>"""

    def cut_off(self, market, key):
        url = "%s/slow?%s" % (market.shop.origin, key)
        market.open(url)
        market.shop.beacons.clear()
        purchase = market.approved(key)

        def fill():
            try:
                with market.agent() as agent:
                    agent.call("purchase.fill", purchase=purchase, page={"url": url})
            except (Closed, OSError):
                pass  # the daemon is killed under it

        thread = threading.Thread(target=fill)
        thread.start()
        wait_until(lambda: "/beacon/n" in market.shop.beacons, "the first key", 60)
        market.home.kill()
        thread.join()
        market.home.start()
        return purchase

    def test_unknown_outcome(self):
        with Market(home=ready(Home())) as market:
            home = market.home
            market.shop.pages["/slow"] = self.SLOW
            paid = self.cut_off(market, "paid")
            answers = BOOK.run(home, "unknown-look")
            self.assertEqual([one["purchase"] for one in answers[1].json], [paid])
            self.assertEqual([len(answer.json) for answer in answers[2:]], [1, 1])
            self.assertEqual(BOOK.run(home, "unknown-spent", PURCHASE=paid)[0].json["status"], "settled")
            free = self.cut_off(market, "free")
            home.unlock()
            self.assertEqual(BOOK.run(home, "unknown-not-spent", PURCHASE=free)[0].json["status"], "released")
            corrected = BOOK.run(home, "unknown-corrected", shopper="helper")[0].json
            self.assertEqual(corrected["spent_day_minor"], 0)


class GuardedBrowser(Runbook):
    def test_it_starts_again(self):
        self.home.cli("browser", "--headless", timeout=120)
        status, settings, _ = self.run_block("guard-look")
        self.assertEqual(status.json["browser"]["kind"], "guarded")
        self.assertIn("browser.program", json.dumps(settings.json))
        stopped, = self.run_block("guard-stop")
        self.assertTrue(stopped.json["stopped"])
        wait_until(self.ended, "the old Chromium has ended")
        started, = self.run_block("guard-again")
        self.assertTrue(started.json["endpoint"].startswith("http://127.0.0.1:"))
        program = next(path for path in ("/usr/lib/chromium/chromium", "/opt/google/chrome/chrome") if os.path.exists(path))
        self.run_block("guard-program", PROGRAM=program)
        self.assertTrue(self.run_block("guard-stop")[0].json["stopped"])

    def ended(self):
        """Whether no process holds the profile: Chromium's lock names one."""
        try:
            lock = os.readlink(os.path.join(self.home.path, "browser", "SingletonLock"))
            return not os.path.exists("/proc/" + lock.rpartition("-")[2])
        except OSError:
            return True


class Wire(unittest.TestCase):
    """With the guarded browser: purchases that are armed."""

    @classmethod
    def setUpClass(cls):
        cls.market = GuardedMarket()
        ready(cls.market.home)
        cls.site = cls.market.site("js_token")
        cls.browser = Browser(int(cls.market.endpoint.rsplit(":", 1)[1]))

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.market.close()

    def status(self, purchase):
        with self.market.agent() as agent:
            return agent.call("purchase.status", purchase=purchase)["status"]

    def armed(self, key, **more):
        page = self.browser.open(self.site.url)
        with self.market.agent() as agent:
            purchase = self.market.request(agent, self.site, key)["purchase"]
            self.market.approve(purchase)
            filled = agent.call("purchase.fill", purchase=purchase, page={"target_id": page.target_id}, **more)
        self.assertEqual(filled["status"], "armed")
        return purchase

    def test_armed(self):
        home = self.market.home
        purchase = self.armed("stays")
        listed, rows = BOOK.run(home, "armed-look")
        self.assertEqual([one["purchase"] for one in listed.json], [purchase])
        self.assertTrue(rows.json)
        denied, = BOOK.run(home, "armed-stop", PURCHASE=purchase)
        self.assertEqual(denied.json["status"], "denied")
        self.assertEqual(self.status(purchase), "denied")

    def test_another_account(self):
        home, shop = self.market.home, self.site.merchant
        home.cli("policy", "set", "helper", "--account", shop + "=another", passphrase=PASSPHRASE)
        purchase = self.armed("account", submit=True)
        wait_until(lambda: self.status(purchase) == "approved", "the request is refused")
        rows, _, _ = BOOK.run(home, "recipe-look", shopper="helper")
        self.assertEqual([row["body"]["reason"] for row in rows.json if row["body"]["purchase"] == purchase], ["account_mismatch"])
        BOOK.run(home, "recipe-account", shopper="helper", **{SHOP + "=ACCOUNT": shop + "=ewr1-test"})
        purchase = self.armed("right", submit=True)
        wait_until(lambda: self.status(purchase) == "filled", "it is paid")


class RecipeBack(Runbook):
    def test_back_and_without(self):
        self.home.cli("recipe", "add", "stripe", passphrase=PASSPHRASE)
        with open(os.path.join(programs.SOURCE, "recipes", "stripe.json"), encoding="utf-8") as file:
            newer = {**json.load(file), "version": 2}
        path = os.path.join(self.home.base, "newer.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(newer, file)
        self.home.cli("recipe", "add", path, "--unsigned", passphrase=PASSPHRASE)
        back, again = self.run_block("recipe-back")
        self.assertEqual((back.json["version"], again.json["version"]), (1, 2))
        removed, policy = self.run_block("recipe-sealed")
        self.assertEqual(removed.json["removed"], 2)
        self.assertFalse(policy.json["widens"])


class Leaks(Runbook):
    def test_an_agents_key(self):
        stopped = self.run_block("agent-key-stop")
        self.assertEqual(stopped[0].json["status"], "suspended")
        self.assertEqual(self.hello(self.key), "agent_suspended")
        self.run_block("agent-key-new")
        with open(os.path.join(self.home.base, "shopper-new.key"), encoding="ascii") as file:
            new = file.read().strip()
        with self.home.agent(new) as agent:
            agent.call("credentials.list")
        self.assertEqual(self.hello(self.key), "unauthenticated")
        self.run_block("agent-key-end")
        self.assertEqual(self.hello(new), "unauthenticated")

    def test_the_passphrase(self):
        BOOK.command(self.home, ["recovery", "create"])
        answers = self.run_block("passphrase-leaked")
        self.assertTrue(os.path.exists(os.path.join(self.home.base, "popvault-new.age")))
        self.assertEqual(answers[0].code, 0)
        self.home.cli("lock")
        self.assertEqual(self.home.run("unlock", passphrase=PASSPHRASE).reason, "wrong_key")
        epochs = {one["epoch"]: one["status"] for one in self.home.cli("epochs").json["epochs"]}
        self.assertEqual(epochs[1], "destroyed")

    def test_the_words(self):
        BOOK.command(self.home, ["recovery", "create"])
        old = self.home.words
        self.run_block("words-leaked")
        self.assertNotEqual(old, self.home.words)
        self.home.cli("lock")
        new, self.home.words, self.home.next_passphrase = self.home.words, old, "thirteen thin terns"
        self.assertEqual(BOOK.command(self.home, ["recovery", "use"]).reason, "words_wrong")
        self.home.words = new
        self.assertEqual(BOOK.command(self.home, ["recovery", "use"]).code, 0)

    def test_a_card(self):
        self.run_block("card-leaked", CARD=self.card)
        self.assertEqual([one["label"] for one in self.home.cli("list").json], ["Everyday, new"])
        epochs = {one["epoch"]: one["status"] for one in self.home.cli("epochs").json["epochs"]}
        self.assertEqual(epochs[1], "destroyed")

    def test_a_granted_card(self):
        self.home.cli("grant", "shopper", "--record", self.card, passphrase=PASSPHRASE)
        self.home.cli("rm", "--now", self.card, passphrase=PASSPHRASE)
        self.home.cli("lock")
        with self.home.agent(self.key) as agent:
            self.assertEqual(agent.call("credentials.list")["credentials"], [])


class Elsewhere(Runbook):
    def carry(self, new):
        shutil.copy(os.path.join(self.home.base, "popvault.age"), new.base)
        new.words = self.home.words
        new.next_passphrase = "fourteen plain plovers"
        new.start()

    def policy_of(self, home, agent):
        return home.cli("policy", "show", agent).json["merchants"]

    def test_lost(self):
        BOOK.command(self.home, ["recovery", "create"])
        self.home.cli("backup", "create", "popvault.age", passphrase=PASSPHRASE)
        new = self.new_home()
        self.carry(new)
        self.run_block("lost-restore", new)
        self.assertEqual({agent["status"] for agent in new.cli("agent", "list").json}, {"revoked"})
        old_words = new.words
        self.run_block("lost-after", new)
        self.assertNotEqual(new.words, old_words)
        self.assertEqual(len(self.policy_of(new, "shopper-2")), 1)
        # The lost home goes on opening with its own passphrase.
        self.home.cli("lock")
        self.home.unlock()

    def test_moved(self):
        answers = self.run_block("move-old")
        self.assertIn("signer", answers[3].json)
        self.assertIn("head", answers[4].json)
        new = self.new_home()
        self.carry(new)
        moved = self.run_block("move-new", new)
        self.assertEqual(len(moved[7].json), 1)
        with open(os.path.join(new.base, "shopper-2.key"), encoding="ascii") as file:
            with new.agent(file.read().strip()) as agent:
                self.assertEqual(len(agent.call("credentials.list")["credentials"]), 1)
        self.assertEqual(self.hello(self.key, new), "unauthenticated")
        self.home.start()
        self.assertTrue(self.home.cli("status").json["frozen"])


class Everything(unittest.TestCase):
    def test_no_block_is_left_out(self):
        self.assertEqual(left_out(blocks(document())), set())


class Control(unittest.TestCase):
    def test_what_is_wrong_is_noticed(self):
        text = document()
        self.assertGreater(len(blocks(text)), 15)
        with self.assertRaises(AssertionError):
            blocks(text + "\n```\npopvault status\n```\n")
        with self.assertRaises(AssertionError):
            blocks(text + "\n```sh more\nrm -r x\n```\n")
        planted = Book(text + "\n```sh more\npopvault fly\n```\n")
        self.assertEqual(left_out(planted.blocks), {"more"})
        home = ready(Home())
        self.addCleanup(home.remove)
        with self.assertRaises(Failed):
            planted.run(home, "more")
        with self.assertRaises(AssertionError):
            Book(text).run(home, "queue-stop")


if __name__ == "__main__":
    unittest.main()
