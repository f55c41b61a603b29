# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What an end-to-end test stands on. Sourced, it makes a world of its own, so that any number of
# tests run side by side: two network namespaces, tx and rx, joined by a veth pair (tx0, rx0),
# and a bpfpol with directories of its own, which filters in rx. All of it goes when the test ends.
#
# A test is a row of checks, each of which prints `ok` or `not ok`, and ends with `finish`. A file
# that ends without it has died, and the runner counts that as a failure.

set -u
export LC_ALL=C

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PKT=${PKT:-$TOP/build/tests/pkt}
BPFPOL=${BPFPOL:-$TOP/build/bpfpol}

TX_MAC=02:00:00:00:77:01 RX_MAC=02:00:00:00:77:02
TX4=10.77.0.1 RX4=10.77.0.2 TX6=fd77::1 RX6=fd77::2
# Words for frames: what every frame begins with, and what makes it one of IPv6.
ETHER=("src-mac=$TX_MAC" "dst-mac=$RX_MAC" "src=$TX4" "dst=$RX4")
V6=("src=$TX6" "dst=$RX6")
# The twin of the Slammer worm's frame: 418 bytes.
SLAMMER=(sport=20199 dport=1434 len=376 first=0x04)
export V6 SLAMMER

TESTS=0
FAILED=0
OUT=

ok() {
	TESTS=$((TESTS + 1))
	echo "ok $TESTS - $1"
}

nok() {
	TESTS=$((TESTS + 1))
	FAILED=$((FAILED + 1))
	echo "not ok $TESTS - $1"
	printf '%s\n' "${2:-}" | sed 's/^/#   /'
}

skip() {
	TESTS=$((TESTS + 1))
	echo "ok $TESTS - $1 # SKIP ${2:-}"
}

# check DESC COMMAND...: ok when the command succeeds.
check() {
	local desc=$1

	shift
	if OUT=$("$@" 2>&1); then ok "$desc"; else nok "$desc" "$* gave: $OUT"; fi
}

# same DESC EXPECTED GOT
same() {
	if [ "$2" = "$3" ]; then ok "$1"; else nok "$1" "expected: $2"$'\n'"got: $3"; fi
}

finish() {
	echo "1..$TESTS"
	exit $((FAILED > 0))
}

# --- the world

clean_up() {
	local status=$? name

	trap - EXIT
	for name in $(jobs -p); do kill "$name" 2>/dev/null; done
	for name in "${SPACES[@]}"; do ip netns del "$name" 2>/dev/null; done
	# The pins, and with them the programs, go with the mount.
	umount "$WORLD/bpf" 2>/dev/null
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

# --- the program under test

bp() {
	run_in rx "$BPFPOL" "$@"
}

# expect_exit CODE COMMAND...: its output is kept for expect_out.
expect_exit() {
	local code=$1 got

	shift
	OUT=$("$@" 2>&1)
	got=$?
	if [ $got -eq "$code" ]; then
		ok "exit $code: $*"
	else
		nok "exit $code: $*" "exit $got: $OUT"
	fi
}

# expect_out PATTERN: the last output holds it (extended regular expression).
expect_out() {
	if grep -qE -- "$1" <<<"$OUT"; then ok "says: $1"; else nok "says: $1" "$OUT"; fi
}

# expect_json DESC FILTER COMMAND...: the command's output is JSON, and jq's FILTER is true of it.
expect_json() {
	local desc=$1 filter=$2 got

	shift 2
	OUT=$("$@" 2>&1)
	got=$(jq "$filter" <<<"$OUT" 2>&1)
	if [ "$got" = true ]; then ok "$desc"; else nok "$desc" "$filter: $got"$'\n'"$OUT"; fi
}

# Everything that a command may change, as text: rules, interfaces, files, the kernel's maps. The
# totals move with every frame that the kernel sends by itself, so they do not count here.
snapshot() {
	local pin

	bp list --json 2>&1
	bp interfaces --json 2>&1
	run_in rx ip -o link show rx0 | grep -o 'xdp.*id [0-9]*'
	find "$BPFPOL_CONF_DIR" "$BPFPOL_STATE_DIR" -type f -exec sha256sum {} + 2>/dev/null | sort
	for pin in $(find "$WORLD/bpf" -type f | sort); do
		echo "$pin"
		case $pin in *total* | *scratch*) continue ;; esac
		bpftool map dump pinned "$pin" 2>/dev/null
	done
}

# unchanged DESC BEFORE: BEFORE is what snapshot gave then.
unchanged() {
	local now

	now=$(snapshot)
	if [ "$2" = "$now" ]; then
		ok "$1 changes nothing"
	else
		nok "$1 changes nothing" "$(diff <(echo "$2") <(echo "$now"))"
	fi
}

# --- frames: words are KEY=VALUE, the last of a key counts
#	src-mac dst-mac src dst proto (udp tcp icmp icmp6 sctp dccp udplite gre or a number)
#	sport dport type code len (of the payload) first (its first byte) vlan (repeatable)
#	frag=OFFSET[+] (in bytes; + more follow) cut (bytes that are left of the frame)

# arrivals LINE HEX...: how many frames that sniff prints as LINE came out at the other end.
arrivals() {
	local line=$1 fd pid seen status

	shift
	exec {fd}< <(run_in rx "$PKT" sniff "${RX:-rx0}")
	pid=$!
	read -r -u "$fd" seen
	run_in tx "$PKT" send "${TX:-tx0}" "$@"
	seen=$(cat <&"$fd")
	exec {fd}<&-
	wait "$pid"
	status=$?
	if [ $status -ne 0 ]; then
		echo "sniff: exit $status"
	else
		grep -cxF -- "$line" <<<"$seen"
	fi
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

# send_frames COUNT KEY=VALUE...: and comes back when the last one has been judged.
send_frames() {
	local count=$1 hex i frames=()

	shift
	hex=$("$PKT" build "${ETHER[@]}" "$@") || return
	for ((i = 0; i < count; i++)); do frames+=("$hex"); done
	arrivals none "${frames[@]}" >/dev/null
}

# counter KEY RULE-TEXT: packets or bytes of the rule whose filter is that canonical text.
counter() {
	bp status --json | jq --arg f "$2" ".rules[] | select(.filter == \$f) | .$1"
}

if [ "$(id -u)" -ne 0 ]; then
	echo "1..0 # SKIP needs root"
	exit 77
fi
make_world
