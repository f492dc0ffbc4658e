"""Ordinary users that live as long as one test. Needs root.

    with User() as user:
        subprocess.run([...], **user.popen())
"""

import os
import pwd
import random
import shutil
import subprocess
import sys
import tempfile
import time


# An interpreter that every user can run.
PYTHON = next(path for path in ("/usr/bin/python3", sys.executable) if os.path.exists(path))


class User:
    def __init__(self):
        if os.geteuid() != 0:
            raise PermissionError("this test makes a second user and needs root")
        self._folders = []
        self.name = "pvt" + "".join(random.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(8))
        for attempt in range(20):  # another test may hold the lock of /etc/passwd
            done = subprocess.run(["useradd", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/sh",
                                   self.name], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            if done.returncode == 0:
                break
            time.sleep(0.1 * (attempt + 1))
        else:
            raise RuntimeError("useradd: " + done.stderr.decode())
        entry = pwd.getpwnam(self.name)
        self.uid, self.gid = entry.pw_uid, entry.pw_gid

    def popen(self):
        """Arguments for subprocess: the command runs as this user, in none of root's groups."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path):
        """Give a tree to this user."""
        os.chown(path, self.uid, self.gid)
        for folder, folders, files in os.walk(path):
            for name in folders + files:
                os.chown(os.path.join(folder, name), self.uid, self.gid, follow_symlinks=False)

    def folder(self, parent="/tmp"):
        path = tempfile.mkdtemp(prefix="pv-", dir=parent)
        self.own(path)
        self._folders.append(path)
        return path

    def remove(self):
        for path in self._folders:
            shutil.rmtree(path, ignore_errors=True)
        for attempt in range(20):
            done = subprocess.run(["userdel", "--force", self.name], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
            if done.returncode in (0, 6):
                return
            time.sleep(0.1 * (attempt + 1))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()
