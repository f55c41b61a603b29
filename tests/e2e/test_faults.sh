#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A command that fails, for whatever reason, changes nothing: not the rules in force, not those
# on disk, and the next command does not bring back what was refused.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

PROBES=("$(frame src=198.51.100.7)" "$(frame src=100.0.0.7)" "$(frame dport=1434)"
	"$(frame dport=2000)")

# What is listed, but for the counters.
listed() {
	bp list --json | jq -c '.rules[] | del(.packets, .bytes)'
}

# as_before DESC: also after the next rebuild, and after a reboot.
as_before() {
	same "$1: packets" "$BEFORE" "$(verdicts "${PROBES[@]}")"
	same "$1: rules" "$RULES" "$(listed)"
	bp block udp/9 from "@$WORLD/one" >/dev/null 2>&1 || nok "$1: the next change" "fails"
	bp remove udp/9 from "@$WORLD/one" >/dev/null 2>&1
	same "$1: packets, next change" "$BEFORE" "$(verdicts "${PROBES[@]}")"
	same "$1: rules, next change" "$RULES" "$(listed)"
	fresh_bpffs
	bp attach rx0 >/dev/null || nok "$1: reboot" "attach fails"
	same "$1: packets, rebooted" "$BEFORE" "$(verdicts "${PROBES[@]}")"
}

# begin: each part has a world of its own, so that one failure does not hide another.
begin() {
	fresh_bpffs
	rm -rf "$BPFPOL_STATE_DIR" "$BPFPOL_CONF_DIR"
	echo 198.51.100.7 >"$WORLD/list"
	bp block udp/1434 >/dev/null
	bp block "@$WORLD/list" >/dev/null
	bp block gre from "@$WORLD/lengths" >/dev/null
	bp block "tcp/$MANY" from 100.0.0.7 >/dev/null
	echo 192.0.2.1 >"$WORLD/growing"
	bp block "tcp/$MORE" from "@$WORLD/growing" >/dev/null
	BEFORE=$(verdicts "${PROBES[@]}")
	RULES=$(listed)
	same "$1: before" bpbp "$BEFORE"
}

echo 192.0.2.1 >"$WORLD/one"
for len in {1..32}; do echo "100.0.0.0/$len"; done >"$WORLD/lengths"

# 1000 ranges of ports, and 100 others: together more than can stand under one key.
MANY=$(seq 1 1000 | sed 's/.*/&0-&3/' | paste -sd,)
MORE=$(seq 1 100 | sed 's/.*/&5-&7/' | paste -sd,)

begin "a list"
# The file of a rule has grown beyond what fits.
cp "$WORLD/lengths" "$WORLD/growing"
echo 100.0.0.7 >>"$WORLD/growing"
expect_exit 1 bp block "tcp/$MORE" from "@$WORLD/growing"
expect_out 'port ranges'
as_before "a list that does not fit any more"
expect_exit 1 bp block "tcp/$MORE" from "@$WORLD/growing" --dry-run
expect_exit 1 bp block "tcp/$MORE" from 100.0.0.7 --dry-run

begin "no directory"
# The directory of the policies cannot be written to.
touch "$WORLD/no-directory"
if OUT=$(BPFPOL_CONF_DIR=$WORLD/no-directory/etc bp block esp from "@$WORLD/one" 2>&1); then
	ok "a policy file that cannot be written is no failure"
	bp remove esp from "@$WORLD/one" >/dev/null
else
	as_before "a policy file that cannot be written"
fi

begin "a full disk"
bp off >/dev/null
mkdir "$WORLD/small"
mount -t tmpfs -o size=128k,mode=0700 tmpfs "$WORLD/small" || exit 1
cp -a "$BPFPOL_STATE_DIR/." "$WORLD/small"
export BPFPOL_STATE_DIR=$WORLD/small
bp on >/dev/null
cat /dev/zero >"$WORLD/small/filler" 2>/dev/null
for words in "block udp/2000 name $(printf 'x%.0s' {1..5000})" "block esp from @$WORLD/lengths" \
	"remove @$WORLD/list" "block udp/2000 from @$WORLD/one"; do
	# shellcheck disable=SC2086
	expect_exit 1 bp $words
	expect_out "cannot write $WORLD/small/.*: No space left.*; free some space in $WORLD/small.* and try again; nothing is changed$"
	same "full disk: packets" "$BEFORE" "$(verdicts "${PROBES[@]}")"
	same "full disk: rules" "$RULES" "$(listed)"
done
# With a spare it is given back; without one what was loaded anew is taken away again.
rm -rf "$BPFPOL_BPFFS/spare"
expect_exit 1 bp block udp/2000 from "@$WORLD/one"
same "full disk: no generation is left that does not judge" 1 "$(find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*' | wc -l)"
rm "$WORLD/small/filler"
as_before "a full disk"

umount "$WORLD/small"
export BPFPOL_STATE_DIR=$WORLD/lib

# Somebody removed a pin: the next command has to do with it.
for pin in ctl xdp_generations totals; do
	begin "without $pin"
	rm "$BPFPOL_BPFFS/$pin"
	expect_exit 0 bp block udp/2000
	same "without $pin: in force" bpbb "$(verdicts "${PROBES[@]}")"
	bp remove udp/2000 >/dev/null
	same "without $pin: and no longer" bpbp "$(verdicts "${PROBES[@]}")"
done

# Pins that stand in each other's place: all are ours, but what is read from one is as long as another.
exchange() {
	mv "$BPFPOL_BPFFS/$1" "$BPFPOL_BPFFS/between"
	mv "$BPFPOL_BPFFS/$2" "$BPFPOL_BPFFS/$1"
	mv "$BPFPOL_BPFFS/between" "$BPFPOL_BPFFS/$2"
}

begin "pins in each other's place"
bp policy assign local >/dev/null # with what the rules before have counted
GEN=$(cd "$BPFPOL_BPFFS" && echo gen-*)
for pair in "totals scratch" "totals xdp_generations" "xdp_generations scratch" "ctl totals" "ctl $GEN/tables" \
	"totals $GEN/base" "$GEN/base $GEN/tables" "$GEN/base scratch" "$GEN/gates $GEN/base" \
	"bpfpol_xdp bpfpol_generic" "bpfpol_tc_in bpfpol_tc_out" "bpfpol_l3_out bpfpol_tc_out"; do
	read -r one other <<<"$pair"
	exchange "$one" "$other"
	for words in list status metrics restore "attach rx0"; do
		# shellcheck disable=SC2086
		expect_exit 1 bp $words
		expect_out 'is another (map|program) than its name says'
	done
	same "$pair: packets" bpbp "$(verdicts "${PROBES[@]}")"
	expect_exit 0 bp off
	same "$pair: off" pppp "$(verdicts "${PROBES[@]}")"
	exchange "$one" "$other"
	expect_exit 0 bp on
	expect_exit 0 bp list
	same "$pair: on" bpbp "$(verdicts "${PROBES[@]}")"
done
# Or what is wrong goes, and is made anew.
exchange totals "$GEN/base"
rm "$BPFPOL_BPFFS/totals" "$BPFPOL_BPFFS/$GEN/base"
expect_exit 0 bp restore
same "made anew" bpbp "$(verdicts "${PROBES[@]}")"
expect_exit 0 bp list
# What is no pin at all.
for name in bpfpol_generic totals links/tc-out-1000; do
	case $name in links/*) WHAT=;; *) WHAT=$(mktemp -u -p "$BPFPOL_BPFFS" aside-XXXX); mv "$BPFPOL_BPFFS/$name" "$WHAT" ;; esac
	mkdir "$BPFPOL_BPFFS/$name"
	expect_exit 1 bp status
	expect_out "$name is no pin.*remove it"
	expect_exit 1 bp restore
	same "$name: packets" bpbp "$(verdicts "${PROBES[@]}")"
	rmdir "$BPFPOL_BPFFS/$name"
	[ -z "$WHAT" ] || rm "$WHAT"
	expect_exit 0 bp restore
	same "$name: made anew" bpbp "$(verdicts "${PROBES[@]}")"
done
# A pin of another kind: a map in a program's place, or a link's.
LINK=$(cd "$BPFPOL_BPFFS" && echo links/xdp-*)
for pair in "scratch bpfpol_tc_in" "bpfpol_xdp totals" "totals $LINK" "bpfpol_xdp $LINK" "$LINK bpfpol_xdp"; do
	read -r one other <<<"$pair"
	mv "$BPFPOL_BPFFS/$other" "$BPFPOL_BPFFS/aside"
	ln "$BPFPOL_BPFFS/$one" "$BPFPOL_BPFFS/$other"
	for words in status "attach rx0" restore; do
		# shellcheck disable=SC2086
		expect_exit 1 bp $words
		expect_out "$other is a (map|program|link), and is to be a (map|program|link); move it back, or remove it"
	done
	same "$other: packets" bpbp "$(verdicts "${PROBES[@]}")"
	expect_exit 0 bp off
	same "$other: off" pppp "$(verdicts "${PROBES[@]}")"
	rm "$BPFPOL_BPFFS/$other" "$BPFPOL_BPFFS/aside"
	expect_exit 0 bp on
	same "$other: made anew" bpbp "$(verdicts "${PROBES[@]}")"
	expect_exit 0 bp list
done

finish
