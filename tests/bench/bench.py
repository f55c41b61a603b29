#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What bpfpol costs, beside the filters that people use, on this machine. Root.

	tests/bench/bench.py [--size normal|quick|small] [--parts abcde] [--out DIR] [--readme]
	tests/bench/bench.py --report DIR [--readme]

Writes bench.json, bench.md and bench.svg into DIR (build/bench). --report makes the latter two of
a bench.json that is there. --readme puts the table into README.md, between the two marks there.

All of it happens in network namespaces and a mount namespace of its own, which end with it.
"""
import argparse
import json
import os
import shutil
import sys
import tempfile
import time

import chart
import control
import packets
import report
import swap
from tools import ALL_CPUS, BPFFS, BUILD, Refused, SIZES, run, say

PARTS = "abcde"


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--size", choices=SIZES, default="normal")
    p.add_argument("--parts", default=PARTS, help="of a packets b veth c loading d commands e swaps")
    p.add_argument("--out", default=os.path.join(BUILD, "bench"))
    p.add_argument("--report", metavar="DIR")
    p.add_argument("--readme", action="store_true")
    return p.parse_args()


def own_mounts():
    """Starts this again where bpffs and /run are ours, and go when we end.

    In /run are named namespaces, and the lock files of xdp-filter and iptables, which two runs
    side by side would stumble over.
    """
    if os.environ.get("BENCH_INSIDE") == str(os.getpid()):
        return
    if os.geteuid() != 0:
        sys.exit("bench: needs root")
    os.environ["BENCH_INSIDE"] = str(os.getpid())  # unshare becomes us: the same process
    os.execvp("unshare", ["unshare", "-m", "--propagation", "private", "sh", "-ec",
                          f"mount -t bpf bpf {BPFFS}; mount -t tmpfs none /run; "
                          "mkdir /run/netns; exec \"$@\"", "sh",
                          sys.executable, *sys.argv])


def measure(size, parts, work, disk):
    """One part after the other; what each took is in the report, too. A part that fails is said,
    and does not take the others with it."""
    todo = {"a": ("test_run", lambda: packets.in_test_run(size)),
            "b": ("veth", lambda: packets.over_veth(size, work)),
            "c": ("loading", lambda: control.loading(size, work)),
            "d": ("commands", lambda: control.single_commands(size, work, disk)),
            "e": ("replacements", lambda: swap.replacements(size, work))}
    out = {"machine": packets.machine(), "seconds": {}}
    for part in (p for p in PARTS if p in parts):
        name, do = todo[part]
        # Everything but the swaps shares one CPU, so that nothing moves while it is measured.
        os.sched_setaffinity(0, ALL_CPUS if part == "e" else {max(ALL_CPUS)})
        begin = time.monotonic()
        try:
            out[name] = do()
        except (Refused, OSError, ValueError) as why:
            say(f"bench: part {part} failed: {why}")
            out.setdefault("failed", {})[name] = str(why)
        out["seconds"][name] = round(time.monotonic() - begin, 1)
    with open("/proc/loadavg", encoding="ascii") as load:
        out["machine"]["load_after"] = load.read().split()[:3]
    return out


def write(out_dir, name, text):
    path = os.path.join(out_dir, name)
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(path + ".new", path)
    say("bench: wrote", path)


def write_reports(results, out_dir, readme):
    write(out_dir, "bench.md", report.markdown(results))
    write(out_dir, "bench.svg", chart.svg(results))
    if readme:
        report.into_readme(results, out_dir)


def main():
    args, begin = arguments(), time.monotonic()
    if args.report:
        with open(os.path.join(args.report, "bench.json"), encoding="utf-8") as f:
            return write_reports(json.load(f), args.report, args.readme)
    own_mounts()
    os.makedirs(args.out, exist_ok=True)
    work = tempfile.mkdtemp(prefix="bpfpol-bench-")
    disk = tempfile.mkdtemp(prefix="disk-", dir=args.out)
    run(["mount", "-t", "tmpfs", "none", work])
    try:
        results = measure(SIZES[args.size], args.parts, work, disk)
    finally:
        shutil.rmtree(disk, ignore_errors=True)
        run(["umount", "-l", work])
        os.rmdir(work)
    results["took"] = {"seconds": round(time.monotonic() - begin),
                       "processor": round(sum(os.times()[:4]))}
    results["size"] = args.size
    results["date"] = time.strftime("%Y-%m-%d")
    write(args.out, "bench.json", json.dumps(results, indent=1) + "\n")
    write_reports(results, args.out, args.readme)
    say("bench:", *report.took(results))
    return 1 if "failed" in results else 0


if __name__ == "__main__":
    sys.exit(main())
