#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What the verifier thinks of the programs: under 10,000 instructions each, with every kind of rule.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

MOST=10000
DYNAMIC=0

expect_exit 0 bp block udp/1434
# A classifier is loaded where its kind of hook is used, so each is used once.
add_pair tx1 rx1 78
expect_exit 0 bp attach rx1 --mode generic
add_pair tx2 rx2 79
expect_exit 0 bp attach rx2 --mode tc
expect_exit 0 run_in rx "$PKT" link-type l3 512
expect_exit 0 bp attach l3
for words in "inout tcp/1-1000 from 10.0.0.0/8" "out from me to any port 25" "icmpv6 type 128" \
	"on rx0 emergency 2001:db8::/32"; do
	# shellcheck disable=SC2086
	expect_exit 0 bp block $words
done
expect_exit 0 bp count udp
for pin in "$BPFPOL_BPFFS"/gen-*/classify_*; do
	SEEN=$("$PKT" verified "$pin")
	check "${pin##*/}: $SEEN instructions verified" [ "$SEEN" -gt 100 -a "$SEEN" -lt $MOST ]
done
while read -r name seen; do
	check "dynamic $name: $seen instructions verified" [ "$seen" -gt 100 -a "$seen" -lt $MOST ]
	DYNAMIC=$((DYNAMIC + 1))
done < <(run_in rx "$TOP/build/tests/hold" verified)
same "two dynamic programs for each hook" 12 "$DYNAMIC"
same "a classifier for each hook" 6 "$(find "$BPFPOL_BPFFS"/gen-* -name 'classify_*' | wc -l)"

finish
