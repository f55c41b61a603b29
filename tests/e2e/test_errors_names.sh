#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every question for the names of interfaces fails in turn. That is not taken for "there is none": neither are rules
# left out for it, nor is a name refused that is right, and restore asks anew.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/erring.sh
. "$TOP/tests/e2e/erring.sh"

CALLS=flock,ioctl,socket,sendto,recvmsg
ERRORS_ALIKE=0
errors_of() { # one each
	case $1 in
	ioctl) echo ENOMEM ;;
	socket) echo ENFILE ;;
	sendto | recvmsg) echo ENOBUFS ;;
	esac
}
add_pair tx1 rx1 78
cd "$WORLD" || exit 1
echo 198.51.100.1 >list.txt
printf 'block on rx0 udp/3001\nblock on rx0 udp/3003\n' >two
FRAMES=("$(frame dport=3001)" "$(frame dport=3002)" "$(frame dport=3003)" "$(frame src=198.51.100.1)" "$(frame dport=9)")

bp attach rx0 rx1 >/dev/null
bp policy import two --name two >/dev/null
bp block "@$WORLD/list.txt" >/dev/null
bp block on rx0 udp/3001 >/dev/null

# What packets say, and whether the kernel's rules are those of the words.
names() {
	looks
	bp explain udp from 192.0.2.1 to "$RX4" port 3001 on rx0 2>&1 | grep -i differ
}
without() { bp remove on rx0 udp/3002 >/dev/null 2>&1; }
with() { bp block on rx0 udp/3002 >/dev/null 2>&1; }
with_list() { bp block "@$WORLD/list.txt" >/dev/null; }
local_again() { bp policy assign local >/dev/null; }

err_all without names block on rx0 udp/3002
err_all with names remove on rx0 udp/3002
without
err_all with_list names remove "@$WORLD/list.txt"
with_list
err_all local_again names policy assign two
local_again

# A boot.
err_boot names
echo "# figure errors-in-names $RUNS"

# unasked COMMAND...: names of interfaces cannot be asked for.
unasked() {
	run_in rx strace -f -qq -o /dev/null -e trace=ioctl -e inject=ioctl:error=ENOMEM "$BPFPOL" "$@"
}
expect_exit 1 unasked block on rx0 udp/3002
expect_out "bpfpol: cannot ask for the interface 'rx0': Cannot allocate memory"
expect_exit 1 unasked policy check "$WORLD/two"
expect_exit 1 unasked watch on rx0
expect_exit 1 unasked restore
expect_exit 0 bp restore
blocked dport=3001
expect_exit 3 bp block on rx9 udp/3002

# Where the interfaces cannot be listed nobody says that the policy is not in force.
EXPLAIN=(explain udp/3001 from "$TX4" to "$RX4")
ANSWER=$(bp "${EXPLAIN[@]}")
run_in rx strace -f -qq -o "$WORLD/trace" -e trace=recvfrom,recvmsg "$BPFPOL" "${EXPLAIN[@]}" >/dev/null
BEFORE=$FAILED
while read -r call n; do
	OUT=$(fail_at "$call" "$n" ENOMEM "${EXPLAIN[@]}"; code=$?; cat "$WORLD/said"; exit $code)
	code=$?
	[ $code -eq 1 ] || [ "$OUT" = "$ANSWER" ] || nok "explain: $call $n: exit $code" "$OUT"
done < <(awk '{ sub(/\(.*/, "", $2); print $2, ++n[$2] }' "$WORLD/trace")
same "explain: $(wc -l <"$WORLD/trace") questions that fail: the same, or exit 1" "$BEFORE" "$FAILED"

finish
