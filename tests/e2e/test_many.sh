#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Many rules, one by one, until the journal is folded; and what does not fit.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

N=600
NOTE=$(printf 'a long note %.0s' {1..9})
JOURNAL=$BPFPOL_STATE_DIR/journal
bp block udp/1434 >/dev/null
send_frames 5 dport=1434

BAD=0 LONGEST=0
for ((i = 0; i < N; i++)); do
	bp block "tcp/$((1000 + 2 * i))" name "$NOTE$i" >/dev/null || BAD=$((BAD + 1))
	size=$(stat -c %s "$JOURNAL")
	[ "$size" -gt "$LONGEST" ] && LONGEST=$size
done
same "$N rules" 0 "$BAD"
same "all of them are listed" $((N + 1)) "$(bp status --json | jq '.rules | length')"
same "no id twice" $((N + 1)) "$(bp status --json | jq '[.rules[].id] | unique | length')"
check "the journal was folded ($LONGEST bytes)" [ "$LONGEST" -gt 65536 ]
check "and is short again" [ "$(stat -c %s "$JOURNAL")" -lt 65536 ]
check "into the policy's file" [ "$(grep -c '^block ' "$BPFPOL_CONF_DIR/policies/local.policy")" -gt 300 ]
same "counters stay" 5 "$(counter packets "in udp to port 1434")"
FRAMES=() EXPECTED=
for ((i = 0; i < N; i += 25)); do
	FRAMES+=("$(frame proto=tcp "dport=$((1000 + 2 * i))")"
		"$(frame proto=tcp "dport=$((1001 + 2 * i))")")
	EXPECTED+=bp
done
same "each is blocked, its neighbours are not" "$EXPECTED" "$(verdicts "${FRAMES[@]}")"
expect_json "the kernel holds them all" ".filters | length == 2 * ($N + 1)" bp status --debug --json

BAD=0
for ((i = 0; i < N; i++)); do
	bp remove "tcp/$((1000 + 2 * i))" >/dev/null || BAD=$((BAD + 1))
done
same "all are removed" 0 "$BAD"
same "one is left" 1 "$(bp status --json | jq '.rules | length')"
expect_json "in the kernel too" '.filters | length == 2' bp status --debug --json
same "everything passes" "${EXPECTED//b/p}" "$(verdicts "${FRAMES[@]}")"
blocked dport=1434

# More combinations of prefix lengths, protocol and ports than there are tuples: they share some.
BAD=0
for ((len = 1; len <= 32; len++)); do
	bp block in "100.0.0.0/$len" >/dev/null || BAD=$((BAD + 1))
	bp permit in udp from "100.0.0.0/$len" to 10.77.0.0/24 >/dev/null || BAD=$((BAD + 1))
	bp block in "tcp/$len" from 64.0.0.0/3 >/dev/null || BAD=$((BAD + 1))
done
same "96 rules of 65 shapes" 0 "$BAD"
seq 1 32 | sed 's/.*/64.0.0.0\/&/' >"$WORLD/lengths"
expect_exit 0 bp block icmp from "@$WORLD/lengths"
SHARED=("$(frame src=100.0.0.1 proto=tcp dport=77)" "$(frame src=100.0.0.1 dport=7)"
	"$(frame src=101.0.0.1 dport=7)" "$(frame src=100.0.0.1 dst=10.77.1.1 dport=7)"
	"$(frame src=70.1.1.1 proto=tcp dport=32)" "$(frame src=70.1.1.1 proto=tcp dport=33)"
	"$(frame src=70.1.1.1 proto=icmp type=3)" "$(frame src=192.0.2.1 proto=icmp type=3)")
same "each shape for itself" bppbbbbp "$(verdicts "${SHARED[@]}")"
same "the finest of them counts" "2 0" \
	"$(counter packets "in from 100.0.0.0/31") $(counter packets "in from 100.0.0.0/30")"
BAD=0
for ((len = 1; len <= 31; len++)); do
	bp remove in udp from "100.0.0.0/$len" to 10.77.0.0/24 >/dev/null || BAD=$((BAD + 1))
	bp remove in "100.0.0.0/$len" >/dev/null || BAD=$((BAD + 1))
done
same "removed one by one" 0 "$BAD"
same "nothing else went" ppppbpbp "$(verdicts "${SHARED[@]}")"

# What is listed, but for the counters, which our own frames move.
listed() {
	bp list --json | jq -c '.rules[] | del(.packets, .bytes)'
}

# More rules than can stand under one key.
for ((i = 0; i < 1024; i++)); do bp block "udp/$((20000 + i))-$((20007 + i))" >/dev/null; done
RULES=$(listed)
SEEN=$(verdicts "${SHARED[@]}" "$(frame dport=20000)" "$(frame dport=19999)")
expect_exit 1 bp block udp/30000-30007
expect_out '^bpfpol: more than 1024 rules differ .* only in port ranges'
same "nothing has changed" "" "$(diff <(echo "$RULES") <(listed))"
same "nor what becomes of packets" "$SEEN" \
	"$(verdicts "${SHARED[@]}" "$(frame dport=20000)" "$(frame dport=19999)")"
expect_exit 0 bp remove udp/1434
expect_exit 0 bp block udp/1434
blocked dport=1434

# A rule that finds no tuple of its own shape comes to one whose rules all asked for ports, which it does
# not: so does a fragment, which has none.
expect_exit 0 bp policy create shapes
expect_exit 0 bp policy assign shapes
BAD=0
for ends in "port 1000-2000" "to port 1000-2000"; do
	for ((i = 1; i <= 32; i++)); do
		# shellcheck disable=SC2086
		bp block tcp from "192.0.2.1/$i" $ends >/dev/null || BAD=$((BAD + 1))
	done
done
same "one rule of each of 64 shapes" 0 "$BAD"
passes proto=tcp frag=800 src=198.51.100.9
expect_exit 0 bp block tcp from 198.51.100.0/24
blocked proto=tcp frag=800 src=198.51.100.9
passes proto=tcp frag=800 src=198.51.99.9

finish
