#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A layer of dynamic rules: by itself and beside a policy, changed in place and loaded anew, and read
# back from the kernel without its holder's help.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/holding.sh
. "$(dirname "$0")/holding.sh"

# packets ID: that rule's, read back.
packets() {
	hold read | awk -v id="$1" '$1 == id { print $2 }'
}

# shellcheck disable=SC2317 # called by until_true
none_held() {
	! bp explain udp/1435 from "$TX4" to "$RX4" 2>/dev/null | grep -q "dynamic"
}

# Nothing is assigned.
expect_exit 0 bp attach rx0
hold_begin
same "it begins" "ok 0" "$SAID"
same "no rule, no layer" "elements 0" "$(hold read)"
does "add block udp/1435" # 1000000
send_frames 3 dport=1435
passes dport=1436
same "the rule counts" 3 "$(packets 1000000)"
does "add count udp" # 1000001
does "add permit udp/1435 from $TX4" # 1000002
passes dport=1435
does "remove permit udp/1435 from $TX4"
blocked dport=1435
same "both count, in place" "4 2" "$(packets 1000000) $(packets 1000001)"
does "add block out udp/1440"
FROM=rx TX=rx0 TO=tx RX=tx0 blocked dport=1440
FROM=rx TX=rx0 TO=tx RX=tx0 passes dport=1435

# Another holder is refused, and does no harm.
OUT=$(hold </dev/null)
expect_out "^error another process holds dynamic rules"
blocked dport=1435

# Loaded anew, as a rule has too many filters to come in place: those before keep their counters.
PORTS=$(seq -s, 2000 2 3200)
does "add block tcp/$PORTS"
blocked proto=tcp dport=2400
passes proto=tcp dport=2401
same "counters are kept" 5 "$(packets 1000000)"
send_frames 2 dport=1435
same "and go on" 7 "$(packets 1000000)"
does "remove block tcp/$PORTS"
passes proto=tcp dport=2400
same "and go on again" 7 "$(packets 1000000)"

# No packet is missed while the layer is loaded anew, and each is counted once.
LOST=$(frame dport=1435)
FRAMES=()
for ((i = 0; i < 2000; i++)); do FRAMES+=("$LOST"); done
arrivals "$("$PKT" line "$LOST")" "${FRAMES[@]}" >"$WORLD/came" &
SENDER=$!
LOADS=0
while kill -0 $SENDER 2>/dev/null || [ $LOADS -lt 3 ]; do
	echo load >&"${HOLDER[1]}"
	hear
	[ "${SAID%% *}" = ok ] || break
	LOADS=$((LOADS + 1))
done
wait $SENDER
same "loaded again and again: no packet came through" 0 "$(cat "$WORLD/came")"
same "each is counted once" 2007 "$(packets 1000000)"

# Beside a policy, which comes and goes.
expect_exit 0 bp block udp/1436
blocked dport=1435
blocked dport=1436
expect_exit 0 bp explain udp/1435 from "$TX4" to "$RX4"
expect_out "^BLOCK"
expect_out "wins +1000000 \(dynamic\)"
does "add permit emergency udp/1436"
passes dport=1436
expect_exit 0 bp block emergency udp/1436 from "$TX4"
blocked dport=1436
same "the static rule counts, and not the dynamic one" 1 \
	"$(counter packets "in emergency udp from $TX4 to port 1436")"
expect_exit 0 bp policy unassign
passes dport=1436
blocked dport=1435
expect_exit 0 bp off
passes dport=1435
expect_exit 0 bp on
blocked dport=1435

# New root programs have new places for a layer. It is looked after.
rm "$BPFPOL_BPFFS/ctl"
expect_exit 0 bp restore
passes dport=1435
does check
blocked dport=1435
does check

# The last rule goes while the kernel's side cannot be opened: it is gone all the same.
does "many 0"
does "add block udp/1441"
mv "$BPFPOL_BPFFS/ctl" "$BPFPOL_BPFFS/other"
does "remove block udp/1441"
passes dport=1441
mv "$BPFPOL_BPFFS/other" "$BPFPOL_BPFFS/ctl"
does check
does "add block udp/1442"
passes dport=1441
blocked dport=1442

# In bulk.
does "many 100000"
echo "# 100,000 rules in ${SAID#ok } us"
same "all are there" "elements 100000" "$(hold read | grep elements)"
blocked src=11.1.0.7
passes src=11.2.0.7
does "add permit 11.1.0.0/24"
blocked src=11.1.0.7
does "remove block 11.1.0.7"
passes src=11.1.0.7

hold_kill
check "explain does not speak of a layer then" until_true none_held
check "it goes, and all its rules" until_true arrived "$(frame src=11.1.0.8)"
same "there is no layer" "elements 0" "$(hold read)"

finish
