#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The lock-out guard and dynamic rules: both layers are asked together, as they would be in force.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

held() {
	bp agent status --json | jq .dynamic_rules
}

mkdir -m 700 "$BPFPOL_CONF_DIR"
echo 'protect = tcp/22' >"$BPFPOL_CONF_DIR/bpfpol.conf"
start_agent

# Nothing is attached yet, and nothing is then.
expect_exit 5 bp block --dynamic tcp/22
expect_out "the rule 'block in tcp to port 22' would cut what bpfpol.conf protects in line 1, tcp/22"
check "nothing is attached" [ ! -e "$BPFPOL_STATE_DIR/interfaces" ]
same "no rule is held" 0 "$(held)"
expect_exit 5 bp block --dynamic tcp/22 --dry-run
expect_exit 0 bp block --dynamic tcp/23
expect_exit 5 bp block --dynamic tcp
same "the others are" 1 "$(held)"
blocked proto=tcp dport=23
passes proto=tcp dport=22
passes dport=22

# A permit of either layer keeps it open; with that one gone it would be cut.
expect_exit 0 bp permit --dynamic tcp/22
expect_exit 0 bp block --dynamic tcp
passes proto=tcp dport=22
blocked proto=tcp dport=24
expect_exit 5 bp remove --dynamic permit tcp/22
expect_out 'would cut'
expect_exit 5 bp remove --dynamic permit tcp/22 --dry-run
passes proto=tcp dport=22
expect_exit 0 bp permit tcp/22
expect_exit 0 bp remove --dynamic permit tcp/22
passes proto=tcp dport=22
ID=$(bp permit --dynamic emergency tcp/22 --json | jq .id)
expect_exit 0 bp remove --id "$ID"

# Whoever says so may.
expect_exit 0 bp block --dynamic tcp/22 --force
blocked proto=tcp dport=22

finish
