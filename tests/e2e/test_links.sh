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

# calls COMMAND...: its calls of bpf(2), and its questions to rtnetlink, as CALL N.
calls() {
	run_in rx strace -f -qq -o "$WORLD/trace" -e trace=bpf,sendto "$BPFPOL" "$@" >/dev/null 2>&1
	awk '{ sub(/^[0-9]+ +/, ""); sub(/\(.*/, "") } /^(bpf|sendto)$/ { print $0, ++n[$0] }' \
		"$WORLD/trace"
}

# failing CALL N COMMAND...: with the Nth of them failing for want of memory.
failing() {
	local call=$1 n=$2

	shift 2
	run_in rx strace -f -qq -o /dev/null -e "trace=$call" \
		-e "inject=$call:error=ENOMEM:when=$n" "$BPFPOL" "$@" 2>&1
}

# on_tc IFACE INDEX: our program for what leaves is on it.
on_tc() {
	if [ "$TC" = tcx ]; then
		[ -e "$BPFPOL_BPFFS/links/tc-out-$2" ]
	else
		run_in rx tc filter show dev "$1" egress | grep -q bpfpol_tc_out
	fi
}

# rest IFACE INDEX: what is not filtered, and yet something is left of us.
rest() {
	compgen -G "$BPFPOL_BPFFS/links/*-$2" >/dev/null ||
		compgen -G "$BPFPOL_BPFFS/links/*-$2-*" >/dev/null ||
		run_in rx tc qdisc show dev "$1" | grep -q clsact
}

# is IFACE: whether it is filtered (both ways, or only in or out), and whether it is remembered.
is() {
	local word=off index

	index=$(run_in rx ip -o link show "$1" | cut -d: -f1)
	[ -n "$(xdp_id "$1")" ] && word=in
	if on_tc "$1" "$index"; then
		[ $word = in ] && word=on || word=out
	fi
	[ $word = off ] && rest "$1" "$index" && word="off, but a rest is left"
	grep -q "^$1 " "$BPFPOL_STATE_DIR/interfaces" 2>/dev/null && word+=,remembered
	echo "$word"
}

# Reading changes nothing, also when it fails.
expect_exit 0 bp attach rx0
expect_exit 0 bp block udp/1434
for words in interfaces status list; do
	mapfile -t POINTS < <(calls $words)
	PINS=$(find "$BPFPOL_BPFFS" | sort)
	check "$words: ${#POINTS[@]} calls" [ ${#POINTS[@]} -gt 4 ]
	BAD=$FAILED
	for point in "${POINTS[@]}"; do
		read -r call n <<<"$point"
		failing "$call" "$n" $words >"$WORLD/said" && [ $words = interfaces ] &&
			! grep -q "rx0.*xdp-native *$TC" "$WORLD/said" &&
			nok "$words, $point fails" "$(cat "$WORLD/said")"
		[ "$PINS" = "$(find "$BPFPOL_BPFFS" | sort)" ] ||
			nok "$words, $point fails" "$(diff <(echo "$PINS") <(find "$BPFPOL_BPFFS" | sort))"
	done
	same "$words: each of them failed, and nothing was taken away" "$BAD" "$FAILED"
done
blocked dport=1434
# The pin of an interface that is gone stays until something is attached.
expect_exit 0 bp attach rx1
INDEX=$(run_in rx ip -o link show rx1 | cut -d: -f1)
pins_of_it() {
	find "$BPFPOL_BPFFS/links" -name "*-$INDEX" -o -name "*-$INDEX-*" | wc -l
}
same "rx1 is pinned, both ways" 2 "$(pins_of_it)"
run_in rx ip link del rx1
expect_exit 0 bp interfaces
same "reading sweeps nothing" 2 "$(pins_of_it)"
add_pair tx1 rx1 78
expect_exit 0 bp attach rx1
same "attaching does" 0 "$(pins_of_it)"
same "the new rx1" on,remembered "$(is rx1)"
expect_exit 0 bp detach rx1
same "detached" off "$(is rx1)"

# attach fails somewhere: attached and remembered, or neither.
mapfile -t POINTS < <(calls attach rx1)
bp detach rx1 >/dev/null
BAD=$FAILED
for point in "${POINTS[@]}"; do
	read -r call n <<<"$point"
	if failing "$call" "$n" attach rx1 >"$WORLD/said"; then wanted=on,remembered; else wanted=off; fi
	[ "$(is rx1)$(is rx0)" = ${wanted}on,remembered ] ||
		nok "attach, $point fails" "rx1 $(is rx1), rx0 $(is rx0): $(cat "$WORLD/said")"
	bp detach rx1 >/dev/null 2>&1
done
same "attach: ${#POINTS[@]} calls failed in turn" "$BAD" "$FAILED"
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
	[ "$(is rx1)" = on,remembered ] || nok "attach killed at $call $n" "then rx1 is $(is rx1)"
	bp detach rx1 >/dev/null || nok "attach killed at $call $n" "detach fails"
	[ "$(is rx1)" = off ] || nok "attach killed at $call $n" "at last rx1 is $(is rx1)"
done
same "attach: killed at ${#POINTS[@]} calls" "$BAD" "$FAILED"

# Killed while it takes away: what it was to be comes with the next command.
BAD=$FAILED
for words in "detach rx1" off; do
	bp attach rx1 >/dev/null
	# shellcheck disable=SC2086
	mapfile -t POINTS < <(points $words)
	check "$words: ${#POINTS[@]} system calls" [ ${#POINTS[@]} -gt 5 ]
	bp on >/dev/null
	for point in "${POINTS[@]}"; do
		read -r call n <<<"$point"
		bp attach rx0 rx1 >/dev/null || nok "before $words: $point" "attach fails"
		# shellcheck disable=SC2086
		kill_at "$call" "$n" $words
		bp status >/dev/null || nok "$words killed at $point" "status fails"
		bp off >/dev/null || nok "$words killed at $point" "off fails"
		[[ $(is rx0)$(is rx1) =~ ^off,rememberedoff(,remembered)?$ ]] ||
			nok "$words killed at $point, then off" "rx0 $(is rx0), rx1 $(is rx1)"
		bp on >/dev/null || nok "$words killed at $point" "on fails"
		bp attach rx1 >/dev/null || nok "$words killed at $point" "attach fails"
		[ "$(is rx1)" = on,remembered ] || nok "$words killed at $point" "then rx1 is $(is rx1)"
		bp detach rx1 >/dev/null || nok "$words killed at $point" "detach fails"
		[ "$(is rx1)" = off ] || nok "$words killed at $point" "at last rx1 is $(is rx1)"
	done
done
same "detach and off: killed at each call" "$BAD" "$FAILED"

# detach fails somewhere: what it says is what is, and what stays on stays remembered.
bp attach rx1 >/dev/null
mapfile -t POINTS < <(calls detach rx0 'rx[1]')
BAD=$FAILED
for point in "${POINTS[@]}"; do
	read -r call n <<<"$point"
	bp attach rx0 rx1 >/dev/null || nok "detach, $point" "attach fails"
	failing "$call" "$n" detach rx0 'rx[1]' >"$WORLD/said"
	code=$?
	for name in rx0 rx1; do
		wanted=on,remembered
		grep -q "^Detached $name\.$" "$WORLD/said" && wanted=off
		# What is not filtered any more may leave an empty qdisc, for the next command.
		[[ $(is $name) =~ ^$wanted(, but a rest is left)?$ ]] || nok "detach, $point fails" \
			"$name is $(is $name): $(cat "$WORLD/said" "$BPFPOL_STATE_DIR/interfaces")"
		[ $code -ne 0 ] || [ $wanted = off ] || nok "detach, $point fails" "exit 0"
	done
done
same "detach: ${#POINTS[@]} calls failed in turn" "$BAD" "$FAILED"
expect_exit 0 bp attach rx0 rx1
expect_exit 0 bp detach rx0 rx1
same "at last nothing is left" offoff "$(is rx0)$(is rx1)"

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

# Another name that the kernel knows an interface by is none to us, in rules as little as to attach.
run_in rx ip link property add dev rx0 altname other0
expect_exit 3 bp attach other0
expect_exit 3 bp block on other0 udp/6
expect_out "no interface 'other0'"

# As many of them as one has room for: what is said of it is longer than what is usually said of all.
for ((i = 0; i < 450; i++)); do printf 'link property add dev rx1 altname %03d%0100d\n' "$i" 0; done >"$WORLD/names"
run_in rx ip -batch "$WORLD/names"
expect_exit 0 bp interfaces
expect_out rx1
expect_exit 0 bp block on rx1 udp/6

finish
