#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `policy check`: all errors at once, rules that can never win, and nothing is changed by it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$WORLD" || exit 1
POLICIES=$BPFPOL_CONF_DIR/policies
mkdir -m 700 "$BPFPOL_CONF_DIR" "$POLICIES"
BEFORE=$(snapshot)

cat >bad.policy <<-'END'
	policy "bad"
	blok udp/1
	block udp/70000
	block from @none.txt
	include "none"
	block udp/1434
END
expect_exit 2 bp policy check bad.policy
expect_out '^bpfpol: bad.policy:2:1: .*did you mean block'
expect_out '^bpfpol: bad.policy:3:11: .*70000'
expect_out '^  block udp/70000$'
expect_out '^            \^\^\^\^\^$'
expect_out '^bpfpol: bad.policy:4:12: .*none.txt'
expect_out "^bpfpol: bad.policy:5:9: .*no policy 'none'"
expect_out "policy 'bad', 1 rules, 4 errors"
# The contract's JSON: every error with its place; stdout alone.
run_in rx "$BPFPOL" policy check bad.policy --json >json 2>err
same "exit 2 with --json" 2 $?
same "the errors' places" "2:1 3:11 4:12 5:9" "$(jq -r '[.errors[] | "\(.line):\(.column)"] | join(" ")' json)"
same "one line on stderr" 1 "$(wc -l <err)"

# Lists and includes lie beside the file; lines may end as Windows ends them.
mkdir sub
printf '198.51.100.1\n' >sub/list.txt
printf 'block @list.txt\r\ninclude "more"\r\n' >sub/web.policy
echo 'block tcp/25' >sub/more.policy
expect_exit 0 bp policy check sub/web.policy
expect_out "policy 'web', 2 rules, 0 errors, 0 warnings"
echo 'include "web"' >>sub/more.policy
expect_exit 2 bp policy check sub/web.policy
expect_out '^bpfpol: sub/more.policy:2:9: policies include each other in a circle.*sub/web.policy'
echo 'include "me"' >me.policy
expect_exit 2 bp policy check me.policy
expect_out '^bpfpol: me.policy:1:9: .*: this is me.policy, which me.policy includes; take'
echo 'blub' >sub/more.policy
expect_exit 2 bp policy check sub/web.policy
expect_out '^bpfpol: sub/more.policy:1:1'

# What is wrong in a list has its place in the list, in every command that reads it.
printf '198.51.100.1\n# one too many\n198.51.100.2.3\n' >sub/list.txt
echo 'block tcp/25' >sub/more.policy
expect_exit 2 bp policy check sub/web.policy
expect_out "^bpfpol: .*sub/list.txt:3:1: in the list that sub/web.policy:1 names: an IPv4 address"
expect_out '^  198.51.100.2.3$'
same "in JSON as well" "list.txt:3:1 198.51.100.2.3" "$(bp policy check sub/web.policy --json 2>err |
	jq -r '.errors[] | "\(.file | split("/") | last):\(.line):\(.column) \(.text)"')"
cp sub/* "$POLICIES"
expect_exit 2 bp policy assign web
expect_out "^bpfpol: $POLICIES/list.txt:3:1: in the list that $POLICIES/web.policy:1 names: "
rm "$POLICIES"/*
echo '198.51.100.1' >sub/list.txt

# Warnings alone are no failure.
cat >warn.policy <<-'END'
	permit udp/53
	block udp/53
	block tcp/80
	block in tcp to port 80
	block udp/1434 from 10.0.0.0/24
	permit udp/1434 from 10.0.0.0/25
	permit from 10.0.0.128/25
	block icmpv6 type 135
	block on nosuch0 tcp/1
	block tcp/22
	permit tcp/22 from 10.0.0.0/8
END
expect_exit 0 bp policy check warn.policy
expect_out "^bpfpol: warning: warn.policy:1:1: this rule can never win: line 2 'block in udp to port 53' wins"
expect_out '^bpfpol: warning: warn.policy:4:1: this rule repeats line 3$'
expect_out "^bpfpol: warning: warn.policy:5:1: .*: line 6 '.*' and line 7 '.*' together win"
expect_out '^bpfpol: warning: warn.policy:8:1: this rule can never match: neighbour discovery'
expect_out "^bpfpol: warning: warn.policy:9:1: there is no interface 'nosuch0' now"
expect_out "11 rules, 0 errors, 5 warnings"
expect_json "warnings in JSON" '[.warnings[].line] == [1, 4, 5, 8, 9] and .errors == []' \
	bp policy check warn.policy --json
expect_json "the plan" '.plan | .rules == 10 and .bytes > 0
	and (.parts | length) == 4 and ([.parts[].probes] | add) > 2' \
	bp policy check warn.policy --plan --json
expect_exit 0 bp policy check warn.policy --plan
expect_out 'TUPLES +ENTRIES +PROBES'

# What no packet can be: of both families, or on the loopback.
echo 192.0.2.1 >v4
echo 2001:db8::1 >v6
cat >none.policy <<-'END'
	block from @v4 to @v6
	count out udp/53 from @v6 to 0.0.0.0/0
	block icmp from @v6
	count icmpv6 type 128 from @v4
	block 135 from @v6
	  block ah to @v6
	block on lo udp/5
	permit from @v6 to me
END
expect_exit 0 bp policy check none.policy
for line in 1 2; do
	expect_out "^bpfpol: warning: none.policy:$line:1: this rule matches nothing: .* two ends .*family"
done
expect_out '^bpfpol: warning: none.policy:3:1: this rule matches nothing: .icmp. is IPv4.s: for IPv6 write icmpv6$'
expect_out '^bpfpol: warning: none.policy:4:1: this rule matches nothing: .icmpv6. is IPv6.s'
expect_out '^bpfpol: warning: none.policy:5:1: this rule matches nothing: in IPv6 135, .* is walked over'
expect_out '^bpfpol: warning: none.policy:6:3: this rule matches nothing: in IPv6 .ah. is walked over'
expect_out '^bpfpol: warning: none.policy:7:1: this rule matches nothing: the loopback is never filtered$'
expect_out '8 rules, 0 errors, 7 warnings'
expect_json "these in JSON, too" '[.warnings[].line] == [1, 2, 3, 4, 5, 6, 7]' \
	bp policy check none.policy --json
rm v4 v6

# What does not fit into the maps is an error, too.
for i in {1..1100}; do echo "block tcp/$i-$((i + 2000))"; done >ranges.policy
expect_exit 2 bp policy check ranges.policy
expect_out 'ranges.policy: more than 1024 rules differ'

# Where the text comes from.
cp warn.policy "$POLICIES/stored.policy"
expect_exit 0 bp policy check stored
expect_out "^$POLICIES/stored.policy: policy 'stored'"
rm "$POLICIES/stored.policy"
expect_exit 0 bp policy check - <warn.policy
sed -i '1i policy "other"' warn.policy
expect_exit 0 bp policy check warn.policy
expect_out 'warning: warn.policy:1:1: the file calls itself by another name'
N=$(bp policy check warn.policy --json 2>err | jq '.warnings | length')
check "it counts as one" grep -qE ", 0 errors, $N warnings\$" <<<"$OUT"
same "in JSON it is one of them" "1 policy \"other\" 0" "$(bp policy check warn.policy --json |
	jq -r '.warnings[0] | "\(.line) \(.text)"') $(wc -l <err)"

# Policies in the store are root's: who is not root is told so where it matters.
CHECK=(run_in rx setpriv --reuid 65534 --clear-groups "$BPFPOL" policy check)
chmod 711 .
printf 'include "stored"\n' >user.policy
echo 'block udp/1' >"$POLICIES/stored.policy"
expect_exit 2 "${CHECK[@]}" user.policy
expect_out "^bpfpol: user.policy:1:9: $BPFPOL_CONF_DIR is root's alone: run this again with sudo$"
expect_exit 2 "${CHECK[@]}" stored
expect_out "^bpfpol: there is no file 'stored'; to check the policy of that name run this again with sudo$"
expect_exit 0 bp policy check user.policy
rm "$POLICIES/stored.policy"
chmod 700 .

expect_exit 2 bp policy check nosuch
expect_out "no file and no policy 'nosuch'"
expect_exit 2 bp policy check ./nosuch.policy
expect_exit 2 bp policy check sub
expect_exit 2 bp policy check /dev/zero
expect_out '/dev/zero has more than 256 MiB'
expect_exit 2 bp policy check
expect_exit 2 bp policy check a b
expect_exit 2 bp policy chekc a
expect_out "no command 'policy chekc'"
expect_exit 2 bp policy
expect_exit 2 bp policy check --frobnicate x
expect_out "'bpfpol policy check' has no option --frobnicate"
expect_exit 0 bp help policy check
expect_out '^Usage: bpfpol policy check'
expect_exit 0 bp policy check --help
rm -rf sub ./*.policy json err
unchanged "policy check" "$BEFORE"

# A hundred thousand rules, of several kinds. About a second of work is needed, which the figures tell;
# what compares each with each has not ended after a minute.
# quick DESC FILE [CODE]
quick() {
	local TIMEFORMAT='%U %S' work

	work=$({
		time (
			ulimit -t 60
			run_in rx "$BPFPOL" policy check "$2" >out 2>err
			echo $? >code
		)
	} 2>&1 | awk '{ print int(($1 + $2) * 1000) }')
	echo "# figure policy-check-${1// /-} $work ms"
	check "$1: $(cat out)" grep -qE " 10000[01] rules" out
	same "$1: exit code" "${3:-0}" "$(cat code)"
	rm code
}

awk 'BEGIN { for (i = 0; i < 100000; i++)
	printf "block tcp from 10.%d.%d.0/24 to port %d\n", i / 256 % 256, i % 256, 1 + i % 60000 }' >p1
quick "a net and a port" p1
awk 'BEGIN { srand(3); for (i = 0; i < 100000; i++)
	printf "%s %s from 10.%d.%d.0/24 to 192.168.%d.0/24 port %d-%d\n", i % 2 ? "block" : "permit",
	i % 3 ? "tcp" : "udp", rand() * 256, rand() * 256, rand() * 256, 1 + i % 600, 1000 + i % 4000 }' >p2
quick "nets and ranges" p2
(cat p1; echo 'permit emergency tcp') >p3
quick "all of them covered" p3
same "every one is named" 100000 "$(wc -l <err)"
awk 'BEGIN { for (i = 0; i < 100000; i++)
	printf "block tcp from 10.%d.%d.%d to port %s\n", i / 65536, i / 256 % 256, i % 256,
	i % 2 ? "ssh" : "http" }' >p4
quick "services" p4
awk 'BEGIN { for (i = 0; i < 100000; i++)
	printf "block tcp to port %d-%d\n", 1 + i % 30000, 30001 + int(i / 30000) + i % 30000 }' >p5
quick "ranges that overlap" p5 2

# Two lists of one family each, whose pairs would take minutes.
awk 'BEGIN { for (i = 0; i < 300000; i++) printf "10.%d.%d.%d\n", i / 65536, i / 256 % 256, i % 256 }' >v4
awk 'BEGIN { for (i = 0; i < 300000; i++) printf "2001:db8:%x::%x\n", i / 65536, i % 65536 }' >v6
echo 'block from @v6 to @v4' >lists.policy
expect_exit 0 run_in rx prlimit --cpu=60 "$BPFPOL" policy check lists.policy
expect_out 'lists.policy:1:1: this rule matches nothing: .* two ends'

finish
