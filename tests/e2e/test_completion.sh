#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Completion in the shells themselves: keys are pressed, and the commands get the words that were meant,
# whatever quotes they take.
# shellcheck disable=SC2016 # a name may have a $
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$WORLD" || exit 1
mkdir home show 'a dir'
DEST=$WORLD/dest
make -C "$TOP" -s install DESTDIR="$DEST" BUILD="$(dirname "$BPFPOL")" >made 2>&1 || nok "make install" "$(cat made)"
SHARE=$DEST/usr/local/share

# In its place stands a command that tells what it was given, and passes on what completion asks.
cat >show/bpfpol <<'END'
#!/bin/bash
[ "$1" != complete ] || exec "$REAL" "$@"
answer=${0##*/}
for word; do answer+="|$word"; done
echo "$answer" >>"$ANSWERS"
END
printf '#!/bin/bash\nexec "$@"\n' >show/sudo
chmod +x show/*
for name in ipsecpol ipseccmd netdiag; do ln -s bpfpol show/$name; done
ANSWERS=$WORLD/answers

for name in night 'two words' 'pr$ice' 'a&b;c' 'wörter'; do
	expect_exit 0 bp policy create "$name"
done
touch worms.txt 'a list.txt' "it's.txt" 'qu"ote.txt' 'a dir/inner.txt' trace.pcap home/mine.pcap

expect_exit 0 bp block --policy night tcp/23
expect_exit 0 bp block udp/1434 name "the worm"
# offered WORD...: what it offers in the world of the test, blanks for tabs.
offered() {
	bp complete -- "$@" | tr '\t' ' '
}
BEFORE=$(snapshot)
same "ids of what is in force" '2 block in udp to port 1434 name "the worm"' "$(offered remove --id '')"
same "of a policy" '1 block in tcp to port 23' "$(offered remove --policy night --id '')"
same "of no policy" "" "$(offered remove --policy nosuch --id '')"
same "of the agent, which there is not" "" "$(offered promote --id '')$(offered remove --dynamic --id '')"
same "to watch, behind =" "--id=2 " "$(offered watch --id= | cut -c1-7)"
same "not for everybody" "" "$(run_in rx setpriv --reuid=65534 --clear-groups "$BPFPOL" complete remove --id '' 2>&1)"
unchanged "completion" "$BEFORE"

# What is typed, with \t for TAB, and the words that come of it.
sed -e "s,HOME,$WORLD/home," >typed <<'END'
bpfpol po\tas\tni\t	bpfpol|policy|assign|night
bpfpol block in emer\tesp fr\tany	bpfpol|block|in|emergency|esp|from|any
bpfpol block out esp fr\tme\t lo\t	bpfpol|block|out|esp|from|me|log
bpfpol block udp/tft\t	bpfpol|block|udp/tftp
bpfpol block to dn\texample.org	bpfpol|block|to|dns:example.org
bpfpol block tcp/80,ssh\t	bpfpol|block|tcp/80,ssh
bpfpol remove --id \t	bpfpol|remove|--id|2
bpfpol watch --id=\t	bpfpol|watch|--id=2
bpfpol attach rx\t--mode nat\t	bpfpol|attach|rx0|--mode|native
bpfpol attach --mode=nat\trx\t	bpfpol|attach|--mode=native|rx0
bpfpol policy assign tw\t	bpfpol|policy|assign|two words
bpfpol policy assign "tw\t	bpfpol|policy|assign|two words
bpfpol policy assign 'tw\t	bpfpol|policy|assign|two words
bpfpol policy assign two\ w\t	bpfpol|policy|assign|two words
bpfpol policy assign pr\t	bpfpol|policy|assign|pr$ice
bpfpol policy assign "pr\t	bpfpol|policy|assign|pr$ice
bpfpol policy assign a\t	bpfpol|policy|assign|a&b;c
bpfpol policy assign wör\t	bpfpol|policy|assign|wörter
bpfpol block --policy tw\tesp	bpfpol|block|--policy|two words|esp
bpfpol block --policy=tw\tesp	bpfpol|block|--policy=two words|esp
bpfpol policy import --shipped slam\t	bpfpol|policy|import|--shipped|slammer
bpfpol block @wo\t	bpfpol|block|@worms.txt
bpfpol block from @a\ l\t	bpfpol|block|from|@a list.txt
bpfpol block from "@a l\t	bpfpol|block|from|@a list.txt
bpfpol block from @a\ d\tinn\t	bpfpol|block|from|@a dir/inner.txt
bpfpol block @it\t	bpfpol|block|@it's.txt
bpfpol block '@it\t	bpfpol|block|@it's.txt
bpfpol block "@qu\t	bpfpol|block|@qu"ote.txt
bpfpol explain --pcap tr\tout	bpfpol|explain|--pcap|trace.pcap|out
bpfpol explain --pcap=tr\tout	bpfpol|explain|--pcap=trace.pcap|out
bpfpol explain --pcap ~/mi\t	bpfpol|explain|--pcap|HOME/mine.pcap
bpfpol help poli\tassi\t	bpfpol|help|policy|assign
netdiag /te\t/de\t	netdiag|/test:ipsec|/debug
netdiag --test ip\t	netdiag|--test|ipsec
ipsecpol -w RE\t-p tw\t-n BL\t-dia\t	ipsecpol|-w|REG|-p|two words|-n|BLOCK|-dialup
ipseccmd -w RE\t-n PA\t	ipseccmd|-w|REG|-n|PASS
: ; bpfpol lis\t	bpfpol|list
A=1 bpfpol lis\t	bpfpol|list
END

# types DESC FILE SHELL...: the lines of FILE give in that shell what stands behind them.
types() {
	local desc=$1 file=$2 keys expected got i=0

	shift 2
	rm -f "$ANSWERS"
	cut -f1 "$file" >keys
	run_in rx env -i HOME="$WORLD/home" PATH="$WORLD/show:$PATH" TERM=xterm LC_ALL=C.UTF-8 \
		REAL="$DEST/usr/local/sbin/bpfpol" ANSWERS="$ANSWERS" \
		XDG_DATA_DIRS="$SHARE:/usr/share" BPFPOL_CONF_DIR="$BPFPOL_CONF_DIR" \
		BPFPOL_STATE_DIR="$BPFPOL_STATE_DIR" BPFPOL_BPFFS="$BPFPOL_BPFFS" BPFPOL_RUN_DIR="$BPFPOL_RUN_DIR" \
		"$TOP/tests/e2e/type.py" "$ANSWERS" "$@" <keys >got 2>&1
	while IFS=$'\t' read -r keys expected; do
		i=$((i + 1))
		got=$(sed -n ${i}p got)
		same "$desc: $keys" "$expected" "$got"
	done <"$file"
}

bash_types() {
	local desc=$1

	printf '%s\n' "PS1='READY>'" "${@:3}" >bashrc
	types "$desc" "$2" bash --noprofile --rcfile bashrc -i
}
# lists SHELL LINE EXPECTED GOT: what there is where there is a choice, in any order.
lists() {
	same "$1 lists what there is for '$2'" "$(sort <<<"$3")" "$(sort <<<"$4")"
}
offers() {
	"$BPFPOL" complete -- "$@" | cut -f1
}
in_bash() {
	PATH="$DEST/usr/local/sbin:$PATH" bash -c '
		. "$1"
		COMP_LINE=$2 COMP_POINT=${#2}
		_bpfpol
		printf "%s\n" "${COMPREPLY[@]}"' - "$SHARE/bash-completion/completions/bpfpol" "$1" 2>&1
}
lists bash 'bpfpol block ' "$(offers block '')" "$(in_bash 'bpfpol block ')"
lists bash 'bpfpol list >a\ ' $'a\\ dir/\na\\ list.txt' "$(in_bash 'bpfpol list >a\ ')"
lists bash "bpfpol block '@a" $'@a list.txt\n@a dir/' "$(in_bash "bpfpol block '@a")"

bash_types "bash" typed ". $SHARE/bash-completion/completions/bpfpol"
bash_types "bash, other breaks" typed ". $SHARE/bash-completion/completions/bpfpol" \
	"COMP_WORDBREAKS=\${COMP_WORDBREAKS//[@:=]}" 'set -f; shopt -s failglob'
if [ -e /usr/share/bash-completion/bash_completion ]; then
	sed 's,^[bni],sudo &,' typed >by_sudo
	bash_types "bash-completion" typed '. /usr/share/bash-completion/bash_completion'
	bash_types "bash-completion, sudo" by_sudo '. /usr/share/bash-completion/bash_completion'
else
	skip "bash-completion" "it is not here"
fi
if command -v zsh >/dev/null; then
	cat >home/.zshrc <<-END
		PROMPT='READY>'
		fpath=($SHARE/zsh/site-functions \$fpath)
		autoload -U compinit && compinit -u
	END
	# Of a name with an apostrophe zsh itself leaves a quote open.
	grep -v "'@it" typed >zsh_typed
	types "zsh" zsh_typed zsh -i
else
	skip "zsh" "it is not here"
fi
if command -v fish >/dev/null; then
	mkdir -p home/.config/fish
	printf '%s\n' 'function fish_prompt; echo -n "READY>"; end' 'set -g fish_greeting' \
		'set -g fish_autosuggestion_enabled 0' >home/.config/fish/config.fish
	types "fish" typed fish -i
	lists fish 'bpfpol block ' "$("$BPFPOL" complete -- block '')" \
		"$(PATH="$DEST/usr/local/sbin:$PATH" XDG_DATA_DIRS="$SHARE:/usr/share" \
			fish -c "complete -C 'bpfpol block '")"
else
	skip "fish" "it is not here"
fi

finish
