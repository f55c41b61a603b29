#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `off` where what is pinned cannot be believed: the directory may be written to by others, is
# another user's, a link, or is hidden below another bpffs. The kernel is asked what filters;
# nothing that was put there is read, and whoever else filters goes on.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# on_xdp IFACE: whether a program is on XDP there.
on_xdp() {
	run_in rx ip -o link show "$1" 2>/dev/null | grep -c xdp
}

# goes_off WHAT [PATTERN]: all passes, nothing is attached, and that is written down. It says that.
goes_off() {
	expect_exit 0 bp off
	[ -z "${2:-}" ] || expect_out "warning: the kernel was asked what filters, .*$2"
	same "$1: no program" 0 "$(on_xdp rx0)"
	passes dport=1434
	passes "${V6[@]}" dport=1434
	leaves dport=1434
	expect_exit 0 bp off
	check "$1: it is written down" test -e "$BPFPOL_STATE_DIR/off"
}

# back WHAT: what was there is, and `on` brings it back.
back() {
	expect_json "$1: it is off, and off everything" \
		'.off and all(.interfaces[]; .ingress == "none" and .egress == "none")' bp status --json
	expect_exit 0 bp restore
	passes dport=1434
	expect_exit 0 bp on
	blocked dport=1434
	blocked "${V6[@]}" dport=1434
	stopped dport=1434
	passes dport=53
	same "$1: attached as before" "1 $TC" "$(on_xdp rx0) $(bp status --json | jq -r '.interfaces[0].egress')"
}

expect_exit 0 bp attach rx0
expect_exit 0 bp block udp/1434
expect_exit 0 bp block out udp/1434
blocked dport=1434

# A filter of another store in the same namespace, which is not ours to stop.
OTHER=(env "BPFPOL_CONF_DIR=$WORLD/etc2" "BPFPOL_STATE_DIR=$WORLD/lib2" "BPFPOL_BPFFS=$WORLD/bpf2"
	"BPFPOL_RUN_DIR=$WORLD/run2" nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL")
add_pair tx1 rx1 78
expect_exit 0 "${OTHER[@]}" attach rx1
expect_exit 0 "${OTHER[@]}" block udp/1434
expect_exit 0 "${OTHER[@]}" block udp/1435

chmod 777 "$BPFPOL_BPFFS"
expect_exit 1 bp status
goes_off "mode 0777" 'can be written by others'
expect_exit 1 bp on
expect_out 'can be written by others'
expect_exit 1 bp restore
passes dport=1434
chmod 700 "$BPFPOL_BPFFS"
back "mode 0777"

chown 65534 "$BPFPOL_BPFFS"
goes_off "another user's" 'belongs to another user'
chown 0 "$BPFPOL_BPFFS"
back "another user's"

# Ours is moved away, and in its place stands another's, with a control word of theirs.
mv "$BPFPOL_BPFFS" "$WORLD/bpf/away"
mkdir -p "$BPFPOL_BPFFS/links"
"$BPFTOOL" map create "$BPFPOL_BPFFS/ctl" type array key 4 value 256 entries 1 name ctl flags 0x400
chown -R 65534 "$BPFPOL_BPFFS"
BEFORE=$("$BPFTOOL" map dump pinned "$BPFPOL_BPFFS/ctl")
goes_off "planted"
same "planted: it is not written to" "$BEFORE" "$("$BPFTOOL" map dump pinned "$BPFPOL_BPFFS/ctl")"
rm -r "$BPFPOL_BPFFS"
mv "$WORLD/bpf/away" "$BPFPOL_BPFFS"
back "planted"

mv "$BPFPOL_BPFFS" "$WORLD/bpf/away"
ln -s "$WORLD/bpf/away" "$BPFPOL_BPFFS"
goes_off "a link" 'symbolic link'
rm "$BPFPOL_BPFFS"
mv "$WORLD/bpf/away" "$BPFPOL_BPFFS"
back "a link"

# Another bpffs over it, where nothing is pinned.
mount -t bpf bpf "$WORLD/bpf"
goes_off "hidden"
umount "$WORLD/bpf"
back "hidden"

# One that was loaded while ours was hidden filters beside it; both stop, by the pins of either. What is pinned in a
# bpffs goes at some time after its last mount: so it has another one while it is out of sight.
mkdir "$WORLD/kept"
for top in hidden shown; do
	mount -t bpf bpf "$WORLD/bpf"
	expect_exit 0 bp block out udp/1435
	blocked dport=1434
	[ "$TC" = clsact ] || stopped dport=1435 # there it is said that it is not
	mount --bind "$WORLD/bpf" "$WORLD/kept"
	[ "$top" = hidden ] || umount "$WORLD/bpf"
	expect_exit 1 bp off --confirm 9
	expect_out "another filter of this store is loaded, .*'bpfpol off' without it"
	blocked dport=1434
	expect_exit 0 bp off
	passes dport=1434
	leaves dport=1435
	leaves dport=1434
	same "$top, two of ours: no program" 0 "$(on_xdp rx0)"
	umount "$WORLD/kept"
	[ "$top" = shown ] || umount "$WORLD/bpf"
	expect_exit 0 bp on
	expect_exit 0 bp remove out udp/1435
	expect_exit 0 bp off
	back "$top, two of ours"
	expect_exit 0 bp off --confirm 9
	expect_exit 0 bp on
done

# Filters in a clsact qdisc outlive their pins, and are found likewise.
if [ "$TC" = clsact ]; then
	rm -r "$BPFPOL_BPFFS/links" "$BPFPOL_BPFFS/ctl"
	goes_off "clsact, without pins"
	expect_exit 0 bp on
	blocked dport=1434
fi

# A program that the kernel does not let be looked at: what else is found is stopped all the same, and that there may
# be more is said. The run directory is none, so that it is done once.
chmod 777 "$BPFPOL_BPFFS"
OURS=$(for pin in "$BPFPOL_BPFFS"/bpfpol_*; do "$BPFTOOL" -j prog show pinned "$pin" | jq .id; done)
touch "$WORLD/no-run"
BPFPOL_RUN_DIR=$WORLD/no-run run_in rx strace -f -qq -o "$WORLD/calls" -e trace=bpf "$BPFPOL" off >/dev/null 2>&1
AT=$(grep -n BPF_PROG_GET_FD_BY_ID "$WORLD/calls" | grep -vE "prog_id=($(paste -sd'|' <<<"$OURS"))\b" | head -1 | cut -d: -f1)
chmod 700 "$BPFPOL_BPFFS"
expect_exit 0 bp on
blocked dport=1434
chmod 777 "$BPFPOL_BPFFS"
BPFPOL_RUN_DIR=$WORLD/no-run expect_exit 1 run_in rx strace -f -qq -o /dev/null \
	-e "inject=bpf:error=EIO:when=${AT:-1}" "$BPFPOL" off
expect_out 'NOT be stopped everywhere: cannot ask the kernel which programs it has loaded'
same "what is found is off all the same" 0 "$(on_xdp rx0)"
passes dport=1434
leaves dport=1434
expect_exit 0 bp off
chmod 700 "$BPFPOL_BPFFS"
back "one that cannot be asked"

# refusing WORD COMMAND...: see tests/preload/refuse.c.
# shellcheck disable=SC2317 # expect_exit calls it
refusing() {
	REFUSE="$REFUSE $1" LD_PRELOAD=${REFUSE_SO:-$TOP/build/tests/refuse.so} run_in rx "$BPFPOL" "${@:2}"
}

# Once more where the kernel has no memory for the last question: behind it there is none.
chmod 777 "$BPFPOL_BPFFS"
BPFPOL_RUN_DIR=$WORLD/no-run expect_exit 0 refusing last off
same "no memory: what is found is off" 0 "$(on_xdp rx0)"
chmod 700 "$BPFPOL_BPFFS"
back "no memory"

# Another version filters in another network namespace, which is nothing to us: that ours cannot be taken off is no
# more than that. In this one it goes on filtering.
elsewhere() {
	local space=$1

	shift
	BPFPOL_CONF_DIR=$WORLD/etc4 BPFPOL_STATE_DIR=$WORLD/lib4 BPFPOL_BPFFS=$WORLD/bpf4 BPFPOL_RUN_DIR=$WORLD/run4 \
		run_in "$space" "$@"
}

# older SPACE IFACE
older() {
	expect_exit 0 elsewhere "$1" "$BPFPOL" attach "$2"
	expect_exit 0 elsewhere "$1" "$BPFPOL" block udp/1436
	BPFPOL_BPFFS=$WORLD/bpf4 abi_is 0x63
}

# younger: it goes.
younger() {
	BPFPOL_BPFFS=$WORLD/bpf4 abi_is "$ABI"
	elsewhere "$1" "$BPFPOL" off >/dev/null 2>&1
	umount "$WORLD/bpf4"
	rm -rf "$WORLD/lib4"
}

ABI=$("$BPFTOOL" -j map lookup pinned "$BPFPOL_BPFFS/ctl" key 0 0 0 0 | jq -r '.value[24]')
add_pair tx2 rx2 79
older tx tx2
for mode in 700 777; do
	rm -f "$BPFPOL_STATE_DIR/off"
	chmod $mode "$BPFPOL_BPFFS"
	expect_exit 0 refusing detach off
	[ "$TC" = clsact ] || expect_out 'lets every packet pass, but stays on the interfaces'
	check "mode $mode, another version elsewhere: it is written down" test -e "$BPFPOL_STATE_DIR/off"
	passes dport=1434
	leaves dport=1434
	expect_exit 0 bp off
	chmod 700 "$BPFPOL_BPFFS"
	back "mode $mode, another version elsewhere"
done
younger tx
older rx rx2
chmod 777 "$BPFPOL_BPFFS"
BPFPOL_RUN_DIR=$WORLD/no-run expect_exit 1 refusing detach off
expect_out 'could NOT be stopped everywhere'
passes dport=1434
expect_exit 0 bp off
same "another version's here is off, too" 0 "$(on_xdp rx2)"
chmod 700 "$BPFPOL_BPFFS"
back "another version here"
younger rx

# The last resort: what is there is removed, and `on` begins anew.
chmod 777 "$BPFPOL_BPFFS"
goes_off "mode 0777, and then removed"
rm -r "$BPFPOL_BPFFS"
back "removed"

# And a boot knows of it.
chmod 777 "$BPFPOL_BPFFS"
goes_off "before a boot"
reboot
back "after a boot"

# A store that does not say which one it is: the place and the namespace do.
chmod 777 "$BPFPOL_BPFFS"
mv "$BPFPOL_STATE_DIR" "$WORLD/away"
touch "$BPFPOL_STATE_DIR"
expect_exit 0 bp off
expect_out 'warning: .*reboot'
same "no store: no program" 0 "$(on_xdp rx0)"
passes dport=1434
rm "$BPFPOL_STATE_DIR"
mv "$WORLD/away" "$BPFPOL_STATE_DIR"
chmod 700 "$BPFPOL_BPFFS"
back "no store"

# Who has another store is told whose filter it is.
chmod 777 "$BPFPOL_BPFFS"
mkdir "$WORLD/empty"
BPFPOL_STATE_DIR=$WORLD/empty BPFPOL_RUN_DIR=$WORLD/run3 expect_exit 1 bp off
expect_out "another store, in $WORLD/lib.*BPFPOL_STATE_DIR"
blocked dport=1434
check "the other filter went on all the time" [ -e "$WORLD/bpf2/ctl" ]
expect_json "and is not off" '.off == false and (.rules | length) == 2' "${OTHER[@]}" status --json
same "and is attached" 1 "$(on_xdp rx1)"

finish
