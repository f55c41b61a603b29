# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Starts and stops the agent of a test; for those that source it behind lib.sh.

AGENT=
STATUS=

# start_agent: in rx, and ready when this returns. What it says is in agent.log.
start_agent() {
	: >"$WORLD/agent.log"
	# Not run_in: the process is to be the agent itself.
	nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" agent 2>>"$WORLD/agent.log" &
	AGENT=$!
	until_true grep -q 'follows the interfaces' "$WORLD/agent.log" ||
		nok "the agent begins" "$(cat "$WORLD/agent.log")"
}

# stop_agent SIGNAL: its exit code is left in STATUS.
stop_agent() {
	kill "-$1" "$AGENT"
	wait "$AGENT"
	# shellcheck disable=SC2034
	STATUS=$?
}

# agent_said PATTERN: within some seconds.
agent_said() {
	if until_true grep -qE -- "$1" "$WORLD/agent.log"; then
		ok "the agent says: $1"
	else
		nok "the agent says: $1" "$(cat "$WORLD/agent.log")"
	fi
}
