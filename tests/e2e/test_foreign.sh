#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Somebody else's XDP program stands on the interface: it stays, and we say so.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

OBJECT=$WORLD/foreign.o
if ! clang -O2 -g -target bpf "-I/usr/include/$(uname -m)-linux-gnu" \
	-c "$TOP/tests/e2e/foreign.bpf.c" -o "$OBJECT"; then
	skip "a foreign program" "clang cannot build it"
	finish
fi

# The id of the XDP program on rx0.
id_on() {
	run_in rx ip -o link show rx0 | sed -n 's/.* id \([0-9]*\).*/\1/p'
}

for mode in xdpdrv xdpgeneric; do
	run_in rx ip link set dev rx0 $mode obj "$OBJECT" sec xdp
	THEIRS=$(id_on)
	check "$mode: a foreign program is there" [ -n "$THEIRS" ]
	BEFORE=$(snapshot)
	for words in "attach rx0" "attach rx0 --mode native" "attach rx0 --mode generic" \
		"block udp/1434"; do
		# shellcheck disable=SC2086
		OUT=$(bp $words 2>&1)
		code=$?
		same "$mode: $words leaves it" "$THEIRS" "$(id_on)"
		if [ $code -ne 0 ]; then
			expect_out 'foreign'
			expect_out "$THEIRS"
			unchanged "$mode: $words" "$BEFORE"
		else
			nok "$mode: $words is refused" "$OUT"
		fi
	done
	run_in rx ip link set dev rx0 $mode off
done

# The other way round: `ip link` cannot take ours away, and ours does not take theirs.
expect_exit 0 bp block udp/1434
OURS=$(id_on)
run_in rx ip link set dev rx0 xdpdrv obj "$OBJECT" sec xdp 2>/dev/null
run_in rx ip link set dev rx0 xdpdrv off 2>/dev/null
same "ours stays" "$OURS" "$(id_on)"
blocked dport=1434
expect_exit 0 bp off
run_in rx ip link set dev rx0 xdpdrv obj "$OBJECT" sec xdp
THEIRS=$(id_on)
OUT=$(bp on 2>&1)
same "on leaves it" "$THEIRS" "$(id_on)"
expect_out 'foreign'
OUT=$(bp detach rx0 2>&1)
same "detach leaves it" "$THEIRS" "$(id_on)"
OUT=$(bp off 2>&1)
same "off leaves it" "$THEIRS" "$(id_on)"

finish
