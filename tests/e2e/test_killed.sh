#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 at any moment: afterwards the old or the new rules are in force, and the next command works.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

LIST=$WORLD/list.txt
awk 'BEGIN { for (i = 0; i < 20000; i++) printf "198.%d.%d.1\n", 18 + i / 256 % 2, i % 256
	for (i = 0; i < 20000; i++) printf "100.%d.%d.%d\n", 64 + i / 65536, i / 256 % 256, i % 256 }' |
	sort -u >"$LIST"
FIRST=$(head -n 1 "$LIST") LAST=$(tail -n 1 "$LIST")

# seen: which of the list's ends, and of the old rule, are blocked now.
seen() {
	local words hex

	for words in "src=$FIRST" "src=$LAST" "dport=1434"; do
		hex=$("$PKT" build "${ETHER[@]}" "$words")
		arrivals "$("$PKT" line "$hex")" "$hex"
	done | tr '\n' ' '
}

# verdict WHEN: the kernel agrees with the list of rules, all or nothing, the old rule stands.
verdict() {
	local rules expected now

	rules=$(bp status --json | jq '.rules | length') || rules=broken
	case $rules in
	1) expected="1 1 0 " ;;
	2) expected="0 0 0 " ;;
	*) expected="one or two rules" ;;
	esac
	now=$(seen)
	same "killed $1: $rules rules, as the kernel does" "$expected" "$now"
}

# killed_after MILLISECONDS COMMAND...
killed_after() {
	local ms=$1 pid

	shift
	# exec: the kill is to hit the program itself, not a shell around it.
	(exec nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" "$@" >/dev/null 2>&1) &
	pid=$!
	sleep "$(printf '0.%03d' "$ms")"
	kill -9 "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

bp block udp/1434 >/dev/null
START=$(date +%s%N)
bp block "@$LIST" >/dev/null
TOOK=$((($(date +%s%N) - START) / 1000000 + 1))
same "the whole list" "0 0 0 " "$(seen)"
bp remove "@$LIST" >/dev/null
same "none of it" "1 1 0 " "$(seen)"

STEPS=20
for ((i = 0; i <= STEPS; i++)); do
	killed_after $((TOOK * i / STEPS)) block "@$LIST"
	verdict "after $((TOOK * i / STEPS)) ms of block"
	killed_after $((TOOK * i / STEPS)) remove "@$LIST"
	verdict "after $((TOOK * i / STEPS)) ms of remove"
	bp remove "@$LIST" >/dev/null 2>&1
done
expect_exit 0 bp block "@$LIST"
same "the next command does its work" "0 0 0 " "$(seen)"
expect_exit 0 bp remove "@$LIST"
same "and the next one too" "1 1 0 " "$(seen)"

# The same from nothing: killed while it attaches.
for ms in 0 1 2 3 5 8 12 20 30 50; do
	bp remove udp/1434 >/dev/null 2>&1
	bp detach rx0 >/dev/null 2>&1
	killed_after "$ms" block udp/1434
	expect_exit 0 bp block udp/1434
	same "killed after $ms ms of the first block" "1 1 0 " "$(seen)"
done

finish
