#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Real programs on real sockets: a blocked service goes deaf, the others do not notice.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# hear: what arrives at the services while `talk` speaks to each of them.
hear() {
	local fd ready

	exec {fd}< <(run_in rx "$PKT" recv udp/1433 udp/1434 tcp/8080 tcp/8081)
	read -r -u "$fd" ready
	run_in tx bash -c "
		for host in $RX4 $RX6; do
			echo x >/dev/udp/\$host/1433
			echo x >/dev/udp/\$host/1434
			for port in 8080 8081; do
				timeout 0.5 bash -c \"exec 3<>/dev/tcp/\$host/\$port\" 2>/dev/null
			done
		done
		echo end >/dev/udp/$RX4/9"
	[ "$ready" = ready ] && cut -d' ' -f1-3 <&"$fd" | sort
	exec {fd}<&-
}

ALL="tcp 8080 $TX4
tcp 8080 $TX6
tcp 8081 $TX4
tcp 8081 $TX6
udp 1433 $TX4
udp 1433 $TX6
udp 1434 $TX4
udp 1434 $TX6"

for mode in native generic; do
	same "without a filter all is heard" "$ALL" "$(hear)"
	expect_exit 0 bp attach rx0 --mode "$mode"
	same "$mode: without a rule all is heard" "$ALL" "$(hear)"
	expect_exit 0 bp block udp/1434
	same "$mode: udp/1434 is not heard" "$(grep -v 'udp 1434' <<<"$ALL")" "$(hear)"
	expect_exit 0 bp block tcp/8081 from "$TX4"
	same "$mode: nor tcp/8081 from one address" \
		"$(grep -v -e 'udp 1434' -e "8081 $TX4" <<<"$ALL")" "$(hear)"
	bp remove udp/1434 >/dev/null
	bp remove tcp/8081 from "$TX4" >/dev/null
	same "$mode: all is heard again" "$ALL" "$(hear)"
	expect_exit 0 bp detach rx0
done

finish
