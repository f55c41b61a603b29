#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The agent has no descriptor left for who connects: it asks again after a moment instead of without a pause, what is
# filtered stays so, and whoever waits is answered when there is one again.
# shellcheck disable=SC2317 # functions are called by check and until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

cd "$WORLD" || exit 1

# A map that cannot be shared for want of a descriptor is not made anew beside the one that counts: programs that
# ask it would let everything pass.
bp block udp/1434 >/dev/null
for net in {0..15}; do seq -f "10.$net.%g.0/24" 0 255; done >"$WORLD/list"
WRONG=
FAILING=0
for n in {1..12}; do
	rm -rf "$BPFPOL_BPFFS/spare" # so that programs are loaded
	run_in rx strace -f -qq -o /dev/null -e trace=fcntl -e "inject=fcntl:error=EMFILE:when=$n" \
		"$BPFPOL" block "@$WORLD/list" >"$WORLD/answer" 2>&1
	code=$?
	[ $code -eq 0 ] || FAILING=$((FAILING + 1))
	got=$code$(verdicts "$(frame dport=1434)" "$(frame src=10.3.9.1 dport=9)")
	[ "$got" = 0bb ] || { [ "$got" = 1bp ] && grep -q '^bpfpol: ' "$WORLD/answer"; } ||
		WRONG+="$n: $got $(cat "$WORLD/answer")"$'\n'
	bp remove block "@$WORLD/list" >/dev/null 2>&1
done
same "each descriptor that cannot be copied: the rules are in force, or were refused" "" "$WRONG"
check "some were refused ($FAILING)" [ "$FAILING" -gt 2 ]

AT=127.0.0.1:9477
mkdir -p "$BPFPOL_CONF_DIR"
echo "metrics = $AT" >"$BPFPOL_CONF_DIR/bpfpol.conf"
bp block udp/1434 >/dev/null
start_agent
agent_said "^Metrics are offered at http://$AT/metrics\\.$"
bp block --dynamic udp/1435 >/dev/null

# refused N: accept4() has failed so often.
refused() {
	[ "$(grep -c EMFILE "$WORLD/calls" 2>/dev/null)" -ge "$1" ]
}

# The first ten took a while, as it waits between two.
lasted() {
	grep EMFILE "$WORLD/calls" | awk '{ at[NR] = $2 } END { exit !(NR >= 10 && at[10] - at[1] > 0.5) }'
}

# starved WHAT COMMAND...: there is no descriptor for the command that connects.
starved() {
	local what=$1 tracer client

	shift
	rm -f "$WORLD/calls"
	strace -qq -f -ttt -e trace=accept4 -e inject=accept4:error=EMFILE -o "$WORLD/calls" -p "$AGENT" 2>/dev/null &
	tracer=$!
	until_true grep -q "^TracerPid:[[:space:]]*[1-9]" "/proc/$AGENT/status"
	"$@" >"$WORLD/answer" 2>&1 &
	client=$!
	check "$what: there is no descriptor" until_true refused 10
	check "$what: it is asked for again after a moment" lasted
	blocked dport=1434
	blocked dport=1435
	kill "$tracer"
	wait "$tracer" 2>/dev/null
	wait "$client"
	same "$what: answered when there is one" 0 $?
}

starved "a command" bp agent status
starved "metrics" run_in rx "$TOP/tests/e2e/scrape.py" text "$AT" application/openmetrics-text
# No thread for what takes long: that is said, once, and what needs none works.
for net in {0..15}; do seq -f "10.$net.%g.0/24" 0 255; done >"$WORLD/list"
strace -qq -f -e trace=clone,clone3 -e inject=clone,clone3:error=EAGAIN -o /dev/null -p "$AGENT" 2>/dev/null &
TRACER=$!
until_true grep -q "^TracerPid:[[:space:]]*[1-9]" "/proc/$AGENT/status"
expect_exit 1 bp block --dynamic "@$WORLD/list"
same "why not" "bpfpol: the agent could not begin it: Resource temporarily unavailable" "$OUT"
expect_exit 0 bp block --dynamic udp/1436
blocked dport=1436
kill "$TRACER"
wait "$TRACER" 2>/dev/null
expect_exit 0 bp block --dynamic "@$WORLD/list"
blocked src=10.3.9.1

stop_agent TERM
same "the agent ends" 0 "$STATUS"
finish
