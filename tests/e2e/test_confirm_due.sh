#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Who waits for the end of `attach --confirm`: a timer of systemd's, whatever the caller's PATH and variables
# say and however systemd-run fails; a process that is stopped, killed, or comes twice. And interfaces that
# go, come again, or take another's name meanwhile.
# shellcheck disable=SC2317 # functions are called by check and until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/trial.sh
. "$(dirname "$0")/trial.sh"

FRAMES=("$(frame dport=1434)" "$(frame dport=9)")

add() {
	run_in rx ip link add "$1" type veth peer name "$2"
	run_in rx ip link set "$1" up
}

filtering() {
	[ "$(verdicts "${FRAMES[@]}")" = bp ] && echo on || echo off
}

attached() {
	run_in rx ip -o link show | grep xdp | sed -E 's/^[0-9]+: ([a-z0-9]+).*/\1/' | sort | xargs
}

are() {
	[ "$(attached)" = "$1" ]
}

# settled DESC: only what was attached before is, and is remembered, and filters.
settled() {
	same "$1" "rx0 and rx0 auto, on, no trial" "$(attached) and $(remembered), \
$(filtering), $([ -e "$BPFPOL_STATE_DIR/tried" ] && echo a || echo no) trial"
}

is_over() {
	[ "$(bp status --json | jq .attach_confirm_in)" = null ]
}

add rx7 other7
expect_exit 0 bp policy rollback --due --dry-run
expect_out 'nothing to do'
expect_json "in JSON" '.outcome == "nothing to do"' bp policy rollback --due --dry-run --json
same "a dry run makes nothing" "" "$(find "$BPFPOL_STATE_DIR" "$BPFPOL_RUN_DIR" "$BPFPOL_CONF_DIR" 2>/dev/null)"
bp attach rx0 >/dev/null
bp block udp/1434 >/dev/null

# --- where systemd runs, and sees what we see: a timer of its own

mkdir "$WORLD/usr" "$WORLD/theirs"
cat >"$WORLD/usr/systemd-run" <<F
#!/bin/bash
printf '%s\n' "\$@" >"$WORLD/args"
env >"$WORLD/variables"
grep SigIgn /proc/self/status >"$WORLD/ignored"
exec $WORLD/does
F
printf '#!/bin/bash\ntouch "%s"\n' "$WORLD/was-theirs" >"$WORLD/theirs/systemd-run"
chmod +x "$WORLD"/*/systemd-run
does() {
	printf '#!/bin/bash\n%s\n' "$1" >"$WORLD/does"
	chmod +x "$WORLD/does"
}

# shellcheck disable=SC2016 # that shell expands it
# with_systemd COMMAND...: as its PID 1 would have us, with PATH and variables of somebody's.
with_systemd() {
	run_in rx env "PATH=$WORLD/theirs:$PATH" DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere LD_LIBRARY_PATH=/nowhere \
		"WORLD=$WORLD" unshare -mpf --mount-proc bash -c '
		mkdir -p /run/systemd && mount -t tmpfs none /run/systemd && mkdir /run/systemd/system &&
		mount -t overlay none -o "lowerdir=$WORLD/usr:/usr/bin" /usr/bin || exit 99
		"$@"' - "$BPFPOL" "$@"
}

does true
expect_exit 0 with_systemd attach rx7 --confirm 600
same "a timer" "--on-active=600s 1 1" "$(grep -e --on-active "$WORLD/args") \
$(grep -c "^--setenv=BPFPOL_STATE_DIR=$BPFPOL_STATE_DIR\$" "$WORLD/args") $(grep -c '^--unit=bpfpol-due-[0-9]*$' "$WORLD/args")"
check "and no process" none_waits
same "what it runs" "policy rollback --due" "$(tail -3 "$WORLD/args" | xargs)"
RUN=$(tail -4 "$WORLD/args" | head -1)
check "is this program" [ "$RUN" -ef "$BPFPOL" ]
check "nothing out of the caller's PATH" [ ! -e "$WORLD/was-theirs" ]
same "and none of the caller's variables" "" "$(grep -E 'nowhere|theirs' "$WORLD/variables")"
same "nor is SIGPIPE ignored there, as it is here" 0 $((0x$(cut -f2 "$WORLD/ignored") >> 12 & 1))
bp policy rollback >/dev/null
bp attach rx7 --confirm 2 >/dev/null
kill_waiters
expect_exit 0 bp policy rollback --due --dry-run
expect_out "^What 'attach' did last would be undone"
expect_exit 0 bp policy rollback --due # as the timer: too early, it waits
settled "the timer detaches"
for fault in 'exit 1' 'kill -SEGV $$' 'exec sleep 600'; do
	does "$fault"
	expect_exit 0 with_systemd attach rx7 --confirm 600
	same "systemd-run: $fault: attached all the same" "rx0 rx7" "$(attached)"
	expect_exit 0 bp policy rollback
done
settled "and taken back"

# --- a process: it is stopped beyond the time, dies as it is born, comes late, or twice

bp attach rx7 --confirm 1 >/dev/null
until_true waits
WAITER=$(waiters)
kill -STOP "$WAITER"
check "the next command need not wait for one that is stopped" until_true is_over
settled "it has detached"
kill -CONT "$WAITER"
check "who comes late goes" until_true none_waits
settled "and has done nothing"

bp attach rx7 --confirm 600 >/dev/null
until_true waits
WAITER=$(waiters)
kill -STOP "$WAITER"
bp policy rollback >/dev/null
bp attach rx7 --confirm 600 >/dev/null
kill -CONT "$WAITER"
bp policy confirm >/dev/null
check "one trial behind the other: who waited for either goes" until_true none_waits
same "and the second is kept" "rx0 rx7" "$(attached)"
bp detach rx7 >/dev/null

bp attach rx7 --confirm 600 >/dev/null
until_true waits
WAITER=$(waiters)
kill -STOP "$WAITER"
bp policy rollback >/dev/null
bp attach rx7 --confirm 1 >/dev/null
kill -CONT "$WAITER"
check "two that come at once" until_true none_waits
settled "detach once"

expect_exit 1 broken setsid:signal=KILL attach rx7 --confirm 600
expect_out 'cannot start what detaches again in time'
settled "nobody waits: nothing is tried"
expect_exit 1 broken fork,clone,clone3,vfork:error=EAGAIN attach rx7 --confirm 600
settled "nobody can be started: nothing is tried"

# The calendar is no matter within a boot.
for real in 1 9999999999999999999; do
	bp attach rx7 --confirm 600 >/dev/null
	kill_waiters
	python3 - "$BPFPOL_STATE_DIR/tried" $real <<'PY'
import re, sys, zlib
text = open(sys.argv[1]).read()
text = re.sub(r"(?m)^confirm (\d+) \d+", rf"confirm \1 {sys.argv[2]}", text[:text.rindex("end ")])
open(sys.argv[1], "w").write(text + "end %08x\n" % zlib.crc32(text.encode()))
PY
	LEFT=$(bp status --json | jq .attach_confirm_in)
	check "calendar at $real: $LEFT s left" [ "$LEFT" -gt 500 -a "$LEFT" -le 600 ]
	bp policy rollback >/dev/null
done

# What stands in the way of who comes is gone a moment later.
bp attach rx7 --confirm 3 >/dev/null
until_true waits
WAITER=$(waiters)
mv "$BPFPOL_RUN_DIR" "$WORLD/kept"
touch "$BPFPOL_RUN_DIR"
expect_exit 1 bp block udp/7
check "it finds no run directory when the time has come" until_true grep -q nanosleep "/proc/$WAITER/wchan"
rm "$BPFPOL_RUN_DIR"
mv "$WORLD/kept" "$BPFPOL_RUN_DIR"
check "and tries again" until_true none_waits
settled "it is detached"

# A disk that cannot be written keeps nothing attached.
bp attach rx7 --confirm 1 >/dev/null
kill_waiters
mount --bind "$BPFPOL_STATE_DIR" "$BPFPOL_STATE_DIR"
mount -o remount,bind,ro "$BPFPOL_STATE_DIR"
check "the disk cannot be written: the time is over" until_true is_over
same "and it is detached" rx0 "$(attached)"
umount "$BPFPOL_STATE_DIR"
bp status >/dev/null
settled "and written down as soon as that can be"

# --- interfaces that go, come again, or take another's name

bp attach rx7 --confirm 2 >/dev/null
run_in rx ip link del rx7
check "it went: nobody waits any more" until_true none_waits
settled "nothing is left of it"

# its_name NAME NEW
its_name() {
	run_in rx ip link set "$1" down
	run_in rx ip link set "$1" name "$2"
	run_in rx ip link set "$2" up
}

add rx7 other7
bp attach rx7 --confirm 600 >/dev/null
its_name rx7 wan7
bp policy rollback >/dev/null
settled "it has another name: detached all the same"

its_name wan7 rx7
add rx8 other8
bp attach rx8 >/dev/null
bp attach rx7 rx8 --confirm 600 >/dev/null
its_name rx7 old7
its_name rx8 rx7
bp policy rollback >/dev/null
same "what was attached before has its name: it stays" "rx0 rx7" "$(attached)"

finish
