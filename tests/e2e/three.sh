# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Three hosts, sourced after lib.sh: tx is the client, rx the router with rx0 and rx9, third the
# server behind rx9. Programs in tx and third talk through rx, which forwards both families.

TH_MAC=02:00:00:00:79:02
RX9_MAC=02:00:00:00:79:01
SERVER4=10.79.0.2 SERVER6=fd79::2
export TH_MAC SERVER4 SERVER6

# All that speaks runs on one processor: what is sent first is answered first.
PROCESSOR=$(taskset -pc $$ | sed 's/.*[ ,-]//')

# forwarding on|off [4|6]
forwarding() {
	local value=0

	[ "$1" = on ] && value=1
	[ "${2:-4}" = 6 ] || run_in rx sysctl -qw "net.ipv4.ip_forward=$value"
	[ "${2:-6}" = 4 ] || run_in rx sysctl -qw "net.ipv6.conf.all.forwarding=$value"
}

add_third() {
	add_space third
	ip link add th0 netns "$(netns third)" address "$TH_MAC" type veth \
		peer name rx9 netns "$(netns rx)" address "$RX9_MAC"
	add_end rx rx9 79 1 2 "$TH_MAC"
	add_end third th0 79 2 1 "$RX9_MAC"
	run_in third ip route add default via 10.79.0.1
	run_in third ip route add default via fd79::1
	run_in tx ip route add 10.79.0.0/24 via "$RX4"
	run_in tx ip route add fd79::/64 via "$RX6"
	forwarding on
}

# ENDS: SPACE:INTERFACE of each end of a cable.
ENDS="tx:tx0 rx:rx0 rx:rx9 third:th0"

# All three must ask for each other's addresses (ARP, neighbour discovery) from here on. Who
# forwards asks from an address of the link.
forget_neighbours() {
	local at host=0

	for at in $ENDS; do
		host=$((host + 1))
		run_in "${at%:*}" ip addr replace "fe80::$host/64" dev "${at#*:}" nodad
		until_true has_multicast "${at%:*}" "${at#*:}"
		run_in "${at%:*}" ip neigh flush dev "${at#*:}" nud all
	done
}

# serve_echo SPACE PROTO/PORT...: until the test ends.
serve_echo() {
	local fd ready

	exec {fd}< <(exec nsenter "--net=/run/netns/$(netns "$1")" \
		taskset -c "$PROCESSOR" "$PKT" echo "${@:2}")
	read -r -u "$fd" ready
	[ "$ready" = ready ]
}

# call SPACE all|END WORD...: see pkt call.
call() {
	run_in "$1" taskset -c "$PROCESSOR" "$PKT" call "${@:2}" || echo "call: exit $?"
}

# resent: segments that the TCP of all hosts has sent again; counts are exact where it stands
# still.
resent() {
	local space

	for space in "${SPACES[@]}"; do
		nsenter "--net=/run/netns/$space" cat /proc/net/snmp
	done | awk '$1 == "Tcp:" { n += $13 } END { print n }'
}

# What hosts say of their groups (MLD) they say when they like: broad rules are not to count it.
let_reports_pass() {
	bp permit emergency icmpv6 type 143 >/dev/null
	bp permit emergency out icmpv6 type 143 >/dev/null
}

# reports: how often the router has told others which multicast groups it is in (MLD), which it does again after seconds.
reports() {
	# shellcheck disable=SC2016 # awk's $2
	run_in rx awk '/^Icmp6OutMLDv2Reports/ { print $2 }' /proc/net/snmp6
}

# loses RULE LOST PACKETS BYTES: with that rule alone in force, those words of ALL that match LOST
# get no answer from tx, the others do, and the rule counts so much. MARK is the end mark's word.
loses() {
	local rule=$1 before said got count id try

	for try in 1 2 3 4 5; do
		before=$(resent) said=$(reports)
		# shellcheck disable=SC2086
		id=$(bp block $rule | sed -n 's/^Rule \([0-9]*\) added:.*/\1/p')
		got=$(call tx "$MARK" "${ALL[@]}")
		count=$(bp status --json | jq -c ".rules[] | select(.id == $id) | [.packets, .bytes]")
		bp remove --id "$id" >/dev/null
		[ "$(resent) $(reports)" = "$before $said" ] && break
		echo "# try $try: some TCP was not answered in time and asked twice, or the router has told of its groups"
	done
	same "$rule" "$(but "$2")"$'\n'"[$3,$4]" "$got"$'\n'"$count"
}

# but PATTERN: the words of ALL that do not match.
but() {
	printf '%s\n' "${ALL[@]}" | grep -vE "$1"
}

# crosses KEY=VALUE...: such a frame, sent to the router by the client, arrives at the server.
crosses() {
	expect_crossing crosses 1 "$@"
}

stopped() {
	expect_crossing stopped 0 "$@"
}

expect_crossing() {
	ROUTED=$(frame dst=$SERVER4 dport=9) TO=third RX=th0 expect_arrivals "$@"
}
