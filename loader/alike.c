// SPDX-License-Identifier: GPL-2.0-only
#include "alike.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mix.h"

/* Room for one more. NULL: no memory, and v stands. */
static void *grow(void *v, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return v;
	v = reallocarray(v, *room ? 2 * *room : 16, size);
	if (v)
		*room = *room ? 2 * *room : 16;
	return v;
}

int mentions_add(
	struct mentions *m, const struct prefix *within, const struct prefix *prefix, uint32_t who)
{
	struct mention *v;

	if (!prefix_holds(within, prefix->family, prefix->bytes) &&
		!prefix_holds(prefix, within->family, within->bytes))
		return 0;
	v = grow(m->v, m->n, &m->room, sizeof(*v));
	if (!v)
		return -ENOMEM;
	m->v = v;
	v[m->n++] = (struct mention){ .prefix = *prefix, .who = who };
	return 0;
}

/* --- addresses as numbers --- */

static int bytes_of(int family)
{
	return family == 4 ? 4 : 16;
}

static struct prefix last_of(const struct prefix *p)
{
	struct prefix last = *p;

	for (int bit = p->len; bit < 8 * bytes_of(p->family); bit++)
		last.bytes[bit / 8] |= 0x80 >> bit % 8;
	return last;
}

/* False: there is none. */
static bool next_address(struct prefix *p)
{
	for (int i = bytes_of(p->family); i--;)
		if (++p->bytes[i])
			return true;
	return false;
}

static int order(const struct prefix *a, const struct prefix *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* --- the sweep: prefixes that hold an address are nested, and stand on a stack --- */

struct level {
	struct mentioned by;
	struct prefix last;
};

struct sweep {
	struct hosts *hosts;
	struct level *stack;
	size_t depth, room;
	struct prefix at; /* up to there all is sorted out */
	bool done;	  /* there is no address beyond */
	uint32_t *seen;	  /* for each who, in which class */
	uint32_t round;
	uint64_t *known; /* classes by their hash; 0: free */
	size_t n_known;	 /* a power of two */
};

static int note(struct hosts *h, const struct mentioned *by)
{
	struct mentioned *v = grow(h->by, h->n_by, &h->room_by, sizeof(*v));

	if (!v)
		return -ENOMEM;
	h->by = v;
	v[h->n_by++] = *by;
	return 0;
}

/* Adds who speaks of the address, the longest first; *hash tells the class. */
static int note_all(struct sweep *s, uint64_t *hash)
{
	int rc = 0;

	*hash = 1;
	s->round++;
	for (size_t i = s->depth; i-- && !rc;) {
		const struct mentioned *by = &s->stack[i].by;

		if (s->seen[by->who] == s->round)
			continue;
		s->seen[by->who] = s->round;
		*hash = mix(mix(*hash, by->who), by->len);
		rc = note(s->hosts, by);
	}
	return rc;
}

static bool is_known(struct sweep *s, uint64_t hash)
{
	size_t i = hash & (s->n_known - 1);

	hash += !hash;
	for (; s->known[i]; i = (i + 1) & (s->n_known - 1))
		if (s->known[i] == hash)
			return true;
	s->known[i] = hash;
	return false;
}

static bool is_nobody(const struct sweep *s)
{
	for (size_t i = 0; i < s->depth; i++)
		if (s->stack[i].by.who == NOBODY)
			return true;
	return false;
}

/* The hosts from s->at on, of which all on the stack speak. */
static int add_class(struct sweep *s)
{
	struct hosts *h = s->hosts;
	struct host_class *v;
	size_t first = h->n_by;
	uint64_t hash;
	int rc;

	if (is_nobody(s))
		return 0;
	rc = note_all(s, &hash);
	if (rc)
		return rc;
	if (is_known(s, hash)) {
		h->n_by = first;
		return 0;
	}
	v = grow(h->v, h->n, &h->room, sizeof(*v));
	if (!v)
		return -ENOMEM;
	h->v = v;
	v[h->n] = (struct host_class){ .host = s->at, .first = first, .n = h->n_by - first };
	v[h->n++].host.len = 8 * bytes_of(s->at.family);
	return 0;
}

/* Up to and with that address. */
static int sweep_to(struct sweep *s, const struct prefix *last)
{
	int rc;

	if (s->done || order(&s->at, last) > 0)
		return 0;
	rc = add_class(s);
	s->at = *last;
	s->done = !next_address(&s->at);
	return rc;
}

/* Those that end before that address; NULL: all. */
static int pop(struct sweep *s, const struct prefix *before)
{
	int rc = 0;

	while (s->depth && !rc) {
		const struct prefix *last = &s->stack[s->depth - 1].last;

		if (before && order(last, before) >= 0)
			break;
		rc = sweep_to(s, last);
		s->depth--;
	}
	return rc;
}

static int push(struct sweep *s, const struct mention *m, const struct prefix *end)
{
	struct prefix last = last_of(&m->prefix);
	struct level *v = grow(s->stack, s->depth, &s->room, sizeof(*v));

	if (!v)
		return -ENOMEM;
	s->stack = v;
	v[s->depth++] = (struct level){
		.by = { .who = m->who, .len = m->prefix.len },
		.last = order(&last, end) > 0 ? *end : last,
	};
	return 0;
}

/* Those between the last prefix and the one that begins there. */
static int sweep_before(struct sweep *s, const struct prefix *start)
{
	struct prefix at = s->at;
	int rc;

	if (s->done || order(&at, start) >= 0)
		return 0;
	rc = add_class(s);
	s->at = *start;
	return rc;
}

static int sweep(struct sweep *s, const struct mentions *m, const struct prefix *end)
{
	int rc = 0;

	for (size_t i = 0; i < m->n && !rc; i++) {
		rc = pop(s, &m->v[i].prefix);
		if (!rc)
			rc = sweep_before(s, &m->v[i].prefix);
		if (!rc)
			rc = push(s, &m->v[i], end);
	}
	if (!rc)
		rc = pop(s, NULL);
	return rc ? rc : sweep_to(s, end);
}

static int by_prefix(const void *a, const void *b)
{
	const struct mention *x = a, *y = b;
	int cmp = prefix_cmp(&x->prefix, &y->prefix);

	return cmp ? cmp : x->who < y->who ? -1 : x->who > y->who;
}

int hosts_sort_out(const struct prefix *within, struct mentions *m, uint32_t n, struct hosts *hosts)
{
	const struct prefix end = last_of(within);
	struct sweep s = { .hosts = hosts, .at = *within, .n_known = 4 };
	int rc = -ENOMEM;

	*hosts = (struct hosts){};
	while (s.n_known < 4 * (m->n + 1))
		s.n_known *= 2;
	s.known = calloc(s.n_known, sizeof(*s.known));
	s.seen = calloc(n + 1, sizeof(*s.seen));
	if (m->n)
		qsort(m->v, m->n, sizeof(*m->v), by_prefix);
	if (s.known && s.seen)
		rc = sweep(&s, m, &end);
	free(s.known);
	free(s.seen);
	free(s.stack);
	if (rc)
		hosts_free(hosts);
	return rc;
}

void hosts_free(struct hosts *hosts)
{
	free(hosts->v);
	free(hosts->by);
	*hosts = (struct hosts){};
}
