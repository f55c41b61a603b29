#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Inbound 80 is blocked: nobody fetches a page from this host, and programs on it fetch pages from
# others as before. Then the other way round.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/three.sh
. "$(dirname "$0")/three.sh"

serve_echo tx tcp/80 udp/9
serve_echo rx tcp/80 tcp/8080 udp/9
run_in tx ip addr add 10.77.0.9/24 dev tx0
run_in rx ip neigh replace 10.77.0.9 lladdr "$TX_MAC" dev rx0

THERE=("tcp/$TX4/80" "tcp/$TX6/80" "tcp/10.77.0.9/80")
HERE=("tcp/$RX4/80" "tcp/$RX6/80")
BESIDE=("tcp/$RX4/8080" "tcp/$RX6/8080")

# expect_pages DESC FETCHED SERVED: who answers a client here, and who one there; words, sorted.
expect_pages() {
	same "$1: fetched" "$2" "$(call rx "udp/$TX4/9" "${THERE[@]}" | xargs)"
	same "$1: served" "$3" "$(call tx "udp/$RX4/9" "${HERE[@]}" "${BESIDE[@]}" | xargs)"
}

# bulk CLIENT SERVER ADDRESS: how much of a page of 1 MB comes.
bulk() {
	local fd

	exec {fd}< <(run_in "$2" "$PKT" serve 81 1000000)
	read -r -u "$fd" _
	run_in "$1" timeout 20 bash -c "exec 3<>/dev/tcp/$3/81; head -c 1000000 <&3 | wc -c"
	exec {fd}<&-
}

expect_pages "no rule" "${THERE[*]}" "${HERE[*]} ${BESIDE[*]}"
expect_exit 0 bp block tcp/80-81
expect_pages "in" "${THERE[*]}" "${BESIDE[*]}"
# Answers come from those ports, not to them.
for address in "$TX4" "$TX6"; do same "a large page" 1000000 "$(bulk rx tx "$address")"; done
expect_json "what was tried was counted" '.rules[0].packets >= 2' bp status --json

expect_exit 0 bp remove tcp/80-81
expect_exit 0 bp block out tcp/80
expect_pages "out" "" "${HERE[*]} ${BESIDE[*]}"
expect_exit 0 bp block in tcp/80
expect_pages "in and out" "" "${BESIDE[*]}"
expect_exit 0 bp remove out tcp/80
expect_pages "in again" "${THERE[*]}" "${BESIDE[*]}"
expect_exit 0 bp remove in tcp/80
# inout: in as written, and out with the ends exchanged: what this host's own server says.
expect_exit 0 bp block inout tcp/80
expect_pages "inout" "${THERE[*]}" "${BESIDE[*]}"

finish
