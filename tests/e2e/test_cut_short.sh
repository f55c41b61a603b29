#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A load of another version dies half way, and the older one is used on. Links that it had renewed must not go on by
# its rules of then: the next command, whichever, gives them ours, or refuses and says what to do.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

add_pair tx7 rx7 7
bp attach rx0 rx7 >/dev/null
bp block udp/1434 name worm >/dev/null
echo 'block udp/1434' >"$WORLD/two.policy"
bp policy import "$WORLD/two.policy" >/dev/null
send_frames 3 dport=1434
OURS=$("$BPFTOOL" -j map lookup pinned "$BPFPOL_BPFFS/ctl" key 0 0 0 0 | jq -r '.value[24]')

# of_others: how many links have a program that is none of the pinned ones.
of_others() {
	local roots pin

	roots=$(for pin in "$BPFPOL_BPFFS"/bpfpol_*; do "$BPFTOOL" -j prog show pinned "$pin" | jq .id; done)
	for pin in "$BPFPOL_BPFFS"/links/*; do
		"$BPFTOOL" -j link show pinned "$pin" | jq .prog_id
	done | grep -cvxF "$roots"
}

# The calls of a load by which links change their programs.
other_abi
run_in rx strace -qq -f -o "$WORLD/calls" -e trace=bpf "$BPFPOL" restore >/dev/null 2>&1
mapfile -t UPDATES < <(grep -n BPF_LINK_UPDATE "$WORLD/calls" | cut -d: -f1)
CALLS=$(wc -l <"$WORLD/calls")
same "links are renewed one by one" 4 "${#UPDATES[@]}"

# cut_short N: a load of another version dies at that call of bpf(), and ours is here again if its ctl is. COUNT:
# what was counted before.
cut_short() {
	bp restore >/dev/null 2>&1
	COUNT=$(counter packets 'in udp to port 1434')
	other_abi
	run_in rx strace -qq -f -o /dev/null -e "inject=bpf:signal=KILL:when=$1" "$BPFPOL" restore >/dev/null 2>&1
	[ ! -e "$BPFPOL_BPFFS/ctl" ] || abi_is "$OURS"
}

half() {
	cut_short "${UPDATES[$((1 + N++ % 3))]}"
	[ "$(of_others)" -gt 0 ] || nok "cut short" "all go by ours"
}
N=0

# is_ours WHAT: all of it, with what was counted.
is_ours() {
	same "$1: all go by ours, and nothing is left" "0 $COUNT" \
		"$(of_others)$(find "$BPFPOL_BPFFS" -name 'next-*') $(counter packets 'in udp to port 1434')"
	blocked dport=1434
	passes dport=1436
}

SHORT='warning: another version of bpfpol was cut short here: '
REPLACED="${SHORT}what it had put on interfaces is replaced"

# --- whatever comes next

for words in "block tcp/99" list "policy assign two" "policy rollback" restore \
	"explain udp/1434 from 192.0.2.1 to me" "off --confirm 60"; do
	half
	# shellcheck disable=SC2086
	expect_exit 0 bp $words
	expect_out "$REPLACED"
	case $words in
	off*) bp policy rollback >/dev/null ;;
	policy*) COUNT=$(counter packets 'in udp to port 1434') ;; # a rule of another policy
	esac
	is_ours "$words"
done

# --- who changes nothing says so

half
for words in "block tcp/97 --dry-run" "netdiag /test:ipsec" "policy diff local --in-force"; do
	# shellcheck disable=SC2086
	expect_exit 0 bp $words
	expect_out "$SHORT.*'bpfpol restore'"
done
[ "$(of_others)" -gt 0 ] || nok "dry run" "it has changed them"
expect_exit 0 bp block tcp/97
is_ours "after a dry run"

# --- the agent

half
start_agent
agent_said "$REPLACED"
is_ours "the agent"
stop_agent TERM

# --- a link that does not let itself be renewed

half
run_in rx strace -qq -f -o "$WORLD/calls" -e trace=bpf "$BPFPOL" list >/dev/null 2>&1
UPDATE=$(grep -n BPF_LINK_UPDATE "$WORLD/calls" | head -1 | cut -d: -f1)
half
expect_exit 1 run_in rx strace -qq -f -o /dev/null -e "inject=bpf:error=EBUSY:when=$UPDATE" "$BPFPOL" block tcp/96
expect_out "'bpfpol off' and then 'bpfpol on'"
same "nothing is changed" 0 "$(bp policy show local | grep -c 96)"
expect_exit 0 bp block tcp/96
expect_out "$REPLACED"
is_ours "the next one"
half
expect_exit 0 run_in rx strace -qq -f -o /dev/null -e "inject=bpf:error=EBUSY:when=$UPDATE" "$BPFPOL" status
expect_out "$SHORT"
expect_exit 0 bp off
expect_exit 0 bp on
is_ours "off and on"

# --- killed anywhere else: CUTS: so many, spread evenly

for n in $(seq 1 $((1 + CALLS / ${CUTS:-5})) "$CALLS"); do
	cut_short "$n"
	expect_exit 0 bp block tcp/99
	! grep -q 'counters begin anew' <<<"$OUT" || COUNT=0
	is_ours "killed at call $n"
	bp remove tcp/99 >/dev/null
done

finish
