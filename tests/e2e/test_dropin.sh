#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Rules that the agent holds from its start on: row 43. Files that come, go and change, and those that
# do not parse.
# shellcheck disable=SC2317 # functions are called by until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

DIR=$BPFPOL_CONF_DIR/dynamic.d
mkdir -m 700 "$BPFPOL_CONF_DIR" "$DIR"
cd "$WORLD" || exit 1

# id WORDS: of the dynamic rule of that canonical text.
id() {
	bp list --json | jq --arg f "$1" '.rules[] | select(.filter == $f and .layer == "dynamic") | .id'
}

held() {
	[ "$(bp agent status --json | jq .dynamic_rules)" = "$1" ]
}

has() {
	[ -n "$(id "$1")" ]
}

# Row 43: what is to be dynamic stands in files, and is there again with the agent.
seq -f '10.9.%g.0/24' 0 255 >"$DIR/list"
cat >"$DIR/10-worms.policy" <<'EOF'
policy "worms"
rule "the worm"
block udp/1434
block @list
block udp/1435 for 1h
block udp/1436 for 1h
EOF
printf 'permit udp/1434 from 10.77.0.1\nblock out tcp/25\nblock udp/1434\nblock udp/1436\n' >"$DIR/20-more.rules"
printf 'block tcp/80\nblock tcp/99999\nblock tcp from\n' >"$DIR/15-broken.policy"
printf 'block tcp/81\n' >"$DIR/notes.txt"
printf 'block tcp/82\n' >"$DIR/.hidden.policy"
bp attach rx0 >/dev/null
start_agent
agent_said "$DIR/15-broken.policy:2:11: "
agent_said '^  block tcp/99999'
agent_said "$DIR/15-broken.policy:3:"
agent_said '15-broken.policy is left out'
agent_said 'dynamic.d: 6 rules$'
check "the others are held" held 6
passes dport=1434
blocked dport=1434 src=10.77.0.9
blocked "${V6[@]}" dport=1434
blocked src=10.9.3.4
blocked dport=1435
passes proto=tcp dport=80
passes proto=tcp dport=81
FROM=rx TX=rx0 TO=tx RX=tx0 blocked proto=tcp dport=25
expect_json "a name, and an end" '[.rules[] | select(.name == "the worm" and .layer == "dynamic")] |
	length == 4 and ([.[] | select(.expires_in != null and .expires_in > 3500)] | length) == 1' \
	bp list --json
check "they are of no policy" [ -z "$(ls "$BPFPOL_CONF_DIR/policies" 2>/dev/null)" ]

# Read again: what stays keeps its number, what is gone goes, and what commands added stays.
ID=$(id 'in udp to port 1434')
MINE=$(bp block --dynamic udp/2000 --json | jq .id)
bp block --dynamic udp/2001 >/dev/null
printf 'block udp/1434\nblock udp/2001\nblock udp/2002\n' >"$DIR/10-worms.policy"
rm "$DIR/20-more.rules" "$DIR/15-broken.policy"
kill -HUP "$AGENT"
check "a new one comes" until_true has 'in udp to port 2002'
check "those that are gone go" until_true held 4
same "one that stays is the same" "$ID" "$(id 'in udp to port 1434')"
blocked dport=1434
blocked dport=2000
passes src=10.9.3.4
FROM=rx TX=rx0 TO=tx RX=tx0 passes proto=tcp dport=25
: >"$DIR/10-worms.policy"
kill -HUP "$AGENT"
check "all of the files go" until_true held 2
same "a command's stays" "$MINE" "$(id 'in udp to port 2000')"
check "also one that stood in a file, too" has 'in udp to port 2001'

# What cannot be read takes nothing away: not a file, a list in one, the directory, or what says where that is.
# unread PATH: the calls that open it fail while the agent reads again.
unread() {
	local tracer

	: >"$WORLD/agent.log"
	strace -f -qq -o /dev/null -P "$1" -e trace=openat,newfstatat -e inject=openat,newfstatat:error=EIO \
		-p "$AGENT" 2>/dev/null &
	tracer=$!
	until_true grep -q "^TracerPid:[[:space:]]*[1-9]" "/proc/$AGENT/status"
	kill -HUP "$AGENT"
	agent_said ' is left out$'
	check "$1: what is new comes" until_true has "in udp to port $2"
	kill "$tracer"
	wait "$tracer" 2>/dev/null
}

# read_again N: all can be read, and N rules are held.
read_again() {
	kill -HUP "$AGENT"
	check "then all goes that is gone: $1 are held" until_true held "$1"
}

echo 10.9.0.0/24 >"$DIR/list"
printf 'block udp/1434\nblock @list\n' >"$DIR/10-worms.policy"
printf 'block udp/2003\n' >"$DIR/20-more.policy"
read_again 5
for path in 10-worms.policy list; do
	printf 'block udp/2004\n' >"$DIR/20-more.policy"
	unread "$DIR/$path" 2004
	blocked dport=1434
	blocked src=10.9.0.1
	blocked dport=2003
	read_again 5
	passes dport=2003
	printf 'block udp/2003\n' >"$DIR/20-more.policy"
	read_again 5
done
unread "$DIR" 2003
blocked dport=1434
mkdir -m 700 "$WORLD/moved"
mv "$DIR"/* "$WORLD/moved"
echo "dropin = $WORLD/moved" >"$BPFPOL_CONF_DIR/bpfpol.conf"
read_again 5
unread "$BPFPOL_CONF_DIR/bpfpol.conf" 2003
blocked dport=1434
rm "$BPFPOL_CONF_DIR/bpfpol.conf" "$WORLD/moved/20-more.policy"
mv "$WORLD/moved"/* "$DIR"
: >"$DIR/10-worms.policy"
read_again 2

# What the kernel refuses for the moment comes by itself, and what was to go does.
printf 'block udp/2003\nblock udp/2004\n' >"$DIR/10-worms.policy"
read_again 4
printf 'block udp/2005\nblock udp/2006\n' >"$DIR/10-worms.policy"
: >"$WORLD/agent.log"
strace -f -qq -o /dev/null -e trace=bpf -e inject=bpf:error=ENOMEM -p "$AGENT" 2>/dev/null &
TRACER=$!
until_true grep -q "^TracerPid:[[:space:]]*[1-9]" "/proc/$AGENT/status"
kill -HUP "$AGENT"
agent_said '^bpfpol: .*(memory|Cannot allocate)'
blocked dport=2003
kill "$TRACER"
wait "$TRACER" 2>/dev/null
check "they come when there is memory" until_true has 'in udp to port 2005'
check "and the others go" until_true held 4
passes dport=2003
blocked dport=2006
: >"$DIR/10-worms.policy"
read_again 2

# Killed and started anew they are there again, under other numbers.
printf 'block udp/1434\n' >"$DIR/10-worms.policy"
kill -9 "$AGENT"
wait "$AGENT" 2>/dev/null
start_agent
check "they are there again" held 1
blocked dport=1434
check "no number is given twice" [ "$(id 'in udp to port 1434')" -gt "$MINE" ]
stop_agent TERM

# A pipe keeps nobody waiting.
mkfifo "$DIR/30-pipe.policy" "$WORLD/pipe"
printf 'block @%s\n' "$WORLD/pipe" >"$DIR/35-list.policy"
start_agent
agent_said '30-pipe.policy is a pipe or a device'
agent_said '35-list.policy is left out'
check "the others are held" held 1
stop_agent TERM
rm "$DIR/30-pipe.policy" "$DIR/35-list.policy"

# Another directory; one that others can write to is not read.
mkdir -m 700 "$WORLD/other place"
printf 'block udp/3000\n' >"$WORLD/other place/a.rules"
echo "dropin = $WORLD/other place" >"$BPFPOL_CONF_DIR/bpfpol.conf"
start_agent
blocked dport=3000
passes dport=1434
chmod 777 "$WORLD/other place"
printf 'block udp/3001\n' >"$WORLD/other place/a.rules"
kill -HUP "$AGENT"
agent_said 'can be written by others'
passes dport=3001
blocked dport=3000
rm -r "$WORLD/other place"
kill -HUP "$AGENT"
agent_said 'other place is left out'
echo "dropin = there" >"$BPFPOL_CONF_DIR/bpfpol.conf"
kill -HUP "$AGENT"
agent_said 'bpfpol.conf:1:10: .dropin. takes the whole path'
check "it goes on" bp agent status

finish
