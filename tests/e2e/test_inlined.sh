#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The kernel has made plain loops of all searches (5.19 and later): where it has not, each step is
# an indirect call, which costs more than what is done in it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# calls PIN: how often that classifier calls bpf_loop(); the calls that stand in it beside those.
calls() {
	"$BPFTOOL" prog dump xlated pinned "$1" >"$WORLD/code" || return
	echo "$(grep -c 'call bpf_loop' "$WORLD/code"), $(grep -cE ' call (bpf|pc)' "$WORLD/code")"
}

expect_exit 0 bp attach rx0 --mode native
expect_exit 0 bp block udp/1434
add_pair tx1 rx1 78
add_pair tx2 rx2 79
expect_exit 0 bp attach rx1 --mode generic
expect_exit 0 bp attach rx2 --mode tc
expect_exit 0 run_in rx "$PKT" link-type l3 512
expect_exit 0 bp attach l3
IFS=. read -r MAJOR MINOR _ < <(uname -r)
for HOOK in xdp generic tc_in tc_out l3_in l3_out; do
	if ((MAJOR * 1000 + MINOR < 5019)); then
		skip "$HOOK: no call of bpf_loop() is left" "the kernel calls it"
		continue
	fi
	OUT=$(calls "$BPFPOL_BPFFS"/gen-*/classify_$HOOK)
	case $OUT in
	"0, "[1-9]*) ok "$HOOK: no call of bpf_loop() is left" ;;
	*) nok "$HOOK: no call of bpf_loop() is left" "calls of it, all calls: $OUT" ;;
	esac
done

finish
