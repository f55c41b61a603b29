#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 at every system call of `block --dynamic` and `remove --dynamic`: the rule is there or not, as
# packets and list say. Then of the agent that is doing it: dynamic rules are gone, the next agent begins
# with none, and the static rule misses no packet. DYNAMIC_STEP=N: at every Nth call of those that are
# made often.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

FRAMES=("$(frame dport=1434)" "$(frame dport=2000)" "$(frame dport=9)")
LISTED=$(frame src=11.0.7.1)
AGENT_CALLS=bpf,mmap,sendto,sendmsg,recvmsg,recvfrom,accept4,ppoll,poll,openat,membarrier

bp block udp/1434 >/dev/null

dynamic() {
	bp list --json 2>/dev/null | jq '[.rules[] | select(.layer == "dynamic")] | length'
}

# agrees: list and packets say the same, which is left in GOT.
agrees() {
	GOT="$(dynamic) $(verdicts "${FRAMES[@]}")"
	[ "$GOT" = "0 bpp" ] || [ "$GOT" = "1 bbp" ]
}

# --- the client

start_agent
KILLED=0 SEEN=" "
for words in "block --dynamic udp/2000" "remove --dynamic udp/2000"; do
	# shellcheck disable=SC2206
	command=($words)
	[ "${command[0]}" = block ] && reset=(remove --dynamic udp/2000) || reset=(block --dynamic udp/2000)
	bp "${reset[@]}" >/dev/null 2>&1
	mapfile -t POINTS < <(CALLS=$CALLS,connect,sendmsg,recvmsg,recvfrom,socket points "${command[@]}")
	[ ${#POINTS[@]} -gt 0 ] || mapfile -t POINTS < <(printf 'sendmsg 1\nrecvfrom 1\nexit_group 1\n')
	for point in "${POINTS[@]}"; do
		read -r call n <<<"$point"
		bp "${reset[@]}" >/dev/null 2>&1
		kill_at "$call" "$n" "${command[@]}"
		[ $? -eq 137 ] && KILLED=$((KILLED + 1))
		until_true agrees || nok "$words: killed at $point" "list and packets: $GOT"
		SEEN+="$GOT;"
	done
	same "$words: every kill leaves the rule or not" 0 "$FAILED"
done
check "the client was killed $KILLED times" [ $KILLED -gt 4 ]
stop_agent TERM

# --- the agent

# At a change in place, and at one that all are loaded anew for, beside the loop.
CHANGES=("block --dynamic udp/2000" "block --dynamic from @$WORLD/list")
seq -f '11.0.%g.1' 100 >"$WORLD/list"
start_agent
trace_agent "$AGENT_CALLS"
for words in "${CHANGES[@]}"; do
	# shellcheck disable=SC2086
	bp $words >/dev/null
done
untrace_agent TERM
mapfile -t POINTS < <(agent_points | awk -v s="${DYNAMIC_STEP:-4}" '++n[$1] < 4 || n[$1] % s == 0')
check "${#POINTS[@]} system calls of the agent" [ ${#POINTS[@]} -gt 10 ]
DIED=0 BEFORE=$FAILED
for point in "${POINTS[@]}"; do
	read -r call n <<<"$point"
	start_agent
	trace_agent "$AGENT_CALLS" -e "inject=$call:signal=KILL:when=$n"
	for words in "${CHANGES[@]}"; do
		# shellcheck disable=SC2086
		bp $words >/dev/null 2>&1
	done
	bp agent status >/dev/null 2>&1 || DIED=$((DIED + 1))
	untrace_agent KILL
	gone() { [ "$(verdicts "${FRAMES[@]}" "$LISTED")" = bppp ]; }
	until_true gone || nok "the agent killed at $point" "packets: $(verdicts "${FRAMES[@]}")"
	bp block udp/7 >/dev/null || nok "killed at $point: the next change" "fails"
	bp remove udp/7 >/dev/null
done 2>/dev/null
same "every kill of the agent takes the dynamic rules and no other" "$BEFORE" "$FAILED"
check "it died at $DIED of them" [ $((DIED * 2)) -ge ${#POINTS[@]} ]
start_agent
same "the next one begins with none" 0 "$(dynamic)"
check "and takes them" bp block --dynamic udp/2000
same "in force" bbp "$(verdicts "${FRAMES[@]}")"
stop_agent TERM
echo "# figure kills-of-dynamic-rules $((KILLED + DIED))"

finish
