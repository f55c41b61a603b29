#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `me` is what this host itself receives and sends, at every moment: addresses come and go and
# forwarding is switched while no process of ours runs; what is forwarded is never meant.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/three.sh
. "$(dirname "$0")/three.sh"

add_third
forget_neighbours
serve_echo third udp/53 tcp/80 udp/9
run_in rx ip -6 route add default via "$TX6"
expect_exit 0 bp attach rx0 rx9
let_reports_pass
expect_exit 0 bp block udp/1434 to me

# mine ADDRESS..., not_mine ADDRESS...: as destinations of what arrives by rx0.
mine() {
	for address; do blocked dport=1434 "src=$(source_for "$address")" "dst=$address"; done
}

not_mine() {
	for address; do passes dport=1434 "src=$(source_for "$address")" "dst=$address"; done
}

source_for() {
	case $1 in
	*:*) echo "${FROM6:-$TX6}" ;;
	*) echo "$TX4" ;;
	esac
}

# Its addresses, those of its other interface, too; broadcast and multicast.
mine "$RX4" "$RX6" 10.79.0.1 fd79::1 fe80::2 255.255.255.255 10.77.0.255 10.79.0.255 224.0.0.1 \
	224.0.0.251 239.255.255.255 ff02::1 ff02::fb ff05::2 ff0e::1234
FROM6=fe80::1 mine "$RX6" fe80::2 ff02::1
# Others' on either side, known or not; by the default route.
not_mine "$SERVER4" "$SERVER6" 10.79.0.77 fd79::77 10.77.0.77 fd77::77 203.0.113.1 2001:db8::1 \
	223.255.255.255 240.0.0.1
FROM6=fe80::1 not_mine "$SERVER6"

# Addresses come and go, on whatever interface.
for at in "lo 32 10.77.0.50" "rx0 24 10.77.0.51" "rx9 32 203.0.113.5" "lo 128 2001:db8::5" \
	"rx0 64 fd77::51" "rx9 128 fd77::52"; do
	read -r iface len address <<<"$at"
	not_mine "$address"
	run_in rx ip addr add "$address/$len" dev "$iface"
	mine "$address"
	run_in rx ip addr del "$address/$len" dev "$iface"
	not_mine "$address"
done
run_in rx ip addr add 127.1.2.3/32 dev lo
run_in rx ip route add local 198.51.100.0/24 dev lo
mine 198.51.100.0 198.51.100.255
run_in rx ip route del local 198.51.100.0/24 dev lo
not_mine 198.51.100.0
for kind in unreachable prohibit blackhole; do
	run_in rx ip route add $kind 198.51.100.0/24
	run_in rx ip -6 route add $kind 2001:db8:5::/48
	not_mine 198.51.100.1 2001:db8:5::1
	run_in rx ip route del $kind 198.51.100.0/24
	run_in rx ip -6 route del $kind 2001:db8:5::/48
done
# An interface that is down keeps its addresses of IPv4, but not of IPv6.
run_in rx ip link set rx9 down
mine 10.79.0.1
not_mine fd79::1
run_in rx ip link set rx9 up
run_in rx ip addr add fd79::1/64 dev rx9 nodad
mine 10.79.0.1 fd79::1
forget_neighbours

# Forwarding, each family by itself. Switched off, all that arrives counts as its own: the kernel
# throws away what is not.
forwarding off 4
mine "$RX4" 10.79.0.1 "$SERVER4" 203.0.113.1 "$RX6"
not_mine "$SERVER6"
forwarding on 4
not_mine "$SERVER4"
mine "$RX4"
forwarding off 6
mine "$RX6" fd79::1 "$SERVER6" 2001:db8::1 "$RX4"
not_mine "$SERVER4"
forwarding on 6
not_mine "$SERVER6"
mine "$RX6"
run_in rx sysctl -qw net.ipv4.conf.rx0.forwarding=0
mine "$SERVER4"
run_in rx sysctl -qw net.ipv4.conf.rx0.forwarding=1
not_mine "$SERVER4"

# Where no route leads, and for another's address of the link, it cannot tell either; no default
# route makes no difference to what it knows.
run_in rx ip route del default
run_in rx ip -6 route del default
not_mine "$SERVER4" "$SERVER6" 10.77.0.77 fd77::77
mine "$RX4" "$RX6" 255.255.255.255 ff02::fb
mine 203.0.113.1 2001:db8::1 fe80::77
run_in rx ip route add default via "$TX4"
run_in rx ip -6 route add default via "$TX6"
not_mine 203.0.113.1 2001:db8::1
expect_exit 0 bp remove udp/1434 to me

# What leaves: answers, errors and connections of its own, not what it forwards.
WORDS=("udp/$SERVER4/53" "udp/$SERVER6/53" "tcp/$SERVER4/80" "tcp/$SERVER6/80" "icmp/$SERVER4"
	"icmp/$SERVER6")
serve_echo rx udp/53 udp/5353 tcp/80 udp/9
OWN=("udp/$RX4/53" "udp/$RX6/53" "tcp/$RX4/80" "tcp/$RX6/80" "icmp/$RX4" "icmp/$RX6")

# answers PATTERN: of all words those that match it, as the client hears them.
expect_answers() {
	same "$1" "$(printf '%s\n' "${WORDS[@]}" "${OWN[@]}" | grep -E "$2")" \
		"$(call tx "udp/$SERVER4/9" "${WORDS[@]}" "${OWN[@]}")"
}

# Of all rules but those that let reports pass.
packets() {
	bp status --json | jq -r '[.rules[] | select(.filter | test("emergency") | not) | .packets]
		| map(tostring) | join(" ")'
}

expect_answers "all" .
expect_exit 0 bp block out from me
expect_answers "nothing of its own leaves" '/(10\.|fd)79'
same "counted" 6 "$(packets)"
same "nor what it sends itself" "" "$(call rx "udp/$RX4/9" "${WORDS[@]}")"
expect_exit 0 bp remove out from me
expect_exit 0 bp block out icmp type 0 from me
expect_answers "its ping" "^(tcp|udp|icmp/10.79|icmp/fd)"
expect_exit 0 bp remove out icmp type 0 from me
expect_exit 0 bp block to me
expect_answers "nothing to itself arrives" '/(10\.|fd)79'
same "counted, too" 6 "$(packets)"
expect_exit 0 bp remove to me

# Errors are its own, though about what it forwards.
run_in rx sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
expect_exit 0 bp count out icmp type 11 from me
expect_exit 0 bp count out icmpv6 type 3 from me
expect_exit 0 bp block out on rx0 icmp type 11 from me
stopped "dst=$SERVER4" ttl=1
stopped "${V6[@]}" "dst=$SERVER6" ttl=1
same "errors are its own" "1 1 1" "$(packets)"

finish
