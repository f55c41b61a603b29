// SPDX-License-Identifier: GPL-2.0-only
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 1.0 /* seconds without a word */
#define PAUSE 0.1
#define WIDTH 30

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

void progress_begin(struct progress *p, const char *what)
{
	*p = (struct progress){ .what = what, .terminal = isatty(STDERR_FILENO) };
	p->began = seconds();
	p->next = p->began + PATIENCE;
}

void progress_show(struct progress *p, double done, uint64_t n)
{
	static const char bar[] = "##############################";
	double now;

	if (!p->terminal)
		return;
	now = seconds();
	if (now < p->next)
		return;
	p->next = now + PAUSE;
	p->shown = true;
	if (done < 0)
		fprintf(stderr, "\r%" PRIu64 " %s\033[K", n, p->what);
	else
		fprintf(stderr, "\r[%-*.*s] %3.0f%%  %" PRIu64 " %s\033[K", WIDTH,
			(int)(done * WIDTH), bar, done * 100, n, p->what);
	fflush(stderr);
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fprintf(stderr, "\r\033[K");
	p->shown = false;
}
