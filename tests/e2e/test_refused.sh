#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Bad input: the exit code, the place, the cure, and nothing has changed.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# Commands of one line: exit code, what it says, the words.
TABLE="
2|70000|block udp/70000
2|tpc|block tpc/80
2|33|block 10.0.0.0/33
2|255.0.255.0|block 10.0.0.1/255.0.255.0
2|90-80|block tcp/90-80
2|256|block 10.0.0.256
2|129|block ::/129
2|none.txt|block @none.txt
2|me|block from me to any in
2|type|block tcp type 8
2|port|block icmp to any port 8
2|what to block|block
2|bolck|bolck udp/1434
2|--frobnicate|block --frobnicate udp/1434
2|log|block log
2|ip|block ip
2|for|block udp/53 for
2|5x|block udp/53 for 5x
3|nosuch0|block on nosuch0 udp/53
3|udp|remove udp/53
3|99|remove --id 99
2|zero|remove --id zero
2|--id is given twice|remove --id 1 --id 2
2|--for is given twice|block udp/53 --for 2h --for=3h
2|the rule has a time of its own|block udp/53 for 2h --for 3h
"

# refused STAGE: none of them changes anything.
refused() {
	local code says words before

	before=$(snapshot)
	while IFS='|' read -r code says words; do
		[ -n "$words" ] || continue
		# shellcheck disable=SC2086
		expect_exit "$code" bp $words
		expect_out "^bpfpol: "
		expect_out "$says"
	done <<<"$TABLE"
	unchanged "$1: bad input" "$before"
}

refused "on a new host"
check "on a new host: nothing is stored" [ -z "$(find "$BPFPOL_STATE_DIR" -name '*.policy' 2>/dev/null)" ]
bp block udp/1434 >/dev/null
refused "with a rule"
blocked dport=1434
passes dport=53

# The caret stands under the offence.
OUT=$(bp block udp/70000 2>&1)
expect_out '^ *\^+$'
same "the caret" "70000" "$(awk '/^ *\^+$/ { at = index($0, "^"); n = gsub(/\^/, "")
	print substr(line, at, n) } { line = $0 }' <<<"$OUT")"

OUT=$(bp remove udp/54 2>&1)
expect_out '^ *\^\^\^\^\^\^$'

# Errors go to stderr, and nothing of them to stdout.
same "stdout stays empty" "" "$(bp block udp/70000 2>/dev/null)"

# Without root.
PLAIN=$WORLD/bpfpol
install -m 755 "$BPFPOL" "$PLAIN"
# shellcheck disable=SC2317 # called by expect_exit
nobody() {
	run_in rx setpriv --reuid=65534 --regid=65534 --clear-groups "$PLAIN" "$@"
}
BEFORE=$(snapshot)
for words in "block udp/53" "permit udp/53" "remove udp/1434" "attach rx0" "detach rx0" "off" "on"; do
	# shellcheck disable=SC2086
	expect_exit 4 nobody $words
	expect_out '^bpfpol: '
	expect_out 'root|sudo'
done
unchanged "no root" "$BEFORE"
same "the pins are not for everyone" "drwx------" "$(stat -c %A "$BPFPOL_BPFFS")"
expect_exit 0 nobody help

finish
