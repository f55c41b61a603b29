#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `watch`: each blocked packet is told, on every hook, with what it is and which rule blocks it; rules
# with `log`; samples; who watches at a time, and how it ends.
# shellcheck disable=SC2317 # functions are called by check and until_true
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/holding.sh
. "$(dirname "$0")/holding.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"
# shellcheck source=tests/e2e/watching.sh
. "$(dirname "$0")/watching.sh"

cd "$WORLD" || exit 1

expect_exit 4 run_in rx setpriv --reuid 65534 --clear-groups "$BPFPOL" watch
expect_exit 2 bp watch now
expect_exit 2 bp watch --rate much
expect_out '^bpfpol: --rate takes a number from 0 to'
expect_exit 2 bp watch --count 0
expect_exit 2 bp watch --json --pcap x
expect_exit 3 bp watch --id 7
expect_out "there is no rule 7; 'bpfpol list'"
same "refused, it makes nothing" "" "$(find "$BPFPOL_STATE_DIR" "$BPFPOL_BPFFS" x 2>/dev/null)"

# Before there is anything to watch; the first rule comes while it waits.
watch_begin --rate 0
check "it waits" until_true grep -q '^Nothing is in force yet' watch.log
expect_exit 0 bp block udp/1434 name "the \"worm\""
check "it goes on when there is something" until_true watched_there
send_frames 3 dport=1434 sport=4000
told 3
is "what it was" "udp from $TX4 port 4000 to $RX4 port 1434" '.[0].packet'
is "where, and what became of it" "rx0 in block" '.[0] | "\(.interface) \(.direction) \(.verdict)"'
is "the rule" '1 the "worm" block in udp to port 1434 static' \
	'.[0].rule | "\(.id) \(.name) \(.action) \(.filter) \(.layer)"'
is "ends, by part" "udp $TX4 4000 $RX4 1434" \
	'.[0] | "\(.protocol) \(.from.address) \(.from.port) \(.to.address) \(.to.port)"'
is "size" "1 42" '.[0] | "\(.packets) \(.bytes)"'
is "all of them" "3 rule 1 blocks it" '"\(length) \(map(.reason) | unique | join(" "))"'
passes dport=9
send_frames 2 "${V6[@]}" dport=1434
told 5
is "by IPv6, and none of those that pass" "udp from $TX6 port 40000 to $TX6" \
	'.[3].packet | sub("to [^ ]* port 1434"; "to '"$TX6"'")'
# What cannot be read.
expect_exit 0 bp block tcp/99
send_frames 1 proto=tcp frag=8
told 6
is "cut before its ports" \
	"null malformed: its ports cannot be read, and a rule asks for them: blocked before any rule is compared" \
	'.[5] | "\(.rule) \(.reason)"'
# A rule that comes meanwhile has its name, too.
expect_exit 0 bp block icmp type 8 name late
send_frames 1 proto=icmp type=8
told 7
is "a rule that came later" "icmp type 8 code 0 from $TX4 to $RX4 late" \
	'.[6] | "\(.packet) \(.rule.name)"'
expect_exit 0 bp block out udp/1500
FROM=rx TX=rx0 TO=tx RX=tx0 blocked "${BACK[@]}" dport=1500
told 8
is "what leaves" "out 4 $RX4" '.[7] | "\(.direction) \(.rule.id) \(.from.address)"'

# One at a time.
expect_exit 1 bp watch
expect_out "another 'bpfpol watch' runs, process $WATCH: one can at a time"
watch_end
same "ended, it leaves with" 0 "$STATUS"
check "and says how many it has shown" grep -qx '8 packets shown' watch.log
check "its place is empty" nobody_watches
expect_exit 0 bp policy unassign

# Every hook: all frames are told, counted and stopped, as without a watcher.
expect_exit 0 bp detach rx0
add_pair tx1 rx1 78
add_pair tx2 rx2 79
run_in rx "$PKT" link-type l3 512
watch_hook() {
	local name=$1 n=$2 dir=$3 blocked

	blocked=$(totals "$dir")
	shift 3
	watch_begin --rate 0
	until_true watched_there
	"$@"
	told "$n"
	same "$name: counted" $((blocked + n)) "$(totals "$dir")"
	is "$name: nothing else was told" "$n $dir" '"\(length) \(map(.direction) | unique | join(" "))"'
	watch_end
}
expect_exit 0 bp attach rx0 --mode native
expect_exit 0 bp attach rx1 --mode generic
expect_exit 0 bp attach rx2 --mode tc
expect_exit 0 bp attach l3
expect_exit 0 bp block udp/1434
expect_exit 0 bp block out udp/1434
RX1=(src-mac="$TX_MAC" src=10.78.0.1 dst=10.78.0.2)
RX2=(src-mac="$TX_MAC" src=10.79.0.1 dst=10.79.0.2)
watch_hook "native XDP" 20 in send_frames 20 dport=1434
TX=tx1 RX=rx1 watch_hook "generic XDP" 20 in send_frames 20 "${RX1[@]}" dport=1434
TX=tx2 RX=rx2 watch_hook "TC, in" 20 in send_frames 20 "${RX2[@]}" dport=1434
FROM=rx TX=rx0 TO=tx RX=tx0 watch_hook "TC, out" 20 out send_frames 20 "${BACK[@]}" dport=1434
watch_begin --rate 0
until_true watched_there
blocked dport=1434
TX=tx1 RX=rx1 blocked "${RX1[@]}" dport=1434
told 2
watch_end

# Rules with `log`: whatever they match, and not a sample.
expect_exit 0 bp permit tcp/22 log
expect_exit 0 bp count tcp log name all
expect_exit 0 bp permit tcp/23
watch_begin --rate 1
until_true watched_there
send_frames 40 proto=tcp dport=22
send_frames 5 proto=tcp dport=23
told 45
is "permitted, and counted" "pass 45" '"\(map(.verdict) | unique | join(" ")) \(length)"'
PERMIT=$(bp status --json | jq '.rules[] | select(.action == "permit" and .filter == "in tcp to port 22") | .id')
COUNT=$(bp status --json | jq '.rules[] | select(.name == "all") | .id')
is "by both" "$PERMIT $COUNT" '.[0].logged_by | map(.id) | sort | map(tostring) | join(" ")'
is "by the one that counts alone" "$COUNT" '.[44].logged_by | map(.id) | map(tostring) | join(" ")'
watch_end
# `log` is taken on by a rule that stands.
expect_exit 0 bp permit tcp/23 log
watch_begin --id "$(bp status --json | jq '.rules[] | select(.filter == "in tcp to port 23") | .id')"
until_true watched_there
send_frames 2 dport=1434
send_frames 1 proto=tcp dport=22
send_frames 3 proto=tcp dport=23
told 3
is "--id: packets of that rule alone" "port 23" 'map(.packet | sub(".* port 23$"; "port 23")) | unique | join(" ")'
watch_end

# A sample: what is left out is counted, by packet.
watch_begin --rate 1
until_true watched_there
send_frames 400 dport=1434
passes dport=9
watch_end
SHOWN=$(grep -c . watched)
check "of 400 a few are shown" [ "$((SHOWN >= 1 && SHOWN < 100))" = 1 ]
check "the others are counted" grep -qx "$SHOWN packets shown, $((400 - SHOWN)) more left out by sampling" watch.log
expect_exit 0 timeout 20 nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" watch --help

# So many, then it ends.
watch_begin --count 2
until_true watched_there
send_frames 5 dport=1434
wait "$WATCH"
same "--count: it ends by itself with" "0 2" "$? $(grep -c . watched)"

# Dynamic rules: their names are the agent's to tell.
start_agent
watch_begin --rate 0
until_true watched_there
expect_exit 0 bp block --dynamic udp/1437 name "by the agent"
send_frames 1 dport=1437
told 1
is "a dynamic rule that the agent holds" "by the agent dynamic" \
	'.[0].rule | "\(.name) \(.layer)"'
expect_exit 0 bp count --dynamic udp/1438 log name told
send_frames 1 dport=1438
told 2
is "one that counts, with log" "pass told" '.[1] | "\(.verdict) \(.logged_by[0].name)"'
watch_end
stop_agent TERM

# Those of another holder.
hold_begin
does "add block udp/1435" # 1000000
does "add count udp/1436 log" # 1000001
watch_begin --rate 0
until_true watched_there
send_frames 3 dport=1435
send_frames 2 dport=1436
told 5
is "dynamic rules" "1000000 1000001" '"\(.[0].rule.id) \(.[4].logged_by[0].id)"'
is "a blocked one and one that passes" "block pass" '"\(.[0].verdict) \(.[4].verdict)"'
blocked dport=1435
passes dport=1436

# Root programs that come anew are found.
rm "$BPFPOL_BPFFS/ctl"
expect_exit 0 bp restore
check "it follows" until_true watched_there
send_frames 1 dport=1434
check "and is told" until_true grep -q 'to port 1434"' watched
hold_kill

# Killed: nothing stays in the way, and the kernel takes its programs.
PROGRAMS=$(cat "/proc/$WATCH"/fdinfo/* 2>/dev/null | sed -n 's/^prog_id:\s*//p' | xargs)
check "it has programs" [ "$(wc -w <<<"$PROGRAMS")" -ge 12 ]
kill -9 "$WATCH"
wait "$WATCH" 2>/dev/null
blocked dport=1434
gone() {
	[ "$(for id in $PROGRAMS; do "$BPFTOOL" prog show id "$id" 2>/dev/null | grep -c ' name tell_'; done |
		grep -c 1)" = 0 ]
}
check "what told it is gone" until_true gone
blocked dport=1434
passes dport=9
watch_begin --rate 0
until_true watched_there
send_frames 1 dport=1434
told 1
watch_end
same "the next one sees to the rest" 0 "$STATUS"
check "its place is empty" nobody_watches

# Readers that go away.
mkfifo pipe
nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" watch >pipe 2>watch.log &
WATCH=$!
exec {READER}<pipe
until_true watched_there
exec {READER}<&-
wait "$WATCH"
same "nobody reads: it ends with" 0 $?
check "its place is empty" nobody_watches

# What a trial has gone back to is named, though nobody has written yet that it did.
mkdir -p "$BPFPOL_CONF_DIR/policies"
echo 'count udp/1500' >"$BPFPOL_CONF_DIR/policies/other.policy"
watch_begin --rate 0
check "it watches" until_true watched_there
bp policy assign other --confirm 1 >/dev/null
goes_back() { [ "$(verdicts "$(frame dport=1434)")" = b ]; }
is_named() { [ "$(tail -1 watched | jq -r .rule.name)" = 'the "worm"' ]; }
check "the trial ends" until_true goes_back
check "its rule is named" until_true is_named
same "nobody has written it" 1 "$(grep -c '^assigned other' "$BPFPOL_STATE_DIR/state")"
watch_end

finish
