// SPDX-License-Identifier: GPL-2.0-only
#include "moment.h"

#include <stdio.h>
#include <time.h>

#include "clocks.h"

#define SECOND 1000000000ULL /* ns */

void moment_now(struct moment *now)
{
	FILE *in = fopen("/proc/sys/kernel/random/boot_id", "re");
	struct timespec real;

	clock_gettime(CLOCK_REALTIME, &real);
	*now = (struct moment){
		.real = real.tv_sec * SECOND + real.tv_nsec,
		.boot = kernel_clock(),
	};
	if (!in || fscanf(in, "%36s", now->boot_id) != 1)
		now->boot_id[0] = '\0';
	if (in)
		fclose(in);
}
