// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "late.h"
#include "links.h"
#include "tried.h"

/* A pattern that stands on does not bring back what was taken out of it. */
static int forget_name(struct remembered_list *list, const char *name)
{
	remembered_remove(list, name);
	return remembered_find(list, name) ? remembered_add(list, name, ATTACH_NONE) : 0;
}

/* What was taken out of the pattern: that stays out where another one, or bpfpol.conf, holds it. */
static int forget_pattern(struct remembered_list *list, const char *pattern)
{
	size_t n = list->n;
	char **out = calloc(n + 1, sizeof(*out));
	int rc = out ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !rc; i++) {
		const struct remembered *r = &list->v[i];

		if (r->mode != ATTACH_NONE || !word_holds(pattern, r->name))
			continue;
		out[i] = strdup(r->name);
		rc = out[i] ? 0 : -ENOMEM;
	}
	remembered_remove(list, pattern);
	for (size_t i = 0; out && i < n; i++) {
		if (out[i] && !rc)
			rc = forget_name(list, out[i]);
		free(out[i]);
	}
	free(out);
	return rc;
}

/* The words, and what they name. */
static int forget(
	const struct args *args, const struct link_choices *c, struct remembered_list *list)
{
	int rc = 0;

	for (int w = 0; w < args->n && !rc; w++)
		rc = (word_is_pattern(args->words[w]) ? forget_pattern : forget_name)(
			list, args->words[w]);
	for (size_t i = 0; i < c->n && !rc; i++)
		rc = forget_name(list, c->v[i].link->name);
	return rc;
}

/* Which of the words' interfaces are attached; one that is neither attached nor remembered: 3. */
static int find_attached(const struct args *args, const struct nl_links *links,
	const struct attached_list *attached, struct link_choices *choices, struct diag *diag)
{
	struct remembered_list list;
	int rc = remembered_load(&list, diag);

	for (int w = 0; w < args->n && !rc; w++) {
		const char *word = args->words[w];
		/* By a pattern alone: while filtering is off. */
		bool found = nl_by_name(links, word) && remembered_find(&list, word);

		for (size_t i = 0; i < list.n; i++)
			found |= list.v[i].mode != ATTACH_NONE && !strcmp(list.v[i].name, word);
		for (size_t i = 0; i < attached->n && !rc; i++) {
			const struct nl_link *link = nl_by_index(links, attached->v[i].ifindex);

			if (!link || !word_holds(word, link->name))
				continue;
			found = true;
			rc = choices_add(choices, link, ATTACH_AUTO);
		}
		if (!rc && !found && !word_is_pattern(word) && !nl_by_name(links, word))
			rc = args_no_interface(args, w, "", diag);
		else if (!rc && !found) {
			args_place(args, w, diag);
			rc = diag_set(diag, DIAG_UNKNOWN, ENODEV,
				"bpfpol is not attached to '%s'; 'bpfpol interfaces' shows where "
				"it is",
				word);
		}
	}
	remembered_free(&list);
	return rc;
}

/* A word that was remembered, and that nothing filtered goes by. */
static bool only_forgotten(const struct link_choices *c, const char *word)
{
	for (size_t i = 0; i < c->n; i++)
		if (word_holds(word, c->v[i].link->name))
			return false;
	return true;
}

static void say_forgotten(const struct args *args, const struct link_choices *c, struct jw *j)
{
	if (j)
		jw_array(j, "forgotten");
	for (int w = 0; w < args->n; w++) {
		if (!only_forgotten(c, args->words[w]))
			continue;
		if (j)
			jw_str(j, NULL, args->words[w]);
		else
			printf("Nothing is filtered as '%s'; it %s forgotten.\n", args->words[w],
				args->given & OPT_DRY_RUN ? "would be" : "is");
	}
	if (j)
		jw_array_end(j);
}

/* Those that are off now, or would be. */
static void say_detached(const struct args *args, const struct link_choices *c)
{
	bool json = args->given & OPT_JSON;
	struct jw j;

	if (json) {
		jw_begin(&j, stdout);
		jw_object(&j, NULL);
		jw_array(&j, "detached");
	}
	for (size_t i = 0; i < c->n; i++) {
		const char *name = c->v[i].link->name;

		if (json)
			jw_str(&j, NULL, name);
		else
			printf("%s %s.\n", args->given & OPT_DRY_RUN ? "Would detach" : "Detached",
				name);
	}
	if (json)
		jw_array_end(&j);
	say_forgotten(args, c, json ? &j : NULL);
	if (json) {
		jw_bool(&j, "dry_run", args->given & OPT_DRY_RUN);
		jw_object_end(&j);
	}
}

static int detach(const struct args *args, const struct link_choices *choices, struct diag *diag)
{
	struct remembered_list list;
	int rc = remembered_load(&list, diag);

	if (!rc)
		rc = forget(args, choices, &list);
	if (!rc)
		rc = tried_detach(&list, choices, diag);
	if (!rc)
		late_forget();
	remembered_free(&list);
	return rc;
}

int cmd_detach(const struct args *args, struct diag *diag)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	struct link_choices choices = {};
	struct attached_list attached = {};
	struct nl_links links = {};
	struct host host = {};
	int rc = args_interfaces(args, diag);

	if (!rc)
		rc = host_open(&host, dry_run ? HOST_TRY : HOST_CHANGE, diag);
	if (!rc)
		rc = nl_links_get(&links);
	if (!rc)
		rc = attached_get(&attached, diag);
	if (!rc)
		rc = find_attached(args, &links, &attached, &choices, diag);
	if (!rc && !dry_run)
		rc = detach(args, &choices, diag);
	if (!rc)
		say_detached(args, &choices);
	free(attached.v);
	choices_free(&choices);
	nl_links_free(&links);
	host_close(&host);
	return rc;
}
