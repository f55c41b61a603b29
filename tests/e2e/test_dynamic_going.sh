#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# When the agent is gone the kernel empties one array of its programs after the other. As long as one hook
# still judges by dynamic rules, reports say that they are there; then that there are none.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

# array NAME: the id of that array, which the root program bpfpol_PROGRAM jumps to. One for each hook.
array() {
	local id

	for id in $("$BPFTOOL" -j prog show pinned "$BPFPOL_BPFFS/bpfpol_$2" | jq '.map_ids[]'); do
		[ "$("$BPFTOOL" -j map show id "$id" | jq -r .name)" != "$1" ] || echo "$id"
	done
}

# emptied ID: as the kernel does it.
emptied() {
	local key

	for key in $("$BPFTOOL" -j map dump id "$1" 2>/dev/null | jq -c '.[].key' | tr -d '[]" ' | tr ',' '_'); do
		# shellcheck disable=SC2086
		"$BPFTOOL" map delete id "$1" key hex ${key//_/ }
	done
}

held() {
	bp list --json 2>/dev/null | jq '[.rules[] | select(.layer == "dynamic")] | length'
}

bp block udp/7 >/dev/null
start_agent
bp block --dynamic udp/1434 >/dev/null
bp block --dynamic out udp/1434 >/dev/null
stops_out() { FROM=rx TX=rx0 TO=tx RX=tx0 blocked "${BACK[@]}" dport=1434; }
blocked dport=1434
stops_out
XDP=$(array xdp_dynamic xdp) TC=$(array tc_dynamic tc_out)
check "its arrays" [ -n "$XDP" -a -n "$TC" ]
# One that stands still puts nothing back.
kill -STOP "$AGENT"
emptied "$XDP"
passes dport=1434
stops_out
same "one hook judges by them: they are there" 2 "$(held)"
expect_exit 0 bp status
expect_out 'dynamic'
emptied "$(array generic_dynamic generic)"
same "still" 2 "$(held)"
emptied "$TC"
FROM=rx TX=rx0 TO=tx RX=tx0 passes "${BACK[@]}" dport=1434
same "no hook does: there are none" 0 "$(held)"
blocked dport=7
kill -CONT "$AGENT"
agent_said 'were not in force, and are again'
same "which the agent puts right" 2 "$(held)"
blocked dport=1434
kill -KILL "$AGENT"
wait "$AGENT"
none() { [ "$(held)" = 0 ]; }
check "killed: there are none" until_true none
passes dport=1434
FROM=rx TX=rx0 TO=tx RX=tx0 passes "${BACK[@]}" dport=1434

finish
