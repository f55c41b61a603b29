#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The interfaces of a bridge: what they carry for other machines is filtered like all else, is never
# this host's own as it leaves, and as it arrives only where the kernel cannot tell.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/three.sh
. "$(dirname "$0")/three.sh"

add_third
# All three on one link: the router becomes a switch with an address.
run_in rx ip link add br0 address "$RX_MAC" type bridge mcast_snooping 0
for port in rx0 rx9; do
	run_in rx ip addr flush dev $port
	run_in rx ip link set $port master br0
done
run_in third ip addr flush dev th0
for at in "rx br0 2" "third th0 3" "tx tx0 1"; do
	read -r space iface host <<<"$at"
	run_in "$space" ip addr replace "10.77.0.$host/24" dev "$iface"
	run_in "$space" ip addr replace "fd77::$host/64" dev "$iface" nodad
	run_in "$space" ip addr replace "fe80::$host/64" dev "$iface" nodad
	run_in "$space" ip link set "$iface" up
	run_in "$space" ip neigh flush dev "$iface" nud all
done
for at in tx:tx0 rx:br0 third:th0; do until_true has_multicast "${at%:*}" "${at#*:}"; done

serve_echo rx udp/53 tcp/80 udp/9
serve_echo third udp/53 tcp/80 udp/9
ALL=()
for host in 10.77.0.2 fd77::2 10.77.0.3 fd77::3; do
	ALL+=("udp/$host/53" "tcp/$host/80" "icmp/$host")
done
MARK=udp/10.77.0.3/9
same "without a filter all is answered" "$(but none)" "$(call tx all "${ALL[@]}")"
expect_exit 0 bp attach rx0 rx9
let_reports_pass
same "without a rule all is answered" "$(but none)" "$(call tx all "${ALL[@]}")"

# Who it is for makes no difference to other rules, nor which way it goes.
loses "udp/53" '^udp' 4 $((2 * 43 + 2 * 63))
loses "udp/53 to 10.77.0.3" '^udp/10.77.0.3' 1 43
loses "out on rx9 tcp/80" '^tcp/.*3/80' 2 $((74 + 94))
loses "on rx9 tcp from any port 80" '^tcp/.*3/80' 2 $((74 + 94))
loses "out on rx0 icmp type 0" '^icmp/10' 2 84

# As it leaves it is known by where it came in, forwarding or not.
loses "out from me" '(10.77.0.|fd77::)2' 6 $((43 + 63 + 74 + 94 + 42 + 62))
loses "out on rx9 from me" none 0 0
# As it arrives the kernel's routing is asked. Without forwarding it tells nothing.
MARK=udp/10.77.0.3/9 forwarding off
loses "udp/53 to me" '^udp' 4 $((2 * 43 + 2 * 63))
forwarding on
loses "to me" '(10.77.0.|fd77::)2' 6 $((43 + 63 + 74 + 94 + 42 + 62))
loses "on rx9 to me" none 0 0

# Of the link's own addresses it never tells.
expect_exit 0 bp block udp/1434 to me
blocked "${V6[@]}" src=fe80::1 dst=fe80::2 dport=1434
blocked "${V6[@]}" src=fe80::1 dst=fe80::3 dport=1434
passes dst=10.77.0.3 dport=1434
passes "${V6[@]}" dst=fd77::3 dport=1434
expect_exit 0 bp remove udp/1434 to me

# The bridge itself sees nothing but what is for this host: there it is exact, always.
expect_exit 0 bp detach rx0 rx9
expect_exit 0 bp attach br0
for way in on off; do
	forwarding $way
	loses "on br0 to me" '(10.77.0.|fd77::)2' 6 $((43 + 63 + 74 + 94 + 42 + 62))
	loses "on br0 udp/53" '^udp/(10.77.0.|fd77::)2' 2 $((43 + 63))
	loses "out on br0 from me" '(10.77.0.|fd77::)2' 6 $((43 + 63 + 74 + 94 + 42 + 62))
done

finish
