#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""strangers.py SECONDS SOCKET BPFFS FILE...: a hundred ordinary users at once, each of whom, over
and over, asks the agent, reads FILEs, and tries to change what lies below and beside BPFFS. Says how
often they tried, and what they got.

strangers.py impostor SOCKET READY: one of them listens there, and says when somebody came."""

import os
import socket
import struct
import sys
import time

USERS = 100
STATUS = struct.pack("=IHHI", 0x51504642, 1, 1, 7) + b"status\0"


def asks(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(5)
        s.connect(path)
        s.sendall(STATUS)
        return bool(s.recv(1))


def reads(path):
    with open(path, "rb") as f:
        return f is not None


def lists(path):
    return os.listdir(path) is not None


def changes(path):
    os.rename(path, path + ".theirs")
    return True


def removes(path):
    os.rmdir(path)
    return True


def puts(path):
    os.mkdir(os.path.join(path, "theirs"))
    return True


def links(path):
    os.link(path, "/tmp/theirs.%d" % os.getpid())
    return True


def attempt(what, path):
    """True: it got something."""
    try:
        return what(path)
    except OSError:
        return False


def stranger(number, end, where, bpffs, files):
    become(20000 + number)
    tries = 0
    while time.monotonic() < end:
        for what in (changes, removes, puts, lists):
            if attempt(what, bpffs):
                return tries, what.__name__
        for path in files:
            for what in (reads, links):
                if attempt(what, path):
                    return tries, "%s %s" % (what.__name__, path)
        if attempt(asks, where):
            return tries, "an answer"
        tries += 1
    return tries, ""


def become(number):
    os.setgroups([])
    os.setresgid(number, number, number)
    os.setresuid(number, number, number)


def impostor(path, ready):
    become(65534)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(path)
    s.listen()
    with open(ready, "w", encoding="ascii"):
        pass
    s.accept()
    print("asked", flush=True)


def main():
    if sys.argv[1] == "impostor":
        impostor(*sys.argv[2:])
        return
    seconds, where, bpffs, *files = sys.argv[1:]
    end = time.monotonic() + float(seconds)
    pipes = []
    for number in range(USERS):
        out, into = os.pipe()
        if not os.fork():
            tries, got = stranger(number, end, where, bpffs, files)
            os.write(into, ("%d %s\n" % (tries, got)).encode())
            os._exit(0)
        os.close(into)
        pipes.append(out)
    tries, got = 0, set()
    for out in pipes:
        words = os.read(out, 4096).decode().rstrip("\n").split(" ", 1)
        tries += int(words[0] or 0)
        got |= set(words[1:]) - {""}
        os.wait()
    print(tries, " ".join(sorted(got)))


main()
