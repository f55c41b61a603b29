#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A long list on its way into the agent: others are answered, rules come and go meanwhile, an emergency
# waits for nothing; what is in force in the end is what all of them said. Killed in the middle of it,
# nothing is left. LONG=N: addresses of the list.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

LONG=${LONG:-250000}
SOCKET=$BPFPOL_RUN_DIR/agent.sock
LISTED=(src=11.0.0.255 dport=9)
bp block udp/7 >/dev/null

# long WHAT: leaves what it prints in SAID.
long() {
	SAID=$("$TOP/tests/e2e/agent_long.py" "$SOCKET" "$LONG" "$1" "$AGENT" 2>&1)
}

# said NAME
said() {
	sed -n "s/^$1 *//p" <<<"$SAID"
}

ports() {
	jq -r '.rules[] | select(.layer == "dynamic") | .filter' | sed -n 's/.*port \(4[0-9]*\)$/\1/p' | sort -n | xargs
}

start_agent
long ask
check "others are answered meanwhile: $(said answered) times" [ "$(said answered)" -gt 20 ]
echo "# figure agent-slowest-beside-a-long-list-us $(said slowest)"
same "a rule comes" 0 "$(said added)"
same "one goes" 0 "$(said removed)"
same "one comes and goes" "0 0" "$(said come-and-gone)"
same "all before the list is in force" 1 "$(said in-time)"
same "what would change all has to wait" 75 "$(said dropped)"
same "and so has another long list" 75 "$(said second)"
same "the list is answered" 0 "$(said code)"
same "both of its rules came" "0 0" "$(said outcomes)"
blocked "${LISTED[@]}"
blocked dport=3000
blocked dport=1434
passes dport=2000
passes dport=2001
blocked dport=7
expect_json "list says so" '[.rules[] | select(.layer == "dynamic").filter] | length == 3' bp list --json
expect_json "and the counters" '[.rules[] | select(.layer == "dynamic").packets] == [1,1,1]' bp list --json

# In place of those that are there, whose counters stay.
long change
check "$(said changes) changes beside it" [ "$(said changes)" -gt 0 ]
same "the list is answered" 0 "$(said code)"
same "the agent holds what was said" "$(said held)" "$(bp list --json | ports)"
same "and so does the kernel" "$(said held)" "$(bp status --debug |
	sed -n 's/.*dynamic.*port \(4[0-9]*\).*/\1/p' | sort -nu | xargs)"
blocked "${LISTED[@]}"
expect_json "counters went on" '[.rules[] | select(.layer == "dynamic") | .packets] | add == 4' bp list --json

# A retired rule's counts are exact, and the others are there.
ID=$(bp list --json | jq '.rules[] | select(.filter | endswith("port 1434")).id')
expect_exit 0 bp promote --id "$ID"
expect_json "promoted with its counts" ".rules[] | select(.id == $ID) | .layer == \"static\" and .packets == 1" \
	bp list --json
blocked "${LISTED[@]}"
ID=$(bp list --json | jq '.rules[] | select(.filter | contains("@long")).id')
expect_exit 0 bp remove --dynamic --id "$ID"
passes "${LISTED[@]}"

long kill
check "others were answered: $(said answered)" [ "$(said answered)" -ge 1 ]
wait "$AGENT"
same "killed: nobody hears of it" None "$(said code)"
gone() {
	[ "$(verdicts "$(frame "${LISTED[@]}")" "$(frame dport=3000)" "$(frame dport=2000)")" = ppp ]
}
check "killed: nothing of it is left" until_true gone
blocked dport=7
same "nor of the others" 0 "$(bp list --json | jq '[.rules[] | select(.layer == "dynamic")] | length')"

start_agent
long end
wait "$AGENT"
same "told to end in the middle of it, it ends with" 0 $?
check "nothing of it is left" until_true gone
check "and no socket" [ ! -e "$SOCKET" ]
start_agent
check "the next one serves" bp block --dynamic udp/1434
stop_agent TERM

finish
