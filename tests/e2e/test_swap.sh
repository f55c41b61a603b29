#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Policies in turn, each in the tables of the one before the last: no packet meets what was there
# before, or half of what is to be. Under traffic, and then at random, against the oracle. SWAPS=N:
# how many under traffic.
# shellcheck disable=SC2317 # a function is called by check
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/three.sh
. "$(dirname "$0")/three.sh"
# shellcheck source=tests/e2e/judged.sh
. "$(dirname "$0")/judged.sh"

SPARE=$BPFPOL_BPFFS/spare
POLICIES=$BPFPOL_CONF_DIR/policies
mkdir -m 700 "$BPFPOL_CONF_DIR" "$POLICIES"
expect_exit 0 bp attach rx0

# --- under traffic: both say the same of each packet, by other rules; but for those to port 3002, of
# which one goes to each side of every change, and those to port 3003, which are numbered

SWAPS=${SWAPS:-60}

LIST=$WORLD/sources.txt
awk 'BEGIN { for (i = 0; i < 20000; i++) printf "11.%d.%d.7\n", i / 256, i % 256 }' >"$LIST"
cat >"$WORLD/both" <<-END
	count from 11.0.0.0/8
	block udp/1434
END
cat "$WORLD/both" - >"$WORLD/swap.0" <<-END
	block udp/3000
END
cat "$WORLD/both" - >"$WORLD/swap.1" <<-END
	block udp/3000 from 11.0.0.0/8
	block udp/3001-3009
	permit udp/3001 from 11.0.0.0/8
END

# assign NAME FILE: what the file of that name holds now.
assign() {
	cp "$2" "$POLICIES/$1.policy"
	OUT=$(bp policy assign "$1" 2>&1)
}

# flood PORT: until it is enough; how many were sent.
flood() {
	until [ -e "$WORLD/enough" ]; do
		run_in tx "$PKT" flood tx0 "$LIST" "src-mac=$TX_MAC" "dst-mac=$RX_MAC" "dst=$RX4" \
			dport="$1"
	done
}

sent() {
	awk '{ n += $1 } END { print n + 0 }' "$WORLD/sent.$1"
}

# delivered: datagrams that came to a port where nobody listens.
delivered() {
	# shellcheck disable=SC2016 # awk's
	run_in rx awk '$1 == "Udp:" && $3 ~ /[0-9]/ { print $3 }' /proc/net/snmp
}

for i in 0 1 0; do assign swap "$WORLD/swap.$i" || nok "assign" "$OUT"; done
BEFORE=$(delivered)
for port in 1434 3000 3001; do
	flood $port >"$WORLD/sent.$port" &
	FLOODS+=($!)
done
# changed N: what a packet on one of the processors, in turn, meets when the command is done: p or b.
changed() {
	PROCESSOR=$(($1 % $(nproc)))
	[ -n "$(call tx "udp/$RX4/19" "udp/$RX4/3002")" ] && echo p || echo b
}

serve_echo rx udp/19 udp/3002

# Of each family from each processor; swap.0 is in force.
for ((cpu = 0; cpu < $(nproc); cpu++)); do FLOWS+=("3003/4/$cpu" "3003/6/$cpu"); done
"$TOP/tests/e2e/stream.py" "/run/netns/$(netns tx)" tx0 "/run/netns/$(netns rx)" "$WORLD/begun" \
	"$WORLD/enough" "${FLOWS[@]}" >"$WORLD/numbered" &
FLOODS+=($!)
until_true [ -e "$WORLD/begun" ] || nok "numbered packets flow" "they do not"

FALLS=0 LAST=0 WRONG=0 SPARES=0 LATE=0 CHANGED=(0 0)
for ((i = 0; i < SWAPS; i++)); do
	[ ! -e "$SPARE" ] || SPARES=$((SPARES + 1))
	assign swap "$WORLD/swap.$(((i + 1) % 2))" || WRONG=$((WRONG + 1))
	new=$(((i + 1) % 2)) # swap.1 blocks them
	CHANGED[new]=$((CHANGED[new] + 1))
	case $new$(changed $i) in
	1b | 0p) ;;
	*) LATE=$((LATE + 1)) ;;
	esac
	NOW=$(counter packets "in udp to port 1434")
	[ "$NOW" -ge "$LAST" ] || FALLS=$((FALLS + 1))
	LAST=$NOW
done
touch "$WORLD/enough"
wait "${FLOODS[@]}"
# no_more RUNS: than the changes make of it, and some.
no_more() {
	[ "$1" -gt 1 ] && [ "$1" -le $((SWAPS / 2 + 1)) ]
}

ALL=$(($(sent 1434) + $(sent 3000) + $(sent 3001)))
echo "# $ALL packets during $SWAPS changes"
NUMBERED=0 LOST=0 SEEN=0 STREAMS=0
while read -r flow sent arrived runs which; do
	NUMBERED=$((NUMBERED + sent)) LOST=$((LOST + sent - arrived)) STREAMS=$((STREAMS + 1))
	SEEN=$((SEEN + 2 * runs - 2))
	# It passes, is blocked from one packet on, and so on; who is late may miss a change, but nobody sees one twice.
	check "$flow: of $sent, passed in $runs runs, none goes back to the policy before" \
		no_more "$runs" || echo "# $which"
done <"$WORLD/numbered"
same "each family on each processor" $((2 * $(nproc))) $STREAMS
same "every command succeeds" 0 "$WRONG"
same "with a spare" "$SWAPS" "$SPARES"
same "what is changed is changed on each processor when the command is done" 0 "$LATE"
same "no counter falls" 0 "$FALLS"
check "there was traffic" [ "$ALL" -ge 60000 ]
same "what both block by the same rule is counted once" "$(sent 1434)" \
	"$(counter packets "in udp to port 1434")"
same "all is counted once by the count rule" "$ALL" "$(counter packets "in from 11.0.0.0/8")"
same "what both block is blocked, and what one does by that" "$(($(sent 1434) + $(sent 3000) + CHANGED[1] + LOST))" \
	"$(bp status --json | jq '.totals.in.blocked')"
same "and nothing else: the rest arrives" "$(sent 3001)" $(($(delivered) - BEFORE))
echo "# figure swaps $SWAPS"
echo "# figure swaps-packets $ALL"
echo "# figure swaps-numbered $NUMBERED packets, $SEEN changes seen"

# --- at random

SEED=${SEED:-$RANDOM}
echo "# SEED=$SEED"
ROUNDS=40

# random_rules N SEED: that few of the shapes and numbers there are, so that policies are alike.
random_rules() {
	awk -v n="$1" -v seed="$2" '
		function pick(m) { return int(rand() * m) }
		function from() {
			return pick(3) ? "10.9." pick(4) "." pick(8) * 32 "/" 27 - pick(2) * 3 : \
				"fd99:0:" pick(4) "::/48"
		}
		BEGIN {
			srand(seed)
			split("block block permit count", action, " ")
			split("udp tcp", proto, " ")
			while (n--) {
				rule = action[1 + pick(4)]
				if (pick(9) == 0)
					rule = rule " emergency"
				if (pick(5))
					rule = rule " " proto[1 + pick(2)] "/" 1 + pick(9) \
						(pick(4) ? "" : "-" 10 + pick(3))
				if (pick(3))
					rule = rule " from " from()
				if (rule ~ /[0-9]/)
					print rule
			}
		}' | sort -u
}

# random_frames SEED: words for `pkt build`, a frame a line.
random_frames() {
	awk -v seed="$1" '
		function pick(m) { return int(rand() * m) }
		BEGIN {
			srand(seed)
			split("udp tcp", proto, " ")
			for (i = 0; i < 60; i++) {
				if (pick(3))
					src = "src=10.9." pick(4) "." pick(256)
				else
					src = "src=fd99:0:" pick(4) "::7 dst='"$RX6"'"
				print src, "proto=" proto[1 + pick(2)], "sport=" 20000 + i, "dport=" 1 + pick(12)
			}
		}'
}

awk 'BEGIN { for (i = 0; i < 9000; i++) printf "10.8.%d.%d\n", i / 256, i % 256 }' >"$WORLD/many"
SPARES=0 BLOCKED=0 DIFFER=0
for ((i = 0; i < ROUNDS; i++)); do
	SIZES=(0 1 5 20 20 20 20 100 250)
	seed=$((SEED * 1000 + i))
	random_rules "${SIZES[seed % 9]}" $seed >"$WORLD/rules"
	[ $((seed % 7)) -ne 0 ] || echo "block @$WORLD/many" >>"$WORLD/rules"
	random_frames $seed | while read -r line; do
		# shellcheck disable=SC2086
		frame $line
	done >"$WORLD/frames"
	[ ! -e "$SPARE" ] || SPARES=$((SPARES + 1))
	assign "random$((i % 3))" "$WORLD/rules" || nok "SEED=$SEED, round $i" "$OUT"
	sed '/@/d' "$WORLD/rules" >"$WORLD/listless" # which blocks none of the frames
	want=$(judge "$WORLD/listless" "$WORLD/frames" in rx0 "$RX4" "$RX6" | cut -c1 | tr -d '\n')
	mapfile -t frames <"$WORLD/frames"
	got=$(verdicts "${frames[@]}")
	blocked=${got//p/}
	BLOCKED=$((BLOCKED + ${#blocked}))
	[ "$got" = "$want" ] && continue
	DIFFER=$((DIFFER + 1))
	nok "SEED=$SEED, round $i" "the oracle: $want"$'\n'"the kernel: $got"$'\n'"$(cat "$WORLD/rules")"
done
same "$ROUNDS policies at random: as the oracle says" 0 "$DIFFER"
check "with a spare $SPARES times" [ $SPARES -ge $((ROUNDS / 2)) ]
check "blocked $BLOCKED of $((ROUNDS * 60))" [ $BLOCKED -gt $((ROUNDS * 5)) ]

finish
