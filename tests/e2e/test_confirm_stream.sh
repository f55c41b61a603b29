#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A trial begins and ends by itself under a stream of numbered packets: what both block is blocked, what both
# pass arrives, what is changed changes once at the beginning and once at the end, and each packet is counted
# once.
# shellcheck disable=SC2317 # functions are called by until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/two.sh
. "$(dirname "$0")/two.sh"

PORTS=(1434 2000 2001 2002)

# is_over: nothing awaits confirmation, and what the kernel does now is what it goes on doing.
is_over() {
	[ "$(bp status --json | jq .policy.confirm_in)" = null ]
}

blocked_in_all() {
	bp status --json | jq .totals.in.blocked
}

# trial WHICH... -- COMMAND...: on trial for a second; which of the packets to each of PORTS are to arrive.
trial() {
	local words=() before port sent arrived which n=0 lost=0 _

	while [ "$1" != -- ]; do words+=("$1") && shift; done
	shift
	rm -f "$WORLD/begun" "$WORLD/enough"
	before=$(blocked_in_all)
	"$TOP/tests/e2e/stream.py" "/run/netns/$(netns tx)" tx0 "/run/netns/$(netns rx)" "$WORLD/begun" \
		"$WORLD/enough" "${PORTS[@]}" >"$WORLD/arrived" &
	until_true [ -e "$WORLD/begun" ] || nok "$*: the packets flow" "they do not"
	expect_exit 0 bp "$@" --confirm 1
	until_true is_over || nok "$*: it ends" "it does not"
	touch "$WORLD/enough"
	wait $!
	while read -r port sent arrived _ which; do
		same "$*: those to port $port, of $sent, arrive" "${words[n]}" "$which"
		lost=$((lost + sent - arrived)) n=$((n + 1))
		PACKETS=$((PACKETS + sent))
	done <"$WORLD/arrived"
	same "$*: all ports are there" 4 $n
	same "$*: each that does not arrive is counted once" "$lost" $(($(blocked_in_all) - before))
}

PACKETS=0
bp attach rx0 >/dev/null
bp policy assign a >/dev/null
trial none all during outside -- policy assign b
trial none all none outside -- block udp/2002
trial during all during all -- off
trial none all none outside -- block udp/2002
echo "# figure trials-under-traffic-packets $PACKETS"

finish
