# SPDX-License-Identifier: GPL-2.0-only
"""A rule set replaced by another under traffic (e): packets that were judged as neither says.

Both sets block one source and pass another. Each tool replaces as its own manual would.
"""
import json
import os
import subprocess
import time

from tools import ALL_CPUS, BPFPOL, BUILD, Bpfpol, Refused, World, have, say
from rulesets import dotted, hosts

RULES = 1000
KEY = "swap"


class Swap:
    """One tool's way: start, then command(0) and command(1) in turn."""
    name, needs, env = None, (), None

    def __init__(self, work, world):
        self.work, self.world = work, world
        self.blocked = world.address(KEY, 1)
        many = hosts(2 * RULES)
        self.sets = [[self.blocked] + [dotted(*r) for r in many[k::2]] for k in (0, 1)]

    def at(self, *command):
        return self.world.at(KEY, list(command), env=self.env)

    def write(self, name, text):
        path = os.path.join(self.work, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def files(self, suffix, text):
        """One for each set. text: of its addresses."""
        return [self.write(f"swap{k}.{suffix}", text(s)) for k, s in enumerate(self.sets)]

    def close(self):
        pass


class OursSwap(Swap):
    name = "bpfpol policy assign"

    def __init__(self, work, world):
        super().__init__(work, world)
        self.instance = Bpfpol(work)
        self.env = self.instance.env

    def start(self):
        paths = self.files("policy", lambda s: "".join(f"block from {a}\n" for a in s))
        self.at(BPFPOL, "attach", self.world.dev(KEY))
        for k, path in enumerate(paths):
            self.at(BPFPOL, "policy", "import", path, "--name", f"swap{k}")
        self.at(BPFPOL, "policy", "assign", "swap0")

    def command(self, k):
        return [BPFPOL, "policy", "assign", f"swap{k}"]

    def close(self):
        self.instance.close()


class NftSwap(Swap):
    name, needs = "nft -f: delete table, new table", ("nft",)

    @staticmethod
    def table(addresses):
        return ("table inet f {\nset s { type ipv4_addr; elements = { " + ",".join(addresses) +
                " } }\nchain c { type filter hook prerouting priority raw; ip saddr @s drop; "
                "}\n}\n")

    def start(self):
        self.paths = self.files("nft", lambda s: "table inet f\ndelete table inet f\n" +
                                self.table(s))
        self.at("nft", "-f", self.paths[0])

    def command(self, k):
        return ["nft", "-f", self.paths[k]]


class NftSetSwap(NftSwap):
    name = "nft -f: flush set, add elements"

    def start(self):
        super().start()
        self.paths = self.files("flush.nft", lambda s: "flush set inet f s\nadd element inet f s "
                                "{ " + ",".join(s) + " }\n")


class IpsetSwap(Swap):
    name, needs = "ipset restore: new set, swap", ("ipset", "iptables")

    def start(self):
        self.paths = self.files("ipset", lambda s: "create t hash:ip\n" + "".join(
            f"add t {a}\n" for a in s) + "swap t s\ndestroy t\n")
        self.at("ipset", "create", "s", "hash:ip")
        self.at("ipset", "add", "s", self.blocked)
        self.at("iptables", "-t", "raw", "-A", "PREROUTING", "-m", "set", "--match-set", "s",
                "src", "-j", "DROP")

    def command(self, k):
        return ["ipset", "restore", "-f", self.paths[k]]


class IptablesSwap(Swap):
    name, needs = "iptables-restore", ("iptables-restore",)

    def start(self):
        self.paths = self.files("iptables", lambda s: "*raw\n:PREROUTING ACCEPT [0:0]\n" + "".join(
            f"-A PREROUTING -s {a} -j DROP\n" for a in s) + "COMMIT\n")
        self.at("iptables-restore", self.paths[0])

    def command(self, k):
        return ["iptables-restore", self.paths[k]]


class XdpFilterSwap(Swap):
    """It has no way to replace rules but to unload and load again; here with one rule."""
    name, needs = "xdp-filter unload, load, one rule", ("xdp-filter",)
    loaded = False

    def start(self):
        self.at("xdp-filter", "load", "-m", "native", self.world.dev(KEY))
        self.loaded = True
        self.at("xdp-filter", "ip", "-m", "src", self.blocked)

    def command(self, k):
        dev = self.world.dev(KEY)
        return ["sh", "-c", f"xdp-filter unload {dev} && xdp-filter load -m native {dev} && "
                f"xdp-filter ip -m src {self.blocked}"]

    def close(self):
        if self.loaded:
            self.at("xdp-filter", "unload", self.world.dev(KEY))


def under_traffic(swap, times):
    """One CPU sends; the commands have the others."""
    stop = os.path.join(swap.work, "stop")
    if os.path.exists(stop):
        os.unlink(stop)
    swap.start()
    world, sender = swap.world, str(min(ALL_CPUS))
    flows = subprocess.Popen(
        ["taskset", "-c", sender, os.path.join(BUILD, "tests", "traffic"), "flows", world.tx,
         world.rx(KEY), swap.blocked, world.address(KEY, 3), world.address(KEY, 2), stop],
        stdout=subprocess.PIPE, text=True)
    begin, failed = time.monotonic(), None
    try:
        for i in range(times):
            swap.at(*swap.command(1 - i % 2))
        failed = "the traffic ended first" if flows.poll() is not None else None
    except Refused as why:
        failed = str(why)
    seconds = time.monotonic() - begin
    swap.write("stop", "")
    said = flows.communicate(timeout=60)[0]
    if failed or flows.returncode:
        raise Refused(failed or "the traffic failed")
    got = json.loads(said)
    return {"replacement": swap.name, "times": times, "ms_each": seconds / times * 1e3,
            "sent": 2 * got["sent"], "leaked": got["blocked_arrived"],
            "lost": got["sent"] - got["clean_arrived"]}


def replacements(size, work):
    rows = []
    for kind in (OursSwap, NftSwap, NftSetSwap, IpsetSwap, IptablesSwap, XdpFilterSwap):
        if not have(*kind.needs):
            continue
        say(f"e: replacement under traffic, {kind.name}")
        world = World(work, [KEY])
        try:
            swap = kind(work, world)
            try:
                rows.append(under_traffic(swap, size["swaps"]))
            except Refused as why:
                rows.append({"replacement": kind.name, "refused": str(why)})
            finally:
                swap.close()
        finally:
            world.close()
    return rows
