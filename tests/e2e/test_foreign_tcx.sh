#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Somebody else's programs on TCX, there before ours or put in front of it later: they stay and run.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/foreign.sh
. "$(dirname "$0")/foreign.sh"

# put WAY PROGRAM [first]: theirs, by a link that is pinned. take WAY: away with it again, and back
# when it is: what held it by its pin goes some time after that.
put() {
	run_in rx "$PKT" tcx rx0 "$1" "$PINS/$2" "$WORLD/bpf/link-$1" "${@:3}"
}

take() {
	local id

	id=$("$BPFTOOL" -j link show pinned "$WORLD/bpf/link-$1" | jq .id)
	rm "$WORLD/bpf/link-$1"
	until_true no_link "$id" || nok "their link $1 goes" "$id"
}

# shellcheck disable=SC2317 # until_true calls it
no_link() {
	# Its number goes a moment before it is off.
	! "$BPFTOOL" link show id "$1" >/dev/null 2>&1 &&
		! run_in rx "$BPFTOOL" net show dev rx0 | grep -q "link_id $1\b"
}

if ! put in foreign_tc; then
	skip "foreign programs on TCX" "there is no TCX"
	finish
fi
put out foreign_tc
add_bridge

links() {
	"$BPFTOOL" -j link show pinned "$WORLD/bpf/link-in" 2>/dev/null | jq -c '[.id, .prog_id]'
	"$BPFTOOL" -j link show pinned "$WORLD/bpf/link-out" 2>/dev/null | jq -c '[.id, .prog_id]'
}

# shellcheck disable=SC2317 # through_life calls it
untouched() {
	same "$1: their links" "$LINKS" "$(links)"
	blocked "${TC_DROPS[@]}"
	passes "${TC_PASSES[@]}"
	stopped "${TC_DROPS[@]}"
	leaves "${TC_PASSES[@]}"
}

LINKS=$(links)
for mode in native generic tc; do through_life untouched $mode; done

# One that accepts, and was there first: ours is asked all the same.
take in
take out
put in foreign_accept
put out foreign_accept
LINKS=$(links)
through_life untouched tc

# Put in front of ours, it decides alone what it accepts: `status` says that.
take in
take out
expect_exit 0 bp attach rx0 --mode tc
expect_exit 0 bp block udp/1434
expect_exit 0 bp block out udp/1434
NOTE='.interfaces[] | select(.name == "rx0").notes'
expect_json "alone" "$NOTE == []" bp status --json
put out foreign_accept first
LINKS=$(links)
blocked dport=1434
leaves dport=1434
expect_json "another comes first on the way out" "$NOTE | length == 1 and
	(.[0] | test(\"another's program comes first .what leaves.\"))" bp status --json
put in foreign_accept first
passes dport=1434
expect_json "both ways" "${NOTE}[0] | test(\"comes first .both ways.\")" bp status --json
OUT=$(bp status)
expect_out "rx0: on TC another's program comes first"
take out
stopped dport=1434
expect_json "on the way in" "${NOTE}[0] | test(\"comes first .what arrives.\")" bp status --json
# Taken off and put on again, ours is in front.
expect_exit 0 bp off
expect_exit 0 bp on
blocked dport=1434
expect_json "in front again" "$NOTE == []" bp status --json
take in

# One that asks the next changes nothing of that in front of ours.
put in foreign_tc first
put out foreign_tc first
blocked dport=1434
stopped dport=1434
blocked "${TC_DROPS[@]}"
stopped "${TC_DROPS[@]}"
LINKS=$(links)
expect_exit 0 bp detach rx0
untouched "in front of ours, detach"

finish
