# SPDX-License-Identifier: GPL-2.0-only
"""A session of an sshd whose listener is gone, with a forwarded port (ssh -R) that is in use.

forwarding.py serve ADDRESS PORT FORWARDED COMMAND...: takes the session, stops to listen, takes one
connection of the forwarded port, and runs the command. The process is called sshd.
forwarding.py use ADDRESS PORT FORWARDED: the other end of both, until the session is over.
"""
import ctypes
import socket
import subprocess
import sys
import time

PR_SET_NAME = 15

def serve(address, port, forwarded, command):
    ctypes.CDLL(None).prctl(PR_SET_NAME, b"sshd", 0, 0, 0)
    listener = socket.create_server((address, port))
    session, _ = listener.accept()
    listener.close()
    forward = socket.create_server((address, forwarded))
    used, _ = forward.accept()
    code = subprocess.call(command)
    used.close()
    session.close()
    return code


def connect(address, port):
    for _ in range(2000):
        try:
            return socket.create_connection((address, port), 10)
        except ConnectionRefusedError:
            time.sleep(0.01)
    sys.exit("nobody listens on port %d" % port)


def main():
    what, address, port, forwarded = sys.argv[1:5]
    if what == "serve":
        sys.exit(serve(address, int(port), int(forwarded), sys.argv[5:]))
    session = connect(address, int(port))
    used = connect(address, int(forwarded))
    session.settimeout(60)
    session.recv(1)
    used.close()


main()
