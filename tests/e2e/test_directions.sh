#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Rules that this version understands but cannot enforce: refused, and nothing has changed. When
# it enforces them, this is the one place that says otherwise.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

bp block udp/1434 >/dev/null
BEFORE=$(snapshot)
for words in "out udp/53" "inout tcp/445" "from me to any port 53" "out"; do
	# shellcheck disable=SC2086
	expect_exit 1 bp block $words
	expect_out '^bpfpol: '
	expect_out 'out'
	# shellcheck disable=SC2086
	expect_exit 1 bp permit $words --dry-run
	# shellcheck disable=SC2086
	expect_exit 1 bp count $words
done
unchanged "a rule that cannot be enforced" "$BEFORE"
blocked dport=1434
passes dport=53
# In bad rules the fault comes first.
expect_exit 2 bp block out udp/70000

finish
