#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A reboot while a change awaits confirmation: in time both are in force again with what is left of it,
# and it goes back by itself; after it the rules before are. Whatever the clock does, no boot prolongs it.
# shellcheck disable=SC2317 # functions are called by until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/trial.sh
. "$(dirname "$0")/trial.sh"
# shellcheck source=tests/e2e/two.sh
. "$(dirname "$0")/two.sh"

verdict() {
	case $(verdicts "${FRAMES[@]}") in
	bpbp) echo a ;;
	pbbp) echo b ;;
	pppp) echo none ;;
	*) echo mixed ;;
	esac
}

judges() {
	[ "$(verdict)" = "$1" ]
}

none_is_tried() {
	[ "$(field .policy.confirm_in)" = null ]
}

field() {
	bp status --json | jq -r "$1"
}

bp attach rx0 >/dev/null
bp policy assign a >/dev/null

# In time: both, with what is left.
bp policy assign b --confirm 600 >/dev/null
reboot
same "nothing is in force" none "$(verdict)"
LEFT=$(field .policy.confirm_in)
check "before anybody has put it in force: $LEFT s left" [ "$LEFT" -gt 500 -a "$LEFT" -le 600 ]
expect_exit 5 bp block udp/7
expect_out 'policy confirm'
expect_exit 0 bp restore
same "restore puts the new rules in force" b "$(verdict)"
LEFT=$(field .policy.confirm_in)
check "with what is left: $LEFT s" [ "$LEFT" -gt 500 -a "$LEFT" -le 600 ]
expect_exit 5 bp block udp/7
expect_exit 0 bp policy rollback
same "the rules before are there, too" a "$(verdict)"

bp policy assign b --confirm 600 >/dev/null
reboot
bp restore >/dev/null
expect_exit 0 bp policy confirm
same "confirmed after the reboot" b "$(verdict)"
same "for good" null "$(field .policy.confirm_in)"
bp policy assign a >/dev/null

# It goes back by itself after the reboot, with nobody there.
bp policy assign b --confirm 600 >/dev/null
reboot
clocks state 4
bp restore >/dev/null
check "it goes back by itself after a reboot" until_true judges a
same "the state knows nothing of it yet" 1 "$(grep -c '^assigned b' "$BPFPOL_STATE_DIR/state")"
same "all say so" a "$(field .policy.name)"
same "now it does" 1 "$(grep -c '^assigned a' "$BPFPOL_STATE_DIR/state")"

# The time was over before anybody came; or the clock was set back to before it began.
for left in -1 5000; do
	bp policy assign b --confirm 600 >/dev/null
	reboot
	clocks state "$left"
	same "$left s: reports say a before restore" a "$(field .policy.name)"
	bp restore >/dev/null
	same "$left s: restore puts the rules before in force" a "$(verdict)"
	same "$left s: and on disk" 1 "$(grep -c '^assigned a' "$BPFPOL_STATE_DIR/state")"
	check "$left s: and says so" [ "$(field .went_back)" -ge 1 ]
done

# The first command behind a boot, and on a disk where no journal can be begun: what was in force before
# is what the boot would have brought, and no older.
NO_JOURNAL=openat:error=ENOSPC
for way in rollback end; do
	bp policy assign a >/dev/null
	broken_at journal.new $NO_JOURNAL policy assign b 2>/dev/null
	reboot
	expect_exit 0 broken_at journal.new $NO_JOURNAL block udp/2100 --confirm 2
	[ $way = end ] || bp policy rollback >/dev/null 2>&1
	check "$way: nothing is on trial any more" until_true none_is_tried
	same "$way: back to b, and on disk" "b b" "$(verdict) $(field .policy.name)"
	reboot
	bp restore >/dev/null
	same "$way: and behind a boot" b "$(verdict)"
done
bp policy assign a >/dev/null

# Without what it goes back to it stays, and that is said.
bp policy assign b --confirm 600 >/dev/null
rm "$BPFPOL_STATE_DIR"/previous.*
reboot
expect_exit 1 bp restore
expect_out 'what was in force before is LOST'
same "better than nothing at all" b "$(verdict)"
bp policy assign a >/dev/null
same "and changes go on" a "$(verdict)"

# The first rule of all, over, and its journal damaged: nothing is in force, and that is said once.
expect_exit 0 bp detach rx0
rm -rf "$BPFPOL_STATE_DIR"
reboot
expect_exit 0 bp block udp/9 --confirm 600
reboot
clocks state -1
echo damaged >"$BPFPOL_STATE_DIR/journal"
expect_exit 1 bp restore
expect_out 'LOST'
expect_exit 0 bp restore
same "it is written anew" "No policy is assigned." "$OUT"
expect_exit 0 bp attach rx0
expect_exit 0 bp policy assign a

# A policy that was unassigned with nothing in force is so on disk as well.
reboot
expect_exit 0 bp policy unassign
same "unassigned" null "$(field .policy)"

finish
