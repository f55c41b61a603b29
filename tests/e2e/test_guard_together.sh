#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The lock-out guard and two changes at once: each alone cuts nothing, and both together would. What one
# of them was told must hold until it is in force, so the other is refused.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

mkdir -m 700 "$BPFPOL_CONF_DIR" "$BPFPOL_CONF_DIR/policies"
echo 'protect = tcp/22' >"$BPFPOL_CONF_DIR/bpfpol.conf"
printf 'policy "other"\n' >"$BPFPOL_CONF_DIR/policies/other.policy"
start_agent

# began COMMAND...: its pid is left in PID, what it says in $WORLD/said.PID.
# shellcheck disable=SC2016
began() {
	nsenter "--net=/run/netns/$(netns rx)" bash -c 'exec "$@" >"$0.$$" 2>&1' "$WORLD/said" "$@" &
	PID=$!
}

# ended PID CODE WORDS
ended() {
	local code

	wait "$1"
	code=$?
	if [ $code -eq "$2" ]; then ok "exit $2: $3"; else nok "exit $2: $3" "exit $code: $(cat "$WORLD/said.$1")"; fi
}

# Where it stops is said by who traces it: it stops in each call for a moment.
# shellcheck disable=SC2317 # until_true calls it
is_stopped() {
	grep -q 'stopped by SIGSTOP' "$WORLD/trace" && FIRST=$(pgrep -P "$1")
}

# shellcheck disable=SC2317 # likewise
waits_or_ended() {
	! kill -0 "$1" 2>/dev/null || grep -q -- "-> FLOCK .* $1 " /proc/locks
}

# The last of its questions is the change. The signal takes effect behind the call.
questions() {
	run_in rx strace -f -qq -o "$WORLD/trace" -e trace=connect "$BPFPOL" "$@" >/dev/null 2>&1
	grep -c connect "$WORLD/trace"
}

# beside FIRST SECOND: the first has asked the guard, and not told the agent yet, when the second comes.
# It needs to have been counted before: CALLS.
beside() {
	local tracer second

	rm -f "$WORLD/trace"
	# shellcheck disable=SC2086
	began strace -qq -o "$WORLD/trace" -e trace=connect \
		-e "inject=connect:signal=STOP:when=$CALLS" "$BPFPOL" $1
	tracer=$PID
	until_true is_stopped "$tracer" 2>/dev/null || nok "stopped: $1"
	# shellcheck disable=SC2086
	began "$BPFPOL" $2
	second=$PID
	until_true waits_or_ended "$second" || nok "it waits: $2"
	kill -CONT "$FIRST"
	ended "$tracer" 0 "$1"
	ended "$second" 5 "meanwhile $2"
	passes proto=tcp dport=22
}

# A block comes, and the permit above it goes.
expect_exit 0 bp permit --dynamic tcp/22
CALLS=$(questions block --dynamic tcp)
expect_exit 0 bp remove --dynamic block tcp
beside "block --dynamic tcp" "remove --dynamic permit tcp/22"
expect_exit 0 bp remove --dynamic block tcp

# The permit is the policy's.
expect_exit 0 bp permit tcp/22
expect_exit 0 bp remove --dynamic permit tcp/22
CALLS=$(questions block --dynamic tcp)
for second in "remove permit tcp/22" "policy assign other" "policy unassign"; do
	expect_exit 0 bp remove --dynamic block tcp
	beside "block --dynamic tcp" "$second"
done

# Two permits go, one of each layer; the dynamic one by its match, and by its number.
for first in "remove --dynamic permit tcp/22" "remove --id ID"; do
	expect_exit 0 bp policy unassign --force
	expect_exit 0 bp permit tcp/22
	ID=$(bp permit --dynamic tcp/22 --json | jq .id)
	# shellcheck disable=SC2086
	CALLS=$(questions ${first/ID/$ID})
	ID=$(bp permit --dynamic tcp/22 --json | jq .id)
	beside "${first/ID/$ID}" "remove permit tcp/22"
done

# An agent that has no numbers yet gets them though who asks has the lock; for a long list, too, which
# it reads beside.
expect_exit 0 bp permit emergency tcp/22
seq -f '11.22.33.%g' 44 >"$WORLD/few"
{ seq -f '11.22.%g.44' 250 && seq -f '100.100.100.%g' 250 && seq -f '100.100.200.%g' 250; } >"$WORLD/many"
for i in 1 2 3 4 5 6 7 8 9; do seq -f "100.100.10$i.%g" 250; done >>"$WORLD/many"
for words in tcp "from @$WORLD/few" "from @$WORLD/many"; do
	stop_agent TERM
	start_agent
	# shellcheck disable=SC2086
	expect_exit 0 bp block --dynamic $words
	passes proto=tcp dport=22
done
finish
