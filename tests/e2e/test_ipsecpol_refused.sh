#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is refused, by a real shell and with real rights: rows 29, 39 to 42, 46 and 48.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# By links, too.
mkdir "$WORLD/bin"
for name in ipsecpol ipseccmd; do
	ln -s "$BPFPOL" "$WORLD/bin/$name"
	expect_exit 0 run_in rx "$WORLD/bin/$name" '-?'
	expect_out 'Usage: bpfpol ipsecpol'
	expect_exit 2 run_in rx "$WORLD/bin/$name" -f '*0=:1434:UDP' -n BLOCK
done
expect_exit 2 bp ipsecpol
expect_out 'say what to do'
expect_exit 0 bp ipsecpol '/?'
expect_exit 0 bp ipsecpol --help
expect_exit 0 bp help ipsecpol

BEFORE=$(snapshot)
# Row 29: the misprint gets the right form shown.
expect_exit 2 bp ipsecpol -w REG -p P -f '*0=:1434:UDP' -n BLOCK -x
expect_out '0=\*:1434:UDP'

# A port without a protocol, blanks, this computer at both ends.
expect_exit 2 bp ipsecpol -w REG -p P -f '*=0:1434' -n BLOCK -x
expect_out '\*=0:1434:TCP.*\*=0:1434:UDP'
expect_exit 2 bp ipsecpol -w REG -p P -f '* = 0:1434:UDP' -n BLOCK -x
expect_out "write .\*=0:1434:UDP"
expect_exit 2 bp ipsecpol -w REG -p P -f '0=0:1434:UDP' -n BLOCK -x
expect_exit 2 bp ipsecpol -w REG -p P -f '*=0:1434:UDP' -x
expect_out 'BLOCK or -n PASS'

# Row 41: a real shell replaces what is not quoted by the names of files.
mkdir "$WORLD/here"
touch "$WORLD/here/P" "$WORLD/here/notes"
# shellcheck disable=SC2016
expect_exit 2 bash -c 'cd "$1" && shift && "$@" -f [*=0:1434:UDP]' - "$WORLD/here" "$BPFPOL" ipsecpol
expect_out "'P' is a file here"
expect_out "'\[\*=0:1434:UDP\]'"
# shellcheck disable=SC2016
expect_exit 2 bash -c 'cd "$1" && shift && "$@" -n BLOCK -f * = 0:1434:UDP' - "$WORLD/here" \
	"$BPFPOL" ipsecpol
expect_out "is a file here"
# Also where the name is a SPEC by itself, and would block less than was asked for.
mkdir "$WORLD/spec"
touch "$WORLD/spec/192.0.2.1=0:1434:UDP"
# shellcheck disable=SC2016
expect_exit 2 bash -c 'cd "$1" && shift && "$@" -w REG -p P -n BLOCK -x -f *=0:1434:UDP' - \
	"$WORLD/spec" "$BPFPOL" ipsecpol
expect_out "'192.0.2.1=0:1434:UDP' is a file here"

# Dynamic rules are the agent's; without it they are refused, and the stored form is shown as it can
# be typed.
expect_exit 1 bp ipsecpol -f '[*=0:1434:UDP]'
expect_out 'agent'
expect_out "bpfpol ipsecpol -w REG -p local -f '\[\*=0:1434:UDP\]' -x"
SHOWN=$(sed -n 's/^  bpfpol \(ipsecpol .*\)/\1/p' <<<"$OUT")
passes dport=1434
expect_exit 1 bp ipsecpol -u
expect_out 'agent'

# Negotiated security, each by its name.
for flag in -t -a -1s -1k -1p -1f -1e -soft -T -SOFT; do
	expect_exit 2 bp ipsecpol -w REG -p P -f '*=0:80:TCP' -n BLOCK "$flag" x
	expect_out "$(tr '[:upper:]' '[:lower:]' <<<"bpfpol: $flag,")"
done
for word in 'ESP[3DES,SHA]' 'AH[MD5]' INPASS; do
	expect_exit 2 bp ipsecpol -w REG -p P -f '*=0:80:TCP' -n "$word" -x
done
expect_exit 2 bp ipsecpol '\\server' -f '*=0:80:TCP' -n BLOCK
expect_out 'ssh'
unchanged "all that" "$BEFORE"

# Row 46: it takes rights.
expect_exit 4 run_in rx setpriv --reuid=65534 --clear-groups "$BPFPOL" ipsecpol -w REG -p P \
	-f '*=0:1434:UDP' -n BLOCK -x
expect_out 'needs root'
unchanged "an ordinary user" "$BEFORE"

# What was shown can be typed.
expect_exit 0 bash -c "nsenter --net=/run/netns/$(netns rx) $BPFPOL $SHOWN"
blocked dport=1434

finish
