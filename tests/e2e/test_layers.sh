#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Rules of both layers in every report, and `explain` asks both. What dynamic rules say is told by who
# sits in the agent's place (teller.py); where nobody does, they are put together from what the kernel
# holds.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/holding.sh
. "$(dirname "$0")/holding.sh"

PORTS=$(seq -s, 3000 2 9000) # too many to be put together
MANY=$(seq -s, 1600 2 1678) # enough that a change takes a while
FRIEND=1000000 TIE=1000001 SUBNET=1000002 COUNT=1000003 OUTWARD=1000004

# quiet ARGUMENT...: its warnings are left in $WORLD/err.
quiet() {
	bp "$@" 2>"$WORLD/err"
}

# warned PATTERN: the last quiet one did.
warned() {
	if grep -qE -- "$1" "$WORLD/err"; then ok "warns: $1"; else nok "warns: $1" "$(cat "$WORLD/err")"; fi
}

# silent: and it did not.
silent() {
	same "and no warning" "" "$(cat "$WORLD/err")"
}

# ids [FILTER]: of the rules in the list's order.
ids() {
	quiet list --json | jq -r ".rules[] | ${1:-.} | .id" | tr '\n' ' '
}

# expect_explain DESC FILTER PACKET...
expect_explain() {
	expect_json "explain: $1" "$2" quiet explain --json "${@:3}"
}

# shellcheck disable=SC2317 # called by until_true
none_listed() {
	[ -z "$(ids 'select(.layer == "dynamic")')" ]
}

# --- with nobody who tells

expect_exit 0 bp block udp/1434
expect_exit 0 bp block udp/1436
expect_json "no dynamic rule, and the policy's own numbers" \
	'.dynamic == { "rules": 0, "filters": 0 } and .policy.rules == 2 and .policy.filters == 4' \
	bp status --json
hold_begin
expect_json "a layer without rules" '.dynamic.rules == 0 and (.rules | length) == 2' quiet status --json
silent
expect_exit 0 bp policy unassign --dry-run
expect_out ' No rule would be in force\.$'
does "add permit udp/1434 from $TX4"
does "add permit udp/1436"
does "add block 198.51.100.0/24"
does "add count udp"
does "add block out udp/1440"
passes dport=1434
passes dport=1436
blocked "${V6[@]}" dport=1434
blocked src=198.51.100.9 dport=9

expect_exit 0 bp list
expect_out "^bpfpol: warning: dynamic rules are shown as the kernel has them, without their labels: there is no agent"
expect_out "^$FRIEND +1 +[0-9]+  dynamic +-  permit in udp from $TX4 to port 1434\$"
expect_out "^ +1 +1 +[0-9]+  static  +-  block in udp to port 1434\$"
expect_out "^$COUNT +[0-9]+ +[0-9]+  dynamic +-  count in udp\$"
same "most specific first across both, dynamic before static" \
	"$FRIEND $SUBNET $TIE 1 2 $OUTWARD $COUNT " "$(ids)"
warned "there is no agent"
same "each by its layer" "$FRIEND $SUBNET $TIE $OUTWARD $COUNT " "$(ids 'select(.layer == "dynamic")')"
expect_json "counters of both" '[.rules[].packets] == [1, 1, 1, 1, 0, 0, 4]' quiet list --json

expect_json "the policy's rules are the static ones" '.policy.rules == 2 and .policy.filters == 4 and
	.dynamic == { "rules": 5, "filters": 8 } and (.rules | length) == 7' quiet status --json
expect_exit 0 bp status
expect_out "^Policy 'local' \(local\): 2 rules, 4 filters"
expect_out "^Dynamic rules of the agent: 5, 8 filters"
expect_json "the filters of both, by their layer" '(.filters | length) == 12 and
	([.filters[] | select(.layer == "dynamic").rule] | unique | length) == 5 and
	([.filters[] | select(.layer == "static").rule] | unique) == [1, 2]' quiet status --debug --json
expect_exit 0 bp status --debug
expect_out "^$SUBNET +1 +[0-9]+  dynamic  block in ipv4 remote 198.51.100.0/24 local 0.0.0.0/0\$"

expect_exit 0 quiet metrics # the warning may come in the midst of a long output
expect_out '^bpfpol_rules 2$'
expect_out '^bpfpol_dynamic_rules 5$'
expect_out '^bpfpol_dynamic_filters 8$'
expect_out "^bpfpol_rule_packets_total\{id=\"$FRIEND\",action=\"permit\"\} 1\$"
expect_out "^bpfpol_rule_info\{id=\"$TIE\",action=\"permit\",direction=\"in\",filter=\"in udp to port 1436\",name=\"\",layer=\"dynamic\"\} 1\$"

expect_json "top has both" '([.rules[].rule.layer] | sort) == ["dynamic", "dynamic", "dynamic", "dynamic",
	"dynamic", "static", "static"]' quiet top --once --json --interval 0.1
expect_exit 0 bp top --once --interval 0.1
expect_out " \[dynamic\] permit in udp to port 1436\$"
expect_out " block in udp to port 1434\$"

expect_explain "a dynamic rule wins, a static one loses" '.verdict == "pass" and .rule.id == 1000000 and
	.rule.layer == "dynamic" and .rule.packets == 1 and [.also_matched[].id] == [1, 1000003] and
	[.also_matched[].layer] == ["static", "dynamic"]' udp from "$TX4" to "$RX4" port 1434
expect_explain "a full tie is the dynamic one's" '.verdict == "pass" and .rule.id == 1000001 and
	[.also_matched[].id] == [2, 1000003]' udp from "$TX6" to "$RX6" port 1436
expect_explain "a static rule wins" '.verdict == "block" and .rule.id == 1 and .rule.layer == "static" and
	[.also_matched[].id] == [1000003]' udp from "$TX6" to "$RX6" port 1434
expect_explain "what leaves" '.verdict == "block" and .rule.id == 1000004 and .also_matched == []' \
	out udp from "$RX4" to "$TX4" port 1440
expect_explain "no rule matches" '.verdict == "pass" and .rule == null and .also_matched == []' \
	tcp from "$TX4" to "$RX4" port 1434
expect_exit 0 bp explain udp from "$TX4" to "$RX4" port 1434
expect_out "^PASS\$"
expect_out "^  reason +rule $FRIEND permits it: the most specific of the 2 that match"
expect_out "^  wins +$FRIEND \(dynamic\): permit in udp"
expect_out "^  loses +1 \(static\): block in udp"
expect_exit 0 bp block emergency udp from "$TX4"
expect_explain "an emergency outranks the layer" '.verdict == "block" and .rule.layer == "static" and
	.rule.id != 1 and [.also_matched[].id] == [1000000, 1, 1000003]' udp from "$TX4" to "$RX4" port 1434
blocked dport=1434
expect_exit 0 bp remove emergency udp from "$TX4"
echo "permit udp/1434" >"$WORLD/other.policy"
expect_exit 0 bp policy import "$WORLD/other.policy"
expect_explain "another policy, beside the dynamic rules" '.verdict == "block" and .rule.id == 1000002 and
	[.also_matched[].layer] == ["static", "dynamic"]' \
	--policy other udp from 198.51.100.7 to "$RX4" port 1434

# A capture, by both.
"$PKT" pcap micro 1 "$(frame dport=1434)" "$(frame dport=1435)" "$(frame "${V6[@]}" dport=1434)" \
	"$(frame src=198.51.100.9 dport=1434)" "$(frame "${V6[@]}" dport=1436)" >"$WORLD/both.pcap"
expect_json "a capture by rules of both" '.totals.blocked == 2 and .totals.passed == 3 and .checked == 5 and
	([.rows[] | select(.rule).rule | [.id, .layer]] | sort) == [[1, "static"], [1000000, "dynamic"],
	[1000001, "dynamic"], [1000002, "dynamic"]]' quiet explain --json --pcap "$WORLD/both.pcap"

# Windows' list.
debug() {
	quiet netdiag /test:ipsec /debug "$@"
}
OUT=$(debug)
expect_out "^There are 10 filters\$"
same "and so many are listed" 10 "$(grep -c '^No Name$' <<<"$OUT")"
same "six of them dynamic" 6 "$(grep -c '^Dynamic : Yes$' <<<"$OUT")"
expect_json "two policies' ids" '([.filters[] | select(.layer == "dynamic").policy_id] | unique | length) == 1
	and ([.filters[].policy_id] | unique | length) == 2' debug --json
GUIDS=$(debug --json | jq -r '.filters[].filter_id' | sort)
same "no id twice" 10 "$(sort -u <<<"$GUIDS" | wc -l)"
does load
same "ids stay" "$GUIDS" "$(debug --json | jq -r '.filters[].filter_id' | sort)"

# Nothing assigned.
expect_exit 0 bp policy unassign --dry-run
expect_out ' No static rule would be in force; dynamic rules would still apply\.$'
expect_exit 0 bp policy delete local --force --dry-run
expect_out ' No static rule would be in force; dynamic rules would still apply\.$'
expect_exit 0 bp policy unassign
expect_out ' No static rule is in force; dynamic rules still apply\.$'
expect_exit 0 bp list
expect_out "^No policy is assigned; these rules are gone when the agent ends"
expect_json "the policy is none, the rules are there" '.policy == null and (.rules | length) == 5 and
	.dynamic.rules == 5' quiet status --json
OUT=$(debug)
expect_out "^IPSec policy service is active, but no policy is assigned.\$"
expect_out "^There are 6 filters\$"
expect_explain "by them alone" '.verdict == "block" and .rule.id == 1000002 and .in_force and .policy == null' \
	udp from 198.51.100.7 to "$RX4" port 9
expect_explain "and nothing else" '.verdict == "pass" and .rule == null and [.also_matched[].id] == [1000003]' \
	udp from "$TX4" to "$RX4" port 1435
expect_exit 0 bp policy assign local

# What status has to say of `me`, it says of dynamic rules as well.
ME='[.interfaces[] | select(.name == "rx0").notes[] | select(contains("'"'me' is not exact"'"))] | length'
expect_json "nobody asks for this host" "($ME) == 0" quiet status --json
does "add block udp/1444 to me"
expect_json "a dynamic rule does" "($ME) == 1" quiet status --json
expect_json "interfaces says so, too" "($ME) == 1" quiet interfaces --json
expect_exit 0 bp policy unassign
expect_json "also beside no policy" "($ME) == 1" quiet status --json
expect_exit 0 bp policy assign local
does "remove block udp/1444 to me"
expect_json "and no more" "($ME) == 0" quiet status --json

# While rules come and go nothing is torn: neither the list nor the answer.
exec {HEARD}<&"${HOLDER[0]}" {TOLD}>&"${HOLDER[1]}"
{
	while [ ! -e "$WORLD/enough" ]; do
		for word in add remove; do
			echo "$word block udp/$MANY" >&"$TOLD"
			read -r said <&"$HEARD"
			[ "${said%% *}" = ok ] || echo "$said"
		done
	done >"$WORLD/refused"
} &
CHANGES=$!
for ((i = 0; i < 8; i++)); do
	quiet explain --json udp from "$TX4" to "$RX4" port 1600 || cat "$WORLD/err"
	for ((k = 0; k < 6; k++)); do quiet list --json; done
done >"$WORLD/seen"
touch "$WORLD/enough"
wait $CHANGES
exec {HEARD}<&- {TOLD}>&-
same "the holder has changed its rules all the time" "" "$(cat "$WORLD/refused")"
same "each question is answered, and the rule does what the verdict says" "8 true" "$(jq -s '
	[.[] | select(.verdict)] | "\(length) \(all(.rule == null or
		(.verdict == "block" and .rule.filter == "in udp to port '"$MANY"'")))"' -r "$WORLD/seen")"
same "and in the lists it is whole, or not there" "48 true" "$(jq -s '[.[] | select(.rules and .verdict == null)] |
	"\(length) \([.[].rules[] | select(.layer == "dynamic" and .id > 1000005).filter] |
		all(. == "in udp to port '"$MANY"'"))"' -r "$WORLD/seen")"

# A rule that cannot be put together again: what is known of it.
echo "add block tcp/$PORTS" >&"${HOLDER[1]}"
hear
same "the holder has a rule of many ports" ok "${SAID%% *}"
LARGE=$(quiet list --json | jq "[.rules[].id] | max")
blocked proto=tcp dport=4000
expect_json "no text of it, but its counters" '.rules[] | select(.id == '"$LARGE"') | .filter == null and
	.action == "block" and .direction == "in" and .packets == 1' quiet list --json
expect_exit 0 bp list
expect_out "^$LARGE +1 .* block in ... \(the agent does not tell the rest\)\$"
expect_explain "the kernel's word alone" '.verdict == "block" and .rule.id == '"$LARGE"' and .rule.filter == null
	and .also_matched == [] and ([.notes[] | select(contains("does not tell"))] | length) == 1' \
	tcp from "$TX4" to "$RX4" port 4000
expect_exit 0 bp explain tcp from "$TX4" to "$RX4" port 4000
expect_out "^  wins +$LARGE \(dynamic\): block in ... \(the agent does not tell"
expect_explain "of a static rule as well" '.rule.id == 1 and .rule.filter == "in udp to port 1434" and
	.also_matched == [] and .reason == "rule 1 blocks it"' udp from "$TX6" to "$RX6" port 1434
expect_json "a capture, too" '.totals.blocked == 2 and .checked == 0' \
	quiet explain --json --pcap "$WORLD/both.pcap"

# --- with somebody who tells

HOUR=$(($(date +%s) + 3600))
cat >"$WORLD/told" <<-END
	held 1 7
	rule $FRIEND 0 0 permit in udp from $TX4 to port 1434 name "a friend"
	rule $TIE 0 0 permit in udp to port 1436
	rule $SUBNET $HOUR 3600 block in from 198.51.100.0/24
	rule $COUNT 0 0 count in udp
	rule $OUTWARD 0 0 block out udp to port 1440 log
	rule $LARGE 0 0 block in tcp to port $PORTS
	rule 1000006 1 0 block in udp to port 1
	end
END
coproc TELLER { exec "$TOP/tests/e2e/teller.py" "$BPFPOL_RUN_DIR" "$WORLD/told"; }
# shellcheck disable=SC2153 # coproc sets it
TOLD_BY=$TELLER_PID
read -r SAID <&"${TELLER[0]}"
same "somebody sits there" "it sits" "$SAID"
expect_json "labels and times, and nothing that is over" '(.rules | length) == 8 and
	(.rules[] | select(.id == 1000000).name) == "a friend" and
	(.rules[] | select(.id == 1000002).expires_in | . > 3500 and . <= 3600)' quiet list --json
silent
expect_exit 0 bp list
expect_out "dynamic +-  permit in udp from $TX4 to port 1434 name \"a friend\"\$"
expect_out "dynamic +-  block out udp to port 1440 log\$"
expect_json "the agent runs" '.agent == "running" and .dynamic.rules == 6' quiet status --json
expect_explain "labels, and losers" '.rule.name == "a friend" and [.also_matched[].id] == [1, 1000003]' \
	udp from "$TX4" to "$RX4" port 1434
expect_explain "the large one" '.rule.id == '"$LARGE"' and (.rule.filter | startswith("in tcp to port 3000,"))' \
	tcp from "$TX4" to "$RX4" port 4000

# It says what is not so: explain asks the kernel as well, and the two differ.
sed -i "s/permit in udp to port 1436/permit in udp to port 1437/" "$WORLD/told"
expect_exit 1 bp explain udp from "$TX4" to "$RX4" port 1436
expect_out "the kernel's classifier and its twin differ"

# It says nothing of use.
echo "nothing" >"$WORLD/told"
expect_json "still all of them" '[.rules[] | select(.layer == "dynamic")] | length == 6' quiet list --json
warned "another version"

# It hangs: the report comes all the same.
kill -STOP "$TOLD_BY"
expect_json "it hangs: all of them, without labels" '[.rules[] | select(.layer == "dynamic").name] ==
	[null, null, null, null, null, null]' quiet list --json
warned "the agent has not answered in 2 seconds"
kill -KILL "$TOLD_BY"
{ wait "$TOLD_BY"; } 2>/dev/null

hold_kill
check "with the holder all of it is gone" until_true none_listed
expect_json "and nobody is asked" '.dynamic.rules == 0 and (.rules | length) == 2' quiet status --json
silent
same "nor listed" 4 "$(debug --json | jq '.filters | length')"

finish
