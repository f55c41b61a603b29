# SPDX-License-Identifier: GPL-2.0-only
"""What changes cost: a long list, from text to in force (c), and one command (d)."""
import json
import os

from tools import BPFPOL, BUILD, Bpfpol, Refused, World, have, median, run, say, tool
from rulesets import RuleSet, dotted, hosts


class Memcg:
    """A memory cgroup for one command: what the kernel took for it. None where there is none."""

    def __init__(self):
        name = f"bpfpol-bench-{os.getpid()}"
        self.path, self.figure = None, None
        for at, figure in (("/sys/fs/cgroup/memory", "memory.kmem.usage_in_bytes"),
                           ("/sys/fs/cgroup", "memory.stat")):
            try:
                os.mkdir(os.path.join(at, name))
            except OSError:
                continue
            self.path = os.path.join(at, name)
            self.figure = os.path.join(self.path, figure)
            if os.path.exists(self.figure):
                return
            self.close()

    def wrap(self, command):
        if not self.path:
            return command
        return ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', self.path, *command]

    def kernel_bytes(self):
        if not self.path:
            return None
        with open(self.figure, encoding="ascii") as f:
            text = f.read()
        if text.strip().isdigit():
            return int(text)
        return next((int(line.split()[1]) for line in text.splitlines()
                     if line.startswith("kernel ")), None)

    def close(self):
        try:
            os.rmdir(self.path)
        except (OSError, TypeError):
            pass
        self.path = None


def timed(space, command, runs=1, undo=(), env=None, memcg=None):
    words = [os.path.join(BUILD, "tests", "timed"), "command", str(runs), space, *command]
    words += ["--", *undo] if undo else []
    out = json.loads(run(memcg.wrap(words) if memcg else words, env=env))
    if out["failed"]:
        raise Refused(f"{' '.join(command)[:120]}: failed {out['failed']} times")
    return out


# --- (c) a long list, from text to in force

def load_ours(world, name, rules, memcg):
    ours = Bpfpol(world.work)
    try:
        world.at(name, [BPFPOL, "attach", world.dev(name)], env=ours.env)
        out = timed(world.rx(name), [BPFPOL, "block", "@" + rules.text()], env=ours.env,
                    memcg=memcg)
        out["map_bytes"] = ours.map_memory()
        return out, memcg.kernel_bytes()
    finally:
        ours.close()


def load_nft(world, name, rules, memcg):
    out = timed(world.rx(name), ["nft", "-f", rules.nft("inet", "-")], memcg=memcg)
    return out, memcg.kernel_bytes()


def load_ipset(world, name, rules, memcg):
    out = timed(world.rx(name), ["ipset", "restore", "-f", rules.ipset()], memcg=memcg)
    return out, memcg.kernel_bytes()


def load_xdp_filter(world, name, rules, memcg):
    """It takes one address a command, and its table is as large as it gets from the start."""
    world.at(name, ["xdp-filter", "load", "-m", "native", world.dev(name)])
    try:
        script = os.path.join(world.work, "xdp-filter.sh")
        with open(script, "w", encoding="ascii") as f:
            f.writelines(f"xdp-filter ip -m src {dotted(*r)} || exit\n" for r in rules.rules)
        out = timed(world.rx(name), ["sh", script], memcg=memcg)
        return out, memcg.kernel_bytes()
    finally:
        world.at(name, ["xdp-filter", "unload", world.dev(name)])


def load_once(name, load, rules, work):
    world, memcg = World(work, [name]), Memcg()
    try:
        rules.text(), rules.nft("inet", "-"), rules.ipset()  # made before the clock runs
        out, kernel = load(world, name, rules, memcg)
        return {"ms": out["ms"][0], "rss_mb": out["rss_kb"] / 1024, "kernel_bytes": kernel,
                "map_bytes": out.get("map_bytes")}
    finally:
        memcg.close()
        world.close()


def loading(size, work):
    rows = []
    for n in (n for n in size["hosts"] if n > 1):
        rules = RuleSet(work, f"hosts-{n}", hosts(n))
        loads = [("bpfpol", load_ours, ()), ("nft set", load_nft, ("nft",)),
                 ("ipset", load_ipset, ("ipset",))]
        if n <= 1000:
            loads.append(("xdp-filter", load_xdp_filter, ("xdp-filter",)))
        got = {name: [] for name, _, needs in loads if have(*needs)}
        say(f"c: loading {n} addresses")
        for _ in range(size["load_rounds"]):
            for name, load, _ in loads:
                if name in got:
                    got[name].append(load_once(name, load, rules, work))
        rows += [summed_up(name, n, runs) for name, runs in got.items()]
    return rows


def summed_up(name, n, runs):
    row = {"filter": name, "rules": n, "ms": [r["ms"] for r in runs],
           "median_ms": median([r["ms"] for r in runs]),
           "rss_mb": max(r["rss_mb"] for r in runs)}
    for key in ("kernel_bytes", "map_bytes"):
        known = [r[key] for r in runs if r[key] is not None]
        row[key + "_per_rule"] = median(known) / n if known else None
    return row


# --- (d) one command

class Single:
    """A command, what takes it back, and whose rules it is for."""

    def __init__(self, name, loaded, start, command, undo, instance=None):
        self.name, self.loaded, self.start = name, loaded, start
        self.command, self.undo, self.instance = command, undo, instance
        self.key = f"{name}, {loaded}"
        self.ms, self.rss_kb, self.refused = [], 0, None

    def run(self, world, runs):
        if self.refused:
            return
        try:
            got = timed(world.rx(self.key), self.command, runs, self.undo,
                        self.instance and self.instance.env)
            self.ms += got["ms"]
            self.rss_kb = max(self.rss_kb, got["rss_kb"])
        except Refused as why:
            self.refused = str(why)


def ours_single(name, rules, where):
    instance = Bpfpol(where)
    loaded = f"{rules.n} addresses" if rules else "empty"

    def start(world, key):
        world.at(key, [BPFPOL, "attach", world.dev(key)], env=instance.env)
        world.at(key, [BPFPOL, "block", "@" + rules.text() if rules else "udp/9"],
                 env=instance.env)
    return Single(name, loaded, start, [BPFPOL, "block", "udp/1434"],
                  [BPFPOL, "unblock", "udp/1434"], instance)


def peer_singles(rules):
    """With an empty table, or with the same list in it."""
    loaded = f"{rules.n} addresses" if rules else "empty"

    def nft(world, key):
        world.at(key, ["nft", "table inet f { chain c { type filter hook prerouting priority raw; "
                       "} ; set p { type inet_service; }; chain d { type filter hook prerouting "
                       "priority -301; udp dport @p drop; }; }"])
        if rules:
            world.at(key, ["nft", "-f", rules.nft("inet", "-")])

    def ipset(world, key):
        world.at(key, ["ipset", "create", "p", "bitmap:port", "range", "0-65535"])
        world.at(key, ["iptables", "-t", "raw", "-A", "PREROUTING", "-p", "udp", "-m", "set",
                       "--match-set", "p", "dst", "-j", "DROP"])
        if rules:
            world.at(key, ["ipset", "restore", "-f", rules.ipset()])
    port = ["-p", "udp", "--dport", "1434", "-j", "DROP"]
    table = ["iptables", "-t", "raw"]
    out = [("nft", Single("nft add rule", loaded, nft, "nft add rule inet f c udp dport 1434 drop"
                          .split(), "nft flush chain inet f c".split())),
           ("nft", Single("nft add element", loaded, nft, "nft add element inet f p {1434}".split(),
                          "nft delete element inet f p {1434}".split())),
           ("ipset", Single("ipset add", loaded, ipset, "ipset add p udp:1434".split(),
                            "ipset del p udp:1434".split())),
           ("ipset", Single("iptables -A", loaded, ipset, [*table, "-A", "PREROUTING", *port],
                            [*table, "-D", "PREROUTING", *port]))]
    return [single for needs, single in out if have(needs)]


def xdp_filter_single():
    def start(world, key):
        world.at(key, ["xdp-filter", "load", "-m", "native", world.dev(key)])
    return Single("xdp-filter port", "empty", start, "xdp-filter port -m dst -p udp 1434".split(),
                  "xdp-filter port -r -m dst -p udp 1434".split())


def single_commands(size, work, disk):
    rules = RuleSet(work, f"hosts-{size['hosts'][-1]}", hosts(size["hosts"][-1]))
    singles = [ours_single("bpfpol block", None, work), ours_single("bpfpol block", rules, work),
               ours_single("bpfpol block, store on disk", None, disk),
               ours_single("bpfpol block, store on disk", rules, disk)]
    singles += peer_singles(None) + peer_singles(rules)
    singles += [xdp_filter_single()] if have("xdp-filter") else []
    singles.append(Single("true: a process and nothing else", "", None, ["true"], ["true"]))
    say(f"d: one command, {len(singles)} of them in turn")
    world = World(work, [s.key for s in singles])
    try:
        return in_turn(singles, world, size) | {"fdatasync_ms": synced(disk, size["runs"])}
    finally:
        for s in singles:
            if s.instance:
                s.instance.close()
            if s.name.startswith("xdp-filter") and not s.refused:
                world.at(s.key, ["xdp-filter", "unload", world.dev(s.key)])
        world.close()


def in_turn(singles, world, size):
    for s in singles:
        try:
            if s.start:
                s.start(world, s.key)
        except Refused as why:
            s.refused = str(why)
    each = max(1, size["runs"] // 5)
    for _ in range(size["runs"] // each):
        for s in singles:
            s.run(world, each)
    return {"commands": [{"command": s.name, "loaded": s.loaded, "refused": s.refused, "ms": s.ms,
                          "median_ms": median(s.ms) if s.ms else None,
                          "rss_mb": s.rss_kb / 1024} for s in singles]}


def synced(disk, runs):
    """An append of a record and fdatasync, with nothing else, where the store on disk was."""
    return median(json.loads(tool("timed", "sync", runs, disk))["ms"])
