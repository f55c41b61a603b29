#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 at every system call of `policy assign` of another policy: packets, the store and the
# reports hold exactly the one or the other.
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

mapfile -t POINTS < <(points policy assign two)
check "${#POINTS[@]} system calls" [ ${#POINTS[@]} -gt 60 ]
KILLED=0 SEEN_ONE=0 SEEN_TWO=0 SPARES=0
for point in "${POINTS[@]}"; do
	read -r call n <<<"$point"
	bp policy assign one >/dev/null || nok "$call $n: begin" "cannot assign"
	[ ! -e "$BPFPOL_BPFFS/spare" ] || SPARES=$((SPARES + 1))
	kill_at "$call" "$n" policy assign two
	[ $? -eq 137 ] && KILLED=$((KILLED + 1))
	was=$(judged)
	says=$(reported)
	now=$(judged)
	stored=$(bp policy list --json | jq -r '[.policies[] | select(.assigned).name] | join(" ")')
	[ "$now" = one ] && SEEN_ONE=$((SEEN_ONE + 1))
	[ "$now" = two ] && SEEN_TWO=$((SEEN_TWO + 1))
	if [ "$was" = mixed ] || [ "$was$now" = twoone ] || [ "$says $stored" != "$now $now" ]; then
		nok "killed at $call $n" "packets: $was; reports: $says; then packets: $now; stored: $stored"
	fi
done
same "every kill leaves one or the other" 1 "$((FAILED == 0))"
# The one that was watched also made a file of what waited in the journal, and how many processes the
# guard looks at is another number each time.
check "killed $KILLED times" [ $((KILLED * 2)) -ge ${#POINTS[@]} ]
check "before and after the commit: $SEEN_ONE and $SEEN_TWO" \
	[ "$SEEN_ONE" -gt 10 -a "$SEEN_TWO" -gt 10 ]
figure_of_kills "$KILLED" policy assign
same "with a spare each time" "${#POINTS[@]}" "$SPARES"
same "the rule that waited in the journal is in its file" 1 \
	"$(grep -c 'tcp to port 7' "$POLICIES/one.policy")"
same "one generation is pinned" 1 "$(find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*' | wc -l)"
same "nothing is left over" "" "$(cd "$BPFPOL_STATE_DIR" && find . -name '*.new' -o -name 'fold.*')"

finish
