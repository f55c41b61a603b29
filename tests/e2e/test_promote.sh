#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A dynamic rule becomes a static one: with its number, label, end and counters, and out of force at no
# moment.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

# rule ID KEY: of a rule in `list`.
rule() {
	bp list --json | jq -r ".rules[] | select(.id == $1) | .$2"
}

expect_exit 2 bp promote
expect_out 'promote --id N'
expect_exit 2 bp promote --id x
expect_exit 1 bp promote --id 1
expect_out 'there is no agent'
start_agent
expect_exit 3 bp promote --id 999
expect_out 'no rule has the id 999'

ID=$(bp block --dynamic udp/1434 name "the worm" for 2h --json | jq .id)
send_frames 3 dport=1434
same "counted" "3 dynamic" "$(rule "$ID" packets) $(rule "$ID" layer)"
expect_exit 0 bp promote --id "$ID" --dry-run
expect_out "Rule $ID would be static"
same "a dry run" dynamic "$(rule "$ID" layer)"

# Under traffic: no packet comes through, and each is counted once.
LOST=$(frame dport=1434)
FRAMES=()
for ((i = 0; i < 2000; i++)); do FRAMES+=("$LOST"); done
arrivals "$("$PKT" line "$LOST")" "${FRAMES[@]}" >"$WORLD/came" &
SENDER=$!
expect_exit 0 bp promote --id "$ID"
expect_out "^Rule $ID is static now: block in udp to port 1434"
wait $SENDER
same "no packet came through" 0 "$(cat "$WORLD/came")"
same "each is counted once, and the rest stays" "2003 static the worm" \
	"$(rule "$ID" packets) $(rule "$ID" layer) $(rule "$ID" name)"
check "the end stays" [ "$(rule "$ID" expires_in)" -gt 7000 ]
same "none is dynamic" 0 "$(bp agent status --json | jq .dynamic_rules)"
expect_exit 0 bp promote --id "$ID"
expect_out "Rule $ID is static already"
expect_json "as JSON" '.outcome == "already static" and .layer == "static"' \
	bp promote --id "$ID" --json
WORM=$ID
expect_exit 0 bp block udp/9

# A list comes along, though its file is gone.
seq -f '10.9.%g.0/24' 0 255 >"$WORLD/list"
ID=$(bp block --dynamic "@$WORLD/list" --json | jq .id)
rm "$WORLD/list"
expect_exit 0 bp promote --id "$ID"
expect_out "^bpfpol: warning: the rule's list is gone: $WORLD/list; "
expect_exit 0 bp policy show local
expect_out "^block in from @$WORLD/list\$"
expect_json "its words are known" '[.rules[].filter] | index("in from @'"$WORLD"'/list") != null' \
	bp policy show local --json
expect_exit 2 bp policy assign local
same "counters go on over the next generation" 2003 "$(rule "$WORM" packets)"
stop_agent TERM
blocked src=10.9.3.4
blocked dport=1434
start_agent

# An equal one stands: it is that one.
ID=$(bp block --dynamic udp/9 --json | jq .id)
expect_exit 0 bp promote --id "$ID"
expect_out "and has that match: dynamic rule $ID is one with it"
same "none is dynamic" 0 "$(bp agent status --json | jq .dynamic_rules)"
blocked dport=9

# One that somebody takes away meanwhile is not said to be there still.
# shellcheck disable=SC2317 # called by until_true
queues() { grep -q -- "-> FLOCK.*:$(stat -c %i "$BPFPOL_RUN_DIR/lock") " /proc/locks; }
ID=$(bp block --dynamic udp/11 --json | jq .id)
exec {LOCK}<"$BPFPOL_RUN_DIR/lock"
flock "$LOCK"
bp promote --id "$ID" {LOCK}<&- >"$WORLD/promoted" 2>&1 &
PROMOTER=$!
check "it waits for the lock" until_true queues
expect_exit 0 bp remove --id "$ID" --dynamic
exec {LOCK}<&-
wait $PROMOTER
same "no more is said than that it is static" "Rule $ID is static now: block in udp to port 11" \
	"$(cat "$WORLD/promoted")"

# The agent loads its rules anew while `promote` is about to take one of them over, and dies: what was counted since
# is there as well. The list is too long to go in place.
# shellcheck disable=SC2317 # called by until_true
is_stopped() { grep -qs '^State:.*[tT] (' /proc/"$(pgrep -P "$TRACER")"/status; }
seq -f '10.%g.1.0/24' 0 255 >"$WORLD/list"
seq -f '10.%g.2.0/24' 0 255 >>"$WORLD/list"
seq -f '10.%g.3.0/24' 0 255 >>"$WORLD/list"
ID=$(bp block --dynamic udp/12 --json | jq .id)
LIST=$(bp block --dynamic "@$WORLD/list" --json | jq .id)
send_frames 3 dport=12
# By the second question the static rule stands. Not run_in: the process is to be strace itself.
nsenter "--net=/run/netns/$(netns rx)" strace -qq -f -o "$WORLD/trace" -e trace=connect -e inject=connect:signal=STOP:when=2 \
	"$BPFPOL" promote --id "$ID" >"$WORLD/promoted" 2>&1 &
TRACER=$!
check "it is about to ask" until_true is_stopped
expect_exit 0 bp remove --dynamic --id "$LIST"
send_frames 4 dport=12
stop_agent KILL
kill -CONT "$(pgrep -P $TRACER)"
wait $TRACER
check "it says that the agent is gone" grep -q 'the agent ended meanwhile; the rule is static now: ' "$WORLD/promoted"
same "what was counted before and since" "7 static" "$(rule "$ID" packets) $(rule "$ID" layer)"

# The same while it waits for the lock: a rule of a dead agent is gone by then, and so are its last counts. That is said.
start_agent
ID=$(bp block --dynamic udp/13 --json | jq .id)
LIST=$(bp block --dynamic "@$WORLD/list" --json | jq .id)
exec {LOCK}<"$BPFPOL_RUN_DIR/lock"
flock "$LOCK"
bp promote --id "$ID" {LOCK}<&- >"$WORLD/promoted" 2>&1 &
PROMOTER=$!
check "it waits for the lock" until_true queues
expect_exit 0 bp remove --dynamic --id "$LIST"
stop_agent KILL
exec {LOCK}<&-
wait $PROMOTER
check "it says that counts may be missing" grep -q 'the rule is static now, but without all that' "$WORLD/promoted"
same "it is static" static "$(rule "$ID" layer)"
start_agent

# A permit whose equal block is static.
ID=$(bp permit --dynamic udp/9 --json | jq .id)
passes dport=9
expect_exit 5 bp promote --id "$ID"
passes dport=9
same "it is as it was" dynamic "$(rule "$ID" layer)"
expect_exit 0 bp off
expect_exit 5 bp promote --id "$ID"

finish
