#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `policy rollback`: the last change is undone, whichever it was, and the undoing by the next one.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$WORLD" || exit 1
POLICIES=$BPFPOL_CONF_DIR/policies
mkdir -m 700 "$BPFPOL_CONF_DIR" "$POLICIES"

# rules: ids and filters in force.
rules() {
	bp status --json | jq -c '[.rules[] | [.id, .filter]] | sort'
}

assigned() {
	bp status --json | jq -r '.policy.name // "none"'
}

expect_exit 3 bp policy rollback
expect_out 'no earlier policy to go back to'
expect_exit 2 bp policy rollback now
expect_exit 0 bp help policy rollback

# The first change of all.
bp block udp/1434 >/dev/null
blocked dport=1434
expect_exit 0 bp policy rollback
expect_out "^As before the last change, no policy is assigned"
passes dport=1434
same "nothing is assigned" none "$(assigned)"
same "its line has left the file" 0 "$(grep -c 1434 "$POLICIES/local.policy")"
expect_exit 0 bp policy rollback
blocked dport=1434
same "the undoing is undone" '[[1,"in udp to port 1434"]]' "$(rules)"
same "and its line is back" 1 "$(grep -c 'udp to port 1434' "$POLICIES/local.policy")"

# Changes in place: each is a step, but only the last one is undone.
ONE=$(rules)
bp block udp/2000 >/dev/null
TWO=$(rules)
bp block udp/2001 name "wrong" >/dev/null
expect_exit 0 bp policy rollback
expect_out "'local' is as it was before the last change, and in force: 2 rules, 4 filters"
same "one rule less" "$TWO" "$(rules)"
passes dport=2001
blocked dport=2000
blocked dport=1434
same "the counter goes on" 3 "$(counter packets "in udp to port 1434")"
same "its line is not in the file" 0 "$(grep -c 2001 "$POLICIES/local.policy")"
same "the others' are" 2 "$(grep -c '1434\|2000' "$POLICIES/local.policy")"
expect_exit 0 bp policy rollback
blocked dport=2001
same "with its name" '["wrong"]' "$(bp status --json | jq -c '[.rules[].name | select(.)]')"
bp policy rollback >/dev/null
same "a rollback back and forth" "$TWO" "$(rules)"
bp remove udp/2000 >/dev/null
passes dport=2000
expect_exit 0 bp policy rollback
blocked dport=2000
same "what was removed has its number again" "$TWO" "$(rules)"
same "and its counters" 2 "$(counter packets "in udp to port 2000")"
bp remove udp/2000 >/dev/null
same "one is left" "$ONE" "$(rules)"
bp policy rollback >/dev/null

# Nor does an assignment that finds the policy as it is: it has changed nothing that could be undone.
sed -i '1i description "of no rule"' "$POLICIES/local.policy"
bp block udp/2004 for 1h >/dev/null # which no line of the file holds
TWO=$(rules)
bp block udp/2002 name "again" >/dev/null
for i in "policy assign local" "ipsecpol -w REG -p local -x"; do
	# shellcheck disable=SC2086
	expect_exit 0 bp $i
	expect_exit 0 bp policy rollback
	same "$i: what is undone is the change before" "$TWO" "$(rules)"
	expect_exit 0 bp policy rollback
	same "$i: and back" 4 "$(rules | jq length)"
done
echo 'block udp/2003' >>"$POLICIES/local.policy"
expect_exit 0 bp policy assign local
expect_exit 0 bp policy rollback
same "one that finds it edited is a change" 4 "$(rules | jq length)"
expect_exit 0 bp policy assign local
expect_exit 0 bp policy rollback
sed -i '/2003/d' "$POLICIES/local.policy"
bp remove udp/2002 >/dev/null
same "as before" "$TWO" "$(rules)"
bp remove udp/2004 >/dev/null
TWO=$(rules)

# A journal that was read into the state in between hides nothing.
bp block udp/2002 >/dev/null
bp policy create other >/dev/null
bp block --policy other udp/53 >/dev/null
rm -r "$BPFPOL_BPFFS"
run_in rx ip link set rx0 xdp off 2>/dev/null
printf 'torn' >>"$BPFPOL_STATE_DIR/journal"
bp restore >/dev/null 2>&1
same "the torn tail is cleared up" 0 "$(grep -c torn "$BPFPOL_STATE_DIR/journal")"
same "by a commit" 1 "$(grep -c '^previous .* cut ' "$BPFPOL_STATE_DIR/state")"
blocked dport=2002
expect_exit 0 bp policy rollback
passes dport=2002
same "the change before the reboot is undone" "$TWO" "$(rules)"

# Lists: changed by way of the store.
echo 198.51.100.1 >list
bp block @list >/dev/null
echo 198.51.100.2 >list
bp block @list >/dev/null
passes src=198.51.100.1
expect_exit 0 bp policy rollback
blocked src=198.51.100.1
passes src=198.51.100.2
bp remove @list >/dev/null
rm list
expect_exit 0 bp policy rollback
blocked src=198.51.100.1
bp remove block "@$WORLD/list" >/dev/null
passes src=198.51.100.1

# An assignment: the policy before it, with what was added to it; files stay as they are.
LOCAL=$(rules)
bp policy rollback >/dev/null
bp policy rollback >/dev/null
printf '# mine\nblock udp/3000\n' >"$POLICIES/web.policy"
bp policy assign web >/dev/null
WEB=$(rules)
printf '# mine\nblock udp/3001\n' >"$POLICIES/web.policy"
bp policy assign web >/dev/null
passes dport=3000
expect_exit 0 bp policy rollback
blocked dport=3000
passes dport=3001
same "as it was assigned first" "$WEB" "$(rules)"
same "the file is as it was edited" $'# mine\nblock udp/3001' "$(cat "$POLICIES/web.policy")"
bp policy assign local >/dev/null
same "local" "$LOCAL" "$(rules)"
before=$(snapshot)
expect_exit 0 bp policy rollback --dry-run
expect_out "'local' would be unassigned"
expect_out "'web' would be as it was before the last change: 1 rules"
unchanged "a dry run" "$before"
expect_json "in JSON" '.outcome == "rolled back" and .policy == "web" and .unassigned == "local"
	and .rules == 1 and .filters == 2 and .in_force' bp policy rollback --json
same "web is back" web "$(assigned)"
same "with its rules" "$WEB" "$(rules)"
bp policy unassign >/dev/null
passes dport=3000
expect_exit 0 bp policy rollback
blocked dport=3000

# Where nothing is attached it is not in force.
bp block udp/3003 >/dev/null
bp detach rx0 >/dev/null
expect_exit 0 bp policy rollback
expect_out 'as it was before the last change: 1 rules; no interface is filtered'
expect_json "nor in JSON" '.in_force == false' bp policy rollback --json
bp policy rollback >/dev/null
expect_exit 0 bp attach rx0
blocked dport=3000
passes dport=3003

# While filtering is off, on disk alone.
bp block udp/3002 >/dev/null
bp off >/dev/null
expect_exit 0 bp policy rollback
expect_out "filtering is off"
passes dport=3000
bp on >/dev/null
blocked dport=3000
passes dport=3002
same "as it was" "$WEB" "$(rules)"

# A rule whose time is over does not come back; one whose time goes on has it again.
bp block udp/3003 for 1h >/dev/null
bp remove udp/3003 >/dev/null
expect_exit 0 bp policy rollback
blocked dport=3003
check "with its time" [ "$(bp status --json | jq '[.rules[].expires_in // 0] | max')" -gt 3500 ]

same "nothing is left over" "" \
	"$(cd "$BPFPOL_STATE_DIR" && find . -name '*.new' -o -name 'fold.*')"

# A policy that was deleted while it was assigned: its file is back, too.
bp policy create gone --description "once" >/dev/null
bp block tcp/4000 name "kept" --policy gone >/dev/null
bp block tcp/4001 --for 2h --policy gone >/dev/null
bp policy assign gone >/dev/null
BEFORE=$(rules)
bp policy delete gone >/dev/null
expect_exit 3 bp policy show gone
expect_exit 0 bp policy rollback
expect_out "warning: the policy's file is written anew"
same "a deleted policy: in force" "$BEFORE" "$(rules)"
expect_json "and on the shelf" '[.policies[] | select(.assigned).name] == ["gone"]' bp policy list --json
expect_exit 0 bp policy show gone
expect_out 'block in tcp to port 4000 name "kept"'
expect_exit 0 bp policy assign gone
same "a deleted policy: assigned again" "$BEFORE" "$(rules)"

# The first rule of all, where it is a timed one, which no file holds: the next first rule does not bring it again.
fresh_bpffs
rm -rf "$BPFPOL_STATE_DIR" "$POLICIES"
bp block udp/1435 --for 2h >/dev/null
blocked dport=1435
expect_exit 0 bp policy rollback
passes dport=1435
same "a timed rule has left the policy" 0 "$(bp policy show local | grep -c 1435)"
bp block udp/1434 >/dev/null
blocked dport=1434
passes dport=1435
bp policy rollback >/dev/null
bp block udp/1435 --for 2h --confirm 60 >/dev/null
blocked dport=1435
expect_exit 0 bp policy rollback
same "so it has when it was on trial" 0 "$(bp policy show local | grep -c 1435)"
bp block udp/1435 --for 2h >/dev/null
bp policy rollback >/dev/null
expect_exit 0 bp policy rollback
blocked dport=1435
same "the undoing of that is undone" 1 "$(bp policy show local | grep -c 'for .* more: .*1435')"

# A rule that got its id while its policy was not assigned keeps it, though a rollback brings the policy as it was.
bp policy create other >/dev/null
bp policy assign other >/dev/null
ID=$(bp block udp/1437 --policy local --json | jq .id)
expect_exit 0 bp policy rollback
passes dport=1437
expect_exit 0 bp policy assign local
blocked dport=1437
same "the same rule has the same id" "$ID" "$(bp list --json | jq '.rules[] | select(.filter | test("1437")).id')"
bp block udp/1438 >/dev/null
same "ids are given once" "" "$(bp list --json | jq '.rules[].id' | sort | uniq -d)"

# So is the deletion of one without rules undone.
for name in empty other; do
	bp policy create $name >/dev/null 2>&1
	bp policy assign $name >/dev/null
done
bp policy delete empty >/dev/null
expect_exit 0 bp policy rollback --dry-run
same "a dry run brings no file" 0 "$(bp policy list --json | jq '[.policies[] | select(.name == "empty")] | length')"
expect_exit 0 bp policy rollback
expect_json "the empty policy is there, and assigned" '[.policies[] | select(.name == "empty") | .assigned] == [true]' \
	bp policy list --json

# A timed rule that is to stay for good has a line from then on; where that is taken back, the line goes, too.
fresh_bpffs
rm -rf "$BPFPOL_STATE_DIR" "$POLICIES"
bp block udp/1435 --for 2h >/dev/null
bp block udp/1435 --confirm 60 >/dev/null
same "on trial it has a line" 1 "$(grep -c 1435 "$POLICIES/local.policy")"
expect_exit 0 bp policy rollback
same "after it, it has none" 0 "$(grep -c 1435 "$POLICIES/local.policy")"
expect_json "and its time again" '[.rules[].expires_in != null] == [true]' bp list --json
bp block udp/1435 >/dev/null
expect_exit 0 bp policy rollback
same "nor has it one where it was not on trial" 0 "$(grep -c 1435 "$POLICIES/local.policy")"
expect_exit 0 bp policy rollback
same "the undoing of that is undone: the line" 1 "$(grep -c 1435 "$POLICIES/local.policy")"
expect_json "and no time" '[.rules[].expires_in] == [null]' bp list --json

# What stood in the file before the change stands there after it is undone.
lines() {
	grep -c "$1" "$POLICIES/local.policy"
}

fresh_bpffs
rm -rf "$BPFPOL_STATE_DIR" "$POLICIES"
mkdir -m 700 "$POLICIES"
echo 'block udp/77 name "mine"  # why' | tee "$POLICIES/local.policy" >"$POLICIES/web.policy"
bp block udp/77 name theirs --confirm 60 >/dev/null
expect_exit 0 bp policy rollback
same "local was not assigned: its rule is not lost by a trial" 1 "$(lines '77.*# why')"
bp ipsecpol -w REG -p web -r theirs -f '*=0:77:UDP' -n BLOCK -x >/dev/null
bp ipsecpol -w REG -p local -r theirs -f '*=0:78:UDP' -n BLOCK -x >/dev/null
expect_exit 0 bp policy rollback
same "nor by ipsecpol, which takes away what it added alone" "1 0" "$(lines 77) $(lines 78)"
bp policy assign local >/dev/null
echo 'block udp/79 # mine' >>"$POLICIES/local.policy"
bp block udp/79 >/dev/null
expect_exit 0 bp policy rollback
passes dport=79
same "nor is a line that was written by hand and not in force yet" 1 "$(lines 'udp/79 # mine')"
bp policy assign local >/dev/null
bp remove udp/79 >/dev/null
expect_exit 0 bp policy rollback
blocked dport=79
same "a line that comes back has its words" 1 "$(lines 'udp/79 # mine')"

# A change that the journal alone has is not put down with what waits for another policy's file.
fresh_bpffs
rm -rf "$BPFPOL_STATE_DIR" "$POLICIES"
mkdir -m 700 "$POLICIES"
echo 'block udp/81' >"$POLICIES/one.policy"
printf 'block udp/82\nblock udp/83\n' >"$POLICIES/two.policy"
bp policy assign one >/dev/null
bp block udp/84 >/dev/null
run_in rx strace -f -qq -o /dev/null -P "$POLICIES/one.policy.new" -e inject=openat:error=ENOSPC \
	"$BPFPOL" policy assign two >"$WORLD/said" 2>&1
check "the file of the policy before waits" grep -q warning "$WORLD/said"
bp remove udp/83 >/dev/null
expect_exit 0 bp block udp/85 --policy one
expect_exit 0 bp policy rollback
bp policy assign one >/dev/null
same "what waited came, too" "1 1" "$(grep -c 84 "$POLICIES/one.policy") $(grep -c 85 "$POLICIES/one.policy")"
expect_exit 0 bp policy assign two
blocked dport=83

finish
