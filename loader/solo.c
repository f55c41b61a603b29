// SPDX-License-Identifier: GPL-2.0-only
#include "solo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dirs.h"

/* The number stands in the file for people, and for messages to those who come second. */
static int read_pid(int fd)
{
	char text[16] = "";

	return pread(fd, text, sizeof(text) - 1, 0) > 0 ? atoi(text) : 0;
}

static int write_pid(int fd)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", getpid());

	return ftruncate(fd, 0) || pwrite(fd, text, len, 0) != len ? -errno : 0;
}

/*
 * A lock of the open file, not of the process, which would lose it as soon as it closed any other
 * descriptor of this file.
 */
static int lock(int fd, int *pid)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (!fcntl(fd, F_OFD_SETLK, &all))
		return write_pid(fd);
	if (errno != EAGAIN && errno != EACCES)
		return -errno;
	*pid = read_pid(fd);
	return -EBUSY;
}

int solo_take(const char *name, int *fd, int *pid, struct diag *diag)
{
	int rc = dir_make(dirs_get()->run, diag);
	char *path = rc ? NULL : path_join(dirs_get()->run, "%s", name);

	if (!path)
		return rc ? rc : -ENOMEM;
	*fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	rc = *fd < 0 ? -errno : lock(*fd, pid);
	if (rc && rc != -EBUSY)
		diag_errno(diag, -rc, "cannot lock %s", path);
	if (rc && *fd >= 0)
		close(*fd);
	if (rc)
		*fd = -1;
	free(path);
	return rc;
}

int solo_is_taken(const char *name, int *pid)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char *path = path_join(dirs_get()->run, "%s", name);
	int fd = path ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
	int rc = path ? -errno : -ENOMEM;

	free(path);
	if (fd < 0)
		return rc == -ENOENT || rc == -ELOOP ? 0 : rc; /* a link is not from us */
	rc = fcntl(fd, F_OFD_GETLK, &all) ? -errno : all.l_type != F_UNLCK;
	if (rc > 0)
		*pid = read_pid(fd);
	close(fd);
	return rc;
}
