#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A journal that could not be begun anew holds nothing that comes after.
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

finish
