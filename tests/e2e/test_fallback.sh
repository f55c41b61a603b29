#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A driver that takes no native XDP, or not at this MTU; a kernel that has no frames of several
# buffers (before 5.18), no TCX, no clsact: the next way is taken, and it is said which and why. Jumbo
# frames are filtered and counted on each.
export REFUSE=native
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

add_bridge

# is DESC IN OUT PATTERN: what status says of rx0.
is() {
	expect_json "$1: $2, $3" '.interfaces[] | select(.name == "rx0")
		| .ingress == "'"$2"'" and .egress == "'"$3"'" and (.why | test("'"$4"'"))' bp status --json
}

# jumbo: frames above the usual MTU, both ways, blocked and counted exactly.
jumbo() {
	local in out len

	expect_exit 0 bp block udp/1434
	expect_exit 0 bp block out udp/1434
	for len in 1400 3500 8900; do
		blocked dport=1434 len=$len
		blocked "${V6[@]}" dport=1434 len=$len
		passes dport=1433 len=$len
		passes "${V6[@]}" dport=1433 len=$len
		FROM=rx TX=rx0 TO=tx RX=tx0 blocked "${BACK[@]}" dport=1434 len=$len
		FROM=rx TX=rx0 TO=tx RX=tx0 passes "${BACK[@]}" dport=1433 len=$len
	done
	in=$((2 * (1400 + 3500 + 8900) + 3 * (42 + 62)))
	out=$((1400 + 3500 + 8900 + 3 * 42))
	expect_json "every byte of it" '[.rules[] | {(.direction): [.packets, .bytes]}] | add
		| .in == [6, '$in'] and .out == [3, '$out']' bp status --json
	expect_json "nothing was malformed" '.totals.in.malformed + .totals.out.malformed == 0' \
		bp status --json
	expect_exit 0 bp remove udp/1434
	expect_exit 0 bp remove out udp/1434
}

run_in tx ip link set tx0 mtu 9000
run_in rx ip link set rx0 mtu 9000

expect_exit 0 bp attach rx0
expect_out 'generic XDP \(the driver does not take native XDP at an MTU of 9000: Operation not supp'
is "no native XDP" xdp-generic tcx "slower"
jumbo
expect_exit 0 bp detach rx0
BEFORE=$(snapshot)
expect_exit 1 bp attach rx0 --mode native
expect_out 'rx0 does not take native XDP \(its driver, or its MTU of 9000\).*falls back'
unchanged "native, refused" "$BEFORE"

export REFUSE="native generic"
expect_exit 0 bp attach rx0
expect_out 'TC \(it takes no XDP: Operation not supported\)'
is "no XDP" tcx tcx "by TC"
same "what was tried on the way is not loaded" "" "$(find "$BPFPOL_BPFFS"/gen-* -name classify_xdp)"
jumbo
expect_exit 0 bp detach rx0
BEFORE=$(snapshot)
expect_exit 1 bp attach rx0 --mode generic
expect_out 'rx0 does not take generic XDP: Operation not supported'
unchanged "generic, refused" "$BEFORE"

export REFUSE="native generic tcx"
expect_exit 0 bp attach rx0
expect_out 'TC \(it takes no XDP: Operation not supported; by clsact, as this kernel has no TCX'
is "nor TCX" clsact clsact "clsact, as the kernel has no TCX"
jumbo
expect_exit 0 bp detach rx0

# Nothing at all: that is an error, and nothing is left of it, nor remembered.
export REFUSE="native generic tcx clsact"
BEFORE=$(snapshot)
expect_exit 1 bp attach rx0
expect_out 'neither TCX \(6.6\) nor the clsact qdisc'
unchanged "no way at all" "$BEFORE"
expect_exit 1 bp block udp/1434
unchanged "a block without a way" "$BEFORE"

# A kernel before 5.18, on which this driver, really, takes no native XDP at this MTU.
export REFUSE=frags
fresh_bpffs
expect_exit 1 bp attach rx0 --mode native
expect_out 'MTU of 9000\).*Numerical result out of range'
expect_exit 0 bp attach rx0
expect_out 'generic XDP \(the driver does not take native XDP at an MTU of 9000: Numerical result'
is "without several buffers" xdp-generic tcx "slower"
jumbo
expect_exit 0 bp detach rx0
run_in tx ip link set tx0 mtu 1500
run_in rx ip link set rx0 mtu 1500
expect_exit 0 bp attach rx0
is "an MTU of 1500" xdp-native tcx "the driver runs XDP"
expect_exit 0 bp block udp/1434
blocked dport=1434
blocked "${V6[@]}" dport=1434
passes dport=1433

finish
