/* SPDX-License-Identifier: GPL-2.0-only */
#include "twin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile.h"
#include "eval.h"
#include "spec.h"

/* A round on its way: what the oracle expects, and what the kernel counted. By rule id. */
struct trial {
	const struct world *w;
	const struct round *round;
	FILE *say;
	struct covered *covered;
	struct generation *gen;
	struct bp_totals before[BP_DIRS], want[BP_DIRS];
	struct bp_count *want_rules, *got_rules;
	uint32_t ids;
	size_t bad;
	bool differs;
};

#define SAY(t, ...)                                     \
	do {                                            \
		if ((t)->say)                           \
			fprintf((t)->say, __VA_ARGS__); \
	} while (0)

#define EARLY 2000 /* seconds */

static uint32_t ifindex_of(const char *name, void *arg)
{
	const struct world *w = arg;
	size_t i;

	for (i = 0; i < TWIN_NAMES; i++) {
		if (!strcmp(name, twin_names[i]))
			return w->ifindex[i];
	}
	return 0;
}

static int load(struct trial *t)
{
	struct compile_env env = {
		.ifindex = ifindex_of,
		.arg = (void *)t->w,
		.now = t->w->now,
		.boot_now = t->w->boot_now,
	};
	struct diag diag = { 0 };
	struct plan *plan = NULL;
	int rc;

	if (t->round->early) {
		env.now -= EARLY;
		env.boot_now -= EARLY * 1000000000ULL; /* below 0 on a young host: wraps back */
	}
	rc = compile(t->round->policy, &env, &plan, &diag);

	if (!rc)
		rc = generation_load(plan, t->w->k->totals_fd, &t->gen, &diag);
	if (!rc)
		rc = kernel_totals(t->w->k, t->before, &diag);
	if (rc && rc != -E2BIG)
		printf("# %s (%s)\n", diag.message, strerror(-rc));
	plan_free(&plan);
	diag_free(&diag);
	return rc;
}

static int start(struct trial *t)
{
	const struct policy *policy = t->round->policy;
	size_t i;

	for (i = 0; i < policy->n; i++) {
		if (policy->rules[i]->id >= t->ids)
			t->ids = policy->rules[i]->id + 1;
	}
	t->want_rules = must(calloc(t->ids + 1, sizeof(*t->want_rules)));
	t->got_rules = must(calloc(t->ids + 1, sizeof(*t->got_rules)));
	return load(t);
}

/* Whether the frame's local end is this host itself. */
static bool is_me(const struct trial *t, const struct sample *s, const struct frame *frame)
{
	return hook_dir(s->hook) == BP_IN ? world_me(t->w, frame) : !s->forwarded;
}

static void ask_oracle(
	const struct trial *t, const struct sample *s, struct frame *frame, struct eval_verdict *v)
{
	struct eval_env env = {
		.dir = hook_dir(s->hook),
		.ifname = twin_names[s->iface],
		.now = t->w->now,
	};

	hook_read(s, frame);
	env.me = is_me(t, s, frame);
	if (eval_frame(t->round->policy, &env, frame, v))
		must(NULL);
}

static void expect_count(struct trial *t, const struct rule *rule, const struct bp_count *count)
{
	t->want_rules[rule->id].packets += count->packets;
	t->want_rules[rule->id].bytes += count->bytes;
}

static void expect(struct trial *t, const struct sample *s, const struct eval_verdict *v)
{
	struct bp_totals *total = &t->want[hook_dir(s->hook)];
	struct bp_count count = hook_count(s);
	size_t i;

	if (v->block)
		total->blocked += count.packets;
	else
		total->passed += count.packets;
	if (v->malformed)
		total->malformed += count.packets;
	if (v->winner)
		expect_count(t, v->winner, &count);
	for (i = v->n_deciding; i < v->n_matched; i++)
		expect_count(t, v->matched[i], &count);
}

static void cover(struct covered *c, const struct sample *s, const struct frame *frame,
	const struct eval_verdict *v)
{
	c->frames++;
	c->by_hook[s->hook]++;
	c->forwarded += s->forwarded;
	c->aggregates += s->gso_segs > 0;
	c->big += hook_is_big(s);
	c->by_class[frame->class]++;
	c->passed += !v->block;
	c->blocked += v->block;
	c->cut_blocked += v->reason == REASON_MALFORMED;
	c->decided += v->winner != NULL;
	if (frame->class == FRAME_CUT && frame->proto == PROTO_UNREAD) {
		c->hidden++;
		c->hidden_blocked += v->reason == REASON_MALFORMED;
	}
	c->counted += v->n_matched > v->n_deciding;
}

static void say_verdict(const struct trial *t, size_t i, bool got, const struct frame *f,
	const struct eval_verdict *v)
{
	static const char *const classes[] = { "exempt", "whole", "cut", "bad", "fifth tag" };
	static const char *const reasons[] = { "no match", "a rule", "exempt", "malformed" };
	const struct sample *s = &t->round->v[i];
	struct bp_count count = hook_count(s);

	SAY(t, "# frame %zu, %zu bytes at %s of %s: read as %s, IPv%d, protocol %d, ", i, s->len,
		hook_names[s->hook], twin_names[s->iface], classes[f->class], f->family, f->proto);
	SAY(t, "ports %u %u, type %u code %u, me %d, ", f->sport, f->dport, f->type, f->code,
		is_me(t, s, f));
	SAY(t, "counts as %llu packets, %llu bytes\n", count.packets, count.bytes);
	SAY(t, "#   oracle: %s, by %s", v->block ? "block" : "pass", reasons[v->reason]);
	if (v->winner)
		SAY(t, " %u", v->winner->id);
	SAY(t, "; kernel: %s\n", got ? "block" : "pass");
}

static int run_sample(struct trial *t, size_t i)
{
	const struct sample *s = &t->round->v[i];
	struct eval_verdict v;
	struct frame frame;
	bool blocked;
	int rc = hook_run(t->w, t->gen, s, &blocked);

	if (rc == HOOK_REFUSED && t->covered)
		t->covered->refused++;
	if (rc)
		return rc == HOOK_REFUSED ? 0 : rc;
	ask_oracle(t, s, &frame, &v);
	expect(t, s, &v);
	if (t->covered)
		cover(t->covered, s, &frame, &v);
	if (t->round->n == 1 || blocked != v.block)
		say_verdict(t, i, blocked, &frame, &v);
	if (blocked != v.block) {
		if (!t->differs)
			t->bad = i;
		t->differs = true;
	}
	eval_free(&v);
	return 0;
}

static int add_elem(const union filter_key *key, int family, const struct bp_elem *e, void *arg)
{
	struct trial *t = arg;
	unsigned int number = key->v4.tuple; /* stands first in both */
	const struct bp_tuple *tuple;

	tuple = &t->gen->tables->tuple[number / BP_TUPLES][family][number % BP_TUPLES];
	if (!e->rule || tuple->kind == BP_SHADOW || tuple->kind == BP_BLIND)
		return 0;
	if (e->rule >= t->ids) {
		SAY(t, "# an element speaks of rule %u, which is not there\n", e->rule);
		t->differs = true;
		return 0;
	}
	t->got_rules[e->rule].packets += e->packets;
	t->got_rules[e->rule].bytes += e->bytes;
	return 0;
}

static void compare_rules(struct trial *t)
{
	uint32_t id;

	for (id = 0; id < t->ids; id++) {
		const struct bp_count *want = &t->want_rules[id], *got = &t->got_rules[id];

		if (t->covered)
			t->covered->hit += want->packets > 0;
		if (want->packets == got->packets && want->bytes == got->bytes)
			continue;
		t->differs = true;
		SAY(t, "# rule %u: oracle counts %llu packets, %llu bytes; kernel %llu, %llu\n", id,
			want->packets, want->bytes, got->packets, got->bytes);
	}
}

static void compare_total(
	struct trial *t, enum bp_dir dir, const char *what, uint64_t want, uint64_t got)
{
	if (want == got)
		return;
	t->differs = true;
	SAY(t, "# %s %s: oracle counts %llu, kernel %llu\n", dir == BP_IN ? "in" : "out", what,
		(unsigned long long)want, (unsigned long long)got);
}

static void compare_totals(struct trial *t, enum bp_dir dir, const struct bp_totals *after)
{
	const struct bp_totals *want = &t->want[dir], *before = &t->before[dir];

	compare_total(t, dir, "passed", want->passed, after->passed - before->passed);
	compare_total(t, dir, "blocked", want->blocked, after->blocked - before->blocked);
	compare_total(t, dir, "malformed", want->malformed, after->malformed - before->malformed);
}

static int compare_counters(struct trial *t)
{
	struct bp_totals after[BP_DIRS];
	struct diag diag = { 0 };
	int rc = generation_walk(t->gen, add_elem, t, &diag);

	if (!rc)
		rc = kernel_totals(t->w->k, after, &diag);
	if (rc)
		printf("# %s\n", diag.message);
	diag_free(&diag);
	if (rc)
		return rc;
	compare_rules(t);
	compare_totals(t, BP_IN, &after[BP_IN]);
	compare_totals(t, BP_OUT, &after[BP_OUT]);
	return 0;
}

int round_run(const struct world *w, const struct round *round, struct covered *covered, FILE *say,
	size_t *bad)
{
	struct trial t = {
		.w = w, .round = round, .say = say, .covered = covered, .bad = round->n
	};
	int rc = start(&t);
	size_t i;

	for (i = 0; i < round->n && !rc; i++)
		rc = run_sample(&t, i);
	if (!rc)
		rc = compare_counters(&t);
	if (!rc && covered) {
		covered->policies++;
		covered->rules += round->policy->n;
	}
	generation_free(&t.gen);
	free(t.want_rules);
	free(t.got_rules);
	*bad = t.bad;
	return rc ? rc : t.differs ? ROUND_DIFFERS : ROUND_SAME;
}

/* --- a round that differs, made small --- */

static bool differs(const struct world *w, const struct round *round)
{
	size_t bad;

	return round_run(w, round, NULL, NULL, &bad) == ROUND_DIFFERS;
}

/* Leaves one sample, if there is one that differs when it is alone. */
static void one_sample(const struct world *w, struct round *round, size_t bad)
{
	struct round one = *round;
	size_t i;

	one.n = 1;
	for (i = 0; i <= round->n; i++) {
		size_t at = i ? i - 1 : bad; /* the suspect first */

		if (at == round->n)
			continue;
		one.v = round->v + at;
		if (differs(w, &one)) {
			*round = one;
			return;
		}
	}
}

/* Takes rules out of view, which holds only pointers, for as long as it still differs. */
static void fewer_rules(const struct world *w, const struct round *round, struct policy *view)
{
	size_t i, before;

	do {
		before = view->n;
		for (i = view->n; i--;) {
			struct rule *rule = view->rules[i];
			size_t behind = (view->n - i - 1) * sizeof(rule);

			if (view->n == 1)
				return;
			memmove(view->rules + i, view->rules + i + 1, behind);
			view->n--;
			if (differs(w, round))
				continue;
			memmove(view->rules + i + 1, view->rules + i, behind);
			view->rules[i] = rule;
			view->n++;
		}
	} while (view->n < before);
}

void round_report(const struct world *w, const struct round *round, size_t bad)
{
	struct policy view = *round->policy;
	struct round small = *round;

	view.rules = must(calloc(view.n, sizeof(struct rule *)));
	memcpy(view.rules, round->policy->rules, view.n * sizeof(struct rule *));
	small.policy = &view;
	one_sample(w, &small, bad);
	fewer_rules(w, &small, &view);
	printf("# --- for twin --replay FILE\n");
	round_print(w, &small, stdout);
	printf("# --- what differs\n");
	round_run(w, &small, NULL, stdout, &bad);
	free(view.rules);
}
