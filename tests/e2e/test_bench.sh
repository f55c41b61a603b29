#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The bench in its smallest size: whether all of its parts run and what it writes is well formed. No
# figure is judged here, but that what a filter drops does not arrive and the rest does.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

RESULT=$WORLD/bench

# figures DESC FILTER: jq's filter is true of them.
figures() {
	check "$1" jq -e "$2" "$RESULT/bench.json"
}

for program in classify traffic timed; do
	check "$program is built" test -x "$TOP/build/tests/$program"
done

mkdir "$WORLD/tmp"
check "the smallest bench" env "TMPDIR=$WORLD/tmp" "$TOP/tests/bench/bench.py" --size small --out "$RESULT"
same "it leaves no directory and no mount behind" "" "$(find "$WORLD/tmp" -mindepth 1)"
same "and no namespace" "" "$(ip netns | grep '^bench-')"
same "nor anything but its files" "bench.json bench.md bench.svg" \
	"$(find "$RESULT" -mindepth 1 -printf '%f\n' | sort | xargs)"

figures "test runs: clean and matching, each with a cost" '
	[.test_run.cases[] | select(.traffic == "clean" or .traffic == "matching")]
	| length >= 2 and all(.hot_ns | type == "number")'
figures "each load has a program of its own" '
	[.test_run.cases[] | select(has("program")) | .program] | length == 2 and all(unique | length == 2)'
# shellcheck disable=SC2016 # $each is jq's
figures "and counts: what stands there is their median" '
	.test_run.cases[] | select(has("hot_ns"))
	| .hot_ns_each as $each | ($each | length == 2) and .hot_ns == ($each | add / 2)'
figures "over veth each filter is loaded as often, too" '
	[.veth[] | select(has("ns"))] | length > 0 and all(.loads == 2 and (.ns | length) == 4)'
figures "over veth: bpfpol and what it is measured against" '
	[.veth[].filter] | contains(["bpfpol", "no filter", "XDP_DROP", "XDP_PASS"])'
figures "every filter that ran drops what it should, and nothing else" '
	[.veth[] | select(has("refused") | not)] | all(.wrong == 0 and .sent > 0)'
figures "bpfpol refused nothing" '
	[.veth[], .commands.commands[] | select((.filter // .command) | startswith("bpfpol"))]
	| length >= 4 and all(.refused == null)'
figures "loading: time, memory of the process and of the maps" '
	.loading[] | select(.filter == "bpfpol")
	| .median_ms > 0 and .rss_mb > 0 and .map_bytes_per_rule > 0'
figures "a replacement: no packet is judged wrong" '
	.replacements[] | select(.replacement | startswith("bpfpol"))
	| .sent > 0 and .leaked == 0 and .lost == 0'
check "the chart is XML" python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' \
	"$RESULT/bench.svg"
check "every row of a table is as wide as its head" awk -F'|' '
	!/^[|]/ { width = 0; next }
	!width { width = NF; tables++ }
	NF != width { print; exit 1 }
	END { if (tables < 6) exit 1 }' "$RESULT/bench.md"
cp "$RESULT/bench.json" "$WORLD/again.json"
check "the report is made again of the figures" "$TOP/tests/bench/bench.py" --report "$RESULT"
check "and is the same figures" cmp "$RESULT/bench.json" "$WORLD/again.json"
check "it says how long it took" grep -qE '^It took [0-9.]+ minutes, [0-9.]+ of processor time' "$RESULT/bench.md"
jq '.size = "quick"' "$WORLD/again.json" >"$RESULT/bench.json"
check "a report of a quick run" "$TOP/tests/bench/bench.py" --report "$RESULT"
check "says what is left out" grep -q '3 loads instead of 5; without .*ipc1' "$RESULT/bench.md"

finish
