#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Aggregates that arrive, made by hand at the other end of a veth: by native XDP the kernel cuts them
# before, TC knows them, generic XDP takes them for one packet, as long as they are.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# aggregate DPORT LENGTH: a TCP SYN with 376 bytes, its IP length overwritten (hex).
aggregate() {
	local hex

	hex=$(frame proto=tcp "dport=$1" len=376)
	echo "${hex:0:32}$2${hex:36}"
}

# counts DESC LENGTH PACKETS MALFORMED: of an aggregate to the blocked port, and one beside it.
counts() {
	local packets malformed

	packets=$(counter packets "in tcp to port 22")
	malformed=$(bp status --json | jq .totals.in.malformed)
	SEND=gso sniffed "$(aggregate 22 "$2")" "$(aggregate 23 "$2")" >/dev/null
	same "$1, IP length $2: packets blocked, packets malformed" "$3 $4" \
		"$(($(counter packets "in tcp to port 22") - packets)) $((
			$(bp status --json | jq .totals.in.malformed) - malformed))"
}

# May the other end hand over aggregates? Native XDP says no, whatever is asked for.
aggregates() {
	run_in tx ethtool -K tx0 tso "$1" gso "$1" tx "$1" >/dev/null 2>&1
}

if ! aggregates on || [ -z "$(SEND=gso sniffed "$(aggregate 22 01a0)")" ]; then
	skip "aggregates" "the kernel does not take them"
	finish
fi

expect_exit 0 bp attach rx0 --mode native
aggregates on
expect_exit 0 bp block tcp/22
for length in 01a0 0000 ffff; do counts "native XDP" $length 4 0; done
expect_exit 0 bp detach rx0

expect_exit 0 bp attach rx0 --mode tc
aggregates on
for length in 01a0 0000 ffff; do counts "TC" $length 4 0; done
expect_exit 0 bp detach rx0

# One packet. The kernel takes length 0 for all there is, and so do we; any other that is impossible
# is malformed for both, and dropped by the kernel.
expect_exit 0 bp attach rx0 --mode generic
aggregates on
counts "generic XDP" 01a0 1 0
counts "generic XDP" 0000 1 0
counts "generic XDP" ffff 0 2
expect_exit 0 bp block tcp
same "a rule without ports sees it" "" "$(SEND=gso sniffed "$(aggregate 22 ffff)")"
expect_exit 0 bp remove tcp

# In IPv6 that is a payload length of 0 before hop-by-hop options; before anything else it is none,
# and what a rule asks for cannot be read: blocked, and counted as malformed.
payload_0() {
	local hex

	hex=$(frame "${V6[@]}" proto=tcp "dport=$1" len=376 "${@:2}")
	echo "${hex:0:36}0000${hex:40}"
}

BEFORE=$(bp status --json | jq .totals.in.malformed) PACKETS=$(counter packets "in tcp to port 22")
same "IPv6, payload length 0: one arrives" 1 \
	"$(sniffed "$(payload_0 22 ext=0:8)" "$(payload_0 23 ext=0:8)" | grep -c .)"
same "the other is the rule's" $((PACKETS + 1)) "$(counter packets "in tcp to port 22")"
same "and nothing is malformed" "$BEFORE" "$(bp status --json | jq .totals.in.malformed)"
same "before other headers it is none" "" "$(sniffed "$(payload_0 23)" "$(payload_0 23 ext=60:8)")"
same "that is malformed" $((BEFORE + 2)) "$(bp status --json | jq .totals.in.malformed)"

finish
