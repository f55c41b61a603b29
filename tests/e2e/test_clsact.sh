#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Without TCX (before 6.6): whose the clsact qdisc is, who has our place in it, what became of the
# filter when somebody had a hand in it; and the last resort when bpfpol itself is gone.
export REFUSE=tcx
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"

PLACE=(prio 7 handle 0xbf)

tc_rx() {
	run_in rx tc "$@"
}

# qdisc: the kind that stands beside those that send, or none.
qdisc() {
	tc_rx qdisc show dev rx0 | awk '$3 == "ffff:" { kind = $2 } END { print kind ? kind : "none" }'
}

# ours in|e: the ids of our programs in the filters of that direction.
ours() {
	tc_rx filter show dev rx0 "$1" | sed -n 's/.* bpfpol_tc_.* id \([0-9]*\).*/\1/p'
}

# root HOOK: the id of the program that is to be there.
root() {
	"$BPFTOOL" -j prog show pinned "$BPFPOL_BPFFS/bpfpol_$1" | jq .id
}

pins() {
	find "$BPFPOL_BPFFS/links" -type f -printf '%f\n' | sed 's/-[0-9]*$//; s/-[0-9]*-/ /' | sort
}

is_filtered() {
	expect_json "$1: status" '.interfaces[] | select(.name == "rx0")
		| .ingress == "'"${2:-xdp-native}"'" and .egress == "'"${3:-clsact}"'"' bp status --json
}

# Whose the qdisc is.
expect_exit 0 bp attach rx0
expect_out 'native XDP .*what leaves by clsact, as this kernel has no TCX'
is_filtered "ours"
expect_json "why" '.interfaces[0].why | test("clsact, as the kernel has no TCX")' bp status --json
same "a qdisc of ours" clsact "$(qdisc)"
same "pinned: a link, and whose filter it is" "tc-out clsact-made
xdp" "$(pins)"
expect_exit 0 bp block out udp/1434
stopped dport=1434
leaves dport=1433
expect_exit 0 bp detach rx0
leaves dport=1434
same "goes with us" none "$(qdisc)"
same "no pin stays" "" "$(pins)"

tc_rx qdisc add dev rx0 clsact
for mode in native tc; do
	expect_exit 0 bp attach rx0 --mode $mode
	stopped dport=1434
	expect_exit 0 bp detach rx0
	leaves dport=1434
	same "$mode: theirs stays" clsact "$(qdisc)"
	same "$mode: and nothing is left in it" "" "$(tc_rx filter show dev rx0 ingress; tc_rx filter show dev rx0 egress)"
done
tc_rx qdisc del dev rx0 clsact

# Ours, but somebody's filter has come into it.
expect_exit 0 bp attach rx0 --mode tc
expect_out 'asked for; by clsact, as this kernel has no TCX'
is_filtered "both ways" clsact
same "both pins say that it is ours" "tc-in clsact-made
tc-out clsact-made" "$(pins)"
tc_rx filter add dev rx0 ingress prio 20 protocol ip u32 match u32 0 0 classid 1:1
expect_exit 0 bp detach rx0
same "it stays for their filter" clsact "$(qdisc)"
same "their filter stays" 1 "$(tc_rx filter show dev rx0 ingress | grep -c 'flowid 1:1')"
same "ours are gone" "" "$(ours ingress)$(ours egress)"
tc_rx qdisc del dev rx0 clsact

# Ours was taken away, and somebody made another: that is theirs.
expect_exit 0 bp attach rx0
tc_rx qdisc del dev rx0 clsact
is_filtered "their qdisc" xdp-native none
tc_rx qdisc add dev rx0 clsact
leaves dport=1434
expect_exit 0 bp detach rx0
same "another qdisc is not ours" clsact "$(qdisc)"
expect_exit 0 bp attach rx0
stopped dport=1434
expect_exit 0 bp off
same "nor does off take it" clsact "$(qdisc)"
expect_exit 0 bp on
stopped dport=1434
tc_rx qdisc del dev rx0 clsact
expect_exit 0 bp attach rx0
expect_out 'what leaves is filtered again.*clsact'
stopped dport=1434
expect_exit 0 bp detach rx0
same "made anew, it was ours again" none "$(qdisc)"

# Somebody takes our filter off.
expect_exit 0 bp attach rx0 --mode tc
expect_exit 0 bp block udp/1435
tc_rx filter del dev rx0 ingress "${PLACE[@]}" bpf
is_filtered "half of it taken" none
expect_json "and says so" '.interfaces[0].why | test("taken off by someone else")' bp status --json
expect_exit 0 bp attach rx0 --mode tc
is_filtered "put back" clsact
tc_rx filter del dev rx0 egress prio 7
is_filtered "the other half taken" clsact none
expect_exit 0 bp attach rx0
is_filtered "put back as well" clsact
expect_exit 0 bp detach rx0
same "nothing stays" none "$(qdisc)"

# Our place is somebody's.
tc_rx qdisc add dev rx0 clsact
"$BPFTOOL" prog loadall "$(clang -O2 -g -target bpf "-I/usr/include/$(uname -m)-linux-gnu" \
	-c "$TOP/tests/e2e/foreign.bpf.c" -o "$WORLD/foreign.o" && echo "$WORLD/foreign.o")" \
	"$WORLD/bpf/foreign" || exit 1
THEIRS=(bpf direct-action pinned "$WORLD/bpf/foreign/foreign_tc")
for place in "prio 7 handle 0xbf protocol all" "prio 7 protocol ip" "prio 7 protocol all u32"; do
	for way in egress ingress; do
		WORDS=("${THEIRS[@]}")
		[[ $place = *u32 ]] && WORDS=(match u32 0 0 classid 1:7)
		# shellcheck disable=SC2086
		tc_rx filter add dev rx0 $way $place "${WORDS[@]}" || nok "their filter" "tc fails"
	done
	BEFORE=$(tc_rx filter show dev rx0 egress; tc_rx filter show dev rx0 ingress)
	expect_exit 1 bp attach rx0 --mode tc
	expect_out 'foreign filter at priority 7.*tc filter show dev rx0 ingress'
	expect_exit 0 bp attach rx0
	expect_out 'what leaves is not filtered: rx0 has a foreign filter at priority 7'
	is_filtered "$place" xdp-native none
	expect_exit 0 bp block out udp/99
	expect_out 'warning: what leaves is not filtered on every interface'
	expect_exit 0 bp off
	expect_exit 0 bp on
	expect_exit 0 bp detach rx0
	same "$place: theirs stays" "$BEFORE" \
		"$(tc_rx filter show dev rx0 egress; tc_rx filter show dev rx0 ingress)"
	for way in egress ingress; do tc_rx filter del dev rx0 $way prio 7; done
done
# Beside another handle of the same priority there is room.
tc_rx filter add dev rx0 egress prio 7 handle 1 protocol all "${THEIRS[@]}"
expect_exit 0 bp attach rx0
stopped dport=1434
expect_exit 0 bp detach rx0
same "theirs beside ours stays" 1 "$(tc_rx filter show dev rx0 egress | grep -c 'handle 0x1 foreign_tc')"
tc_rx qdisc del dev rx0 clsact

# The older qdisc stands where ours would.
tc_rx qdisc add dev rx0 ingress
expect_exit 0 bp attach rx0 --mode tc
expect_out 'what leaves is not filtered: rx0 has an ingress qdisc'
is_filtered "an ingress qdisc" clsact none
add_bridge
blocked dport=1435
passes dport=1436
expect_exit 0 bp off
passes dport=1435
expect_exit 0 bp on
blocked dport=1435
expect_exit 0 bp detach rx0
passes dport=1435
same "it stays" ingress "$(qdisc)"
tc_rx qdisc del dev rx0 ingress
run_in rx ip link del br0
unset RX

# No such qdisc in the kernel.
export REFUSE="tcx clsact"
expect_exit 1 bp attach rx0 --mode tc
expect_out 'neither TCX \(6.6\) nor the clsact qdisc'
expect_exit 0 bp attach rx0
expect_out 'what leaves is not filtered: this kernel has neither'
is_filtered "no clsact" xdp-native none
same "no pin of what is not there" xdp "$(pins)"
expect_exit 0 bp detach rx0
export REFUSE=tcx

# An upgrade: programs of an earlier load come under the new one, though it is killed on its way.
# renewed COMMAND...: both filters have the programs of now, and judge.
renewed() {
	[ "$(ours ingress)" = "$(root tc_in)" ] || echo "ingress: $(ours ingress), not $(root tc_in)"
	[ "$(ours egress)" = "$(root tc_out)" ] || echo "egress: $(ours egress), not $(root tc_out)"
	FROM=rx TX=rx0 TO=tx RX=tx0 verdicts "$OUT_FRAME"
	pins
}
OUT_FRAME=$(frame "${BACK[@]}" dport=1434)
GOOD="b
tc-in clsact-made
tc-out clsact-made"
expect_exit 0 bp attach rx0 --mode tc
same "at first" "$GOOD" "$(renewed)"
OLD=$(root tc_out)
rm "$BPFPOL_BPFFS/ctl"
# From where the new program is pinned to where it is in the filters; test_killed_first.sh has the rest.
mapfile -t POINTS < <(points block udp/2000 | awk '{ line[NR] = $0 }
	$1 == "unlink" && !first { first = NR }
	$1 == "sendto" { last = NR + 5 }
	END { for (i = first; i <= last; i++) print line[i] }')
check "${#POINTS[@]} calls" [ ${#POINTS[@]} -gt 20 ]
check "loaded anew" [ "$OLD" != "$(root tc_out)" ]
same "renewed" "$GOOD" "$(renewed)"
BAD=$FAILED
for point in "${POINTS[@]}"; do
	read -r call n <<<"$point"
	bp remove udp/2000 >/dev/null 2>&1
	rm -f "$BPFPOL_BPFFS/ctl"
	kill_at "$call" "$n" block udp/2000
	bp block udp/2000 >/dev/null || nok "killed at $point" "block fails"
	[ "$(renewed)" = "$GOOD" ] || nok "renewing killed at $point" "$(renewed)"
done
same "renewing: killed at ${#POINTS[@]} calls" "$BAD" "$FAILED"

# Both ways or neither, whatever fails: a filter that was taken is put back when the other stays.
# failing CALL N COMMAND...: with the Nth of them failing for want of memory.
failing() {
	local call=$1 n=$2

	shift 2
	run_in rx strace -f -qq -o /dev/null -e "trace=$call" \
		-e "inject=$call:error=ENOMEM:when=$n" "$BPFPOL" "$@" 2>&1
}

ways() {
	echo "$(ours ingress | grep -c .)$(ours egress | grep -c .)"
}

for words in "detach rx0" "attach rx0 --mode tc"; do
	[[ $words = attach* ]] && bp detach rx0 >/dev/null
	# shellcheck disable=SC2086
	run_in rx strace -f -qq -o "$WORLD/trace" -e trace=bpf,sendto "$BPFPOL" $words >/dev/null
	mapfile -t POINTS < <(awk '{ sub(/^[0-9]+ +/, ""); sub(/\(.*/, "") }
		/^(bpf|sendto)$/ { print $0, ++n[$0] }' "$WORLD/trace")
	check "$words: ${#POINTS[@]} calls" [ ${#POINTS[@]} -gt 20 ]
	BAD=$FAILED
	for point in "${POINTS[@]}"; do
		read -r call n <<<"$point"
		if [[ $words = attach* ]]; then
			bp detach rx0 >/dev/null 2>&1
			before=00 after=11
		else
			bp attach rx0 --mode tc >/dev/null || nok "before $words: $point" "attach fails"
			before=11 after=00
		fi
		# shellcheck disable=SC2086
		failing "$call" "$n" $words >"$WORLD/said" && before=$after
		[ "$(ways)" = $before ] || nok "$words, $point fails" "$(ways): $(cat "$WORLD/said")"
	done
	same "$words: each of them failed" "$BAD" "$FAILED"
done
expect_exit 0 bp attach rx0 --mode tc
expect_exit 0 bp detach rx0
same "nothing is left of all that" none "$(qdisc)"
expect_exit 0 bp attach rx0 --mode tc

# When bpfpol is gone. Its program stays in the filter, and has nothing to ask any more.
rm -r "$BPFPOL_BPFFS/links"
stopped dport=1434
expect_exit 0 bp attach rx0 --mode tc
same "pins that were taken away come back" "tc-in clsact
tc-out clsact" "$(pins)"
same "in the place they had" "$(root tc_out)" "$(ours egress)"
stopped dport=1434
rm -r "$BPFPOL_BPFFS"
# shellcheck disable=SC2317 # until_true calls it
let_go() {
	[ "$(FROM=rx TX=rx0 TO=tx RX=tx0 verdicts "$OUT_FRAME")" = p ]
}
check "the last resort: it lets all pass" until_true let_go
expect_exit 1 bp attach rx0 --mode tc
expect_out 'foreign filter at priority 7'
for way in ingress egress; do tc_rx filter del dev rx0 $way "${PLACE[@]}" bpf; done
expect_exit 0 bp attach rx0 --mode tc
stopped dport=1434

finish
