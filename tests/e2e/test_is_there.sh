#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# An error where it is asked whether a file is there is not taken for "no": not by what would then filter
# although it is off, nor by what would say that there is no such policy.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

OFF=$BPFPOL_STATE_DIR/off
FILE=$BPFPOL_CONF_DIR/policies/web.policy

# unseen PATH COMMAND...: the disk does not say whether PATH is there.
# shellcheck disable=SC2317 # called by expect_exit
unseen() {
	local path=$1

	shift
	run_in rx strace -f -qq -o /dev/null -P "$path" -e trace=access,faccessat,faccessat2 \
		-e inject=access,faccessat,faccessat2:error=EIO "$BPFPOL" "$@"
}

# unread PATH COMMAND...: it is there, and cannot be opened.
# shellcheck disable=SC2317 # called by expect_exit
unread() {
	local path=$1

	shift
	run_in rx strace -f -qq -o /dev/null -P "$path" -e trace=openat -e inject=openat:error=EIO "$BPFPOL" "$@"
}

expect_exit 0 bp policy create web
expect_exit 0 bp policy assign web
expect_exit 0 bp attach rx0
expect_exit 0 bp block udp/1434
blocked dport=1434

# While the kernel knows, its word is the one that holds, and one error turns nothing off or on.
for how in unseen unread; do
	for words in list restore "block udp/7" "remove udp/7"; do
		# shellcheck disable=SC2086
		expect_exit 0 $how "$OFF" $words
		blocked dport=1434
	done
	expect_json "$how: it is not off" '.off == false' $how "$OFF" status --json
	check "$how: and nothing says so" [ ! -e "$OFF" ]
done
expect_exit 0 bp off
for how in unseen unread; do
	expect_exit 5 $how "$OFF" block udp/7
	expect_exit 0 $how "$OFF" restore
	expect_out 'off, and stays so'
	passes dport=1434
done
check "it is written down as before" grep -qx off "$OFF"

# After a boot only the file does. What is there and cannot be read says that it is off; where it is not
# known whether it is there nothing is put in force, and that is no success.
reboot
expect_exit 1 unseen "$OFF" restore
expect_out 'nobody knows whether filtering is off.*Input/output error'
passes dport=1434
expect_exit 1 unread "$OFF" restore
expect_out "filtering stays off until 'bpfpol on'.*off cannot be read"
passes dport=1434
expect_exit 0 bp restore
expect_exit 0 bp on
blocked dport=1434
reboot
expect_exit 1 unseen "$OFF" restore
expect_exit 0 unseen "$OFF" off
expect_exit 0 bp on
blocked dport=1434
# A trial of it is not made one for good.
expect_exit 0 bp off --confirm 600
for how in unseen unread; do
	expect_exit 0 $how "$OFF" list
	expect_json "$how: still on trial" '.off == true' bp status --json
	expect_exit 0 $how "$OFF" restore
	check "$how: on disk, too" grep -q '^confirm 600 ' "$OFF"
done
expect_exit 0 bp policy rollback
blocked dport=1434

# Policies.
expect_exit 0 bp policy create other
OTHER=$BPFPOL_CONF_DIR/policies/other.policy
for words in "policy delete other" "ipsecpol -w REG -p other -r r -f *=0:7:UDP -n BLOCK"; do
	FILES=$(cat "$BPFPOL_STATE_DIR/state" "$OTHER")
	set -f
	# shellcheck disable=SC2086
	expect_exit 1 unseen "$OTHER" $words
	set +f
	expect_out "cannot look at $OTHER: Input/output error"
	same "$words: nothing is changed" "$FILES" "$(cat "$BPFPOL_STATE_DIR/state" "$OTHER")"
done
expect_exit 0 unseen "$FILE" restore
expect_out "warning: .*cannot be used as it is now: cannot look at $FILE"
blocked dport=1434
expect_exit 0 unseen "$FILE" policy rollback
expect_out "warning: the policy's file may be gone"

# A policy is not left out of the list.
expect_exit 1 run_in rx strace -qq -o /dev/null -P "$OTHER" -P other.policy -e trace=newfstatat,statx \
	-e inject=newfstatat,statx:error=EIO "$BPFPOL" policy list
expect_out "cannot look at $OTHER: Input/output error"

# Nor an agent that cannot be asked for taken for none.
mkdir -p "$BPFPOL_RUN_DIR"
true >"$BPFPOL_RUN_DIR/agent.lock"
expect_exit 0 unread "$BPFPOL_RUN_DIR/agent.lock" status
expect_out 'warning: it is not known whether the agent runs: .*Input/output error'
expect_exit 1 unread "$BPFPOL_RUN_DIR/agent.lock" block --dynamic udp/9
expect_out 'cannot tell whether there is an agent: Input/output error'

# Nothing is mounted over a bpffs that does not say whether it is one.
reboot
MOUNTS=$(grep -c " $WORLD/bpf" /proc/mounts)
expect_exit 1 run_in rx strace -qq -o /dev/null -e trace=statfs -e inject=statfs:error=EIO "$BPFPOL" restore
expect_out 'cannot tell whether a bpffs is mounted at .*: Input/output error'
same "no mount" "$MOUNTS" "$(grep -c " $WORLD/bpf" /proc/mounts)"
expect_exit 0 bp restore
blocked dport=1434

# What is on trial: a rollback or a confirmation was meant for it, and not for the change of rules before it; nothing
# else changes meanwhile; and who waits for its end asks again.
# shellcheck source=tests/e2e/trial.sh
. "$TOP/tests/e2e/trial.sh"
TRIED=$BPFPOL_STATE_DIR/tried
expect_exit 0 bp block udp/7
expect_exit 0 bp detach rx0
expect_exit 0 bp attach rx0 --confirm 600
BEFORE=$(snapshot)
for words in "policy rollback" "policy confirm" "block udp/8" "policy rollback --dry-run" "block udp/8 --dry-run"; do
	# shellcheck disable=SC2086
	expect_exit 1 unread "$TRIED" $words
	expect_out "cannot tell whether what was attached last is on trial: cannot read $TRIED: Input/output error"
done
unchanged "a trial that cannot be read, and what would end it," "$BEFORE"
expect_exit 0 bp policy rollback
passes dport=1434
expect_exit 0 bp attach rx0 --confirm 2
kill_waiters
blocked dport=1434
run_in rx strace -qq -o /dev/null -P "$TRIED" -e trace=openat -e inject=openat:error=EIO:when=1 \
	"$BPFPOL" policy rollback --due
passes dport=1434
expect_exit 0 bp attach rx0

# What is replaced while that is not known is not taken for new: a new file goes again when the fsync of its
# directory fails.
run_in rx strace -f -qq -o /dev/null -e trace=access,faccessat,faccessat2,fsync \
	-e inject=access,faccessat,faccessat2:error=EIO -e inject=fsync:error=EIO:when=2+2 \
	"$BPFPOL" attach rx0 >/dev/null 2>&1
same "the list of interfaces is there" "rx0 auto" "$(remembered)"

finish
