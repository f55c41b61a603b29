#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What the process is given: standard streams that are closed, as some supervisors and cron jobs leave them: what would have been
# printed there goes nowhere, and never into a file that was opened in their place.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# Each file of ours, with its size; the lock is empty whatever happens.
files() {
	find "$BPFPOL_RUN_DIR" "$BPFPOL_STATE_DIR" "$BPFPOL_CONF_DIR" -type f -printf '%P %s\n' | sort
}

bp attach rx0 >/dev/null
bp block udp/1434 >/dev/null
bp policy create other >/dev/null
BEFORE=$(files)

bp list >&-
same "stdout is closed: that is an error, as if it were full" 1 $?
bp status --debug --json >&-
bp metrics >&- 2>&-
bp policy show local <&- >&- 2>&-
bp block udp/1434 <&- >&- 2>&-
bp remove tcp/9 <&- >&- 2>&-
bp restore >&- 2>&-
bp interfaces >&-
same "what is printed goes into no file" "$BEFORE" "$(files)"

# What fails changes nothing, so what was changed has not failed; only its dry run has.
bp block tcp/25 <&- >&- 2>&-
same "a change that nobody can be told of is done" 0 $?
OUT=$(bp block tcp/27 2>&1 >/dev/full)
same "so on a full disk" 0 $?
expect_out '^bpfpol: warning: it is done, but the output cannot be written: No space left'
expect_exit 0 bp remove tcp/27
bp policy create another >&- 2>/dev/null
same "so of policies" 0 $?
expect_exit 0 bp policy delete another
# So where who was to read it is gone, as `head` is behind a pipe; what only prints ends as others do then.
mkfifo "$WORLD/pipe"
exec {BOTH}<>"$WORLD/pipe"
exec {PIPE}>"$WORLD/pipe"
exec {BOTH}>&-
OUT=$(bp block tcp/28 2>&1 1>&"$PIPE")
same "so where nobody reads it any more" 0 $?
expect_out '^bpfpol: warning: it is done, but the output cannot be written: Broken pipe'
bp remove tcp/28 1>&"$PIPE" 2>&"$PIPE"
same "nor warnings" 0 $?
bp list 1>&"$PIPE"
same "a list is done then" 141 $?
exec {PIPE}>&-
bp block tcp/25 --dry-run >/dev/full 2>&1
same "a dry run was for its output" 1 $?
same "the lock is empty" 0 "$(stat -c %s "$BPFPOL_RUN_DIR/lock")"
same "the change is made" 0 "$(counter packets 'in tcp to port 25')"
expect_exit 0 bp restore
expect_json "and is on disk, whole" '[.rules[].filter] | contains(["in tcp to port 25"])' bp list --json
bp policy import - --name third <&- 2>/dev/null
same "stdin is closed: no policy can be read from there" 2 $?
bp off <&- >&- 2>&-
expect_json "off is off" '.off' bp status --json
expect_exit 0 bp on

# A limit on the size of files is an error like a full disk, not a signal.
BEFORE=$(snapshot)
OUT=$( (ulimit -f 0 && bp block tcp/26) 2>&1)
same "a limit on files' sizes: exit" 1 $?
expect_out 'too large'
unchanged "a limit on files' sizes" "$BEFORE"

finish
