"""Homes as the verbs need them, each made once: a furnished vault, and from a copy of it what a verb's preparation adds."""

import contextlib
import os
import re
import shutil
import tempfile
import threading

from support.programs import SOURCE
from swept_home import SweptHome
from verbs import Prepared


def methods_of(table):
    """The names in one of the daemon's method tables, from its source."""
    with open(os.path.join(SOURCE, "src", "daemon", "dispatch.cpp"), encoding="utf-8") as file:
        text = file.read()
    body = re.search(r"constexpr Method %s\[\] = \{(.*?)\n\};" % table, text, re.DOTALL).group(1)
    return set(re.findall(r'^\s*\{"([a-z._]+)"', body, re.MULTILINE))


class Kitchen:
    def __init__(self, folder):
        self.folder = folder
        self._lock = threading.Lock()
        self._bases = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def base(self, mode):
        """A furnished home of this mode: its folder and ids."""
        with self._lock:
            if mode not in self._bases:
                with SweptHome(os.path.join(self.folder, "base-" + mode)) as home:
                    os.mkdir(home.path, 0o700)
                    home.start()
                    home.make_vault(mode)
                    self._bases[mode] = (home.path, home.furnish())
            return self._bases[mode]

    @contextlib.contextmanager
    def prepared(self, verb):
        """The home that a verb starts from (source: None when it starts from nothing)."""
        base, ids = self.base(verb.mode)
        folder = tempfile.mkdtemp(dir=self.folder)
        home = SweptHome(folder, ids.values())
        home.ids = dict(ids)
        try:
            home.replace(base)
            if verb.prepare:
                home.start()
                with home.owner() as owner:
                    home.unlock_raw(owner)
                    verb.prepare(home, owner, home.ids)
                home.stop()
            if verb.offline:
                verb.offline(home)
            home.known |= set(home.ids.values())
            yield Prepared(home, home.ids, folder, None if verb.start == "none" else home.path)
        finally:
            home.stop()
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def spare_home(self, prepared):
        """A home of its own for the daemons that are killed."""
        folder = tempfile.mkdtemp(dir=self.folder)
        home = SweptHome(folder, prepared.home.known)
        try:
            yield home
        finally:
            if home.daemon:
                home.kill()
            shutil.rmtree(folder, ignore_errors=True)
