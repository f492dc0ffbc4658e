"""A terminal that a program runs on, and what a person would see there.

    with Terminal([program("popvault"), "reveal", "crd_..."], env) as terminal:
        terminal.wait_for("Passphrase")
        terminal.press(PASSPHRASE + "\\n")
        terminal.wait_for("Gone in")
        terminal.screen.lines()          # what stands there now
    terminal.code, terminal.screen.main_text

Only the control sequences that popvault uses are known; another one is an error.
"""

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")


class Screen:
    """The picture after the bytes that were fed; `main_text` is all that was ever written outside the alternate screen."""

    def __init__(self, rows=24, columns=80):
        self.rows, self.columns = rows, columns
        self.alternate = False
        self.cursor_shown = True
        self.wrap = True
        self.main_text = ""
        self.scrolled = 0         # lines that went off the alternate screen's top
        self.left_behind = None   # the alternate screen as it was left
        self.switches = 0
        self.raw = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._rest = ""
        self._main = self._blank()
        self._lines, self._row, self._column, self._saved = self._main, 0, 0, (0, 0)

    def _blank(self):
        return [[" "] * self.columns for _ in range(self.rows)]

    def lines(self):
        return ["".join(line).rstrip() for line in self._lines]

    def text(self):
        return "\n".join(self.lines()).rstrip()

    def resize(self, rows, columns):
        """A new size; the alternate screen's picture is lost, as a person would see it until the next one."""
        self.rows, self.columns = rows, columns
        self._lines = self._blank()
        if not self.alternate:
            self._main = self._lines
        self._row = self._column = 0

    def feed(self, data):
        self.raw += data
        text = self._rest + self._decoder.decode(data)
        self._rest = ""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                found = SEQUENCE.match(text, at)
                if not found:
                    if len(text) - at > 16:
                        raise AssertionError("not a known control sequence: %r" % text[at:at + 16])
                    self._rest = text[at:]
                    return
                self._control(found.group(1), found.group(2))
                at = found.end()
                continue
            self._character(text[at])
            at += 1

    def _character(self, c):
        if not self.alternate:
            self.main_text += c
        if c == "\r":
            self._column = 0
        elif c == "\n":
            self._down()
        elif c == "\x07" or c == "\b":
            self._column = max(0, self._column - (c == "\b"))
        elif ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0:
            raise AssertionError("a control character reached the terminal: %r" % c)
        else:
            if self._column == self.columns:
                if not self.wrap:
                    self._column -= 1
                else:
                    self._column = 0
                    self._down()
            self._lines[self._row][self._column] = c
            self._column += 1

    def _down(self):
        if self._row < self.rows - 1:
            self._row += 1
            return
        del self._lines[0]
        self._lines.append([" "] * self.columns)
        self.scrolled += self.alternate

    def _control(self, parameters, letter):
        if (parameters, letter) in (("?1049", "h"), ("?1049", "l")):
            self._switch(letter == "h")
        elif parameters == "?25":
            self.cursor_shown = letter == "h"
        elif parameters == "?7":
            self.wrap = letter == "h"
        elif letter == "H" and re.fullmatch(r"(\d+;\d+)?", parameters):
            row, column = (int(part) for part in (parameters or "1;1").split(";"))
            self._row, self._column = min(row, self.rows) - 1, min(column, self.columns) - 1
        elif (parameters, letter) == ("", "K"):
            self._lines[self._row][self._column:] = [" "] * (self.columns - self._column)
        elif (parameters, letter) == ("", "J"):
            self._control("", "K")
            for row in range(self._row + 1, self.rows):
                self._lines[row] = [" "] * self.columns
        else:
            raise AssertionError("an unknown control sequence: %r" % (parameters + letter))

    def _switch(self, alternate):
        if alternate == self.alternate:
            return
        self.switches += 1
        if alternate:
            self._saved = self._row, self._column
            self._lines, self._row, self._column = self._blank(), 0, 0
        else:
            self.left_behind = self.text()
            self._lines = self._main
            self._row, self._column = self._saved
        self.alternate = alternate


class Terminal:
    """A program with a terminal of its own as its controlling terminal and standard input, output and error."""

    def __init__(self, argv, env, rows=24, columns=80):
        self.screen = Screen(rows, columns)
        self.code = None  # the exit code, or minus the signal
        # The slave stays open here, so that the settings can be read also when the program is gone.
        self.master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.settings_before = termios.tcgetattr(self._slave)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                fcntl.ioctl(self._slave, termios.TIOCSCTTY, 0)
                for fd in (0, 1, 2):
                    os.dup2(self._slave, fd)
                os.execve(argv[0], argv, env)
            finally:
                os._exit(127)

    def settings(self):
        return termios.tcgetattr(self._slave)

    def press(self, keys):
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def signal(self, number):
        os.kill(self.pid, number)

    def read(self, seconds):
        """Takes what comes within that time; False when nothing did."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:
            return False
        self.screen.feed(data)
        return bool(data)

    def wait_for(self, wanted, patience=30.0):
        """Until the text (or what a function of the screen says) is there."""
        there = wanted if callable(wanted) else lambda screen: wanted in screen.text()
        end = time.monotonic() + patience
        while not there(self.screen):
            if time.monotonic() > end:
                raise AssertionError("never seen: %s; but: %s" % (wanted, self.screen.text()))
            if not self.read(0.05) and self.ended() and not self.read(0.05) and not there(self.screen):
                raise AssertionError("ended (%s) before: %s; with: %s" % (self.code, wanted, self.screen.text()))

    def ended(self):
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def finish(self, patience=60.0):
        """Until the program has ended and everything it wrote is read; its exit code."""
        end = time.monotonic() + patience
        while not self.ended():
            if time.monotonic() > end:
                raise AssertionError("did not end; on the screen: " + self.screen.text())
            self.read(0.05)
        while self.read(0.05):
            pass
        return self.code

    def close(self):
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            _, status = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)
        if self.master >= 0:
            self.hang_up()

    def hang_up(self):
        """The terminal goes away under the program."""
        os.close(self._slave)
        os.close(self.master)
        self.master = self._slave = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
