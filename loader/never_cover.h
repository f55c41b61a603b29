/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether filters together hold all addresses and ports of another. For never.c alone. Pure. */
#ifndef BPFPOL_NEVER_COVER_H
#define BPFPOL_NEVER_COVER_H

#include "filter.h"
#include "never.h"

struct cover_piece;

struct cover {
	struct cover_piece *v;
	size_t n, room;
	/* The rules whose filters were needed. */
	size_t named[NEVER_NAMED];
	unsigned int n_named;
	bool more;
};

/* Whether w holds all addresses and ports of r. */
bool cover_holds(const struct filter *w, const struct filter *r);

void cover_begin(struct cover *cover);
/* Adds w, of that rule, unless it shares nothing with r. -ENOMEM. */
int cover_add(struct cover *cover, const struct filter *w, const struct filter *r, size_t rule);
/* Whether those added hold all of r. False as well when *patience runs out. */
bool cover_whole(struct cover *cover, const struct filter *r, long *patience);

void cover_name(struct cover *cover, size_t rule);
void cover_forget(struct cover *cover); /* what is named */
void cover_free(struct cover *cover);

#endif
