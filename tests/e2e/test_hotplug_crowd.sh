#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# More interfaces at once than the kernel makes TCX links in time: what leaves is filtered by clsact on
# those where nobody else is on TC. Both kinds live through everything together. HOTPLUG_CROWD: how
# many.
# shellcheck disable=SC2317 # functions are called by check and until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"
# shellcheck source=tests/e2e/followed.sh
. "$TOP/tests/e2e/followed.sh"

cd "$WORLD" || exit 1
CROWD=${HOTPLUG_CROWD:-40}

# Of those that come, two lead to the other namespace.
for ((i = 0; i < CROWD; i++)); do echo "link add port1$i type veth peer name other1$i"; done >add
for ((i = 0; i < CROWD; i++)); do echo "link del port1$i"; done >del
add_crowd() {
	run_in rx ip -batch add
	add_pair tx1 port1 78
	add_pair tx2 port2 79
}
del_crowd() {
	run_in rx ip -batch del
	run_in rx ip link del port1
	run_in rx ip link del port2
}

# kinds: how the ports are filtered, as COUNT INGRESS EGRESS, a line each.
kinds() {
	bp interfaces --json | jq -r '.interfaces[] | select(.name | test("^port"))
		| "\(.ingress) \(.egress)"' |
		sort | uniq -c | sed 's/^ *//' | paste -sd,
}

kinds_are() {
	[ "$(kinds)" = "$1" ]
}

# leaves_by N WORD FRAME...: what rx sends by portN.
leaves_by() {
	local n=$1 word=$2

	shift 2
	FROM=rx TX=port$n TO=tx RX=tx$n $word "${BACK[@]}" "$@"
}

both_ways() {
	TX=tx1 RX=port1 blocked dport=1434
	TX=tx1 RX=port1 passes dport=1435
	leaves_by 1 blocked dport=1434
	leaves_by 1 passes dport=1435
}

# rest: what is left of us on any of them: qdiscs, pins, programs.
rest() {
	run_in rx tc qdisc show | grep ' clsact ' | grep -vc 'dev rx0 '
	find "$BPFPOL_BPFFS/links" -type f ! -name "*-$(index rx0)" ! -name "*-$(index rx0)-*" |
		wc -l
	run_in rx ip -o link show | grep -v ': rx0@' | grep -c xdp
}

links_are() {
	[ "$("$BPFTOOL" link show | grep -c 'ifindex port')" -eq "$1" ]
}

bp attach rx0 >/dev/null
bp block udp/1434 >/dev/null
bp block out udp/1434 >/dev/null
# By commands: a few, and then more.
add_pair tx1 port1 78
expect_exit 0 bp attach 'port*'
same "one by itself" "1 xdp-native tcx" "$(kinds)"
run_in rx ip link del port1
add_crowd
START=$(date +%s%N)
expect_exit 0 bp attach 'port*'
echo "# attached $((CROWD + 2)) in $((($(date +%s%N) - START) / 1000000)) ms"
expect_out '^Attached port1: native XDP .the driver runs XDP; what leaves by clsact, as many came at once'
same "many at once" "$((CROWD + 2)) xdp-native clsact" "$(kinds)"
same "rx0 is as it was" tcx "$(bp interfaces --json | jq -r '.interfaces[] | select(.name == "rx0").egress')"
expect_json "status says why" '[.interfaces[] | select(.name == "port2").why]
	== ["the driver runs XDP; clsact, as many came at once"]' bp status --json
both_ways

# One that comes later has a link; all live on together.
run_in rx ip link add port3 type veth peer name other3
expect_exit 0 bp restore
BOTH="$((CROWD + 2)) xdp-native clsact,1 xdp-native tcx"
same "one that comes later" "$BOTH" "$(kinds)"
expect_exit 0 bp block out udp/1436
leaves_by 1 blocked dport=1436
expect_exit 0 bp unblock out udp/1436
expect_exit 0 bp off
same "off" "$((CROWD + 3)) none none" "$(kinds)"
same "neither filters nor pins" "0 0 0" "$(rest | xargs)"
leaves_by 1 passes dport=1434
expect_exit 0 bp on
same "on: a crowd again" "$((CROWD + 3)) xdp-native clsact" "$(kinds)"
both_ways
expect_exit 0 bp detach port3
expect_exit 0 bp attach port3
rm "$BPFPOL_BPFFS/ctl"
expect_exit 0 bp block out udp/1437
leaves_by 1 blocked dport=1437
leaves_by 2 blocked dport=1434
both_ways
same "loaded anew: both kinds stand" "$BOTH" \
	"$(kinds)"
reboot
for ((i = 0; i < CROWD; i++)); do echo "qdisc del dev port1$i clsact"; done >qdiscs
run_in rx tc -batch qdiscs
run_in rx tc qdisc del dev port1 clsact
run_in rx tc qdisc del dev port2 clsact
until_true links_are 0
expect_exit 0 bp restore
same "after a reboot: what arrives on all before what leaves on any" \
	"$((CROWD + 3)) xdp-native clsact" "$(kinds)"
both_ways
expect_exit 0 bp detach 'port*'
same "detached: nothing is left" "0 0 0" "$(rest | xargs)"
leaves_by 1 passes dport=1434

# By TC both ways.
expect_exit 0 bp attach --mode tc 'port*'
same "by TC" "$((CROWD + 3)) clsact clsact" "$(kinds)"
leaves_by 1 blocked dport=1434
rm "$BPFPOL_BPFFS"/links/tc-in-"$(index port1)"-clsact-*
expect_exit 1 bp attach --mode native port1
expect_out "port1 is attached in tc mode; 'bpfpol detach port1' first"
rm "$BPFPOL_BPFFS"/links/tc-in-"$(index port1)"-clsact-*
expect_exit 0 bp attach port1
expect_out '^Attached port1: TC .it was there, without its pin'
same "no XDP beside a filter that lost its pin" "$((CROWD + 3)) clsact clsact" "$(kinds)"
expect_exit 0 bp detach 'port*'
same "nothing is left of that" "0 0 0" "$(rest | xargs)"

# Pinned only now: nothing pinned outlives a reboot.
# shellcheck source=tests/e2e/foreign.sh
. "$TOP/tests/e2e/foreign.sh"

# Somebody is there already: a link, which is asked first.
run_in rx "$PKT" tcx port1 out "$PINS/foreign_accept" "$WORLD/bpf/theirs"
run_in rx tc qdisc add dev port2 ingress
run_in rx tc qdisc add dev port3 clsact
expect_exit 0 bp attach 'port*'
same "beside others" "$CROWD xdp-native clsact,3 xdp-native tcx" "$(kinds)"
leaves_by 1 blocked dport=1434
leaves_by 2 blocked dport=1434
same "their qdiscs" "ingress clsact" "$(run_in rx tc qdisc show dev port2 | awk '/ ffff:/ { print $2 }') $(
	run_in rx tc qdisc show dev port3 | awk '/ ffff:/ { print $2 }')"
# Somebody comes: that is said.
NOTES='.interfaces[] | select(.name == "port10").notes'
expect_json "alone" "$NOTES == []" bp status --json
run_in rx "$PKT" tcx port10 out "$PINS/foreign_accept" "$WORLD/bpf/first"
expect_json "another comes first" "${NOTES}[0] | test(\"another's program comes first .what leaves.\")" \
	bp status --json
rm "$WORLD/bpf/first" "$WORLD/bpf/theirs"
expect_exit 0 bp detach 'port*'
run_in rx tc qdisc del dev port2 ingress
run_in rx tc qdisc del dev port3 clsact
same "nothing of ours is left" "0 0 0" "$(rest | xargs)"
del_crowd
run_in rx ip link del port3

# With the agent: it finds all of them in one look.
bp attach 'port*' >/dev/null
start_agent
BASE=$(pins)
FDS=$(fds)
pause_agent
add_crowd
START=$(date +%s%N)
resume_agent
check "the agent: all of them" until_true kinds_are "$((CROWD + 2)) xdp-native clsact"
echo "# filtered $((CROWD + 2)) after $((($(date +%s%N) - START) / 1000000)) ms"
agent_said '^port1: native XDP .the driver runs XDP; what leaves by clsact, as many came at once'
both_ways
run_in rx ip link add port3 type veth peer name other3
check "one that comes later" until_true filtered port3
check "has a link" test -e "$BPFPOL_BPFFS/links/tc-out-$(index port3)"

# A filter whose pin is taken away filters on, and is not counted beside.
out_1435() {
	bp status --json | jq '.rules[] | select(.action == "count").packets'
}
bp count out udp/1435 >/dev/null
: >"$WORLD/agent.log"
rm "$BPFPOL_BPFFS"/links/tc-out-"$(index port1)"-clsact-*
agent_said '^port1: somebody took it off; it is filtered again'
check "without its pin: the same filter" until_true is_so port1 xdp-native clsact
same "no link beside it" 0 "$("$BPFTOOL" net show dev port1 2>/dev/null | grep -c 'tcx/egress')"
BEFORE=$(out_1435)
leaves_by 1 passes dport=1435
same "counted once" $((BEFORE + 1)) "$(out_1435)"

# Somebody takes it off; renamed, moved, gone.
: >"$WORLD/agent.log"
run_in rx tc qdisc del dev port1 clsact
run_in rx ip link set other3 up # the kernel does not tell of qdiscs; so it looks now
agent_said '^port1: somebody took it off; it is filtered again'
check "put back, by a link" until_true is_so port1 xdp-native tcx
: >"$WORLD/agent.log"
run_in rx ip link set port2 down
run_in rx ip link set port2 name else2
agent_said '^port2: it is called else2 now, which is not to be filtered'
check "renamed: taken off" until_true is_so else2 none none
same "with its qdisc" 0 "$(run_in rx tc qdisc show dev else2 | grep -c clsact)"
run_in rx ip link set port10 netns "$(netns tx)"
check "moved" until_true pins_are $((BASE + 2 * (CROWD + 1)))
same "nothing of us went along" 0 "$(run_in tx tc qdisc show dev port10 | grep -c clsact)"
run_in tx ip link del port10
run_in rx ip link del else2
run_in rx ip link del port1
run_in rx ip link del port3
sed -i 1d del
run_in rx ip -batch del
check "all gone: no pin is left" until_true pins_are "$BASE"
check "no descriptor" until_true fds_are "$FDS"
same "nothing else of ours" "0 0 0" "$(rest | xargs)"
stop_agent TERM
same "ends with" 0 "$STATUS"

finish
