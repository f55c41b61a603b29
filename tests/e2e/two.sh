# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Two policies, a and b, that take each other's place; sourced after lib.sh. Both block udp/1434.

POLICIES=$BPFPOL_CONF_DIR/policies
mkdir -m 700 "$BPFPOL_CONF_DIR" "$POLICIES"
printf 'block udp/2001\nblock udp/1434\n' >"$POLICIES/a.policy"
printf 'block udp/2002\nblock udp/1434\n' >"$POLICIES/b.policy"
FRAMES=("$(frame dport=2001)" "$(frame dport=2002)" "$(frame dport=1434)" "$(frame dport=9)")

# judged POLICY: that one judges, and what it blocks has been counted in all its time.
declare -A COUNTED=([a]=0 [b]=0)
judged() {
	local got counted expected=bpbp

	[ "$1" = a ] || expected=pbbp
	got=$(verdicts "${FRAMES[@]}")
	COUNTED[$1]=$((COUNTED[$1] + 1))
	counted=$(counter packets 'in udp to port 1434')
	OUT="judged: $got, not $expected; counted: $counted, not ${COUNTED[$1]}"
	[ "$got $counted" = "$expected ${COUNTED[$1]}" ]
}

# is POLICY DESC
is() {
	if judged "$1"; then ok "$2"; else nok "$2" "$OUT"; fi
}
