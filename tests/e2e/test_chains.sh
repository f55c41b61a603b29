#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Filters that share a key: ranges that overlap, interfaces, what a removal leaves; and frames
# that are cut before their ports.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# ports EXPECTED PORT...: the verdicts on TCP to these ports, IPv4 and IPv6.
ports() {
	local expected=$1 port v4=() v6=()

	shift
	for port; do
		v4+=("$(frame proto=tcp "dport=$port")")
		v6+=("$(frame "${V6[@]}" proto=tcp "dport=$port")")
	done
	same "IPv4 to $*" "$expected" "$(verdicts "${v4[@]}")"
	same "IPv6 to $*" "$expected" "$(verdicts "${v6[@]}")"
}

EDGES=(999 1000 1499 1500 1549 1550 1551 1600 1601 2000 2001)
expect_exit 0 bp block tcp/1000-2000
expect_exit 0 bp block tcp/1500-1600
expect_exit 0 bp permit tcp/1550
ports pbbbbpbbbbp "${EDGES[@]}"
same "the single port counts" 2 "$(counter packets "in tcp to port 1550")"
same "the small range counts" 8 "$(counter packets "in tcp to port 1500-1600")"
same "the large range counts the rest" 8 "$(counter packets "in tcp to port 1000-2000")"
# The middle of a chain goes, and comes again.
expect_exit 0 bp remove tcp/1000-2000
ports pppbbpbbppp "${EDGES[@]}"
expect_exit 0 bp permit tcp/900-1520
ports pppbbpbbppp "${EDGES[@]}"
expect_exit 0 bp block tcp/1000-2000
ports pppbbpbbbbp "${EDGES[@]}"
expect_exit 0 bp remove tcp/1500-1600
ports ppppbpbbbbp "${EDGES[@]}"
expect_exit 0 bp remove tcp/900-1520
ports pbbbbpbbbbp "${EDGES[@]}"
expect_exit 0 bp remove permit tcp/1550
expect_exit 0 bp remove tcp/1000-2000
ports ppppppppppp "${EDGES[@]}"

# Ranges of one size: block wins where they overlap.
expect_exit 0 bp permit tcp/3050-3150
expect_exit 0 bp block tcp/3000-3100
ports bbbbp 3000 3049 3050 3100 3101
# One rule of many ranges.
expect_exit 0 bp block tcp/4000-4002,4001-4005,4010,4020-4020
ports pbbbpbppbp 3999 4000 4003 4005 4006 4010 4011 4019 4020 4021
expect_exit 0 bp remove tcp/4000-4002,4001-4005,4010,4020-4020
ports pppp 4000 4003 4010 4020

# Interfaces: the one given is above none, another one's rule does not concern us.
add_pair tx1 rx1 78
expect_exit 0 bp attach rx1
expect_exit 0 bp block tcp/5000
expect_exit 0 bp permit on rx0 tcp/5000
expect_exit 0 bp block on rx1 tcp/5001
ports ppp 5000 5001 5002
TX=tx1 RX=rx1 ports bbp 5000 5001 5002
expect_exit 0 bp remove permit on rx0 tcp/5000
ports bp 5000 5001
expect_exit 3 bp remove tcp/5001
expect_exit 0 bp remove on rx1 tcp/5001
TX=tx1 RX=rx1 ports bp 5000 5001

# cut EXPECTED: a TCP header of 10 bytes, IPv4 and IPv6, and one of ICMP.
cut_frames() {
	same "$1: cut frames" "$2" "$(verdicts "$(frame proto=6 len=10)" \
		"$(frame "${V6[@]}" proto=6 len=10)" "$(frame proto=1 len=4)")"
}

malformed() {
	bp status --json | jq .totals.in.malformed
}

cut_frames "with rules for TCP ports" bbp
for id in $(bp status --json | jq '.rules[].id'); do bp remove --id "$id" >/dev/null; done
cut_frames "without rules" ppp
expect_exit 0 bp block tcp/80 from 203.0.113.0/24
cut_frames "a rule for others" ppp
same "src in the rule" b "$(verdicts "$(frame src=203.0.113.9 proto=6 len=10)")"
same "no rule counts it" 0 "$(counter packets "in tcp from 203.0.113.0/24 to port 80")"
expect_exit 0 bp permit tcp/81
BEFORE=$(malformed)
cut_frames "a permit asks for ports too" bbp
same "they are malformed" $((BEFORE + 3)) "$(malformed)"
expect_exit 0 bp permit tcp/82
expect_exit 0 bp remove permit tcp/81
cut_frames "one of two is left" bbp
expect_exit 0 bp remove permit tcp/82
cut_frames "none is left" ppp
expect_exit 0 bp block on rx1 tcp/83
cut_frames "on another interface" ppp
TX=tx1 RX=rx1 cut_frames "on this one" bbp
expect_exit 0 bp block icmp type 8
cut_frames "a rule for a type" ppb
expect_exit 0 bp count tcp/84
cut_frames "count rules do not decide" ppb

finish
