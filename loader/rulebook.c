// SPDX-License-Identifier: GPL-2.0-only
#include "rulebook.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "fault.h"
#include "held_ask.h"
#include "lock.h"
#include "moment.h"

/* ms until the agent is asked again about what nobody knows */
#define ASK_SOON 100 /* where there was none, or not ready */
#define ASK 1000
#define ASK_SELDOM 30000 /* where it hangs: that took seconds */

static int by_id(const void *a, const void *b)
{
	const struct rule *x = *(const struct rule *const *)a, *y = *(const struct rule *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void take(struct rulebook *book, const struct policy *policy)
{
	for (size_t i = 0; policy && i < policy->n; i++)
		book->v[book->n++] = policy->rules[i];
}

/* The two are the book's from here on if that works. */
static int index_rules(struct rulebook *book, struct store *store, struct policy *held)
{
	size_t n = (store->policy ? store->policy->n : 0) + (held ? held->n : 0);
	struct rulebook new = {
		.store = store, .held = held, .ask_at = book->ask_at, .asked = book->asked
	};

	new.v = calloc(n + 1, sizeof(*new.v));
	if (!new.v)
		return -ENOMEM;
	take(&new, store->policy);
	take(&new, held);
	if (n)
		qsort(new.v, n, sizeof(*new.v), by_id);
	if (book->store != store)
		store_free(&book->store);
	if (book->held != held)
		policy_free(&book->held);
	free(book->v);
	*book = new;
	return 0;
}

/* Those that are not all known would be shown as what they are not. */
static void forget_untold(const struct host *host)
{
	struct policy *policy = host->store->policy;

	for (size_t i = policy ? policy->n : 0; i--;)
		if (host->untold && host->untold[i])
			policy_remove(policy, i);
}

/* Where the store cannot be used, what the kernel tells. */
static int load(bool again, struct store **store, struct diag *diag)
{
	struct host host = {};
	int rc = host_open_to_look(&host, diag);

	if (!rc)
		rc = fault_store(&host, false, diag);
	if (!rc) {
		forget_untold(&host);
		if (!again)
			fault_warn(&host, diag);
		*store = host.store;
		host.store = NULL;
	}
	host_close(&host);
	return rc;
}

/* Its trial has ended, which the kernel sees to, and nobody has written that yet. */
static bool is_over(const struct store *s)
{
	struct moment now;

	moment_now(&now);
	return s->confirm.seconds && !confirm_left(&s->confirm, &now);
}

int rulebook_look(struct rulebook *book, struct diag *diag)
{
	const struct store *s = book->store;
	struct store *new = NULL;
	int rc;

	if (s && store_unchanged(s->inode, s->mtime, s->journal) && !is_over(s))
		return 0;
	rc = lock_try(diag);
	if (rc == -EAGAIN && s)
		return 0;
	if (rc == -EAGAIN)
		rc = lock_take(diag);
	if (rc)
		return rc;
	rc = load(s, &new, diag);
	lock_release();
	if (!rc)
		rc = index_rules(book, new, book->held);
	if (rc)
		store_free(&new);
	return rc;
}

/* Ids rise: one above all that were asked about may be of a rule that came since. */
static void ask(struct rulebook *book, uint32_t id, struct diag *diag)
{
	uint64_t now = clock_ms();
	struct policy *held = NULL;
	int rc;

	if ((now < book->ask_at && id <= book->asked) || !book->store)
		return;
	rc = held_ask(false, &held, diag);
	book->ask_at = clock_ms() + (!rc ? ASK : rc == -ETIMEDOUT ? ASK_SELDOM : ASK_SOON);
	book->asked = rc == -ETIMEDOUT ? UINT32_MAX : id;
	if (!rc && index_rules(book, book->store, held))
		policy_free(&held);
}

const struct rule *rulebook_find(const struct rulebook *book, uint32_t id)
{
	const struct rule key = { .id = id }, *at = &key;
	const struct rule **found =
		book->n ? bsearch(&at, book->v, book->n, sizeof(*book->v), by_id) : NULL;

	return found ? *found : NULL;
}

void rulebook_know(struct rulebook *book, uint32_t id)
{
	struct diag diag = {};

	if (!id || rulebook_find(book, id))
		return;
	rulebook_look(book, &diag);
	if (!rulebook_find(book, id))
		ask(book, id, &diag);
	diag_free(&diag);
}

void rulebook_free(struct rulebook *book)
{
	free(book->v);
	store_free(&book->store);
	policy_free(&book->held);
	*book = (struct rulebook){};
}
