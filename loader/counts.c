// SPDX-License-Identifier: GPL-2.0-only
#include "counts.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int add(struct rule_counts *c, uint32_t rule, uint64_t packets, uint64_t bytes)
{
	if (c->n == c->room) {
		size_t room = c->room ? c->room * 2 : 256;
		struct rule_count *v = realloc(c->v, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		c->v = v;
		c->room = room;
	}
	c->v[c->n++] = (struct rule_count){ rule, packets, bytes };
	return 0;
}

static int add_elem(const union filter_elem *elem, int family, void *arg)
{
	const struct bp_elem *e = &elem->e;
	uint32_t rule = e->rule ? e->rule : table_gone_rule(elem);

	(void)family;
	return e->bytes ? add(arg, rule, e->packets, e->bytes) : 0;
}

int counts_add_table(struct rule_counts *c, const struct table *table)
{
	return table_walk_gone(table, add_elem, c);
}

/* 1: the one behind `previous`; 0: there is none. */
static int next_count(int fd, const __u32 *previous, __u32 *id, struct bp_count *count)
{
	if (bpf_map_get_next_key(fd, previous, id))
		return errno == ENOENT ? 0 : -errno;
	return bpf_map_lookup_elem(fd, id, count) ? -errno : 1;
}

int counts_add_map(struct rule_counts *c, int fd)
{
	__u32 id, *previous = NULL;
	struct bp_count count;
	int rc = 0;

	while (!rc && (rc = next_count(fd, previous, &id, &count)) == 1) {
		rc = add(c, id, count.packets, count.bytes);
		previous = &id;
	}
	return rc;
}

int counts_add(struct rule_counts *c, const struct rule_counts *other)
{
	int rc = 0;

	for (size_t i = 0; i < other->n && !rc; i++)
		rc = add(c, other->v[i].rule, other->v[i].packets, other->v[i].bytes);
	return rc;
}

static int by_rule(const void *a, const void *b)
{
	const struct rule_count *x = a, *y = b;

	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

void counts_sum(struct rule_counts *c)
{
	size_t kept = 0;

	if (c->n)
		qsort(c->v, c->n, sizeof(c->v[0]), by_rule);
	for (size_t i = 0; i < c->n; i++) {
		if (kept && c->v[kept - 1].rule == c->v[i].rule) {
			c->v[kept - 1].packets += c->v[i].packets;
			c->v[kept - 1].bytes += c->v[i].bytes;
		} else {
			c->v[kept++] = c->v[i];
		}
	}
	c->n = kept;
}

const struct rule_count *counts_find(const struct rule_counts *counts, uint32_t rule)
{
	const struct rule_count key = { .rule = rule };

	return counts->n ? bsearch(&key, counts->v, counts->n, sizeof(key), by_rule) : NULL;
}

void counts_keep(struct rule_counts *c, const uint32_t *ids, size_t n)
{
	size_t kept = 0, at = 0;

	for (size_t i = 0; i < c->n; i++) {
		while (at < n && ids[at] < c->v[i].rule)
			at++;
		if (at < n && ids[at] == c->v[i].rule)
			c->v[kept++] = c->v[i];
	}
	c->n = kept;
}

int counts_to_map(const struct rule_counts *c)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, COUNTS_MAP, sizeof(__u32),
		sizeof(struct bp_count), c->n ? c->n : 1, &opts);
	int rc = fd < 0 ? -errno : 0;

	for (size_t i = 0; i < c->n && !rc; i++) {
		struct bp_count count = { c->v[i].packets, c->v[i].bytes };

		if (bpf_map_update_elem(fd, &c->v[i].rule, &count, BPF_ANY))
			rc = -errno;
	}
	if (rc && fd >= 0)
		close(fd);
	return rc ? rc : fd;
}
