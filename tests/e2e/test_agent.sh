#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The agent as a process: one of them, root's alone, with bounded memory and patience, whatever it is
# sent; it is told from a socket that was left over, and it leaves nothing behind.
# shellcheck disable=SC2317 # functions are called by check and until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

cd "$WORLD" || exit 1
SOCKET=$BPFPOL_RUN_DIR/agent.sock

# Without one.
expect_json "status: stopped" '.agent == "stopped"' bp status --json
expect_exit 1 bp agent status
expect_out "there is no agent; 'systemctl start bpfpol-agent' starts it"
expect_exit 2 bp agent now
expect_exit 2 bp agent status now
expect_exit 2 bp agent --json
expect_exit 4 run_in rx setpriv --reuid 65534 --clear-groups "$BPFPOL" agent
expect_exit 4 run_in rx setpriv --reuid 65534 --clear-groups "$BPFPOL" agent status

bp block udp/1434 >/dev/null
start_agent
expect_json "status: running" '.agent == "running"' bp status --json
expect_json "asked itself" ".pid == $AGENT and .interfaces.filtered == 1 and .interfaces.failing == 0" \
	bp agent status --json
OUT=$(bp status)
expect_out ", agent $AGENT\$"
OUT=$(bp agent status)
expect_out "process $AGENT"
blocked dport=1434
same "mode of its socket" 600 "$(stat -c %a "$SOCKET")"
same "mode of the directory" 700 "$(stat -c %a "$BPFPOL_RUN_DIR")"

# What it may: three capabilities, and no way to more. 0x80c... is net_admin, perfmon, bpf.
same "capabilities" 000000c000001000 "$(awk '/^CapPrm/ { print $2 }' "/proc/$AGENT/status")"
same "no more to come" 1 "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$AGENT/status")"

# A second one.
expect_exit 1 bp agent
expect_out "there is an agent already \(process $AGENT\)"
expect_json "the first one is there" ".pid == $AGENT" bp agent status --json

# Killed: the socket stays, and nobody takes it for an agent.
kill -9 "$AGENT"
wait "$AGENT" 2>/dev/null
check "a socket is left over" [ -S "$SOCKET" ]
expect_json "status: stopped again" '.agent == "stopped"' bp status --json
expect_exit 1 bp agent status
expect_out 'there is no agent'
blocked dport=1434
start_agent
expect_json "it has taken the place" ".pid == $AGENT" bp agent status --json

# A file of the lock alone is no agent.
stop_agent TERM
same "ends with" 0 "$STATUS"
check "the socket is gone" [ ! -e "$SOCKET" ]
expect_json "its lock's file says nothing" '.agent == "stopped"' bp status --json
blocked dport=1434
start_agent
stop_agent INT
same "ends by SIGINT with" 0 "$STATUS"

# systemd is told when it is ready, with a socket of a file or without.
for notify in "$WORLD/notify" "@bpfpol-test-$$"; do
	rm -f told
	# In rx: names without a file are a network namespace's own.
	run_in rx "$TOP/tests/e2e/agent.py" notified "$notify" >told &
	LISTENER=$!
	until_true grep -qs listening told
	NOTIFY_SOCKET=$notify start_agent
	stop_agent TERM
	wait $LISTENER
	same "READY and STOPPING by $notify" "READY=1 STOPPING=1" "$(sed 1d told | xargs)"
done

# What clients may do to it.
start_agent
FDS=$(find "/proc/$AGENT/fd" | wc -l)
for attack in idle half huge garbage words twice version many slow_reader pipeline; do
	OUT=$("$TOP/tests/e2e/agent.py" $attack "$SOCKET" 2>said)
	same "$attack" ok "$OUT"
	sed 's/^/# /' said
	check "$attack: it answers" bp agent status
done
fds_are() {
	[ "$(find "/proc/$AGENT/fd" | wc -l)" -eq "$1" ]
}
check "no descriptor is left" until_true fds_are "$FDS"
check "memory: under 32 MiB" [ "$(bp agent status --json | jq .memory_kib)" -lt 32768 ]
# Others do not get in, and nothing is slower for it.
chmod 755 "$BPFPOL_RUN_DIR"
OUT=$(setpriv --reuid 65534 --clear-groups "$TOP/tests/e2e/agent.py" stranger "$SOCKET" 2>&1)
same "a stranger" refused "$OUT"
chmod 666 "$SOCKET"
OUT=$(setpriv --reuid 65534 --clear-groups "$TOP/tests/e2e/agent.py" stranger "$SOCKET" 2>&1)
same "a stranger, where the socket's mode lets him" closed "$OUT"
chmod 600 "$SOCKET"
chmod 700 "$BPFPOL_RUN_DIR"
check "it was counted" [ "$(bp agent status --json | jq .clients.refused)" -ge 3 ]

# Stopped, it answers nobody, and commands that do not need it are as ever.
kill -STOP "$AGENT"
expect_exit 0 bp block udp/7
blocked dport=7
expect_json "status: it is there" '.agent == "running"' bp status --json
# Who has given up by then said that it failed: nothing is done. Arrays are told without waiting.
same "somebody gives up" ok "$("$TOP/tests/e2e/agent.py" gives_up "$SOCKET")"
kill -CONT "$AGENT"
check "it goes on" bp agent status
expect_json "what nobody waits for is not done" '.dynamic_rules == 0' bp agent status --json
passes dport=1435

# Somebody takes the directory away: a second one might sit down, so this one ends.
rm -r "$BPFPOL_RUN_DIR"
wait "$AGENT"
same "without its lock it ends with" 1 $?
check "and says so" grep -q "took the agent's lock away" "$WORLD/agent.log"

# Where it cannot listen.
expect_exit 1 env BPFPOL_RUN_DIR="$WORLD/$(printf '%0120d' 0)" nsenter \
	"--net=/run/netns/$(netns rx)" "$BPFPOL" agent
expect_out 'path of the agent.s socket is too long'

finish
