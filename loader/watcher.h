/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one process that the kernel tells of packets: those that are blocked, and those of rules with
 * `log`. Its programs (bpf/watch.bpf.c) stand behind the classifiers while it lives.
 */
#ifndef BPFPOL_WATCHER_H
#define BPFPOL_WATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "diag.h"
#include "event.h"

struct watch_want {
	uint32_t rule;	  /* packets that this one counts, alone; 0: all */
	uint32_t rate;	  /* without `log`, so many a second on each CPU at most; 0: all */
	uint32_t bytes;	  /* of a frame, BP_SNAP at most */
	uint32_t verdict; /* 1: blocked, 2: not, alone; 0: both */
	/* Packets that one of these matches, alone; n_wanted 0: all. Not owned. */
	const struct bp_wanted *wanted;
	uint32_t n_wanted;
	bool on; /* on the one interface that watcher_on() says */
};

/* Anything but 0 ends watcher_read(), which returns it if it is negative. */
typedef int watch_fn(const struct bp_event *event, void *arg);

struct watcher;

/* -EBUSY with a diag: another process watches. Nothing need be in force yet. */
int watcher_open(const struct watch_want *want, watch_fn *fn, void *arg, struct watcher **watcher,
	struct diag *diag);
/*
 * Puts the programs where packets are judged; to be called at once and then every second, as root
 * programs may come, be loaded anew, or lose it. 1: nothing is there to be watched yet.
 */
int watcher_follow(struct watcher *watcher, struct diag *diag);
/* Which that is now; 0: none, and nothing is told. */
void watcher_on(struct watcher *watcher, uint32_t ifindex);
/* Readable when much is to be read; what is little has to be looked for. -1: nothing is there. */
int watcher_fd(const struct watcher *watcher);
/* Calls fn for all that came. */
int watcher_read(struct watcher *watcher);
/* No more comes; what has come can be read. */
void watcher_stop(struct watcher *watcher);
/* So far. */
struct bp_watch_tally watcher_tally(const struct watcher *watcher);
void watcher_close(struct watcher **watcher);

#endif
