#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `restore`, as at boot: all is in force again, from disk alone; what is damaged or missing costs no
# more than itself, and is said.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$WORLD" || exit 1
POLICIES=$BPFPOL_CONF_DIR/policies
STATE=$BPFPOL_STATE_DIR

# reboot: what it leaves of us.
rules() {
	bp list --json | jq -c '[.rules[] | [.id, .action, .filter, .name]] | sort'
}

expect_exit 0 bp restore
expect_out 'No policy is assigned'
same "and nothing is attached" 0 "$(run_in rx ip -o link show rx0 | grep -c xdp)"

add_pair tx1 rx1 78
printf '198.51.100.1\n198.51.100.2\n' >list.txt
bp policy create web >/dev/null
bp policy assign web >/dev/null
bp attach rx1 >/dev/null
bp block udp/1434 name "Slammer" >/dev/null
bp block @list.txt >/dev/null
bp block tcp/22 for 1h >/dev/null
bp block tcp/25 >/dev/null
bp remove tcp/25 >/dev/null
BEFORE=$(rules)
reboot
passes dport=1434
expect_exit 0 bp restore --dry-run
expect_out 'Would filter on rx0'
passes dport=1434
FILES=$(find "$STATE" "$BPFPOL_CONF_DIR" -type f -exec sha256sum {} + | sort)
expect_exit 0 bp restore
expect_out "^Policy 'web' is in force: 3 rules"
expect_out '^rx0: native XDP'
expect_out '^rx1: native XDP'
same "no more to say" 0 "$(grep -c warning <<<"$OUT")"
same "it wrote nothing" "$FILES" \
	"$(find "$STATE" "$BPFPOL_CONF_DIR" -type f -exec sha256sum {} + | sort)"
same "rules, ids, labels" "$BEFORE" "$(rules)"
blocked dport=1434
blocked src=198.51.100.2
blocked proto=tcp dport=22
passes proto=tcp dport=25
GENERATION=$(bp status --json | jq .policy.generation)
expect_exit 0 bp restore
same "once more changes nothing" "$GENERATION" "$(bp status --json | jq .policy.generation)"
expect_exit 0 bp block udp/9
blocked dport=9
expect_exit 0 bp remove udp/9

# Rules of interfaces that are not there: each is named once.
printf 'block on late%d udp/9\n' 0 1 0 1 >"$POLICIES/late.policy"
printf 'block on rx0 udp/9\n' >>"$POLICIES/late.policy"
for words in "policy assign late" restore; do
	[ "$words" != restore ] || reboot
	# shellcheck disable=SC2086
	OUT=$(bp $words 2>&1)
	same "$words names them" "late0 late1" \
		"$(sed -n "s/.*warning: .*there is no interface '\(late.\)' now$/\1/p" <<<"$OUT" | xargs)"
done
expect_exit 0 bp policy assign web
expect_exit 0 bp policy delete late

# The first one after a rule of its own was added; and in JSON.
reboot
expect_json "in JSON" '.policy == "web" and .rules == 3 and .interfaces == ["rx0", "rx1"]
	and .missing == [] and .failed == [] and (.off | not) and (.salvaged | not)' bp restore --json
expect_exit 2 bp restore now

# An interface that is not there yet is filtered by the second pass.
reboot
run_in rx ip link del rx1
expect_exit 0 bp restore
expect_out '^rx1 is not there'
blocked dport=1434
add_pair tx1 rx1 78
expect_exit 0 bp restore
expect_out '^rx1: native XDP'
same "rx1" 1 "$(run_in rx ip -o link show rx1 | grep -c xdp)"
# One that cannot be attached does not keep the others open.
reboot
run_in rx ip link set rx1 down
run_in rx ip link del rx1
run_in rx ip link add rx1 type bridge
bp detach rx1 >/dev/null 2>&1
printf 'rx0 auto\nrx1 native\n' >"$STATE/interfaces" # as an older version wrote it
expect_exit 1 bp restore
expect_out 'warning: rx1 is NOT filtered'
blocked dport=1434
printf 'rx0 auto\n' >"$STATE/interfaces"
run_in rx ip link del rx1

# Pins of a program with another ABI: all is built anew, and the programs that hang obey it.
expect_exit 0 bp restore
check "another ABI" other_abi
rm -rf "$BPFPOL_RUN_DIR"
expect_exit 0 bp restore
expect_out "^Policy 'web' is in force"
blocked dport=1434
blocked src=198.51.100.2
same "the ids too" "$BEFORE" "$(rules)"

# Off stays off.
expect_exit 0 bp off
reboot
expect_exit 0 bp restore
expect_out '^Filtering is off'
passes dport=1434
same "nothing is loaded for it" 0 "$(run_in rx ip -o link show rx0 | grep -c xdp)"
expect_exit 0 bp on
blocked dport=1434

# The policy's file makes no difference; that it differs is said.
cp "$POLICIES/web.policy" good
echo 'block udp/77' >>"$POLICIES/web.policy"
reboot
expect_exit 0 bp restore
expect_out "file differs from them: 'bpfpol policy diff web --in-force' shows it"
passes dport=77
blocked dport=1434
echo 'blub' >"$POLICIES/web.policy"
reboot
expect_exit 0 bp restore
expect_out "file cannot be used as it is now: $POLICIES/web.policy:1: "
blocked dport=1434
rm "$POLICIES/web.policy"
reboot
expect_exit 0 bp restore
expect_out "file cannot be used as it is now: there is no policy 'web'"
blocked dport=1434
cp good "$POLICIES/web.policy"
# A list that is gone: boot uses the copy.
mv list.txt gone.txt
reboot
expect_exit 0 bp restore
expect_out 'cannot be used as it is now: .*list.txt'
blocked src=198.51.100.2

# A copy that is gone, too: the rest is in force. With the list back, all of it.
cp -a "$STATE" saved
rm "$STATE"/lists/*
reboot
expect_exit 1 bp restore
expect_out 'warning: its rule is LEFT OUT'
blocked dport=1434
passes src=198.51.100.2
expect_exit 0 bp list
rm -rf "$STATE"
cp -a saved "$STATE"
rm "$STATE"/lists/*
mv gone.txt list.txt
reboot
expect_exit 1 bp restore
blocked src=198.51.100.2
blocked dport=1434
rm -rf "$STATE"
cp -a saved "$STATE"

# A damaged state: back to what was before the last change.
reboot
expect_exit 0 bp restore
expect_exit 0 bp block from 203.0.113.0/24
expect_exit 0 bp policy import --shipped slammer
expect_exit 0 bp policy assign slammer
passes src=203.0.113.9
IDS=$(bp policy show slammer --json | jq '[.rules[].id] | max')
cp -a "$STATE" saved2
for damage in "truncate -s 20" "sed -i s/assigned/Assigned/" "sed -i s/state.1/state.9/" rm; do
	rm -rf "$STATE"
	cp -a saved2 "$STATE"
	reboot
	$damage "$STATE/state"
	expect_exit 1 bp status
	expect_out 'bpfpol restore'
	# A boot at which the kernel does not take the programs leaves the store as it is.
	BEFORE=$(cd "$STATE" && find . -name 'state*' -printf '%p %s\n' | sort)
	expect_exit 1 run_in rx strace -f -qq -o /dev/null -e inject=bpf:error=ENOMEM:when=8+ "$BPFPOL" restore
	same "$damage: restore fails" "$BEFORE" "$(cd "$STATE" && find . -name 'state*' -printf '%p %s\n' | sort)"
	expect_exit 1 bp block udp/7
	expect_out 'bpfpol restore'
	expect_exit 1 bp restore
	expect_out 'warning: going back to the rules before the last change'
	expect_out "Policy 'web' is in force"
	same "$damage: its copies of lists are there" "" "$(grep -E "copy of|LEFT OUT" <<<"$OUT")"
	blocked src=198.51.100.2
	blocked src=203.0.113.9
	blocked dport=1434
	[ "$damage" = rm ] || check "$damage: the damaged one is kept" [ -e "$STATE/state.damaged" ]
	expect_exit 0 bp restore
	expect_exit 0 bp block udp/7
	check "$damage: no id is given twice" \
		[ "$(bp list --json | jq '[.rules[].id] | max')" -gt "$IDS" ]
	blocked dport=7
	reboot
	expect_exit 0 bp restore
	blocked dport=7
	blocked src=203.0.113.9
done
rm -rf "$STATE"
cp -a saved2 "$STATE"

# One that cannot be read, which may be over the next time, is not damaged: nothing takes its place. Nor does
# a restore take anything out of force that is what it says.
# shellcheck disable=SC2317 # called by its name
bad() {
	run_in rx strace -qq -o /dev/null -P "$STATE/$1" -e inject=read:error=EIO "$BPFPOL" "${@:2}"
}
unchanged() {
	same "$1: the store is as it was" "$2" "$(cd "$STATE" && sha256sum state journal previous.* && ls)"
	same "$1: by the rules before, then by its own" "bp b" "$SEEN $(bp status >/dev/null && verdicts "$(frame dport=7)")"
}
bp policy create other >/dev/null
bp policy assign other >/dev/null
bp block udp/7 >/dev/null
BEFORE=$(cd "$STATE" && sha256sum state journal previous.* && ls)
expect_exit 1 bad state restore
expect_out 'cannot read .*/state: .*move it away'
blocked dport=7
reboot
expect_exit 1 bad state restore
expect_out 'warning: going back to the rules before the last change: cannot read .*/state'
SEEN=$(verdicts "$(frame dport=1434)" "$(frame dport=7)")
expect_exit 1 bad state block udp/8
unchanged state "$BEFORE"
expect_exit 0 bp restore
rm -rf "$STATE"
cp -a saved2 "$STATE"

# The same while filtering is off, which `restore` does not end: it mends the store, or `on` could not
# read it. A dry run touches nothing.
expect_exit 0 bp off
truncate -s 20 "$STATE/state"
expect_exit 1 bp on
expect_out 'bpfpol restore'
BEFORE=$(find "$STATE" -printf '%P %s %T@\n' | sort)
bp restore --dry-run >/dev/null 2>&1
same "off and damaged: a dry run" "$BEFORE" "$(find "$STATE" -printf '%P %s %T@\n' | sort)"
expect_exit 1 bp restore
expect_out 'warning: going back to the rules before the last change'
expect_out 'off, and stays so'
passes dport=1434
expect_exit 0 bp on
blocked dport=1434
blocked src=203.0.113.9
truncate -s 20 "$STATE/state"
BEFORE=$(find "$STATE" -printf '%P %s %T@\n' | sort)
expect_exit 1 bp restore --dry-run
same "damaged: a dry run" "$BEFORE" "$(find "$STATE" -printf '%P %s %T@\n' | sort)"
expect_exit 1 bp restore
blocked dport=1434
rm -rf "$STATE"
cp -a saved2 "$STATE"

# A journal that is damaged in its midst.
reboot
expect_exit 0 bp restore
for port in 3000 3001 3002; do bp block udp/$port >/dev/null; done
sed -i 's/port 3001/port 3009/' "$STATE/journal"
reboot
expect_exit 1 bp restore
expect_out 'journal is damaged at byte [0-9]+'
blocked dport=3000
passes dport=3001
passes dport=3009
expect_exit 0 bp restore
same "said once" 0 "$(grep -c damaged <<<"$OUT")"

# The end of one that is no record: of a change that was not done, or damage; nobody knows.
bp block udp/3004 >/dev/null
for bytes in 7 "$(tail -n 1 "$STATE/journal" | wc -c)"; do
	truncate -s "-$bytes" "$STATE/journal"
	[ "$bytes" = 7 ] || truncate -s "+$bytes" "$STATE/journal"
	reboot
	expect_exit 0 bp restore
	expect_out "may be missing; see to it again: $STATE/journal ends with [0-9]+ bytes that are no record"
	passes dport=3004
	blocked dport=3000
	expect_exit 0 bp restore
	same "said once" 0 "$(grep -c record <<<"$OUT")"
	LAST=$(bp list --json | jq '[.rules[].id] | max')
	expect_json "its id is not given again" ".rules | map(.id) | max > $((LAST + 1))" \
		eval 'bp block udp/3004 >/dev/null; bp list --json'
done
bp remove udp/3004 >/dev/null

# One that lost its head, or all of it.
bp block udp/3003 >/dev/null
cp -a "$STATE" saved3
for damage in "truncate -s 0" "sed -i 1s/journal/jpurnal/" rm; do
	rm -rf "$STATE"
	cp -a saved3 "$STATE"
	reboot
	$damage "$STATE/journal"
	expect_exit 1 bp restore
	expect_out "warning: changes of single rules are LOST; see to them again: $STATE/journal is"
	passes dport=3003
	blocked dport=3000
	expect_exit 0 bp restore
	same "$damage: said once" 0 "$(grep -c LOST <<<"$OUT")"
done
rm -rf "$STATE"
cp -a saved3 "$STATE"

# One that is no file, or cannot be read: the policy that was assigned is in force without it, and it is kept.
bp policy create other >/dev/null
expect_exit 0 bp policy assign other
expect_exit 0 bp block udp/3005
expect_exit 0 bp block udp/3006
rm -rf saved3
cp -a "$STATE" saved3
for how in directory pipe; do
	rm -rf "$STATE"
	cp -a saved3 "$STATE"
	reboot
	rm "$STATE/journal"
	[ "$how" != directory ] || mkdir "$STATE/journal"
	[ "$how" != pipe ] || mkfifo "$STATE/journal"
	expect_exit 1 bp restore --dry-run
	same "$how: a dry run moves nothing" 0 "$(find "$STATE" -name journal.damaged | wc -l)"
	expect_exit 1 bp restore
	expect_out 'LOST, or stand in journal.damaged: .*/journal'
	expect_out "^Policy 'other' is in force"
	same "$how: it is kept" 1 "$(find "$STATE" -name journal.damaged | wc -l)"
	same "$how: and state is none that is damaged" 0 "$(find "$STATE" -name state.damaged | wc -l)"
	expect_exit 0 bp list
	expect_exit 0 bp block udp/3007
	blocked dport=3007
	expect_exit 0 bp restore
done
rm -rf "$STATE"
cp -a saved3 "$STATE"
reboot
expect_exit 1 bad journal restore
expect_out "not in force until it can be read: cannot read .*/journal"
expect_out "^Policy 'other' is in force"
passes dport=3005
same "bad sector: it is where it was" "$(sha256sum <saved3/journal)" "$(sha256sum <"$STATE/journal")"
bp status >/dev/null
blocked dport=3005
rm -rf "$STATE" saved3
cp -a saved2 "$STATE"
reboot
expect_exit 0 bp restore
bp policy assign web >/dev/null
bp block udp/3000 >/dev/null

# A full disk at boot: filtered all the same.
bp off >/dev/null
mkdir small
mount -t tmpfs -o size=128k,mode=0700 tmpfs small || exit 1
cp -a "$STATE/." small
export BPFPOL_STATE_DIR=$WORLD/small
bp on >/dev/null
bp block udp/4000 >/dev/null
cat /dev/zero >small/filler 2>/dev/null
reboot
expect_exit 0 bp restore
blocked dport=4000
blocked dport=3000
sed -i '$d' small/journal 2>/dev/null
printf 'torn' >>small/journal
umount small
export BPFPOL_STATE_DIR=$STATE

# Where no bpffs is mounted, one is.
bp off >/dev/null
rm "$STATE/off"
umount "$WORLD/bpf"
export BPFPOL_BPFFS=$WORLD/own/pins
expect_exit 0 bp restore
same "a bpffs" bpf_fs "$(stat -f -c %T "$BPFPOL_BPFFS")"
blocked dport=3000

# The list of interfaces. Whatever has become of it, its copy counts, and takes its place.
reboot_own() {
	find "$BPFPOL_BPFFS" -type f -delete
	umount "$BPFPOL_BPFFS"
}
# put_back: the list is as it was.
put_back() {
	rm -rf "$STATE"/interfaces*
	cp -a interfaces* "$STATE/"
}
add_pair tx1 rx1 78
expect_exit 0 bp attach rx1
cp -a "$STATE"/interfaces* .
# shellcheck disable=SC2317 # called by their names
{
	lost() { rm "$1"; }
	empty() { : >"$1"; }
	cut() { truncate -s -5 "$1"; }
	directory() { rm "$1" && mkdir -p "$1/x"; }
	bad_sector() { WRAP=(strace -qq -o /dev/null -P "$1" -e inject=read:error=EIO); }
	unopened() { WRAP=(strace -qq -o /dev/null -P "$1" -e inject=openat:error=EACCES); }
}
for how in lost cut directory bad_sector unopened; do
	WRAP=()
	$how "$STATE/interfaces"
	expect_exit 1 run_in rx "${WRAP[@]}" "$BPFPOL" interfaces
	expect_out '^  rx1 .*xdp'
	expect_out "^bpfpol: .*$STATE/interfaces.* 'bpfpol restore' writes it anew"
	reboot_own
	expect_exit 1 run_in rx "${WRAP[@]}" "$BPFPOL" restore
	blocked dport=3000
	[ ${#WRAP[@]} -gt 0 ] || expect_exit 0 bp restore
	same "$how: all are remembered" "rx0 auto rx1 auto" "$(remembered)"
	expect_json "$how: and filtered" \
		'[.interfaces[] | select(.ingress != "none") | .name] == ["rx0", "rx1"]' bp interfaces --json
	put_back
done
# Without it the rest counts: nothing is filtered without a word.
for how in lost empty directory; do
	$how "$STATE/interfaces"
	$how "$STATE/interfaces.copy"
	reboot_own
	code=1
	[ $how != lost ] || code=0
	expect_exit $code bp restore
	expect_out 'warning: nothing is filtered: no interface is remembered'
	[ $how = lost ] || expect_json "$how: said" '.store_error | contains("bpfpol attach IFACE")' \
		eval 'bp interfaces --json 2>/dev/null'
	[ $how != directory ] || expect_exit 1 bp attach rx0
	put_back
	expect_exit 0 bp restore
done
# Nor is one line of it that is damaged among good ones, with or without the checksum of it all.
for damage in 's/^rx1 auto/rx1 aut0/' '/^rx1/d' '/^bpfpol/d; /^end/d; s/^rx1 auto/rx1auto/'; do
	reboot_own
	rm "$STATE/interfaces.copy" # as an older version left it
	sed -i "$damage" "$STATE/interfaces"
	expect_exit 1 bp restore
	expect_out 'warning: .*/interfaces is damaged.* interfaces may be forgotten'
	blocked dport=3000
	expect_exit 0 bp attach rx1
	expect_exit 0 bp restore
	same "$damage: nothing to warn of" 0 "$(grep -c forgotten <<<"$OUT")"
	same "$damage: and both are remembered" "rx0 auto rx1 auto" "$(remembered)"
done

finish
