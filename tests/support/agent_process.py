"""An agent in a process of its own, run by a program of one's choice: the daemon sees that program's path.

    with AgentProcess(home.agent_socket, other_program(folder, "other")) as agent:
        agent.call("session.hello", agent_key=KEY, client="test")
"""

import json
import os
import shutil
import subprocess

from support.processes import die_with_parent
from support.rpc import Closed, RpcError
from support.users import PYTHON

# What is read goes to the socket, a line at a time; what comes back is written.
SCRIPT = """
import socket, sys
end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
end.connect(sys.argv[1])
replies = end.makefile("rb")
print("connected", flush=True)
for line in sys.stdin.buffer:
    end.sendall(line)
    sys.stdout.buffer.write(replies.readline())
    sys.stdout.buffer.flush()
"""


def this_program():
    return os.path.realpath(PYTHON)


def other_program(folder, name):
    """A copy of the interpreter under another name: its path."""
    path = os.path.join(folder, name)
    shutil.copy(this_program(), path)
    os.chmod(path, 0o755)
    return path


class AgentProcess:
    def __init__(self, socket, program=None, user=None):
        who = user.popen() if user else {}
        self.process = subprocess.Popen([program or this_program(), "-c", SCRIPT, socket], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=die_with_parent,
                                        env={"PYTHONHOME": "/usr", "LANG": "C.UTF-8"}, **who)
        self._next_id = 0
        if self.process.stdout.readline() != b"connected\n":
            error = self.process.stderr.read().decode()
            self.close()
            raise OSError(error)

    def call(self, method, **params):
        self._next_id += 1
        message = {"jsonrpc": "2.0", "id": self._next_id, "method": method, **({"params": params} if params else {})}
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Closed() from None
        line = self.process.stdout.readline()
        if not line.strip():
            raise Closed()
        answer = json.loads(line)
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    def refusal(self, method, **params):
        try:
            answer = self.call(method, **params)
        except RpcError as error:
            return error.reason
        raise AssertionError("%s was answered with %r" % (method, answer))

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
