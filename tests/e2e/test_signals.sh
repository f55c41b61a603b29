#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# SIGTERM, SIGINT or SIGHUP at the system calls by which commands change anything: all is done, or
# nothing, without the next command's help, and no file that was to become another is left.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"
# shellcheck source=tests/e2e/trial.sh
. "$(dirname "$0")/trial.sh"

MOST=${MOST:-8} # signals of each command; KILL_EVERY=1: one at every call

# What is there, in words that no generation's number changes.
found() {
	echo "packets $(verdicts "$(frame dport=2001)" "$(frame dport=2002)" "$(frame dport=2003)")"
	echo "links $(find "$BPFPOL_BPFFS/links" -type f 2>/dev/null | sort | xargs)"
	echo "remembered $(remembered 2>/dev/null | xargs)"
	[ ! -e "$BPFPOL_STATE_DIR/off" ] || echo "off"
	sed -n 's/^assigned/&/p' "$BPFPOL_STATE_DIR/state"
	echo "journal $(grep -c . "$BPFPOL_STATE_DIR/journal" 2>/dev/null)"
	(cd "$BPFPOL_CONF_DIR/policies" && ls)
	find "$BPFPOL_STATE_DIR" "$BPFPOL_CONF_DIR" "$BPFPOL_RUN_DIR" -name '*.new' -o -name 'fold.*'
}

# places COMMAND...: where it changes something, as CALL N; each of them, or MOST over all.
places() {
	run_in rx strace -f -qq -o "$WORLD/trace" -e "trace=$CALLS" "$BPFPOL" "$@" >/dev/null || return
	sed -i '/^[-+]/d' "$WORLD/trace"
	awk -v most="${KILL_EVERY:+9999}" -v few="$MOST" '
		{ sub(/^[0-9]+ +/, ""); call = $0; sub(/\(.*/, "", call); n[call]++ }
		/ = -1 E/ || call ~ /^(openat|mmap|flock|sendto|membarrier|mkdir|exit_group)$/ { next }
		call != "bpf" || /OBJ_PIN|UPDATE|DELETE_ELEM|LINK_/ { at[++all] = call " " n[call] }
		END {
			if (most == "") most = few
			step = all > most ? all / most : 1
			for (i = step; i < all + 0.5; i += step) print at[int(i)]
		}' "$WORLD/trace"
}

# each BEGIN COMMAND...
each() {
	local begin=$1 before=$FAILED old new got call n code signals=(TERM INT HUP) i=0 olds=0 news=0

	shift
	$begin
	bp "$@" >/dev/null # from now on with a spare
	$begin
	old=$(found)
	mapfile -t POINTS < <(places "$@")
	new=$(found)
	check "$*: it changes something" [ "$old" != "$new" ]
	for point in "${POINTS[@]}"; do
		read -r call n <<<"$point"
		$begin
		run_in rx strace -f -qq -o /dev/null -e "trace=$call" \
			-e "inject=$call:signal=${signals[i % 3]}:when=$n" "$BPFPOL" "$@" >/dev/null 2>&1
		code=$?
		i=$((i + 1))
		got=$(found)
		case $got in
		"$old") olds=$((olds + 1)) ;;
		"$new") news=$((news + 1)) ;;
		*) nok "$*: ${signals[(i - 1) % 3]} at $call $n" "$got" ;;
		esac
		[[ $code =~ ^(0|143|130|129)$ ]] || nok "$*: $call $n: exit code" "$code"
		[[ $got != "$old" || $code != 0 ]] || nok "$*: $call $n: nothing is done" "exit 0"
	done
	same "$*: ${#POINTS[@]} signals leave the old ($olds) or the new ($news)" "$before" "$FAILED"
	check "$*: the new" [ "$news" -gt 0 ]
	got=$*
	echo "# figure signals-of-${got// /-} ${#POINTS[@]}"
}

bp policy create one >/dev/null
bp block --policy one udp/2001 >/dev/null
bp policy create two >/dev/null
bp block --policy two udp/2002 >/dev/null
bp policy assign one >/dev/null

plain() {
	bp on >/dev/null 2>&1
	bp attach rx0 >/dev/null
	bp policy assign one >/dev/null
}
detached() { plain && bp detach rx0 >/dev/null; }
off() { plain && bp off >/dev/null; }
without() { plain && { bp remove udp/2003 >/dev/null 2>&1 || true; }; }

each detached attach rx0
each plain detach rx0
each plain off
each off on
each without block udp/2003
bp remove udp/2003 >/dev/null
each plain policy assign two
each plain policy unassign

# Who is left to detach again can be told to end, too.
detached
bp attach rx0 --confirm 600 >/dev/null
check "somebody waits for the end of the trial" until_true waits
same "it holds no signal" 0000000000000000 "$(awk '$1 == "SigBlk:" { print $2 }' "/proc/$(waiters)/status")"
bp policy rollback >/dev/null
check "and goes with the trial" until_true none_waits

# Who waits for the lock can be told to end.
exec 9>"$BPFPOL_RUN_DIR/lock"
flock 9
run_in rx "$BPFPOL" block udp/9 >/dev/null 2>&1 9>&- &
PID=$!
queues() { grep -e '->' /proc/locks | grep -q ":$(stat -c %i "$BPFPOL_RUN_DIR/lock") "; }
check "it waits for the lock" until_true queues
kill "$PID"
wait "$PID"
same "whoever waits for the lock ends at once" 143 $?
exec 9>&-

finish
