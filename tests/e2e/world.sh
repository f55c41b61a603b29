# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The namespaces, interfaces and directories of a test; a part of lib.sh.

clean_up() {
	local status=$? name

	trap - EXIT
	for name in $(jobs -p); do kill "$name" 2>/dev/null; done
	for name in "${SPACES[@]}"; do ip netns del "$name" 2>/dev/null; done
	# The pins, and with them the programs, go with the mounts, ours and the program's own.
	awk -v world="$WORLD/" 'index($2, world) == 1 { print $2 }' /proc/self/mounts |
		sort -r | xargs -r umount
	rm -rf --one-file-system "$WORLD"
	exit $status
}

# netns tx|rx|...: the namespace's name on this machine.
netns() {
	echo "bpfpol-$$-$1"
}

# Never `ip netns exec`: it mounts /sys again and hides the bpffs.
run_in() {
	local ns=$1

	shift
	nsenter "--net=/run/netns/$(netns "$ns")" "$@"
}

add_space() {
	SPACES+=("$(netns "$1")")
	ip netns add "$(netns "$1")"
	run_in "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.default.router_solicitations=0 \
		net.ipv6.conf.default.addr_gen_mode=1
	run_in "$1" ip link set lo up
}

# add_pair TX-NAME RX-NAME SUBNET: 10.SUBNET.0.1 and .2, fdSUBNET::1 and ::2, neighbours known.
add_pair() {
	ip link add "$1" netns "$(netns tx)" address "$TX_MAC" type veth \
		peer name "$2" netns "$(netns rx)" address "$RX_MAC"
	add_end tx "$1" "$3" 1 2 "$RX_MAC"
	add_end rx "$2" "$3" 2 1 "$TX_MAC"
}

# add_end SPACE NAME SUBNET HOST PEER PEER-MAC
add_end() {
	run_in "$1" ip addr add "10.$3.0.$4/24" dev "$2"
	run_in "$1" ip addr add "fd$3::$4/64" dev "$2" nodad
	run_in "$1" ip link set "$2" up
	run_in "$1" ip neigh replace "10.$3.0.$5" lladdr "$6" dev "$2" nud permanent
	run_in "$1" ip neigh replace "fd$3::$5" lladdr "$6" dev "$2" nud permanent
	if command -v ethtool >/dev/null; then
		run_in "$1" ethtool -K "$2" rx off tx off gso off gro off >/dev/null 2>&1
	fi
}

# IPv6 gives an interface its multicast route, and with it neighbour discovery, up to a second
# after it came up.
has_multicast() {
	run_in "$1" ip -6 route show table local type multicast dev "$2" | grep -q .
}

# AF_PACKET stands before TC's ingress: with RX=br0, sniff sees what has passed TC on rx0.
add_bridge() {
	run_in rx ip link add br0 type bridge mcast_snooping 0
	run_in rx ip link set rx0 master br0
	run_in rx ip link set br0 up
	export RX=br0
}

# Takes away every pin of ours, and comes back when the programs on rx0 have gone with them. Files
# first: a mount may live on in somebody else's mount namespace. Filters need no pin to stay, but a
# reboot, which this stands for, takes them too.
fresh_bpffs() {
	local i dev

	[ "$TC" = tcx ] || for dev in $(run_in rx ip -br link | sed "s/[@ ].*//"); do
		run_in rx tc qdisc del dev "$dev" clsact 2>/dev/null
	done
	find "$WORLD/bpf" -type f ! -name '*.debug' -delete
	umount "$WORLD/bpf" && mount -t bpf bpf "$WORLD/bpf"
	for ((i = 0; i < 500; i++)); do
		run_in rx ip -o link show rx0 | grep -q xdp || return 0
		sleep 0.01
	done
	echo "# a program is still on rx0"
	return 1
}

# What the kernel held is gone, as at a reboot; what is on disk is not.
reboot() {
	fresh_bpffs
	rm -rf "$BPFPOL_RUN_DIR"
}

make_world() {
	SPACES=()
	WORLD=$(mktemp -d "${TMPDIR:-/tmp}/bpfpol-test.XXXXXX") || exit 1
	trap clean_up EXIT
	trap 'exit 130' INT TERM
	chmod 755 "$WORLD"
	mkdir "$WORLD/bpf"
	mount -t bpf bpf "$WORLD/bpf" || exit 1
	# None of them is there yet: the program makes what it needs.
	export BPFPOL_CONF_DIR=$WORLD/etc BPFPOL_STATE_DIR=$WORLD/lib
	export BPFPOL_BPFFS=$WORLD/bpf/bpfpol BPFPOL_RUN_DIR=$WORLD/run
	add_space tx
	add_space rx
	add_pair tx0 rx0 77
	run_in rx ip route add default via "$TX4"
}
