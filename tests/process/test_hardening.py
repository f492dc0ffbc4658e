"""Each hardening line of popvaultd from outside, and the same-user attack matrix with its control."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import programs
from support.home import Home, wait_until
from support.processes import descendants, status_of
from support.users import PYTHON, User

HERE = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(HERE, "..", "support", "attack.py"), encoding="utf-8") as source:
    ATTACK = source.read()

# A victim that lets everybody in who may: where Yama runs, it says so itself.
PLAIN = "import ctypes, time; ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0); print('ready', flush=True); time.sleep(600)"
NOTHING = {"mem": False, "process_vm_readv": False, "pidfd_getfd": False, "proc": [], "ptrace": False}


def family(pid):
    """The process and its descendants."""
    return [pid] + descendants(pid)


class AsRoot(unittest.TestCase):
    """Seen from outside with root's eyes."""

    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.marker = open(os.path.join(cls.home.base, "inherited"), "w+b")
        os.set_inheritable(cls.marker.fileno(), True)
        high = os.dup2(cls.marker.fileno(), 300)
        env = cls.home.env(PV_MARK="inherited-mark", OPENSSL_CONF="/nonexistent", SSLKEYLOGFILE="/nonexistent/keys",
                           GCONV_PATH="/nonexistent", MALLOC_PERTURB_="7")
        cls.home.start(env=env, pass_fds=[cls.marker.fileno(), high], umask=0)
        os.close(high)
        cls.home.make_vault()
        cls.home.add_card()
        cls.home.cli("config", "set", "allow_loopback_http", "true", passphrase="seven quiet lanterns by the harbour")
        cls.pids = family(cls.home.pid)

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()
        cls.marker.close()

    def test_there_is_a_spawner(self):
        self.assertGreaterEqual(len(self.pids), 2)

    def test_no_core(self):
        for pid in self.pids:
            with open("/proc/%d/limits" % pid, encoding="ascii") as file:
                core = next(line for line in file if line.startswith("Max core file size"))
            self.assertEqual(core.split()[4:6], ["0", "0"])

    def test_no_new_privileges(self):
        for pid in self.pids:
            self.assertEqual(status_of(pid)["NoNewPrivs"], "1")
        self.assertEqual(status_of(os.getpid())["NoNewPrivs"], "0")  # the control

    def environment_of(self, pid):
        with open("/proc/%d/environ" % pid, "rb") as file:
            return file.read()

    def test_environment(self):
        """Nothing of it is left, not even in the pages the kernel put it in."""
        for pid in self.pids:
            data = self.environment_of(pid)
            self.assertNotIn(b"inherited-mark", data)
            self.assertEqual(data.strip(b"\x00"), b"")
        child = subprocess.Popen(["sleep", "60"], env={"PV_MARK": "inherited-mark"})
        try:
            wait_until(lambda: b"inherited-mark" in self.environment_of(child.pid), "the control's environment")
        finally:
            child.kill()
            child.wait()

    def test_inherited_descriptors(self):
        for pid in self.pids:
            links = [os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)]
            self.assertNotIn(self.marker.name, links)

    def test_files_and_folders(self):
        """Whatever the umask was."""
        seen = 0
        for folder, folders, files in os.walk(self.home.path):
            self.assertEqual(os.stat(folder).st_mode & 0o7777, 0o700, folder)
            for name in files:
                path = os.path.join(folder, name)
                self.assertEqual(os.lstat(path).st_mode & 0o7777, 0o600, path)
                seen += 1
        self.assertGreaterEqual(seen, 6)

    def test_signals_of_files(self):
        ignored = int(status_of(self.home.pid)["SigIgn"], 16)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            self.assertTrue(ignored >> (number - 1) & 1)

    def test_secret_memory_is_in_use(self):
        kind = self.home.cli("status").json["secret_memory"]
        self.assertIn(kind, ("memfd_secret", "locked_pages"))
        with open("/proc/%d/maps" % self.home.pid, encoding="ascii", errors="replace") as file:
            self.assertEqual("secretmem" in file.read(), kind == "memfd_secret")


class Refusals(unittest.TestCase):
    """Surroundings in which it does not start."""

    def run_in(self, *prefix, program="popvaultd", arguments=("--foreground",)):
        with Home() as home:
            child = subprocess.Popen([*prefix, programs.program(program), *arguments], env=home.env(),
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     start_new_session=True)
            try:
                out, _ = child.communicate(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)  # the group is its own
                child.communicate()
                return None, "it runs"
            return child.returncode, out.decode("utf-8", "replace")

    def test_control(self):
        self.assertIsNone(self.run_in()[0])

    def test_user_namespace(self):
        for options in (["-U"], ["-U", "-r"]):
            with self.subTest(options=options):
                code, text = self.run_in("unshare", *options)
                self.assertNotIn(code, (None, 0), text)
                self.assertIn("namespace", text)

    def test_traced(self):
        with tempfile.TemporaryDirectory(prefix="pv-") as folder:
            code, text = self.run_in("strace", "-f", "-o", os.path.join(folder, "trace"))
            self.assertNotIn(code, (None, 0), text)
            self.assertIn("trace", text)

    def test_the_injector_too(self):
        """By itself, without its descriptors, it does nothing but end."""
        code, _ = self.run_in(program="popvault-injector", arguments=())
        self.assertNotIn(code, (None, 0))


class Matrix(unittest.TestCase):
    """An ordinary user against processes of the same user."""

    @classmethod
    def setUpClass(cls):
        cls.copy = programs.PublicCopy()
        cls.user = User()
        cls.home = Home(user=cls.user, build=cls.copy.build)
        cls.home.start()
        cls.home.make_vault()
        cls.home.add_card()

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()
        cls.user.remove()
        cls.copy.remove()

    def attack(self, pid, user):
        done = subprocess.run([PYTHON, "-c", ATTACK, str(pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              cwd="/", timeout=60, **user.popen())
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_control_a_plain_process(self):
        """The same attacks on a process without defence all work."""
        victim = subprocess.Popen([PYTHON, "-c", PLAIN], stdout=subprocess.PIPE, cwd="/", **self.user.popen())
        try:
            victim.stdout.readline()
            got = self.attack(victim.pid, self.user)
        finally:
            victim.kill()
            victim.wait()
            victim.stdout.close()
        self.assertEqual({name: got[name] for name in got if name != "proc"},
                         {"mem": True, "process_vm_readv": True, "pidfd_getfd": True, "ptrace": True})
        self.assertLessEqual({"maps", "environ", "fd", "exe"}, set(got["proc"]))

    def test_the_daemon_and_its_children(self):
        for pid in family(self.home.pid):
            with self.subTest(pid=pid):
                self.assertEqual(int(status_of(pid)["Uid"].split()[0]), self.user.uid)
                self.assertEqual(self.attack(pid, self.user), NOTHING)
        self.assertEqual(self.home.cli("status").json["state"], "unlocked")

    def test_another_user(self):
        with User() as stranger:
            self.assertEqual(self.attack(self.home.pid, stranger), NOTHING)
            for path in (self.home.path, self.home.file("vault.enc"), self.home.file("state.db")):
                done = subprocess.run(["test", "-r", path], cwd="/", **stranger.popen())
                self.assertNotEqual(done.returncode, 0, path)

    def test_the_cli_while_it_waits(self):
        """A prompt that waits for the passphrase holds keys soon: it is closed too."""
        self.home.cli("lock")
        self.addCleanup(self.home.unlock)
        read_end, write_end = os.pipe()
        cli = subprocess.Popen([programs.program("popvault", self.copy.build), "unlock", "--passphrase-fd", "0"],
                               stdin=read_end, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=self.home.env(), cwd=self.home.base, **self.user.popen())
        os.close(read_end)
        try:
            # It has passed its first lines when it is undumpable: /proc then belongs to root.
            wait_until(lambda: os.stat("/proc/%d/mem" % cli.pid).st_uid == 0, "an undumpable CLI")
            self.assertEqual(self.attack(cli.pid, self.user), NOTHING)
            self.assertIsNone(cli.poll())
        finally:
            os.close(write_end)
            cli.kill()
            cli.wait()


if __name__ == "__main__":
    unittest.main()
