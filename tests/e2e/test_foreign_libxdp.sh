#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# libxdp's programs (xdp-tools) are on the interface first: they stay and work, and ours comes
# behind. Ours is first: libxdp finds the place taken, and ours stays and works.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/foreign.sh
. "$(dirname "$0")/foreign.sh"

if ! command -v xdp-loader >/dev/null || ! command -v xdp-filter >/dev/null; then
	skip "libxdp" "xdp-loader and xdp-filter (Debian: xdp-tools) are not here"
	finish
fi
mkdir "$WORLD/xdp"
mount -t bpf bpf "$WORLD/xdp"
add_bridge

# libxdp pins in /sys/fs/bpf alone, and gets one of its own there.
libxdp() {
	# shellcheck disable=SC2016
	run_in rx unshare -m sh -c 'mount --bind "$0" /sys/fs/bpf && exec "$@"' "$WORLD/xdp" "$@" 2>&1
}

# What is on rx0, in libxdp's words: the program, or the dispatcher and those behind it.
on_rx0() {
	libxdp xdp-loader status | awk '$1 == "lo" { mine = 0 } $1 == "rx0" { mine = 1 } mine && NF'
}

# shellcheck disable=SC2317 # through_life calls it
filter_untouched() {
	same "$1: xdp-filter is there" "$THERE" "$(on_rx0)"
	blocked dport=4444
	passes dport=4445
}

# shellcheck disable=SC2317 # through_life calls it
program_untouched() {
	same "$1: their program is there" "$THERE" "$(on_rx0)"
	blocked dport=1433 len=624
	passes dport=1433 len=623
}

for mode in native skb; do
	check "$mode: xdp-filter" libxdp xdp-filter load -m $mode rx0
	check "$mode: it drops a port" libxdp xdp-filter port -m dst -p udp 4444
	THERE=$(on_rx0)
	BEFORE=$(snapshot)
	expect_exit 1 bp attach rx0 --mode native
	expect_out "foreign XDP program, '[a-z_]*' \\(id [0-9]*\\)"
	unchanged "$mode: attach --mode native" "$BEFORE"
	filter_untouched "$mode, refused"
	through_life filter_untouched auto
	check "$mode: xdp-filter goes by its own hand" libxdp xdp-filter unload rx0

	check "$mode: xdp-loader" libxdp xdp-loader load -m $mode rx0 "$WORLD/foreign.o" -n foreign
	THERE=$(on_rx0)
	through_life program_untouched auto
	check "$mode: goes by its own hand" libxdp xdp-loader unload rx0 -a
done

# Several of theirs behind one dispatcher, where the kernel lets libxdp load such.
check "one of theirs" libxdp xdp-loader load -m native rx0 "$WORLD/foreign.o" -n foreign
if grep -q dispatcher <<<"$(on_rx0)"; then
	check "another of theirs" libxdp xdp-filter load -m native rx0
	check "it drops a port" libxdp xdp-filter port -m dst -p udp 4444
	THERE=$(on_rx0)
	through_life filter_untouched auto
	through_life program_untouched auto
else
	skip "libxdp's dispatcher" "this kernel refuses libxdp's extension programs"
fi
check "they go" libxdp xdp-loader unload rx0 -a

# Ours first.
for mode in generic auto; do
	expect_exit 0 bp attach rx0 --mode $mode
	expect_exit 0 bp block udp/1434
	OURS=$(on_rx0)
	for theirs in native skb; do
		expect_exit 240 libxdp xdp-filter load -m $theirs rx0
		libxdp xdp-loader load -m $theirs rx0 "$WORLD/foreign.o" -n foreign >/dev/null &&
			nok "$mode, $theirs: xdp-loader" "took our place"
	done
	libxdp xdp-loader unload rx0 -a >/dev/null
	same "$mode: ours stays" "$OURS" "$(on_rx0)"
	blocked dport=1434
	passes dport=1433
	if [ $mode = generic ]; then
		expect_exit 0 bp detach rx0
		continue
	fi
	expect_exit 0 bp off
	check "$mode: theirs, while off" libxdp xdp-loader load rx0 "$WORLD/foreign.o" -n foreign
	THERE=$(on_rx0)
	expect_exit 0 bp on
	blocked dport=1434
	program_untouched "$mode, on again"
	expect_exit 0 bp detach rx0
	program_untouched "$mode, detach"
	check "$mode: goes by its own hand" libxdp xdp-loader unload rx0 -a
done

finish
