#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 at every system call of commands that change policies which are not assigned, or throw
# one away: its file is the old or the new one, and no id is given twice.
# shellcheck disable=SC2317 # functions are called by name
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
	local reset=$1 before=$FAILED

	LOOK=$2 OLD=$3 NEW=$4 LOOKED=" "
	shift 4
	kill_each "$reset" after_kill "$@"
	same "$*: every kill leaves old or new" "$before" "$FAILED"
	same "$*: both were seen" "$(printf '%s\n' "$OLD" "$NEW" | sort | xargs)" \
		"$(tr ' ' '\n' <<<"$LOOKED" | grep . | sort -u | xargs)"
}

after_kill() {
	local got ids

	got=$($LOOK 2>&1)
	LOOKED+="$got "
	[[ $got = "$OLD" || $got = "$NEW" ]] || nok "killed at $1 $2" "$got"
	# Ids of all policies, with one more in each: none twice.
	if ! bp block udp/9 >/dev/null || ! bp block --policy web udp/10 >/dev/null; then
		nok "killed at $1 $2: the next changes" "fail"
	fi
	ids=$({ bp list --json && bp policy show web --json; } | jq '.rules[].id' | sort)
	[ "$(uniq -d <<<"$ids")" = "" ] || nok "killed at $1 $2: ids" "$ids"
	bp remove udp/9 >/dev/null
	bp remove --policy web udp/10 >/dev/null
}

without() { bp remove --policy web udp/8 >/dev/null 2>&1; }
with() { bp block --policy web udp/8 >/dev/null; }
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
assigned() {
	bp policy create gone >/dev/null 2>&1
	bp block --policy gone udp/2000 >/dev/null
	bp policy assign gone >/dev/null
}
state_of_gone() {
	local stored force

	stored=$(bp policy list --json | jq -r '.policies[] | select(.name == "gone") | "stored,\(.assigned)"')
	force=$(verdicts "$(frame dport=2000)")
	echo "${stored:-gone},$force"
}

after_delete() {
	local got

	bp status >/dev/null
	got=$(state_of_gone)
	SEEN+="$got "
	[[ $got =~ ^(stored,true,b|stored,false,p|gone,p)$ ]] || nok "delete: killed at $1 $2" "$got"
}

SEEN=
kill_each assigned after_delete policy delete gone
same "delete: assigned, or out of force and stored, or gone" \
	"gone,p stored,false,p stored,true,b" "$(tr ' ' '\n' <<<"$SEEN" | sort -u | xargs)"

finish
