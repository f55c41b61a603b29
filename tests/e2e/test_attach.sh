#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Which interfaces are filtered: attach, detach, two at once, none.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# on_second FRAME-CHECK...: the same by the second pair.
on_second() {
	TX=tx1 RX=rx1 "$@"
}

add_pair tx1 rx1 78

# has IFACE: prints native, generic or none.
has() {
	case $(run_in rx ip -o link show "$1") in
	*xdpgeneric*) echo generic ;;
	*xdp*) echo native ;;
	*) echo none ;;
	esac
}

# Without hardware and without a default route there is nothing to begin with.
run_in rx ip route del default
BEFORE=$(snapshot)
expect_exit 3 bp block udp/1434
expect_out 'attach'
unchanged "block without an interface" "$BEFORE"

expect_exit 3 bp attach nosuch0
expect_out 'to come give a pattern in quotes, .* bpfpol.conf behind .interfaces =.$'
expect_exit 3 bp attach rx0 nosuch0
same "all or none" none "$(has rx0)"
expect_exit 3 bp detach rx0

expect_exit 0 bp attach rx0
expect_out 'native'
same "native" native "$(has rx0)"
expect_exit 0 bp attach rx0
expect_exit 0 bp block udp/1434
blocked dport=1434
on_second passes dport=1434
same "the other one is left alone" none "$(has rx1)"

expect_exit 0 bp attach rx1 --mode generic
same "generic" generic "$(has rx1)"
on_second blocked dport=1434
on_second blocked "${V6[@]}" dport=1434
on_second passes dport=1435
expect_json "status names both" '[.interfaces[] | {(.name): .ingress}] | add
	| .rx0 == "xdp-native" and .rx1 == "xdp-generic"' bp status --json
expect_json "and what leaves" '[.interfaces[] | {(.name): .egress}] | add
	| .rx0 == env.TC and .rx1 == env.TC' bp status --json
OUT=$(bp interfaces)
expect_out 'rx0.*native'
expect_out 'rx1.*generic'

# A rule for one of them.
expect_exit 0 bp block on rx1 udp/53
passes dport=53
on_second blocked dport=53
expect_exit 3 bp block on nosuch0 udp/53
expect_out 'nosuch0'
same "and points at it" "     ^^^^^^^" "$(tail -n 1 <<<"$OUT")"

expect_exit 0 bp detach rx0
passes dport=1434
on_second blocked dport=1434
same "detached" none "$(has rx0)"
expect_exit 3 bp detach rx0
expect_exit 3 bp detach nosuch0
expect_exit 0 bp attach 'rx*'
same "a pattern" native "$(has rx0)"
blocked dport=1434
on_second blocked dport=1434
# What was taken out of a pattern stays out.
expect_exit 0 bp detach rx0
expect_exit 0 bp off
expect_exit 0 bp on
same "not brought back by its pattern" none "$(has rx0)"
same "the others are" generic "$(has rx1)"
expect_exit 0 bp attach 'rx*'
expect_exit 0 bp off
expect_exit 0 bp on
same "the pattern given again takes it in" native "$(has rx0)"
# What nothing is filtered by is forgotten, and that is said.
expect_exit 0 bp attach 'none*'
expect_exit 0 bp detach 'none*' --dry-run
expect_out "^Nothing is filtered as 'none\*'; it would be forgotten"
expect_json "said in JSON" '.detached == [] and .forgotten == ["none*"]' bp detach 'none*' --json
expect_exit 3 bp detach 'none*'
expect_exit 0 bp off
expect_exit 0 bp detach rx1
expect_out "^Nothing is filtered as 'rx1'; it is forgotten"
expect_exit 0 bp detach rx0 # by its pattern alone
expect_exit 3 bp detach rx0
expect_exit 0 bp on
same "forgotten while off, also where a pattern stands on" "none none" "$(has rx1) $(has rx0)"
expect_exit 0 bp attach rx1 --mode generic
expect_exit 0 bp attach 'rx*'
# A dry run refuses what the run would refuse.
expect_exit 2 bp attach lo
expect_exit 2 bp attach lo --dry-run
expect_exit 1 bp attach rx1 --mode native --dry-run
expect_exit 2 bp attach
expect_exit 2 bp attach $'rx*\nrx1 native' # it would end a line of what is remembered
expect_out "no interface's name has a blank"
expect_exit 2 bp attach rx0 --mode fast
expect_out 'fast'

# Nothing attached yet: the default route says where to begin.
expect_exit 0 bp detach rx0 rx1
run_in rx ip route add default via 10.78.0.1
expect_exit 0 bp block udp/1435
same "at the default route" native "$(has rx1)"
same "and nowhere else" none "$(has rx0)"
on_second blocked dport=1435
on_second blocked dport=1434
passes dport=1434

# A pattern that is detached brings nothing back that was taken out of another one.
expect_exit 0 bp attach 'rx?'
expect_exit 0 bp detach rx0
expect_exit 0 bp detach 'rx*'
expect_exit 0 bp restore
same "all of them stay off" "none none" "$(has rx0) $(has rx1)"
expect_exit 0 bp detach 'rx?'
check "and nothing is left to be remembered" [ ! -s "$BPFPOL_STATE_DIR/interfaces" ]

# A pattern forgets names that it holds and that are not filtered now: while that is off, or as they are not there.
expect_exit 0 bp attach rx0 rx1
expect_exit 0 bp off
expect_exit 0 bp detach 'rx*' --dry-run
expect_out "^Nothing is filtered as 'rx0'; it would be forgotten"
expect_json "said in JSON" '.detached == [] and .forgotten == ["rx0", "rx1"]' bp detach 'rx*' --json
expect_exit 3 bp detach 'rx*'
expect_exit 0 bp on
same "names that were forgotten while off" "none none" "$(has rx0) $(has rx1)"
add_pair tx5 rx5 75
expect_exit 0 bp attach rx0 rx5
run_in rx ip link del rx5
expect_exit 0 bp detach 'rx*'
expect_out "^Nothing is filtered as 'rx5'; it is forgotten"
check "nor is one remembered that is not there" [ ! -s "$BPFPOL_STATE_DIR/interfaces" ]
# What another pattern holds is kept out of it.
add_pair tx5 rx5 75
expect_exit 0 bp attach 'rx?' rx5
run_in rx ip link del rx5
expect_exit 0 bp off
expect_exit 0 bp detach 'rx*'
expect_out "^Nothing is filtered as 'rx1'; it is forgotten"
expect_exit 3 bp detach 'rx*'
add_pair tx5 rx5 75
expect_exit 0 bp on
same "taken out of the other pattern" "none none none" "$(has rx0) $(has rx1) $(has rx5)"
run_in rx ip link del rx5
expect_exit 0 bp detach 'rx?'
expect_out "^Nothing is filtered as 'rx.'; it is forgotten"
check "which is forgotten by its own word" [ ! -s "$BPFPOL_STATE_DIR/interfaces" ]

# bpfpol.conf says otherwise, and is no file of the program's.
expect_exit 3 bp detach 'rx*'
echo 'interfaces = rx0' >"$BPFPOL_CONF_DIR/bpfpol.conf"
expect_exit 0 bp block udp/1437
expect_out '^Attached rx0: '
same "not at the default route" none "$(has rx1)"
expect_exit 0 bp off
expect_exit 0 bp on
same "on puts it back" native "$(has rx0)"
expect_exit 0 bp detach rx0
expect_exit 0 bp restore
same "what is detached stays so" none "$(has rx0)"
expect_exit 0 bp attach rx0 --mode generic # a mode of our own for what it names
expect_exit 0 bp detach rx0
expect_exit 0 bp restore
same "what is detached stays so, whichever way it was attached" none "$(has rx0)"
expect_exit 0 bp attach rx0 rx1
rm "$BPFPOL_CONF_DIR/bpfpol.conf"

# An interface goes while it is filtered: what is left works on.
expect_exit 0 bp attach rx0
run_in rx ip link del rx1
expect_exit 0 bp block udp/1436
blocked dport=1436
expect_exit 0 bp status

# Half of it was taken off by someone else: it comes back, also where the mode is named.
for mode in native generic tc; do
	bp detach rx0 >/dev/null 2>&1
	expect_exit 0 bp attach rx0 --mode $mode
	rm "$BPFPOL_BPFFS"/links/tc-out-*
	expect_exit 0 bp attach rx0 --mode $mode
	expect_json "what leaves is filtered again" '.interfaces[] | select(.name == "rx0")
		| .egress == env.TC' bp status --json
done
# Till then a change that it concerns says so.
for half in tc-in:arrives:in:out tc-out:leaves:out:in; do
	IFS=: read -r pin what way other <<<"$half"
	rm "$BPFPOL_BPFFS/links/$pin"-*
	for words in "block $way udp/1437" "remove $way udp/1437" "block inout udp/1437" "policy assign local"; do
		# shellcheck disable=SC2086
		expect_exit 0 bp $words
		[[ $words = remove* ]] || expect_out "warning: what $what is not filtered on every interface"
	done
	expect_exit 0 bp remove inout udp/1437
	same "$pin: what goes the other way is filtered" "" "$(bp block "$other" udp/1437 2>&1 >/dev/null)"
	expect_exit 0 bp attach rx0
	same "$pin: all is filtered again" 0 "$(bp policy assign local 2>&1 | grep -c "not filtered")"
	expect_exit 0 bp remove "$other" udp/1437
done

# One whose pins were taken away, and which somebody holds, is not said to be another's.
bp detach rx0 >/dev/null 2>&1
expect_exit 0 bp attach rx0 --mode native
"$BPFTOOL" link pin id "$("$BPFTOOL" -j link show pinned "$(echo "$BPFPOL_BPFFS"/links/xdp-*)" | jq .id)" "$WORLD/bpf/held"
rm -r "$BPFPOL_BPFFS/links"
expect_exit 0 bp interfaces
expect_out "rx0 .*bpfpol's XDP program is there without its pin"
rm "$WORLD/bpf/held"
expect_exit 0 bp attach rx0

# Who gives no mode changes none: what is attached comes back after a boot as it was asked for, by its name or by a
# pattern. What is not attached is attached by default.
boot_is() {
	fresh_bpffs
	expect_exit 0 bp restore
	same "$1" "$2" "$(has rx0)"
}

bp detach rx0 >/dev/null 2>&1
bp attach rx0 --mode generic >/dev/null
expect_exit 0 bp attach rx0
expect_out 'rx0 is already attached: generic'
boot_is "no mode: the one that was given stays" generic
expect_exit 0 bp attach 'rx*' --mode generic
expect_exit 0 bp attach 'rx*'
expect_exit 0 bp detach rx0
expect_exit 0 bp attach rx0
boot_is "what was taken off is attached by default" native
expect_exit 0 bp detach 'rx*'
bp detach rx0 >/dev/null 2>&1
expect_exit 0 bp attach 'rx*' --mode generic
expect_exit 0 bp attach 'rx*'
boot_is "no mode: that of a pattern stays" generic
expect_exit 0 bp attach rx0
boot_is "that of a pattern is its names' too" generic

# One that came and that nobody has attached was not taken off.
add_pair tx9 rx9 99
expect_json "one that came is not attached yet" '.interfaces[] | select(.name == "rx9").why
	| startswith("not attached yet, or taken off")' bp interfaces --json

# Of several words that hold one name the mode comes back that it was attached with.
expect_exit 0 bp detach rx0
expect_exit 0 bp detach 'rx*'
expect_exit 0 bp attach 'rx*' --mode tc
expect_exit 0 bp detach rx0
expect_exit 0 bp attach 'rx0*' --mode generic
boot_is "an older pattern gives no other mode" generic
expect_exit 0 bp detach 'rx0*'
expect_exit 0 bp attach 'rx?'
expect_out '^Attached rx0: native'
boot_is "nor where none was asked for" native
expect_exit 0 bp detach 'rx?'
expect_exit 0 bp detach 'rx*'
expect_exit 0 bp attach 'rx*' --mode generic
expect_exit 0 bp detach rx9
expect_exit 0 bp attach 'rx*'
boot_is "what is attached keeps its mode where its pattern is given again" generic
same "and what comes by it has its own" native "$(has rx9)"
expect_exit 0 bp detach 'rx*'
check "nothing is left of that" [ ! -s "$BPFPOL_STATE_DIR/interfaces" ]

# What bpfpol.conf names is not forgotten, and that is said.
echo "interfaces = zz*" >"$BPFPOL_CONF_DIR/bpfpol.conf"
expect_exit 0 bp detach 'zz*'
expect_out "warning: bpfpol.conf names 'zz\*': what comes by it later is filtered"
expect_json "nor in JSON" '.forgotten == []' eval "bp detach 'zz*' --json 2>/dev/null"
rm "$BPFPOL_CONF_DIR/bpfpol.conf"

# A change looks at all interfaces, and opens no more pins for it with more of them.
# opened COMMAND...: how many pins of links it opens.
opened() {
	run_in rx strace -f -qq -o "$WORLD/calls" -e trace=bpf "$BPFPOL" "$@" >/dev/null 2>&1
	grep -c 'BPF_OBJ_GET, .*/links/' "$WORLD/calls"
}

bp attach rx0 >/dev/null 2>&1
FEW=$(opened block in udp/1441)
for n in 81 82 83; do add_pair "tx$n" "rx$n" "$n"; done
expect_exit 0 bp attach rx81 rx82 rx83
same "no more pins are opened with more interfaces" "$FEW" "$(opened block in udp/1442)"
blocked dport=1442

finish
