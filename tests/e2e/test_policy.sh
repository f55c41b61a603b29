#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The policies of the store: made, listed, assigned, unassigned, thrown away. One is in force at
# most, and rules keep their numbers and counters.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$WORLD" || exit 1
POLICIES=$BPFPOL_CONF_DIR/policies

ids() {
	bp list --json | jq -c '[.rules[] | [.id, .filter]] | sort'
}

assigned() {
	bp policy list --json | jq -r '[.policies[] | select(.assigned).name] | join(" ")'
}

expect_exit 0 bp policy list
expect_out 'no policies yet'
expect_exit 0 bp policy create web --description "the web servers"
expect_out "^Policy 'web' is created, with 0 rules: $POLICIES/web.policy"
same "for root alone" "600 700" "$(stat -c %a "$POLICIES/web.policy" "$POLICIES" | xargs)"
expect_exit 5 bp policy create web
expect_exit 0 bp policy create dns --dry-run
expect_exit 3 bp policy show dns
expect_out "no policy 'dns'"
expect_exit 0 bp policy create dns
same "nothing is assigned by that" "" "$(assigned)"

# Rules of a policy that is not assigned: stored, and not in force.
expect_exit 0 bp block --policy web tcp/3306 --rule database
expect_out "Rule 1 added in policy 'web', which is not assigned: block in tcp to port 3306"
expect_exit 0 bp block --policy web tcp/3306
expect_out 'already there'
expect_exit 5 bp permit --policy web tcp/3306
expect_exit 0 bp block udp/1434 --policy web
expect_exit 0 bp block --policy=dns udp/53
expect_exit 3 bp block --policy nosuch udp/53
expect_json "said in JSON" '.outcome == "added" and .policy == "dns" and .in_force == false' \
	bp block --policy dns tcp/53 --json
passes dport=53
same "nothing is attached by that" 0 "$(run_in rx ip -o link show rx0 | grep -c xdp)"
expect_json "list" '[.policies[] | [.name, .assigned, .rules, .description]]
	== [["dns", false, 2, null], ["web", false, 2, "the web servers"]]' bp policy list --json
expect_exit 0 bp policy create Büro
OUT=$(bp policy list | sed -n 's/ *$//; 2,3p')
same "a letter of two bytes takes one column" "  Büro                            0
  dns                             2" "$OUT"
expect_exit 0 bp policy delete Büro
expect_json "their ids are known" '[.rules[] | [.id, .name]] == [[1, "database"], [2, null]]' \
	bp policy show web --json
expect_exit 0 bp remove --policy web --id 2 --dry-run
expect_exit 0 bp remove --policy web udp/1434
expect_exit 3 bp remove --policy web udp/1434
expect_exit 3 bp remove --policy web --id 2
expect_exit 0 bp block udp/1434 --policy web
expect_out "^Rule 5 added"

# Assigned: in force when the command returns, in place of the other.
expect_exit 0 bp policy assign web --dry-run
expect_out "'web' would be assigned: 2 rules"
same "a dry run assigns nothing" "" "$(assigned)"
expect_exit 0 bp policy assign web
expect_out '^Attached rx0: native XDP'
expect_out "^Policy 'web' is assigned and in force: 2 rules, 4 filters"
same "web" web "$(assigned)"
blocked proto=tcp dport=3306
blocked dport=1434
passes dport=53
same "rules and their ids" '[[1,"in tcp to port 3306"],[5,"in udp to port 1434"]]' "$(ids)"
expect_json "the label" '.rules[] | select(.id == 1).name == "database"' bp status --json
expect_json "dns takes its place" '.policy == "dns" and .unassigned == "web" and .rules == 2
	and .in_force' bp policy assign dns --json
same "dns" dns "$(assigned)"
passes proto=tcp dport=3306
blocked dport=53
blocked proto=tcp dport=53
same "its ids" '[[3,"in udp to port 53"],[4,"in tcp to port 53"]]' "$(ids)"
expect_exit 0 bp policy assign web
expect_out "^Policy 'dns' is unassigned"
same "the old ids" '[[1,"in tcp to port 3306"],[5,"in udp to port 1434"]]' "$(ids)"
same "and the old counters" 1 "$(counter packets "in udp to port 1434")"
expect_exit 0 bp policy assign web
same "none is unassigned by itself" 0 "$(grep -c unassigned <<<"$OUT")"

# Without its file it is in force all the same, and that is said.
mkdir "$WORLD/kept"
mv "$POLICIES"/*.policy "$WORLD/kept"
expect_exit 0 bp policy list
expect_out "the rules of the assigned policy stay in force.*web.policy is gone"
same "which is not none" 0 "$(grep -c 'no policies yet' <<<"$OUT")"
blocked dport=1434
mv "$WORLD/kept"/*.policy "$POLICIES"
expect_exit 0 bp policy list
same "nor is it said of one that is there" 0 "$(grep -c warning <<<"$OUT")"

# The file is the policy: what is edited by hand comes in force with `assign`, and not before.
sed -i '/1434/d' "$POLICIES/web.policy"
echo 'block udp/123' >>"$POLICIES/web.policy"
blocked dport=1434
passes dport=123
expect_json "what would change" '.from == null and .to == "web" and .changed == []
	and .removed == ["block in udp to port 1434"] and .added == ["block in udp to port 123"]' \
	bp policy diff web --in-force --json
expect_exit 0 bp policy diff web --in-force
expect_out '^- block in udp to port 1434$'
expect_out '^\+ block in udp to port 123$'
expect_exit 0 bp policy assign web
passes dport=1434
blocked dport=123
blocked proto=tcp dport=3306
same "what stayed keeps its counter" 2 "$(counter packets "in tcp to port 3306")"
same "a new rule has a new id" '[[1,"in tcp to port 3306"],[6,"in udp to port 123"]]' "$(ids)"
expect_exit 0 bp policy diff web --in-force
expect_out 'The rules are the same'
expect_exit 0 bp policy diff web dns
expect_out '^- block in tcp to port 3306 name "database"$'
expect_out '^\+ block in udp to port 53$'
expect_exit 3 bp policy diff web nosuch
expect_exit 2 bp policy diff web

# What is wrong with a policy keeps all as it is.
cp "$POLICIES/web.policy" good
BEFORE=$(snapshot)
printf 'block udp/99999\nblub\n' >>"$POLICIES/web.policy"
expect_exit 2 bp policy assign web
expect_out "^bpfpol: $POLICIES/web.policy:[0-9]+:11: .*99999"
expect_out "^bpfpol: $POLICIES/web.policy:[0-9]+:1: "
expect_exit 3 bp policy assign nosuch
expect_exit 2 bp policy assign
expect_exit 2 bp policy assign ../web
for i in {1..1100}; do echo "block tcp/$i-$((i + 2000))"; done >"$POLICIES/ranges.policy"
expect_exit 1 bp policy assign ranges
expect_out 'more than 1024 rules differ'
rm "$POLICIES/ranges.policy"
cp good "$POLICIES/web.policy"
unchanged "an assign that is refused" "$BEFORE"

# A rule for a while stands in no file; assigned again within its time it still holds.
# timed NAME: how many rules `policy list` counts of it, and how many of these are timed.
timed() {
	bp policy list --json | jq -c ".policies[] | select(.name == \"$1\") | [.rules, .timed]"
}
BEFORE=$(timed web)
expect_exit 0 bp block tcp/8080 for 1h
expect_out ': block in tcp to port 8080 for 1h$'
same "the list counts it" "$(jq -c 'map(. + 1)' <<<"$BEFORE")" "$(timed web)"
same "not in the file" 0 "$(bp policy export web | grep -c 8080)"
expect_exit 0 bp policy show web
expect_out '^# for 3[0-9]{3}s more: block in tcp to port 8080'
expect_exit 0 bp policy assign dns
passes proto=tcp dport=8080
expect_exit 0 bp block --policy web tcp/8081 for 1h
expect_out "in policy 'web', which is not assigned: block in tcp to port 8081 for 1h$"
same "the list counts those of a policy that is not assigned" \
	"$(jq -c 'map(. + 2)' <<<"$BEFORE")" "$(timed web)"
cp "$POLICIES/web.policy" good
for line in 'block tcp/8081' 'block tcp/8081 for 2h'; do
	echo "$line" >>"$POLICIES/web.policy"
	same "one that is a line by now, $line, is counted once" \
		"$(jq -c '[.[0] + 2, .[1] + 1]' <<<"$BEFORE")" "$(timed web)"
	cp good "$POLICIES/web.policy"
done
expect_exit 0 bp policy assign web
echo 'block tcp/8080' >>"$POLICIES/web.policy"
same "so is one of the policy that is assigned" "$(jq -c '[.[0] + 2, .[1] + 1]' <<<"$BEFORE")" "$(timed web)"
cp good "$POLICIES/web.policy"
blocked proto=tcp dport=8080
blocked proto=tcp dport=8081
expect_exit 0 bp policy assign web
blocked proto=tcp dport=8080
expect_exit 0 bp remove tcp/8080
expect_exit 0 bp remove tcp/8081
expect_exit 0 bp policy assign web
passes proto=tcp dport=8080

# `for` in a file counts from each assignment.
echo 'block tcp/8082 for 1h' >>"$POLICIES/web.policy"
expect_exit 0 bp policy assign web
expect_json "an hour from now" '[.rules[] | select(.filter == "in tcp to port 8082").expires_in]
	| .[0] > 3500' bp list --json
blocked proto=tcp dport=8082
same "the line stays as it is" 1 "$(grep -c '^block tcp/8082 for 1h$' "$POLICIES/web.policy")"
expect_exit 0 bp block tcp/8082 for 2h
expect_json "longer" '[.rules[] | select(.filter == "in tcp to port 8082").expires_in]
	| .[0] > 7000' bp list --json
expect_exit 0 bp policy assign web
expect_json "and no shorter" '[.rules[] | select(.filter == "in tcp to port 8082").expires_in]
	| .[0] > 7000' bp list --json
expect_exit 0 bp block tcp/8082
same "for good, in the file too" "block in tcp to port 8082" \
	"$(bp policy export web | grep 8082)"
expect_exit 0 bp remove tcp/8082

# A rule that `local` has already in its file, where none is assigned: it is, and in force.
expect_exit 0 bp policy unassign
expect_exit 0 bp block udp/4000
blocked dport=4000
for words in "" 'name again' "for 1h"; do
	expect_exit 0 bp policy unassign
	passes dport=4000
	# shellcheck disable=SC2086
	expect_exit 0 bp block udp/4000 $words
	expect_out "^Policy 'local' is assigned"
	blocked dport=4000
	same "assigned: local" local "$(assigned)"
	expect_exit 0 bp list
done
expect_exit 0 bp policy assign web

# Off: assigned on disk alone.
expect_exit 0 bp off
expect_exit 0 bp policy assign dns
expect_out "filtering is off"
passes dport=53
expect_exit 0 bp on
blocked dport=53
passes proto=tcp dport=3306

# Out of force, and thrown away: no filter stays in the kernel.
expect_exit 0 bp policy unassign --dry-run
blocked dport=53
expect_exit 0 bp policy unassign
expect_out "^Policy 'dns' is unassigned; it stays in the store\. No rule is in force\.$"
passes dport=53
expect_exit 0 bp policy unassign
expect_out 'No policy was assigned'
expect_json "no filters" '.policy == null and .rules == [] and .filters == []' \
	bp status --debug --json
expect_exit 0 bp policy assign web
expect_exit 0 bp policy delete web --dry-run
blocked proto=tcp dport=3306
expect_exit 0 bp policy delete web
expect_out "^Policy 'web' is unassigned\. No rule is in force\.$"
passes proto=tcp dport=3306
expect_json "no filters" '.policy == null and .filters == []' bp status --debug --json
expect_exit 3 bp policy delete web
same "its file is gone" 0 "$(find "$BPFPOL_CONF_DIR" "$BPFPOL_STATE_DIR" -name '*web*' | wc -l)"
expect_exit 3 bp policy assign web

# The next block with nothing assigned makes `local`, or takes the one that there is.
expect_exit 0 bp block udp/7
same "local" local "$(assigned)"
expect_exit 0 bp policy assign dns
expect_exit 0 bp policy unassign
expect_exit 0 bp block udp/8
expect_out "^Policy 'local' is assigned, with the rules that its file has"
blocked dport=7
blocked dport=8
passes dport=53

# A rule of a file that never had an id gets one of its own when it is changed there.
echo 'block udp/501' >"$BPFPOL_CONF_DIR/policies/late.policy"
expect_exit 0 bp block udp/501 --policy late --rule changed
expect_exit 0 bp block udp/502
expect_exit 0 bp policy assign late
expect_exit 0 bp policy rollback
same "it is given once" "1" "$(bp policy show late --json | jq --argjson now "$(bp list --json)" \
	'[.rules[].id] - [$now.rules[].id] | length')"

# What is said of rules that have no id yet is true: a number that is said is given, and the way out leads there.
printf 'block udp/601\nblock udp/602\nblock 10.6.0.0/16\n' >"$BPFPOL_CONF_DIR/policies/not yet.policy"
bp remove udp/601 --policy "not yet" --json >"$WORLD/gone"
bp block udp/602 --policy "not yet" --json >"$WORLD/there"
bp block udp/603 --policy "not yet" --json >"$WORLD/new"
same "no number is said of two rules" 3 "$(jq -s '[.[0].ids[0], .[1].id, .[2].id] | unique | length' \
	"$WORLD/gone" "$WORLD/there" "$WORLD/new")"
same "it is the number that is shown" "$(jq .id "$WORLD/there")" \
	"$(bp policy show "not yet" --json | jq '.rules[] | select(.filter | endswith("602")).id')"
expect_exit 3 bp remove permit udp/602 --policy "not yet"
expect_out "no rule of that action has that match; 'block in udp to port 602' in policy 'not yet' does:"
expect_exit 5 bp permit udp/602 --policy "not yet"
expect_out "remove block in udp to port 602 --policy 'not yet''"
expect_exit 0 bp remove block in udp to port 602 --policy "not yet"
expect_exit 3 bp remove 10.6.1.0/24 --policy "not yet"
expect_out "remove block in from 10.6.0.0/16 --policy 'not yet''"
expect_exit 0 bp remove block in from 10.6.0.0/16 --policy "not yet"
expect_exit 3 bp remove udp/601 --policy "not yet"
expect_out "policy show 'not yet''"

finish
