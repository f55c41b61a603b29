#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A `watch` that stands still costs nobody anything; a hundred that want to watch, too; and an interface
# that gets another name, and goes, while it is watched.
# shellcheck disable=SC2317 # functions are called by check and until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"
# shellcheck source=tests/e2e/watching.sh
. "$(dirname "$0")/watching.sh"

cd "$WORLD" || exit 1

start_agent
expect_exit 0 bp attach rx0
expect_exit 0 bp block udp/1434
watch_begin --rate 0
until_true watched_there
kill -STOP "$WATCH"
send_frames 4000 dport=1434
same "it stands still: packets are counted and stopped" 4000 "$(totals in)"
expect_exit 0 bp block udp/5
expect_exit 0 bp block --dynamic udp/6
expect_exit 0 bp policy rollback
blocked dport=1434
passes dport=5
blocked dport=6
expect_exit 0 bp list
expect_exit 0 bp status
expect_exit 0 bp metrics

PROCESSES=()
for i in {1..100}; do
	run_in rx "$BPFPOL" watch >/dev/null 2>"said.$i" &
	PROCESSES+=($!)
done
CODES=
for process in "${PROCESSES[@]}"; do
	wait "$process"
	CODES+=$?
done
same "a hundred more are sent away" 0 "${CODES//1/}0"
same "and told by whom" 100 "$(grep -l "another 'bpfpol watch' runs, process $WATCH" said.* | wc -l)"
expect_exit 0 bp agent status

kill -CONT "$WATCH"
BEFORE=$(grep -c . watched)
more() { [ "$(grep -c . watched)" -gt "$BEFORE" ]; }
check "it goes on" until_true more
run_in rx ip link set rx0 down
run_in rx ip link set rx0 name other0
run_in rx ip link set other0 up
run_in rx ip addr add "$RX4/24" dev other0 2>/dev/null
expect_exit 0 bp attach other0
named() {
	RX=other0 send_frames 1 dport=1434
	grep -q '"interface": "other0"' watched
}
check "the new name is told" until_true named
run_in rx ip link del other0
is_away() { ! run_in rx ip link show other0 2>/dev/null; }
check "it goes" until_true is_away
check "the watcher stays" kill -0 "$WATCH"
watch_end
same "and ends with" 0 "$STATUS"
check "its place is empty" nobody_watches
stop_agent TERM

finish
