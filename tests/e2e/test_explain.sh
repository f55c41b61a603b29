#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `explain` of one packet: what it says, in which state of things, and that it leaves no trace.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

WORM=(udp from 203.0.113.5 port 4000 to "$RX4" port 1434)
KEYS='["verdict","rule","reason","also_matched"]'
RULE_KEYS='["action","bytes","direction","expires_in","filter","id","layer","log","name","packets"]'

# explains FILTER WORDS...: jq's FILTER is true of the answer.
explains() {
	local filter=$1

	shift
	expect_json "$*" "$filter" bp explain --json "$@"
}

# --- nothing yet

explains '.verdict == "pass" and .rule == null and .also_matched == []
	and (.reason | test("no policy is assigned")) and .policy == null and .in_force == false' "${WORM[@]}"
check "and nothing is made" test ! -e "$BPFPOL_BPFFS"
expect_exit 0 bp explain "${WORM[@]}"
expect_out '^PASS$'
expect_out 'rx0 stands for it'
expect_out 'rx0 is not attached'

# --- which rule, and which others

expect_exit 0 bp attach rx0
expect_exit 0 bp block udp/1434 name "worm"
expect_exit 0 bp block udp from 203.0.113.0/24
expect_exit 0 bp permit udp/1434 from 203.0.113.0/24
expect_exit 0 bp permit udp/1434 from 203.0.113.4/30
expect_exit 0 bp count udp
expect_exit 0 bp count 203.0.113.5
expect_exit 0 bp block tcp/25
expect_exit 0 bp block out udp from me to any port 53
send_frames 3 dport=1434 len=15
before=$(snapshot)
blocked=$(bp status --json | jq .totals.in.blocked)

explains "([keys[]] | contains($KEYS)) and (.rule | keys == $RULE_KEYS)" "${WORM[@]}"
explains "(.rule.id == 4) and .verdict == \"pass\" and .in_force
	and .packet == \"in on rx0 ${WORM[*]}\"" "${WORM[@]}"
explains '[.also_matched[].id] == [3, 2, 1, 5, 6]' "${WORM[@]}"
explains '.also_matched[2] | .name == "worm" and .action == "block" and .layer == "static"
	and .filter == "in udp to port 1434" and .packets == 3 and .bytes == 3 * 57
	and .expires_in == null' "${WORM[@]}"
explains '.verdict == "block" and .rule.id == 1 and .rule.name == "worm"
	and [.also_matched[].id] == [5]' udp/1434 from 198.51.100.1 to me
explains '.verdict == "block" and .rule.id == 7 and .also_matched == []' tcp/25 from "$TX6" to me
explains '.verdict == "pass" and .rule == null and .also_matched == []
	and (.reason | test("no block or permit rule matches"))' tcp/26 from "$TX6" to me
explains '.verdict == "pass" and .rule == null and [.also_matched[].id] == [5]' \
	udp/99 from "$TX6" to me
explains '.verdict == "pass" and .rule == null and (.reason | test("neighbour discovery"))' \
	icmpv6 type 135 from fe80::1 to me
expect_exit 0 bp explain "${WORM[@]}"
expect_out '^PASS$'
expect_out "^  packet +in on rx0 ${WORM[*]}$"
expect_out '^  reason +rule 4 permits it: the most specific of the 4 that match'
expect_out '^  wins +4 \(static\): permit in udp from 203.0.113.4/30 to port 1434$'
expect_out '^  loses +3 .*permit'
expect_out '^  loses +1 .*block in udp to port 1434 name "worm"'
expect_out '^  counts +5 \(static\): count in udp$'
same "the losers stand in order" "3 2 1" \
	"$(grep -oP '^  loses +\K[0-9]+' <<<"$OUT" | xargs)"
expect_exit 0 bp explain udp/1434 from 198.51.100.1 to me
expect_out '^BLOCK$'

# --- what was left out, and where it is seen

explains ".packet == \"in on rx0 udp from $TX4 port 49152 to $RX4 port 9\"" udp/9 from "$TX4" to me
explains ".packet == \"in on rx0 icmpv6 type 128 code 0 from $TX6 to $RX6\"" \
	icmpv6 from "$TX6" to me
explains '.packet | test("to fe80::2")' icmpv6 from fe80::1 to fe80::2
explains '.direction == "in" and .interface == "rx0" and .hook == "native XDP"
	and (.notes | any(test("rx0 stands for it")))' "${WORM[@]}"
explains '.notes == []' "${WORM[@]}" on rx0
explains '.notes == []' on rx0 in "${WORM[@]}"
explains '.direction == "out" and .hook == "TC" and .verdict == "block" and .rule.id == 8' \
	udp/53 from me to "$TX4" on rx0
explains '.verdict == "block" and .notes == []' udp/53 from 10.77.0.2 to "$TX4" out on rx0
explains '.verdict == "pass" and (.notes | any(test("taken as forwarded")))' \
	udp/53 from 10.77.0.3 to "$TX4" out on rx0
explains '.verdict == "pass" and .rule == null and (.reason | test("loopback"))
	and (.packet | test("to 127.0.0.1"))' udp/1434 from 127.0.0.1 to me on lo
explains '.verdict == "block"' "udp/1434 from 198.51.100.1 to $RX4 in on rx0"
check "an InfiniBand interface" run_in rx "$PKT" link-type ib7 32
explains '.verdict == "pass" and .rule == null and (.reason | test("cannot be filtered"))
	and .in_force == false' udp/1434 from 198.51.100.1 to "$RX4" on ib7
run_in rx ip link del ib7

# --- words that make no packet

bad() {
	local code=$1 says=$2

	shift 2
	expect_exit "$code" bp explain "$@"
	expect_out "^bpfpol: .*$says"
}

bad 2 'say which packet'
bad 2 'a packet has a source' udp/1434
expect_out '^  udp/1434$'
expect_out '^  \^{8}$'
bad 2 'say the port' udp from "$TX4" to "$RX4"
bad 2 'it goes to one' udp from "$TX4" to "$RX6" port 9
bad 2 'no action' block "${WORM[@]}"
bad 2 'goes one way' "${WORM[@]}" inout
bad 2 'host names' udp from example.com to me port 9
bad 3 "no interface 'eth7'" "${WORM[@]}" on eth7
expect_out '\^{4}$'
bad 2 "has no option --id" --id 3 "${WORM[@]}"
bad 2 '--pcap' --write-blocked x.pcap "${WORM[@]}"
bad 3 "no policy" --policy nope "${WORM[@]}"

unchanged "all of that" "$before"
same "and nothing counts" "$blocked" "$(bp status --json | jq .totals.in.blocked)"

# --- states of things

run_in rx ip addr flush dev rx0 scope global
bad 2 'rx0 has no IPv4 address' udp/9 from 198.51.100.1 to me on rx0
run_in rx ip addr add "$RX4/24" dev rx0

expect_exit 0 bp off
explains '.verdict == "block" and .rule.id == 1 and .in_force == false
	and (.notes | any(test("filtering is off")))' udp/1434 from 198.51.100.1 to "$RX4"
# What is stored while it is off, `on` puts in force.
expect_exit 0 bp block --force udp/1500
explains '.verdict == "block" and .in_force == false' udp/1500 from 198.51.100.1 to "$RX4"
expect_exit 0 bp on
explains '.verdict == "block" and .in_force' udp/1500 from 198.51.100.1 to "$RX4"

expect_exit 0 bp detach rx0
explains '.verdict == "block" and .rule.id == 1 and .in_force == false
	and (.notes | any(test("rx0 is not attached")))' udp/1434 from 198.51.100.1 to "$RX4"
expect_exit 0 bp attach rx0 --mode tc
explains '.verdict == "block" and .rule.id == 1 and .hook == "TC" and .in_force' \
	udp/1434 from 198.51.100.1 to "$RX4"

# A rule that has ended is none, and one without an interface to be on.
expect_exit 0 bp block tcp/26 --for 2h
explains '.verdict == "block" and .rule.expires_in > 7000 and .rule.expires_in <= 7200' \
	tcp/26 from "$TX6" to "$RX6"
expect_exit 0 bp block udp/1600 --for 1s
# shellcheck disable=SC2317 # until_true calls it
has_ended() {
	bp explain --json udp/1600 from 198.51.100.1 to "$RX4" | jq -e '.verdict == "pass"' >/dev/null
}
check "a rule ends" until_true has_ended
explains '.rule == null' udp/1600 from 198.51.100.1 to "$RX4"
run_in rx ip link add rx8 type veth peer name rx7
expect_exit 0 bp block on rx8 udp/1700
run_in rx ip link set rx8 up
explains '.verdict == "block" and .in_force == false' udp/1700 from "$TX4" to "$RX4" on rx8
explains '.verdict == "pass"' udp/1700 from "$TX4" to "$RX4" on rx7
run_in rx ip link set rx8 name rx6
bad 3 "no interface 'rx8'" udp/1700 from "$TX4" to "$RX4" on rx8
explains '.verdict == "pass"' udp/1700 from "$TX4" to "$RX4" on rx6

# After a boot nothing is in force yet.
fresh_bpffs
explains '.verdict == "pass" and .rule == null and .policy == "local" and .in_force == false
	and (.reason | test("stored but not in force"))' udp/1434 from 198.51.100.1 to "$RX4"
explains '.verdict == "block" and .rule.id == 1 and .in_force == false
	and (.notes | any(test("not in force")))' \
	--policy local udp/1434 from 198.51.100.1 to "$RX4"
check "and nothing is made of it" test ! -e "$BPFPOL_BPFFS"

printf 'garbage\n' >"$BPFPOL_STATE_DIR/state"
bad 1 'damaged' "${WORM[@]}"

expect_exit 0 bp help explain
expect_out 'bpfpol explain udp from 192.0.2.1 port 4000 to 10.0.0.5 port 1434'
expect_out '--write-blocked FILE'

finish
