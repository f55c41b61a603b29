#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Frames of other shapes: VLAN tags, fragments, cut ones, and what is never filtered.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

bp block udp/1434 >/dev/null
bp block tcp/22 >/dev/null

for family in v4 v6; do
	WORDS=()
	[ $family = v6 ] && WORDS=("${V6[@]}")
	blocked "${WORDS[@]}" dport=1434 vlan=5
	blocked "${WORDS[@]}" dport=1434 vlan=5 vlan=6
	blocked "${WORDS[@]}" dport=1434 vlan=5 vlan=6 vlan=7 vlan=8
	passes "${WORDS[@]}" dport=1435 vlan=5 vlan=6 vlan=7 vlan=8

	# The first fragment has the ports, later ones have none, whatever their payload looks like.
	blocked "${WORDS[@]}" dport=1434 len=16 frag=0+
	passes "${WORDS[@]}" dport=1435 len=16 frag=0+
	passes "${WORDS[@]}" frag=1480 len=64 first=5
	# RFC 3128: a TCP fragment at 8 would write over the ports and flags.
	blocked "${WORDS[@]}" proto=tcp frag=8 len=16
	passes "${WORDS[@]}" proto=udp frag=8 len=16
	passes "${WORDS[@]}" proto=tcp frag=16 len=16
done

# Too short for its ports (17 = UDP, but without its header), and a rule asks for them.
blocked proto=17 len=2
blocked "${V6[@]}" proto=17 len=2
passes proto=1 len=0
passes proto=gre
# Shorter than it says: judged by its addresses and protocol alone.
passes dport=1434 len=100 cut=80

# A whole-protocol rule decides on later fragments too.
expect_exit 0 bp block udp from 198.51.100.1
blocked src=198.51.100.1 frag=1480 len=64
passes src=198.51.100.2 frag=1480 len=64

# Neighbour discovery always passes; other ICMPv6 does not.
expect_exit 0 bp block any
for type in 133 134 135 136; do passes "${V6[@]}" proto=icmp6 "type=$type" len=16; done
blocked "${V6[@]}" proto=icmp6 type=137
blocked
blocked frag=1480 len=64

expect_json "what was too short is counted" '.totals.in.malformed > 0' bp status --json

finish
