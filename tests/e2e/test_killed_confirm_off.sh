#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 wherever `off --confirm`, its `policy confirm` and `policy rollback`, and the first command
# after it went back by itself change anything: packets, disk, kernel and reports say the same.
# shellcheck disable=SC2317 # functions are called by until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"

FRAMES=("$(frame dport=1434)" "$(frame dport=9)")

filtering() {
	case $(verdicts "${FRAMES[@]}") in
	bp) echo on ;;
	pp) echo off ;;
	*) echo mixed ;;
	esac
}

is() {
	[ "$(filtering)" = "$1" ]
}

reported() {
	bp status --json | jq -r 'if .off | not then "on" elif .off_confirm_in then "off?" else "off" end'
}

on_disk() {
	case $(cat "$BPFPOL_STATE_DIR/off" 2>/dev/null) in
	off) echo off ;;
	confirm*) echo 'off?' ;;
	*) echo on ;;
	esac
}

in_kernel() {
	"$BPFTOOL" -j map dump pinned "$BPFPOL_BPFFS/ctl" | jq -r '.[0].formatted.value // .[0].value
		| if .off == 0 then "on" elif .off > 1e19 then "off" else "off?" end'
}

begin() {
	bp on >/dev/null
	case $1 in
	off) ;;
	over)
		bp off --confirm 1 >/dev/null
		until_true is on
		;;
	*) bp off --confirm 600 >/dev/null ;;
	esac
}

# one CALL N ACT COMMAND...
one() {
	local call=$1 n=$2 act=$3 was said now

	shift 3
	begin "$act"
	kill_at "$call" "$n" "$@"
	[ $? -eq 137 ] && KILLED=$((KILLED + 1))
	was=$(filtering)
	said=$(reported)
	now=$(filtering)
	SEEN[$said]=$((${SEEN[$said]:-0} + 1))
	[ "${said%\?}$said$said" = "$now$(on_disk)$(in_kernel)" ] ||
		nok "$act: killed at $call $n" \
			"packets: $was; reports: $said; disk: $(on_disk); kernel: $(in_kernel); then packets: $now"
	case $act$was$said in
	offonon | offon"off?" | offoff"off?" | confirmoff* | rollbackoff"off?" | rollbackoffon | rollbackonon | overonon) ;;
	*) nok "$act: killed at $call $n" "packets: $was, then $said" ;;
	esac
}

# sweep_act ACT EITHER OR COMMAND...: at each point; both are seen.
sweep_act() {
	local act=$1 either=$2 or=$3 points before=$FAILED

	shift 3
	begin "$act"
	mapfile -t points < <(changes "$@")
	KILLED=0
	SEEN=()
	for point in "${points[@]}"; do
		# shellcheck disable=SC2086
		one $point "$act" "$@"
	done
	same "$*: every kill leaves the one or the other" "$before" "$FAILED"
	figure_of_kills "$KILLED" "$act" "$@"
	check "$*: killed $KILLED times at ${#points[@]} points" \
		[ $((KILLED * 10)) -ge $((${#points[@]} * 8)) -a $KILLED -gt 1 ]
	check "$*: $either ${SEEN[$either]:-0} times, $or ${SEEN[$or]:-0}" \
		[ "${SEEN[$either]:-0}" -gt 0 -a "${SEEN[$or]:-0}" -gt 0 ]
}

declare -A SEEN
bp attach rx0 >/dev/null
bp block udp/1434 >/dev/null
sweep_act off on 'off?' off --confirm 600
sweep_act confirm 'off?' off policy confirm
sweep_act rollback 'off?' on policy rollback
sweep_act over on on list
bp on >/dev/null
same "it filters" on "$(filtering)"
same "nothing is left over" "" "$(cd "$BPFPOL_STATE_DIR" && find . -name '*.new' -o -name off)"

finish
