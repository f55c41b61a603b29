# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Sessions over which commands are typed; for those that source it behind lib.sh.
#
# A copy of socat named sshd stands for the real one: it accepts a connection, and a child of its
# holds that and runs a shell, as sshd's does; so the guard sees what it looks for, a process of that
# name with a connection of TCP.

unset SSH_CONNECTION
if ! command -v socat >/dev/null; then
	skip "the SSH connection" "socat is not here"
	finish
fi
cp "$(command -v socat)" "$WORLD/sshd"

# shellcheck disable=SC2317 # until_true calls it
listens() {
	run_in "$1" ss -Hltn "sport = :$2" | grep -q .
}

# server SPACE NAME PORT [OPTIONS [USER]]: runs a shell for each connection, of IPv6 and, mapped, of IPv4;
# or as LISTEN says.
server() {
	nsenter "--net=/run/netns/$(netns "$1")" ${5:+setpriv --reuid "$5" --clear-groups} "$WORLD/$2" -t 60 \
		"${LISTEN:-TCP6-LISTEN:$3,ipv6only=0},reuseaddr,fork${4:+,$4}" EXEC:/bin/bash 2>/dev/null &
	until_true listens "$1" "$3"
}

# sent PORT COMMAND: what the shell at the other end says, and its exit code.
sent() {
	printf 'exec 2>&1\n%s\necho "exit=$?"\n' "$2" |
		run_in tx socat -t 60 - "${TO:-TCP4:$RX4}:$1${FROM:+,$FROM}" 2>&1
}

# over CODE PORT COMMAND...: the output is kept.
over() {
	local code=$1 port=$2

	shift 2
	OUT=$(sent "$port" "$*")
	if grep -qx "exit=$code" <<<"$OUT"; then ok "exit $code: $*"; else nok "exit $code: $*" "$OUT"; fi
}

# redirected ip|ip6 PORT: what comes to port 2022 by rx0 goes to that one; in a kernel that has NAT.
redirected() {
	printf 'table %s nat {\n chain in {\n type nat hook prerouting priority -100\n %s\n }\n}\n' \
		"$1" "iifname rx0 tcp dport 2022 redirect to :$2" | run_in rx nft -f -
}
