# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A `watch` that runs beside a test; for those that source it behind lib.sh. What it shows is in
# `watched`, an object a line, what it says in watch.log.

WATCH=""
BEFORE=""

# watch_begin OPTION...
watch_begin() {
	: >watched
	BEFORE=$(in_place)
	# Not run_in: the process is to be the watcher itself.
	nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" watch --json "$@" >watched 2>watch.log &
	WATCH=$!
}

# watch_end: its exit code is left in STATUS.
watch_end() {
	kill "$WATCH"
	wait "$WATCH"
	# shellcheck disable=SC2034
	STATUS=$?
}

# in_place: the program of XDP's that tells, in the array where abi.h has it: bp_watch_slot().
in_place() {
	"$BPFTOOL" map lookup pinned "$BPFPOL_BPFFS/xdp_generations" key 12 0 0 0 --json 2>/dev/null |
		jq -r '.value // empty | join(" ")'
}

# One stands there, which did not before.
watched_there() {
	local now

	now=$(in_place)
	[ -n "$now" ] && [ "$now" != "$BEFORE" ]
}

nobody_watches() {
	[ -z "$(in_place)" ]
}

has_lines() {
	[ "$(grep -c . watched)" -ge "$1" ]
}

# told COUNT: so many packets have come.
told() {
	until_true has_lines "$1"
	same "$1 are told" "$1" "$(grep -c . watched)"
}

# is DESC EXPECTED FILTER: of all objects that came.
is() {
	same "$1" "$2" "$(jq -rs "$3" watched 2>&1)"
}

# totals in|out: blocked packets.
totals() {
	bp status --json | jq ".totals.$1.blocked"
}
