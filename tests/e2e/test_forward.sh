#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A router between a client and a server, real connections, datagrams and pings: each rule stops
# what it names, in its direction and at its interface, and nothing else; and counts it exactly.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/three.sh
. "$(dirname "$0")/three.sh"

add_third
forget_neighbours
serve_echo third tcp/80 tcp/8080 udp/53 udp/5353 udp/9

# The last two of each family are sent in three fragments each.
ALL=()
for host in $SERVER4 $SERVER6; do
	ALL+=("tcp/$host/80" "tcp/$host/8080" "udp/$host/53" "udp/$host/5353" "icmp/$host"
		"udp/$host/53/3000" "icmp/$host//3000")
done
MARK=udp/$SERVER4/9

same "without a filter all is answered" "$(but none)" "$(call tx all "${ALL[@]}")"
if command -v ping >/dev/null; then
	for host in $SERVER4 $SERVER6; do check "ping $host" run_in tx ping -qc 1 -W 10 "$host"; done
else
	skip "ping" "there is no ping"
fi
expect_exit 0 bp attach rx0 rx9
let_reports_pass
same "without a rule all is answered" "$(but none)" "$(call tx all "${ALL[@]}")"

# Of what is sent to the server. With 1 byte: TCP 74 and 94 (with IPv6), UDP 43 and 63, ping 42 and
# 62. With 3000: 1514, 1514 and the rest, or 1510.
loses "tcp/80" '^tcp/.*/80$' 2 $((74 + 94))
loses "in on rx0 tcp" '^tcp' 4 $((2 * 74 + 2 * 94))
loses "udp/5353" '/5353$' 2 $((43 + 63))
loses "udp/53" 'udp/.*/53(/|$)' 4 $((43 + 1514 + 63 + 1510))
loses "udp/5000-6000" '/5353$' 2 $((43 + 63))
loses "udp from any port 1-65535 to any port 53" 'udp/.*/53(/|$)' 4 $((43 + 1514 + 63 + 1510))
loses "icmp" '^icmp/10' 4 $((42 + 2 * 1514 + 74))
loses "icmp type 8 code 0" '^icmp/10' 2 $((42 + 1514))
loses "icmpv6 type 128" '^icmp/fd' 2 $((62 + 1510))
loses "to $SERVER6 port 53" '^udp/fd.*/53(/|$)' 2 $((63 + 1510))
loses "tcp/80 from $TX4 to 10.79.0.0/24" "^tcp/10.*/80$" 1 74
loses "tcp from $TX6 to fd79::/64 port 8080" "^tcp/fd.*/8080$" 1 94
MARK=icmp/$SERVER4 loses "udp" '^udp' 10 $((2 * 43 + 2 * 1514 + 82 + 2 * 63 + 2 * 1510 + 174))
MARK=udp/$SERVER6/9 loses "from $TX4" '/10\.' 11 $((2 * 74 + 2 * 43 + 42 + 4 * 1514 + 82 + 74))

# The same as it leaves, and the answers, each where it comes by.
loses "out on rx9 tcp/8080" '/8080$' 2 $((74 + 94))
loses "out udp/5353" '/5353$' 2 $((43 + 63))
loses "on rx9 udp from any port 53" 'udp/.*/53(/|$)' 4 $((43 + 1514 + 63 + 1510))
loses "out on rx0 icmp type 0" '^icmp/10' 2 $((42 + 1514))
loses "out on rx0 icmpv6 type 129" '^icmp/fd' 2 $((62 + 1510))
loses "out on rx0 tcp from any port 80" '^tcp/.*/80$' 2 $((74 + 94))
loses "inout on rx0 tcp/80" '^tcp/.*/80$' 2 $((74 + 94))
loses "inout on rx9 tcp from any port 80" '^tcp/.*/80$' 2 $((74 + 94))

# Another interface, direction, protocol, port or type; and what is forwarded is nobody's own.
for rule in "on rx9 tcp/80" "out on rx0 tcp/80" "tcp/53" "udp/80" "udp/54-5352" "tcp/79,81" \
	"on rx0 icmp type 0" "on rx9 icmp type 8" "icmpv6 type 8" "sctp" "on rx0 from $SERVER4" \
	"to me" "out from me" "from 10.77.0.2" "fd77::2"; do
	loses "$rule" none 0 0
done

# This kernel may have no SCTP: then frames stand for it. Its checksum is the end hosts' business.
expect_exit 0 bp block sctp/3868
stopped proto=sctp "dst=$SERVER4" sport=5000 dport=3868
stopped proto=sctp "${V6[@]}" "dst=$SERVER6" sport=5000 dport=3868
crosses proto=sctp "dst=$SERVER4" sport=5000 dport=3869
crosses proto=sctp "dst=$SERVER4" sport=3868 dport=5000
crosses proto=sctp "${V6[@]}" "dst=$SERVER6" sport=5000 dport=3867
crosses proto=udp "dst=$SERVER4" dport=3868
expect_json "counted: 14 + 20 or 40 + 12" '.rules[] | select(.filter == "in sctp to port 3868")
	| .packets == 2 and .bytes == 46 + 66' bp status --json
if serve_echo third sctp/3868 sctp/3869 2>/dev/null; then
	same "SCTP" "sctp/$SERVER4/3869" \
		"$(call tx "sctp/$SERVER4/3869" "sctp/$SERVER4/3868" "sctp/$SERVER4/3869")"
else
	skip "real SCTP sockets" "this kernel has no SCTP"
fi
expect_exit 0 bp remove sctp/3868

# A long connection: what came out at the server is what the rule counted, to the segment.
exec {SERVER}< <(run_in third "$PKT" serve 8000 3000000)
read -r -u "$SERVER" _
exec {SNIFFER}< <(run_in third "$PKT" sniff th0 routed)
read -r -u "$SNIFFER" _
expect_exit 0 bp count on rx0 tcp/8000
same "3 MB from the server, 2 MB to it" 3000000 "$(run_in tx timeout 20 bash -c "
	exec 3<>/dev/tcp/$SERVER4/8000
	head -c 2000000 /dev/zero >&3 & head -c 3000000 <&3 | wc -c; wait")"
same "all arrived" 2000000 "$(cat <&"$SERVER")"
run_in tx bash -c "echo end >/dev/udp/$SERVER4/9"
same "every segment and byte of it is counted" \
	"$(awk '$5 == 8000 { n++; bytes += $6 } END { print "[" n "," bytes "]" }' <&"$SNIFFER")" \
	"[$(counter packets "in on rx0 tcp to port 8000"),$(counter bytes "in on rx0 tcp to port 8000")]"
exec {SERVER}<&- {SNIFFER}<&-
expect_exit 0 bp remove count on rx0 tcp/8000

# All is blocked, both ways: addresses are still found (ARP, neighbour discovery), and nothing else
# passes.
expect_exit 0 bp block any
expect_exit 0 bp block out any
forget_neighbours

# knows SPACE IFACE ADDRESS...: their MAC addresses.
# shellcheck disable=SC2317 # until_true calls it
knows() {
	local space=$1 iface=$2 address

	shift 2
	for address; do
		run_in "$space" ip neigh show "$address" dev "$iface" | grep -q lladdr || return
	done
}

# shellcheck disable=SC2317 # until_true calls it
blocked_at_least() {
	bp status --json | jq -e ".totals.$1.blocked >= $2" >/dev/null
}

IN=$(bp status --json | jq .totals.in.blocked)
nsenter "--net=/run/netns/$(netns tx)" "$PKT" call all "${ALL[@]}" >"$WORLD/answers" &
CALLER=$!
check "the client knows the router" until_true knows tx tx0 "$RX4" "$RX6"
check "all that it sent was blocked" until_true blocked_at_least in $((IN + 22))
kill $CALLER
same "nothing was answered" "" "$(cat "$WORLD/answers")"
OUT=$(bp status --json | jq .totals.out.blocked)
nsenter "--net=/run/netns/$(netns rx)" "$PKT" call all "udp/$SERVER4/53" "udp/$SERVER6/53" \
	2>/dev/null &
CALLER=$!
check "the router knows the server" until_true knows rx rx9 "$SERVER4" "$SERVER6"
check "what it sent was blocked" until_true blocked_at_least out $((OUT + 2))
kill $CALLER
expect_exit 0 bp remove out any
expect_exit 0 bp remove any
same "all is answered again" "$(but none)" "$(call tx all "${ALL[@]}")"

finish
