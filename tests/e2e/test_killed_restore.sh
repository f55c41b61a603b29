#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 at every system call of `restore` at boot: the next one puts everything in force, and the
# store is as it was.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"

cd "$WORLD" || exit 1
echo 198.51.100.1 >list.txt
bp block udp/1434 >/dev/null
bp block @list.txt >/dev/null
bp block udp/2000 >/dev/null
FRAMES=("$(frame dport=1434)" "$(frame src=198.51.100.1)" "$(frame dport=2000)" "$(frame dport=9)")

# reboot: what it leaves of us.
files() {
	find "$BPFPOL_STATE_DIR" "$BPFPOL_CONF_DIR" -type f -exec sha256sum {} + | sort
}

after_kill() {
	local was now

	was=$(verdicts "${FRAMES[@]}")
	bp restore >out 2>&1 || nok "killed at $1 $2: the next one" "$(cat out)"
	now=$(verdicts "${FRAMES[@]}")
	if [[ ! $was =~ ^(bbbp|pppp)$ || $now != bbbp ]]; then
		nok "killed at $1 $2" "packets: $was; after the next one: $now"
	fi
	[ "$FILES" = "$(files)" ] || nok "killed at $1 $2: the store" "$(diff <(echo "$FILES") <(files))"
}

FILES=$(files)
kill_each reboot after_kill restore
same "every kill leaves all or nothing" 0 "$FAILED"
same "one generation is pinned" 1 "$(find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*' | wc -l)"

finish
