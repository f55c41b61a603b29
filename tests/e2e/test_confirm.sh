#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `policy assign --confirm`: unconfirmed in time the rules before are back, by the kernel alone, and
# every report says what judges; confirmed they stay; taken back they go at once.
# shellcheck disable=SC2317 # functions are called by check and until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/two.sh
. "$(dirname "$0")/two.sh"
# shellcheck source=tests/e2e/agent.sh
. "$(dirname "$0")/agent.sh"

OUT_FRAMES=("$(frame "${BACK[@]}" dport=2001)" "$(frame "${BACK[@]}" dport=2002)"
	"$(frame "${BACK[@]}" dport=1434)" "$(frame "${BACK[@]}" dport=9)")
for p in a b; do sed 's/block/block out/' "$POLICIES/$p.policy" >"$WORLD/$p.out"; done
cat "$WORLD/a.out" >>"$POLICIES/a.policy"
cat "$WORLD/b.out" >>"$POLICIES/b.policy"

# verdict: a or b: what judges, in and out.
verdict() {
	local in out

	in=$(verdicts "${FRAMES[@]}")
	out=$(FROM=rx TX=rx0 TO=tx RX=tx0 verdicts "${OUT_FRAMES[@]}")
	case "$in $out" in
	"bpbp bpbp") echo a ;;
	"pbbp pbbp") echo b ;;
	"pppp pppp") echo none ;;
	*) echo "in $in out $out" ;;
	esac
}

judges() {
	[ "$(verdict)" = "$1" ]
}

# reported: the policy that the reports name; it says so if they differ.
reported() {
	local list status netdiag

	list=$(bp list | grep -cE "udp to port 200[$([ "$1" = a ] && echo 1 || echo 2)]")
	status=$(bp status --json | jq -r '.policy.name')
	netdiag=$(bp netdiag /test:ipsec | sed -n "s/.*Active: '\(.*\)'/\1/p")
	echo "$status $netdiag $list"
}

field() {
	bp status --json | jq -r "$1"
}

# total: packets that the rule on both policies has counted.
total() {
	field '[.rules[] | select(.filter | test("1434")).packets] | add'
}

expect_exit 3 bp policy confirm
expect_out 'nothing awaits confirmation'
expect_exit 2 bp policy assign a --confirm 0
expect_exit 2 bp policy assign a --confirm 1m
expect_out '1 to 604800'
expect_exit 2 bp policy assign a --confirm
expect_exit 2 bp policy confirm now
expect_exit 0 bp attach rx0
bp policy assign a >/dev/null
same "a judges" a "$(verdict)"

# --- it goes back by itself

expect_exit 0 bp policy assign b --confirm 3
expect_out "It goes back by itself in 3 s"
same "b judges" b "$(verdict)"
check "a goes back by itself, and nobody is there" until_true judges a
same "a judges, in and out" a "$(verdict)"
# Who only reads sees it, before anybody has written anything down.
same "on disk it is b still" 1 "$(grep -c '^assigned b' "$BPFPOL_STATE_DIR/state")"
same "netdiag says a" "'a'" "$(bp netdiag /test:ipsec | grep -o "'.*'")"
same "netdiag wrote nothing" 1 "$(grep -c '^assigned b' "$BPFPOL_STATE_DIR/state")"
same "policy list says a" a "$(bp policy list --json | jq -r '.policies[] | select(.assigned).name')"
same "list: of a alone" "2 0" "$(bp list | grep -c 2001) $(bp list | grep -c 2002)"
same "on disk, too, from then on" 1 "$(grep -c '^assigned a' "$BPFPOL_STATE_DIR/state")"
same "all reports" "a a 2" "$(reported a)"
same "status --debug: the kernel's filters" "[1434,2001]" \
	"$(bp status --debug --json | jq -c '[.filters[].local_ports[0] // .filters[].remote_ports[0]] | unique')"
OUT=$(bp status)
expect_out 'was not confirmed in time and went back by itself, [0-9]+ s ago'
check "in JSON" [ "$(field .went_back)" -lt 60 ]
expect_exit 3 bp policy confirm
expect_out 'went back by itself'
expect_exit 3 bp policy rollback
same "and stay so" a "$(verdict)"

# --- confirmed, it stays

expect_exit 0 bp policy assign b --confirm 60
expect_json "status: seconds left" '.policy.confirm_in > 50 and .policy.confirm_in <= 60' \
	bp status --json
OUT=$(bp status)
expect_out 'awaits confirmation and goes back by itself in [0-9]+ s'
same "explain asks b" block "$(bp explain udp/2002 from "$TX4" to "$RX4" --json | jq -r .verdict)"
same "explain: not a" pass "$(bp explain udp/2001 from "$TX4" to "$RX4" --json | jq -r .verdict)"
expect_exit 0 bp policy confirm --dry-run
expect_json "confirmed" '.outcome == "confirmed" and .policy == "b"' bp policy confirm --json
same "nothing awaits" null "$(field .policy.confirm_in)"
same "b judges" b "$(verdict)"
same "nothing is left over" "1 1" \
	"$(find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*' | wc -l) $(find "$BPFPOL_BPFFS" -maxdepth 1 -name spare | wc -l)"
expect_exit 3 bp policy confirm
expect_exit 0 bp policy rollback
same "a confirmed change can still be undone" a "$(verdict)"

# --- until then nothing else

bp policy assign b --confirm 600 >/dev/null
before=$(snapshot)
for words in "block udp/7" "permit udp/7" "count udp/7" "remove udp/2002" "policy assign a" \
	"policy unassign" "policy delete b" "attach rx0" "detach rx0"; do
	# shellcheck disable=SC2086
	expect_exit 5 bp $words --dry-run
	# shellcheck disable=SC2086
	expect_exit 5 bp $words
	expect_out "policy confirm.*policy rollback.*in (59[0-9]|600) s"
done
unchanged "what is refused" "$before"
expect_exit 0 bp policy rollback --dry-run
unchanged "a dry run" "$before"
expect_exit 0 bp policy rollback
expect_out "'a' is as it was before the last change, and in force"
same "taken back at once" a "$(verdict)"
same "nobody says that it did so by itself" null "$(field .went_back)"
expect_exit 3 bp policy rollback
same "there is nothing more to take back" a "$(verdict)"
expect_exit 0 bp block udp/7
blocked dport=7
expect_exit 0 bp policy rollback
passes dport=7

# --- counters, exactly: of a rule that stands before and after, with one number, whichever judges

edit() {
	sed -i "s/200[0-9]/$1/" "$POLICIES/a.policy"
}
COUNT=$(total)
for way in back keep; do
	edit 2003
	bp policy assign a --confirm 600 >/dev/null
	verdict >/dev/null
	same "$way: before" $((COUNT + 2)) "$(total)"
	if [ $way = back ]; then bp policy rollback >/dev/null; else bp policy confirm >/dev/null; fi
	same "$way: none is lost" $((COUNT + 2)) "$(total)"
	verdict >/dev/null
	COUNT=$((COUNT + 4))
	same "$way: after" "$COUNT" "$(total)"
done
edit 2001
bp policy assign a --confirm 1 >/dev/null
N=1
until verdict | grep -q '^in ppbp'; do N=$((N + 1)); done
same "by itself" $((COUNT + 2 * N)) "$(total)"
verdict >/dev/null
same "by itself: after" $((COUNT + 2 * N + 2)) "$(total)"
bp policy assign a >/dev/null

# --- beside dynamic rules, whose classifier comes first; and the agent puts the disk in step by itself

start_agent
bp block udp/5555 --dynamic >/dev/null
bp policy assign b --confirm 3 >/dev/null
same "dynamic rules beside those on trial" b "$(verdict)"
expect_exit 0 bp block udp/5556 --dynamic
blocked dport=5556
kill -STOP "$AGENT" # it has no part in it
check "it goes back behind dynamic rules, too" until_true judges a
blocked dport=5555
kill -CONT "$AGENT"
agent_wrote() {
	grep -q '^assigned a' "$BPFPOL_STATE_DIR/state"
}
check "the agent has put the disk in step" until_true agent_wrote
stop_agent TERM
same "and without it" a "$(verdict)"

# --- filtering is off

bp off >/dev/null
expect_exit 5 bp policy assign b --confirm 60
expect_out 'filtering is off'
bp on >/dev/null
bp policy assign b --confirm 600 >/dev/null
expect_exit 0 bp off
same "off is off" none "$(verdict)"
expect_exit 0 bp on
same "on in that time" b "$(verdict)"
check "it still awaits" [ "$(field .policy.confirm_in)" -gt 0 ]
bp off >/dev/null
expect_exit 0 bp policy rollback
expect_exit 0 bp on
same "taken back while it was off" a "$(verdict)"

# --- at the last moment: what is said of the end is so when it is said

# at_the_eve BYTE: `policy confirm` that looks when there are milliseconds left until the time there in ctl.
at_the_eve() {
	local by

	by=$("$BPFTOOL" -j map lookup pinned "$BPFPOL_BPFFS/ctl" key 0 0 0 0 |
		jq -r --argjson at "$1" '.value[$at:$at + 8] | reverse | map(ltrimstr("0x")) | join("")')
	EVE=$((16#$by)) LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD:}$TOP/build/tests/eve.so" \
		expect_exit 3 bp policy confirm
	same "and then it is over" 0 "$(grep -c 'ended early' <<<"$OUT")"
}
expect_exit 0 bp policy assign a
expect_exit 0 bp policy assign b --confirm 2
at_the_eve 48
same "what was before judges" a "$(verdict)"
expect_exit 0 bp off --confirm 2
expect_exit 5 bp block udp/7
expect_out "'bpfpol on' starts it again"
expect_exit 5 bp block udp/7 --dry-run
expect_out "'bpfpol on' starts it again"
at_the_eve 0
same "and so it does behind off" a "$(verdict)"
finish
