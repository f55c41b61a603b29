#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill -9 at every system call of the very first `block`, which attaches and makes all there is:
# packets are judged by no rule or by this one, and the next command finishes the work. And where it is about to
# change anything, of the first `policy assign` where nothing is attached any more: no packet meets the policy before.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/killing.sh
. "$(dirname "$0")/killing.sh"

FRAMES=("$(frame dport=2000)" "$(frame "${V6[@]}" dport=2000)" "$(frame dport=2001)")

# A host that has never seen us: no pins (and so no programs), no files.
forget_all() {
	fresh_bpffs
	rm -rf "$BPFPOL_STATE_DIR" "$BPFPOL_CONF_DIR" "$BPFPOL_RUN_DIR"
}

after_kill() {
	local was said wrong

	was=$(verdicts "${FRAMES[@]}")
	said=$(bp status --json | jq '.rules | length')
	wrong=$(
		case $was/$said/$(verdicts "${FRAMES[@]}") in
		ppp/0/ppp | bbp/1/bbp | ppp/1/bbp) ;;
		*) echo "packets: $was, rules: $said" && exit ;;
		esac
		bp block udp/2000 >/dev/null || echo "the next block fails"
		[ "$(verdicts "${FRAMES[@]}")" = bbp ] || echo "the next block does not block"
		kept=$(remembered)
		[ "$kept" = "rx0 auto" ] || echo "remembered: $kept"
		[ "$(find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*' | wc -l)" = 1 ] || echo "old pins stay"
	)
	[ -z "$wrong" ] || nok "killed at $1 $2" "$wrong"
}

kill_each forget_all after_kill block udp/2000
same "every kill leaves nothing or the rule" 0 "$FAILED"

POLICIES=$BPFPOL_CONF_DIR/policies
export KEPT_STATE=$WORLD/assigned KEPT_CONF=$WORLD/written

# a is assigned, and nothing is attached any more.
a_nowhere() {
	forget_all
	cp -a "$KEPT_STATE" "$BPFPOL_STATE_DIR"
	cp -a "$KEPT_CONF" "$BPFPOL_CONF_DIR"
	bp restore >/dev/null 2>&1
}

attached() {
	bp status --json | jq -r '.policy.name + " " + ([.interfaces[] | select(.ingress != "none").name] | join(" "))'
}

# all_or_nothing CALL N: a, and nothing is attached; or b, and rx0 is. A trial goes back to the first.
all_or_nothing() {
	local was said now wrong

	was=$(verdicts "${FRAMES[@]}")
	said=$(attached)/$(remembered)
	now=$(verdicts "${FRAMES[@]}")
	wrong=$(
		case $was/$said/$now in
		ppp/a\ //ppp | ppp/b\ rx0/rx0\ auto/bbp | bbp/b\ rx0/rx0\ auto/bbp) ;;
		*) echo "packets: $was, then $said: $now" && exit ;;
		esac
		[[ $TRIED$said = ?*b* ]] || exit
		bp policy rollback >/dev/null || echo "it is not taken back"
		now=$(verdicts "${FRAMES[@]}")
		said=$(attached)/$(remembered)
		[ "$now/$said" = "ppp/a /" ] || echo "taken back: $now, $said"
	)
	[ -z "$wrong" ] || nok "killed at $1 $2" "$wrong"
}

# sweep_nowhere WORD...: of `policy assign b`.
sweep_nowhere() {
	local before=$FAILED

	TRIED=$*
	kill_each a_nowhere all_or_nothing policy assign b "$@"
	same "policy assign b $*: every kill leaves a nowhere, or b" "$before" "$FAILED"
}

forget_all
mkdir -m 700 "$BPFPOL_CONF_DIR" "$POLICIES"
echo "block udp/2001" >"$POLICIES/a.policy"
echo "block udp/2000" >"$POLICIES/b.policy"
expect_exit 0 bp policy assign a
same "a judges" ppb "$(verdicts "${FRAMES[@]}")"
expect_exit 0 bp detach rx0
cp -a "$BPFPOL_STATE_DIR" "$KEPT_STATE"
cp -a "$BPFPOL_CONF_DIR" "$KEPT_CONF"
WHERE=changes
[ -z "${KILL_EVERY:-}" ] || WHERE=points
sweep_nowhere
sweep_nowhere --confirm 600

# What is to be taken back stays so, also where that could not be written down at once: the commit of another
# command is not the one that was to bring the rules.
forget_all
run_in rx strace -f -qq -o /dev/null -P "$BPFPOL_STATE_DIR/state.new" -e inject=rename:signal=KILL \
	"$BPFPOL" block udp/2000 2>/dev/null
check "killed before its commit" grep -q '^rules ' "$BPFPOL_STATE_DIR/tried"
mkdir -p "$BPFPOL_CONF_DIR/policies"
echo 'block udp/7' >"$BPFPOL_CONF_DIR/policies/other.policy"
expect_exit 0 run_in rx strace -f -qq -o /dev/null -P "$BPFPOL_STATE_DIR/interfaces.copy" -e inject=unlink:error=EIO \
	"$BPFPOL" block --policy other udp/9 for 1h
expect_out 'warning: .*not yet written down'
check "another command has committed" [ -e "$BPFPOL_STATE_DIR/state" ]
bp status >/dev/null
same "and it is taken back all the same" "" "$(remembered)"

finish
