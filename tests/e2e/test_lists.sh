#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Address lists: from @FILE, long ones, bad ones.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

SMALL=$WORLD/small.txt
cat >"$SMALL" <<END
# two neighbours, a prefix, IPv6
198.51.100.7
198.51.100.8   # and this one

203.0.113.0/24
2001:db8::/32
198.51.100.7
END

expect_exit 0 bp block "@$SMALL"
blocked src=198.51.100.7
blocked src=198.51.100.8
blocked src=203.0.113.255
blocked src=2001:db8:1::1 "dst=$RX6"
passes src=198.51.100.6
passes src=198.51.100.9
passes src=203.0.114.0
passes src=2001:db9::1 "dst=$RX6"
same "one rule" 1 "$(bp status --json | jq '.rules | length')"
same "the copy that boot uses is whole" \
	"198.51.100.7 198.51.100.8 2001:db8::/32 203.0.113.0/24" \
	"$(grep -hv '^#' "$BPFPOL_STATE_DIR"/lists/* | sort | xargs)"
same "its filters share its counters" 4 "$(bp status --json | jq '.rules[0].packets')"
expect_exit 0 bp block udp/53 from "@$SMALL"
expect_exit 0 bp remove "@$SMALL"
passes src=198.51.100.7 dport=54
blocked src=198.51.100.7 dport=53

# What was read is in force, whatever becomes of the file.
rm "$SMALL"
blocked src=198.51.100.8 dport=53
expect_exit 0 bp remove udp/53 from "@$SMALL"
passes src=198.51.100.8 dport=53

# By a relative path, from elsewhere, and when the file is gone.
(cd "$WORLD" && echo 198.51.100.9 >short.txt && bp block @short.txt >/dev/null && rm short.txt)
blocked src=198.51.100.9
expect_exit 3 bp remove @short.txt
same "a relative path" "" "$(cd "$WORLD" && bp remove @short.txt 2>&1 >/dev/null)"
passes src=198.51.100.9

printf '10.9.0.1\n10.9.0.0/33\nfoo\n' >"$WORLD/bad.txt"
BEFORE=$(snapshot)
expect_exit 2 bp block "@$WORLD/bad.txt"
expect_out 'bad.txt:2'
expect_exit 2 bp block "@$WORLD/none.txt"
expect_out 'none.txt'
unchanged "a bad list" "$BEFORE"

# A real one, or one that is made here: the size is what counts.
LONG=$TOP/../shared/data/lists/ipsum-level1.txt
if [ ! -r "$LONG" ]; then
	LONG=$WORLD/long.txt
	awk 'BEGIN { for (i = 0; i < 120430; i++)
		printf "%d.%d.%d.%d\n", 11 + i % 180, i / 180 % 256, i * 7 % 256, i * 13 % 256 }' |
		sort -u >"$LONG"
fi
SIZE=$(grep -v '^#' "$LONG" | sort -u | grep -c .)

# By processor time, as other tests run at the same time.
TIMEFORMAT='%U %S'
{ time expect_exit 0 bp block "@$LONG" >"$WORLD/said"; } 2>"$WORLD/took"
WORK=$(awk 'END { print int(($1 + $2) * 1000) }' "$WORLD/took")
cat "$WORLD/said"
echo "# $SIZE addresses: $WORK ms of work"
check "$SIZE addresses in a second of work" [ "$WORK" -lt 1000 ]

same "and its copy has all of them" "$SIZE" "$(grep -hvc '^#' "$BPFPOL_STATE_DIR"/lists/*)"

# shellcheck disable=SC2317 # called by arrived
flood() {
	run_in tx "$PKT" flood tx0 "$LONG" "$@" "src-mac=$TX_MAC" "dst-mac=$RX_MAC" \
		"src=$TX4" "dst=$RX4" dport=7
}

# arrived COMMAND...: how many frames to port 7 came out while it ran.
arrived() {
	local fd line

	exec {fd}< <(run_in rx "$PKT" sniff rx0)
	read -r -u "$fd" line
	"$@" >"$WORLD/sent"
	grep -c " $RX4 7 " <&"$fd"
	exec {fd}<&-
}

same "none of them arrives" 0 "$(arrived flood)"
same "all were sent" "$SIZE" "$(cat "$WORLD/sent")"
same "each one is counted" "$SIZE" "$(bp status --json | jq '.rules[0].packets')"
GOT=$(arrived flood shift=1)
same "every neighbour arrives" "$(cat "$WORLD/sent")" "$GOT"
same "and none is counted" "$SIZE" "$(bp status --json | jq '.rules[0].packets')"

expect_exit 0 bp remove "@$LONG"
same "all arrive when it is removed" "$SIZE" "$(arrived flood)"

# A disk with no room for the copy.
mkdir "$WORLD/small" || exit 1
mount -t tmpfs -o "size=$(($(du -sk "$BPFPOL_STATE_DIR" | cut -f1) + 256))k,mode=0700" tmpfs "$WORLD/small" || exit 1
cp -a "$BPFPOL_STATE_DIR/." "$WORLD/small/"
BPFPOL_STATE_DIR=$WORLD/small
# in_force: rules, and the files of the store. The spare generation may be spent by a change that is refused.
in_force() {
	bp list --json
	find "$WORLD/small" -type f -exec sha256sum {} + | sort
}
BEFORE=$(in_force)
expect_exit 1 bp block "@$LONG"
expect_out 'cannot write .*/lists/.*No space left on device'
same "a copy that does not fit changes nothing" "$BEFORE" "$(in_force)"
passes "src=$(head -1 "$LONG")" dport=7
umount "$WORLD/small"

finish
