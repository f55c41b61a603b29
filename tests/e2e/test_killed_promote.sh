#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 at every system call of `promote`: the rule blocks all the time, stands among the dynamic
# ones, the static ones or both, and what it has counted is there, once; the next `promote` ends it.
# Then of the agent while it serves one: the rule is static, with what it has counted, or gone with the
# agent as others are.
# PROMOTE_STEP=N: at every Nth call of those that are made often.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

AGENT_CALLS=bpf,mmap,sendto,recvmsg,membarrier,rename,openat,close
FRAME=$(frame dport=2000)
SENT=0 ID=0
STEP=${PROMOTE_STEP:-80}

# each_nth: of CALL N lines all of the rare calls, and every STEPth of the others.
each_nth() {
	awk -v s="$STEP" '{ n[$1]++; line[NR] = $0; of[NR] = $1; at[NR] = n[$1] }
		END { for (i = 1; i <= NR; i++) if (n[of[i]] < 5 || at[i] % s == 0) print line[i] }'
}

# renew: the rule is dynamic, and has counted three packets.
renew() {
	bp remove udp/2000 >/dev/null 2>&1
	bp remove --dynamic udp/2000 >/dev/null 2>&1
	ID=$(bp block --dynamic udp/2000 --json | jq .id)
	send_frames 3 dport=2000
	SENT=3
}

# stands: its layers and what it has counted in all of them.
stands() {
	bp list --json 2>/dev/null | jq -r --argjson id "$ID" '
		[.rules[] | select(.id == $id)] | "\(map(.layer) | sort | join("+")) \(map(.packets) | add)"'
}

# blocks_once_more: as each packet does that is asked for here, it counts.
blocks_once_more() {
	SENT=$((SENT + 1))
	[ "$(verdicts "$FRAME")" = b ]
}

bp block udp/1434 >/dev/null
start_agent
for _ in 1 2; do # as later ones are: with a spare
	renew
	bp promote --id "$ID" >/dev/null
done
renew
mapfile -t POINTS < <(CALLS=$CALLS,connect,sendmsg,recvfrom,socket points promote --id "$ID" | each_nth)
check "promote: ${#POINTS[@]} system calls" [ ${#POINTS[@]} -gt 20 ]
KILLED=0 BEFORE=$FAILED LAYERS=" "
for point in "${POINTS[@]}"; do
	read -r call n <<<"$point"
	renew
	kill_at "$call" "$n" promote --id "$ID"
	[ $? -eq 137 ] && KILLED=$((KILLED + 1))
	blocks_once_more || nok "killed at $point" "it does not block"
	was=$(stands)
	LAYERS+="${was% *} "
	[[ $was =~ ^(dynamic|static|dynamic\+static)\ $SENT$ ]] ||
		nok "killed at $point" "$was, where $SENT were counted"
	bp promote --id "$ID" >/dev/null || nok "killed at $point: promoted again" "it fails"
	blocks_once_more || nok "killed at $point: promoted again" "it does not block"
	[ "$(stands)" = "static $SENT" ] ||
		nok "killed at $point: promoted again" "$(stands), where $SENT were counted"
done
same "every kill leaves it in force, and its counters" "$BEFORE" "$FAILED"
check "killed $KILLED times" [ $((KILLED * 2)) -gt ${#POINTS[@]} ] # of how many: kill_each in killing.sh
check "before, between and behind" grep -q " dynamic .* dynamic+static .* static " <<<"$LAYERS"
stop_agent TERM

# --- the agent

start_agent
renew
trace_agent "$AGENT_CALLS"
bp promote --id "$ID" >/dev/null
untrace_agent TERM
mapfile -t POINTS < <(agent_points | each_nth)
check "${#POINTS[@]} system calls of the agent" [ ${#POINTS[@]} -gt 5 ]
DIED=0 STATIC=0 BEFORE=$FAILED
for point in "${POINTS[@]}"; do
	read -r call n <<<"$point"
	start_agent
	renew
	trace_agent "$AGENT_CALLS" -e "inject=$call:signal=KILL:when=$n"
	bp promote --id "$ID" >"$WORLD/said" 2>&1
	code=$?
	bp agent status >/dev/null 2>&1 || DIED=$((DIED + 1))
	untrace_agent KILL
	if [ $code -eq 0 ]; then
		STATIC=$((STATIC + 1))
		[ "$(stands)" = "static $SENT" ] ||
			nok "the agent killed at $point" "$(stands), where $SENT were counted: $(cat "$WORLD/said")"
		is_as_said() { [[ $(stands) = static\ * && $(verdicts "$FRAME") = b ]]; }
	else
		is_as_said() { [[ $(stands) = " null" && $(verdicts "$FRAME") = p ]]; }
	fi
	until_true is_as_said ||
		nok "the agent killed at $point" "$(stands); promote: $(cat "$WORLD/said")"
done 2>/dev/null
same "every kill of the agent leaves it static with its counters, where promote says so, or gone" "$BEFORE" "$FAILED"
check "it died at $DIED of them, and $STATIC are static" [ $((DIED * 2)) -ge ${#POINTS[@]} ]
echo "# figure kills-of-promote $((KILLED + DIED))"

finish
