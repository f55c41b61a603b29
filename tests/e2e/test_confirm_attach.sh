#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `attach --confirm`: unconfirmed in time what was attached is detached again and forgotten, by a process
# that no terminal takes along, by the agent, by the next command, or by a boot;
# what was attached before stays.
# shellcheck disable=SC2317 # functions are called by check and until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/trial.sh
. "$(dirname "$0")/trial.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

FRAMES=("$(frame dport=1434)" "$(frame dport=9)")
for i in 7 8; do
	run_in rx ip link add rx$i type veth peer name other$i
	run_in rx ip link set rx$i up
done

filtering() {
	case $(verdicts "${FRAMES[@]}") in
	bp) echo on ;;
	pp) echo off ;;
	*) echo mixed ;;
	esac
}

# attached: the interfaces that are, by what the kernel says.
attached() {
	run_in rx ip -o link show | grep xdp | sed -E 's/^[0-9]+: ([a-z0-9]+).*/\1/' | sort | xargs
}

are() {
	[ "$(attached)" = "$1" ]
}

left() {
	bp status --json | jq -r .attach_confirm_in
}

# not_on_trial: the time of what is written down is over; this clears up nothing.
not_on_trial() {
	[ "$(bp policy rollback --due --dry-run)" = "Nothing that was attached awaits confirmation: nothing to do." ]
}

expect_exit 2 bp attach rx7 --confirm 0
expect_exit 0 bp attach rx0
bp block udp/1434 >/dev/null
before=$(snapshot)
expect_exit 0 bp attach rx7 --confirm 600 --dry-run
unchanged "a dry run" "$before"

# --- detached by itself, when the terminal with all that it ran is gone

run_in rx setsid -w script -qec "$BPFPOL attach rx0 rx7 --confirm 2; kill -9 0" /dev/null >"$WORLD/said" 2>&1 </dev/null
same "it was said" 1 "$(grep -c 'goes back by itself in 2 s' "$WORLD/said")"
check "detached, and the terminal is gone" until_true are rx0
same "what was attached before filters" on "$(filtering)"
check "who waited is gone, too" until_true none_waits
same "and what was remembered is as before" "rx0 auto" "$(remembered)"
check "nothing is on trial" [ ! -e "$BPFPOL_STATE_DIR/tried" ]
check "status tells of it" [ "$(bp status --json | jq .attach_went_back)" -ge 1 ]
OUT=$(bp status)
expect_out "What 'attach' did last was not confirmed in time and went back by itself, [0-9]+ s ago"
expect_exit 3 bp policy confirm

# Of what is attached already, and remembered, nothing is tried that could go back.
expect_json "already attached" '.confirm_in == null and .interfaces[0].already' bp attach rx0 --confirm 600 --json
same "nothing is on trial" null "$(bp status --json | jq .attach_confirm_in)"
expect_exit 3 bp policy confirm
expect_exit 0 bp attach rx0 --confirm 600
expect_out 'there is nothing to confirm'
expect_json "nor would it be" '.confirm_in == null and .dry_run' bp attach rx0 --confirm 600 --dry-run --json
expect_json "as of what is new" '.confirm_in == 600 and .dry_run' bp attach rx7 --confirm 600 --dry-run --json
# Nor of what has lost a half, which a restore would put right as well. No end takes that off again.
rm "$BPFPOL_BPFFS"/links/tc-out-*
expect_json "half of it is gone" '.confirm_in == null and (.interfaces[0].already | not)' bp attach rx0 --confirm 600 --json
expect_exit 3 bp policy confirm
same "rx0" "rx0 and rx0 auto" "$(attached) and $(remembered)"
expect_json "it is whole" '.confirm_in == null and .interfaces[0].already' bp attach rx0 --json
# How it is remembered may be on trial alone.
expect_json "in another mode" '.confirm_in == 600 and .interfaces[0].already' bp attach rx0 --mode native --confirm 600 --json
same "it is remembered so" "rx0 and rx0 native" "$(attached) and $(remembered)"
expect_exit 0 bp policy rollback
expect_out "^What 'attach' did last is undone"
same "and was attached before" "rx0 and rx0 auto" "$(attached) and $(remembered)"
# A pattern that is new is: interfaces come by it later.
expect_json "a pattern" '.confirm_in == 600' bp attach 'rx[0]' --confirm 600 --json
expect_exit 0 bp policy rollback
same "it is forgotten" "rx0 and rx0 auto" "$(attached) and $(remembered)"

# --- confirmed, taken back, and nothing else till then

expect_json "attached" '.confirm_in == 600' bp attach rx7 rx8 --confirm 600 --json
same "they are" "rx0 rx7 rx8" "$(attached)"
LEFT=$(left)
check "status: $LEFT s left" [ "$LEFT" -gt 590 -a "$LEFT" -le 600 ]
expect_json "confirm_in" '.policy.confirm_in == .attach_confirm_in' bp status --json
OUT=$(bp status)
expect_out "What 'attach' did last awaits confirmation and goes back by itself in (59[0-9]|600) s"
refused_on_trial "attach rx8" "attach rx8 --confirm 9"
expect_exit 0 bp policy rollback
expect_out "What 'attach' did last is undone"
same "taken back" "rx0 and rx0 auto" "$(attached) and $(remembered)"
check "nobody waits for nothing" until_true none_waits
same "what ended before it is not told of any more" null "$(bp status --json | jq .attach_went_back)"
bp attach rx7 --confirm 600 >/dev/null
expect_exit 0 bp policy confirm
same "kept" "rx0 rx7 and rx0 auto rx7 auto" "$(attached) and $(remembered)"
check "nobody waits for nothing" until_true none_waits
expect_exit 0 bp policy rollback --due # late, and for nothing
same "who comes late does nothing" "rx0 rx7 1" "$(attached) $(bp list --json | jq '.rules | length')"
bp detach rx7 >/dev/null
expect_exit 1 broken "fsync:error=ENOSPC:when=1" attach rx7 --confirm 600
same "what cannot be written down is not tried" "rx0 and rx0 auto null" "$(attached) and $(remembered) $(left)"
check "and nobody waits" until_true none_waits


# What cannot be done leaves it on trial, what is done says so.
for fault in rename:error=ENOSPC:when=1 fsync:error=EIO:when=1; do
	bp attach rx7 --confirm 600 >/dev/null
	expect_exit 1 broken "$fault" policy rollback
	same "$fault: still on trial" "rx0 rx7 and rx0 auto rx7 auto" "$(attached) and $(remembered)"
	check "$fault: it is said" [ "$(left)" -gt 590 ]
	expect_exit 0 bp policy rollback
done
for fault in "interfaces.new rename:error=ENOSPC" "tried unlink:error=EIO"; do
	bp attach rx7 --confirm 600 >/dev/null
	# shellcheck disable=SC2086
	expect_exit 0 broken_at $fault policy rollback
	expect_out 'detached, but that is not yet written down'
	expect_exit 3 bp policy confirm
	same "$fault: detached" "rx0 and rx0 auto null" "$(attached) and $(remembered) $(left)"
done
# Detached on a disk that is full: what another command cannot write there does not bring it back.
for next in "attach rx8" "detach rx0"; do
	bp attach rx7 --confirm 1 >/dev/null
	kill_waiters
	until_true not_on_trial
	# shellcheck disable=SC2086
	expect_exit 1 broken rename:error=ENOSPC $next
	expect_out 'about to be attached or detached, is detached, but that is not yet written down'
	expect_exit 0 bp restore
	same "$next on a full disk: detached" "rx0 and rx0 auto" "$(attached) and $(remembered)"
done
# Nobody waits for something that has only begun, and is not told that it is on trial.
expect_exit 137 broken "rename:signal=KILL:when=2" attach rx7 --confirm 600
expect_exit 3 bp policy confirm
same "killed as it began: nothing is attached" "rx0 and rx0 auto null" "$(attached) and $(remembered) $(left)"
check "and nobody waits" until_true none_waits

# --- without whoever waits: the next command, the agent, a boot

bp attach rx7 --confirm 2 >/dev/null
kill_waiters
expired() {
	bp status >/dev/null
	are rx0
}
check "the next command behind the time detaches" until_true expired
same "and forgets" "rx0 auto" "$(remembered)"
RULES=$(bp list --json)
expect_exit 3 bp policy rollback
expect_out "it is too late.*'bpfpol policy rollback' again"
same "a rollback that comes too late undoes nothing" "$RULES" "$(bp list --json)"
bp attach rx7 --confirm 600 >/dev/null
kill_waiters
reboot
until_true are ""
expect_exit 0 bp restore
same "a reboot in that time" "rx0 rx7" "$(attached)"
check "somebody waits again" until_true waits
expect_exit 0 bp policy rollback
same "taken back after it" rx0 "$(attached)"
bp attach rx7 --confirm 600 >/dev/null
kill_waiters
reboot
until_true are ""
clocks tried 2
bp restore >/dev/null
check "detached by itself after a reboot" until_true are rx0
for left in -1 100000; do
	bp attach rx7 --confirm 600 >/dev/null
	kill_waiters
	reboot
	until_true are ""
	clocks tried $left
	expect_exit 0 bp restore
	same "$left s left: a reboot leaves it away" "rx0 and rx0 auto" "$(attached) and $(remembered)"
done
bp attach rx7 --confirm 600 >/dev/null
kill_waiters
reboot
until_true are ""
clocks tried -1
OUT=$(broken "rename:error=EROFS" restore 2>&1)
same "also where no file can be written" rx0 "$(attached)"
same "and it filters" on "$(filtering)"
bp restore >/dev/null
same "what could not be written is, later" "rx0 auto" "$(remembered)"

# --- what it stands in is damaged: nobody knows what was on trial, so it stays, and filters

bp attach rx7 --confirm 600 >/dev/null
until_true waits_for_time # or it may find it before `list` does
sed -i 's/^tried rx7 /tried rx8 /' "$BPFPOL_STATE_DIR/tried"
cp "$BPFPOL_STATE_DIR/tried" "$WORLD/damaged"
expect_exit 0 bp list
expect_out 'tried is damaged or of another version, so what was attached last stays attached'
same "what was attached stays" "rx0 rx7 on null" "$(attached) $(filtering) $(left)"
check "nobody waits for nothing" until_true none_waits
check "it is kept, to be looked at" cmp "$WORLD/damaged" "$BPFPOL_STATE_DIR/tried.damaged"
expect_exit 3 bp policy confirm
RULES=$(bp list --json)
expect_exit 3 bp policy rollback
same "a rollback was meant for it, and undoes nothing else" "$RULES" "$(bp list --json)"
expect_exit 0 bp detach rx7
# One of the version that wrote no checksum is taken back as ever.
bp attach rx7 --confirm 600 >/dev/null
sed -i -E -e 1d -e '$d' -e 's/^(tried|kept) (\S+) .*/\1 \2/' "$BPFPOL_STATE_DIR/tried"
expect_exit 0 bp policy rollback
same "one without a checksum" "rx0 and rx0 auto" "$(attached) and $(remembered)"

# --- a pattern: what comes in that time goes with it; not so what comes by a name from before

start_agent
bp attach 'rx[09]' >/dev/null
bp attach 'rx*' --confirm 600 >/dev/null
run_in rx ip link add rx5 type veth peer name other5
run_in rx ip link add rx9 type veth peer name other9
check "they come, and are attached" until_true are "rx0 rx5 rx7 rx8 rx9"
expect_exit 0 bp policy rollback
check "those that the pattern brought go" until_true are "rx0 rx9"
stop_agent TERM
same "it filters" on "$(filtering)"

finish
