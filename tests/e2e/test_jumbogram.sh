#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# IPv6 packets with a payload length of 0 before hop-by-hop options: jumbograms by what they say,
# which no frame of one packet can be. The kernel receives all that such a frame holds, so a rule for
# a whole protocol must not miss it; and it is malformed.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

jumbogram() {
	local hex

	hex=$(frame "${V6[@]}" "$@")
	echo "${hex:0:36}0000${hex:40}"
}

# sums: blocked and malformed so far, inbound.
sums() {
	bp status --json | jq -r '.totals.in | "\(.blocked) \(.malformed)"'
}

# meets DESC BLOCKED MALFORMED HEX...: so many more.
meets() {
	local blocked malformed

	read -r blocked malformed < <(sums)
	sniffed "${@:4}" >/dev/null
	same "$1" "$((blocked + $2)) $((malformed + $3))" "$(sums)"
}

UDP=$(jumbogram ext=0:8 dport=5 len=9) TCP=$(jumbogram ext=0:8 proto=tcp dport=6 len=9)
FAR=$(jumbogram ext=0:8 ext=60:16 ext=43:24 dport=7 len=9) PIECE=$(jumbogram ext=0:8 frag=64 len=16)
NONE=$(jumbogram ext=60:8 dport=8 len=9) # its payload is empty, and the kernel drops it

for mode in native tc generic; do
	expect_exit 0 bp attach rx0 --mode "$mode"
	# To generic XDP each looks like an aggregate of more than 64 KB (test_aggregates.sh).
	one=1
	[ "$mode" != generic ] || one=0
	expect_exit 0 bp block udp
	meets "$mode: block udp" 3 $((4 * one)) "$UDP" "$TCP" "$FAR" "$PIECE"
	same "$mode: by the rule" 3 "$(counter packets "in udp")"
	meets "$mode: before other headers it is none" 0 1 "$NONE"
	expect_exit 0 bp remove udp
	expect_exit 0 bp permit udp/4
	# No port is believed: what a rule for ports of that protocol, and no other, asks cannot be said.
	meets "$mode: permit udp/4" $((3 * one)) $((4 * one)) "$UDP" "$TCP" "$FAR" "$PIECE"
	same "$mode: no rule's" 0 "$(counter packets "in udp to port 4")"
	expect_exit 0 bp remove udp/4
	expect_exit 0 bp detach rx0
done

# It leaves as little.
expect_exit 0 bp attach rx0
expect_exit 0 bp block out udp
for words in "dport=5" "ext=60:8 dport=5"; do
	# shellcheck disable=SC2086
	same "out: $words" "" \
		"$(FROM=rx TX=rx0 TO=tx RX=tx0 sniffed "$(jumbogram "${BACK6[@]}" ext=0:8 $words len=9)")"
done

# That the kernel receives it: a datagram of its own arrives, and no more with the rule.
if command -v python3 >/dev/null; then
	datagram() {
		run_in rx python3 - "$RX6" "$1" <<-'END'
			import os, socket, subprocess, sys
			s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
			s.bind((sys.argv[1], 4567))
			s.settimeout(0.5)
			tx = ["nsenter", "--net=" + os.environ["TX_SPACE"], os.environ["PKT"], "send", "tx0"]
			subprocess.run(tx + [sys.argv[2]], check=True)
			try:
			    print(len(s.recv(64)), "bytes")
			except TimeoutError:
			    print("nothing")
		END
	}
	TX_SPACE=/run/netns/$(netns tx)
	export TX_SPACE PKT
	HEX=$(jumbogram ext=0:8 dport=4567 len=5)
	check "a datagram that says 0 is received" test "$(datagram "$HEX")" = "5 bytes"
	expect_exit 0 bp block udp
	same "not beside a rule for its protocol" nothing "$(datagram "$HEX")"
fi

finish
