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

# No rule of either layer.
empty() {
	expect_exit 0 bp ipsecpol -u --force
	expect_exit 0 bp policy delete local --force
}

# id_of LAYER ACTION: of the rule in force that has them.
id_of() {
	bp list --json |
		jq -r --arg l "$1" --arg a "$2" '.rules[] | select(.layer == $l and .action == $a) | .id'
}

# refused COMMAND...: exit 5 with the text "would cut", also as a dry run, and 22 still passes.
refused() {
	expect_exit 5 bp "$@"
	expect_out 'would cut what bpfpol.conf protects in line 1, tcp/22'
	expect_exit 5 bp "$@" --dry-run
	passes proto=tcp dport=22
}

empty
# A dynamic permit above a static block, which the policy's rules alone would cut: that takes --force.
expect_exit 0 bp permit --dynamic tcp/22
refused block tcp/1-100
expect_out 'as soon as no dynamic rule permits it'
expect_exit 0 bp block --force tcp/1-100
passes proto=tcp dport=22
expect_exit 0 bp block udp/9
refused remove --dynamic permit tcp/22
refused remove --id "$(id_of dynamic permit)"
refused ipsecpol -u
expect_exit 0 bp ipsecpol -u --force
blocked proto=tcp dport=22
# What is stopped already is not cut.
expect_exit 0 bp block --dynamic tcp/1-50
expect_exit 0 bp promote --id "$(id_of dynamic block)"
empty

# A static permit above a dynamic block: whatever takes the permit out of force.
expect_exit 0 bp permit tcp/22
expect_exit 0 bp block --dynamic tcp/1-100
ID=$(id_of dynamic block)
mkdir -p "$BPFPOL_CONF_DIR/policies"
printf 'policy "other"\n' >"$BPFPOL_CONF_DIR/policies/other.policy"
passes proto=tcp dport=22
refused remove permit tcp/22
expect_out "dynamic rule $ID 'block in tcp to port 1-100' would cut"
refused remove --id "$(id_of static permit)"
refused policy assign other
refused policy unassign
refused policy rollback
refused policy delete local
refused ipsecpol -w REG -y
refused ipsecpol -w REG -p local -o
expect_exit 0 bp policy unassign --force
blocked proto=tcp dport=22
expect_exit 0 bp policy rollback
passes proto=tcp dport=22
# Without an agent that answers, too: the kernel has the rules.
kill -STOP "$AGENT"
refused policy unassign
kill -CONT "$AGENT"

# A dynamic block becomes a static one under a dynamic permit.
expect_exit 0 bp permit --dynamic tcp/22
expect_exit 0 bp remove permit tcp/22
refused promote --id "$ID"
expect_exit 0 bp promote --id "$ID" --force
passes proto=tcp dport=22

# A dynamic permit wins over a static block as specific as it is, which a static one does not: also where an
# equal static one stands.
empty
expect_exit 0 bp block tcp/22,23 --force
expect_exit 0 bp permit --dynamic tcp/22
passes proto=tcp dport=22
ID=$(id_of dynamic permit)
for static in none equal; do
	[ $static = none ] || expect_exit 0 bp permit tcp/22 --force
	refused promote --id "$ID"
	expect_out "'block in tcp to port 22,23' would cut"
	refused promote --id "$ID" --dry-run
	passes proto=tcp dport=22
	same "$static: it is dynamic" "$ID" "$(id_of dynamic permit)"
done
expect_exit 0 bp promote --id "$ID" --force
blocked proto=tcp dport=22

# Where there is no policy at all, an interface that comes to it meets the dynamic rules alone.
empty
expect_exit 0 bp block --dynamic --force tcp/22
expect_exit 0 bp detach rx0
refused attach rx0
expect_out "dynamic rule $(id_of dynamic block) 'block in tcp to port 22'"
expect_exit 0 bp attach rx0 --force
blocked proto=tcp dport=22

# A permit that is given again, as its list has lost who is let in: the old one goes.
expect_exit 0 bp ipsecpol -u --force
echo "protect = $TX4" >"$BPFPOL_CONF_DIR/bpfpol.conf"
LIST=$WORLD/managers
printf '%s\n' "$TX4" 10.77.0.9 >"$LIST"
expect_exit 0 bp permit --dynamic tcp/22 from "@$LIST"
expect_exit 0 bp block --dynamic tcp/22
passes proto=tcp dport=22
echo 10.77.0.9 >"$LIST"
for flag in --dry-run ""; do
	# shellcheck disable=SC2086
	expect_exit 5 bp permit --dynamic tcp/22 from "@$LIST" $flag
	expect_out "would cut what bpfpol.conf protects in line 1, $TX4"
done
passes proto=tcp dport=22
# What stays is not asked about: one that has grown, an end that is later, one of others.
printf '%s\n' "$TX4" 10.77.0.9 10.77.0.10 >"$LIST"
expect_exit 0 bp permit --dynamic tcp/22 from "@$LIST" for 1h
expect_exit 0 bp permit --dynamic tcp/22 from "@$LIST" for 30m
echo "$TX4" >"$LIST"
expect_exit 0 bp permit --dynamic tcp/22 from "@$LIST"
echo 10.77.0.9 >"$LIST.others"
expect_exit 0 bp permit --dynamic tcp/23 from "@$LIST.others"
passes proto=tcp dport=22
echo 10.77.0.9 >"$LIST"
expect_exit 0 bp permit --dynamic tcp/22 from "@$LIST" --force
blocked proto=tcp dport=22

# Filtering that is off on trial comes back by itself, and with it what would cut.
expect_exit 0 bp permit --dynamic tcp/22 from "$TX4"
expect_exit 0 bp off --confirm 600
expect_exit 5 bp remove --dynamic permit tcp/22 from "$TX4"
expect_out 'would cut'
expect_exit 5 bp remove --dynamic permit tcp/22 from "$TX4" --dry-run
expect_exit 0 bp remove --dynamic permit tcp/22 from "@$LIST"
expect_exit 0 bp on
passes proto=tcp dport=22

# What a trial stops already is not stopped by what it goes back to: a dynamic rule is asked about both.
expect_exit 0 bp ipsecpol -u --force
echo "protect = tcp/22" >"$BPFPOL_CONF_DIR/bpfpol.conf"
expect_exit 0 bp block --dynamic --force tcp/22 from 10.77.0.9
expect_exit 0 bp permit --dynamic tcp/1-100
expect_exit 0 bp block tcp/20-30 --confirm 600 --force
expect_exit 0 bp remove --dynamic block tcp/22 from 10.77.0.9
expect_exit 5 bp block --dynamic tcp/22
expect_out 'would cut what bpfpol.conf protects in line 1, tcp/22'
expect_exit 5 bp block --dynamic tcp/22 --dry-run
expect_exit 0 bp block --dynamic tcp/23
expect_exit 0 bp policy rollback
passes proto=tcp dport=22
# As little as a permit that only the rules before need is dropped beside it.
expect_exit 0 bp block tcp/1-100 --force
expect_exit 0 bp block tcp/22 --confirm 600 --force
blocked proto=tcp dport=22
for command in "ipsecpol -u" "remove --dynamic permit tcp/1-100"; do
	# shellcheck disable=SC2086
	expect_exit 5 bp $command
	expect_out 'would cut what bpfpol.conf protects in line 1, tcp/22'
done
expect_exit 0 bp ipsecpol -u --force
expect_exit 0 bp policy rollback
blocked proto=tcp dport=22
finish
