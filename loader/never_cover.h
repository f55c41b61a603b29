/* SPDX-License-Identifier: GPL-2.0-only */
/* What of a filter's addresses and ports is left when others take theirs out. For never.c. Pure. */
#ifndef BPFPOL_NEVER_COVER_H
#define BPFPOL_NEVER_COVER_H

#include "filter.h"
#include "never.h"

enum { COVER_REMOTE, COVER_LOCAL, COVER_RPORT, COVER_LPORT, COVER_DIMS };

/* A box of addresses and ports, inclusive. IPv4 stands in the upper bits. */
typedef unsigned __int128 cover_number;
struct cover_region {
	cover_number lo[COVER_DIMS], hi[COVER_DIMS];
};

struct cover {
	struct cover_region *left; /* pieces, none of which shares anything with another */
	size_t n, room;
	/* The first rules whose filters took something out. */
	size_t named[NEVER_NAMED];
	unsigned int n_named;
	bool more;
};

struct cover_region cover_region_of(const struct filter *f);
/* All of r is left. -ENOMEM. */
int cover_begin(struct cover *cover, const struct cover_region *r);
/* Takes out what w holds; w is of that rule. -ENOMEM. */
int cover_take(struct cover *cover, const struct cover_region *w, size_t rule);
void cover_forget(struct cover *cover); /* what is named */
void cover_free(struct cover *cover);

#endif
