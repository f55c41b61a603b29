#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A device without Ethernet headers: filtered by TC, both ways.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

if [ ! -c /dev/net/tun ] || ! run_in rx ip tuntap add mode tun name tun0; then
	skip "a tun device" "there is no /dev/net/tun"
	finish
fi
run_in rx ip addr add 10.80.0.2/24 dev tun0
run_in rx ip addr add fd80::2/64 dev tun0 nodad
run_in rx ip link set tun0 up

IN4=(src=10.80.0.1 dst=10.80.0.2) IN6=(src=fd80::1 dst=fd80::2)
# What the other side of the tunnel sends, the end mark of sockets last.
ARRIVE=()
for words in "dport=1433" "dport=1434" "frag=1480 len=64 first=5" "dport=9"; do
	# shellcheck disable=SC2086
	ARRIVE+=("$(frame "${IN4[@]}" $words)")
	# shellcheck disable=SC2086
	[ "$words" = dport=9 ] || ARRIVE+=("$(frame "${IN6[@]}" $words)")
done

# works: waits until IPv6 has seen that somebody has taken hold of the device.
works() {
	local i routes

	for ((i = 0; i < 500; i++)); do
		routes=$(run_in rx ip -6 route show table all dev tun0)
		[[ $routes = *"local fd80::2"* && $routes != *linkdown* ]] && return
		sleep 0.01
	done
	return 1
}

mkfifo "$WORLD/go"
exec {GO}<>"$WORLD/go"

# talk: in and out through the tunnel, once each by both families and to both ports: what sockets
# heard, then what left by it.
talk() {
	local heard tun

	exec {heard}< <(run_in rx "$PKT" recv udp/1433 udp/1434)
	read -r -u "$heard" _
	exec {tun}< <(run_in rx "$PKT" tun tun0 "${ARRIVE[@]}" <&"$GO")
	read -r -u "$tun" _
	works || echo "tun0 does not come up"
	echo go >&"$GO"
	sed 's/^/in /' <&"$heard" | cut -d' ' -f1-4 | sort
	# shellcheck disable=SC2016
	run_in rx bash -c 'for host in 10.80.0.1 fd80::1; do
		for port in 1433 1434; do echo x >/dev/udp/$host/$port; done; done
		echo x >/dev/udp/10.80.0.1/9'
	awk '$1 == "udp" { print "out", $1, $5, $4 }' <&"$tun" | sort
	exec {heard}<&- {tun}<&-
}

ALL="in udp 1433 10.80.0.1
in udp 1433 fd80::1
in udp 1434 10.80.0.1
in udp 1434 fd80::1
out udp 1433 10.80.0.1
out udp 1433 fd80::1
out udp 1434 10.80.0.1
out udp 1434 fd80::1"
same "without a filter" "$ALL" "$(talk)"

for mode in native generic; do
	expect_exit 1 bp attach tun0 --mode $mode
	expect_out 'Ethernet'
done
expect_exit 0 bp attach tun0
expect_out 'TC.*Ethernet'
expect_json "status says how, and why" '.interfaces[] | select(.name == "tun0")
	| .ingress == env.TC and .egress == env.TC and (.why | test("Ethernet"))' bp status --json
same "without a rule" "$ALL" "$(talk)"

expect_exit 0 bp block udp/1434
same "blocked inbound" "$(grep -v 'in udp 1434' <<<"$ALL")" "$(talk)"
# From the IP header on: 28 and 48 bytes.
expect_json "counted" '.rules[0] | .packets == 2 and .bytes == 28 + 48' bp status --json
expect_exit 0 bp block out udp/1434
same "blocked both ways" "$(grep -v 'udp 1434' <<<"$ALL")" "$(talk)"
expect_json "counted: 2 bytes of payload each" '.rules[] | select(.direction == "out")
	| .packets == 2 and .bytes == 30 + 50' bp status --json
expect_exit 0 bp remove udp/1434
same "blocked outbound" "$(grep -v 'out udp 1434' <<<"$ALL")" "$(talk)"
expect_json "totals" '.totals.in.blocked == 4 and .totals.out.blocked == 4
	and .totals.in.malformed == 0 and .totals.out.malformed == 0' bp status --json
expect_exit 0 bp off
same "off" "$ALL" "$(talk)"
expect_exit 0 bp on
same "on" "$(grep -v 'out udp 1434' <<<"$ALL")" "$(talk)"
expect_exit 0 bp detach tun0
same "detached" "$ALL" "$(talk)"

finish
