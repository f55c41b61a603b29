#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Windows' commands, typed as there: rows 16, 20 to 23, 25, 27 to 32 and 50 of the mission.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

P='Block UDP 1434 Filter'


generation() {
	bp status --json | jq .policy.generation
}

# Row 16: a static policy in one call; row 25: in force when the command returns.
passes "${SLAMMER[@]}"
expect_exit 0 bp ipsecpol -w REG -p "$P" -r "Block Inbound UDP 1434 Rule" -f '*=0:1434:UDP' -n BLOCK -x
expect_out 'rx0'
expect_out "Rule 1 added.*in udp to me port 1434 name \"Block Inbound UDP 1434 Rule\""
expect_out "'$P' is assigned"
blocked "${SLAMMER[@]}"
blocked "${V6[@]}" "${SLAMMER[@]}"

# Row 20, 21: any host, any source port, to UDP 1434 of this computer, and nothing beside it.
for port in 0 1 1434 4000 20199 65535; do blocked dport=1434 sport=$port; done
blocked src=203.0.113.9 dport=1434
passes dport=1433
passes dport=1435
passes proto=tcp dport=1434
passes sport=1434 dport=1433
passes "${V6[@]}" dport=1433
passes "${V6[@]}" proto=tcp dport=1434
passes proto=icmp type=8
# Row 22: the worm's frame is counted under the name that the rule was given.
expect_json "its counter" '.rules[0] | .name == "Block Inbound UDP 1434 Rule" and .packets == 9' \
	bp status --json
expect_exit 0 bp netdiag /test:ipsec
expect_out "^Local IPSec Policy Active: '$P'\$"

# Row 28: appended to a policy that exists, in force at once as it is assigned, without -x.
leaves dport=1434
expect_exit 0 bp ipsecpol -w REG -p "$P" -r "Block Outbound UDP 1434 Rule" -f '0=*:1434:UDP' -n BLOCK
# Row 29, 30: an infected host cannot spread: nothing on the wire from a raw sender.
stopped dport=1434
stopped dport=1434 sport=4000
stopped "${BACK6[@]}" dport=1434
stopped src=203.0.113.9 dport=1434
leaves dport=1433
leaves proto=tcp dport=1434
leaves sport=1434 dport=7
blocked "${SLAMMER[@]}"
expect_json "two rules in one policy" "(.rules | length) == 2 and .policy.name == \"$P\"" \
	bp status --json
# Once more is no more.
expect_exit 0 bp ipsecpol -w REG -p "$P" -f '0=*:1434:UDP' -n BLOCK -x
expect_out 'already there'
expect_json "still two" '.rules | length == 2' bp status --json

# Row 32: still there after a restart, the appended one too; both are in the text.
fresh_bpffs
passes dport=1434
expect_exit 0 bp attach rx0
blocked "${SLAMMER[@]}"
stopped dport=1434
OUT=$(bp policy export "$P")
expect_out 'block in udp to me port 1434'
expect_out 'block out udp from me to port 1434'

# Row 27: without -x a policy is stored only, and the command says so.
expect_exit 0 bp ipsecpol -w REG -p "Block TCP 80 Filter" -r "Block Inbound TCP 80 Rule" \
	-f '*=0:80:TCP' -n BLOCK
expect_out 'stored only'
passes proto=tcp dport=80
blocked "${SLAMMER[@]}"
OUT=$(bp policy list)
expect_out 'Block TCP 80 Filter'
expect_out "$P"

# Row 23: with it, nobody fetches a page from here, and this host still fetches one there.
expect_exit 0 bp ipsecpol -w REG -p "Block TCP 80 Filter" -x
expect_out "'$P'"
blocked proto=tcp dport=80
blocked "${V6[@]}" proto=tcp dport=80
exec {SERVER}< <(run_in tx "$PKT" serve 80 100000)
read -r -u "$SERVER" _
same "a client here fetches a page there" 100000 \
	"$(run_in rx timeout 10 bash -c "exec 3<>/dev/tcp/$TX4/80; head -c 100000 <&3 | wc -c")"
exec {SERVER}<&-
passes "${SLAMMER[@]}"
leaves dport=1434

# Row 25: all the filters of one command come at once: one generation more, not one for each.
BEFORE=$(generation)
expect_exit 0 bp ipsecpol -w REG -p Many -x -n BLOCK \
	-f '*=0:1001:UDP' '*=0:1002:UDP' -f '*+0:1003:TCP' '(10.77.0.1=0:1002:UDP)'
same "one step" "$((BEFORE + 1))" "$(generation)"
blocked dport=1001
blocked src=10.77.0.9 dport=1002
passes dport=1002
blocked proto=tcp dport=1003
stopped proto=tcp sport=1003 dport=7
passes proto=tcp dport=80

# Row 31: as many as needed, of every form.
expect_exit 0 bp ipsecpol -w REG -p Many -n BLOCK -f '10.*.*.*=0:22:TCP' '*:4000=0::UDP' '*=0::icmp' \
	'192.0.2.0/255.255.255.0=0' '[fd77::]/64=0:23:TCP' '0:80+*::TCP' '198.51.100.7=198.51.100.8'
blocked proto=tcp dport=22
passes src=203.0.113.1 proto=tcp dport=22
blocked sport=4000 dport=9
passes sport=4001 dport=9
blocked proto=icmp type=8
blocked src=192.0.2.77 dport=9
passes src=192.0.3.77 dport=9
blocked "${V6[@]}" proto=tcp dport=23
passes "${V6[@]}" proto=tcp dport=24
blocked proto=tcp dport=80
stopped proto=tcp sport=80 dport=5
blocked src=198.51.100.7 dst=198.51.100.8
passes src=198.51.100.8 dst=198.51.100.7
stopped src=198.51.100.7 dst=198.51.100.8
leaves src=198.51.100.8 dst=198.51.100.7

# Row 50: nothing is exempt: what came from port 88, broadcast and multicast passed every filter.
expect_exit 0 bp ipsecpol -w REG -p All -x -n BLOCK -f '*=0'
blocked sport=88 dport=7
blocked proto=tcp sport=88 dport=445
blocked sport=500 dport=500
blocked dst-mac=ff:ff:ff:ff:ff:ff dst=255.255.255.255 dport=7
blocked dst-mac=ff:ff:ff:ff:ff:ff dst=10.77.0.255 dport=7
blocked dst-mac=01:00:5e:00:00:fb dst=224.0.0.251 dport=5353
blocked "${V6[@]}" dst-mac=33:33:00:00:00:01 dst=ff02::1 sport=88 dport=7

finish
