#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is attached, what is remembered and what is said agree, whatever fails in between.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"

add_pair tx1 rx1 78

xdp_id() {
	run_in rx ip -o link show "$1" | sed -n 's/.* id \([0-9]*\).*/\1/p'
}

# bpf_calls COMMAND...: how many bpf(2) it makes.
bpf_calls() {
	run_in rx strace -f -qq -o "$WORLD/trace" -e trace=bpf "$BPFPOL" "$@" >/dev/null 2>&1
	grep -c 'bpf(' "$WORLD/trace"
}

# failing N COMMAND...: with the Nth of them failing for want of memory.
failing() {
	local n=$1

	shift
	run_in rx strace -f -qq -o /dev/null -e trace=bpf -e "inject=bpf:error=ENOMEM:when=$n" \
		"$BPFPOL" "$@" 2>&1
}

# is IFACE: whether it is filtered (both ways, or only in or out), and whether it is remembered.
is() {
	local word=off index

	index=$(run_in rx ip -o link show "$1" | cut -d: -f1)
	[ -n "$(xdp_id "$1")" ] && word=in
	if [ -e "$BPFPOL_BPFFS/links/tc-out-$index" ]; then
		[ $word = in ] && word=on || word=out
	fi
	grep -q "^$1 " "$BPFPOL_STATE_DIR/interfaces" 2>/dev/null && word+=,remembered
	echo $word
}

# Reading changes nothing, also when it fails.
expect_exit 0 bp attach rx0
expect_exit 0 bp block udp/1434
for words in interfaces status list; do
	COUNT=$(bpf_calls $words)
	PINS=$(find "$BPFPOL_BPFFS" | sort)
	check "$words: $COUNT calls" [ "$COUNT" -gt 4 ]
	BAD=$FAILED
	for ((n = 1; n <= COUNT; n++)); do
		failing $n $words >"$WORLD/said" && [ $words = interfaces ] &&
			! grep -q 'rx0.*xdp-native' "$WORLD/said" &&
			nok "$words, call $n fails" "$(cat "$WORLD/said")"
		[ "$PINS" = "$(find "$BPFPOL_BPFFS" | sort)" ] ||
			nok "$words, call $n fails" "$(diff <(echo "$PINS") <(find "$BPFPOL_BPFFS" | sort))"
	done
	same "$words: each of them failed, and nothing was taken away" "$BAD" "$FAILED"
done
blocked dport=1434
# The pin of an interface that is gone stays until something is attached.
expect_exit 0 bp attach rx1
PIN=$BPFPOL_BPFFS/links/xdp-$(run_in rx ip -o link show rx1 | cut -d: -f1)
check "rx1 is pinned" [ -e "$PIN" ]
run_in rx ip link del rx1
expect_exit 0 bp interfaces
check "reading sweeps nothing" [ -e "$PIN" ]
add_pair tx1 rx1 78
expect_exit 0 bp attach rx1
check "attaching does" [ ! -e "$PIN" ]
same "the new rx1" on,remembered "$(is rx1)"
expect_exit 0 bp detach rx1
same "detached" off "$(is rx1)"

# attach fails somewhere: attached and remembered, or neither.
COUNT=$(bpf_calls attach rx1)
bp detach rx1 >/dev/null
BAD=$FAILED
for ((n = 1; n <= COUNT; n++)); do
	if failing $n attach rx1 >"$WORLD/said"; then wanted=on,remembered; else wanted=off; fi
	[ "$(is rx1)$(is rx0)" = ${wanted}on,remembered ] ||
		nok "attach, call $n fails" "rx1 $(is rx1), rx0 $(is rx0): $(cat "$WORLD/said")"
	bp detach rx1 >/dev/null 2>&1
done
same "attach: $COUNT calls failed in turn" "$BAD" "$FAILED"
# Nor does a full or broken disk attach what is then forgotten.
chmod 700 "$BPFPOL_STATE_DIR"
mkdir "$BPFPOL_STATE_DIR/interfaces.new"
expect_exit 1 bp attach rx1
same "not remembered, not attached" off "$(is rx1)"
rmdir "$BPFPOL_STATE_DIR/interfaces.new"

# Killed at any call, it leaves nothing attached that a reboot would forget.
mapfile -t POINTS < <(points attach rx1)
check "attach: ${#POINTS[@]} system calls" [ ${#POINTS[@]} -gt 20 ]
bp detach rx1 >/dev/null
BAD=$FAILED
for point in "${POINTS[@]}"; do
	read -r call n <<<"$point"
	kill_at "$call" "$n" attach rx1
	[ "$(is rx1)" != on ] || nok "attach killed at $call $n" "attached, but not remembered"
	bp attach rx1 >/dev/null || nok "attach killed at $call $n" "attach fails"
	bp detach rx1 >/dev/null || nok "attach killed at $call $n" "detach fails"
done
same "attach: killed at ${#POINTS[@]} calls" "$BAD" "$FAILED"

# detach fails somewhere: what it says is what is, and what stays on stays remembered.
bp attach rx1 >/dev/null
COUNT=$(bpf_calls detach rx0 'rx[1]')
BAD=$FAILED
for ((n = 1; n <= COUNT; n++)); do
	bp attach rx0 rx1 >/dev/null || nok "detach, call $n" "attach fails"
	failing $n detach rx0 'rx[1]' >"$WORLD/said"
	code=$?
	for name in rx0 rx1; do
		wanted=on,remembered
		grep -q "^Detached $name\.$" "$WORLD/said" && wanted=off
		[ "$(is $name)" = $wanted ] || nok "detach, call $n fails" \
			"$name is $(is $name): $(cat "$WORLD/said" "$BPFPOL_STATE_DIR/interfaces")"
		[ $code -ne 0 ] || [ $wanted = off ] || nok "detach, call $n fails" "exit 0"
	done
done
same "detach: $COUNT calls failed in turn" "$BAD" "$FAILED"

# When the control word was lost, the old programs come under the new one.
expect_exit 0 bp attach rx0 rx1
for pin in ctl bpfpol_xdp; do
	rm "$BPFPOL_BPFFS/$pin"
	expect_exit 0 bp block udp/2000
	ROOT=$("$BPFTOOL" -j prog show pinned "$BPFPOL_BPFFS/bpfpol_xdp" | jq .id)
	same "without $pin: rx0" "$ROOT" "$(xdp_id rx0)"
	same "without $pin: rx1" "$ROOT" "$(xdp_id rx1)"
	blocked dport=2000
	TX=tx1 RX=rx1 blocked dport=2000
	blocked dport=1434
	expect_exit 0 bp remove udp/2000
	passes dport=2000
	TX=tx1 RX=rx1 passes dport=2000
done

finish
