# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Frames that are sent and seen to arrive; a part of lib.sh. Words are KEY=VALUE, the last of a key
# counts:
#	src-mac dst-mac src dst proto (udp tcp icmp icmp6 sctp dccp udplite gre or a number)
#	sport dport type code len (of the payload) first (its first byte) vlan (repeatable)
#	frag=OFFSET[+] (in bytes; + more follow) ttl cut (bytes that are left of the frame)
#	opts=BYTES (of IPv4) ext=NUMBER[:BYTES] (of IPv6; repeatable)

# Frames go from TX in FROM to RX in TO: unless set, from tx0 in tx to rx0 in rx. ROUTED: the frame
# to send last, a datagram to port 9, where a router is in between.

# sniffed HEX...: what came out at the other end, a line each.
sniffed() {
	local fd pid seen status

	exec {fd}< <(run_in "${TO:-rx}" "$PKT" sniff "${RX:-rx0}" ${ROUTED:+routed})
	pid=$!
	read -r -u "$fd" seen
	# What is dropped on the way out says so; the sniffer tells.
	run_in "${FROM:-tx}" "$PKT" "${SEND:-send}" "${TX:-tx0}" "$@" ${ROUTED:+"$ROUTED"} 2>/dev/null
	seen=$(cat <&"$fd")
	exec {fd}<&-
	wait "$pid"
	status=$?
	[ $status -eq 0 ] || seen="sniff: exit $status"
	printf '%s\n' "$seen"
}

# arrivals LINE HEX...: how many frames that sniff prints as LINE came out at the other end.
arrivals() {
	local line=$1 seen

	shift
	seen=$(sniffed "$@")
	case $seen in
	sniff:*) echo "$seen" ;;
	*) grep -cxF -- "$line" <<<"$seen" ;;
	esac
}

# frame KEY=VALUE...: in hex.
frame() {
	"$PKT" build "${ETHER[@]}" "$@"
}

# verdicts HEX...: p for each that passes, b for each that does not; no two may look alike to sniff.
verdicts() {
	local seen

	seen=$(sniffed "$@")
	case $seen in
	sniff:*) echo "$seen" ;;
	*) "$PKT" line "$@" | SEEN=$seen awk '
		BEGIN { n = split(ENVIRON["SEEN"], line, "\n"); while (n) seen[line[n--]] }
		{ printf "%s", $0 in seen ? "p" : "b" }
		END { print "" }' ;;
	esac
}

# expect_arrivals WORD COUNT KEY=VALUE...
expect_arrivals() {
	local word=$1 count=$2 hex got

	shift 2
	hex=$("$PKT" build "${ETHER[@]}" "$@") || { nok "$word: $*" "pkt build failed"; return; }
	got=$(arrivals "$("$PKT" line "$hex")" "$hex")
	if [ "$got" = "$count" ]; then
		ok "$word: $*"
	else
		nok "$word: $*" "arrived: $got"
	fi
}

passes() {
	expect_arrivals passes 1 "$@"
}

blocked() {
	expect_arrivals blocked 0 "$@"
}

# Words that turn a frame round: from rx to tx. The same of such a frame.
BACK=("src-mac=$RX_MAC" "dst-mac=$TX_MAC" "src=$RX4" "dst=$TX4")
BACK6=("src=$RX6" "dst=$TX6")
export BACK6

leaves() {
	FROM=rx TX=rx0 TO=tx RX=tx0 passes "${BACK[@]}" "$@"
}

stopped() {
	FROM=rx TX=rx0 TO=tx RX=tx0 blocked "${BACK[@]}" "$@"
}

# send_frames COUNT KEY=VALUE...: and comes back when the last one has been judged.
send_frames() {
	local count=$1 hex i frames=()

	shift
	hex=$("$PKT" build "${ETHER[@]}" "$@") || return
	for ((i = 0; i < count; i++)); do frames+=("$hex"); done
	arrivals none "${frames[@]}" >/dev/null
}
