# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Completion for bash, with or without the package bash-completion. `bpfpol complete` has the
# answers. Here the line is taken apart as the shell does it, whatever COMP_WORDBREAKS breaks words
# at, and answers are quoted as the word is that they end.

# The words up to the cursor, without quotes. Of the last one: `quote`, the one that is open, and
# `kept`, what readline does not replace. `target`: it follows a < or >.
_bpfpol_cut() {
	local line=${COMP_LINE:0:COMP_POINT} word='' begun='' outer='' c i

	words=() quote='' kept='' target=''
	for ((i = 0; i < ${#line}; i++)); do
		c=${line:i:1}
		if [[ $quote && $c == "$quote" ]]; then
			quote='' kept=$outer
		elif [[ $quote == "'" ]]; then
			word+=$c
		elif [[ $c == \\ && (! $quote || ${line:i+1:1} == [\\\"\$\`]) ]]; then
			i=$((i + 1)) begun=1 word+=${line:i:1}
		elif [[ $quote ]]; then
			word+=$c
		elif [[ $c == [\'\"] ]]; then
			quote=$c begun=1 outer=$kept kept=$word
		elif [[ $c == [[:space:]\<\>] ]]; then
			[[ ! $begun || $target || ($c == [\<\>] && $word != *[!0-9]*) ]] || words+=("$word")
			[[ ! $begun ]] || target=''
			[[ $c == [[:space:]] ]] || target=1
			word='' begun='' kept=''
		else
			word+=$c begun=1
			# These two break words, and are replaced with what they begin.
			case $COMP_WORDBREAKS in
			*"$c"*) [[ $c == [@\$] ]] && kept=${word%?} || kept=$word ;;
			esac
		fi
	done
	words+=("$word")
}

# _bpfpol_add WORD: one that the last word may become.
_bpfpol_add() {
	local tail=${1#"$kept"} c

	case $quote in
	\') tail=${tail//\'/\'\\\'\'} ;;
	\")
		for c in \\ \" \$ \`; do tail=${tail//"$c"/\\"$c"}; done
		;;
	*)
		[[ ! $tail ]] || printf -v tail %q "$tail"
		# Only with the slash can it be a home directory.
		[[ $1 != \~/* ]] || tail=${tail/#\\~/\~}
		;;
	esac
	COMPREPLY+=("$tail")
	last=$1
}

# _bpfpol_files BEFORE: names of files, for what stands behind BEFORE in the last word.
_bpfpol_files() {
	local part=${words[${#words[@]} - 1]#"$1"} home='' file

	[[ $part != \~/* ]] || home=$HOME/ part=${part#\~/}
	while IFS= read -r -d '' file; do
		[[ ! -d $file ]] || file+=/
		[[ ! $home ]] || file=\~/${file#"$home"}
		_bpfpol_add "$1$file"
	done < <(
		set +f
		shopt -u failglob
		shopt -s nullglob
		unset GLOBIGNORE
		for file in "$home$part"*; do printf '%s\0' "$file"; done
	)
}

_bpfpol() {
	local words quote kept target answer last='' files=()

	COMPREPLY=()
	_bpfpol_cut
	case ${words[0]##*/} in
	ipsecpol | ipseccmd) words[0]=ipsecpol ;;
	netdiag) words[0]=netdiag ;;
	*) words=("${words[@]:1}") ;;
	esac
	if [[ $target ]]; then
		files=('')
	else
		while IFS= read -r answer; do
			if [[ $answer == $'\tfiles\t'* ]]; then
				files+=("${answer#$'\tfiles\t'}")
			else
				_bpfpol_add "${answer%%$'\t'*}"
			fi
		done < <(PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command bpfpol complete -- "${words[@]}" 2>/dev/null)
	fi
	for answer in "${files[@]}"; do _bpfpol_files "$answer"; done
	# What goes on behind one of these is no word of its own.
	[[ ${#COMPREPLY[@]} -ne 1 || $last != *[/=@:] ]] || compopt -o nospace 2>/dev/null
}

complete -F _bpfpol bpfpol ipsecpol ipseccmd netdiag
