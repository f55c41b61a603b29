# SPDX-License-Identifier: GPL-2.0-only
"""What a packet costs: in BPF_PROG_TEST_RUN (a), and end to end over veth (b).

In each round everything is loaded anew, ours and the others', and what counts is the median over
the loads: where a load's pages lie, and who else used the machine in that minute, is chance.
"""
import json

from tools import Refused, World, lines, median, run, say, spread, tool, DATA, have
from rulesets import RuleSet, hosts, mixed
import filters

ROUNDS_A_LOAD = 2  # over veth


def in_test_run(size):
    """(a) The classifier alone, and xdp-filter's program with one rule beside it."""
    ours, peer, refused = [], [], None
    for load in range(size["loads"]):
        say(f"a: ns a packet in BPF_PROG_TEST_RUN, load {load + 1} of {size['loads']}")
        ours.append(classified(size, load))
        try:
            peer.append(xdp_filter_in_test_run())
        except Refused as why:
            refused = str(why)
    return {"cases": over_loads(ours),
            "xdp-filter": {"refused": refused} if refused else {"cases": over_loads(peer)}}


def classified(size, load):
    """Each load is a process of its own: the programs that it is measured against are new, too."""
    words = ["--rounds", 1, "--load", load, "--largest", max(size["largest"], 1000)]
    words += ["--few"] if size["few"] else []
    words += [] if size["largest"] else ["--only", "1 host"]
    return lines(tool("classify", *words, DATA))


def over_loads(loads):
    """The cases of the first with the medians of all, how far these are apart, and each."""
    found = {}
    for row in (row for load in loads for row in load):
        found.setdefault((row["case"], row.get("traffic")), []).append(row)
    return [summed_up(rows) for rows in found.values()]


def summed_up(rows):
    out = dict(rows[0])
    for key in [k for k in out if k.endswith("_ns") or k.endswith("_ms")]:
        values = [row[key] for row in rows]
        out.update({key: median(values), key + "_each": values})
        if key.endswith("_ns"):
            out[key.replace("_ns", "_spread")] = spread(values)
    if "program" in out:
        out["program"] = [row["program"] for row in rows]
    return out


def xdp_filter_in_test_run():
    if not have("xdp-filter"):
        raise Refused("no xdp-filter here")
    name, address = "xdp-filter", "192.0.2.66"
    world = World(None, [name])
    loaded = False
    try:
        world.at(name, ["xdp-filter", "load", "-m", "native", "-f", "all", world.dev(name)])
        loaded = True
        world.at(name, ["xdp-filter", "ip", "-m", "src", address])
        link = json.loads(world.at(name, ["ip", "-j", "link", "show", world.dev(name)]))
        return lines(tool("classify", "--rounds", 1, "--program",
                          link[0]["xdp"]["prog"]["id"], "--address", address))
    finally:
        if loaded:
            world.at(name, ["xdp-filter", "unload", world.dev(name)])
        world.close()


def over_veth(size, work):
    """(b) All filters with one list, in turn, then with the next list."""
    out = []
    for n in size["hosts"]:
        out += with_list(size, work, RuleSet(work, f"hosts-{n}", hosts(n)))
    return out + with_list(size, work, RuleSet(work, f"mixed-{size['mixed']}",
                                               mixed(size["mixed"])))


def with_list(size, work, rules):
    rows, refused = {}, {}
    for load in range(size["loads"]):
        say(f"b: end to end over veth, {rules.name}, load {load + 1} of {size['loads']}")
        for row in loaded_once(size, work, rules, refused):
            known = rows.setdefault((row["filter"], row["traffic"]),
                                    dict(row, sent=0, arrived=0, ns=[], loads=0))
            for key in ("sent", "arrived", "ns"):
                known[key] += row[key]
            known["loads"] += 1
    got = [row for (name, _), row in rows.items() if name not in refused]
    return judge(got, rules, {f.name for f in filters.references()}) + [
        {"filter": name, "list": rules.name, "rules": rules.n, "refused": why}
        for name, why in refused.items()]


def loaded_once(size, work, rules, refused):
    """Rows of all that take the list; the others' reasons go into refused."""
    tried = [f for f in filters.references() + filters.candidates(work)[0]
             if f.can(rules) and f.name not in refused]
    world = World(work, [f.name for f in tried])
    started = []
    try:
        for f in tried:
            started.append(f)
            try:
                f.start(world, rules)
            except Refused as why:
                refused[f.name] = str(why)
        targets = [world.target(f.name) for f in tried if f.name not in refused]
        return lines(tool("traffic", "send", "--rounds", ROUNDS_A_LOAD, "--ms", size["ms"],
                          "--matching", rules.sources(True), "--clean", rules.sources(False),
                          *targets))
    finally:
        for f in started:
            f.stop(world)
        world.close()


def judge(got, rules, references):
    """Adds medians, and what the filter costs over the bare XDP_DROP or over no filter."""
    base = {"matching": "XDP_DROP", "clean": "no filter"}
    for row in got:
        row.update({"list": rules.name, "rules": rules.n, "median_ns": median(row["ns"]),
                    "spread_ns": spread(row["ns"]), "reference": row["filter"] in references})
        row["mpps"] = 1000 / row["median_ns"]
        row["wrong"] = wrong(row)
    floor = {row["traffic"]: row for row in got if row["filter"] == base[row["traffic"]]}
    for row in got:
        under = floor[row["traffic"]]
        row["cost_ns"] = row["median_ns"] - under["median_ns"]
        row["resolved"] = abs(row["cost_ns"]) >= 3 * max(row["spread_ns"], under["spread_ns"])
    return got


def wrong(row):
    """Packets that arrived and should not have, or the other way round."""
    stops = row["traffic"] == "matching" and row["filter"] not in ("no filter", "XDP_PASS")
    stops = stops or row["filter"] == "XDP_DROP"
    return row["arrived"] if stops else row["sent"] - row["arrived"]


def machine():
    """Where it was measured."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        model = next((line.split(":")[1].strip() for line in info if "model name" in line), "?")
    with open("/proc/loadavg", encoding="ascii") as load:
        busy = load.read().split()[:3]
    return {"kernel": run(["uname", "-r"]).strip(), "cpu": model,
            "cpus": int(run(["nproc", "--all"])), "load_before": busy,
            "versions": filters.versions(), "left_out": filters.candidates(None)[1]}
