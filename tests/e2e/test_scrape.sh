#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The agent's /metrics: where bpfpol.conf says, what `metrics` prints and the agent's own, in both of
# Prometheus' formats; whoever asks otherwise than he should.
# shellcheck disable=SC2317 # functions are called by check and until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

cd "$WORLD" || exit 1
READ=$TOP/tests/e2e/metrics.py
AT=127.0.0.1:9477
mkdir -p "$BPFPOL_CONF_DIR"

# conf LINE...: is bpfpol.conf.
conf() {
	printf '%s\n' "$@" >"$BPFPOL_CONF_DIR/bpfpol.conf"
}

# scrape [ADDRESS [TYPE]]
scrape() {
	run_in rx "$TOP/tests/e2e/scrape.py" text "${1:-$AT}" "${2:-application/openmetrics-text}" 2>/dev/null
}

offered() {
	[ -n "$(scrape "$1")" ]
}

not_offered() {
	! offered "$1"
}

sample() {
	jq --arg name "$1" '.samples[$name]' <<<"$NOW"
}

for wrong in here 127.0.0.1 127.0.0.1:0 127.0.0.1:70000 ::1:9477 '[127.0.0.1]:9477' 10.0.0.0/8:9477 '*:9477'; do
	conf "metrics = $wrong"
	expect_exit 2 bp block --dry-run udp/1
	expect_out "bpfpol.conf:1:11: .metrics. takes an address of this host and a port"
done
conf "metrics = $AT" "metrics = [::1]:9477"
expect_exit 2 bp block --dry-run udp/1
expect_out 'bpfpol.conf:2:1: .metrics. stands twice'

conf "metrics = $AT"
expect_exit 0 bp block udp/1434
start_agent
agent_said "^Metrics are offered at http://$AT/metrics\\.$"
send_frames 3 dport=1434
expect_exit 0 bp block --dynamic udp/1435
send_frames 2 dport=1435
if "$READ" <<<'# EOF' >/dev/null 2>&1; [ $? -eq 77 ]; then
	skip "what is offered" "there is no python3-prometheus-client"
else
	check "it is offered" until_true offered "$AT"
	NOW=$(scrape | "$READ" 2>&1)
	same "what 'metrics' prints" "1 1 3" "$(sample bpfpol_in_force) $(sample bpfpol_build_info | grep -c .) $(
		sample 'bpfpol_rule_packets_total{action="block",id="1"}')"
	same "a dynamic rule" 2 "$(jq '[.samples | to_entries[] | select(.key | test("rule_packets.*block"))
		| .value] | max as $m | sort | .[0]' <<<"$NOW")"
	same "the same families" "" "$(diff <(bp metrics | grep '^# TYPE' | sort) \
		<(scrape | grep '^# TYPE' | sort) | grep '^<')"
	check "and the agent's own" [ "$(jq '.samples | keys | map(select(startswith("bpfpol_agent_"))) | length' \
		<<<"$NOW")" -ge 8 ]
	check "requests are counted" [ "$(sample bpfpol_agent_requests_total)" -ge 1 ]
	PLAIN=$(scrape "$AT" text/plain | "$TOP/tests/e2e/scrape.py" plain)
	same "for older ones: the same samples" "$(jq -S '.samples | keys' <<<"$NOW")" \
		"$(jq -S '.samples | keys' <<<"$PLAIN")"
	same "and what they say" 3 "$(jq '.samples["bpfpol_rule_packets_total{action=\"block\",id=\"1\"}"]' <<<"$PLAIN")"
	same "their types" "counter gauge" "$(jq -r '.families | "\(.bpfpol_packets.type) \(.bpfpol_build_info.type)"' <<<"$PLAIN")"
fi

for name in methods accept keep bad many slow half; do
	same "$name" ok "$(run_in rx timeout 60 "$TOP/tests/e2e/scrape.py" $name 127.0.0.1 9477 2>&1)"
	check "$name: the agent answers" bp agent status
done
check "memory: under 40 MiB" [ "$(bp agent status --json | jq .memory_kib)" -lt 40960 ]

# While a command has the lock, it is waited for.
exec {LOCK}>"$BPFPOL_RUN_DIR/lock"
flock "$LOCK"
scrape >waited &
ASKED=$!
check "the agent answers meanwhile" bp agent status
flock -u "$LOCK"
wait $ASKED
check "then there is a page" grep -q '^# EOF' waited

# bpfpol.conf is read again on SIGHUP: another address, one that is taken, none.
conf "metrics = [::1]:9478"
kill -HUP "$AGENT"
check "by IPv6" until_true offered '[::1]:9478'
check "and there no more" not_offered "$AT"
nsenter "--net=/run/netns/$(netns rx)" "$TOP/tests/e2e/scrape.py" hold 127.0.0.1 9479 &
TAKEN=$!
taken() {
	run_in rx ss -Hltn 'sport = :9479' | grep -q .
}
until_true taken
conf "metrics = 127.0.0.1:9479"
kill -HUP "$AGENT"
agent_said "^bpfpol: warning: metrics cannot be offered at 127.0.0.1:9479: Address already in use; this is tried again"
check "it goes on" bp agent status
kill "$TAKEN"
wait "$TAKEN" 2>/dev/null
check "free again, it is taken" until_true offered 127.0.0.1:9479
conf "metrics = $RX4:9477"
kill -HUP "$AGENT"
agent_said "^Metrics are offered at http://$RX4:9477/metrics, to whoever can reach that address"
conf "metrics = nowhere"
kill -HUP "$AGENT"
agent_said "bpfpol.conf is not read again: .*bpfpol.conf:1: .metrics. takes an address"
check "a mistake changes nothing" until_true offered "$RX4:9477"
conf ""
kill -HUP "$AGENT"
agent_said "^Metrics are not offered any more"
check "there is none" until_true not_offered "$RX4:9477"
stop_agent TERM
same "it ends with" 0 "$STATUS"

finish
