#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Attached, and no rule was ever put in force: all passes, and all of it counts as what it is, as the
# oracle says with no rule. So it is until the first rules are in force, and where those go back.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/judged.sh
. "$(dirname "$0")/judged.sh"

# Nobody says anything of his own, so that totals are what the test has sent.
run_in tx sysctl -qw net.ipv6.conf.tx0.disable_ipv6=1
run_in rx sysctl -qw net.ipv6.conf.rx0.disable_ipv6=1

# some_of WORDS...: frames that are read whole, and of every kind that is not.
some_of() {
	local hex words nine=() i

	for ((i = 0; i < 9; i++)); do nine+=(ext=60); done
	for words in dport=1433 "frag=1480 len=64" "proto=17 len=2" "proto=6 len=12" \
		"proto=17 len=2 frag=0+" "proto=tcp frag=8 len=16" \
		"vlan=1 vlan=2 vlan=3 vlan=4 vlan=5" "len=100 cut=90"; do
		# shellcheck disable=SC2086
		frame "$@" $words
	done
	if [[ $* = *::* ]]; then
		frame "$@" proto=58 len=2
		frame "$@" "${nine[@]}"
	else
		frame "$@" proto=1 len=2
		hex=$(frame "$@")
		echo "${hex:0:28}44${hex:30}" # a header of 16 bytes
	fi
}

{ some_of && some_of "${V6[@]}"; } >"$WORLD/in"
{ some_of "${BACK[@]}" && some_of "${BACK[@]}" "${BACK6[@]}"; } >"$WORLD/out"
: >"$WORLD/none"
mapfile -t IN <"$WORLD/in"
mapfile -t OUTGOING <"$WORLD/out"

# totals in|out: passed, blocked, malformed.
totals() {
	bp status --json | jq -r ".totals.$1 | \"\\(.passed) \\(.blocked) \\(.malformed)\""
}

# counts DESC DIRECTION FRAMES HOW...: what the frames, and the mark behind them, add to the totals.
counts() {
	local passed blocked malformed want frames bad i

	read -r passed blocked malformed < <(totals "$2")
	frames=$(wc -l <"$3")
	bad=$(judge "$WORLD/none" "$3" "$2" rx0 "$RX4" "$RX6" | grep -c malformed)
	want="$((passed + frames + 1)) $blocked $((malformed + bad))"
	"${@:4}"
	for ((i = 0; i < 20; i++)); do [ "$(totals "$2")" != "$want" ] || break; done
	same "$1: $frames frames, $bad malformed" "$want" "$(totals "$2")"
}

# both DESC: in and out.
both() {
	counts "$1, in" in "$WORLD/in" run_in tx "$PKT" send tx0 "${IN[@]}"
	counts "$1, out" out "$WORLD/out" run_in rx "$PKT" send rx0 "${OUTGOING[@]}"
}

# in_force: numbers of the generations that are pinned.
in_force() {
	find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*' -printf '%f\n' | sed 's/gen-//' | sort | tr '\n' ' '
}

for mode in native generic tc; do
	expect_exit 0 bp attach rx0 --mode $mode
	both "$mode, without rules"
	[ $mode = tc ] || expect_exit 0 bp detach rx0
done
expect_json "nearly all of it was malformed, and there is no policy" '.policy == null
	and ([.totals[] | .malformed > 40 and .blocked == 0] | all)' bp status --json
expect_exit 0 bp off
expect_exit 0 bp on
both "off and on again"


# Without Ethernet header, where another kind of hook comes to what is there.
grep -E '^.{24}(0800|86dd)' "$WORLD/out" >"$WORLD/out3"
mapfile -t OUTGOING3 < <(cut -c 29- "$WORLD/out3")
expect_exit 0 run_in rx "$PKT" link-type l3 512
run_in rx sysctl -qw net.ipv6.conf.l3.disable_ipv6=1
run_in rx ip link set l3 up
expect_exit 0 bp attach l3
counts "without Ethernet header" out "$WORLD/out3" run_in rx "$PKT" send l3 "${OUTGOING3[@]}"
expect_exit 0 bp detach l3

same "that of no rules, once" "0 " "$(in_force)"

# A boot with nothing but an interface to remember.
expect_exit 0 bp detach rx0
expect_exit 0 bp attach rx0
fresh_bpffs
expect_exit 0 bp restore
both "after a boot"

# Root programs of another version, in whose place new ones come.
other_abi
expect_exit 0 bp attach rx0
both "after an upgrade"

# The first rules of all go back to where none are. They are for others, and decide nothing here.
expect_exit 0 bp block udp/1434 from 203.0.113.9 --confirm 60
same "on trial, beside it" "0 1 " "$(in_force)"
both "the first rules on trial"
expect_exit 0 bp policy rollback
both "the first rules have gone back"
expect_exit 0 bp block udp/1434 from 203.0.113.9
same "rules are in force" "1 " "$(in_force)"
both "with rules"
expect_exit 0 bp unblock udp/1434 from 203.0.113.9
both "the last rule is gone"
expect_exit 0 bp policy unassign
both "no policy is assigned"

finish
