#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What the kernel refuses after the journal has it, because no tuple is free or memory cannot be had:
# it is as if it had never been, and going back undoes the change before.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

JOURNAL=$BPFPOL_STATE_DIR/journal
POLICIES=$BPFPOL_CONF_DIR/policies
mkdir -m 700 "$BPFPOL_CONF_DIR" "$POLICIES"

# rules: ids and filters in force.
rules() {
	bp status --json | jq -c '[.rules[] | [.id, .filter]] | sort'
}

# refused CALL WHEN COMMAND...: the kernel gives an error from the WHENth such call on.
# shellcheck disable=SC2317 # called by expect_exit
refused() {
	local call=$1 when=$2

	shift 2
	run_in rx strace -f -qq -o /dev/null -e "inject=$call:error=ENOMEM:when=$when+" "$BPFPOL" "$@"
}

# undone DESC FRAME: packets and rules are those before, in the next command too; then going back leads to
# what was before the change before.
undone() {
	same "$1: no record is left" "$WRITTEN" "$(cat "$JOURNAL")"
	passes "$2"
	same "$1: the rules are those before" "$TWO" "$(rules)"
	passes "$2"
	blocked dport=2000
	expect_exit 0 bp policy rollback
	same "$1: the change before is undone" "$ONE" "$(rules)"
	passes "$2"
	passes dport=2000
	expect_exit 0 bp policy rollback
	same "$1: and comes back" "$TWO" "$(rules)"
}

# --- no tuple is free, and neither is the disk that a new generation would be noted on

# 63 shapes, none of which has a place for a rule without an address.
{
	for len in {9..29}; do
		echo "block from 100.64.0.0/$len"
		echo "block tcp from 100.64.0.0/$len"
		echo "block tcp from 100.64.0.0/$len to any port 99"
	done
} >"$POLICIES/shapes.policy"
expect_exit 0 bp policy assign shapes
ONE=$(rules)
expect_exit 0 bp block in udp/2000
TWO=$(rules) WRITTEN=$(cat "$JOURNAL")
expect_exit 1 run_in rx strace -f -qq -o /dev/null -e inject=fsync:error=EIO \
	"$BPFPOL" block in udp from any port 7
undone "no tuple" sport=7

# --- memory for what the rule needs cannot be had

expect_exit 0 bp policy unassign
expect_exit 0 bp block udp/1434
ONE=$(rules)
expect_exit 0 bp block udp/2000
TWO=$(rules) WRITTEN=$(cat "$JOURNAL")
run_in rx strace -f -qq -o "$WORLD/trace" -e trace=mmap,fdatasync "$BPFPOL" block udp/7 >/dev/null
BEFORE=$(sed '/fdatasync/,$d' "$WORLD/trace" | grep -c mmap)
check "it is mapped behind the journal" [ "$(grep -c mmap "$WORLD/trace")" -gt "$BEFORE" ]
bp policy rollback >/dev/null
bp policy unassign >/dev/null
bp policy rollback >/dev/null # a commit of its own
bp remove udp/2000 >/dev/null
bp block udp/2000 >/dev/null
TWO=$(rules) WRITTEN=$(cat "$JOURNAL")
expect_exit 1 refused mmap $((BEFORE + 1)) block udp/7
expect_out 'did not take the rule'
undone "no memory" dport=7

finish
