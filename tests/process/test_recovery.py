"""Recovery words from end to end: made on a terminal or for a script, used after the passphrase or the machine is lost,
refused with the right word when they are wrong, and nowhere but where the owner put them."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import scan
from support.home import PASSPHRASE, Answer, Home
from support.programs import SOURCE, program
from support.recovery_case import NEW, Case, create, run, use
from support.recovery_key import RecoveryKey
from support.rpc import RpcError, bundle
from support.terminal import Terminal

LIST = [word for line in open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "crypto",
                                           "bip39_english.inc"), encoding="ascii") if not line.startswith("//")
        for word in re.findall(r'"([a-z]+)"', line)]


class WithWords(Case):
    """A vault with a card and words that a script made."""

    def setUp(self):
        super().setUp()
        self.home.make_vault()
        self.card = self.home.add_card()
        self.words = create(self.home)

    def opens(self, passphrase):
        self.home.cli("lock")
        return self.home.run("unlock", passphrase=passphrase).code == 0

    def test_a_script_makes_and_uses_them(self):
        self.assertEqual(len(self.words.split(" ")), 24)
        self.assertEqual(set(self.words.split(" ")) - set(LIST), set())
        status = self.home.cli("status").json["recovery"]
        self.assertEqual(status["recipient"], RecoveryKey(self.words).recipient)
        self.home.cli("lock")
        answer = use(self.home, self.words + "\n")
        self.assertEqual(answer.code, 0, repr(answer))
        self.assertEqual(answer.json, {"state": "unlocked", "mode": "passphrase"})
        self.number_of(self.card)
        self.assertFalse(self.opens(PASSPHRASE))
        self.assertTrue(self.opens(NEW))
        self.number_of(self.card)
        kinds = self.journal()
        self.assertLess(kinds.index("recovery_created"), kinds.index("recovery_used"))
        self.assertEqual(self.home.cli("status").json["recovery"], status)
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])

    def test_as_they_may_be_typed(self):
        for form in (self.words.upper(), "\n".join(self.words.split()) + "\n\n",
                     "  " + "\t ".join(word[:4] for word in self.words.split())):
            self.home.cli("lock")
            self.assertEqual(use(self.home, form).code, 0)

    def test_after_a_restart_and_twice(self):
        for passphrase in (NEW, NEW + " again"):
            self.home.restart()
            self.assertEqual(use(self.home, self.words, passphrase).code, 0)
            self.number_of(self.card)
        self.assertTrue(self.opens(NEW + " again"))
        self.assertFalse(self.opens(NEW))

    def test_another_machine(self):
        """With another machine id the passphrase opens nothing; the words do, and the new passphrase holds there."""
        self.home.stop()
        other = os.path.join(self.home.base, "machine-id")
        with open(other, "w", encoding="ascii") as file:
            file.write("00112233445566778899aabbccddeeff\n")
        there = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/machine-id && exec "$@"', other)
        answer = run(self.home, "unlock", secrets={"--passphrase-fd": PASSPHRASE}, before=there)
        self.home.note_daemon()
        self.refused(answer, "wrong_key")
        answer = use(self.home, self.words, PASSPHRASE, before=there)
        self.assertEqual(answer.code, 0, repr(answer))
        self.number_of(self.card)
        self.home.cli("lock")
        self.refused(self.home.run("unlock", passphrase=PASSPHRASE), "wrong_key")
        answer = run(self.home, "unlock", secrets={"--passphrase-fd": PASSPHRASE}, before=there)
        self.assertEqual(answer.code, 0, repr(answer))

    def test_a_passphrase_change_needs_no_words(self):
        answer = run(self.home, "passphrase", secrets={"--passphrase-fd": PASSPHRASE, "--new-passphrase-fd": NEW})
        self.assertEqual(answer.code, 0, repr(answer))
        self.assertTrue(self.opens(NEW))
        self.home.cli("lock")
        self.assertEqual(use(self.home, self.words, "a third one, longer").code, 0)
        self.assertTrue(self.opens("a third one, longer"))
        self.assertFalse(self.opens(NEW))

    def test_new_words_end_the_old_ones(self):
        answer = run(self.home, "recovery", "create", secrets={"--words-fd": None, "--passphrase-fd": PASSPHRASE})
        self.assertEqual(answer.code, 0, repr(answer))
        self.assertIs(answer.json["replaced"], True)
        self.assertNotEqual(answer.written, self.words + "\n")
        self.home.cli("lock")
        self.refused(use(self.home, self.words), "words_wrong")
        self.assertEqual(use(self.home, answer.written).code, 0)

    def test_faulty_words_are_named_and_counted(self):
        good = self.words.split(" ")
        self.assertEqual(self.failures(), 0)
        self.home.cli("lock")
        unknown = good[:6] + ["zzyzx"] + good[7:]
        swapped = None
        for at in range(1, 24):  # a swap that the checksum sees: all but one in 256 do
            swapped = good[:]
            swapped[0], swapped[at] = swapped[at], swapped[0]
            other = good[:at] + [LIST[(LIST.index(good[at]) + 1) % 2048]] + good[at + 1:]
            if swapped != good and self.checksum_wrong(swapped) and self.checksum_wrong(other):
                break
        checksum = "the checksum does not fit: a word is wrong or two are swapped"
        # What every such error says, whatever the words are.
        with open(os.path.join(SOURCE, "docs", "ERRORS.md"), encoding="utf-8") as file:
            self.ours = set(re.findall(r"[a-z]+", file.read().lower()))
        rows = ((unknown, "word 7 is not in the list"), (good[:23], "there are 23 words and not 24"),
                (good + ["zoo"], "there are 25 words and not 24"), (swapped, checksum), (other, checksum))
        for count, (words, message) in enumerate(rows, 1):
            answer = use(self.home, " ".join(words))
            self.refused(answer, "words_invalid")
            self.assertTrue(answer.error["message"].endswith(message), answer.error["message"])
            said = set(re.findall(r"[a-z]+", answer.err.lower())) - self.ours
            self.assertFalse([word for word in words if len(word) > 4 and word in said])
            self.assertEqual(self.failures(), count)
        self.assertEqual(self.journal().count("recovery_failed"), 5)
        # Nobody was locked out.
        self.assertEqual(use(self.home, self.words).code, 0)
        self.assertEqual(self.failures(), 5)

    @staticmethod
    def checksum_wrong(words):
        bits = "".join("{:011b}".format(LIST.index(word)) for word in words)
        return hashlib.sha256(int(bits[:256], 2).to_bytes(32, "big")).digest()[0] != int(bits[256:], 2)

    def test_words_of_another_vault(self):
        with Home() as other:
            other.start()
            other.make_vault()
            theirs = create(other)
            self.home.cli("lock")
            self.refused(use(self.home, theirs), "words_wrong")
            took = [self.wrong_try(RecoveryKey(theirs).secret) for _ in range(4)]
            self.assertEqual(took, sorted(took))  # the answers come later and later
            self.assertGreater(took[-1], 1.5)
            self.assertEqual(self.failures(), 5)
            # Right words wait for nothing.
            started = time.monotonic()
            self.assertEqual(use(self.home, self.words).code, 0)
            self.assertLess(time.monotonic() - started, 5)
            # A slot of another vault is no way in either.
            self.home.cli("lock")
            shutil.copy(other.file("slots", "recovery.slot"), self.home.file("slots", "recovery.slot"))
            for words in (theirs, self.words):
                self.refused(use(self.home, words), "words_wrong")

    def wrong_try(self, secret):
        """Seconds until words_wrong, without the command line and its key derivation."""
        fd = bundle({"recovery_key": secret, "key": bytes(32)})
        started = time.monotonic()
        try:
            with self.home.owner() as owner, self.assertRaises(RpcError) as refused:
                owner.call("vault.recover", fd=fd)
        finally:
            os.close(fd)
        self.assertEqual(refused.exception.reason, "words_wrong")
        return time.monotonic() - started

    def test_a_damaged_slot_is_told_and_mended(self):
        slot = self.home.file("slots", "recovery.slot")
        with open(slot, "rb") as file:
            whole = file.read()
        self.home.cli("lock")
        for damaged in (whole[:-1], whole[:40], b"", whole[:50] + bytes([whole[50] ^ 1]) + whole[51:], whole + b"\0"):
            with open(slot, "wb") as file:
                file.write(damaged)
            self.refused(use(self.home, self.words), "slot_damaged")
        os.unlink(slot)
        answer = use(self.home, self.words)
        self.assertIn(answer.reason, ("slot_damaged", "recovery_missing"), repr(answer))
        # The passphrase writes it again.
        self.home.cli("unlock", passphrase=PASSPHRASE)
        self.home.cli("lock")
        self.assertEqual(use(self.home, self.words).code, 0)

    def test_identity(self):
        key = RecoveryKey(self.words)
        secrets = {"--words-fd": self.words, "--passphrase-fd": PASSPHRASE}
        answer = run(self.home, "recovery", "identity", secrets=secrets)
        self.assertEqual(answer.json, {"recipient": key.recipient, "identity": key.identity})
        answer = run(self.home, "recovery", "identity", secrets=secrets, json_output=False)
        self.assertEqual(answer.out, "# recipient: %s\n%s\n" % (key.recipient, key.identity))
        self.assertEqual(self.journal().count("recovery_shown"), 2)
        if shutil.which("age-keygen"):
            told = subprocess.run(["age-keygen", "-y"], input=answer.out.encode(), stdout=subprocess.PIPE, check=True)
            self.assertEqual(told.stdout.decode().strip(), key.recipient)
        self.refused(run(self.home, "recovery", "identity", secrets={**secrets, "--passphrase-fd": NEW}), "proof_invalid")
        zeros = "abandon " * 23 + "art"
        self.refused(run(self.home, "recovery", "identity", secrets={**secrets, "--words-fd": zeros}), "words_wrong")
        self.refused(run(self.home, "recovery", "identity", secrets={**secrets, "--words-fd": "zoo"}), "words_invalid")
        self.home.cli("lock")
        self.refused(run(self.home, "recovery", "identity", secrets=secrets), "locked", 3)

    def test_they_are_nowhere(self):
        """No words, key or passphrase in a file, the log or the daemon's memory; the scanner finds planted ones."""
        key = RecoveryKey(self.words)
        self.home.cli("lock")
        use(self.home, " ".join(reversed(self.words.split())))
        self.assertEqual(use(self.home, self.words).code, 0)
        run(self.home, "recovery", "identity", secrets={"--words-fd": self.words, "--passphrase-fd": NEW})
        needles = {}
        for name, value in (("words", self.words), ("identity", key.identity), ("new passphrase", NEW),
                            ("passphrase", PASSPHRASE), ("recovery key", key.secret), ("signing seed", key.signing),
                            ("seed", key.seed)):
            needles.update(scan.spellings(name, value))
        found = scan.scan_tree(self.home.base, needles)
        self.assertEqual(found, [])
        self.assertGreater(found.bytes, 0)
        with open(self.home.file("planted"), "w", encoding="ascii") as file:
            file.write(self.words)
        self.assertTrue(scan.scan_tree(self.home.base, needles))
        found = scan.scan_process(self.home.pid, needles)
        self.assertEqual(found, [])
        self.assertGreater(found.bytes, 0)


class Edges(Case):
    def test_no_words_were_made(self):
        self.home.make_vault()
        self.assertIsNone(self.home.cli("status").json["recovery"])
        self.home.cli("lock")
        self.refused(use(self.home, "abandon " * 23 + "art"), "recovery_missing")

    def test_no_vault(self):
        self.refused(use(self.home, "abandon " * 23 + "art"), "vault_missing", 4)
        answer = run(self.home, "recovery", "create", secrets={"--words-fd": None, "--passphrase-fd": PASSPHRASE})
        self.refused(answer, "vault_missing", 4)
        self.assertEqual(answer.written, "")

    def test_identity_without_a_vault(self):
        """The words are enough, nothing is made and no daemon is started."""
        words = "abandon " * 23 + "art"
        with Home() as nothing:
            answer = run(nothing, "recovery", "identity", secrets={"--words-fd": words})
            self.assertEqual(answer.json["identity"], RecoveryKey(words).identity)
            self.assertFalse(os.path.exists(nothing.path))
            self.refused(run(nothing, "recovery", "identity", secrets={"--words-fd": words + " art"}), "words_invalid")

    def test_a_wrong_passphrase_makes_nothing(self):
        self.home.make_vault()
        answer = run(self.home, "recovery", "create", secrets={"--words-fd": None, "--passphrase-fd": NEW})
        self.refused(answer, "proof_invalid")
        self.assertEqual(answer.written, "")
        self.assertIsNone(self.home.cli("status").json["recovery"])

    def test_words_that_cannot_be_written_are_not_stored(self):
        self.home.make_vault()
        with open("/dev/full", "wb") as full:
            done = subprocess.run([program("popvault"), "recovery", "create", "--words-fd", str(full.fileno()),
                                   "--passphrase-fd", "0", "--json"], input=PASSPHRASE.encode(), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=self.home.env(), pass_fds=[full.fileno()], check=False)
        self.refused(Answer(done), "disk_full")
        self.assertIsNone(self.home.cli("status").json["recovery"])

    def test_without_a_terminal(self):
        self.home.make_vault()
        for args, secrets in ((("create",), {"--passphrase-fd": PASSPHRASE}), (("use",), {"--new-passphrase-fd": NEW}),
                              (("identity",), {"--passphrase-fd": PASSPHRASE})):
            answer = run(self.home, "recovery", *args, secrets=secrets)
            self.refused(answer, "usage", 2)
            self.assertIn("--words-fd", answer.error["message"])
        self.refused(run(self.home, "recovery", "use", secrets={"--words-fd": "abandon " * 23 + "art"}), "usage", 2)

    def test_a_machine_vault_gets_a_passphrase(self):
        self.home.cli("init", "--machine", "--accept-public-salt")
        self.home.cli("unlock")
        card = self.home.add_card()
        words = create(self.home, passphrase=None)
        self.home.cli("lock")
        answer = use(self.home, words)
        self.assertEqual(answer.json, {"state": "unlocked", "mode": "passphrase"})
        self.number_of(card)
        self.home.restart()
        self.home.cli("unlock", passphrase=NEW)
        self.number_of(card)


class OnATerminal(Case):
    def setUp(self):
        super().setUp()
        self.home.make_vault()

    def terminal(self, *args, **size):
        terminal = Terminal([program("popvault"), *args], self.home.env(), **size)
        self.addCleanup(terminal.close)
        return terminal

    def shown(self, terminal):
        """Up to the words, by their numbers."""
        terminal.wait_for("Passphrase to make recovery words")
        terminal.press(PASSPHRASE + "\n")
        terminal.wait_for("asked back")
        self.assertTrue(terminal.screen.alternate)
        found = dict(re.findall(r"(\d+)\. ([a-z]+)", terminal.screen.text()))
        self.assertEqual(sorted(map(int, found)), list(range(1, 25)))
        return [found[str(i)] for i in range(1, 25)]

    def answer(self, terminal, words, wrong=0):
        """Answers what is asked; gives the number."""
        terminal.wait_for(lambda screen: re.search(r"Word \d+: *\Z", screen.text()))
        number = re.findall(r"Word (\d+):", terminal.screen.text())[-1]
        word = words[int(number) - 1]
        asked = terminal.screen.text().count("Word ")
        terminal.press(("zoo" if word != "zoo" else "able") + "\n" if wrong else word.upper() + "\n")
        if wrong:
            terminal.wait_for(lambda screen: screen.text().count("Word ") > asked or not screen.alternate)
        return number

    def nothing_stayed(self, terminal, words):
        screen = terminal.screen
        self.assertFalse(screen.alternate)
        self.assertEqual(screen.left_behind, "")
        self.assertEqual(screen.scrolled, 0)
        self.assertEqual([word for word in words if len(word) > 6 and word in screen.main_text], [])
        self.assertEqual(terminal.settings(), terminal.settings_before)

    def test_made_and_used(self):
        terminal = self.terminal("recovery", "create")
        words = self.shown(terminal)
        terminal.press("\n")
        terminal.wait_for("Word ")
        self.assertNotIn("24.", terminal.screen.text())  # the words are wiped before they are asked for
        asked = set()
        self.answer(terminal, words, wrong=1)  # a slip of the pen is no end
        for i in range(3):
            asked.add(self.answer(terminal, words))
            if i < 2:
                terminal.wait_for(lambda screen: re.search(r"Word \d+: *\Z", screen.text())
                                  and re.findall(r"Word (\d+):", screen.text())[-1] not in asked)
        self.assertEqual(terminal.finish(), 0, terminal.screen.text())
        self.assertEqual(len(asked), 3)
        self.nothing_stayed(terminal, words)
        self.assertEqual(self.home.cli("status").json["recovery"]["recipient"], RecoveryKey(" ".join(words)).recipient)

        self.home.cli("lock")
        terminal = self.terminal("recovery", "use")
        terminal.wait_for("\n1>")
        terminal.press(" ".join(words[:10]) + "\n")
        terminal.wait_for("\n11>")
        terminal.press(" ".join(words[10:]).upper() + "\n")
        terminal.wait_for("New passphrase for the vault")
        terminal.press(NEW + "\n")
        terminal.wait_for("The same again")
        terminal.press(NEW + "\n")
        self.assertEqual(terminal.finish(), 0, terminal.screen.text())
        self.nothing_stayed(terminal, words)
        self.assertNotIn(NEW.encode(), terminal.screen.raw)
        self.home.cli("lock")
        self.home.cli("unlock", passphrase=NEW)

    def test_words_that_are_shown_are_in_secret_memory_only(self):
        terminal = self.terminal("recovery", "create")
        words = self.shown(terminal)
        row = next(line for line in terminal.screen.lines() if line.startswith(" 1."))
        needles = {**scan.spellings("words", " ".join(words)), **scan.spellings("row", row),
                   **scan.spellings("passphrase", PASSPHRASE)}
        self.assertEqual(scan.scan_process(terminal.pid, needles), [])
        self.assertTrue(scan.scan_process(terminal.pid, {"control": self.home.path.encode()}))
        terminal.press("\n")
        self.answer(terminal, words)
        self.assertEqual(scan.scan_process(terminal.pid, needles), [])

    def test_three_wrong_answers_store_nothing(self):
        terminal = self.terminal("recovery", "create")
        words = self.shown(terminal)
        terminal.press("\n")
        for _ in range(3):
            self.answer(terminal, words, wrong=1)
        self.assertEqual(terminal.finish(), 1)
        self.nothing_stayed(terminal, words)
        self.assertIn("nothing was stored", terminal.screen.main_text)
        self.assertIsNone(self.home.cli("status").json["recovery"])

    def test_a_wrong_passphrase_shows_no_words(self):
        terminal = self.terminal("recovery", "create")
        terminal.wait_for("Passphrase")
        terminal.press("not the passphrase\n")
        self.assertEqual(terminal.finish(), 1)
        self.assertEqual(terminal.screen.switches, 0)

    def test_signals_leave_the_screen(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            terminal = self.terminal("recovery", "create")
            words = self.shown(terminal)
            if number == signal.SIGINT:
                terminal.press("\x03")
            else:
                terminal.signal(number)
            self.assertEqual(terminal.finish(), -number)
            self.nothing_stayed(terminal, words)
        self.assertIsNone(self.home.cli("status").json["recovery"])

    def test_it_is_not_stopped_with_the_words_on_the_screen(self):
        terminal = self.terminal("recovery", "create")
        words = self.shown(terminal)
        terminal.press("\x1a")
        time.sleep(0.3)
        with open("/proc/%d/stat" % terminal.pid, encoding="ascii", errors="replace") as file:
            self.assertNotEqual(file.read().rsplit(")", 1)[1].split()[0], "T")
        terminal.press("\x03")
        terminal.finish()
        self.nothing_stayed(terminal, words)

    def test_a_window_that_is_too_small(self):
        terminal = self.terminal("recovery", "create", rows=12)
        terminal.wait_for("Passphrase")
        terminal.press(PASSPHRASE + "\n")
        self.assertEqual(terminal.finish(), 2)
        self.assertEqual(terminal.screen.switches, 0)
        self.assertIn("too small", terminal.screen.main_text)

    def test_old_words_are_mentioned(self):
        create(self.home)
        terminal = self.terminal("recovery", "create")
        words = self.shown(terminal)
        self.assertIn("end with these", terminal.screen.text())
        terminal.press("\x03")
        terminal.finish()
        self.nothing_stayed(terminal, words)

    def test_faulty_words_typed(self):
        create(self.home)
        self.home.cli("lock")
        terminal = self.terminal("recovery", "use")
        terminal.wait_for("\n1>")
        terminal.press("zoo zoo\n")
        terminal.wait_for("\n3>")
        terminal.press("\n")
        self.assertEqual(terminal.finish(), 1)
        self.assertIn("there are 2 words and not 24", terminal.screen.main_text)
        self.assertEqual(self.failures(), 1)


if __name__ == "__main__":
    unittest.main()
