#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The guard at random: no change that it lets through cuts a packet of what bpfpol.conf protects, as the oracle
# judges the policies before and after. GUARD_CHANGES=N: how many. SEED=N: of the first.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/judged.sh
. "$(dirname "$0")/judged.sh"

CHANGES=${GUARD_CHANGES:-40} SEED=${SEED:-$((RANDOM * 1000))}
POLICIES=$BPFPOL_CONF_DIR/policies
mkdir -p "$POLICIES" "$WORLD/drawn"
expect_exit 0 bp attach rx0
echo "# SEED=$SEED"

# assign NAME [OPTION]: what was drawn under that name.
assign() {
	{ echo "policy \"$1\""; cat "$WORLD/drawn/$1"; } >"$POLICIES/$1.policy"
	OUT=$(bp policy assign "$@" 2>&1)
}

# judged POLICY WAY KIND: a line for each packet of that way and kind.
judged() {
	judge "$WORLD/drawn/$1" "$WORLD/drawn/$2.$3" "$2" rx0 "$RX4" "$RX6"
}

# cut_by_change: the packets that the policy before lets pass and the one after does not, and by which of its rules.
# A block that names hosts is meant for them, where a line is for anybody.
cut_by_change() {
	local way kind

	for way in in out; do
		for kind in hosts ports; do
			paste <(judged before $way $kind) <(judged after $way $kind) "$WORLD/drawn/$way.$kind" |
				awk -F '\t' -v way=$way -v kind=$kind '
				FNR == NR { rule[FNR] = $0; next }
				$1 ~ /^p/ && $2 ~ /^b/ {
					split($2, word, " ")
					if (kind == "hosts" || rule[word[2]] !~ /(from|to) [0-9a-f]+[.:]/)
						print way, "by", rule[word[2]] ": " $3
				}' "$WORLD/drawn/after" -
		done
	done
}

REFUSED=0 DONE=0 CUT=0 MISSED=0
for ((i = SEED; i < SEED + CHANGES; i++)); do
	"$TOP/tests/e2e/guard_random.py" $i "$WORLD/drawn"
	cp "$WORLD/drawn/conf" "$BPFPOL_CONF_DIR/bpfpol.conf"
	assign before --force || nok "SEED=$i: the policy before" "$OUT"
	assign after
	code=$?
	cut=$(cut_by_change)
	[ -z "$cut" ] || CUT=$((CUT + 1))
	case $code in
	0) DONE=$((DONE + 1)) ;;
	5) REFUSED=$((REFUSED + 1)) ;;
	*) nok "SEED=$i: exit $code" "$OUT" ;;
	esac
	if [ $code -eq 5 ] || [ -z "$cut" ]; then continue; fi
	MISSED=$((MISSED + 1))
	nok "SEED=$i: refused" "$(cat "$WORLD/drawn/conf")"$'\nbefore:\n'"$(cat "$WORLD/drawn/before")"$'\nafter:\n'"$(
		cat "$WORLD/drawn/after")"$'\ncut:\n'"$(head -n 3 <<<"$cut")"
done
echo "# $CHANGES changes: $REFUSED refused, $DONE done; $CUT cut one of the packets"
same "no change that is done cuts a packet of what is protected" 0 $MISSED
check "some are refused" [ $REFUSED -gt 0 ]
check "some are done" [ $DONE -gt 0 ]
check "some would cut what was drawn" [ $CUT -gt 0 ]
echo "# figure guard-random $CHANGES changes, $REFUSED refused"

finish
