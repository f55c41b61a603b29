#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Somebody else's qdiscs shape what leaves: they stay, and what passes ours goes through them, with
# TCX and, as before 6.6, with a clsact qdisc of ours beside them.
export REFUSE=tcx
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/foreign.sh
. "$(dirname "$0")/foreign.sh"

add_bridge
tc_rx() {
	run_in rx tc "$@"
}

qdiscs() {
	tc_rx qdisc show dev rx0 | grep -v '^qdisc clsact ffff:'
	tc_rx class show dev rx0
	tc_rx filter show dev rx0
}

# What has gone through the qdisc at the root.
sent() {
	tc_rx -s -j qdisc show dev rx0 | jq '.[] | select(.root) | .packets'
}

# shellcheck disable=SC2317 # through_life calls it
untouched() {
	local before

	same "$1: their qdiscs" "$QDISCS" "$(qdiscs)"
	before=$(sent)
	leaves "${TC_PASSES[@]}"
	check "$1: through them" [ "$(sent)" -gt "$before" ]
}

# shellcheck disable=SC2317 # called by its name in KIND
htb() {
	tc_rx qdisc add dev rx0 root handle 1: htb default 20 &&
		tc_rx class add dev rx0 parent 1: classid 1:10 htb rate 10mbit &&
		tc_rx class add dev rx0 parent 1: classid 1:20 htb rate 100mbit &&
		tc_rx filter add dev rx0 parent 1: prio 1 protocol ip u32 match ip dport 99 0xffff \
			flowid 1:10
}

# shellcheck disable=SC2317 # called by its name in KIND
tbf() {
	tc_rx qdisc add dev rx0 root handle 2: tbf rate 100mbit burst 64kb latency 50ms
}

for kind in htb tbf; do
	if ! $kind; then
		skip "$kind" "this kernel has none"
		continue
	fi
	QDISCS=$(qdiscs)
	for REFUSE in "" tcx; do
		echo "# $kind, ${REFUSE:+no }TCX"
		untouched "without us"
		through_life untouched native
	done
	tc_rx qdisc del dev rx0 root
done

# One that comes and goes while ours is there takes nothing of ours with it.
for REFUSE in "" tcx; do
	expect_exit 0 bp attach rx0
	expect_exit 0 bp block out udp/1434
	check "theirs comes" tbf
	stopped dport=1434
	leaves dport=1433
	tc_rx qdisc del dev rx0 root
	stopped dport=1434
	leaves dport=1433
	expect_exit 0 bp detach rx0
done

finish
