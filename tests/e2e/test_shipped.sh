#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The policies that come with the program (share/policies; row 24 of the mission): each stops what it
# is for, in the directions that it is for, and nothing beside it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# What each is to stop, from the advisories and not from the policies: DIRECTION PROTOCOL/PORT[-PORT],
# or with PORT/PROTOCOL the port that it comes from. All else has to pass.
TABLE='
slammer       in udp/1434  out udp/1434
codered       in tcp/80
nimda         in tcp/80  out udp/69  in tcp/139 tcp/445  out tcp/139 tcp/445
blaster       in tcp/135 tcp/139 tcp/445 tcp/593 tcp/4444 udp/135 udp/137-139 udp/445 udp/69  out udp/69
sasser        in tcp/445 tcp/5554 tcp/9996  out tcp/5554
witty         in 4000/udp  out 4000/udp
conficker     in tcp/139 tcp/445
smb-boundary  in tcp/139 tcp/445 udp/137-138  out tcp/139 tcp/445 udp/137-138
bluekeep      in tcp/3389 udp/3389
smbghost      in tcp/445  out tcp/445
memcached     in tcp/11211 udp/11211  out 11211/udp
reflectors    in udp/17 udp/19 udp/53 udp/69 udp/111 udp/123 udp/137 udp/161 udp/389 udp/520 udp/1900 udp/5353 udp/11211
log4shell     out tcp/389 udp/389 tcp/636 tcp/1099 tcp/1389
regresshion   in tcp/22
cups          in udp/631 tcp/631
mirai         in tcp/23 tcp/2323  out tcp/23 tcp/2323  in tcp/7547
'

NAMES=$(awk 'NF { print $1 }' <<<"$TABLE" | sort)
DIR=$TOP/share/policies
ADVISORIES=$TOP/../shared/ADVISORIES.md

# stopped NAME: `DIRECTION dport|sport PROTOCOL PORT`, a line for each port that it is to stop.
stopped() {
	awk -v name="$1" '
		$1 == name {
			for (i = 2; i <= NF; i++) {
				if ($i == "in" || $i == "out") { dir = $i; continue }
				split($i, part, "/")
				from = part[1] ~ /^[0-9]/
				proto = from ? part[2] : part[1]
				n = split(from ? part[1] : part[2], port, "-")
				for (p = port[1]; p <= port[n]; p++)
					print dir, from ? "sport" : "dport", proto, p
			}
		}' <<<"$TABLE"
}

# tried NAME: `dport|sport PROTOCOL PORT` of all frames that it is shown: each port of it and the two
# beside that, as either end's, of TCP and of UDP.
tried() {
	stopped "$1" | awk '
		{ for (p = $4 - 1; p <= $4 + 1; p++) port[p] }
		END {
			for (p in port)
				print "dport tcp", p "\nsport tcp", p "\ndport udp", p "\nsport udp", p
		}' | sort -k 3n -k 1,2
}

# frames_of DIRECTION FAMILY-WORDS...: in hex, of lines of tried; the other end's port is 50000.
frames_of() {
	local end proto port other words=("${ETHER[@]}" "${@:2}")

	[ "$1" = in ] || words+=("src-mac=$RX_MAC" "dst-mac=$TX_MAC")
	while read -r end proto port; do
		other=dport
		[ "$end" = sport ] || other=sport
		"$PKT" build "${words[@]}" "proto=$proto" "$end=$port" "$other=50000"
	done
}

# judged DIRECTION HEX...: p or b for each.
judged() {
	local dir=$1

	shift
	if [ "$dir" = in ]; then
		verdicts "$@"
	else
		FROM=rx TX=rx0 TO=tx RX=tx0 verdicts "$@"
	fi
}

# expect_verdicts NAME DIRECTION FAMILY-WORDS...
expect_verdicts() {
	local name=$1 dir=$2 lines hex want

	shift 2
	lines=$(tried "$name")
	mapfile -t hex < <(frames_of "$dir" "$@" <<<"$lines")
	want=$(STOPPED=$(stopped "$name") awk -v dir="$dir" '
		BEGIN { n = split(ENVIRON["STOPPED"], line, "\n"); while (n) stop[line[n--]] }
		{ print $0, ((dir " " $0) in stop) ? "b" : "p" }' <<<"$lines")
	same "$name: $dir: ${#hex[@]} frames ${1%%:*}" "$want" \
		"$(judged "$dir" "${hex[@]}" | fold -w 1 | paste -d ' ' <(echo "$lines") -)"
}

# What a reader finds in the file.
expect_text() {
	local file=$DIR/$1.policy words

	for words in 'Date: +[0-9]* *[A-Z][a-z]+ [0-9]{4}$' 'Reference: +.' 'Breaks: +.' \
		'Take off: +bpfpol policy unassign$'; do
		check "$1: $words" grep -qE "^# $words" "$file"
	done
	expect_json "$1: nothing to warn of" '.errors == [] and .warnings == []' \
		bp policy check "$file" --json
}

expect_policy() {
	local name=$1

	expect_text "$name"
	OUT=$(bp policy import --shipped "$name" 2>&1)
	same "$name: as it was shipped" "$(cat "$DIR/$name.policy")" "$(bp policy export "$name" 2>&1)"
	# Printing it gives canonical text, which is the same policy.
	bp policy show "$name" >"$WORLD/shown"
	bp policy import "$WORLD/shown" --name again --force >/dev/null
	same "$name: printed and read" "$(cat "$WORLD/shown")" \
		"$(bp policy show again | sed "s/^policy \"again\"/policy \"$name\"/")"
	check "$name: is assigned" bp policy assign "$name"
	expect_verdicts "$name" in "src=$TX4" "dst=$RX4"
	expect_verdicts "$name" in "src=$TX6" "dst=$RX6"
	expect_verdicts "$name" out "src=$RX4" "dst=$TX4"
	expect_verdicts "$name" out "src=$RX6" "dst=$TX6"
}

# Each policy has a row, each row a policy, and all of them are shown.
same "a row for each file" "$(cd "$DIR" && printf '%s\n' *.policy | sed 's/\.policy$//' | sort)" "$NAMES"
same "all are listed" "$NAMES" "$(bp policy list --shipped --json | jq -r '.shipped[].name')"
expect_json "each says what it is" '.shipped | all(.description and .rules > 0)' \
	bp policy list --shipped --json
if [ -e "$ADVISORIES" ]; then
	same "those that were asked for" \
		"$(sed -n 's/^| \([a-z0-9-]*[a-z0-9]\) |.*/\1/p' "$ADVISORIES" | grep -vx name | sort)" \
		"$NAMES"
else
	skip "those that were asked for" "no $ADVISORIES"
fi

expect_exit 0 bp attach rx0
# shellcheck disable=SC2086
for NAME in $NAMES; do
	expect_policy "$NAME"
	# Each rule has stopped something: none is there for nothing.
	expect_json "$NAME: each of its rules is at work" \
		'.policy.name == "'"$NAME"'" and (.rules | length > 0)
		and all(.rules[] | select(.action == "block"); .packets > 0)' bp status --json
done

# Slammer's own frame.
bp policy assign slammer >/dev/null
blocked "${SLAMMER[@]}"
# regreSSHion: the admin network comes in, as far as it is one.
bp policy assign regresshion >/dev/null
passes src=192.0.2.7 proto=tcp dport=22
passes src=2001:db8::7 "dst=$RX6" proto=tcp dport=22
blocked src=192.0.3.7 proto=tcp dport=22
# A router passes on what is for others, whatever it is.
run_in rx sysctl -qw net.ipv4.ip_forward=1
bp policy assign conficker >/dev/null
blocked proto=tcp dport=445
passes dst=203.0.113.9 proto=tcp dport=445

# Off it goes as the text says.
expect_exit 0 bp policy unassign
passes proto=tcp dport=445

finish
