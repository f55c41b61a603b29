#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Somebody else's XDP program stands on the interface: it stays and runs, ours comes behind it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck source=tests/e2e/foreign.sh
. "$(dirname "$0")/foreign.sh"

# Ours comes by TC where XDP is taken: br0 has what passes both.
add_bridge

# put MODE [overwrite]: the foreign program on rx0. take MODE: and off again.
put() {
	run_in rx "$BPFTOOL" net attach "$1" pinned "$PINS/foreign" dev rx0 "${@:2}"
}

take() {
	run_in rx "$BPFTOOL" net detach "$1" dev rx0
}

# The id of the XDP program on rx0.
id_on() {
	run_in rx ip -o link show rx0 | sed -n 's/.* id \([0-9]*\).*/\1/p'
}

# theirs DESC ID: the program ID is on rx0 and runs: its frames have 666 bytes.
theirs() {
	same "$1: theirs is there" "$2" "$(id_on)"
	blocked dport=1433 len=624
	passes dport=1433 len=623
}

# by_tc: ours is there too, both ways.
by_tc() {
	expect_json "$1: by TC, and why" '.interfaces[] | select(.name == "rx0")
		| .ingress == env.TC and .egress == env.TC and (.why | test("foreign"))' \
		bp status --json
}

for mode in xdpdrv xdpgeneric; do
	put $mode
	THEIRS=$(id_on)
	check "$mode: a foreign program is there" [ -n "$THEIRS" ]
	BEFORE=$(snapshot)
	for asked in native generic; do
		expect_exit 1 bp attach rx0 --mode $asked
		expect_out "'foreign' \\(id $THEIRS\\)"
		expect_exit 1 bp attach rx0 --mode $asked --dry-run
		unchanged "$mode: attach --mode $asked" "$BEFORE"
	done
	theirs "$mode, refused" "$THEIRS"

	expect_exit 0 bp attach rx0
	expect_out "'foreign' \\(id $THEIRS\\)"
	by_tc "$mode: attach"
	theirs "$mode, attach" "$THEIRS"
	expect_exit 0 bp block udp/1434
	blocked dport=1434
	blocked "${V6[@]}" dport=1434
	theirs "$mode, block" "$THEIRS"
	expect_exit 0 bp off
	passes dport=1434
	theirs "$mode, off" "$THEIRS"
	expect_exit 0 bp on
	by_tc "$mode: on"
	blocked dport=1434
	theirs "$mode, on" "$THEIRS"
	expect_exit 0 bp remove udp/1434
	passes dport=1434
	expect_exit 0 bp detach rx0
	theirs "$mode, detach" "$THEIRS"

	# Nothing attached yet: block finds its way too.
	expect_exit 0 bp block udp/1435
	expect_out 'rx0.*foreign'
	blocked dport=1435
	theirs "$mode, block first" "$THEIRS"
	expect_exit 0 bp remove udp/1435
	expect_exit 0 bp detach rx0
	take $mode
done
same "taken off by its owner" "" "$(id_on)"

# The other way round: nobody takes ours away, and ours does not take theirs.
expect_exit 0 bp attach rx0
expect_exit 0 bp block udp/1434
OURS=$(id_on)
check "ours is on XDP" [ -n "$OURS" ]
put xdpdrv overwrite >/dev/null 2>&1
take xdpdrv >/dev/null 2>&1
run_in rx ip link set dev rx0 xdpdrv off 2>/dev/null
same "ours stays" "$OURS" "$(id_on)"
blocked dport=1434
expect_exit 0 bp off
put xdpdrv
THEIRS=$(id_on)
expect_exit 0 bp on
by_tc "put there while off"
blocked dport=1434
theirs "put there while off" "$THEIRS"
# Theirs comes while ours is on TC, or goes: ours filters on.
take xdpdrv
blocked dport=1434
put xdpgeneric
blocked dport=1434
THEIRS=$(id_on)
expect_exit 0 bp detach rx0
theirs "detach" "$THEIRS"
take xdpgeneric

# One that has no name is said by its id.
run_in rx "$PKT" nameless "$PINS/nameless"
run_in rx "$BPFTOOL" net attach xdpdrv pinned "$PINS/nameless" dev rx0
expect_exit 1 bp attach rx0 --mode native
expect_out "a foreign XDP program, id $(id_on), which bpfpol never removes"
expect_exit 0 bp attach rx0
expect_out "XDP is taken by a foreign program, id $(id_on), which stays"

finish
