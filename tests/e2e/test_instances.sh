#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Many commands at once, and whole instances beside each other.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# Twenty at once on a host where nothing is attached yet: the lock puts them in a row.
PIDS=()
for port in {2001..2020}; do
	bp block "udp/$port" >"$WORLD/out.$port" 2>&1 &
	PIDS+=($!)
done
CODES=
for pid in "${PIDS[@]}"; do
	wait "$pid"
	CODES+=$?
done
same "all of them succeed" 00000000000000000000 "$CODES"
[[ $CODES =~ ^0+$ ]] || cat "$WORLD"/out.*
same "every rule is there" 20 "$(bp status --json | jq '.rules | length')"
same "every id is another" 20 "$(bp status --json | jq '[.rules[].id] | unique | length')"
for port in 2001 2010 2020; do blocked "dport=$port"; done
passes dport=2021

# Two at once, again and again.
BAD=0
for i in {1..10}; do
	bp block "tcp/$((100 + i))" >/dev/null 2>&1 &
	FIRST=$!
	bp block "tcp/$((200 + i))" >/dev/null 2>&1 || BAD=$((BAD + 1))
	wait "$FIRST" || BAD=$((BAD + 1))
done
same "two at once: both succeed" 0 "$BAD"
same "and both are there" 20 "$(bp list | grep -cE 'tcp to port [12][0-9]{2}$')"
for i in {1..10}; do
	blocked proto=tcp "dport=$((100 + i))"
	blocked proto=tcp "dport=$((200 + i))"
	bp remove "tcp/$((100 + i))" >/dev/null
	bp remove "tcp/$((200 + i))" >/dev/null
done

# The same rule by many: one of them makes it.
PIDS=()
for _ in {1..8}; do
	bp block udp/3000 >/dev/null 2>&1 &
	PIDS+=($!)
done
for pid in "${PIDS[@]}"; do wait "$pid"; done
same "one rule" 21 "$(bp status --json | jq '.rules | length')"

# Adding and removing at once.
PIDS=()
for port in {2001..2010}; do
	bp remove "udp/$port" >/dev/null 2>&1 &
	PIDS+=($!)
	bp block "udp/$((port + 2000))" >/dev/null 2>&1 &
	PIDS+=($!)
done
for pid in "${PIDS[@]}"; do wait "$pid"; done
same "as many as before" 21 "$(bp status --json | jq '.rules | length')"
passes dport=2001
blocked dport=2011
blocked dport=4010

# A second instance: another interface, other directories, nothing in common.
add_pair tx1 rx1 78
second() {
	BPFPOL_CONF_DIR=$WORLD/b/etc BPFPOL_STATE_DIR=$WORLD/b/lib BPFPOL_BPFFS=$WORLD/bpf/b \
		BPFPOL_RUN_DIR=$WORLD/b/run bp "$@"
}
mkdir "$WORLD/b"
expect_exit 0 second attach rx1
expect_exit 0 second block udp/5000
same "the second has its own rules" 1 "$(second status --json | jq '.rules | length')"
same "the first keeps its own" 21 "$(bp status --json | jq '.rules | length')"
TX=tx1 RX=rx1 blocked dport=5000
TX=tx1 RX=rx1 passes dport=4010
passes dport=5000
blocked dport=4010
# Where the first one filters by XDP, it takes its place behind, by TC; neither moves the other.
expect_exit 0 second attach rx0
expect_out 'TC .*foreign'
expect_json "the first still filters by XDP" \
	'.interfaces[] | select(.name == "rx0") | .ingress == "xdp-native"' bp status --json
blocked dport=4010
send_frames 3 dport=5000
expect_json "the second blocks behind it" '[.rules[] | .packets] | add >= 3' second status --json
expect_exit 0 second detach rx0
passes dport=5000
expect_exit 0 second off
blocked dport=4010

# The pins outlive every process: a new one finds them, also under a directory that was lost.
rm -rf "$BPFPOL_RUN_DIR"
expect_exit 0 bp block udp/6000
blocked dport=6000
blocked dport=4010
expect_exit 0 bp remove udp/6000
passes dport=6000

# Another network namespace with the same directories: its interfaces have the same numbers.
# shellcheck disable=SC2317 # called by expect_exit
other() {
	run_in tx "$BPFPOL" "$@"
}
BEFORE=$(snapshot)
for words in status "block udp/7000" "attach tx0" "policy unassign" restore; do
	# shellcheck disable=SC2086
	expect_exit 1 other $words
	expect_out 'of another network namespace'
	expect_out 'BPFPOL_STATE_DIR'
done
# Nor where its pins cannot be listed: then nobody knows whether something is attached.
for call in openat getdents64; do
	expect_exit 1 run_in tx strace -f -qq -o /dev/null -P "$BPFPOL_BPFFS/links" -e "inject=$call:error=EIO" \
		"$BPFPOL" block udp/7000
	expect_out 'of another network namespace'
	expect_exit 1 run_in rx strace -f -qq -o /dev/null -P "$BPFPOL_BPFFS/links" -e "inject=$call:error=EIO:when=1" \
		"$BPFPOL" block udp/7000
	expect_out 'cannot list .*/links: Input/output error'
done
unchanged "another namespace" "$BEFORE"
blocked dport=4010
# Without /sys the number of processors, and with it the totals, are not known: that is what is said.
# shellcheck disable=SC2016
expect_exit 1 run_in rx unshare -m sh -c 'umount -l /sys && exec "$@"' sh "$BPFPOL" status
expect_out '^bpfpol: .*/sys/devices/system/cpu; mount /sys'
# Where nothing is attached any more, or the bpffs is empty, as after a reboot, it is this one's.
expect_exit 0 bp detach rx0
expect_exit 0 other status
expect_exit 0 bp attach rx0
fresh_bpffs
expect_exit 0 other status
expect_exit 0 bp restore
blocked dport=4010
# Who wants it to stop need not find out where.
expect_exit 0 other off
passes dport=4010
expect_exit 0 bp on
blocked dport=4010

finish
