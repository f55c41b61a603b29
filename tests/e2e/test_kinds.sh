#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every kind of interface that this kernel can make is filtered both ways, or it is said why it
# cannot be; also one that is down, and one that goes.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

MAC=02:00:00:00:77:55

# made KIND NAME ARGS...: one of that kind in rx, up; else a test that was left out.
made() {
	local kind=$1 name=$2

	shift 2
	if ! OUT=$(run_in rx ip link add "$name" "$@" type "$kind" "${OPTIONS[@]}" 2>&1); then
		skip "$kind" "this kernel makes none: $OUT"
		return 1
	fi
	run_in rx ip link set "$name" up
}

# is_attached NAME INGRESS: in status, with a reason.
is_attached() {
	expect_json "$1: $2" ".interfaces[] | select(.name == \"$1\")
		| .ingress == \"$2\" and .egress == \"$TC\" and (.why | length > 5)" bp status --json
}

# out_of NAME: what leaves by it is judged, though it may go nowhere.
out_of() {
	local before

	before=$(counter packets "out udp to port 1434")
	run_in rx "$PKT" send "$1" "$(frame dport=1434)" "$(frame dport=1433)" \
		"$(frame "${V6[@]}" dport=1434)" >/dev/null 2>&1
	same "$1: what leaves is stopped" 2 \
		$(($(counter packets "out udp to port 1434") - before))
}

# filtered NAME INGRESS KEY=VALUE...: attached so, it filters both ways; the words are those of a
# frame that arrives by it, from FROM by TX, and then seen on RX.
filtered() {
	local name=$1 ingress=$2

	shift 2
	passes dport=1434 "$@"
	expect_exit 0 bp attach "$name"
	expect_out "Attached $name: .* \\(.*\\)"
	is_attached "$name" "$ingress"
	blocked dport=1434 "$@"
	blocked "${V6[@]}" dport=1434 "$@"
	passes dport=1433 "$@"
	passes "${V6[@]}" dport=1433 "$@"
	out_of "$name"
	expect_exit 0 bp off
	passes dport=1434 "$@"
	expect_exit 0 bp on
	blocked dport=1434 "$@"
	expect_exit 0 bp detach "$name"
	passes dport=1434 "$@"
}

expect_exit 0 bp attach rx0
expect_exit 0 bp block udp/1434
expect_exit 0 bp block out udp/1434
expect_exit 0 bp detach rx0

OPTIONS=(mode bridge)
if made macvlan mv0 link rx0 address $MAC; then
	RX=mv0 filtered mv0 xdp-generic dst-mac=$MAC
	run_in rx ip link del mv0
fi

OPTIONS=(mcast_snooping 0)
if made bridge br0 address "$RX_MAC"; then
	run_in rx ip link set rx0 master br0
	RX=br0 filtered br0 xdp-generic
	run_in rx ip link del br0
fi

OPTIONS=(id 7 dstport 4789 dev rx0 local "$RX4" remote "$TX4")
if made vxlan vx0 address $MAC; then
	run_in tx ip link add vx0 type vxlan id 7 dstport 4789 dev tx0 local "$TX4" remote "$RX4"
	run_in tx ip link set vx0 up
	TX=vx0 RX=vx0 filtered vx0 xdp-generic dst-mac=$MAC
	run_in rx ip link del vx0
fi

if [ -c /dev/net/tun ] && run_in rx ip tuntap add mode tap name tap0; then
	run_in rx ip link set tap0 up
	# Its carrier, and with it what leaves, is there while somebody has hold of it.
	FROM=rx SEND=tap TX=tap0 RX=tap0 filtered tap0 xdp-native
	run_in rx ip link del tap0
else
	skip "tap" "there is no /dev/net/tun"
fi

# Nothing arrives at it in its own name: what is sent to it goes on as the other interface's.
OPTIONS=()
if made ifb ifb0; then
	expect_exit 0 bp attach ifb0
	is_attached ifb0 xdp-generic
	out_of ifb0
	expect_exit 0 bp detach ifb0
	run_in rx ip link del ifb0
fi

# Others, by whose wire nothing is sent here: they come, are turned off and on, and go.
while read -r kind ingress options; do
	read -r -a OPTIONS <<<"$options"
	made "$kind" k0 || continue
	expect_exit 0 bp attach k0
	is_attached k0 "$ingress"
	out_of k0
	expect_exit 0 bp off
	expect_exit 0 bp on
	is_attached k0 "$ingress"
	expect_exit 0 bp detach k0
	run_in rx ip link del k0
done <<<"dummy xdp-generic
geneve xdp-generic id 7 remote $TX4
gretap xdp-generic local $RX4 remote $TX4
ipip $TC local $RX4 remote $TX4
gre $TC local $RX4 remote $TX4
sit $TC local $RX4 remote $TX4
ip6tnl $TC local $RX6 remote $TX6
wireguard $TC"

# Neither Ethernet nor IP: a CAN bus, InfiniBand. That is said, and nothing else fails for it.
run_in rx ip link add dev vcan0 type vcan 2>/dev/null || skip "vcan" "this kernel makes none"
for at in can7:280 ib7:32; do
	name=${at%:*}
	run_in rx "$PKT" link-type "$name" "${at#*:}" || nok "$name" "cannot be made"
	BEFORE=$(snapshot)
	for mode in auto native generic tc; do
		expect_exit 1 bp attach rx0 "$name" --mode $mode
		expect_out "$name cannot be filtered: its frames begin neither with an Ethernet nor"
	done
	expect_exit 1 bp attach "$name" --dry-run
	unchanged "attach $name" "$BEFORE"
	expect_json "$name: status says why" ".interfaces[] | select(.name == \"$name\")
		| .ingress == \"none\" and (.why | test(\"cannot be filtered\"))" bp interfaces --json
done
expect_exit 0 bp attach '*'
expect_out 'Attached rx0'
same "a pattern leaves them out" 0 "$(grep -c 'can7\|ib7\| lo:' <<<"$OUT")"
expect_exit 0 bp off
expect_exit 0 bp on
blocked dport=1434
expect_exit 0 bp detach '*'
# Such as bring IP alone.
for at in ppp7:512 rmnet7:519; do
	name=${at%:*}
	run_in rx "$PKT" link-type "$name" "${at#*:}" || nok "$name" "cannot be made"
	expect_exit 0 bp attach "$name"
	expect_out 'TC .*Ethernet'
	is_attached "$name" "$TC"
	expect_exit 0 bp detach "$name"
done
for name in can7 ib7 ppp7 rmnet7; do run_in rx ip link del "$name"; done

expect_exit 2 bp attach lo
expect_out 'loopback'
expect_exit 3 bp attach nosuch0
# A pattern is for what comes later, too.
expect_exit 0 bp attach 'nosuch*'
expect_exit 0 bp detach 'nosuch*'

# Down when it was attached, it filters when it comes up; and one that goes leaves nothing behind.
add_pair tx1 rx1 78
run_in rx ip link set rx1 down
for mode in native generic tc; do
	run_in rx ip link set rx1 down
	expect_exit 0 bp attach rx1 --mode $mode
	run_in rx ip link set rx1 up
	FROM=rx TX=rx1 TO=tx RX=tx1 blocked src-mac="$RX_MAC" dst-mac="$TX_MAC" dport=1434
	[ $mode = tc ] || TX=tx1 RX=rx1 blocked dport=1434
	TX=tx1 RX=rx1 passes dport=1433
	expect_exit 0 bp detach rx1
done
expect_exit 0 bp attach rx1
run_in rx ip link del rx1
expect_json "it is remembered" '.interfaces[] | select(.name == "rx1")
	| .ingress == "none" and .ifindex == 0 and .why == "there is no such interface now"' \
	bp status --json
expect_exit 0 bp detach rx1
expect_exit 3 bp detach rx1

finish
