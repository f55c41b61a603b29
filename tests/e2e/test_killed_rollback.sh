#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 at every system call of `policy rollback` over an assignment: packets, the store and the
# reports hold exactly the one policy or the other.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"

two_policies

# reported: which policy the reports name; the rules, and the filters in the maps, are its own.
reported() {
	bp status --debug --json 2>&1 | jq -r '
		([.rules[].id] | sort) as $ids
		| if ([.filters[].rule] | unique) != $ids then "other filters"
		  elif (.rules | length) == 3 then .policy.name
		  else "\(.policy.name) with \(.rules | length) rules" end'
}

counted() {
	bp status --json | jq '[.rules[] | select(.filter == "in udp to port 1434").packets][0]'
}

begin() {
	if ! bp policy assign two >/dev/null || ! bp policy assign one >/dev/null; then nok "begin" "cannot assign"; fi
}

after_kill() {
	local was says packets now stored

	was=$(judged)
	says=$(reported)
	packets=$(counted)
	now=$(judged)
	stored=$(bp policy list --json | jq -r '[.policies[] | select(.assigned).name] | join(" ")')
	[ "$now" = one ] && SEEN_ONE=$((SEEN_ONE + 1))
	[ "$now" = two ] && SEEN_TWO=$((SEEN_TWO + 1))
	if [ "$was" = mixed ] || [ "$was$now" = twoone ] || [ "$says $stored" != "$now $now" ]; then
		nok "killed at $1 $2" "packets: $was; reports: $says; then packets: $now; stored: $stored"
	fi
	# Each policy has a rule of its own for udp/1434; one packet of it was judged by this one.
	[ "$was" = "$now" ] && COUNTED[$now]=$((${COUNTED[$now]:-0} + 1))
	[ "$packets" -ge "${COUNTED[$now]:-0}" ] ||
		nok "killed at $1 $2: counters fell" "$packets, before ${COUNTED[$now]}"
	COUNTED[$now]=$packets
}

begin
bp policy rollback >/dev/null
same "it goes back to two" two "$(judged)"
SEEN_ONE=0 SEEN_TWO=0
declare -A COUNTED
kill_each begin after_kill policy rollback
same "every kill leaves one or the other" 0 "$FAILED"
check "before and after the commit: $SEEN_ONE and $SEEN_TWO" \
	[ "$SEEN_ONE" -gt 10 -a "$SEEN_TWO" -gt 10 ]
same "one generation is pinned" 1 "$(find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*' | wc -l)"
same "nothing is left over" "" "$(cd "$BPFPOL_STATE_DIR" && find . -name '*.new' -o -name 'fold.*')"

# A policy without rules that was thrown away is assigned again with its file, or neither.
thrown_away() {
	bp policy create empty >/dev/null 2>&1
	if ! bp policy assign empty >/dev/null || ! bp policy delete empty >/dev/null; then nok "begin" "cannot delete"; fi
}

after_return() {
	local got

	got=$(bp policy list --json | jq -r '[.policies[] | select(.name == "empty").assigned] | join(" ")')
	got+=,$(bp status --json | jq -r .policy.name)
	[[ $got = ,null || $got = true,empty ]] || nok "killed at $1 $2" "$got"
	RETURNED+="$got "
}

RETURNED='' BEFORE=$FAILED
[ -n "${KILL_EVERY:-}" ] || WHERE=changes
kill_each thrown_away after_return policy rollback
same "an empty policy's deletion: every kill leaves it undone or not" "$BEFORE" "$FAILED"
same "both are seen" ",null true,empty" "$(tr ' ' '\n' <<<"$RETURNED" | sort -u | xargs)"

finish
