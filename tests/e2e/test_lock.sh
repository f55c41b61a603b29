#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Who waits for the lock is not kept waiting for ever, and learns by whom: also where who has it cannot
# be seen, being of another PID namespace, and where the kernel gives no timer.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

LOCK=$BPFPOL_RUN_DIR/lock

expect_exit 0 bp attach rx0

# take [FILE]: another has the lock, whose process is HOLDER.
take() {
	flock --no-fork "${1:-$LOCK}" sleep 300 &
	HOLDER=$!
	check "somebody has the lock" until_true grep -q "FLOCK.* $HOLDER " /proc/locks
}

# asleep PID [FILE]: it waits for the lock.
# shellcheck disable=SC2317 # called by until_true
asleep() {
	grep -q -- "-> FLOCK .* $1 .*:$(stat -c %i "${2:-$LOCK}") " /proc/locks
}

# begin_unseen: a command where no process of ours is seen waits; its process is WAITER.
begin_unseen() {
	unshare --pid --fork --mount-proc nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" interfaces \
		>"$WORLD/said" 2>&1 &
	COMMAND=$!
	check "one waits who does not see it" until_true unseen_waits
	WAITER=$(pgrep -P "$COMMAND")
}

# shellcheck disable=SC2317 # called by until_true
unseen_waits() {
	local waiter

	waiter=$(pgrep -P "$COMMAND") && asleep "$waiter"
}

# A second of waiting is a signal, so that a minute of it need not be waited for.
# shellcheck disable=SC2317 # called by until_true
hurry() {
	! kill -ALRM "$WAITER" 2>/dev/null
}

take
begin_unseen
kill $HOLDER
wait $COMMAND
same "it goes on when that one has ended" 0 $?

# The file is removed while one waits: who has the one that came in its place is waited for, too.
take
nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" interfaces >"$WORLD/said" 2>&1 &
COMMAND=$!
check "one waits" until_true asleep $COMMAND
FIRST=$HOLDER
rm "$LOCK"
take
kill "$FIRST"
check "the lock is removed: it waits for who has the next one" until_true asleep $COMMAND
kill $HOLDER
wait $COMMAND
same "and goes on when that one has ended" 0 $?
# Who had it when it was removed has the directory as well.
take "$BPFPOL_RUN_DIR"
nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" interfaces >"$WORLD/said" 2>&1 &
COMMAND=$!
check "one who has a file that is gone: it is waited for" until_true asleep $COMMAND "$BPFPOL_RUN_DIR"
kill $HOLDER
wait $COMMAND
same "it goes on when that one has ended" 0 $?
expect_exit 1 run_in rx timeout -s KILL 60 strace -f -qq -o /dev/null -P "$LOCK" \
	-e inject=newfstatat:error=ENOENT "$BPFPOL" interfaces
expect_out "lock $LOCK is removed again and again"

take
kill -STOP $HOLDER
begin_unseen
check "it gives up" until_true hurry
wait $COMMAND
same "and fails" 1 $?
check "and says what it knows" grep -q "cannot be seen from here.*has had the lock $LOCK for 60 s.*'lslocks'" \
	"$WORLD/said"

# Where all are seen, one who was stopped is named; on a terminal, one who works as well. No timer: the same.
run_in rx script -qec "$BPFPOL interfaces" /dev/null >"$WORLD/terminal" 2>&1 </dev/null &
SCRIPT=$!
# Whoever started it may have blocked each signal, that of the timer as well.
expect_exit 1 run_in rx timeout -s KILL 60 env --block-signal "$BPFPOL" interfaces
expect_out "process $HOLDER has the lock .* was stopped"
expect_exit 1 run_in rx strace -f -qq -o /dev/null -e trace=timer_create \
	-e inject=timer_create:error=EAGAIN "$BPFPOL" interfaces
expect_out "process $HOLDER has the lock .* was stopped"
wait $SCRIPT
check "on a terminal it said for whom it waits" \
	grep -q "bpfpol: waiting for process $HOLDER, which has the lock and was stopped" "$WORLD/terminal"
run_in rx strace -f -qq -o /dev/null -e trace=timer_create -e inject=timer_create:error=EAGAIN \
	"$BPFPOL" interfaces >"$WORLD/said" 2>&1 &
COMMAND=$!
kill -CONT $HOLDER
kill $HOLDER
wait $COMMAND
same "without a timer: it goes on when that one has ended" 0 $?

finish
