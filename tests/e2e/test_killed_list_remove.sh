#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 at every system call of `remove @FILE`, which puts a whole new generation in force.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"

LIST=$WORLD/list.txt
for i in {1..200}; do echo "198.51.100.$i"; done >"$LIST"
FRAMES=("$(frame src=198.51.100.1)" "$(frame src=198.51.100.200)")
FILTER="in from @$LIST" ELEMENTS=200
bp block "$KEPT" >/dev/null

# shellcheck disable=SC2317 # called by sweep
reset_world() {
	bp block "@$LIST" >/dev/null 2>&1
}

PRESENT=old
sweep remove "@$LIST"

finish
