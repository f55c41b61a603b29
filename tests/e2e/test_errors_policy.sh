#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every system call of policy assign, rollback, import and delete, and of changes of one that is not assigned,
# fails in turn.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/erring.sh
. "$TOP/tests/e2e/erring.sh"

cd "$WORLD" || exit 1
echo 198.51.100.1 >one.txt
echo 198.51.100.2 >two.txt
printf 'block udp/2001\nblock udp/1434\nblock @%s\n' "$WORLD/one.txt" >one
printf 'block udp/2002\nblock udp/1434\nblock @%s\n' "$WORLD/two.txt" >two
echo 'block udp/7' >three
FRAMES=("$(frame dport=2001)" "$(frame src=198.51.100.1)" "$(frame dport=2002)"
	"$(frame src=198.51.100.2)" "$(frame dport=1434)" "$(frame dport=9)")
bp policy import one --name one >/dev/null
bp policy import two --name two >/dev/null

one() { bp policy assign one >/dev/null; }
two_one() { bp policy assign two >/dev/null && bp policy assign one >/dev/null; }
no_three() { bp policy delete three >/dev/null 2>&1 || :; }
three() { bp policy import three --name three >/dev/null 2>&1; }
shelf() { bp policy list 2>&1; }

bp policy assign two >/dev/null
err_all one looks policy assign two
err_all two_one looks policy rollback
err_all one looks policy unassign
err_all no_three shelf policy import three --name three
err_all three shelf policy delete three

# Of a policy that is not assigned, with a line and a timed rule; and one that is, and is thrown away.
fresh() { no_three && three && bp block --policy three icmp for 2h >/dev/null; }
shown() { bp policy show three 2>&1 | sed 's/for [0-9]*s more/timed/'; }
assigned() { no_three && three && bp policy assign three >/dev/null; }
in_force() { shelf && shown && verdicts "$(frame dport=7)"; }
err_all fresh shown block --policy three icmp
err_all fresh shown remove --policy three udp/7
err_all assigned in_force policy delete three
echo "# figure errors-in-policies $RUNS"

finish
