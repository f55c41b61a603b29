#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Somebody else's filters in a clsact qdisc, beside ours on XDP, TCX or in the same qdisc: they stay
# and work, also a redirection, which needs whole frames.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/foreign.sh
. "$(dirname "$0")/foreign.sh"

add_pair tx1 rx1 78
add_bridge
tc_rx() {
	run_in rx tc "$@"
}
tc_rx qdisc add dev rx0 clsact
# Before our priority: UDP to port 7777 goes out by rx1. Behind it: a program of theirs.
if ! tc_rx filter add dev rx0 ingress prio 1 protocol ip u32 match ip protocol 17 0xff \
	match ip dport 7777 0xffff action mirred egress redirect dev rx1; then
	skip "foreign filters" "no u32 or mirred here"
	finish
fi
for way in ingress egress; do
	tc_rx filter add dev rx0 $way prio 20 protocol all bpf direct-action \
		pinned "$PINS/foreign_tc" || exit 1
done
tc_rx filter add dev rx0 egress prio 2 protocol ip u32 match ip dport 7778 0xffff \
	action mirred egress redirect dev rx1
# The end mark goes there, too.
for way in ingress egress; do
	tc_rx filter add dev rx0 $way prio 3 protocol 0x88b5 u32 match u32 0 0 \
		action mirred egress mirror dev rx1
done

# Without what counts.
filters() {
	tc_rx qdisc show dev rx0
	tc_rx filter show dev rx0 ingress
	tc_rx filter show dev rx0 egress
}

# shellcheck disable=SC2317 # through_life calls it
untouched() {
	# Ours stand in the same qdisc, where there is no TCX.
	same "$1: their filters" "$FILTERS" "$(filters | grep -v 'pref 7 ')"
	blocked "${TC_DROPS[@]}"
	passes "${TC_PASSES[@]}"
	stopped "${TC_DROPS[@]}"
	leaves "${TC_PASSES[@]}"
	TO=tx RX=tx1 passes dport=7777
	stopped dport=7778
	FROM=rx TX=rx0 TO=tx RX=tx1 passes "${BACK[@]}" dport=7778
}

FILTERS=$(filters)
check "their filters are there" [ "$(grep -c 'pref' <<<"$FILTERS")" -gt 8 ]
untouched "without us"
for mode in native generic tc; do through_life untouched $mode; done

# What theirs takes before ours is asked, ours cannot stop; on TCX it is asked first.
expect_exit 0 bp attach rx0 --mode tc
expect_exit 0 bp block udp/7777
if [ "$TC" = tcx ]; then
	TO=tx RX=tx1 blocked dport=7777
	expect_json "nobody comes first" '.interfaces[0].notes == []' bp status --json
else
	TO=tx RX=tx1 passes dport=7777
	expect_json "said" '.interfaces[0].notes[0]
		| test("on TC another.s program comes first .both ways.")' bp status --json
fi
expect_exit 0 bp detach rx0
untouched "at last"

finish
