#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A bpffs directory belongs to the store whose rules are in force there: neither another one, nor
# the loss of it, takes the filter away. What moves, and what comes from a backup, goes on.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$WORLD" || exit 1
STATE=$BPFPOL_STATE_DIR
# shellcheck disable=SC2034 # by their names
READING=(list status "status --debug" interfaces metrics "netdiag /test:ipsec /debug" "top --once"
	"explain udp from $TX4 to $RX4 port 1434")
# shellcheck disable=SC2034
CHANGING=("block udp/53" "permit udp/53" "remove udp/1434" "attach rx0" "detach rx0" restore on
	"policy create new" "policy assign local" "policy unassign" "policy rollback"
	"policy confirm" "block udp/53 --confirm 60" "off --confirm 60" "block udp/53 --dry-run"
	"restore --dry-run")

generation() {
	jq -n "$("$BPFTOOL" -j map dump pinned "$BPFPOL_BPFFS/ctl" | jq '.[0].formatted.value.generation')"
}

# ids: what is in force, by the kernel's word.
ids() {
	bp status --debug --json 2>/dev/null | jq -c '[.filters[].rule] | unique'
}

files() {
	find "$WORLD" \( -path "$WORLD/bpf" -o -path "$WORLD/run" \) -prune -o -printf '%P %s %T@\n' | sort
}

# refused_all ARRAY DIRECTORY...: by each of those commands, which names the directories. Nothing is
# changed by it.
refused_all() {
	local -n commands=$1
	local words dir before

	shift
	before=$(files)
	for words in "${commands[@]}"; do
		# shellcheck disable=SC2086
		OUT=$(bp $words 2>&1)
		same "exit: $words" 1 $?
		for dir in "$@"; do
			grep -qF "$dir" <<<"$OUT" || nok "$words: names $dir" "$OUT"
		done
	done
	same "no file came, went or was written" "$before" "$(files)"
	same "the filter is the same generation" "$GENERATION" "$(generation)"
	same "and filters" bp "$(verdicts "$SLAMMED" "$CLEAN")"
}

refused() {
	refused_all READING "$@"
	refused_all CHANGING "$@"
}

SLAMMED=$(frame dport=1434) CLEAN=$(frame dport=53)
expect_exit 0 bp block udp/1434
expect_exit 0 bp block udp/7
same "no id is written twice" 1 "$(find "$STATE" -name id | wc -l)"
GENERATION=$(generation)

# Another store, which is empty: there is no such directory, there is one, and one of its own rules.
export BPFPOL_STATE_DIR=$WORLD/other
refused_all READING "$WORLD/other" "$STATE" "$BPFPOL_BPFFS"
same "the directory is not made" "" "$(ls "$WORLD/other" 2>/dev/null)"
mkdir -m 700 "$WORLD/other"
refused_all CHANGING "$WORLD/other" "$STATE" "$BPFPOL_BPFFS"
# shellcheck disable=SC2317 # expect_exit calls it
theirs() {
	BPFPOL_BPFFS=$WORLD/bpf/second BPFPOL_RUN_DIR=$WORLD/run2 BPFPOL_CONF_DIR=$WORLD/etc2 \
		run_in tx "$BPFPOL" "$@"
}
expect_exit 0 theirs attach tx0
expect_exit 0 theirs block udp/53
expect_exit 0 theirs policy unassign
expect_exit 0 theirs detach tx0
check "the other one has a state" [ -e "$WORLD/other/state" ]
refused "$WORLD/other" "$STATE" "$BPFPOL_BPFFS" 'restore --force'
# What it says of `off` is not for this filter.
echo off >"$WORLD/other/off"
expect_exit 1 bp status
blocked dport=1434
rm "$WORLD/other/off"
# `off` works, and writes nothing into a store that it is not about.
expect_exit 0 bp off
expect_out 'warning: filtering is off, but a reboot may turn it on'
check "off: nothing is written there" [ ! -e "$WORLD/other/off" ]
passes dport=1434
export BPFPOL_STATE_DIR=$STATE
expect_json "the right one says it" '.off == true' bp status --json
expect_exit 0 bp on
blocked dport=1434
same "with its rules" '[1,2]' "$(ids)"

# Moved, and with another name: the same one.
mv "$STATE" "$WORLD/moved"
export BPFPOL_STATE_DIR=$WORLD/moved
expect_exit 0 bp list
expect_exit 0 bp block udp/8
blocked dport=8
same "moved: its rules" '[1,2,3]' "$(ids)"
# What is said now is where it is now.
BPFPOL_STATE_DIR=$WORLD/none expect_exit 1 bp list
expect_out "$WORLD/moved"
mv "$WORLD/moved" "$STATE"
export BPFPOL_STATE_DIR=$STATE

# A backup, of before the last change.
cp -a "$STATE" backup
expect_exit 0 bp block udp/9
blocked dport=9
mv "$STATE" away
cp -a backup "$STATE"
expect_exit 0 bp list
same "backup: its rules" '[1,2,3]' "$(ids)"
passes dport=9
blocked dport=1434
expect_exit 0 bp block udp/10
expect_out '^Rule 5 added'
rm -rf away

# Lost: the filter goes on, and the kernel tells what it does.
GENERATION=$(generation)
mv "$STATE" gone
refused_all READING "$STATE" "$BPFPOL_BPFFS" backup
same "lost: the kernel tells what is in force" '[1,2,3,5]' "$(ids)"
# The directory alone is there, as a package or somebody's mkdir makes it.
mkdir -m 700 "$STATE"
refused_all CHANGING "$STATE" "$BPFPOL_BPFFS" backup
cp -a gone/. "$STATE"
expect_exit 0 bp list
same "back from a backup" '[1,2,3,5]' "$(ids)"

# The state alone is gone: `restore` goes back to what was before the last commit, and nobody else.
expect_exit 0 bp policy create another
expect_exit 0 bp policy assign another
expect_exit 0 bp policy assign local
rm "$STATE/state" "$STATE/journal"
expect_exit 1 bp list
expect_out 'udp to port 1434'
expect_out 'bpfpol restore'
expect_exit 1 bp block udp/11
blocked dport=1434
expect_exit 1 bp restore
expect_out 'warning: going back to the rules before the last change'
expect_exit 0 bp policy assign local
blocked dport=1434

# An older version's store, or one whose id was lost: what is in force is what it says, and it gets one.
rm "$STATE/id"
expect_exit 0 bp list
expect_exit 0 bp block udp/12
expect_exit 0 bp policy assign another
check "it has an id again" [ -s "$STATE/id" ]
expect_exit 0 bp policy assign local
# A torn one is none.
: >"$STATE/id"
expect_exit 0 bp list
blocked dport=1434
expect_exit 0 bp policy assign local
check "and again" [ -s "$STATE/id" ]
# In the place of a directory, which is kept.
rm "$STATE/id"
mkdir "$STATE/id"
expect_exit 0 bp list
blocked dport=1434
expect_exit 0 bp restore
check "nor does a directory stand in its way" [ -f "$STATE/id" ]
check "which is kept" [ -d "$STATE/id.damaged" ]

# On purpose another one takes its place, in one step; also while it is off.
export BPFPOL_STATE_DIR=$WORLD/other
GENERATION=$(generation)
expect_exit 1 bp restore
expect_exit 0 bp restore --force --dry-run
same "a dry run does not" "$GENERATION" "$(generation)"
blocked dport=1434
expect_exit 0 bp restore --force
passes dport=1434
expect_exit 0 bp list
export BPFPOL_STATE_DIR=$STATE
expect_exit 1 bp list
passes dport=1434
expect_exit 0 bp restore --force
blocked dport=1434
expect_exit 0 bp off
export BPFPOL_STATE_DIR=$WORLD/other
expect_exit 1 bp on
expect_out "$STATE"
expect_exit 0 bp restore --force
passes dport=1434
expect_exit 0 bp on
passes dport=1434
# Where no rule is in force there is nothing to lose.
rm -r "$WORLD/other"
expect_exit 0 bp list
expect_exit 0 bp block udp/1434
blocked dport=1434

finish
