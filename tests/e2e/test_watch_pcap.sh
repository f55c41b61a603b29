#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `watch --pcap`: a capture that libpcap and tshark read, with interfaces, directions, times, the
# frames' first bytes, and the rule in a comment.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/watching.sh
. "$(dirname "$0")/watching.sh"

cd "$WORLD" || exit 1

capture() {
	BEFORE=$(in_place)
	nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" watch --rate 0 --pcap "$@" >out 2>watch.log &
	WATCH=$!
	until_true watched_there
}

# fields FILE NAME...: of each packet, as tshark has them.
fields() {
	local file=$1 name args=()

	shift
	for name; do args+=(-e "$name"); done
	tshark -r "$file" -T fields -E separator='|' "${args[@]}" 2>/dev/null
}

expect_exit 0 bp block udp/1434 name "a \"worm\""
expect_exit 0 bp block out udp/1434
run_in rx "$PKT" link-type l3 512
expect_exit 0 bp attach l3
expect_exit 1 bp watch --pcap none/there
expect_out 'cannot write none/there: No such file or directory'

# Where everybody may write, a link may be anybody's.
mkdir -m 777 open
echo precious >precious
ln -s ../precious open/link
chown -h 65534 open/link
expect_exit 2 bp watch --pcap open/link
expect_out 'is a symbolic link where everybody may put one'
same "what it leads to stays" precious "$(cat precious)"

# A disk that is broken: nothing is at address 0.
expect_exit 1 bp watch --pcap /proc/self/mem
expect_out 'cannot write the capture: Input/output error'

SEC=$(date +%s)
capture x.pcapng --count 5
same "it can be read by its owner" 600 "$(stat -c %a x.pcapng)"
send_frames 2 dport=1434 len=700
send_frames 1 "${V6[@]}" dport=1434 vlan=5
FROM=rx TX=rx0 TO=tx RX=tx0 send_frames 1 "${BACK[@]}" dport=1434
run_in rx ip link set l3 up
run_in rx ip addr add 192.0.2.1/24 dev l3
run_in rx bash -c "echo >/dev/udp/192.0.2.9/1434" 2>/dev/null
wait $WATCH
same "it ends with" 0 $?
same "nothing else is printed" "0 5 packets shown" "$(wc -c <out) $(cat watch.log)"
capture - --count 3
send_frames 2 dport=1434
send_frames 1 "${V6[@]}" dport=1434
wait $WATCH
expect_json "as a stream, read by libpcap" '.totals.packets == 3 and .totals.blocked == 3' \
	bp explain --json --pcap out

if ! command -v tshark >/dev/null; then
	skip "tshark" "it is not here"
	finish
fi
same "interfaces and their links" "rx0|1 rx0|1 rx0|1 rx0|1 l3|7" \
	"$(fields x.pcapng frame.interface_name frame.encap_type | xargs)"
same "bytes here and on the wire" "256|742 256|742 66|66 42|42" \
	"$(fields x.pcapng frame.cap_len frame.len | head -n 4 | xargs)"
same "ports" "1434 1434 1434 1434 1434" "$(fields x.pcapng udp.dstport | xargs)"
same "addresses" "$TX4 $TX4 $TX6 $RX4 192.0.2.1" \
	"$(fields x.pcapng ip.src ipv6.src | tr -d '|' | xargs)"
same "a tag" 5 "$(fields x.pcapng vlan.id | xargs)"
same "directions" "1 1 1 2 2" "$(fields x.pcapng frame.packet_flags_direction | sed 's/^0x0*//' | xargs)"
same "why" 'rule 1 blocks it: block in udp to port 1434 "a \"worm\""' "$(fields x.pcapng frame.comment | head -n 1)"
same "and of what left" 'rule 2 blocks it: block out udp to port 1434' \
	"$(fields x.pcapng frame.comment | tail -n 1)"
check "times" [ "$(fields x.pcapng frame.time_epoch | cut -d. -f1 | sort -u |
	awk -v s="$SEC" '$1 < s || $1 > s + 30' | wc -l)" = 0 ]
same "tshark has no complaint" "" "$(tshark -r x.pcapng 2>&1 >/dev/null | grep -v 'Running as user')"

# What arrives without Ethernet headers begins with the IP header here, too.
if [ -c /dev/net/tun ] && run_in rx ip tuntap add mode tun name tun0; then
	run_in rx ip link set tun0 up
	expect_exit 0 bp attach tun0
	capture z.pcapng --count 2
	echo go | run_in rx "$PKT" tun tun0 "$(frame src=10.80.0.1 dst=10.80.0.2 dport=1434 len=300)" \
		"$(frame src=fd80::1 dst=fd80::2 dport=1434)" >/dev/null 2>&1 &
	wait $WATCH
	same "inbound by a tun device" 0 $?
	same "its link" "tun0|7|1 tun0|7|1" "$(fields z.pcapng frame.interface_name frame.encap_type \
		frame.packet_flags_direction | sed 's/0x0*//' | xargs)"
	same "bytes from the IP header on" "256|328 48|48" "$(fields z.pcapng frame.cap_len frame.len | xargs)"
	same "its addresses and ports" "10.80.0.1||1434 |fd80::1|1434" \
		"$(fields z.pcapng ip.src ipv6.src udp.dstport | xargs)"
	expect_json "explain reads it as it was" '.totals.packets == 2 and .totals.blocked == 2' \
		bp explain --json --pcap z.pcapng
	run_in rx ip link del tun0
else
	skip "a tun device" "there is no /dev/net/tun"
fi

# A tag that the kernel has taken off is back in its place.
expect_exit 0 bp detach rx0
expect_exit 0 bp attach rx0 --mode tc
capture y.pcapng --count 1
send_frames 1 dport=1434 vlan=9
wait $WATCH
same "taken off before TC saw it" "9 1434 46|46" \
	"$(fields y.pcapng vlan.id udp.dstport | tr '|' ' ') $(fields y.pcapng frame.cap_len frame.len)"

finish
