"""What the tests of recovery words and of passphrase changes share: runs with several secrets, and a home with a daemon."""

import os
import subprocess
import unittest

from support.home import CARD, PASSPHRASE, Answer, Home
from support.programs import program

NEW = "nine slow herons over the marsh"


def run(home, *args, secrets=None, before=(), json_output=True):
    """One run of `popvault` with a pipe for each of `secrets` ({option: what is in it}); None: a pipe to write to, whose
    content is `answer.written`. `before` is a command that starts it."""
    command = [*before, program("popvault"), *args] + (["--json"] if json_output else [])
    keep, written = [], None
    for option, value in (secrets or {}).items():
        read_end, write_end = os.pipe()
        if value is None:
            written = read_end
            keep.append(write_end)
        else:
            os.write(write_end, value.encode())
            os.close(write_end)
            keep.append(read_end)
        command += [option, str(keep[-1])]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=home.env(), pass_fds=keep, timeout=90, start_new_session=True, check=False)
    for fd in keep:
        os.close(fd)
    answer = Answer(done)
    if written is not None:
        with open(written, "rb") as file:
            answer.written = file.read().decode()
    return answer


def create(home, passphrase=PASSPHRASE):
    secrets = {"--words-fd": None}
    if passphrase:
        secrets["--passphrase-fd"] = passphrase
    answer = run(home, "recovery", "create", secrets=secrets)
    if answer.code != 0:
        raise AssertionError(repr(answer))
    return answer.written.rstrip("\n")


def use(home, words, passphrase=NEW, before=()):
    return run(home, "recovery", "use", secrets={"--words-fd": words, "--new-passphrase-fd": passphrase}, before=before)


class Case(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()

    def refused(self, answer, reason, code=1):
        self.assertEqual((answer.reason, answer.code), (reason, code), repr(answer))
        self.assertEqual(answer.out, "")

    def failures(self):
        return self.home.cli("status").json["failed_recoveries"]

    def journal(self):
        rows = self.home.cli("audit", "list", "--limit", "1000").json
        return [row["kind"] for row in (rows if isinstance(rows, list) else rows["rows"])]

    def number_of(self, card):
        """The record is there as it was."""
        self.assertEqual(self.home.cli("show", card["id"]).json["last4"], CARD["number"][-4:])
