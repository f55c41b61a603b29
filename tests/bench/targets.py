# SPDX-License-Identifier: GPL-2.0-only
"""What was asked for, against what was measured: met, missed, not resolved, not measured."""

HOT_NEAR, COLD_NEAR = 2.0, 1.3  # ns, and times: that near counts as met


class Target:
    """What is asked, the limit and the figure as the table shows them, and what came of it."""

    def __init__(self, what, limit, figure, outcome):
        self.what, self.limit, self.figure, self.outcome = what, limit, figure, outcome


def absent(what, limit):
    return Target(what, limit, "-", "not measured")


def compare(value, limit, resolved=True):
    if not resolved:
        return "not resolved"
    return "met" if value <= limit else "missed"


def cases(results, traffic, fits):
    return [c for c in results.get("test_run", {}).get("cases", [])
            if c.get("traffic") == traffic and fits(c["case"])]


def in_test_run(results, what, traffic, fits, hot, cold):
    """The dearest of those cases counts."""
    out = []
    for name, limit, near in (("hot", hot, lambda n: n + HOT_NEAR),
                              ("cold", cold, lambda n: n * COLD_NEAR)):
        if limit is None:
            continue
        row = f"{what}, {name}"
        values = [c[name + "_ns"] for c in cases(results, traffic, fits)]
        out.append(Target(row, f"{limit} ns", f"{max(values):.0f} ns",
                          compare(max(values), near(limit)))
                   if values else absent(row, f"{limit} ns"))
    return out


def shapes(count, *tuples):
    return lambda case: case in [f"{count} rules, {t} shapes" for t in tuples]


def few(case):
    return case in ("1 host", "1000 hosts") or shapes(1000, 4, 16, 64)(case)


def packets(results):
    million = "1000000 hosts".__eq__
    return (in_test_run(results, "clean, up to 1,000 rules in up to 64 tuples", "clean", few, 15, 60) +
            in_test_run(results, "clean, 100,000 rules, 16 to 64 tuples", "clean",
                        shapes(100000, 16, 64), 25, 160) +
            in_test_run(results, "clean, a million addresses", "clean", million, 15, 100) +
            in_test_run(results, "clean, a million rules, 16 to 64 tuples", "clean",
                        shapes(1000000, 16, 64), 80, 550) +
            in_test_run(results, "matching, up to 1,000 rules", "matching", few, 30, None) +
            in_test_run(results, "matching, a million addresses", "matching", million, 35, 500))


def against_xdp_filter(results):
    """A million addresses of ours, one rule of its."""
    out = []
    peer = results.get("test_run", {}).get("xdp-filter", {}).get("cases", [])
    for traffic in ("clean", "matching"):
        what = f"{traffic}, hot: a million addresses against xdp-filter with one"
        ours = cases(results, traffic, "1000000 hosts".__eq__)
        its = [c for c in peer if c["traffic"] == traffic]
        if not ours or not its:
            out.append(absent(what, "0.5x"))
            continue
        a, b = ours[0]["hot_ns"], its[0]["hot_ns"]
        out.append(Target(what, "0.5x", f"{a:.0f} / {b:.0f} ns", compare(a, 0.5 * b + HOT_NEAR)))
    return out


def classbench(results):
    """More rules may cost as much as four lookups in vain in the kernel's hash map."""
    out = []
    miss = cases(results, "clean", "hash miss".__eq__)
    for name in ("acl1", "acl5", "fw1", "ipc1"):
        what = f"ClassBench {name}: 10,000 rules over 1,000 of them, cold"
        pairs = [(cases(results, t, f"{name}, 10000 rules".__eq__),
                  cases(results, t, f"{name}, 1000 rules".__eq__)) for t in ("clean", "matching")]
        if not miss or not all(a and b for a, b in pairs):
            out.append(absent(what, "4 hash misses"))
            continue
        more = sum(a[0]["cold_ns"] - b[0]["cold_ns"] for a, b in pairs) / 2
        limit = 4 * miss[0]["cold_ns"]
        out.append(Target(what, f"4 hash misses ({limit:.0f} ns)", f"{more:+.0f} ns",
                          compare(more, limit * COLD_NEAR)))
    return out


def veth_rows(results, rules_list, traffic):
    return {r["filter"]: r for r in results.get("veth", [])
            if r.get("traffic") == traffic and r["list"].startswith(rules_list)}


def veth(results):
    out = []
    for what, rules_list, traffic, ratio in (
            ("over veth: a million addresses, dropped, against the best of nft and ipset",
             "hosts-1000000", "matching", 0.5),
            ("over veth: 100,000 mixed prefixes, clean, against what nft and ipset add",
             "mixed-100000", "clean", 0.2)):
        rows = veth_rows(results, rules_list, traffic)
        peers = [rows[n] for n in ("nft set", "nft set, netdev", "ipset") if n in rows]
        if "bpfpol" not in rows or not peers:
            out.append(absent(what, f"{ratio}x"))
            continue
        ours, best = rows["bpfpol"], min(peers, key=lambda r: r["cost_ns"])
        apart = abs(ours["median_ns"] - best["median_ns"])
        resolved = apart >= 3 * max(ours["spread_ns"], best["spread_ns"])
        out.append(Target(what, f"{ratio}x", f"{ours['cost_ns']:.0f} / {best['cost_ns']:.0f} ns "
                          f"({best['filter']})",
                          compare(ours["cost_ns"], ratio * best["cost_ns"], resolved)))
    return out


def loading(results):
    rows = {r["filter"]: r for r in results.get("loading", []) if r["rules"] == 1000000}
    names = (("a million addresses from text to in force, against nft -f", "0.4x"),
             ("... peak memory of the process", "150 MB"),
             ("... kernel memory a rule (maps)", "200 bytes"))
    if "bpfpol" not in rows:
        return [absent(*n) for n in names]
    ours, out = rows["bpfpol"], []
    if "nft set" in rows:
        a, b = ours["median_ms"], rows["nft set"]["median_ms"]
        out.append(Target(*names[0], f"{a:.0f} / {b:.0f} ms", compare(a, 0.4 * b)))
    else:
        out.append(absent(*names[0]))
    out.append(Target(*names[1], f"{ours['rss_mb']:.0f} MB", compare(ours["rss_mb"], 150)))
    size = ours["map_bytes_per_rule"]
    return out + [Target(*names[2], f"{size:.0f} bytes", compare(size, 200))]


def commands(results):
    rows = {(c["command"], c["loaded"]): c for c in results.get("commands", {}).get("commands", [])
            if c["median_ms"] is not None}
    full, out = "1000000 addresses", []
    for what, limit, one, other, ratio in (
            ("block with a million rules, against an empty table", "1.2x",
             ("bpfpol block", full), ("bpfpol block", "empty"), 1.2),
            ("block with a million rules, against nft add rule with as many", "1x",
             ("bpfpol block", full), ("nft add rule", full), 1.0)):
        if one not in rows or other not in rows:
            out.append(absent(what, limit))
            continue
        a, b = rows[one]["median_ms"], rows[other]["median_ms"]
        out.append(Target(what, limit, f"{a:.2f} / {b:.2f} ms", compare(a, ratio * b)))
    return out


def replacements(results):
    what = "policy assign under traffic: packets judged wrong"
    for row in results.get("replacements", []):
        if row["replacement"].startswith("bpfpol") and "sent" in row:
            bad = row["leaked"] + row["lost"]
            return [Target(what, "0", f"{bad} of {row['sent']:,}", compare(bad, 0))]
    return [absent(what, "0")]


def every(results):
    return (packets(results) + against_xdp_filter(results) + classbench(results) + veth(results) +
            loading(results) + commands(results) + replacements(results))
