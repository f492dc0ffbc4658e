"""Looks at processes through /proc, and lets none outlive its test."""

import ctypes
import os
import signal

_libc = ctypes.CDLL(None)


def die_with_parent():
    """For preexec_fn: the process is killed when the one that started it ends, however that ends."""
    _libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


def stat_of(pid):
    """(state letter, parent) or None when there is no such process."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
            part = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return part[0], int(part[1])


def alive(pid):
    found = stat_of(pid)
    return found is not None and found[0] != "Z"


def descendants(pid):
    """All living processes below one."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            found = stat_of(int(name))
            if found and found[0] != "Z":
                parents.setdefault(found[1], []).append(int(name))
    out, todo = [], [pid]
    while todo:
        for child in parents.get(todo.pop(), []):
            out.append(child)
            todo.append(child)
    return out


def running(daemon, program):
    """What a daemon's spawner has running of one program."""
    found = []
    for pid in descendants(daemon):
        try:
            if program in os.readlink("/proc/%d/exe" % pid):
                found.append(pid)
        except OSError:
            pass
    return found


def injectors(daemon):
    return running(daemon, "popvault-injector")


def guards(daemon):
    return running(daemon, "popvault-browser")


def status_of(pid):
    """/proc/PID/status as {name: value}."""
    with open("/proc/%d/status" % pid, encoding="utf-8", errors="replace") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
