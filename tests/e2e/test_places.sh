#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is wrong with a word of the command line is shown below it; nothing of that changes anything.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$WORLD" || exit 1
mkdir place
echo 'no capture' >trace.pcap
expect_exit 0 bp attach rx0
expect_exit 0 bp block udp/1434
expect_exit 0 bp policy create web
expect_exit 0 bp policy create other
echo 'include "web"' >>"$BPFPOL_CONF_DIR/policies/other.policy"

# underlined: what the carets of the last output stand below.
underlined() {
	local line carets

	{ read -r; IFS= read -r line; IFS= read -r carets; } <<<"$OUT"
	[[ $carets == *^* ]] || return
	carets=${carets%%^*}
	line=${line:${#carets}}
	carets=${OUT##*$'\n'}
	carets=${carets##* }
	echo "${line:0:${#carets}}"
}

BEFORE=$(snapshot)
while IFS='|' read -r code word words; do
	eval "set -- $words"
	expect_exit "$code" bp "$@" </dev/null
	same "shown at: $word" "$word" "$(underlined)"
done <<'END'
3|nosuch|policy show nosuch
3|nosuch|policy export nosuch
3|nosuch|policy export nosuch --json
3|nosuch|policy assign nosuch
3|nosuch|policy delete nosuch
3|nosuch|policy diff web nosuch
3|nosuch|policy import --shipped nosuch
3|nosuch|block udp/2 --policy nosuch
3|nosuch|remove udp/2 --policy nosuch
3|nosuch|explain --policy nosuch udp/53 from 192.0.2.1 to 192.0.2.2
5|web|policy create web --description x
5|web|policy delete web
2|''|policy create ''
2|''|policy create new --description ''
2|place|policy check place
2|place|policy import place
2|gone.policy|policy import gone.policy
2|-|policy import -
2|@gone.txt|block @gone.txt
2|@gone.txt|permit tcp/22 from @gone.txt
2|@place|block udp to @place
2|dns:nowhere.invalid|block dns:nowhere.invalid
2|''|block ''
2|''|block udp/2 name ''
2|''|block udp/2 --rule ''
2|''|block udp/2 --for ''
2|''|block udp/2 --confirm ''
2|''|remove --id ''
3|9|remove --id 9
3|udp/2|remove udp/2
3|9|watch --id 9
2|--json|watch --json --pcap blocked.pcap
2|--json|agent --json
2|lo|attach lo
3|nosuch0|attach rx0 nosuch0
3|''|attach ''
3|nosuch0|block on nosuch0 udp/2
2|gone.pcap|explain --pcap gone.pcap
2|place|explain --pcap place
2|trace.pcap|explain --pcap trace.pcap
2|''|''
END
unchanged "all of that" "$BEFORE"

finish
