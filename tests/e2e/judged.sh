# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Traffic that is judged by the oracle (tests/oracle/judge.c) as well; sourced after lib.sh. Rules
# stand in a file, one a line, as `block udp/1434`; frames in another, one a line, in hex.

JUDGE=${JUDGE:-$TOP/build/tests/judge}
IDS=()

# put_in_force RULES: these rules and no others, their counters at 0. IDS: their ids, in order.
put_in_force() {
	local id line

	for id in "${IDS[@]}"; do bp remove --id "$id" >/dev/null; done
	IDS=()
	while read -r line; do
		# shellcheck disable=SC2086
		id=$(bp $line 2>&1)
		IDS+=("$(sed -n 's/^Rule \([0-9]*\) added:.*/\1/p' <<<"$id")")
		[ -n "${IDS[-1]}" ] || { nok "$line" "$id"; return 1; }
	done <"$1"
}

# counted: packets and bytes of the rules in force, a line each, in their order.
counted() {
	local status id

	status=$(bp status --json)
	for id in "${IDS[@]}"; do
		jq -r ".rules[] | select(.id == $id) | \"\\(.packets) \\(.bytes)\"" <<<"$status"
	done
}

# judge RULES FRAMES DIRECTION IFACE ADDRESS...: a line per frame, see judge.c; the addresses are
# this host's.
judge() {
	"$JUDGE" eval "$1" "$3" "$4" "${@:5}" <"$2"
}

malformed() {
	bp status --json | jq ".totals.$1.malformed"
}

# expect_as_judged DESC RULES FRAMES DIRECTION IFACE ADDRESS...: what arrives, what each rule
# counts, and how much is malformed, is what the oracle says.
expect_as_judged() {
	local desc=$1 rules=$2 frames=$3 before

	put_in_force "$rules" || return
	judge "$rules" "$frames" "${@:4}" | paste -d' ' - "$frames" >"$WORLD/judged"
	awk '$1 == "p" { print $5 }' "$WORLD/judged" | "$PKT" line - | sort >"$WORLD/want"
	before=$(malformed "$4")
	sniffed - <"$frames" | sort >"$WORLD/got"
	echo "# $desc: $(wc -l <"$frames") frames, $(grep -c ^p "$WORLD/judged") pass"
	check "$desc: what arrives" diff "$WORLD/want" "$WORLD/got"
	same "$desc: packets and bytes" "$(awk -v n="${#IDS[@]}" '
		{
			m = split($3 == "-" ? "" : $3, rules, ",")
			if ($2 != "-") rules[++m] = $2
			for (i = 1; i <= m; i++) {
				packets[rules[i]]++
				bytes[rules[i]] += length($5) / 2
			}
		}
		END { for (i = 1; i <= n; i++) print packets[i] + 0, bytes[i] + 0 }' \
		"$WORLD/judged")" "$(counted)"
	same "$desc: malformed" "$(grep -c ' malformed ' "$WORLD/judged")" \
		$(($(malformed "$4") - before))
}
