#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Power loss: what each command writes is watched, every legal state of the disk at every moment of
# it is made (power.py), and in each the store holds what it held before the command or what it holds after
# it, and after its end the latter. POWER=N: so many states at each moment, and from 50 on those that
# differ in temporary files alone are looked at one by one, too; POWER_RESTORE=N: with
# each Nth of them the filter is put in force as at a boot.
# shellcheck disable=SC2030,SC2031 # subshells have places of their own
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

POWER=${POWER:-7}
POWER_RESTORE=${POWER_RESTORE:-40}
NOSYNC=$TOP/build/tests/nosync.so
TRACED=openat,close,dup,dup2,dup3,fcntl,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2
TRACED=$TRACED,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,symlinkat,writev,fallocate
DIRS=lib=$BPFPOL_STATE_DIR,etc=$BPFPOL_CONF_DIR

cd "$WORLD" || exit 1
printf '198.51.100.1\n198.51.100.2\n' >one.txt
echo 198.51.100.3 >two.txt
printf 'block udp/2001\nblock @%s\nblock tcp/25 for 2h\n' "$WORLD/one.txt" >one
printf 'block udp/2002\nblock @%s\nblock @%s\n' "$WORLD/two.txt" "$WORLD/one.txt" >two
echo 'block udp/7' >three
printf 'block udp/7\nblock udp/8\n' >three.2

# seen LIB ETC: all that the store there says, and what it would go back to, as text, without time.
seen() {
	local name

	(
		export BPFPOL_STATE_DIR=$1 BPFPOL_CONF_DIR=$2 BPFPOL_BPFFS=$WORLD/none BPFPOL_RUN_DIR=$WORLD/none
		"$BPFPOL" list --json 2>&1 | sed '/"expires_in": [0-9]/s/: .*/: timed/' | jqless
		"$BPFPOL" policy list --json 2>&1 | tee "$WORLD/names" | jqless
		# shellcheck disable=SC2013 # names without blanks
		for name in $(sed -n 's/.*"name": "\([^"]*\)".*/\1/p' "$WORLD/names"); do
			"$BPFPOL" policy show "$name" --json 2>&1
		done | sed '/"expires_in": [0-9]/s/: .*/: timed/' | jqless
		cat "$1/interfaces" "$1/off" 2>/dev/null
		"$BPFPOL" policy rollback --dry-run --json 2>&1 | jqless
	) | sed "s,$1,LIB,g; s,$2,ETC,g"
}

# That a record is torn is said, and no difference of the store.
jqless() {
	sed '/ are no record/d' | tr -d ' \n'
	echo
}

# record N COMMAND...: it runs and is watched.
record() {
	local number=$1

	shift
	OUT=$(run_in rx strace -f -qq -xx -s 10000000 -o "$WORLD/trace.$number" -e "trace=$TRACED" \
		${MUTANT:+-E "LD_PRELOAD=$NOSYNC" -E "NOSYNC=$MUTANT"} "$BPFPOL" "$@" 2>&1) || nok "$*" "$OUT"
	AFTER[number]=$(seen "$BPFPOL_STATE_DIR" "$BPFPOL_CONF_DIR")
	COMMAND[number]=$*
}

# boots STATE-DIR...: restore puts in force what is stored there, and complains of nothing.
boots() {
	local said

	fresh_bpffs
	(
		export BPFPOL_STATE_DIR=$1/lib BPFPOL_CONF_DIR=$1/etc BPFPOL_RUN_DIR=$1/run
		said=$(bp restore 2>&1) && ! grep -iE 'lost|damaged|left out|gone' <<<"$said" &&
			bp status --debug --json | jq -e '.off or .interfaces == [] or
				([.rules[].id] | sort) == ([.filters[].rule] | unique)' >/dev/null
	) || OUT="$said $(bp status 2>&1)"
}

# judge_states: of all commands that were recorded; WRONG counts, and the first of each is said.
judge_states() {
	local number state got when key wrong
	declare -A KNOWN

	rm -rf states
	"$TOP/tests/e2e/power.py" states "$POWER" "$DIRS" before \
		$(seq -f "$WORLD/trace.%g" 1 $((${#AFTER[@]} - 1))) || nok "power.py" "exit $?"
	WRONG=0 STATES=0 BOOTS=0
	for ((number = 1; number < ${#AFTER[@]}; number++)); do
		wrong=
		for state in "states/$number"/*; do
			STATES=$((STATES + 1))
			{ read -r when && read -r key; } <"$state/when"
			[ -n "${KNOWN[$key]:-}" ] && [ "$POWER" -lt 50 ] ||
				KNOWN[$key]=$(seen "$WORLD/$state/lib" "$WORLD/$state/etc")
			got=${KNOWN[$key]}
			if [ "$got" = "${AFTER[number]}" ]; then
				:
			elif [ "$when" = ended ]; then
				wrong="after its end: $(diff <(echo "${AFTER[number]}") <(echo "$got"))"
			elif [ "$got" != "${AFTER[number - 1]}" ]; then
				wrong="$when: $(diff <(echo "${AFTER[number - 1]}") <(echo "$got"))"
			fi
			if [ -z "$wrong" ] && [ -z "${MUTANT:-}" ] && [ $((STATES % POWER_RESTORE)) -eq 0 ]; then
				BOOTS=$((BOOTS + 1))
				OUT=
				boots "$WORLD/$state"
				[ -z "$OUT" ] || wrong="$when: at boot: $OUT"
			fi
			[ -n "$wrong" ] || continue
			WRONG=$((WRONG + 1))
			[ -n "${MUTANT:-}" ] || nok "${COMMAND[number]}: $state" "$wrong"
			break
		done
	done
}

# begin_record: what is there now is what was there before.
begin_record() {
	COMMAND=() AFTER=("$(seen "$BPFPOL_STATE_DIR" "$BPFPOL_CONF_DIR")")
	rm -rf before trace.*
	mkdir before
	[ ! -d "$BPFPOL_STATE_DIR" ] || cp -a "$BPFPOL_STATE_DIR" before/lib
	[ ! -d "$BPFPOL_CONF_DIR" ] || cp -a "$BPFPOL_CONF_DIR" before/etc
}

# forget_all: a host that has never seen us.
forget_all() {
	fresh_bpffs
	rm -rf "$BPFPOL_STATE_DIR" "$BPFPOL_CONF_DIR" "$BPFPOL_RUN_DIR"
}

run_commands() {
	local n=0

	while read -r line; do
		n=$((n + 1))
		# shellcheck disable=SC2086
		record $n $line
	done
}

# The very first of all, which makes the directories.
begin_record
run_commands <<-END
	attach rx0
	block udp/1434
	block @$WORLD/one.txt
END
judge_states
same "the first rules of all: every state is old or new" 0 "$WRONG"
ALL=$STATES RESTORED=$BOOTS

# prepare: a store with something of everything.
prepare() {
	forget_all
	bp policy import one --name one >/dev/null || nok "import" "fails"
	bp policy import two --name two >/dev/null
	bp policy import three --name web >/dev/null
	bp policy assign one >/dev/null
	bp block --policy web tcp/80 for 3h >/dev/null
}
prepare
begin_record
run_commands <<-END
	block udp/2000 name one
	block tcp/26 for 1h
	remove udp/2000
	block @$WORLD/two.txt
	block --policy web udp/9
	policy assign two
	policy rollback
	policy assign two --confirm 900
	policy rollback
	policy assign two --confirm 900
	policy confirm
	policy assign one
	policy import three --name three
	policy import three.2 --name three --force
	remove @$WORLD/two.txt
	policy delete web
	policy unassign
	off
	detach rx0
	on
	attach rx0
	policy delete one
END
judge_states
same "every state is old or new" 0 "$WRONG"
ALL=$((ALL + STATES)) RESTORED=$((RESTORED + BOOTS))
echo "# figure power-loss-states $ALL"
echo "# figure power-loss-boots $RESTORED"
check "$ALL states, $RESTORED boots" [ "$ALL" -gt 200 -a "$RESTORED" -gt 4 ]

# judge_mutant WHAT: without such fsyncs of the directories it is seen.
judge_mutant() {
	MUTANT=$1
	prepare
	begin_record
	run_commands <<-END
		block @$WORLD/two.txt
		policy assign two
	END
	judge_states
}
judge_mutant all
check "a program that does not fsync directories: seen in $WRONG of 2 commands" [ "$WRONG" -eq 2 ]
judge_mutant link
check "one that does not before the state speaks of links in them: seen in $WRONG of 2" [ "$WRONG" -eq 2 ]

finish
