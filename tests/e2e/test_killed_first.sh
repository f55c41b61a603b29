#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 at every system call of the very first `block`, which attaches and makes all there is:
# packets are judged by no rule or by this one, and the next command finishes the work.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"

FRAMES=("$(frame dport=2000)" "$(frame "${V6[@]}" dport=2000)" "$(frame dport=2001)")

# A host that has never seen us: no pins (and so no programs), no files.
forget_all() {
	fresh_bpffs
	rm -rf "$BPFPOL_STATE_DIR" "$BPFPOL_CONF_DIR" "$BPFPOL_RUN_DIR"
}

after_kill() {
	local was said wrong

	was=$(verdicts "${FRAMES[@]}")
	said=$(bp status --json | jq '.rules | length')
	wrong=$(
		case $was/$said/$(verdicts "${FRAMES[@]}") in
		ppp/0/ppp | bbp/1/bbp | ppp/1/bbp) ;;
		*) echo "packets: $was, rules: $said" && exit ;;
		esac
		bp block udp/2000 >/dev/null || echo "the next block fails"
		[ "$(verdicts "${FRAMES[@]}")" = bbp ] || echo "the next block does not block"
		kept=$(remembered)
		[ "$kept" = "rx0 auto" ] || echo "remembered: $kept"
		[ "$(find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*' | wc -l)" = 1 ] || echo "old pins stay"
	)
	[ -z "$wrong" ] || nok "killed at $1 $2" "$wrong"
}

kill_each forget_all after_kill block udp/2000
same "every kill leaves nothing or the rule" 0 "$FAILED"

finish
