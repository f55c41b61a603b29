#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A change on trial meets what else may happen: a disk that cannot be written, kills, changes right
# behind the deadline, a guard that minds, a kernel that does not tell when packets are judged.
# shellcheck disable=SC2317 # functions are called by until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/trial.sh
. "$(dirname "$0")/trial.sh"
# shellcheck source=tests/e2e/two.sh
. "$(dirname "$0")/two.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

verdict() {
	case $(verdicts "${FRAMES[@]}") in
	bpbp) echo a ;;
	pbbp) echo b ;;
	pppp) echo none ;;
	*) echo mixed ;;
	esac
}

awaits() {
	[ "$(bp status --json | jq .policy.confirm_in)" != null ]
}

is_verdict() {
	[ "$(verdict)" = "$1" ]
}

slots() {
	"$BPFTOOL" -j map dump pinned "$BPFPOL_BPFFS/xdp_generations" | jq length
}

# begin: a is in force and attached, b is tried.
begin() {
	! awaits || bp policy rollback >/dev/null
	bp policy assign a >/dev/null
	bp policy assign b --confirm 600 "$@" >/dev/null
	[ "$(verdict)" = b ] || nok "b is tried" "$(verdict)"
}

bp attach rx0 >/dev/null
bp policy assign a >/dev/null

# The time was over when the host came up, and nothing can be written there.
begin
reboot
clocks state -1
OUT=$(broken "rename,renameat,renameat2:error=EROFS" restore 2>&1)
same "restore filters by the rules before, also where no file can be written" a "$(verdict)"
expect_out 'the store is not in order'
expect_exit 0 bp restore
same "what could not be written is, later" 1 "$(grep -c '^assigned a' "$BPFPOL_STATE_DIR/state")"

# A change that comes first then is undone alone.
begin
reboot
clocks state -1
expect_exit 0 bp block udp/2009
bp restore >/dev/null
blocked dport=2009
expect_exit 0 bp policy rollback
same "the change is undone, and no more" a "$(verdict)"

# On a disk that cannot be written behind the end of a trial, a change is none, and says so; what ended has ended.
begin
bp policy rollback >/dev/null
bp policy assign b --confirm 1 >/dev/null
check "the trial is over" until_true is_verdict a
broken "rename,renameat,renameat2:error=EROFS" list >/dev/null 2>&1
expect_exit 1 broken "rename,renameat,renameat2:error=EROFS" block udp/2010
passes dport=2010
bp list >/dev/null
same "the rules before, and nothing else" "a 0" "$(verdict) $(bp list | grep -c 2010)"

# A store that does not say what is on trial keeps nobody from going back in time.
begin
bp policy rollback >/dev/null
bp policy assign b --confirm 3 >/dev/null
mv "$BPFPOL_STATE_DIR/state" "$WORLD/state"
echo garbage >"$BPFPOL_STATE_DIR/state"
bp status >/dev/null 2>&1
bp list >/dev/null 2>&1
check "it goes back in time with a store that is damaged" until_true is_verdict a
mv "$WORLD/state" "$BPFPOL_STATE_DIR/state"
expect_exit 0 bp restore
same "and stays gone back" "a false" "$(verdict) $(awaits && echo true || echo false)"

# Confirmed and killed before that was written down: it stays, and is written by whoever can.
kept() {
	! awaits || bp policy rollback >/dev/null
	begin
	broken "fsync:signal=KILL:when=1" policy confirm >/dev/null 2>&1
}

FULL="rename,renameat,renameat2:error=EROFS"
kept
OUT=$(broken "$FULL" status 2>&1)
expect_out 'warning: the last change is confirmed, but a reboot may take it back'
expect_exit 1 broken "$FULL" block udp/2009
expect_exit 1 broken "$FULL" policy confirm
expect_exit 1 broken "$FULL" policy rollback
expect_exit 0 bp block udp/2009 --dry-run
same "not written yet: b, and a reboot takes it back" "b 1" "$(verdict) $(grep -c ^confirm "$BPFPOL_STATE_DIR/state")"
expect_exit 0 bp block udp/2009
expect_exit 0 bp policy rollback
same "written by a change, which is undone alone: b" "b false" "$(verdict) $(awaits && echo true || echo false)"
for command in rollback confirm; do
	kept
	expect_exit 0 broken "rename:error=EROFS:when=1" policy $command
	same "it could not be written, then $command can" "$([ $command = confirm ] && echo b || echo a) false" \
		"$(verdict) $(awaits && echo true || echo false)"
done
kept
reboot
expect_exit 0 bp restore
same "rebooted before that: b is tried" "b true" "$(verdict) $(awaits && echo true || echo false)"
bp policy rollback >/dev/null
bp policy assign a >/dev/null

# Taken back on a disk that is full: at once all the same, and whoever comes next writes it.
begin
expect_exit 1 broken "rename,renameat,renameat2:error=ENOSPC" policy rollback
expect_out 'rules before the change are in force again, but not written down.*free some space.*the next command writes it'
[[ $OUT != *"nothing is changed"* ]] || nok "it does not say that nothing is changed" "$OUT"
same "a judges" a "$(verdict)"
full() {
	broken "rename,renameat,renameat2:error=ENOSPC" "$@"
}
same "explain: a is in force" "true block []" "$(full explain --json udp from 192.0.2.1 to "$RX4" port 2001 in on rx0 |
	jq -r '"\(.in_force) \(.verdict) \(.notes)"')"
for command in status list "block udp/2009" status "policy list" "policy confirm" "policy rollback" restore; do
	# shellcheck disable=SC2086
	full $command >/dev/null 2>&1
	same "still full, $command: a judges" "a false" "$(verdict) $(full status --json | jq '.policy.confirm_in != null')"
done
expect_exit 0 bp status
same "and is written" "a false 1" \
	"$(verdict) $(awaits && echo true || echo false) $(grep -c '^assigned a' "$BPFPOL_STATE_DIR/state")"
same "nobody says that it did so by itself" null "$(bp status --json | jq .went_back)"
expect_exit 3 bp policy rollback
expect_out 'there is no earlier policy to go back to'

# Killed while it takes back or confirms, the next one does not let the deadline go.
for n in 1 2 3 4 5 6 7; do
	begin
	broken "fsync:signal=KILL:when=$n" policy rollback >/dev/null 2>&1
	bp policy rollback >/dev/null 2>&1
	same "killed at fsync $n, taken back once more: a" "a false" "$(verdict) $(awaits && echo true || echo false)"
	bp policy assign a >/dev/null 2>&1
	begin
	broken "fsync:signal=KILL:when=$n" policy confirm >/dev/null 2>&1
	bp policy confirm >/dev/null 2>&1
	same "killed at fsync $n, confirmed once more: b" "b false" "$(verdict) $(awaits && echo true || echo false)"
	bp policy assign a >/dev/null
done

# Nor does an agent that was killed while it wrote down which numbers it gives.
for kill in write:signal=KILL:when=2 fdatasync:signal=KILL:when=1; do # the first write says that it is ready
	begin
	: >"$WORLD/agent.log"
	broken "$kill" agent 2>"$WORLD/agent.log" &
	until_true grep -q 'follows the interfaces' "$WORLD/agent.log"
	bp block --dynamic udp/7 >/dev/null 2>&1
	kill -TERM "$(cat "$BPFPOL_RUN_DIR/agent.lock")" 2>/dev/null
	wait
	expect_exit 0 bp restore
	[[ $OUT != *warning* ]] || nok "killed at $kill: nothing to warn of" "$OUT"
	same "killed at $kill: b is tried" "b true" "$(verdict) $(awaits && echo true || echo false)"
done

# Where the kernel does not tell when packets are judged, nobody takes a program from under them.
begin
bp policy rollback >/dev/null
expect_exit 0 broken membarrier:error=ENOSYS policy assign b
same "the programs before stay in their place" 2 "$(slots)"
bp policy assign a >/dev/null
begin
expect_exit 0 broken membarrier:error=ENOSYS policy rollback
same "those that were tried, too" 2 "$(slots)"
same "and a judges" a "$(verdict)"

# What was decided is not asked about again.
echo 'protect = udp/2002' >"$BPFPOL_CONF_DIR/bpfpol.conf"
expect_exit 5 bp policy assign b --confirm 600
begin --force
rm "$BPFPOL_BPFFS/ctl"
expect_exit 0 bp policy confirm
same "confirmed with nothing in the kernel" b "$(verdict)"

# Nor is what is cut already, where another interface comes.
run_in rx ip link add rx7 type veth peer name rx8
run_in rx ip addr add 10.79.0.2/24 dev rx7
run_in rx ip link set rx7 up
echo 'protect = 10.77.0.1' >"$BPFPOL_CONF_DIR/bpfpol.conf"
expect_exit 0 bp block 10.77.0.1 --force
expect_exit 0 bp attach rx7
bp detach rx7 >/dev/null
bp remove 10.77.0.1 >/dev/null

# Lists that cannot be read keep nobody from going back to what the kernel still has.
echo 192.0.2.7 >"$WORLD/list"
echo "block @$WORLD/list" >>"$POLICIES/a.policy"
begin
for list in "$BPFPOL_STATE_DIR"/lists/*; do
	echo 192.0.2.8 >>"$list"
done
expect_exit 0 bp policy rollback
expect_out 'warning: .*was not asked'
same "a judges" "a false" "$(verdict) $(awaits && echo true || echo false)"
bp restore >/dev/null 2>&1
sed -i '/@/d' "$POLICIES/a.policy"
expect_exit 0 bp policy assign a

# A disk that does not say which state there is says not that it is another one: the trial goes on, and back.
for error in EIO:when=1 EIO:when=2 EIO:when=3 EIO:when=4 ENOMEM:when=2 ENOMEM:when=3; do
	bp policy assign a >/dev/null
	bp policy assign b --confirm 2 >/dev/null
	loaded=$(cd "$BPFPOL_BPFFS" && echo gen-*)
	run_in rx strace -qq -o /dev/null -P "$BPFPOL_STATE_DIR/state" -e trace=newfstatat,stat,statx \
		-e "inject=newfstatat,stat,statx:error=$error" "$BPFPOL" list >/dev/null 2>&1
	same "$error: the trial is not begun anew" "$loaded" "$(cd "$BPFPOL_BPFFS" && echo gen-*)"
	is_back() { [ "$(verdict)" = a ]; }
	check "$error: back in time" until_true is_back
	expect_exit 0 bp list
	same "$error: and written" "a false" "$(verdict) $(awaits && echo true || echo false)"
done

# What was before cannot be read for a moment, when it has gone back: a look is no reason to undo that.
for command in status restore "block udp/2060" "policy confirm"; do
	for file in state journal; do
		for error in openat:error=EIO openat:error=EMFILE openat:error=EINTR read:error=EIO; do
			bp policy assign a >/dev/null
			bp policy assign b --confirm 1 >/dev/null
			check "it goes back" until_true is_back
			before=$(cd "$BPFPOL_STATE_DIR" && echo previous.*."$file")
			# shellcheck disable=SC2086
			broken_at "$before" "$error" $command >"$WORLD/said" 2>&1
			same "$error of previous' $file in $command: a judges" a "$(verdict)"
			same "and is written later" "0 a false" \
				"$(bp status >/dev/null; echo $?) $(verdict) $(awaits && echo true || echo false)"
			bp remove udp/2060 >/dev/null 2>&1
		done
	done
done
# Behind a boot nothing is in force yet: what was tried is, better than nothing, until that can be read.
for left in -1 600; do
	bp policy assign a >/dev/null
	bp policy assign b --confirm 600 >/dev/null
	reboot
	clocks state $left
	before=$(cd "$BPFPOL_STATE_DIR" && echo previous.*.state)
	expect_exit 1 broken_at "$before" openat:error=EIO restore
	expect_out 'previous.*Input/output error'
	same "$left: b for now" b "$(verdict)"
	expect_exit 0 bp restore
	[ $left = -1 ] || same "on trial again" true "$(awaits && echo true)"
	[ $left = -1 ] || bp policy rollback >/dev/null
	same "$left: a at last" "a false" "$(verdict) $(awaits && echo true || echo false)"
done

# Nor is it without the rules before where a copy of their lists cannot be read: the list itself is.
echo "block @$WORLD/list" >>"$POLICIES/a.policy"
for damage in rm "tee </dev/null" openat:error=EIO read:error=EIO; do
	bp policy assign a >/dev/null
	bp policy assign b --confirm 1 >/dev/null
	check "it goes back" until_true is_back
	reboot
	copy=$(cd "$BPFPOL_STATE_DIR" && echo lists/*)
	case $damage in
	*:*) expect_exit 1 broken_at "$copy" "$damage" restore ;;
	*)
		eval "$damage" "$BPFPOL_STATE_DIR/$copy"
		expect_exit 1 bp restore
		;;
	esac
	expect_out 'a copy of an address list could not be read'
	same "$damage of a list's copy: a judges" a "$(verdict)"
	expect_exit 0 bp restore
	same "$damage: and is written" "a false" "$(verdict) $(awaits && echo true || echo false)"
done
sed -i '/@/d' "$POLICIES/a.policy"
bp policy assign a >/dev/null

# Single changes that are in previous.N.journal alone are not dropped with it: nothing goes back then.
for damage in rm "sed -i s/journal/journey/" truncate\ -s0; do
	for trial in "" "--confirm 600"; do
		bp policy assign a >/dev/null
		bp block udp/2050 >/dev/null
		# shellcheck disable=SC2086
		bp policy assign b $trial >/dev/null
		# shellcheck disable=SC2086
		$damage "$BPFPOL_STATE_DIR"/previous.*.journal
		expect_exit 1 bp policy rollback
		expect_out 'previous.[0-9]+.journal is damaged, gone'
		same "$damage: b stays" b "$(verdict)"
		if [ -n "$trial" ]; then
			clocks state -1
			reboot
			expect_exit 1 bp restore
			expect_out 'what was in force before is LOST'
			same "$damage: the end of the time, too" "b false" "$(verdict) $(awaits && echo true || echo false)"
			expect_exit 0 bp restore
		fi
		bp policy assign a >/dev/null
		bp remove udp/2050 >/dev/null
	done
done

# A dynamic rule has to be right for both: what is tried, and what it may go back to.
echo "permit tcp/22 from $TX4" >>"$POLICIES/b.policy"
begin
start_agent
expect_exit 5 bp block --dynamic tcp/22
expect_out 'would cut'
expect_exit 0 bp block --dynamic tcp/23
expect_exit 0 bp policy confirm
expect_exit 0 bp block --dynamic tcp/22
stop_agent TERM

finish
