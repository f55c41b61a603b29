#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `off --confirm`: the programs stay, let everything pass, and filter again by themselves unless it is
# confirmed; over a reboot, beside the agent, with no process left, and without a store or a disk.
# shellcheck disable=SC2317 # functions are called by check and until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/trial.sh
. "$(dirname "$0")/trial.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

BACK_FRAMES=("$(frame "${BACK[@]}" dport=1434)" "$(frame "${BACK[@]}" dport=9)")
FRAMES=("$(frame dport=1434)" "$(frame dport=9)")

# filtering: on or off, in and out.
filtering() {
	local in out

	in=$(verdicts "${FRAMES[@]}")
	out=$(FROM=rx TX=rx0 TO=tx RX=tx0 verdicts "${BACK_FRAMES[@]}")
	case "$in $out" in
	"bp bp") echo on ;;
	"pp pp") echo off ;;
	*) echo "in $in out $out" ;;
	esac
}

is() {
	[ "$(filtering)" = "$1" ]
}

attached() {
	run_in rx ip -o link show rx0 | grep -c xdp
}

# said: what the reports say: on, off, or off? on trial.
said() {
	bp status --json | jq -r 'if .off | not then "on" elif .off_confirm_in then "off?" else "off" end'
}

expect_exit 2 bp off --confirm 0
expect_exit 2 bp off --confirm
bp attach rx0 >/dev/null
bp block udp/1434 >/dev/null
bp block out udp/1434 >/dev/null
same "it filters" on "$(filtering)"
expect_exit 0 bp off --confirm 60 --dry-run
expect_out 'Would stop'
same "a dry run" "on on" "$(filtering) $(said)"

# --- back by itself, with the terminal and all of its processes gone

PROGRAM=$(run_in rx ip -o link show rx0 | grep -o 'id [0-9]*')
run_in rx setsid -w script -qec "$BPFPOL off --confirm 2" /dev/null >"$WORLD/said" 2>&1 </dev/null
same "it was said" 1 "$(grep -c 'is back by itself in 2 s' "$WORLD/said")"
same "off at once" off "$(filtering)"
check "back by itself, and nobody is there" until_true is on
same "by the same program, which stood all the time" "$PROGRAM" \
	"$(run_in rx ip -o link show rx0 | grep -o 'id [0-9]*')"
check "on disk nobody has been yet" [ -e "$BPFPOL_STATE_DIR/off" ]
same "the reports say so" on "$(said)"
check "and whoever comes first tidies up" [ ! -e "$BPFPOL_STATE_DIR/off" ]
check "status tells of it" [ "$(bp status --json | jq .off_went_back)" -ge 1 ]
OUT=$(bp status)
expect_out "'off' was not confirmed in time, and filtering came back by itself, [0-9]+ s ago"
expect_exit 3 bp policy confirm

# A rollback that comes too late is not one of the change before; the next one is.
before=$(bp list --json)
expect_exit 3 bp policy rollback --dry-run
expect_exit 3 bp policy rollback
expect_out "it is too late.*'bpfpol policy rollback' again"
same "nothing was undone" "$before" "$(bp list --json)"
same "nor is it told of once more" null "$(bp status --json | jq .off_went_back)"
expect_exit 0 bp policy rollback
same "the second one undoes" 1 "$(bp list --json | jq '.rules | length')"
expect_exit 0 bp policy rollback
same "and is undone" 2 "$(bp list --json | jq '.rules | length')"

# What is no file says nothing, and makes way.
mkdir "$BPFPOL_STATE_DIR/late"
expect_exit 0 bp policy rollback --dry-run
expect_exit 0 bp policy rollback
expect_exit 0 bp policy rollback
same "as it was" 2 "$(bp list --json | jq '.rules | length')"
rm -r "$BPFPOL_STATE_DIR"/late*

# ended: `off` was on trial, and nobody has come since then.
ended() {
	bp off --confirm 1 >/dev/null
	check "it ended by itself" until_true is on
}

ended
mkdir "$BPFPOL_STATE_DIR/late"
expect_exit 3 bp policy rollback
expect_out "it is too late"
rm -r "$BPFPOL_STATE_DIR"/late*
ended
expect_exit 3 bp policy rollback --dry-run
expect_out "it is too late"
expect_exit 3 bp policy rollback
for fault in "late.new rename:error=EIO" "late.new write:error=ENOSPC"; do
	ended
	# shellcheck disable=SC2086
	broken_at $fault status >/dev/null 2>&1
	expect_exit 3 bp policy rollback
	same "$fault, then a rollback undoes nothing" 2 "$(bp list --json | jq '.rules | length')"
	ended
	# shellcheck disable=SC2086
	expect_exit 3 broken_at $fault policy rollback
	same "$fault in the rollback: it undoes nothing" 2 "$(bp list --json | jq '.rules | length')"
	bp policy rollback >/dev/null 2>&1
done
ended
bp status >/dev/null
for error in openat:error=EIO openat:error=EMFILE; do
	expect_exit 1 broken_at late "$error" policy rollback
	expect_out 'cannot open .*late'
done
expect_exit 0 bp attach rx0 # which changes nothing
expect_exit 3 bp policy rollback
same "a note that cannot be read is there" 2 "$(bp list --json | jq '.rules | length')"
# What is on trial now is meant, whatever has ended.
ended
expect_exit 0 broken_at off "unlink:error=EIO" block udp/78 --confirm 600
expect_exit 0 bp policy rollback
same "the trial is taken back" "null 2" "$(bp status --json | jq .policy.confirm_in) $(bp list --json | jq '.rules | length')"
bp policy rollback >/dev/null 2>&1
for change in "block udp/1434 name labelled" "remove udp/1434"; do # in the journal alone, or with a filter that goes
	before=$(bp list --json | jq -c '[.rules[] | [.name, .filter]] | sort')
	ended
	# shellcheck disable=SC2086
	expect_exit 0 bp $change
	expect_exit 0 bp policy rollback
	same "$change: that is undone" "$before" "$(bp list --json | jq -c '[.rules[] | [.name, .filter]] | sort')"
done
ended
bp block udp/77 >/dev/null
expect_exit 0 bp policy rollback
same "with a change in between that is what is undone" "in udp to port 1434 out udp to port 1434" \
	"$(bp list --json | jq -r '[.rules[].filter] | sort | join(" ")')"

# What changes no rule in force is not what a rollback that comes too late could mean: rules of the agent, for which
# numbers are laid in, those of another policy, and one whose time is over.
start_agent
bp policy create other >/dev/null
static_rules() {
	bp list --json | jq '[.rules[] | select(.layer == "static")] | length'
}
# shellcheck disable=SC2317 # until_true calls it
timed_is_gone() {
	[ "$(static_rules)" = "$before" ]
}
for between in "block --dynamic udp/81" "block --policy other udp/82" "block udp/90 for 1s"; do
	before=$(static_rules)
	case $between in *for*) bp block udp/90 for 1s >/dev/null ;; esac
	ended
	bp status >/dev/null
	# shellcheck disable=SC2086
	case $between in
	*for*) check "its time is over" until_true timed_is_gone ;;
	*) expect_exit 0 bp $between ;;
	esac
	check "$between: status still tells of it" [ "$(bp status --json | jq .off_went_back)" -ge 1 ]
	expect_exit 3 bp policy rollback
	same "$between: a rollback that comes too late undoes nothing" "$before" "$(static_rules)"
done
stop_agent TERM
bp policy delete other >/dev/null
ended
check "status tells of it" [ "$(bp status --json | jq .off_went_back)" -ge 1 ]
expect_exit 0 bp off
expect_exit 0 bp on
same "not when it was turned off and on since" null "$(bp status --json | jq .off_went_back)"

# --- confirmed, it stays

expect_json "off" '.off and .confirm_in == 600' bp off --confirm 600 --json
expect_json "rollback, as it would be" '(.off | not) and .dry_run and .confirm_in == null' \
	bp policy rollback --dry-run --json
same "off" "off off?" "$(filtering) $(said)"
expect_json "status: seconds left" '.policy.confirm_in > 590 and .policy.confirm_in <= 600 and
	.off_confirm_in == .policy.confirm_in' bp status --json
OUT=$(bp status)
expect_out 'OFF, and is back by itself in (59[0-9]|600) s'
same "the program stands" 1 "$(attached)"
refused_on_trial "attach rx0"
expect_exit 0 bp policy confirm
expect_out 'stays off'
same "it stays off" "off off" "$(filtering) $(said)"
same "and the program comes off" 0 "$(attached)"
expect_exit 5 bp off --confirm 60
expect_out "bpfpol on"
expect_exit 0 bp on
same "on" "on on" "$(filtering) $(said)"

# --- taken back, and what ends it otherwise

bp off --confirm 600 >/dev/null
expect_exit 0 bp policy rollback
expect_out 'on again'
same "taken back" "on on" "$(filtering) $(said)"
bp off --confirm 600 >/dev/null
expect_exit 0 bp on
same "on means on" "on on" "$(filtering) $(said)"
bp off --confirm 2 >/dev/null
expect_exit 0 bp off
same "off means off" "off off 0" "$(filtering) $(said) $(attached)"
bp on >/dev/null
bp policy create b >/dev/null
bp policy assign b --confirm 600 >/dev/null
expect_exit 5 bp off --confirm 60
expect_out 'policy confirm'
bp policy rollback >/dev/null
same "one trial at a time" "on on" "$(filtering) $(said)"

# --- a reboot in that time, and after it

bp off --confirm 600 >/dev/null
reboot
same "before anybody has put it in force" "off off?" "$(filtering) $(said)"
expect_exit 0 bp restore
expect_out 'is back by itself in'
same "restore: off, with the programs in place" "off off? 1" "$(filtering) $(said) $(attached)"
expect_exit 0 bp policy rollback
same "taken back after a reboot" on "$(filtering)"
bp off --confirm 600 >/dev/null
reboot
clocks off 2
bp restore >/dev/null
check "back by itself after a reboot" until_true is on
same "they say so" on "$(said)"
for left in -1 100000; do # over; or the clock was set back to before it began
	bp off --confirm 600 >/dev/null
	reboot
	clocks off $left
	expect_exit 0 bp restore
	same "$left s left: a reboot filters" "on on" "$(filtering) $(said)"
done
bp off --confirm 600 >/dev/null
reboot
bp restore >/dev/null
bp policy confirm >/dev/null
reboot
bp restore >/dev/null
same "confirmed, a reboot does not end it" "off off 0" "$(filtering) $(said) $(attached)"
bp on >/dev/null

# Where its end cannot be read, or is damaged, it stays off: nobody knows that it was on trial. That is said.
bp off --confirm 600 >/dev/null
reboot
clocks off -1
for error in openat:error=EIO openat:error=EMFILE read:error=EIO; do
	expect_exit 1 broken_at off "$error" restore
	expect_out "filtering stays off until 'bpfpol on'.*off cannot be read"
	same "$error: off" off "$(filtering)"
	check "$error: and its end is still written there" grep -q ^confirm "$BPFPOL_STATE_DIR/off"
	for words in "policy rollback" "policy confirm"; do
		# shellcheck disable=SC2086
		expect_exit 1 broken_at off "$error" $words
		expect_out 'cannot tell whether filtering is off on trial'
	done
done
for call in 1 2 3 4; do
	bp on >/dev/null
	bp off --confirm 600 >/dev/null
	reboot
	broken_at off "openat:error=EIO:when=$call" restore >"$WORLD/said" 2>&1
	expect_exit 0 bp restore
	same "open $call of it fails: on trial all the same" "off off? 1" \
		"$(filtering) $(said) $(grep -c ^confirm "$BPFPOL_STATE_DIR/off")"
done
reboot
clocks off -1
expect_exit 0 bp restore
same "read again it is over" "on on" "$(filtering) $(said)"
# Nor does who loads something meanwhile make it one for good.
bp off --confirm 600 >/dev/null
reboot
clocks off -1
cp "$BPFPOL_STATE_DIR/off" "$WORLD/off"
echo rubbish >"$BPFPOL_STATE_DIR/off"
for i in first second; do
	expect_exit 1 bp restore
	expect_out "filtering stays off until 'bpfpol on'.*off is damaged"
done
start_agent
expect_exit 0 bp block --dynamic udp/81 --force
for i in first second; do
	OUT=$(bp status 2>&1)
	expect_out "filtering stays off until 'bpfpol on'.*off is damaged"
	same "$i: off" off "$(filtering)"
done
cp "$WORLD/off" "$BPFPOL_STATE_DIR/off"
OUT=$(bp status)
expect_exit 0 bp restore
same "read again it is over, beside the agent" "on on" "$(filtering) $(said)"
stop_agent TERM
bp off --confirm 600 >/dev/null
reboot
echo rubbish >"$BPFPOL_STATE_DIR/off"
expect_exit 1 bp restore
expect_exit 0 bp on
same "on" "on on" "$(filtering) $(said)"

# --- where nothing can be read, or written

# What the note says is gone, but the kernel has its time.
for garbage in rubbish ""; do
	for way in rollback confirm end; do
		bp off --confirm "$([ $way = end ] && echo 1 || echo 600)" >/dev/null
		printf '%s' "$garbage" >"$BPFPOL_STATE_DIR/off"
		case $way in
		confirm)
			expect_exit 0 bp policy confirm
			same "note '$garbage', confirmed" "off off" "$(filtering) $(said)"
			bp on >/dev/null
			;;
		rollback) expect_exit 0 bp policy rollback ;;
		*)
			is_on() { [ "$(filtering)" = on ]; }
			check "note '$garbage': the time is over" until_true is_on
			;;
		esac
		expect_exit 0 bp status
		same "note '$garbage', $way" "on on" "$(filtering) $(said)"
		check "it is tidied up" [ ! -e "$BPFPOL_STATE_DIR/off" ]
	done
done

bp off --confirm 600 >/dev/null
mv "$BPFPOL_STATE_DIR/state" "$WORLD/state"
echo rubbish >"$BPFPOL_STATE_DIR/state"
expect_exit 0 bp policy rollback
same "the store is damaged: taken back" on "$(filtering)"
expect_exit 0 bp off --confirm 600
same "tried" off "$(filtering)"
expect_exit 0 bp policy confirm
same "and kept" "off 0" "$(filtering) $(attached)"
mv "$WORLD/state" "$BPFPOL_STATE_DIR/state"
bp on >/dev/null
for fault in write:error=ENOSPC:when=1 fsync:error=EIO:when=1 fsync:error=EIO:when=2 rename:error=EROFS; do
	expect_exit 1 broken "$fault" off --confirm 600
	same "$fault: it filters on" "on on" "$(filtering) $(said)"
	bp on >/dev/null
done
bp off --confirm 600 >/dev/null
expect_exit 1 broken "rename:error=ENOSPC" policy confirm
same "what cannot be confirmed is still on trial" "off off?" "$(filtering) $(said)"
expect_exit 1 broken "unlink:error=EROFS" policy rollback
same "what cannot be taken back, too" "off off?" "$(filtering) $(said)"
bp policy rollback >/dev/null
bp off --confirm 1 >/dev/null
check "back on a disk that cannot be written" until_true is on
expect_exit 0 broken "unlink:error=EROFS" status
expect_out 'could not be written down'
same "which is said, and no more" "on on" "$(filtering) $(said)"
reboot
bp restore >/dev/null
same "and a reboot filters" on "$(filtering)"

bp off --confirm 1 >/dev/null
check "back on a disk that is full" until_true is on
expect_exit 0 broken "rename:error=ENOSPC" status
check "the trial is not forgotten until it is noted that it ended" [ -e "$BPFPOL_STATE_DIR/off" ]
same "it filters" on "$(said)"
check "and then it is" [ ! -e "$BPFPOL_STATE_DIR/off" ]

expect_exit 0 broken "rename:error=ENOSPC" off
expect_out 'is off, but a reboot may turn it on'
OUT=$(broken "rename:error=ENOSPC" on 2>&1)
same "on again on a disk that is full: not a word of off" "Filtering is on again. on on" "$OUT $(filtering) $(said)"

bp off --confirm 600 >/dev/null
expect_exit 137 broken "fsync:signal=KILL:when=1" policy rollback
expect_exit 0 bp on
same "killed behind the file's end, then on: it filters" "on on" "$(filtering) $(said)"

# --- where another version's programs filter: ours take their place, as those know of no time

check "another version's" other_abi
expect_exit 0 bp off --confirm 600 --dry-run
same "a dry run does nothing" on "$(filtering)"
expect_exit 0 bp off --confirm 600
same "off on trial" "off off?" "$(filtering) $(said)"
expect_exit 0 bp policy rollback
same "and back" "on on" "$(filtering) $(said)"
check "another version's, and a store that cannot be read" other_abi
cp -a "$BPFPOL_STATE_DIR/state" "$WORLD/state"
truncate -s 20 "$BPFPOL_STATE_DIR/state"
expect_exit 1 bp off --confirm 600
expect_out "'bpfpol off' without it"
same "it filters" on "$(filtering)"
expect_exit 0 bp off
same "and that works" off "$(filtering)"
cp -a "$WORLD/state" "$BPFPOL_STATE_DIR/state"
expect_exit 0 bp on
same "on" on "$(filtering)"

# --- beside the agent, which goes on attaching: it must filter there when the time is over

on_rx7() {
	run_in rx ip -o link show rx7 | grep -q xdp
}

bp attach 'rx*' >/dev/null
start_agent
bp off --confirm 600 >/dev/null
run_in rx ip link add rx7 type veth peer name other7
check "what comes in that time is attached" until_true on_rx7
same "and the agent does not end it" "off off?" "$(filtering) $(said)"
kill -9 "$AGENT"
wait "$AGENT" 2>/dev/null
same "nor does its death end it" "off off?" "$(filtering) $(said)"
bp policy rollback >/dev/null
same "on" on "$(filtering)"

finish
