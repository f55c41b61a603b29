#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""agent_load.py SOCKET PID SECONDS: root's requests to the agent: with nobody else there; while a hundred
users knock at a door that the kernel keeps shut (mode 0600), which costs the agent nothing and the
processors as much; and under attack, with the door open to all.

A control that has nothing to do with the agent is asked in turn with it, each time: a process that
answers as much to as many bytes. Where only processors are short, both are slowed alike; what the
attack makes of the agent alone is how much more that is slowed than the control.

Prints `NAME VALUE` lines: medians and 99th percentiles in microseconds, requests a second of ten
clients at once, and what became of those who attacked."""

import os
import random
import selectors
import signal
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
    while True:
        try:
            s.connect(path)
            return s
        except BlockingIOError:  # so many wait to be taken in that there is no room for one more
            time.sleep(0.001)


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


def control(listener, size):
    """Answers each request with so many bytes."""
    reply = struct.pack("=IHHII", REQUEST, VERSION, 0, size - 16, 0) + bytes(size - 16)
    while True:
        s, _ = listener.accept()
        while s.recv(65536):
            s.sendall(reply)


def begin_control(path, size):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(1)
    pid = background(control, listener, size)
    listener.close()
    return pid


class Client:
    """Microseconds of each request; comes anew when it is dropped."""

    def __init__(self, path):
        self.path, self.s, self.times, self.failures = path, connect(path), [], 0

    def ask(self):
        start = time.monotonic()
        try:
            self.s.sendall(STATUS)
            good = answer(self.s)
        except OSError:
            good = None
        if good is None:
            self.failures += 1
            self.s = connect(self.path)
        else:
            self.times.append((time.monotonic() - start) * 1e6)

    def at(self, part):
        times = sorted(self.times)
        return times[int(len(times) * part)]

    def mean(self):
        return sum(self.times) / len(self.times)


def ask(name, paths, seconds):
    """(median, mean) of the agent and of the control; prints what became of the agent's requests."""
    clients = [Client(path) for path in paths]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for client in clients:
            client.ask()
    agent, other = clients
    print(name + "-median", int(agent.at(0.5)))
    print(name + "-mean", int(agent.mean()))
    print(name + "-p99", int(agent.at(0.99)))
    print(name + "-control-median", int(other.at(0.5)))
    print(name + "-requests", len(agent.times))
    print(name + "-failures", agent.failures)
    return [(client.at(0.5), client.mean()) for client in clients]


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


def idle(path, end, into):
    kept = [connect(path) for _ in range(100)]
    os.write(into, b".")
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


def stranger(path, end, number, into, begun):
    os.setgroups([])
    os.setresgid(20000 + number, 20000 + number, 20000 + number)
    os.setresuid(20000 + number, 20000 + number, 20000 + number)
    tries = served = 0
    os.write(begun, b".")
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


def attack(path, seconds, measure):
    """Calls measure(NAME) while users knock in vain, and then under attack."""
    end = time.monotonic() + 2 * seconds + 1
    out, into = os.pipe()
    begun, begin = os.pipe()
    pids = [background(stranger, path, end, n, into, begin) for n in range(STRANGERS)]
    for _ in pids:
        os.read(begun, 1)  # to become a hundred processes takes a processor, too
    measure("barred")
    os.chmod(path, 0o666)
    idle_out, idle_into = os.pipe()
    pids += [background(idle, path, end, idle_into), background(rude, path, end)]
    os.close(idle_into)  # who dies is not waited for
    os.read(idle_out, 1)  # they took the places of all who were idle
    measure("attacked")
    for pid in pids:
        os.waitpid(pid, 0)
    os.chmod(path, 0o600)
    os.close(into)
    words = b""
    while part := os.read(out, 65536):
        words += part
    tries = list(struct.iter_unpack("=II", words))
    print("strangers", len(tries))
    print("strangers-tries", sum(t for t, _ in tries))
    print("strangers-served", sum(s for _, s in tries))


def main():
    path, agent, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    cpus = os.sched_getaffinity(agent)
    for pid in (0, agent):
        os.sched_setaffinity(pid, {max(cpus)})
    with connect(path) as s:
        s.sendall(STATUS)
        size = len(answer(s))
    other = path + ".control"
    pid = begin_control(other, size)
    took = {}

    def measure(name):
        took[name] = ask(name, (path, other), seconds)

    measure("alone")
    print("rate", int(rate(path, seconds)))
    attack(path, seconds, measure)
    os.kill(pid, signal.SIGKILL)
    os.unlink(other)
    os.sched_setaffinity(agent, cpus)
    for name in ("barred", "attacked"):
        agent, other = ([now / before for now, before in zip(under, alone)]
                        for under, alone in zip(took[name], took["alone"]))
        print(name + "-slowed", "%.2f" % agent[0])
        print(name + "-slowed-mean", "%.2f" % agent[1])
        print(name + "-control-slowed", "%.2f" % other[0])
        print(name + "-control-slowed-mean", "%.2f" % other[1])
        print(name + "-share", "%.2f" % (agent[0] / other[0]))


main()
