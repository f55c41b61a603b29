#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 at every system call of commands that change the maps in force: block and remove.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"

FRAMES=("$(frame dport=2000)" "$(frame "${V6[@]}" dport=2000)")
FILTER="in udp to port 2000" ELEMENTS=2
bp block "$KEPT" >/dev/null

# shellcheck disable=SC2317 # called by sweep
reset_world() {
	if [ "$PRESENT" = new ]; then
		bp remove udp/2000 >/dev/null 2>&1
	else
		bp block udp/2000 >/dev/null
	fi
}

PRESENT=new
sweep block udp/2000
PRESENT=old
sweep remove udp/2000

finish
