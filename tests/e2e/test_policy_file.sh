#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# NAME.policy is for people: what they wrote stays as they wrote it, while commands add rules to it
# and take them out. Includes, lists, labels; import and export.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$WORLD" || exit 1
POLICIES=$BPFPOL_CONF_DIR/policies
mkdir -m 700 "$BPFPOL_CONF_DIR" "$POLICIES"

# fold: makes a commit, so that what waits in the journal comes into the file.
fold() {
	echo "203.0.113.$((FOLDS = ${FOLDS:-0} + 1))" >fold.list
	if ! bp block gre from @fold.list >/dev/null || ! bp remove gre from @fold.list >/dev/null; then
		nok "fold" "a block by list fails"
	fi
}

mkdir sub
printf '198.51.100.1\n198.51.100.2\n' >"$POLICIES/bad.txt"
cat >"$POLICIES/web.policy" <<-'END'
	# What the web servers need.   Owner: us
	policy "web"
	description "web servers"

	block   tcp/3306     # the database is not for everybody

	rule "worms"
	block in udp to any port 1434	# Slammer
	block @bad.txt
	# the end
END
cp "$POLICIES/web.policy" before
expect_exit 0 bp policy assign web
blocked src=198.51.100.2
expect_json "labels" '[.rules[] | [.filter, .name]] | contains([["in udp to port 1434", "worms"],
	["in tcp to port 3306", null]])' bp list --json
fold
same "nothing of it is touched" "$(cat before)" "$(cat "$POLICIES/web.policy")"

# Changes are seen by every command at once, and come into the file with the next commit.
expect_exit 0 bp block tcp/25
expect_exit 0 bp remove udp/1434
expect_exit 0 bp block tcp/8080 for 1h
same "not in the file yet" "$(cat before)" "$(cat "$POLICIES/web.policy")"
bp policy export web >exported
bp policy export web --json >exported.json
same "as JSON what show tells" "$(bp policy show web --json)" "$(jq 'del(.file, .text)' exported.json)"
same "and beside it the text, and where it is from" "$(cat exported)"$'\n'"$POLICIES/web.policy" \
	"$(jq -j '.text, .file' exported.json)"
same "export: the comments stay, so does the order" "$(sed '/Slammer/d' before
	printf 'rule ""\nblock in tcp to port 25')" "$(cat exported)"
expect_exit 0 bp policy show web
expect_out '^block in tcp to port 25$'
expect_exit 0 bp policy diff web --in-force
expect_out 'The rules are the same'
# An edit that comes before the commit is kept.
sed -i 's/^# the end/# THE END/' "$POLICIES/web.policy"
fold
same "the edit and the changes" "$(sed 's/^# the end/# THE END/' exported)" \
	"$(cat "$POLICIES/web.policy")"
expect_exit 0 bp policy assign web
passes dport=1434
blocked proto=tcp dport=25
blocked proto=tcp dport=8080

# A commit whose file cannot be written makes up for it, though somebody edits in between.
mv "$POLICIES" aside
touch "$POLICIES"
echo 203.0.113.99 >more.list
expect_exit 0 bp block @more.list
expect_out 'warning: .*policy file does not show it'
expect_exit 0 bp block tcp/26
rm "$POLICIES"
mv aside "$POLICIES"
sed -i 's/THE END/the very end/' "$POLICIES/web.policy"
expect_exit 0 bp policy show web
expect_out '^block in from @.*/more.list$'
fold
same "both are in the file" "2 1" "$(grep -cE 'more.list|port 26' "$POLICIES/web.policy") $(
	grep -c 'very end' "$POLICIES/web.policy")"
# A file that is gone is written anew.
rm "$POLICIES/web.policy"
expect_exit 0 bp remove tcp/26
fold
expect_exit 0 bp policy diff web --in-force
expect_out 'The rules are the same'
check "its label, too" grep -q 'bad.txt name "worms"' "$POLICIES/web.policy"

# A line that was not in force yet says what came into force, in its own words where that is the same.
printf '  block udp/777 log name "mine"  # why\nblock udp/778\n' >>"$POLICIES/web.policy"
expect_exit 0 bp block udp/777 name theirs
expect_exit 0 bp block udp/778
expect_exit 0 bp policy diff web --in-force
expect_out 'The rules are the same'
fold
same "the line that differed, and the one that did not" \
	'  block in udp to port 777 name "theirs"  # why'$'\nblock udp/778' \
	"$(grep -E 'port 777|udp/778' "$POLICIES/web.policy")"

# A list is read again by assign; a list that is gone is an error with its place.
echo 198.51.100.9 >>"$POLICIES/bad.txt"
passes src=198.51.100.9
expect_exit 0 bp policy diff web --in-force
expect_out '^~ block in from @.*/bad.txt.*: 1 addresses more, 0 fewer'
expect_exit 0 bp policy assign web
blocked src=198.51.100.9
mv "$POLICIES/bad.txt" gone.txt
BEFORE=$(snapshot)
expect_exit 2 bp policy assign web
expect_out "^bpfpol: $POLICIES/web.policy:[0-9]+:15: cannot read the address list"
unchanged "a list that is gone" "$BEFORE"
mv gone.txt "$POLICIES/bad.txt"

# Rules of a policy that is included are that one's.
echo 'block udp/161' >"$POLICIES/base.policy"
printf 'include "base"\nblock udp/162\n' >"$POLICIES/net.policy"
expect_exit 0 bp policy assign net
blocked dport=161
blocked dport=162
expect_exit 0 bp policy show net
expect_out '^block in udp to port 161$'
expect_exit 5 bp remove udp/161
expect_out 'includes; take it out there'
ID=$(bp list --json | jq '.rules[] | select(.filter == "in udp to port 161").id')
expect_exit 5 bp remove --id "$ID"
blocked dport=161
expect_exit 0 bp remove udp/162
same "its own rule is gone from its file" 'include "base"' "$(fold; grep -v '^block in gre' \
	"$POLICIES/net.policy")"
expect_exit 0 bp remove udp/161 --force
passes dport=161
expect_exit 0 bp policy assign net
blocked dport=161
expect_exit 0 bp remove --policy base udp/161
blocked dport=161
expect_exit 0 bp policy assign net
passes dport=161
# One whose list is read again stays that one's.
echo 203.0.113.7 >"$POLICIES/base.txt"
echo 'block @base.txt' >>"$POLICIES/base.policy"
expect_exit 0 bp policy assign net
echo 203.0.113.8 >>"$POLICIES/base.txt"
expect_exit 0 bp block "@$POLICIES/base.txt"
expect_exit 5 bp remove "@$POLICIES/base.txt"
blocked src=203.0.113.8
echo 'block udp/163' >>"$POLICIES/base.policy"
expect_exit 0 bp policy assign web
expect_exit 5 bp remove --policy net udp/163
expect_out "$POLICIES/base.policy, which the policy includes"
expect_exit 5 bp policy delete base
expect_out "policy 'net' includes 'base'"
expect_exit 0 bp policy delete base --force
expect_exit 2 bp policy assign net
expect_out "^bpfpol: $POLICIES/net.policy:1:9: there is no policy 'base'"
echo 'include "net"' >"$POLICIES/base.policy"
expect_exit 2 bp policy assign net
expect_out 'include each other in a circle'
rm "$POLICIES/base.policy" "$POLICIES/net.policy"

# A file that is no text any more is not touched, and loses nothing.
printf 'block udp/5\n\0 what is this\n' >>"$POLICIES/web.policy"
cp "$POLICIES/web.policy" zero
printf '203.0.113.99\n203.0.113.98\n' >more.list
expect_exit 0 bp block @more.list
expect_out 'warning: .*policy file does not show it.*zero byte'
check "not touched" cmp zero "$POLICIES/web.policy"
expect_exit 0 bp block udp/4444
expect_exit 2 bp policy assign web
sed -i 's/\x0.*/# &/; s/\x0//' "$POLICIES/web.policy"
fold
check "what waited for it" grep -q '^block in udp to port 4444' "$POLICIES/web.policy"
check "beside the rest" grep -q 'what is this' "$POLICIES/web.policy"
# One whose file is gone can be thrown away all the same.
cp "$POLICIES/web.policy" kept
bp policy create short >/dev/null
bp policy assign short >/dev/null
rm "$POLICIES/short.policy"
expect_exit 0 bp policy delete short
expect_out "'short' is unassigned"
expect_exit 3 bp policy delete short

# Import: from where it lies, with its lists; and what is exported can be imported.
printf '198.51.100.77\n' >sub/mine.txt
cat >sub/extra.policy <<-'END'
	# with lists
	policy  "extra"  # so
	block @mine.txt   name "@mine.txt"
	block udp/5 from @"mine.txt"
END
expect_exit 0 bp policy import sub/extra.policy
expect_out "^Policy 'extra' is stored, with 2 rules"
same "lists by their paths, the rest as it was" "$(sed "s,block @mine.txt,block @\"$WORLD/sub/mine.txt\",
	s,from @\"mine,from @\"$WORLD/sub/mine," sub/extra.policy)" "$(cat "$POLICIES/extra.policy")"
expect_exit 0 bp policy import sub/extra.policy
expect_out 'already there'
expect_exit 0 bp policy import sub/extra.policy --name "Two Words"
same "called so" 'policy  "Two Words"  # so' "$(sed -n 2p "$POLICIES/Two Words.policy")"
expect_out "bpfpol policy assign 'Two Words'"
expect_exit 0 bp policy assign "Two Words"
blocked src=198.51.100.77
bp policy export "Two Words" >copy.policy
echo 'block udp/7' >>copy.policy
expect_exit 5 bp policy import copy.policy --name extra
expect_exit 0 bp policy import copy.policy --name extra --force --dry-run
expect_exit 0 bp policy import copy.policy --name extra --force
expect_exit 0 bp policy import - --name stdin <copy.policy
expect_exit 0 bp policy diff stdin extra
expect_out 'The rules are the same'
expect_exit 2 bp policy import nosuch.policy
expect_exit 3 bp policy import --shipped nosuch
printf '\xef\xbb\xbfpolicy "bom"\r\nblock udp/4\r\n' >sub/bom.policy
expect_exit 0 bp policy import sub/bom.policy --name windows
same "a file from Windows" $'policy "windows"\r\nblock udp/4\r' "$(cat "$POLICIES/windows.policy")"
echo 'include "elsewhere"' >sub/inc.policy
echo 'block udp/1' >sub/elsewhere.policy
expect_exit 2 bp policy import sub/inc.policy
expect_out "no policy 'elsewhere'"
echo blub >sub/broken.policy
expect_exit 2 bp policy import sub/broken.policy
expect_out '^bpfpol: sub/broken.policy:1:1'
# What waits for the old text is not folded into the new one.
expect_exit 0 bp block udp/6
expect_exit 0 bp policy import copy.policy --name "Two Words" --force
expect_exit 0 bp policy diff "Two Words" --in-force
expect_out '^- block in udp to port 6$'
expect_exit 0 bp policy assign "Two Words"
passes dport=6
# What waits for the file of a policy that another one includes is there for that one, too, whoever asks.
printf 'block udp/701\n' >"$POLICIES/inner.policy"
printf 'include "inner"\nblock udp/709\n' >"$POLICIES/outer.policy"
expect_exit 0 bp policy assign inner
bp block udp/702 >/dev/null
bp remove udp/701 >/dev/null
same "it waits" 0 "$(grep -c 702 "$POLICIES/inner.policy")"
expect_exit 0 bp policy show outer
expect_out '702'
expect_exit 0 bp policy diff outer --in-force
same "diff" 0 "$(grep -c '70[12]' <<<"$OUT")"
expect_json "check" '.rules == 2' bp policy check outer --json
expect_exit 0 bp policy assign outer
blocked dport=702
blocked dport=709
passes dport=701
# The worm, as shipped.
expect_exit 0 bp policy list --shipped
expect_out 'slammer +2'
expect_exit 0 bp policy import --shipped slammer --name worm
expect_exit 0 bp policy assign worm
blocked "${SLAMMER[@]}"
passes dport=1433
passes proto=tcp dport=1434

finish
