// SPDX-License-Identifier: GPL-2.0-only
/* The ids of the rules that are held: given out, and what is found by them. */
#include "held_parts.h"
#include "host.h"
#include "lock.h"
#include "pairs.h"

#define FIRST_BATCH 16 /* a change of the store each, so that more are taken the next time */
#define MOST_BATCH 4096

static int reserve(struct held *h, uint32_t batch, struct diag *diag)
{
	struct host host = {};
	uint32_t first, skipped;
	int rc = host_open(&host, HOST_TEND, diag);

	host.agent = true;
	if (!rc)
		rc = host_reserve_ids(&host, batch, &first, diag);
	if (!rc && first < h->end_id) { /* the store began anew: past those that it knows not of */
		rc = host_reserve_ids(&host, h->end_id - first, &skipped, diag);
		first = h->next_id = h->end_id;
	}
	host_close(&host);
	if (rc)
		return rc;
	if (first != h->end_id)
		h->next_id = first; /* what was left of those before is never given */
	h->end_id = first + batch;
	return 0;
}

int held_reserve(struct held *h, uint32_t n, struct diag *diag)
{
	uint32_t batch = h->batch ? h->batch : FIRST_BATCH;
	int rc;

	if (h->end_id - h->next_id >= n)
		return 0;
	rc = lock_try(diag);
	if (rc)
		return rc;
	rc = reserve(h, batch > n ? batch : n, diag);
	lock_release();
	if (!rc)
		h->batch = batch < MOST_BATCH ? 2 * batch : batch;
	return rc;
}

ptrdiff_t held_find_id(const struct held *h, uint32_t id)
{
	size_t low = 0, high = h->rules->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->rules->rules[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < h->rules->n && h->rules->rules[low]->id == id ? (ptrdiff_t)low : -1;
}

/* The tables know a rule in microseconds; of a list they know what it holds, and not its name. */
ptrdiff_t held_find_same(const struct held *h, const struct rule *rule, int action)
{
	uint32_t id;

	if (rule_has_list(rule))
		return policy_find_same(h->rules, rule, action, 0);
	return dynamic_find(h->d, rule, action, &id) ? -1 : held_find_id(h, id);
}
