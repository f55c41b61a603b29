#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What the lock-out guard asks about for lines `protect`: every host and port of theirs that some
# rule tells from others.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

CONF=$BPFPOL_CONF_DIR/bpfpol.conf

# conf LINE...
conf() {
	mkdir -p "$BPFPOL_CONF_DIR"
	printf '%s\n' "$@" >"$CONF"
}

# cuts WHAT RULE...: such a block is refused.
cuts() {
	local what=$1

	shift
	expect_exit 5 bp block "$@" --dry-run
	expect_out "$what"
}

# spares RULE...: and such a one is not.
spares() {
	expect_exit 0 bp block "$@" --dry-run
}

# policy NAME RULE...
policy() {
	local name=$1

	shift
	mkdir -p "$BPFPOL_CONF_DIR/policies"
	printf '%s\n' "$@" >"$BPFPOL_CONF_DIR/policies/$name.policy"
}

# in_force RULE...: these alone are, whatever they cut.
in_force() {
	policy before "$@"
	expect_exit 0 bp policy assign before --force
}

# assign_cuts RULE..., assign_spares RULE...: they would come in the place of what is in force.
assign_cuts() {
	policy after "$@"
	expect_exit 5 bp policy assign after --dry-run
}

assign_spares() {
	policy after "$@"
	expect_exit 0 bp policy assign after --dry-run
}

add_pair tx1 rx1 78
expect_exit 0 bp attach rx0 rx1
expect_exit 0 bp block udp/1434

# A network and a line of ports: all ports of the other lines, with their protocols.
conf 'protect = 10.77.0.0/24' 'protect = tcp/22,8443' 'protect = sctp/3868' 'protect = udp/500'
cuts 'line 1' tcp/8443 from 10.77.0.0/24
cuts 'line 1' sctp from "$TX4"
cuts 'line 1' sctp/3868 from "$TX4"
cuts 'line 1' udp/500 from "$TX4"
cuts 'line [13]' sctp/3868
cuts 'line [14]' udp/500
spares tcp/8444 from 10.77.0.0/24
spares udp/501 from "$TX4"
spares sctp/22

# Clients speak from any port; services elsewhere do so from theirs.
conf 'protect = tcp/22'
cuts 'line 1' tcp from any port 49152-65535
cuts 'line 1' tcp from any port 1024-32767
cuts 'line 1' tcp from any port 0-1023
cuts 'line 1.*leaves by' out tcp to any port 32768-60999
spares out tcp/25
spares tcp from any port 6660-6669

# More parts than anybody would look at one by one, the last of which is not stopped.
conf 'protect = 10.0.0.0/8'
PERMITS=$(printf 'permit tcp from 10.1.%d.0/24\n' $(seq 0 255) && printf 'permit tcp from 10.2.%d.0/24\n' $(seq 0 255))
mapfile -t PERMITS <<<"$PERMITS"
in_force "${PERMITS[@]}"
assign_spares 'block tcp from 10.1.0.0/16' 'block tcp from 10.2.0.0/16' "${PERMITS[@]}"
assign_cuts 'block tcp from 10.1.0.0/16' 'block tcp from 10.2.0.0/16' "${PERMITS[@]:0:511}"
printf '10.3.%d.7\n' $(seq 0 255) >"$WORLD/list"
assign_cuts "block tcp from @$WORLD/list" "permit tcp from 10.3.0.0/17" "${PERMITS[@]}"
in_force "block tcp from @$WORLD/list" 'permit tcp from 10.3.9.0/24'
assign_spares "block tcp from @$WORLD/list"
printf '10.3.%d.7\n' 300 $(seq 0 254) | sed 's/300/9/' >"$WORLD/list2"
assign_spares "block tcp from @$WORLD/list2"
echo 10.4.0.1 >>"$WORLD/list2"
assign_cuts "block tcp from @$WORLD/list2"

# What was in force stopped the hosts that come to mind first, and those alone.
conf 'protect = tcp/22' 'protect = 10.0.0.0/8'
in_force 'block 11.22.33.44' 'block 214.22.33.44' 'block 2608:44::44' 'block 10.0.0.0' 'block 10.255.255.255' \
	'block 1.0.0.0/8' 'block 128.0.0.0/8' 'block 2000::/16'
assign_cuts 'block tcp/22'
assign_cuts 'block tcp/22 from 10.0.0.0/8'
assign_spares 'block 11.22.33.44' 'block 10.0.0.0' 'block tcp/23'
# A permit for some does not speak for others.
in_force 'count tcp/22'
assign_cuts 'block tcp/22' 'permit 11.22.33.44' 'permit 214.22.33.44' 'permit 2608:44::44' 'permit 0.0.0.0/3' \
	'permit 128.0.0.0/3' 'permit 10.0.0.0/8' 'permit 2000::/8'
assign_spares 'block tcp/22' 'permit 0.0.0.0/1' 'permit 128.0.0.0/1' 'permit ::/1' 'permit 8000::/1'
# Nor does the block of some, which is meant; but that of a whole half is.
conf 'protect = tcp/22'
spares 203.0.113.0/24
spares tcp/22 from 64.0.0.0/2
assign_cuts 'block tcp/22 from 64.0.0.0/2' 'block tcp/22 from 0.0.0.0/2'
assign_cuts 'block tcp/22 from 128.0.0.0/1'
# Whoever was permitted above a block for all is cut with his permit.
in_force 'block tcp/22' 'permit tcp/22 from 203.0.113.0/24' 'permit tcp/22 from 198.51.100.0/24'
assign_cuts 'block tcp/22' 'permit tcp/22 from 203.0.113.0/24'
assign_spares 'block tcp/22' 'permit tcp/22 from 203.0.113.0/24' 'permit from 198.51.100.0/24'
expect_exit 5 bp remove permit tcp/22 from 203.0.113.0/24
in_force 'block tcp/22' 'permit tcp/22 from fd00::/8' 'permit tcp/22 from 10.0.0.0/8'
assign_cuts 'block tcp/22' 'permit tcp/22 from 10.0.0.0/8'
assign_cuts 'block tcp/22' 'permit tcp/22 from fd00::/8'
spares fd00:1::/32

# A network is behind more than one interface, each of which is asked about its own part.
in_force 'block udp/1434'
conf 'protect = 10.0.0.0/8'
cuts 'line 1.*arrives at rx1' on rx1 tcp/22
cuts 'line 1.*arrives at rx0' on rx0 tcp/22
cuts 'line 1.*arrives at rx1' on rx1 tcp/22 from 10.78.0.1
spares on rx0 tcp/22 from 10.78.0.1
spares on rx1 tcp/22 from "$TX4"
# What has no route may be behind any; the first address of all is nobody's.
conf 'protect = 0.0.0.0/1'
cuts 'line 1' tcp/22 from 0.0.0.0/1
cuts 'line 1.*arrives at rx1' on rx1 tcp/22
spares tcp/22 from 0.0.0.0/8
spares tcp/22 from 127.0.0.0/8
# Rules of routing: two ways out, by this host's address, by the other end's, by a port, by what nobody sees.
conf 'protect = 198.51.100.0/24' 'protect = tcp/22,8443'
run_in rx ip route add default via 10.78.0.1 dev rx1 table 100
spares on rx1 tcp/22 from 198.51.100.0/24
run_in rx ip rule add from 10.78.0.2 table 100
cuts 'line 1.*arrives at rx1' on rx1 tcp/22 from 198.51.100.0/24
cuts 'line 1.*leaves by rx1' out on rx1 tcp from port 22 to 198.51.100.0/24
cuts 'line 1.*arrives at rx0' on rx0 tcp/22 from 198.51.100.0/24
spares on rx1 tcp/22 from 198.51.100.0/24 to 10.77.0.2
spares on rx0 tcp/22 from 198.51.100.0/24 to 10.78.0.2
run_in rx ip rule del table 100
run_in rx ip rule add to 198.51.100.128/25 table 100
cuts 'line 1.*arrives at rx1' on rx1 tcp/22 from 198.51.100.128/25
cuts 'line 1.*arrives at rx0' on rx0 tcp/22 from 198.51.100.0/25
spares on rx1 tcp/22 from 198.51.100.0/25
spares on rx0 tcp/22 from 198.51.100.128/25
run_in rx ip rule del table 100
for words in "ipproto tcp sport 8443" "sport 8443-8444" "fwmark 7" "tos 0x10" "uidrange 33-33"; do
	# shellcheck disable=SC2086
	run_in rx ip rule add $words table 100
	cuts 'line 1.*arrives at rx1' on rx1 tcp/8443 from 198.51.100.0/24
	cuts 'line 1.*arrives at rx0' on rx0 tcp/22 from 198.51.100.0/24
	run_in rx ip rule del table 100
done
spares on rx1 tcp/8443 from 198.51.100.0/24
# A route by both at once, also where its next hops are objects of their own; and one that goes by this host's
# address.
conf 'protect = 192.0.2.0/24' 'protect = 2001:db8::/32'
run_in rx ip nexthop add id 1 via 10.77.0.1 dev rx0
run_in rx ip nexthop add id 2 via 10.78.0.1 dev rx1
run_in rx ip nexthop add id 3 group 1/2
# both_ways LINE PREFIX WORDS...: such a route, and before it one by rx0 alone.
both_ways() {
	local line=$1 to=$2 n

	shift 2
	spares on rx1 tcp/22 from "$to"
	run_in rx ip route replace "$to" "$@"
	for n in 0 1; do
		cuts "line $line.*arrives at rx$n" on rx$n tcp/22 from "$to"
		cuts "line $line.*leaves by rx$n" out on rx$n tcp from port 22 to "$to"
	done
	run_in rx ip route del "$to"
}
run_in rx ip route add 192.0.2.0/24 via 10.77.0.1
both_ways 1 192.0.2.0/24 nexthop via 10.77.0.1 dev rx0 nexthop via 10.78.0.1 dev rx1
both_ways 1 192.0.2.0/24 nhid 3
for hidden in 0 1; do
	run_in rx sysctl -qw net.ipv4.nexthop_compat_mode=$((1 - hidden))
	run_in rx ip route add 192.0.2.0/24 nhid 3
	cuts 'line 1.*arrives' tcp/22 from 192.0.2.0/24
	run_in rx ip route del 192.0.2.0/24
done
run_in rx ip route add 192.0.2.0/24 nhid 1
run_in rx ip route add 192.0.2.0/24 nhid 2 table 100
for hidden in 0 1; do
	run_in rx sysctl -qw net.ipv4.nexthop_compat_mode=$((1 - hidden))
	spares on rx1 tcp/22 from 192.0.2.0/24
	run_in rx ip rule add fwmark 7 table 100
	for n in 0 1; do cuts "line 1.*arrives at rx$n" on rx$n tcp/22 from 192.0.2.0/24; done
	run_in rx ip rule del fwmark 7 table 100
done
run_in rx ip route del 192.0.2.0/24
# With no way for what has no mark it may come by any.
run_in rx ip route add unreachable 192.0.2.0/24
run_in rx ip rule add fwmark 7 table 100
for n in 0 1; do cuts "line 1.*arrives at rx$n" on rx$n tcp/22 from 192.0.2.0/24; done
run_in rx ip rule del fwmark 7 table 100
run_in rx ip route del unreachable 192.0.2.0/24
run_in rx ip route del 192.0.2.0/24 table 100
run_in rx sysctl -qw net.ipv4.nexthop_compat_mode=1
run_in rx ip -6 route add 2001:db8::/32 via "$TX6"
both_ways 2 2001:db8::/32 nexthop via "$TX6" dev rx0 nexthop via fd78::1 dev rx1
run_in rx ip -6 route add 2001:d00::/24 via "$TX6"
spares on rx1 tcp/22 from 2001:db8::/32
run_in rx ip -6 route add 2001:db8::/32 from fd78::/64 via fd78::1
cuts 'line 2.*arrives at rx1' on rx1 tcp/22 from 2001:db8::/32
cuts 'line 2.*leaves by rx1' out on rx1 tcp from port 22 to 2001:db8::/32
cuts 'line 2.*arrives at rx0' on rx0 tcp/22 from 2001:db8::/32
spares on rx1 tcp/22 from 2001:db8::/32 to "$RX6"
run_in rx ip -6 route del 2001:db8::/32 from fd78::/64
run_in rx ip -6 route del 2001:d00::/24

# Each of this host's addresses counts, by whichever interface they come; and neighbours have no route.
conf 'protect = 2000::/3'
run_in rx ip -6 route add default via "$TX6"
for n in 0 1; do run_in rx ip addr add fe80::2/64 dev rx$n nodad; done
assign_cuts 'block tcp to fd78::2'
expect_out 'line 1.*arrives at rx0'
assign_cuts 'block out tcp from fd78::/64'
expect_out 'line 1.*leaves by rx0'
conf 'protect = fe80::/64'
cuts 'line 1' tcp
cuts 'line 1.*arrives at rx1' on rx1 tcp/22
# Nor is one of this host's own.
conf 'protect = 10.77.0.0/24'
spares tcp/22 from "$RX4"

# A line that names one such alone is a mistake, of which every command says so that asks, once.
conf "protect = $RX4" 'protect = tcp/22'
expect_exit 0 bp block udp/9
expect_out "warning: .*bpfpol.conf:1: $RX4 is an address of this host"
cuts 'line 2' tcp/22
same "said once" 1 "$(grep -c 'address of this host' <<<"$OUT")"
expect_exit 0 bp status
expect_out "warning: .*bpfpol.conf:1: $RX4 is an address of this host"

# A line that is none is said once, though it is read for interfaces and for what is protected.
conf 'protect = foo'
expect_exit 0 bp status
same "one warning" 1 "$(grep -c 'bpfpol: warning: ' <<<"$OUT")"
expect_out 'bpfpol.conf counts for nothing as it is now: .*bpfpol.conf:1: .protect. takes an address'

conf "protect = $TX4"
expect_exit 0 bp block udp/10
same "of others nothing is said" "" "$(grep 'address of this host' <<<"$OUT")"

# A host whose addresses are yet to come; and one that can have none of IPv6.
conf 'protect = tcp/22' 'protect = 198.51.100.9' 'protect = 2001:db8::9'
in_force 'block udp/1434'
for n in 0 1; do run_in rx ip addr flush dev rx$n; done
cuts 'line 1.*arrives at rx0' tcp/22
cuts 'line 1.*arrives at rx1' on rx1
cuts 'line 1.*leaves by rx0' out from any port 22
cuts 'line 1' tcp/22 to me
cuts 'line 1' 0.0.0.0/0
cuts 'line 1' ::/0
cuts 'line 2' 198.51.100.9
cuts 'line 3' 2001:db8::9
assign_cuts 'block in'
spares tcp/23
spares tcp/22 from 203.0.113.0/24
run_in rx ip addr add "$RX4/24" dev rx0
cuts 'line 1' ::/0
run_in rx sysctl -qw net.ipv6.conf.all.disable_ipv6=1
spares ::/0
cuts 'line 1' tcp/22
run_in rx sysctl -qw net.ipv6.conf.rx1.disable_ipv6=0
run_in rx ip addr flush dev rx1
cuts 'line 1' ::/0

finish
