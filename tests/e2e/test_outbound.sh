#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What leaves: blocked where it goes out, whoever sent it, and counted exactly.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"


# send_out COUNT KEY=VALUE...
send_out() {
	FROM=rx TX=rx0 TO=tx RX=tx0 send_frames "$1" "${BACK[@]}" "${@:2}"
}

# heard SPACE ADDRESS COMMAND...: what arrives at that space's sockets while COMMAND speaks.
heard() {
	local fd ready space=$1 end=$2

	shift 2
	exec {fd}< <(run_in "$space" "$PKT" recv udp/1433 udp/1434 tcp/1434)
	read -r -u "$fd" ready
	"$@"
	run_in rx bash -c "echo end >/dev/udp/$end/9"
	[ "$ready" = ready ] && cut -d' ' -f1-3 <&"$fd" | sort
	exec {fd}<&-
}

# speak SPACE HOST...: to each service of each of them.
# shellcheck disable=SC2317 # heard calls it
speak() {
	local space=$1

	shift
	# shellcheck disable=SC2016
	run_in "$space" bash -c '
		for host; do
			echo x >/dev/udp/$host/1433
			echo x >/dev/udp/$host/1434
			timeout 0.5 bash -c "exec 3<>/dev/tcp/$host/1434" 2>/dev/null
		done' speak "$@"
}

# neighbours: what leaves whatever is said of udp/1434.
neighbours() {
	leaves dport=1433
	leaves proto=tcp dport=1434
	leaves sport=1434 dport=20199
	leaves "${BACK6[@]}" dport=1433
	leaves "${BACK6[@]}" proto=tcp dport=1434
	passes dport=1434
	passes "${V6[@]}" dport=1434
}

ALL="tcp 1434 $RX4
tcp 1434 $RX6
udp 1433 $RX4
udp 1433 $RX6
udp 1434 $RX4
udp 1434 $RX6"
expect_exit 0 bp attach rx0
same "without a rule all is heard" "$ALL" "$(heard tx "$TX4" speak rx "$TX4" "$TX6")"
leaves dport=1434
leaves "${BACK6[@]}" dport=1434

expect_exit 0 bp block out udp/1434
same "sockets: udp/1434 is not heard" "$(grep -v 'udp 1434' <<<"$ALL")" \
	"$(heard tx "$TX4" speak rx "$TX4" "$TX6")"
stopped dport=1434
stopped "${BACK6[@]}" dport=1434
stopped dport=1434 vlan=5
stopped src=203.0.113.9 dport=1434
neighbours
expect_exit 1 run_in rx "$PKT" send rx0 "$(frame "${BACK[@]}" dport=1434)"
expect_out 'No buffer space'
# A sender that goes round the queues (PACKET_QDISC_BYPASS, for the privileged) goes round TC: a
# known limit, which `status` tells of. Of a hundred frames all get out that way, and none by the
# ordinary one.
HEX=$(frame "${BACK[@]}" dport=1434)
mapfile -t HUNDRED < <(yes "$HEX" | head -n 100)
same "round the queues" 100 "$(FROM=rx TX=rx0 TO=tx RX=tx0 SEND=bypass arrivals \
	"$("$PKT" line "$HEX")" "${HUNDRED[@]}")"
same "through them" 0 "$(FROM=rx TX=rx0 TO=tx RX=tx0 arrivals \
	"$("$PKT" line "$HEX")" "${HUNDRED[@]}")"
OUT=$(bp status)
expect_out 'past TC passes: PACKET_QDISC_BYPASS'

# Exact: 57 = 14 + 20 + 8 + 15, 77 with IPv6.
expect_exit 0 bp remove out udp/1434
leaves dport=1434
leaves "${BACK6[@]}" dport=1434
bp block out udp/1434 from any to any >/dev/null
BEFORE=$(bp status --json | jq .totals.out.blocked)
send_out 250 dport=1434 len=15
send_out 50 "${BACK6[@]}" dport=1434 len=15
expect_json "packets and bytes" '.rules[0] | .packets == 300 and .bytes == 250 * 57 + 50 * 77' \
	bp status --json
expect_json "the total of what was stopped" ".totals.out.blocked == $BEFORE + 300" bp status --json
expect_json "nothing that arrived" '.totals.in.blocked == 0' bp status --json
BEFORE=$(bp status --json | jq .totals.out.passed)
send_out 100 dport=1433
expect_json "the total of what left" ".totals.out.passed >= $BEFORE + 101" bp status --json

# off and on.
expect_exit 0 bp off
leaves dport=1434
expect_exit 0 bp on
stopped dport=1434
leaves dport=1433
expect_json "off keeps the counters" '.rules[0].packets == 301' bp status --json

# The more specific rule wins; a count rule decides nothing.
expect_exit 0 bp permit out udp/1434 to "$TX4"
expect_exit 0 bp count out udp
leaves dport=1434
stopped dst=10.77.0.9 dport=1434
stopped "${BACK6[@]}" dport=1434
expect_json "each has its own" '[.rules[] | {(.action): .packets}] | add
	| .block == 303 and .permit == 1 and .count == 3' bp status --json
expect_exit 0 bp block out udp/1434 from "$RX4" to "$TX4"
stopped dport=1434
expect_exit 0 bp remove block out udp/1434 from "$RX4" to "$TX4"
leaves dport=1434
expect_exit 0 bp remove permit out udp/1434 to "$TX4"
stopped dport=1434
expect_exit 0 bp remove count out udp
expect_exit 0 bp remove out udp/1434
leaves dport=1434

# Both ways: out with the ends exchanged.
expect_exit 0 bp block inout udp/1434
blocked dport=1434
blocked "${V6[@]}" dport=1434
passes sport=1434 dport=5
stopped sport=1434 dport=5
stopped "${BACK6[@]}" sport=1434 dport=5
leaves dport=1434
expect_json "one pair of counters" '.rules | length == 1 and .[0].packets == 4' bp status --json
expect_exit 0 bp remove inout udp/1434
expect_exit 0 bp block inout udp from "$TX4"
blocked
stopped
passes src=10.77.0.9
leaves dst=10.77.0.9
expect_exit 0 bp remove inout udp from "$TX4"

# Filtering is stateless: a closed service does not stop our own clients' answers.
expect_exit 0 bp block tcp/80
exec {SERVER}< <(run_in tx "$PKT" serve 80 100000)
read -r -u "$SERVER" _
same "a client fetches" 100000 \
	"$(run_in rx timeout 10 bash -c "exec 3<>/dev/tcp/$TX4/80; head -c 100000 <&3 | wc -c")"
exec {SERVER}<&-
blocked proto=tcp dport=80

# Own or forwarded: third is behind rx.
add_space third
ip link add th0 netns "$(netns third)" address 02:00:00:00:79:02 type veth \
	peer name rx9 netns "$(netns rx)" address 02:00:00:00:79:01
add_end rx rx9 79 1 2 02:00:00:00:79:02
add_end third th0 79 2 1 02:00:00:00:79:01
run_in third ip route add default via 10.79.0.1
run_in third ip route add default via fd79::1
run_in tx ip route add 10.79.0.0/24 via "$RX4"
run_in tx ip route add fd79::/64 via "$RX6"
run_in rx sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
THIRD=(10.79.0.2 fd79::2)

# shellcheck disable=SC2317 # heard calls it
both_speak() {
	speak tx "${THIRD[@]}"
	speak rx "${THIRD[@]}"
}

ALL="$(for from in "$TX4" "$TX6" 10.79.0.1 fd79::1; do
	printf '%s\n' "tcp 1434 $from" "udp 1433 $from" "udp 1434 $from"
done | sort)"
expect_exit 0 bp attach rx9
same "forwarded and own" "$ALL" "$(heard third 10.79.0.2 both_speak)"
expect_exit 0 bp block out udp from me to any port 1434
same "from me: forwarded passes, own does not" \
	"$(grep -vE 'udp 1434 (10.79.0.1|fd79::1)$' <<<"$ALL")" "$(heard third 10.79.0.2 both_speak)"
expect_exit 0 bp block out on rx9 udp/1434
same "out: neither passes" "$(grep -v 'udp 1434' <<<"$ALL")" \
	"$(heard third 10.79.0.2 both_speak)"
expect_json "each rule has its own" '[.rules[] | select(.direction == "out") | .packets]
	| add == 6' bp status --json
expect_exit 0 bp remove out on rx9 udp/1434
# What this host makes is its own, whatever it writes as the source.
stopped dport=1434
stopped src=203.0.113.9 dport=1434

finish
