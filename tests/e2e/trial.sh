# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What is on trial, with --confirm; sourced after lib.sh.

# clocks FILE SECONDS-LEFT: as if the trial that this file of the store speaks of was another boot's, and
# the calendar's clock said that so much is left.
clocks() {
	python3 - "$BPFPOL_STATE_DIR/$1" "$2" <<'PY'
import re, sys, time, zlib
path, left = sys.argv[1], float(sys.argv[2])
text = open(path).read()
by = int((time.time() + left) * 1e9)
text = re.sub(r"(?m)^confirm (\d+) \d+ \d+ \S+", rf"confirm \1 {by} 1 another-boot", text)
summed = re.search(r"end [0-9a-f]{8}\n\Z", text)
if summed:
    text = text[:summed.start()]
    text += "end %08x\n" % zlib.crc32(text.encode())
open(path, "w").write(text)
PY
}

# broken INJECT COMMAND...: a call fails, or kills.
broken() {
	run_in rx strace -f -qq -o /dev/null -e "inject=$1" "$BPFPOL" "${@:2}"
}

# broken_at FILE INJECT COMMAND...: the same of calls that name this file of the store.
broken_at() {
	run_in rx strace -f -qq -o /dev/null -P "$BPFPOL_STATE_DIR/$1" -e "inject=$2" \
		"$BPFPOL" "${@:3}"
}

# refused_on_trial WORDS...: these commands and those that are refused in any trial of 600 s.
refused_on_trial() {
	local words before

	before=$(snapshot)
	for words in "$@" "block udp/7" "permit udp/7" "count udp/7" "remove udp/1434" "policy create b" \
		"policy unassign" "detach rx0" "off --confirm 9"; do
		# shellcheck disable=SC2086
		expect_exit 5 bp $words --dry-run
		# shellcheck disable=SC2086
		expect_exit 5 bp $words
		expect_out "(policy confirm.*policy rollback|bpfpol on.*policy confirm).*in (59[0-9]|600) s"
	done
	expect_exit 0 bp policy confirm --dry-run
	expect_exit 0 bp policy rollback --dry-run
	unchanged "what is refused, and a dry run" "$before"
}

# waiters: the processes of this world that wait for the end of a trial.
waiters() {
	local pid

	for pid in $(pgrep -f -- 'policy rollback --due'); do
		tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep -qx "BPFPOL_STATE_DIR=$BPFPOL_STATE_DIR" &&
			echo "$pid"
	done 2>/dev/null
}

none_waits() {
	[ -z "$(waiters)" ]
}

waits() {
	[ -n "$(waiters)" ]
}

# waits_for_time: somebody does, and for nothing else any more, such as the lock, which it may ask for first.
waits_for_time() {
	local pid

	for pid in $(waiters); do
		grep -qs '^it_value: ([1-9]' "/proc/$pid/fdinfo/"* && return
	done
	return 1
}

kill_waiters() {
	local pid

	until_true waits
	for pid in $(waiters); do kill -9 "$pid"; done
	until_true none_waits
}
