#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What a reboot takes, pins and /run, comes back from disk; a torn journal costs its tail alone;
# and where no bpffs is mounted, the program mounts one.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# left_by_reboot: of our programs.
left_by_reboot() {
	reboot
	run_in rx ip -o link show rx0 | grep -c xdp
}

rules() {
	bp status --json | jq -c '[.rules[] | [.id, .action, .filter, .name]] | sort'
}

printf '198.51.100.1\n198.51.100.2\n2001:db8::/32\n' >"$WORLD/list"
bp block udp/1433 >/dev/null
bp block udp/1434 name "Slammer" >/dev/null
bp block "@$WORLD/list" >/dev/null
bp permit tcp/22 from "$TX4" for 1h >/dev/null
bp block tcp/22 >/dev/null
bp remove udp/1433 >/dev/null
rm "$WORLD/list"
BEFORE=$(rules)
same "no program is left" 0 "$(left_by_reboot)"
passes dport=1434
expect_exit 0 bp attach rx0
same "the same rules, with their ids" "$BEFORE" "$(rules)"
blocked dport=1434
blocked "${V6[@]}" dport=1434
blocked src=198.51.100.2
blocked src=2001:db8::7 "dst=$RX6"
passes proto=tcp dport=22
blocked proto=tcp dport=22 src=10.77.0.9
passes dport=1433
LAST=$(jq '[.[][0]] | max' <<<"$BEFORE")
expect_exit 0 bp block udp/53
check "ids go on" [ "$(bp status --json | jq '[.rules[].id] | max')" -gt "$LAST" ]

# The first command after a reboot may also be the next rule.
BEFORE=$(rules)
same "no program is left" 0 "$(left_by_reboot)"
expect_exit 0 bp block udp/54
blocked dport=54
blocked dport=1434
same "the old rules too" "$BEFORE" "$(bp remove udp/54 >/dev/null; rules)"
same "no program is left" 0 "$(left_by_reboot)"
expect_exit 0 bp off
expect_exit 0 bp on
blocked dport=1434
same "on puts them in force as well" "$BEFORE" "$(rules)"

# One that comes before `restore` finds what is remembered, and not what would be usual: that was taken off.
add_pair tx1 rx1 78
bp attach rx1 >/dev/null
bp detach rx0 >/dev/null
for command in "block udp/55" "block --dry-run udp/56" "block udp/57 --confirm 60" "permit udp/58"; do
	same "no program is left" 0 "$(left_by_reboot)"
	# shellcheck disable=SC2086
	expect_exit 0 bp $command
	expect_out 'ttach(ed)? rx1'
	case $command in
	*dry-run*)
		same "a dry run attaches nothing" '' "$(bp interfaces --json | jq -r '.interfaces[] | select(.ingress != "none") | .name')"
		;;
	*--confirm*)
		TX=tx1 RX=rx1 blocked dport=57
		expect_exit 0 bp policy rollback
		TX=tx1 RX=rx1 passes dport=57
		;;
	esac
	[[ $command == *dry-run* ]] || TX=tx1 RX=rx1 blocked dport=1434
	passes dport=1434
	same "$command: remembered" "rx1 auto" "$(remembered)"
done
# Where none of them can be filtered the change is not made.
bp detach rx1 >/dev/null
bp attach rx1 --mode native >/dev/null
same "no program is left" 0 "$(left_by_reboot)"
# shellcheck disable=SC2317 # expect_exit calls it
refusing() { REFUSE=native LD_PRELOAD=${REFUSE_SO:-$TOP/build/tests/refuse.so} "$@"; }
expect_exit 1 refusing run_in rx "$BPFPOL" block udp/59
expect_out 'rx1 is NOT filtered'
expect_out 'none of the interfaces that are remembered can be filtered'
expect_exit 0 bp block udp/60
expect_out 'Attached rx1'
TX=tx1 RX=rx1 blocked dport=60
TX=tx1 RX=rx1 passes dport=59
bp detach rx1 >/dev/null
bp attach rx0 >/dev/null
run_in rx ip link del rx1

# The journal: a tail of garbage costs nothing. Half a record is one that the kernel has in force: no command
# drops it by the way.
JOURNAL=$BPFPOL_STATE_DIR/journal
for damage in garbage half; do
	bp block udp/3000 >/dev/null
	bp block udp/3001 >/dev/null
	expected=bbb
	case $damage in
	garbage) printf 'xx\0yy' >>"$JOURNAL" ;;
	half)
		truncate -s -9 "$JOURNAL"
		expect_exit 1 bp block udp/4000
		expect_out "'bpfpol restore' goes on without them"
		same "half: all is as it was" bbp \
			"$(verdicts "$(frame dport=3000)" "$(frame dport=3001)" "$(frame dport=4000)")"
		expect_exit 1 bp restore
		expected=bpb
		;;
	esac
	expect_exit 0 bp block udp/4000
	same "$damage: the rest is in force" "$expected" \
		"$(verdicts "$(frame dport=3000)" "$(frame dport=3001)" "$(frame dport=4000)")"
	same "$damage: and listed" "$(tr -dc b <<<"$expected" | wc -c)" \
		"$(bp list | grep -cE 'port (3000|3001|4000)')"
	blocked dport=1434
	for port in 3000 3001 4000; do bp remove "udp/$port" >/dev/null 2>&1; done
done
# The same after a reboot, where the kernel knows nothing better.
bp block udp/3000 >/dev/null
bp block udp/3001 >/dev/null
bp block udp/3002 >/dev/null
sed -i 's/3001/3009/' "$JOURNAL"
same "no program is left" 0 "$(left_by_reboot)"
expect_exit 0 bp attach rx0
blocked dport=3000
for port in 3001 3002 3009; do passes "dport=$port"; done
blocked dport=1434

# A directory that is on no bpffs gets one of its own.
expect_exit 0 bp off
umount "$WORLD/bpf"
export BPFPOL_BPFFS=$WORLD/own/pins BPFPOL_STATE_DIR=$WORLD/lib2 BPFPOL_CONF_DIR=$WORLD/etc2
expect_exit 0 bp block udp/5000
same "a bpffs" bpf_fs "$(stat -f -c %T "$BPFPOL_BPFFS")"
same "for root alone" "drwx-----" "$(stat -c %.9A "$BPFPOL_BPFFS")"
blocked dport=5000
expect_exit 0 bp block udp/5001
blocked dport=5001
same "one mount" 1 "$(grep -c " $BPFPOL_BPFFS bpf " /proc/self/mounts)"

finish
