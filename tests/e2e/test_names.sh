#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Names of hosts in rules: stored as given, looked up at each assignment, kept when nobody answers.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

HOST=host.example
# hosts_are ADDRESS...: what whoever is asked says of that name.
hosts_are() {
	printf "%s $HOST\n" "$@" >"$WORLD/hosts"
}
# asked COMMAND...: with that for /etc/hosts, and nobody else to ask.
echo 'hosts: files' >"$WORLD/nsswitch"
# shellcheck disable=SC2016,SC2317 # expect_exit calls it
asked() {
	unshare -m bash -c 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/nsswitch.conf &&
		exec "${@:3}"' - "$WORLD/hosts" "$WORLD/nsswitch" \
		nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" "$@"
}
# shellcheck disable=SC2317 # expect_json calls it
asked_quietly() { asked "$@" 2>/dev/null; }
nobody_knows() { : >"$WORLD/hosts"; }
ssh_from() { blocked src="$1" proto=tcp dport=22; }
no_ssh_rule_for() { passes src="$1" proto=tcp dport=22; }

# One that nobody knows: nothing is stored, nor by a dry run of one that is known.
nobody_knows
BEFORE=$(snapshot)
expect_exit 2 asked ipsecpol -w REG -p P -r R -f "*=$HOST:22:TCP" -n BLOCK -x
expect_out "no address is known for the host '$HOST'"
expect_exit 2 asked ipsecpol -w REG -p P -r R -f "*=$HOST:22:TCP" -n BLOCK
expect_exit 2 asked block tcp/22 from "dns:$HOST"
hosts_are 198.51.100.5
expect_exit 0 asked ipsecpol -w REG -p P -f "$HOST=0:22:TCP" -n BLOCK -x --dry-run
expect_out "$HOST is now 198\.51\.100\.5;"
expect_exit 0 asked block tcp/22 from "dns:$HOST" --dry-run
expect_out "198\.51\.100\.5"
unchanged "a name that nobody knows, a dry run" "$BEFORE"
check "nothing is kept" test ! -e "$BPFPOL_STATE_DIR/names"

# All its addresses, of both families; what is stored is the name, and the command says both.
hosts_are 198.51.100.5 198.51.100.6 2001:db8::5
expect_exit 0 asked ipsecpol -w REG -p P -r R -f "Host.Example=0:22:TCP" -n BLOCK -x
expect_out "$HOST is now 198\.51\.100\.5, 198\.51\.100\.6, 2001:db8::5; each assign"
expect_out "block in tcp from dns:$HOST to me port 22 name \"R\""
ssh_from 198.51.100.5
ssh_from 198.51.100.6
blocked src=2001:db8::5 "dst=$RX6" proto=tcp dport=22
no_ssh_rule_for 198.51.100.7
passes src=2001:db8::6 "dst=$RX6" proto=tcp dport=22
passes src=198.51.100.5 proto=tcp dport=23
for command in show export; do
	OUT=$(bp policy "$command" P)
	expect_out "block in tcp from dns:$HOST to me port 22"
	check "$command shows no address" test -z "$(grep 198.51 <<<"$OUT")"
done
expect_json "one rule, its filters" '(.rules | length) == 1 and .policy.filters == 3' bp status --json
same "its packets" 3 "$(counter packets "in tcp from dns:$HOST to me port 22")"

# Any host to the name: what this host forwards, or sends, there.
expect_exit 0 asked ipsecpol -w REG -p P -f "*=$HOST:25:TCP" -n BLOCK
blocked dst=198.51.100.6 proto=tcp dport=25
passes dst=198.51.100.7 proto=tcp dport=25
FROM=rx TX=rx0 TO=tx RX=tx0 blocked "src-mac=$RX_MAC" "dst-mac=$TX_MAC" "src=$RX4" dst=198.51.100.6 \
	proto=tcp dport=25
ID=$(bp list --json | jq '.rules[] | select(.name == "R").id')

# Assigned again it is looked up again; the rule stays the same one, and its counters.
hosts_are 198.51.100.7 2001:db8::6
ssh_from 198.51.100.5
expect_exit 0 asked policy assign P --dry-run
expect_out "198\.51\.100\.7, 2001:db8::6"
ssh_from 198.51.100.5
expect_json "as JSON" ".names == [{\"name\": \"$HOST\", \"looked_up\": true,
	\"addresses\": [\"198.51.100.7\", \"2001:db8::6\"]}]" asked policy assign P --json
ssh_from 198.51.100.7
blocked src=2001:db8::6 "dst=$RX6" proto=tcp dport=22
no_ssh_rule_for 198.51.100.5
passes src=2001:db8::5 "dst=$RX6" proto=tcp dport=22
expect_json "the same rule" ".rules[] | select(.name == \"R\") | .id == $ID and .packets == 7" \
	bp list --json
hosts_are 198.51.100.8
expect_exit 0 asked ipsecpol -w REG -p P -x
expect_out "$HOST is now 198\.51\.100\.8;"
ssh_from 198.51.100.8
no_ssh_rule_for 198.51.100.7
# -x beside a rule assigns, too: so all names of the policy are looked up, not only its own.
hosts_are 198.51.100.9
expect_exit 0 asked ipsecpol -w REG -p P -f '*=0:1434:UDP' -n BLOCK -x
expect_out "$HOST is now 198\.51\.100\.9;"
ssh_from 198.51.100.9
no_ssh_rule_for 198.51.100.8
blocked dport=1434
# Without it a rule is added, and nothing else happens.
hosts_are 198.51.100.10
expect_exit 0 asked ipsecpol -w REG -p P -f '*=0:1435:UDP' -n BLOCK
ssh_from 198.51.100.9
# The same rule again, with other addresses.
expect_exit 0 asked ipsecpol -w REG -p P -f "$HOST=0:22:TCP" -n BLOCK
expect_out 'changed'
ssh_from 198.51.100.10
no_ssh_rule_for 198.51.100.9
expect_exit 0 asked ipsecpol -w REG -p P -f "$HOST=0:22:TCP" -n BLOCK -x
expect_out 'already there'

# Nobody answers: those of last time stay, and it is said.
nobody_knows
expect_exit 0 asked policy assign P
expect_out "warning: those of last time stay: no address of '$HOST' is to be had"
expect_out "$HOST was, last time, 198\.51\.100\.10"
ssh_from 198.51.100.10
expect_json "and in JSON" '.names[0] | .looked_up == false and .addresses == ["198.51.100.10"]' \
	asked_quietly policy assign P --json
expect_exit 0 asked ipsecpol -w REG -p P -x
expect_out 'those of last time stay'
ssh_from 198.51.100.10
# Also of a policy that was not assigned in between.
expect_exit 0 bp policy unassign
no_ssh_rule_for 198.51.100.10
expect_exit 0 asked policy assign P
ssh_from 198.51.100.10

# Boot asks nobody, and finds nothing to warn of; nor do commands that only look.
fresh_bpffs
expect_exit 0 asked restore
check "a boot without a warning" test -z "$(grep warning <<<"$OUT")"
expect_exit 0 bp attach rx0
ssh_from 198.51.100.10
hosts_are 198.51.100.11
expect_exit 0 asked policy diff P --in-force
expect_out 'The rules are the same'
expect_exit 0 asked policy check P
ssh_from 198.51.100.10

# A commit that fails keeps the old addresses, and does not remember the new ones.
mkdir "$BPFPOL_STATE_DIR/state.new"
expect_exit 1 asked policy assign P
ssh_from 198.51.100.10
same "what is kept" 198.51.100.10 "$(cat "$BPFPOL_STATE_DIR/names/$HOST")"
rmdir "$BPFPOL_STATE_DIR/state.new"
nobody_knows
expect_exit 0 asked policy assign P
expect_out "198\.51\.100\.10"

# A copy that boot needs is gone: those of last time, and still nobody is asked.
hosts_are 198.51.100.12
rm "$BPFPOL_STATE_DIR"/lists/*
fresh_bpffs
expect_exit 1 asked restore
expect_out 'a copy of an address list could not be read'
bp attach rx0 >/dev/null
ssh_from 198.51.100.10
no_ssh_rule_for 198.51.100.12
expect_exit 0 asked policy assign P
ssh_from 198.51.100.12

# Exported, it is a text for any computer, where it is looked up when it is assigned.
bp policy export P >"$WORLD/P.policy"
check "the export holds nothing of this computer" test -z "$(grep -e "$WORLD" -e 198.51 "$WORLD/P.policy")"
HERE=("$BPFPOL_CONF_DIR" "$BPFPOL_STATE_DIR")
bp policy unassign >/dev/null
export BPFPOL_CONF_DIR=$WORLD/etc2 BPFPOL_STATE_DIR=$WORLD/lib2
nobody_knows
expect_exit 0 asked policy import "$WORLD/P.policy"
OUT=$(bp policy show P)
expect_out "dns:$HOST"
BEFORE=$(snapshot)
expect_exit 2 asked policy assign P
expect_out "P.policy:[0-9]+:[0-9]+: no address is known for the host '$HOST'"
expect_exit 0 asked policy check P
expect_out "warning: .*P.policy:[0-9]+:1: no address of the host '$HOST' is to be had"
unchanged "a name that is known nowhere" "$BEFORE"
hosts_are 203.0.113.9
expect_exit 0 asked policy check P
expect_exit 0 asked policy assign P
ssh_from 203.0.113.9
export BPFPOL_CONF_DIR=${HERE[0]} BPFPOL_STATE_DIR=${HERE[1]}
expect_exit 0 asked policy assign P
ssh_from 203.0.113.9

# By hand, and by other commands.
hosts_are 198.51.100.20 2001:db8::20
cat >"$BPFPOL_CONF_DIR/policies/Hand.policy" <<END
block in icmp from dns:$HOST
permit in icmp from 198.51.100.20 to 10.77.0.2
block in from dns:HOST.EXAMPLE to 10.77.0.2 name "capitals"
END
expect_exit 0 asked policy assign Hand
expect_json "an address of the other family is left out" '.policy.filters == 3' bp status --json
blocked src=198.51.100.20 dst=10.77.0.3 proto=icmp type=8
passes src=198.51.100.20 proto=icmp type=8
blocked src=198.51.100.20 proto=tcp dport=9
hosts_are 198.51.100.21
expect_exit 0 asked block out tcp/443 to "dns:$HOST"
expect_out "$HOST is now 198\.51\.100\.21;"
FROM=rx TX=rx0 TO=tx RX=tx0 blocked "src-mac=$RX_MAC" "dst-mac=$TX_MAC" "src=$RX4" dst=198.51.100.21 \
	proto=tcp dport=443
expect_json "JSON of block" '.names[0].addresses == ["198.51.100.21"]' \
	asked block tcp/80 from "dns:$HOST" --json
expect_exit 0 asked block tcp/22 from "dns:$HOST" --for 2h
blocked src=198.51.100.21 dst=10.77.0.3 proto=tcp dport=22
hosts_are 198.51.100.22
expect_exit 0 asked policy assign Hand
blocked src=198.51.100.22 dst=10.77.0.3 proto=tcp dport=22
passes src=198.51.100.21 dst=10.77.0.3 proto=tcp dport=22
expect_exit 0 bp remove tcp/22 from "dns:$HOST"
passes src=198.51.100.22 dst=10.77.0.3 proto=tcp dport=22
OUT=$(asked explain tcp/22 from 198.51.100.22 to me --policy P)
expect_out "block in tcp from dns:$HOST to me port 22"

# A file may be called like that: @ is always a file.
echo 198.51.100.30 >"$WORLD/dns:$HOST"
# shellcheck disable=SC2317 # expect_exit calls it
listed() { (cd "$WORLD" && bp "$@"); }
expect_exit 0 listed block udp/53 from "@dns:$HOST"
expect_out "@.*/dns:$HOST"
blocked src=198.51.100.30 proto=udp dport=53
passes src=198.51.100.31 proto=udp dport=53
expect_exit 0 listed remove udp/53 from "@dns:$HOST"

# What nobody speaks of any more is not kept.
kept() { ls "$BPFPOL_STATE_DIR/names"; }
same "one name is kept" "$HOST" "$(kept)"
expect_exit 0 bp policy delete P
same "Hand speaks of it" "$HOST" "$(kept)"
expect_exit 0 asked ipsecpol -w REG -p Other -f "$HOST=0:23:TCP" -n BLOCK
expect_out 'stored only'
expect_exit 0 bp policy delete Hand
expect_exit 0 bp block udp/9
expect_exit 0 bp policy unassign
same "Other speaks of it" "$HOST" "$(kept)"
expect_exit 0 bp ipsecpol -w REG -p Other -o
same "nobody does" "" "$(kept)"

finish
