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

# More combinations of prefix lengths, protocol and ports than a generation has room for.
REFUSED=
for ((len = 1; len <= 32 && ${#REFUSED} == 0; len++)); do
	for words in "100.0.0.0/$len" "udp from 100.0.0.0/$len"; do
		# shellcheck disable=SC2086
		OUT=$(bp block in $words 2>&1) || { REFUSED=$words; break; }
	done
done
expect_out '64 combinations'
check "the 65th combination is refused ($REFUSED)" [ "${REFUSED##*/}" -gt 20 ]
# What is listed, but for the counters, which our own frames move.
listed() {
	bp list --json | jq -c '.rules[] | del(.packets, .bytes)'
}

RULES=$(listed)
SEEN=$(verdicts "$(frame src=100.0.0.1 dport=7)" "$(frame dport=1434)" "$(frame dport=7)")
expect_exit 1 bp block in gre from 100.0.0.0/9 to 10.77.0.0/24
expect_out '^bpfpol: '
expect_out '64 combinations'
same "nothing has changed" "" "$(diff <(echo "$RULES") <(listed))"
same "nor what becomes of packets" "$SEEN" \
	"$(verdicts "$(frame src=100.0.0.1 dport=7)" "$(frame dport=1434)" "$(frame dport=7)")"
seq 1 32 | sed 's/.*/64.0.0.0\/&/' >"$WORLD/lengths"
expect_exit 1 bp block icmp from "@$WORLD/lengths"
same "a list changes nothing either" "" "$(diff <(echo "$RULES") <(listed))"
expect_exit 0 bp remove udp/1434
expect_exit 0 bp block udp/1434
blocked dport=1434

finish
