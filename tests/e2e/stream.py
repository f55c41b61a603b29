#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# stream.py TX-NETNS IFACE RX-NETNS BEGUN ENOUGH FLOW...: numbered datagrams of each flow in turn, until the file
# ENOUGH is there; BEGUN is made when they flow. FLOW is PORT[/FAMILY[/PROCESSOR]]: from 10.77.0.1 to 10.77.0.2, or
# fd77::1 to fd77::2, sent on that processor. A line for each flow: FLOW, how many were sent, how many arrived, in how
# many runs, and which: none, all, during (a part in the middle), outside (all but that), or what else.
# No rule may be about port 9, to which the last ones go.

import ctypes
import errno
import os
import select
import socket
import struct
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
MARK = 9
SO_RCVBUFFORCE = 33
ETHERNET = bytes.fromhex("020000007702020000007701")


def enter(path):
    with open(path, encoding="ascii") as space:
        if LIBC.setns(space.fileno(), 0x40000000):
            sys.exit(f"{path}: {os.strerror(ctypes.get_errno())}")


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF or 0xFFFF


class Flow:
    def __init__(self, index, word):
        parts = word.split("/")
        port, family, self.processor = parts + ["", "4", ""][len(parts):]
        self.word, self.index, self.port, self.family = word, index, int(port), int(family)
        self.runs = []

    def addresses(self):
        if self.family == 6:
            return [socket.inet_pton(socket.AF_INET6, a) for a in ("fd77::1", "fd77::2")]
        return [socket.inet_aton(a) for a in ("10.77.0.1", "10.77.0.2")]

    def frame(self, number):
        """Which flow it is of, and the number, are what the datagram holds."""
        src, dst = self.addresses()
        payload = struct.pack(">HQ", self.index, number)
        udp = struct.pack(">HHH", 4000, self.port, 8 + len(payload))
        pseudo = src + dst + struct.pack(">HH", 17, 8 + len(payload))
        udp += struct.pack(">H", checksum(pseudo + udp + payload)) + payload
        if self.family == 6:
            return ETHERNET + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(udp), 17, 64) + src + dst + udp
        head = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(udp), 0, 0, 64, 17)
        return ETHERNET + b"\x08\x00" + head + struct.pack(">H", checksum(head + src + dst)) + src + dst + udp

    def arrived(self, number):
        if self.runs and self.runs[-1][1] + 1 == number:
            self.runs[-1][1] = number
        else:
            self.runs.append([number, number])

    def which(self, sent):
        runs = self.runs
        inside = [run[0] > 0 for run in runs[:1]] + [run[1] < sent - 1 for run in runs[-1:]]
        if not runs:
            return "none"
        if len(runs) == 1 and inside == [True, True]:
            return "during"
        if len(runs) == 1 and inside == [False, False]:
            return "all"
        if len(runs) == 2 and inside == [False, False] and runs[0][1] < runs[1][0]:
            return "outside"
        return f"of {sent}: {runs[:6]}"

    def line(self, sent):
        came = sum(last - first + 1 for first, last in self.runs)
        return f"{self.word} {sent} {came} {len(self.runs)} {self.which(sent)}"


def send(sock, frame):
    while True:
        try:
            sock.send(frame)
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS: # the other end's ring is full
                raise


def flow(sock, flows, begun, enough):
    """From one processor; how many of each."""
    if flows[0].processor:
        os.sched_setaffinity(0, {int(flows[0].processor)})
    number = 0
    while not os.path.exists(enough):
        for _ in range(50):
            for one in flows:
                send(sock, one.frame(number))
            number += 1
        if number == 500:
            with open(f"{begun}.{flows[0].processor}", "w", encoding="ascii"):
                pass
        time.sleep(0.002)
    send(sock, Flow(0, str(MARK)).frame(0))
    return number


def listen(port):
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 28)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", port))
    sock.setblocking(False)
    return sock


def drain(sock):
    while True:
        try:
            yield struct.unpack(">HQ", sock.recv(16))
        except BlockingIOError:
            return


def collect(flows, socks, mark, senders):
    """Until the last of each sender has come."""
    ended = 0
    while ended < senders:
        if mark in select.select([mark, *socks], [], [])[0]:
            ended += len(list(drain(mark)))
        for sock in socks:
            for index, number in drain(sock):
                flows[index].arrived(number)


def start(out, flows, begun, enough):
    reads, writes = os.pipe()
    if not os.fork():
        os.write(writes, struct.pack(">Q", flow(out, flows, begun, enough)))
        os._exit(0)
    return reads


def await_all(begun, names):
    """Each sender says so in a file of its own; then BEGUN is made."""
    if not os.fork():
        while not all(os.path.exists(f"{begun}.{name}") for name in names):
            time.sleep(0.01)
        with open(begun, "w", encoding="ascii"):
            pass
        for name in names:
            os.unlink(f"{begun}.{name}")
        os._exit(0)


def main():
    tx, iface, rx, begun, enough, *words = sys.argv[1:]
    flows = [Flow(i, word) for i, word in enumerate(words)]
    processors = sorted({one.processor for one in flows})
    enter(rx)
    socks = [listen(port) for port in sorted({one.port for one in flows})]
    mark = listen(MARK)
    enter(tx)
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    out.bind((iface, 0))
    sent = {p: start(out, [one for one in flows if one.processor == p], begun, enough) for p in processors}
    await_all(begun, processors)
    collect(flows, socks, mark, len(processors))
    sent = {p: struct.unpack(">Q", os.read(reads, 8))[0] for p, reads in sent.items()}
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    for one in flows:
        print(one.line(sent[one.processor]))


main()
