#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 at every system call of commands that change policies which are not assigned, and wherever one that
# throws a policy away changes anything: its file is the old or the new one, and no id is given twice.
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
	kill_each "$reset" "${AFTER:-after_kill}" "$@"
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

# A timed rule that gets a line is there all the time.
timed() { without && bp block --policy web udp/8 for 2h >/dev/null; }
lasting() {
	bp policy show web --json |
		jq -r '[.rules[] | select(.filter == "in udp to port 8").expires_in == null] | join(",")'
}
WHERE=changes kills timed lasting false true block --policy web udp/8
without

# Replaced with its timed rules, which stand in no file: both at once.
timed_only() {
	bp policy delete web >/dev/null 2>&1
	bp policy create web >/dev/null && bp block --policy web udp/8 for 1h >/dev/null
}
# What is in force stays so until it is assigned.
after_replaced() {
	local got force

	got=$(ports 2>&1) force=$(verdicts "$(frame dport=8)")
	LOOKED+="$got "
	[[ $got = "$OLD" || $got = "$NEW" ]] || nok "killed at $1 $2" "$got"
	[ "$force" = b ] || nok "killed at $1 $2: in force" "$force"
	bp policy assign web >/dev/null || nok "killed at $1 $2: assign" "fail"
	[ "$(ports)" = "$got" ] || nok "killed at $1 $2: assigned" "$(ports)"
	force=$(verdicts "$(frame dport=8)")
	[ "$([ "$force" = b ] && echo "$OLD" || echo "$NEW")" = "$got" ] ||
		nok "killed at $1 $2: in force then" "$got: $force"
}
timed_assigned() { timed_only && bp policy assign web >/dev/null; }
echo 'block udp/7' >"$WORLD/seven"
WHERE=changes kills timed_only ports 8 7 policy import "$WORLD/seven" --name web --force
AFTER=after_replaced WHERE=changes kills timed_assigned ports 8 7 policy import "$WORLD/seven" --name web --force
expect_exit 0 bp policy assign local
# What waits to be put in its place, as it could not be written, does not come when it is thrown away.
timed_only
mkdir "$POLICIES/web.policy.new"
expect_exit 0 bp policy import "$WORLD/seven" --name web --force
expect_out 'policy file does not show it'
same "it is the new one" 7 "$(ports)"
rmdir "$POLICIES/web.policy.new"
expect_exit 0 bp policy delete web
expect_exit 0 bp policy assign local
bp block udp/9 >/dev/null
expect_exit 0 bp policy unassign
expect_exit 3 bp policy show web

# Thrown away while it is assigned: that, and out of force, is one step.
assigned() {
	bp policy create gone >/dev/null 2>&1
	bp block --policy gone udp/2000 >/dev/null
	bp policy assign gone >/dev/null
}
state_of_gone() {
	local stored force

	stored=$(bp policy list --json | jq -r '.policies[] | select(.name == "gone") | "stored,\(.assigned)"')
	force=$(verdicts "$(frame dport=2000)")
	bp policy show gone >/dev/null 2>&1
	echo "${stored:-gone},$force,$?"
}

# What comes next does right by either; THEN: which of these it is, in turn.
after_delete() {
	local got came

	bp status >/dev/null
	got=$(state_of_gone)
	SEEN+="$got "
	THEN=$(((THEN + 1) % 4))
	case $got,$THEN in
	stored,true,b,0,? | gone,p,3,0) return ;;
	gone,p,3,1) bp policy create gone && bp policy show gone && bp status ;;
	gone,p,3,2) bp policy rollback ;;
	gone,p,3,3) bp policy delete gone ;;
	*) false ;;
	esac >"$WORLD/then" 2>&1
	came="$?,$(state_of_gone),$(grep -c '^block' "$WORLD/then")"
	[[ $got,$THEN,$came =~ ^gone,p,3,(1,0,stored,false,p,0,0|2,0,stored,true,b,0,0|3,3,gone,p,3,0)$ ]] ||
		nok "delete: killed at $1 $2" "$got, then $THEN: $came"
}

SEEN='' THEN=0
[ -n "${KILL_EVERY:-}" ] || WHERE=changes
kill_each assigned after_delete policy delete gone
same "delete: assigned, or gone" "gone,p,3 stored,true,b,0" "$(tr ' ' '\n' <<<"$SEEN" | sort -u | xargs)"

# What waits for a policy's file, as that could not be written, goes with it, and comes before the next change of it.
waits() {
	bp policy delete gone >/dev/null 2>&1
	assigned
	mkdir "$POLICIES/gone.policy.new"
	bp block udp/2001 2>/dev/null >&2
	bp policy unassign 2>/dev/null >&2
	rmdir "$POLICIES/gone.policy.new"
	check "a change waits for the file" compgen -G "$BPFPOL_STATE_DIR/fold.*"
}
rules_of_gone() {
	bp policy unassign >/dev/null # a commit, in which what waited would come
	bp policy show gone --json | jq -r '[.rules[].filter] | join(",")'
}

waits
expect_exit 0 bp policy delete gone
expect_exit 3 bp policy delete gone
expect_exit 3 bp policy assign gone
same "it is not listed" "" "$(bp policy list | grep gone)"
expect_exit 0 bp policy create gone
same "a new one is empty" "" "$(rules_of_gone)"
waits
expect_exit 0 bp remove --policy gone udp/2001
same "what was taken out stays away" "in udp to port 2000" "$(rules_of_gone)"
waits
echo 'block udp/2002' >"$WORLD/gone"
expect_exit 0 bp policy import "$WORLD/gone" --name gone --force
same "what was put in its place is that" "in udp to port 2002" "$(rules_of_gone)"

finish
