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

FRAMES=("$(frame dport=1434)" "$(frame dport=9)")
run_in rx ip link add rx7 type veth peer name other7
run_in rx ip link set rx7 up

# Not what it leaves behind to wait: strace would wait for that, too.
points() {
	run_in rx strace -qq -o "$WORLD/trace" -e "trace=$CALLS" "$BPFPOL" "$@" >/dev/null
	sed -i "/^[-+]/d" "$WORLD/trace"
}

kill_at() {
	run_in rx strace -qq -o /dev/null -e "trace=$1" -e "inject=$1:signal=KILL:when=$2" "$BPFPOL" "${@:3}" \
		>/dev/null 2>&1
}

attached() {
	run_in rx ip -o link show | grep xdp | sed -E 's/^[0-9]+: ([a-z0-9]+).*/\1/' | sort | xargs
}

# state: what is attached and remembered when a report has run, "?" behind it on trial.
state() {
	local trial

	trial=$(bp status --json | jq -r 'if .attach_confirm_in then "?" else "" end')
	echo "$(attached), $(sort "$BPFPOL_STATE_DIR/interfaces" | xargs)$trial"
}

OLD="rx0, rx0 auto"
NEW="rx0 rx7, rx0 auto rx7 auto"

# The one who waits would come first.
waiter_killed() {
	local pid

	for pid in $(pgrep -f -- 'policy rollback --due'); do
		tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qx "BPFPOL_STATE_DIR=$BPFPOL_STATE_DIR" &&
			kill -9 "$pid" && return
	done
	return 1
}

over() {
	until_true waiter_killed
	sed -i -E "s/^confirm .*/confirm 600 1 1 another-boot/" "$BPFPOL_STATE_DIR/tried"
}

begin() {
	[ ! -e "$BPFPOL_STATE_DIR/tried" ] || bp policy rollback >/dev/null
	[ "$(attached)" = rx0 ] || bp detach rx7 >/dev/null
	[ "$1" = attach ] || bp attach rx7 --confirm 600 >/dev/null
	[ "$1" != over ] || over
}

# one CALL N ACT COMMAND...
one() {
	local call=$1 n=$2 act=$3 said now

	shift 3
	begin "$act"
	kill_at "$call" "$n" "$@"
	[ $? -eq 137 ] && KILLED=$((KILLED + 1))
	[ "$(verdicts "${FRAMES[@]}")" = bp ] || nok "$act: killed at $call $n: rx0 filters" "it does not"
	said=$(state)
	case $act$said in
	"attach$OLD" | attach*\? | "confirm$NEW" | "confirm$NEW?" | rollback*\? | "rollback$OLD" | "over$OLD") ;;
	*) nok "$act: killed at $call $n" "$said" ;;
	esac
	case $said in
	*\?) SEEN[trial]=1 ;;
	*) SEEN[settled]=1 ;;
	esac
	[ "${said%\?}" != "$said" ] || return
	bp policy rollback >/dev/null
	now=$(state)
	[ "$now" = "$OLD" ] || nok "$act: killed at $call $n: the way back" "$said, then $now"
}

# sweep_act ACT SEEN COMMAND...
sweep_act() {
	local act=$1 seen=$2 points before=$FAILED

	shift 2
	begin "$act"
	bp "$@" >/dev/null # from now on as each time
	[ "$act" != confirm ] || bp detach rx7 >/dev/null
	begin "$act"
	mapfile -t points < <(changes "$@")
	KILLED=0
	SEEN=()
	for point in "${points[@]}"; do
		# shellcheck disable=SC2086
		one $point "$act" "$@"
	done
	same "$act: every kill leaves the one or the other" "$before" "$FAILED"
	figure_of_kills "$KILLED" "$act" "$@"
	check "$act: killed $KILLED times at ${#points[@]} points" \
		[ $((KILLED * 10)) -ge $((${#points[@]} * 8)) -a $KILLED -gt 1 ]
	same "$act: both are seen" "$seen" "$(printf '%s\n' "${!SEEN[@]}" | sort | xargs)"
}

declare -A SEEN
bp attach rx0 >/dev/null
bp block udp/1434 >/dev/null
sweep_act attach "settled trial" attach rx7 --confirm 600
sweep_act confirm "settled trial" policy confirm
sweep_act rollback "settled trial" policy rollback
sweep_act over settled list
begin attach
same "nothing is left over" "" "$(cd "$BPFPOL_STATE_DIR" && find . -name '*.new' -o -name tried)"

finish
