#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `off` in need: beside a command that is attaching, without a lock, without a disk; and when it
# cannot stop what filters, it does not say that it did.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

on_rx0() {
	run_in rx ip -o link show rx0 | grep -c xdp
}

# shellcheck disable=SC2317 # until_true calls it
has_pin() {
	[ -n "$(ls "$BPFPOL_BPFFS/links")" ]
}

# The first `block` loads and attaches, and takes its time; `off` comes in between.
run_in rx strace -f -qq -o /dev/null -e trace=bpf -e inject=bpf:delay_enter=30000 \
	"$BPFPOL" block udp/1434 >/dev/null 2>&1 &
BLOCK=$!
until_true test -e "$BPFPOL_BPFFS"
expect_exit 0 bp off
wait $BLOCK
same "off beside a block: no program" 0 "$(on_rx0)"
passes dport=1434
expect_json "off beside a block: status" '.off == true' bp status --json
# --force stores rules then. To attach, or to try something, needs `on`.
expect_exit 5 bp attach rx0 --force
expect_exit 5 bp block udp/1434 --confirm 60 --force
# A dry run tells what would be, not what is.
expect_json "on, as it would be" '.off == false and .dry_run' bp on --dry-run --json
expect_exit 0 bp on
expect_json "off, as it would be" '.off and .dry_run' bp off --dry-run --json
expect_exit 0 bp attach rx0
expect_exit 0 bp block udp/1434
blocked dport=1434

# Others' filters, however many, are not looked into: each map once, and no link.
for n in 1 2 3 4 5; do
	add_space "other$n"
	ip -n "$(netns "other$n")" link add d0 type veth peer name d1
	BPFPOL_CONF_DIR=$WORLD/etc$n BPFPOL_STATE_DIR=$WORLD/lib$n BPFPOL_BPFFS=$WORLD/bpf$n BPFPOL_RUN_DIR=$WORLD/run$n \
		run_in "other$n" "$BPFPOL" attach d0 >/dev/null || nok "the filter of other$n" "fails"
done
# Without a run directory it is done once.
touch "$WORLD/no-run"
BPFPOL_RUN_DIR=$WORLD/no-run run_in rx strace -f -qq -o "$WORLD/calls" -e trace=bpf "$BPFPOL" off >/dev/null 2>&1
same "nothing is attached" none "$(bp status --json | jq -r '.interfaces[0].ingress')"
grep -o 'BPF_MAP_GET_FD_BY_ID, {map_id=[0-9]*' "$WORLD/calls" | sort >"$WORLD/maps"
check "maps are asked: $(wc -l <"$WORLD/maps")" [ -s "$WORLD/maps" ]
same "each once" "" "$(uniq -d "$WORLD/maps")"
[ "$TC" = clsact ] || same "no link is" 0 "$(grep -c BPF_LINK_GET_FD_BY_ID "$WORLD/calls")"
echo "# figure off-questions-for-each-program $(($(grep -c . "$WORLD/calls") / $(grep -c BPF_PROG_GET_FD_BY_ID "$WORLD/calls")))"
expect_exit 0 bp on
blocked dport=1434

# One that comes in between and does not wait for the lock, as it gives up after a while: here it has one of
# its own. What was about to attach then does not.
expect_exit 0 bp policy unassign
expect_exit 0 bp detach rx0
run_in rx strace -f -qq -o /dev/null -e trace=bpf -e inject=bpf:delay_enter=100000 \
	"$BPFPOL" attach rx0 >"$WORLD/said" 2>&1 &
BLOCK=$!
check "it attaches" until_true has_pin
BPFPOL_RUN_DIR=$WORLD/other expect_exit 0 bp off
wait $BLOCK
same "what attached meanwhile: refused" 5 $?
check "and says so" grep -q "'bpfpol off' came meanwhile" "$WORLD/said"
same "no program" 0 "$(on_rx0)"
expect_json "it is off" '.off == true' bp status --json
expect_exit 0 bp on
expect_exit 0 bp attach rx0
expect_exit 0 bp block udp/1434
blocked dport=1434

# The same beside a boot, which it does not fail: it leaves off as any restore does.
reboot
run_in rx strace -f -qq -o /dev/null -e trace=bpf -e inject=bpf:delay_enter=30000 \
	"$BPFPOL" restore >"$WORLD/said" 2>&1 &
RESTORE=$!
check "it restores" until_true has_pin
BPFPOL_RUN_DIR=$WORLD/other expect_exit 0 bp off
wait $RESTORE
same "a restore meanwhile: it is off, and that is no failure" 0 $?
check "and says so" grep -q '^Filtering is off, and stays so' "$WORLD/said"
same "no program" 0 "$(on_rx0)"
passes dport=1434
expect_json "it stays off" '.off == true' bp status --json
expect_exit 0 bp on
blocked dport=1434

# Whatever has become of the number that says which store it is: a boot goes by what is in this place.
for how in rm 'truncate -s 9' 'sed -i s/bpfpol/bpfpo1/' 'sed -i s/[0-7]/8/' ; do
	cp "$BPFPOL_STATE_DIR/id" "$WORLD/id"
	$how "$BPFPOL_STATE_DIR/id"
	expect_exit 0 bp off
	same "$how: nothing to warn of" 0 "$(grep -c warning <<<"$OUT")"
	reboot
	expect_exit 0 bp restore
	expect_out '^Filtering is off, and stays so'
	passes dport=1434
	cp "$WORLD/id" "$BPFPOL_STATE_DIR/id"
	expect_exit 0 bp on
	blocked dport=1434
done

# A lock that is held for good costs time, not the stop.
flock "$BPFPOL_RUN_DIR/lock" sleep 60 &
HOLDER=$!
until_true grep -q "FLOCK.* $HOLDER " /proc/locks
expect_exit 0 bp off
expect_out 'warning: a command that ran at the same time may filter again'
same "a lock that is held: no program" 0 "$(on_rx0)"
pkill -P $HOLDER
wait $HOLDER 2>/dev/null
expect_exit 0 bp on
blocked dport=1434

# Nor does a directory that is none.
mv "$BPFPOL_RUN_DIR" "$WORLD/away"
touch "$BPFPOL_RUN_DIR"
expect_exit 0 bp off
expect_out 'warning: a command that ran at the same time may filter again'
passes dport=1434
rm "$BPFPOL_RUN_DIR"
mv "$WORLD/away" "$BPFPOL_RUN_DIR"
expect_json "it is off all the same" '.off == true' bp status --json
expect_exit 0 bp on
blocked dport=1434

# A directory in its file's place, as of damage, is moved out of the way by either.
mkdir "$BPFPOL_STATE_DIR/off"
expect_exit 0 bp off
same "a directory in its place: nothing to warn of" 0 "$(grep -c warning <<<"$OUT")"
check "it is written down" [ -f "$BPFPOL_STATE_DIR/off" ]
rm -r "$BPFPOL_STATE_DIR"/off*
mkdir "$BPFPOL_STATE_DIR/off"
expect_exit 0 bp on
check "it is kept" [ -d "$BPFPOL_STATE_DIR/off.damaged" ]
rmdir "$BPFPOL_STATE_DIR/off.damaged"
blocked dport=1434

# Without a disk the kernel alone knows.
mv "$BPFPOL_STATE_DIR" "$WORLD/away"
touch "$BPFPOL_STATE_DIR"
expect_exit 0 bp off
expect_out 'warning: .*reboot'
passes dport=1434
rm "$BPFPOL_STATE_DIR"
mv "$WORLD/away" "$BPFPOL_STATE_DIR"
expect_json "it is off all the same" '.off == true' bp status --json
expect_exit 0 bp on

# No pin of a read-only bpffs can be opened for writing, but the control word and links have numbers as well.
mount -o remount,ro "$WORLD/bpf"
expect_exit 0 bp off
passes dport=1434
same "a read-only bpffs: no program" 0 "$(on_rx0)"
expect_exit 1 bp status
expect_out 'Read-only'
mount -o remount,rw "$WORLD/bpf"
expect_json "it is off" '.off == true' bp status --json
expect_exit 0 bp on
blocked dport=1434

# Nor does a disk that is read-only: what could not be written there is nothing to remove.
mount --bind "$BPFPOL_STATE_DIR" "$BPFPOL_STATE_DIR"
mount -o remount,ro,bind "$BPFPOL_STATE_DIR"
expect_exit 0 bp off
expect_out 'warning: .*reboot'
passes dport=1434
expect_exit 0 bp on
blocked dport=1434
umount "$BPFPOL_STATE_DIR"

# Killed between the kernel's word and the file: it is off, and whoever comes next writes that down.
run_in rx strace -f -qq -o /dev/null -e trace=fsync -e inject=fsync:signal=KILL:when=1 \
	"$BPFPOL" off >/dev/null 2>&1
passes dport=1434
same "killed: nothing is written" 0 "$(find "$BPFPOL_STATE_DIR" -name off | wc -l)"
expect_json "killed: it is off" '.off == true' bp status --json
reboot
expect_exit 0 bp restore
expect_json "killed, and rebooted: it is off" '.off == true' bp status --json
passes dport=1434
expect_exit 0 bp on
blocked dport=1434

# One that has the lock and was stopped, as by Ctrl-Z: `off` does not wait for it, and others say who it is.
flock "$BPFPOL_RUN_DIR/lock" sleep 60 &
HOLDER=$!
until_true grep -q "FLOCK.* $HOLDER " /proc/locks
kill -STOP $HOLDER
until_true grep -q '^State:.T' /proc/$HOLDER/status
expect_exit 0 bp off
expect_out "warning: .* process $HOLDER has the lock"
passes dport=1434
expect_exit 1 bp status
expect_out "process $HOLDER has the lock .* was stopped"
# One who waits has it as soon as it is let go of.
bp on >"$WORLD/said" 2>&1 &
ON=$!
until_true grep -q -- "-> FLOCK.*:$(stat -c %i "$BPFPOL_RUN_DIR/lock") " /proc/locks
kill -CONT $HOLDER
pkill -P $HOLDER
wait $HOLDER 2>/dev/null
wait $ON
same "who waited has done it" 0 $?
blocked dport=1434

# Every single call may fail; what is said is what is.
CALLS=$(run_in rx strace -f -qq -e trace=bpf "$BPFPOL" off 2>&1 | grep -c '^bpf(')
bp on >/dev/null
BAD=0
for ((n = 1; n <= CALLS; n++)); do
	run_in rx strace -f -qq -o /dev/null -e trace=bpf -e "inject=bpf:error=ENOMEM:when=$n+" \
		"$BPFPOL" off >"$WORLD/said" 2>&1
	code=$?
	got=$(verdicts "$(frame dport=1434)")
	case $code$got in
	0p | 1b) ;;
	*) nok "off, call $n and on fail" "exit $code, $got: $(cat "$WORLD/said")" ;;
	esac
	bp off >/dev/null && bp on >/dev/null || BAD=1
done
check "$CALLS calls failed in turn" [ "$CALLS" -gt 2 ]
same "off and on went well after each" 0 $BAD

# A directory of another user's making, with a control word that is not ours.
expect_exit 0 bp off
fresh_bpffs
rm "$BPFPOL_STATE_DIR/off"
mkdir "$BPFPOL_BPFFS"
"$BPFTOOL" map create "$BPFPOL_BPFFS/ctl" type array key 4 value 32 entries 1 name ctl flags 0x400
chown -R 65534 "$BPFPOL_BPFFS"
BEFORE=$("$BPFTOOL" map dump pinned "$BPFPOL_BPFFS/ctl")
# Nothing filters, which the kernel says.
expect_exit 0 bp off
expect_out 'another user'
for words in on interfaces status "attach rx0" "block udp/53" "detach rx0"; do
	# shellcheck disable=SC2086
	expect_exit 1 bp $words
	expect_out 'another user'
done
same "theirs is not written to" "$BEFORE" "$("$BPFTOOL" map dump pinned "$BPFPOL_BPFFS/ctl")"
chown -R 0 "$BPFPOL_BPFFS"
chmod 777 "$BPFPOL_BPFFS"
expect_exit 1 bp on
chmod 700 "$BPFPOL_BPFFS"
mkdir "$BPFPOL_BPFFS/links"
chown 65534 "$BPFPOL_BPFFS/links"
expect_exit 1 bp interfaces
expect_out "links belongs to another user"

finish
