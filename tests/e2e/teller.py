#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
teller.py DIR FILE: an agent that only tells: it sits in the agent's place in DIR, and answers `rules`
with what FILE holds (`rules lists` with FILE.lists, if that is there). Prints a line when it sits.
Where there is a script FILE.add, a dry run of `add` is taken, and `add` refused once that has run.
"""

import contextlib
import fcntl
import os
import socket
import struct
import subprocess
import sys

REQUEST, REPLY, VERSION = 0x51504642, 0x41504642, 1
RUN, FILE = sys.argv[1:]


def sit():
    fd = os.open(f"{RUN}/agent.lock", os.O_RDWR | os.O_CREAT, 0o600)
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, lock)
    os.truncate(fd, 0)
    os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    path = f"{RUN}/agent.sock"
    if os.path.exists(path):
        os.unlink(path)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(path)
    s.listen(16)
    return s


def words(c):
    head = c.recv(12, socket.MSG_WAITALL)
    if len(head) < 12:
        return None
    magic, version, _, size = struct.unpack("=IHHI", head)
    assert (magic, version) == (REQUEST, VERSION)
    return c.recv(size, socket.MSG_WAITALL).decode().split("\0")[:-1]


def add(asked):
    if "--dry-run" in asked:
        return struct.pack("=IHHII", REPLY, VERSION, 0, 4, 0) + b"0 0\n"
    subprocess.run([FILE + ".add"], check=False)
    return struct.pack("=IHHII", REPLY, VERSION, 1, 0, 8) + b"refused\n"


def answer(asked):
    if asked[:1] == ["add"] and os.path.exists(FILE + ".add"):
        return add(asked)
    if asked[:1] == ["status"]:
        return struct.pack("=IHHII", REPLY, VERSION, 0, 0, 0)
    name = FILE
    if asked == ["rules", "lists"] and os.path.exists(FILE + ".lists"):
        name = FILE + ".lists"
    if asked[:1] != ["rules"] or not os.path.exists(name):
        return struct.pack("=IHHII", REPLY, VERSION, 2, 0, 8) + b"bpfpol:\n"
    with open(name, "rb") as f:
        text = f.read()
    return struct.pack("=IHHII", REPLY, VERSION, 0, len(text), 0) + text


def main():
    s = sit()
    print("it sits", flush=True)
    while True:
        c, _ = s.accept()
        with c:
            asked = words(c)
            if asked:
                with contextlib.suppress(BrokenPipeError):
                    c.sendall(answer(asked))


main()
