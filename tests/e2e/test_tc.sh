#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Inbound by TC, as XDP does it: the worm, its neighbours, VLAN tags, fragments, cut frames; and
# aggregates count as the segments that they stand for.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

add_bridge
expect_exit 0 bp attach rx0 --mode tc
expect_out 'TC'
expect_json "status says so" '.interfaces[] | select(.name == "rx0")
	| .ingress == env.TC and .egress == env.TC' bp status --json
same "no XDP" 0 "$(run_in rx ip -o link show rx0 | grep -c xdp)"
passes "${SLAMMER[@]}"
passes "${V6[@]}" "${SLAMMER[@]}"

expect_exit 0 bp block udp/1434
for words in "" "vlan=5" "vlan=5 vlan=6" "vlan=5 vlan=6 vlan=7 vlan=8"; do
	# shellcheck disable=SC2086
	{
		blocked "${SLAMMER[@]}" $words
		blocked "${V6[@]}" "${SLAMMER[@]}" $words
		passes "${SLAMMER[@]}" dport=1435 $words
	}
done
# 418 and 438 bytes without tags, 0 to 2 and 4 of 4 bytes each.
expect_json "what arrived is counted, tags too" \
	'.rules[0] | .packets == 8 and .bytes == 4 * (418 + 438) + 2 * 4 * (1 + 2 + 4)' \
	bp status --json
passes proto=tcp sport=20199 dport=1434
passes sport=1434 dport=20199
passes proto=icmp type=8
passes "${V6[@]}" "${SLAMMER[@]}" dport=1433
passes "${V6[@]}" proto=tcp dport=1434
passes "${V6[@]}" sport=1434 dport=20199
blocked src=203.0.113.9 "${SLAMMER[@]}"

expect_exit 0 bp block tcp/22
for family in v4 v6; do
	WORDS=()
	[ $family = v6 ] && WORDS=("${V6[@]}")
	blocked "${WORDS[@]}" dport=1434 len=16 frag=0+
	passes "${WORDS[@]}" dport=1435 len=16 frag=0+
	passes "${WORDS[@]}" frag=1480 len=64 first=5
	passes "${WORDS[@]}" proto=udp frag=8 len=16
	passes "${WORDS[@]}" proto=tcp frag=16 len=16
done
expect_json "so far nothing malformed" '.totals.in.malformed == 0' bp status --json
for family in v4 v6; do
	WORDS=()
	[ $family = v6 ] && WORDS=("${V6[@]}")
	blocked "${WORDS[@]}" proto=tcp frag=8 len=16
	blocked "${WORDS[@]}" proto=17 len=2
done
expect_json "malformed" '.totals.in.malformed == 4' bp status --json
passes proto=1 len=0
passes proto=gre

# A whole-protocol rule decides on later fragments too; neighbour discovery always passes.
expect_exit 0 bp block udp from 198.51.100.1
blocked src=198.51.100.1 frag=1480 len=64
passes src=198.51.100.2 frag=1480 len=64
expect_exit 0 bp block any
for type in 133 134 135 136; do passes "${V6[@]}" proto=icmp6 "type=$type" len=16; done
blocked "${V6[@]}" proto=icmp6 type=137
blocked
blocked frag=1480 len=64
expect_exit 0 bp off
passes
passes dport=1434
expect_exit 0 bp on
blocked
expect_exit 0 bp remove any
passes

# Real sockets.
exec {FD}< <(run_in rx "$PKT" recv udp/1433 udp/1434)
read -r -u "$FD" _
run_in tx bash -c "for host in $RX4 $RX6; do
	echo x >/dev/udp/\$host/1433; echo x >/dev/udp/\$host/1434; done; echo >/dev/udp/$RX4/9"
same "sockets" "udp 1433 $TX4
udp 1433 $TX6" "$(cut -d' ' -f1-3 <&"$FD" | sort)"
exec {FD}<&-

# Without the bridge: it would answer, and send, by br0.
run_in rx ip link del br0
unset RX

# bulk FROM TO ADDRESS: 8 MB of TCP; prints the bytes that came.
bulk() {
	local fd

	exec {fd}< <(run_in "$2" "$PKT" serve 8080 0)
	read -r -u "$fd" _
	run_in "$1" timeout 20 bash -c "head -c $BYTES /dev/zero >/dev/tcp/$3/8080"
	cat <&"$fd"
	exec {fd}<&-
}

if ! run_in tx ethtool -K tx0 tso on gso on gro on tx on rx on >/dev/null 2>&1 ||
	! run_in rx ethtool -K rx0 tso on gso on gro on tx on rx on >/dev/null 2>&1; then
	skip "aggregates" "ethtool cannot switch them on"
	finish
fi
BYTES=8000000
expect_exit 0 bp count out tcp to any port 8080
expect_exit 0 bp count in tcp/8080
# Per segment at most 1460 bytes (MTU 1500), at least 54 of headers; acknowledgements are few.
for way in "out rx tx $TX4" "in tx rx $RX4"; do
	read -r direction from to address <<<"$way"
	same "$direction: all arrived" $BYTES "$(bulk "$from" "$to" "$address")"
	SKBS=$(run_in "$from" ip -s -j link show "${from}0" | jq '.[0].stats64.tx.packets')
	expect_json "$direction: segments are counted, not $SKBS aggregates" \
		".rules[] | select(.direction == \"$direction\" and .action == \"count\")
		| .packets >= $BYTES / 1460 and .packets < $BYTES / 1460 * 1.5
		and .bytes >= $BYTES + .packets * 54 and .bytes < $BYTES * 1.1" bp status --json
done

finish
