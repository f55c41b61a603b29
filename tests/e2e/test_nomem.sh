#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Each allocation of a command fails in turn: it ends in plain words, with the contract's exit code, and has changed
# all or nothing. Then those of the agent, again and again: it stays, and goes on when there is memory.
# NOMEM_MOST=N: at most so many runs of a command, spread evenly; 0: all. tests/unit/test_nomem.c does it
# to parsers and compiler, where ASan sees what is left.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"
# shellcheck source=tests/e2e/killing.sh
. "$TOP/tests/e2e/killing.sh"

NOMEM=$TOP/build/tests/nomem.so
NOMEM_MOST=${NOMEM_MOST:-40}
RUNS=0

cd "$WORLD" || exit 1
printf '198.51.100.1\n2001:db8::/32\n' >list.txt
cat >all.policy <<-END
	policy "all"
	description "something of everything"
	rule "worms"
	block emergency udp/1434,1435-1440
	block inout tcp from 10.0.0.0/8 port 1-100 to me port 445 log name "x"
	permit icmp type 8 code 0 from any
	count out to 2001:db8::/32
	block in on rx0 sctp from @list.txt
	block gre for 2h
	block 192.0.2.0/24
	block 192.0.2.1
END

# without_memory CODES COMMAND...: each of its allocations fails in turn; its exit code is one of these.
# each_run CODE, where that is a function, is asked after each run.
without_memory() {
	local codes=$1 n all step wrong=0 code i

	shift
	NOMEM_COUNT=$WORLD/count LD_PRELOAD=$NOMEM run_in rx "$BPFPOL" "$@" >/dev/null 2>&1
	all=$(cat "$WORLD/count")
	step=1
	[ "$NOMEM_MOST" -eq 0 ] || [ "$all" -le "$NOMEM_MOST" ] || step=$((all / NOMEM_MOST))
	# Those of the beginning are of each command: a few are enough.
	for ((n = 1, i = 0; n <= all; n += step, i++)); do
		[ -z "${BEFORE_RUN:-}" ] || $BEFORE_RUN
		run_in rx env NOMEM_AT=$n LD_PRELOAD="$NOMEM" "$BPFPOL" "$@" >said 2>&1
		code=$?
		RUNS=$((RUNS + 1))
		if [[ " $codes " != *" $code "* ]] || { [ $code -ne 0 ] && ! grep -q bpfpol: said; }; then
			wrong=$((wrong + 1))
			[ $wrong -gt 3 ] || nok "$*: allocation $n of $all: exit $code" "$(cat said)"
		fi
		[ -z "${AFTER_RUN:-}" ] || $AFTER_RUN $code "$*: allocation $n of $all"
	done
	same "$*: $all allocations, $i of them fail in turn" 0 $wrong
	check "there are some" [ "$all" -gt 5 ]
}

bp attach rx0 >/dev/null
bp block udp/1434 >/dev/null
# What only looks may put in force anew what is in force: a look that has no memory does not see it.
rules() {
	bp list --json
	verdicts "$(frame dport=1434)" "$(frame dport=445)"
}
RULES=$(rules)
without_memory "0 1 2" policy check all.policy
without_memory "0 1 2" policy check all.policy --plan
without_memory "0 1" block --dry-run inout tcp/445 from 10.0.0.0/8 name x
without_memory "0 1 2" block --dry-run @list.txt
without_memory "0 1" ipsecpol -w REG -p P -r R -f "*=0:1434:UDP" "10.*.*.*+0:22:TCP" -n BLOCK -x --dry-run
without_memory "0 1" list
without_memory "0 1" status --debug --json
without_memory "0 1" metrics
without_memory "0 1" netdiag /test:ipsec /debug
without_memory "0 1" explain udp from 192.0.2.1 port 4000 to "$RX4" port 1434
without_memory "0 1" policy show local
same "what only looks or tries changes nothing" "$RULES" "$(rules | sed 's/"packets": 1/"packets": 0/; s/"bytes": [1-9][0-9]*/"bytes": 0/')"

# --- what changes something: all or nothing, as it says

FRAMES=("$(frame dport=2000)" "$(frame src=198.51.100.1)" "$(frame dport=1434)" "$(frame dport=9)")
all_or_nothing() {
	local got want=$OLD

	[ "$1" -ne 0 ] || want=$NEW
	got=$(verdicts "${FRAMES[@]}")
	bp status >/dev/null
	got+=" $(verdicts "${FRAMES[@]}")"
	[ "$got" = "$want $want" ] || nok "$2: exit $1" "packets: $got, not $want: $(cat said)"
}
without_2000() { bp remove udp/2000 >/dev/null 2>&1; }
with_2000() { bp block udp/2000 >/dev/null 2>&1; }
without_list() { bp remove "@$WORLD/list.txt" >/dev/null 2>&1; }
other() { bp policy assign other >/dev/null 2>&1; }

AFTER_RUN=all_or_nothing
OLD=ppbp NEW=bpbp BEFORE_RUN=without_2000
without_memory "0 1" block udp/2000
OLD=bpbp NEW=ppbp BEFORE_RUN=with_2000
without_memory "0 1" remove udp/2000
OLD=ppbp NEW=pbbp BEFORE_RUN=without_list
without_2000
without_memory "0 1 2" block "@$WORLD/list.txt"
echo "block udp/2000" >other.policy
bp policy import other.policy >/dev/null
without_list
OLD=bppp NEW=ppbp BEFORE_RUN=other
without_memory "0 1" policy assign local

# --- the agent

echo 0 >every
export NOMEM_FILE=$WORLD/every
LD_PRELOAD=$NOMEM start_agent
unset NOMEM_FILE
ASKED=0
for every in 1 2 3 5 7 11 50; do
	echo $every >every
	for ((i = 0; i < 10; i++)); do
		bp agent status >/dev/null 2>&1
		ASKED=$((ASKED + 1))
	done
	run_in rx ip link add port7 type veth peer name other7
	run_in rx ip link del port7
done
echo 0 >every
# The kernel may have none for what is waited for, either.
trace_agent poll -e inject=poll:error=ENOMEM:when=1+2
for ((i = 0; i < 10; i++)); do bp agent status >/dev/null 2>&1; done
kill "$TRACER"
wait "$TRACER" 2>/dev/null
# Nor wait for so many as it has, where somebody lowered its limit of descriptors.
sleeps() { grep -q nanosleep "/proc/$AGENT/wchan"; }
prlimit --pid "$AGENT" --nofile=5:
run_in rx ip link add port7 type veth peer name other7
run_in rx ip link del port7
check "it tries again where the kernel does not wait" until_true sleeps
prlimit --pid "$AGENT" --nofile=1024:
check "the agent is there after all that" kill -0 "$AGENT"
check "and answers" bp agent status
bp attach 'port*' >/dev/null
run_in rx ip link add port7 type veth peer name other7
pinned() {
	[ "$(bp interfaces --json | jq -r '.interfaces[] | select(.name == "port7").ingress')" = xdp-native ]
}
check "and attaches what comes" until_true pinned
check "memory: under 32 MiB" [ "$(bp agent status --json | jq .memory_kib)" -lt 32768 ]
stop_agent TERM
same "ends with" 0 "$STATUS"
[ "$STATUS" -eq 0 ] || sed 's/^/#   /' agent.log
echo "# figure failed-allocations $((RUNS + ASKED))"

finish
