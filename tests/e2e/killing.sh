# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Kills a command at every system call by which it touches the world, for the test_killed_*.sh.
# strace ends the process as it enters the call, so the call itself is not made.
#
# Before each kill the world is the old one; afterwards packets are judged by exactly the old or
# exactly the new rules, and when the next command (`status`) has run, packets, its rules, the
# kernel's maps and the counters all say the same.

CALLS=bpf,openat,write,fsync,fdatasync,rename,link,unlink,unlinkat,rmdir,mkdir,mmap,flock
CALLS=$CALLS,ftruncate,membarrier,sendto,exit_group
# Empty where a process stays behind: strace would wait for it.
FOLLOW=(-f)
KEPT=udp/1434 # a rule that stands all the time and has counted
KEPT_SEEN=0
export KEPT KEPT_SEEN

# points COMMAND...: the calls that it makes once it has the lock, as CALL N (the Nth of that name).
points() {
	run_in rx strace "${FOLLOW[@]}" -qq -o "$WORLD/trace" -e "trace=$CALLS" "$BPFPOL" "$@" >/dev/null || return
	sed -i '/^[-+]/d' "$WORLD/trace"
	awk '{ sub(/^[0-9]+ +/, ""); call = $0; sub(/\(.*/, "", call); n[call]++ }
		call == "flock" { locked = 1 }
		locked { print call, n[call] }' "$WORLD/trace"
}

# changes COMMAND...: of the points those where it is about to change something, or to wait for it: what
# only looks in between finds the world as the next of these does.
changes() {
	points "$@" >"$WORLD/points" || return
	awk '{ sub(/^[0-9]+ +/, ""); call = $0; sub(/\(.*/, "", call); n[call]++ }
		call == "flock" { locked = 1 }
		!locked || / = -1 E/ || call ~ /^(openat|mmap|flock|sendto)$/ { next }
		call != "bpf" || /OBJ_PIN|UPDATE|DELETE_ELEM|LINK_|PROG_LOAD, \{prog_type=BPF_PROG_TYPE_(XDP|SCHED)/ {
			print call, n[call] }' "$WORLD/trace"
}

# kill_at CALL N COMMAND...: exit code 137: it was killed.
kill_at() {
	local call=$1 n=$2

	shift 2
	run_in rx strace "${FOLLOW[@]}" -qq -o /dev/null -e "trace=$call" \
		-e "inject=$call:signal=KILL:when=$n" "$BPFPOL" "$@" >/dev/null 2>&1
}

# kill_each BEGIN AFTER COMMAND...: kills it at every call that it makes once it has the lock, or those that
# WHERE (points) names: each time BEGIN, the kill, and AFTER CALL N. KILLED: how often it met that call; how often one is made differs from
# time to time (programs are loaded where there is no spare, what waits is asked again).
kill_each() {
	local begin=$1 after=$2 call n

	shift 2
	KILLED=0
	$begin
	mapfile -t POINTS < <("${WHERE:-points}" "$@")
	check "$*: ${#POINTS[@]} system calls" [ ${#POINTS[@]} -ge "${LEAST:-10}" ]
	for point in "${POINTS[@]}"; do
		read -r call n <<<"$point"
		$begin
		kill_at "$call" "$n" "$@"
		[ $? -eq 137 ] && KILLED=$((KILLED + 1))
		$after "$call" "$n"
	done
	figure_of_kills "$KILLED" "$@"
	check "$*: killed $KILLED times" [ $((KILLED * 2)) -gt ${#POINTS[@]} ]
}

# sweep_act ACT SEEN COMMAND...: the same of what a test does with a change on trial, where it is about to
# change anything, with KILL_EVERY=1 at every call. The test has `begin ACT`, and `judge_act ACT CALL N`, which
# notes in FOUND what it finds; in the end that is what was to be SEEN.
sweep_act() {
	local before=$FAILED seen=$2

	ACT=$1
	shift 2
	FOUND=()
	begin "$ACT"
	bp "$@" >/dev/null # from now on as each time: with a spare, with what was there
	WHERE=changes
	[ -z "${KILL_EVERY:-}" ] || WHERE=points
	LEAST=3 kill_each begin_act judge_each "$@"
	same "$ACT, $*: every kill leaves the one or the other" "$before" "$FAILED"
	same "$ACT, $*: both are seen" "$seen" "$(printf '%s\n' "${!FOUND[@]}" | sort | xargs)"
}

begin_act() {
	begin "$ACT" || nok "$ACT: begin" "it fails"
}

judge_each() {
	judge_act "$ACT" "$@"
}

# figure_of_kills N COMMAND...: for the table at the end of tests/run. TRIAL: of what, where it is to say so.
figure_of_kills() {
	local words="${TRIAL:-} ${*:2}"

	words=${words# }
	words=${words//"$WORLD/"/}
	words=${words// /-}
	echo "# figure kills-of-${words//@/} $1"
}

# The frames by which old and new rules differ, then one of KEPT and one that no rule blocks.
# probe OLD NEW: the verdict on FRAMES must be one of them; it is left in SEEN as old or new.
probe() {
	local got

	got=$(verdicts "${FRAMES[@]}" "$KEPT_FRAME" "$FREE_FRAME")
	KEPT_SEEN=$((KEPT_SEEN + 1))
	case $got in
	"$1"bp) SEEN=old ;;
	"$2"bp) SEEN=new ;;
	*) SEEN=$got ;;
	esac
}

# What `status` says of the rule FILTER: old or new (it is there exactly when PRESENT says), and
# whether the maps hold its ELEMENTS and no other rule's; and that KEPT has lost no packet.
status_says() {
	jq -r --arg f "$FILTER" --arg present "$PRESENT" --argjson n "$ELEMENTS" \
		--argjson kept "$KEPT_SEEN" '
		[.rules[] | select(.filter == $f).id] as $ids
		| [.rules[] | select(.filter == "in udp to port 1434")][0] as $k
		| [.filters[] | select(.rule != $k.id)] as $others
		| (if ($ids | length) == 1 then $n else 0 end) as $expected
		| if ($ids | length) > 1 then "twice"
		  elif ($others | length) != $expected then "\($others | length) filters in the maps"
		  elif ([$others[] | select(.rule != $ids[0])] | length) > 0 then "another rule in the maps"
		  elif ($k.packets != $kept) then "counted \($k.packets), not \($kept)"
		  elif (($ids | length) == 1) == ($present == "new") then "new" else "old" end'
}

# a_list: LIST, the file of a list, and the rule of it; KEPT stands.
a_list() {
	LIST=$WORLD/list.txt
	printf '198.51.100.%d\n' {1..200} >"$LIST"
	FRAMES=("$(frame src=198.51.100.1)" "$(frame src=198.51.100.200)")
	FILTER="in from @$LIST" ELEMENTS=200
	bp block "$KEPT" >/dev/null
}

# two_policies: one and two, each of a port, KEPT and a list, and the frames that tell them apart.
two_policies() {
	local i name

	POLICIES=$BPFPOL_CONF_DIR/policies
	mkdir -m 700 "$BPFPOL_CONF_DIR" "$POLICIES"
	FRAMES=()
	for i in 1 2; do
		name=one
		[ $i = 1 ] || name=two
		echo "198.51.100.$i" >"$WORLD/$name.txt"
		printf 'block udp/200%d\nblock %s\nblock @%s\n' $i "$KEPT" "$WORLD/$name.txt" \
			>"$POLICIES/$name.policy"
		FRAMES+=("$(frame dport=200$i)" "$(frame src=198.51.100.$i)")
	done
	FRAMES+=("$(frame dport=1434)" "$(frame dport=9)")
}

# judged: which of the two the packets see.
judged() {
	case $(verdicts "${FRAMES[@]}") in
	bbppbp) echo one ;;
	ppbbbp) echo two ;;
	*) echo mixed ;;
	esac
}

# sweep COMMAND...: kills it at each point. The caller has set FRAMES (that the rule FILTER of
# ELEMENTS filters blocks), and PRESENT: new when the command adds the rule, old when it removes
# it. reset_world makes the world the old one.
sweep() {
	local before=$FAILED kept

	FREE_FRAME=$(frame dport=1433)
	KEPT_FRAME=$(frame dport=1434)
	kept=$(printf '%*s' "${#FRAMES[@]}" '')
	OLD=${kept// /p} NEW=${kept// /b}
	[ "$PRESENT" = old ] && OLD=${kept// /b} NEW=${kept// /p}
	# The first times load programs where later ones have a spare, and make more calls.
	for _ in 1 2; do
		reset_world
		bp "$@" >/dev/null
	done
	kill_each reset_world old_or_new "$@"
	same "$*: every kill leaves old or new" "$before" "$FAILED"
	same "$*: one generation is pinned" 1 \
		"$(find "$BPFPOL_BPFFS" -maxdepth 1 -name 'gen-*' | wc -l)"
}

# old_or_new CALL N: packets see the OLD or the NEW, and what the next command says is what they then see.
old_or_new() {
	local was said

	probe "$OLD" "$NEW"
	was=$SEEN
	said=$(bp status --debug --json 2>&1 | status_says 2>&1)
	probe "$OLD" "$NEW"
	if [[ ! $was =~ ^(old|new)$ || $said != "$SEEN" || ! $SEEN =~ ^(old|new)$ ]] ||
		[ "$was$said" = newold ]; then
		nok "killed at $1 $2" "packets: $was; then status: $said; then packets: $SEEN"
	fi
}

# Of the agent, under strace (agent.sh).

is_traced() {
	! grep -q '^TracerPid:.0$' "/proc/$AGENT/status"
}

# trace_agent CALLS WORD...: strace of all threads of the agent, with these words, from now on. Calls are
# counted thread by thread.
trace_agent() {
	strace -f -qq -o "$WORLD/trace" -e "trace=$1" "${@:2}" -p "$AGENT" 2>/dev/null &
	TRACER=$!
	until_true is_traced
}

# untrace_agent SIGNAL: ends it, if it lives. Its exit code is left in STATUS.
untrace_agent() {
	kill "-$1" "$AGENT" 2>/dev/null
	wait "$AGENT"
	# shellcheck disable=SC2034
	STATUS=$?
	wait "$TRACER"
}

# agent_points: what was traced, as CALL N.
agent_points() {
	awk '$2 ~ /^[a-z]/ { sub(/\(.*/, "", $2); print $2, ++n[$1, $2] }' "$WORLD/trace" | sort -u -k1,1 -k2,2n
}
