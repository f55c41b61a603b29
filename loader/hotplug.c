// SPDX-License-Identifier: GPL-2.0-only
#include "hotplug.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "env.h"
#include "held.h"
#include "hotplug_parts.h"
#include "lock.h"

#define STRETCH 100	 /* ms that the lock is held for attaching; others wait for it */
#define AGAIN_MOST 60000 /* ms until an interface that cannot be filtered is tried again */
#define AGAIN "what leaves is filtered again" /* where the first half was there */

/* What there is, at one moment. */
struct sight {
	struct nl_links links;
	struct remembered_list remembered;
	struct attached_list attached, strays;
	uint64_t now;
	size_t due; /* how many are to be attached now */
};

static struct followed *followed_find(struct hotplug *hp, int ifindex)
{
	for (size_t i = 0; i < hp->n; i++)
		if (hp->v[i].ifindex == ifindex)
			return &hp->v[i];
	return NULL;
}

static struct followed *follow(struct hotplug *hp, const struct nl_link *link)
{
	struct followed *v = followed_find(hp, link->ifindex);

	if (v)
		return v;
	v = realloc(hp->v, (hp->n + 1) * sizeof(*v));
	if (!v)
		return NULL;
	hp->v = v;
	v += hp->n++;
	*v = (struct followed){ .ifindex = link->ifindex, .is.how = ATTACH_NONE };
	memcpy(v->name, link->name, sizeof(v->name));
	snprintf(v->why, sizeof(v->why), AGAIN);
	return v;
}

static bool is_whole(const struct attached *a)
{
	return a->how != ATTACH_NONE && a->out != TC_NONE;
}

/* As it stands in the list. */
static struct attached seen_at(const struct attached_list *list, int ifindex)
{
	const struct attached *a = attached_find(list, ifindex);

	return a ? *a : (struct attached){ .ifindex = ifindex, .how = ATTACH_NONE };
}

/* Interfaces last: what is attached to one that is not among them has lost it. */
static int sight_take(struct sight *s, struct diag *diag)
{
	int rc = attached_see(&s->attached, &s->strays, diag);

	if (!rc)
		rc = remembered_load(&s->remembered, diag);
	if (!rc)
		rc = nl_links_list(&s->links);
	if (rc && diag->kind == DIAG_NONE)
		diag_errno(diag, -rc, "cannot list the interfaces");
	return rc;
}

static void sight_free(struct sight *s)
{
	free(s->attached.v);
	free(s->strays.v);
	remembered_free(&s->remembered);
	nl_links_free(&s->links);
}

/* Whether it is off: if not, the next look tries again. */
static bool take_off(struct hotplug *hp, int ifindex)
{
	struct diag diag = {};
	int rc = detach_link(ifindex, &diag);

	if (rc)
		hotplug_complain(hp, "what was attached cannot be taken off", rc, &diag);
	else
		hp->detached++;
	diag_free(&diag);
	return !rc;
}

/*
 * One that is gone for good leaves dead pins, of a number that another one may have by now; one
 * that was moved away takes our programs along.
 */
static void let_go(struct hotplug *hp, const struct sight *s)
{
	for (size_t i = 0; i < s->attached.n; i++) {
		int ifindex = s->attached.v[i].ifindex;
		const struct followed *f = followed_find(hp, ifindex);

		if (!nl_by_index(&s->links, ifindex) && take_off(hp, ifindex))
			hotplug_say(
				"%s: it has left this network namespace, and is not filtered there",
				f ? f->name : "an interface");
	}
	for (size_t i = 0; i < s->strays.n; i++) {
		int ifindex = s->strays.v[i].ifindex;
		const struct followed *f = followed_find(hp, ifindex);

		if (attached_find(&s->attached, ifindex))
			continue;
		if (take_off(hp, ifindex) && !nl_by_index(&s->links, ifindex))
			hotplug_say("%s: it is gone", f ? f->name : "an interface");
	}
}

/*
 * Another name, which may not be one to be filtered. Only what was seen under a name that was is
 * taken off: a list of names that was lost must not open the host.
 */
static void rename_to(struct hotplug *hp, const struct sight *s, struct followed *f,
	const struct nl_link *link, bool wanted)
{
	if (!strcmp(f->name, link->name))
		return;
	if (!wanted && attached_find(&s->attached, f->ifindex)) {
		if (!take_off(hp, f->ifindex))
			return;
		hotplug_say("%s: it is called %s now, which is not to be filtered: taken off",
			f->name, link->name);
	} else {
		hotplug_say("%s: it is called %s now", f->name, link->name);
	}
	memcpy(f->name, link->name, sizeof(f->name));
}

static void forget_unseen(struct hotplug *hp)
{
	size_t kept = 0;

	for (size_t i = 0; i < hp->n; i++)
		if (hp->v[i].seen)
			hp->v[kept++] = hp->v[i];
	hp->n = kept;
}

/* Something that decides about attaching is another than at the last try. */
static bool has_changed(const struct followed *f, const struct nl_link *link)
{
	bool ours = f->is.how == ATTACH_NATIVE || f->is.how == ATTACH_GENERIC;

	return f->mtu != link->mtu || (!ours && f->xdp_prog != link->xdp_prog) || f->up != link->up;
}

static bool is_due(const struct followed *f, const struct nl_link *link, uint64_t now)
{
	return !f->tries || now >= f->again || has_changed(f, link);
}

/* Brings what is followed up to date. */
static int compare(struct hotplug *hp, struct sight *s)
{
	s->due = 0;
	hp->filtered = hp->failing = 0;
	for (size_t i = 0; i < hp->n; i++)
		hp->v[i].seen = false;
	let_go(hp, s);
	for (size_t i = 0; i < s->links.n; i++) {
		const struct nl_link *link = &s->links.v[i];
		bool wanted = nl_can_filter(link) && remembered_find(&s->remembered, link->name);
		struct followed *f = followed_find(hp, link->ifindex);

		if (f)
			rename_to(hp, s, f, link, wanted);
		if (!wanted)
			continue;
		f = follow(hp, link);
		if (!f)
			return -ENOMEM;
		f->seen = true;
		f->is = seen_at(&s->attached, link->ifindex);
		if (is_whole(&f->is)) {
			f->held = true;
			f->tries = 0;
			hp->filtered++;
		} else if (is_due(f, link, s->now)) {
			s->due++;
		} else {
			hp->failing++;
		}
	}
	forget_unseen(hp);
	return 0;
}

static void not_filtered(struct hotplug *hp, struct followed *f, const struct nl_link *link,
	bool first, int rc, const struct diag *diag)
{
	int is = env_ifindex(link->name, NULL);

	/* It went while we looked: the next look knows. */
	if (is >= 0 && is != link->ifindex)
		return;
	hp->failing++;
	if (first)
		hotplug_say("bpfpol: warning: %s%s is NOT filtered: %s",
			f->is.how == ATTACH_NONE ? "" : "what leaves ", link->name,
			diag->kind != DIAG_NONE ? diag->message : strerror(-rc));
}

static void filtered(
	struct hotplug *hp, const struct followed *f, const struct nl_link *link, bool first)
{
	hp->filtered++;
	hp->attached += !f->held;
	hp->put_back += f->held;
	if (first)
		hotplug_say("%s: %s%s (%s)", link->name,
			f->held ? "somebody took it off; it is filtered again: " : "",
			attach_mode_text(f->is.how), f->why);
}

/* The try is over. */
static void end_try(struct hotplug *hp, struct followed *f, const struct nl_link *link,
	uint64_t now, int rc, const struct diag *diag)
{
	bool first = !f->tries || has_changed(f, link);

	if (rc)
		not_filtered(hp, f, link, first, rc, diag);
	else
		filtered(hp, f, link, first);
	f->mtu = link->mtu;
	f->xdp_prog = link->xdp_prog;
	f->up = link->up;
	f->held = !rc && is_whole(&f->is);
	f->again = now + (f->tries < 6 ? 1000ULL << f->tries : AGAIN_MOST);
	f->tries = f->held ? 0 : f->tries + 1;
	snprintf(f->why, sizeof(f->why), AGAIN);
}

enum half { ARRIVING, LEAVING };

static int attach_half(struct hotplug *hp, const struct sight *s, const struct host *host,
	struct followed *f, const struct nl_link *link, enum half half)
{
	struct diag diag = {};
	int rc = 0;

	if (half == ARRIVING)
		rc = attach_arriving(host->kernel, link,
			remembered_find(&s->remembered, link->name)->mode, &f->is, f->why,
			sizeof(f->why), &diag);
	if (!rc && (half == LEAVING || f->is.out != TC_NONE)) {
		half = LEAVING;
		rc = attach_leaving(host->kernel, link, &f->is, f->why, sizeof(f->why), &diag);
	}
	if (rc || half == LEAVING)
		end_try(hp, f, link, s->now, rc, &diag);
	diag_free(&diag);
	return rc == -ENOMEM ? rc : 0;
}

/* Of those that are due, as many as there is time for. *more: some are left. */
static int attach_halves(struct hotplug *hp, const struct sight *s, const struct host *host,
	enum half half, uint64_t begun, bool *more)
{
	int rc = 0;

	for (size_t i = 0; i < s->links.n && !rc; i++) {
		const struct nl_link *link = &s->links.v[i];
		struct followed *f = followed_find(hp, link->ifindex);

		if (!f || is_whole(&f->is) || !is_due(f, link, s->now) ||
			(half == ARRIVING) != (f->is.how == ATTACH_NONE))
			continue;
		*more = clock_ms() - begun > STRETCH;
		if (*more)
			return 0;
		f->is.crowd = hp->crowd;
		rc = attach_half(hp, s, host, f, link, half);
	}
	return rc;
}

/*
 * What arrives on each of them first, as what leaves may take the kernel some 11 ms each. However
 * long the look was, each look gets on.
 */
static int attach_due(
	struct hotplug *hp, const struct sight *s, const struct host *host, bool *more)
{
	uint64_t begun = clock_ms();
	int rc = attach_halves(hp, s, host, ARRIVING, begun, more);

	return rc || *more ? rc : attach_halves(hp, s, host, LEAVING, begun, more);
}

/* Where rules are in force, those of before are better than none. */
static int act(
	struct hotplug *hp, struct sight *s, struct host *host, bool *more, struct diag *diag)
{
	int rc = compare(hp, s);

	hp->crowd |= s->due > ATTACH_CROWD;
	if (!rc && (s->due || (host->kernel && host->kernel->gen)))
		rc = hotplug_put_in_force(hp, host, s->now, diag);
	if (rc && rc != -ENOMEM && host->kernel && host->kernel->gen) {
		hotplug_complain(hp, "the rules on disk could not be put in force", rc, diag);
		diag_clear(diag);
		rc = 0;
	}
	if (rc || !s->due)
		return rc;
	rc = host_kernel(host, diag);
	if (!rc)
		rc = attach_adopt(host->kernel, NULL, diag);
	return rc ? rc : attach_due(hp, s, host, more);
}

/* Nothing of ours is filtered, so nobody took it off. */
static void rest(struct hotplug *hp)
{
	for (size_t i = 0; i < hp->n; i++)
		hp->v[i].held = false;
	hp->filtered = hp->failing = 0;
}

/* A younger program has taken over: it would not do to undo what it did. */
static bool is_foreign(const struct hotplug *hp, const struct host *host)
{
	return !host->kernel && hp->began && kernel_is_pinned();
}

static int look(struct hotplug *hp, uint64_t now, bool *more, struct diag *diag)
{
	struct sight s = { .now = now };
	struct host host = {};
	int rc = host_open(&host, HOST_TEND, diag);

	host.agent = true;
	host.unguarded = true; /* what was decided before is in force where interfaces come */
	if (!rc && hp->held)
		held_lend(hp->held, host.kernel);
	if (!rc)
		hp->foreign = is_foreign(hp, &host);
	if (!rc && host.off && !host.off_left) {
		rest(hp);
	} else if (!rc && !hp->foreign) {
		rc = sight_take(&s, diag);
		hp->pace.took = clock_ms() - now;
		if (!rc)
			rc = act(hp, &s, &host, more, diag);
	}
	if (hp->held)
		held_follow(hp->held, host.kernel);
	sight_free(&s);
	host_close(&host);
	return rc;
}

void hotplug_run(struct hotplug *hp, uint64_t now)
{
	struct diag diag = {};
	bool more = false;
	int rc;

	if (pace_wait(&hp->pace, now))
		return;
	rc = lock_try(&diag);
	if (rc == -EAGAIN) {
		pace_busy(&hp->pace, now);
		return;
	}
	hp->pace.put_off = false;
	if (!rc)
		rc = look(hp, now, &more, &diag);
	hp->crowd &= more;
	lock_release();
	/* So many come and go that no list of them was ever whole: again, and soon. */
	if (rc == -EINTR)
		more = true;
	else if (rc)
		hotplug_complain(hp, "interfaces are not followed now", rc, &diag);
	else
		hp->trouble[0] = '\0';
	hotplug_pass_on(hp, &diag);
	diag_free(&diag);
	pace_looked(&hp->pace, clock_ms(), more);
	hp->settled |= !more;
	hp->began = true;
	hp->looks++;
}

void hotplug_event(struct hotplug *hp)
{
	hp->lost_events += nl_watch_read(hp->fd) == -ENOBUFS;
	pace_event(&hp->pace);
}

int hotplug_wait(const struct hotplug *hp, uint64_t now)
{
	return pace_wait(&hp->pace, now);
}

int hotplug_open(struct hotplug *hp, struct diag *diag)
{
	*hp = (struct hotplug){ .fd = nl_watch_open() };
	return hp->fd >= 0 ? 0 : diag_errno(diag, errno, "cannot watch the interfaces");
}

void hotplug_close(struct hotplug *hp)
{
	close(hp->fd);
	free(hp->v);
}
