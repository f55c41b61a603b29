// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "late.h"
#include "links.h"
#include "tried.h"

/* What `detach` was told to do, and what there is. */
struct order {
	const struct args *args;
	struct nl_links links;
	struct attached_list attached;
	struct link_choices choices; /* what is attached of what the words name */
	struct remembered_list before, after;
};

/* A pattern leaves out what cannot be filtered. */
static bool holds_link(const char *word, const struct nl_link *link)
{
	return word_holds(word, link->name) && (nl_can_filter(link) || !word_is_pattern(word));
}

/* What was taken out is a name, whatever it looks like. */
static bool holds_remembered(const char *word, const struct remembered *r)
{
	return word_holds(word, r->name) && (r->mode == ATTACH_NONE || !word_is_pattern(r->name));
}

/* A pattern that stands on does not bring back what was taken out of it. */
static int forget_name(struct remembered_list *list, const char *name)
{
	remembered_remove(list, name);
	return remembered_find(list, name) ? remembered_add(list, name, ATTACH_NONE) : 0;
}

/*
 * And the names that it holds, whether or not anything is attached there now. What was taken out of
 * it stays out where another pattern, or bpfpol.conf, holds it.
 */
static int forget_pattern(struct order *o, const char *pattern)
{
	int rc = 0;

	remembered_remove(&o->after, pattern);
	for (size_t i = 0; i < o->before.n && !rc; i++)
		if (holds_remembered(pattern, &o->before.v[i]))
			rc = forget_name(&o->after, o->before.v[i].name);
	for (size_t i = 0; i < o->links.n && !rc; i++)
		if (holds_link(pattern, &o->links.v[i]))
			rc = forget_name(&o->after, o->links.v[i].name);
	return rc;
}

/* The words, and what they name. */
static int forget(struct order *o)
{
	int rc = 0;

	for (int w = 0; w < o->args->n && !rc; w++) {
		const char *word = o->args->words[w];

		rc = word_is_pattern(word) ? forget_pattern(o, word) : forget_name(&o->after, word);
	}
	for (size_t i = 0; i < o->choices.n && !rc; i++)
		rc = forget_name(&o->after, o->choices.v[i].link->name);
	return rc;
}

/* By a line of its own. */
static bool is_remembered(const struct remembered_list *list, const char *word)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].mode != ATTACH_NONE && !strcmp(list->v[i].name, word))
			return true;
	return false;
}

/* It would be attached, as while filtering is off. */
static bool holds_any(const struct order *o, const char *word)
{
	if (is_remembered(&o->before, word))
		return true;
	for (size_t i = 0; i < o->before.n; i++)
		if (o->before.v[i].mode != ATTACH_NONE && holds_remembered(word, &o->before.v[i]))
			return true;
	for (size_t i = 0; i < o->links.n; i++)
		if (holds_link(word, &o->links.v[i]) &&
			remembered_find(&o->before, o->links.v[i].name))
			return true;
	return false;
}

/* Which of the word's interfaces are attached; one that is neither attached nor remembered: 3. */
static int find_word(struct order *o, int w, struct diag *diag)
{
	const char *word = o->args->words[w];
	bool found = holds_any(o, word);
	int rc = 0;

	for (size_t i = 0; i < o->attached.n && !rc; i++) {
		const struct nl_link *link = nl_by_index(&o->links, o->attached.v[i].ifindex);

		if (!link || !word_holds(word, link->name))
			continue;
		found = true;
		rc = choices_add(&o->choices, link, ATTACH_AUTO);
	}
	if (rc || found)
		return rc;
	if (!word_is_pattern(word) && !nl_by_name(&o->links, word))
		return args_no_interface(o->args, w, "", diag);
	args_place(o->args, w, diag);
	return diag_set(diag, DIAG_UNKNOWN, ENODEV,
		"bpfpol is not attached to '%s'; 'bpfpol interfaces' shows where it is", word);
}

/* What there is, and what is to be remembered then. */
static int look(struct order *o, struct diag *diag)
{
	int rc = nl_links_get(&o->links);

	if (!rc)
		rc = attached_get(&o->attached, diag);
	if (!rc)
		rc = remembered_load(&o->before, diag);
	for (int w = 0; w < o->args->n && !rc; w++)
		rc = find_word(o, w, diag);
	if (!rc)
		rc = remembered_look(&o->after, diag);
	return rc ? rc : forget(o);
}

/* Nothing filtered goes by it. */
static bool only_forgotten(const struct link_choices *c, const char *word)
{
	for (size_t i = 0; i < c->n; i++)
		if (word_holds(word, c->v[i].link->name))
			return false;
	return true;
}

static bool is_word(const struct args *args, const char *name)
{
	for (int w = 0; w < args->n; w++)
		if (!strcmp(args->words[w], name))
			return true;
	return false;
}

static void say_one(const struct order *o, const char *name, struct jw *j)
{
	if (!only_forgotten(&o->choices, name))
		return;
	if (j)
		jw_str(j, NULL, name);
	else
		printf("Nothing is filtered as '%s'; it %s forgotten.\n", name,
			o->args->given & OPT_DRY_RUN ? "would be" : "is");
}

/* The words; and of what they hold the names that were remembered, or that a pattern held. */
static void say_forgotten(const struct order *o, struct jw *j)
{
	const struct args *args = o->args;

	for (int w = 0; w < args->n; w++) {
		const char *word = args->words[w];

		if (!word_is_pattern(word) ||
			(is_remembered(&o->before, word) && !is_remembered(&o->after, word)))
			say_one(o, word, j);
	}
	for (size_t i = 0; i < o->before.n; i++) {
		const struct remembered *r = &o->before.v[i];

		if (r->mode != ATTACH_NONE && !is_remembered(&o->after, r->name) &&
			!is_word(args, r->name))
			say_one(o, r->name, j);
	}
	for (size_t i = 0; i < o->after.n; i++) {
		const struct remembered *r = &o->after.v[i];

		if (r->mode == ATTACH_NONE && remembered_find(&o->before, r->name) &&
			!is_remembered(&o->before, r->name) && !is_word(args, r->name))
			say_one(o, r->name, j);
	}
}

/* What is not ours to forget. */
static void warn_configured(const struct order *o)
{
	for (int w = 0; w < o->args->n; w++)
		if (word_is_pattern(o->args->words[w]) &&
			is_remembered(&o->after, o->args->words[w]))
			fprintf(stderr,
				"bpfpol: warning: bpfpol.conf names '%s': what comes by it later "
				"is "
				"filtered; take it out there\n",
				o->args->words[w]);
}

/* Those that are off now, or would be. */
static void say_detached(const struct order *o)
{
	bool dry_run = o->args->given & OPT_DRY_RUN;
	bool json = o->args->given & OPT_JSON;
	struct jw j;

	if (json) {
		jw_begin(&j, stdout);
		jw_object(&j, NULL);
		jw_array(&j, "detached");
	}
	for (size_t i = 0; i < o->choices.n; i++) {
		const char *name = o->choices.v[i].link->name;

		if (json)
			jw_str(&j, NULL, name);
		else
			printf("%s %s.\n", dry_run ? "Would detach" : "Detached", name);
	}
	if (json) {
		jw_array_end(&j);
		jw_array(&j, "forgotten");
	}
	say_forgotten(o, json ? &j : NULL);
	if (json) {
		jw_array_end(&j);
		jw_bool(&j, "dry_run", dry_run);
		jw_object_end(&j);
	}
}

int cmd_detach(const struct args *args, struct diag *diag)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	struct order o = { .args = args };
	struct host host = {};
	int rc = args_interfaces(args, diag);

	if (!rc)
		rc = host_open(&host, dry_run ? HOST_TRY : HOST_CHANGE, diag);
	if (!rc)
		rc = look(&o, diag);
	if (!rc && !dry_run) {
		rc = tried_detach(&o.after, &o.choices, diag);
		if (!rc)
			late_forget();
	}
	if (!rc) {
		say_detached(&o);
		warn_configured(&o);
	}
	remembered_free(&o.after);
	remembered_free(&o.before);
	choices_free(&o.choices);
	free(o.attached.v);
	nl_links_free(&o.links);
	host_close(&host);
	return rc;
}
