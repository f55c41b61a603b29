#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Frames of an MTU of 9000 under native XDP, which gets them in several buffers: filtered and
# counted like others.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/three.sh
. "$(dirname "$0")/three.sh"

run_in tx ip link set tx0 mtu 9000
run_in rx ip link set rx0 mtu 9000
expect_exit 0 bp attach rx0 --mode native
for rule in udp/1434 tcp/22 "icmp type 8" "icmpv6 type 128"; do
	# shellcheck disable=SC2086
	expect_exit 0 bp block $rule
done

# What is blocked, and what stands beside it.
KINDS=("dport=1434" "dport=1435" "proto=tcp dport=22" "proto=tcp dport=23" "proto=icmp type=8"
	"proto=icmp type=0" "dport=1434 vlan=5" "dport=1433 vlan=5 vlan=6")
KINDS6=("dport=1434" "dport=1435" "proto=tcp dport=22" "proto=tcp dport=23" "proto=icmp6 type=128"
	"proto=icmp6 type=129" "dport=1434 vlan=5" "dport=1433 vlan=5 vlan=6")

# Closer together where a second buffer begins: a page, less what driver and kernel keep of it.
PACKETS=0 BYTES=0
for size in 1400 2048 3000 3400 3440 3480 3520 3560 3600 3800 4096 6000 8192 8900; do
	FRAMES=()
	for i in "${!KINDS[@]}"; do
		# What AF_PACKET shows of a frame lacks the tag: another length tells it from the first.
		# shellcheck disable=SC2086
		FRAMES+=("$(frame ${KINDS[i]} "len=$((size + i))")"
			"$(frame "${V6[@]}" ${KINDS6[i]} "len=$((size + i))")")
	done
	same "$size bytes of payload" bbppbbppbbppbbpp "$(verdicts "${FRAMES[@]}")"
	for i in 0 1 4 5 8 9 12 13; do
		PACKETS=$((PACKETS + 1)) BYTES=$((BYTES + ${#FRAMES[i]} / 2))
	done
done
expect_json "packets, and bytes of all buffers" \
	"[.rules[] | [.packets, .bytes]] | transpose | map(add) == [$PACKETS, $BYTES]" bp status --json
expect_json "nothing was malformed" '.totals.in.malformed == 0' bp status --json
# Lengths that lie are seen behind the first buffer, too.
passes dport=1434 len=8000 cut=7999
expect_json "its length lies" '.totals.in.malformed == 1' bp status --json

# Headers that begin in the first buffer and end in the next, or lie beyond it: they are read there.
# 3520 bytes are in the first on this kernel: 14 + 40 + 2048 + 1416 end 2 bytes before.
for size in 1368 1400 1408 1416 1424 1432 1500 2000 2048; do
	size=$((size / 8 * 8))
	FRAMES=()
	for kind in "dport=1434" "dport=1435" "proto=tcp dport=22" "proto=tcp dport=23" \
		"proto=icmp6 type=128" "proto=icmp6 type=129"; do
		for rest in "ext=60:2048 ext=60:$size" "ext=0:2048 ext=43:$size frag=0+"; do
			# shellcheck disable=SC2086
			FRAMES+=("$(frame "${V6[@]}" $kind $rest "len=$((800 + 8 * ${#FRAMES[@]}))")")
		done
	done
	same "ports behind $((54 + 2048 + size)) bytes of headers" bbppbbppbbpp \
		"$(verdicts "${FRAMES[@]}")"
done
LONG=(ext=60:1024 ext=60:1024 ext=60:1024 ext=60:1024 ext=60:1024 ext=60:1024 ext=60:1024)
blocked "${V6[@]}" "${LONG[@]}" ext=60:1024 dport=1434 len=10
passes "${V6[@]}" "${LONG[@]}" ext=60:1024 dport=1435 len=10
expect_json "none of these is malformed" '.totals.in.malformed == 1' bp status --json
# A ninth hides what comes after it, wherever it lies.
blocked "${V6[@]}" "${LONG[@]}" ext=60:512 ext=60:512 dport=1435 len=10

# Real ones: datagrams and pings of one frame each, and a connection with segments of 8948 bytes.
serve_echo rx udp/53 udp/1434 tcp/8080 udp/9
ALL=()
for host in "$RX4" "$RX6"; do
	ALL+=("udp/$host/53/8900" "udp/$host/1434/8900" "udp/$host/53/3500" "icmp/$host//8900"
		"tcp/$host/8080/8000")
done
MARK=udp/$RX4/9
for rule in "icmp type 8" "icmpv6 type 128" udp/1434 tcp/22; do
	# shellcheck disable=SC2086
	bp remove $rule >/dev/null
done
same "sockets: all is answered" "$(but none)" "$(call tx all "${ALL[@]}")"
loses "udp/1434" '/1434/' 2 $((42 + 62 + 2 * 8900))
loses "udp/53" 'udp.*/53/' 4 $((2 * (42 + 62) + 2 * 8900 + 2 * 3500))
loses "icmp" 'icmp/10' 1 $((34 + 8900))
loses "from $TX6 to $RX6" 'fd77' 5 $((2 * (62 + 8900) + 62 + 3500 + 54 + 8900 + 94))

exec {SERVER}< <(run_in rx "$PKT" serve 8000 0)
read -r -u "$SERVER" _
exec {SNIFFER}< <(run_in rx "$PKT" sniff rx0 routed)
read -r -u "$SNIFFER" _
expect_exit 0 bp count tcp/8000
run_in tx timeout 20 bash -c "head -c 3000000 /dev/zero >/dev/tcp/$RX4/8000"
same "a connection" 3000000 "$(cat <&"$SERVER")"
run_in tx bash -c "echo end >/dev/udp/$RX4/9"
SEEN=$(awk '$5 == 8000 { n++; bytes += $6; if ($6 > most) most = $6 }
	END { print "[" n "," bytes "]", most }' <&"$SNIFFER")
exec {SERVER}<&- {SNIFFER}<&-
same "every segment and byte of it is counted" "${SEEN% *}" \
	"$(bp status --json | jq -c '.rules[] | [.packets, .bytes]')"
check "they were large ones" [ "${SEEN#* }" -gt 8000 ]

finish
