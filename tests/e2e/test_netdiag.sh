#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What netdiag shows is what the kernel holds (rows 11, 13 to 15, 34 to 37 of the mission).
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

HEAD='IP Security test . . . . . . . . . : '
NONE="${HEAD}Passed
IPSec policy service is active, but no policy is assigned."
GUID='\{[0-9A-F]{8}-[0-9A-F]{4}-5[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}\}'

debug() {
	bp netdiag /test:ipsec /debug "$@"
}

# ids: of all filters.
ids() {
	debug --json | jq -r '.filters[].filter_id'
}

# As spelled there, and as one spells here; by a link, too.
mkdir "$WORLD/bin"
ln -s "$BPFPOL" "$WORLD/bin/netdiag"
for words in /test:ipsec /TEST:IPSEC -test:ipsec --test:ipsec '--test ipsec' --Test=IPSec '' \
	'/debug /test:ipsec' '/test:ipsec /DEBUG' '--debug --test ipsec'; do
	# shellcheck disable=SC2086
	same "netdiag $words" "$NONE" "$(bp netdiag $words)"
	# shellcheck disable=SC2086
	same "a link named netdiag: $words" "$NONE" "$(run_in rx "$WORLD/bin/netdiag" $words)"
done
expect_exit 0 bp netdiag /test:ipsec
check "to read makes no state" [ ! -e "$BPFPOL_STATE_DIR" ]
check "nor pins" [ ! -e "$BPFPOL_BPFFS" ]
expect_exit 2 bp netdiag /test:dns
expect_out "there is one test here"
expect_exit 2 bp netdiag /test:
expect_exit 2 bp netdiag --test
expect_exit 2 bp netdiag /test:ipsec /v
expect_exit 0 bp netdiag '/?'
expect_out "Usage: bpfpol netdiag"
expect_exit 0 bp netdiag --help
expect_exit 0 bp help netdiag
expect_exit 4 run_in rx setpriv --reuid=65534 --clear-groups "$BPFPOL" netdiag /test:ipsec
expect_out "needs root"
expect_json "no policy, as JSON" '.passed and .policy == null' bp netdiag /test:ipsec --json

# Row 34, 35: the listing, of a rule with `me`: each address of this host, IPv4 then IPv6.
expect_exit 0 bp block udp/1434 to me
same "the name of the policy" "${HEAD}Passed
Local IPSec Policy Active: 'local'" "$(bp netdiag /test:ipsec)"
blocked "${SLAMMER[@]}"
filter() {
	printf '%s\n' "No Name" "Filter Id: {}" "Policy Id: {}" \
		"Src Addr : $1 Src Mask : $2" "Dest Addr : $3 Dest Mask : $4" \
		"Tunnel Addr : 0.0.0.0 Src Port : $5 Dest Port : $6" \
		"Protocol : $7 TunnelFilter: No" "Flags : $8"
}
same "the listing" "${HEAD}Passed
Local IPSec Policy Active: 'local'
IP Security Policy Path: $BPFPOL_CONF_DIR/policies/local.policy

There are 2 filters
$(filter 0.0.0.0 0.0.0.0 "$RX4" 255.255.255.255 0 1434 17 'Inbound Block')
$(filter :: /0 "$RX6" /128 0 1434 17 'Inbound Block')" \
	"$(debug | sed -E "s/$GUID/{}/")"
check "GUIDs are of version 5" [ "$(debug | grep -cE " $GUID\$")" = 4 ]

# An address that comes is one filter more, at once; one that goes, one less.
run_in rx ip addr add 10.77.0.99/24 dev rx0
OUT=$(debug)
expect_out '^There are 3 filters$'
expect_out '^Dest Addr : 10.77.0.99 Dest Mask : 255.255.255.255$'
blocked dst=10.77.0.99 dport=1434
run_in rx ip addr del 10.77.0.99/24 dev rx0
OUT=$(debug)
expect_out '^There are 2 filters$'
same "as many as are listed" 2 "$(grep -c '^No Name$' <<<"$OUT")"

# Row 36: ids stay over a change, a rebuild and a reboot, and differ from computer to computer.
IDS=$(ids)
bp block tcp/80 >/dev/null
printf '198.51.100.1\n' >"$WORLD/list"
bp block "@$WORLD/list" >/dev/null
bp remove "@$WORLD/list" >/dev/null
bp remove tcp/80 >/dev/null
same "ids stay over changes" "$IDS" "$(ids)"
fresh_bpffs
OUT=$(bp netdiag /test:ipsec /debug)
expect_out '^IP Security test \. .* : Failed$'
expect_out "NOT IN FORCE: 'local'"
same "what is not in force is not listed" 0 "$(grep -c 'No Name' <<<"$OUT")"
passes dport=1434
bp attach rx0 >/dev/null
same "ids stay over a reboot" "$IDS" "$(ids)"
# shellcheck disable=SC2016
elsewhere() {
	echo 00112233445566778899aabbccddeeff >"$WORLD/machine-id"
	unshare -m bash -c 'mount --bind "$1" /etc/machine-id && exec "${@:2}"' - \
		"$WORLD/machine-id" "nsenter" "--net=/run/netns/$(netns rx)" "$BPFPOL" "$@"
}
if [ -e /etc/machine-id ]; then
	OTHER=$(elsewhere netdiag /test:ipsec /debug --json | jq -r '.filters[].filter_id')
	same "as many filters on another computer" 2 "$(wc -l <<<"$OTHER")"
	same "another computer has other ids" 0 "$(grep -cF -- "$IDS" <<<"$OTHER")"
else
	skip "another computer has other ids" "no /etc/machine-id"
fi
# nameless NAME: the ids on a computer of that name which has no other id.
# shellcheck disable=SC2016
nameless() {
	: >"$WORLD/none"
	unshare -m -u bash -c 'hostname "$2" && for file in /etc/machine-id /var/lib/dbus/machine-id; do
			[ ! -e "$file" ] || mount --bind "$1" "$file"
		done && exec "${@:3}"' - "$WORLD/none" "$1" nsenter "--net=/run/netns/$(netns rx)" \
		"$BPFPOL" netdiag /test:ipsec /debug --json | jq -r '.filters[].filter_id'
}
OTHER=$(nameless one)
same "without an id, as many filters" 2 "$(wc -l <<<"$OTHER")"
same "and the same the next time" "$OTHER" "$(nameless one)"
same "but on a computer of another name others" 0 "$(nameless two | grep -cF -- "$OTHER")"

# From the kernel, not from the store: a rule that was written to disk behind its back is not there,
# and one that was lost from the disk is.
cp "$BPFPOL_STATE_DIR/journal" "$WORLD/journal"
bp block tcp/4444 >/dev/null
cp "$WORLD/journal" "$BPFPOL_STATE_DIR/journal"
OUT=$(debug)
expect_out 'Dest Port : 4444$'
blocked proto=tcp dport=4444
same "to read puts nothing right" "$OUT" "$(debug)"
expect_exit 1 bp list
expect_out 'lost changes of single rules that are in force'
blocked proto=tcp dport=4444
expect_exit 1 bp restore
expect_out 'they are LOST; see to them again'
OUT=$(debug)
same "until a command does" 0 "$(grep -c 'Dest Port : 4444' <<<"$OUT")"
passes proto=tcp dport=4444

# What comes in and what goes out, permits, prefixes, ranges; what has expired is not there.
bp remove udp/1434 to me >/dev/null
bp permit out tcp from 10.1.0.0/16 port 7 to 198.51.100.0/30 port 25 >/dev/null
bp block on rx0 tcp/6000-6063 to "$RX4" >/dev/null
bp block icmp type 8 from 192.0.2.1 >/dev/null
bp count udp/53 >/dev/null
bp block udp/7 for 1s >/dev/null
OUT=$(debug)
expect_out '^There are 5 filters$'
for ((i = 0; i < 100; i++)); do
	[ "$(verdicts "$(frame dport=7)")" = b ] || break
done
passes dport=7
same "filters of each kind" \
	"$(filter 192.0.2.1 255.255.255.255 0.0.0.0 0.0.0.0 0 0 1 'Inbound Block')
ICMP Type : 8
$(filter 10.1.0.0 255.255.0.0 198.51.100.0 255.255.255.252 7 25 6 'Outbound Permit')
$(filter 0.0.0.0 0.0.0.0 "$RX4" 255.255.255.255 0 6000-6063 6 'Inbound Block')
Interface : rx0" \
	"$(debug | sed -E "s/$GUID/{}/; 1,/^There are 3 filters\$/d; /^\$/,\$d")"
OUT=$(debug)
expect_out '2 more only count'
expect_json "as JSON" '.filters | length == 3 and map(select(.interface == "rx0"))[0].dest_ports == [6000, 6063]
	and map(select(.direction == "out"))[0].action == "permit"' bp netdiag /test:ipsec /debug --json

# off and on; detached.
bp off >/dev/null
OUT=$(debug)
expect_out "filtering is off; 'bpfpol on'"
expect_json "off, as JSON" '(.passed | not) and (.why | test("off")) and .filters == []' \
	bp netdiag /test:ipsec /debug --json
bp on >/dev/null
OUT=$(debug)
expect_out '^There are 3 filters$'
bp detach rx0 >/dev/null
OUT=$(debug)
expect_out 'no interface is filtered'

# The local policy without rules is a policy all the same.
bp attach rx0 >/dev/null
for id in $(bp list --json | jq '.rules[].id'); do bp remove --id "$id" >/dev/null; done
OUT=$(debug)
expect_out "^Local IPSec Policy Active: 'local'\$"
expect_out '^There are 0 filters$'

finish
