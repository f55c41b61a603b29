#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A journal that could not be begun anew holds nothing that comes after; one that cannot be written has nothing more,
# nor has one that is not what it was.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

echo 198.51.100.1 >"$WORLD/list"
bp block udp/1434 >/dev/null
# What stands in the way of the journal's temporary file, stands in the way of a new journal.
mkdir "$BPFPOL_STATE_DIR/journal.new"
expect_exit 0 bp block "@$WORLD/list"
expect_out 'warning: .*journal'
expect_exit 0 bp block udp/2000
expect_exit 0 bp remove udp/1434
rmdir "$BPFPOL_STATE_DIR/journal.new"
expect_exit 0 bp block udp/2001
BEFORE=$(bp status --json | jq -c '[.rules[] | [.id, .filter]] | sort')
fresh_bpffs
expect_exit 0 bp attach rx0
same "the same rules" "$BEFORE" "$(bp status --json | jq -c '[.rules[] | [.id, .filter]] | sort')"
blocked dport=2000
blocked dport=2001
blocked src=198.51.100.1
passes dport=1434

# One that is still that of the commit before, as whoever died between the two leaves it, is begun anew by the next
# command that looks, and then all is in step.
number() { bp status --json | jq .policy.generation; }
expect_exit 137 run_in rx strace -qq -o /dev/null -P "$BPFPOL_STATE_DIR/journal.new" -e inject=rename:signal=KILL \
	"$BPFPOL" policy assign local
check "it is of the commit before" [ "$(sed -n 's/^journal //p' "$BPFPOL_STATE_DIR/journal")" -lt \
	"$(sed -n 's/^commit //p' "$BPFPOL_STATE_DIR/state")" ]
expect_exit 0 bp list
[[ $OUT != *warning* ]] || nok "nothing to warn of" "$OUT"
BEFORE=$(number)
expect_exit 0 bp list
expect_exit 0 bp restore
same "nothing is loaded anew" "$BEFORE" "$(number)"
check "it is begun anew" grep -qx "journal $(sed -n 's/^commit //p' "$BPFPOL_STATE_DIR/state")" "$BPFPOL_STATE_DIR/journal"
blocked dport=2001

# So is one that is not there, as the policy is the first one; and what comes before the next look goes back all the same.
for look in list true; do
	for end in rollback time; do
		bp policy unassign >/dev/null
		expect_exit 137 run_in rx strace -qq -o /dev/null -P "$BPFPOL_STATE_DIR/journal.new" \
			-e inject=rename:signal=KILL "$BPFPOL" policy assign local
		check "there is none" [ ! -e "$BPFPOL_STATE_DIR/journal" ]
		[ $look = true ] || expect_exit 0 bp $look
		echo 'block udp/2009' >"$BPFPOL_CONF_DIR/policies/other.policy"
		expect_exit 0 bp policy assign other --confirm "$([ $end = time ] && echo 1 || echo 600)"
		if [ $end = rollback ]; then
			expect_exit 0 bp policy rollback
		else
			# shellcheck disable=SC2317 # until_true calls it
			goes_back() { [ "$(verdicts "$(frame dport=2001)" "$(frame dport=2009)")" = bp ]; }
			check "its time is over" until_true goes_back
		fi
		expect_exit 0 bp status
		expect_out "Policy 'local'"
		blocked dport=2001
		passes dport=2009
	done
done

# A journal that is another, of the same size: what would be appended to it would be lost with what is lost already.
REFUSED='/journal is damaged, and has lost changes of single rules that are in force; put it back from a backup, or'
for alter in '1s/[0-9]$/x/' '1y/0123456789/9012345678/' "\$s/udp/tcp/" '2s/ /_/'; do
	bp block udp/2010 --for 1h >/dev/null # by way of the store
	bp block udp/2011 >/dev/null
	bp block udp/2012 >/dev/null
	cp "$BPFPOL_STATE_DIR/journal" "$WORLD/backup"
	sed -i "$alter" "$BPFPOL_STATE_DIR/journal"
	same "$alter: as long as before" "$(stat -c %s "$WORLD/backup")" "$(stat -c %s "$BPFPOL_STATE_DIR/journal")"
	for words in "block udp/2013 --dry-run" "block udp/2013" "remove udp/2011" "block udp/2012 log"; do
		# shellcheck disable=SC2086
		expect_exit 1 bp $words
		expect_out "$REFUSED"
	done
	blocked dport=2012
	passes dport=2013
	cp "$WORLD/backup" "$BPFPOL_STATE_DIR/journal"
	expect_exit 0 bp block udp/2013
	sed -i "$alter" "$BPFPOL_STATE_DIR/journal"
	expect_exit 1 bp restore
	expect_out 'are LOST|may be missing'
	expect_exit 0 bp block udp/2014
	fresh_bpffs
	expect_exit 0 bp attach rx0
	check "$alter: nothing more is lost" [ "$(grep -cE 'LOST|missing' <<<"$OUT")" = 0 ]
	blocked dport=2014
	blocked dport=2001
	for port in 2010 2011 2012 2013 2014; do bp remove "udp/$port" >/dev/null 2>&1; done
done

# A disk that died behind the write: the record can be made neither durable nor be taken back, and that is said.
expect_exit 1 run_in rx strace -qq -o /dev/null -e inject=fdatasync:error=EIO "$BPFPOL" block udp/2002
expect_out '/journal: Input/output error'
passes dport=2002
expect_exit 0 bp list
passes dport=2002
expect_exit 1 run_in rx strace -qq -o /dev/null -e inject=fdatasync:error=EIO -e inject=ftruncate:error=EROFS \
	"$BPFPOL" block udp/2002
expect_out 'nor take back what was written, so that the next command may bring the change all the same: Input/output'
passes dport=2002

finish
