"""A popvault home of its own: short path, own daemon, gone afterwards.

    with Home() as home:
        home.start()
        home.make_vault()
        record = home.add_card()
        home.cli("list").json
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from support import programs
from support.processes import die_with_parent
from support.rpc import Client, connect

PASSPHRASE = "seven quiet lanterns by the harbour"
CARD = {"number": "4242424242424242", "exp_month": "12", "exp_year": "2034", "cvv": "123", "holder": "Ada Lovelace"}


class Answer:
    """What a run of the CLI gave."""

    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def error(self):
        """The error object that --json puts on the last line of stderr; {} when there is none."""
        lines = [line for line in self.err.splitlines() if line.startswith("{")]
        return json.loads(lines[-1]).get("error", {}) if lines else {}

    @property
    def reason(self):
        return self.error.get("reason")

    def __repr__(self):
        return "exit %d, out %r, err %r" % (self.code, self.out[:500], self.err[:500])


class Failed(AssertionError):
    def __init__(self, args, answer):
        super().__init__("popvault %s: %r" % (" ".join(args), answer))
        self.answer = answer


class Home:
    def __init__(self, user=None, build=programs.BUILD, base=None):
        """`user` (support.users.User) owns the home and runs daemon and CLI; else the one who runs the test."""
        self.build = build
        self.user = user
        self._made = base is None
        self.base = base or tempfile.mkdtemp(prefix="pv-", dir="/tmp")
        self.path = os.path.join(self.base, "home")
        self.tmp = os.path.join(self.base, "tmp")
        self.log = os.path.join(self.base, "daemon.log")
        os.makedirs(self.tmp, exist_ok=True)
        self.daemon = None
        self._pids = set()
        if user:
            user.own(self.base)

    @property
    def runtime(self):
        return os.path.join(self.path, "run")

    @property
    def agent_socket(self):
        return os.path.join(self.runtime, "agent.sock")

    @property
    def owner_socket(self):
        return os.path.join(self.runtime, "owner.sock")

    def file(self, *names):
        return os.path.join(self.path, *names)

    def env(self, **more):
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "POPVAULT_HOME": self.path,
               "TMPDIR": self.tmp, "HOME": self.base, "POPVAULT_NO_WATCHER": "1"}
        env.update(more)
        return env

    def _who(self):
        return self.user.popen() if self.user else {}

    # The CLI.

    def run(self, *args, passphrase=None, fields=None, stdin=None, env=None, timeout=90, json_output=True):
        """One run of `popvault`. A passphrase or fields go in through descriptor 0; if both, the passphrase
        through a pipe of its own."""
        command = [programs.program("popvault", self.build), *args]
        if json_output:
            command.append("--json")
        keep, close = [], []
        if fields is not None:
            data = fields if isinstance(fields, bytes) else "".join(
                "%s=%s\n" % item for item in fields.items()).encode()
            command += ["--fields-fd", "0"]
            stdin = data
        if passphrase is not None:
            data = passphrase if isinstance(passphrase, bytes) else passphrase.encode()
            if fields is None:
                command += ["--passphrase-fd", "0"]
                stdin = data
            else:
                read_end, write_end = os.pipe()
                os.write(write_end, data)
                os.close(write_end)
                command += ["--passphrase-fd", str(read_end)]
                keep.append(read_end)
                close.append(read_end)
        try:
            done = subprocess.run(command, input=stdin if stdin is not None else b"", stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=env or self.env(), pass_fds=keep, timeout=timeout,
                                  cwd=self.base, start_new_session=True, **self._who())
        finally:
            for fd in close:
                os.close(fd)
        return Answer(done)

    def cli(self, *args, **options):
        """A run that must end well."""
        answer = self.run(*args, **options)
        if answer.code != 0:
            raise Failed(args, answer)
        return answer

    # The daemon.

    def start(self, *arguments, env=None, preexec=None, **options):
        """popvaultd --foreground; returns when it listens."""
        with open(self.log, "ab") as log:
            if self.user:
                os.chown(self.log, self.user.uid, self.user.gid)
            who = {**self._who(), **options}

            def before():
                die_with_parent()
                if preexec:
                    preexec()

            self.daemon = subprocess.Popen([programs.program("popvaultd", self.build), "--foreground", *arguments],
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env or self.env(),
                                           cwd=self.base, start_new_session=True, preexec_fn=before, **who)
        end = time.monotonic() + 30
        while True:
            if self.daemon.poll() is not None:
                raise AssertionError("popvaultd ended with %d: %s" % (self.daemon.returncode, self.log_text()[-1000:]))
            try:
                with self.owner() as owner:
                    self.pid = owner.peer_pid()
                    self._pids.add(self.pid)
                return self.pid
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.003)

    def log_text(self):
        text = ""
        for path in (self.log, self.file("popvaultd.log")):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    text += file.read()
        return text

    def note_daemon(self):
        """Remember the daemon that the CLI started on demand, so that stop() ends it."""
        with connect(self.owner_socket) as owner:
            self.pid = owner.peer_pid()
            self._pids.add(self.pid)
        return self.pid

    def kill(self):
        """kill -9 of this home's own daemon."""
        self.daemon.kill()
        self.daemon.wait()
        self.daemon = None

    def stop(self):
        """End the daemon of this home, whoever started it."""
        if self.daemon is None:
            try:
                self.note_daemon_now()
            except OSError:
                pass
        if self.daemon is not None:
            self.daemon.terminate()
            try:
                self.daemon.wait(15)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
            self._pids.discard(self.daemon.pid)
            self.daemon = None
        for pid in list(self._pids):
            self._end(pid)
        self._pids.clear()

    def note_daemon_now(self):
        with Client(self.owner_socket, 5) as owner:
            self._pids.add(owner.peer_pid())

    def _end(self, pid):
        try:
            with open("/proc/%d/comm" % pid, encoding="ascii") as file:
                if not file.read().startswith("popvaultd"):
                    return
        except OSError:
            return
        for sig in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                return
            end = time.monotonic() + 10
            while time.monotonic() < end:
                try:
                    with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
                        if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                            return
                except OSError:
                    return
                time.sleep(0.02)

    def restart(self):
        self.stop()
        return self.start()

    # The usual first steps.

    def make_vault(self, passphrase=PASSPHRASE):
        vault = self.cli("init", passphrase=passphrase).json
        self.unlock(passphrase)
        return vault

    def unlock(self, passphrase=PASSPHRASE):
        if self.cli("status").json["state"] != "unlocked":
            self.cli("unlock", passphrase=passphrase)

    def add_card(self, label="Demo", **fields):
        return self.cli("add", "card", "--label", label, fields={**CARD, **fields}).json

    def add_agent(self, name="helper", passphrase=PASSPHRASE):
        return self.cli("agent", "add", name, passphrase=passphrase).json

    def set_policy(self, agent="helper", merchant="https://shop.example", processors=(), per_use="100.00",
                   per_day="500.00", currency="USD", strength="dom", more=(), passphrase=PASSPHRASE):
        """Everything but what `more` says is as for a first policy, whatever the agent had before; many uses an hour."""
        args = ["policy", "set", agent, "--merchant", merchant]
        for origin in processors or ("none",):
            args += ["--processor", origin]
        args += ["--per-use", per_use, "--per-day", per_day, "--currency", currency, "--strength", strength,
                 "--no-kill", *more]
        month = "%.2f" % (30 * float(per_day))
        for option, value in (("--ask-above", "0"), ("--per-month", month), ("--uses-per-hour", "10000"), ("--record", "*"),
                              ("--unlisted", "deny"), ("--expires", "never")):
            if option not in more:
                args += [option, value]
        return self.cli(*args, passphrase=passphrase).json

    def agent(self, key, client="test"):
        """A connection of an agent that has said who it is."""
        connection = Client(self.agent_socket)
        try:
            connection.call("session.hello", agent_key=key, client=client)
        except BaseException:
            connection.close()
            raise
        return connection

    def owner(self):
        return Client(self.owner_socket)

    def remove(self):
        try:
            self.stop()
        finally:
            if self._made:
                shutil.rmtree(self.base, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def wait_until(condition, what, patience=20.0):
    """Until condition() is true; AssertionError when it never is."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("never came: " + what)
        time.sleep(0.03)
