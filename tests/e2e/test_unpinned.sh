#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What README names as the last resort: all pins are taken away. The kernel takes the programs off a
# moment later; who comes at once takes them neither for somebody else's nor for being there.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

ROUNDS=${UNPINNED_ROUNDS:-3}

# is_again WHAT: filtered as before by the time the command is done.
is_again() {
	expect_json "$1: as before" '.interfaces[0].ingress == "xdp-native"' bp status --json
	blocked dport=1434
	passes dport=1435
}

# waits PID: it waits for a time to pass, or is gone.
# shellcheck disable=SC2317 # until_true calls it
waits() {
	grep -q nanosleep "/proc/$1/wchan" 2>/dev/null || ! kill -0 "$1" 2>/dev/null
}

for mode in auto native; do
	expect_exit 0 bp attach rx0 --mode "$mode"
	[ "$mode" = native ] || expect_exit 0 bp block udp/1434
	for ((i = 0; i < ROUNDS; i++)); do
		rm -r "$BPFPOL_BPFFS"
		expect_exit 0 bp restore
		is_again "$mode, all pins gone, restore"
	done
	rm -r "$BPFPOL_BPFFS"/links
	expect_exit 0 bp attach rx0 --mode "$mode"
	is_again "$mode, links gone, attach"

	# That moment, made as long as it takes.
	"$BPFTOOL" link pin id "$("$BPFTOOL" -j link show pinned "$BPFPOL_BPFFS"/links/xdp-* |
		jq .id)" "$WORLD/bpf/held"
	rm -r "$BPFPOL_BPFFS"
	nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" restore >"$WORLD/restore" 2>&1 &
	RESTORE=$!
	until_true waits "$RESTORE"
	rm "$WORLD/bpf/held"
	wait "$RESTORE"
	is_again "$mode, a link that goes meanwhile"
	expect_exit 0 bp detach rx0
done

# The remains of one that died when its load was published and not yet pinned once alone; and another load's, which
# no link has.
expect_exit 0 bp attach rx0
mkdir "$BPFPOL_BPFFS"/next-{1,2,3}
"$BPFTOOL" map pin pinned "$BPFPOL_BPFFS/ctl" "$BPFPOL_BPFFS/next-1/ctl"
"$BPFTOOL" map pin pinned "$BPFPOL_BPFFS/totals" "$BPFPOL_BPFFS/next-1/totals"
"$BPFTOOL" map pin pinned "$BPFPOL_BPFFS/totals" "$BPFPOL_BPFFS/next-2/ctl"
expect_exit 0 bp status
expect_exit 0 bp block udp/1440
same "what is pinned twice goes, what has no ctl, and what no link has" "" \
	"$(find "$BPFPOL_BPFFS" -name 'next-*')"
expect_exit 0 bp detach rx0

# Somebody holds it for good: that is said, and what arrives is filtered behind it.
expect_exit 0 bp attach rx0
"$BPFTOOL" link pin id "$("$BPFTOOL" -j link show pinned "$BPFPOL_BPFFS"/links/xdp-* | jq .id)" \
	"$WORLD/bpf/held"
rm -r "$BPFPOL_BPFFS"
expect_exit 0 bp restore
expect_json "held for good: by TC" '.interfaces[0].ingress == env.TC' bp status --json
rm "$WORLD/bpf/held"

finish
