#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# How much a search does, counted by an instrumented build of the classifier and by its twin: how
# many tuples are probed, elements looked at. Counts, not times: the same on any machine.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

DATA=$TOP/../shared/data
MOST=6 # probes a packet, on average, of a set of ten thousand rules
# Elements that a packet drawn from it meets: merging by how often filters are met makes 3 of what were 7.
declare -A ELEMS=([acl1]=3 [acl5]=3 [fw1]=3 [ipc1]=4)

# every DESC FILTER: jq's FILTER is true of what was counted.
every() {
	if jq -es "$2" "$WORLD/work" >/dev/null; then ok "$1"; else nok "$1" "$(cat "$WORLD/work")"; fi
}

check "work is built" test -x "$TOP/build/tests/work"
"$TOP/build/tests/work" --largest 100000 "$DATA" >"$WORLD/work" 2>"$WORLD/absent"
same "it counts" 0 $?
every "packets are drawn from filters, and at random" \
	'length >= 4 and all(.packets >= 800)'
every "program and twin count the same for every packet" 'length >= 4 and all(.differ == 0)'
every "nothing is counted for nothing: most packets drawn meet an element" \
	'map(select(.traffic == "drawn")) | all(.elems >= 1)'
for set in acl1 acl5 fw1 ipc1; do
	if ! grep -q "\"${set}_10k\"" "$WORLD/work"; then
		skip "$set, 10,000 rules: $MOST probes a packet, ${ELEMS[$set]} elements" "no $DATA/classbench/${set}_10k"
		continue
	fi
	every "$set, 10,000 rules: $MOST probes a packet or fewer, half of them drawn from its filters" \
		"map(select(.set == \"${set}_10k\")) | length == 2 and (map(.tuples) | add / 2) <= $MOST"
	every "$set, 10,000 rules: a packet of its filters meets ${ELEMS[$set]} elements or fewer" \
		"map(select(.set == \"${set}_10k\" and .traffic == \"drawn\")) | length == 1 and .[0].elems <= ${ELEMS[$set]}"
done
jq -r '"# \(.set), \(.traffic): \(.tuples) tuples probed, \(.elems) elements; at most \(.most_tuples)"' "$WORLD/work"

finish
