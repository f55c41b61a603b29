/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Preloaded, it refuses what a kernel that is older, or has fewer drivers, refuses, with the same
 * error. The variable REFUSE names what, in words:
 *	tcx	BPF links on TC: a kernel before 6.6
 *	clsact	the clsact qdisc: a kernel without CONFIG_NET_SCH_INGRESS
 *	native	XDP by the driver
 *	generic	XDP without it
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdbool.h>
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

long syscall(long number, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	va_list args;
	long a[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_bpf && a[0] == BPF_LINK_CREATE) {
		int err = refusal((const union bpf_attr *)a[1]);

		if (err) {
			errno = err;
			return -1;
		}
	}
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
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
