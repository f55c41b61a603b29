#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The lock-out guard: what would cut the SSH connection or what bpfpol.conf protects is refused, and
# nothing is changed; what would not is done.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

CONF=$BPFPOL_CONF_DIR/bpfpol.conf

# conf LINE...
conf() {
	mkdir -p "$BPFPOL_CONF_DIR"
	printf '%s\n' "$@" >"$CONF"
}

# refused WHAT WORDS...: exit 5, and nothing has changed.
refused() {
	local what=$1 before

	shift
	before=$(snapshot)
	expect_exit 5 bp "$@"
	expect_out "$what"
	unchanged "$*" "$before"
}

# The first command of all: what is refused leaves nothing, and no driver is touched.
BEFORE=$(find "$WORLD/bpf")
conf 'protect = tcp/22'
expect_exit 5 bp block tcp/22
same "nothing is pinned" "$BEFORE" "$(find "$WORLD/bpf")"
same "nothing is remembered or stored" "" "$(find "$BPFPOL_STATE_DIR" -type f)"

expect_exit 0 bp block udp/1434
conf 'protect = tcp/2200-2210 # the managers' '' "protect=$TX4"
expect_exit 0 bp block tcp/445
expect_exit 0 bp block 203.0.113.0/24
refused "the rule 'block in tcp to port 2205' would cut .*line 1, tcp/2200-2210 .*arrives at rx0" \
	block tcp/2205
refused 'line 1' block out from port 2200
refused "line 3, $TX4" block "$TX4"
refused 'line 3' block from 10.77.0.0/24
refused 'line 3.*leaves by rx0' block out to "$TX4"
refused 'line 1' block in
refused 'line 1' block in --dry-run
expect_exit 0 bp block out tcp/2205
expect_exit 0 bp block on lo tcp/2205
expect_exit 0 bp remove on lo tcp/2205

# A permit that lets it pass, before and after.
expect_exit 0 bp permit tcp from "$TX4"
expect_exit 0 bp permit tcp/2200-2210
expect_exit 0 bp block in from 10.77.0.0/24
refused 'line 3' remove permit tcp from "$TX4"
ID=$(bp list --json | jq ".rules[] | select(.action == \"permit\" and (.filter | test(\"$TX4\"))) | .id")
refused 'line 3' remove --id "$ID"
expect_exit 0 bp remove --id "$ID" --force
blocked proto=tcp sport=40000 dport=22
# What is stopped already is not cut.
expect_exit 0 bp block icmp
expect_exit 0 bp block 10.77.0.0/25

# Whole policies, and what attaches.
expect_exit 0 bp policy unassign
mkdir -p "$BPFPOL_CONF_DIR/policies"
printf 'policy "closed"\nblock in\n' >"$BPFPOL_CONF_DIR/policies/closed.policy"
refused "'block in'" policy assign closed
refused "'block in'" policy assign closed --dry-run
refused "'block in'" ipsecpol -w REG -p closed -x
expect_exit 0 bp policy assign closed --force
blocked dport=9
expect_exit 0 bp policy rollback
refused "rule [0-9]+ 'block in'" policy rollback
passes dport=9
expect_exit 0 bp detach rx0
expect_exit 5 bp policy assign closed
check "nothing is attached for it" eval '! bp interfaces | grep -qE "rx0.*xdp"'
passes dport=9
conf
expect_exit 0 bp policy assign closed
expect_exit 0 bp detach rx0
conf 'protect = tcp/22'
refused 'line 1' attach rx0
refused 'line 1' attach rx0 --dry-run
# A rule of no concern would put the others in force with it.
refused 'line 1' block udp/9
expect_exit 0 bp attach rx0 --force
expect_exit 0 bp off
refused 'line 1' on
refused 'line 1' on --dry-run
expect_exit 0 bp on --force
blocked dport=9
expect_exit 0 bp restore
expect_exit 0 bp status
expect_out 'tcp/22 \(bpfpol.conf:1\)'
expect_json "in JSON" '.protected == ["tcp/22 (bpfpol.conf:1)"]' bp status --json

# What a trial is taken back to by hand, be it no policy at all; the file says nothing new of it.
printf 'count udp/1\n' >"$BPFPOL_CONF_DIR/policies/open.policy"
expect_exit 0 bp policy assign open --confirm 600
refused "rule [0-9]+ 'block in'" policy rollback
refused "rule [0-9]+ 'block in'" policy rollback --dry-run
passes dport=9
expect_exit 0 bp policy rollback --force
blocked dport=9
expect_exit 0 bp policy unassign
expect_exit 0 bp policy assign closed --force --confirm 600
expect_exit 0 bp policy rollback
passes dport=9
expect_exit 0 bp policy assign closed --force
expect_exit 0 bp off --confirm 600
refused 'line 1' policy rollback
passes dport=9
expect_exit 0 bp policy rollback --force
blocked dport=9

# Mistakes in the file, with their place.
conf '' 'proteckt = tcp/22'
expect_exit 2 bp block tcp/99
expect_out "bpfpol.conf:2:1: there is no such key"
conf 'protect = tcp/22,x!'
expect_exit 2 bp block tcp/99
expect_out "bpfpol.conf:1:1[0-9]: "
conf 'protect = tcp'
expect_exit 2 bp block tcp/99
expect_out 'takes an address or a protocol with ports'
expect_exit 0 bp permit tcp/98
expect_exit 0 bp status
expect_out 'warning: bpfpol.conf counts for nothing as it is now: .*bpfpol.conf:1'
expect_exit 0 bp restore
expect_exit 0 bp block tcp/99 --force
expect_exit 0 bp off
rm "$CONF"
expect_exit 0 bp policy unassign
expect_exit 0 bp policy delete local
expect_exit 0 bp on

# Who is told to end while that is asked leaves all as it was. One that is ignored tells nobody.
conf 'protect = tcp/22'
expect_exit 0 bp block tcp --force
for i in 1 2 3; do
	run_in rx strace -qq -o "$WORLD/trace" -e trace=bpf "$BPFPOL" block tcp/22
	bp remove block tcp/22
done >/dev/null
ASKED=$(grep -n TEST_RUN "$WORLD/trace" | head -n 1 | cut -d: -f1)
# told SIGNAL: at the first of the questions.
told() {
	run_in rx strace -qq -o /dev/null -e trace=bpf -e "inject=bpf:signal=$1:when=$ASKED" "$BPFPOL" block tcp/22
}
BEFORE=$(snapshot)
expect_exit 143 told TERM
expect_exit 130 told INT
unchanged "who is told to end" "$BEFORE"
(
	trap '' HUP
	told HUP >/dev/null 2>&1
)
same "an ignored one: exit" 0 $?
check "it is done" eval 'bp list | grep -q "block in tcp to port 22"'
expect_exit 0 bp policy unassign
expect_exit 0 bp policy delete local

# One that is to be filtered and is not attached at the moment: whoever attaches it asks nobody. What
# would be cut there by the rules in force is no other change's doing.
# waits DESC
waits() {
	refused 'line 1.*rx0' block on rx0 tcp/22
	refused 'line 1.*rx0' block out on rx0 tcp from port 22
	expect_exit 0 bp block on rx0 tcp/22 --force
	expect_exit 0 bp block tcp/99
	refused 'line 1.*rx1' block tcp/22
	refused "rule [0-9]+ .block in on rx0.*line 1.*rx0" attach rx0
	expect_exit 0 bp policy unassign
	expect_exit 0 bp policy delete local
	same "$1: it is not attached" rx1 \
		"$(bp interfaces --json | jq -r '.interfaces[] | select(.ingress != "none") | .name')"
}

conf 'protect = tcp/22'
expect_exit 0 bp detach rx0
add_pair tx1 rx1 78
expect_exit 0 bp attach rx1
expect_exit 0 bp block on rx0 tcp/22
expect_exit 0 bp remove --id "$(bp list --json | jq '.rules[-1].id')"
conf 'protect = tcp/22' 'interfaces = rx0'
waits configured
conf 'protect = tcp/22'
expect_exit 0 bp attach rx0
N=$(run_in rx ip -o link show rx0 | cut -d: -f1)
rm -f "$BPFPOL_BPFFS/links/"*-"$N" "$BPFPOL_BPFFS/links/"*-"$N"-*
waits remembered
expect_exit 0 bp detach rx1
expect_exit 0 bp attach rx0
# What is cut on one that is attached is not cut by attaching another one beside it.
expect_exit 0 bp block on rx0 tcp/22 --force
expect_exit 0 bp attach rx0 rx1
expect_exit 0 bp detach rx1
expect_exit 0 bp policy unassign
expect_exit 0 bp policy delete local
run_in rx ip link del rx1

# An interface with no address but a link-local one, or with IPv4 alone, below one that has others:
# what is for those crosses it.
conf 'protect = tcp/22' 'protect = fd77::/64'
run_in rx ip addr flush dev rx0
add_bridge
run_in rx ip addr add fe80::2/64 dev rx0 nodad
run_in rx ip addr add "$RX4/24" dev br0
run_in rx ip addr add "$RX6/64" dev br0 nodad
refused 'line 1.*arrives at rx0' block tcp/22
refused 'line 1' block from ::/1 to port 22
refused 'line 2' block tcp from fd77::/80
run_in rx ip addr del "$RX4/24" dev br0
run_in rx ip addr add "$RX4/24" dev rx0
refused 'line 1' block tcp/22
refused 'line 2' block tcp from fd77::/80

finish
