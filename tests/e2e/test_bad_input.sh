#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Policies and lists that are too many, too long, too equal or too wrong: taken within bounds or
# refused in seconds, and then the old policy stays in force.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

POLICIES=$BPFPOL_CONF_DIR/policies
PER_RULE=200 # bytes of kernel memory, of an IPv4 rule among a million
MOST_MB=150  # of the process that puts a million addresses in force
mkdir -p "$POLICIES"

# in_seconds DESC SECONDS COMMAND...: OUT is what it printed, CODE its exit code.
in_seconds() {
	local desc=$1 most=$2 begun=$SECONDS said

	shift 2
	said=$("$@" 2>&1)
	CODE=$?
	check "$desc within $most s" [ $((SECONDS - begun)) -le "$most" ]
	OUT=$said
}

# old_stays DESC: what was in force before is.
old_stays() {
	same "$1: the old policy is in force" "old b" \
		"$(bp status --json | jq -r .policy.name) $(verdicts "$(frame dport=1434)")"
}

# addresses N: that many, none next to another.
addresses() {
	awk -v n="$1" 'BEGIN {
		for (i = 0; i < n; i++) {
			at = 1000000000 + i * 37
			printf "%d.%d.%d.%d\n", at / 16777216, at / 65536 % 256, at / 256 % 256, at % 256
		}
	}'
}

# in_memory DESC COMMAND...: it has at most MOST_MB at any time; PEAK is what it had.
in_memory() {
	local desc=$1

	shift
	PEAK=$(("$("$TOP/build/tests/timed" command 1 "$(netns rx)" "$BPFPOL" "$@" | jq -r 'if .failed == 0 then .rss_kb else 9999999 end')" / 1024))
	check "$desc in $PEAK MB, $MOST_MB at most" [ "$PEAK" -le $MOST_MB ]
}

# memlock: bytes that the maps under our pins lock.
memlock() {
	find "$WORLD/bpf" -type f -exec "$BPFTOOL" -j map show pinned {} \; 2>/dev/null | jq -s 'map(select(type == "object")) | unique_by(.id) | map(.bytes_memlock // 0) | add'
}

echo "block udp/1434" >"$POLICIES/old.policy"
expect_exit 0 bp policy assign old

awk 'BEGIN {
	for (i = 0; i < 100000; i++)
		printf "block in udp/%d-%d\n", 1 + i % 317, 1000 + int(i / 317)
}' >"$POLICIES/ranges.policy"
in_seconds "100000 ranges that overlap" 10 bp policy assign ranges
same "they are refused" 1 "$CODE"
expect_out 'more than 1024 rules .* join their ranges into fewer rules'
old_stays "ranges"

awk 'BEGIN {
	for (i = 0; i < 670000; i++)
		if (i % 1093 == 0 && i / 1093 < 613)
			print "10.0.0.x"
		else
			printf "%d.%d.%d.7\n", 20 + i / 65536, i / 256 % 256, i % 256
}' >"$WORLD/wrong"
in_seconds "670000 lines of which 613 are wrong" 5 bp block from "@$WORLD/wrong"
same "they are refused" 2 "$CODE"
expect_out '613 lines are wrong'
same "the first 20 are shown by number" "$(for ((i = 0; i < 20; i++)); do echo $((1 + i * 1093)); done)" \
	"$(sed -n 's/^  line \([0-9]*\): .*/\1/p' <<<"$OUT")"
expect_out '^  and 593 more$'
old_stays "wrong lines"
echo "block from @$WORLD/wrong" >"$POLICIES/wrong.policy"
in_seconds "a policy with that list" 5 bp policy assign wrong
same "it is refused" 2 "$CODE"
expect_out '613 lines are wrong'
same "by number, too" 20 "$(grep -c '^  line [0-9]*: ' <<<"$OUT")"
old_stays "a policy with wrong lines"

# What is too long is refused before it is read. A state's first bytes say which commit it is.
# unread CODE FILE WORDS COMMAND...: FILE is of 3 GB from now on, and the command says WORDS.
unread() {
	local code=$1 file=$2 words=$3 got

	shift 3
	truncate -s 3G "$file"
	expect_exit "$code" run_in rx strace -f -qq -o "$WORLD/calls" -e trace=openat,read,pread64 -P "$file" "$BPFPOL" "$@"
	expect_out "$words"
	check "$*: it was opened" grep -q openat "$WORLD/calls"
	got=$(awk '/read/ { n += $NF } END { print n + 0 }' "$WORLD/calls")
	check "$*: $got bytes of it are read, 64 at most" [ "$got" -le 64 ]
}
LONG='has more than 256 MiB'
unread 2 "$POLICIES/long.policy" "long.policy $LONG" policy assign long
unread 2 "$POLICIES/long.policy" "long.policy $LONG" policy check long
unread 2 "$WORLD/long" "/long $LONG" policy check "$WORLD/long"
unread 2 "$WORLD/long" "/long $LONG" block from "@$WORLD/long"
rm "$POLICIES/long.policy" "$WORLD/long"
old_stays "what is too long"
unread 0 "$BPFPOL_CONF_DIR/bpfpol.conf" "warning: .*/bpfpol.conf $LONG" restore
rm "$BPFPOL_CONF_DIR/bpfpol.conf"
cp -a "$BPFPOL_STATE_DIR" "$WORLD/saved"
unread 1 "$BPFPOL_STATE_DIR/interfaces" "/interfaces $LONG.* its copy" interfaces
unread 1 "$BPFPOL_STATE_DIR/interfaces" "/interfaces $LONG.* its copy" restore
same "the list of interfaces is put right" "$(cat "$WORLD/saved/interfaces")" "$(cat "$BPFPOL_STATE_DIR/interfaces")"
unread 1 "$BPFPOL_STATE_DIR/journal" "/journal is damaged" block udp/9
unread 1 "$BPFPOL_STATE_DIR/state" "/state is damaged" block udp/9
unread 1 "$BPFPOL_STATE_DIR/tried" "/tried is damaged" block udp/9
rm -r "$BPFPOL_STATE_DIR"
mv "$WORLD/saved" "$BPFPOL_STATE_DIR"
old_stays "a store that is too long"

# As little memory as there may be: all of it, or nothing of it.
addresses 200000 >"$WORLD/many"
BAD=
for ((limit = 20000; limit <= 90000; limit += 2500)); do
	(ulimit -v "$limit" && bp block from "@$WORLD/many") >"$WORLD/said" 2>&1
	code=$?
	kept=$(cat "$BPFPOL_STATE_DIR"/lists/* 2>/dev/null | grep -vc '^#')
	[ $code -eq 0 ] || kept=$((kept + 200000))
	[ "$kept" -eq 200000 ] || BAD+="$limit KB: exit $code, $kept lines kept: $(cat "$WORLD/said")"$'\n'
	bp remove from "@$WORLD/many" >/dev/null 2>&1
done
same "a list, with less memory than it takes: all of it or nothing" "" "$BAD"
old_stays "no memory"

awk 'BEGIN {
	for (a = 20; a <= 128; a++)
		for (b = 20; b <= 128 && n < 10000; b++) {
			printf "block in from 2001:db8::/%d to fd77::/%d\n", a, b
			n++
		}
}' >"$POLICIES/masks.policy"
in_seconds "10000 pairs of masks" 10 bp policy assign masks
same "they are taken" 0 "$CODE"
expect_out '10000 rules, 10000 filters'
same "and hold" bp "$(verdicts "$(frame "${V6[@]}" src=2001:db8::1)" "$(frame "${V6[@]}")")"

yes "block udp/1434" | head -n 1000000 >"$POLICIES/same.policy"
in_seconds "a million rules that are equal" 20 bp policy assign same
same "they are one" 0 "$CODE"
expect_out ' 1 rules, 2 filters'
same "and in force" bp "$(verdicts "$(frame dport=1434)" "$(frame dport=1435)")"

addresses 1000000 >"$WORLD/million"
in_seconds "a million addresses" 20 bp block from "@$WORLD/million"
EACH=$(($(memlock) / 1000000))
check "they take $EACH bytes of the kernel each, not over $PER_RULE" [ "$EACH" -le $PER_RULE ]
check "and not nothing, which would be read wrong" [ "$EACH" -ge 64 ]

# Beside them another million comes, or they are only looked at.
addresses 1000001 >"$WORLD/million"
echo "block from @$WORLD/million" >"$POLICIES/million.policy"
in_memory "a million in their place" policy assign million
check "and not nothing" [ "$PEAK" -ge 64 ]
addresses 1000002 >"$WORLD/million"
in_memory "a list that is another one now" policy assign million
in_memory "a dry run of that" policy assign million --dry-run
in_memory "their counters" list
in_memory "their end" policy unassign
in_memory "a million where nothing was" block from "@$WORLD/million"

finish
