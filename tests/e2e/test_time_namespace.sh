#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a time namespace a process is shown other clocks than BPF programs: deadlines of rules, of changes and of
# `off` that are written there, by a command or by the agent, mean the same outside, and the other way round.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/trial.sh
. "$(dirname "$0")/trial.sh"
# shellcheck source=tests/e2e/watching.sh
. "$(dirname "$0")/watching.sh"

# shifted SECONDS COMMAND...: in a namespace whose clocks are so much ahead.
shifted() {
	run_in rx unshare --time --boottime "$1" --monotonic "$1" --fork "${@:2}"
}

if ! shifted 0 true 2>/dev/null; then
	skip "time namespaces" "this kernel, or unshare, knows none"
	finish
fi

# within DESC LEAST MOST SECONDS
within() {
	if [[ $4 =~ ^[0-9]+$ ]] && [ "$4" -ge "$2" ] && [ "$4" -le "$3" ]; then
		ok "$1"
	else
		nok "$1" "$4, not $2 to $3"
	fi
}

# left WHO...: what status says there of the rule's time.
left() {
	"$@" status --json | jq '[.rules[] | select(.expires_in).expires_in] | if length == 1 then .[0] else . end'
}

confirm_in() {
	"$@" status --json | jq .policy.confirm_in
}

# shellcheck disable=SC2153 # there is such a variable
there() {
	shifted "$AHEAD" "$BPFPOL" "$@"
}

# What cannot be read now is not taken for clocks that are as they are.
unread() {
	expect_exit 1 shifted "$AHEAD" strace -f -qq -o /dev/null -P /proc/self/timens_offsets \
		-e inject=openat:error=EMFILE "$BPFPOL" block udp/53 for 1h
	expect_out 'timens_offsets: Too many open files'
	passes dport=53
}

rules() {
	expect_exit 0 there block udp/53 for 1h
	blocked dport=53
	within "$AHEAD: a rule has its hour there" 3000 3600 "$(left there)"
	within "$AHEAD: and outside" 3000 3600 "$(left bp)"
	expect_exit 0 bp block udp/53 for 2h # another time for what there is
	within "$AHEAD: a rule of outside has its two hours there" 6600 7200 "$(left there)"
	blocked dport=53
	# A reboot, whose rules are put in force from there.
	reboot
	expect_exit 0 there restore
	within "$AHEAD: restored there" 6600 7200 "$(left bp)"
	blocked dport=53
	expect_exit 0 bp remove udp/53
}

trials() {
	expect_exit 0 there block udp/54 --confirm 600
	blocked dport=54
	within "$AHEAD: time to confirm there" 500 600 "$(confirm_in there)"
	within "$AHEAD: and outside" 500 600 "$(confirm_in bp)"
	expect_exit 5 bp block udp/55
	blocked dport=54
	expect_exit 0 bp policy rollback
	passes dport=54
	expect_exit 0 bp block udp/54 --confirm 600
	within "$AHEAD: time to confirm of outside, there" 500 600 "$(confirm_in there)"
	expect_exit 0 there policy confirm
	blocked dport=54
	expect_exit 0 bp remove udp/54
	# One that nobody confirms is over for all.
	expect_exit 0 there block udp/54 --confirm 1
	check "$AHEAD: back by itself" until_true ends 54
}

ends() {
	[ "$(verdicts "$(frame "dport=$1")")" = p ]
}

offs() {
	expect_exit 0 there off --confirm 600
	passes dport=1434
	expect_json "$AHEAD: off is on trial outside" '.off' bp status --json
	expect_exit 0 bp on
	blocked dport=1434
	expect_exit 0 there off --confirm 1
	check "$AHEAD: filtered again by itself" until_true filters
}

filters() {
	[ "$(verdicts "$(frame dport=1434)")" = b ]
}

interfaces() {
	expect_exit 0 there attach rx1 --confirm 600
	expect_exit 5 bp attach tx0
	expect_exit 0 bp policy rollback
	check "$AHEAD: nobody waits any more" until_true none_waits
	expect_exit 0 there attach rx1 --confirm 1
	check "$AHEAD: detached again by itself" until_true detached rx1
}

detached() {
	! bp interfaces --json | jq -r '.. | .name? // empty' | grep -qx "$1" ||
		bp interfaces --json | jq -e --arg n "$1" '[.. | select(.name? == $n)][0].ingress == "none"' >/dev/null
}

agent() {
	: >"$WORLD/agent.log" # the one before has said the same
	# Not by a function: it is to be unshare itself.
	nsenter "--net=/run/netns/$(netns rx)" unshare --time --boottime "$AHEAD" --fork "$BPFPOL" agent \
		2>>"$WORLD/agent.log" &
	AGENT=$!
	check "$AHEAD: the agent begins" until_true grep -q 'follows the interfaces' "$WORLD/agent.log"
	expect_exit 0 bp block udp/56 for 1h --dynamic
	blocked dport=56
	within "$AHEAD: a rule of the agent's has its hour" 3000 3600 "$(left bp)"
	# unshare waits for it, and takes no signal on.
	kill "$(pgrep -P "$AGENT")"
	wait "$AGENT"
	passes dport=56
}

# When the packet was that watch tells of there, by the calendar's clock.
watches() {
	local at

	BEFORE=$(in_place)
	there watch --rate 0 --count 1 --json >"$WORLD/told" 2>"$WORLD/said" &
	check "$AHEAD: a watcher is there" until_true watched_there
	blocked dport=1434
	wait $!
	at=$(date -d "$(jq -r .time "$WORLD/told")" +%s)
	within "$AHEAD: a packet is told with its time" 0 600 $(($(date +%s) - at))
}

add_pair tx1 rx1 78
bp attach rx0 >/dev/null
bp block udp/1434 >/dev/null
for AHEAD in 100000 -60; do
	if ! shifted "$AHEAD" true 2>/dev/null; then
		skip "clocks that are $AHEAD s ahead" "the machine has not been up for so long"
		continue
	fi
	unread
	rules
	trials
	offs
	interfaces
	agent
	watches
done

finish
