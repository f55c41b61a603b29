/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hosts that rules name, dns:NAME. They are looked up when a policy is assigned or a rule is
 * added; what they were then is kept in BPFPOL_STATE_DIR/names/NAME, and stays when nobody answers
 * the next time. Nothing else asks for them, boot least of all: it uses the copies in lists/.
 */
#ifndef BPFPOL_NAMES_H
#define BPFPOL_NAMES_H

#include "diag.h"
#include "json.h"
#include "policy.h"

struct host_name {
	char *host;
	struct prefixes addresses; /* none: they are not known */
	const char *why;	   /* nobody told: these are those of last time. NULL: looked up */
	char *before;		   /* what was kept until names_save(); NULL: nothing */
	bool saved;
};

/* What one command looked up: each name once, so that all of it means the same addresses. */
struct names {
	bool offline; /* nobody is asked: those of last time */
	bool lenient; /* a name that is not known is an empty list */
	struct host_name *v;
	size_t n;
};

/* The name, looked up if it was not yet. -ENOMEM alone; what is not known has no addresses. */
int names_find(struct names *names, const char *host, const struct host_name **found);
/*
 * Its addresses, in place of what *list held. -ENOENT with DIAG_UNKNOWN where none are known.
 * names NULL: offline and lenient.
 */
int names_read(struct names *names, const char *host, struct prefixes *list, struct diag *diag);
void names_free(struct names *names);

/* Keeps what was looked up; names may be NULL. What is not to be kept after all: names_undo(). */
int names_save(struct names *names, struct diag *diag);
void names_undo(struct names *names);
/* What is kept goes when no policy and no state speaks of it any more. */
void names_sweep(void);

/* A warning for each name that nobody told. */
void names_warn(const struct names *names, struct diag *diag);
void names_print(const struct names *names);
/* The array `names`. */
void names_json(const struct names *names, struct jw *j);

#endif
