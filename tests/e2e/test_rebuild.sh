#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A new generation under traffic: no packet slips through, none is counted twice or not at all,
# and no counter is ever seen to fall.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

LIST=$WORLD/sources.txt OTHER=$WORLD/other.txt
awk 'BEGIN { for (i = 0; i < 60000; i++) printf "11.%d.%d.7\n", i / 256, i % 256 }' >"$LIST"
for i in {1..50}; do echo "198.51.100.$i"; done >"$OTHER"
SIZE=$(wc -l <"$LIST")

bp block udp/1434 >/dev/null
bp count from 11.0.0.0/8 >/dev/null

# The flood runs until ten generations have come and gone.
exec {SNIFF}< <(run_in rx "$PKT" sniff rx0)
read -r -u "$SNIFF" READY
same "sniff" ready "$READY"
(
	until [ -e "$WORLD/enough" ]; do
		run_in tx "$PKT" flood tx0 "$LIST" "src-mac=$TX_MAC" "dst-mac=$RX_MAC" "dst=$RX4" \
			dport=1434
	done
) >"$WORLD/sent" &
FLOOD=$!
FALLS=0 BEFORE=0 WRONG=0
for ((i = 0; i < 10; i++)); do
	for words in "block @$OTHER" "remove @$OTHER"; do
		# shellcheck disable=SC2086
		bp $words >/dev/null || WRONG=$((WRONG + 1))
		NOW=$(counter packets "in udp to port 1434")
		[ "$NOW" -ge "$BEFORE" ] || FALLS=$((FALLS + 1))
		BEFORE=$NOW
	done
done
touch "$WORLD/enough"
wait "$FLOOD"
SENT=$(awk '{ n += $1 } END { print n }' "$WORLD/sent")
echo "# $SENT packets of $SIZE sources during 20 rebuilds"
same "every command succeeds" 0 "$WRONG"
same "no counter falls" 0 "$FALLS"
check "there was traffic" [ "$SENT" -ge "$SIZE" ]
same "each packet is counted once" "$SENT" "$(counter packets "in udp to port 1434")"
same "by the count rule as well" "$SENT" "$(counter packets "in from 11.0.0.0/8")"
same "and in the totals" "$SENT" "$(bp status --json | jq '.totals.in.blocked')"
same "none slipped through" 0 "$(grep -c " $RX4 1434 " <&"$SNIFF")"
exec {SNIFF}<&-
check "20 generations" [ "$(bp status --json | jq '.policy.generation')" -ge 20 ]
same "one is left" 1 "$(find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*' | wc -l)"

finish
