#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Dynamic rules that the agent holds: --dynamic on block, permit, count and remove, beside a policy,
# over interfaces and programs that come and go, and gone with the agent however it ends.
# shellcheck disable=SC2317 # functions are called by until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"
# shellcheck source=tests/e2e/holding.sh
. "$TOP/tests/e2e/holding.sh"

cd "$WORLD" || exit 1

# packets ID: of a dynamic rule, from the kernel.
packets() {
	hold read | awk -v id="$1" '$1 == id { print $2 }'
}

# id_of COMMAND...: of the rule that the command says to have added.
id_of() {
	bp "$@" --json | jq .id
}

held() {
	[ "$(bp agent status --json | jq .dynamic_rules)" = "$1" ]
}

lets() {
	arrived "$(frame "$@")"
}

stops() {
	! lets "$@"
}

# Without an agent: how one is started, and nothing is changed.
for command in block permit count remove; do
	expect_exit 1 bp $command --dynamic udp/1434
	expect_out "no agent; 'systemctl start bpfpol-agent' starts it"
done
check "and nothing is attached" [ ! -e "$BPFPOL_STATE_DIR/interfaces" ]
expect_exit 2 bp block --dynamic --policy local udp/1434
expect_out 'belongs to no policy'

# Nothing is attached yet: the command attaches first.
start_agent
expect_exit 0 bp block --dynamic udp/1434 --dry-run
expect_out 'Would attach rx0'
expect_out 'Would add rule 1 \(dynamic\): block in udp to port 1434'
expect_json "in JSON" '[.attached[].name] == ["rx0"]' bp block --dynamic udp/1434 --dry-run --json
check "it was a dry run" held 0
passes dport=1434
expect_exit 0 bp block --dynamic udp/1434
expect_out '^Attached rx0: native XDP'
expect_out '^Rule [0-9]+ added \(dynamic\): block in udp to port 1434$'
blocked dport=1434
blocked "${V6[@]}" dport=1434
passes dport=1433
check "it is on no disk" [ -z "$(grep -rl 1434 "$BPFPOL_STATE_DIR" "$BPFPOL_CONF_DIR" 2>/dev/null)" ]

# There already; the later end holds, label and log are replaced.
expect_exit 0 bp block --dynamic udp/1434
expect_out '^Rule [0-9]+ is already there'
expect_json "a new label" '.outcome == "replaced" and .layer == "dynamic"' \
	bp block --dynamic udp/1434 --rule worm --json
expect_exit 0 bp block --dynamic udp/1434 name "the worm"
expect_out '^Rule [0-9]+ changed; it was already there \(dynamic\): '
stands() {
	bp list | grep -o 'port 1434.*'
}
expect_exit 0 bp block --dynamic udp/1434 log
same "a log leaves the label" 'port 1434 log name "the worm"' "$(stands)"
expect_exit 0 bp block --dynamic udp/1434
same "nothing said leaves both" 'port 1434 log name "the worm"' "$(stands)"
expect_exit 0 bp block --dynamic udp/1434 name worms
same "a label takes the place of both" 'port 1434 name "worms"' "$(stands)"
expect_exit 0 bp block --dynamic udp/1434 name "the worm"
NEXT=$(bp block --dynamic udp/1440 --for 1h --dry-run --json | jq .id)
expect_exit 0 bp block --dynamic udp/1440 --for 1h
expect_out "^Rule $NEXT added"
expect_exit 0 bp block --dynamic udp/1440 --for 2h
expect_out 'the later end holds'
expect_exit 0 bp block --dynamic udp/1440 --for 30m
expect_out 'already there, and ends no earlier'
blocked dport=1440
expect_exit 0 bp block --dynamic udp/1440
expect_out 'the later end holds'
blocked dport=1440
expect_exit 0 bp remove --dynamic udp/1440
passes dport=1440
expect_exit 3 bp remove --dynamic udp/1440

# A permit beside its block.
expect_exit 5 bp permit --dynamic udp/1434
expect_out "rule [0-9]+ 'block in udp to port 1434' stands"
blocked dport=1434
expect_exit 0 bp permit --dynamic udp/1434 --force
blocked dport=1434
expect_exit 0 bp remove --dynamic permit udp/1434
ID=$(bp list --json | jq '.rules[] | select(.filter == "in udp to port 1434").id')
kill -STOP "$AGENT"
expect_exit 5 bp permit udp/1434
expect_out "rule $ID 'block in udp to port 1434' stands"
expect_exit 5 bp permit udp/1434 --dry-run
kill -CONT "$AGENT"
check "nothing is stored" [ "$(bp list --json | jq '.rules | length')" = 1 ]
expect_exit 0 bp permit udp/1434 from "$TX4"
expect_exit 0 bp remove udp/1434 from "$TX4"
expect_exit 0 bp permit udp/1434 --force
blocked dport=1434
expect_exit 0 bp permit udp/1434
expect_out 'is already there'
expect_exit 0 bp remove udp/1434

# Removed by its match, or by its id; who leaves --dynamic out is told.
expect_exit 3 bp remove udp/1434
expect_out 'no static rule has that match, but dynamic rule [0-9]+ does: add --dynamic'
expect_exit 3 bp remove udp/1434 from "$TX4"
expect_out "no rule has exactly that match; rule [0-9]+ 'block in udp to port 1434' covers it"
blocked dport=1434
expect_exit 0 bp block udp/1436
expect_exit 3 bp remove --dynamic udp/1436
expect_out 'no dynamic rule has that match, but static rule [0-9]+ does: leave out --dynamic'
expect_exit 0 bp remove udp/1436
ID=$(id_of block --dynamic udp/1435)
blocked dport=1435
expect_exit 0 bp remove --id "$ID"
expect_out "Removed rule $ID \(dynamic\)"
passes dport=1435
expect_exit 3 bp remove --id "$ID"
expect_exit 0 bp remove --dynamic udp/1434
passes dport=1434
expect_exit 3 bp remove udp/1434
expect_out "no rule has that match"

# Beside a policy: the most specific of both layers, whichever it is of; a tie is the dynamic rule's;
# emergency is before all.
expect_exit 0 bp block udp/2000
expect_exit 0 bp permit --dynamic udp/2000 from "$TX4"
passes dport=2000
blocked dport=2000 src=10.77.0.9
expect_exit 0 bp permit --dynamic udp/2000
passes dport=2000 src=10.77.0.9
expect_exit 0 bp block udp from "$TX4" port 7 to port 2000
blocked dport=2000 sport=7
expect_exit 0 bp block emergency udp/2000
blocked dport=2000
expect_exit 0 bp permit --dynamic emergency udp/2000
passes dport=2000
expect_exit 0 bp remove --dynamic permit emergency udp/2000
expect_exit 0 bp policy unassign
passes dport=2000
ID=$(id_of count --dynamic udp/2000)
send_frames 3 dport=2000
same "counted" 3 "$(packets "$ID")"
expect_exit 0 bp block --dynamic out tcp/25
FROM=rx TX=rx0 TO=tx RX=tx0 blocked proto=tcp dport=25

# A list, read by the command from where it is.
mkdir lists
seq -f '10.9.%g.0/24' 0 255 >lists/some
printf 'fd09::/32\n' >>lists/some
cd lists || exit 1
expect_exit 0 bp block --dynamic @some
cd .. || exit 1
blocked src=10.9.3.4
blocked "${V6[@]}" src=fd09::4
passes src=10.10.3.4
expect_exit 0 bp block --dynamic "@$WORLD/lists/some"
expect_out 'already there'
echo 10.10.0.0/16 >>lists/some
expect_exit 0 bp block --dynamic "@lists/some"
expect_out 'changed'
blocked src=10.10.3.4
rm lists/some
expect_exit 0 bp remove --dynamic @lists/some
passes src=10.9.3.4
expect_exit 2 bp block --dynamic @lists/some
expect_out 'cannot read the address list'

# A time that is over: the kernel ends it, the agent sweeps it.
BEFORE=$(bp agent status --json | jq .dynamic_rules)
expect_exit 0 bp block --dynamic udp/2100 --for 1s
check "over" until_true lets dport=2100
check "swept" until_true held "$BEFORE"

# On an interface that comes and goes. The policy's rules are built anew by the agent as well, and
# know the dynamic ones all the same.
expect_exit 3 bp block --dynamic on port1 udp/2200
printf 'block on port1 udp/2201\n' >"$BPFPOL_CONF_DIR/policies/later.policy"
expect_exit 0 bp policy assign later
expect_exit 0 bp attach 'port*'
add_pair tx1 port1 78
agent_said '^port1: native XDP'
expect_exit 0 bp block --dynamic on port1 udp/2200
blocked_on() {
	stops src=10.78.0.1 dst=10.78.0.2 dport="$1"
}
export TX=tx1 RX=port1
check "on port1, dynamic" blocked_on 2200
check "on port1, static" until_true blocked_on 2201
# With no spare at hand the agent loads the programs itself, which are to find the dynamic rules.
find "$BPFPOL_BPFFS/spare" -delete 2>/dev/null
run_in rx ip link set port1 down
run_in rx ip link set port1 name port2
run_in rx ip link set port2 name port1
run_in rx ip link del port1
add_pair tx1 port1 78
check "on another port1, dynamic" until_true blocked_on 2200
check "on another port1, static" until_true blocked_on 2201
check "on another port1, dynamic, with the policy's rules built anew" blocked_on 2200
export TX=tx0 RX=rx0
passes dport=2200
check "the agent has built the policy's rules anew" [ "$(bp agent status --json | jq .rebuilt)" -gt 0 ]
expect_exit 0 bp block --dynamic udp/2202
blocked dport=2202

# Root programs that are loaded anew, by a command or by the agent itself.
rm "$BPFPOL_BPFFS/ctl"
expect_exit 0 bp restore
check "in force again after a restore" until_true stops dport=2202
fresh_bpffs
check "in force again after the bpffs was emptied" until_true stops dport=2202
expect_exit 0 bp block --dynamic udp/2203
blocked dport=2203

# Off is off, and on is as before.
expect_exit 0 bp off
passes dport=2202
expect_exit 5 bp block --dynamic udp/2204
expect_out "'bpfpol on' starts it again"
expect_exit 0 bp block --dynamic udp/2204 --force
expect_out 'filtering is off'
passes dport=2204
expect_exit 0 bp on
blocked dport=2202
blocked dport=2204

# Ids: one sequence for all, and none twice, whatever becomes of the agent.
expect_exit 0 bp policy unassign
expect_exit 0 bp block udp/3000
LAST=0
for ((i = 0; i < 40; i++)); do
	ID=$(id_of block --dynamic "udp/$((3001 + i))")
	[ "$ID" -gt "$LAST" ] || nok "ids rise" "$ID behind $LAST"
	LAST=$ID
done
STATIC=$(id_of block udp/3100)
check "a static rule's id is another one" [ "$STATIC" -gt "$LAST" ]
blocked dport=3040

# Killed: they go at once, and the policy's stay.
kill -9 "$AGENT"
wait "$AGENT" 2>/dev/null
check "gone with the agent" until_true lets dport=3040
blocked dport=3000
expect_exit 1 bp remove --dynamic udp/3040
start_agent
passes dport=3040
ID=$(id_of block --dynamic udp/3040)
check "no id is given twice ($ID)" [ "$ID" -gt "$STATIC" ]
blocked dport=3040

# Stopped: what is static is changed at once, and who asks the agent is not left waiting.
kill -STOP "$AGENT"
expect_exit 0 bp block udp/3200
blocked dport=3200
blocked dport=3040
expect_exit 0 bp permit emergency udp/3040
passes dport=3040
expect_exit 1 bp block --dynamic udp/3201
expect_out 'the agent has not answered in [0-9]+ seconds'
kill -CONT "$AGENT"
stop_agent TERM
check "gone with the agent that ends" until_true lets dport=3040

finish
