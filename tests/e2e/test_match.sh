#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Each thing a rule can ask for: it matches what it says, and not what stands beside it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# with RULE-WORDS...: the one rule in force.
with() {
	local id

	for id in $(bp status --json | jq '.rules[].id'); do bp remove --id "$id" >/dev/null; done
	expect_exit 0 bp block "$@"
}

with 198.51.100.7
blocked src=198.51.100.7
passes src=198.51.100.8
passes dst=198.51.100.7

with 198.51.100.0/25
blocked src=198.51.100.0
blocked src=198.51.100.127
passes src=198.51.100.128
passes src=198.51.99.255

with from 172.16.0.0/255.240.0.0
blocked src=172.31.255.255
passes src=172.32.0.0
passes src=172.15.255.255

with 2001:db8::/33
blocked src=2001:db8:7fff::1 "dst=$RX6"
passes src=2001:db8:8000::1 "dst=$RX6"

with to 10.77.0.128/25
blocked dst=10.77.0.200
passes "dst=$RX4"

with 0.0.0.0/0
blocked
passes "${V6[@]}"

with ::/0
blocked "${V6[@]}"
passes

with any
blocked
blocked "${V6[@]}" proto=89

with to me
blocked
blocked "${V6[@]}"
blocked dst=255.255.255.255
blocked dst=224.0.0.251
blocked src=fd77::1 dst=ff02::fb
blocked "src=$TX4" dst=10.77.0.255
# What this host forwards is not its own. (While it does not forward, the kernel cannot tell; nor
# where there is no route.)
run_in rx ip -6 route add default via "$TX6"
run_in rx sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
passes dst=203.0.113.1
passes src=fd77::1 dst=2001:db8::7
blocked
blocked "${V6[@]}"
blocked dst=255.255.255.255
blocked src=fd77::1 dst=ff02::fb
run_in rx sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0

with tcp/22,80,6000-6063
blocked proto=tcp dport=22
blocked proto=tcp dport=6000
blocked proto=tcp dport=6063
passes proto=tcp dport=6064
passes proto=tcp dport=5999
passes proto=tcp dport=81
passes proto=udp dport=80
passes proto=tcp sport=22 dport=23

with tcp/0-65535
blocked proto=tcp dport=0
blocked proto=tcp dport=65535
passes proto=udp dport=0

with udp from any port 53
blocked sport=53 dport=5000
passes sport=54 dport=53

# Ports without a protocol: every protocol that has ports.
with to any port 123
for proto in udp tcp sctp dccp udplite; do blocked "proto=$proto" dport=123; done
passes proto=icmp type=0 code=123
passes dport=124

with icmp type 8
blocked proto=icmp type=8
passes proto=icmp type=0
with icmp type 3 code 4
blocked proto=icmp type=3 code=4
passes proto=icmp type=3 code=3
with icmpv6 type 128
blocked "${V6[@]}" proto=icmp6 type=128
passes "${V6[@]}" proto=icmp6 type=129
passes proto=icmp type=128

with gre
blocked proto=gre
blocked "${V6[@]}" proto=gre
passes proto=46
with 132
blocked proto=sctp dport=1
passes proto=dccp dport=1

finish
