#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 at every system call of `remove @FILE`, which puts a whole new generation in force.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"

a_list

# shellcheck disable=SC2317 # called by sweep
reset_world() {
	bp block "@$LIST" >/dev/null 2>&1
}

PRESENT=old
sweep remove "@$LIST"

finish
