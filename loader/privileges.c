// SPDX-License-Identifier: GPL-2.0-only
#include "privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEPT (1ULL << CAP_NET_ADMIN | 1ULL << CAP_PERFMON | 1ULL << CAP_BPF)

int privileges_drop(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	int rc = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		rc = -errno;
	/* The bounding set takes a capability that a unit may have taken before. */
	for (int c = 0; c <= CAP_LAST_CAP; c++)
		if (!(KEPT >> c & 1))
			prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
	if (syscall(SYS_capget, &head, caps))
		return -errno;
	for (int i = 0; i < 2; i++) {
		caps[i].effective &= (uint32_t)(KEPT >> 32 * i);
		caps[i].permitted &= (uint32_t)(KEPT >> 32 * i);
		caps[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, caps))
		rc = -errno;
	return rc;
}
