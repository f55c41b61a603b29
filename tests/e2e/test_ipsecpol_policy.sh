#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Policies by ipsecpol's flags: rows 26, 37 to 39 and 47 of the mission; -lan, names, -confirm.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

active() {
	bp netdiag /test:ipsec | sed -n "s/^Local IPSec Policy Active: '\(.*\)'\$/\1/p"
}

# in_kernel: how many filters netdiag reads from the kernel's maps.
in_kernel() {
	bp status --debug --json | jq '.filters | length'
}

# Row 26: assigning one unassigns the other, and says which.
expect_exit 0 bp ipsecpol -w REG -p First -f '*=0:1001:UDP' -n BLOCK -x
same "the first" First "$(active)"
blocked dport=1001
expect_exit 0 bp ipsecpol -w REG -p Second -f '*=0:1002:UDP' -n BLOCK -x
expect_out "'First'"
same "exactly one" Second "$(active)"
passes dport=1001
blocked dport=1002

# Row 37, 38: find the name of the one in force, add a block by it, flags in any order.
expect_exit 0 bp ipsecpol -n BLOCK -p "$(active)" -f '*=0:1003:UDP' -w REG -r "appended"
blocked dport=1002
blocked dport=1003
expect_exit 0 bp ipsecpol -X -F '*=0:1004:udp' -N block -P Second -W reg
blocked dport=1002
blocked dport=1003
blocked dport=1004
same "all in one policy" 3 "$(bp status --json | jq '.rules | length')"

# Row 39: a domain's policy is not edited from here; the way is a dynamic rule.
BEFORE=$(snapshot)
expect_exit 2 bp ipsecpol -w DS -p Second -f '*=0:1005:UDP' -n BLOCK
expect_out 'dynamic'
unchanged "-w DS" "$BEFORE"

# Adding to what is stored only leaves what is in force alone.
expect_exit 0 bp ipsecpol -w REG -p First -f '*=0:1006:UDP' -n BLOCK
expect_out 'stored only'
passes dport=1006
blocked dport=1004
expect_exit 0 bp ipsecpol -w REG -p First -x
blocked dport=1001
blocked dport=1006
passes dport=1004

# Row 47: -y unassigns, the policy stays; -o deletes, and unassigns first.
expect_exit 0 bp ipsecpol -w REG -p First -y
passes dport=1001
same "none is active" "" "$(active)"
same "no filter stays in the kernel" 0 "$(in_kernel)"
OUT=$(bp netdiag /test:ipsec)
expect_out '^IPSec policy service is active, but no policy is assigned\.$'
expect_exit 0 bp ipsecpol -w REG -p First -x
blocked dport=1001
expect_exit 0 bp ipsecpol -w REG -y
passes dport=1001
expect_exit 0 bp ipsecpol -w REG -p First -x
blocked dport=1001
expect_exit 0 bp ipsecpol -w REG -p First -o
passes dport=1001
same "none is active after -o" "" "$(active)"
same "no filter stays in the kernel after -o" 0 "$(in_kernel)"
expect_exit 3 bp ipsecpol -w REG -p First -x
expect_exit 3 bp ipsecpol -w REG -p First -o
expect_exit 0 bp ipsecpol -w REG -p Second -x
blocked dport=1002
# One that is not assigned is neither unassigned nor in the way of the one that is.
expect_exit 0 bp ipsecpol -w REG -p Third -f '*=0:1007:UDP' -n BLOCK
expect_exit 0 bp ipsecpol -w REG -p Third -y
expect_out 'not assigned'
blocked dport=1002
expect_exit 0 bp ipsecpol -w REG -p Third -o
blocked dport=1002
same "the other stays" Second "$(active)"
expect_exit 3 bp ipsecpol -w REG -p Nobody -y

# --dry-run, and what fails, change nothing.
BEFORE=$(snapshot)
expect_exit 0 bp ipsecpol -w REG -p Second -f '*=0:1008:UDP' -n BLOCK -x --dry-run
expect_out 'Would'
expect_exit 0 bp ipsecpol -w REG -p New -f '*=0:1008:UDP' -n BLOCK -x --dry-run
expect_exit 0 bp ipsecpol -w REG -p Second -o --dry-run
expect_exit 0 bp ipsecpol -w REG -p Second -y --dry-run
unchanged "--dry-run" "$BEFORE"
expect_exit 2 bp ipsecpol -w REG -p '../x' -f '*=0:1008:UDP' -n BLOCK -x
expect_exit 5 bp ipsecpol -w REG -p Second -f '(*=0:1002:UDP)'
unchanged "a refused change" "$BEFORE"
# All or none: the second one is refused, so the first one is not there.
expect_exit 5 bp ipsecpol -w REG -p Second -f '[*=0:1009:UDP]' '(*=0:1002:UDP)'
passes dport=1009
unchanged "half of a change" "$BEFORE"
expect_exit 0 bp ipsecpol -w REG -p Shelf -f '*=0:1002:UDP' -n BLOCK
BEFORE=$(snapshot)
expect_exit 5 bp ipsecpol -w REG -p Shelf -f '[*=0:1009:UDP]' '(*=0:1002:UDP)'
unchanged "half of a change to what is stored only" "$BEFORE"
expect_exit 5 bp ipsecpol -w REG -p Shelf -f '[*=0:1009:UDP]' '(*=0:1002:UDP)' -x
unchanged "half of a change that assigns" "$BEFORE"
same "what was assigned is" Second "$(active)"
passes dport=1009

# -confirm asks; without a yes nothing is done.
expect_exit 5 bp ipsecpol -w REG -p Second -f '*=0:1010:UDP' -n BLOCK -confirm </dev/null
expect_exit 5 bp ipsecpol -w REG -p Second -f '*=0:1010:UDP' -n BLOCK -confirm <<<"n"
unchanged "no" "$BEFORE"
passes dport=1010
expect_exit 0 bp ipsecpol -w REG -p Second -f '*=0:1010:UDP' -n BLOCK -confirm <<<"y"
expect_out 'in udp to me port 1010'
blocked dport=1010

# -lan: an interface each.
expect_exit 0 bp ipsecpol -w REG -p Second -lan -f '*=0:1011:UDP' -n BLOCK
blocked dport=1011
check "a rule for the interface" grep -q 'on rx0 udp to me port 1011' <<<"$(bp list)"
expect_exit 3 bp ipsecpol -w REG -p Second -dialup -f '*=0:1012:UDP' -n BLOCK
passes dport=1012

# A name is each of its addresses, and the command says so (more in test_names.sh). /etc/hosts is
# what this test says.
printf '%s name.example\n' 198.51.100.5 198.51.100.6 2001:db8::5 >"$WORLD/hosts"
# shellcheck disable=SC2016,SC2317 # expect_exit calls it
with_hosts() {
	unshare -m bash -c 'mount --bind "$1" /etc/hosts && exec "${@:2}"' - "$WORLD/hosts" \
		nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" "$@"
}
expect_exit 0 with_hosts ipsecpol -w REG -p Second -f 'name.example=0:1013:TCP' -n BLOCK
expect_out 'name\.example.*198\.51\.100\.5.*198\.51\.100\.6.*2001:db8::5'
blocked src=198.51.100.5 proto=tcp dport=1013
blocked src=198.51.100.6 proto=tcp dport=1013
blocked src=2001:db8::5 "dst=$RX6" proto=tcp dport=1013
passes src=198.51.100.7 proto=tcp dport=1013
expect_exit 2 with_hosts ipsecpol -w REG -p Second -f 'nowhere.invalid=0:1014:TCP' -n BLOCK

# What scripts read.
expect_json "as JSON" '.policy == "Second" and .assigned and (.rules | length) == 1
	and .rules[0].outcome == "added" and .rules[0].rule == "block in udp to me port 1015"' \
	bp ipsecpol -w REG -p Second -f '*=0:1015:UDP' -n BLOCK --json

# All of many rules in a policy that is stored only, or none, also where a disk has room for some: two
# pages, of which a new text and the old one need one each as long as they are short.
SPECS=()
for ((i = 0; i < 250; i++)); do SPECS+=("10.1.$i.1=0:80:TCP"); done
expect_exit 0 bp ipsecpol -w REG -p Long -f "${SPECS[@]}" -n BLOCK
same "all of many" 250 "$(bp policy show Long --json | jq '.rules | length')"
# shellcheck disable=SC2317 # expect_exit calls it
small_disk() {
	mkdir -p "$WORLD/small/policies"
	mount -t tmpfs -o size=8k,mode=700 small "$WORLD/small"
	BPFPOL_CONF_DIR=$WORLD/small bp "$@"
}
expect_exit 1 small_disk ipsecpol -w REG -p Full -f "${SPECS[@]}" -n BLOCK
expect_out 'No space left'
expect_exit 3 env BPFPOL_CONF_DIR="$WORLD/small" nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" \
	policy show Full
umount "$WORLD/small"

# off: stored, if one insists.
bp off >/dev/null
expect_exit 5 bp ipsecpol -w REG -p Second -f '*=0:1016:UDP' -n BLOCK
expect_out "bpfpol on"
expect_exit 0 bp ipsecpol -w REG -p Second -f '*=0:1016:UDP' -n BLOCK --force
passes dport=1016
bp on >/dev/null
blocked dport=1016

finish
