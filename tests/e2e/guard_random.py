#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# guard_random.py SEED DIR: what bpfpol.conf protects (DIR/conf), two policies (DIR/before, DIR/after: a rule a line), and
# packets of what is protected (a frame a line, in hex), as rx0 with 10.77.0.2 and fd77::2 sees them: DIR/in.hosts and
# DIR/out.hosts are of lines with an address, DIR/in.ports and DIR/out.ports of those that are for anybody.
# All are drawn from the same few bounds, so that lines, blocks and permits meet, overlap and hide each other.

import ipaddress
import random
import socket
import struct
import sys

NETWORKS = ["10.0.0.0/8", "10.77.0.0/16", "10.77.0.0/24", "10.77.0.0/25", "10.77.0.64/26", "10.77.0.1/32", "11.22.33.44/32",
            "214.22.33.44/32", "0.0.0.0/1", "128.0.0.0/1", "96.0.0.0/3", "192.0.0.0/3", "10.64.0.0/10", "fd77::/64",
            "fd77::/65", "fd77::1/128", "2000::/3", "2608::/16", "2001:db8::/32"]
PORTS = ["22", "443", "2200-2210", "2205", "8000-9000", "8443", "22,8443", "1-1023", "60000"]
CLIENTS = ["1-1023", "1024-32767", "32768-65535", "49152-65535", "50000-51000"]
OWN = {4: "10.77.0.2", 6: "fd77::2"}
SSH = 22
FRAMES = 200
UNKNOWN = [ipaddress.ip_network(n) for n in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "ff00::/8", "fe80::/10", "::/8",
                                             "10.77.0.2/32", "fd77::2/128")]


def ranges(text):
    for part in text.split(","):
        low, _, high = part.partition("-")
        yield int(low), int(high or low)


def pick_in(low, high):
    """A bound as often as not."""
    return random.choice([low, high, random.randint(low, high), random.randint(low, high)])


def end(word, address, ports):
    if not address and not ports:
        return []
    return [word, address or "any"] + (["port", ports] if ports else [])


def rule():
    action, proto = random.choice(["block", "block", "permit"]), random.choice(["tcp", "tcp", "tcp", "udp", ""])
    address = random.choice(NETWORKS) if random.random() < 0.6 else ""
    client = random.choice(CLIENTS) if proto and random.random() < 0.3 else ""
    port = random.choice(PORTS) if proto and random.random() < 0.7 else ""
    words = [action, random.choice(["in", "in", "out"]), proto]
    if words[1] == "in":
        words += end("from", address, client) + end("to", "", port)
    else:
        words += end("from", "", port) + end("to", address, client)
    return " ".join(word for word in words if word)


def policy():
    return list(dict.fromkeys(rule() for _ in range(random.randint(1, 7))))


def lines():
    found = []
    for _ in range(random.randint(1, 3)):
        if random.random() < 0.5:
            found.append(random.choice(NETWORKS).removesuffix("/32").removesuffix("/128"))
        else:
            found.append(random.choice(["tcp", "tcp", "udp"]) + "/" + random.choice(PORTS))
    return found


def is_ports(line):
    return line[:3] in ("tcp", "udp")


def services(protects):
    """(protocol, low, high) that a network speaks to."""
    found = [("tcp", SSH, SSH)]
    for line in protects:
        proto, _, ports = line.partition("/")
        if proto in ("tcp", "udp"):
            found += [(proto, low, high) for low, high in ranges(ports)]
    return found


def address(network):
    while True:
        one = network[0] + pick_in(0, network.num_addresses - 1)
        if not any(one in n for n in UNKNOWN if n.version == one.version):
            return one


def remote(line):
    """Somebody whom the line protects; who is named, or at a bound of it, as often as not."""
    whole = [ipaddress.ip_network(n) for n in (["0.0.0.0/0", "::/0"] if is_ports(line) else [line])]
    inside = [ipaddress.ip_network(n) for n in NETWORKS]
    inside = [n for n in inside if any(n.version == w.version and n.subnet_of(w) for w in whole)]
    return address(random.choice(whole if not inside or random.random() < 0.3 else inside))


def frame(src, dst, proto, sport, dport):
    number = {"tcp": 6, "udp": 17}[proto]
    if proto == "tcp":
        l4 = struct.pack(">HHIIBBHHH", sport, dport, 0, 0, 0x50, 0x10, 1024, 0, 0)
    else:
        l4 = struct.pack(">HHHH", sport, dport, 8, 0)
    if src.version == 6:
        l3 = struct.pack(">IHBB", 6 << 28, len(l4), number, 64) + src.packed + dst.packed
        return bytes(12) + b"\x86\xdd" + l3 + l4
    l3 = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(l4), 0, 0, 64, number, 0) + src.packed + dst.packed
    return bytes(12) + b"\x08\x00" + l3 + l4


def packet(line, protects, out):
    found = services([line])[1:] if is_ports(line) else services(protects)
    proto, low, high = random.choice(found)
    port = pick_in(low, high)
    client = pick_in(*random.choice(list(ranges(random.choice(CLIENTS)))))
    other = remote(line)
    own = ipaddress.ip_address(OWN[other.version])
    if out:
        return frame(own, other, proto, port, client)
    return frame(other, own, proto, client, port)


def write(path, texts):
    with open(path, "w", encoding="ascii") as file:
        file.writelines(text + "\n" for text in texts)


def main():
    seed, where = sys.argv[1:]
    random.seed(int(seed))
    protects = lines()
    write(f"{where}/conf", [f"protect = {line}" for line in protects])
    for name in ("before", "after"):
        write(f"{where}/{name}", policy())
    for way in ("in", "out"):
        for kind in ("hosts", "ports"):
            of = [line for line in protects if is_ports(line) == (kind == "ports")]
            frames = [packet(random.choice(of), protects, way == "out").hex() for _ in range(FRAMES if of else 0)]
            write(f"{where}/{way}.{kind}", frames)


main()
