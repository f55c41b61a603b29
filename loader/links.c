// SPDX-License-Identifier: GPL-2.0-only
#include "links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "off.h"

int choices_add(struct link_choices *c, const struct nl_link *link, enum attach_mode mode)
{
	struct link_choice *v;

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].link == link)
			return 0;
	v = realloc(c->v, (c->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	c->v = v;
	v[c->n++] = (struct link_choice){ .link = link, .mode = mode, .how = ATTACH_NONE };
	return 0;
}

static int check(
	struct link_choice *choice, const struct attached_list *attached, struct diag *diag)
{
	const struct attached *is = attached_find(attached, choice->link->ifindex);

	if (!is)
		return attach_check(choice->link, choice->mode, diag);
	if (choice->mode != ATTACH_AUTO && choice->mode != is->how && is->how != ATTACH_NONE)
		return diag_set(diag, DIAG_SYSTEM, EBUSY,
			"%s is attached in %s mode; 'bpfpol detach %s' first, to change "
			"that",
			choice->link->name, attach_mode_name(is->how), choice->link->name);
	/* Half of it may have been taken off by someone else. */
	choice->already = is->how != ATTACH_NONE && is->out != TC_NONE;
	choice->how = is->how;
	choice->in = is->in;
	choice->out = is->out;
	return 0;
}

int choices_check(struct link_choices *c, struct diag *diag)
{
	struct attached_list attached = {};
	int rc = attached_get(&attached, diag);

	for (size_t i = 0; i < c->n && !rc; i++)
		rc = check(&c->v[i], &attached, diag);
	free(attached.v);
	return rc;
}

/* What is there, and what was added to it so far. */
static struct attached choice_is(const struct link_choice *choice, bool crowd)
{
	return (struct attached){
		.ifindex = choice->link->ifindex,
		.how = choice->how,
		.in = choice->in,
		.out = choice->out,
		.crowd = crowd,
	};
}

static int attach_first_half(
	struct kernel *k, struct link_choice *choice, bool crowd, struct diag *diag)
{
	struct attached is = choice_is(choice, crowd);
	int rc = attach_arriving(
		k, choice->link, choice->mode, &is, choice->why, sizeof(choice->why), diag);

	if (rc)
		return rc;
	choice->undo = choice->how == ATTACH_NONE && choice->out == TC_NONE;
	choice->how = is.how;
	choice->in = is.in;
	return 0;
}

static int attach_rest(struct kernel *k, struct link_choice *choice, bool crowd, struct diag *diag)
{
	struct attached is = choice_is(choice, crowd);

	return attach_leaving(k, choice->link, &is, choice->why, sizeof(choice->why), diag);
}

/* Without the half of it that may be there. */
static void set_aside(
	struct link_choice *choice, int rc, choice_failed_fn failed, struct diag *diag)
{
	struct diag ignored = {};

	if (diag->kind == DIAG_NONE)
		diag_errno(diag, -rc, "cannot attach to %s", choice->link->name);
	choice->failed = true;
	if (choice->undo)
		detach_link(choice->link->ifindex, &ignored);
	failed(choice, diag);
	diag_free(&ignored);
}

static bool is_waiting(const struct link_choice *choice)
{
	return !choice->already && !choice->failed;
}

/* What arrives on each of them, and then what leaves. failed: unless NULL, goes on with others. */
static int attach_halves(
	struct kernel *k, struct link_choices *c, choice_failed_fn failed, struct diag *diag)
{
	size_t waiting = 0;
	bool crowd;

	for (size_t i = 0; i < c->n; i++)
		waiting += is_waiting(&c->v[i]);
	crowd = waiting > ATTACH_CROWD;
	for (int half = 0; half < 2; half++) {
		for (size_t i = 0; i < c->n; i++) {
			int rc;

			if (!is_waiting(&c->v[i]))
				continue;
			rc = half ? attach_rest(k, &c->v[i], crowd, diag)
				  : attach_first_half(k, &c->v[i], crowd, diag);
			if (rc && !failed)
				return rc;
			if (rc)
				set_aside(&c->v[i], rc, failed, diag);
		}
	}
	return 0;
}

/*
 * `off` asks for no lock. One that came while we attached may have found nothing to detach yet, and
 * waits for us no longer than it says: what it stopped is not for us to begin. On trial the
 * programs stay where they are.
 */
static int refuse_off_since(const struct host *host, struct diag *diag)
{
	struct off off;
	int rc = off_look(host->kernel, &off, diag);

	if (rc)
		return rc;
	if (host->ending_off || host->off || !off.is || off.left)
		return 0;
	return diag_set(diag, DIAG_REFUSED, EPERM,
		"'bpfpol off' came meanwhile, and stays; 'bpfpol on' starts filtering again");
}

/* Only now: what is refused before leaves nothing in the kernel. failed: as for attach_halves(). */
static int attach_checked(
	struct host *host, struct link_choices *c, choice_failed_fn failed, struct diag *diag)
{
	int rc = host_kernel(host, diag);

	/* Sweeps the pins of interfaces that are gone: their numbers may come again. */
	if (!rc)
		rc = attach_adopt(host->kernel, NULL, diag);
	if (!rc)
		rc = attach_halves(host->kernel, c, failed, diag);
	if (!rc)
		rc = refuse_off_since(host, diag);
	if (rc)
		choices_undo(host, c);
	return rc;
}

int choices_attach(struct host *host, struct link_choices *c, struct diag *diag)
{
	int rc = choices_check(c, diag);

	if (!rc)
		return attach_checked(host, c, NULL, diag);
	choices_undo(host, c);
	return rc;
}

int choices_attach_each(struct host *host, struct link_choices *c, bool dry_run,
	choice_failed_fn failed, struct diag *diag)
{
	struct attached_list attached = {};
	int rc = attached_get(&attached, diag);

	for (size_t i = 0; i < c->n && !rc; i++) {
		int bad = check(&c->v[i], &attached, diag);

		if (bad)
			set_aside(&c->v[i], bad, failed, diag);
	}
	free(attached.v);
	if (rc || dry_run || !c->n)
		return rc;
	rc = attach_checked(host, c, failed, diag);
	if (!rc)
		attach_tidy(host->kernel);
	return rc;
}

static void forget(const struct link_choices *c, struct diag *diag)
{
	struct remembered_list list;
	bool any = false;
	int rc = remembered_load(&list, diag);

	for (size_t i = 0; i < c->n && !rc; i++) {
		const char *name = c->v[i].link->name;

		if (!c->v[i].remembered)
			continue;
		any = true;
		remembered_remove(&list, name);
		/* It was none, so it had been taken out of the pattern. */
		if (remembered_find(&list, name))
			rc = remembered_add(&list, name, ATTACH_NONE);
	}
	if (!rc && any)
		remembered_save(&list, diag);
	remembered_free(&list);
}

void choices_undo(struct host *host, const struct link_choices *c)
{
	struct diag ignored = {};

	forget(c, &ignored);
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].undo)
			detach_link(c->v[i].link->ifindex, &ignored);
	if (host->kernel)
		attach_tidy(host->kernel);
	diag_free(&ignored);
}

int choices_follow(
	struct link_choices *c, const struct nl_links *links, const struct remembered_list *list)
{
	int rc = 0;

	for (size_t i = 0; i < links->n && !rc; i++) {
		const struct remembered *r = remembered_find(list, links->v[i].name);

		if (r && nl_can_filter(&links->v[i]))
			rc = choices_add(c, &links->v[i], r->mode);
	}
	return rc;
}

int choices_remember(struct link_choices *c, struct diag *diag)
{
	struct remembered_list list;
	int rc = remembered_load(&list, diag);

	for (size_t i = 0; i < c->n && !rc; i++) {
		if (remembered_find(&list, c->v[i].link->name))
			continue;
		rc = remembered_add(&list, c->v[i].link->name, c->v[i].mode);
		c->v[i].remembered = !rc;
	}
	if (!rc)
		rc = remembered_save(&list, diag);
	remembered_free(&list);
	return rc;
}

void choices_free(struct link_choices *c)
{
	free(c->v);
	*c = (struct link_choices){};
}
