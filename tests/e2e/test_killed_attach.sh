#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 wherever `attach` and `detach` of two interfaces change anything: when the next command has run,
# whichever it is, both are filtered both ways and remembered, or neither is.
# KILL_EVERY=1: at every call. NEXT="COMMAND;COMMAND": those that come next, in turn; `agent`: its first look.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"
# shellcheck source=tests/e2e/agent.sh
. "$(dirname "$0")/agent.sh"

add_pair tx1 rx1 78
add_pair tx2 rx2 79
IFS=';' read -r -a NEXT <<<"${NEXT:-restore;block udp/9;list;agent;attach rx0;remove udp/9}"
IN=$(frame dport=1434) OUTWARD=$(frame "${BACK[@]}" dport=1434)
bp attach rx0 >/dev/null
bp block udp/1434 >/dev/null
bp block out udp/1434 >/dev/null
bp block udp/9 >/dev/null # the first change loads a spare

# state: of rx1 and rx2 what arrives and what leaves, and what is remembered.
state() {
	local i

	for i in 1 2; do
		TX=tx$i RX=rx$i verdicts "$IN"
		FROM=rx TX=rx$i TO=tx RX=tx$i verdicts "$OUTWARD"
	done | tr -d '\n'
	echo ", $(remembered)"
}

WITHOUT="pppp, rx0 auto"
WITH="bbbb, rx0 auto rx1 auto rx2 auto"

without() {
	bp detach rx1 rx2 >/dev/null 2>&1
}

with() {
	bp attach rx1 rx2 >/dev/null
}

turn=0
# come_next: one of NEXT, which is left in CAME.
come_next() {
	CAME=${NEXT[turn++ % ${#NEXT[@]}]}
	if [ "$CAME" = agent ]; then
		start_agent
		until_true bp agent status >/dev/null
		stop_agent TERM
	else
		# shellcheck disable=SC2086
		bp $CAME >"$WORLD/said" 2>&1
	fi
}

one_or_the_other() {
	local got

	come_next
	got=$(state)
	case $got in
	"$WITH") FOUND[with]=1 ;;
	"$WITHOUT") FOUND[without]=1 ;;
	*) nok "killed at $1 $2, then $CAME" "$got"$'\n'"$(cat "$WORLD/said")" ;;
	esac
	[ ! -e "$BPFPOL_STATE_DIR/tried" ] || nok "killed at $1 $2, then $CAME" "'tried' is left"
}

declare -A FOUND
WHERE=changes
[ -z "${KILL_EVERY:-}" ] || WHERE=points
export WHERE
LEAST=8
for sweep in "without attach" "with detach"; do
	BEFORE=$FAILED
	FOUND=()
	kill_each "${sweep% *}" one_or_the_other "${sweep#* }" rx1 rx2
	same "${sweep#* } of two: every kill leaves both or none" "$BEFORE" "$FAILED"
	same "${sweep#* } of two: both are seen" "with without" "$(printf '%s\n' "${!FOUND[@]}" | sort | xargs)"
done

# What was killed is no trial, whose end a rollback would come too late for.
with
kill_at unlink 2 detach rx1 rx2
bp policy rollback >"$WORLD/said" 2>&1
check "a rollback is the last change's" grep -q 'as it was before the last change' "$WORLD/said"

# What cannot be removed in the end is told, and settled by the next.
with
OUT=$(run_in rx strace -f -qq -o /dev/null -P "$BPFPOL_STATE_DIR/tried" -e inject=unlink:error=EIO \
	"$BPFPOL" detach rx1 rx2 2>&1)
same "tried cannot be removed: exit" 0 $?
expect_out "the next command clears up"
bp list >/dev/null
check "the next one has cleared up" [ ! -e "$BPFPOL_STATE_DIR/tried" ]
same "and it is detached" "$WITHOUT" "$(state)"

finish
