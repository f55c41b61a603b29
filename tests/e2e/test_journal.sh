#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A journal that could not be begun anew holds nothing that comes after; one that cannot be written has nothing more.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

echo 198.51.100.1 >"$WORLD/list"
bp block udp/1434 >/dev/null
# What stands in the way of the journal's temporary file, stands in the way of a new journal.
mkdir "$BPFPOL_STATE_DIR/journal.new"
expect_exit 0 bp block "@$WORLD/list"
expect_out 'warning: .*journal'
expect_exit 0 bp block udp/2000
expect_exit 0 bp remove udp/1434
rmdir "$BPFPOL_STATE_DIR/journal.new"
expect_exit 0 bp block udp/2001
BEFORE=$(bp status --json | jq -c '[.rules[] | [.id, .filter]] | sort')
fresh_bpffs
expect_exit 0 bp attach rx0
same "the same rules" "$BEFORE" "$(bp status --json | jq -c '[.rules[] | [.id, .filter]] | sort')"
blocked dport=2000
blocked dport=2001
blocked src=198.51.100.1
passes dport=1434

# A disk that died behind the write: the record can be made neither durable nor be taken back, and that is said.
expect_exit 1 run_in rx strace -qq -o /dev/null -e inject=fdatasync:error=EIO "$BPFPOL" block udp/2002
expect_out '/journal: Input/output error'
passes dport=2002
expect_exit 0 bp list
passes dport=2002
expect_exit 1 run_in rx strace -qq -o /dev/null -e inject=fdatasync:error=EIO -e inject=ftruncate:error=EROFS \
	"$BPFPOL" block udp/2002
expect_out 'nor take back what was written, so that the next command may bring the change all the same: Input/output'
passes dport=2002

finish
