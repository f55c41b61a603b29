#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What scripts read: the keys of the contract, and counters that are exact.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

TOP_KEYS='["agent","interfaces","kernel","off","policy","rules","totals","version"]'
RULE_KEYS='["action","bytes","direction","expires_in","filter","id","layer","log","name","packets"]'

# shape DESC: status --json has every key of the contract, of the right type.
shape() {
	expect_json "$1: keys" "keys | contains($TOP_KEYS)" bp status --json
	expect_json "$1: types" '(.version | type) == "string" and (.kernel | type) == "string"
		and (.off | type) == "boolean" and .agent == "stopped"' bp status --json
	expect_json "$1: totals" '[.totals.in, .totals.out | .passed, .blocked, .malformed]
		| map(type) | . == ["number", "number", "number", "number", "number", "number"]' \
		bp status --json
	expect_json "$1: rules" "[.rules[] | keys | contains($RULE_KEYS)] | all" bp status --json
	check "$1: list --json is JSON" jq -e . <<<"$(bp list --json)"
	check "$1: interfaces --json is JSON" jq -e . <<<"$(bp interfaces --json)"
}

shape "a first run"
expect_json "no policy" '.policy == null and .rules == []' bp status --json
expect_exit 0 bp list
expect_exit 0 bp status
expect_exit 0 bp interfaces

expect_exit 0 bp block udp/1434 name "Slammer \"worm\" \\ grün"
expect_exit 0 bp permit tcp/22 from 10.0.0.0/8
expect_exit 0 bp count tcp/80 log
shape "with rules"
expect_json "the policy" '.policy.name == "local" and .policy.source == "local"
	and .policy.rules == 3 and .policy.filters >= 3 and .policy.overrides == null
	and .policy.confirm_in == null and (.policy.generation | type) == "number"' bp status --json
expect_json "the interface" '.interfaces[] | select(.name == "rx0")
	| .ingress == "xdp-native" and .egress == "tcx" and (.ifindex | type) == "number"
	and (.why | type) == "string"' bp status --json
expect_json "a rule" '.rules[] | select(.action == "block")
	| .name == "Slammer \"worm\" \\ grün" and .direction == "in" and .layer == "static"
	and .filter == "in udp to port 1434" and .expires_in == null
	and .packets == 0 and .bytes == 0' bp status --json
for of in status list; do
	expect_json "$of: which rule logs" '[.rules[] | select(.log)] | length == 1
		and .[0].action == "count"' bp "$of" --json
done
expect_json "explain: the rule logs" '.also_matched[0].log' bp explain tcp/80 from 10.0.0.1 to "$RX4" --json

# 57 = 14 + 20 + 8 + 15, 77 with IPv6.
send_frames 250 dport=1434 len=15
send_frames 50 "${V6[@]}" dport=1434 len=15
send_frames 100 proto=tcp dport=22
send_frames 30 proto=tcp dport=80
expect_json "blocked packets and bytes" '.rules[] | select(.action == "block")
	| .packets == 300 and .bytes == 250 * 57 + 50 * 77' bp status --json
expect_json "permitted packets and bytes" '.rules[] | select(.action == "permit")
	| .packets == 100 and .bytes == 100 * 54' bp status --json
expect_json "counted packets" '.rules[] | select(.action == "count") | .packets == 30' \
	bp status --json
expect_json "the sum of the blocked" '.totals.in.blocked == 300' bp status --json
expect_json "nothing of that left" '.totals.out.blocked == 0' bp status --json
expect_json "the sum of the others" '.totals.in.passed >= 130 + 4' bp status --json

# A change beside it leaves them alone; nobody else's frames are in them.
expect_exit 0 bp block udp/1435
expect_exit 0 bp remove udp/1435
expect_json "counters stay" '.rules[] | select(.action == "block") | .packets == 300' \
	bp status --json

# What a command attaches first is told by it, whichever it is.
WHERE='.attached == [{name: "rx0", mode: "native", why: "the driver runs XDP"}]'
expect_exit 0 bp detach rx0
expect_json "a dry run: not yet how" "$(jq -c '{attached: [.interfaces[] | del(.already)]}' \
	<<<"$(bp attach rx0 --dry-run --json)").attached == .attached" bp block udp/99 --dry-run --json
expect_json "block" "$WHERE" bp block udp/99 --json
expect_json "nothing more the second time" '.attached == []' bp block udp/98 --json
expect_exit 0 bp detach rx0
expect_json "policy assign" "$WHERE" bp policy assign local --json
expect_exit 0 bp detach rx0
expect_json "ipsecpol" "$WHERE" bp ipsecpol -w REG -p local -r r -f '*=0:97:UDP' -n BLOCK --json

OUT=$(bp list)
expect_out '300'
expect_out 'udp to port 1434'
OUT=$(bp help)
for word in block permit remove list status attach detach interfaces off on; do
	expect_out "$word"
done
expect_exit 0 bp help block

finish
