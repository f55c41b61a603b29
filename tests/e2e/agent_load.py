#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""agent_load.py SOCKET SECONDS: root's requests to the agent, first with nobody else there, then
under attack. Prints `NAME VALUE` lines: median and 99th percentile in microseconds of both, requests
a second of ten clients at once, and what became of those who attacked."""

import os
import random
import selectors
import socket
import struct
import sys
import time

REQUEST, VERSION = 0x51504642, 1
STATUS = struct.pack("=IHHI", REQUEST, VERSION, 1, 7) + b"status\0"
HUGE = struct.pack("=IHHI", REQUEST, VERSION, 1, 1 << 30)
STRANGERS = 100


def connect(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(20)
    s.connect(path)
    return s


def answer(s):
    got = b""
    while len(got) < 16:
        part = s.recv(65536)
        if not part:
            return None
        got += part
    out, err = struct.unpack("=II", got[8:16])
    while len(got) < 16 + out + err:
        part = s.recv(65536)
        if not part:
            return None
        got += part
    return got


def ask(path, seconds):
    """Microseconds of each request of one client, which comes anew when it is dropped; failures."""
    s, times, failures = connect(path), [], 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        try:
            s.sendall(STATUS)
            good = answer(s)
        except OSError:
            good = None
        if good is None:
            failures += 1
            s = connect(path)
        else:
            times.append((time.monotonic() - start) * 1e6)
    return sorted(times), failures


def rate(path, seconds):
    """Requests a second of ten clients at once."""
    pool, served = selectors.DefaultSelector(), 0
    for _ in range(10):
        s = connect(path)
        pool.register(s, selectors.EVENT_READ)
        s.sendall(STATUS)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for key, _ in pool.select(1):
            if answer(key.fileobj) is None:
                return 0
            served += 1
            key.fileobj.sendall(STATUS)
    return served / seconds


def background(what, *args):
    pid = os.fork()
    if pid:
        return pid
    try:
        what(*args)
    finally:
        os._exit(0)


def idle(path, end):
    kept = [connect(path) for _ in range(100)]
    time.sleep(max(0, end - time.monotonic()))
    return kept


def rude(path, end):
    """Half a request, a gigabyte, what is no request; as often as it is let."""
    rng = random.Random(1)
    while time.monotonic() < end:
        try:
            with connect(path) as s:
                s.sendall(rng.choice((STATUS[:-3], HUGE, b"GET / HTTP/1.1\r\n\r\n", STATUS * 300)))
                if rng.random() < 0.2:
                    s.recv(1)
        except OSError:
            pass
        time.sleep(0.001)


def stranger(path, end, number, into):
    os.setgroups([])
    os.setresgid(20000 + number, 20000 + number, 20000 + number)
    os.setresuid(20000 + number, 20000 + number, 20000 + number)
    tries = served = 0
    while time.monotonic() < end:
        try:
            with connect(path) as s:
                s.sendall(STATUS)
                served += s.recv(1) != b""
        except OSError:
            pass
        tries += 1
        time.sleep(0.02)
    os.write(into, struct.pack("=II", tries, served))


def main():
    path, seconds = sys.argv[1], float(sys.argv[2])
    before, failures = ask(path, seconds)
    print("alone-median", int(before[len(before) // 2]))
    print("alone-p99", int(before[len(before) * 99 // 100]))
    print("alone-failures", failures)
    print("rate", int(rate(path, seconds)))
    end = time.monotonic() + seconds + 1
    out, into = os.pipe()
    pids = [background(idle, path, end), background(rude, path, end)]
    pids += [background(stranger, path, end, n, into) for n in range(STRANGERS)]
    time.sleep(0.5)
    under, failures = ask(path, seconds)
    print("attacked-median", int(under[len(under) // 2]))
    print("attacked-p99", int(under[len(under) * 99 // 100]))
    print("attacked-failures", failures)
    print("attacked-requests", len(under))
    for pid in pids:
        os.waitpid(pid, 0)
    os.close(into)
    words = b""
    while part := os.read(out, 65536):
        words += part
    tries = list(struct.iter_unpack("=II", words))
    print("strangers", len(tries))
    print("strangers-tries", sum(t for t, _ in tries))
    print("strangers-served", sum(s for _, s in tries))
    print("ratio", "%.2f" % (under[len(under) // 2] / before[len(before) // 2]))


main()
