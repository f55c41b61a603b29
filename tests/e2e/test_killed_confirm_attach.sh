#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 wherever `attach --confirm`, its `policy confirm` and `policy rollback`, and the first command
# after its time change anything: what is attached, remembered and said to be on trial is the one or
# the other, what was attached before filters on, and from a trial there is a way back.
# shellcheck disable=SC2317 # functions are called by until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"
# shellcheck source=tests/e2e/trial.sh
. "$(dirname "$0")/trial.sh"

FRAMES=("$(frame dport=1434)" "$(frame dport=9)")
run_in rx ip link add rx7 type veth peer name other7
run_in rx ip link set rx7 up

FOLLOW=()

attached() {
	run_in rx ip -o link show | grep xdp | sed -E 's/^[0-9]+: ([a-z0-9]+).*/\1/' | sort | xargs
}

# state: what is attached and remembered when a report has run, "?" behind it on trial.
state() {
	local trial

	trial=$(bp status --json | jq -r 'if .attach_confirm_in then "?" else "" end')
	echo "$(attached), $(remembered)$trial"
}

OLD="rx0, rx0 auto"
NEW="rx0 rx7, rx0 auto rx7 auto"

# The one who waits would come first.
over() {
	kill_waiters
	clocks tried -1
}

begin() {
	[ ! -e "$BPFPOL_STATE_DIR/tried" ] || bp policy rollback >/dev/null
	[ "$(attached)" = rx0 ] || bp detach rx7 >/dev/null
	[ "$1" = attach ] || bp attach rx7 --confirm 600 >/dev/null
	[ "$1" != over ] || over
}

# confirms WHAT: a `policy confirm` as the next command tells the truth.
confirms() {
	bp policy confirm >/dev/null 2>&1
	CONFIRMED=$?
	case "$CONFIRMED $(state)" in
	"0 $NEW" | "3 $NEW" | "3 $OLD") ;;
	*) nok "$1: confirm: exit $CONFIRMED" "$(state)" ;;
	esac
}

# judge_act ACT CALL N
judge_act() {
	local act=$1 at="killed at $2 $3" said now CONFIRMED=none

	[ "$(verdicts "${FRAMES[@]}")" = bp ] || nok "$act: $at: rx0 filters" "it does not"
	[ $((TURN++ % 2)) = 0 ] || confirms "$act: $at"
	said=$(state)
	case $act$said in
	"attach$OLD" | "attach$NEW?" | "confirm$NEW" | "confirm$NEW?" | "rollback$NEW?" | "rollback$OLD" | "over$OLD") ;;
	*"$NEW") [ "$CONFIRMED" = 0 ] || nok "$act: $at: confirm: exit $CONFIRMED" "$said" ;;
	*) nok "$act: $at" "$said" ;;
	esac
	case $said in
	*\?) FOUND[trial]=1 ;;
	*) FOUND[settled]=1 ;;
	esac
	[ "${said%\?}" != "$said" ] || return
	bp policy rollback >/dev/null
	now=$(state)
	[ "$now" = "$OLD" ] || nok "$act: $at: the way back" "$said, then $now"
}

TRIAL="trial of attach" TURN=0
declare -A FOUND
bp attach rx0 >/dev/null
bp block udp/1434 >/dev/null
sweep_act attach "settled trial" attach rx7 --confirm 600
sweep_act confirm "settled trial" policy confirm
sweep_act rollback "settled trial" policy rollback
sweep_act over settled list
begin attach
same "nothing is left over" "" "$(cd "$BPFPOL_STATE_DIR" && find . -name '*.new' -o -name tried)"

finish
