#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `watch MATCH`: which packets are told, in the words of a rule, judged before they are sampled. What it
# shows of one stream is counted.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/watching.sh
. "$(dirname "$0")/watching.sh"

cd "$WORLD" || exit 1
for rule in "udp/1000-2000" "out udp/1000-2000" "tcp/1434" "icmp"; do
	# shellcheck disable=SC2086
	bp block $rule >/dev/null
done
bp permit udp/3000 log >/dev/null

# The stream: of each what tells it apart.
send_all() {
	send_frames 1 dport=1434
	send_frames 1 dport=1435 sport=53
	send_frames 1 src=203.0.113.9 dport=1434
	send_frames 1 "${V6[@]}" dport=1434
	send_frames 1 "${V6[@]}" src=2001:db8::9 dport=1500
	send_frames 1 proto=tcp dport=1434
	send_frames 1 dport=3000
	send_frames 1 dport=1434 frag=1480 len=64
	FROM=rx TX=rx0 TO=tx RX=tx0 send_frames 1 "${BACK[@]}" dport=1434
	FROM=rx TX=rx0 TO=tx RX=tx0 send_frames 1 "${BACK[@]}" "${BACK6[@]}" dport=1436
	send_frames 1 dport=1999
}

# shows N WORD...: so many packets of the stream.
shows() {
	local n=$1

	shift
	watch_begin --rate 0 "$@"
	until_true watched_there
	send_all
	watch_end
	same "watch $*: $n" "$n" "$(grep -c . watched)"
}

shows 10
shows 9 block
shows 1 permit
shows 8 in
shows 2 out
shows 0 on lo
shows 4 udp/1434
shows 3 in on rx0 udp/1434
shows 1 203.0.113.0/24
shows 0 out from 203.0.113.9
shows 1 2001:db8::/32
shows 2 udp/1500,1999
shows 2 "udp/1500,1999,$(seq -s, 5001 2 5999)"
shows 5 'from 10.77.0.1 to 10.77.0.2'
shows 0 'out from 10.77.0.1'
shows 3 'block in udp from 10.77.0.1'
shows 1 --id 2 ::/0
shows 0 --id 1 tcp

# What is not asked for is not sampled: one in the flood is there all the same.
watch_begin --rate 1 203.0.113.9
until_true watched_there
send_frames 300 dport=1434
send_frames 1 src=203.0.113.9 dport=1434
until_true has_lines 1
watch_end
is "the one that was asked for" 203.0.113.9 '.[0].from.address'
is "and nothing was left out before it" 0 '.[0].left_out // 0'

# Thousands of filters take too long for each packet of a flood: then it is a sample that is compared with
# them. 10 ms of comparing are 500 packets, and each second of the flood 5,000 more.
watch_begin "in udp/$(seq -s, 1001 2 1433),$(seq -s, 1437 2 1999),$(seq -s, 3001 2 6095)"
until_true watched_there
python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$(frame dport=1434)" >flood
"$BPFTOOL" prog run pinned "$BPFPOL_BPFFS/bpfpol_xdp" data_in flood repeat 50000 >/dev/null
# shellcheck disable=SC2317 # called by name
told_late() {
	send_frames 1 dport=1501
	has_lines 1
}
check "one that is asked for is told behind a flood" until_true told_late
watch_end
check "of which some were left out" grep -q 'left out by sampling' watch.log

# Another interface of that name is the one that is asked for from then on.
add_pair tx1 port1 78
bp attach port1 >/dev/null
watch_begin --rate 0 on port1 udp/1434
until_true watched_there
TX=tx1 RX=port1 send_frames 1 src=10.78.0.1 dst=10.78.0.2 dport=1434
check "told on port1" until_true has_lines 1
run_in rx ip link del port1
check "it says that it is gone" until_true grep -q '^port1 is gone: this waits' watch.log
send_frames 1 dport=1434
add_pair tx1 port1 78
check "it says that it is there again" until_true grep -q '^port1 is there again' watch.log
bp attach port1 >/dev/null
TX=tx1 RX=port1 send_frames 1 src=10.78.0.1 dst=10.78.0.2 dport=1434
check "told on the other one" until_true has_lines 2
watch_end
is "and nothing but that" "port1 port1" '[.[].interface] | join(" ")'

expect_exit 2 bp watch count udp/1434
expect_out 'blocked or not'
expect_exit 2 bp watch udp/1434 log
expect_exit 2 bp watch from @list
expect_out 'count from @FILE log'
expect_exit 2 bp watch to me
expect_out 'in or out alone'
expect_exit 2 bp watch "udp/$(seq -s, 1 2 2200)"
expect_out 'more than 4096'
expect_exit 2 bp watch nonsense
expect_exit 3 bp watch on no9
expect_out 'no interface of that name'

finish
