#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Help, manual and completion have every command, option and word of the language, as the program
# itself has them; the examples of the manual are rules; the pages render.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$WORLD" || exit 1
MAN=$TOP/man
PAGE=$MAN/bpfpol.8 LANGUAGE=$MAN/bpfpol.policy.5

# missing FILE PATTERN WORD...: those for which no line holds the pattern, in which % is the word.
missing() {
	local file=$1 pattern=$2 word

	shift 2
	for word; do
		grep -qE -- "${pattern//%/$word}" "$file" || echo "$word"
	done | xargs
}

# names HELP...: what a list of commands begins its lines with, two words for those of policy.
names() {
	"$BPFPOL" help "$@" | sed -nE 's/^  ((policy )?[a-z]+)  *[^ ].*/\1/p'
}

# takes COMMAND OPTION: whether the command takes it. The second option, which none does, keeps the
# command from being run.
takes() {
	local out

	# shellcheck disable=SC2086 # two words, if it is one of policy
	out=$("$BPFPOL" $1 "$2" --no-such-option 2>&1)
	[[ $out = *"has no option --no-such-option"* ]]
}

# offers WORD...: what completion has for the last word.
offers() {
	"$BPFPOL" complete -- "$@" | cut -f1
}

# unoffered OFFERS WORD...
unoffered() {
	local offers=$1

	shift
	printf '%s\n' "$@" | grep -vxF -f <(grep . <<<"$offers") | xargs
}

mapfile -t COMMANDS < <(names)
mapfile -t POLICY < <(names policy | grep '^policy ')
mapfile -t OPTIONS < <(sed -nE 's/^\t\{ "(--[a-z-]+)", OPT_[A-Z_]+, (VALUE_[A-Z]+), .*/\1 \2/p' \
	"$TOP/loader/args.c")
# Every word that the parser compares with: of tables, and where it takes or looks at one.
mapfile -t WORDS < <(
	sed -nE 's/^\t\{ "([a-z]+)", take_.*/\1/p' "$TOP/loader/spec.c"
	grep -oE '(take_if|next_is|span_is)\([^"]*"[a-z]+"' "$TOP/loader/spec.c" | sed 's/.*"\(.*\)"/\1/'
)
mapfile -t WORDS < <(printf '%s\n' "${WORDS[@]}" | sort -u)
mapfile -t LINES_OF < <(sed -nE 's/^\t\{ "([a-z]+)", "[^"]*", take_.*/\1/p' \
	"$TOP/loader/policy_text.c")
mapfile -t ACTIONS < <(printf '%s\n' "${COMMANDS[@]}" | grep -xE 'block|permit|count')

# That there is something to look for, so that a list which is not found fails, too.
check "commands are found" [ "${#COMMANDS[@]}" -ge 17 ]
check "those of policy" [ "${#POLICY[@]}" -ge 10 ]
check "options" [ "${#OPTIONS[@]}" -ge 16 ]
check "words of rules" [ "${#WORDS[@]}" -ge 15 ]
same "words of files" "description include policy rule" \
	"$(printf '%s\n' "${LINES_OF[@]}" | sort | xargs)"
same "actions" 3 "${#ACTIONS[@]}"
# The table of commands is what help prints: as many lines as there are.
same "help lists all of the table" \
	"$(grep -cE '^	\{ "[a-z]+", cmd_' "$TOP/loader/main.c")" "${#COMMANDS[@]}"
same "and of policy's" \
	"$(grep -cE '^	\{ "policy [a-z]+", cmd_' "$TOP/loader/cmd_policy.c")" "${#POLICY[@]}"
same "the option table is read whole" "$(sed -n '/^const.* option_table\[/,/^};/p' "$TOP/loader/args.c" |
	grep -c '^	{ "')" "${#OPTIONS[@]}"

same "commands not in bpfpol(8)" "" "$(missing "$PAGE" '^\.It Cm %( |$)' "${COMMANDS[@]}" |
	sed 's/\<policy\>//' | xargs)"
same "commands of policy not in bpfpol(8)" "" "$(missing "$PAGE" '^\.It Cm %( |$)' "${POLICY[@]}")"
for option in "${OPTIONS[@]}"; do
	name=${option%% *}
	same "bpfpol(8) has $name" "" "$(missing "$PAGE" '^\.It .*Fl Fl %( |$)' "${name#--}")"
done

# What each command takes is in its help.
for command in "${COMMANDS[@]}" "${POLICY[@]}"; do
	# These read their words themselves.
	[[ $command != policy && $command != netdiag && $command != complete ]] || continue
	# shellcheck disable=SC2086
	"$BPFPOL" help $command >told 2>&1
	UNTOLD='' UNOFFERED=''
	TAKEN=0
	for option in "${OPTIONS[@]}"; do
		name=${option%% *}
		[ "${option##* }" = VALUE_NONE ] && given=$name || given=$name=x
		takes "$command" "$given" || continue
		TAKEN=$((TAKEN + 1))
		grep -qE -- "$name\>" told || UNTOLD+=" $name"
		# shellcheck disable=SC2086
		offers $command -- | grep -qxF -- "$name" || UNOFFERED+=" $name"
	done
	same "'help $command' tells its $TAKEN options" "" "$UNTOLD"
	same "completion offers them" "" "$UNOFFERED"
done
check "block takes --rule" takes block --rule=x
check "list does not" [ "$(takes list --rule=x && echo takes)" = '' ]

"$BPFPOL" help block >told
same "words of rules not in 'help block'" "" "$(missing told '\<%\>' "${WORDS[@]}")"
"$BPFPOL" help policy >told
same "words of files not in 'help policy'" "" "$(missing told '\<%\>' "${LINES_OF[@]}")"
same "words of rules not in bpfpol.policy(5)" "" \
	"$(missing "$LANGUAGE" '^\.(It )?Cm %( |$)' "${WORDS[@]}")"
sed -n '/^\.Sh GRAMMAR/,/^\.Ed/p' "$LANGUAGE" >grammar
same "...in its grammar" "" "$(missing grammar '\<%\>' "${WORDS[@]}" "${ACTIONS[@]}")"
same "actions not in bpfpol.policy(5)" "" "$(missing "$LANGUAGE" '^\.It Cm %$' "${ACTIONS[@]}")"
same "words of files not in bpfpol.policy(5)" "" \
	"$(missing "$LANGUAGE" '^\.It Cm % ' "${LINES_OF[@]}")"
for variable in $(grep -ohE '"BPFPOL_[A-Z]+(_[A-Z]+)?"' "$TOP"/loader/dirs.c | tr -d '"' | sort -u); do
	same "bpfpol(8) has $variable" "" "$(missing "$PAGE" '^\.It Ev %$' "$variable")"
done
# Flags of the old tools, those that are refused as well.
mapfile -t FLAGS < <(sed -nE 's/^\t\{ "([a-z0-9]+)", (take_[a-z]+, NULL|NULL,.*).*/\1/p' \
	"$TOP/loader/ipsecpol.c")
check "flags of ipsecpol are found" [ "${#FLAGS[@]}" -ge 22 ]
same "flags not in bpfpol-ipsecpol(8)" "" \
	"$(missing "$MAN/bpfpol-ipsecpol.8" '^\.(It )?Fl (.* )?%( |$)' "${FLAGS[@]}")"
# What is misspelt, or called so elsewhere.
for words in "blok:block" "stauts:status" "drop:block" "assign:policy assign" "policy asign:policy assign" \
	"help lsit:list" "list --jsn:--json" "block --dryrun udp/1:--dry-run"; do
	# shellcheck disable=SC2086
	expect_exit 2 bp ${words%%:*}
	expect_out "^bpfpol: .* did you mean ${words#*:}[?]"
done
expect_exit 2 bp xyzzy
check "what is like nothing is taken for nothing" [ "${OUT/did you mean/}" = "$OUT" ]
expect_exit 2 bp help block udp
expect_exit 2 bp
check "an error alone is printed where there is no command" [ "$(bp 2>/dev/null)" = '' ]

# What completion offers, anywhere that the grammar has room for it.
same "commands that are not offered" "" "$(unoffered "$(offers '')" "${COMMANDS[@]}")"
same "topics of help" "" "$(unoffered "$(offers help '')" "${COMMANDS[@]}")"
same "commands of policy" "" "$(unoffered "$(offers policy '')" "${POLICY[@]#policy }")"
OFFERED=$(
	offers remove ''
	offers block udp ''
	offers block from ''
	offers block from 192.0.2.1 ''
	offers block icmp ''
	offers block icmp type 8 ''
)
same "words of rules that are not offered" "" "$(unoffered "$OFFERED" "${WORDS[@]}" "${ACTIONS[@]}")"
mapfile -t TAKEN_FLAGS < <(sed -nE 's/^\t\{ "([a-z]+)", take_[a-z]+, NULL.*/-\1/p' \
	"$TOP/loader/ipsecpol.c")
check "flags that are taken" [ "${#TAKEN_FLAGS[@]}" -ge 12 ]
same "flags that are not offered" "" "$(unoffered "$(offers ipsecpol '')" "${TAKEN_FLAGS[@]}")"
sed -nE 's/^\t\[NETDIAG_[A-Z]+\] = "([a-z]+)",$/\1/p' "$TOP/loader/netdiag.c" >words
check "words of netdiag" [ "$(wc -l <words)" -ge 3 ]
while read -r name; do
	same "netdiag's /$name is offered" "/$name" "$(offers netdiag "/$name")"
done <words
# As diag.h counts them.
same "exit codes" "0 1 2 3 4 5" "$(sed -n '/^\.Sh EXIT/,/^\.El/s/^\.It \([0-9]\)$/\1/p' "$PAGE" | xargs)"

# Examples are rules; each alone, so that none wins over another.
echo 192.0.2.1 | tee bad.txt worms.txt >/dev/null
examples() {
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$LANGUAGE"
}
N=0
while read -r rule; do
	N=$((N + 1))
	echo "$rule" >example.policy
	expect_exit 0 bp policy check example.policy
	same "one rule: $rule" 1 "$(bp policy check --json example.policy | jq .rules)"
done < <(examples | sed -n 's/^\.It Li //p' | sed 's/\\(dq/"/g')
check "there are twenty" [ "$N" -ge 20 ]
expect_exit 0 bp policy create base
examples | sed -n '/^\.Bd/,/^\.Ed/{/^\./!p}' >whole.policy
expect_exit 0 bp policy check whole.policy
expect_out 'whole.policy: policy .web., 5 rules'

# They render, without a warning.
if ! command -v mandoc >/dev/null; then
	skip "mandoc" "it is not here"
else
	for page in "$MAN"/*.[1-9]; do
		check "${page##*/} is sound" mandoc -Tlint -Wwarning "$page"
		check "${page##*/} renders" [ "$(mandoc -Tutf8 "$page" | wc -l)" -gt 100 ]
	done
fi
DEST="$WORLD/a place"
OUT=$(make -C "$TOP" -s install DESTDIR="$DEST" BUILD="$(dirname "$BPFPOL")" 2>&1) ||
	nok "make install" "$OUT"
same "the pages that are installed" "$(cd "$MAN" && echo *)" \
	"$(find "$DEST/usr/local/share/man" -type f -printf '%f\n' | sort | xargs)"
check "make uninstall" make -C "$TOP" -s uninstall DESTDIR="$DEST"
same "what it leaves" "" "$(find "$DEST" ! -type d)"

finish
