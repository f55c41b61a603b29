# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Somebody else's programs, sourced after lib.sh: loaded, and pinned in PINS (foreign.bpf.c).

PINS=$WORLD/bpf/foreign

if ! clang -O2 -g -target bpf "-I/usr/include/$(uname -m)-linux-gnu" \
	-c "$TOP/tests/e2e/foreign.bpf.c" -o "$WORLD/foreign.o"; then
	skip "foreign programs" "clang cannot build them"
	finish
fi
# Not by ip or tc from the object: that pins in whichever bpffs stands first in /proc/mounts, and
# that may be another test's, which is about to go.
"$BPFTOOL" prog loadall "$WORLD/foreign.o" "$PINS" || exit 1


# Frames of 667 bytes, which their programs on TC drop.
TC_DROPS=(dport=1433 len=625)
TC_PASSES=(dport=1433 len=624)
export TC_DROPS TC_PASSES

# through_life UNTOUCHED MODE: ours comes, changes, pauses and goes; the command UNTOUCHED, which
# gets a word to say when, checks that they are where they were and run. The rules that ours has:
# udp/1434, in and out.
through_life() {
	local untouched=$1 mode=$2

	expect_exit 0 bp attach rx0 --mode "$mode"
	$untouched "$mode, attach"
	expect_exit 0 bp block udp/1434
	expect_exit 0 bp block out udp/1434
	blocked dport=1434
	stopped dport=1434
	$untouched "$mode, block"
	expect_exit 0 bp block "@$WORLD/list"
	blocked dport=1434
	stopped dport=1434
	$untouched "$mode, another generation"
	expect_exit 0 bp off
	passes dport=1434
	leaves dport=1434
	$untouched "$mode, off"
	expect_exit 0 bp on
	blocked dport=1434
	stopped dport=1434
	$untouched "$mode, on"
	rm "$BPFPOL_BPFFS/ctl"
	expect_exit 0 bp block udp/1435
	blocked dport=1435
	stopped dport=1434
	$untouched "$mode, loaded anew"
	for rule in udp/1434 udp/1435 "out udp/1434" "@$WORLD/list"; do
		# shellcheck disable=SC2086
		bp remove $rule >/dev/null || nok "remove $rule" "fails"
	done
	passes dport=1434
	leaves dport=1434
	$untouched "$mode, remove"
	expect_exit 0 bp detach rx0
	passes dport=1434
	$untouched "$mode, detach"
}
echo 198.51.100.7 >"$WORLD/list"
