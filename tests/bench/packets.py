# SPDX-License-Identifier: GPL-2.0-only
"""What a packet costs: in BPF_PROG_TEST_RUN (a), and end to end over veth (b)."""
import json

from tools import Refused, World, lines, median, run, say, spread, tool, DATA, have
from rulesets import RuleSet, hosts, mixed
import filters


def in_test_run(size):
    """(a) The classifier alone, and xdp-filter's program with one rule beside it."""
    words = ["--rounds", size["rounds"], "--largest", max(size["largest"], 1000)]
    words += ["--few"] if size["few"] else []
    say("a: ns a packet in BPF_PROG_TEST_RUN")
    cases = [] if size["largest"] else lines(tool("classify", *words, "--only", "1 host", DATA))
    if size["largest"]:
        cases = lines(tool("classify", *words, DATA))
    try:
        peer = xdp_filter_in_test_run(size)
    except Refused as why:
        peer = {"refused": str(why)}
    return {"cases": cases, "xdp-filter": peer}


def xdp_filter_in_test_run(size):
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
        return {"cases": lines(tool("classify", "--rounds", size["rounds"], "--program",
                                    link[0]["xdp"]["prog"]["id"], "--address", address))}
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
    say(f"b: end to end over veth, {rules.name}")
    tried = [f for f in filters.references() + filters.candidates(work)[0] if f.can(rules)]
    world = World(work, [f.name for f in tried])
    refused, started = {}, []
    try:
        for f in tried:
            started.append(f)
            try:
                f.start(world, rules)
            except Refused as why:
                refused[f.name] = str(why)
        targets = [world.target(f.name) for f in tried if f.name not in refused]
        got = lines(tool("traffic", "send", "--rounds", size["rounds"], "--ms", size["ms"],
                         "--matching", rules.sources(True), "--clean", rules.sources(False),
                         *targets))
    finally:
        for f in started:
            f.stop(world)
        world.close()
    return judge(got, rules, {f.name for f in tried if f.reference}) + [
        {"filter": name, "list": rules.name, "rules": rules.n, "refused": why}
        for name, why in refused.items()]


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
