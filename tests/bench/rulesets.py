# SPDX-License-Identifier: GPL-2.0-only
"""Lists of addresses of the bench's own making, traffic for them, and the peers' files of them.

The same lists in every run. Addresses lie in 16.0.0.0 to 79.255.255.255.
"""
import array
import os
import random
import socket
import struct

FIRST, BITS = 0x10000000, 30
MOST_SOURCES = 1 << 20


def dotted(address, length=32):
    text = socket.inet_ntoa(struct.pack(">I", address))
    return text if length == 32 else f"{text}/{length}"


def hosts(n):
    return [(FIRST + x, 32) for x in random.Random(n).sample(range(1 << BITS), n)]


def mixed(n):
    """Disjoint prefixes as in public block lists: 60 % /32, 20 % /24, the rest from /16 to /31."""
    draw = random.Random(n + 1)
    kinds = [lambda: 32, lambda: 24, lambda: draw.choice(range(16, 24)),
             lambda: draw.choice(range(25, 32))]
    lengths = sorted(draw.choices(kinds, (60, 20, 10, 10))[0]() for _ in range(n))
    rules, taken = [], Taken()
    for length in lengths:  # short ones first, so that a new one can only lie inside an old one
        address = FIRST + draw.getrandbits(BITS)
        while taken.covers(address):
            address = FIRST + draw.getrandbits(BITS)
        address = address >> (32 - length) << (32 - length)
        taken.add(address, length)
        rules.append((address, length))
    draw.shuffle(rules)
    return rules


class Taken:
    """Which addresses a list covers."""

    def __init__(self, rules=()):
        self.by_length = {}
        for rule in rules:
            self.add(*rule)

    def add(self, address, length):
        self.by_length.setdefault(length, set()).add(address >> (32 - length))

    def covers(self, address):
        return any(address >> (32 - length) in known for length, known in self.by_length.items())


def traffic(rules, matching):
    """Sources at random inside or outside the list; many where the list is long."""
    draw = random.Random(7)
    n = MOST_SOURCES if len(rules) > 10000 else 1 << 14
    if matching:
        return [a + (draw.getrandbits(32 - length) if length < 32 else 0)
                for a, length in draw.choices(rules, k=n)]
    taken, out = Taken(rules), []
    while len(out) < n:
        address = FIRST + draw.getrandbits(BITS)
        if not taken.covers(address):
            out.append(address)
    return out


class RuleSet:
    """A list, its files in `work`, made once when they are asked for."""

    def __init__(self, work, name, rules):
        self.work, self.name, self.rules = work, name, rules
        self.n = len(rules)
        self.prefixes = any(length < 32 for _, length in rules)

    def file(self, kind, make):
        path = os.path.join(self.work, f"{self.name}.{kind}")
        if not os.path.exists(path):
            with open(path, "wb") as out:
                made = make()
                out.write(made if isinstance(made, bytes) else made.encode())
        return path

    def text(self):
        return self.file("txt", lambda: "".join(dotted(*r) + "\n" for r in self.rules))

    def sources(self, matching):
        def make():
            words = array.array("I", traffic(self.rules, matching))
            words.byteswap()
            return words.tobytes()
        return self.file("matching" if matching else "clean", make)

    def elements(self):
        return ",\n".join(dotted(*r) for r in self.rules)

    def nft(self, family, dev):
        """family: inet (prerouting, before all else there) or netdev (ingress of that device)."""
        hook = "prerouting priority raw" if family == "inet" else f"ingress device {dev} priority 0"
        chain = f"chain c {{ type filter hook {hook}; "
        if self.n == 1:
            body = f"{chain} ip saddr {dotted(*self.rules[0])} drop; }}"
        else:
            flags = "flags interval;" if self.prefixes else f"size {2 * self.n};"
            body = (f"set s {{ type ipv4_addr; {flags} elements = {{\n{self.elements()}\n}} }}\n"
                    f"{chain} ip saddr @s drop; }}")
        return self.file(f"{family}.{dev}.nft", lambda: f"table {family} f {{\n{body}\n}}\n")

    def nft_lines(self):
        return self.file("lines.nft", lambda:
                         "table inet f { chain c { type filter hook prerouting priority raw;\n" +
                         "".join(f"ip saddr {dotted(*r)} drop\n" for r in self.rules) + "}\n}\n")

    def iptables_lines(self):
        return self.file("iptables", lambda: "*raw\n:PREROUTING ACCEPT [0:0]\n" + "".join(
            f"-A PREROUTING -s {dotted(*r)} -j DROP\n" for r in self.rules) + "COMMIT\n")

    def ipset(self):
        kind = "hash:net" if self.prefixes else "hash:ip"
        size = 1 << max(10, (self.n - 1).bit_length())
        return self.file("ipset", lambda:
                         f"create s {kind} hashsize {size} maxelem {max(65536, 2 * self.n)}\n" +
                         "".join(f"add s {dotted(*r)}\n" for r in self.rules))
