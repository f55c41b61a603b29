/* SPDX-License-Identifier: GPL-2.0-only */
/* A round that differs, made small. */
#include "twin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool differs(struct world *w, const struct round *round)
{
	size_t bad;

	return round_run(w, round, NULL, NULL, &bad) == ROUND_DIFFERS;
}

/* Keeps the half of the samples that differs without the other, for as long as there is one. */
static void fewer_samples(struct world *w, struct round *round)
{
	struct round half = *round;

	while (round->n > 1) {
		half.n = round->n / 2;
		half.v = round->v;
		if (!differs(w, &half)) {
			half.v = round->v + half.n;
			half.n = round->n - half.n;
			if (!differs(w, &half))
				return;
		}
		*round = half;
	}
}

/* Leaves one sample, if there is one that differs when it is alone: the suspect first. */
static void one_sample(struct world *w, struct round *round, size_t bad)
{
	struct round one = *round;
	size_t i;

	one.n = 1;
	one.v = round->v + bad;
	if (bad < round->n && differs(w, &one)) {
		*round = one;
		return;
	}
	fewer_samples(w, round);
	for (i = 0; i < round->n && round->n > 1; i++) {
		one.v = round->v + i;
		if (differs(w, &one)) {
			*round = one;
			return;
		}
	}
}

/* Takes `n` rules from the place out of view, if it still differs without them. */
static bool without(
	struct world *w, const struct round *round, struct policy *view, size_t at, size_t n)
{
	struct rule **gone = must(malloc(n * sizeof(*gone)));
	size_t behind = (view->n - at - n) * sizeof(*gone);
	bool still;

	memcpy(gone, view->rules + at, n * sizeof(*gone));
	memmove(view->rules + at, view->rules + at + n, behind);
	view->n -= n;
	still = differs(w, round);
	if (!still) {
		memmove(view->rules + at + n, view->rules + at, behind);
		memcpy(view->rules + at, gone, n * sizeof(*gone));
		view->n += n;
	}
	free(gone);
	return still;
}

/* view holds only pointers. Blocks of rules first, then single ones until none can go. */
static void fewer_rules(struct world *w, const struct round *round, struct policy *view)
{
	size_t size = view->n / 2, at, before;

	for (; size; size /= 2) {
		do {
			before = view->n;
			for (at = 0; at < view->n && view->n > 1;) {
				size_t n = size < view->n - at ? size : view->n - at;

				if (n == view->n || !without(w, round, view, at, n))
					at += n;
			}
		} while (size == 1 && view->n < before);
	}
}

/* Keeps the half of the list with which it still differs, for as long as there is one. */
static void shorter_list(struct world *w, const struct round *round, struct prefixes *list)
{
	struct prefix *was = must(calloc(list->n + 1, sizeof(*was)));
	bool still = true;

	while (still && list->n > 1) {
		size_t n = list->n, half = n / 2;

		memcpy(was, list->v, n * sizeof(*was));
		list->n = half;
		if (differs(w, round))
			continue;
		list->n = n - half;
		memmove(list->v, was + half, list->n * sizeof(*was));
		if (differs(w, round))
			continue;
		memcpy(list->v, was, n * sizeof(*was));
		list->n = n;
		still = false;
	}
	free(was);
}

/* In the rules themselves: nobody needs them any more. */
static void shorter_lists(struct world *w, const struct round *round, const struct policy *view)
{
	size_t i;

	for (i = 0; i < view->n; i++) {
		shorter_list(w, round, &view->rules[i]->from.list);
		shorter_list(w, round, &view->rules[i]->to.list);
	}
}

/* Without its last bytes, if it still differs. */
static bool shorter(struct world *w, const struct round *round, struct sample *s, size_t size)
{
	struct sample was = *s;

	s->len -= size;
	s->beyond -= size < s->beyond ? size : s->beyond;
	if (s->len >= 14 && differs(w, round))
		return true;
	*s = was;
	return false;
}

/* Cuts the frame shorter, and makes bytes of it 0, as long as it still differs. */
static void simpler_frame(struct world *w, struct round *round, struct sample *s, uint8_t *data)
{
	uint8_t was[GEN_ROOM];
	size_t size, at;

	for (size = s->len / 2; size; size /= 2) {
		while (s->len > size && shorter(w, round, s, size))
			continue;
	}
	for (size = s->len / 2; size; size /= 2) {
		for (at = 0; at + size <= s->len; at += size) {
			memcpy(was, data + at, size);
			memset(data + at, 0, size);
			if (!memcmp(was, data + at, size) || differs(w, round))
				continue;
			memcpy(data + at, was, size);
		}
	}
}

/* What aggregates are made of has to stay whole. */
static void simpler(struct world *w, struct round *round)
{
	struct sample *s = must(malloc(sizeof(*s)));
	uint8_t *data = must(malloc(round->v[0].len));

	*s = round->v[0];
	memcpy(data, s->data, s->len);
	s->data = data;
	round->v = s;
	if (!s->gso_size && s->len <= GEN_ROOM)
		simpler_frame(w, round, s, data);
}

/* In a file of its own beside the program, so that one command replays it. */
static void print_small(const struct world *w, const struct round *round)
{
	char *path;
	FILE *f;

	if (asprintf(&path, "%s-%d.differs", options.program, (int)getpid()) < 0)
		must(NULL);
	f = fopen(path, "w");
	printf("# --- again: %s --replay %s", options.program, f ? path : "FILE");
	printf("%s\n", f ? "" : ", with these lines in it");
	if (f) {
		round_print(w, round, f);
		fclose(f);
	}
	round_print(w, round, stdout);
	free(path);
}

static void report(struct world *w, const struct round *round, size_t bad)
{
	struct bp_sizes sizes[TWIN_LAYERS] = { 0 };
	struct policy view = *round->policy;
	struct round small = *round;
	int layer;

	for (layer = 0; layer < TWIN_LAYERS; layer++) {
		if (w->in_force[layer])
			sizes[layer] = w->in_force[layer]->gen->table.tables->sizes;
	}
	view.rules = must(calloc(view.n, sizeof(struct rule *)));
	memcpy(view.rules, round->policy->rules, view.n * sizeof(struct rule *));
	small.policy = &view;
	small.sizes = sizes;
	one_sample(w, &small, bad);
	fewer_rules(w, &small, &view);
	shorter_lists(w, &small, &view);
	if (small.n == 1)
		simpler(w, &small); /* of no consequence: the process ends soon */
	print_small(w, &small);
	printf("# --- what differs\n");
	round_run(w, &small, NULL, stdout, &bad);
	free(view.rules);
}

int round_try(struct world *w, const struct round *round, struct covered *covered)
{
	size_t bad;
	int rc = round_run(w, round, covered, NULL, &bad);

	if (rc == -E2BIG) {
		covered->redraws++;
		return ROUND_SAME;
	}
	if (rc == ROUND_DIFFERS && !options.brief)
		report(w, round, bad);
	return rc;
}
