#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Captures that others made, and large ones, through `explain`: the kernel and its twin agree on all
# of each, or the file is refused with a reason; and a long one shows how far it has come.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

if ! ldconfig -p | grep -qE 'libpcap\.so\.(0\.8|1)'; then
	skip "captures" "there is no libpcap"
	finish
fi

expect_exit 0 bp attach rx0
for rule in "udp" "tcp to any port 80" "icmp type 8" "from 2001:db8::/16" "gre" "udp to me" \
	"0.0.0.0/0" "59"; do
	# shellcheck disable=SC2086
	check "block $rule" bp block $rule
done
for rule in "permit udp to any port 53" "permit from 10.0.0.0/8" "count any" "count tcp" \
	"permit icmpv6" "permit tcp from any port 1024-65535"; do
	# shellcheck disable=SC2086
	check "$rule" bp $rule
done

# judged FILE WORD...: all of it, or refused; says which.
judged() {
	local out code

	out=$(bp explain --json --pcap "$@" 2>&1)
	code=$?
	if [ $code -eq 0 ] && [ "$(jq '(.totals | .packets == .passed + .blocked + .undecided)
		and .checked + .untried + .totals.undecided == .totals.packets
		and ([.rows[].packets] | add // 0) == .totals.packets' <<<"$out")" = true ]; then
		echo judged
	elif [ $code -eq 2 ] && grep -qE "^bpfpol: $1 (holds frames of|is no capture|cannot be)" \
		<<<"$out"; then
		echo refused
	else
		echo "exit $code: $out"
	fi
}

CAPTURES=$TOP/../shared/data/captures
if [ -d "$CAPTURES" ]; then
	for file in "$CAPTURES"/*/*; do
		name=${file#"$CAPTURES"/}
		got=$(judged "$file")
		case $name in
		*chdlc* | *ppp-ipv* | *http-urldecode* | *ipv4-malformed.pcap) want=refused ;;
		*) want=judged ;;
		esac
		same "$name" $want "$got"
		[ "$got" = judged ] || continue
		# Most often in the middle of a packet.
		head -c $(($(stat -c %s "$file") / 2)) "$file" >"$WORLD/half"
		got=$(judged "$WORLD/half" out)
		[[ $got = judged || $got = refused ]] && got=ok
		same "half of $name, outbound" ok "$got"
	done
else
	skip "captures that others made" "there is no $CAPTURES"
fi

# --- how far it has come

# many N: as many frames, 24 bytes of head in front of them.
many() {
	local i records=()

	for ((i = 0; i < 1000; i++)); do records+=("$SHORT"); done
	"$PKT" pcap micro 1 "${records[@]}" >"$WORLD/thousand"
	head -c 24 "$WORLD/thousand"
	tail -c +25 "$WORLD/thousand" >"$WORLD/records"
	for ((i = 0; i < $1 / 1000; i++)); do cat "$WORLD/records"; done
}

SHORT=$(frame dport=1434)
many 500000 >"$WORLD/long.pcap"
expect_json "half a million packets" '.totals.packets == 500000 and .checked == 500000' \
	bp explain --json --pcap "$WORLD/long.pcap"
same "shows nothing where there is no terminal" "" \
	"$(bp explain --pcap "$WORLD/long.pcap" 2>&1 >/dev/null)"
if command -v script >/dev/null; then
	# shellcheck disable=SC2317 # script calls it
	on_terminal() {
		script -qec "nsenter --net=/run/netns/$(netns rx) $BPFPOL explain --pcap $1" /dev/null
	}
	START=$EPOCHREALTIME
	OUT=$(on_terminal "$WORLD/long.pcap" </dev/null)
	if [ $((${EPOCHREALTIME/./} - ${START/./})) -gt 1500000 ]; then
		expect_out '\[#+ *\] +[0-9]+%  [0-9]+ packets'
		expect_out $'\r\033\\[K.*long.pcap: 500000 packets'
	else
		skip "a bar" "it was done within a second"
	fi
	# Where the size is not known, a number alone.
	mkfifo "$WORLD/fifo"
	{ cat "$WORLD/thousand"; sleep 1.2; cat "$WORLD/records"; } >"$WORLD/fifo" &
	OUT=$(on_terminal "$WORLD/fifo" </dev/null)
	expect_out $'\r[0-9]+ packets\033'
	# Short ones are done before anybody asks.
	OUT=$(on_terminal "$WORLD/thousand" </dev/null)
	expect_out '1000 packets'
	same "and no bar" 0 "$(grep -cE '%|\[K' <<<"$OUT")"
else
	skip "a bar" "there is no script"
fi

finish
