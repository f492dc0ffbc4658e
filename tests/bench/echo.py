"""The plainest server there is: for each line that comes in, one line of SIZE bytes goes out. echo.py SOCKET SIZE"""

import socket
import sys

path, size = sys.argv[1], int(sys.argv[2])
answer = b"x" * (size - 1) + b"\n"
with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
    server.bind(path)
    server.listen(1)
    connection, _ = server.accept()
    with connection:
        while connection.recv(1 << 16):
            connection.sendall(answer)
