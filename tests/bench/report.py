# SPDX-License-Identifier: GPL-2.0-only
"""The figures as Markdown: all of them, and the README's choice of them."""
import os
import shutil

import targets
from tools import SIZES, TOP, say

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
CHART = "docs/bench.svg"


def table(head, rows):
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return out + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]


def heading(results):
    m = results["machine"]
    peers = ", ".join(m["versions"].values()) or "no other filter"
    out = [f"{results['date']}, kernel {m['kernel']}, {m['cpus']} CPUs ({m['cpu']}), load "
           f"{m['load_before'][0]} before and {m['load_after'][0]} after; beside {peers}.",
           "A virtual machine on hardware that others use, too: repeat it before you build on a "
           "difference of a few ns."]
    out += [f"Left out: {why}." for why in m["left_out"]]
    if SIZES[results["size"]]["less"]:
        out.append(f"A run of the size `{results['size']}`: {SIZES[results['size']]['less']}.")
    return out + took(results) + [""]


def took(results):
    """Under a load the clock says little of the bench."""
    if "took" not in results:
        return []
    t = results["took"]
    return [f"It took {t['seconds'] / 60:.1f} minutes, {t['processor'] / 60:.1f} of processor time."]


def target_table(results):
    return table(("target", "limit", "measured", ""),
                 [(t.what, t.limit, t.figure, t.outcome) for t in targets.every(results)])


def test_run_table(results):
    found = {}
    for c in results.get("test_run", {}).get("cases", []):
        if "traffic" in c:
            found.setdefault(c["case"], {})[c["traffic"]] = c
    rows = [(name, kinds.get("clean", {}).get("tuples", "-"),
             *(cell(kinds, traffic, what) for traffic in ("clean", "matching")
               for what in ("hot", "cold"))) for name, kinds in found.items()]
    peer = {c["traffic"]: c for c in
            results.get("test_run", {}).get("xdp-filter", {}).get("cases", [])}
    if peer:
        rows.append(("xdp-filter -f all, 1 host", "-", cell(peer, "clean", "hot"), "-",
                     cell(peer, "matching", "hot"), "-"))
    return table(("ns over an empty program", "tuples", "clean, hot", "clean, cold",
                  "matching, hot", "matching, cold"), rows)


def cell(kinds, traffic, what):
    value = kinds.get(traffic, {}).get(what + "_ns")
    return "-" if value is None else f"{value:.0f}"


def veth_table(results):
    rows, found = [], {}
    for r in results.get("veth", []):
        found.setdefault((r["list"], r["filter"]), {})[r.get("traffic", "refused")] = r
    for (name, who), kinds in found.items():
        if "refused" in kinds:
            rows.append((name, who, kinds["refused"]["refused"], "", "", "", ""))
            continue
        rows.append((name, who, *veth_cells(kinds, found, name, "matching"),
                     *veth_cells(kinds, found, name, "clean"),
                     sum(k["wrong"] for k in kinds.values())))
    return table(("list", "filter", "dropped: cost ns (Mpps)", "to bpfpol", "clean: cost ns (Mpps)",
                  "to bpfpol", "packets wrong"), rows)


def veth_cells(kinds, found, name, traffic):
    """The cost with the rate, and how many times bpfpol's it is, where the two can be told apart."""
    row, ours = kinds[traffic], found.get((name, "bpfpol"), {}).get(traffic)
    cost = f"{row['cost_ns']:+.0f}" + ("" if row["resolved"] or row["cost_ns"] == 0 else " (?)")
    ratio = "-"
    if ours and not row["reference"] and ours["resolved"] and row["resolved"] and \
            ours["cost_ns"] > 0:
        ratio = f"{row['cost_ns'] / ours['cost_ns']:.1f}x"
    return f"{cost} ({row['mpps']:.2f})", ratio


def loading_table(results):
    rows = results.get("loading", [])
    ours = {r["rules"]: r["median_ms"] for r in rows if r["filter"] == "bpfpol"}
    return table(("filter", "addresses", "ms", "to bpfpol", "peak MB", "maps, bytes a rule",
                  "memcg, bytes a rule"),
                 [(r["filter"], f"{r['rules']:,}", f"{r['median_ms']:.0f}",
                   f"{r['median_ms'] / ours[r['rules']]:.1f}x" if r["rules"] in ours else "-",
                   f"{r['rss_mb']:.0f}", number(r["map_bytes_per_rule"]),
                   number(r["kernel_bytes_per_rule"])) for r in rows])


def number(value):
    return "-" if value is None else f"{value:.0f}"


def commands_table(results):
    commands = results.get("commands", {})
    rows = [(c["command"], c["loaded"], f"{c['median_ms']:.2f}" if c["median_ms"] is not None
             else c["refused"], f"{c['rss_mb']:.0f}") for c in commands.get("commands", [])]
    if "fdatasync_ms" in commands:
        rows.append(("a record appended and fdatasync on that disk alone", "",
                     f"{commands['fdatasync_ms']:.2f}", ""))
    return table(("command", "loaded", "ms", "peak MB"), rows)


def replacements_table(results):
    return table(("replacement", "times", "ms each", "packets sent", "passed, to be blocked",
                  "lost, to be passed"),
                 [(r["replacement"], r["refused"], "", "", "", "") if "refused" in r else
                  (r["replacement"], r["times"], f"{r['ms_each']:.1f}", f"{r['sent']:,}",
                   r["leaked"], r["lost"]) for r in results.get("replacements", [])])


def markdown(results):
    sections = (("Targets", target_table), ("A packet, in BPF_PROG_TEST_RUN", test_run_table),
                ("A packet, end to end over veth", veth_table),
                ("A list, from text to in force", loading_table), ("One command", commands_table),
                ("A replacement under traffic", replacements_table))
    out = ["# make bench", ""] + heading(results)
    for title, make in sections:
        out += [f"## {title}", ""] + make(results) + [""]
    out += ["A cost with (?) is less than three times the spread of its rounds. Cost of what is "
            "dropped: over a bare XDP_DROP; of what is clean: over no filter.", "",
            "![cost by number of rules](bench.svg)"]
    return "\n".join(out) + "\n"


def readme_section(results):
    out = [BEGIN, ""] + heading(results) + target_table(results)
    return out + ["", f"![cost by number of rules]({CHART})", "", END]


def into_readme(results, out_dir):
    """Between the two marks; and the chart beside the documents."""
    path = os.path.join(TOP, "README.md")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"bench: {path} has no {BEGIN} and {END}")
    with open(path, "w", encoding="utf-8") as f:
        f.write(head + "\n".join(readme_section(results)) + tail)
    shutil.copyfile(os.path.join(out_dir, "bench.svg"), os.path.join(TOP, CHART))
    say("bench: wrote", path, "and", CHART)
