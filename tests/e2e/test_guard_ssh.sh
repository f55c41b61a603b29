#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The lock-out guard and the SSH connection that a command is typed over, wherever that is found.
# The real sshd comes last.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/session.sh
. "$TOP/tests/e2e/session.sh"

for need in socat ssh sshd; do
	command -v $need >/dev/null && continue
	skip "the SSH connection" "$need is not here"
	finish
done
NAMED="the SSH connection from 10.77.0.1 port [0-9]+ to 10.77.0.2 port 2222"
cp "$(command -v socat)" "$WORLD/otherd"

pins() {
	find "$WORLD/bpf"
	find "$BPFPOL_STATE_DIR" -type f 2>/dev/null
	run_in rx ip -o link show rx0 | grep -o 'xdp.*id [0-9]*'
	run_in rx tc qdisc show dev rx0
}

server rx sshd 2222
server rx sshd 2223
server rx otherd 2224
check "a shell answers" grep -q '^exit=0$' <<<"$(sent 2222 true)"

# The first command of all: nothing is left of it.
BEFORE=$(pins)
over 5 2222 "$BPFPOL block tcp/2222"
expect_out "the rule 'block in tcp to port 2222' would cut $NAMED \(what arrives at rx0\)"
mkdir -p "$BPFPOL_CONF_DIR/policies"
printf 'block in\n' >"$BPFPOL_CONF_DIR/policies/closed.policy"
over 5 2222 "$BPFPOL policy assign closed"
expect_out "the rule 'block in' would cut $NAMED"
over 5 2222 "$BPFPOL ipsecpol -w REG -p closed -x"
over 5 2222 "$BPFPOL block tcp/2222 --dry-run"
# What cannot be asked for hides nobody: a socket, a descriptor, a process above.
for call in getpeername readlinkat; do
	over 1 2222 "strace -f -qq -o /dev/null -e trace=$call -e inject=$call:error=ENOMEM $BPFPOL block tcp/2222"
	expect_out "bpfpol: cannot (look at a socket of an sshd|read /proc/.*): Cannot allocate memory"
done
over 1 2222 "strace -f -qq -o /dev/null -P /proc/\$\$/stat -e trace=openat -e inject=openat:error=ENFILE $BPFPOL block tcp/2222"
expect_out "bpfpol: cannot read /proc/[0-9]+/stat: Too many open files in system"
same "nothing is pinned, attached or stored" "$BEFORE" "$(pins)"

# Both directions, and what is no concern of the connection.
over 0 2222 "$BPFPOL block udp/1434"
BEFORE=$(snapshot)
for words in "block in" "block $TX4" "block out from port 2222" "block out on rx0 to $TX4" \
	"inout tcp/2222" "emergency to me port 2222"; do
	over 5 2222 "$BPFPOL block ${words#block }"
	expect_out "$NAMED"
done
unchanged "all that is refused" "$BEFORE"
over 0 2222 "$BPFPOL block tcp/2223"
over 0 2222 "$BPFPOL block from $RX6 port 2222"
over 0 2222 "$BPFPOL block on lo tcp/2222"
over 0 2222 "$BPFPOL block out to port 2222"
over 0 2222 "$BPFPOL remove on lo tcp/2222"
over 0 2222 "$BPFPOL remove tcp/2223"
# IPv6, and none of IPv4's business.
TO="TCP6:[$RX6]" over 5 2222 "$BPFPOL block ::/0"
expect_out "the SSH connection from fd77::1 port [0-9]+ to fd77::2 port 2222"
TO="TCP6:[$RX6]" over 5 2222 "$BPFPOL block out to $TX6"
TO="TCP6:[$RX6]" over 0 2222 "$BPFPOL block 0.0.0.0/0 --dry-run"
over 0 2222 "$BPFPOL block ::/0 --dry-run"
# A permit that is more specific cuts nothing, before and after; to take it away would.
over 0 2222 "$BPFPOL permit tcp/2222 from $TX4"
over 0 2222 "$BPFPOL permit out to $TX4"
over 0 2222 "$BPFPOL block tcp from 10.77.0.0/24"
ID=$(bp list --json | jq '.rules[] | select(.action == "block" and (.filter | test("10.77.0.0/24"))) | .id')
over 5 2222 "$BPFPOL remove permit tcp/2222 from $TX4"
expect_out "bpfpol: rule $ID 'block in tcp from 10.77.0.0/24' would cut $NAMED"
over 0 2222 "$BPFPOL remove block tcp from 10.77.0.0/24"
over 0 2222 "$BPFPOL remove permit tcp/2222 from $TX4"

damage_state() {
	mv "$BPFPOL_STATE_DIR/state" "$WORLD/state"
	echo rubbish >"$BPFPOL_STATE_DIR/state"
}

# Who came in by a trial is not cut by taking it back by hand.
expect_exit 0 bp block tcp/2222 --force
blocked proto=tcp sport=40000 dport=2222
expect_exit 0 bp remove tcp/2222 --confirm 600
BEFORE=$(bp list --json | jq -c '[.rules[].filter]')
for flag in --dry-run ""; do
	over 5 2222 "$BPFPOL policy rollback $flag"
	expect_out "^bpfpol: rule [0-9]+ 'block in tcp to port 2222' would cut $NAMED"
done
same "a refused rollback changes nothing" "$BEFORE" "$(bp list --json | jq -c '[.rules[].filter]')"
expect_exit 0 bp policy rollback --dry-run
expect_exit 0 bp policy rollback
blocked proto=tcp sport=40000 dport=2222
expect_exit 0 bp off --confirm 600
for state in whole damaged; do # then the kernel alone tells which rules come back
	[ $state = whole ] || damage_state
	for flag in --dry-run ""; do
		over 5 2222 "$BPFPOL policy rollback $flag"
		expect_out "^bpfpol: rule [0-9]+ 'block in tcp to port 2222' would cut $NAMED"
	done
done
expect_exit 1 bp status
expect_out "OFF, and is back by itself"
expect_exit 0 bp policy rollback
blocked proto=tcp sport=40000 dport=2222
mv "$WORLD/state" "$BPFPOL_STATE_DIR/state"
expect_exit 0 bp remove tcp/2222

# Under what stands between.
over 5 2222 "env -i $(env | grep ^BPFPOL_ | tr '\n' ' ') $BPFPOL block tcp/2222"
over 5 2222 "su root -s /bin/sh -c '$BPFPOL block tcp/2222'"
expect_out "$NAMED"
over 5 2222 "setsid -w nohup $BPFPOL block tcp/2222"
if command -v sudo >/dev/null; then
	over 5 2222 "sudo -E $BPFPOL block tcp/2222"
	over 5 2222 "sudo -E su root -s /bin/sh -c '$BPFPOL block tcp/2222'"
	expect_out "$NAMED"
else
	skip "sudo" "sudo is not here"
fi

# inside WHAT COMMAND: it makes a server that is no child of the session, which runs $WORLD/job.
inside() {
	rm -f "$WORLD/code"
	OUT=$(sent 2222 "$2; for i in \$(seq 600); do [ -s $WORLD/code ] && break; sleep 0.02; done")
	same "$1: exit" 5 "$(cat "$WORLD/code" 2>&1)"
	OUT=$(cat "$WORLD/said" 2>&1)
	expect_out "$NAMED"
}
cat >"$WORLD/job" <<EOT
#!/bin/sh
"$BPFPOL" block tcp/2222 >"$WORLD/said" 2>&1
echo \$? >"$WORLD/code"
EOT
chmod 755 "$WORLD/job"
inside "an orphan" "(setsid $WORLD/job &)"
if command -v tmux >/dev/null; then
	inside tmux "env -u TMUX TERM=xterm tmux -f /dev/null -S $WORLD/t new -d $WORLD/job"
else
	skip "tmux" "tmux is not here"
fi
if command -v screen >/dev/null; then
	mkdir -m 700 "$WORLD/screens"
	inside screen "SCREENDIR=$WORLD/screens TERM=xterm screen -c /dev/null -dmS t $WORLD/job"
else
	skip "screen" "screen is not here"
fi

# Typed elsewhere: while somebody is connected, and when nobody is.
hold() {
	mkfifo "$WORLD/hold" 2>/dev/null
	nsenter "--net=/run/netns/$(netns "${3:-tx}")" socat -u "OPEN:$WORLD/hold,rdwr" \
		"${2:-TCP4:$RX4:$1}" &
	HELD=$!
	until_true connected "$1"
}
# shellcheck disable=SC2317 # likewise
connected() {
	run_in "${SPACE:-rx}" ss -Htn state established "sport = :$1" | grep -q .
}
# shellcheck disable=SC2317 # until_true calls it
nobody() {
	! connected "$1"
}
let_go() {
	kill $HELD
	wait $HELD 2>/dev/null
	until_true nobody "$1"
}
expect_exit 0 bp block tcp/2222
expect_exit 0 bp remove tcp/2222
hold 2222
expect_exit 5 bp block tcp/2222
expect_out "$NAMED"
expect_exit 0 bp block tcp/2223 --dry-run
expect_exit 0 bp status
expect_out "^  the SSH connection .* port 2222"
# A kernel that does not show one process another's sockets, or has no sock_diag.
for REFUSE in getfd diag "getfd diag"; do
	export REFUSE
	expect_exit 5 env LD_PRELOAD="${REFUSE_SO:-$TOP/build/tests/refuse.so}" nsenter \
		"--net=/run/netns/$(netns rx)" "$BPFPOL" block tcp/2222
	expect_out "$NAMED"
	OUT=$(sent 2222 "LD_PRELOAD=${REFUSE_SO:-$TOP/build/tests/refuse.so} REFUSE='$REFUSE' $BPFPOL block $TX4")
	expect_out '^exit=5$'
done
export REFUSE=
expect_exit 0 bp block tcp/2222 --force
expect_exit 0 bp remove tcp/2222
let_go 2222

# What is not believed: a user's process of that name, and one of another namespace.
server rx sshd 2225 "" 65534
hold 2225
expect_exit 0 bp block tcp/2225
expect_exit 0 bp remove tcp/2225
let_go 2225
server tx sshd 2226
SPACE=tx
hold 2226 "TCP4:$TX4:2226" rx
expect_exit 0 bp block from "$TX4" --dry-run
let_go 2226
SPACE=rx

# (socat tells its child the peer's port in a variable named after itself.)
# A server of another name: the environment, where there is such a connection.
over 5 2224 "SSH_CONNECTION=\"$TX4 \$OTHERD_PEERPORT $RX4 2224\" $BPFPOL block tcp/2224"
expect_out "from 10.77.0.1 port [0-9]+ to 10.77.0.2 port 2224"
over 0 2224 "SSH_CONNECTION='10.77.0.1 9 10.77.0.2 2224' $BPFPOL block tcp/2224 --dry-run"

# One that listens no more where the session came in, and has a forwarded port in use: the session counts.
# forwards CODE COMMAND...
forwards() {
	local code=$1 user

	shift
	run_in tx python3 "$TOP/tests/e2e/forwarding.py" use "$RX4" 2231 2232 &
	user=$!
	expect_exit "$code" nsenter "--net=/run/netns/$(netns rx)" python3 "$TOP/tests/e2e/forwarding.py" \
		serve "$RX4" 2231 2232 "$BPFPOL" "$@"
	wait $user
}
forwards 5 block tcp/2231
expect_out "from $TX4 port [0-9]+ to $RX4 port 2231"
forwards 0 block tcp/2232 --dry-run

# Where an sshd's sockets are not to be seen nobody knows, but for what the environment names.
HIDDEN="setpriv --bounding-set=-sys_ptrace"
over 1 2222 "$HIDDEN $BPFPOL block tcp/2222"
expect_out 'cannot see which connections an sshd .* has'
over 5 2222 "SSH_CONNECTION=\"$TX4 \$SSHD_PEERPORT $RX4 2222\" $HIDDEN $BPFPOL block tcp/2222"
expect_out "$NAMED"
over 0 2222 "$HIDDEN $BPFPOL block tcp/2222 --force --dry-run"

# `restore` asks whoever types it over a session, and a boot nobody.
mkdir -p "$BPFPOL_CONF_DIR/policies"
expect_exit 0 bp policy unassign
for name in closing open; do
	printf 'policy "%s"\n' $name >"$BPFPOL_CONF_DIR/policies/$name.policy"
done
echo 'block in tcp/2222' >>"$BPFPOL_CONF_DIR/policies/closing.policy"
expect_exit 0 bp policy assign closing
cp -a "$BPFPOL_STATE_DIR" "$WORLD/backup"
expect_exit 0 bp policy assign open
# A report that finds another store than is in force, from a backup, puts that in force where it cuts nobody.
rm -r "$BPFPOL_STATE_DIR"
cp -a "$WORLD/backup" "$BPFPOL_STATE_DIR"
over 0 2222 "$BPFPOL status"
expect_out "the rules on disk could not be put in force.* would cut $NAMED"
over 0 2222 true
expect_exit 0 bp status
blocked proto=tcp sport=40000 dport=2222
expect_exit 0 bp policy assign open
damage_state
for flag in --dry-run ""; do
	over 5 2222 "$BPFPOL restore $flag"
	expect_out "'block in tcp to port 2222' would cut $NAMED"
done
over 0 2222 true
check "what is refused leaves the damaged state in its place" grep -q rubbish "$BPFPOL_STATE_DIR/state"
expect_exit 1 bp block udp/1435
expect_exit 1 bp restore
blocked proto=tcp sport=40000 dport=2222
expect_exit 0 bp detach rx0
printf 'interfaces = rx0\n' >"$BPFPOL_CONF_DIR/bpfpol.conf"
over 5 2222 "$BPFPOL restore"
expect_out "would cut $NAMED"
over 0 2223 "$BPFPOL restore --dry-run"
# Nor is that cut by a change which puts in force what a boot would have.
rm "$BPFPOL_CONF_DIR/bpfpol.conf"
expect_exit 0 bp attach rx0
reboot
for words in "block udp/1436" "block tcp/2222" "block udp/1436 --confirm 60"; do
	over 5 2222 "$BPFPOL $words"
	expect_out "would cut $NAMED"
done
over 0 2222 true
over 0 2223 "$BPFPOL block udp/1436"
blocked proto=tcp sport=40000 dport=2222
# Where it is not known whom it could cut, rules are what a host needs first.
reboot
echo 'protect = nothing/at' >"$BPFPOL_CONF_DIR/bpfpol.conf"
over 0 2223 "$BPFPOL restore"
expect_out 'it is not asked what the rules cut'
blocked proto=tcp sport=40000 dport=2222
expect_exit 0 bp detach rx0
expect_exit 0 bp policy unassign
rm "$BPFPOL_CONF_DIR/bpfpol.conf"
expect_exit 0 bp attach rx0

# The real one.
mkdir -p /run/sshd
ssh-keygen -qt ed25519 -N '' -f "$WORLD/key"
cp "$WORLD/key.pub" "$WORLD/authorized"
chmod 600 "$WORLD/authorized"
cat >"$WORLD/sshd_config" <<EOT
Port 22
ListenAddress $RX4
HostKey $WORLD/key
AuthorizedKeysFile $WORLD/authorized
StrictModes no
PermitRootLogin yes
UsePAM no
PidFile none
EOT
nsenter "--net=/run/netns/$(netns rx)" "$(command -v sshd)" -D -f "$WORLD/sshd_config" \
	>"$WORLD/sshd.log" 2>&1 &
until_true listens rx 22
# by_ssh COMMAND...
# shellcheck disable=SC2317 # expect_exit calls it
by_ssh() {
	run_in tx ssh -i "$WORLD/key" -o StrictHostKeyChecking=no -o BatchMode=yes -o ConnectTimeout=20 \
		-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "$@"
}
AT_RX=("root@$RX4" "$(env | grep ^BPFPOL_ | tr '\n' ' ')$BPFPOL")
expect_exit 5 by_ssh "${AT_RX[@]}" block tcp/22
expect_out "the SSH connection from 10.77.0.1 port [0-9]+ to 10.77.0.2 port 22 "
expect_exit 0 by_ssh "${AT_RX[@]}" block tcp/2222
expect_exit 5 by_ssh "${AT_RX[@]}" block tcp from 10.77.0.0/24 --dry-run
expect_exit 0 by_ssh "${AT_RX[@]}" permit tcp/22 from "$TX4"
expect_exit 0 by_ssh "${AT_RX[@]}" permit out to "$TX4"
expect_exit 0 by_ssh "${AT_RX[@]}" block tcp from 10.77.0.0/24 --dry-run

# A session through another of the same host: what is between the two goes by lo, and is not it.
VIA="ssh -i $WORLD/key -o StrictHostKeyChecking=no -o BatchMode=yes -o UserKnownHostsFile=/dev/null"
FIRST="the SSH connection from $TX4 port [0-9]+ to $RX4 port 22 "
expect_exit 5 by_ssh -o ProxyCommand="$VIA -o LogLevel=ERROR -W $RX4:22 root@$RX4" "${AT_RX[@]}" \
	block emergency "$TX4"
expect_out "$FIRST"
expect_exit 5 by_ssh "root@$RX4" "$VIA root@$RX4 ${AT_RX[1]} block emergency out to $TX4"
expect_out "$FIRST"
expect_exit 0 by_ssh "root@$RX4" "$VIA root@$RX4 ${AT_RX[1]} block emergency $RX4 --dry-run"

# A port that is translated: on the wire there is the one that was connected to.
if command -v nft >/dev/null && redirected ip 22 && redirected ip6 2223; then
	for words in "tcp/2022" "emergency out tcp from port 2022"; do
		expect_exit 5 by_ssh -p 2022 "${AT_RX[@]}" block "$words"
		expect_out "to $RX4 port 2022 "
	done
	expect_exit 0 by_ssh -p 2022 "${AT_RX[@]}" block tcp/22 --dry-run
	TO="TCP6:[$RX6]" over 5 2022 "$BPFPOL block tcp/2022"
	expect_out "to $RX6 port 2022 "
	hold 2223 "TCP6:[$RX6]:2022"
	expect_exit 5 bp block tcp/2022
	expect_out "to $RX6 port 2022 "
	let_go 2223
	expect_exit 0 bp block tcp/2022
else
	skip "a port that is translated" "nft is not here, or the kernel has no NAT"
fi
finish
