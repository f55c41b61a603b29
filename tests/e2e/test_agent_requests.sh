#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What goes wrong around the agent's rules: it lives, and says so; and no id is given twice.
# shellcheck disable=SC2317 # functions are called by until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

cd "$WORLD" || exit 1

start_agent
bp attach rx0 >/dev/null

# Store and kernel begin anew while it holds rules: its ids are not given again.
for ((i = 0; i < 12; i++)); do bp block --dynamic "udp/$((3001 + i))" >/dev/null; done
rm -rf "$BPFPOL_STATE_DIR"
fresh_bpffs
for ((i = 0; i < 40; i++)); do bp block --dynamic "udp/$((3101 + i))" >/dev/null; done
same "no id is given twice" "52 52" "$(bp list --json |
	jq -r '[.rules[] | select(.layer == "dynamic") | .id] | "\(length) \(unique | length)"')"
stop_agent TERM

# What comes along cannot be read.
REFUSE="$REFUSE pread" LD_PRELOAD=${REFUSE_SO:-$TOP/build/tests/refuse.so} start_agent
for ((i = 0; i < 5000; i++)); do echo "10.9.$((i / 250)).$((i % 250))"; done >some
for ((i = 0; i < 3; i++)); do
	expect_exit 1 bp block --dynamic @some
	expect_out 'cannot read the rules: Cannot allocate memory'
done
expect_exit 0 bp block --dynamic udp/1434
blocked dport=1434
stop_agent TERM
same "it lives until it is ended" 0 "$STATUS"

finish
