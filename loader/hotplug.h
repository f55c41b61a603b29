/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interfaces that come, go and change while the agent runs. Each event, and each second without
 * one, leads to a look at all of it: which interfaces there are, which are to be filtered, which
 * are. What differs is put right under the lock, as a command would. So an event that was lost does
 * no harm.
 */
#ifndef BPFPOL_HOTPLUG_H
#define BPFPOL_HOTPLUG_H

#include <net/if.h>
#include <stdint.h>

#include "attach.h"
#include "host.h"
#include "pace.h"

/* An interface that is to be filtered, or was. */
struct followed {
	int ifindex;
	char name[IF_NAMESIZE]; /* by which it was to be filtered */
	bool held;		/* it was, when we looked last */
	bool seen;		/* in this look */
	uint32_t mtu, xdp_prog; /* when it was tried last */
	bool up;
	unsigned int tries; /* that came to nothing, or to half of it */
	uint64_t again;	    /* when it is tried again; ms */
	struct attached is; /* as it was seen, and what was added to that since */
	char why[256];	    /* is the first half attached so */
};

struct held;

struct hotplug {
	struct held *held; /* the rules that the agent holds; NULL: not yet */
	int fd;		   /* readable: hotplug_event() is to be called */
	struct followed *v;
	size_t n;
	struct pace pace;
	bool apart;	    /* rules that take long are put in force by hotplug_rebuild() */
	bool behind;	    /* ...which is to be called */
	bool settled;	    /* a look has found nothing that it could have put right */
	bool foreign;	    /* the kernel's side is another version's */
	bool began;	    /* a look was had */
	bool crowd;	    /* until a look has left none, they are attached as one */
	char trouble[1024]; /* what was said last, so that it is said once */
	char warned[2048];
	/* For status. */
	unsigned int filtered, failing;
	uint64_t attached, detached, put_back, lost_events, looks, rebuilt;
};

/* -errno with a diag: interfaces cannot be watched. */
int hotplug_open(struct hotplug *hp, struct diag *diag);
void hotplug_event(struct hotplug *hp);
/* ms until hotplug_run() is to be called. */
int hotplug_wait(const struct hotplug *hp, uint64_t now);
/* Looks if it is time to. What it does, and what goes wrong, is said on stderr. */
void hotplug_run(struct hotplug *hp, uint64_t now);
/*
 * Puts in force what a look has left for this, under the lock; if that is not free, the next look
 * says so again. For a thread beside the one that looks: it gives the turn of hp->held away while
 * it takes long.
 */
void hotplug_rebuild(struct hotplug *hp);
void hotplug_close(struct hotplug *hp);

#endif
