#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Captures through `explain`: the table says what the same frames meet on the wire; what is blocked
# is written as it was; and a file that is none, or holds no such frames, is refused.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

if ! ldconfig -p | grep -qE 'libpcap\.so\.(0\.8|1)'; then
	skip "captures" "there is no libpcap"
	finish
fi

cd "$WORLD" || exit 1
ETHERNET=1 RAW=101 IPV4=228 IPV6=229 COOKED=(0 113 276)

# capture FILE FORMAT LINK HEX...
capture() {
	"$PKT" pcap "${@:2}" >"$1"
}

# table DESC FILTER FILE OPTION...: jq's FILTER is true of the capture's table.
table() {
	expect_json "$1" "$2" bp explain --json --pcap "${@:3}"
}

# bad CODE PATTERN ARGUMENT...
bad() {
	expect_exit "$1" bp explain "${@:3}"
	expect_out "^bpfpol: .*$2"
	same "and no table" 0 "$(grep -c 'VERDICT' <<<"$OUT")"
}

expect_exit 0 bp attach rx0
expect_exit 0 bp block udp/1434
expect_exit 0 bp permit udp/1434 from 198.51.100.7
expect_exit 0 bp block tcp/25
expect_exit 0 bp count udp
expect_exit 0 bp block out udp from "$RX4" to any port 53

FRAMES=()
add() {
	FRAMES+=("$(frame "$@")")
}
add "${SLAMMER[@]}"
add dport=1434 len=1
add "${V6[@]}" dport=1434
add src=198.51.100.7 dport=1434
add proto=tcp dport=25
add proto=tcp dport=26
add dport=1434 vlan=5 vlan=6
add frag=1480 len=64
add proto=17 len=2
add "${V6[@]}" proto=17 len=2
add proto=icmp6 type=135 "${V6[@]}"
add proto=gre
FRAMES+=("$(printf 'ffffffffffff%s0806' 0200000077010 | head -c 24)08060001080006040001")

# --- the same frames in every format, and on the wire

for format in micro nano big ng; do
	capture $format.pcap $format $ETHERNET "${FRAMES[@]}"
	table "$format: by rule" '[.rows[] | [.verdict, .rule.id, .packets]] ==
		[["block", 1, 4], ["pass", 2, 1], ["block", 3, 1], ["pass", null, 3],
		 ["pass", null, 2], ["block", null, 2]]' $format.pcap
	table "$format: in sum" '.totals | .packets == 13 and .blocked == 7 and .passed == 6
		and .malformed == 2 and .undecided == 0' $format.pcap
done
table "bytes" '(.rows[0].bytes == 418 + 43 + 62 + 50) and .totals.bytes == ([.rows[].bytes] | add)' \
	micro.pcap
table "the rule as status has it" '.rows[0].rule | .filter == "in udp to port 1434"
	and .action == "block" and .layer == "static" and .packets == 0' micro.pcap
table "the kernel and the twin" '.checked == 13 and .untried == 0' micro.pcap
table "each packet" '[.frames[].verdict[0:1]] | add == "bbbpbpbpbbppp"' micro.pcap --debug
table "and its rule" '[.frames[].rule] == [1, 1, 1, 2, 3, null, 1, null, null, null, null, null,
	null]' micro.pcap --debug
table "as the text of a packet" '.frames[0].packet ==
	"udp from 10.77.0.1 port 20199 to 10.77.0.2 port 1434"' micro.pcap --debug
same "on the wire" "bbbpbpbpbbpp" "$(verdicts "${FRAMES[@]:0:12}")"
expect_exit 0 bp explain --pcap micro.pcap
expect_out '^micro.pcap: 13 packets in by rx0 \(native XDP\)$'
expect_out '^  block +1 +4 +573  block in udp to port 1434$'
expect_out '^  pass +2 +1 +42  permit in udp from 198.51.100.7 to port 1434$'
expect_out '^  pass +- +3 .*  no block or permit rule matches$'
expect_out '^  pass +- +2 .*  exempt: '
expect_out '^  block +- +2 .*  malformed: '
expect_out '^  total +13 .*  7 blocked, 6 passed; 2 malformed$'
expect_exit 0 bp explain --pcap micro.pcap --debug
expect_out '^ +9  block +udp from 10.77.0.1 to 10.77.0.2; malformed: its ports cannot be read'
expect_out '^ +11  pass +icmpv6 type 135 .*neighbour discovery'

# --- directions, interfaces, no words beside

OUTBOUND="$(frame "src=$RX4" "dst=$TX4" dport=53)"
capture out.pcap micro $ETHERNET "$OUTBOUND" "$(frame "src=10.77.0.9" "dst=$TX4" dport=53)"
table "as inbound" '.totals.blocked == 0 and .direction == "in"' out.pcap
table "as outbound" '.totals.blocked == 1 and .direction == "out" and .hook == "TC"' out.pcap out
table "on an interface" '.interface == "rx0" and (.notes | any(test("stands for")) | not)' \
	out.pcap in on rx0
table "on the loopback" '.totals.blocked == 0 and .totals.passed == 13' micro.pcap on lo
expect_exit 0 bp block udp from me to any port 54
capture me.pcap micro $ETHERNET "$(frame "src=$RX4" "dst=$TX4" dport=54)" \
	"$(frame "src=10.77.0.9" "dst=$TX4" dport=54)"
table "sent by this host or forwarded" '.totals.blocked == 1' me.pcap out
bad 3 "no interface 'eth7'" --pcap micro.pcap on eth7
bad 2 'stand here' --pcap micro.pcap udp/53
bad 2 'needs a value' --pcap

# --- bare IP

PACKETS=()
for hex in "${FRAMES[@]:0:6}"; do PACKETS+=("${hex:28}"); done
capture raw.pcap micro $RAW "${PACKETS[@]}"
table "raw IP: by rule" '[.rows[] | [.verdict, .rule.id, .packets]] ==
	[["block", 1, 3], ["pass", 2, 1], ["block", 3, 1], ["pass", null, 1]]' raw.pcap
table "raw IP: bytes from the IP header on" '.rows[0].bytes == 418 + 43 + 62 - 3 * 14' raw.pcap
capture v4.pcap ng $IPV4 "${PACKETS[0]}"
capture v6.pcap nano $IPV6 "${PACKETS[2]}"
table "IPv4" '.totals.blocked == 1' v4.pcap
table "IPv6" '.totals.blocked == 1' v6.pcap
capture odd.pcap micro $RAW "" 00 ff 45 "60000000"
table "what is no packet" '.totals.packets == 5 and .totals.malformed == 2 and .totals.blocked == 0' \
	odd.pcap

# --- cut by the capture, too short, too long

CUT=()
for ((n = 0; n <= 42; n += 2)); do CUT+=("${FRAMES[1]:0:n * 2}/43"); done
capture cut.pcap micro $ETHERNET "${CUT[@]}"
# From the destination port's last byte on, at 38, it is known.
table "cut in its headers" '[.rows[] | [.verdict, .packets]] == [["block", 3], [null, 19]]
	and .totals.undecided == 19 and .totals.blocked == 3 and .totals.bytes == 22 * 43' cut.pcap
expect_exit 0 bp explain --pcap cut.pcap
expect_out '^  - +- +19 +817  cut by the capture before its headers end$'
expect_out ', 19 without verdict;'
capture huge.pcap micro $ETHERNET "${FRAMES[1]}/4000000000"
table "a wire length that nothing has" '.totals.undecided == 1' huge.pcap
capture short.pcap micro $ETHERNET "" 02 "${FRAMES[0]:0:26}" "${FRAMES[0]:0:28}" "${FRAMES[0]:0:66}"
table "short on the wire" '.totals.packets == 5 and .totals.malformed == 2 and .untried == 3' \
	short.pcap
table "short, for TC" '.totals.packets == 5 and .totals.malformed == 2 and .untried == 5' \
	short.pcap out
capture long.pcap micro $ETHERNET "$(frame dport=1434 len=8900)" "$(frame dport=1435 len=8900)"
table "jumbo" '.totals.blocked == 1 and .untried == 0' long.pcap
capture long_out.pcap micro $ETHERNET "$(frame "src=$RX4" "dst=$TX4" dport=54 len=8900)" \
	"$(frame "src=10.77.0.9" "dst=$TX4" dport=54 len=8900)"
table "too long for TC to try" '.totals.blocked == 1 and .untried == 2' long_out.pcap out
expect_exit 0 bp explain --pcap long_out.pcap out
expect_out "note +2 packets are too short or too long for the kernel"
capture longest.pcap micro $ETHERNET "${FRAMES[1]}/100000" "${FRAMES[1]}/262144" \
	"${FRAMES[1]}/262145"
table "too long for XDP" '.totals.blocked == 2 and .totals.undecided == 1 and .untried == 2' \
	longest.pcap
capture none.pcap micro $ETHERNET
table "no packets" '.rows == [] and .totals.packets == 0' none.pcap

# --- what is blocked, as it was

for format in micro nano; do
	expect_exit 0 bp explain --pcap $format.pcap --write-blocked blocked.pcap
	same "$format: the blocked records" "$("$PKT" unpcap <$format.pcap |
		awk 'NR == 1 || /^[012469] / || /^8 /' | grep -vE '^12 ')" \
		"$("$PKT" unpcap <blocked.pcap)"
done
expect_exit 0 bp explain --pcap ng.pcap --write-blocked ng_blocked.pcap
same "pcapng keeps its nanoseconds" "$("$PKT" unpcap <blocked.pcap)" "$("$PKT" unpcap <ng_blocked.pcap)"
table "what was blocked is blocked again" '.totals.blocked == 7 and .totals.passed == 0' blocked.pcap
expect_exit 0 bp explain --pcap cut.pcap --write-blocked cut_blocked.pcap
same "cut records stay cut" "$("$PKT" unpcap <cut.pcap | tail -n 3)" \
	"$("$PKT" unpcap <cut_blocked.pcap | tail -n +2)"
expect_exit 0 bp explain --pcap raw.pcap --write-blocked raw_blocked.pcap
same "raw IP stays raw IP" "micro $RAW" "$("$PKT" unpcap <raw_blocked.pcap | head -n 1)"
expect_exit 0 bp explain --pcap out.pcap --write-blocked nothing.pcap
same "nothing blocked: a capture without records" "micro 1" "$("$PKT" unpcap <nothing.pcap)"

sum=$(sha256sum micro.pcap)
bad 2 'is the capture that is read' --pcap micro.pcap --write-blocked ./micro.pcap
ln -s micro.pcap link.pcap
bad 2 'is the capture that is read' --pcap micro.pcap --write-blocked link.pcap
bad 2 'and no file' --pcap micro.pcap --write-blocked /dev/null
bad 2 'and no file' --pcap micro.pcap --write-blocked .
bad 1 'cannot write nowhere/x' --pcap micro.pcap --write-blocked nowhere/x
same "the capture stays" "$sum" "$(sha256sum micro.pcap)"
check "/dev/null stays" test -c /dev/null
# Where everybody may write, a link may be anybody's.
mkdir -m 777 open
echo precious >precious
ln -s ../precious open/link.pcap
chown -h 65534 open/link.pcap
bad 2 'is a symbolic link where everybody may put one' --pcap micro.pcap --write-blocked open/link.pcap
same "what it leads to stays" precious "$(cat precious)"
expect_exit 0 bp explain --pcap micro.pcap --write-blocked open/blocked.pcap
expect_exit 0 bp explain --pcap micro.pcap --write-blocked open/blocked.pcap
# A full disk leaves what was there.
mkdir full
mount -t tmpfs -o size=16k tmpfs full
cp blocked.pcap full/out.pcap
head -c 12k /dev/zero >full/rest 2>/dev/null
capture many.pcap micro $ETHERNET "${FRAMES[0]}" "${FRAMES[0]}" "${FRAMES[0]}" "${FRAMES[0]}" \
	"${FRAMES[0]}" "${FRAMES[0]}" "${FRAMES[0]}" "${FRAMES[0]}" "${FRAMES[0]}" "${FRAMES[0]}"
bad 1 'cannot write full/out.pcap' --pcap many.pcap --write-blocked full/out.pcap
check "and leaves the old file" cmp blocked.pcap full/out.pcap
same "and no other" "out.pcap rest" "$(find full -type f -printf '%f\n' | sort | xargs)"
umount full

# --- as tcpdump -i any has them: a cooked header in the place of Ethernet's

# cooked 1|2 HEX...: with such a header.
cooked() {
	local version=$1 hex

	shift
	for hex in "$@"; do
		case $version in
		1) echo "0000000100060200000077010000${hex:24}" ;;
		2) echo "${hex:24:4}00000000000200010006020000007701""0000${hex:28}" ;;
		esac
	done
}

expect_exit 0 bp explain --json --pcap micro.pcap
WANTED=$(jq -c '[.rows, .totals]' <<<"$OUT")
for version in 1 2; do
	mapfile -t COOKED_FRAMES < <(cooked $version "${FRAMES[@]}")
	capture cooked$version.pcap micro "${COOKED[version]}" "${COOKED_FRAMES[@]}"
	expect_exit 0 bp explain --json --pcap cooked$version.pcap --write-blocked written.pcap
	same "cooked frames of version $version are judged, and counted, like those of Ethernet" "$WANTED" \
		"$(jq -c '[.rows, .totals]' <<<"$OUT")"
	BLOCKED=$(jq .totals.blocked <<<"$OUT")
	table "what is blocked is written as it was" ".totals.packets == $BLOCKED and .totals.blocked == $BLOCKED" \
		written.pcap
	capture short.pcap micro "${COOKED[version]}" 0000 "${COOKED_FRAMES[0]:0:40}" "${COOKED_FRAMES[0]}"
	table "a frame shorter than its cooked header is undecided" '.totals.packets == 3 and .totals.undecided >= 1' \
		short.pcap
done

# --- files that are none

bad 2 'No such file' --pcap missing.pcap
bad 2 'is a directory' --pcap .
: >empty.pcap
bad 2 'is no capture' --pcap empty.pcap
head -c 500 "$BPFPOL" >garbage.pcap
bad 2 'is no capture' --pcap garbage.pcap
capture wifi.pcap micro 105 "${FRAMES[0]}"
bad 2 'link type IEEE802_11; Ethernet' --pcap wifi.pcap
capture usb.pcap ng 220 "${FRAMES[0]}"
bad 2 'link type USB_LINUX_MMAPPED;' --pcap usb.pcap
capture strange.pcap micro 65000 "${FRAMES[0]}"
bad 2 'link type 65000;' --pcap strange.pcap
for format in micro ng; do
	size=$(stat -c %s $format.pcap)
	for cut in 1 3 9; do
		head -c $((size - cut)) $format.pcap >torn.pcap
		rm -f torn_blocked.pcap
		bad 2 'torn.pcap cannot be read beyond its packet 12' \
			--pcap torn.pcap --write-blocked torn_blocked.pcap
		check "and nothing is written" test ! -e torn_blocked.pcap
	done
done
same "no temporary file is left" "" "$(find . -name '*pcap.??????')"
table "from stdin" '.totals.packets == 13 and .capture == "-"' - <micro.pcap

# --- without libpcap

# shellcheck disable=SC2016
expect_exit 1 run_in rx unshare -m bash -c '
	for lib in $(ldconfig -p | awk "/libpcap\.so\.(0\.8|1)/ { print \$NF }"); do
		mount --bind /dev/null "$(readlink -f "$lib")" || exit
	done
	"$0" explain --pcap micro.pcap' "$BPFPOL"
expect_out "^bpfpol: .*apt install libpcap0.8"

# --- a policy that is not in force

cat >"$BPFPOL_CONF_DIR/policies/other.policy" <<EOF
rule "mail"
block out tcp to any port 25
block in tcp/26
EOF
before=$(snapshot)
table "another policy" '[.rows[] | select(.rule) | [.verdict, .rule.filter, .rule.name, .packets]] ==
	[["block", "in tcp to port 26", "mail", 1]]
	and .policy == "other" and .in_force == false' micro.pcap --policy other
expect_json "one packet by it" '.verdict == "block" and .rule.name == "mail" and .rule.packets == 0
	and .in_force == false' bp explain --json --policy other tcp/26 from "$TX4" to "$RX4"
expect_json "the other way" '.verdict == "block" and .rule.filter == "out tcp to port 25"' \
	bp explain --json --policy other tcp/25 from "$RX4" to "$TX4" out
table "the assigned one by name" '.totals.blocked == 7 and .in_force' micro.pcap --policy local
bad 3 "no policy" --pcap micro.pcap --policy missing
printf 'block udp/1\nblock udp/70000\n' >"$BPFPOL_CONF_DIR/policies/wrong.policy"
bad 2 'wrong.policy:2:11: ' --pcap micro.pcap --policy wrong
rm "$BPFPOL_CONF_DIR/policies/wrong.policy"
unchanged "all of that" "$before"

finish
