#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""agent_long.py SOCKET ADDRESSES WHAT [PID]: a rule whose list has so many addresses comes to the agent,
and until that is answered others ask. WHAT says what:

ask     its state, as often as it is answered; then whether rules come and go
change  rules come and go at random
kill    nothing, and the agent PID is killed in the middle of it
end     nothing, and it is told to end

With `until FIELD COMMAND...` behind SOCKET 0 nothing comes: the command is run, and the agent asked for its
state until that field of it has changed.

Prints `NAME VALUE` lines. The addresses are 11.0.0.0/8's, one after the other."""

import fcntl
import json
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time

REQUEST, VERSION, BUSY = 0x51504642, 1, 75
F_ADD_SEALS, SEALS = 1033, 2 | 4 | 8


def connect(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(120)
    s.connect(path)
    return s


def request(*words):
    body = b"".join(w.encode() + b"\0" for w in words)
    return struct.pack("=IHHI", REQUEST, VERSION, len(words), len(body)) + body


def reply(s):
    got = b""
    while len(got) < 16 or len(got) < 16 + sum(struct.unpack("=II", got[8:16])):
        part = s.recv(65536)
        if not part:
            return None, ""
        got += part
    return struct.unpack("=H", got[6:8])[0], got[16:].decode()


def ask(s, *words):
    s.sendall(request(*words))
    return reply(s)


def text(*rules):
    lines = ["held 1 %d" % len(rules)]
    for i, rule in enumerate(rules):
        lines.append("rule %d 0 0 %s" % (i + 1, rule))
    return "\n".join(lines + ["end", ""])


def long_text(n):
    """A list, and one rule more."""
    lines = ["held 1 2", "rule 1 0 0 block in from @long", "list from %d" % n]
    lines += ["11.%d.%d.%d" % (i >> 16, i >> 8 & 255, i & 255) for i in range(n)]
    return "\n".join(lines + ["rule 2 0 0 block in udp to port 3000", "end", ""])


def begin(path, n, *words):
    fd = os.memfd_create("rules", os.MFD_ALLOW_SEALING)
    data = long_text(n).encode()
    at = 0
    while at < len(data):
        at += os.write(fd, data[at:])
    fcntl.fcntl(fd, F_ADD_SEALS, SEALS)
    s = connect(path)
    socket.send_fds(s, [request(*words)], [fd])
    os.close(fd)
    return s


def waits(s):
    return not select.select([s], [], [], 0)[0]


def port(n):
    return "block in udp to port %d" % n


def until(path, field, command):
    other = connect(path)
    code, out = ask(other, "status", "--json")
    assert code == 0
    first, answered, slowest = json.loads(out)[field], 0, 0
    subprocess.run(command, check=True)
    end = time.monotonic() + 60
    while json.loads(out)[field] == first and time.monotonic() < end:
        start = time.monotonic()
        code, out = ask(other, "status", "--json")
        assert code == 0
        slowest = max(slowest, time.monotonic() - start)
        answered += 1
    print("answered", answered)
    print("slowest", int(slowest * 1e6))
    print("changed", int(json.loads(out)[field] != first))


def main():
    path, n, what = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if what == "until":
        until(path, sys.argv[4], sys.argv[5:])
        return
    other = connect(path)
    assert ask(other, "add", text(port(2000)))[0] == 0
    slow = begin(path, n, "add")
    answered = slowest = 0
    while what != "change" and waits(slow) and (what == "ask" or answered < 10):
        start = time.monotonic()
        assert ask(other, "status")[0] == 0
        slowest = max(slowest, time.monotonic() - start)
        answered += waits(slow)
        if what == "ask" and answered == 20:
            print("added", ask(other, "add", text(port(1434)))[0])
            print("removed", ask(other, "remove", "any", text(port(2000)))[0])
            print("come-and-gone", *(ask(other, *words)[0] for words in (
                ("add", text(port(2001))), ("remove", "any", text(port(2001))))))
            print("in-time", int(waits(slow)))
            print("dropped", ask(other, "drop")[0])
            print("second", reply(begin(path, n, "add"))[0])
            print("before", int(waits(slow)))
    print("answered", answered)
    print("slowest", int(slowest * 1e6))
    if what in ("kill", "end"):
        os.kill(int(sys.argv[4]), signal.SIGKILL if what == "kill" else signal.SIGTERM)
    held, rng, changes = set(), random.Random(1), 0
    while what == "change" and waits(slow):
        p = rng.randrange(4000, 4100)
        words = ("remove", "any") if p in held else ("add",)
        code, _ = ask(other, *words, text(port(p)))
        assert code in (0, BUSY), code
        if not code:
            held ^= {p}
            changes += 1
    print("changes", changes)
    print("held", *sorted(held))
    code, out = reply(slow)
    print("code", code)
    print("outcomes", *out.split()[::2])


main()
