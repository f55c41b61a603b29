#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 wherever `policy assign --confirm`, `policy confirm`, `policy rollback` and the first
# command after a change went back by itself change anything: packets, the store and the reports hold
# the one policy or the other, and know alike whether it awaits confirmation.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"
# shellcheck source=tests/e2e/two.sh
. "$(dirname "$0")/two.sh"

# verdict: which policy the packets see.
verdict() {
	case $(verdicts "${FRAMES[@]}") in
	bpbp) echo a ;;
	pbbp) echo b ;;
	*) echo mixed ;;
	esac
}

judges() {
	[ "$(verdict)" = "$1" ]
}

# reported: the policy that the reports name, whose rules alone are in the maps, and whether it awaits
# confirmation: "a", or "a?".
reported() {
	bp status --debug --json 2>&1 | jq -r '
		([.rules[].id] | sort) as $ids
		| if ([.filters[].rule] | unique) != $ids then "other filters"
		  elif (.rules | length) != 2 then "\(.policy.name) with \(.rules | length) rules"
		  else .policy.name + (if .policy.confirm_in then "?" else "" end) end'
}

# on_disk, in_kernel: the same of the state, and of the control word, which knows no names.
on_disk() {
	echo "$(sed -n 's/^assigned //p' "$BPFPOL_STATE_DIR/state")$(grep -q ^confirm \
		"$BPFPOL_STATE_DIR/state" && echo '?')"
}

in_kernel() {
	"$BPFTOOL" -j map dump pinned "$BPFPOL_BPFFS/ctl" | jq -r '.[0].formatted.value // .[0].value
		| if .confirm_of == .generation then "?" elif .confirm_of == 0 then "" else "unfinished" end'
}

# has_deadline: the kernel goes back by itself, now or later.
has_deadline() {
	"$BPFTOOL" -j map dump pinned "$BPFPOL_BPFFS/ctl" | jq -e '.[0].formatted.value // .[0].value
		| .confirm_of == .generation and .confirm_by < 18e18' >/dev/null
}

# counted: packets that the rule in both policies, which is another in each, has counted.
counted() {
	bp status --json | jq '[.rules[] | select(.filter == "in udp to port 1434").packets][0]'
}

# begin, for what is killed: a judges, or b does and a is what it goes back to.
begin() {
	bp policy rollback >/dev/null 2>&1
	bp policy assign a >/dev/null
	case $1 in
	assign) ;;
	back)
		bp policy assign b --confirm 1 >/dev/null
		until_true judges a
		;;
	*) bp policy assign b --confirm 600 >/dev/null ;;
	esac
}

# judge_act ACT CALL N: what packets saw before the next command, and what the reports then say.
judge_act() {
	local act=$1 at="killed at $2 $3" was said now packets

	# What is confirmed on disk goes back nowhere, not even until the next command.
	[ "$act$(on_disk)" = confirmb ] && has_deadline && nok "$act: $at" "the kernel will go back"
	was=$(verdict)
	said=$(reported)
	packets=$(counted)
	now=$(verdict)
	FOUND[$said]=1
	if [ "${said%\?}" != "$now" ] || [ "$said" != "$(on_disk)" ] ||
		[ "${said#"$now"}" != "$(in_kernel)" ] || [ "$was" = mixed ]; then
		nok "$act: $at" "packets: $was; reports: $said; disk: $(on_disk); \
kernel: $(in_kernel); then packets: $now"
	fi
	[ "$packets" -ge "${COUNTED[$now]:-0}" ] ||
		nok "$act: $at: counters fell" "$packets, before ${COUNTED[$now]}"
	COUNTED[$now]=$packets
	case $act$was$now in
	assignaa | assignbb | assignab | confirmbb | rollbackbb | rollbackba | rollbackaa | backaa) ;;
	*) nok "$act: $at" "packets: $was, then $now" ;;
	esac
	# Whatever it is, it is whole: what it came from is still there.
	[ "$now" = a ] && return
	bp policy rollback >/dev/null
	judges a || nok "$act: $at: rollback" "$(verdict)"
}

TRIAL="trial of assign"
declare -A FOUND COUNTED
bp attach rx0 >/dev/null
case ${KILLED_ACT:-assign} in
assign) sweep_act assign 'a b?' policy assign b --confirm 600 ;;
confirm) sweep_act confirm "b${KILL_EVERY:+ b?}" policy confirm ;;
rollback) sweep_act rollback a policy rollback ;;
back) sweep_act back a list ;;
esac
# Each blocked packet was counted by one rule of the one policy or of the other, whoever died.
packets_of() {
	bp policy assign "$1" >/dev/null
	bp status --json | jq '[.rules[].packets] | add'
}

same "no packet is counted twice, nor lost" "$(bp status --json | jq .totals.in.blocked)" \
	$(($(packets_of b) + $(packets_of a)))
same "one generation is pinned" 1 "$(find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*' | wc -l)"
same "nothing is left over" "" "$(cd "$BPFPOL_STATE_DIR" && find . -name '*.new' -o -name 'fold.*')"

finish
