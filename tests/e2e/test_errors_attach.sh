#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every system call of restore, attach, detach, off and on fails in turn.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/erring.sh
. "$TOP/tests/e2e/erring.sh"

add_pair tx1 rx1 78
FRAMES=("$(frame dport=1434)" "$(frame dport=9)")
echo 198.51.100.1 >"$WORLD/list.txt"
bp attach rx0 --mode native >/dev/null
bp block udp/1434 >/dev/null
bp block "@$WORLD/list.txt" >/dev/null

# What packets say on both, what hangs where, and what a boot would attach.
where() {
	verdicts "${FRAMES[@]}"
	TX=tx1 RX=rx1 verdicts "${FRAMES[@]}"
	bp status --json 2>&1 | jq -c '.off, [.interfaces[] | [.name, .ingress, .egress, .why]]'
	remembered
	ls "$BPFPOL_STATE_DIR/off" 2>/dev/null
}

files() {
	find "$BPFPOL_STATE_DIR" "$BPFPOL_CONF_DIR" -type f -exec sha256sum {} + | sort
}

only_rx0() { bp detach rx1 >/dev/null 2>&1; }
both() { bp attach rx0 rx1 --mode native >/dev/null 2>&1; }
on() { bp on >/dev/null 2>&1; }
off() { bp off >/dev/null 2>&1; }

err_all only_rx0 where attach rx1 --mode native
err_all both where detach rx0 rx1
both # whose pin could not be unlinked, of a link that is detached, is swept by the next
only_rx0
err_all on where off
err_all off where on
on

# A boot.
both
err_boot where files
echo "# figure errors-in-attachments $RUNS"

# libbpf asks by this program whether there are attach types. The answer, if it comes by an error, would be
# pinned with the arrays of programs, and each later program refused (direct.h).
reboot
run_in rx strace -f -qq -o "$WORLD/trace" -e trace=bpf "$BPFPOL" restore >/dev/null
same "no question about attach types decides what is pinned" 0 \
	"$(grep -c 'BPF_PROG_LOAD, {prog_type=BPF_PROG_TYPE_CGROUP_SOCK,' "$WORLD/trace")"
check "but programs are loaded" grep -q 'BPF_PROG_LOAD, {prog_type=BPF_PROG_TYPE_XDP,' "$WORLD/trace"

finish
