#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is sent to everybody: DHCP's broadcast from a host that has no address yet, subnet broadcast,
# multicast to groups that were joined. All of it arrives without a rule, and each rule stops its
# own.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# A newcomer at a second cable, without an address.
add_space new
ip link add new0 netns "$(netns new)" address 02:00:00:00:78:01 type veth \
	peer name rx1 netns "$(netns rx)" address 02:00:00:00:78:02
add_end rx rx1 78 2 1 02:00:00:00:78:01
run_in new sysctl -qw net.ipv6.conf.new0.disable_ipv6=1
run_in new ip link set new0 up
until_true has_multicast tx tx0
until_true has_multicast rx rx0

exec {MEMBER}< <(exec nsenter "--net=/run/netns/$(netns rx)" "$PKT" join rx0 224.0.0.251 \
	239.255.77.77 ff02::fb ff05::7777)
read -r -u "$MEMBER" READY
[ "$READY" = ready ] || exit

# heard: what arrives while everybody is spoken to, a line each: port, and from where.
heard() {
	local fd

	exec {fd}< <(run_in rx "$PKT" recv udp/67 udp/137 udp/138 udp/5353 udp/7777)
	read -r -u "$fd" _
	run_in new "$PKT" say new0 68 255.255.255.255/67
	run_in tx "$PKT" say tx0 137 10.77.0.255/137 255.255.255.255/138
	run_in tx "$PKT" say tx0 5353 224.0.0.251/5353 ff02::fb/5353
	run_in tx "$PKT" say tx0 7777 239.255.77.77/7777 ff05::7777/7777
	run_in tx bash -c "echo end >/dev/udp/$RX4/9"
	cut -d' ' -f2,3 <&"$fd" | sort
	exec {fd}<&-
}

ALL="137 $TX4
138 $TX4
5353 $TX4
5353 $TX6
67 0.0.0.0
7777 $TX4
7777 $TX6"

# deaf RULE LOST PACKETS: with that rule alone, the lines of ALL that match LOST are not heard.
deaf() {
	local count got

	# shellcheck disable=SC2086
	bp block $1 >/dev/null
	got=$(heard)
	count=$(bp status --json | jq -c '.rules[] | [.packets, .bytes]')
	# shellcheck disable=SC2086
	bp remove $1 >/dev/null
	same "$1" "$(grep -vE "$2" <<<"$ALL")"$'\n'"[$3,$4]" "$got"$'\n'"$count"
}

same "without a filter all is heard" "$ALL" "$(heard)"
expect_exit 0 bp attach rx0 rx1
same "without a rule all is heard" "$ALL" "$(heard)"

# 43 bytes each by IPv4, 63 by IPv6.
deaf "udp/67" '^67' 1 43
deaf "udp from 0.0.0.0 port 68 to 255.255.255.255 port 67" '^67' 1 43
deaf "on rx1 to me" '^67' 1 43
deaf "to 255.255.255.255" '^67|^138' 2 86
deaf "udp/137 to 10.77.0.255" '^137' 1 43
deaf "udp/137-138 to me" '^13' 2 86
deaf "to 224.0.0.0/4" "(5353|7777) $TX4" 2 86
deaf "to ff00::/8 port 5353" "5353 $TX6" 1 63
deaf "udp/5353" '^5353' 2 106
deaf "udp/7777 to me" '^7777' 2 106
deaf "udp/7777 to 239.255.77.76/31" "7777 $TX4" 1 43
deaf "udp/7777 to ff05::7777" "7777 $TX6" 1 63
# Not these.
for rule in "udp/68" "udp/67 to 10.77.0.0/16" "on rx0 udp/67" "tcp/67" "to 224.0.0.0/24 port 7777" \
	"to ff02::/16 port 7777" "udp/137 from 10.77.0.2" "out udp/5353"; do
	deaf "$rule" none 0 0
done

# What the kernel itself says of groups: IGMP, and MLD behind an extension header (hop-by-hop).
joins() {
	local fd

	exec {fd}< <(exec nsenter "--net=/run/netns/$(netns rx)" "$PKT" join rx0 "$@")
	read -r -u "$fd" _
	exec {fd}<&-
}

# shellcheck disable=SC2317 # until_true calls it
reported() {
	[ "$(counter packets "out igmp from me")" -gt 0 ] &&
		[ "$(counter packets "out icmpv6 type 143 from me")" -gt 0 ]
}

expect_exit 0 bp block out igmp from me
expect_exit 0 bp block out icmpv6 type 143 from me
exec {SNIFFER}< <(run_in tx "$PKT" sniff tx0)
read -r -u "$SNIFFER" _
joins 239.255.77.78 ff05::7778
check "the reports were counted" until_true reported
run_in rx "$PKT" send rx0 "$("$PKT" build end)"
same "and none left" "" "$(grep -E '^(2|icmp6) ' <&"$SNIFFER" | grep -v 'icmp6 .* 13[3-6] ')"
exec {SNIFFER}<&-
expect_exit 0 bp remove out igmp from me

finish
