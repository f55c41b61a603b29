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

# Not by `ip link set xdp obj`: that pins in whichever bpffs stands first in /proc/mounts, and that
# may be another test's, which is about to go.
FOREIGN=$WORLD/bpf/foreign
"$BPFTOOL" prog load "$OBJECT" "$FOREIGN" type xdp || exit 1

# put MODE [overwrite]: the foreign program on rx0. take MODE: and off again.
put() {
	run_in rx "$BPFTOOL" net attach "$1" pinned "$FOREIGN" dev rx0 "${@:2}"
}

take() {
	run_in rx "$BPFTOOL" net detach "$1" dev rx0
}

# The id of the XDP program on rx0.
id_on() {
	run_in rx ip -o link show rx0 | sed -n 's/.* id \([0-9]*\).*/\1/p'
}

for mode in xdpdrv xdpgeneric; do
	put $mode
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
	take $mode
done

# The other way round: nobody takes ours away, and ours does not take theirs.
expect_exit 0 bp block udp/1434
OURS=$(id_on)
put xdpdrv overwrite >/dev/null 2>&1
take xdpdrv >/dev/null 2>&1
run_in rx ip link set dev rx0 xdpdrv off 2>/dev/null
same "ours stays" "$OURS" "$(id_on)"
blocked dport=1434
expect_exit 0 bp off
put xdpdrv
THEIRS=$(id_on)
OUT=$(bp on 2>&1)
same "on leaves it" "$THEIRS" "$(id_on)"
expect_out 'foreign'
OUT=$(bp detach rx0 2>&1)
same "detach leaves it" "$THEIRS" "$(id_on)"
OUT=$(bp off 2>&1)
same "off leaves it" "$THEIRS" "$(id_on)"

finish
