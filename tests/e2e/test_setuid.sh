#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A copy of the program that gives an ordinary user root's rights does nothing.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

unset LD_PRELOAD # it is not looked for in a program that gives rights
COPY=$WORLD/copy/bpfpol
mkdir "$WORLD/copy"
USER_IS=(setpriv --reuid 65534 --regid 65534 --clear-groups)

# refused WHAT: the user's call of the copy.
refused() {
	for words in "block udp/53" off on status "policy list" help --version; do
		# shellcheck disable=SC2086
		expect_exit 4 run_in rx "${USER_IS[@]}" "$COPY" $words
		expect_out 'chmod ug-s .*sudo'
	done
	unchanged "$1" "$BEFORE"
}

expect_exit 0 bp block udp/1434
blocked dport=1434
cp "$BPFPOL" "$COPY"
if findmnt -nT "$COPY" -o OPTIONS | grep -q nosuid; then
	skip "a setuid copy" "the file system of $WORLD is mounted with nosuid"
	finish
fi
BEFORE=$(snapshot)

chmod 4755 "$COPY"
refused "a setuid copy"
# Its owner gains nothing by it.
expect_exit 0 run_in rx "$COPY" status
chmod 2755 "$COPY"
refused "a setgid copy"
chmod 755 "$COPY"
if command -v setcap >/dev/null && setcap cap_net_admin,cap_bpf,cap_dac_override+ep "$COPY"; then
	refused "a copy with capabilities"
	expect_exit 0 run_in rx "$COPY" status
	setcap -r "$COPY"
else
	skip "a copy with capabilities" "there is no setcap"
fi
# Without either it is a program like others.
expect_exit 0 run_in rx "${USER_IS[@]}" "$COPY" --version
expect_exit 4 run_in rx "${USER_IS[@]}" "$COPY" off
expect_out sudo

finish
