#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Captures of real attacks, and of what others made up to confuse filters, sent over a real cable:
# what arrives, every counter and the malformed ones are what the oracle says.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/judged.sh
. "$(dirname "$0")/judged.sh"

CAPTURES=$TOP/../shared/data/captures
VICTIM=10.10.10.10 VICTIM6=2a01:4f8:221:17d3::2
SNMP=$CAPTURES/stopddos/amp.UDP.snmp.src161.pcapng
DNS=$CAPTURES/stopddos/amp.dns.RRSIG.fragmented.pcap

# Captured behind GRO: frames of 6197 bytes. Forwarding is on, so that `me` is exact. Who sends says
# nothing of his own.
run_in tx sysctl -qw net.ipv6.conf.tx0.disable_ipv6=1
run_in tx ip link set tx0 mtu 9000
run_in rx ip link set rx0 mtu 9000
run_in rx ip addr add $VICTIM/32 dev lo
run_in rx ip addr add $VICTIM6/128 dev lo
run_in rx sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
run_in rx ip -6 route add default via "$TX6"
OWN=("$VICTIM" "$VICTIM6" "$RX4" "$RX6" 127.0.0.0/8 ::1)
expect_exit 0 bp attach rx0

# rules LINE...: a file of them.
rules() {
	printf '%s\n' "$@" >"$WORLD/rules"
	echo "$WORLD/rules"
}

# as_judged DESC FRAMES LINE...
as_judged() {
	expect_as_judged "$1" "$(rules "${@:3}")" "$2" in rx0 "${OWN[@]}"
}

# passed PROTO [SPORT]: of what the last capture sent, as it arrived.
passed() {
	awk -v proto="$1" -v sport="${2:-}" \
		'$1 == proto && (sport == "" || $3 == sport)' "$WORLD/got" | wc -l
}

if [ -r "$SNMP" ]; then
	"$JUDGE" frames "$SNMP" >"$WORLD/frames"
	as_judged "SNMP reflection" "$WORLD/frames" "block udp from any port 161 to me"
	same "no answer of SNMP arrives" 0 "$(passed udp 161)"
	check "what is no UDP does" [ "$(passed icmp)" -gt 200 ]
	as_judged "SNMP reflection, one service kept" "$WORLD/frames" "count udp" \
		"block udp from any port 161" "permit udp from any port 161 to $VICTIM port 3299"
	check "that one arrives" [ "$(passed udp 161)" -gt 1000 ]
else
	skip "SNMP reflection" "no such capture: $SNMP"
fi
if [ -r "$DNS" ]; then
	"$JUDGE" frames "$DNS" >"$WORLD/frames"
	as_judged "DNS in fragments" "$WORLD/frames" "block udp from any port 53 to me"
	same "no first fragment arrives" 0 "$(passed udp 53)"
	check "later ones have no ports" [ "$(passed udp -)" -gt 700 ]
	as_judged "DNS, all of it" "$WORLD/frames" "block udp to me" "count udp from any port 53"
	same "no fragment arrives" 0 "$(passed udp)"
	check "TCP does" [ "$(passed tcp)" -gt 3000 ]
else
	skip "DNS in fragments" "no such capture: $DNS"
fi

# All of Ethernet that are there, as far as a frame fits.
find "$CAPTURES" -type f 2>/dev/null | sort | while read -r file; do
	"$JUDGE" frames "$file" 2>/dev/null
done | awk 'length($0) >= 28 && length($0) <= 18028' >"$WORLD/all"
if [ ! -s "$WORLD/all" ]; then
	skip "all captures" "there are none in $CAPTURES"
	finish
fi
IN=("count tcp" "count ::/0" "block udp" "permit udp from any port 53"
	"permit udp to any port 0-1023" "block tcp to any port 80" "block icmp" "permit icmp type 8"
	"block icmpv6" "block sctp" "block 10.0.0.0/8" "block 2001::/16" "block tcp to me" "permit gre"
	"permit tcp from 10.0.0.0/8 to any port 1024-65535" "block 89")
as_judged "all, XDP" "$WORLD/all" "${IN[@]}"

# Cut somewhere in the first 100 bytes, each at another place.
awk '{ n = 28 + 2 * (NR * 7 % 90); if (n < length($0)) print substr($0, 1, n) }' "$WORLD/all" \
	>"$WORLD/cut"
as_judged "cut, XDP" "$WORLD/cut" "${IN[@]}"

# As they leave, by TC.
OUTWARD=("count out tcp" "block out udp" "permit out udp to any port 53"
	"permit out udp from any port 0-1023" "block out tcp from any port 80" "block out icmp"
	"permit out icmp type 8" "block out icmpv6" "block out sctp" "block out to 10.0.0.0/8"
	"permit out tcp from any port 1024-65535 to 10.0.0.0/8" "block out to 2001::/16")
run_in rx sysctl -qw net.ipv6.conf.rx0.disable_ipv6=1
export FROM=rx TX=rx0 TO=tx RX=tx0
for what in all cut; do
	expect_as_judged "$what, TC" "$(rules "${OUTWARD[@]}")" "$WORLD/$what" out rx0 "${OWN[@]}"
done
unset FROM TX TO RX
run_in rx sysctl -qw net.ipv6.conf.rx0.disable_ipv6=0
run_in rx ip addr add "$RX6/64" dev rx0 nodad
run_in rx ip -6 route add default via "$TX6"

expect_exit 0 bp detach rx0
expect_exit 0 bp attach rx0 --mode generic
as_judged "all, generic XDP" "$WORLD/all" "${IN[@]}"

finish
