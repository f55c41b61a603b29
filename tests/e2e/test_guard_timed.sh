#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The lock-out guard and rules that end: a permit that keeps open what is protected, and ends before
# the block under it does, is no way in.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

WAY_IN='what bpfpol.conf protects in line 1, tcp/22'

# refused WHAT COMMAND...: exit 5, also as a dry run, and nothing has changed.
refused() {
	local what=$1 before

	shift
	before=$(snapshot)
	expect_exit 5 bp "$@"
	expect_out "$what"
	expect_exit 5 bp "$@" --dry-run
	unchanged "$*" "$before"
}

# No rule, of whatever layer.
empty() {
	expect_exit 0 bp policy delete local --force
	passes proto=tcp dport=22
}

mkdir -p "$BPFPOL_CONF_DIR/policies"
echo 'protect = tcp/22' >"$BPFPOL_CONF_DIR/bpfpol.conf"

# The permit is there before, or comes with the block.
expect_exit 0 bp permit tcp/22 for 2h
refused "the rule 'block in tcp' would cut $WAY_IN \(what arrives at rx0\) in (2h|119m), when rule 1 'permit in tcp to port 22' ends; nothing is changed" \
	block tcp
refused 'when rule 1' block tcp for 3h
expect_exit 0 bp block tcp --force
passes proto=tcp dport=22
blocked proto=tcp dport=23
# It is not the next change that cuts.
expect_exit 0 bp block tcp/1-1000
refused 'would cut .*rx0\); nothing' remove permit tcp/22
expect_exit 0 bp permit tcp/22
passes proto=tcp dport=22
empty
printf 'permit tcp/22 for 1h\nblock in\n' >"$BPFPOL_CONF_DIR/policies/short.policy"
refused "the rule 'block in' would cut $WAY_IN .* in (60|59)m, when the rule 'permit in tcp to port 22' ends" \
	policy assign short

# A block that ends before the permit cuts nothing, however many there are of either.
expect_exit 0 bp permit tcp/22 for 1h
expect_exit 0 bp permit tcp/20-30 for 3h
expect_exit 0 bp block tcp for 2h
expect_exit 0 bp block in for 30m
# A longer time for it is another matter, and so is a time for ever.
refused "would cut $WAY_IN .* in (3h|179m|2h), when rule [0-9]+ 'permit in tcp to port 20-30' ends" \
	block tcp for 4h
refused "'permit in tcp to port 20-30' ends" block tcp
expect_exit 0 bp block in for 1h
refused "'permit in tcp to port 22' ends" remove permit tcp/20-30
expect_exit 0 bp remove permit tcp/22
empty

# What ends may be a block that is in force: then the other one cuts.
expect_exit 0 bp block tcp/22 --force for 1h
refused "in (60|59)m, when .* ends" block tcp/22
expect_exit 0 bp block tcp/22 for 2h --force
expect_exit 0 bp block tcp/1-100 for 1h
empty

# What begins to be filtered meets a permit and its end.
expect_exit 0 bp permit tcp/22 for 1h
expect_exit 0 bp block tcp --force
expect_exit 0 bp detach rx0
refused 'in (60|59)m, when rule' attach rx0
expect_exit 0 bp attach rx0 --force
expect_exit 0 bp off
refused 'in (60|59)m, when rule' on
expect_exit 0 bp on --force
empty

# The agent's rules end as well.
start_agent
expect_exit 0 bp permit tcp/22 for 1h
refused "the rule 'block in tcp' would cut .* in (60|59)m, when rule [0-9]+ 'permit in tcp to port 22' ends" \
	block --dynamic tcp
expect_exit 0 bp block --dynamic tcp for 30m
refused "in (60|59)m, when" block --dynamic tcp/1-100
expect_exit 0 bp permit --dynamic tcp/22 for 2h
refused "in (2h|119m), when .*'permit in tcp to port 22' ends" block --dynamic tcp/1-100
# One of the policy's gives way to one of the agent's that ends.
expect_exit 0 bp permit tcp/22
expect_exit 0 bp block --dynamic tcp
refused "dynamic rule [0-9]+ 'block in tcp' would cut .* in (2h|119m), when dynamic rule [0-9]+ 'permit in tcp to port 22' ends" \
	remove permit tcp/22
expect_exit 0 bp remove permit tcp/22 --force
expect_exit 0 bp remove --dynamic tcp
expect_exit 0 bp permit tcp/22 for 1h
# A block of the policy outlives the agent, whatever that permits.
refused "in (60|59)m, when rule [0-9]+ 'permit in tcp to port 22' ends and no dynamic rule permits it" \
	block tcp/1-100
expect_exit 0 bp block tcp/1-100 for 50m

finish
