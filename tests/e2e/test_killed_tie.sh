#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 wherever `restore --force` changes anything, which puts another store's rules in force, and wherever
# an assignment does that writes the store's `id`: packets see one store's rules, whole, each directory's
# `status` says what they see or that it is not of this store, no file of the rules changes, `id` is whole or not
# there, and the next `restore` does the rest. KILL_EVERY=1: at every system call.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"

cd "$WORLD" || exit 1
OURS=$BPFPOL_STATE_DIR THEIRS=$WORLD/other
FRAMES=("$(frame dport=2001)" "$(frame src=198.51.100.1)" "$(frame dport=2002)" "$(frame dport=9)")
declare -A SEES=([ours]=bbpp [theirs]=ppbp)

in_ours() { BPFPOL_STATE_DIR=$OURS bp "$@"; }
in_theirs() { BPFPOL_STATE_DIR=$THEIRS bp "$@"; }

# files: of both, without what ties the rules in force to one of them.
files() {
	find "$OURS" "$THEIRS" "$BPFPOL_CONF_DIR" -type f ! -name id ! -name '*.new' -exec sha256sum {} + | sort
}

# judged: whose rules packets see.
judged() {
	local got

	got=$(verdicts "${FRAMES[@]}")
	case $got in
	"${SEES[ours]}") echo ours ;;
	"${SEES[theirs]}") echo theirs ;;
	*) echo "$got" ;;
	esac
}

# of_rules: whose rules `status` says.
of_rules() {
	jq -r '[.rules[].filter] | sort | join(" ") |
		if test("2001") and test("@") and (test("2002") | not) then "ours"
		elif . == "in udp to port 2002" then "theirs" else . end' 2>&1
}

# said STORE: what its directory says is in force: whose rules, or none of this store's.
said() {
	local out code

	out=$("in_$1" status --json 2>err)
	code=$?
	if [ "$code" -eq 0 ]; then
		of_rules <<<"$out"
	elif [ "$code" -eq 1 ] && grep -q "bpfpol: .*holds another one.*restore --force" err; then
		echo other
	else
		echo "exit $code: $(cat err)"
	fi
}

# whole STORE-DIRECTORY: its id.
whole() {
	[ ! -e "$1/id" ] || grep -qxE 'bpfpol store [0-9a-f]{16}' "$1/id"
}

# ours_again: of the store that has been there all the time.
ours_again() {
	in_ours restore --force >/dev/null 2>out || nok "ours again" "$(cat out)"
}

# after_kill CALL N: each of the two looks first in turn.
TURN=0
after_kill() {
	local was now what first=ours wrong

	was=$(judged)
	TURN=$((TURN + 1))
	[ $((TURN % 2)) -eq 0 ] || first=theirs
	if ! whole "$OURS" || ! whole "$THEIRS"; then
		nok "killed at $1 $2: the id" "$(head "$OURS/id" "$THEIRS/id")"
	fi
	what=$(said "$first")
	now=$(judged)
	# What has begun may be ended by who looks, if it is his.
	wrong=$(
		[[ $was =~ ^(ours|theirs)$ && $now =~ ^(ours|theirs)$ ]] || echo "a mixture"
		[ "$what" = "$now" ] || [ "$what" = other ] || echo "it says what is not so"
		[ "$what" != other ] || [ "$was" = "$now" ] || echo "refused, it changes something"
		[ "$was" = "$now" ] || [ "$now" = "$first" ] || echo "it brings back another's"
	)
	[ -z "$wrong" ] || nok "killed at $1 $2: $first looks" "packets: $was; status: $what; packets: $now: $wrong"
	in_theirs restore --force >out 2>&1 || nok "killed at $1 $2: the next one" "$(cat out)"
	[ "$(judged)" = theirs ] || nok "killed at $1 $2: the next one" "packets: $(judged)"
	same_said "killed at $1 $2: whose they are" "theirs other" "$(said theirs) $(said ours)"
	[ "$FILES" = "$(files)" ] || nok "killed at $1 $2: the stores" "$(diff <(echo "$FILES") <(files))"
	FOUND[$was]=1
}

# same_said DESC EXPECTED GOT: only what differs is said.
same_said() {
	[ "$2" = "$3" ] || nok "$1" "expected: $2"$'\n'"got: $3"
}

# sweep_force DESC BEGIN
sweep_force() {
	local before=$FAILED

	FOUND=()
	BPFPOL_STATE_DIR=$THEIRS LEAST=5 TRIAL=$1 kill_each "$2" after_kill restore --force
	same "$1: every kill leaves the one or the other" "$before" "$FAILED"
	same "$1: both are seen" "ours theirs" "$(printf '%s\n' "${!FOUND[@]}" | sort | xargs)"
}

no_id() {
	rm -f "$THEIRS/id"
	ours_again
}

# The other store has never been in force, so that its id is written.
echo 198.51.100.1 >list.txt
in_ours block udp/2001 >/dev/null
in_ours block @list.txt >/dev/null
mkdir -m 700 "$THEIRS"
elsewhere() {
	BPFPOL_STATE_DIR=$THEIRS BPFPOL_BPFFS=$WORLD/bpf/second BPFPOL_RUN_DIR=$WORLD/run2 \
		BPFPOL_CONF_DIR=$WORLD/etc2 run_in tx "$BPFPOL" "$@" >/dev/null || nok "another store: $*" "fails"
}
elsewhere attach tx0
elsewhere policy create local2
elsewhere block udp/2002 --policy local2
elsewhere policy assign local2
elsewhere detach tx0
cp "$WORLD/etc2/policies/local2.policy" "$BPFPOL_CONF_DIR/policies/"
declare -A FOUND
WHERE=changes
[ -z "${KILL_EVERY:-}" ] || WHERE=points

# Once each, so that what they leave behind is there in each turn.
in_theirs restore --force >/dev/null
same "restore --force" theirs "$(judged)"
ours_again
same "and back" ours "$(judged)"
FILES=$(files)
sweep_force "the other store" ours_again
sweep_force "the other store, which has no id" no_id

# An id that is lost, and is written by an assignment.
export BPFPOL_STATE_DIR=$OURS
ours_again
cp "$BPFPOL_CONF_DIR/policies/local2.policy" "$BPFPOL_CONF_DIR/policies/third.policy"
sed -i 's/local2/third/' "$BPFPOL_CONF_DIR/policies/third.policy"

lost_id() {
	bp policy assign local >/dev/null 2>out || nok "the rules before" "$(cat out)"
	rm -f "$OURS/id"
}

after_lost() {
	local was what now

	was=$(judged)
	whole "$OURS" || nok "killed at $1 $2: the id" "$(cat "$OURS/id")"
	what=$(bp status --json 2>err | of_rules)
	now=$(judged)
	[[ $was =~ ^(ours|theirs)$ && $what = "$now" && $now =~ ^(ours|theirs)$ ]] ||
		nok "killed at $1 $2" "packets: $was; status: $what $(cat err); packets: $now"
	bp restore >out 2>&1 || nok "killed at $1 $2: the next restore" "$(cat out)"
	same_said "killed at $1 $2: by it nothing changes" "$now" "$(judged)"
	FOUND[$was]=1
}

FOUND=() BEFORE=$FAILED
kill_each lost_id after_lost policy assign third
same "a lost id: every kill leaves the one or the other" "$BEFORE" "$FAILED"
same "a lost id: both are seen" "ours theirs" "$(printf '%s\n' "${!FOUND[@]}" | sort | xargs)"
check "it is there again" whole "$OURS"

finish
