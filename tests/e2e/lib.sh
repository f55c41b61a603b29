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
# Ubuntu's /usr/sbin/bpftool is a wrapper, which asks for that of the running kernel.
for BPFTOOL in /usr/local/sbin/bpftool /usr/lib/linux-tools/*/bpftool /usr/sbin/bpftool bpftool; do
	[ -x "$BPFTOOL" ] && break
done

TX_MAC=02:00:00:00:77:01 RX_MAC=02:00:00:00:77:02
TX4=10.77.0.1 RX4=10.77.0.2 TX6=fd77::1 RX6=fd77::2
# Words for frames: what every frame begins with, and what makes it one of IPv6.
ETHER=("src-mac=$TX_MAC" "dst-mac=$RX_MAC" "src=$TX4" "dst=$RX4")
V6=("src=$TX6" "dst=$RX6")
# The twin of the Slammer worm's frame: 418 bytes.
SLAMMER=(sport=20199 dport=1434 len=376 first=0x04)
export V6 SLAMMER

# What the kernel is to refuse, in words (tests/preload/refuse.c), and what then holds programs on TC.
export REFUSE=${REFUSE:-}
TC=tcx
[[ " $REFUSE " != *" tcx "* ]] || TC=clsact
[ -z "$REFUSE" ] || export LD_PRELOAD=${REFUSE_SO:-$TOP/build/tests/refuse.so}
export TC

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

# until_true COMMAND...: tries it again until it succeeds; fails after some seconds.
until_true() {
	local i

	for ((i = 0; i < 500; i++)); do
		"$@" && return
		sleep 0.01
	done
	return 1
}

finish() {
	echo "1..$TESTS"
	exit $((FAILED > 0))
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
# totals move with every frame that the kernel sends by itself, and the spare (spare.h) is what the
# next change fills: they do not count here.
snapshot() {
	local pin

	bp list --json 2>&1 | sed '/"expires_in"/d' # that moves with the clock
	bp interfaces --json 2>&1
	run_in rx ip -o link show rx0 | grep -o 'xdp.*id [0-9]*'
	find "$BPFPOL_CONF_DIR" "$BPFPOL_STATE_DIR" -type f -exec sha256sum {} + 2>/dev/null | sort
	for pin in $(find "$WORLD/bpf" -type f ! -path '*/spare/*' | sort); do
		echo "$pin"
		case $pin in *total* | *scratch*) continue ;; esac
		"$BPFTOOL" map dump pinned "$pin" 2>/dev/null
	done
}

# abi_is BYTE: the pins are those of such a version: of ctl all is as it was but BP_ABI, the fourth word.
abi_is() {
	local bytes

	read -r -a bytes < <("$BPFTOOL" -j map lookup pinned "$BPFPOL_BPFFS/ctl" key 0 0 0 0 |
		jq -r '.value | join(" ")')
	bytes[24]=$1
	"$BPFTOOL" map update pinned "$BPFPOL_BPFFS/ctl" key 0 0 0 0 value "${bytes[@]}"
}

other_abi() {
	abi_is 0x63
}

# remembered: the interfaces that are, with their modes, in one line.
remembered() {
	sed '/^bpfpol interfaces /d; /^end [0-9a-f]*$/d' "$BPFPOL_STATE_DIR/interfaces" 2>/dev/null | sort | xargs
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

# counter KEY RULE-TEXT: packets or bytes of the rule whose filter is that canonical text.
counter() {
	bp status --json | jq --arg f "$2" ".rules[] | select(.filter == \$f) | .$1"
}

# shellcheck source=tests/e2e/world.sh
. "$TOP/tests/e2e/world.sh"
# shellcheck source=tests/e2e/frames.sh
. "$TOP/tests/e2e/frames.sh"

if [ "$(id -u)" -ne 0 ]; then
	echo "1..0 # SKIP needs root"
	exit 77
fi
make_world
