/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent's /metrics over HTTP, where bpfpol.conf says `metrics = ADDRESS:PORT`: a bounded number
 * of clients with bounded memory and patience, served by the agent's own loop.
 */
#ifndef BPFPOL_SCRAPE_H
#define BPFPOL_SCRAPE_H

#include <poll.h>
#include <stdint.h>
#include <stdio.h>

#include "conf.h"

#define SCRAPERS 16
#define SCRAPE_FDS (1 + SCRAPERS)

/* Writes OpenMetrics text. -EAGAIN: somebody has the lock; to be asked again. Or another -errno. */
typedef int scrape_fn(FILE *out, void *arg);

struct scraper;
struct page;

struct scrape {
	struct scraper *v;
	scrape_fn *fn;
	void *arg;
	struct conf_address at; /* where it is to listen; port 0: nowhere */
	int listen_fd;		/* -1: not yet */
	uint64_t again_at;	/* when that is tried again; ms */
	uint64_t deaf_until;	/* nobody is taken in before: there was no descriptor; ms */
	char trouble[256];	/* what was said last, so that it is said once */
	struct page *pages[2];	/* plain, and OpenMetrics */
	uint64_t made_at;	/* ms; 0: never */
	uint64_t order;
	uint64_t served, refused, dropped;
};

/* -ENOMEM. */
int scrape_open(struct scrape *s, scrape_fn *fn, void *arg);
/* As bpfpol.conf says now. What is wrong is said on stderr. */
void scrape_configure(struct scrape *s);
/* What to wait for: SCRAPE_FDS entries. In how many ms something is due; -1: never. */
int scrape_poll(const struct scrape *s, struct pollfd *fds, uint64_t now);
void scrape_handle(struct scrape *s, const struct pollfd *fds, uint64_t now);
void scrape_close(struct scrape *s);

#endif
