#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The Debian package: built, looked over by lintian, and then lived with in a root of its own (the
# machine's, with all changes kept apart): installed, used, upgraded, removed, purged.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# cannot WHY: nothing of this can be tried here.
cannot() {
	skip "the Debian package" "$1"
	finish
}

for tool in dpkg-buildpackage dpkg-checkbuilddeps dh lintian; do
	command -v $tool >/dev/null || cannot "there is no $tool"
done
cd "$TOP" || exit 1
WHY=$(dpkg-checkbuilddeps -Pnocheck 2>&1) || cannot "$WHY"
dpkg-query -W bpfpol >/dev/null 2>&1 && cannot "a package bpfpol is known here"

# --- built and looked over

# What an installation could change outside.
machine() {
	find /etc/bpfpol /var/lib/bpfpol /run/bpfpol /sys/fs/bpf/bpfpol /etc/systemd/system \
		/usr/sbin /lib/systemd/system /usr/share/man/man8 /usr/share/doc/bpfpol \
		\( -name '*bpfpol*' -o -name 'ipsec[pc]*' -o -name 'netdiag*' \) -printf '%p %s %i %T@ %l\n' 2>&1
	dpkg-query -W bpfpol 2>&1
}

tree() {
	git status --porcelain 2>/dev/null || find . -path ./build -prune -o -type f -printf '%p %s %T@\n'
}

MACHINE=$(machine)
TREE=$(tree)
check "make deb" make deb DEB="$WORLD/deb" LD_PRELOAD=
same "the tree is as it was" "$TREE" "$(tree)"
DEB=$(find "$WORLD/deb" -name '*.deb')
same "one package, and what tells of it" "bpfpol_N_A.buildinfo bpfpol_N_A.changes bpfpol_N_A.deb" \
	"$(cd "$WORLD/deb" && echo * | sed 's/_[0-9.]*_[a-z0-9]*\./_N_A./g')"
[ -f "$DEB" ] || finish
VERSION=$(dpkg-deb -f "$DEB" Version)
check "lintian" lintian --fail-on error,warning --tag-display-limit 0 "$DEB"
echo "# ${OUT//$'\n'/$'\n'# }"
same "it has the program's version" "bpfpol $VERSION" \
	"$(bp status | grep -o '^bpfpol [0-9.]*' || echo none)"

# All that `make install` puts there, and else only what is told of a package.
OUT=$(make -s install DESTDIR="$WORLD/dest" PREFIX=/usr UNIT_DIR=/lib/systemd/system \
	ZSH_DIR=/usr/share/zsh/vendor-completions \
	BUILD="$(dirname "$BPFPOL")" 2>&1) || nok "make install" "$OUT"
same "it holds what make install makes" "$(cd "$WORLD/dest" && find . ! -type d | sort)" \
	"$(dpkg-deb --fsys-tarfile "$DEB" | tar -t | grep -v '/$' |
		sed 's,\(/man/.*\)\.gz$,\1,' | grep -v '^./usr/share/doc/bpfpol/' | sort)"
check "the program needs shared libraries, of packages it names" \
	grep -q 'libbpf1 .*libmnl0' <(dpkg-deb -f "$DEB" Depends)

# --- a root of its own

OVER=$WORLD/over
ROOT=$OVER/root
mkdir "$OVER" && mount -t tmpfs tmpfs "$OVER" && mkdir "$ROOT" "$OVER/upper" "$OVER/work"
mount -t overlay -o "lowerdir=/,upperdir=$OVER/upper,workdir=$OVER/work" overlay "$ROOT" 2>/dev/null ||
	cannot "this kernel mounts no overlay"
# What `make install` has put on this machine is not to be taken for the package.
rm -rf "$ROOT"/{etc,var/lib}/bpfpol "$ROOT"/usr/local/{sbin/bpfpol,lib/systemd/system/bpfpol*}
mkdir -p "$ROOT/mnt" "$ROOT/pkg"

cat >"$WORLD/init" <<'END'
set -e
cd "$1"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t bpf bpf sys/fs/bpf
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p ".$2"
mount -t tmpfs tmpfs ".$2"
pivot_root . mnt
umount -l /mnt
cd /
touch /run/ready
exec cat
END
# It ends when this script does, and with it the pipe.
exec 9> >(LD_PRELOAD='' run_in rx unshare --mount --propagation private --pid --fork \
	bash "$WORLD/init" "$ROOT" "$TOP")
HOLDER=$!
# shellcheck disable=SC2317 # until_true calls it
is_ready() {
	INIT=$(cat "/proc/$HOLDER/task/$HOLDER/children" 2>/dev/null)
	INIT=${INIT%% *}
	[ -e "/proc/${INIT:-none}/root/run/ready" ]
}
until_true is_ready || cannot "no root of its own can be made here"

# inside COMMAND...: as the host's administrator. OLD: with a kernel before 6.6.
OLD=
inside() {
	nsenter --target "$INIT" --mount --pid --net env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		LC_ALL=C ${OLD:+LD_PRELOAD=/pkg/refuse.so REFUSE=tcx} "$@"
}

bp() {
	inside /usr/sbin/bpfpol "$@"
}

# Without triggers, which renew the index of all manual pages.
package() {
	inside dpkg --no-triggers "$@"
}

# shellcheck disable=SC2317 # check calls it
absent() {
	! inside ls -d "$@" 2>/dev/null
}

# known: version and state of the package.
known() {
	# shellcheck disable=SC2016 # dpkg's names
	inside dpkg-query -f '${Version} ${db:Status-Status}' -W bpfpol
}

FILES="/etc/bpfpol /var/lib/bpfpol /run/bpfpol /sys/fs/bpf/bpfpol"
PROGRAMS=(/usr/sbin/{bpfpol,ipsecpol,ipseccmd,netdiag})
UNITS=(/etc/systemd/system/{sysinit.target.wants/bpfpol,multi-user.target.wants/bpfpol-late}.service)

# opened KEY=VALUE...: a link goes some time after its pin.
opened() {
	until_true eval '! run_in rx ip -o link show rx0 | grep -q xdp'
	passes "$@"
}

cp "$DEB" "$ROOT/pkg/1.deb"
dpkg-deb -R "$DEB" "$WORLD/next"
sed -i "s/^Version: .*/Version: $VERSION+next/" "$WORLD/next/DEBIAN/control"
dpkg-deb --root-owner-group -b "$WORLD/next" "$ROOT/pkg/2.deb" >/dev/null
cp "$TOP/build/tests/refuse.so" "$ROOT/pkg/"

# --- installed and used

check "nothing is there before" absent "${PROGRAMS[@]}" "${UNITS[@]}"
check "the sources are out of reach" absent "$TOP/Makefile"
expect_exit 0 package -i /pkg/1.deb
same "it is installed" "$VERSION installed" "$(known)"
# shellcheck disable=SC2086
check "an installation filters nothing, and makes nothing" absent $FILES
for unit in "${UNITS[@]}"; do check "at boot: ${unit##*/}" inside test -e "$unit"; done
check "its manual" inside man -w bpfpol bpfpol.policy ipsecpol ipseccmd netdiag
expect_exit 0 bp restore
expect_out '^No policy is assigned'
passes dport=1434

expect_exit 0 bp block udp/1434
blocked "${SLAMMER[@]}"
passes dport=1433
expect_exit 0 bp list
expect_out 'block in udp to port 1434'
expect_exit 0 bp status
expect_out "^bpfpol $VERSION,"
expect_exit 0 inside netdiag /test:ipsec
expect_out 'local'
expect_exit 0 bp policy import --shipped slammer
expect_exit 0 bp policy check slammer
same "root's alone" "700 700" "$(inside stat -c %a /etc/bpfpol /var/lib/bpfpol | xargs)"

# --- upgraded: the filter is not touched

in_kernel() {
	bp interfaces --json
	run_in rx ip -o link show rx0 | grep -o 'xdp.*id [0-9]*'
	inside find /sys/fs/bpf/bpfpol -printf '%p %i\n' | sort
}

for ((i = 0; i < 100; i++)); do WORMS[i]=$(frame "${SLAMMER[@]}"); done
flood() {
	while [ -e "$WORLD/flood" ]; do
		sniffed "${WORMS[@]}" >>"$WORLD/arrived"
		echo >>"$WORLD/rounds"
	done
}

# shellcheck disable=SC2317 # until_true calls it
has_rounds() {
	[ "$(wc -l <"$WORLD/rounds")" -ge "$1" ]
}

inside systemctl -q disable bpfpol-late
check "the administrator wants no second pass" absent "${UNITS[1]}"
BEFORE=$(in_kernel)
: >"$WORLD/rounds"
touch "$WORLD/flood"
flood &
FLOOD=$!
until_true has_rounds 1
expect_exit 0 package -i /pkg/2.deb
ROUNDS=$(wc -l <"$WORLD/rounds")
until_true has_rounds $((ROUNDS + 2))
rm "$WORLD/flood"
wait $FLOOD
same "no worm has passed, before, meanwhile and after" "" "$(grep . "$WORLD/arrived")"
echo "# $ROUNDS rounds of ${#WORMS[@]} worms were sent while it was upgraded"
same "the filter is the same" "$BEFORE" "$(in_kernel)"
same "it is the next one" "$VERSION+next installed" "$(known)"
check "the administrator's wish stands" absent "${UNITS[1]}"
check "the first pass is still wanted" inside test -e "${UNITS[0]}"
blocked dport=1434
expect_exit 0 bp block udp/53
blocked dport=53

# --- removed: it filters on, and says so

# What systemd would be asked for, if it ran here.
printf '#!/bin/sh\necho "$*" >>/run/asked\n' >"$ROOT/pkg/invoke"
chmod +x "$ROOT/pkg/invoke"
inside mkdir -p /run/systemd/system
inside mount --bind /pkg/invoke /usr/bin/deb-systemd-invoke
check "the agent is nobody's wish yet" absent /etc/systemd/system/sysinit.target.wants/bpfpol-agent.service
# One in a terminal lives through an upgrade, and ends with the program.
bp agent >/dev/null 2>&1 &
AGENT=$!
until_true eval 'bp agent status --json | grep -q pid' || nok "the agent begins"
expect_exit 0 package -i /pkg/2.deb
check "the agent runs after an upgrade" bp agent status
same "an upgrade is for the agent too" "try-restart bpfpol-agent.service" "$(inside cat /run/asked)"
expect_exit 0 package -r bpfpol
expect_out '^bpfpol: still in force .* on: rx0 $'
expect_out "Policy 'local' \(local\): 2 rules"
expect_out '^bpfpol: the agent \(process [0-9]+\) was ended'
# shellcheck disable=SC2016 # eval expands it
until_true eval '! kill -0 $AGENT 2>/dev/null' && wait $AGENT
same "it has, in order" 0 $?
same "its unit is stopped before" "stop bpfpol-agent.service" "$(inside sed 1d /run/asked)"
inside rm /run/asked
expect_out 'bpfpol off.*purge'
check "the program is gone" absent "${PROGRAMS[@]}"
check "policies stay" inside test -e /etc/bpfpol/policies/slammer.policy
blocked dport=1434
expect_exit 0 package -i /pkg/1.deb
same "an installation begins none" "try-restart bpfpol-agent.service" "$(inside cat /run/asked)"
inside umount /usr/bin/deb-systemd-invoke
inside rmdir /run/systemd/system
expect_exit 0 bp unblock udp/53
passes dport=53
check "a second pass is not wanted yet" absent "${UNITS[1]}"
expect_exit 0 bp off
expect_exit 0 package -r bpfpol
same "nothing is in force, nothing is said" "" "$(grep '^bpfpol:' <<<"$OUT")"
expect_exit 0 package -i /pkg/1.deb
passes dport=1434
expect_exit 0 bp on
blocked dport=1434

# --- purged: nothing is left

# purged: neither file nor filter.
purged() {
	# shellcheck disable=SC2086
	check "nothing is left of it" absent $FILES "${PROGRAMS[@]}" "${UNITS[@]}"
	same "no file is, anywhere" "" "$(cd "$OVER/upper" && find . \
		-path ./pkg -prune -o -path ./var/lib/dpkg -prune -o -path ./var/log -prune -o \
		\( -type f -o -type l -o -type d ! -exec test -d /{} \; \) -print)"
	same "dpkg has forgotten it" "" "$(inside sh -c 'ls /var/lib/dpkg/info | grep bpfpol')"
	check "dpkg knows no such package" eval '! inside dpkg-query -W bpfpol'
}

# Another root on this host is not the host: what is purged there is not in force here.
# shellcheck disable=SC2016 # words of the inner shell
inside sh -ec 'mount -t tmpfs tmpfs /mnt
	cp -a /bin /sbin /lib* /mnt/
	for d in usr sys proc dev; do mkdir /mnt/$d; mount --rbind /$d /mnt/$d; done
	mkdir -p /mnt/etc/bpfpol /mnt/var/lib/bpfpol /mnt/run/bpfpol
	cp -a /var/lib/dpkg/info/bpfpol.* /mnt/'
expect_exit 0 inside chroot /mnt /bpfpol.prerm remove
same "a removal there says nothing" "" "$OUT"
expect_exit 0 inside chroot /mnt /bpfpol.postrm purge
check "its files are gone" absent /mnt/etc/bpfpol /mnt/var/lib/bpfpol
blocked dport=1434
check "the host's are not" inside test -e /etc/bpfpol/policies/local.policy
inside umount -R /mnt

expect_exit 0 package -P bpfpol
expect_out '^bpfpol: still in force'
expect_out '^bpfpol: filtering ends'
opened "${SLAMMER[@]}"
purged

# After a removal and a reboot: nothing in the kernel, files still there.
package -i /pkg/1.deb >/dev/null 2>&1
expect_exit 0 bp block udp/1434
package -r bpfpol >/dev/null 2>&1
inside sh -c 'umount /sys/fs/bpf /run && mount -t bpf bpf /sys/fs/bpf && mount -t tmpfs tmpfs /run'
opened dport=1434
expect_exit 0 package -P bpfpol
same "no filter, no word" "" "$(grep '^bpfpol:' <<<"$OUT")"
purged

# --- filters in TC, which hold themselves

OLD=1
leftovers() {
	run_in rx tc qdisc show dev rx0 clsact
	run_in rx tc filter show dev rx0 ingress
	run_in rx tc filter show dev rx0 egress
}

package -i /pkg/1.deb >/dev/null 2>&1
expect_exit 0 bp attach rx0 --mode tc
expect_out 'clsact'
expect_exit 0 bp block out udp/1434
stopped dport=1434
check "filters in both directions" [ "$(leftovers | grep -c ' handle 0xbf ')" = 2 ]
expect_exit 0 package -P bpfpol
expect_out '^bpfpol: still in force .* on: rx0 $'
leaves dport=1434
same "filters and qdisc are gone" "" "$(leftovers)"
purged

# Another's filter is beside ours: it keeps the qdisc, and its place.
package -i /pkg/1.deb >/dev/null 2>&1
expect_exit 0 bp attach rx0 --mode tc
expect_exit 0 bp block out udp/1434
run_in rx tc filter add dev rx0 egress prio 9 protocol ip u32 match u32 0 0 classid 1:1
expect_exit 0 package -P bpfpol
leaves dport=1434
same "theirs alone is left" "pref 9" "$(leftovers | grep -o 'pref [0-9]*' | sort -u)"
purged
run_in rx tc qdisc del dev rx0 clsact

# Our filter has been taken off by somebody. The qdisc that stays may be theirs by now, unless it was
# just being made or taken away (loader/pins.h).
for kind in made changing; do
	package -i /pkg/1.deb >/dev/null 2>&1
	expect_exit 0 bp attach rx0
	run_in rx tc filter del dev rx0 egress
	LINKS=/sys/fs/bpf/bpfpol/links
	PIN=$(inside sh -c "ls $LINKS" | grep clsact-made)
	[ $kind = made ] || inside mv "$LINKS/$PIN" "$LINKS/${PIN/made/$kind}"
	expect_exit 0 package -P bpfpol
	[ $kind = made ] && LEFT=1 || LEFT=0
	same "$kind: qdiscs left" "$LEFT" "$(leftovers | grep -c '^qdisc clsact')"
	purged
	run_in rx tc qdisc del dev rx0 clsact 2>/dev/null
done

# Where there is no tc, what stays lets everything pass, and is named.
package -i /pkg/1.deb >/dev/null 2>&1
expect_exit 0 bp attach rx0
expect_exit 0 bp block out udp/1434
# shellcheck disable=SC2016 # words of the inner shell
inside sh -c 'mkdir /run/no && for tool in /usr/bin/*; do ln -s "$tool" /run/no/; done
	ln -s /usr/sbin/start-stop-daemon /usr/sbin/ldconfig /run/no/'
expect_exit 0 inside env PATH=/run/no dpkg --no-triggers --force-bad-path -P bpfpol
expect_out 'tc filter del dev rx0 egress prio 7 handle 0xbf bpf$'
leaves dport=1434
check "it can be taken off as told" run_in rx tc filter del dev rx0 egress prio 7 handle 0xbf bpf
run_in rx tc qdisc del dev rx0 clsact
inside rm -r /run/no
purged

same "this machine is as it was" "$MACHINE" "$(machine)"

finish
