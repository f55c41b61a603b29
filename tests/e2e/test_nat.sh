#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# NAT: a packet is judged as it is on the wire that it is seen on, so before DNAT as it arrives and
# after SNAT as it leaves; and what is forwarded is nobody's own, whatever NAT writes into it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/three.sh
. "$(dirname "$0")/three.sh"

if ! command -v nft >/dev/null; then
	skip "NAT" "there is no nft"
	finish
fi
add_third
forget_neighbours
# 8080 of the router is the server's 80, 8081 the router's own 81; the server sees the router's
# addresses.
run_in rx nft -f - <<'END' || { skip "NAT" "the kernel has none"; finish; }
table inet nat {
	chain before {
		type nat hook prerouting priority dstnat
		iif rx0 tcp dport 8080 dnat ip to 10.79.0.2:80
		iif rx0 tcp dport 8080 dnat ip6 to [fd79::2]:80
		iif rx0 tcp dport 8081 redirect to :81
	}
	chain after {
		type nat hook postrouting priority srcnat
		oif rx9 masquerade
	}
}
END
serve_echo third tcp/80 udp/9
serve_echo rx tcp/81
expect_exit 0 bp attach rx0 rx9
let_reports_pass
ALL=("tcp/$RX4/8080" "tcp/$RX6/8080" "tcp/$SERVER4/80" "tcp/$SERVER6/80" "tcp/$RX4/8081"
	"tcp/$RX6/8081")

MARK=udp/$SERVER4/9
same "all is answered" "$(but none)" "$(call tx all "${ALL[@]}")"

# As it arrives: to the router's own address and port, before DNAT and REDIRECT.
loses "tcp/8080 to me" '/8080' 2 $((74 + 94))
loses "tcp/8080 to $RX4" '10.*/8080' 1 74
loses "tcp/8081 to me" '/8081' 2 $((74 + 94))
loses "on rx0 tcp/80 to me" none 0 0
loses "on rx0 tcp/80 to $SERVER4" '10.79.*/80$' 1 74
loses "tcp/81 to me" none 0 0

# As it leaves to the server: the port after DNAT, the source after SNAT; forwarded, so not mine.
loses "out tcp/8080" none 0 0
loses "out on rx9 tcp/80 from 10.79.0.1" '10.*/80(80)?$' 2 $((2 * 74))
loses "out on rx9 tcp/80 from fd79::1" 'fd.*/80(80)?$' 2 $((2 * 94))
loses "out on rx9 tcp/80 from $TX4" none 0 0
loses "out from me" '/8081' 2 $((74 + 94))
loses "out on rx9 from me" none 0 0

# The answers: to the router's address as they arrive, from the addresses that the client knows as
# they leave.
loses "on rx9 tcp from any port 80 to me" '/80(80)?$' 4 $((2 * (74 + 94)))
loses "on rx9 tcp from any port 80 to $TX4" none 0 0
loses "out on rx0 tcp from $RX4 port 8080" '10.*/8080' 1 74
loses "out on rx0 tcp from me port 8080 to any" none 0 0
loses "out on rx0 tcp from $SERVER4 port 80" '10.79.*/80$' 1 74
loses "out tcp from me port 8081" '/8081' 2 $((74 + 94))
loses "out tcp from me port 81" none 0 0

finish
