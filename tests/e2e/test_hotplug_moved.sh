#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Interfaces behind the agent's back: while it is stopped they change names, numbers and namespaces, and
# more happens than the kernel tells of. It looks at what is, and puts right what differs.
# shellcheck disable=SC2317 # functions are called by check and until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"
# shellcheck source=tests/e2e/followed.sh
. "$TOP/tests/e2e/followed.sh"

cd "$WORLD" || exit 1

# verdict IFACE: of udp/99 there, for which a rule on port1 stands.
verdict() {
	TX=$2 RX=$1 verdicts "$(frame dport=99)"
}

judges() {
	[ "$(verdict "$1" "$2")" = "$3" ]
}

ends() {
	run_in rx ip link show "$1" >/dev/null 2>&1
}

bp block udp/1434 >/dev/null
bp attach 'port*' >/dev/null
start_agent
add_pair tx1 port1 78
add_pair tx2 else1 79
check "by the pattern" until_true filtered port1
bp block on port1 udp/99 >/dev/null
BASE=$(pins)
FDS=$(fds)
same "the rule judges on port1" b "$(verdict port1 tx1)"
same "and not on else1" p "$(verdict else1 tx2)"

# By a third one, which the agent never sees where it does not look in between.
swap_names() {
	run_in rx ip link set port1 down
	run_in rx ip link set else1 down
	run_in rx ip link set port1 name other1
	run_in rx ip link set else1 name port1
	run_in rx ip link set other1 name else1
	run_in rx ip link set port1 up
	run_in rx ip link set else1 up
}

# Two swap their names.
pause_agent
: >"$WORLD/agent.log"
swap_names
resume_agent
agent_said '^port1: it is called else1 now, which is not to be filtered'
check "two that swap names: the one that is to be filtered is" until_true filtered port1
check "and the other is not" open else1
same "no pin too many" "$BASE" "$(pins)"
check "the rule went along with the name" until_true judges port1 tx2 b
same "and judges nothing there" p "$(verdict else1 tx1)"

# Back, between two looks.
swap_names
check "and back" until_true filtered port1
check "the other is open" until_true open else1
check "the rule, too" until_true judges port1 tx1 b

# Renamed into the pattern.
run_in rx ip link set else1 down
run_in rx ip link set else1 name port2
run_in rx ip link set port2 up
check "renamed into the pattern" until_true filtered port2
TX=tx2 RX=port2 blocked dport=1434
run_in rx ip link set port2 name else1 2>/dev/null || {
	run_in rx ip link set port2 down
	run_in rx ip link set port2 name else1
}
check "and out of it" until_true open else1
check "no pin is left of that" until_true pins_are "$BASE"

# The same name, another number; and the same number, with another name.
pause_agent
NUMBER=$(index port1)
run_in rx ip link del port1
add_pair tx1 port1 78
resume_agent
check "deleted and made anew: filtered" until_true filtered port1
[ "$(index port1)" -ne "$NUMBER" ] || nok "it has another number"
check "the pins are those of the new one" test -e "$BPFPOL_BPFFS/links/xdp-$(index port1)"
check "those of the old one are gone" until_true pins_are "$BASE"
check "the rule judges there" until_true judges port1 tx1 b
pause_agent
: >"$WORLD/agent.log"
NUMBER=$(index port1)
run_in rx ip link del port1
run_in rx ip link add other0 index "$NUMBER" type veth peer name other9
resume_agent
agent_said '^port1: it is called other0 now'
check "the same number, another name: left alone" open other0
check "and no pin is left" until_true pins_are $((BASE - 2))
pause_agent
run_in rx ip link del other0
run_in rx ip link add port3 index "$NUMBER" type veth peer name other9
resume_agent
check "the same number, a name of the pattern: filtered" until_true filtered port3
pause_agent
: >"$WORLD/agent.log"
run_in rx ip link del port3
run_in rx ip link add port3 index "$NUMBER" type veth peer name other9
resume_agent
check "another one with name and number of the old: filtered" until_true filtered port3
run_in rx ip link del port3
add_pair tx1 port1 78
check "port1 again" until_true filtered port1

# Moved to another namespace: and back before anybody looked, and for good with that one.
pause_agent
run_in rx ip link set port1 netns "$(netns tx)"
run_in tx ip link set port1 netns "$(netns rx)"
run_in rx ip link set port1 up
resume_agent
check "moved and back: filtered" until_true filtered port1
on_port blocked dport=1434
add_space far
run_in rx ip link set port1 netns "$(netns far)"
check "gone with another namespace" until_true pins_are $((BASE - 2))
ip netns del "$(netns far)"
until_true eval '! run_in tx ip link show tx1 >/dev/null 2>&1'
run_in tx ip link add port1 type veth peer name tx1
run_in tx ip link set port1 netns "$(netns rx)"
check "one that comes from another namespace" until_true filtered port1
run_in rx ip link set port1 down
run_in rx ip link set port1 up
after_looks
check "down and up" filtered port1

# A macvlan: its driver takes no native XDP, and its parent is filtered as well.
run_in rx ip link add link rx0 name port4 type macvlan mode bridge
run_in rx ip link set port4 up
check "a macvlan" until_true is_so port4 xdp-generic "$TC"
: >"$WORLD/agent.log"
"$BPFTOOL" link detach pinned "$BPFPOL_BPFFS/links/generic-$(index port4)"
agent_said '^port4: somebody took it off; it is filtered again: generic XDP'
check "generic XDP is put back" until_true is_so port4 xdp-generic "$TC"
run_in rx ip link del port4

# Our own program, by a link that somebody holds while its pin is gone: not taken for another's, beside
# which TC would filter, and count, a second time.
hold_link() {
	"$BPFTOOL" link pin id "$("$BPFTOOL" -j link show pinned "$1" | jq .id)" "$WORLD/bpf/held"
	: >"$WORLD/agent.log"
	rm "$1"
}
hold_link "$BPFPOL_BPFFS/links/xdp-$(index port1)"
agent_said "^bpfpol: warning: port1 is NOT filtered: port1 carries bpfpol's own XDP program"
check "not by TC" is_so port1 none "$TC"
rm "$WORLD/bpf/held"
check "XDP again when it is gone" until_true filtered port1
if [ "$TC" = tcx ]; then
	hold_link "$BPFPOL_BPFFS/links/tc-out-$(index port1)"
	agent_said "^bpfpol: warning: what leaves port1 is NOT filtered: bpfpol's own program"
	check "what arrives is filtered meanwhile" is_so port1 xdp-native none
	rm "$WORLD/bpf/held"
	check "TC again when it is gone" until_true filtered port1
fi

# What was attached in another mode comes back so.
bp attach --mode generic 'gen*' >/dev/null
bp attach --mode tc 'ctl*' >/dev/null
run_in rx ip link add gen0 type veth peer name ctl0
check "generic XDP, as was asked for" until_true is_so gen0 xdp-generic "$TC"
check "TC, as was asked for" until_true is_so ctl0 "$TC" "$TC"
for pin in "generic-$(index gen0)" "tc-out-$(index gen0)" "tc-in-$(index ctl0)" "tc-out-$(index ctl0)"; do
	[ -e "$BPFPOL_BPFFS/links/$pin" ] || continue # clsact
	: >"$WORLD/agent.log"
	"$BPFTOOL" link detach pinned "$BPFPOL_BPFFS/links/$pin"
	agent_said 'somebody took it off; it is filtered again'
	check "$pin: put back" until_true eval \
		"is_so gen0 xdp-generic $TC && is_so ctl0 $TC $TC"
done
run_in rx ip link del gen0
check "no pin is left" until_true pins_are "$BASE"

# A name that looks like a pattern holds itself as well.
run_in rx ip link add 'odd[0]' type veth peer name odd0
run_in rx ip link add oddo type veth peer name 'odd*'
expect_exit 0 bp attach 'odd[0]'
check "a name with brackets" filtered 'odd[0]'
expect_exit 0 bp detach 'odd[0]'
check "and off again" open 'odd[0]'
bp attach 'odd*' >/dev/null
expect_exit 0 bp detach 'odd[0]'
after_looks
check "taken out of a pattern" open 'odd[0]'
check "which stands on" filtered oddo
bp detach 'odd*' >/dev/null
run_in rx ip link del oddo
run_in rx ip link del odd0

# More events than the kernel keeps for it: nothing depends on them.
LOST=$(bp agent status --json | jq .interfaces.lost_events)
for ((i = 0; i < 1500; i++)); do
	printf 'link set else1 alias a%d\nlink set port1 alias a%d\n' "$i" "$i"
done >flood
pause_agent
run_in rx ip -batch flood
run_in rx ip link del port1
add_pair tx1 port1 78
resume_agent
check "events are lost: filtered" until_true filtered port1
check "and it knows" test "$(bp agent status --json | jq .interfaces.lost_events)" -gt "$LOST"
on_port blocked dport=1434
on_port blocked dport=99
check "no pin is left over" until_true pins_are "$BASE"
after_looks
check "and no descriptor" until_true fds_are "$FDS"
stop_agent TERM
same "ends with" 0 "$STATUS"

finish
