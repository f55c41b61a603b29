#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The first rule is a dynamic one, the agent takes its time, and others store the first static rules
# meanwhile: theirs and what they have counted stand, whatever becomes of the dynamic one. The agent
# is one that only tells (teller.py).
# shellcheck disable=SC2317 # functions are called by check and until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

TOLD=$WORLD/told

# The agent's own socket is one, and each command that is connected to it another.
asked() {
	[ "$(run_in rx grep -c "$BPFPOL_RUN_DIR/agent.sock" /proc/net/unix)" -gt 1 ]
}

# What the agent does before it refuses a rule that it would have taken.
script() {
	printf '#!/bin/bash\n%s\n' "$1" >"$TOLD.add"
	chmod +x "$TOLD.add"
}

mkdir -m 700 "$BPFPOL_CONF_DIR"
mkdir -m 700 "$BPFPOL_RUN_DIR"
echo 'protect = tcp/22' >"$BPFPOL_CONF_DIR/bpfpol.conf"
printf 'held 1 0\nend\n' >"$TOLD"
script true
coproc TELLER { exec nsenter "--net=/run/netns/$(netns rx)" "$TOP/tests/e2e/teller.py" "$BPFPOL_RUN_DIR" "$TOLD"; }
# shellcheck disable=SC2153 # coproc sets it
TELLS=$TELLER_PID
read -r SAID <&"${TELLER[0]}"
same "somebody sits there" "it sits" "$SAID"

# The guard waits for the agent's rules.
kill -STOP "$TELLS"
run_in rx "$BPFPOL" block --dynamic tcp >"$WORLD/said" 2>&1 &
FIRST=$!
check "the agent is asked" until_true asked
expect_exit 0 bp permit tcp/22
expect_exit 0 bp block udp/1434
blocked dport=1434
kill -CONT "$TELLS"
wait $FIRST
same "it is refused in the end" "1 bpfpol: refused" "$? $(cat "$WORLD/said")"
same "what was counted" 1 "$(counter packets "in udp to port 1434")"
blocked dport=1434
passes dport=1435
same "it is counted on" 2 "$(counter packets "in udp to port 1434")"

# The rule itself waits for the agent, with all attached for it.
expect_exit 0 bp policy unassign
expect_exit 0 bp detach rx0
script "exec $BPFPOL block udp/1435 >$WORLD/other"
expect_exit 1 bp block --dynamic udp/1436
expect_out '^bpfpol: refused'
expect_out "warning: rx0 is attached now, and stays so; 'bpfpol detach rx0' takes it off"
check "another rule is in force" grep -q 'block in udp to port 1435' "$WORLD/other"
blocked dport=1435
passes dport=1436
check "rx0 is remembered" grep -q rx0 "$BPFPOL_STATE_DIR/interfaces"

# What the agent would not take is refused before anything is attached.
expect_exit 0 bp policy unassign
expect_exit 0 bp detach rx0
rm "$TOLD.add"
expect_exit 2 bp block --dynamic udp/1436
check "nothing is attached" bash -c "! grep -q rx0 '$BPFPOL_STATE_DIR/interfaces'"

kill "$TELLS"
finish
