// SPDX-License-Identifier: GPL-2.0-only
#include "held.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "enforce.h"
#include "env.h"
#include "held_parts.h"
#include "lock.h"

#define CREDIT 2000 /* ms */

int held_open(struct held *h, struct diag *diag)
{
	struct host host = {};
	int rc = host_open(&host, HOST_TEND, diag);

	*h = (struct held){ .rules = policy_new("dynamic") };
	host.agent = true;
	if (!rc && !h->rules)
		rc = -ENOMEM;
	if (!rc)
		rc = enforce_take_over(&host, diag);
	if (!rc)
		rc = host_kernel(&host, diag);
	if (!rc)
		rc = dynamic_open(&h->d, diag);
	host_close(&host);
	lock_release();
	if (rc)
		held_close(h);
	return rc;
}

int held_begin(struct held *h, struct diag *diag)
{
	return held_load(h, diag);
}

void held_close(struct held *h)
{
	dynamic_close(&h->d);
	policy_free(&h->rules);
}

/* The layer's arrays. */

void held_lend(const struct held *h, struct kernel *k)
{
	if (h->d && k)
		dynamic_lend(h->d, k);
}

int held_lend_copies(const struct held *h, struct kernel *k, struct layer *copies)
{
	int rc = 0;

	for (int i = 0; i < BP_ARRAYS; i++)
		copies->fd[i] = -1;
	held_lend(h, k);
	if (k && k->shared.dynamic_fd) {
		rc = layer_open(&k->shared, copies);
		k->shared.dynamic_fd = rc ? NULL : copies->fd;
	}
	return rc;
}

void held_follow(struct held *h, const struct kernel *k)
{
	if (h->d && k && k->made[0] >= 0)
		dynamic_offer(h->d, k->made);
}

int held_offer(struct held *h, const int fd[BP_ARRAYS])
{
	return dynamic_offer(h->d, fd);
}

/* Looking. */

static void complain(struct held *h, const char *so, int rc, const struct diag *diag)
{
	const char *why = diag->kind != DIAG_NONE ? diag->message : strerror(-rc);

	if (!strcmp(h->trouble, why))
		return;
	snprintf(h->trouble, sizeof(h->trouble), "%s", why);
	fprintf(stderr, "bpfpol: warning: %s: %s\n", so, why);
}

/*
 * Interfaces that come and go all the time must not have rules compiled all the time: for a fifth
 * of it at most, of which CREDIT may be used at once.
 */
static int follow_links(struct held *h, struct diag *diag)
{
	uint64_t begun = clock_ms(), least = begun > CREDIT ? begun - CREDIT : 0;
	int rc;

	h->waits = h->links && begun < h->reload_at;
	if (!h->links || h->waits)
		return 0;
	rc = held_refresh(h, diag);
	if (rc == -EINPROGRESS)
		return rc;
	if (h->reload_at < least)
		h->reload_at = least;
	h->reload_at += 5 * (clock_ms() - begun);
	return rc;
}

int held_wait(const struct held *h, uint64_t now)
{
	if (!h->waits)
		return -1;
	return h->reload_at > now ? h->reload_at - now : 0;
}

/* 1: they were not in force, and are again. */
static int put_right(struct held *h, struct diag *diag)
{
	int rc = held_sweep(h, diag);

	if (!rc)
		rc = follow_links(h, diag);
	if (!rc)
		rc = dynamic_check(h->d, h->rules, diag);
	if (rc != -ESTALE)
		return rc;
	rc = held_load(h, diag);
	return rc ? rc : 1;
}

bool held_look(struct held *h, bool quick)
{
	struct diag diag = {};
	int rc;

	if (h->busy) /* soon enough when that is done */
		return true;
	h->waits = h->look = false;
	h->quick = quick;
	rc = put_right(h, &diag);
	h->quick = false;
	if (rc == 1 && h->rules->n)
		fprintf(stderr, "The dynamic rules were not in force, and are again.\n");
	if (rc == -EINPROGRESS && diag.kind == DIAG_NONE)
		return false;
	if (rc < 0 && rc != -ENOENT)
		complain(h, "dynamic rules may not be in force", rc, &diag);
	else
		h->trouble[0] = '\0';
	diag_free(&diag);
	return true;
}
