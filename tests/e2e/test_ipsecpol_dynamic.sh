#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# ipsecpol without -w: rows 40 to 42 and 48 of what bpfpol is for.
# shellcheck disable=SC2317 # functions are called by until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"
# shellcheck source=tests/e2e/holding.sh
. "$TOP/tests/e2e/holding.sh"

gone() {
	arrived "$(frame dport=1434)"
}

held() {
	bp agent status --json | jq .dynamic_rules
}

start_agent
# Row 40: a port is blocked for now, on top of whatever is in force.
bp ipsecpol -w REG -p Base -f '*=0:7:UDP' -n BLOCK -x >/dev/null
expect_exit 0 bp ipsecpol -f '*=0:1434:UDP' -n BLOCK
expect_out '^Rule [0-9]+ added \(dynamic\): block in udp to me port 1434$'
blocked dport=1434
blocked dport=7
passes dport=8
expect_exit 0 bp ipsecpol -n BLOCK -f '*=0:1434:UDP'
expect_out 'already there'

# Row 41: brackets block, parentheses permit, each SPEC for itself; -r names them.
expect_exit 0 bp ipsecpol -f '[*=0:2000:UDP]' "(10.77.0.1=0:2000:UDP)" -r 'for now'
passes dport=2000
blocked dport=2000 src=10.77.0.9
expect_json "its name" '[.rules[] | select(.name == "for now" and .layer == "dynamic")] | length == 2' \
	bp list --json
expect_json "mirrored: two rules, in one step" \
	'.layer == "dynamic" and .in_force and (.rules | length) == 2' \
	bp ipsecpol --json -f '[0+10.77.0.1:2100:TCP]'
blocked proto=tcp sport=2100
FROM=rx TX=rx0 TO=tx RX=tx0 blocked proto=tcp dport=2100 src="$RX4" dst="$TX4"
expect_exit 0 bp ipsecpol -f '[*=[fd77::2]:2200:UDP]'
blocked "${V6[@]}" dport=2200
expect_exit 0 bp ipsecpol -f '[*=0:2300:UDP]' --dry-run
expect_out 'Would be added \(dynamic\)'
passes dport=2300
expect_exit 5 bp ipsecpol -f '[*=0:2300:UDP]' -confirm </dev/null
expect_exit 5 bp ipsecpol -f '(*=0:1434:UDP)'
expect_out "rule [0-9]+ 'block in udp to me port 1434' stands"
expect_exit 5 bp ipsecpol -w REG -p Base -f '(*=0:1434:UDP)'
expect_out "rule [0-9]+ 'block in udp to me port 1434' stands"
BEFORE=$(held)
expect_exit 5 bp ipsecpol -f '[*=0:2300:UDP]' '(*=0:1434:UDP)'
same "all of a command or none" "$BEFORE" "$(held)"
passes dport=2300

# What belongs to a stored policy is told so.
for flag in "-p P" -x -y; do
	# shellcheck disable=SC2086
	expect_exit 2 bp ipsecpol -f '[*=0:2300:UDP]' $flag
	expect_out 'is for a stored policy: add -w REG'
done

# Row 48: -u drops all of them, and nothing else.
expect_exit 0 bp ipsecpol -u --dry-run
expect_out "would be dropped: $BEFORE"
blocked dport=1434
expect_exit 0 bp ipsecpol -u
expect_out "dropped: $BEFORE"
passes dport=1434
passes dport=2000 src=10.77.0.9
blocked dport=7
expect_exit 0 bp ipsecpol -u
expect_out 'nothing to do'
expect_json "none is left" '.dropped == 0' bp ipsecpol -u --json

# An agent that hangs is not waited for.
kill -STOP "$AGENT"
expect_exit 1 run_in rx timeout 60 "$BPFPOL" ipsecpol -u
expect_out 'the agent has not answered in [0-9]+ seconds'
kill -CONT "$AGENT"

# Row 42: it lives while the agent runs.
bp ipsecpol -f '[*=0:1434:UDP]' >/dev/null
blocked dport=1434
kill -9 "$AGENT"
wait "$AGENT" 2>/dev/null
check "gone with the agent" until_true gone
blocked dport=7
expect_exit 1 bp ipsecpol -u
expect_out 'there is no agent'
expect_exit 4 run_in rx setpriv --reuid=65534 --clear-groups "$BPFPOL" ipsecpol -f '[*=0:1434:UDP]'

finish
