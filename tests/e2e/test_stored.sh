#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Nothing is filtered although something is stored, and nobody may miss it: after a reboot, after
# `on`, and where mounts are hidden.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

NOT_IN_FORCE="^Policy 'local' is stored but NOT IN FORCE.*bpfpol restore"

# first_line COMMAND...
first_line() {
	OUT=$(bp "$@" 2>&1 | head -n 1)
}

add_pair tx1 rx1 78
expect_exit 0 bp block udp/1434
fresh_bpffs
rm -rf "$BPFPOL_RUN_DIR"
for words in list status "status --debug"; do
	# shellcheck disable=SC2086
	first_line $words
	expect_out "$NOT_IN_FORCE"
done
passes dport=1434
expect_json "the kernel's part of it" '.policy.generation == 0' bp status --json
for words in status interfaces; do
	OUT=$(bp $words | grep rx0)
	expect_out 'last boot'
	same "$words blames nobody" 0 "$(grep -c 'someone else' <<<"$OUT")"
done
expect_exit 0 bp attach rx0
for words in list status; do
	first_line $words
	same "$words: in force" 0 "$(grep -c 'NOT IN FORCE' <<<"$OUT")"
done
blocked dport=1434
rm "$BPFPOL_BPFFS"/links/xdp-*
OUT=$(bp interfaces | grep rx0)
expect_out 'someone else'
expect_exit 0 bp attach rx0
blocked dport=1434
rm "$BPFPOL_BPFFS"/links/tc-out-*
expect_exit 0 bp attach rx0
expect_out 'what leaves is filtered again'
expect_json "both ways again" '.interfaces[] | select(.name == "rx0")
	| .ingress == "xdp-native" and .egress == "tcx"' bp status --json
expect_exit 2 bp off now
expect_exit 2 bp on now
blocked dport=1434
expect_exit 0 bp off
first_line list
expect_out '^Filtering is OFF'
first_line status
expect_out '^Filtering is OFF'

# `on` that brings nothing back says so, and why.
expect_exit 0 bp on
same "on: nothing to add" 0 "$(grep -c warning <<<"$OUT")"
expect_exit 0 bp detach rx0
expect_exit 0 bp off
expect_exit 0 bp on
expect_out 'warning: nothing is filtered: no interface is remembered'
expect_exit 0 bp attach rx1
expect_exit 0 bp off
run_in rx ip link del rx1
expect_exit 0 bp on
expect_out 'warning: nothing is filtered: none of the interfaces that are remembered'
expect_exit 0 bp attach rx0
expect_exit 0 bp on
same "on: nothing to add" 0 "$(grep -c warning <<<"$OUT")"

# Under `ip netns exec` the host's bpffs is hidden: what would be pinned there ends with the
# command. In a place of one's own choice it may.
# shellcheck disable=SC2317 # expect_exit calls it
hidden() {
	local inside=$1

	shift
	# shellcheck disable=SC2016 # words of the inner shell
	unshare --pid --fork --mount-proc sh -c '
		inside=$1; shift
		unset BPFPOL_BPFFS
		[ -z "$inside" ] || export BPFPOL_BPFFS=$inside
		ip netns exec "$@"; exit $?' - "$inside" "$(netns rx)" "$BPFPOL" "$@"
}

expect_exit 0 bp off
expect_exit 0 bp detach rx0
expect_exit 0 bp on
BEFORE=$(snapshot)
for words in "block udp/53" "attach rx0" status interfaces off; do
	# shellcheck disable=SC2086
	expect_exit 1 hidden "" $words
	expect_out 'nsenter --net=/run/netns/NAME bpfpol'
done
unchanged "what is refused there" "$BEFORE"
expect_exit 0 hidden "$WORLD/hidden" block udp/53

finish
