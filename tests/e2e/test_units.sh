#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The systemd units: as installed they are sound and confined, and `restore` can live with that.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

DEST=$WORLD/dest
UNITS=$DEST/usr/local/lib/systemd/system
OUT=$(make -C "$TOP" -s install DESTDIR="$DEST" BUILD="$(dirname "$BPFPOL")" 2>&1) ||
	nok "make install" "$OUT"
same "the units" "bpfpol-agent.service bpfpol-late.service bpfpol.service" "$(cd "$UNITS" && echo *)"
same "nothing is left to be filled in" 0 "$(grep -c '@[A-Z]*@' "$UNITS"/* | grep -vc ':0$')"
check "the program they start" [ -x "$DEST$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' \
	"$UNITS/bpfpol.service")" ]
# systemctl stop does nothing, so that it does not open the host.
same "nothing runs at their stop" 0 "$(cat "$UNITS"/* | grep -c '^ExecStop')"
same "they stay active" 2 "$(cat "$UNITS"/* | grep -c '^RemainAfterExit=yes')"
check "the agent comes behind" grep -q '^After=bpfpol.service ' "$UNITS/bpfpol-agent.service"
check "and says when it is ready" grep -q '^Type=notify$' "$UNITS/bpfpol-agent.service"
check "goes before others, as it cannot ask for that itself" grep -q '^Nice=-10$' "$UNITS/bpfpol-agent.service"
check "before the network" grep -q '^Before=network-pre.target' "$UNITS/bpfpol.service"

# Taken away again: nothing but directories is left, and what is not ours.
FILES=$(cd "$DEST" && find . ! -type d | sort)
echo mine >"$DEST/usr/local/sbin/other"
check "make uninstall" make -C "$TOP" -s uninstall DESTDIR="$DEST"
same "leaves what it has not put there" ./usr/local/sbin/other "$(cd "$DEST" && find . ! -type d)"
rm "$DEST/usr/local/sbin/other"
make -C "$TOP" -s install DESTDIR="$DEST" BUILD="$(dirname "$BPFPOL")" >/dev/null
same "and comes again" "$FILES" "$(cd "$DEST" && find . ! -type d | sort)"

# Where program and manual are installed elsewhere, systemd-analyze must find them there.
sed -i "s,=/usr/local/sbin,=$DEST/usr/local/sbin," "$UNITS"/*
if ! command -v systemd-analyze >/dev/null; then
	skip "systemd-analyze" "it is not here"
else
	cd "$UNITS" || exit 1
	export MANPATH=$DEST/usr/local/share/man
	command -v man >/dev/null && MAN=yes || MAN=no
	for unit in *.service; do
		check "$unit: verify" systemd-analyze verify --man="$MAN" "./$unit"
		OUT=$(systemd-analyze security --offline=true "./$unit" 2>&1)
		score=$(sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p' <<<"$OUT")
		echo "# $unit: $score"
		check "$unit: scores 4 or better" awk -v score="${score:-10}" 'BEGIN { exit score > 4 }'
	done
	cd "$WORLD" || exit 1
fi

# Every system call of restore and every kind of socket is one that the unit allows.
bp block udp/1434 >/dev/null
bp policy assign local >/dev/null
fresh_bpffs
rm -rf "$BPFPOL_RUN_DIR"
run_in rx strace -f -qq -o trace "$BPFPOL" restore >/dev/null
# ...and of the agent, which is asked something, attaches, and is told to end.
strace -f -qq -o trace.agent nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" agent 2>agent.log &
STRACE=$!
until_true grep -qs 'follows the interfaces' agent.log || nok "the agent begins" "$(cat agent.log)"
bp attach 'port*' >/dev/null
add_pair tx1 port1 78
agent_said '^port1: native XDP'
check "it is asked" bp agent status
kill "$(bp agent status --json | jq .pid)"
wait $STRACE
same "the agent ends with" 0 $?
sed '1,/agent.lock/d' trace.agent >>trace # what nsenter does is not the unit's
sed -E 's/^[0-9]+ +//; s/\(.*//' trace | grep -E '^[a-z_0-9]+$' | sort -u >used
if command -v systemd-analyze >/dev/null; then
	systemd-analyze syscall-filter >filters
	# allowed NAME: the calls of that set, and of the sets in it.
	allowed() {
		local name

		sed -n "/^$1\$/,/^\$/p" filters | sed 1d | grep -v '#' | while read -r name; do
			case $name in @*) allowed "$name" ;; *) echo "$name" ;; esac
		done
	}
	{
		allowed @default
		sed -n 's/^SystemCallFilter=//p' "$UNITS/bpfpol.service" | tr ' ' '\n' |
			while read -r name; do
				case $name in @*) allowed "$name" ;; *) echo "$name" ;; esac
			done
	} | sort -u >may
	same "system calls that the unit forbids" "" "$(comm -23 used may | xargs)"
	check "there are some" [ "$(wc -l <used)" -gt 20 ]
else
	skip "system calls" "systemd-analyze is not here"
fi
FAMILIES=$(sed -n 's/^RestrictAddressFamilies=//p' "$UNITS/bpfpol.service" | tr ' ' '|')
same "sockets that the unit forbids" "" "$(grep -o 'socket(AF_[A-Z0-9]*' trace | sort -u |
	grep -vE "\\(($FAMILIES)\$")"

# With the unit's capabilities alone, and no way to more.
CAPS=$(sed -n 's/^CapabilityBoundingSet=//p' "$UNITS/bpfpol.service" | tr '[:upper:]' '[:lower:]' |
	sed 's/cap_/+/g; s/ /,/g')
fresh_bpffs
rm -rf "$BPFPOL_RUN_DIR"
passes dport=1434
expect_exit 0 run_in rx setpriv --bounding-set "-all,$CAPS" --no-new-privs "$BPFPOL" restore
expect_out '^rx0: native XDP'
blocked dport=1434
run_in rx ip link del port1
start_agent
add_pair tx1 port1 78
agent_said '^port1: native XDP'
stop_agent TERM
same "with what it keeps it ends with" 0 "$STATUS"

finish
