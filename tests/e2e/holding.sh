# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A holder of dynamic rules (tests/dynamic/hold.c) that is told what to do; for test_dynamic*.sh.

HOLD=$TOP/build/tests/hold
HOLDER=() SAID=

hold() {
	run_in rx "$HOLD" "$@"
}

# hear: what the holder answers, in SAID.
hear() {
	read -r SAID <&"${HOLDER[0]}"
}

hold_begin() {
	coproc HOLDER { exec nsenter "--net=/run/netns/$(netns rx)" "$HOLD"; }
	# shellcheck disable=SC2153 # coproc sets it
	export HELD_BY=$HOLDER_PID
	hear
}

hold_kill() {
	kill -KILL "$HELD_BY"
	{ wait "$HELD_BY"; } 2>/dev/null
}

# does LINE: and it takes no error.
does() {
	echo "$1" >&"${HOLDER[1]}"
	hear
	check "the holder does: $1" [ "${SAID%% *}" = ok ]
}

# arrived HEX: one of them comes through.
# shellcheck disable=SC2317 # called by until_true
arrived() {
	[ "$(arrivals "$("$PKT" line "$1")" "$1")" = 1 ]
}
