// SPDX-License-Identifier: GPL-2.0-only
#include "holder.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* "7: FLOCK  ADVISORY  WRITE 1234 00:1b:5678 0 EOF"; who waits has "->" behind the first colon. */
static bool has_it(const char *line, const struct stat *st, int *pid)
{
	unsigned int major, minor;
	uint64_t inode;

	return sscanf(line, "%*u: FLOCK %*s %*s %d %x:%x:%" SCNu64, pid, &major, &minor, &inode) ==
		       4 &&
	       *pid > 0 && inode == st->st_ino && major == major(st->st_dev) &&
	       minor == minor(st->st_dev);
}

/* The state stands behind the name, which may hold any character. */
static char state_of(int pid)
{
	char path[32], text[256] = "", *end;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	in = fopen(path, "re");
	if (!in)
		return '\0';
	if (!fgets(text, sizeof(text), in))
		text[0] = '\0';
	fclose(in);
	end = strrchr(text, ')');
	return end && end[1] ? end[2] : '\0';
}

bool holder_find(int fd, struct holder *holder)
{
	char line[256], state;
	struct stat st;
	bool found = false;
	FILE *in;
	int pid;

	if (fstat(fd, &st))
		return false;
	in = fopen("/proc/locks", "re");
	if (!in)
		return false;
	while (!found && fgets(line, sizeof(line), in))
		found = has_it(line, &st, &pid);
	fclose(in);
	state = found ? state_of(pid) : '\0';
	if (!state)
		return false;
	*holder = (struct holder){ .pid = pid, .stopped = state == 'T', .traced = state == 't' };
	return true;
}
