"""A Chromium (headless unless told otherwise) with a debugging port on loopback, started fresh and ended by its own process group."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

from support.processes import die_with_parent


class Chromium:
    """`port` is the debugging port. Use as a context manager, or call stop()."""

    def __init__(self, extra_args=(), program="chromium", headless=True, folder=None, env=None):
        self.profile = tempfile.mkdtemp(prefix="popvault-chromium-", dir=folder)
        self.process = subprocess.Popen(
            [program, *(["--headless"] if headless else []), "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-extensions", "--disable-default-apps", "--mute-audio",
             "--remote-debugging-port=0", "--user-data-dir=" + self.profile, *extra_args, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, env=env, preexec_fn=die_with_parent)
        try:
            self.port = self._read_port()
        except Exception:
            self.stop()
            raise

    def _read_port(self, timeout=30.0):
        path = os.path.join(self.profile, "DevToolsActivePort")
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError("chromium ended with %d" % self.process.returncode)
            try:
                with open(path, encoding="ascii") as file:
                    lines = file.read().splitlines()
                if len(lines) >= 2:
                    return int(lines[0])
            except (FileNotFoundError, ValueError):
                pass
            time.sleep(0.02)
        raise RuntimeError("chromium did not open its debugging port")

    @property
    def endpoint(self):
        return "http://127.0.0.1:%d" % self.port

    def stop(self):
        if self.process.poll() is None:
            # The group is this process's own: start_new_session made it.
            for sig, wait in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
                try:
                    os.killpg(self.process.pid, sig)
                    self.process.wait(wait)
                    break
                except subprocess.TimeoutExpired:
                    continue
                except ProcessLookupError:
                    break
        shutil.rmtree(self.profile, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
