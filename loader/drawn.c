// SPDX-License-Identifier: GPL-2.0-only
#include "drawn.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* From the filters so many packets, from elsewhere so many: each of those counts that many times.
 */
#define OWN 1024
#define STRANGERS 256
#define STRANGER_COUNTS 2
#define PACKETS (OWN + STRANGERS)

/* Views of all packets under one mask. Those of more masks than that are made again: 16 MB. */
#define SLOTS 1024
#define MOST_VIEWS 1024
#define BUCKET_BITS 10
#define BUCKETS (1 << BUCKET_BITS)

struct packet {
	uint64_t remote[2], local[2]; /* network order, as they lie in memory */
	uint16_t rport, lport;
	uint8_t proto;
	bool stranger;
	uint64_t rank; /* of the filter that it is drawn from: what is below does not win */
};

/*
 * The packets' keys under a mask, sorted; equal ones by the packets' numbers: the key in the upper
 * half, the number in the lower. first: where keys of those upper bits begin. before: what all that
 * stand before count together.
 */
struct view {
	struct mask mask;
	struct view *next;
	uint64_t keys[PACKETS];
	uint16_t before[PACKETS + 1];
	uint16_t first[BUCKETS + 1];
};

struct drawn {
	struct packet packets[PACKETS]; /* by rising rank */
	size_t n;
	struct view *slots[SLOTS];
	size_t n_views;
	uint64_t random;
};

/* A mask as words, like a packet's fields. */
struct words {
	uint64_t remote[2], local[2], ports, proto;
};

/* SplitMix64, from a beginning that is always the same. */
static uint64_t draw_word(struct drawn *d)
{
	uint64_t z = d->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void mask_words(unsigned int len, uint64_t *words)
{
	uint8_t bytes[16] = { 0 };

	memset(bytes, 0xff, len / 8);
	if (len % 8)
		bytes[len / 8] = 0xff00 >> len % 8;
	memcpy(words, bytes, sizeof(bytes));
}

static void draw_address(struct drawn *d, const uint8_t *prefix, unsigned int len, uint64_t *to)
{
	uint64_t kept[2], mask[2];

	memcpy(kept, prefix, sizeof(kept));
	mask_words(len, mask);
	for (int i = 0; i < 2; i++)
		to[i] = (kept[i] & mask[i]) | (draw_word(d) & ~mask[i]);
}

static uint16_t draw_port(struct drawn *d, const struct port_range *range, bool asked)
{
	uint16_t any = draw_word(d);

	return asked ? range->lo + any % (range->hi - range->lo + 1U) : any;
}

/* stranger: from anywhere, to one of the places that the filters name. */
static void draw(struct drawn *d, const struct filter *f, bool stranger)
{
	struct packet *p = &d->packets[d->n++];
	const uint8_t flags = stranger ? 0 : f->shape.flags;

	draw_address(d, f->remote, stranger ? 0 : f->shape.rlen, p->remote);
	draw_address(d, f->local, f->shape.llen, p->local);
	p->rport = draw_port(d, &f->rport, flags & (BPT_RPORT | BPT_RRANGE));
	p->lport = draw_port(d, &f->lport, flags & (BPT_LPORT | BPT_LRANGE));
	p->proto = flags & BPT_PROTO ? f->proto : draw_word(d) % 3 ? IPPROTO_TCP : IPPROTO_UDP;
	p->stranger = stranger;
	p->rank = stranger ? 0 : f->rank;
}

/* n of them, evenly over all filters. */
static void draw_all(struct drawn *d, const struct merge_shape *shapes, uint64_t filters, size_t n,
	bool stranger)
{
	const struct merge_shape *s = shapes;
	uint64_t passed = 0; /* filters of the shapes before */

	for (size_t i = 0; i < n && filters; i++) {
		uint64_t at = (2 * i + 1) * filters / (2 * n);

		while (at - passed >= s->count)
			passed += s++->count;
		if (s->n_sample)
			draw(d, &s->sample[(at - passed) * s->n_sample / s->count], stranger);
	}
}

static int by_rank(const void *a, const void *b)
{
	const struct packet *x = a, *y = b;

	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

int drawn_new(const struct merge_shape *shapes, size_t n, struct drawn **out)
{
	struct drawn *d = calloc(1, sizeof(*d));
	uint64_t filters = 0;

	if (!d)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		filters += shapes[i].count;
	draw_all(d, shapes, filters, OWN, false);
	draw_all(d, shapes, filters, STRANGERS, true);
	qsort(d->packets, d->n, sizeof(*d->packets), by_rank);
	*out = d;
	return 0;
}

static void forget_views(struct drawn *d)
{
	for (size_t i = 0; i < SLOTS; i++)
		while (d->slots[i]) {
			struct view *gone = d->slots[i];

			d->slots[i] = gone->next;
			free(gone);
		}
	d->n_views = 0;
}

void drawn_free(struct drawn **drawn)
{
	if (!*drawn)
		return;
	forget_views(*drawn);
	free(*drawn);
	*drawn = NULL;
}

struct meeting drawn_meeting(const struct drawn *d, const struct filter *f)
{
	unsigned int lo = 0, hi = d->n;

	while (lo < hi && f->shape.kind == BP_DECIDE) {
		unsigned int mid = (lo + hi) / 2;

		if (d->packets[mid].rank <= f->rank)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (struct meeting){ f, hi };
}

static void words_of(const struct mask *m, struct words *w)
{
	mask_words(m->rlen, w->remote);
	mask_words(m->llen, w->local);
	w->ports = (m->rport ? 0xffff : 0) | (uint64_t)(m->lport ? 0xffff : 0) << 16;
	w->proto = m->proto ? 0xff : 0;
}

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 32;
}

/* Its upper half says which key it is, well enough; the lower is 0. */
static uint64_t key_of(const struct words *mask, const uint64_t *remote, const uint64_t *local,
	uint64_t ports, uint64_t proto)
{
	uint64_t h = mix(1, remote[0] & mask->remote[0]);

	h = mix(h, remote[1] & mask->remote[1]);
	h = mix(h, local[0] & mask->local[0]);
	h = mix(h, local[1] & mask->local[1]);
	h = mix(h, (ports & mask->ports) | (proto & mask->proto) << 32);
	return h << 32;
}

static uint64_t key_of_packet(const struct packet *p, const struct words *mask)
{
	return key_of(mask, p->remote, p->local, p->rport | (uint64_t)p->lport << 16, p->proto);
}

static uint64_t key_of_filter(const struct filter *f, const struct words *mask)
{
	uint64_t remote[2], local[2];

	memcpy(remote, f->remote, sizeof(remote));
	memcpy(local, f->local, sizeof(local));
	return key_of(mask, remote, local, f->rport.lo | (uint64_t)f->lport.lo << 16, f->proto);
}

static unsigned int bucket_of(uint64_t key)
{
	return key >> (64 - BUCKET_BITS);
}

/* By buckets, then one before the other, which finds those of equal keys in order already. */
static void sort_keys(const struct drawn *d, const uint64_t *keys, struct view *v)
{
	uint16_t end[BUCKETS];

	memset(v->first, 0, sizeof(v->first));
	for (size_t i = 0; i < d->n; i++)
		v->first[bucket_of(keys[i]) + 1]++;
	for (int i = 0; i < BUCKETS; i++)
		v->first[i + 1] += v->first[i];
	memcpy(end, v->first, sizeof(end));
	for (size_t i = 0; i < d->n; i++) {
		unsigned int bucket = bucket_of(keys[i]), at = end[bucket]++;

		for (; at > v->first[bucket] && v->keys[at - 1] > keys[i]; at--)
			v->keys[at] = v->keys[at - 1];
		v->keys[at] = keys[i];
	}
}

static struct view *make_view(struct drawn *d, const struct mask *m)
{
	struct view *v = malloc(sizeof(*v));
	uint64_t keys[PACKETS];
	struct words words;

	if (!v)
		return NULL;
	v->mask = *m;
	words_of(m, &words);
	for (size_t i = 0; i < d->n; i++)
		keys[i] = key_of_packet(&d->packets[i], &words) | i;
	sort_keys(d, keys, v);
	v->before[0] = 0;
	for (size_t i = 0; i < d->n; i++)
		v->before[i + 1] =
			v->before[i] +
			(d->packets[(uint32_t)v->keys[i]].stranger ? STRANGER_COUNTS : 1);
	return v;
}

static struct view *view_of(struct drawn *d, const struct mask *m)
{
	struct view **slot, *v;
	uint64_t word = 0;

	_Static_assert(sizeof(*m) <= sizeof(word), "a mask is a word");
	memcpy(&word, m, sizeof(*m));
	word = mix(1, word) % SLOTS;
	for (v = d->slots[word]; v; v = v->next)
		if (!memcmp(&v->mask, m, sizeof(*m)))
			return v;
	if (d->n_views == MOST_VIEWS)
		forget_views(d);
	v = make_view(d, m);
	if (!v)
		return NULL;
	slot = &d->slots[word];
	v->next = *slot;
	*slot = v;
	d->n_views++;
	return v;
}

/* How many keys of the view are lower. */
static unsigned int lower(const struct view *v, uint64_t key)
{
	unsigned int lo = v->first[bucket_of(key)], hi = v->first[bucket_of(key) + 1];

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (v->keys[mid] < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int drawn_meet(
	struct drawn *d, const struct mask *mask, const struct meeting *v, size_t n, double *times)
{
	const struct view *view = view_of(d, mask);
	struct words words;
	uint64_t sum = 0;

	if (!view)
		return -ENOMEM;
	words_of(mask, &words);
	for (size_t i = 0; i < n; i++) {
		uint64_t key = key_of_filter(v[i].filter, &words);
		unsigned int at = lower(view, key);

		if (at < d->n && view->keys[at] >> 32 == key >> 32)
			sum += view->before[lower(view, key | v[i].above)] - view->before[at];
	}
	*times = sum;
	return 0;
}
