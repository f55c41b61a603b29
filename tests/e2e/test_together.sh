#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Commands at once, two and twenty: all do their work, one after the other, and none is lost; in the
# kernel, on disk, and after a boot. TOGETHER=N: so many rounds.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

TOGETHER=${TOGETHER:-4}
COMMANDS=0

# together LINE...: a command each, all at once; WRONG counts those that fail.
together() {
	local line pids=()

	for line; do
		# shellcheck disable=SC2086
		(exec nsenter "--net=/run/netns/$(netns rx)" "$BPFPOL" $line >>"$WORLD/said" 2>&1) &
		pids+=($!)
	done
	COMMANDS=$((COMMANDS + $#))
	WRONG=0
	for pid in "${pids[@]}"; do wait "$pid" || WRONG=$((WRONG + 1)); done
}

filters() {
	bp list --json | jq -c '[.rules[].filter] | sort'
}

# expect_rules DESC JSON: those filters, with ids of their own, in the maps too, and after a boot.
expect_rules() {
	same "$1: rules" "$(jq -c sort <<<"$2")" "$(filters)"
	expect_json "$1: ids, and the maps" '([.rules[].id] | length == (unique | length)) and
		([.rules[].id] | sort) == ([.filters[].rule] | unique)' bp status --debug --json
	fresh_bpffs
	expect_exit 0 bp restore
	same "$1: after a boot" "$(jq -c sort <<<"$2")" "$(filters)"
}

for ((round = 0; round < TOGETHER; round++)); do
	: >"$WORLD/said"
	# Twenty first rules of a host that has never seen us, or of one where rules come in place.
	if [ $((round % 2)) -eq 0 ]; then
		fresh_bpffs
		rm -rf "$BPFPOL_STATE_DIR" "$BPFPOL_CONF_DIR" "$BPFPOL_RUN_DIR"
	fi
	mapfile -t LINES < <(seq -f 'block udp/%g' 3001 3020)
	together "${LINES[@]}"
	same "twenty at once: failures" 0 $WRONG
	WANT=$(seq -f '"in udp to port %g"' 3001 3020 | jq -sc .)
	expect_rules "twenty at once" "$WANT"
	blocked dport=3001
	blocked dport=3020

	# Half go while others come, in place and with lists, through the whole store.
	for i in 1 2 3; do echo "198.51.100.$i" >"$WORLD/list.$i"; done
	mapfile -t LINES < <(seq -f 'remove udp/%g' 3001 3010
		seq -f 'block tcp/%g' 1 7
		for i in 1 2 3; do echo "block @$WORLD/list.$i"; done)
	together "${LINES[@]}"
	same "ten go, ten come: failures" 0 $WRONG
	WANT=$({
		seq -f '"in udp to port %g"' 3011 3020
		seq -f '"in tcp to port %g"' 1 7
		for i in 1 2 3; do echo "\"in from @$WORLD/list.$i\""; done
	} | jq -sc .)
	expect_rules "ten go, ten come" "$WANT"
	blocked src=198.51.100.3
	passes dport=3001
	[ -s "$WORLD/said" ] || nok "they say what they did" ""

	# Two that want different things: one after the other, in whatever order.
	echo 'block udp/1' >"$WORLD/a"
	echo 'block udp/2' >"$WORLD/b"
	bp policy import "$WORLD/a" --name a --force >/dev/null
	bp policy import "$WORLD/b" --name b --force >/dev/null
	together "policy assign a" "policy assign b"
	same "two assign: failures" 0 $WRONG
	NAME=$(bp status --json | jq -r .policy.name)
	[ "$NAME" = a ] && WANT='["in udp to port 1"]' || WANT='["in udp to port 2"]'
	expect_rules "two assign: $NAME" "$WANT"
	together "block udp/9" "remove udp/9"
	case "$WRONG $(filters)" in
	"0 $WANT") ok "block and remove of one rule" ;;
	"1 "*'udp to port 9'*) ok "block and remove of one rule" ;;
	*) nok "block and remove of one rule" "$WRONG failed: $(filters)" ;;
	esac
	together off on
	same "off and on: failures" 0 $WRONG
	bp on >/dev/null
	bp policy unassign >/dev/null
	bp policy delete local >/dev/null
done
echo "# figure commands-at-once $COMMANDS"

finish
