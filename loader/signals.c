// SPDX-License-Identifier: GPL-2.0-only
#include "signals.h"

#include <stdbool.h>
#include <stddef.h>

static _Thread_local bool held;
static _Thread_local sigset_t before; /* the agent has some of them blocked for good */

void signals_hold(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t set;

	if (held)
		return;
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		sigaddset(&set, ends[i]);
	held = !pthread_sigmask(SIG_BLOCK, &set, &before);
}

void signals_let(void)
{
	if (!held)
		return;
	held = false;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void signals_unheld(sigset_t *mask)
{
	if (held)
		*mask = before;
	else
		pthread_sigmask(SIG_BLOCK, NULL, mask);
}
