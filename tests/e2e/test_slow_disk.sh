#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is confirmed in time stays, however long the disk takes to write that down: the deadline is held meanwhile, so
# that no packet sees the rules go back and then forth again. And the time to confirm in begins when the disk is done.
# shellcheck disable=SC2317 # functions are called by expect_exit
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

# by_slow_disk SECONDS COMMAND...: its first fsync takes so long.
by_slow_disk() {
	run_in rx strace -f -qq -o /dev/null -e trace=fsync,fdatasync \
		-e "inject=fsync,fdatasync:delay_enter=${1}000000:when=1" "$BPFPOL" "${@:2}"
}

# left: seconds of what is on trial.
left() {
	bp status --json | jq '.policy.confirm_in // .off_confirm_in // 0'
}

bp attach rx0 >/dev/null
expect_exit 0 by_slow_disk 9 block udp/1435 --confirm 8
same "rules: in force behind a disk that takes longer" b "$(verdicts "$(frame dport=1435)")"
check "rules: and some time is left" [ "$(left)" -gt 0 ]
bp policy rollback >/dev/null 2>&1

expect_exit 0 bp block udp/1434 --confirm 5
confirm_slowly b "rules"

expect_exit 0 by_slow_disk 9 off --confirm 8
same "off: behind a disk that takes longer" p "$(verdicts "$(frame dport=1434)")"
check "off: and some time is left" [ "$(left)" -gt 0 ]
same "off: who looks changes nothing" p "$(verdicts "$(frame dport=1434)")"
bp on >/dev/null

expect_exit 0 bp off --confirm 5
confirm_slowly p "off"
expect_json "it is off" .off bp status --json

# Of what is attached the disk alone knows until when: the command says what is left, or fails.
bp on >/dev/null
bp detach rx0 >/dev/null
# What is written last, when all is attached. Who waits stays behind, and is not traced.
run_in rx strace -qq -o "$WORLD/trace" -e trace=fsync "$BPFPOL" attach rx0 --confirm 600 >/dev/null
LAST=$(grep -c '^fsync' "$WORLD/trace")
bp policy rollback >/dev/null
attach_slowly() {
	run_in rx strace -qq -o /dev/null -e trace=fsync \
		-e "inject=fsync:delay_enter=${1}000000:when=$LAST" "$BPFPOL" attach rx0 "${@:2}"
}
expect_json "attach: what is left" '.confirm_in <= 598' attach_slowly 2 --confirm 600 --json
bp policy rollback >/dev/null
expect_exit 1 attach_slowly 2 --confirm 1
expect_out 'the disk took longer'
same "attach: nothing is" "" "$(bp status --json | jq -r '.interfaces[] | select(.name == "rx0").ingress')"

finish
