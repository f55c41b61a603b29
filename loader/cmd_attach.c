// SPDX-License-Identifier: GPL-2.0-only
/* attach, and what becomes of it on trial. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "awaited.h"
#include "command.h"
#include "dirs.h"
#include "due.h"
#include "enforce.h"
#include "json.h"
#include "late.h"
#include "links.h"
#include "seat.h"
#include "tried.h"

static int parse_mode(const struct args *args, enum attach_mode *mode, struct diag *diag)
{
	*mode = ATTACH_AUTO;
	if (!args->mode || !attach_mode_parse(args->mode, mode))
		return 0;
	diag_place_word(diag, args->mode);
	return diag_set(diag, DIAG_USAGE, EINVAL,
		"there is no mode '%s'; leave --mode out, or give native, generic or tc",
		args->mode);
}

int args_no_interface(const struct args *args, int index, const char *later, struct diag *diag)
{
	args_place(args, index, diag);
	return diag_set(diag, DIAG_UNKNOWN, ENODEV,
		"there is no interface '%s'; 'bpfpol interfaces' lists them%s", args->words[index],
		later);
}

/* A pattern would end its line in the files that keep it. */
int args_interfaces(const struct args *args, struct diag *diag)
{
	if (!args->n)
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"say which interface; 'bpfpol interfaces' lists them");
	for (int w = 0; w < args->n; w++) {
		if (!word_is_pattern(args->words[w]) ||
			!args->words[w][strcspn(args->words[w], " \t\r\n\v\f/")])
			continue;
		args_place(args, w, diag);
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"no interface's name has a blank or a slash in it; give patterns as words "
			"of their own");
	}
	return 0;
}

/*
 * The interfaces that the words name; a pattern leaves out what cannot be filtered, and may be for
 * what comes later.
 */
static int choose(const struct args *args, const struct nl_links *links, enum attach_mode mode,
	struct link_choices *choices, struct diag *diag)
{
	int rc = 0;

	for (int w = 0; w < args->n && !rc; w++) {
		const char *word = args->words[w];
		bool found = false;

		for (size_t i = 0; i < links->n && !rc; i++) {
			const struct nl_link *link = &links->v[i];

			if (!word_holds(word, link->name) ||
				(word_is_pattern(word) && !nl_can_filter(link)))
				continue;
			found = true;
			rc = choices_add(choices, link, mode);
		}
		if (!rc && !found && !word_is_pattern(word))
			rc = args_no_interface(args, w,
				"; for one that is still to come give a pattern in quotes, as in "
				"'eth*', or write it into bpfpol.conf behind `interfaces =`",
				diag);
	}
	return rc;
}

static void say_unmatched(const struct args *args, const struct link_choices *c)
{
	int pid;

	for (int w = 0; w < args->n; w++) {
		bool any = false;

		for (size_t i = 0; i < c->n; i++)
			any |= word_holds(args->words[w], c->v[i].link->name);
		if (!any)
			printf("Nothing is called '%s' now; %s.\n", args->words[w],
				seat_is_taken(&pid) ? "the agent attaches what comes later"
						    : "what comes later is attached by the agent, "
						      "which does not "
						      "run, or by 'bpfpol restore'");
	}
}

static const struct link_choice *choice_of(const struct link_choices *c, int ifindex)
{
	for (size_t i = 0; ifindex && i < c->n; i++)
		if (c->v[i].link->ifindex == ifindex)
			return &c->v[i];
	return NULL;
}

/* Two levels of one stack would see, and count, the same packet twice. */
static void warn_stacked(const struct link_choices *c, const struct attached_list *attached,
	const struct nl_links *links)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct nl_link *link = c->v[i].link;
		const int others[] = { link->lower, link->master };

		for (int o = 0; o < 2; o++) {
			const struct nl_link *other = nl_by_index(links, others[o]);

			if (other &&
				(choice_of(c, others[o]) || attached_find(attached, others[o])))
				fprintf(stderr,
					"bpfpol: warning: %s and %s are two levels of one "
					"stack; a packet that crosses both is counted twice\n",
					link->name, other->name);
		}
	}
}

/* What `attach` was told to do, and what there was before. */
struct order {
	const struct args *args;
	enum attach_mode mode;
	struct link_choices choices;
	struct attached_list is;
	struct remembered_list before;
	uint64_t confirm; /* seconds of the trial; 0: for good */
};

static void say_choices(const struct order *o)
{
	const struct args *args = o->args;
	const struct link_choices *c = &o->choices;
	struct jw j;

	if (args->given & OPT_JSON) {
		jw_begin(&j, stdout);
		jw_object(&j, NULL);
		jw_array(&j, "interfaces");
	}
	for (size_t i = 0; i < c->n; i++) {
		const struct link_choice *choice = &c->v[i];
		const char *how = attach_mode_name(choice->how);
		const char *text = attach_mode_text(choice->how);

		if (args->given & OPT_JSON) {
			jw_object(&j, NULL);
			jw_str(&j, "name", choice->link->name);
			jw_str(&j, "mode", how);
			jw_bool(&j, "already", choice->already);
			jw_str(&j, "why", choice->why);
			jw_object_end(&j);
		} else if (choice->already) {
			printf("%s is already attached: %s.\n", choice->link->name, text);
		} else if (args->given & OPT_DRY_RUN) {
			printf("Would attach %s.\n", choice->link->name);
		} else {
			printf("Attached %s: %s (%s).\n", choice->link->name, text, choice->why);
		}
	}
	if (args->given & OPT_JSON) {
		jw_array_end(&j);
		if (o->confirm)
			jw_u64(&j, "confirm_in", o->confirm);
		else
			jw_null(&j, "confirm_in");
		jw_bool(&j, "dry_run", args->given & OPT_DRY_RUN);
		jw_object_end(&j);
	} else if (!(args->given & OPT_DRY_RUN)) {
		say_confirm(o->confirm);
		if (args->given & OPT_CONFIRM && !o->confirm)
			printf("It was attached before, and stays: there is nothing to confirm.\n");
	}
}

/* Nothing begins by that word: all that it holds now is attached, as it is remembered to be. */
static bool holds_no_new(const struct order *o, const char *word)
{
	const struct link_choices *c = &o->choices;

	for (size_t i = 0; i < c->n; i++)
		if (word_holds(word, c->v[i].link->name) &&
			!attached_find(&o->is, c->v[i].link->ifindex))
			return false;
	return true;
}

static bool is_remembered(const struct order *o, const char *word)
{
	const struct remembered_list *list = &o->before;

	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->v[i].name, word) && list->v[i].mode != ATTACH_NONE)
			return !list->v[i].configured &&
			       (!o->args->mode || list->v[i].mode == o->mode);
	return false;
}

/*
 * Nothing of it could go back: all is attached and remembered. What has lost a half is put right by
 * whatever comes as long as it is remembered, and so for good.
 */
static bool brings_nothing(const struct order *o)
{
	for (int w = 0; w < o->args->n; w++)
		if (!is_remembered(o, o->args->words[w]) || !holds_no_new(o, o->args->words[w]))
			return false;
	return true;
}

static bool is_whole(const struct link_choices *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->v[i].already)
			return false;
	return true;
}

/* Who gives no mode changes none. */
static enum attach_mode mode_of(const struct order *o, const struct nl_link *link)
{
	bool keeps = !o->args->mode && attached_find(&o->is, link->ifindex);
	const struct remembered *r = keeps ? remembered_find(&o->before, link->name) : NULL;

	return r ? r->mode : o->mode;
}

/* By their names, where other words that hold them give them another one. */
static int remember_modes(const struct order *o, struct remembered_list *list)
{
	int rc = 0;

	for (size_t i = 0; i < o->choices.n && !rc; i++) {
		const struct nl_link *link = o->choices.v[i].link;
		const struct remembered *r = remembered_find(list, link->name);

		if (r && r->mode != mode_of(o, link))
			rc = remembered_add(list, link->name, mode_of(o, link));
	}
	return rc;
}

/*
 * Words are remembered as they were given: a pattern is one. One that is given a mode comes behind
 * all others, as that counts.
 */
static int remember(const struct order *o, struct diag *diag)
{
	struct remembered_list list;
	int rc = remembered_load(&list, diag);

	for (int w = 0; w < o->args->n && !rc; w++) {
		const char *word = o->args->words[w];
		const struct remembered *r;
		bool keeps = !o->args->mode && holds_no_new(o, word);

		remembered_readmit(&list, word);
		if (o->args->mode)
			remembered_remove(&list, word);
		r = keeps ? remembered_find(&list, word) : NULL;
		rc = remembered_add(&list, word, r ? r->mode : o->mode);
	}
	if (!rc)
		rc = remember_modes(o, &list);
	if (!rc)
		rc = remembered_save(&list, diag);
	remembered_free(&list);
	return rc;
}

static int refuse_off(const struct host *host, struct diag *diag)
{
	return !host->off ? 0
			  : diag_set(diag, DIAG_REFUSED, EPERM,
				    "filtering is off; 'bpfpol on' starts it again");
}

/* Of what cannot be taken back now somebody must be told. */
static void take_back(struct host *host, const struct order *o, struct diag *diag)
{
	struct diag ignored = {};
	char why[sizeof(diag->message)];
	int rc, bad;

	choices_undo(host, &o->choices);
	rc = remembered_save(&o->before, &ignored); /* a failed write may have been one */
	bad = tried_take_back(&ignored);
	diag_free(&ignored);
	if ((rc || (bad && bad != -ENOENT)) && diag->kind != DIAG_NONE) {
		snprintf(why, sizeof(why), "%.600s", diag->message);
		diag_set(diag, diag->kind, EIO,
			"%s; what is left of it the next command takes back", why);
	}
}

/*
 * Written down, and with a time waited for, before anything is remembered or attached: wherever
 * this dies it is taken back. o->confirm: what is left of the seconds in the end.
 */
static int attach(struct host *host, struct order *o, struct diag *diag)
{
	bool begun = false, changes = !brings_nothing(o) || !is_whole(&o->choices);
	uint64_t left;
	int rc = tried_begin(o->confirm, o->args->words, o->args->n, &o->choices, &o->is, diag);

	begun = !rc;
	if (!rc && o->confirm)
		rc = due_arm(o->confirm, diag);
	if (!rc)
		rc = remember(o, diag);
	if (!rc)
		rc = enforce_take_over(host, diag);
	if (!rc)
		rc = choices_attach(host, &o->choices, diag);
	/* Boot may have left the policy on disk alone. */
	if (!rc && !host_in_step(host))
		rc = enforce(host, diag);
	if (!rc)
		rc = o->confirm ? tried_stand(&left, diag) : tried_keep(diag);
	if (rc && begun)
		take_back(host, o, diag);
	if (!rc && o->confirm)
		o->confirm = in_seconds(left);
	if (!rc && changes)
		late_forget();
	return rc;
}

/* What the words mean now, and whether it can be done. */
static int look(struct host *host, const struct nl_links *links, struct order *o, struct diag *diag)
{
	int rc = choose(o->args, links, o->mode, &o->choices, diag);

	if (!rc)
		rc = choices_check(&o->choices, diag);
	if (!rc)
		rc = enforce_try_links(host, &o->choices, diag);
	if (!rc)
		rc = attached_get(&o->is, diag);
	if (!rc)
		rc = remembered_load(&o->before, diag);
	if (!rc && brings_nothing(o))
		o->confirm = 0;
	return rc;
}

int cmd_attach(const struct args *args, struct diag *diag)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	struct order o = { .args = args };
	struct nl_links links = {};
	struct host host = {};
	int rc = args_interfaces(args, diag);

	if (!rc)
		rc = parse_mode(args, &o.mode, diag);
	if (!rc)
		rc = args_confirm(args, &o.confirm, diag);
	if (!rc)
		rc = host_open(&host, dry_run ? HOST_TRY : HOST_CHANGE, diag);
	host.unguarded = args->given & OPT_FORCE;
	if (!rc)
		rc = refuse_off(&host, diag);
	if (!rc)
		rc = nl_links_get(&links);
	if (!rc)
		rc = look(&host, &links, &o, diag);
	if (!rc && !dry_run)
		rc = attach(&host, &o, diag);
	if (!rc) {
		say_choices(&o);
		if (!(args->given & OPT_JSON))
			say_unmatched(args, &o.choices);
		warn_stacked(&o.choices, &o.is, &links);
	}
	remembered_free(&o.before);
	free(o.is.v);
	choices_free(&o.choices);
	nl_links_free(&links);
	host_close(&host);
	return rc;
}

/* text: what it is then. */
static int settle(const struct args *args, int (*act)(struct diag *), const char *outcome,
	const char *text, struct diag *diag)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	int rc = dry_run ? 0 : act(diag);
	struct jw j;

	if (rc)
		return rc;
	if (!(args->given & OPT_JSON)) {
		printf("What 'attach' did last %s%s.\n", dry_run ? "would be " : "is ", text);
		return 0;
	}
	jw_begin(&j, stdout);
	jw_object(&j, NULL);
	jw_str(&j, "outcome", dry_run ? "dry run" : outcome);
	jw_object_end(&j);
	return 0;
}

int attach_confirm(const struct args *args, struct host *host, struct diag *diag)
{
	return settle(args, tried_keep, "confirmed", "kept, for good", diag);
}

int attach_rollback(const struct args *args, struct host *host, struct diag *diag)
{
	return settle(args, tried_take_back, "rolled back", "undone", diag);
}
