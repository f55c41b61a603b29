#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The generation before is kept and filled again: the change after next has nothing to be verified.
# Where it will not do, one is loaded anew. Whatever fails on the way, the old rules or the new ones
# are in force.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/two.sh
. "$(dirname "$0")/two.sh"

SPARE=$BPFPOL_BPFFS/spare
COUNTED[large]=0 COUNTED[middle]=0

# loads COMMAND...: how many programs of XDP and TC it gives to the verifier.
loads() {
	run_in rx strace -f -qq -o "$WORLD/loads" -e trace=bpf "$BPFPOL" "$@" >"$WORLD/said" 2>&1 ||
		{ cat "$WORLD/said"; return; }
	grep -cE 'BPF_PROG_LOAD.*PROG_TYPE_(XDP|SCHED_CLS)' "$WORLD/loads"
}

# none COMMAND...: it has nothing verified.
none() {
	same "$*: nothing is verified" 0 "$(loads "$@")"
}

# some COMMAND...
some() {
	local n

	n=$(loads "$@")
	check "$*: something is verified ($n)" [ "$n" -gt 0 ]
}

# --- when it is used

expect_exit 0 bp attach rx0
some policy assign a
check "that of no rules is kept" [ -e "$SPARE/tables" ]
none policy assign b
check "the one before is kept" [ -e "$SPARE/tables" ]
none policy assign a
is a "the policy is in force"
check "the one before is kept without its base" [ ! -e "$SPARE/base" ]
none policy assign b
is b "the other one is"
none policy rollback
is a "going back"
echo 198.51.100.1 >"$WORLD/list.txt"
none block "@$WORLD/list.txt"
none policy unassign
same "unassigned" p "$(verdicts "$(frame dport=1434)")"
none policy assign a
is a "assigned again"
same "one generation is pinned" 1 "$(find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*' | wc -l)"

# --- sizes

awk 'BEGIN { for (i = 0; i < 60000; i++) printf "11.%d.%d.7\n", i / 256, i % 256 }' >"$WORLD/large.txt"
printf 'block udp/2002\nblock udp/1434\nblock @%s\n' "$WORLD/large.txt" >"$POLICIES/large.policy"
some policy assign large
is large "large"
blocked src=11.1.2.7
none policy assign a
check "a large one is not kept" [ ! -e "$SPARE" ]
is a "small after large"
passes src=11.1.2.7
some policy assign b
some policy assign large
none policy assign b
is b "small after large again"

# Its rules would fit into a small one, and packets would pay for it.
head -3000 "$WORLD/large.txt" >"$WORLD/middle.txt"
printf 'block udp/2002\nblock udp/1434\nblock @%s\n' "$WORLD/middle.txt" >"$POLICIES/middle.policy"
some policy assign a
some policy assign middle
is middle "a small one is not used for what is larger"
none policy assign b
check "one of another size is kept" [ -e "$SPARE/tables" ]
some policy assign a
is a "nor this one for a small one"

# --- hooks

loaded() {
	find "$BPFPOL_BPFFS"/gen-* -name 'classify_*' -printf '%f\n' | sed 's/classify_//' | sort |
		tr '\n' ' '
}

none policy assign b
add_pair tx1 rx1 78
expect_exit 0 bp attach rx1 --mode generic
some policy assign a # the spare comes from before that
same "a hook that came" "generic tc_out xdp " "$(loaded)"
same "it is filtered" b "$(TX=tx1 RX=rx1 verdicts "$(frame dport=2001)")"
same "and not by more" p "$(TX=tx1 RX=rx1 verdicts "$(frame dport=2002)")"
none policy assign b
same "and by the next one" b "$(TX=tx1 RX=rx1 verdicts "$(frame dport=2002)")"
expect_exit 0 bp detach rx1
none policy assign a
same "a hook that went" "tc_out xdp " "$(loaded)"
is a "rx0 is filtered"

# --- another build's, or a damaged one

sed 's/bp_answer/bp_Answer/g' "$BPFPOL" >"$WORLD/other"
chmod 755 "$WORLD/other"
BPFPOL=$WORLD/other some policy assign b
is b "another build's is not used"
BPFPOL=$WORLD/other some policy assign a
BPFPOL=$WORLD/other none policy assign b
some policy assign a
is a "nor by this build"
bp policy assign b >/dev/null
rm "$SPARE/gates"
some policy assign a
is a "one that lacks a part is not used"
bp policy assign b >/dev/null
mv "$SPARE/classify_tc_out" "$SPARE/classify_xdp"
some policy assign a # in the place of a wrong program, and of one that is gone
is a "a wrong program is not used"
OTHER=$("$BPFTOOL" -j map show pinned "$SPARE/tables" | jq .id)
rm "$BPFPOL_BPFFS/ctl" # as after an upgrade
bp policy assign b >/dev/null
check "one of other root programs goes" \
	[ "$OTHER" != "$("$BPFTOOL" -j map show pinned "$SPARE/tables" 2>/dev/null | jq .id)" ]
COUNTED=([a]=0 [b]=0) # they went with the old ones
is b "anew"
same "what judges counts for the new ones" 2 "$(bp status --json | jq .totals.in.blocked)"

# --- whether packets are done with it is not known

expect_exit 0 run_in rx strace -f -qq -o /dev/null -e inject=membarrier:error=ENOSYS \
	"$BPFPOL" policy assign a
check "it is not kept" [ ! -e "$SPARE" ]
is a "and the next one"

# --- what was counted before cannot be put together, again and again

# apart CODE PATTERN COMMAND...: the base of no generation comes to be; it says so. No report, which would put
# together what it can, comes in between.
apart() {
	local paths=() last n

	last=$(find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*' | sed 's/.*-//' | sort -n | tail -1)
	for n in $(seq $((last - 2)) $((last + 2))); do paths+=(-P "$BPFPOL_BPFFS/gen-$n/base-new"); done
	expect_exit "$1" run_in rx strace -f -qq -o "$WORLD/injected" "${paths[@]}" -e inject=rename:error=EIO \
		"$BPFPOL" "${@:3}"
	expect_out "$2"
}

# counts POLICY: what it blocks is counted.
counts() {
	same "$1 blocks" b "$(verdicts "$(frame dport=1434)")"
	COUNTED[$1]=$((COUNTED[$1] + 1))
}

expect_exit 0 bp policy assign a
expect_exit 0 bp policy assign b
for n in 1 2; do
	apart 0 'is not put together yet' policy assign a
	counts a
	apart 0 'is not put together yet' policy assign b
	counts b
done
apart 0 'are not carried over yet' status
is b "kept apart: none of the counts is lost"
expect_exit 0 bp policy assign a
is a "nor of the other's"

apart 0 'is not put together yet' policy assign b
counts b
apart 0 'are not carried over yet' policy assign a --confirm 300
counts a
apart 0 'are not yet put together' policy rollback
counts b
# Its place is the next one's, and nothing else knows what it counted.
apart 1 'cannot keep the counters' policy assign a
is b "gone back: no more is changed"
expect_exit 0 bp policy assign a
is a "and then together"
same "one generation is pinned" 1 "$(find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*' | wc -l)"
expect_exit 0 bp policy assign b
is b "and of the other"

# --- what is refused gives it back

expect_exit 0 bp policy assign a
expect_exit 0 bp policy assign b
expect_exit 1 run_in rx strace -f -qq -o /dev/null -e inject=fsync:error=EIO "$BPFPOL" policy assign a
is b "what is refused"
none policy assign a
is a "and then not"
expect_exit 1 run_in rx strace -f -qq -o /dev/null -e inject=fsync:error=EIO \
	"$BPFPOL" policy assign large
is a "nor is one of another size"
none policy assign b
is b "which leaves it as it is"
none policy assign a
is a "for good"
awk 'BEGIN { for (i = 1; i <= 1100; i++) printf "block udp/%d-60000\n", i }' >"$POLICIES/chain.policy"
expect_exit 1 bp policy assign chain
expect_out 'more than 1024'
is a "a policy that cannot be"

finish
