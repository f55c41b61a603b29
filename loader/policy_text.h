/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The text of a policy, NAME.policy (the grammar is in the comment above policy_text.c): text to
 * struct policy and back. Pure: files that the text names are read by the caller's functions.
 */
#ifndef BPFPOL_POLICY_TEXT_H
#define BPFPOL_POLICY_TEXT_H

#include "diag.h"
#include "policy.h"

/* Where something stands. */
struct text_place {
	uint32_t source, line; /* line: from 1 */
	size_t at;	       /* of the line in the source's text */
};

/* What was read: the first is the policy's own file; included ones, and lines of lists that are
 * wrong. */
struct text_source {
	char *path;
	char *text; /* a line each, ended by 0 */
	size_t len;
};

/* An error. */
struct text_flaw {
	struct text_place place;
	size_t column, width; /* in the line, from 0; width 0: no caret */
	char *message;
};

struct policy_text {
	struct policy *policy;	      /* its name: from the text, or as given */
	bool named;		      /* the text gives a name */
	struct text_place name_place; /* and does so there */
	struct text_place *place;     /* of each rule */
	struct text_source *sources;
	size_t n_sources;
	struct text_flaw *flaws;
	size_t n_flaws, flaws_room, places_room;
};

struct policy_reader {
	/*
	 * The text of the policy that `name` stands for in the file `from`, and its path.
	 * Failure: a diag whose message says why.
	 */
	int (*include)(const char *from, const char *name, char **path, char **text, size_t *len,
		struct diag *diag, void *arg);
	/*
	 * Reads the list that `end` names in the file `from`, and makes its name absolute. NULL:
	 * lists stay unread. Failure: a diag with a line: in the list; without: of its name.
	 */
	int (*list)(const char *from, struct end *end, struct diag *diag, void *arg);
	void *arg;
};

/*
 * Reads it all, however much is wrong: what is stands in ->flaws, in order, and what is right in
 * ->policy. The text is taken over. name: of the policy unless the text says. -ENOMEM alone.
 */
int policy_text_parse(const char *path, char *text, size_t len, const char *name,
	const struct policy_reader *reader, struct policy_text **out);
void policy_text_free(struct policy_text **text);

/* The flaw as a diag of its own. */
void policy_text_diag(
	const struct policy_text *text, const struct text_flaw *flaw, struct diag *diag);
/*
 * -EINVAL with the flaws as one diag, the first `most` and how many there are beside; 0: there is
 * none.
 */
int policy_text_fail(const struct policy_text *text, size_t most, struct diag *diag);

/*
 * What can be told of a text at a glance: how many lines are rules (not those it includes), and
 * its description, NULL if it has none. -ENOMEM.
 */
int policy_text_glance(const char *text, size_t *rules, char **description);

/* The line at that place, without its end. */
const char *policy_text_line(const struct policy_text *text, const struct text_place *place);

/*
 * Canonical text; caller frees; NULL: no memory. Parses back to an equal policy, but for rules
 * with a deadline, which are no part of a file. Those that came from `for` in a file are.
 */
char *policy_text_print(const struct policy *policy);

/*
 * Whether the rule is one of a file's: one with a deadline is not, unless the file's own `for` gave
 * it. Its line there; caller frees; NULL: no memory.
 */
bool policy_has_line(const struct rule *rule);
char *policy_rule_line(const struct rule *rule);

/* What is wrong with the name of a policy, or NULL. A name is also the name of a file. */
const char *policy_name_flaw(const char *name);
#define POLICY_NAME_MOST 200 /* bytes */
/* The name as it is typed into a shell: in quotes if need be. */
#define POLICY_NAME_TYPED (POLICY_NAME_MOST + 3)
const char *policy_name_typed(const char *name, char buf[POLICY_NAME_TYPED]);

#endif
