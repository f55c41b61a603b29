#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 at every system call of `policy assign` of another policy: packets, the store and the
# reports hold exactly the one or the other.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"

two_policies
bp policy assign two >/dev/null
bp policy assign one >/dev/null
bp block tcp/7 >/dev/null # waits in the journal

# reported: which policy the reports name; the rules, and the filters in the maps, are its own.
reported() {
	bp status --debug --json 2>&1 | jq -r '
		([.rules[].id] | sort) as $ids
		| if ([.filters[].rule] | unique) != $ids then "other filters"
		  elif .policy.name == "one" and (.rules | length) == 4 then "one"
		  elif .policy.name == "two" and (.rules | length) == 3 then "two"
		  else "\(.policy.name) with \(.rules | length) rules" end'
}

begin() {
	bp policy assign one >/dev/null || nok "begin" "cannot assign"
	BEGUN=$((BEGUN + 1))
	[ ! -e "$BPFPOL_BPFFS/spare" ] || SPARES=$((SPARES + 1))
}

after_kill() {
	local was says now stored

	was=$(judged)
	says=$(reported)
	now=$(judged)
	stored=$(bp policy list --json | jq -r '[.policies[] | select(.assigned).name] | join(" ")')
	[ "$now" = one ] && SEEN_ONE=$((SEEN_ONE + 1))
	[ "$now" = two ] && SEEN_TWO=$((SEEN_TWO + 1))
	if [ "$was" = mixed ] || [ "$was$now" = twoone ] || [ "$says $stored" != "$now $now" ]; then
		nok "killed at $1 $2" "packets: $was; reports: $says; then packets: $now; stored: $stored"
	fi
}

BEGUN=0 SPARES=0 SEEN_ONE=0 SEEN_TWO=0
kill_each begin after_kill policy assign two
same "every kill leaves one or the other" 0 "$FAILED"
check "before and after the commit: $SEEN_ONE and $SEEN_TWO" \
	[ "$SEEN_ONE" -gt 10 -a "$SEEN_TWO" -gt 10 ]
same "with a spare each time" "$BEGUN" "$SPARES"
same "the rule that waited in the journal is in its file" 1 \
	"$(grep -c 'tcp to port 7' "$POLICIES/one.policy")"
same "one generation is pinned" 1 "$(find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*' | wc -l)"
same "nothing is left over" "" "$(cd "$BPFPOL_STATE_DIR" && find . -name '*.new' -o -name 'fold.*')"

finish
