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

# judge_act ACT CALL N
judge_act() {
	local act=$1 at="killed at $2 $3" was said now kernel

	was=$(filtering)
	kernel=$(in_kernel)
	said=$(reported)
	now=$(filtering)
	FOUND[$said]=1
	[ "${said%\?}$said$said" = "$now$(on_disk)$(in_kernel)" ] ||
		nok "$act: $at" \
			"packets: $was; reports: $said; disk: $(on_disk); kernel: $(in_kernel); then packets: $now"
	# No deadline may come between, which would filter until the next command.
	[ "$act" != confirm ] || [ "$kernel" = "$said" ] || nok "$act: $at" "kernel: $kernel, then $said"
	case $act$was$said in
	offonon | offon"off?" | offoff"off?" | confirmoff* | rollbackoff"off?" | rollbackoffon | rollbackonon | overonon) ;;
	*) nok "$act: $at" "packets: $was, then $said" ;;
	esac
}

TRIAL="trial of off"
declare -A FOUND
bp attach rx0 >/dev/null
bp block udp/1434 >/dev/null
sweep_act off 'off? on' off --confirm 600
sweep_act confirm "off${KILL_EVERY:+ off?}" policy confirm
sweep_act rollback 'off? on' policy rollback
sweep_act over on list
bp on >/dev/null
same "it filters" on "$(filtering)"
same "nothing is left over" "" "$(cd "$BPFPOL_STATE_DIR" && find . -name '*.new' -o -name off)"

finish
