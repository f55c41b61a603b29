#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# An independent oracle: nftables, with rules of the same meaning, gives the same verdicts on one
# table of packets, rule by rule the same counts; and so does our own oracle. Where nft reads
# packets differently, they are listed with the reason.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/judged.sh
. "$(dirname "$0")/judged.sh"
# shellcheck source=tests/e2e/oracle.sh
. "$(dirname "$0")/oracle.sh"

if ! command -v nft >/dev/null; then
	skip "nft as an oracle" "there is no nft"
	finish
fi
add_nft_world
prepare_hosts
expect_exit 0 bp attach rx0
echo "count any = meta protocol { ip, ip6 }" >"$WORLD/policy"
for way in in out; do
	if ! nft_load $way "$WORLD/policy"; then
		skip "nft as an oracle" "this kernel's nft has no hook at the device ($way)"
		finish
	fi
done

# As they leave, without tags: see differing_table.
packet_table >"$WORLD/in.words"
grep -v 'vlan=' "$WORLD/in.words" | turned_round >"$WORLD/out.words"
for way in in out; do packet_frames <"$WORLD/$way.words" >"$WORLD/$way"; done
SIZE=$(wc -l <"$WORLD/in")
check "$SIZE packets, 200 or more" [ "$SIZE" -ge 200 ]
same "no two look alike" "" "$("$PKT" line - <"$WORLD/in" | sort | uniq -d)"
OWN=("$RX4" "$RX6" 10.77.0.255)

# agree DESC in|out: stdin is the policy, `RULE = MATCH` a line; see nft_load.
agree() {
	local desc=$1 way=$2 bpfpol nft own

	cat >"$WORLD/policy"
	sed 's/ = .*//' "$WORLD/policy" >"$WORLD/rules"
	put_in_force "$WORLD/rules" || return
	nft_load "$way" "$WORLD/policy" || { nok "$desc: nft takes the rules" ""; return; }
	bpfpol=$(bpfpol_verdicts "$way" "$WORLD/$way")
	nft=$(nft_verdicts "$way" "$WORLD/$way")
	own=$(judge "$WORLD/rules" "$WORLD/$way" "$way" rx0 "${OWN[@]}" | cut -c1 | tr -d '\n')
	echo "# $desc: $(tr -d p <<<"$nft" | tr -d '\n' | wc -c) of ${#nft} blocked"
	if [ "$bpfpol" = "$nft" ] && [ "$bpfpol" = "$own" ]; then
		ok "$desc: verdicts"
	else
		nok "$desc: verdicts (bpfpol, nft)" \
			"$(differing "$bpfpol" "$nft" "$WORLD/$way.words" | head -20)"$'\n'"our own oracle:
$(differing "$bpfpol" "$own" "$WORLD/$way.words" | head -20)"
	fi
	same "$desc: what each rule counted" "$(nft_counted)" "$(counted | cut -d' ' -f1)"
}

agree "all" in <<-'END'
	count any = meta protocol { ip, ip6 }
END
agree "all" out <<-'END'
	count out any = meta protocol { ip, ip6 }
END
agree "ports" in <<-'END'
	block udp/1434 = udp dport 1434
	block tcp/6000-6063 = tcp dport 6000-6063
	block sctp/65535 = sctp dport 65535
	block dccp/0 = dccp dport 0
	block udp from any port 53 = udp sport 53
END

agree "prefixes in prefixes" in <<-'END'
	permit 10.9.5.77 = ip saddr 10.9.5.77
	permit fd99:0:5::77 = ip6 saddr fd99:0:5::77
	block fd99:0:5::/48 = ip6 saddr fd99:0:5::/48
	permit fd99::/32 = ip6 saddr fd99::/32
	block 10.9.5.0/24 = ip saddr 10.9.5.0/24
	block fd00::/8 = ip6 saddr fd00::/8
	permit 10.9.0.0/16 = ip saddr 10.9.0.0/16
	block 10.0.0.0/8 = ip saddr 10.0.0.0/8
END

agree "protocols" in <<-'END'
	permit tcp/6000-6063 = tcp dport 6000-6063
	permit udp from any port 53 = udp sport 53
	block tcp = meta l4proto tcp
	block udp = meta l4proto udp
	block gre = meta l4proto gre
	block 89 = meta l4proto 89
	permit any = meta protocol { ip, ip6 }
END

agree "types and codes" in <<-'END'
	permit icmp type 3 code 4 = icmp type 3 icmp code 4
	block icmp type 3 = icmp type 3
	permit icmp type 8 = icmp type 8
	permit icmpv6 type 128 = icmpv6 type 128
	block icmpv6 type 137 = icmpv6 type 137
	block icmp = meta protocol ip meta l4proto icmp
	permit icmpv6 = meta protocol ip6 meta l4proto icmpv6
END

# A rule of ports alone: every protocol that has such.
WITH_PORTS='meta l4proto { tcp, udp, sctp, dccp, udplite } th'
agree "ranges at both ends, no protocol" in <<-END
	permit udp from any port 53 to any port 6000 = udp sport 53 udp dport 6000
	block udp from any port 40000 to any port 6000-6063 = udp sport 40000 udp dport 6000-6063
	block tcp from any port 1024-65535 to any port 6000-6063 = tcp sport 1024-65535 tcp dport 6000-6063
	permit tcp to any port 5999-6064 = tcp dport 5999-6064
	block tcp from any port 1023 = tcp sport 1023
	block to any port 6000 = $WITH_PORTS dport 6000
	block from any port 53 to any port 5000-7000 = $WITH_PORTS sport 53 th dport 5000-7000
	permit from any port 6000 = $WITH_PORTS sport 6000
END

agree "all but" in <<-'END'
	block emergency udp from 10.9.5.0/24 = ip saddr 10.9.5.0/24 meta l4proto udp
	permit emergency icmp type 8 = icmp type 8
	permit 10.9.5.77 = ip saddr 10.9.5.77
	permit udp/1434 from 10.9.0.0/16 = ip saddr 10.9.0.0/16 udp dport 1434
	permit tcp/1434 from fd99::/32 = ip6 saddr fd99::/32 tcp dport 1434
	permit udp from any to 255.255.255.255 = ip daddr 255.255.255.255 meta l4proto udp
	permit to ff00::/8 = ip6 daddr ff00::/8
	permit sctp = meta l4proto sctp
	block any = meta protocol { ip, ip6 }
END

# Both ask the kernel's own routing.
agree "me" in <<-'END'
	permit udp/1434 from 10.9.5.0/24 = ip saddr 10.9.5.0/24 udp dport 1434
	block udp/1434 to 10.77.0.2 = ip daddr 10.77.0.2 udp dport 1434
	block udp/1434 to me = udp dport 1434 fib daddr type { local, broadcast, multicast }
	block on rx0 tcp to 10.77.0.0/24 = ip daddr 10.77.0.0/24 meta l4proto tcp
	permit udp/1434 = udp dport 1434
	block udp = meta l4proto udp
END

agree "counting" in <<-'END'
	count any = meta protocol { ip, ip6 }
	count udp = meta l4proto udp
	count 10.9.0.0/16 = ip saddr 10.9.0.0/16
	count tcp/6000-6063 = tcp dport 6000-6063
	count icmpv6 type 128 = icmpv6 type 128
	permit udp/1434 from 10.9.5.77 = ip saddr 10.9.5.77 udp dport 1434
	block udp/1434 = udp dport 1434
	permit ::/0 = meta protocol ip6
	block 0.0.0.0/0 = meta protocol ip
END

agree "outbound" out <<-'END'
	count out udp = meta l4proto udp
	permit out to 10.9.5.77 = ip daddr 10.9.5.77
	block out tcp/1434 to fd99:0:5::/48 = ip6 daddr fd99:0:5::/48 tcp dport 1434
	block out udp/1434 to 10.9.0.0/16 = ip daddr 10.9.0.0/16 udp dport 1434
	block out tcp/6000-6063 = tcp dport 6000-6063
	block out icmp type 8 = icmp type 8
	block out icmpv6 type 129 = icmpv6 type 129
END

agree "outbound, all but" out <<-END
	permit out udp to 10.9.5.0/24 = ip daddr 10.9.5.0/24 meta l4proto udp
	permit out tcp from $RX4 to 10.0.0.0/8 = ip saddr $RX4 ip daddr 10.0.0.0/8 meta l4proto tcp
	permit out udp to fd99::/16 port 1433 = ip6 daddr fd99::/16 udp dport 1433
	permit out from any port 1024-65535 to any port 65535 = $WITH_PORTS sport 1024-65535 th dport 65535
	permit out icmp = meta protocol ip meta l4proto icmp
	block out any = meta protocol { ip, ip6 }
END

# differ in|out: bpfpol and nft as the table says, and bpfpol as our own oracle.
differ() {
	local way=$1 own nft

	sed "s/^block/block $way/" >"$WORLD/policy" <<-'END'
		block udp/1434 = udp dport 1434
		block tcp/22 = tcp dport 22
		block udp from any port 1280 = udp sport 1280
	END
	differing_table "$way" >"$WORLD/differing"
	cut -d' ' -f2- "$WORLD/differing" | if [ "$way" = in ]; then cat; else turned_round; fi |
		packet_frames >"$WORLD/frames"
	same "no two of these look alike ($way)" "" "$("$PKT" line - <"$WORLD/frames" | sort | uniq -d)"
	sed 's/ = .*//' "$WORLD/policy" >"$WORLD/rules"
	put_in_force "$WORLD/rules" && nft_load "$way" "$WORLD/policy" || return
	own=$(judge "$WORLD/rules" "$WORLD/frames" "$way" rx0 "${OWN[@]}" | cut -c1 | tr -d '\n')
	same "read differently, $way: bpfpol" "$(cut -c1 "$WORLD/differing" | tr -d '\n')" \
		"$(bpfpol_verdicts "$way" "$WORLD/frames")"
	same "read differently, $way: our own oracle" \
		"$(cut -c1 "$WORLD/differing" | tr -d '\n')" "$own"
	nft=$(nft_verdicts "$way" "$WORLD/frames")
	if [ "$nft" = "$(cut -c2 "$WORLD/differing" | tr -d '\n')" ]; then
		ok "read differently, $way: nft"
	else
		skip "read differently, $way: nft" "another kernel's nft: $nft"
	fi
}

differ in
differ out

finish
