#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Ordinary users: they read no pin, get no answer from the agent, and what they put where ours will be
# is not trusted, on a bpffs where everybody may write. Links that somebody put into the way are not followed.
# STRANGERS=N: seconds for which a hundred of them try.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$TOP/tests/e2e/agent.sh"

STRANGERS=${STRANGERS:-2}
umount "$WORLD/bpf"
mount -t bpf -o mode=1777 bpf "$WORLD/bpf" || exit 1
same "everybody may write to the bpffs" 1777 "$(stat -c %a "$WORLD/bpf")"
chmod 1777 "$WORLD"

as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

# refused DESC WORD...: the command refuses, says why, and has opened nothing.
refused() {
	local desc=$1

	shift
	OUT=$(bp "$@" 2>&1)
	same "$desc: '$*' is refused" 1 $?
	expect_out 'belongs to another user|is a symbolic link|is not a directory'
}

# --- planted before we come: each place, a directory, a link, a file

PLACES=("$BPFPOL_BPFFS" "$BPFPOL_STATE_DIR" "$BPFPOL_RUN_DIR" "$BPFPOL_CONF_DIR")
mkdir -m 700 "$WORLD/ours"
echo 'block udp/1' >"$WORLD/ours/secret"
for place in "${PLACES[@]}"; do
	for planted in directory link file; do
		case $planted in
		directory) as_nobody mkdir -m 755 "$place" ;;
		link) as_nobody ln -s "$WORLD/ours" "$place" ;;
		file)
			[ "$place" != "$BPFPOL_BPFFS" ] || continue # there are none there
			as_nobody touch "$place"
			;;
		esac || { nok "plant a $planted at $place" "cannot"; continue; }
		refused "a $planted at ${place##*/}" block udp/1434
		same "nothing is attached" "" "$(run_in rx ip -o link show rx0 | grep -o xdp)"
		rm -rf "$place"
		rm -rf "${PLACES[@]}" 2>/dev/null
	done
done
same "what a link named is as it was" "secret 700" "$(ls "$WORLD/ours") $(stat -c %a "$WORLD/ours")"

# --- what only reads trusts nothing planted either

bp block udp/1434 >/dev/null
mv "$BPFPOL_STATE_DIR" "$WORLD/kept"
as_nobody mkdir "$BPFPOL_STATE_DIR"
for words in list status restore "policy list" "policy show local"; do
	# shellcheck disable=SC2086
	refused "somebody's state" $words
done
expect_exit 0 bp off
expect_out 'Filtering is off'
passes dport=1434
rm -rf "$BPFPOL_STATE_DIR"
mv "$WORLD/kept" "$BPFPOL_STATE_DIR"
expect_exit 0 bp on
expect_exit 0 bp block udp/1435
blocked dport=1434

mkdir "$WORLD/theirs"
printf 'interfaces = tx9\nprotect = 192.0.2.1\n' >"$WORLD/theirs/bpfpol.conf"
mv "$BPFPOL_CONF_DIR" "$WORLD/kept"
mv "$WORLD/theirs" "$BPFPOL_CONF_DIR"
chown -R 65534 "$BPFPOL_CONF_DIR"
refused "somebody's bpfpol.conf" block udp/7 from 192.0.2.1
refused "somebody's policies" policy list
rm -rf "$BPFPOL_CONF_DIR"
mv "$WORLD/kept" "$BPFPOL_CONF_DIR"

# One of root's that others may write to is none of ours either.
for place in "${PLACES[@]}"; do
	for mode in 1777 0770; do
		chmod $mode "$place"
		refused "${place##*/} with mode $mode" block udp/7
		chmod 700 "$place"
	done
done

# An agent of somebody's is not asked.
mv "$BPFPOL_RUN_DIR" "$WORLD/kept"
as_nobody mkdir -m 755 "$BPFPOL_RUN_DIR"
"$TOP/tests/e2e/strangers.py" impostor "$BPFPOL_RUN_DIR/agent.sock" "$WORLD/listens" >"$WORLD/asked" &
IMPOSTOR=$!
until_true [ -e "$WORLD/listens" ]
refused "somebody's agent" agent status
kill $IMPOSTOR
wait $IMPOSTOR 2>/dev/null
same "it was not asked" "" "$(cat "$WORLD/asked")"
rm -rf "$BPFPOL_RUN_DIR"
mv "$WORLD/kept" "$BPFPOL_RUN_DIR"

# --- links in our own directories: nothing is written through them

echo precious >"$WORLD/precious"
for name in state.new journal.new previous.1.state fold.9 lists off.new interfaces.new; do
	ln -s "$WORLD/precious" "$BPFPOL_STATE_DIR/$name" 2>/dev/null
done
ln -f "$WORLD/precious" "$BPFPOL_STATE_DIR/policies.new"
ln -s "$WORLD/precious" "$BPFPOL_CONF_DIR/policies/local.policy.new"
echo 198.51.100.9 >"$WORLD/list.txt"
bp block "@$WORLD/list.txt" >/dev/null 2>&1
rm -f "$BPFPOL_STATE_DIR/lists"
expect_exit 0 bp block "@$WORLD/list.txt"
expect_exit 0 bp block udp/1436
expect_exit 0 bp off
expect_exit 0 bp on
expect_exit 0 bp detach rx0
expect_exit 0 bp attach rx0
same "it is as it was" precious "$(cat "$WORLD/precious")"
mv "$BPFPOL_STATE_DIR/journal" "$WORLD/journal"
ln -s "$WORLD/journal" "$BPFPOL_STATE_DIR/journal"
BEFORE=$(sha256sum <"$WORLD/journal")
bp block udp/1437 >/dev/null 2>&1
same "no record goes through a link" "$BEFORE" "$(sha256sum <"$WORLD/journal")"
bp block udp/1438 from "@$WORLD/list.txt" >/dev/null 2>&1
same "and none later" "$BEFORE" "$(sha256sum <"$WORLD/journal")"
rm -f "$BPFPOL_RUN_DIR/lock"
ln -s "$WORLD/precious" "$BPFPOL_RUN_DIR/lock"
expect_exit 1 bp block udp/1439
rm "$BPFPOL_RUN_DIR/lock"
ln -s "$WORLD/precious" "$BPFPOL_RUN_DIR/agent.lock"
expect_exit 1 bp agent
rm "$BPFPOL_RUN_DIR/agent.lock"
same "nor through one to a lock" precious "$(cat "$WORLD/precious")"
blocked dport=1434

# What is left of a change that died is swept away, but not through a link.
ln -s "$WORLD/ours" "$BPFPOL_BPFFS/gen-7777"
# Where the link has given place to a journal of ours, that one counts.
[ ! -L "$BPFPOL_STATE_DIR/journal" ] || mv "$WORLD/journal" "$BPFPOL_STATE_DIR/journal"
expect_exit 0 bp policy assign local
rm "$BPFPOL_BPFFS/gen-7777"
same "what it named is as it was" "block udp/1" "$(cat "$WORLD/ours/secret")"

# --- a hundred of them at once

start_agent
SOCKET=$BPFPOL_RUN_DIR/agent.sock
mapfile -t PINS < <(find "$BPFPOL_BPFFS" -type f | head -n 5)
FILES=("$BPFPOL_STATE_DIR/state" "$BPFPOL_CONF_DIR/policies/local.policy" "$BPFPOL_RUN_DIR/lock" "${PINS[@]}")
OUT=$(run_in rx "$TOP/tests/e2e/strangers.py" "$STRANGERS" "$SOCKET" "$BPFPOL_BPFFS" "${FILES[@]}")
TRIES=${OUT%% *}
same "a hundred users at once get nothing" "" "${OUT#* }"
check "they tried $TRIES times" [ "$TRIES" -ge 100 ]
# The socket and the way to it open to all: it is the agent that refuses.
chmod 755 "$BPFPOL_RUN_DIR"
chmod 666 "$SOCKET"
OUT=$(run_in rx "$TOP/tests/e2e/strangers.py" "$STRANGERS" "$SOCKET" "$BPFPOL_BPFFS" "${FILES[@]:0:2}" 2>&1)
MORE=${OUT%% *}
same "nor where the socket's mode lets them in" "" "${OUT#* }"
chmod 600 "$SOCKET"
chmod 700 "$BPFPOL_RUN_DIR"
check "the agent answers root" bp agent status
check "and counted them" [ "$(bp agent status --json | jq .clients.refused)" -ge 100 ]
echo "# figure strangers-tries $((TRIES + MORE))"
blocked dport=1434

finish
