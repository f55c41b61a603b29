#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is confirmed in time stays, however long the disk takes to write that down: the deadline is held meanwhile, so
# that no packet sees the rules go back and then forth again.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# confirm_slowly VERDICT WHAT: of a trial of 5 s, by a disk that takes 6; every packet meanwhile has that verdict.
confirm_slowly() {
	local seen='' pid

	run_in rx strace -f -qq -o /dev/null -e trace=fsync,fdatasync \
		-e inject=fsync,fdatasync:delay_enter=6000000:when=1 "$BPFPOL" policy confirm >"$WORLD/said" 2>&1 &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		seen+=$(verdicts "$(frame dport=1434)")
	done
	wait $pid
	same "$2: confirmed" 0 $?
	check "$2: packets were sent meanwhile" [ -n "$seen" ]
	same "$2: all the time" "" "${seen//$1/}"
	same "$2: and after it" "$1" "$(verdicts "$(frame dport=1434)")"
	same "$2: nothing awaits" null "$(bp status --json | jq .policy.confirm_in)"
}

bp attach rx0 >/dev/null
expect_exit 0 bp block udp/1434 --confirm 5
confirm_slowly b "rules"

expect_exit 0 bp off --confirm 5
confirm_slowly p "off"
expect_json "it is off" .off bp status --json

finish
