# SPDX-License-Identifier: GPL-2.0-only
#
# Completion for fish. `bpfpol complete` has the answers.

# Names of files, for what stands behind BEFORE in WORD.
function __bpfpol_files --argument-names before word
	set -l part (string sub --start (math (string length -- "$before") + 1) -- "$word")
	set -l home ''

	if string match -q '~/*' -- "$part"
		set home $HOME/
		set part (string sub --start 3 -- "$part")
	end
	for file in "$home$part"*
		test -d "$file"; and set file $file/
		test -n "$home"; and set file '~/'(string sub --start (math (string length -- "$home") + 1) -- "$file")
		printf '%s\n' "$before$file"
	end
end

function __bpfpol_complete
	set -lx PATH $PATH /usr/local/sbin /usr/sbin /sbin
	set -l asked (commandline -opc)
	set -l typed (commandline -ct)
	# With a quote that is open, it cannot be unescaped.
	set -l word (string unescape -- "$typed"; or string replace -ra '["\']' '' -- "$typed")

	switch (string replace -r '.*/' '' -- $asked[1])
		case ipsecpol ipseccmd
			set asked[1] ipsecpol
		case netdiag
			set asked[1] netdiag
		case '*'
			set -e asked[1]
	end
	for answer in (command bpfpol complete -- $asked "$word" 2>/dev/null)
		if string match -q \tfiles\t'*' -- $answer
			__bpfpol_files (string sub --start 8 -- $answer) "$word"
		else
			printf '%s\n' $answer
		end
	end
end

for name in bpfpol ipsecpol ipseccmd netdiag
	complete -c $name -e
	complete -c $name -f -k -a '(__bpfpol_complete)'
end
