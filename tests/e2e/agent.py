#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""agent.py WHAT SOCKET: what a client may do to the agent. Prints ok, or what is not."""

import os
import socket
import struct
import sys
import time

REQUEST, REPLY, VERSION = 0x51504642, 0x41504642, 1
MOST = 65536
CLIENTS = 64


def request(*words, version=VERSION, count=None, size=None):
    body = b"".join(w.encode() + b"\0" for w in words)
    count = len(words) if count is None else count
    return struct.pack("=IHHI", REQUEST, version, count, len(body) if size is None else size) + body


def connect(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(20)
    s.connect(path)
    return s


def take(s, n):
    got = b""
    while len(got) < n:
        part = s.recv(n - len(got))
        if not part:
            return None
        got += part
    return got


def reply(s):
    """(exit, out, err), or None: the agent closed."""
    try:
        head = take(s, 16)
        if head is None:
            return None
        magic, version, code, out, err = struct.unpack("=IHHII", head)
        assert (magic, version) == (REPLY, VERSION)
        return code, take(s, out).decode(), take(s, err).decode()
    except ConnectionResetError:
        return None


def ask(s, *words):
    s.sendall(request(*words))
    return reply(s)


def works(s):
    got = ask(s, "status")
    assert got and got[0] == 0 and "interfaces" in got[1], got


def closed(s):
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


def idle(path):
    """The oldest idle ones make place; who asks is served."""
    busy = connect(path)
    works(busy)
    all_of_them = [connect(path) for _ in range(100)]
    for s in all_of_them[-10:]:
        works(s)
    assert closed(all_of_them[0]), "the oldest is still there"
    works(connect(path))


def half(path):
    """A request that is begun and not ended, by as many as there are places for."""
    whole = request("status")
    begun = [connect(path) for _ in range(CLIENTS)]
    for s in begun:
        s.sendall(whole[:-3])
    works(connect(path))
    start = time.monotonic()
    assert all(closed(s) for s in begun[1:])
    assert time.monotonic() - start < 10, "they were waited for"
    # One byte after the other does not help.
    s = connect(path)
    try:
        for _ in range(400):
            s.sendall(b"B" if _ == 0 else whole[1:2])
            time.sleep(0.02)
        raise AssertionError("it goes on and on")
    except (BrokenPipeError, ConnectionResetError):
        pass


def huge(path):
    """A gigabyte is refused by what its head says; the largest that is allowed is taken."""
    s = connect(path)
    s.sendall(request("status", size=1 << 30))
    got = reply(s)
    assert got and got[0] == 1 and "larger" in got[2], got
    s = connect(path)
    got = ask(s, "x" * (MOST - 1))
    assert got and got[0] == 2 and "no such request" in got[2], got
    s = connect(path)
    s.sendall(request("x" * MOST))
    got = reply(s)
    assert got is None or "larger" in got[2], got


def garbage(path):
    for text in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, os.urandom(4096), b"\xff" * 70000):
        s = connect(path)
        try:
            s.sendall(text)
        except (BrokenPipeError, ConnectionResetError):
            continue
        assert closed(s), text[:20]


def words(path):
    """Words that are not there, not ended, or too many."""
    for bad in (
        request("status", count=2),
        request("status", count=0),
        request("status")[:-1] + b"x",
        request("a", "b", "c", count=1),
        request(count=9),
    ):
        s = connect(path)
        s.sendall(bad)
        assert closed(s), bad
    s = connect(path)
    got = ask(s)
    assert got and got[0] == 2, got
    got = ask(s, "status", "status")
    assert got and got[0] == 2, got
    works(s)


def twice(path):
    """Rules of one request that repeat each other, which no command sends."""
    s = connect(path)
    rules = "".join(f"rule 1 0 0 block in udp to port {port}\n" for port in (7, 9, 7))
    got = ask(s, "add", f"held 1 3\n{rules}end\n")
    assert got and got[0] == 2 and "the same" in got[2], got
    got = ask(s, "rules")
    assert got and got[0] == 0 and got[1] == "held 1 0\nend\n", got


def version(path):
    s = connect(path)
    s.sendall(request("status", version=7))
    got = reply(s)
    assert got and got[0] == 1 and "another version" in got[2], got


def many(path):
    """10,000 requests, and what they cost."""
    s = connect(path)
    start = time.monotonic()
    for _ in range(10000):
        works(s)
    took = time.monotonic() - start
    print(f"10000 requests one by one in {took:.2f} s", file=sys.stderr)
    assert took < 20, took


def slow_reader(path):
    """Asks all the time and reads nothing: it is dropped, and holds nobody up."""
    s = connect(path)
    s.settimeout(15)
    try:
        while True:
            s.sendall(request("status") * 100)
    except (BrokenPipeError, ConnectionResetError):
        pass
    except socket.timeout as e:
        raise AssertionError("it waits for ever") from e
    works(connect(path))


def pipeline(path):
    """Several requests at once are answered in order, also when the last comes in pieces."""
    s = connect(path)
    text = request("status") * 50 + request("nonsense")
    for at in range(0, len(text), 7):
        s.sendall(text[at : at + 7])
    for _ in range(50):
        got = reply(s)
        assert got and got[0] == 0, got
    got = reply(s)
    assert got and got[0] == 2, got
    s.sendall(request("status") * 200)
    s.shutdown(socket.SHUT_WR)
    for _ in range(200):
        got = reply(s)
        assert got and got[0] == 0, got


def gives_up(path):
    """Asks for a rule, and is gone before that is read; the agent is stopped, that it is so."""
    text = "held 1 1\nrule 1 0 0 block in udp to port 1435\nend\n"
    with connect(path) as s:
        s.sendall(request("add", text))


def stranger(path):
    try:
        s = connect(path)
    except PermissionError:
        return "refused"
    try:
        got = ask(s, "status")
    except (BrokenPipeError, ConnectionResetError):
        got = None
    return "closed" if got is None else "served"


def notified(path):
    """What is sent to a socket such as systemd's, a line each, until STOPPING."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind("\0" + path[1:] if path[0] == "@" else path)
    s.settimeout(20)
    print("listening", flush=True)
    while True:
        line = s.recv(4096).decode().split("\n")[0]
        print(line, flush=True)
        if line.startswith("STOPPING"):
            return None


what, where = sys.argv[1:]
result = globals()[what](where)
if what != "notified":
    print(result or "ok")
