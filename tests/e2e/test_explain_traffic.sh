#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What `explain` says of a packet is what becomes of it: at every hook the same table of packets is
# asked about and then sent. Verdicts are equal, and so is what every rule has counted.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

IN_RULES=("block udp/1434" "permit udp/1434 from 198.51.100.0/24" "block tcp to any port 20-25"
	"permit tcp/22 from $TX4" "block icmp type 8" "block icmpv6 type 128 from 2001:db8::/32"
	"block from 203.0.113.7" "permit emergency udp/53 from 203.0.113.7" "block gre"
	"block sctp from any port 9899" "block on rx0 dccp" "permit udplite" "block udp to me port 7"
	"count udp" "count from 2001:db8::/32" "count tcp to any port 1-1023")
OUT_RULES=("block out udp/1434" "permit out udp/1434 to 198.51.100.0/24"
	"block out tcp to any port 20-25" "permit out tcp/22 to $TX4" "block out icmp type 8"
	"block out icmpv6 type 128 to 2001:db8::/32" "block out to 203.0.113.7" "block out 89"
	"block out udp from me to any port 7" "block out sctp from any port 9899"
	"count out udp" "count out to 2001:db8::/32")

PACKETS=() # in words, for explain
FRAMES=()  # the same in hex

# packet PROTO FAR NEAR [FAR-PORT NEAR-PORT]: PORTs are type and code of icmp. In DIR.
packet() {
	local proto=$1 src=$2 dst=$3 sport=${4:-} dport=${5:-} frame=icmp6 words

	[ "$proto" = icmpv6 ] || frame=$proto
	if [ "$DIR" = out ]; then
		src=$3 dst=$2
		[[ $proto = icmp* ]] || sport=${5:-} dport=${4:-}
	fi
	words="$proto"
	[[ -n $sport && $proto = icmp* ]] && words+=" type $sport code $dport"
	words+=" from $src"
	[[ -n $sport && $proto != icmp* ]] && words+=" port $sport"
	words+=" to $dst"
	[[ -n $sport && $proto != icmp* ]] && words+=" port $dport"
	PACKETS+=("$words")
	FRAMES+=("$(frame "${ENDS[@]}" "src=$src" "dst=$dst" "proto=$frame" \
		${sport:+"sport=$sport" "dport=$dport"})")
}

# table DIR NEAR4 NEAR6
table() {
	local far

	DIR=$1 PACKETS=() FRAMES=() ENDS=()
	[ "$DIR" = in ] || ENDS=("src-mac=$RX_MAC" "dst-mac=$TX_MAC")
	for far in "$TX4" 198.51.100.9 203.0.113.7; do
		packet udp "$far" "$2" 4000 1434
		packet udp "$far" "$2" 1434 4000
		packet tcp "$far" "$2" 4000 22
		packet tcp "$far" "$2" 22 4000
	done
	packet udp 203.0.113.7 "$2" 4000 53
	packet udp 203.0.113.7 "$2" 53 4000
	packet udp "$TX4" "$2" 4000 7
	packet udp "$TX4" "$2" 7 4000
	packet icmp "$TX4" "$2" 8 0
	packet icmp "$TX4" "$2" 13 0
	packet gre "$TX4" "$2"
	packet 89 "$TX4" "$2"
	packet sctp "$TX4" "$2" 9899 1
	packet sctp "$TX4" "$2" 1 9899
	packet dccp "$TX4" "$2" 1 2
	packet udplite "$TX4" "$2" 1434 1434
	for far in "$TX6" 2001:db8::9; do
		packet udp "$far" "$3" 4000 1434
		packet tcp "$far" "$3" 25 1023
		packet icmpv6 "$far" "$3" 128 0
		packet icmpv6 "$far" "$3" 129 0
		packet 253 "$far" "$3"
	done
}

# counts: ID PACKETS of each rule of DIR: what is sent makes hosts answer.
counts() {
	bp list --json | jq -r --arg dir "$DIR" \
		'.rules[] | select(.direction == $dir) | "\(.id) \(.packets)"' | sort -n
}

# said IFACE: p or b of each packet, as explain says; what its rules would count goes to HITS.
said() {
	local words answer

	: >"$WORLD/hits"
	for words in "${PACKETS[@]}"; do
		# shellcheck disable=SC2086
		answer=$(bp explain --json $words "$DIR" on "$1") || answer='{"verdict": "error"}'
		jq -r '.verdict[0:1]' <<<"$answer" | tr -d '\n'
		jq -r '(.rule.id // empty), (.also_matched[] | select(.action == "count") | .id)' \
			<<<"$answer" >>"$WORLD/hits"
	done
	echo
}

# grown BEFORE: what counts will give when all of HITS has been counted.
grown() {
	awk 'NF == 2 { n[$1] = $2 } NF == 1 { n[$1]++ } END { for (id in n) print id, n[id] }' \
		<(echo "$1") "$WORLD/hits" | sort -n
}

# agree WHAT IFACE: at a hook.
agree() {
	local before saying snap

	before=$(counts)
	snap=$(snapshot)
	saying=$(said "$2")
	unchanged "$1: asking" "$snap"
	same "$1: both verdicts occur" "b p" "$(grep -o . <<<"$saying" | sort -u | xargs)"
	same "$1: ${#PACKETS[@]} packets fare as explained" "$saying" "$(verdicts "${FRAMES[@]}")"
	same "$1: and count as explained" "$(grown "$before")" "$(counts)"
}

expect_exit 0 bp attach rx0
for rule in "${IN_RULES[@]}" "${OUT_RULES[@]}"; do
	# shellcheck disable=SC2086
	check "$rule" bp $rule
done

table in "$RX4" "$RX6"
agree "native XDP" rx0
expect_exit 0 bp detach rx0
expect_exit 0 bp attach rx0 --mode generic
agree "generic XDP" rx0
table out "$RX4" "$RX6"
FROM=rx TX=rx0 TO=tx RX=tx0 agree "TC, out" rx0

# Without Ethernet header. What went in is counted when it has gone in; nothing hears it.
if [ -c /dev/net/tun ] && run_in rx ip tuntap add mode tun name tun0; then
	run_in rx ip addr add 10.80.0.2/24 dev tun0
	run_in rx ip addr add fd80::2/64 dev tun0 nodad
	run_in rx ip link set tun0 up
	expect_exit 0 bp attach tun0
	table in 10.80.0.2 fd80::2
	BEFORE=$(counts)
	SAID=$(said tun0)
	exec {TUN}< <(echo | run_in rx "$PKT" tun tun0 "${FRAMES[@]}")
	read -r -u "$TUN" _
	run_in rx bash -c 'echo x >/dev/udp/10.80.0.1/9'
	cat <&"$TUN" >/dev/null
	same "tun: both verdicts occur" "b p" "$(grep -o . <<<"$SAID" | sort -u | xargs)"
	same "tun: packets count as explained" "$(grown "$BEFORE")" "$(counts)"
else
	skip "a tun device" "there is no /dev/net/tun"
fi

expect_exit 0 bp detach rx0
add_bridge
expect_exit 0 bp attach rx0 --mode tc
table in "$RX4" "$RX6"
agree "TC, in" rx0

finish
