/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes of single rules, folded into the text of their policy. No other line of it is touched.
 * Pure.
 */
#ifndef BPFPOL_FOLD_H
#define BPFPOL_FOLD_H

#include "policy.h"

enum change_op { CHANGE_PUT, CHANGE_DEL };

struct change {
	enum change_op op;
	char *text; /* the rule's action and match, canonical */
	char *line; /* the whole rule line; NULL: the rule has none in the file (it is timed) */
	bool label; /* the line has one */
};

/* The changes that the file of one policy has not seen yet, in their order. */
struct fold {
	char *policy;
	struct change *v;
	size_t n, room;
	size_t waiting; /* how many of the first were read from fold.N; the journal has the others
			 */
	bool gone;	/* the policy is thrown away, and its file with it: there are no changes */
	/*
	 * The policy is replaced: its file is to hold this, the changes come on top, and timed
	 * rules that were known beside the old one are none of the new. NULL: it is not.
	 */
	char *text;
};

/* The change to that rule; takes nothing over. -ENOMEM. */
int fold_add(struct fold *fold, enum change_op op, const struct rule *rule);
/* The last n of them were no changes. */
void fold_cut(struct fold *fold, size_t n);
void fold_free(struct fold *fold);

/*
 * What the changes of each rule come to: PUT: there is to be a line that says this, DEL: none.
 * Sorted by text. *v is the caller's, not its texts. -ENOMEM.
 */
int fold_net(const struct fold *fold, struct change **v, size_t *n);

/*
 * The text with the changes in it; caller frees. absolute: the whole path of a list that the text
 * names from its own directory on; a copy, NULL: no memory. old NULL: a new text. -ENOMEM.
 */
int fold_text(const struct fold *fold, const char *old,
	char *(*absolute)(const char *file, void *arg), void *arg, char **text, size_t *len);

#endif
