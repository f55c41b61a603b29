#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# stream.py TX-NETNS IFACE RX-NETNS BEGUN ENOUGH PORT...: numbered datagrams from 10.77.0.1 to each port of
# 10.77.0.2 in turn, until the file ENOUGH is there; BEGUN is made when they flow. A line for each port: how
# many were sent, how many arrived, and which: none, all, during (a part in the middle), outside (all but
# that), or what else. No rule may be about port 9, to which the last one goes.

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


def enter(path):
    with open(path, encoding="ascii") as space:
        if LIBC.setns(space.fileno(), 0x40000000):
            sys.exit(f"{path}: {os.strerror(ctypes.get_errno())}")


def frames(ports):
    """What stands before the number, for each port."""
    ethernet = bytes.fromhex("020000007702020000007701" "0800")
    addresses = socket.inet_aton("10.77.0.1") + socket.inet_aton("10.77.0.2")
    for port in ports:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 36, 0, 0, 64, 17, 0) + addresses
        total = sum(struct.unpack(">10H", head))
        total = (total & 0xFFFF) + (total >> 16)
        checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        yield (ethernet + head[:10] + struct.pack(">H", checksum) + head[12:] +
               struct.pack(">HHHH", 4000, port, 16, 0))


def send(sock, frame):
    while True:
        try:
            sock.send(frame)
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS: # the other end's ring is full
                raise


def flow(sock, ports, begun, enough):
    heads = list(frames(ports))
    number = 0
    while not os.path.exists(enough):
        for _ in range(50):
            for head in heads:
                send(sock, head + struct.pack(">Q", number))
            number += 1
        if number == 500:
            with open(begun, "w", encoding="ascii"):
                pass
        time.sleep(0.002)
    send(sock, next(frames([MARK])) + bytes(8))
    return number


def listen(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 28)
    sock.bind(("10.77.0.2", port))
    sock.setblocking(False)
    return sock


def drain(sock, runs):
    """Runs of numbers one behind the other."""
    while True:
        try:
            number = struct.unpack(">Q", sock.recv(16))[0]
        except BlockingIOError:
            return
        if runs and runs[-1][1] + 1 == number:
            runs[-1][1] = number
        else:
            runs.append([number, number])


def collect(socks, mark):
    runs = {port: [] for port in socks}
    ended = False
    while not ended:
        ended = mark in select.select([mark, *socks.values()], [], [])[0]
        for port, sock in socks.items():
            drain(sock, runs[port])
    return runs


def which(runs, sent):
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


def main():
    tx, iface, rx, begun, enough, *ports = sys.argv[1:]
    ports = [int(port) for port in ports]
    enter(rx)
    socks = {port: listen(port) for port in ports}
    mark = listen(MARK)
    enter(tx)
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    out.bind((iface, 0))
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        os.write(writes, struct.pack(">Q", flow(out, ports, begun, enough)))
        os._exit(0)
    runs = collect(socks, mark)
    sent = struct.unpack(">Q", os.read(reads, 8))[0]
    os.waitpid(child, 0)
    for port in ports:
        arrived = sum(last - first + 1 for first, last in runs[port])
        print(port, sent, arrived, which(runs[port], sent))


main()
