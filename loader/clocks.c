// SPDX-License-Identifier: GPL-2.0-only
#include "clocks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL /* ns */

/* By which this process's clocks are ahead of the kernel's, ns. */
static int64_t boottime_ahead, monotonic_ahead;
static int unknown; /* -errno: by how much could not be read */

/* A line of the file: NAME SECONDS NANOSECONDS. 0 where there is none. */
static int64_t ahead_by(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	int64_t s, ns;

	return at && sscanf(at + strlen(name), "%" SCNd64 " %" SCNd64, &s, &ns) == 2
		       ? s * SECOND + ns
		       : 0;
}

/*
 * The file tells of the namespace that our children would get. Before 6.0 that is not ours if it
 * was made without a fork behind it (unshare --time without --fork): the clocks are then as they
 * were.
 */
static bool children_share_ours(void)
{
	struct stat ours, theirs;

	return !stat("/proc/self/ns/time", &ours) &&
	       !stat("/proc/self/ns/time_for_children", &theirs) && ours.st_ino == theirs.st_ino;
}

/* The kernel's first, by whose clocks BPF programs go, has had this number since there are others.
 */
#define FIRST_NAMESPACE 0xeffffffaU

/* It takes no descriptor to ask. */
static bool is_first(void)
{
	struct stat ours;

	return !stat("/proc/self/ns/time", &ours) && ours.st_ino == FIRST_NAMESPACE;
}

/* Without the file the kernel knows no such namespaces: it is empty. -errno: it cannot be read. */
static int read_offsets(char *text, size_t room)
{
	int fd = open("/proc/self/timens_offsets", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, room - 1);
	int rc = n < 0 && errno != ENOENT ? -errno : 0;

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return rc;
}

/* No memory is asked for: that may fail. */
static void find_offsets(void)
{
	char text[256] = "";

	unknown = is_first() ? 0 : read_offsets(text, sizeof(text));
	boottime_ahead = ahead_by(text, "boottime");
	monotonic_ahead = ahead_by(text, "monotonic");
	if ((boottime_ahead || monotonic_ahead) && !children_share_ours())
		boottime_ahead = monotonic_ahead = 0;
}

/* A process stays in its namespace, so they are looked for once. */
int clocks_begin(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find_offsets);
	return unknown;
}

static uint64_t read_clock(clockid_t clock, const int64_t *ahead)
{
	struct timespec t;

	clocks_begin();
	clock_gettime(clock, &t);
	return t.tv_sec * SECOND + t.tv_nsec - *ahead;
}

uint64_t kernel_clock(void)
{
	return read_clock(CLOCK_BOOTTIME, &boottime_ahead);
}

void kernel_clock_wait(uint64_t until)
{
	for (uint64_t now = kernel_clock(); now < until; now = kernel_clock()) {
		const struct timespec rest = {
			.tv_sec = (until - now) / SECOND,
			.tv_nsec = (until - now) % SECOND,
		};

		clock_nanosleep(CLOCK_BOOTTIME, 0, &rest, NULL);
	}
}

uint64_t kernel_clock_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC, &monotonic_ahead);
}

static uint64_t real_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

uint64_t wall_clock(void)
{
	return real_clock() / SECOND;
}

uint64_t wall_deadline(uint64_t seconds)
{
	return (real_clock() + SECOND - 1) / SECOND + seconds;
}

/* Whoever lost the processor between the two asks again. */
void clocks_now(uint64_t *real, uint64_t *boot)
{
	for (int turn = 0; turn < 10; turn++) {
		uint64_t before = kernel_clock();

		*real = real_clock();
		*boot = kernel_clock();
		if (*boot - before < SECOND / 10000)
			break;
	}
}
