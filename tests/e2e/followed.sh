# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What tests of interfaces that come and go ask; for those that source it behind agent.sh.

# is_so IFACE INGRESS EGRESS: by what the program itself says.
is_so() {
	[ "$(bp interfaces --json | jq -r --arg i "$1" '.interfaces[]
		| select(.name == $i) | "\(.ingress) \(.egress)"')" = "$2 $3" ]
}

# filtered IFACE: both ways.
filtered() {
	is_so "$1" xdp-native "$TC"
}

open() {
	is_so "$1" none none
}

pins() {
	find "$BPFPOL_BPFFS/links" -type f 2>/dev/null | wc -l
}

pins_are() {
	[ "$(pins)" -eq "$1" ]
}

# pins_of PATTERN: how many.
pins_of() {
	find "$BPFPOL_BPFFS/links" -type f -name "$1" | wc -l
}

# Two looks of the agent more, so that something can be said not to happen.
after_looks() {
	local now

	now=$(bp agent status --json | jq .interfaces.looks)
	until_true looked $((now + 2))
}

looked() {
	[ "$(bp agent status --json | jq .interfaces.looks)" -ge "$1" ]
}

# index IFACE
index() {
	run_in rx cat "/proc/net/dev_snmp6/$1" | awk '$1 == "ifIndex" { print $2 }'
}

# on_port FRAME-CHECK...: the same by port1.
on_port() {
	TX=tx1 RX=port1 "$@"
}

fds() {
	find "/proc/$AGENT/fd" | wc -l
}

fds_are() {
	[ "$(fds)" -le "$1" ]
}

# The agent stops where it is; not while it has the lock, or no command would get on.
pause_agent() {
	exec {LOCK}>>"$BPFPOL_RUN_DIR/lock"
	flock "$LOCK"
	kill -STOP "$AGENT"
	until_true grep -q '^State:.T' "/proc/$AGENT/status"
	exec {LOCK}>&-
}

resume_agent() {
	kill -CONT "$AGENT"
}
