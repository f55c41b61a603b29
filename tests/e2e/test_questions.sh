#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# At a boot each of the kernel's answers to what libbpf and we ask first is an error once: the next restore does the
# rest. One of these questions is whether the kernel takes names; what is loaded without them serves as well.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

bp attach rx0 >/dev/null
bp block udp/1434 >/dev/null
reboot
run_in rx strace -qq -f -o "$WORLD/calls" -e trace=bpf "$BPFPOL" restore >/dev/null 2>&1
blocked dport=1434
# The first map of ours ends the questions.
FIRST=$(grep -nm1 'map_name="ctl"' "$WORLD/calls" | cut -d: -f1)
NAMES=$(grep -nm1 'libbpf_nametest' "$WORLD/calls" | cut -d: -f1)
check "questions come first" [ "${FIRST:-0}" -gt 3 ]
check "one of them is for names" [ "${NAMES:-0}" -lt "${FIRST:-0}" ]
for error in ENOMEM EINTR EPERM; do
	for n in $(seq "${FIRST:-0}"); do
		reboot
		run_in rx strace -qq -f -o /dev/null -e "inject=bpf:error=$error:when=$n" "$BPFPOL" restore >/dev/null 2>&1
		expect_exit 0 bp restore
		blocked dport=1434
	done
done
finish
