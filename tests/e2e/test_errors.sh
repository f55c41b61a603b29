#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every system call of block and remove fails in turn, in place and by way of the store.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/erring.sh
. "$TOP/tests/e2e/erring.sh"

LIST=$WORLD/list.txt
printf '198.51.100.1\n198.51.100.2\n' >"$LIST"
FRAMES=("$(frame dport=2000)" "$(frame src=198.51.100.2)" "$(frame dport=1434)" "$(frame dport=9)")
bp block udp/1434 >/dev/null

without() { bp remove udp/2000 >/dev/null 2>&1; }
with() { bp block udp/2000 >/dev/null; }
without_list() { bp remove "@$LIST" >/dev/null 2>&1; }
with_list() { bp block "@$LIST" >/dev/null; }

err_all without looks block udp/2000
err_all with looks remove udp/2000
without
err_all without_list looks block "@$LIST"
err_all with_list looks remove "@$LIST"
echo "# figure errors-in-single-changes $RUNS"

finish
