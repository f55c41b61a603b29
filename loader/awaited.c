// SPDX-License-Identifier: GPL-2.0-only
#include "awaited.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clocks.h"
#include "moment.h"

#define SECOND 1000000000ULL /* ns */

bool awaited_is_stored(const struct generation *gen)
{
	const struct bp_tables *t = gen ? gen->table.tables : NULL;

	return t && store_unchanged(t->state_inode, t->state_mtime, t->journal);
}

bool awaited_is_known(const struct kernel *k)
{
	const struct generation *gen = k && kernel_awaits(k) ? kernel_on_trial(k) : NULL;
	const struct bp_tables *t = gen ? gen->table.tables : NULL;

	/* A disk that does not say is no other store: the kernel's word counts. */
	return t && store_compare(t->state_inode, t->state_mtime, t->journal);
}

/* What is in force is what the store goes back to. */
static bool is_before(const struct generation *gen, const struct store *s)
{
	const struct bp_tables *t = gen ? gen->table.tables : NULL;
	uint64_t inode, mtime, journal;

	if (!s->previous || !t)
		return !s->previous && !t;
	store_stat_before(s, &inode, &mtime, &journal);
	return inode && t->state_inode == inode && t->state_mtime == mtime && t->journal == journal;
}

bool awaited_is_back(const struct kernel *k, const struct store *s)
{
	return s->taking_back && awaited_is_known(k) && !kernel_time_left(k) && k->gen &&
	       !k->gen->table.tables->dirty && is_before(k->gen, s);
}

/* It is confirmed, which is only not written there yet. */
static bool is_kept(const struct kernel *k)
{
	return awaited_is_known(k) && kernel_is_kept(k);
}

uint64_t awaited_left(const struct kernel *k, const struct store *s)
{
	struct moment now;

	if (!s->confirm.seconds || is_kept(k))
		return 0;
	if (awaited_is_known(k))
		return kernel_time_left(k);
	moment_now(&now);
	return confirm_left(&s->confirm, &now);
}

bool awaited_ended(const struct store *s, char text[AWAITED_ENDED])
{
	uint64_t now = wall_clock();

	if (!s->back || !s->went_back || s->went_back > now || s->undo)
		return false;
	snprintf(text, AWAITED_ENDED, "the last change went back by itself %" PRIu64 " s ago",
		now - s->went_back);
	return true;
}

uint64_t in_seconds(uint64_t ns)
{
	return (ns + SECOND - 1) / SECOND;
}

/* The change stays: better than nothing at all. */
static int keep_for_good(struct store *s, struct diag *diag)
{
	s->confirm = (struct confirm){};
	s->untidy = s->stays = true;
	diag_to_warning(diag, "what was in force before is LOST, so that the last change cannot go "
			      "back any more: it stays");
	return 0;
}

/* What cannot be read now may be read a moment later: that is no reason to keep what was tried. */
static int unread(int rc, struct diag *diag)
{
	char why[sizeof(diag->message)];

	snprintf(why, sizeof(why), "%.500s",
		diag->kind == DIAG_NONE ? strerror(-rc) : diag->message);
	return diag_set(diag, DIAG_SYSTEM, -rc,
		"what was in force before the last change, which was not confirmed, cannot be read "
		"now: %s; if that stays so move the file away, and the change is kept",
		why);
}

/*
 * When it went back by itself, in seconds since 1970. The kernel knows best: it may have been held
 * for a confirmation that came to nothing.
 */
static uint64_t when(const struct kernel *k, const struct store *s)
{
	struct confirm c = s->confirm;
	struct moment now;

	moment_now(&now);
	if (awaited_is_known(k)) {
		c.by = now;
		c.by.boot = k->ctl->confirm_by;
	}
	return confirm_over(&c, &now);
}

/*
 * Somebody took it back, which could not be written then (kernel_go_back()): the kernel's time is
 * never over before the store's otherwise. After a boot in it the two cannot be compared.
 */
static bool by_hand(const struct kernel *k, const struct store *s)
{
	struct moment now;

	moment_now(&now);
	return awaited_is_known(k) && !strcmp(now.boot_id, s->confirm.by.boot_id) &&
	       k->ctl->confirm_by < s->confirm.by.boot;
}

void awaited_for_now(struct store *s)
{
	s->for_now = true;
	s->inode = 0; /* never in step: the next command reads it again */
}

int awaited_check(const struct kernel *k, struct store *s, struct diag *diag)
{
	int rc;

	if (!s->confirm.seconds || s->for_now || is_kept(k) || awaited_left(k, s))
		return 0;
	rc = store_take_back(s, by_hand(k, s) ? 0 : when(k, s), diag);
	if (!rc)
		s->asked = false; /* not now */
	if (!rc || rc == -ENOMEM)
		return rc;
	return store_is_damage(rc) ? keep_for_good(s, diag) : unread(rc, diag);
}

bool awaited_stands(struct kernel *k)
{
	if (!awaited_is_known(k))
		return false;
	kernel_on_trial(k)->table.tables->dirty = 0; /* nothing changes it now */
	return true;
}

static int load_before(const struct store *s, struct store **before, struct diag *diag)
{
	int rc = store_load_before(s, before, diag);

	if (!rc)
		rc = store_read_copies(*before, diag);
	if (!rc)
		store_stat_before(s, &(*before)->inode, &(*before)->mtime, &(*before)->journal);
	if (!rc)
		(*before)->confirm = (struct confirm){};
	else
		store_free(before);
	return rc;
}

int awaited_before(
	const struct kernel *k, struct store *s, struct store **before, struct diag *diag)
{
	int rc = is_before(k->gen, s) ? 0 : load_before(s, before, diag);

	if (!rc || rc == -ENOMEM)
		return rc;
	if (store_is_damage(rc))
		return keep_for_good(s, diag);
	if (k->gen)
		return rc; /* what judges is better than that */
	awaited_for_now(s);
	diag_to_warning(diag, "the last change does not go back by itself until a command can read "
			      "what was before");
	return 0;
}
