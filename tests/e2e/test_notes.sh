#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `status` says where `me` is not exact and where packets are not counted one by one, no more often
# than it matters; and it is as it says.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

NOTES='.interfaces[] | select(.name == "rx0").notes'

# notes DESC PATTERN...: the notes on rx0, each with its pattern.
notes() {
	local desc=$1 got want

	shift
	got=$(bp status --json | jq -r "${NOTES}[]")
	if [ "$(grep -c . <<<"$got")" != $# ]; then
		nok "$desc: $# notes" "$got"
		return
	fi
	for want; do
		if grep -qE -- "$want" <<<"$got"; then ok "$desc: $want"; else nok "$desc: $want" "$got"; fi
	done
}

# counts_as_me COUNT KEY=VALUE...: by that many packets the rule `count udp to me` goes on. Of UDP,
# because the hosts ask for each other's addresses, by unicast too, when they like.
counts_as_me() {
	local want=$1 before

	shift
	before=$(counter packets "in udp to me")
	passes "$@"
	same "counts as me: $want" "$want" $(($(counter packets "in udp to me") - before))
}

forward() {
	run_in rx sysctl -qw "net.ipv4.ip_forward=$1" "net.ipv6.conf.all.forwarding=$2"
}

OTHER4=10.77.0.99 OTHER6=fd77::99 OTHER_MAC=02:00:00:00:77:99
expect_exit 0 bp attach rx0
notes "no rule"
expect_exit 0 bp block udp/1434
expect_exit 0 bp block out udp from me to any port 99
notes "none that asks of what arrives"
expect_exit 0 bp count to me for 1h
notes "one that asks" "'me' is not exact .IPv4, IPv6.: without forwarding, unicast to nobody here"
expect_exit 0 bp remove to me
expect_exit 0 bp count to me for 1s
# shellcheck disable=SC2317 # until_true calls it
expired() {
	[ "$(bp status --json | jq -c "$NOTES")" = '[]' ]
}
check "not when its time is over" until_true expired

expect_exit 0 bp count udp to me
notes "without forwarding" "\(IPv4, IPv6\): without forwarding, unicast to nobody here counts as for this"
OUT=$(bp status)
expect_out "^  rx0: 'me' is not exact \(IPv4, IPv6\)"
OUT=$(bp interfaces)
expect_out "^  rx0: 'me' is not exact \(IPv4, IPv6\)"
counts_as_me 1 dst="$RX4"
counts_as_me 1 "${V6[@]}"
counts_as_me 1 dst=$OTHER4
counts_as_me 1 "${V6[@]}" dst=$OTHER6
forward 1 0
notes "IPv4 forwards" "\(IPv6\): without forwarding.* host; nor for IPv4: what no route leads to$"
counts_as_me 1 dst="$RX4"
counts_as_me 0 dst=$OTHER4
counts_as_me 1 "${V6[@]}" dst=$OTHER6
run_in rx sysctl -qw net.ipv4.conf.rx0.forwarding=0
notes "but not by rx0" "\(IPv4, IPv6\): without forwarding"
counts_as_me 1 dst=$OTHER4
forward 0 1
notes "IPv6 forwards" "\(IPv4\): without forwarding.*; nor for IPv6: what no route leads to, and others' link-local"
counts_as_me 0 "${V6[@]}" dst=$OTHER6
counts_as_me 1 dst=$OTHER4
forward 1 1
notes "both forward" "\(IPv4, IPv6\): what no route leads to, and others' link-local addresses, count as for this host"
run_in rx ip route del default
counts_as_me 1 dst=198.51.100.9
run_in rx ip route add default via "$TX4"
counts_as_me 0 dst=198.51.100.9
counts_as_me 1 "${V6[@]}" dst=2001:db8::9
counts_as_me 1 "${V6[@]}" dst=fe80::9
counts_as_me 1 dst="$RX4"
counts_as_me 1 "${V6[@]}"
counts_as_me 0 dst=$OTHER4
counts_as_me 0 "${V6[@]}" dst=$OTHER6

# A bridge's port, whose frames are for others.
add_bridge
unset RX
forward 0 1
notes "a port" "\(IPv4\): on a bridge's port without forwarding, frames for other machines count as"
counts_as_me 1 dst=$OTHER4 dst-mac=$OTHER_MAC
counts_as_me 0 "${V6[@]}" dst=$OTHER6 dst-mac=$OTHER_MAC
run_in rx ip link del br0
run_in rx ip link set rx0 promisc on
notes "promiscuous" "\(IPv4\): promiscuous and without forwarding, frames for other machines count as"
counts_as_me 1 dst=$OTHER4 dst-mac=$OTHER_MAC
run_in rx ip link set rx0 promisc off
forward 0 0

# A rule for another interface asks nothing of this one; nor does anything where nothing is judged.
add_pair tx1 rx1 78
expect_exit 0 bp remove count udp to me
expect_exit 0 bp count on rx1 to me
notes "another interface's rule"
expect_exit 0 bp attach rx1
expect_json "but that one's" '.interfaces[] | select(.name == "rx1").notes | length == 1' \
	bp status --json
expect_exit 0 bp off
expect_json "off" '[.interfaces[].notes[]] == []' bp status --json
expect_exit 0 bp on
expect_exit 0 bp remove count on rx1 to me
expect_exit 0 bp detach rx1

# Generic XDP gets what the kernel or a virtual peer has put together, and cannot tell how much.
expect_exit 0 bp detach rx0
expect_exit 0 bp attach rx0 --mode generic
notes "generic" "generic XDP counts an aggregate of packets .GRO, GSO. as one"
if ! run_in tx ethtool -K tx0 tso on gso on gro on tx on rx on >/dev/null 2>&1 ||
	! run_in rx ethtool -K rx0 tso on gso on gro on tx on rx on >/dev/null 2>&1; then
	skip "aggregates" "ethtool cannot switch them on"
	finish
fi
BYTES=8000000
for mode in generic native tc; do
	expect_exit 0 bp detach rx0
	expect_exit 0 bp attach rx0 --mode $mode
	expect_exit 0 bp count in tcp/8080
	exec {FD}< <(run_in rx "$PKT" serve 8080 0)
	read -r -u "$FD" _
	run_in tx timeout 20 bash -c "head -c $BYTES /dev/zero >/dev/tcp/$RX4/8080"
	same "$mode: all arrived" $BYTES "$(cat <&"$FD")"
	exec {FD}<&-
	SEGMENTS=$((BYTES / 1460)) COUNTED=$(counter packets "in tcp to port 8080")
	if [ $mode = generic ]; then
		check "$mode: $COUNTED counted, for at least $SEGMENTS" [ "$COUNTED" -lt $((SEGMENTS / 2)) ]
	else
		check "$mode: $COUNTED counted, for at least $SEGMENTS" [ "$COUNTED" -ge $SEGMENTS ]
		notes "$mode"
	fi
	expect_exit 0 bp remove count in tcp/8080
done

finish
