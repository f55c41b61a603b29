# SPDX-License-Identifier: GPL-2.0-only
"""What all parts of the bench stand on: its directories, commands, namespaces, medians."""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
DATA = os.environ.get("BENCH_DATA", os.path.join(TOP, "..", "shared", "data"))
BPFPOL = os.path.join(BUILD, "bpfpol")
BPFFS = "/sys/fs/bpf"
LIMIT = 600  # seconds; for a command that hangs
ALL_CPUS = os.sched_getaffinity(0)

# normal: the whole. quick: five minutes. small: seconds, to see that all of it works. less: what is
# left out of the whole, for the report.
SIZES = {"normal": {"loads": 5, "ms": 200, "hosts": (1, 1000, 100000, 1000000), "mixed": 100000,
                    "load_rounds": 3, "runs": 30, "swaps": 50, "largest": 1000000, "few": False,
                    "less": None},
         "quick": {"loads": 3, "ms": 100, "hosts": (1, 1000, 1000000), "mixed": 100000,
                   "load_rounds": 1, "runs": 10, "swaps": 20, "largest": 1000000, "few": True,
                   "less": "3 loads instead of 5; without rules of 4 shapes, a million of 16, ClassBench "
                           "acl5 and ipc1, the lists of countries and malicious addresses, and 100,000 "
                           "addresses over veth; lists loaded once, fewer commands and swaps"},
         "small": {"loads": 2, "ms": 5, "hosts": (1, 1000), "mixed": 1000,
                   "load_rounds": 1, "runs": 2, "swaps": 3, "largest": 0, "few": True,
                   "less": "nearly everything: it shows that the bench works, and no figure"}}


class Refused(Exception):
    """A filter that cannot do what was asked; the reason stands in the report."""


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def run(command, **options):
    """Its output; Refused with what it said when it fails."""
    try:
        done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, timeout=LIMIT,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              **options)
    except subprocess.TimeoutExpired as late:
        raise Refused(f"{command[0]}: not done after {LIMIT} s") from late
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise Refused(f"{os.path.basename(command[0])}: exit {done.returncode}: {said[:200]}")
    return done.stdout


def tool(name, *words, **options):
    return run([os.path.join(BUILD, "tests", name), *map(str, words)], **options)


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def have(*commands):
    return all(shutil.which(c) for c in commands)


def median(values):
    return statistics.median(values)


def spread(values):
    """How far apart the middle half of them is."""
    v = sorted(values)
    return v[len(v) - 1 - len(v) // 4] - v[len(v) // 4]


def bpftool(*words):
    return json.loads(run(["bpftool", "-j", *words]))


class World:
    """A sender's namespace, and for each filter a receiver's, joined by a veth pair each."""

    def __init__(self, work, receivers):
        self.work = work
        self.names = list(receivers)
        self.tx = "bench-tx"
        try:
            self.make()
        except BaseException:
            self.close()
            raise

    def make(self):
        run(["ip", "netns", "add", self.tx])
        for i, name in enumerate(self.names):
            rx, dev, peer, net = self.rx(name), f"r{i}", f"t{i}", f"10.{100 + i}.0"
            run(["ip", "netns", "add", rx])
            run(["ip", "link", "add", peer, "netns", self.tx, "type", "veth",
                 "peer", "name", dev, "address", self.mac(name), "netns", rx])
            self.end(self.tx, peer, (f"{net}.1/24", f"{net}.3/24"))
            self.end(rx, dev, (f"{net}.2/24",))
            self.inside(self.tx, ["ip", "neigh", "replace", f"{net}.2", "lladdr",
                                  self.mac(name), "dev", peer, "nud", "permanent"])

    def end(self, space, dev, addresses):
        """Without GRO, switched on when it is up, veth takes no redirected frames."""
        self.inside(space, ["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                            "net.ipv4.conf.all.rp_filter=0", f"net.ipv4.conf.{dev}.rp_filter=0"])
        for address in addresses:
            self.inside(space, ["ip", "addr", "add", address, "dev", dev])
        self.inside(space, ["ip", "link", "set", "lo", "up"])
        self.inside(space, ["ip", "link", "set", dev, "up"])
        self.inside(space, ["ethtool", "-K", dev, "gro", "on"])

    def rx(self, name):
        return f"bench-rx{self.names.index(name)}"

    def dev(self, name):
        return f"r{self.names.index(name)}"

    def mac(self, name):
        return f"02:00:00:00:01:{self.names.index(name):02x}"

    def address(self, name, host):
        return f"10.{100 + self.names.index(name)}.0.{host}"

    def target(self, name):
        return ";".join((name, self.tx, f"t{self.names.index(name)}", self.rx(name),
                         self.mac(name), self.address(name, 2)))

    @staticmethod
    def inside(space, command, **options):
        return run(["nsenter", f"--net=/run/netns/{space}", *command], **options)

    def at(self, name, command, **options):
        return self.inside(self.rx(name), command, **options)

    def close(self):
        for space in [self.tx] + [self.rx(n) for n in self.names]:
            subprocess.run(["ip", "netns", "del", space], stderr=subprocess.DEVNULL, check=False)


class Bpfpol:
    """A bpfpol with directories of its own. where: for its store."""

    def __init__(self, where):
        self.dir = tempfile.mkdtemp(prefix="bpfpol-", dir=where)
        self.pins = os.path.join(BPFFS, os.path.basename(self.dir))
        self.env = dict(os.environ, BPFPOL_CONF_DIR=self.dir + "/etc",
                        BPFPOL_STATE_DIR=self.dir + "/lib", BPFPOL_RUN_DIR=self.dir + "/run",
                        BPFPOL_BPFFS=self.pins)

    def map_memory(self):
        """Bytes of all maps that are pinned, or that a pinned program holds: memlock of fdinfo."""
        ids, size = set(), {}
        for at, _, files in os.walk(self.pins):
            for path in (os.path.join(at, f) for f in files):
                for kind in ("map", "prog"):
                    try:
                        shown = bpftool(kind, "show", "pinned", path)
                    except (Refused, ValueError):
                        continue
                    ids.update([shown["id"]] if kind == "map" else shown.get("map_ids", []))
                    break
        for number in ids:
            size[number] = int(bpftool("map", "show", "id", str(number))["bytes_memlock"])
        return sum(size.values())

    def close(self):
        shutil.rmtree(self.pins, ignore_errors=True)
        shutil.rmtree(self.dir, ignore_errors=True)
