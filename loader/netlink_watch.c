// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink.h"

#define READ_MOST 4096	       /* messages in a row: others wait, too */
#define WATCH_BUFFER (1 << 20) /* bytes: some hundred messages of a kilobyte or two */

int nl_watch_open(void)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int size = WATCH_BUFFER, err;

	if (fd < 0)
		return -1;
	/* With less, more is lost, and that is no harm. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (!bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

int nl_watch_read(int fd)
{
	char byte;
	int rc = 0;

	for (int i = 0; i < READ_MOST; i++) {
		if (recv(fd, &byte, sizeof(byte), MSG_TRUNC) >= 0)
			continue;
		if (errno == ENOBUFS)
			rc = -ENOBUFS;
		else if (errno != EINTR)
			return errno == EAGAIN ? rc : -errno;
	}
	return rc;
}
