#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What `metrics` prints: read by Prometheus' own parser, exact, and never falling.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

READ=$TOP/tests/e2e/metrics.py
"$READ" <<<'# EOF' >/dev/null 2>&1
if [ $? -eq 77 ]; then
	skip "metrics" "there is no python3-prometheus-client"
	finish
fi

# take: metrics as they are now, as JSON in $NOW.
take() {
	NOW=$(bp metrics 2>&1 | "$READ" 2>&1)
}

# sample NAME: its value in $NOW; null: there is none.
sample() {
	jq --arg name "$1" '.samples[$name]' <<<"$NOW"
}

# values DESC EXPECTED NAME...
values() {
	local desc=$1 expected=$2 name got=()

	shift 2
	for name; do got+=("$(sample "$name")"); done
	same "$desc" "$expected" "${got[*]}"
}

check "the parser refuses what is none" [ "$("$READ" <<<'bpfpol_rules 1' 2>&1 >/dev/null | wc -l)" -ge 1 ]

take
values "a first run" "0 0 0 0 0" bpfpol_off bpfpol_in_force bpfpol_generation bpfpol_rules \
	'bpfpol_packets_total{direction="in",verdict="blocked"}'
same "no policy, no rule, no interface" "" \
	"$(jq -r '.samples | keys[] | select(test("policy_info|rule_|filtered") and
		. != "bpfpol_rule_series_limit")' <<<"$NOW")"
same "making it made nothing" "" "$(find "$BPFPOL_STATE_DIR" "$BPFPOL_BPFFS" 2>/dev/null)"
same "the last line" "# EOF" "$(bp metrics | tail -n 1)"
expect_exit 2 bp metrics all
expect_exit 4 run_in rx setpriv --reuid=65534 --clear-groups "$BPFPOL" metrics

expect_exit 0 bp attach rx0 --mode native
expect_exit 0 bp block udp/1434 name "Slammer \"worm\" \\n \\ grün"
expect_exit 0 bp permit tcp/22 from 10.0.0.0/8
expect_exit 0 bp count tcp
expect_exit 0 bp block out udp/1900
take
values "in force" "0 1 1 4" bpfpol_off bpfpol_in_force 'bpfpol_policy_info{name="local",source="local"}' \
	bpfpol_rules
values "how the interface is filtered" "1 1" \
	'bpfpol_interface_filtered{direction="in",how="xdp-native",interface="rx0"}' \
	"bpfpol_interface_filtered{direction=\"out\",how=\"$TC\",interface=\"rx0\"}"
values "what the rule says, escapes and all" 1 \
	'bpfpol_rule_info{action="block",direction="in",filter="in udp to port 1434",id="1",layer="static",name="Slammer "worm" \n \ grün"}'
same "counters are counters" "counter counter counter counter" "$(jq -r '.families
	| [.bpfpol_packets, .bpfpol_malformed_packets, .bpfpol_rule_packets, .bpfpol_rule_bytes]
	| map(.type) | join(" ")' <<<"$NOW")"
same "each family has a help, and bytes a unit" "true bytes" "$(jq -r '"\(.families | map(.help != "")
	| all) \(.families.bpfpol_rule_bytes.unit)"' <<<"$NOW")"

# Equal to what was sent: 57 = 14 + 20 + 8 + 15, 54 = 14 + 20 + 20, 14 + 40 + 8 + 15 by IPv6.
BLOCKED=$(sample 'bpfpol_packets_total{direction="in",verdict="blocked"}')
MALFORMED=$(sample 'bpfpol_malformed_packets_total{direction="in"}')
send_frames 400 dport=1434 len=15
send_frames 100 "${V6[@]}" dport=1434 len=15
send_frames 50 proto=tcp dport=22
send_frames 7 dport=9 cut=38
take
values "packets of each rule" "500 50 50 0" 'bpfpol_rule_packets_total{action="block",id="1"}' \
	'bpfpol_rule_packets_total{action="permit",id="2"}' \
	'bpfpol_rule_packets_total{action="count",id="3"}' \
	'bpfpol_rule_packets_total{action="block",id="4"}'
values "bytes" "$((400 * 57 + 100 * 77)) $((50 * 54))" 'bpfpol_rule_bytes_total{action="block",id="1"}' \
	'bpfpol_rule_bytes_total{action="permit",id="2"}'
values "what was blocked, and those whose length lies" "$((BLOCKED + 500)) $((MALFORMED + 7))" \
	'bpfpol_packets_total{direction="in",verdict="blocked"}' \
	'bpfpol_malformed_packets_total{direction="in"}'

# fallen BEFORE AFTER: counters that stand in both and fell.
fallen() {
	jq -rn --argjson a "$1" --argjson b "$2" '$a.samples | to_entries[]
		| select(.key | test("_total($|{)")) | select($b.samples[.key] != null)
		| select($b.samples[.key] < .value) | .key'
}

# Under traffic, policies are assigned, rules come and go; what stays never falls, and in the end
# nothing is missing. A rule has the same number in both policies: counters are kept.
FLOOD=$("$PKT" build "${ETHER[@]}" dport=1434 len=15)
mapfile -t FLOOD < <(yes "$FLOOD" | head -n 2000)
bp policy export local >"$WORLD/a.policy"
traffic() {
	local i

	for ((i = 0; i < 40; i++)); do arrivals none "${FLOOD[@]}" >/dev/null; done
}
traffic &
FELL='' ROUNDS=0 GENERATION=$(sample bpfpol_generation)
while kill -0 $! 2>/dev/null || [ $ROUNDS -lt 6 ]; do
	BEFORE=$NOW
	case $((ROUNDS++ % 3)) in
	0) bp block "tcp/$((2000 + ROUNDS))" >/dev/null ;;
	1) bp policy assign local >/dev/null ;;
	2) bp attach rx0 >/dev/null ;;
	esac
	take
	FELL+=$(fallen "$BEFORE" "$NOW")
done
wait $!
same "none fell in $ROUNDS changes" "" "$FELL"
take
check "generations changed" [ "$(sample bpfpol_generation)" -gt "$GENERATION" ]
values "and none was lost" $((500 + 40 * 2000)) 'bpfpol_rule_packets_total{action="block",id="1"}'

# A limit on series: those with the most packets, and it is said.
cat >"$WORLD/many.policy" <<-END
	policy "many"
	$(seq 3000 2 6000 | sed 's,.*,block udp/&,')
END
expect_exit 0 bp policy import "$WORLD/many.policy"
expect_exit 0 bp policy assign many
send_frames 3 dport=6000
send_frames 2 dport=5998
take
LIMIT=$(sample bpfpol_rule_series_limit)
COUNTED=$(jq -r '.samples | to_entries[] | select(.value == 3 or .value == 2) | .key
	| select(startswith("bpfpol_rule_packets"))' <<<"$NOW" | wc -l)
same "1501 rules, $LIMIT with series, the counted ones among them" "1501 1000 1000 1000 2" \
	"$(sample bpfpol_rules) $LIMIT $(jq '.samples | keys
	| "\(map(select(startswith("bpfpol_rule_packets"))) | length) \(
	map(select(startswith("bpfpol_rule_info"))) | length)"' -r <<<"$NOW") $COUNTED"

# As JSON: the same families and samples, of rules with and without labels.
as_json() {
	bp metrics --json | jq -cS '.metrics | {
		families: map_values({type, unit: (.unit // ""), help}),
		samples: (to_entries | map(. as $f | .value.samples[] | {
			key: ($f.key + ({counter: "_total", info: "_info"}[$f.value.type] // "") +
				(.labels | to_entries | sort_by(.key) | map("\(.key)=\"\(.value)\"")
				| if . == [] then "" else "{" + join(",") + "}" end)),
			value })
		| from_entries) }'
}
expect_exit 0 bp policy unassign
take
same "JSON without a policy" "$(jq -cS . <<<"$NOW")" "$(as_json)"
expect_exit 0 bp policy assign local
take
same "JSON has the same figures" "$(jq -cS '.samples |= map_values(floor)' <<<"$NOW")" "$(as_json)"
expect_json "they are numbers, and the store is read" '.store_error == null and
	([.metrics[].samples[].value | type] | unique) == ["number"]' bp metrics --json

expect_exit 0 bp off
take
values "off: said, and that nothing is filtered" "1 0 0" bpfpol_off bpfpol_in_force \
	'bpfpol_interface_filtered{direction="in",how="none",interface="rx0"}'

finish
