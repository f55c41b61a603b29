#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The reports of both layers where the agent holds the dynamic one: lists and labels, what a report
# shows while the agent hangs, and that nothing is left when it is killed.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$(dirname "$0")/agent.sh"
# shellcheck source=tests/e2e/holding.sh
. "$(dirname "$0")/holding.sh"

# expect_explain DESC FILTER PACKET...
expect_explain() {
	expect_json "explain: $1" "$2" bp explain --json "${@:3}"
}

# shellcheck disable=SC2317 # called by until_true
none_listed() {
	[ "$(bp list --json 2>/dev/null | jq '[.rules[] | select(.layer == "dynamic")] | length')" = 0 ]
}

start_agent
expect_exit 0 bp block udp/1434
seq -f '11.0.%.0f.0/24' 0 255 >"$WORLD/foes"
printf '%s\n' 11.1.0.0/16 11.1.2.3 2001:db8::/32 >>"$WORLD/foes"
echo "$TX4" >"$WORLD/friends"
expect_exit 0 bp block --dynamic from "@$WORLD/foes" name "foes of today"
FOES=$(bp list --json | jq '.rules[] | select(.name == "foes of today").id')
expect_exit 0 bp permit --dynamic udp/1434 from "@$WORLD/friends" to me --for 1h --rule friends
FRIENDS=$(bp list --json | jq '.rules[] | select(.name == "friends").id')
expect_exit 0 bp count --dynamic udp/1434 log
COUNT=$(bp list --json | jq '.rules[] | select(.action == "count").id')
passes dport=1434
blocked src=11.0.7.9 dport=9
blocked "${V6[@]}" dport=1434

expect_json "one table of both, most specific first; a list counts by its longest" \
	'[.rules[].id] == ['"$FRIENDS, $FOES, $COUNT, 1"'] and [.rules[].packets] == [1, 1, 2, 1] and
	[.rules[].layer] == ["dynamic", "dynamic", "dynamic", "static"]' bp list --json
expect_json "time that is left" '[.rules[].expires_in | . != null and . > 3500 and . <= 3600] ==
	[true, false, false, false]' bp list --json
expect_exit 0 bp list
expect_out "^ +$FOES +1 +[0-9]+  dynamic +-  block in from @$WORLD/foes name \"foes of today\"\$"
same "nothing but the table" "" "$(bp list 2>&1 >/dev/null)"
expect_json "status: the numbers of each layer" '.agent == "running" and .policy.rules == 1 and
	.policy.filters == 2 and .dynamic == { "rules": 3, "filters": 262 }' bp status --json
expect_exit 0 bp metrics
expect_out "^bpfpol_rule_info\{id=\"$FOES\".*,name=\"foes of today\",layer=\"dynamic\"\} 1\$"

# The oracle knows the lists, or it would differ from the kernel.
expect_explain "an address of a list" '.verdict == "block" and .rule.id == '"$FOES"' and
	.rule.name == "foes of today" and .also_matched == []' tcp from 11.0.200.1 to "$RX4" port 80
expect_explain "one beside it" '.verdict == "pass" and .rule == null' tcp from 11.2.0.1 to "$RX4" port 80
expect_explain "a list, me and a static rule" '.verdict == "pass" and .rule.id == '"$FRIENDS"' and
	[.also_matched[].id] == [1, '"$COUNT"']' udp from "$TX4" to me port 1434
"$PKT" pcap micro 1 "$(frame dport=1434)" "$(frame src=11.1.2.3 dport=1435)" \
	"$(frame "${V6[@]}" src=2001:db8::7 dport=1435)" "$(frame "${V6[@]}" dport=1434)" >"$WORLD/both.pcap"
expect_json "a capture" '.totals.blocked == 3 and .checked == 4 and
	([.rows[].rule.id] | sort) == ([1, '"$FOES, $FRIENDS"'] | sort)' bp explain --json --pcap "$WORLD/both.pcap"

# Removed by its number.
expect_exit 0 bp count --dynamic out udp/7
EXTRA=$(bp list --json | jq '.rules[] | select(.filter == "out udp to port 7").id')
expect_exit 0 bp remove --id "$EXTRA"
same "it is gone" 4 "$(bp list --json | jq '.rules | length')"

# Rules on an interface that comes and goes: the agent follows, and explain waits for it.
run_in rx ip link add late0 type veth peer name late1
expect_exit 0 bp block --dynamic on late0 udp/7000
LATE=$(bp list --json | jq '.rules[] | select(.filter == "in on late0 udp to port 7000").id')
run_in rx ip link del late0
for i in 1 2 3; do
	run_in rx ip link add late0 type veth peer name late1
	expect_explain "it has just come ($i)" '.verdict == "block" and .rule.id == '"$LATE" \
		udp from 192.0.2.1 to 192.0.2.2 port 7000 in on late0
	run_in rx ip link del late0
	expect_explain "it has just gone ($i)" '.verdict == "pass"' \
		udp from 192.0.2.1 to "$RX4" port 7000 in on rx0
done
expect_exit 0 bp remove --id "$LATE"

# It hangs. What ends meanwhile is over, and so it is in every report.
expect_exit 0 bp block --dynamic udp/7778 --for 2s
kill -STOP "$AGENT"
check "a time ends without it" until_true arrived "$(frame dport=7778)"
expect_exit 0 bp permit udp/7778 --dry-run
expect_exit 0 bp list
check "and the rule is not listed" [ "$(grep -c 7778 <<<"$OUT")" = 0 ]
check "nor its filters" [ "$(bp status --debug | grep -c 'port 7778')" = 0 ]
expect_exit 0 bp explain udp from "$TX4" to "$RX4" port 7778
expect_out "^PASS\$"
expect_exit 0 bp list
expect_out "^bpfpol: warning: dynamic rules are shown as the kernel has them, without their labels: the agent has not answered in 2 seconds"
expect_out "^ +$FOES +1 +[0-9]+  dynamic +-  block in ... \(the agent does not tell the rest\)\$"
expect_out "^ +$FRIENDS +1 +[0-9]+  dynamic +[0-9]+m  permit"
expect_exit 0 bp explain udp from 11.0.200.1 to "$RX4" port 1434
expect_out "^BLOCK\$"
expect_out "^  wins +$FOES \(dynamic\): block in ... \(the agent does not tell"
expect_out "note +the agent does not tell what its rules say"
expect_exit 0 bp top --once --interval 0.1
same "said once" 1 "$(grep -c '^bpfpol: warning: dynamic rules are shown' <<<"$OUT")"
kill -CONT "$AGENT"
expect_json "it goes on" '[.rules[].name] == ["friends", "foes of today", null, null]' bp list --json

kill -KILL "$AGENT"
{ wait "$AGENT"; } 2>/dev/null
check "killed: its rules are no more" until_true none_listed
expect_explain "nor asked" '.verdict == "pass" and .rule == null' tcp from 11.0.200.1 to "$RX4" port 80

finish
