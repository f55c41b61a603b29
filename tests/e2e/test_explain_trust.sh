#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Why one may believe `explain`: where the kernel's maps do not say what the rules say, or the
# program in force is another, it says so; and it holds while rules change and end under it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

WORM=(udp/1434 from 198.51.100.1 to "$RX4")
# generation: the directory of the one in force.
generation() {
	find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*'
}

# made_anew: a list has the whole generation built again.
# shellcheck disable=SC2317 # expect_exit calls it
made_anew() {
	local list

	list=$(mktemp "$WORLD/listXXXXXX")
	echo 192.0.2.1 >"$list"
	bp block "@$list"
}

expect_exit 0 bp attach rx0
expect_exit 0 bp block udp/1434
expect_exit 0 bp permit tcp/80
expect_json "as it should be" '.verdict == "block"' bp explain --json "${WORM[@]}"

# --- an element goes that the rules ask for

GEN=$(generation)
KEYS=$("$BPFTOOL" -j map dump pinned "$GEN/elems4" | jq -r '.[]
	| select(.formatted.value | (.e // .).rule == 1) | .key | join(" ")')
check "the worm's rule is in the maps" test -n "$KEYS"
ZEROS=$(printf '0 %.0s' {1..64})
while read -r key; do
	# shellcheck disable=SC2086
	check "and goes out of them" "$BPFTOOL" map update pinned "$GEN/elems4" key $key value $ZEROS
done <<<"$KEYS"
expect_exit 1 bp explain "${WORM[@]}"
expect_out '^bpfpol: internal error: '
expect_out 'kernel: pass, rule 0.*twin: block, rule 1'
expect_out 'frame of 42 bytes, in native XDP, local end me: [0-9a-f]{84}$'
expect_json "what it does not concern" '.verdict == "pass" and .rule.id == 2' \
	bp explain --json tcp/80 from 198.51.100.1 to "$RX4"
if ldconfig -p | grep -qE 'libpcap\.so\.(0\.8|1)'; then
	"$PKT" pcap micro 1 "$(frame dport=9)" "$(frame dport=1434)" >"$WORLD/worm.pcap"
	expect_exit 1 bp explain --pcap "$WORLD/worm.pcap" --write-blocked "$WORLD/blocked.pcap"
	expect_out 'internal error'
	check "nothing is written then" test ! -e "$WORLD/blocked.pcap"
else
	skip "a capture then" "there is no libpcap"
fi

# --- the program in force is another build's

expect_exit 0 made_anew
expect_json "made anew" '.verdict == "block"' bp explain --json "${WORM[@]}"
GEN=$(generation)
mv "$GEN/classify_tc_out" "$GEN/classify_xdp" # which is another one, too
expect_exit 1 bp explain "${WORM[@]}"
expect_out "^bpfpol: the classifier in force is another version's"
expect_json "of other hooks it can be asked" '.verdict == "pass"' \
	bp explain --json udp/1434 from "$RX4" to "$TX4" out
expect_exit 0 made_anew
expect_json "made anew again" '.verdict == "block"' bp explain --json "${WORM[@]}"

# --- a rule ends: the kernel's clock tells when, and the words never contradict it

expect_exit 0 bp block udp/1600 --for 2s
ANSWERS=
for ((i = 0; i < 600; i++)); do
	VERDICT=$(bp explain --json udp/1600 from 198.51.100.1 to "$RX4" 2>&1 | jq -r .verdict 2>&1)
	ANSWERS+="$VERDICT "
	[ "$VERDICT" = block ] || break
done
same "blocked until it ends, then passed" "block pass" \
	"$(tr ' ' '\n' <<<"$ANSWERS" | grep . | uniq | xargs)"

# --- rules change while a capture is read, which holds no lock

ldconfig -p | grep -qE 'libpcap\.so\.(0\.8|1)' || finish

mkfifo "$WORLD/fifo"
"$PKT" pcap micro 1 "$(frame dport=1434)" "$(frame dport=1500)" "$(frame proto=tcp dport=80)" \
	>"$WORLD/three.pcap"

# shellcheck disable=SC2317 # until_true calls it
has_begun() {
	local fd

	while read -r fd; do
		[[ $(readlink "${fd%/fd/*}/exe") = */bpfpol ]] && return
	done < <(find /proc/[0-9]*/fd -lname "$WORLD/fifo" 2>/dev/null)
	return 1
}

# meanwhile COMMAND...: runs it when explain has read the rules, and gives what explain says then.
meanwhile() {
	local out pid

	bp explain --json --pcap "$WORLD/fifo" >"$WORLD/said" 2>&1 &
	pid=$!
	exec {out}<>"$WORLD/fifo"
	until_true has_begun || echo "explain does not begin"
	"$@" >/dev/null 2>&1 || echo "$* failed"
	cat "$WORLD/three.pcap" >&"$out"
	exec {out}>&-
	wait "$pid" || echo "explain: exit $?"
	cat "$WORLD/said"
}

changed() {
	expect_json "$1" "$2 and (.notes | any(test(\"rules were changed\"))) and .totals.packets == 3" \
		echo "$(meanwhile "${@:3}")"
}

expect_json "nothing happens meanwhile" '.checked == 3 and .totals.blocked == 1
	and (.notes | any(test("changed")) | not)' echo "$(meanwhile true)"
changed "a rule comes" '.totals.blocked == 2
	and (.rows | any(.rule == null and .verdict == "block"))' bp block udp/1500
changed "it goes again" '.totals.blocked == 1' bp remove udp/1500
changed "all is made anew" '.totals.blocked == 1' made_anew

finish
