#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# With the agent, interfaces are filtered as they come: by name and by pattern, renamed, moved, taken
# away and put back; `off` and `detach` are respected; nothing is left over. HOTPLUG_CYCLES and
# HOTPLUG_MANY make it longer: 1000 and 500 are what is asked for.
# shellcheck disable=SC2317 # functions are called by check and until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"
# shellcheck source=tests/e2e/followed.sh
. "$TOP/tests/e2e/followed.sh"

cd "$WORLD" || exit 1
[ "$TC" = tcx ] && CYCLES=${HOTPLUG_CYCLES:-200} || CYCLES=${HOTPLUG_CYCLES:-60}
MANY=${HOTPLUG_MANY:-50} # a crowd: test_hotplug_crowd.sh

# Patterns may be for what comes later.
expect_exit 0 bp attach rx0 'port*'
expect_out "Nothing is called 'port\*' now; .*agent, which does not run"
bp block udp/1434 >/dev/null
mkdir -p "$BPFPOL_CONF_DIR"
echo 'interfaces = late0 late[1-9]	# by name' >"$BPFPOL_CONF_DIR/bpfpol.conf"
start_agent
expect_exit 0 bp attach 'wan*'
expect_out "Nothing is called 'wan\*' now; the agent attaches what comes later"
BASE=$(pins)
FDS=$(fds)

# Born: by pattern, and by the name in bpfpol.conf.
START=$(date +%s%N)
add_pair tx1 port1 78
check "filtered as it comes" until_true filtered port1
TOOK=$((($(date +%s%N) - START) / 1000000))
echo "# after $TOOK ms"
[ -n "$REFUSE" ] || echo "# figure interface-filtered-after-ms $TOOK"
# A machine that does much else delays one, and not one after the other.
for ((i = 0; i < 10 && TOOK >= 1000; i++)); do
	START=$(date +%s%N)
	run_in rx ip link add port9 type veth peer name other9
	until_true filtered port9
	TOOK=$((($(date +%s%N) - START) / 1000000))
	run_in rx ip link del port9
	until_true pins_are $((BASE + 2))
done
check "within a second" [ $TOOK -lt 1000 ]
agent_said '^port1: native XDP'
on_port blocked dport=1434
on_port passes dport=1435
add_pair tx2 late0 79
check "by bpfpol.conf" until_true filtered late0
add_pair tx3 other0 80
after_looks
check "another one is left alone" open other0
check "restore does the same" bp restore
check "also without a pattern" open other0

# Down and up: nothing happens to it.
BEFORE=$(run_in rx ip -o link show port1 | grep -o 'xdp.*id [0-9]*')
run_in rx ip link set port1 down
run_in rx ip link set port1 up
after_looks
same "down and up" "$BEFORE" "$(run_in rx ip -o link show port1 | grep -o 'xdp.*id [0-9]*')"

# A rule on an interface that went, and came back under another number.
bp block on port1 udp/99 >/dev/null
on_port blocked dport=99
run_in rx ip link del port1
agent_said '^port1: it is gone'
add_pair tx1 port1 78
# By no command of ours, which would do it, too.
rule_holds() {
	[ "$(on_port verdicts "$(frame dport=99)")" = b ]
}
check "a rule on it holds again" until_true rule_holds
on_port blocked dport=1434

# Another name: not to be filtered, and again.
run_in rx ip link set port1 down
run_in rx ip link set port1 name else1
agent_said '^port1: it is called else1 now, which is not to be filtered'
check "taken off" until_true open else1
run_in rx ip link set else1 name port1
check "the old name again" until_true filtered port1
run_in rx ip link set port1 name port2
agent_said '^port1: it is called port2 now$'
after_looks
check "a name of the same pattern" filtered port2
run_in rx ip link set port2 name port1
run_in rx ip link set port1 up

# Moved to another namespace, and back.
run_in rx ip link set port1 netns "$(netns tx)"
agent_said '^port1: it has left this network namespace|^port1: it is gone'
check "no pin is left" until_true pins_are $((BASE + 2))
same "nor a program" 0 "$(run_in tx ip -o link show port1 | grep -c xdp)"
run_in tx ip link set port1 netns "$(netns rx)"
check "back again" until_true filtered port1
run_in rx ip link del port1
add_pair tx1 port1 78
until_true filtered port1

# Somebody takes something off.
for pin in "xdp-$(index port1)" "tc-out-$(index port1)"; do
	[ "$TC" = tcx ] || continue
	: >"$WORLD/agent.log"
	rm "$BPFPOL_BPFFS/links/$pin"
	agent_said '^port1: somebody took it off; it is filtered again'
	check "$pin: put back" until_true filtered port1
done
: >"$WORLD/agent.log"
"$BPFTOOL" link detach pinned "$BPFPOL_BPFFS/links/xdp-$(index rx0)" 2>/dev/null ||
	rm "$BPFPOL_BPFFS/links/xdp-$(index rx0)"
agent_said '^rx0: somebody took it off; it is filtered again'
: >"$WORLD/agent.log"
if [ "$TC" = clsact ]; then
	run_in rx tc qdisc del dev port1 clsact
	agent_said '^port1: somebody took it off; it is filtered again'
fi
check "all of it is there" until_true filtered port1
blocked dport=1434
on_port blocked dport=1434

# What is detached by hand stays so, also where a pattern or bpfpol.conf names it.
bp detach port1 late0 >/dev/null
after_looks
check "detached" open port1
check "though bpfpol.conf names it" open late0
same "bpfpol.conf is as it was" 'interfaces = late0 late[1-9]	# by name' \
	"$(cat "$BPFPOL_CONF_DIR/bpfpol.conf")"
bp attach port1 late0 >/dev/null

# Off stays off.
bp off >/dev/null
add_pair tx4 port4 81
after_looks
check "off: what is new stays open" open port4
check "off: what was there, too" open rx0
bp on >/dev/null
check "on" filtered port4
add_pair tx5 port5 82
check "on: followed again" until_true filtered port5
run_in rx ip link del port5
run_in rx ip link del port4
: >"$WORLD/agent.log"
check "two went" until_true pins_are $((BASE + 4))

# Beside a command that holds the lock: later, and it answers meanwhile.
mkfifo hold
flock "$BPFPOL_RUN_DIR/lock" cat hold >/dev/null &
HOLDER=$!
exec 9>hold
add_pair tx4 port4 81
check "it answers" bp agent status
same "nothing without the lock" "" "$(run_in rx ip -o link show port4 | grep -o xdp)"
exec 9>&-
wait $HOLDER
check "when the lock is free" until_true filtered port4
run_in rx ip link del port4

# Killed: what is filtered stays so, and what came meanwhile is filtered by the next.
kill -9 "$AGENT"
wait "$AGENT" 2>/dev/null
add_pair tx4 port4 81
blocked dport=1434
same "without it" "" "$(run_in rx ip -o link show port4 | grep -o xdp)"
start_agent
check "ready means filtered" filtered port4
run_in rx ip link del port4

# All that is pinned goes; it comes back, from disk. Under the lock, or the agent puts a filter back whose pin then goes.
exec {LOCK}>>"$BPFPOL_RUN_DIR/lock"
flock "$LOCK"
if [ "$TC" = clsact ]; then # filters need no pin to stay
	run_in rx tc qdisc del dev port1 clsact
	run_in rx tc qdisc del dev late0 clsact
fi
fresh_bpffs
exec {LOCK}>&-
check "as after a reboot" until_true filtered rx0
blocked dport=1434
check "the others, too" until_true filtered port1
on_port blocked dport=99

# A timed rule leaves the store when its time is over, with no command.
bp block tcp/25 for 1s >/dev/null
stored() {
	grep -qs 'port 25' "$BPFPOL_STATE_DIR/state" "$BPFPOL_STATE_DIR/journal"
}
not_stored() {
	! stored
}
# On a busy machine ten seconds may lie between two looks of the agent.
swept() {
	until_true not_stored || until_true not_stored || until_true not_stored
}
check "a timed rule is swept out" swept
blocked dport=1434

# bpfpol.conf with a mistake: said, and said once.
: >"$WORLD/agent.log"
echo 'interfaces = late0 /dev/null' >"$BPFPOL_CONF_DIR/bpfpol.conf"
agent_said "warning: bpfpol.conf counts for nothing as it is now: .*/bpfpol.conf:1: that is no interface"
after_looks
same "once" 1 "$(grep -c 'counts for nothing' "$WORLD/agent.log")"
expect_exit 0 bp attach rx0
expect_out 'warning: bpfpol.conf counts for nothing'
check "what is attached stays" filtered late0
echo 'interfaces = late0' >"$BPFPOL_CONF_DIR/bpfpol.conf"

# Cycles: every second one is waited for.
after_looks
BASE=$(pins)
FDS=$(fds)
MEMORY=$(bp agent status --json | jq .memory_kib)
pinned() {
	[ -e "$BPFPOL_BPFFS/links/xdp-$1" ]
}
MISSED=0
START=$(date +%s%N)
for ((i = 0; i < CYCLES; i++)); do
	run_in rx ip link add port7 type veth peer name other7
	((i % 2)) || until_true pinned "$(index port7)" || MISSED=$((MISSED + 1))
	run_in rx ip link del port7
done
echo "# $CYCLES cycles in $((($(date +%s%N) - START) / 1000000)) ms"
[ -n "$REFUSE" ] || echo "# figure interface-cycles $CYCLES"
same "$CYCLES cycles: missed" 0 $MISSED
check "no pin is left" until_true pins_are "$BASE"
check "no descriptor" until_true fds_are "$FDS"
echo "# memory: $MEMORY KiB before, $(bp agent status --json | jq .memory_kib) after"

# Many at once: what arrives is filtered on each of them before what leaves is on any, as that may take
# the kernel longer. Stopped, so that it finds all of them in one look.
for ((i = 0; i < MANY; i++)); do echo "link add port1$i type veth peer name other1$i"; done >add
for ((i = 0; i < MANY; i++)); do echo "link del port1$i"; done >del
# all_of PATTERN NUMBER
all_of() {
	local i

	for ((i = 0; i < 3000; i++)); do
		[ "$(pins_of "$1")" -eq "$2" ] && return
		sleep 0.01
	done
	return 1
}
since() {
	echo $((($(date +%s%N) - $1) / 1000000))
}
XDP=$(pins_of 'xdp-*')
OUTS=$(pins_of 'tc-out-*')
touch before
kill -STOP "$AGENT"
START=$(date +%s%N)
run_in rx ip -batch add
echo "# $MANY pairs made in $(since "$START") ms"
START=$(date +%s%N)
kill -CONT "$AGENT"
check "$MANY at once: what arrives" all_of 'xdp-*' $((XDP + MANY))
ARRIVES=$(since "$START")
[ "$MANY" -lt 200 ] ||
	check "it answers meanwhile" bp agent status
check "what leaves" all_of 'tc-out-*' $((OUTS + MANY))
LEAVES=$(since "$START")
echo "# all filtered after $ARRIVES ms what arrives, $LEAVES ms what leaves"
[ -n "$REFUSE" ] || cat <<-END
	# figure interfaces-at-once $MANY
	# figure interfaces-at-once-arriving-ms $ARRIVES
	# figure interfaces-at-once-leaving-ms $LEAVES
END
# made HOOK: when the new pins of it were made, in that order.
made() {
	find "$BPFPOL_BPFFS/links" -type f -name "$1-*" -newer before -printf '%T@\n' | sort -n
}
same "what arrives comes first" "$(made xdp | tail -1)" \
	"$({ made xdp && made tc-out | head -1; } | sort -n | tail -2 | head -1)"
check "the last one, by clsact" is_so "port1$((MANY - 1))" xdp-native clsact
same "no look was given up" 0 "$(grep -c 'not followed now' "$WORLD/agent.log")"
check "it answers" bp agent status
kill -STOP "$AGENT"
run_in rx ip -batch del
run_in rx ip -batch add
run_in rx ip -batch del
kill -CONT "$AGENT"
check "all gone again: no pin is left" until_true pins_are "$BASE"
check "no descriptor" until_true fds_are "$FDS"
OUT=$(bp agent status --json | jq -c .interfaces)
echo "# $OUT"
stop_agent TERM
same "ends with" 0 "$STATUS"
blocked dport=1434
on_port blocked dport=1434

finish
