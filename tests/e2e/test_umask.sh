#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A umask that takes root's own rights away: root needs none, but the agent, which gives up CAP_DAC_OVERRIDE,
# reads and writes what commands have made. Nor does an open one give others anything.
# shellcheck disable=SC2317 # functions are called by modes and until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

# modes TEST...: what of ours has such modes, by find.
modes() {
	find "$BPFPOL_CONF_DIR" "$BPFPOL_STATE_DIR" "$BPFPOL_RUN_DIR" "$BPFPOL_BPFFS" "$@"
}

masked() {
	(umask "$1" && shift && bp "$@")
}

expect_exit 0 masked 777 block udp/1434
expect_exit 0 masked 777 policy create web
same "root may read and write all of it" "" \
	"$(modes '(' -type d ! -perm -700 -o -type f ! -perm -600 ')')"
(umask 777 && start_agent && echo "$AGENT" >"$WORLD/agent.pid")
AGENT=$(cat "$WORLD/agent.pid")
expect_exit 0 masked 777 block --dynamic udp/1435
expect_exit 0 masked 777 promote --id "$(bp list --json | jq '.rules[] | select(.layer == "dynamic").id')"
expect_exit 0 masked 777 attach 'rx*'
add_pair tx1 rx1 78
on_rx1() {
	run_in rx ip -o link show rx1 | grep -q xdp
}
check "the agent attaches what comes" until_true on_rx1
blocked dport=1434
blocked dport=1435
kill "$AGENT"
until_true [ ! -e "/proc/$AGENT" ]
same "nothing went wrong for it" "" "$(grep -i warning "$WORLD/agent.log")"
expect_exit 0 masked 000 block udp/1436
expect_exit 0 masked 000 policy create open
same "and others may do nothing" "" "$(modes ! -type l ! -type s -perm /077)"

finish
