#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Each way in which the store's directory can fail, and each command: the filter goes on, who looks
# sees what is in force, who changes is refused, all name the file and what to do, and with the fault
# gone nothing is lost.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$WORLD" || exit 1
STATE=$BPFPOL_STATE_DIR
READING=(list "list --json" status "status --json" "status --debug" interfaces metrics
	"netdiag /test:ipsec /debug" "top --once --interval 0.1"
	"explain udp from $TX4 port 9 to $RX4 port 1434")
CHANGING=("block udp/53" "block udp/53 for 1h" "block udp/53 --confirm 60"
	"permit udp/1434 from 192.0.2.1" "remove udp/1434" "remove --id 1" "policy assign other"
	"policy unassign" "policy rollback"
	"ipsecpol -w REG -p local -f *=0:53:UDP -n BLOCK")
PROBES=("$(frame dport=1434)" "$(frame src=198.51.100.7)" "$(frame dport=53)")

rules() {
	bp list --json | jq -c '[.rules[] | del(.packets, .bytes, .expires_in)] | sort'
}

# shellcheck disable=SC2317 # the faults call it
seal() { # seal FILE: its last line holds the sum of all before it
	python3 - "$1" <<'EOF'
import sys, zlib
path = sys.argv[1]
body = open(path, 'rb').read().rsplit(b'end ', 1)[0]
open(path, 'wb').write(body + b'end %08x\n' % zlib.crc32(body))
EOF
}

# shellcheck disable=SC2317 # the faults are called by their names
{
	torn() { truncate -s 20 "$STATE/state"; }
	empty() { : >"$STATE/state"; }
	changed() { sed -i 's/1434/1435/' "$STATE/state"; }
	newer() { sed -i '1s/.*/bpfpol state 2/' "$STATE/state" && seal "$STATE/state"; }
	unknown_line() { sed -i '2i unheard-of 1' "$STATE/state" && seal "$STATE/state"; }
	no_file() { rm "$STATE/state" && mkdir "$STATE/state"; }
	pipe() { rm "$STATE/state" && mkfifo "$STATE/state"; }
	journal() { sed -i 's/port 7/port 8/' "$STATE/journal" && printf 'x\n' >>"$STATE/journal"; }
	copy() { rm "$STATE"/lists/*; touch "$STATE/state"; }
	cut_copy() { truncate -s -5 "$STATE"/lists/* && touch "$STATE/state"; }
	empty_copy() { truncate -s 0 "$STATE"/lists/* && touch "$STATE/state"; }
	gone() { rm -rf "$STATE"; }
	no_journal() { rm "$STATE/journal"; }
	cut_journal() { sed -i '$d' "$STATE/journal"; }
	no_state() { rm -f "$STATE"/state "$STATE"/journal "$STATE"/previous.*; }
	a_file() { rm -rf "$STATE" && : >"$STATE"; }
	a_link() { mv "$STATE" elsewhere && ln -s elsewhere "$STATE"; }
	owner() { chown 65534 "$STATE"; }
	mode() { chmod 777 "$STATE"; }
	id() { rm "$STATE/id" && mkdir "$STATE/id" && touch "$STATE/state"; }
	number() { echo 'bpfpol store 0123456789abcdef' >"$STATE/id" && touch "$STATE/state"; }
	torn_id() { truncate -s 20 "$STATE/id" && touch "$STATE/state"; }
	io_error() { touch "$STATE/state" && WRAP=(strace -qq -o /dev/null -P "$STATE/state" -e inject=read:error=EIO); }
	# What cannot be closed: what was written may not be there.
	close_error() { WRAP=(strace -qq -o /dev/null -P "$STATE/state.new" -e inject=close:error=EIO); }
	# Not one more file: what is there can be written.
	no_inode() {
		mv "$STATE" elsewhere && mkdir -m 700 "$STATE" &&
			mount -t tmpfs -o "mode=700,nr_inodes=$(find elsewhere | wc -l)" none "$STATE" &&
			cp -a elsewhere/. "$STATE"
	}
	pins_read_only() { mount -o remount,ro "$WORLD/bpf"; }
	read_only() { mount --bind "$STATE" "$STATE" && mount -o remount,ro,bind "$STATE"; }
}

put_back() {
	WRAP=()
	mount -o remount,rw "$WORLD/bpf"
	umount "$STATE" 2>/dev/null
	rm -rf "$STATE" elsewhere "$BPFPOL_CONF_DIR"
	cp -a saved "$STATE"
	cp -a conf "$BPFPOL_CONF_DIR"
	bp list >/dev/null
}

# try WORDS...: OUT, and as exit code the command's.
try() {
	OUT=$(run_in rx "${WRAP[@]}" "$BPFPOL" "$@" 2>&1)
}

# look FAULT EXIT PATTERN: all that only read; with another exit than 0 the pattern is there, too.
look() {
	local words code

	for words in "${READING[@]}"; do
		# shellcheck disable=SC2086
		try $words
		code=$?
		[ $code = "$2" ] || nok "$1: $words" "exit $code: $OUT"
		[ "$2" = 0 ] || grep -qE -- "$3" <<<"$OUT" || nok "$1: $words: says $3" "$OUT"
		case $words in
		list | "explain"*) grep -q 'port 1434' <<<"$OUT" || nok "$1: $words: shows the rule" "$OUT" ;;
		*json)
			# shellcheck disable=SC2086
			run_in rx "${WRAP[@]}" "$BPFPOL" $words 2>/dev/null |
				jq -e '.rules[] | select(.filter == "in udp to port 1434")' >/dev/null ||
				nok "$1: $words: shows the rule" "$OUT"
			;;
		metrics) grep -q "^bpfpol_store_readable $((1 - $2))" <<<"$OUT" || nok "$1: metrics" "$OUT" ;;
		netdiag*) grep -q "Policy Active: 'local'" <<<"$OUT" || nok "$1: netdiag" "$OUT" ;;
		interfaces | status) grep -q '^  rx0 .*xdp' <<<"$OUT" || nok "$1: $words: rx0" "$OUT" ;;
		esac
	done
	ok "$1: shown as before, exit $2"
}

# refused FAULT PATTERN WORDS...: each is, exit 1.
refused() {
	local words code

	for words in "${@:3}"; do
		set -f
		# shellcheck disable=SC2086
		try $words
		code=$?
		set +f
		[ $code = 1 ] || nok "$1: $words" "exit $code: $OUT"
		grep -qE -- "$2" <<<"$OUT" || nok "$1: $words: says $2" "$OUT"
	done
}

# change FAULT PATTERN: all that change are refused.
change() {
	refused "$1" "$2" "${CHANGING[@]}"
	ok "$1: no change"
}

# half FAULT PATTERN: no file can be made, and those that are there can be written: rules come and go in
# place, all else is refused, and so that nothing has changed.
half() {
	local words by_store=()

	"$1" || nok "$1" "cannot be made"
	look "$1" 0 ""
	for words in "block udp/53 bbb" "remove udp/53 bbp" "remove udp/1434 pbp" "block udp/1434 bbp"; do
		# shellcheck disable=SC2086
		try ${words% *}
		same "$1: ${words% *}: exit, and what packets see" "0 ${words##* }" "$? $(verdicts "${PROBES[@]}")"
	done
	for words in "${CHANGING[@]}"; do
		[[ $words =~ ^(policy|ipsecpol) ]] && by_store+=("$words")
	done
	refused "$1" "^bpfpol: .*$2" "${by_store[@]}"
	same "$1: the filter goes on" bbp "$(verdicts "${PROBES[@]}")"
	same "$1: with its rules" "$(jq -c '[.[].filter] | sort' <<<"$RULES")" "$(rules | jq -c '[.[].filter] | sort')"
	try off
	same "$1: off" "0 ppp" "$? $(verdicts "${PROBES[@]}")"
	put_back 2>/dev/null # an older store than what is in force
	# First: the journal has fewer records than are in force, which `on` would not pass over.
	bp restore >/dev/null 2>&1
	bp on >/dev/null 2>&1
	undo "$1"
}

# closed FAULT PATTERN: nothing that is pinned can be opened for writing: the filter goes on, and who asks is told.
closed() {
	"$1" || nok "$1" "cannot be made"
	refused "$1" "^bpfpol: .*$2" "${READING[@]}" "${CHANGING[@]}" restore
	same "$1: the filter goes on" bbp "$(verdicts "${PROBES[@]}")"
	try off
	same "$1: off" "0 ppp" "$? $(verdicts "${PROBES[@]}")"
	undo "$1"
}

# undo FAULT
undo() {
	put_back
	rm -f "$STATE/off"
	bp on >/dev/null
	same "$1: nothing is lost" "$RULES" "$(rules)"
	same "$1: and it filters" bbp "$(verdicts "${PROBES[@]}")"
}

# fault NAME READING-EXIT PATTERN
fault() {
	local on

	"$1" || nok "$1" "cannot be made"
	look "$@"
	change "$1" "$3"
	same "$1: the filter goes on" bbp "$(verdicts "${PROBES[@]}")"
	try off
	on=$?
	same "$1: off" "0 ppp" "$on $(verdicts "${PROBES[@]}")"
	undo "$1"
}

echo 198.51.100.7 >list
expect_exit 0 bp block udp/1434
expect_exit 0 bp block @list --rule "from a list"
expect_exit 0 bp policy create other
expect_exit 0 bp block udp/53 --policy other
expect_exit 0 bp policy assign other
expect_exit 0 bp policy assign local
expect_exit 0 bp block udp/7
expect_exit 0 bp block udp/9 for 1h
RULES=$(rules)
cp -a "$STATE" saved
cp -a "$BPFPOL_CONF_DIR" conf

fault torn 1 "$STATE/state is damaged.*bpfpol restore"
fault empty 1 "$STATE/state is damaged.*bpfpol restore"
fault changed 1 "$STATE/state is damaged.*bpfpol restore"
fault newer 1 "$STATE/state .*newer version"
fault unknown_line 1 "$STATE/state is damaged or of another version"
fault no_file 1 "$STATE/state is damaged.*bpfpol restore"
fault pipe 1 "$STATE/state is damaged.*bpfpol restore"
fault journal 1 "$STATE/journal is damaged"
fault no_journal 1 "$STATE/journal is damaged"
fault cut_journal 1 "$STATE/journal is damaged"
fault copy 1 "$STATE/lists/.*'bpfpol restore'"
fault cut_copy 1 "$STATE/lists/.* is damaged; 'bpfpol restore'"
fault empty_copy 1 "$STATE/lists/.* is damaged; 'bpfpol restore'"
fault gone 1 "no store in $STATE,.*backup"
fault no_state 1 "no store in $STATE,.*backup"
fault a_file 1 "$STATE is not a directory"
fault a_link 1 "$STATE is a symbolic link"
fault owner 1 "$STATE belongs to another user"
fault mode 1 "$STATE belongs to another user or can be written by others"
fault id 1 "$STATE holds another one, or its file id"
fault number 1 "$STATE holds another one"
fault torn_id 1 "$STATE holds another one, or its file id"
fault io_error 1 "$STATE/state: Input/output error.*backup, or move it away"
fault read_only 0 "$STATE/.*: Read-only file system"
half no_inode "No space left on device"
half close_error "cannot write $STATE/.*: Input/output error"
closed pins_read_only "Read-only file system.*remount,rw"

# What is tried, and what is known of a policy that is not assigned: no file, which no change waits for.
for kind in mkdir mkfifo; do
	expect_exit 0 bp attach rx0 --confirm 600
	rm "$STATE/tried"
	$kind "$STATE/tried"
	expect_exit 0 bp block udp/53
	expect_out "warning: nobody knows what was attached on trial: $STATE/tried is damaged.*'bpfpol detach INTERFACE'"
	expect_exit 0 bp remove udp/53
	same "$kind: said once" 0 "$(grep -c trial <<<"$OUT")"
	rm -r "$STATE/tried.damaged"
	mv "$STATE/policies/other" kept
	$kind "$STATE/policies/other"
	expect_exit 1 bp policy assign other
	expect_out "$STATE/policies/other is damaged.*move it away"
	rm -r "$STATE/policies/other"
	mv kept "$STATE/policies/other"
done
expect_exit 0 bp policy assign other

finish
