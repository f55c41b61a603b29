# SPDX-License-Identifier: GPL-2.0-only
"""The filters that are compared, each put before a receiver with a list of sources to drop."""
from tools import BPFPOL, Bpfpol, Refused, have, run, tool
from rulesets import dotted

XDP_FILTER_MOST = 10000  # its map of addresses holds no more
LINES_MOST = 1000        # rules one by one: more take minutes


class Filter:
    """name: as the report has it. needs: commands without which it is left out."""
    reference = False

    def __init__(self, name, needs, most=None):
        self.name, self.needs, self.most = name, needs, most

    def can(self, rules):
        return have(*self.needs) and (self.most is None or rules.n <= self.most)

    def start(self, world, rules):
        raise NotImplementedError

    def stop(self, world):
        pass


class Nothing(Filter):
    """No filter, or a program that drops or passes all: what others are measured against."""
    reference = True

    def __init__(self, name, program=None):
        super().__init__(name, ())
        self.program = program

    def start(self, world, rules):
        if self.program:
            tool("traffic", "attach", world.rx(self.name), world.dev(self.name), self.program)


class Ours(Filter):
    def __init__(self, where):
        super().__init__("bpfpol", ())
        self.where, self.instance = where, None

    def start(self, world, rules):
        self.instance = Bpfpol(self.where)
        for words in (("attach", world.dev(self.name)), ("block", "@" + rules.text())):
            world.at(self.name, [BPFPOL, *words], env=self.instance.env)

    def stop(self, world):
        if self.instance:
            self.instance.close()
        self.instance = None


class Nft(Filter):
    def __init__(self, name, family):
        super().__init__(name, ("nft",))
        self.family = family

    def start(self, world, rules):
        world.at(self.name, ["nft", "-f", rules.nft(self.family, world.dev(self.name))])


class NftLines(Filter):
    def start(self, world, rules):
        world.at(self.name, ["nft", "-f", rules.nft_lines()])


class IptablesLines(Filter):
    def start(self, world, rules):
        world.at(self.name, ["iptables-restore", rules.iptables_lines()])


class Ipset(Filter):
    def start(self, world, rules):
        world.at(self.name, ["ipset", "restore", "-f", rules.ipset()])
        world.at(self.name, ["iptables", "-t", "raw", "-A", "PREROUTING", "-m", "set",
                             "--match-set", "s", "src", "-j", "DROP"])


class XdpFilter(Filter):
    loaded = False

    def can(self, rules):
        return super().can(rules) and not rules.prefixes

    def start(self, world, rules):
        world.at(self.name, ["xdp-filter", "load", "-m", "native", "-f", "all",
                             world.dev(self.name)])
        self.loaded = True
        world.at(self.name, ["sh", "-ec", "for a; do xdp-filter ip -m src $a; done", "sh",
                             *(dotted(*r) for r in rules.rules)])

    def stop(self, world):
        if self.loaded:
            world.at(self.name, ["xdp-filter", "unload", world.dev(self.name)])
        self.loaded = False


def references():
    return [Nothing("no filter"), Nothing("XDP_DROP", "drop"), Nothing("XDP_PASS", "pass")]


def candidates(work):
    """Those that can be had here; the others with the reason."""
    every = [Ours(work), XdpFilter("xdp-filter", ("xdp-filter",), XDP_FILTER_MOST),
             Nft("nft set", "inet"), Nft("nft set, netdev", "netdev"),
             Ipset("ipset", ("ipset", "iptables")),
             NftLines("nft rules", ("nft",), LINES_MOST),
             IptablesLines("iptables rules", ("iptables-restore",), LINES_MOST)]
    return ([f for f in every if have(*f.needs)],
            [f"{f.name}: no {' or no '.join(n for n in f.needs if not have(n))} here"
             for f in every if not have(*f.needs)])


def versions():
    """Of what is compared, for the report."""
    asked = {"bpfpol": [BPFPOL, "help"], "nft": ["nft", "--version"],
             "ipset": ["ipset", "--version"], "iptables": ["iptables", "--version"]}
    found = {}
    for name, command in asked.items():
        try:
            if name != "bpfpol":
                found[name] = run(command).splitlines()[0].strip()
        except (Refused, FileNotFoundError, IndexError):
            continue
    return found
