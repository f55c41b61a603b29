#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tunnel: each packet is on two wires, inside as it was sent and outside as the tunnel's own, and
# each interface's rules judge what is on that interface's wire.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/three.sh
. "$(dirname "$0")/three.sh"

add_third
forget_neighbours
# tunnel SPACE IFACE HOST PEER: 10.81.0.HOST and fd81::HOST.
tunnel() {
	run_in "$1" ip link add vx0 type vxlan id 7 dstport 4789 dev "$2" \
		local "10.79.0.$3" remote "10.79.0.$4" || return
	run_in "$1" ip addr add "10.81.0.$3/24" dev vx0
	run_in "$1" ip addr add "fd81::$3/64" dev vx0 nodad
	run_in "$1" ip addr add "fe80::$3/64" dev vx0 nodad
	run_in "$1" ip link set vx0 up
	until_true has_multicast "$1" vx0
}

if ! tunnel rx rx9 1 2 2>/dev/null || ! tunnel third th0 2 1; then
	skip "a tunnel" "this kernel has no vxlan"
	finish
fi
run_in third ip route replace 10.77.0.0/24 via 10.81.0.1
run_in third ip route replace fd77::/64 via fd81::1
# The end mark and its answer go by the same cable, but not through the tunnel.
run_in third ip route add default via 10.79.0.1 table 9
run_in third ip rule add ipproto udp sport 9 lookup 9
run_in tx ip route add 10.81.0.0/24 via "$RX4"
run_in tx ip route add fd81::/64 via "$RX6"

serve_echo third udp/53 tcp/80 udp/9
ALL=()
for host in 10.81.0.2 fd81::2; do ALL+=("udp/$host/53" "tcp/$host/80" "icmp/$host"); done
MARK=udp/$SERVER4/9
same "without a filter all is answered" "$(but none)" "$(call tx all "${ALL[@]}")"
expect_exit 0 bp attach rx0 rx9 vx0
let_reports_pass
same "without a rule all is answered" "$(but none)" "$(call tx all "${ALL[@]}")"

# Inside.
INSIDE=$((43 + 63 + 74 + 94 + 42 + 62))
loses "out on vx0 udp/53" '^udp' 2 $((43 + 63))
loses "out on vx0 tcp/80" '^tcp' 2 $((74 + 94))
loses "out on vx0 from 10.77.0.0/24" '/10' 3 $((43 + 74 + 42))
loses "out on vx0 from me" none 0 0
loses "on vx0 udp from any port 53" '^udp' 2 $((43 + 63))
loses "on vx0 icmp type 0" '^icmp/10' 1 42
loses "on vx0 to me" none 0 0
loses "on rx0 udp/53" '^udp' 2 $((43 + 63))

# Outside there are only datagrams of the router itself, 50 bytes longer.
loses "out on rx9 udp/53" none 0 0
loses "on rx9 udp from any port 53" none 0 0
loses "out on rx9 udp/4789" '' 6 $((INSIDE + 6 * 50))
loses "out on rx9 udp/4789 from me" '' 6 $((INSIDE + 6 * 50))
loses "on rx9 udp/4789 to me" '' 6 $((INSIDE + 6 * 50))
loses "out on rx9 icmp" none 0 0

# What the router sends itself is its own on both.
expect_exit 0 bp block out on vx0 from me
same "its own" "" "$(call rx "udp/$SERVER4/9" "${ALL[@]}")"
expect_exit 0 bp remove out on vx0 from me
same "its own again" "$(but none)" "$(call rx "udp/$SERVER4/9" "${ALL[@]}")"

finish
