#!/usr/bin/python3
"""A browser for measuring: the real one behind a pipe, but screenshots come ready made, so that only who passes them on is timed.

It is started as Chromium is, with --remote-debugging-pipe on descriptors 3 and 4.
"""

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading

SIZE = 8 * 1024 * 1024  # of the picture, as base64 text
PICTURE = b'"result":{"data":"' + b"iVBORw0KGgo0" * (SIZE // 12) + b'"}}\0'
KEYS = re.compile(rb'"(id|sessionId)":\s*("[^"]*"|\d+)')


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def forward(source, sink, lock):
    """Browser to guard: whole messages, so that a picture can come between two of them."""
    held = b""
    while True:
        data = os.read(source, 1 << 20)
        if not data:
            return
        done, end, held = (held + data).rpartition(b"\0")
        with lock:
            write_all(sink, done + end)


def main():
    to_browser_read, to_browser = os.pipe()
    from_browser, from_browser_write = os.pipe()

    def before():
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        high = [os.dup(fd) + 0 for fd in (to_browser_read, from_browser_write)]
        os.dup2(high[0], 3)
        os.dup2(high[1], 4)

    os.set_inheritable(3, False)
    os.set_inheritable(4, False)
    child = subprocess.Popen([os.environ.get("BENCH_BROWSER", "/usr/bin/chromium"), *sys.argv[1:]], close_fds=False, preexec_fn=before)
    os.close(to_browser_read)
    os.close(from_browser_write)
    lock = threading.Lock()
    threading.Thread(target=forward, args=(from_browser, 4, lock), daemon=True).start()
    held = b""
    while True:
        data = os.read(3, 1 << 20)
        if not data:
            break
        *messages, held = (held + data).split(b"\0")
        for message in messages:
            if b'"Page.captureScreenshot"' not in message:
                write_all(to_browser, message + b"\0")
                continue
            keys = dict(KEYS.findall(message))
            head = b'{"id":' + keys[b"id"] + (b',"sessionId":' + keys[b"sessionId"] if b"sessionId" in keys else b"") + b","
            with lock:
                write_all(4, head)
                write_all(4, PICTURE)
    os.close(to_browser)
    child.wait()


main()
