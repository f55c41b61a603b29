#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# --dry-run changes nothing; off stops everything at once and on brings it back.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

BEFORE=$(snapshot)
expect_exit 0 bp block udp/1434 --dry-run
unchanged "a dry run on a new host" "$BEFORE"
check "no state directory" [ ! -e "$BPFPOL_STATE_DIR" ]
passes "${SLAMMER[@]}"

expect_exit 0 bp block udp/1434
expect_exit 0 bp block tcp/445
BEFORE=$(snapshot)
for words in "block udp/53" "permit udp/53" "count udp/53" "remove udp/1434" "off" "detach rx0" \
	"attach rx0"; do
	# shellcheck disable=SC2086
	expect_exit 0 bp $words --dry-run
	unchanged "$words --dry-run" "$BEFORE"
done
# A dry run refuses what the run would refuse.
expect_exit 3 bp remove udp/53 --dry-run
expect_exit 5 bp permit udp/1434 --dry-run
expect_exit 2 bp block udp/70000 --dry-run
unchanged "a refused dry run" "$BEFORE"

# As JSON it says that it was one, or that there is nothing to do.
expect_json "what would be" '.outcome == "dry run"' bp block udp/53 --dry-run --json
expect_json "what is there" '.outcome == "already there"' bp block udp/1434 --dry-run --json
expect_json "attach" .dry_run bp attach rx0 --dry-run --json
expect_json "detach" '.dry_run and .detached == ["rx0"]' bp detach rx0 --dry-run --json
unchanged "a dry run as JSON" "$BEFORE"

blocked "${SLAMMER[@]}"
expect_exit 0 bp off
passes "${SLAMMER[@]}"
passes proto=tcp dport=445
same "no program is left on the interface" 0 \
	"$(run_in rx ip -o link show rx0 | grep -cE 'prog/xdp|xdp.* id ')"
expect_json "status knows" '.off == true' bp status --json
expect_json "the rules are still there" '.rules | length == 2' bp status --json
expect_exit 0 bp off

for words in "block udp/53" "permit udp/53" "count udp/53"; do
	# shellcheck disable=SC2086
	expect_exit 5 bp $words
	# shellcheck disable=SC2086
	expect_exit 5 bp $words --dry-run
	expect_out 'bpfpol on'
done
passes dport=53
expect_exit 0 bp block udp/53 --force
passes dport=53
# Taking away blocks nobody, so off does not stand in its way.
expect_exit 0 bp block udp/55 --force
expect_exit 0 bp remove udp/55
expect_exit 3 bp remove udp/55

expect_exit 0 bp on
expect_json "status knows" '.off == false' bp status --json
blocked "${SLAMMER[@]}"
blocked proto=tcp dport=445
blocked dport=53
passes dport=54
passes dport=55
expect_exit 0 bp on

finish
