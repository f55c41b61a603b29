#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The words for directions: what is accepted, how it is written back, and what is refused.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# direction WORDS DIRECTION CANONICAL
direction() {
	# shellcheck disable=SC2086
	expect_exit 0 bp block $1
	expect_json "$1 is: $3" "[.rules[] | select(.filter == \"$3\") | .direction]
		== [\"$2\"]" bp status --json
	# shellcheck disable=SC2086
	expect_exit 0 bp block $1
	expect_out 'already'
	# shellcheck disable=SC2086
	expect_exit 0 bp remove $1
	same "$1: removed" 0 "$(bp status --json | jq '.rules | length')"
}

direction "udp/53" in "in udp to port 53"
direction "in udp/53" in "in udp to port 53"
direction "out udp/53" out "out udp to port 53"
direction "inout tcp/445" inout "inout tcp to port 445"
direction "from me to any port 53" out "out from me to port 53"
direction "out" out "out"

# Directions are rules of their own: one does not remove the other.
bp block udp/1434 >/dev/null
expect_exit 3 bp remove out udp/1434
expect_exit 3 bp remove inout udp/1434
expect_exit 0 bp block out udp/1434
expect_exit 0 bp remove udp/1434
same "out stays" "out udp to port 1434" "$(bp status --json | jq -r '.rules[].filter')"
passes dport=1434

BEFORE=$(snapshot)
for words in "out udp/53" "inout tcp/445" "from me to any port 53" "out"; do
	# shellcheck disable=SC2086
	expect_exit 0 bp block $words --dry-run
done
for words in "out udp/70000" "in out udp/53" "out to me" "in from me" "inout from me"; do
	# shellcheck disable=SC2086
	expect_exit 2 bp block $words
	expect_out '^bpfpol: '
done
unchanged "what is refused, or dry," "$BEFORE"

finish
