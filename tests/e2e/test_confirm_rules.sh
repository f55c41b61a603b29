#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `--confirm` on single rules: unconfirmed in time what was before is back, to nothing at all if the rule
# was the first one; in the kernel, in the store and in the policy's file.
# shellcheck disable=SC2317 # functions are called by until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/trial.sh
. "$(dirname "$0")/trial.sh"

FILE=$BPFPOL_CONF_DIR/policies/local.policy

# verdict PORT: p or b.
verdict() {
	verdicts "$(frame "dport=$1")"
}

verdict_is() {
	[ "$(verdict "$1")" = "$2" ]
}

field() {
	bp status --json | jq -r "$1"
}

lines() {
	grep -c "port $1" "$FILE"
}

# --- the first rule of all

expect_exit 0 bp block udp/1434 --confirm 3
expect_out "Rule 1 added: block in udp to port 1434"
expect_out "It goes back by itself in 3 s"
check "it goes back to nothing" until_true verdict_is 1434 p
same "nobody has said so yet" 1 "$(grep -c '^assigned local' "$BPFPOL_STATE_DIR/state")"
same "no policy is assigned" null "$(field .policy)"
same "no rule is listed" 0 "$(field '.rules | length')"
same "it has left the file" 0 "$(lines 1434)"
check "status says why" [ "$(field .went_back)" -ge 1 ]
expect_exit 3 bp policy rollback

expect_exit 0 bp block udp/1434 --confirm 600
blocked dport=1434
expect_exit 5 bp block udp/7
expect_exit 5 bp remove udp/1434 --force
expect_exit 0 bp policy confirm
blocked dport=1434
same "confirmed" null "$(field .policy.confirm_in)"
same "it stands in the file" 1 "$(lines 1434)"
expect_exit 0 bp policy rollback
passes dport=1434
expect_exit 0 bp policy rollback
blocked dport=1434

# --- one beside others; what is in the journal stays

bp block udp/2000 >/dev/null
ID=$(field '[.rules[] | select(.filter | test("2000")).id][0]')
expect_json "in JSON" '.outcome == "added" and .confirm_in == 600' \
	bp block udp/2001 --confirm 600 --json
blocked dport=2001
blocked dport=2000
check "it awaits" [ "$(field .policy.confirm_in)" -gt 500 ]
expect_exit 0 bp policy rollback
passes dport=2001
blocked dport=2000
same "with its number" "$ID" "$(field '[.rules[] | select(.filter | test("2000")).id][0]')"
same "the file: one stays, one goes" "1 0" "$(lines 2000) $(lines 2001)"
expect_exit 0 bp block udp/2000 --confirm 600
expect_out "is already there"
same "nothing is changed, so nothing awaits" null "$(field .policy.confirm_in)"
expect_exit 0 bp block udp/2002 --confirm 600 --dry-run
same "a dry run neither" null "$(field .policy.confirm_in)"
expect_exit 0 bp block udp/2000 --rule "with a label" --confirm 600
check "a label may be tried" [ "$(field .policy.confirm_in)" -gt 1 ]
bp policy rollback >/dev/null
same "and goes" "" "$(field '.rules[].name // empty')"
expect_exit 0 bp permit udp/2000 from "$TX4" --confirm 600
passes dport=2000
bp policy rollback >/dev/null
blocked dport=2000
expect_exit 0 bp count udp/9 --confirm 600
bp policy rollback >/dev/null

# --- rules that go

expect_exit 0 bp remove udp/2000 --confirm 3
expect_out "It goes back by itself in 3 s"
check "what was removed is back" until_true verdict_is 2000 b
same "in the file, too" "1 1" "$(field '[.rules[] | select(.filter | test("2000"))] | length') $(lines 2000)"
same "with its number" "$ID" "$(field '[.rules[] | select(.filter | test("2000")).id][0]')"
expect_exit 0 bp remove --id "$ID" --confirm 600
passes dport=2000
expect_exit 0 bp policy confirm
passes dport=2000
same "gone from the file" 0 "$(lines 2000)"

# --- what cannot be tried

bp policy create other >/dev/null
expect_exit 2 bp block udp/5 --policy other --confirm 60
expect_out 'a policy that is not assigned'
expect_exit 2 bp block udp/5 --dynamic --confirm 60
expect_exit 2 bp block udp/5 --confirm soon
expect_exit 3 bp remove udp/4444 --confirm 60
same "nothing awaits" null "$(field .policy.confirm_in)"
bp off >/dev/null
expect_exit 5 bp block udp/5 --confirm 60 --force
expect_out 'filtering is off'

bp on >/dev/null

# --- rules of a policy that is included: the line that a change gave them goes with it, one of their own stays

OUTER=${FILE%/*}/outer.policy
TEXT=$'block udp/2020\ninclude "inner"\nblock in udp to port 2022'
echo "$TEXT" >"$OUTER"
printf 'block udp/2021 for 1h\nblock udp/2022\nblock udp/2023\n' >"${FILE%/*}/inner.policy"
expect_exit 0 bp policy assign outer
rules() { field '[.rules[] | [.id, .filter, .name, .log, .expires_in == null]] | sort'; }
RULES=$(rules)
changed() { [ "$(rules)" != "$RULES" ]; }
back() { [ "$(rules)" = "$RULES" ]; }

for words in "block udp/2021" "block udp/2023 name x" "block udp/2022 log" "remove udp/2022 --force"; do
	for end in time boot rollback unconfirmed; do
		case $end in
		time) trial="--confirm 2" ;;
		unconfirmed) trial= ;;
		*) trial="--confirm 600" ;;
		esac
		# shellcheck disable=SC2086
		expect_exit 0 bp $words $trial
		check "$words, $end: in force" changed
		case $end in
		time) ;;
		boot)
			reboot
			clocks state -1
			expect_exit 0 bp restore
			;;
		*) expect_exit 0 bp policy rollback ;;
		esac
		check "$words, $end: and not any more" until_true back
		same "$words, $end: the file is as it was, too" "$TEXT" "$(cat "$OUTER")"
	done
done
expect_exit 0 bp policy rollback
same "the undoing is undone" "" "$(field '.rules[] | select(.filter | test("2022")).filter')"
same "in the file, too" "$(head -2 <<<"$TEXT")" "$(cat "$OUTER")"
bp policy rollback >/dev/null
# The line of an earlier change is the rule's own.
bp block udp/2021 >/dev/null
bp block udp/2023 name x >/dev/null
TEXT+=$'\nblock in udp to port 2021\nblock in udp to port 2023 name "x"'
for port in 2021 2023; do
	expect_exit 0 bp block udp/$port log --confirm 600
	expect_exit 0 bp policy rollback
	same "$port: the earlier change stays" "$TEXT" "$(cat "$OUTER")"
done
RULES=$(rules)
expect_exit 0 bp policy assign outer
check "what was changed counts beside the include when it is assigned again" back
expect_exit 0 bp block udp/2023 name y --confirm 600
expect_exit 0 bp policy rollback
same "and is what it goes back to" "$TEXT" "$(cat "$OUTER")"

# --- interfaces that come with rules on trial go with them, and never meet the rules before

# nowhere: a is assigned, nothing is attached.
nowhere() {
	bp policy assign a >/dev/null
	bp detach rx0 >/dev/null
	same "a, and nothing is attached" "a p" "$(field .policy.name) $(verdict 2011)"
}

# where: the policy, what is attached, what is remembered; p or b for the policy before and for b.
where() {
	echo "$(field '.policy.name + " " + ([.interfaces[] | select(.ingress != "none").name] | join(" "))')" \
		"/ $(remembered) / $(verdict 2011)$(verdict 2012)"
}

echo "block udp/2011" >"${FILE%/*}/a.policy"
echo "block udp/2012" >"${FILE%/*}/b.policy"
expect_exit 0 bp policy assign a
blocked dport=2011
nowhere
expect_exit 0 bp policy assign b --confirm 2
check "the trial ends" until_true verdict_is 2012 p
same "the rules before judge nothing" p "$(verdict 2011)"
same "and it is detached by whoever comes" "a  /  / pp" "$(where)"
expect_exit 3 bp policy rollback
expect_exit 0 bp attach rx0
same "a is whole" b "$(verdict 2011)"
same "and counts on" 2 "$(counter packets "in udp to port 2011")"

nowhere
expect_exit 0 bp block udp/2013 --confirm 600
expect_exit 0 bp policy rollback
same "taken back by hand" "a  /  / pp" "$(where)"

# Made anew it has another number, and is followed by its name.
expect_exit 0 bp policy assign b --confirm 3
run_in rx ip link del rx0
add_pair tx0 rx0 77
run_in rx ip route add default via "$TX4"
expect_exit 0 bp restore
check "the trial ends on an interface that was made anew" until_true verdict_is 2012 p
same "and it is detached by whoever comes" "a  /  / pp" "$(where)"

expect_exit 0 bp policy assign b --confirm 3
reboot
expect_exit 0 bp restore
check "the trial ends after a boot" until_true verdict_is 2012 p
same "the rules before judge nothing" p "$(verdict 2011)"
same "and it is detached" "a  /  / pp" "$(where)"

expect_exit 0 bp policy assign b --confirm 600
reboot
clocks state -1
expect_exit 0 broken "rename,renameat,renameat2:error=EROFS" restore
same "over at a boot that can write nothing: nothing is attached" pp "$(verdict 2011)$(verdict 2012)"
same "nor when it can" "a  /  / pp" "$(where)"

expect_exit 0 bp policy assign b --confirm 600
same "on trial" "b rx0 / rx0 auto / pb" "$(where)"
reboot
expect_exit 0 bp restore
same "after a boot, too" "b rx0 / rx0 auto / pb" "$(where)"
expect_exit 0 bp policy confirm
same "confirmed" "b rx0 / rx0 auto / pb" "$(where)"
check "with nothing left to settle" [ ! -e "$BPFPOL_STATE_DIR/tried" ]

# Taken back where it cannot be written, and looked at.
expect_exit 0 bp policy rollback
nowhere
expect_exit 0 bp policy assign b --confirm 600
expect_exit 1 broken "rename,renameat,renameat2:error=ENOSPC" policy rollback
same "taken back on a full disk: detached at once" "pp 0" "$(verdict 2011)$(verdict 2012) $(run_in rx ip -o link show rx0 | grep -c xdp)"
broken "rename,renameat,renameat2:error=ENOSPC" status >/dev/null 2>&1
same "and not attached by a look" "pp 0" "$(verdict 2011)$(verdict 2012) $(run_in rx ip -o link show rx0 | grep -c xdp)"
bp status >/dev/null
same "written by the next command that can" "a  /  / pp" "$(where)"
# The same when its time is over: what is said is what the disk says.
nowhere
expect_exit 0 bp policy assign b --confirm 1
gone() { [ "$(verdict 2011)$(verdict 2012)" = pp ]; }
check "its time is over" until_true gone
mount --bind "$BPFPOL_STATE_DIR" "$BPFPOL_STATE_DIR"
mount -o remount,bind,ro "$BPFPOL_STATE_DIR"
for words in status list; do
	expect_exit 0 bp $words
	expect_out 'warning: the change that was not confirmed is not in force any more, but still on disk: .*Read-only'
done
expect_exit 1 bp block udp/9
expect_out "^bpfpol: cannot .*$BPFPOL_STATE_DIR.*Read-only"
umount "$BPFPOL_STATE_DIR"
bp status >/dev/null
same "and written then" "a  /  / pp" "$(where)"

# Confirmed, where that cannot be written at once: the end of a later trial is not its end.
nowhere
expect_exit 0 bp policy assign b --confirm 600
expect_exit 0 broken_at tried "unlink:error=EIO" policy confirm
expect_out 'attached on trial stays, which is not yet written down'
for end in rollback time; do
	broken_at tried "unlink:error=EIO" block udp/2014 --confirm 2 >/dev/null 2>&1
	same "$end: a trial begins" b "$(verdict 2014)"
	[ $end = time ] || broken_at tried "unlink:error=EIO" policy rollback >/dev/null 2>&1
	check "$end: and ends" until_true verdict_is 2014 p
	broken_at tried "unlink:error=EIO" status >/dev/null 2>&1
	same "$end: what was confirmed stays" "b rx0 / rx0 auto / pb" "$(where)"
done

# A state that is damaged has `restore` go back to the rules before, as if these had never come with interfaces.
for when in before behind; do
	nowhere
	expect_exit 0 bp policy assign b --confirm 1
	[ $when = before ] || check "the trial ends" until_true verdict_is 2012 p
	truncate -s 30 "$BPFPOL_STATE_DIR/state"
	expect_exit 1 bp restore
	expect_out 'going back to the rules before the last change'
	for i in now later; do
		same "a damaged state $when its end, $i" "a  /  / pp" "$(where)"
		bp restore >/dev/null
	done
done
bp attach rx0 >/dev/null

# Nor is the end of an earlier one, where what comes with interfaces is the policy as it was.
bp policy assign a >/dev/null
bp policy assign b --confirm 1 >/dev/null
check "a trial ends" until_true verdict_is 2012 p
bp detach rx0 >/dev/null
expect_exit 0 broken_at tried "unlink:error=EIO" policy assign a
bp status >/dev/null
same "what came since stays" "a rx0 / rx0 auto / bp" "$(where)"

# What cannot be committed is not there, though a disk that is full from then on cannot take back what is remembered.
nowhere
expect_exit 1 broken_at state.new "rename:error=ENOSPC" policy assign b
same "nothing of it" "a  /  / pp" "$(where)"
expect_exit 0 bp attach 'none*'
expect_exit 1 broken "rename:error=ENOSPC:when=4+" block udp/2013
bp status >/dev/null
same "nothing is attached for it, or remembered" "a  / none* auto / pp" "$(where)"

finish
