#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The lock-out guard asks about a session where its packets are: what arrives and what leaves may go by
# two interfaces, as routes of the other end, of this host, and rules of routing say.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/session.sh
. "$TOP/tests/e2e/session.sh"

add_pair tx1 rx1 78
for name in all rx0 rx1; do
	run_in rx sysctl -qw "net.ipv4.conf.$name.rp_filter=0"
	run_in tx sysctl -qw "net.ipv4.conf.${name/rx/tx}.rp_filter=0"
done
SAID=
server rx sshd 2222
LISTEN=TCP4-LISTEN:2223 server rx sshd 2223
expect_exit 0 bp attach rx0 rx1
expect_exit 0 bp block udp/1434

# code WAYS N: of what would stop the session where it goes by rxN.
code() {
	if [[ $1 = *$2* ]]; then echo 5; else echo 0; fi
}

# ways IN OUT [PORT]: the session comes by rxIN and leaves by rxOUT; what of that may be two is "01".
ways() {
	local n port=${3:-2222}

	for n in 0 1; do
		over "$(code "$1" $n)" "$port" "${WITH:-} $BPFPOL block in on rx$n tcp/$port --dry-run"
		over "$(code "$2" $n)" "$port" "${WITH:-} $BPFPOL block out on rx$n tcp from port $port --dry-run"
	done
}

# What is not the session's way is none of its business; of sockets of IPv6, of IPv4, and where IPv4 is mapped.
TO6="TCP6:[$RX6]"
ways 0 0
ways 0 0 2223
TO=$TO6 ways 0 0

# The other end sends by another way than it is answered.
run_in tx ip route add "$RX4/32" via 10.78.0.2 dev tx1 src "$TX4"
run_in tx ip -6 route add "$RX6/128" via fd78::2 dev tx1 src "$TX6"
ways 1 0
ways 1 0 2223
TO=$TO6 ways 1 0
over 5 2222 "$BPFPOL block in on rx1 tcp/2222"
run_in tx ip route del "$RX4/32"
run_in tx ip -6 route del "$RX6/128"

# So does this end: by a rule of routing.
run_in rx ip route add "$TX4" via 10.78.0.1 dev rx1 table 100
run_in rx ip -6 route add "$TX6" via fd78::1 dev rx1 table 100
# rule WORDS...: of both families.
rule() {
	run_in rx ip rule add "$@" table 100 && run_in rx ip -6 rule add "$@" table 100
}
no_rule() {
	run_in rx ip rule del table 100
	run_in rx ip -6 rule del table 100
}
for words in "ipproto tcp sport 2222" "ipproto tcp" "iif lo" "uidrange 0-0"; do
	# shellcheck disable=SC2086
	rule $words
	ways 0 1
	TO=$TO6 ways 0 1
	no_rule
done
run_in rx ip rule add from "$RX4" table 100
ways 0 1
ways 0 1 2223
no_rule 2>/dev/null
run_in rx ip -6 rule add from "$RX6" table 100
TO=$TO6 ways 0 1
no_rule 2>/dev/null
# What nobody sees from outside: it may be so.
for words in "fwmark 7" "fwmark 8/0xff" "tos 0x10"; do
	# shellcheck disable=SC2086
	rule $words
	ways 0 01
	TO=$TO6 ways 0 01
	no_rule
done
# What is not the session's.
for words in "ipproto tcp sport 2223" "ipproto udp" "uidrange 1-9" "ipproto sctp"; do
	# shellcheck disable=SC2086
	rule $words
	ways 0 0
	no_rule
done

# What NAT of this host translates has another end for routes than on the wire.
if command -v nft >/dev/null && redirected ip 2222; then
	run_in tx ip route add 10.78.0.2/32 via "$RX4" dev tx0 src "$TX4"
	run_in rx ip rule add from 10.78.0.2 table 100
	TO=TCP4:10.78.0.2 ways 0 0 2022
	run_in rx ip rule del table 100
	run_in tx ip route del 10.78.0.2/32
	run_in rx nft delete table ip nat
else
	skip "what NAT translates" "nft is not here, or the kernel has no NAT"
fi

# Addresses of a link, which another link may have as well.
for n in 0 1; do
	run_in tx ip addr add fe80::1/64 dev tx$n nodad
	run_in rx ip addr add fe80::2/64 dev rx$n nodad
done
cp "$(command -v socat)" "$WORLD/otherd"
server rx otherd 2224
for n in 0 1; do
	export TO="TCP6:[fe80::2%tx$n]"
	ways $n $n
	over 5 2224 "SSH_CONNECTION=\"fe80::1%rx$n \$OTHERD_PEERPORT fe80::2%rx$n 2224\" $BPFPOL block tcp/2224 --dry-run"
	expect_out "the SSH connection from fe80::1 port [0-9]+ to fe80::2 port 2224"
	over 5 2224 "SSH_CONNECTION=\"fe80::1%rx$n \$OTHERD_PEERPORT fe80::2%rx$n 2224\" $BPFPOL block out on rx$n tcp from port 2224 --dry-run"
	over 0 2224 "SSH_CONNECTION=\"fe80::1%rx$n \$OTHERD_PEERPORT fe80::2%rx$n 2224\" $BPFPOL block out on rx$((1 - n)) tcp from port 2224 --dry-run"
	over 0 2224 "SSH_CONNECTION=\"fe80::1%rx$n \$OTHERD_PEERPORT fe80::2%rx$n 2224\" $BPFPOL block in on rx$((1 - n)) tcp/2224 --dry-run"
done
TO=

# What the kernel does not answer is said in words, and nothing is done.
ASKED='cannot (list the interfaces|ask .*(addresses( of rx[01])?|routing \(ip rule\) of IPv4|by which interface packets to 10.77.0.1 leave|with itself))'
for k in {1..12}; do
	OUT=$(sent 2222 "strace -f -qq -o $WORLD/trace -e trace=sendto -e inject=sendto:error=ENOBUFS:when=$k $BPFPOL block tcp/2222")
	grep -q INJECTED "$WORLD/trace" || break
	if grep -q '^exit=1$' <<<"$OUT" && grep -qE "^bpfpol: $ASKED: No buffer space" <<<"$OUT"; then
		SAID+=$(grep -oE "$ASKED" <<<"$OUT")
	elif ! grep -q '^exit=5$' <<<"$OUT"; then
		nok "an answer that does not come: $k" "$OUT"
	fi
done
for words in 'ip rule' 'packets to 10.77.0.1 leave' 'with itself' 'list the interfaces'; do
	check "it is said: $words" grep -q "$words" <<<"$SAID"
done

# A protocol of whose ports the kernel knows nothing.
mkdir -p "$BPFPOL_CONF_DIR"
printf 'protect = sctp/9\nprotect = %s\n' "$TX4" >"$BPFPOL_CONF_DIR/bpfpol.conf"
rule ipproto sctp
expect_exit 5 bp block sctp/9
expect_exit 0 bp block sctp/10
no_rule
rm "$BPFPOL_CONF_DIR/bpfpol.conf"

# A kernel that does not show the socket does not tell by which interface it came: what arrives may by each
# that is up.
WITH="REFUSE=getfd LD_PRELOAD=${REFUSE_SO:-$TOP/build/tests/refuse.so}"
ways 01 0
run_in rx ip link set rx1 down
ways 0 0
finish
