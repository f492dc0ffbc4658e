"""What a process tries against another one of the same user: HARDENING's attack matrix.

    attack.py PID     -> {"mem": false, "process_vm_readv": false, "ptrace": false, "pidfd_getfd": false, "proc": []}

true means that it worked. Stands alone: it is run as an ordinary user that cannot read the sources.
"""

import ctypes
import errno
import json
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
PROCESS_VM_READV, PIDFD_OPEN, PIDFD_GETFD = 310, 434, 438
PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SEIZE = 16, 17, 0x4206


class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def writable_address(pid):
    """An address of the victim, from its maps if they can be read, else a likely one."""
    try:
        with open("/proc/%d/maps" % pid, encoding="ascii", errors="replace") as file:
            for line in file:
                if " rw" in line:
                    return int(line.split("-")[0], 16)
    except OSError:
        pass
    return 0x7FFFFFFDE000


def read_mem(pid):
    try:
        fd = os.open("/proc/%d/mem" % pid, os.O_RDONLY)
    except OSError:
        return False
    try:
        return len(os.pread(fd, 16, writable_address(pid))) == 16
    except OSError as error:
        return error.errno == errno.EIO  # let in, at an address that is not there
    finally:
        os.close(fd)


def vm_readv(pid):
    buffer = ctypes.create_string_buffer(16)
    local = Part(ctypes.cast(buffer, ctypes.c_void_p), 16)
    remote = Part(writable_address(pid), 16)
    done = libc.syscall(PROCESS_VM_READV, pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    return done == 16 or ctypes.get_errno() == errno.EFAULT  # EFAULT: the right was there


def ptrace(pid):
    for request in (PTRACE_SEIZE, PTRACE_ATTACH):
        if libc.ptrace(request, pid, None, None) == 0:
            if request == PTRACE_ATTACH:
                os.waitpid(pid, 0)
                libc.ptrace(PTRACE_DETACH, pid, None, None)
            return True
    return False


def getfd(pid):
    handle = libc.syscall(PIDFD_OPEN, pid, 0)
    if handle < 0:
        return False
    worked = any(libc.syscall(PIDFD_GETFD, handle, fd, 0) >= 0 for fd in range(0, 12))
    os.close(handle)
    return worked


def proc(pid):
    """What of /proc/PID can be read that should not be."""
    open_ones = []
    for name in ("maps", "environ", "syscall", "auxv", "mem"):
        try:
            with open("/proc/%d/%s" % (pid, name), "rb") as file:
                if name == "mem" or file.read(1):
                    open_ones.append(name)
        except OSError:
            pass
    for name in ("exe", "cwd"):
        try:
            os.readlink("/proc/%d/%s" % (pid, name))
            open_ones.append(name)
        except OSError:
            pass
    try:
        os.listdir("/proc/%d/fd" % pid)
        open_ones.append("fd")
    except OSError:
        pass
    return open_ones


if __name__ == "__main__":
    victim = int(sys.argv[1])
    # ptrace last: it stops the victim for a moment.
    print(json.dumps({"mem": read_mem(victim), "process_vm_readv": vm_readv(victim), "pidfd_getfd": getfd(victim),
                      "proc": proc(victim), "ptrace": ptrace(victim)}))
