#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The main job: a port is closed by one command, and nothing beside it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# neighbours: what must pass while udp/1434 is blocked.
neighbours() {
	passes "${SLAMMER[@]}" dport=1433
	passes "${SLAMMER[@]}" dport=1435
	passes proto=tcp sport=20199 dport=1434
	passes sport=1434 dport=20199
	passes proto=icmp type=8
	passes "${V6[@]}" "${SLAMMER[@]}" dport=1433
	passes "${V6[@]}" proto=tcp dport=1434
	passes "${V6[@]}" sport=1434 dport=20199
}

passes "${SLAMMER[@]}"
passes "${V6[@]}" "${SLAMMER[@]}"

expect_exit 0 bp block udp/1434
expect_out 'rx0'
same "a program is attached" 1 "$(run_in rx ip -o link show rx0 | grep -cE 'prog/xdp|xdp.* id ')"
blocked "${SLAMMER[@]}"
blocked "${V6[@]}" "${SLAMMER[@]}"
blocked "src=203.0.113.9" "${SLAMMER[@]}"
neighbours

# From every source port, and in steps of 16 to the next port.
# from_ports DPORT STEP: that many frames in hex, a line each.
from_ports() {
	local hex

	hex=$(frame "dport=$1" sport=0)
	awk -v head="${hex:0:68}" -v tail="${hex:72}" -v step="$2" \
		'BEGIN { for (i = 0; i < 65536; i += step) printf "%s%04x%s\n", head, i, tail }'
}

BEFORE=$(counter packets "in udp to port 1434")
same "no source port gets through" 0 "$(sniffed - < <(from_ports 1434 1) | grep -c ' 1434 ')"
same "each of them was counted" 65536 $(($(counter packets "in udp to port 1434") - BEFORE))
same "nor does one stop its neighbour" 4096 \
	"$(sniffed - < <(from_ports 1435 16) | grep -c ' 1435 ')"
bp remove udp/1434 >/dev/null
expect_exit 0 bp block udp/1434
blocked "${SLAMMER[@]}"
blocked "${V6[@]}" "${SLAMMER[@]}"
blocked "src=203.0.113.9" "${SLAMMER[@]}"

# The same once more, in other words.
expect_exit 0 bp block in udp from any to any port 1434
expect_out 'already'
same "one rule" 1 "$(bp status --json | jq '.rules | length')"
expect_json "what arrived is counted" \
	'.rules[0] | .packets == 3 and .bytes == 418 + 438 + 418' bp status --json

expect_exit 0 bp block tcp/445
blocked proto=tcp dport=445
blocked "${SLAMMER[@]}"
neighbours

expect_exit 0 bp remove udp/1434
passes "${SLAMMER[@]}"
passes "${V6[@]}" "${SLAMMER[@]}"
blocked proto=tcp dport=445
expect_exit 3 bp remove udp/1434
expect_exit 3 bp remove udp/445
expect_exit 3 bp remove --id 4711

expect_exit 0 bp unblock tcp/445
passes proto=tcp dport=445
same "no rule is left" 0 "$(bp status --json | jq '.rules | length')"

# An id is never used again.
bp block udp/1434 >/dev/null
FIRST=$(bp status --json | jq '.rules[0].id')
bp remove --id "$FIRST" >/dev/null
passes "${SLAMMER[@]}"
bp block udp/1434 >/dev/null
check "ids are never reused" [ "$(bp status --json | jq '.rules[0].id')" -gt "$FIRST" ]
blocked "${SLAMMER[@]}"

# A rule that has no effect is one, and it is said why it has none.
add_pair tx1 rx1 78
expect_exit 0 bp block on rx1 udp/7001
expect_out "^bpfpol: warning: the rule stops .* its interface is not filtered: 'bpfpol attach rx1' changes that"
expect_exit 0 bp block on lo udp/7001
expect_out '^bpfpol: warning: .*: the loopback never is'
expect_exit 0 bp attach rx1
expect_exit 0 bp block on rx1 udp/7002
check "no word where it is" [ "${OUT/warning/}" = "$OUT" ]
echo '# none' >"$WORLD/empty.txt"
expect_exit 0 bp block from "@$WORLD/empty.txt" --dry-run
expect_out '^bpfpol: warning: the rule matches nothing, as its list is empty: .*/empty.txt holds no address'

# What was taken out of a pattern stays out when a block that attaches first fails behind that.
expect_exit 0 bp attach 'rx*'
expect_exit 0 bp detach rx0 rx1
IS=$(remembered)
expect_exit 1 run_in rx strace -qq -o /dev/null -e trace=write -e inject=write:error=EIO:when=4 \
	"$BPFPOL" block udp/4711
same "it stays out" "$IS" "$(remembered)"
same "nothing is attached" "[]" "$(bp status --json | jq -c '[.interfaces[] | select(.ingress != "none")]')"

finish
