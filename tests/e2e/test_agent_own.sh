#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What the agent does by itself does not keep it from answering, however many entries there are: files of
# rules that it reads again, dynamic rules and a policy's on interfaces that come. Others are answered
# between the beginning and the end, and in the end all is in force. LONG=N: addresses of the lists.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

LONG=${LONG:-250000}
SOCKET=$BPFPOL_RUN_DIR/agent.sock
DIR=$BPFPOL_CONF_DIR/dynamic.d
mkdir -p "$DIR"
cd "$WORLD" || exit 1

# list FIRST: 1.0.0.0/8's or another's.
list() {
	awk -v a="$1" -v n="$LONG" 'BEGIN { for (i = 0; i < n; i++)
		printf "%d.%d.%d.%d\n", a, i / 65536, i / 256 % 256, i % 256 }'
}

# until_changed WHAT FIELD COMMAND...: others are answered while what the command begins goes on.
until_changed() {
	local said what=$1

	shift
	said=$("$TOP/tests/e2e/agent_long.py" "$SOCKET" 0 until "$@" 2>&1)
	same "$what: it is done" 1 "$(sed -n 's/^changed //p' <<<"$said")"
	answered=$(sed -n 's/^answered //p' <<<"$said")
	check "$what: others are answered meanwhile, $answered times" [ "${answered:-0}" -gt 20 ]
	echo "# $what: the slowest after $(sed -n 's/^slowest //p' <<<"$said") us"
}

list 11 >"$DIR/eleven"
list 12 >twelve
list 13 >thirteen
bp block udp/7 >/dev/null
start_agent

# Files of rules.
echo "block udp/9 from @eleven" >"$DIR/own.rules"
until_changed "files are read again" dynamic_loads kill -HUP "$AGENT"
agent_said 'dynamic.d: 1 rules$'
blocked src=11.0.0.255 dport=9
passes src=12.0.0.255 dport=9

# born NAME: to the agent's namespace.
born() {
	run_in rx ip link add "$1" type veth peer name "$1p"
}

# Dynamic rules on an interface that comes. A command wants it to be there.
born late0
expect_exit 0 bp block --dynamic in on late0 tcp/1
run_in rx ip link del late0
until_changed "an interface of dynamic rules comes" dynamic_loads ip -n "$(netns rx)" link add late0 type veth peer name late0p
is_on_late0() {
	bp explain tcp from 192.0.2.1 to 10.77.0.2 port 1 in on late0 | grep -qi 'block'
}
check "the rule is on it" until_true is_on_late0
blocked src=11.0.0.255 dport=9
bp remove --dynamic in on late0 tcp/1 >/dev/null 2>&1

# An interface of a policy's rules: it is attached before the rules are through, by those that are there.
bp block udp/10 from @twelve >/dev/null
born rx9
bp attach rx9 >/dev/null
bp block in on rx9 udp/11 >/dev/null
run_in rx ip link del rx9
until_changed "an interface of a policy's rules comes" rebuilt ip -n "$(netns rx)" link add rx9 type veth peer name rx9p
blocked src=12.0.0.255 dport=10
blocked src=11.0.0.255 dport=9
is_there() {
	bp explain udp from 192.0.2.1 to 10.77.0.2 port 11 in on rx9 | grep -qi 'block'
}
check "the rule is on it" until_true is_there

# All of it at once, and a command beside it.
rm "$DIR/own.rules"
cp thirteen "$DIR/thirteen"
echo "block udp/9 from @thirteen" >"$DIR/other.rules"
kill -HUP "$AGENT"
run_in rx ip link del rx9
run_in rx ip link del late0
check "a command is served beside it" until_true bp block --dynamic udp/12
check "and one that is not the agent's" bp block udp/13
others() {
	[ "$(verdicts "$(frame src=13.0.0.255 dport=9)" "$(frame src=11.0.0.255 dport=9)" \
		"$(frame src=12.0.0.255 dport=10)" "$(frame dport=12)" "$(frame dport=13)")" = bpbbb ]
}
check "files that went, files that came, and the rest" until_true others

# Told to end in the middle of it, it ends; and begins with as many.
kill -HUP "$AGENT"
stop_agent TERM
same "told to end in the middle of it, it ends with" 0 "$STATUS"
start_agent
blocked src=13.0.0.255 dport=9
stop_agent TERM

finish
