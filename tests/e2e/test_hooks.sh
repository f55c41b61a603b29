#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Classifiers are loaded for the kinds of hook that are in use, and for another before anything is
# attached to it: with the rules in force, and without a new generation. Whatever fails or dies on
# the way, what is attached is filtered.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"

LIST=$WORLD/list.txt
echo 198.51.100.1 >"$LIST"

# loaded: the hooks whose classifiers are pinned.
loaded() {
	find "$BPFPOL_BPFFS"/gen-* -name 'classify_*' -printf '%f\n' | sed 's/classify_//' | sort |
		tr '\n' ' '
}

generation() {
	bp status --json | jq .policy.generation
}

# through TX RX PORT: b or p for a frame to it.
through() {
	TX=$1 RX=$2 verdicts "$(frame dport="$3")"
}

# rx2_blocks: sniffers see what arrives before TC drops it, but the rule counts it.
rx2_blocks() {
	local before

	before=$(counter packets 'in udp to port 1434')
	run_in tx "$PKT" send tx2 "$(frame dport=1434)" >/dev/null
	check "rx2 is filtered$1" until_true counted $((before + 1))
}

# shellcheck disable=SC2317 # until_true runs it
counted() {
	[ "$(counter packets 'in udp to port 1434')" -eq "$1" ]
}

expect_exit 0 bp attach rx0 --mode native
expect_exit 0 bp block udp/1434
same "XDP and what leaves" "tc_out xdp " "$(loaded)"
add_pair tx1 rx1 78
add_pair tx2 rx2 79
BEFORE=$(generation)
expect_exit 0 bp attach rx1 --mode generic
same "generic XDP comes with it" "generic tc_out xdp " "$(loaded)"
same "rx1 is filtered" b "$(through tx1 rx1 1434)"
expect_exit 0 bp attach rx2 --mode tc
same "TC comes with it" "generic tc_in tc_out xdp " "$(loaded)"
rx2_blocks ""
same "and not all" p "$(through tx2 rx2 1433)"
same "the generation is the same" "$BEFORE" "$(generation)"
same "each has counted" 2 "$(counter packets 'in udp to port 1434')"
expect_exit 0 run_in rx "$PKT" link-type l3 512
expect_exit 0 bp attach l3
same "so do those without Ethernet header" "generic l3_in l3_out tc_in tc_out xdp " "$(loaded)"
expect_exit 0 bp detach l3

# A new generation has those in use, and what is in use goes on.
expect_exit 0 bp detach rx1
expect_exit 0 bp block "@$LIST"
same "generic XDP is gone" "tc_in tc_out xdp " "$(loaded)"
same "rx0 is filtered" b "$(through tx0 rx0 1434)"
rx2_blocks ""
expect_exit 0 bp explain udp from 198.51.100.9 port 9 to "$RX4" port 1434 on rx1
expect_out 'blocked|would be'
expect_exit 0 bp off
expect_exit 0 bp on
same "rx0 is filtered after off and on" b "$(through tx0 rx0 1434)"
rx2_blocks " after off and on"

# After a boot: the rules before any interface, and yet all are filtered.
fresh_bpffs
expect_exit 0 bp restore
same "rx0 is filtered after a boot" b "$(through tx0 rx0 1434)"
rx2_blocks " after a boot"
same "those in use" "tc_in tc_out xdp " "$(loaded)"

# An attachment to another kind of hook that dies, or whose nth call of bpf() is refused.
attach=(attach rx1 --mode generic)
ROUND=0
# shellcheck disable=SC2317 # called by name
reset_world() {
	bp detach rx1 >/dev/null 2>&1
	ROUND=$((ROUND + 1))
	echo "198.51.$((ROUND / 250)).$((ROUND % 250))" >"$LIST"
	bp block "@$LIST" >/dev/null # without the classifier
	[ "$(loaded)" = "tc_in tc_out xdp " ] || nok "no classifier" "$(loaded)"
}

# rx1_is: attached or not, and b or p. What nobody pinned goes some time after the process.
# shellcheck disable=SC2317 # called by name
rx1_is() {
	IS=$(run_in rx ip -o link show rx1 | grep -c xdpgeneric)$(through tx1 rx1 1434)
	[ "$IS" = 0p ] || [ "$IS" = 1b ]
}

# judged_where_attached WHEN: an interface is filtered, or not attached.
# shellcheck disable=SC2317 # called by name
judged_where_attached() {
	until_true rx1_is || nok "$1" "XDP programs on rx1, and judged: $IS; classifiers: $(loaded)"
	[ "$IS" = 0p ] && WITHOUT=$((WITHOUT + 1))
	[ "$IS" = 1b ] && WITH=$((WITH + 1))
	[ "$(through tx0 rx0 1434)" = b ] || nok "$1" "rx0 is not filtered"
}

# shellcheck disable=SC2317 # called by name
attach_rx1() {
	bp "${attach[@]}" >/dev/null 2>&1
}

reset_world
mapfile -t POINTS < <(points "${attach[@]}")
check "${#POINTS[@]} system calls" [ ${#POINTS[@]} -gt 20 ]
WITH=0 WITHOUT=0
for point in "${POINTS[@]}"; do
	read -r call n <<<"$point"
	reset_world
	kill_at "$call" "$n" "${attach[@]}"
	judged_where_attached "killed at $call $n"
	until_true attach_rx1 || nok "killed at $call $n" "cannot attach any more"
	[ "$(through tx1 rx1 1434)" = b ] || nok "killed at $call $n" "attached, and not filtered"
done
check "killed with and without it: $WITH, $WITHOUT" [ $WITH -gt 0 -a $WITHOUT -gt 5 ]

WITH=0 WITHOUT=0 REFUSED=0
for point in "${POINTS[@]}"; do
	read -r call n <<<"$point"
	[ "$call" = bpf ] || continue
	reset_world
	run_in rx strace -f -qq -o /dev/null -e trace=bpf -e "inject=bpf:error=ENOMEM:when=$n" \
		"$BPFPOL" "${attach[@]}" >/dev/null 2>&1 || REFUSED=$((REFUSED + 1))
	judged_where_attached "bpf call $n refused"
	[ "$IS" = 1b ] || [ "$(loaded)" = "tc_in tc_out xdp " ] ||
		nok "bpf call $n refused" "not attached, and loaded: $(loaded)"
done
check "refused $REFUSED times, $WITHOUT times not attached" [ $REFUSED -gt 5 -a $WITHOUT -gt 5 ]

finish
