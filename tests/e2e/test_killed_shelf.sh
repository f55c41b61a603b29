#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 at every system call of commands that change policies which are not assigned, or throw
# one away: its file is the old or the new one, and no id is given twice.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"

POLICIES=$BPFPOL_CONF_DIR/policies
bp block udp/1434 >/dev/null
bp policy create web >/dev/null
bp block --policy web udp/7 >/dev/null

# kills RESET LOOK OLD NEW COMMAND...: after each kill LOOK must give OLD or NEW, both at times.
kills() {
	local reset=$1 look=$2 old=$3 new=$4 call n got killed=0 before=$FAILED seen=" "

	shift 4
	$reset
	mapfile -t POINTS < <(points "$@")
	check "$*: ${#POINTS[@]} system calls" [ ${#POINTS[@]} -gt 10 ]
	for point in "${POINTS[@]}"; do
		read -r call n <<<"$point"
		$reset
		kill_at "$call" "$n" "$@"
		[ $? -eq 137 ] && killed=$((killed + 1))
		got=$($look 2>&1)
		seen+="$got "
		[[ $got = "$old" || $got = "$new" ]] || nok "$*: killed at $call $n" "$got"
		# Ids of all policies, with one more in each: none twice.
		if ! bp block udp/9 >/dev/null || ! bp block --policy web udp/10 >/dev/null; then
			nok "$*: killed at $call $n: the next changes" "fail"
		fi
		IDS=$({ bp list --json && bp policy show web --json; } | jq '.rules[].id' | sort)
		[ "$(uniq -d <<<"$IDS")" = "" ] || nok "$*: killed at $call $n: ids" "$IDS"
		bp remove udp/9 >/dev/null
		bp remove --policy web udp/10 >/dev/null
	done
	same "$*: every kill leaves old or new" "$before" "$FAILED"
	figure_of_kills $killed "$@"
	check "$*: killed $killed times" [ $((killed * 10)) -ge $((${#POINTS[@]} * 9)) ]
	same "$*: both were seen" "$(printf '%s\n' "$old" "$new" | sort | xargs)" \
		"$(tr ' ' '\n' <<<"$seen" | grep . | sort -u | xargs)"
}

# shellcheck disable=SC2317 # called by kills
without() { bp remove --policy web udp/8 >/dev/null 2>&1; }
# shellcheck disable=SC2317
with() { bp block --policy web udp/8 >/dev/null; }
# shellcheck disable=SC2317
ports() {
	bp policy show web --json | jq -r '[.rules[].filter | capture("port (?<p>[0-9]+)").p] | join(",")'
}

kills without ports 7 7,8 block --policy web udp/8
kills with ports 7,8 7 remove --policy web udp/8
with
same "the file says so" "block in udp to port 7 block in udp to port 8" \
	"$(grep '^block' "$POLICIES/web.policy" | xargs)"
without

# Thrown away while it is assigned: out of force first.
# shellcheck disable=SC2317
assigned() {
	bp policy create gone >/dev/null 2>&1
	bp block --policy gone udp/2000 >/dev/null
	bp policy assign gone >/dev/null
}
# shellcheck disable=SC2317
state_of_gone() {
	local stored force

	stored=$(bp policy list --json | jq -r '.policies[] | select(.name == "gone") | "stored,\(.assigned)"')
	force=$(verdicts "$(frame dport=2000)")
	echo "${stored:-gone},$force"
}

assigned
mapfile -t POINTS < <(points policy delete gone)
SEEN=
for point in "${POINTS[@]}"; do
	read -r call n <<<"$point"
	assigned
	kill_at "$call" "$n" policy delete gone
	bp status >/dev/null
	GOT=$(state_of_gone)
	SEEN+="$GOT "
	[[ $GOT =~ ^(stored,true,b|stored,false,p|gone,p)$ ]] || nok "delete: killed at $call $n" "$GOT"
done
same "delete: assigned, or out of force and stored, or gone" \
	"gone,p stored,false,p stored,true,b" "$(tr ' ' '\n' <<<"$SEEN" | sort -u | xargs)"

finish
