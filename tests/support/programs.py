"""The programs of the build that is tested, and the sources they were built from."""

import os
import shutil
import tempfile

SOURCE = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.path.realpath(os.environ.get("POPVAULT_BUILD") or os.path.join(SOURCE, "build", "dev"))

_PLACES = {"popvaultd": "src/daemon", "popvault": "src/cli", "popvault-injector": "src/injector",
           "popvault-watcher": "src/watcher", "popvault-browser": "src/guard"}


def program(name, build=BUILD):
    path = os.path.join(build, _PLACES[name], name)
    if not os.access(path, os.X_OK):
        raise FileNotFoundError("%s is not built (POPVAULT_BUILD=%s)" % (name, build))
    return path


class PublicCopy:
    """The programs once more, where every user of the machine can run them. `build` stands for the build folder."""

    def __init__(self):
        self.build = tempfile.mkdtemp(prefix="pv-bin-", dir="/tmp")
        os.chmod(self.build, 0o755)
        for name, place in _PLACES.items():
            folder = os.path.join(self.build, place)
            os.makedirs(folder, 0o755, exist_ok=True)
            shutil.copy2(program(name), os.path.join(folder, name))
            os.chmod(os.path.join(folder, name), 0o755)

    def remove(self):
        shutil.rmtree(self.build, ignore_errors=True)
