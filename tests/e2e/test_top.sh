#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `top` in a terminal, under traffic: what is on the screen, its keys, sizes, terminals without
# colours or letters; and once, for scripts.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/agent.sh
. "$(dirname "$0")/agent.sh"

expect_exit 0 bp attach rx0 --mode native
expect_exit 0 bp block udp/1434 name "Slammer ü"
expect_exit 0 bp permit tcp/22 from 10.0.0.0/8
expect_exit 0 bp count udp for 2h
for i in {1..20}; do bp block "203.0.113.$i" >/dev/null; done

# --- once

expect_exit 2 bp top words
expect_exit 2 bp top --once --interval 0
expect_out "'0' is no interval"
expect_exit 2 bp top --once --interval 1s
expect_exit 2 bp top --once --interval nan
expect_exit 2 bp top --once --sort speed
expect_out 'packet-rate, byte-rate, packets, bytes, id, rule'
expect_exit 4 run_in rx setpriv --reuid=65534 --clear-groups "$BPFPOL" top --once

# 300 packets between the two looks.
run_in rx strace -qq -o "$WORLD/trace" -e trace=clock_nanosleep "$BPFPOL" top --json --interval 5 \
	>"$WORLD/once" 2>&1 &
PROCESS=$!
if until_true grep -qs nanosleep "$WORLD/trace"; then
	send_frames 300 dport=1434 len=15
	wait "$PROCESS"
	same "top --json" 0 $?
	expect_json "the packets that were sent meanwhile, exactly" '.rules[]
		| select(.rule.id == 1) | .packets == 300 and .bytes == 300 * 57
		and .rule.packets == 300' cat "$WORLD/once"
	# shellcheck disable=SC2016 # jq's own variable
	expect_json "per second" '.seconds as $s | .seconds >= 5 and (.rules[] | select(.rule.id == 1)
		| .packets_per_second * $s - 300 | fabs < 1)' cat "$WORLD/once"
	expect_json "and of the totals" '(.totals.in.blocked_per_second * .seconds - 300 | fabs < 1)
		and .totals.out.blocked_per_second == 0' cat "$WORLD/once"
	expect_json "how the interface is filtered" '.interfaces[0].ingress == "xdp-native"' \
		cat "$WORLD/once"
	expect_json "the busiest first" '.rules[0].rule.id < 4 and (.rules | length) == 23' \
		cat "$WORLD/once"
else
	nok "top --json rests between two looks" "$(tail -n 3 "$WORLD/once")"
fi
expect_exit 0 bp top --interval 0.1 --sort id
expect_out '^ +ID +PACKETS/s +BYTES/s +PACKETS +BYTES +RULE$'
expect_out '^ +1 +0 +0 +300 +17100  block in udp to port 1434 name "Slammer ü"$'
same "without a terminal it is a table, by id" "1 2 3" \
	"$(awk '$1 ~ /^[0-9]+$/ { print $1 }' <<<"$OUT" | head -n 3 | xargs)"

# --- live

SEE=$TOP/tests/e2e/screen.py
"$SEE" 1 1 true </dev/null >/dev/null 2>&1
if [ $? -eq 77 ]; then
	skip "top in a terminal" "there is no python3-pyte"
	finish
fi
if ! ldconfig -p | grep -q 'libncursesw\.so\.6'; then
	skip "top in a terminal" "there is no libncursesw"
	finish
fi

# live WIDTH HEIGHT VARIABLE=VALUE... [-- OPTION...]: begins top in a terminal of that size.
live() {
	local size=("$1" "$2") variables=() words=(--interval 0.2)

	shift 2
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		variables+=("$1")
		shift
	done
	[[ " $* " == *" --interval "* ]] && words=()
	coproc SCREEN {
		run_in rx env -u LINES -u COLUMNS LC_ALL=C.UTF-8 TERM=xterm-256color \
			"${variables[@]}" "$SEE" "${size[@]}" "$BPFPOL" top "${words[@]}" "${@:2}"
	}
	PEN=${SCREEN[1]} EYE=${SCREEN[0]} PROCESS=$SCREEN_PID
}

# ask COMMAND...: screen.py's answer.
ask() {
	local answer

	echo "$*" >&"$PEN"
	IFS= read -r -u "$EYE" answer
	echo "$answer"
}

# Not in a pipe: a subshell does not have the coprocess.
picture() {
	ask dump "$WORLD/picture" >/dev/null
	cat "$WORLD/picture"
}

# seen REGEX: it comes to stand on the screen. gone REGEX: it goes.
seen() {
	local answer

	answer=$(ask until "$1")
	if [ "$answer" = ok ]; then ok "seen: $1"; else nok "seen: $1" "$(picture)"; fi
}

gone() {
	local answer

	answer=$(ask until-not "$1")
	if [ "$answer" = ok ]; then ok "gone: $1"; else nok "gone: $1" "$(picture)"; fi
}

press() {
	ask keys "$1" >/dev/null
}

# ends STATUS: it does, with that.
ends() {
	same "it ends with $1" "ok $1" "$(ask until-end)"
	leave
}

leave() {
	exec {PEN}>&-
	wait "$PROCESS" 2>/dev/null
}

# styled DESC STYLE yes|no: whether anything on the screen is.
styled() {
	local n

	n=$(ask styled "$2")
	if [ "$n" -gt 0 ]; then n=yes; else n=no; fi
	same "$1" "$3" "$n"
}

WORM=$(frame dport=1434 len=15) DNS=$(frame dport=53 len=60)
mapfile -t MIX < <(for ((i = 0; i < 30; i++)); do printf '%s\n' "$WORM" "$WORM" "$WORM" "$DNS"; done)
# Until its file is gone.
traffic() {
	while [ -e "$WORLD/flows" ]; do run_in tx "$PKT" send tx0 "${MIX[@]}" >/dev/null 2>&1; done
}
touch "$WORLD/flows"
traffic &
TRAFFIC=$!

live 80 24
seen "^Policy 'local', 23 rules +by packets/s +every 0.2 s$"
seen '^in +[1-9][0-9.]*k? passed/s +[1-9][0-9.]*k? blocked/s +0 malformed/s  .*[▁▂▃▄▅▆▇█]'
seen '^out .* 0 blocked/s'
seen "^rx0 in xdp-native, out $TC$"
seen '^ +ID +PACKETS/s +BYTES/s +RULE +1-16 of 23$'
seen '^ +3 +[1-9][0-9.]*k? +[1-9][0-9.]*[kM] +██████████  count in udp$'
seen '^ +1 +[1-9][0-9.]*k? +[1-9][0-9.]*[kM] +███████[▏▎▍▌▋▊▉█ ]*  block in udp to port 1434 name "Slamm.*…$'
seen '^q quit  h help '
styled "blocks are red" red yes
styled "permits are green" green yes

press i
seen 'by id '
press r
seen 'by id, reversed'
seen '^ +23 +0 +0 +block in from 203.0.113.20$'
press B
seen '^ +ID +PACKETS/s +BYTES/s +BYTES +RULE'
press p
seen 'by packets/s '

press '/slam'
seen "1 of 23 rules hold 'slam'"
press '\n'
seen '^q quit'
gone 'count in udp'
press '\x1b'
seen 'count in udp'

press ' '
seen 'PAUSED'
touch "$WORLD/mark"
BEFORE=$(picture)
run_in rx "$BPFPOL" top --json --interval 0.3 >"$WORLD/moved"
expect_json "counters go on" '.totals.in.blocked_per_second > 0' cat "$WORLD/moved"
same "the picture does not" "$BEFORE" "$(picture)"
press ' '
gone 'PAUSED'

# --- sizes

ask size 120 40 >/dev/null
seen '^ +ID +PACKETS/s +BYTES/s +PACKETS +BYTES +LEFT +RULE *$'
seen '11[0-9]m  count in udp'
seen 'name "Slammer ü"$'
same "all of them have a line" 20 "$(ask lines ' block in from 203.0.113.[0-9]+$')"
ask size 40 10 >/dev/null
seen "^Policy 'local', 23 rules +every 0.2 s$"
seen '^ +ID PACKETS/s  RULE +1-4 of 23$'
seen '^in +[1-9][0-9.]*k? passed/s +[1-9][0-9.]*k? blocked/s$'
seen '^q quit  h help  / filter  d remove$'
press h
seen '^q, Ctrl-C +quit$'
press q
seen '^q quit'
ask size 5 2 >/dev/null
ask size 1 1 >/dev/null
ask size 80 24 >/dev/null
seen '^q quit  h help .* reverse$'

# --- a rule is removed, after a question

press d
seen '^Choose a rule first'
press 'i'
seen 'by id '
press '\x1bOB'
seen '^(Rule 1, [0-9]+ packets, [0-9]+ bytes|1): block in udp to port 1434 name "Slammer ü"$'
styled "the chosen one is seen" reverse yes
press d
seen '^Remove rule 1[?] y/n  block in udp to port 1434'
press n
seen '^Nothing is removed'
same "and it is still there" 1 "$(bp list --json | jq '[.rules[] | select(.id == 1)] | length')"
press d
seen '^Remove rule 1[?]'
press y
seen '^Rule 1 is removed'
gone '^ +1 .* block in udp'
seen "^Policy 'local', 22 rules"
same "it is gone" 0 "$(bp list --json | jq '[.rules[] | select(.id == 1)] | length')"
# What others change is seen, too; what cannot be read is said, and the picture stays.
expect_exit 0 bp block udp/1435 name "A new one"
seen "^Policy 'local', 23 rules"
press '\x1bOF'
seen 'block in udp to port 1435'
mv "$BPFPOL_STATE_DIR/state" "$WORLD/state"
mkdir "$BPFPOL_STATE_DIR/state"
seen 'state is damaged|cannot read'
seen 'block in udp to port 1435'
rmdir "$BPFPOL_STATE_DIR/state"
mv "$WORLD/state" "$BPFPOL_STATE_DIR/state"
press z
seen '^q quit'
expect_exit 0 bp off
seen "Filtering is OFF"
seen '! rx0 in none, out none'
expect_exit 0 bp on
seen "^Policy 'local', 23 rules"
press q
ends 0

rm "$WORLD/flows"
wait "$TRAFFIC"
passes dport=1434

# --- the exact count, when all is quiet

live 120 40 -- --sort packets
COUNTED=$(counter packets "in udp")
check "the count rule has counted" [ "$COUNTED" -gt 1000 ]
seen "^ +3 +0 +0 +$COUNTED +[0-9]+ +11[0-9]m  count in udp"
press '\x03'
ends 0

# --- rules that the agent holds stand among the others, and are removed in the same way

start_agent
expect_exit 0 bp block --dynamic udp/7777 name "For now"
live 80 24
seen "^Policy 'local', 23 rules, 1 dynamic "
press '/dynamic\n'
seen '^ +[0-9]+ +0 +0 +\[dynamic\] block in udp to port 7777 na…$'
press '\x1bOB'
press d
seen '^Remove rule [0-9]+[?] y/n  \[dynamic\] block in udp to port 7777'
press y
seen '^Rule [0-9]+ is removed'
gone 'block in udp to port 7777'
press '\x1b'
seen "^Policy 'local', 23 rules +by"
same "the agent has it no more" 0 "$(bp list --json | jq '[.rules[] | select(.layer == "dynamic")] | length')"
press q
ends 0
stop_agent TERM

# --- terminals

live 80 24 TERM=vt100 LC_ALL=C
seen 'RULE +1-16 of 23'
styled "without colours" red no
press '\x1bOB'
seen '^(Rule 3|3)[,:]'
check "the chosen row is seen without them" [ "$(ask styled reverse)" -ge 160 ]
expect_exit 0 bp block tcp/9999 name "grün"
# What is no letter there is passed over, and the keys behind it are not.
press '/grün\xff9999\n'
seen "0 of 24 rules hold 'grn9999'"
press '\x1b'
press '/9999\n'
seen '^ +[0-9]+ +0 +0 +block in tcp to port 9999 name "gr[?]n"$'
PICTURE=$(picture)
same "24 lines of nothing but ASCII" 24 "$(grep -cvP '[^\x00-\x7f]' <<<"$PICTURE")"
ask signal 15 >/dev/null
ends 0

# The first rates are there before the first long interval is over.
live 80 24 -- --interval 3600
seen 'every 3600 s$'
seen '^in +[0-9.]+k? passed/s'
press q
ends 0

live 80 24 TERM=no-such-terminal
seen "^bpfpol: nothing is known of a terminal 'no-such-terminal'"
ends 1
live 80 24
seen '^q quit'
# Nobody is there any more.
ask hang-up >/dev/null
ends 0

# --- without the library, which nothing else needs

same "the program is not linked to it" 0 "$(ldd "$BPFPOL" | grep -cE 'ncurses|tinfo')"
cat >"$WORLD/hidden" <<'END'
for lib in $(ldconfig -p | awk '/libncursesw\.so\.6/ { print $NF }'); do
	mount --bind /dev/null "$lib"
done
exec "$@"
END
hidden() {
	unshare -m bash "$WORLD/hidden" nsenter "--net=/run/netns/$(netns rx)" "$@"
}
expect_exit 0 hidden "$BPFPOL" top --once --interval 0.1
coproc SCREEN { hidden env TERM=vt100 "$SEE" 80 24 "$BPFPOL" top; }
PEN=${SCREEN[1]} EYE=${SCREEN[0]} PROCESS=$SCREEN_PID
seen "^bpfpol: 'top' draws with libncursesw, which is not installed here: 'apt install"
ends 1

finish
