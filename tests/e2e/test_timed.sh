#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Rules with a deadline: the kernel ends them by itself. Their labels and log, too.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

# until_passes LIMIT KEY=VALUE...: polls with packets; prints after how many ms the first passes.
until_passes() {
	local limit=$1 start hex

	shift
	start=$(date +%s%N)
	hex=$(frame "$@")
	while [ $(($(date +%s%N) - start)) -lt $((limit * 1000000)) ]; do
		if [ "$(verdicts "$hex")" = p ]; then
			echo $((($(date +%s%N) - start) / 1000000))
			return
		fi
	done
	echo never
}

# in_time DESC LEAST MOST MS
in_time() {
	check "$1 ($4 ms)" [ "$4" != never ] && check "$1: not early" [ "$4" -ge "$2" ] &&
		check "$1: not late" [ "$4" -le "$3" ]
}

# field KEY FILTER: of the rule, from status.
field() {
	bp status --json | jq -r --arg f "$2" ".rules[] | select(.filter == \$f) | .$1"
}

bp block udp/1434 >/dev/null
expect_exit 0 bp block udp/2000 for 2s
expect_out '^Rule 2 added: block in udp to port 2000 for 2s$'
blocked dport=2000
blocked "${V6[@]}" dport=2000
in_time "for 2s" 1000 4000 "$(until_passes 5000 dport=2000)"
passes "${V6[@]}" dport=2000
blocked dport=1434
OUT=$(bp list)
check "it is no longer listed" [ "$(grep -c 'port 2000' <<<"$OUT")" = 0 ]
expect_json "nor among the kernel's filters" \
	'[.filters[].local_ports[0]] | unique == [1434]' bp status --debug --json

# The same again is another rule.
expect_exit 0 bp block udp/2000 --for 1h --rule "an hour"
blocked dport=2000
same "--rule" "an hour" "$(field name "in udp to port 2000")"
check "--for" [ "$(field expires_in "in udp to port 2000")" -gt 3590 ]
check "another id" [ "$(field id "in udp to port 2000")" -gt 2 ]
ID=$(field id "in udp to port 2000")
# The later deadline wins; what says none is latest.
expect_exit 0 bp block udp/2000 for 1s
expect_out 'already there, and ends no earlier: block in udp to port 2000$'
check "the later deadline wins" [ "$(field expires_in "in udp to port 2000")" -gt 3580 ]
expect_exit 0 bp block udp/2000 for 2h name "two"
expect_out 'the later end holds: block in udp to port 2000 for 2h name "two"$'
check "a later one takes its place" [ "$(field expires_in "in udp to port 2000")" -gt 7190 ]
same "the label is replaced" two "$(field name "in udp to port 2000")"
expect_exit 0 bp block udp/2000
same "none is the latest" null "$(field expires_in "in udp to port 2000")"
expect_exit 0 bp block udp/2000 for 1s
same "and stays" null "$(field expires_in "in udp to port 2000")"
same "all of it is one rule" "$ID" "$(field id "in udp to port 2000")"
blocked dport=2000
expect_exit 0 bp remove udp/2000
passes dport=2000

# Over a rebuild, beside a list that is timed itself.
printf '198.51.100.1\n198.51.100.2\n' >"$WORLD/list"
expect_exit 0 bp block udp/2001 for 3s
expect_exit 0 bp block "@$WORLD/list" for 3s log name "a list"
blocked dport=2001
blocked src=198.51.100.2
OUT=$(bp list)
expect_out 'log name "a list"'
in_time "after a rebuild" 1500 6000 "$(until_passes 8000 src=198.51.100.2)"
check "the other one ends too" [ "$(until_passes 2000 dport=2001)" != never ]
passes src=198.51.100.1
blocked dport=1434
# What a command writes down after that no longer knows them.
expect_exit 0 bp block "@$WORLD/list"
same "two rules" 2 "$(bp status --json | jq '.rules | length')"
check "in the state too" [ "$(grep -c '^rule ' "$BPFPOL_STATE_DIR/state")" = 2 ]

# A timed permit in a block, and a timed shadow: cut frames.
expect_exit 0 bp permit udp/1434 from "$TX4" for 2s
passes dport=1434
expect_exit 0 bp block tcp/22 for 2s
blocked proto=6 len=6
check "the shadow of a timed rule ends with it" [ "$(until_passes 5000 proto=6 len=6)" != never ]
check "the permit has ended" [ "$(until_passes 10 dport=1434)" = never ]
# The first rule of all is a timed one: the policy that it makes is there like others, with a file, also
# when the command dies before that is written.
POLICY=$BPFPOL_CONF_DIR/policies/local.policy
expect_exit 0 bp policy create other
for kill in "" yes; do
	expect_exit 0 bp policy unassign
	expect_exit 0 bp policy delete local
	if [ "$kill" ]; then
		run_in rx strace -f -qq -o /dev/null -P "$POLICY.new" -e inject=openat:signal=KILL \
			"$BPFPOL" block udp/2002 for 1h >/dev/null 2>&1
		check "killed before the file is there" [ ! -e "$POLICY" ]
	else
		expect_exit 0 bp block udp/2002 for 1h
	fi
	expect_exit 0 bp policy show local
	expect_out 'block in udp to port 2002'
	expect_exit 0 bp policy assign other
	passes dport=2002
	check "its file is there" [ -e "$POLICY" ]
	expect_exit 0 bp policy assign local
	blocked dport=2002
done
expect_exit 2 bp block udp/9 --for 5x
expect_exit 2 bp block udp/9 --for 0s

# unlisted PORT: list has no such rule any more.
# shellcheck disable=SC2317 # until_true calls it
unlisted() {
	! bp list | grep -q "port $1\b"
}

# shellcheck disable=SC2317 # until_true calls it
later() {
	[ "$(date +%s)" -ge "$1" ]
}

# Its time is whole from when it is in force, and begins when the lock was got.
expect_exit 0 bp policy assign other
expect_exit 0 bp block udp/53
flock "$BPFPOL_RUN_DIR/lock" sleep 60 &
HOLDER=$!
until_true grep -q "FLOCK.* $HOLDER " /proc/locks
bp block udp/3000 for 1h >/dev/null &
BLOCK=$!
until_true grep -q -- "-> FLOCK.*:$(stat -c %i "$BPFPOL_RUN_DIR/lock") " /proc/locks
NOW=$(date +%s)
until_true later $((NOW + 1)) # the second in which it began is over
FREE=$(date +%s%N)
pkill -P $HOLDER
wait $HOLDER 2>/dev/null
wait $BLOCK
END=$(grep -ahoE '[0-9]{10,} [0-9]+\+? block in udp to port 3000' "$BPFPOL_STATE_DIR"/{journal,state} 2>/dev/null | head -1)
check "its hour is no shorter" [ $((${END%% *} * 1000000000 - FREE)) -ge 3600000000000 ]
check "nor said to be longer" [ "$(field expires_in "in udp to port 3000")" -le 3600 ]

# What is over is not there any more: in the list and for the kernel at the same moment, of either
# layer, and nothing that could be taken away.
start_agent
for layer in "" --dynamic; do
	for by in words id; do
		# shellcheck disable=SC2086
		expect_exit 0 bp block udp/3001 for 1s $layer --json
		ID=$(jq .id <<<"$OUT") # it may be over before it is looked for
		check "in its time" until_true unlisted 3001
		passes dport=3001
		if [ $by = id ]; then
			# shellcheck disable=SC2086
			expect_exit 3 bp remove --id "$ID" $layer
			expect_exit 3 bp promote --id "$ID"
		else
			# shellcheck disable=SC2086
			expect_exit 3 bp remove udp/3001 $layer
			expect_out 'no rule has that match;'
		fi
	done
done
stop_agent TERM
# shellcheck disable=SC2317 # until_true calls it
quiet() {
	[ -z "$(bp status --json 2>&1 >/dev/null)" ]
}
check "what the agent held is gone" until_true quiet
# Nor does status count its filters, or while filtering is off those that went.
expect_json "filters of what is there" '.policy.rules == 2 and .policy.filters == 4' bp status --json
expect_exit 0 bp off
expect_exit 0 bp remove udp/53
expect_json "while off" '.policy.rules == 1 and .policy.filters == 2' bp status --json
expect_exit 0 bp on
expect_json "and then" '.policy.rules == 1 and .policy.filters == 2' bp status --json

# A policy that is replaced loses the timed rules that commands gave it, which stand in no file; what is in force of it stays
# until it is assigned. Without --force what is there already is left, timed rules too.
expect_exit 0 bp policy create empty
echo 'block udp/4007' >"$WORLD/seven"
for assigned in no yes; do
	for replace in "create q" "import $WORLD/seven --name q"; do
		bp policy assign empty >/dev/null
		bp policy delete q >/dev/null 2>&1
		bp policy create q >/dev/null
		[ $assigned = no ] || bp policy assign q >/dev/null
		expect_exit 0 bp block --policy q udp/4005 for 1h
		if [ "$replace" = "create q" ]; then
			# shellcheck disable=SC2086
			expect_exit 0 bp policy $replace
			expect_json "it is left" '.policies[] | select(.name == "q").timed == 1' bp policy list --json
		fi
		# shellcheck disable=SC2086
		expect_exit 0 bp policy $replace --force --dry-run
		expect_json "nor by a try" '.policies[] | select(.name == "q").timed == 1' bp policy list --json
		# shellcheck disable=SC2086
		expect_exit 0 bp policy $replace --force
		expect_json "$replace: none is timed" '.policies[] | select(.name == "q").timed == 0' bp policy list --json
		[ $assigned = no ] || blocked dport=4005
		same "restore brings nothing back" "" "$(bp restore >/dev/null && bp policy show q | grep 4005)"
		expect_exit 0 bp policy assign q
		passes dport=4005
	done
	blocked dport=4007
done
# One that a command gives again in between stays, as what it is: it gets no line in the file.
expect_exit 0 bp block udp/4008 for 1h
expect_exit 0 bp policy create q --force
expect_exit 0 bp block udp/4008 for 30m
same "it has no line" "" "$(bp policy export q | grep 4008)"
expect_exit 0 bp policy assign q
blocked dport=4008
# The file of the assigned one is gone, and a new one comes: that is as it says, too.
expect_exit 0 bp block udp/4006 for 1h
expect_exit 0 bp policy assign q
rm "$BPFPOL_CONF_DIR/policies/q.policy"
expect_exit 0 bp policy create q
blocked dport=4006
expect_exit 0 bp policy assign q
passes dport=4006

finish
