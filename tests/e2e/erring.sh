# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Lets each system call by which a command touches the world fail, one in each run, with the errors
# that make sense for it; sourced behind lib.sh by the test_errors*.sh. A command that fails says so
# in plain words, with the contract's exit code, and has changed nothing; one that succeeds has done
# its work. ERRORS_MOST=N: at most so many runs for each command, spread evenly over all; 0: all.
# ERRORS_ALIKE=1, 2: of the calls of one name from one place, which is all that called up to main(), the first,
# or the first and the last (a loop over maps makes hundreds of them); 0: all. It takes an strace that knows -k.

ERRORS_MOST=${ERRORS_MOST:-25}
ERRORS_ALIKE=${ERRORS_ALIKE:-1}
CALLS=bpf,openat,read,write,fsync,fdatasync,rename,link,unlink,unlinkat,mkdir,mmap,flock,ftruncate
CALLS=$CALLS,membarrier,socket,bind,sendto,sendmsg,recvmsg,recvfrom,fcntl
RUNS=0

# errors_of CALL
errors_of() {
	case $1 in
	bpf) echo ENOMEM EPERM E2BIG EBUSY EINTR ;;
	openat) echo EACCES EMFILE EIO ENOMEM ;;
	read) echo EIO EINTR ;;
	write) echo ENOSPC EIO EINTR ;;
	fsync | fdatasync) echo EIO ENOSPC EINTR ;;
	rename) echo EIO ENOSPC EPERM ;;
	link) echo EPERM EIO EMLINK ;;
	mkdir) echo ENOSPC EIO ;;
	unlink | unlinkat) echo EIO EPERM EBUSY ;;
	mmap) echo ENOMEM EPERM ;;
	flock) echo ENOMEM EINTR ;;
	membarrier) echo ENOSYS EPERM ;;
	socket) echo EMFILE ENOMEM ;;
	fcntl) echo EMFILE ;;
	recvmsg | recvfrom) echo ENOBUFS EINTR ENOMEM ;;
	*) echo ENOMEM EIO ;;
	esac
}

# error_points COMMAND...: CALL N ERROR, a line each, from the lock on. What it says when all is done is
# left out: if that cannot be written it says so, and has done it.
error_points() {
	local call n error stacks=()

	[ "$ERRORS_ALIKE" -eq 0 ] || stacks=(-k)
	run_in rx strace "${stacks[@]}" -f -qq -o "$WORLD/trace" -e "trace=$CALLS" "$BPFPOL" "$@" >/dev/null || return
	# A call, and with -k a line for each of those that called: ` > FILE(FUNCTION+AT) [ADDRESS]`.
	awk -v alike="$ERRORS_ALIKE" '
		/^ >/ { from[calls] = from[calls] $0; next }
		{ sub(/^[0-9]+ +/, ""); call = $0; sub(/\(.*/, "", call); n[call]++ }
		call == "flock" { locked = 1 }
		locked { point[++calls] = /^write\([12],/ ? "" : call " " n[call]; from[calls] = call }
		END {
			for (i = 1; i <= calls; i++)
				if (point[i])
					last[from[i]] = i
			for (i = 1; i <= calls; i++)
				if (point[i] && (!alike || !met[from[i]]++ || (alike > 1 && last[from[i]] == i)))
					print point[i]
		}' "$WORLD/trace" |
		while read -r call n; do
			for error in $(errors_of "$call"); do echo "$call $n $error"; done
		done | awk -v most="$ERRORS_MOST" '{ line[NR] = $0 }
			END {
				step = most && NR > most ? NR / most : 1
				for (i = 1; i <= NR; i += step)
					print line[int(i)]
			}'
}

# fail_at CALL N ERROR COMMAND...: its exit code; what it says is in $WORLD/said.
fail_at() {
	run_in rx strace -f -qq -o "$WORLD/injected" -e "trace=$1" -e "inject=$1:error=$3:when=$2" \
		"$BPFPOL" "${@:4}" >"$WORLD/said" 2>&1
}

# pins: all that is pinned, without the generation's number, the spare, and the counts of the one before.
pins() {
	(cd "$BPFPOL_BPFFS" 2>/dev/null && find . -type f ! -path './spare/*' ! -name base | sed 's/gen-[0-9]*/gen/' | sort)
}

# spoke CODE: a failure is told, with the contract's exit code.
spoke() {
	case $1 in
	0) return 0 ;;
	1 | 2 | 4) grep -q '^bpfpol: ' "$WORLD/said" ;;
	*) return 1 ;;
	esac
}

# err_all RESET LOOK COMMAND...: RESET makes the world the old one, LOOK prints how it is.
err_all() {
	local reset=$1 look=$2 old new code got fails=0 works=0 seen=0 before=$FAILED held

	shift 2
	$reset
	$reset
	old=$($look)
	held=$(pins)
	mapfile -t POINTS < <(error_points "$@")
	new=$($look)
	[ "$old" != "$new" ] || nok "$*: something changes" "$old"
	for point in "${POINTS[@]}"; do
		read -r call n error <<<"$point"
		$reset
		if [ "$(pins)" != "$held" ]; then
			nok "$*: pins before $point" "$(diff <(echo "$held") <(pins))"
			held=$(pins)
		fi
		# shellcheck disable=SC2086
		fail_at $point "$@"
		code=$?
		! grep -q INJECTED "$WORLD/injected" || seen=$((seen + 1))
		got=$($look)
		RUNS=$((RUNS + 1))
		spoke $code || nok "$*: $point: exit $code" "$(cat "$WORLD/said")"
		if [ $code -eq 0 ]; then
			works=$((works + 1)) want=$new
		else
			fails=$((fails + 1)) want=$old
		fi
		[ "$got" = "$want" ] ||
			nok "$*: $point: exit $code" "$(diff <(echo "$want") <(echo "$got"))"$'\n'"$(cat "$WORLD/said")"
	done
	same "$*: ${#POINTS[@]} errors, $fails fail it, $works do not: old or new, as it says" "$before" "$FAILED"
	check "$*: $seen errors were seen" [ "$seen" -gt 0 ]
}

# err_boot LOOK [DISK]: at a boot what fails is told, and the next restore does the rest; of what DISK prints
# nothing changes.
err_boot() {
	local look=$1 disk=${2:-true} point code fails=0 seen=0 before=$FAILED whole kept

	reboot
	kept=$($disk)
	mapfile -t POINTS < <(error_points restore)
	whole=$($look)
	for point in "${POINTS[@]}"; do
		reboot
		# shellcheck disable=SC2086
		fail_at $point restore
		code=$?
		! grep -q INJECTED "$WORLD/injected" || seen=$((seen + 1))
		RUNS=$((RUNS + 1))
		spoke $code || nok "restore: $point: exit $code" "$(cat "$WORLD/said")"
		if [ $code -ne 0 ]; then
			fails=$((fails + 1))
			bp restore >"$WORLD/said" 2>&1 || nok "restore: $point: the next one" "$(cat "$WORLD/said")"
		fi
		[ "$($look)" = "$whole" ] || nok "restore: $point: exit $code" \
			"$(diff <(echo "$whole") <($look))"$'\n'"$(cat "$WORLD/said")"
		[ "$($disk)" = "$kept" ] || nok "restore: $point: the store" "$(diff <(echo "$kept") <($disk))"
	done
	same "restore: ${#POINTS[@]} errors, $fails fail it: the next one does it" "$before" "$FAILED"
	check "restore: $seen errors were seen" [ "$seen" -gt 0 ]
}

# looks: what packets say of FRAMES, what the reports say, and what packets say after that; rules
# without their ids, and whether the maps hold those of the rules and no others.
looks() {
	verdicts "${FRAMES[@]}"
	bp status --debug --json 2>&1 | jq -r '
		"\(.policy.name) off=\(.off)", (.rules | sort_by(.filter)[] | "\(.action) \(.filter) \(.name)"),
		"maps: \(([.filters[].rule] | unique) == ([.rules[].id] | sort)) \(.filters | length)"'
	verdicts "${FRAMES[@]}"
}
