# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The independent oracle: nftables reads the same frames by rules of the same meaning. Sourced
# after lib.sh and judged.sh. nx and nr are a second pair of hosts, made like tx and rx, with nft in
# nr in bpfpol's place: at the device's ingress and egress, before the kernel's own reading.

NFT_POLICY=oracle

add_nft_world() {
	add_space nx
	add_space nr
	ip link add nx0 netns "$(netns nx)" address "$TX_MAC" type veth \
		peer name nr0 netns "$(netns nr)" address "$RX_MAC"
	add_end nx nx0 77 1 2 "$RX_MAC"
	run_in nr ip link set nr0 up
	# AF_PACKET stands before the hook: what comes out of the bridge has passed it. Its addresses
	# are the host's own.
	run_in nr ip link add br0 address "$RX_MAC" type bridge mcast_snooping 0
	run_in nr sysctl -qw net.bridge.bridge-nf-call-iptables=0 \
		net.bridge.bridge-nf-call-ip6tables=0 2>/dev/null
	run_in nr ip link set nr0 master br0
	add_end nr br0 77 2 1 "$TX_MAC"
}

# Forwarding on and routes for all, so that `me` is exact on both sides. Nobody says anything of his
# own: AF_PACKET goes by these hooks.
prepare_hosts() {
	local space

	for space in rx nr; do
		run_in $space sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
		run_in $space ip route replace default via "$TX4"
		run_in $space ip -6 route replace default via "$TX6"
	done
	for space in tx rx nx nr; do
		run_in $space nft -f - <<-END
			table inet silence {
				chain own { type filter hook output priority 0; policy drop; }
				chain others { type filter hook forward priority 0; policy drop; }
			}
		END
	done
}

# nft_load in|out TABLE: lines of TABLE are `RULE = MATCH`: bpfpol's rule and nft's match. nft takes
# the first that matches, so they stand most specific first, count rules before all. Neighbour
# discovery passes before any rule.
nft_load() {
	local hook=ingress

	[ "$1" = out ] && hook=egress
	run_in nr nft -f - <<-END
		table netdev $NFT_POLICY
		delete table netdev $NFT_POLICY
		table netdev $NFT_POLICY {
			chain rules {
				type filter hook $hook device "nr0" priority -500
				icmpv6 type { 133, 134, 135, 136 } accept
				$(awk -F ' = ' '{
					split($1, word, " ")
					verdict = word[1] == "block" ? "drop" : word[1] == "permit" ? "accept" : ""
					print $2, "counter", verdict
				}' "$2")
			}
		}
	END
}

# Packets of each rule, a line each.
nft_counted() {
	run_in nr nft -j list chain netdev "$NFT_POLICY" rules |
		jq '.nftables[].rule?.expr? // empty | map(.counter?.packets // empty) | .[]'
}

# verdicts_of FRAMES: a letter per frame, as `verdicts` gives them.
verdicts_of() {
	sniffed - <"$1" >"$WORLD/seen"
	"$PKT" line - <"$1" | awk -v seen="$WORLD/seen" '
		BEGIN { while ((getline line <seen) > 0) arrived[line] }
		{ printf "%s", $0 in arrived ? "p" : "b" }'
	grep '^sniff:' "$WORLD/seen"
}

# nft_verdicts in|out FRAMES
nft_verdicts() {
	if [ "$1" = in ]; then
		FROM=nx TX=nx0 TO=nr RX=br0 verdicts_of "$2"
	else
		FROM=nr TX=nr0 TO=nx RX=nx0 verdicts_of "$2"
	fi
}

# bpfpol_verdicts in|out FRAMES
bpfpol_verdicts() {
	if [ "$1" = in ]; then
		verdicts_of "$2"
	else
		FROM=rx TX=rx0 TO=tx RX=tx0 verdicts_of "$2"
	fi
}

# Where two strings of verdicts differ: the packets, as words of TABLE.
differing() {
	local i table

	mapfile -t table <"$3"
	for ((i = 0; i < ${#table[@]}; i++)); do
		[ "${1:i:1}" = "${2:i:1}" ] || echo "${1:i:1} ${2:i:1} ${table[i]}"
	done
}

# The shared table: words of a packet a line. By its length sniff tells each from all others.
packet_table() {
	packet_lines | awk '{ print $0, "len=" 16 + 4 * NR }'
}

packet_lines() {
	source_lines
	port_lines ""
	port_lines "${V6[*]}"
	type_lines
	header_lines
	destination_lines
}

# Edges of prefixes that hold one another.
source_lines() {
	local source port

	for source in 9.255.255.255 10.0.0.0 10.8.255.255 10.9.0.0 10.9.4.255 10.9.5.0 10.9.5.76 \
		10.9.5.77 10.9.5.78 10.9.5.255 10.9.6.0 10.9.255.255 10.10.0.0 10.255.255.255 \
		11.0.0.0; do
		for port in 1433 1434 1435; do echo "src=$source dport=$port"; done
		echo "src=$source proto=tcp dport=1434"
	done
	for source in fd98:ffff:ffff:ffff:ffff:ffff:ffff:ffff fd99:: fd99:0:4:ffff:ffff:ffff:ffff:ffff \
		fd99:0:5:: fd99:0:5::76 fd99:0:5::77 fd99:0:5::78 fd99:0:5:ffff:ffff:ffff:ffff:ffff \
		fd99:0:6:: fd99:0:ffff:ffff:ffff:ffff:ffff:ffff fd99:1::; do
		for port in 1433 1434; do echo "${V6[*]} src=$source dport=$port"; done
		echo "${V6[*]} src=$source proto=tcp dport=1434"
	done
}

# port_lines WORDS: edges of ports and of ranges, every protocol that has such; those without ports;
# fragments; a VLAN tag.
port_lines() {
	local proto port kind

	for proto in udp tcp sctp dccp udplite; do
		for port in 0 5999 6000 6063 6064 65535; do
			echo "$1 proto=$proto dport=$port"
		done
		echo "$1 proto=$proto sport=53 dport=6000"
	done
	for port in 52 53 54 1023 1024 6000; do
		echo "$1 sport=$port dport=40000"
		echo "$1 proto=tcp sport=$port dport=6001"
	done
	for proto in gre 2 89 253; do echo "$1 proto=$proto"; done
	for proto in udp tcp; do
		for kind in "dport=1434 frag=0+" "dport=6000 frag=0+" "frag=1480 first=5" \
			"frag=64+ first=5" "dport=1434 vlan=7" "dport=6000 vlan=7"; do
			echo "$1 proto=$proto $kind"
		done
	done
}

type_lines() {
	local kind

	for kind in 0 3 8 11 13; do echo "proto=icmp type=$kind"; done
	for kind in 0 3 4 5; do echo "proto=icmp type=3 code=$kind"; done
	for kind in 1 3 128 129 132 133 134 135 136 137; do
		echo "${V6[*]} proto=icmp6 type=$kind"
	done
	echo "proto=icmp type=8 frag=0+"
	echo "proto=icmp frag=64"
	echo "${V6[*]} proto=icmp6 type=128 frag=0+"
}

# Options, extension headers.
header_lines() {
	local port kind

	for port in 1434 1435; do
		echo "dport=$port opts=4"
		echo "dport=$port opts=40"
		for kind in ext=0 ext=60:64 ext=43 "ext=0 ext=60 ext=43:24 ext=60" "ext=0 frag=0+" \
			"ext=60 ext=60 ext=60 ext=60 ext=60 ext=60 ext=60 ext=60"; do
			echo "${V6[*]} dport=$port $kind"
		done
	done
}

# To this host, to all, and to others.
destination_lines() {
	local port kind

	for port in 1434 1435; do
		for kind in 10.77.0.255 255.255.255.255 224.0.0.251 10.77.0.99 203.0.113.1; do
			echo "dst=$kind dport=$port"
		done
		for kind in ff02::fb ff05::2 fd77::99 2001:db8::1; do
			echo "${V6[*]} dst=$kind dport=$port"
		done
	done
}

# Words of a packet a line: the same with the addresses exchanged, as it leaves.
turned_round() {
	awk -v src="$TX4" -v dst="$RX4" -v from="$RX_MAC" -v to="$TX_MAC" '{
		s = src
		d = dst
		for (i = 1; i <= NF; i++) {
			if ($i ~ /^src=/) s = substr($i, 5)
			if ($i ~ /^dst=/) d = substr($i, 5)
		}
		print $0, "src=" d, "dst=" s, "src-mac=" from, "dst-mac=" to
	}'
}

# What nft reads differently, with the verdicts of bpfpol and of nft while udp/1434, tcp/22 and udp
# from port 1280 are blocked.
differing_table() {
	differing_lines "$1" | awk '/ len=/ { print; next } { print $0, "len=" 16 + 4 * NR }'
}

differing_lines() {
	local one="ext=60 ext=60 ext=60"

	if [ "$1" = out ]; then
		# At the device's egress nft does not look behind a tag.
		echo "bp dport=1434 vlan=7"
		echo "bp ${V6[*]} proto=tcp dport=22 vlan=7"
		echo "pp dport=1435 vlan=7"
	fi
	# nft looks behind one tag.
	echo "bp dport=1434 vlan=7 vlan=8"
	echo "bp ${V6[*]} dport=1434 vlan=7 vlan=8 vlan=9 vlan=10"
	# nft reads what a later fragment holds as ports.
	echo "pb frag=1480 first=5"
	# nft takes AH, mobility, HIP and shim6 headers for the protocol.
	for number in 51 135 139 140; do
		echo "bp ${V6[*]} dport=1434 ext=$number:16"
		echo "pp ${V6[*]} dport=1435 ext=$number:16"
	done
	# nft walks on for ever; for us a ninth hides the ports, which a rule asks for.
	echo "bp ${V6[*]} dport=1435 $one $one $one"
	# A header that is not whole, and a fragment that would write over one (RFC 3128): likewise.
	echo "bp proto=17 len=2"
	echo "bp ${V6[*]} proto=6 len=12"
	echo "bp proto=tcp frag=8"
	echo "bp ${V6[*]} proto=tcp frag=8"
}

# Words of a packet a line, in hex.
packet_frames() {
	local words

	while read -r words; do
		# shellcheck disable=SC2086
		frame $words
	done
}
