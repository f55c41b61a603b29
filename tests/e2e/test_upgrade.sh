#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Another version's programs filter (another BP_ABI: an upgrade). What reads says so, and changes nothing. What
# changes puts ours and the rules on disk in their place in one step: no packet passes that is blocked before and
# after, and where it fails the others go on.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

bp attach rx0 >/dev/null
bp block udp/1434 name worm >/dev/null
bp block udp/1435 for 2h >/dev/null
bp block out udp/69 >/dev/null
IDS=$(bp list --json | jq -c '[.rules[].id] | sort')

# from_another: another version's programs filter by those rules.
from_another() {
	bp restore >/dev/null 2>&1
	other_abi || nok "another version" "no ctl"
}

is_judged() {
	blocked dport=1434
	blocked dport=1435
	passes dport=1436
}

REPLACED='warning: what filtered was another version.s, or a pin of it was gone: it is replaced; counters begin anew'

# --- what reads

from_another
for words in status "status --debug" list interfaces metrics "netdiag /test:ipsec" "netdiag /test:ipsec /debug" \
	"top --once --interval 0.1" "status --json" "list --json"; do
	# shellcheck disable=SC2086
	expect_exit 1 bp $words
	expect_out "^bpfpol: what filters now is another version's, or a pin of it was taken away: .*'bpfpol restore'"
	# Words that say what is not so.
	same "$words: no more is said than is known" "" "$(grep -E 'every packet passes|NOT IN FORCE' <<<"$OUT")"
done
expect_exit 1 bp explain udp/1434 from 192.0.2.1 to me
expect_out "another version's"
expect_exit 0 bp explain --policy local udp/1434 from 192.0.2.1 to me
expect_out '^BLOCK'
expect_exit 0 bp block tcp/5 --dry-run
expect_exit 0 bp policy check local
is_judged

# --- what changes

for words in "block tcp/99" "remove tcp/99" "count udp" "remove count udp" restore "attach rx0" "policy assign local" \
	"policy rollback" "policy rollback"; do
	from_another
	# shellcheck disable=SC2086
	expect_exit 0 bp $words
	expect_out "$REPLACED"
	expect_exit 0 bp status
	blocked dport=1434
	blocked dport=1435
done
# What has lost a pin is not said to be another version's for sure.
rm "$BPFPOL_BPFFS/totals"
expect_exit 1 bp status
expect_out "or a pin of it was taken away"
expect_exit 0 bp restore
expect_out "$REPLACED"
is_judged
same "the rules have their numbers" "$IDS" "$(bp list --json | jq -c '[.rules[].id] | sort')"

# --- `off` on trial: the word of another version's programs is not ours to write

for words in "policy rollback" on; do
	bp restore >/dev/null 2>&1
	expect_exit 0 bp off --confirm 300
	other_abi
	# shellcheck disable=SC2086
	expect_exit 0 bp $words
	expect_out "$REPLACED"
	is_judged
done

# --- programs of another build, with the same layout: all goes on, and `restore` puts this build's in their place

# print_of: the fingerprint of what the classifiers in force were loaded from, in hex, first byte first.
print_of() {
	"$BPFTOOL" -j map lookup pinned "$(tables)" key 0 0 0 0 |
		python3 -c 'import json
print(json.loads(input())["formatted"]["value"]["programs"].to_bytes(8, "little").hex())'
}

tables() {
	find "$BPFPOL_BPFFS" -path '*/gen-*/tables'
}

# other_build: one byte of it is another.
# shellcheck disable=SC2317 # check calls it
other_build() {
	local print

	print=$(print_of)
	"$BPFTOOL" -j map lookup pinned "$(tables)" key 0 0 0 0 | jq -r '.value | join("")' | sed 's/0x//g' |
		sed "s/$print/ff${print#??}/; s/../& /g" >"$WORLD/value"
	# shellcheck disable=SC2046 # a byte each
	"$BPFTOOL" map update pinned "$(tables)" key 0 0 0 0 value hex $(cat "$WORLD/value")
}

bp restore >/dev/null 2>&1
OURS=$(print_of)
check "another build's" other_build
check "is told apart" [ "$(print_of)" != "$OURS" ]
send_frames 3 dport=1434
BEFORE=$(counter packets 'in udp to port 1434')
expect_exit 0 bp restore
same "restore loads this build's" "$OURS" "$(print_of)"
same "counters go on" "$BEFORE" "$(counter packets 'in udp to port 1434')"
is_judged
AGAIN=$(bp status --json | jq .policy.generation)
expect_exit 0 bp restore
same "once" "$AGAIN" "$(bp status --json | jq .policy.generation)"

# --- the agent, which begins with what is on disk

from_another
start_agent
agent_said "$REPLACED"
is_judged
expect_exit 0 bp block --dynamic udp/1437
is_judged
blocked dport=1437
check "another one" other_abi
expect_exit 0 bp block tcp/98
expect_out "'systemctl restart bpfpol-agent'"
agent_said 'dynamic rules were not in force, and are again'
is_judged
blocked dport=1437
stop_agent TERM

# --- what is refused, or fails, leaves what filters

from_another
cp -a "$BPFPOL_STATE_DIR/state" "$WORLD/state"
truncate -s 20 "$BPFPOL_STATE_DIR/state"
expect_exit 1 bp block tcp/97
expect_exit 1 bp attach rx0
expect_exit 1 bp agent
is_judged
cp -a "$WORLD/state" "$BPFPOL_STATE_DIR/state"
for call in unlink bpf mmap; do
	from_another
	for n in 1 3 6 12 25 40 60 90; do
		other_abi 2>/dev/null
		run_in rx strace -qq -f -o /dev/null -e "inject=$call:error=ENOMEM:when=$n" "$BPFPOL" block tcp/97 \
			>/dev/null 2>&1
		blocked dport=1434
	done
done

# --- killed, or refused, where links are half renewed: each judges by the older rules or the new ones, both of
# which block this. UPGRADES: so many of each kind of call, spread evenly.

add_pair tx7 rx7 7
expect_exit 0 bp attach rx7
TRIED=0
for fault in mkdir:signal=KILL unlink:signal=KILL bpf:signal=KILL unlink:error=EIO bpf:error=EBUSY; do
	from_another
	run_in rx strace -qq -f -o "$WORLD/calls" -e "trace=${fault%%:*}" "$BPFPOL" restore >/dev/null 2>&1
	CALLS=$(wc -l <"$WORLD/calls")
	for n in $(seq 1 $((1 + CALLS / ${UPGRADES:-6})) "$CALLS") "$CALLS"; do
		# What the one before has left is taken as it is every other time.
		[ $((TRIED % 2)) = 0 ] && from_another
		other_abi 2>/dev/null
		run_in rx strace -qq -f -o /dev/null -e "inject=$fault:when=$n" "$BPFPOL" restore >/dev/null 2>&1
		blocked dport=1434
		TRIED=$((TRIED + 1))
	done
	expect_exit 0 bp restore
	is_judged
	same "$fault: what was begun is not left" "" "$(find "$BPFPOL_BPFFS" -name 'next-*')"
done
echo "# figure takeovers-killed-or-refused $TRIED"
expect_exit 0 bp detach rx7

# --- under numbered packets

from_another
rm -f "$WORLD/begun" "$WORLD/enough"
"$TOP/tests/e2e/stream.py" "/run/netns/$(netns tx)" tx0 "/run/netns/$(netns rx)" "$WORLD/begun" \
	"$WORLD/enough" 1434 2000 >"$WORLD/arrived" &
STREAM=$!
until_true [ -e "$WORLD/begun" ] || nok "the packets flow" "they do not"
for _ in 1 2 3 4 5; do
	bp restore >/dev/null 2>&1
	other_abi
done
touch "$WORLD/enough"
wait "$STREAM"
same "none of what is blocked passes, all else does" "1434 none 2000 all" \
	"$(awk '{ printf "%s%s %s", (NR > 1 ? " " : ""), $1, $5 }' "$WORLD/arrived")"

finish
