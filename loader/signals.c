// SPDX-License-Identifier: GPL-2.0-only
#include "signals.h"

#include <stddef.h>

static _Thread_local bool held;
static _Thread_local sigset_t before; /* the agent has some of them blocked for good */

static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
#define ENDS (sizeof(ends) / sizeof(ends[0]))

void signals_hold(void)
{
	sigset_t set;

	if (held)
		return;
	sigemptyset(&set);
	for (size_t i = 0; i < ENDS; i++)
		sigaddset(&set, ends[i]);
	held = !pthread_sigmask(SIG_BLOCK, &set, &before);
}

/* What was blocked before is somebody else's, and what is blocked comes though it is ignored. */
static bool ends_us(int signal)
{
	struct sigaction action;

	return !sigismember(&before, signal) && !sigaction(signal, NULL, &action) &&
	       action.sa_handler != SIG_IGN;
}

bool signals_came(void)
{
	sigset_t set;

	if (!held || sigpending(&set))
		return false;
	for (size_t i = 0; i < ENDS; i++)
		if (sigismember(&set, ends[i]) == 1 && ends_us(ends[i]))
			return true;
	return false;
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
