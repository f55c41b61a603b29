#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Bad input for the store: names of every kind, directories that are not ours, a full disk. Each is
# refused with its place and the cure, and changes nothing.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$WORLD" || exit 1
POLICIES=$BPFPOL_CONF_DIR/policies
bp block udp/1434 >/dev/null
printf 'block udp/5\nblock udp/55\n' >good.policy
BEFORE=$(snapshot)

LONG=$(printf 'n%.0s' {1..255})
JUST=$(printf 'n%.0s' {1..200})
NL=$'a\nb' TAB=$'a\tb' LATIN=$'b\xfcro' ESC=$'a\e[31m'
for name in ../x a/b /etc/passwd "$LONG" "${JUST}n" 'a"b' "a'b" "a\`b" 'a\b' "$NL" "$TAB" "$LATIN" \
	"$ESC" .hidden . .. " x" "x " "" web.policy; do
	for words in "policy create" "policy show" "policy export" "policy assign" "policy delete" \
		"policy import good.policy --name" "block udp/7 --policy" "remove udp/7 --policy"; do
		# shellcheck disable=SC2086
		OUT=$(bp $words "$name" 2>&1)
		got=$?
		[[ $got = 2 && $OUT = *"a policy's name"* ]] ||
			nok "$words with a bad name" "exit $got for $(printf %q "$name"): $OUT"
		case $OUT in *$'\e'*) nok "$words: the terminal is safe" "$(printf %q "$OUT")" ;; esac
	done
	printf 'include "%s"\n' "$name" >inc.policy
	OUT=$(bp policy check inc.policy 2>&1) && nok "include of a bad name" "$name: $OUT"
done
rm inc.policy
same "bad names are refused, with the reason" 0 "$FAILED"
unchanged "a bad name" "$BEFORE"
expect_exit 2 bp policy create -- -x
expect_exit 2 bp policy create

# Names that are good, though they look odd.
# shellcheck disable=SC2016 # nothing is to be expanded
for name in "Block UDP 1434 Filter" $'B\xc3\xbcro \xe2\x82\xac' "$JUST" 'a$b' 'a*b' '%s%n' 'state' \
	'x.new' '~' '#1' 'local.'; do
	OUT=$(bp policy create "$name" --description "a 'b' \"c\" \\ #" 2>&1) ||
		nok "create" "$(printf %q "$name"): $OUT"
	OUT=$(bp block --policy "$name" udp/7 2>&1) || nok "block" "$(printf %q "$name"): $OUT"
	OUT=$(bp policy assign "$name" 2>&1) || nok "assign" "$(printf %q "$name"): $OUT"
	same "in force: $name" "$name" "$(bp status --json | jq -r .policy.name)"
	bp policy export "$name" >out || nok "export" "$name"
	OUT=$(bp policy check out 2>&1) || nok "check" "$OUT"
	bp policy assign local >/dev/null
	OUT=$(bp policy delete "$name" 2>&1) || nok "delete" "$(printf %q "$name"): $OUT"
done
same "good names work" 0 "$FAILED"
blocked dport=1434
passes dport=7

# A description that is none.
for text in "" "$NL" "$LATIN"; do
	expect_exit 2 bp policy create x --description "$text"
done

# A pipe that nobody writes to keeps no command waiting; one that is named as input is read.
mkfifo pipe "$POLICIES/pipe.policy"
printf 'include "pipe"\n' >inc.policy
for words in "block @pipe" "policy check inc.policy" "policy show pipe" "policy assign pipe"; do
	# shellcheck disable=SC2086
	expect_exit 2 run_in rx timeout 5 "$BPFPOL" $words
	expect_out 'is a pipe or a device'
done
rm inc.policy "$POLICIES/pipe.policy"

# Nor is a directory a policy's file, or the configuration.
mkdir "$POLICIES/dir.policy"
expect_exit 2 bp policy show dir
expect_out 'is a directory: put what it is to say into a file'
rmdir "$POLICIES/dir.policy"
mkdir "$BPFPOL_CONF_DIR/bpfpol.conf"
expect_exit 2 bp block udp/1
expect_out 'bpfpol.conf is a directory: put what it is to say into a file'
rmdir "$BPFPOL_CONF_DIR/bpfpol.conf"
cat good.policy >pipe &
expect_exit 0 bp policy import pipe --name piped
expect_exit 0 bp policy import - --name piped2 < <(cat good.policy)
same "all of it came" "$(bp policy show piped | wc -l)" "$(bp policy show piped2 | wc -l)"
bp policy delete piped >/dev/null
bp policy delete piped2 >/dev/null
rm pipe

# What else lies in the directory is no policy, and does no harm.
mkdir "$POLICIES/dir.policy"
touch "$POLICIES/"{.hidden.policy,x.policy.new,readme,.policy,"$NL.policy"}
ln -s /nowhere "$POLICIES/dangling.policy"
expect_exit 0 bp policy list
same "one policy" local "$(bp policy list --json | jq -r '[.policies[].name] | join(" ")')"
expect_exit 2 bp policy assign dir
expect_exit 3 bp policy assign dangling
rm -rf "$POLICIES/dir.policy" "$POLICIES/"{.hidden.policy,x.policy.new,readme,.policy,"$NL.policy"} \
	"$POLICIES/dangling.policy"

# Directories that others own, can write to, or have put in our place.
# not_ours DIR HOW COMMAND...: refused, saying which directory and what to do.
not_ours() {
	local dir=$1 how=$2

	shift 2
	expect_exit 1 bp "$@"
	expect_out "$dir $how"
}

expect_exit 0 bp policy import good.policy
for dir in "$BPFPOL_CONF_DIR" "$POLICIES"; do
	chown nobody "$dir"
	for words in "policy assign good" "policy show good" "policy list" "policy create x" \
		"policy import good.policy --name y" "policy delete good" "block udp/6 --policy good"; do
		# shellcheck disable=SC2086
		not_ours "$dir" "belongs to another user or can be written by others" $words
	done
	chown root "$dir"
	chmod 777 "$dir"
	not_ours "$dir" "belongs to another user or can be written by others" policy assign good
	chmod 700 "$dir"
	mv "$dir" "$dir.real"
	ln -s "$dir.real" "$dir"
	not_ours "$dir" "is a symbolic link" policy assign good
	not_ours "$dir" "is a symbolic link" policy create x
	rm "$dir"
	mv "$dir.real" "$dir"
done
chmod 777 "$BPFPOL_STATE_DIR"
not_ours "$BPFPOL_STATE_DIR" "belongs to another user or can be written by others" policy assign good
not_ours "$BPFPOL_STATE_DIR" "belongs to another user or can be written by others" restore
chmod 700 "$BPFPOL_STATE_DIR"
expect_exit 0 bp policy assign good
blocked dport=5
expect_exit 0 bp policy assign local

# A full disk below the policies: the old file stays whole.
mkdir small
mount -t tmpfs -o size=64k,mode=0700 tmpfs small || exit 1
cp -a "$BPFPOL_CONF_DIR/." small
export BPFPOL_CONF_DIR=$WORLD/small
SUMS=$(sha256sum small/policies/*)
cat /dev/zero >small/filler 2>/dev/null
for i in {1..2000}; do echo "block udp/$i"; done >big.policy
for words in "policy create x" "policy import big.policy" "policy import big.policy --name good --force" \
	"block udp/7 --policy good" "remove udp/5 --policy good"; do
	# shellcheck disable=SC2086
	expect_exit 1 bp $words
	expect_out 'No space left on device; free some space in .*/small/policies and try again; nothing is changed$'
	same "the files are whole" "$SUMS" "$(sha256sum small/policies/*)"
done
# In force all the same: the file shows it when there is room again.
printf '203.0.113.1\n' >list
expect_exit 0 bp block @list
expect_out 'warning: .*policy file does not show it.*No space left on device; free some space in .*/small/policies$'
blocked src=203.0.113.1
expect_exit 0 bp block udp/8
blocked dport=8
same "the files are whole" "$SUMS" "$(sha256sum small/policies/*)"
rm small/filler
printf '203.0.113.2\n' >list
expect_exit 0 bp block @list
same "now it does" 2 "$(grep -cE '/list$|port 8$' small/policies/local.policy)"
umount small
export BPFPOL_CONF_DIR=$WORLD/etc

# A full disk below the state: nothing is assigned, and what is in force stays.
bp off >/dev/null
mount -t tmpfs -o size=64k,mode=0700 tmpfs small || exit 1
cp -a "$BPFPOL_STATE_DIR/." small
export BPFPOL_STATE_DIR=$WORLD/small
bp on >/dev/null
cat /dev/zero >small/filler 2>/dev/null
for words in "policy assign good" "policy unassign" "policy rollback" "attach rx0" "detach rx0"; do
	# shellcheck disable=SC2086
	expect_exit 1 bp $words
	expect_out 'No space left on device; free some space in .*/small.* and try again; nothing is changed$'
done
passes dport=5
blocked dport=1434
expect_exit 1 bp policy unassign
expect_exit 1 bp policy delete local
blocked dport=1434
same "still assigned" local "$(bp status --json | jq -r .policy.name)"
check "and its file is there" [ -e "$POLICIES/local.policy" ]
rm small/filler
expect_exit 0 bp policy assign good
blocked dport=5

# What is stored is shown also where it cannot be told what is assigned.
BEFORE=$(bp policy show good)
echo damaged >"$BPFPOL_STATE_DIR/state"
OUT=$(bp policy show good 2>&1)
same "shown with a state that is damaged" "$BEFORE" "$(grep -v '^bpfpol: warning' <<<"$OUT")"
expect_out 'warning: it is not known which policy is assigned'
same "its rules have no ids then" null "$(bp policy show good --json 2>/dev/null | jq '.rules[0].id')"

finish
