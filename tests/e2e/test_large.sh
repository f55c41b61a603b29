#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# One more rule beside many: what the command does, does not grow with what is there.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

MANY=${MANY:-100000}

# mapped COMMAND...: how many KB of maps the command maps, of which the kernel makes every page.
mapped() {
	run_in rx strace -qq -e trace=mmap "$BPFPOL" "$@" 2>&1 >/dev/null |
		awk -F ', ' '/MAP_SHARED/ { sum += $2 } END { print int(sum / 1024) }'
}

# list FIRST N: that many addresses, none next to another.
list() {
	awk -v first="$1" -v n="$2" 'BEGIN {
		for (i = 0; i < n; i++) {
			at = first + i * 37
			printf "%d.%d.%d.%d\n", at / 16777216, at / 65536 % 256, at / 256 % 256, at % 256
		}
	}'
}

if ! command -v strace >/dev/null; then
	skip "what a command maps" "no strace"
	finish
fi
bp block udp/1434 >/dev/null
FEW=$(mapped block tcp/4001)
check "beside one rule it maps something ($FEW KB)" [ "$FEW" -gt 0 ]
list 1000000000 "$MANY" >"$WORLD/many"
expect_exit 0 bp block from "@$WORLD/many"
LOADED=$(mapped block tcp/4002)
check "beside $MANY addresses twice as much at most ($LOADED KB)" [ "$LOADED" -le $((2 * FEW)) ]
check "and so to remove it" [ "$(mapped remove tcp/4002)" -le $((2 * FEW)) ]
expect_exit 0 bp block in from 203.0.113.7
expect_exit 0 bp block udp/1435 for 1h
same "all of it is in force" bbbbpp "$(verdicts "$(frame dport=1434)" "$(frame src=203.0.113.7)" \
	"$(frame "src=59.154.202.0")" "$(frame dport=1435)" "$(frame proto=tcp dport=4002)" "$(frame "src=59.154.202.1")")"
expect_json "and in the kernel" ".filters | length == $MANY + 2 * 3 + 1" bp status --debug --json
expect_exit 0 bp remove in from 203.0.113.7
passes src=203.0.113.7

# on_terminal COMMAND...: SEEN is what stands on a terminal, with most of its calls of bpf() made to take longer.
on_terminal() {
	script -qc "nsenter --net=/run/netns/$(netns rx) strace -o /dev/null -e trace=bpf -e inject=bpf:delay_enter=40000:when=40+ $BPFPOL $*" \
		"$WORLD/seen" >/dev/null </dev/null
	SEEN=$(tr '\r' '\n' <"$WORLD/seen")
}

echo "block from @$WORLD/many" >"$WORLD/many.policy"
bp policy import "$WORLD/many.policy" >/dev/null
if ! command -v script >/dev/null; then
	skip "progress on a terminal" "no script"
	finish
fi
on_terminal policy assign many
check "what takes long is seen to go on, on a terminal" grep -qE "^\[#+ *\] +[0-9]+%  $MANY filters" <<<"$SEEN"
check "and then the line is gone" grep -qE "^.\[K.*Policy|^.\[K$" <<<"$SEEN"
check "what came of it stands there" grep -q "Policy 'many' is assigned" <<<"$SEEN"
expect_exit 0 bp policy assign local
same "elsewhere nothing is" "" "$(grep -F '#' <<<"$OUT")"

finish
