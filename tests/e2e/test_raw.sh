#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# An infected host cannot spread: whichever way a program makes its packets, nothing that an `out`
# rule blocks gets on the wire. What TC never sees is a known limit (test_outbound.sh: bypass).
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export FROM=rx TX=rx0 TO=tx RX=tx0

leaves() {
	passes "${BACK[@]}" "$@"
}

kept() {
	blocked "${BACK[@]}" "$@"
}

expect_exit 0 bp attach rx0
# Without a rule each of these ways leads out.
for SEND in send raw cooked ring; do
	leaves dport=1434 len=376
	leaves "${BACK6[@]}" dport=1434 len=376
	leaves proto=tcp dport=25
done
expect_exit 0 bp block out udp/1434
expect_exit 0 bp block out tcp/25
expect_exit 0 bp block out gre
SENT=0
for SEND in send raw cooked ring; do
	echo "# by $SEND"
	kept dport=1434 len=376
	kept "${BACK6[@]}" dport=1434 len=376
	kept dport=1434 src=203.0.113.9
	kept dport=1434 len=16 frag=0+
	kept "${BACK6[@]}" dport=1434 len=16 frag=0+
	kept proto=tcp dport=25
	kept proto=tcp dport=25 len=1400
	kept proto=gre
	kept "${BACK6[@]}" proto=gre
	SENT=$((SENT + 9))
	leaves dport=1433 len=376
	leaves "${BACK6[@]}" dport=1435 len=376
	leaves proto=tcp dport=1434
	leaves proto=udp dport=25 frag=0+ len=16
	leaves frag=1480 len=64
done
expect_json "all of it was counted" "[.rules[].packets] | add == $SENT" bp status --json

# An aggregate is 4 packets on the wire; it is judged before the kernel cuts it, and gives each a
# length of its own, whatever the aggregate's length field said.
SEND=gso
aggregate() {
	local hex

	hex=$(frame "${BACK[@]}" "dport=$1" len=376)
	echo "${hex:0:32}$2${hex:36}"
}

PIECES="$(printf "udp $RX4 40000 $TX4 1433 %s\n" 142 142 142 118)"
if [ -z "$(sniffed "$(aggregate 1433 0194)")" ]; then
	skip "an aggregate of its own making" "the kernel does not take it"
else
	for length in 0194 0000 0014 0195 ffff; do
		same "an aggregate of length $length leaves in pieces" "$PIECES" \
			"$(sniffed "$(aggregate 1433 $length)")"
		same "to a blocked port it does not" "" "$(sniffed "$(aggregate 1434 $length)")"
	done
	SENT=$((5 * 4 + 5 * 4)) # 5 frames by each of 4 ways above, and now 5 aggregates
	expect_json "they count as their pieces" \
		".rules[] | select(.filter == \"out udp to port 1434\") | .packets == $SENT" \
		bp status --json
	expect_json "none is malformed" '.totals.out.malformed == 0' bp status --json
fi

# A cut header hides the port that a rule asks for.
SEND=send
kept proto=17 len=2
kept proto=6 len=12
kept proto=tcp frag=8 len=16
leaves proto=1 len=2
expect_json "as malformed" '.totals.out.malformed == 4' bp status --json
# The frame's own words count, not what the sender told the kernel of it.
kept dport=1434 vlan=5
kept dport=1434 vlan=5 vlan=6 vlan=7 vlan=8

finish
