/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Preloaded, it refuses what a kernel that is older, or has fewer drivers, refuses, with the same
 * error. The variable REFUSE names what, in words:
 *	tcx	BPF links on TC, and who is there: a kernel before 6.6
 *	clsact	the clsact qdisc: a kernel without CONFIG_NET_SCH_INGRESS
 *	native	XDP by the driver
 *	generic	XDP without it
 *	getfd	one process having another's descriptors: a kernel before 5.6, some containers
 *	diag	sock_diag: a kernel without CONFIG_INET_DIAG
 *	pread	reading what another process gave: no memory for it
 *	frags	XDP programs for several buffers, and their helpers: a kernel before 5.18
 *	detach	taking a BPF link off an interface
 *	last	the last question for programs that are loaded, once: no memory for it
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/bpf.h has these names from 6.6 on. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47

static bool refused(const char *word)
{
	const char *words = getenv("REFUSE"), *at = words ? strstr(words, word) : NULL;
	char behind = at ? at[strlen(word)] : '\0';

	return at && (at == words || at[-1] == ' ') && (!behind || behind == ' ');
}

/* 0: not refused. */
static int refusal(const union bpf_attr *attr)
{
	bool tcx = attr->link_create.attach_type == TCX_INGRESS ||
		   attr->link_create.attach_type == TCX_EGRESS;
	bool xdp = attr->link_create.attach_type == BPF_XDP;
	bool native = attr->link_create.flags & XDP_FLAGS_DRV_MODE;

	if (tcx && refused("tcx"))
		return EINVAL;
	return xdp && refused(native ? "native" : "generic") ? EOPNOTSUPP : 0;
}

static bool refuses_query(const union bpf_attr *attr)
{
	return refused("tcx") &&
	       (attr->query.attach_type == TCX_INGRESS || attr->query.attach_type == TCX_EGRESS);
}

/* libbpf asks for a helper by a program that calls it and ends. */
static bool asks_for_frags(const union bpf_attr *attr)
{
	const struct bpf_insn *insns = (const struct bpf_insn *)(uintptr_t)attr->insns;

	return attr->insn_cnt == 2 && insns->code == (BPF_JMP | BPF_CALL) &&
	       insns->imm >= BPF_FUNC_xdp_get_buff_len && insns->imm <= BPF_FUNC_xdp_store_bytes;
}

static bool refuses_load(const union bpf_attr *attr)
{
	bool asks = asks_for_frags(attr);

	if (!refused("frags") || !(asks || attr->prog_flags & BPF_F_XDP_HAS_FRAGS))
		return false;
	if (asks && attr->log_buf && attr->log_size)
		snprintf((char *)(uintptr_t)attr->log_buf, attr->log_size,
			"invalid func unknown#%d\n", BPF_FUNC_xdp_get_buff_len);
	return true;
}

static long last_question(long rc)
{
	static bool asked;

	if (rc < 0 && errno == ENOENT && refused("last") && !asked) {
		asked = true;
		errno = ENOMEM;
	}
	return rc;
}

long syscall(long number, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	va_list args;
	int err = 0;
	long a[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_bpf && a[0] == BPF_LINK_CREATE)
		err = refusal((const union bpf_attr *)a[1]);
	else if (number == SYS_bpf && a[0] == BPF_PROG_QUERY)
		err = refuses_query((const union bpf_attr *)a[1]) ? EINVAL : 0;
	else if (number == SYS_bpf && a[0] == BPF_PROG_LOAD)
		err = refuses_load((const union bpf_attr *)a[1]) ? EINVAL : 0;
	else if (number == SYS_bpf && a[0] == BPF_LINK_DETACH)
		err = refused("detach") ? EIO : 0;
	else if (number == SYS_pidfd_getfd)
		err = refused("getfd") ? EPERM : 0;
	if (err) {
		errno = err;
		return -1;
	}
	if (number == SYS_bpf && a[0] == BPF_PROG_GET_NEXT_ID)
		return last_question(real(number, a[0], a[1], a[2], a[3], a[4], a[5]));
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int socket(int domain, int type, int protocol)
{
	int (*real)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");

	if (domain == AF_NETLINK && protocol == NETLINK_SOCK_DIAG && refused("diag")) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	return real(domain, type, protocol);
}

ssize_t pread(int fd, void *buf, size_t size, off_t offset)
{
	ssize_t (*real)(int, void *, size_t, off_t) =
		(ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread");

	if (refused("pread")) {
		errno = ENOMEM;
		return -1;
	}
	return real(fd, buf, size, offset);
}

/* By which libbpf asks for it. */
ssize_t send(int fd, const void *message, size_t len, int flags)
{
	ssize_t (*real)(int, const void *, size_t, int) =
		(ssize_t(*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
	const struct nlmsghdr *nlh = message;

	if (len >= sizeof(*nlh) && nlh->nlmsg_len == len && nlh->nlmsg_type == RTM_NEWQDISC &&
		refused("clsact")) {
		errno = ENOENT;
		return -1;
	}
	return real(fd, message, len, flags);
}
