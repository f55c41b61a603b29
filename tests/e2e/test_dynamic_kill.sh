#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Dynamic rules go with the process that holds them, however it goes, and static ones never miss a
# packet for it. KILLS=N: how often it is killed under traffic.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck source=tests/e2e/holding.sh
. "$(dirname "$0")/holding.sh"

KILLS=${KILLS:-100}

# figure NAME
figure() {
	sed -n "s/^$1 //p" <<<"$FIGURES"
}

expect_exit 0 bp block udp/1434

# Killed at any moment under traffic.
FIGURES=$("$TOP/build/tests/kills" "$KILLS" "/run/netns/$(netns tx)" tx0 "/run/netns/$(netns rx)" rx0 \
	"$(frame dport=1434 len=16)" "$(frame dport=1435 len=16)" "$(frame dport=1436 len=16)" \
	"add block udp/1435" \
	nsenter "--net=/run/netns/$(netns rx)" "$HOLD" 2>&1)
echo "# ${FIGURES//$'\n'/, }"
check "$KILLS times killed: enough rows" [ "$(figure rows)" -gt $((KILLS * 200)) ]
same "the static rule missed no packet" 0 "$(figure static)"
same "dynamic rules were in force when the holder said so" 0 "$(figure late)"
# One that is still in force after some seconds has not gone either.
same "they went, and did not come back" 0 "$(figure back)"
echo "# figure holder-kills $KILLS"
echo "# figure holder-kills-gone-after-us-at-most $(figure most)"

# A holder that hangs keeps nothing static waiting.
hold_begin
does "add block udp/1435"
does "add permit udp/1500 from $TX4"
does "add count udp"
does "add block emergency tcp/80"
FREE=$(frame dport=1436)
DYNAMIC=$(frame dport=1435)
kill -STOP "$HELD_BY"
expect_exit 0 bp block udp/1437
blocked dport=1437
blocked dport=1435
expect_exit 0 bp block udp/1500
passes dport=1500
expect_exit 0 bp permit tcp/80 from "$TX4"
blocked proto=tcp dport=80
echo "block udp/1439" >"$WORLD/other.policy"
expect_exit 0 bp policy import "$WORLD/other.policy"
expect_exit 0 bp policy assign other
blocked dport=1439
passes dport=1437
blocked dport=1435
expect_exit 0 bp policy unassign
passes dport=1439
blocked dport=1435
same "what it holds is read back without it" "elements 7" \
	"$(hold read | grep elements)"
check "a count rule counts" [ "$(hold read | awk '{ n += $2 } END { print n }')" -gt 8 ]
hold_kill
check "killed while it hangs, its rules go" until_true arrived "$DYNAMIC"
check "what passed still does" arrived "$FREE"

# Who asks both layers about a capture that does not end keeps no rule in force.
hold_begin
does "add block udp/1435"
blocked dport=1435
mkfifo "$WORLD/fifo"
nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" explain --pcap - <>"$WORLD/fifo" >"$WORLD/out" 2>&1 &
EXPLAIN=$!
# shellcheck disable=SC2317 # called by until_true
asks() {
	[ "$(readlink "/proc/$EXPLAIN/fd/"* | grep -c bpf-prog)" -ge 2 ] && bp status >/dev/null
}
check "both layers are asked" until_true asks
hold_kill
check "killed while somebody asks, its rules go" until_true arrived "$DYNAMIC"
kill "$EXPLAIN"

finish
