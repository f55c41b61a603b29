/* SPDX-License-Identifier: GPL-2.0-only */
#include "twin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Shared by the processes. */
struct board {
	atomic_size_t next; /* job, of all parts' one after the other */
	atomic_bool stop;
	int lock; /* a file to be locked, since a lock goes with the process that holds it */
	struct {
		struct covered covered;
		bool failed;
	} part[];
};

static uint64_t mix(uint64_t a, uint64_t b)
{
	struct gen g = { .seed = a };

	g.seed = gen_u64(&g) ^ b;
	return gen_u64(&g);
}

static void lock(const struct board *b, short type)
{
	struct flock flock = { .l_type = type, .l_whence = SEEK_SET };

	while (fcntl(b->lock, F_SETLKW, &flock) && errno == EINTR)
		continue;
}

static bool next_job(struct board *b, const struct part *parts, size_t n, size_t *part, size_t *job)
{
	*job = atomic_load(&b->stop) ? SIZE_MAX : atomic_fetch_add(&b->next, 1);
	for (*part = 0; *part < n; ++*part) {
		if (*job < parts[*part].jobs)
			return true;
		*job -= parts[*part].jobs;
	}
	return false;
}

static void hand_in(
	struct board *b, const struct part *parts, size_t part, const struct covered *c, int rc)
{
	lock(b, F_WRLCK);
	covered_add(&b->part[part].covered, c);
	b->part[part].failed |= rc != 0;
	if (rc == ROUND_DIFFERS)
		printf("# part %s: differs after %llu pairs\n", parts[part].name,
			(unsigned long long)b->part[part].covered.frames);
	fflush(stdout);
	lock(b, F_UNLCK);
	if (rc)
		atomic_store(&b->stop, true);
}

/* A process: one world for all its jobs. What it says comes out job by job. */
static int work(struct board *b, const struct part *parts, size_t n, uint64_t seed)
{
	size_t part, job;
	struct world w;
	int rc = world_open(&w);

	while (!rc && next_job(b, parts, n, &part, &job)) {
		struct gen g = { .seed = mix(mix(seed, part), job) };
		struct covered c = { 0 };

		world_tell(&w, &g);
		rc = parts[part].run(&w, &g, job, &c);
		hand_in(b, parts, part, &c, rc);
		rc = rc < 0 ? rc : 0;
	}
	world_close(&w);
	return rc ? 1 : 0;
}

static struct board *new_board(size_t n, size_t *size)
{
	struct board *b;

	*size = sizeof(*b) + n * sizeof(b->part[0]);
	b = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b == MAP_FAILED)
		must(NULL);
	b->lock = memfd_create("twin", MFD_CLOEXEC);
	return b;
}

static int wait_for(unsigned int processes)
{
	int status, rc = 0;

	while (processes--) {
		if (wait(&status) < 0)
			return -errno;
		if (status)
			rc = -ECHILD;
	}
	return rc;
}

int jobs_run(struct part *parts, size_t n, uint64_t seed, unsigned int processes)
{
	size_t i, size;
	struct board *b = new_board(n, &size);
	unsigned int begun;
	int rc;

	fflush(stdout);
	for (begun = 0; begun < processes; begun++) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (!pid) {
			setvbuf(stdout, NULL, _IOFBF, 1 << 20);
			rc = work(b, parts, n, seed);
			fflush(stdout);
			_exit(rc);
		}
	}
	rc = wait_for(begun);
	for (i = 0; i < n; i++) {
		parts[i].covered = b->part[i].covered;
		parts[i].failed = b->part[i].failed;
	}
	close(b->lock);
	munmap(b, size);
	return begun ? rc : -EAGAIN;
}
