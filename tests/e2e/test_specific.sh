#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The most specific rule wins, in whatever order they came.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

OTHER=10.77.0.9

expect_exit 0 bp block udp/1434
expect_exit 0 bp permit udp/1434 from "$TX4"
passes dport=1434
blocked dport=1434 "src=$OTHER"
blocked "${V6[@]}" dport=1434

# The equal permit would stand in vain.
expect_exit 5 bp permit udp/1434
expect_out 'udp'
expect_out 'block'
passes dport=1434
blocked dport=1434 "src=$OTHER"

# Longer prefix of the remote end; the order of the commands is the other one.
expect_exit 0 bp block from 10.77.0.1 to me port 53
expect_exit 0 bp permit 10.77.0.0/24
blocked dport=53
passes dport=53 "src=$OTHER"
blocked dport=1434 "src=10.78.0.1"
passes dport=1434 "src=$OTHER"
bp remove permit 10.77.0.0/24 >/dev/null

# Protocol over none, one port over a range, a smaller range over a larger one.
expect_exit 0 bp block tcp/1000-2000
expect_exit 0 bp permit tcp/1500-1600
expect_exit 0 bp block tcp/1550
blocked proto=tcp dport=1000
passes proto=tcp dport=1500
blocked proto=tcp dport=1550
passes proto=tcp dport=1551
blocked proto=tcp dport=1601
passes proto=tcp dport=2001

# Emergency is above all of them.
expect_exit 0 bp permit emergency tcp/1000
passes proto=tcp dport=1000
expect_exit 0 bp block emergency tcp/1551
blocked proto=tcp dport=1551

# The barest emergency rule beats the fullest other one; among emergencies the usual order holds.
expect_exit 0 bp permit on rx0 udp from "$TX4" port 5000 to "$RX4" port 5001
expect_exit 0 bp block emergency in
blocked sport=5000 dport=5001
blocked proto=tcp dport=1000 "src=$OTHER" vlan=3 frag=1480
passes proto=tcp dport=1000
expect_exit 0 bp permit emergency 10.77.0.0/24
expect_exit 0 bp block emergency udp from "$TX4"
blocked sport=5000 dport=5001
blocked "${V6[@]}"
passes sport=5000 dport=5001 "src=$OTHER"
expect_exit 5 bp permit emergency udp from "$TX4"
expect_exit 0 bp remove block emergency udp from "$TX4"
expect_exit 0 bp remove block emergency in
expect_exit 0 bp remove permit emergency 10.77.0.0/24
passes sport=5000 dport=5001

# The local end's prefix comes before the port.
expect_exit 0 bp permit udp/7000 to "$RX4"
expect_exit 0 bp block udp/7000-7001 to me
expect_exit 0 bp block udp/7000
passes dport=7000
blocked dport=7001
blocked "${V6[@]}" dport=7000

# An interface given is above none.
expect_exit 0 bp permit on rx0 udp/8000
expect_exit 0 bp block udp/8000
passes dport=8000

# count never decides, but counts.
expect_exit 0 bp count udp/8000
expect_exit 0 bp count "$TX4"
passes dport=8000
same "count counts" 1 "$(counter packets "in udp to port 8000" | sort -rn | head -n 1)"
same "every matching count rule counts" 1 "$(counter packets "in from $TX4")"

finish
