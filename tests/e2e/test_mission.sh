#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# docs/mission.md row by row, by the commands of Windows' manual as they were typed there, with packets.
# A row is a case of its own, which holds when all checks in it do; what a row needs beyond that has a
# test of its own, named there.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

ROW=

# end_row: the last row's own line.
end_row() {
	[ -z "$ROW" ] || same "$ROW" "checks, 0 failed" \
		"$([ "$TESTS" = "$BEGUN" ] && echo "no ")checks, $((FAILED - FAILED_BEFORE)) failed"
}

# row "N: TITLE": what follows shows it.
row() {
	end_row
	ROW="row $1" BEGUN=$TESTS FAILED_BEFORE=$FAILED
}


# has_line LINE: the last output has that line, as it is.
has_line() {
	same "the line: $1" 1 "$(grep -cxF -- "$1" <<<"$OUT")"
}

in_kernel() {
	bp status --debug --json | jq '.filters | length'
}

# The commands are called as they were called there, by links.
mkdir "$WORLD/bin"
for name in ipsecpol netdiag; do ln -s "$BPFPOL" "$WORLD/bin/$name"; done
ipsecpol() {
	run_in rx "$WORLD/bin/ipsecpol" "$@"
}
netdiag() {
	run_in rx "$WORLD/bin/netdiag" "$@"
}

P='Block UDP 1434 Filter'
IN='Block Inbound UDP 1434 Rule'
NO_POLICY='IPSec policy service is active, but no policy is assigned.'

row "14: netdiag /test:ipsec, as spelled"
expect_exit 0 netdiag /test:ipsec
has_line 'IP Security test . . . . . . . . . : Passed'

row "15: the words where no policy is assigned"
has_line "$NO_POLICY"
expect_json "status agrees" '.policy == null' bp status --json

row "17: whether the filter runs: none yet, then on which interface and how"
expect_json "none yet" '.interfaces | map(select(.ingress != "none")) == []' bp status --json
expect_exit 0 bp attach rx0
expect_json "attached" '.kernel != "" and (.agent | IN("running", "stopped")) and (.interfaces[]
	| select(.name == "rx0") | .ingress == "xdp-native" and .egress == env.TC and .why != "")' \
	bp status --json

row "16: a static policy in one call"
passes "${SLAMMER[@]}"
expect_exit 0 ipsecpol -w REG -p "$P" -r "$IN" -f '*=0:1434:UDP' -n BLOCK -x
blocked "${SLAMMER[@]}"
blocked "${V6[@]}" "${SLAMMER[@]}"
expect_exit 0 bp policy unassign
passes "${SLAMMER[@]}"
expect_exit 0 bp block udp/1434
blocked "${SLAMMER[@]}"
expect_exit 0 bp unblock udp/1434
passes "${SLAMMER[@]}"
expect_exit 0 ipsecpol -w REG -p "$P" -x

row "11: which policy applies, and that it is this computer's own"
expect_json "status" ".policy | .name == \"$P\" and .source == \"local\" and .overrides == null" \
	bp status --json
expect_exit 0 netdiag /test:ipsec
has_line "Local IPSec Policy Active: '$P'"

row "21: any host, any source port, to UDP 1434; 1433, 1435 and TCP 1434 pass"
for port in 0 1 53 88 1434 4000 20199 65535; do blocked sport=$port dport=1434; done
blocked src=203.0.113.9 dport=1434
passes dport=1433
passes dport=1435
passes proto=tcp dport=1434
passes "${V6[@]}" proto=tcp dport=1434

row "20: any address to this computer, protocol and port as one likes"
expect_exit 0 ipsecpol -w REG -p "Row 20" -n BLOCK -x -f 'any=me:1001:UDP' 'ANY=0:1002:TCP' '*=Me::icmp' '*=0::47'
blocked dport=1001
blocked "${V6[@]}" dport=1001
passes proto=tcp dport=1001
blocked proto=tcp dport=1002
passes dport=1002
blocked proto=icmp type=8
blocked proto=gre
leaves dport=1001

row "26: assigning one unassigns the other, and says which"
expect_out "'$P'"
passes dport=1434
expect_exit 0 ipsecpol -w REG -p "$P" -x
expect_out "'Row 20'"
blocked dport=1434
passes dport=1001
same "exactly one" "1" "$(netdiag /test:ipsec | grep -c "Policy Active: '$P'")"
same "one mark in the list" 1 "$(bp policy list | grep -c '^\* [^i]')"

row "28: a rule appended to what is assigned is in force at once"
leaves dport=1434
expect_exit 0 ipsecpol -w REG -p "$P" -r "Block Outbound UDP 1434 Rule" -f '0=*:1434:UDP' -n BLOCK
stopped dport=1434
blocked dport=1434

row "30: a raw sender on this host puts nothing on the wire"
for port in 88 1434 4000; do
	stopped sport=$port dport=1434
	stopped "${BACK6[@]}" sport=$port dport=1434
done
stopped src=203.0.113.9 dport=1434
leaves dport=1433
leaves proto=tcp dport=1434

row "29: the misprint gets the right form shown, which works as it is shown"
BEFORE=$(snapshot)
expect_exit 2 ipsecpol -w REG -p "$P" -f '*0=:1434:UDP' -n BLOCK
expect_out '0=\*:1434:UDP'
unchanged "the misprint" "$BEFORE"
expect_exit 0 ipsecpol -w REG -p "$P" -f '0=*:1434:UDP' -n BLOCK
expect_out 'already there'

row "27: without -x a new policy is stored only, and that is said"
expect_exit 0 ipsecpol -w REG -p "Block TCP 80 Filter" -r "Block Inbound TCP 80 Rule" -f '*=0:80:TCP' -n BLOCK
expect_out 'stored only'
passes proto=tcp dport=80
blocked dport=1434

row "23: no one fetches a page here, and this host fetches one there"
expect_exit 0 ipsecpol -w REG -p "Block TCP 80 Filter" -x
run_in rx "$PKT" serve 80 7 >"$WORLD/served" &
HERE=$!
until_true grep -q . "$WORLD/served"
same "none from here" "" "$(run_in tx timeout 1 bash -c "exec 3<>/dev/tcp/$RX4/80; cat <&3" 2>/dev/null)"
kill $HERE
exec {SERVER}< <(run_in tx "$PKT" serve 80 100000)
read -r -u "$SERVER" _
same "a whole one from there" 100000 \
	"$(run_in rx timeout 10 bash -c "exec 3<>/dev/tcp/$TX4/80; head -c 100000 <&3 | wc -c")"
exec {SERVER}<&-

row "25: -x in one step: what both policies block never passes in between"
expect_exit 0 ipsecpol -w REG -p A -n BLOCK -f '*=0:1434:UDP' '*=0:1001:UDP'
expect_exit 0 ipsecpol -w REG -p B -n BLOCK -f '*=0:1434:UDP' '*=0:1002:UDP'
expect_exit 0 ipsecpol -w REG -p A -x
HEX=$(frame "${SLAMMER[@]}")
LINE=$("$PKT" line "$HEX")
mapfile -t WORMS < <(yes "$HEX" | head -1000)
while [ ! -e "$WORLD/enough" ]; do
	for name in B A; do ipsecpol -w REG -p $name -x >/dev/null && echo $name; done
done >"$WORLD/switched" &
SWITCHER=$!
GOT=0
for ((i = 0; i < 20; i++)); do GOT=$((GOT + $(arrivals "$LINE" "${WORMS[@]}"))); done
touch "$WORLD/enough"
wait $SWITCHER
SWITCHES=$(grep -c '^[AB]$' "$WORLD/switched")
same "none of 20000 while it was switched ($SWITCHES times)" 0 "$GOT"
check "it was switched" [ "$SWITCHES" -ge 4 ]

row "31: as many rules as needed, each for itself, and a clear error at a limit"
mapfile -t MANY < <(seq -f '*=0:%.0f:TCP' 3000 2 3998)
expect_exit 0 ipsecpol -w REG -p Many -n BLOCK -x -f "${MANY[@]}"
same "500 of them" 500 "$(bp status --json | jq .policy.rules)"
FRAMES=() EXPECTED=
for ((i = 3000; i < 4000; i += 50)); do
	FRAMES+=("$(frame proto=tcp dport=$i)" "$(frame proto=tcp dport=$((i + 1)))")
	EXPECTED+=bp
done
same "each, and not its neighbour" "$EXPECTED" "$(verdicts "${FRAMES[@]}")"
for ((i = 20000; i < 21025; i++)); do
	echo "block udp/$i-$((i + 7))"
done >"$BPFPOL_CONF_DIR/policies/Ranges.policy"
expect_exit 1 bp policy assign Ranges
expect_out '^bpfpol: more than 1024 rules differ .* only in port ranges'
same "what was in force still is" "$EXPECTED" "$(verdicts "${FRAMES[@]}")"

row "32: still there after a restart, appended rules too"
expect_exit 0 ipsecpol -w REG -p "$P" -x
fresh_bpffs
rm -rf "$BPFPOL_RUN_DIR"
passes dport=1434
expect_exit 0 bp restore
blocked dport=1434
stopped dport=1434

row "37: the name of the policy in force is in the first lines of each report"
for report in "netdiag /test:ipsec" "netdiag /test:ipsec /debug" status "status --debug" top\ --once; do
	# shellcheck disable=SC2086
	check "$report" grep -qF "'$P'" <<<"$(bp $report | head -2)"
done

row "38: a block added by that name, flags in any order: both are in force"
NAME=$(netdiag /test:ipsec | sed -n "s/^Local IPSec Policy Active: '\(.*\)'\$/\1/p")
expect_exit 0 ipsecpol -n BLOCK -f '*=0:1433:TCP' -r "SQL" -p "$NAME" -w REG
blocked dport=1434
blocked proto=tcp dport=1433
expect_exit 0 ipsecpol -F '*=0:1433:UDP' -W reg -N block -P "$NAME" -X
blocked dport=1434
blocked proto=tcp dport=1433
blocked dport=1433
passes proto=tcp dport=1434

row "35: the listing's keys, in their order, for each filter that the kernel holds"
N=$(netdiag /test:ipsec /debug | sed -n 's/^There are \([0-9]*\) filters$/\1/p')
KEYS='No Name
Filter Id: 
Policy Id: 
Src Addr : Src Mask : 
Dest Addr : Dest Mask : 
Tunnel Addr : Src Port : Dest Port : 
Protocol : TunnelFilter: 
Flags : '
GOT=$(netdiag /test:ipsec /debug | sed '1,/^There are/d' |
	sed -E 's/^(Filter Id: |Policy Id: ).*/\1/
		s/^(Src Addr : |Dest Addr : )[^ ]+ (Src Mask : |Dest Mask : )[^ ]+$/\1\2/
		s/^(Tunnel Addr : )0\.0\.0\.0 (Src Port : )[0-9-]+ (Dest Port : )[0-9-]+$/\1\2\3/
		s/^(Protocol : )[0-9]+ (TunnelFilter: )No$/\1\2/
		s/^(Flags : )(Inbound|Outbound) (Block|Permit)$/\1/')
same "N is what is listed, and each is whole" \
	"$(for ((i = 0; i < ${N:-0}; i++)); do echo "$KEYS"; done)" "$GOT"
check "there are some" [ "${N:-0}" -ge 4 ]

row "34: the listing is the kernel's, not the store's"
cp -a "$BPFPOL_STATE_DIR" "$WORLD/was"
bp block tcp/4444 >/dev/null
rm -r "$BPFPOL_STATE_DIR"
mv "$WORLD/was" "$BPFPOL_STATE_DIR"
OUT=$(netdiag /test:ipsec /debug)
expect_out 'Dest Port : 4444$'
blocked proto=tcp dport=4444
bp list >/dev/null
OUT=$(netdiag /test:ipsec /debug)
same "until the store is put in force" 0 "$(grep -c 'Dest Port : 4444' <<<"$OUT")"
passes proto=tcp dport=4444

row "41: brackets block, parentheses permit; without quotes the shell's files are named"
mkdir "$WORLD/here"
touch "$WORLD/here/P"
# shellcheck disable=SC2016
expect_exit 2 bash -c 'cd "$1" && "$2" -f [*=0:1434:UDP]' - "$WORLD/here" "$WORLD/bin/ipsecpol"
expect_out "'P' is a file here"
expect_out "'\[\*=0:1434:UDP\]'"
expect_exit 0 ipsecpol -w REG -p Signs -x -f '[*=0:1434:UDP]' '(10.77.0.1=0:1434:UDP)'
blocked src=10.77.0.9 dport=1434
passes dport=1434
expect_exit 0 ipsecpol -w REG -p Signs -n PASS -f '[*=0:1435:UDP]'
blocked dport=1435

row "50: nothing is exempt: port 88, IKE, broadcast, multicast"
expect_exit 0 ipsecpol -w REG -p All -x -n BLOCK -f '*=0'
blocked sport=88 dport=7
blocked proto=tcp sport=88 dport=445
blocked sport=500 dport=500
blocked dst-mac=ff:ff:ff:ff:ff:ff dst=255.255.255.255 dport=7
blocked dst-mac=01:00:5e:00:00:fb dst=224.0.0.251 dport=5353
blocked "${V6[@]}" dst-mac=33:33:00:00:00:01 dst=ff02::1 sport=88 dport=7
OUT=$(bp status)
expect_out 'always pass'

row "47: -y unassigns, -o deletes, and no filter stays in the kernel"
expect_exit 0 ipsecpol -w REG -p All -y
passes dport=7
same "none after -y" 0 "$(in_kernel)"
OUT=$(netdiag /test:ipsec)
has_line "$NO_POLICY"
expect_exit 0 ipsecpol -w REG -p "$P" -x
blocked dport=1434
expect_exit 0 ipsecpol -w REG -p "$P" -o
passes dport=1434
leaves dport=1434
same "none after -o" 0 "$(in_kernel)"
expect_exit 3 ipsecpol -w REG -p "$P" -x

row "13, 46: it takes rights, and an ordinary user is told"
BEFORE=$(snapshot)
for command in "netdiag /test:ipsec /debug" "ipsecpol -w REG -p P -f *=0:1434:UDP -n BLOCK -x"; do
	# shellcheck disable=SC2086
	expect_exit 4 run_in rx setpriv --reuid=65534 --clear-groups "$BPFPOL" $command
	expect_out 'needs root'
done
unchanged "an ordinary user" "$BEFORE"

row "1, 2: a protocol and port, in and out, each direction alone"
expect_exit 0 bp block tcp/445
blocked proto=tcp dport=445
leaves proto=tcp dport=445
expect_exit 0 bp block out tcp/139
stopped proto=tcp dport=139
passes proto=tcp dport=139
expect_json "XDP in, TC out" '.interfaces[] | .ingress == "xdp-native" and .egress == env.TC' bp status --json

row "40: a block for now, which ends by itself"
expect_exit 0 bp block udp/1434 for 2h
blocked dport=1434
expect_json "two hours of it are left" '.rules[] | select(.filter == "in udp to port 1434")
	| .expires_in > 7000 and .expires_in <= 7200' bp status --json
expect_exit 0 bp block udp/7 for 1s
SEVEN=$(frame dport=7)
# shellcheck disable=SC2317 # until_true calls it
passed() {
	[ "$(verdicts "$SEVEN")" = p ]
}
check "it ends" until_true passed

row "22, 24: the shipped policies against Slammer, Code Red and Nimda"
for name in slammer codered nimda; do
	expect_exit 0 bp policy import --shipped $name
	expect_exit 0 bp policy assign $name
	case $name in
	slammer) STOPS=("${SLAMMER[@]}") PASSES=("${SLAMMER[@]}" dport=1433) ;;
	*) STOPS=(proto=tcp dport=80) PASSES=(proto=tcp dport=81) ;;
	esac
	blocked "${STOPS[@]}"
	blocked "${V6[@]}" "${STOPS[@]}"
	passes "${PASSES[@]}"
done
stopped proto=udp dport=69
expect_exit 0 bp policy assign local

row "8: export, edit, import: the backup is in force again; rollback without one"
expect_exit 0 bp policy export local
echo "$OUT" >"$WORLD/backup.policy"
expect_exit 0 bp remove tcp/445
passes proto=tcp dport=445
expect_exit 0 bp policy rollback
blocked proto=tcp dport=445
expect_exit 0 bp policy delete local
passes proto=tcp dport=445
expect_exit 0 bp policy import "$WORLD/backup.policy" --name local
expect_exit 0 bp policy assign local
blocked proto=tcp dport=445
stopped proto=tcp dport=139

row "9: the impact before it is felt"
expect_exit 0 bp block tcp/22 --dry-run
passes proto=tcp dport=22
expect_exit 0 bp explain tcp from 192.0.2.1 port 4000 to "$RX4" port 445
expect_out '^BLOCK'
printf 'permit emergency tcp\nblock tcp/445\n' >"$WORLD/check.policy"
expect_exit 0 bp policy check "$WORLD/check.policy"
expect_out 'check.policy:2:1: .*can never win'
echo 'block udp/4567' >"$BPFPOL_CONF_DIR/policies/trial.policy"
expect_exit 0 bp policy assign trial --confirm 1
# shellcheck disable=SC2317 # until_true calls it
confirmed_by_nobody() {
	[ "$(bp status --json | jq -r .policy.name)" = local ]
}
check "a change that nobody confirms goes back by itself" until_true confirmed_by_nobody
passes dport=4567

row "3: the README's three questions, in its order, each command as it stands there"
# typed COMMAND: stands in the README behind the last one, and works.
AT=0
typed() {
	local at

	at=$(grep -nE "^	$1(	|\$)" "$TOP/README.md" | cut -d: -f1 | awk -v at="$AT" '$1 > at { print; exit }')
	check "line ${at:-?} of the README: $1" [ -n "$at" ]
	AT=${at:-$AT}
	expect_exit 0 bash -c "bpfpol() { nsenter '--net=/run/netns/$(netns rx)' '$BPFPOL' \"\$@\"; }; $1"
}
typed 'bpfpol status'
typed 'bpfpol block udp/1434'
blocked dport=1434
typed 'bpfpol policy create web --description "web servers"'
typed 'bpfpol block --policy web tcp/3306'
passes proto=tcp dport=3306
typed 'bpfpol policy assign web'
blocked proto=tcp dport=3306
passes dport=1434
typed 'bpfpol policy list'
typed 'bpfpol off'
passes proto=tcp dport=3306
typed 'bpfpol on'
blocked proto=tcp dport=3306
typed 'bpfpol policy unassign'
passes proto=tcp dport=3306
typed 'bpfpol policy delete web'
typed 'bpfpol policy rollback'
expect_exit 0 bp policy assign local

row "10: off, at once, also with a store that cannot be read"
find "$BPFPOL_STATE_DIR" "$BPFPOL_CONF_DIR" -type f -exec sh -c 'echo "?" >"$1"' - {} \;
expect_exit 0 bp off
passes proto=tcp dport=445
leaves proto=tcp dport=139

end_row
finish
