/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BPFPOL_FDS_H
#define BPFPOL_FDS_H

#include <fcntl.h>

/* A descriptor of one's own, which no program that is started gets. -1: errno says why. */
static inline int fd_copy(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

#endif
