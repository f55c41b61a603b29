#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A search that is given up, as there is more to look at than there can be: the best so far decides, and
# it is said. No table of ours leads to that, so the program of this test gives up after eight steps.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

WHOLE=$BPFPOL
POLICIES=$BPFPOL_CONF_DIR/policies
mkdir -m 700 "$BPFPOL_CONF_DIR" "$POLICIES"

# Twenty ranges under one key; the second one stands at the end of their chain.
{
	echo "permit tcp/1-10"
	echo "block tcp/500-600"
	for i in {1..18}; do echo "permit tcp/$((i + 1000))-$((i + 2000))"; done
} >"$POLICIES/chain.policy"

# said: the packets that `metrics` tells of.
said() {
	bp metrics | sed -n 's/^bpfpol_unfinished_packets_total{direction="in"} //p'
}

expect_exit 0 bp policy assign chain
blocked proto=tcp dport=550
same "the end of the chain is found: none is unfinished" 0 "$(said)"
same "and nothing is said" "" "$(bp status 2>&1 | grep 'part of the rules')"
expect_exit 0 bp policy unassign
expect_exit 0 bp detach rx0

BPFPOL=$TOP/build/tests/short
expect_exit 0 bp policy assign chain
passes proto=tcp dport=550
passes proto=udp dport=550
same "one search was given up" 1 "$(said)"
expect_exit 0 bp status
expect_out '1 packets were judged by a part of the rules'
expect_out 'bpfpol policy assign'
expect_exit 1 bp explain tcp from 192.0.2.1 to 10.77.0.2 port 550 on rx0
expect_out "classifier and its twin differ"
same "a question counts nothing" 1 "$(said)"

BPFPOL=$WHOLE
expect_exit 0 bp policy assign chain
blocked proto=tcp dport=550
same "the whole one finds it again" 1 "$(said)"

finish
