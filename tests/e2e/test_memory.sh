#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A policy larger than memory allows, in a control group of the test's own: the kernel refuses the maps, or kills the
# command. Then the old policy is in force, and the next command works. LIMITS="MB...": other limits.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

POLICIES=$BPFPOL_CONF_DIR/policies
LIMITS=${LIMITS:-2 4 8 12 16 20 24 28 30 31 32 33 36 64}
mkdir -p "$POLICIES"

# Where groups are made, and which file of one is its limit: cgroup v2, else v1. Nothing is switched on for it.
GROUPS_AT=
if grep -qsw memory /sys/fs/cgroup/cgroup.subtree_control; then
	GROUPS_AT=/sys/fs/cgroup LIMIT=memory.max
elif [ -f /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
	GROUPS_AT=/sys/fs/cgroup/memory LIMIT=memory.limit_in_bytes
fi
GROUP=$GROUPS_AT/bpfpol-test-$$
if [ -z "$GROUPS_AT" ] || ! mkdir "$GROUP" 2>/dev/null; then
	skip "a policy larger than a control group's memory" "no memory controller here"
	finish
fi
# A group goes when the last of its processes is gone, those killed included.
# shellcheck disable=SC2317 # is called by name
group_gone() { rmdir "$GROUP" 2>/dev/null || [ ! -d "$GROUP" ]; }
trap 'until_true group_gone; clean_up' EXIT

# limited SIZE COMMAND...: in a new group that has no more; CODE and SAID are what came of it.
limited() {
	until_true group_gone
	mkdir "$GROUP"
	echo "$1" >"$GROUP/$LIMIT"
	[ ! -e "$GROUP/memory.swap.max" ] || echo 0 >"$GROUP/memory.swap.max"
	shift
	# In a shell of its own, which is told of a kill and says nothing of it.
	# shellcheck disable=SC2016 # is the shell's own
	SAID=$(sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$GROUP" \
		nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" "$@" 2>&1)
	CODE=$?
}

# addresses N: that many, none next to another.
addresses() {
	awk -v n="$1" 'BEGIN {
		for (i = 0; i < n; i++) {
			at = 1000000000 + i * 37
			printf "%d.%d.%d.%d\n", at / 16777216, at / 65536 % 256, at / 256 % 256, at % 256
		}
	}'
}

# One packet that the old policy blocks, and one that the large one does.
packets() { verdicts "$(frame dport=1434)" "$(frame src=59.154.202.0)"; }
in_force() { bp status --json | jq -r .policy.name; }
# The spare, and counts of those before, come and go.
pins() { find "$BPFPOL_BPFFS" ! -path '*/spare*' ! -name base | sed 's/gen-[0-9]*/gen-N/' | sort; }

# holds: what is in force is what the last command came to, to packets at once, and to whoever looks; and then the next works.
holds() {
	local want="bp old" got

	[ "$CODE" -ne 0 ] || want="pb large"
	got="$(packets) $(in_force)"
	[ "$got" = "$want" ] || echo "exit $CODE, in force: $got, not $want: $SAID"
	case $CODE in
	0 | 137) ;;
	1) grep -q '^bpfpol: .*memory' <<<"$SAID" || echo "exit 1 without the reason: $SAID" ;;
	*) echo "exit $CODE: $SAID" ;;
	esac
	if ! bp block udp/4001 >/dev/null || ! bp remove udp/4001 >/dev/null; then echo "exit $CODE: the next command fails"; fi
	[ "$CODE" -ne 0 ] || bp policy assign old >/dev/null
	[ "$(pins)" = "$PINS" ] || echo "exit $CODE: pins: $(diff <(pins) - <<<"$PINS")"
}

echo "block udp/1434" >"$POLICIES/old.policy"
addresses 200000 >"$WORLD/many"
echo "block from @$WORLD/many" >"$POLICIES/large.policy"
expect_exit 0 bp policy assign old
PINS=$(pins)

DONE=0 REFUSED=0 KILLED=0 N=0
: >"$WORLD/bad"
for limit in $LIMITS; do
	limited "${limit}M" policy assign large
	holds | sed "s/^/$limit MB: /" >>"$WORLD/bad"
	N=$((N + 1))
	case $CODE in 0) DONE=$((DONE + 1)) ;; 137) KILLED=$((KILLED + 1)) ;; *) REFUSED=$((REFUSED + 1)) ;; esac
done
same "200,000 addresses in $N sizes of memory: all of it, or the old policy" "" "$(cat "$WORLD/bad")"
check "there were some that were too small ($REFUSED refused, $KILLED killed)" [ $((REFUSED + KILLED)) -gt 0 ]
check "and some that were not ($DONE)" [ "$DONE" -gt 0 ]

addresses 1000000 >"$WORLD/many"
BEGUN=$SECONDS
limited 64M policy assign large
check "a million in 64 MB: over within 20 s (exit $CODE)" [ $((SECONDS - BEGUN)) -le 20 ]
check "which is too little" [ "$CODE" -ne 0 ]
same "a million: the old policy is in force, or all of it" "" "$(holds)"

# A single rule in less and less: it is in force, or it is not, and packets and reports agree.
: >"$WORLD/bad"
for kb in 256 384 512 768 1024 1536 2048 4096; do
	limited "${kb}K" block udp/4002
	stored=$(bp list --json | jq -r '[.rules[] | select(.filter == "in udp to port 4002")] | length')
	got=$(verdicts "$(frame dport=4002)" "$(frame dport=1434)")
	[ "$stored $got" = "1 bb" ] || [ "$stored $got" = "0 pb" ] || echo "$kb KB: exit $CODE: $stored in the list, packets $got: $SAID" >>"$WORLD/bad"
	[ "$CODE" -ne 0 ] || [ "$stored" = 1 ] || echo "$kb KB: exit 0, and no rule" >>"$WORLD/bad"
	bp remove udp/4002 >/dev/null 2>&1
done
same "a single rule in little memory: in force for packets and reports, or for neither" "" "$(cat "$WORLD/bad")"

# A stack that cannot grow ends a process: little of it is used, also by the agent, which holds rules.
ulimit -Ss 128
expect_exit 0 bp block udp/4003
expect_exit 0 bp list
expect_exit 0 bp off
expect_exit 0 bp on
start_agent
expect_exit 0 bp block --dynamic udp/4004
blocked dport=4003
blocked dport=4004
run_in rx ip link set rx0 alias looked-at
expect_exit 0 bp agent status
stop_agent TERM
same "the agent ends" 0 "$STATUS"

finish
