#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `policy assign`, with one system call after the other refused: it fails and the old policy is in
# force, or it succeeds and the new one is; and no counter loses anything.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"
# shellcheck source=tests/e2e/two.sh
. "$(dirname "$0")/two.sh"

assign() {
	bp policy assign "$1" >/dev/null || nok "assign $1" "fails"
}

bp attach rx0 >/dev/null
assign b
assign a
mapfile -t POINTS < <(points policy assign b)
FAILS=0 WORKS=0
for point in "${POINTS[@]}"; do
	read -r call n <<<"$point"
	case $call in bpf | rename | mmap | membarrier) ;; *) continue ;; esac
	assign b
	assign a
	if run_in rx strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:error=ENOMEM:when=$n" \
		"$BPFPOL" policy assign b >"$WORLD/said" 2>&1; then
		WORKS=$((WORKS + 1)) EXPECTED=b
	else
		FAILS=$((FAILS + 1)) EXPECTED=a
	fi
	judged $EXPECTED || nok "$call $n refused" "$OUT"$'\n'"$(cat "$WORLD/said")"
	judged $EXPECTED || nok "$call $n refused, after status" "$OUT"
done
same "every refusal leaves one or the other" 0 "$FAILED"
check "$FAILS of them refuse it, $WORKS do not" [ $FAILS -gt 20 -a $WORKS -gt 2 ]

# A directory that cannot be read is not an empty one: with no pins seen, no hook would be filtered.
for words in "assign b" "rollback"; do
	# shellcheck disable=SC2086
	LISTINGS=$(run_in rx strace -f -qq -e trace=getdents64 "$BPFPOL" policy $words 2>&1 | grep -c getdents64)
	check "$words reads $LISTINGS times" [ "$LISTINGS" -gt 0 ]
	for ((n = 1; n <= LISTINGS; n++)); do
		assign b
		assign a
		EXPECTED=a
		# shellcheck disable=SC2086
		run_in rx strace -f -qq -o /dev/null -e trace=getdents64 \
			-e "inject=getdents64:error=EIO:when=$n" "$BPFPOL" policy $words \
			>"$WORLD/said" 2>&1 && EXPECTED=b
		is $EXPECTED "$words: listing $n refused"
	done
done

finish
