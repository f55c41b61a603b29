/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Preloaded, an fsync of a directory does nothing: a program that forgets it. With NOSYNC=link only
 * that of one where a link was made is forgotten. tests/e2e/test_power.sh must see both.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool linked;

int link(const char *from, const char *to)
{
	linked = true;
	return syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static bool forgets(void)
{
	const char *what = getenv("NOSYNC");
	bool one = what && !strcmp(what, "link"), does = !one || linked;

	linked = false;
	return does;
}

int fsync(int fd)
{
	struct stat st;

	if (!fstat(fd, &st) && S_ISDIR(st.st_mode) && forgets())
		return 0;
	return syscall(SYS_fsync, fd);
}
