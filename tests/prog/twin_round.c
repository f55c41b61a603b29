/* SPDX-License-Identifier: GPL-2.0-only */
#include "twin_wire.h"
#include "dynamic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A round on its way: what the oracle expects, and what the kernel counted. By rule id. */
struct trial {
	struct world *w;
	const struct round *round;
	FILE *say;
	struct covered *covered;
	struct bp_totals before[BP_DIRS], want[BP_DIRS];
	struct bp_count *want_rules, *got_rules;
	uint32_t ids;
	size_t bad;
	bool differs;
};

/* A sample, and what the oracle says of it. */
struct view {
	const struct sample *s;
	size_t i;
	struct frame frame;
	struct bp_count count;
	struct eval_verdict v;
	bool me;
};

#define SAY(t, ...)                                     \
	do {                                            \
		if ((t)->say)                           \
			fprintf((t)->say, __VA_ARGS__); \
	} while (0)

static int get_totals(const struct trial *t, struct bp_totals totals[BP_DIRS])
{
	struct diag diag = { 0 };
	int rc = kernel_totals(t->w->k, totals, &diag);

	if (rc)
		printf("# %s\n", diag.message);
	diag_free(&diag);
	return rc;
}

static int start(struct trial *t)
{
	const struct policy *policy = t->round->policy;
	size_t i;
	int rc;

	for (i = 0; i < policy->n; i++) {
		if (policy->rules[i]->id >= t->ids)
			t->ids = policy->rules[i]->id + 1;
	}
	t->want_rules = must(calloc(t->ids + 1, sizeof(*t->want_rules)));
	t->got_rules = must(calloc(t->ids + 1, sizeof(*t->got_rules)));
	rc = load_policy(t->w, t->round);
	return rc ? rc : get_totals(t, t->before);
}

static void differs(struct trial *t, size_t i)
{
	if (!t->differs || i < t->bad)
		t->bad = i;
	t->differs = true;
}

/* --- the oracle --- */

static void look(const struct trial *t, size_t i, struct view *view)
{
	const struct sample *s = &t->round->v[i];
	struct eval_env env = {
		.dir = hook_dir(s->hook),
		.ifname = twin_names[s->iface],
		.now = t->w->now,
	};

	view->s = s;
	view->i = i;
	hook_read(s, &view->frame);
	view->count = hook_count(s, &view->frame);
	view->me = env.dir == BP_IN ? world_me(t->w, &view->frame) : !s->forwarded;
	env.me = view->me;
	if (eval_frame(t->round->policy, &env, &view->frame, &view->v))
		must(NULL);
}

static void expect_count(struct trial *t, const struct rule *rule, const struct bp_count *count)
{
	t->want_rules[rule->id].packets += count->packets;
	t->want_rules[rule->id].bytes += count->bytes;
}

static void expect(struct trial *t, const struct view *view)
{
	struct bp_totals *total = &t->want[hook_dir(view->s->hook)];
	const struct eval_verdict *v = &view->v;
	size_t i;

	if (v->block)
		total->blocked += view->count.packets;
	else
		total->passed += view->count.packets;
	if (v->malformed)
		total->malformed += view->count.packets;
	if (v->winner)
		expect_count(t, v->winner, &view->count);
	for (i = v->n_deciding; i < v->n_matched; i++)
		expect_count(t, v->matched[i], &view->count);
}

/* Whether rules of both layers match, and would decide. */
static bool is_across(const struct eval_verdict *v)
{
	size_t i;

	for (i = 1; i < v->n_deciding; i++) {
		if ((v->matched[i]->layer == LAYER_DYNAMIC) != (v->winner->layer == LAYER_DYNAMIC))
			return true;
	}
	return false;
}

static void cover(struct covered *c, const struct view *view)
{
	const struct sample *s = view->s;
	const struct eval_verdict *v = &view->v;

	c->frames++;
	c->by_hook[s->hook]++;
	c->forwarded += s->forwarded;
	c->split += s->beyond > 0;
	c->aggregates += s->gso_size > 0;
	c->unsaid += s->gso_size && !s->gso_segs;
	c->by_class[view->frame.class]++;
	c->passed += !v->block;
	c->blocked += v->block;
	c->cut_blocked += v->reason == REASON_MALFORMED;
	c->decided += v->winner != NULL;
	if (view->frame.class == FRAME_CUT && view->frame.proto == PROTO_UNREAD) {
		c->hidden++;
		c->hidden_blocked += v->reason == REASON_MALFORMED;
	}
	c->counted += v->n_matched > v->n_deciding;
	if (is_across(v))
		c->across[v->winner->layer == LAYER_DYNAMIC ? TWIN_DYNAMIC : TWIN_STATIC]++;
}

static void say_view(const struct trial *t, const struct view *view)
{
	static const char *const classes[] = { "exempt", "whole", "cut", "bad", "fifth tag" };
	static const char *const reasons[] = { "no match", "a rule", "exempt", "malformed" };
	const struct frame *f = &view->frame;
	const struct eval_verdict *v = &view->v;

	SAY(t, "# frame %zu, %zu bytes at %s of %s: read as %s, IPv%d, protocol %d, ", view->i,
		view->s->len, hook_names[view->s->hook], twin_names[view->s->iface],
		classes[f->class], f->family, f->proto);
	SAY(t, "ports %u %u, type %u code %u, me %d, ", f->sport, f->dport, f->type, f->code,
		view->me);
	SAY(t, "counts as %llu packets, %llu bytes\n", view->count.packets, view->count.bytes);
	SAY(t, "#   oracle: %s, by %s", v->block ? "block" : "pass", reasons[v->reason]);
	if (v->winner)
		SAY(t, " %u", v->winner->id);
	SAY(t, "\n");
}

/* --- the kernel --- */

static enum bp_reading reading_of(const struct frame *f)
{
	switch (f->class) {
	case FRAME_PASS:
		return READ_EXEMPT;
	case FRAME_WHOLE:
		return READ_WHOLE;
	case FRAME_CUT:
		return f->proto == PROTO_UNREAD ? READ_BLIND : READ_CUT;
	case FRAME_BAD:
		return f->family ? READ_BAD : READ_OPAQUE;
	default:
		return READ_OPAQUE;
	}
}

static bool answers(const struct view *view, const struct bp_answer *a)
{
	const struct eval_verdict *v = &view->v;

	if (a->reading != reading_of(&view->frame) || a->blocked != v->block)
		return false;
	if (view->frame.family && a->reading != READ_EXEMPT && a->me != view->me)
		return false;
	return a->hidden == (v->reason == REASON_MALFORMED) &&
	       a->rule == (v->winner ? v->winner->id : 0);
}

static int ask_layer(struct trial *t, const struct view *view, int layer, struct bp_answer *answer)
{
	const struct sample *s = view->s;
	struct asker_frame frame = {
		.data = s->data,
		.len = s->len,
		.ifindex = t->w->ifindex[s->iface],
		.ingress_ifindex = hook_ingress(t->w, s),
	};
	struct asker *asker;
	int rc = load_asker(t->w, layer, s->hook, &asker);

	if (rc)
		return rc;
	rc = asker_ask(asker, &frame, answer);
	if (rc)
		printf("# the program could not be asked: %s\n", strerror(-rc));
	return rc;
}

/* Those that are there. */
static int ask_layers(struct trial *t, const struct view *view, struct bp_answer *a)
{
	struct bp_answer answer;
	int layer, rc = 0, n = 0;

	for (layer = 0; layer < TWIN_LAYERS && !rc; layer++) {
		if (!t->w->in_force[layer])
			continue;
		rc = ask_layer(t, view, layer, &answer);
		if (!n++)
			*a = answer;
		else
			dynamic_answer(a, &answer);
	}
	return rc;
}

/* The instances that explain must give the oracle's reasons, and count nothing. */
static int ask(struct trial *t, const struct view *view)
{
	struct bp_answer a = { 0 };
	int rc = ask_layers(t, view, &a);

	if (rc)
		return rc;
	if (t->covered)
		t->covered->asked++;
	if (answers(view, &a))
		return 0;
	SAY(t, "#   kernel, asked: %s, by rule %u, reading %d, hidden %d, me %d\n",
		a.blocked ? "block" : "pass", a.rule, a.reading, a.hidden, a.me);
	differs(t, view->i);
	return 0;
}

/* Not about aggregates and several buffers, which it is not told of. */
static bool is_asked(const struct trial *t, size_t i)
{
	const struct sample *s = &t->round->v[i];

	return !s->gso_size && !s->beyond && (i % 4 == 0 || t->round->n == 1);
}

/* What the oracle makes of it, all told. */
static void expect_view(struct trial *t, size_t i, struct view *view)
{
	look(t, i, view);
	expect(t, view);
	if (t->covered)
		cover(t->covered, view);
	if (t->round->n == 1)
		say_view(t, view);
}

static int run_sample(struct trial *t, size_t i)
{
	struct view view;
	bool blocked;
	int rc = hook_run(t->w, &t->round->v[i], &blocked);

	if (rc == HOOK_REFUSED && t->covered) {
		t->covered->refused++;
		t->covered->unsplit += t->round->v[i].beyond > 0;
	}
	if (rc < 0 || rc == HOOK_REFUSED)
		return rc < 0 ? rc : 0;
	expect_view(t, i, &view);
	if (rc == HOOK_ODD || blocked != view.v.block) {
		SAY(t, "#   kernel: %s\n", rc == HOOK_ODD ? "odd" : blocked ? "block" : "pass");
		differs(t, i);
	}
	rc = is_asked(t, i) ? ask(t, &view) : 0;
	eval_free(&view.v);
	return rc;
}

static int run_samples(struct trial *t)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < t->round->n && !rc; i++)
		rc = run_sample(t, i);
	return rc;
}

/* There only the sums show what became of each. */
static int run_wire(struct trial *t)
{
	struct sample *sent = must(calloc(t->round->n + 1, sizeof(*sent)));
	struct view view;
	size_t i, n = 0;
	int rc;

	for (i = 0; i < t->round->n; i++) {
		if (!wire_carries(t->round->lane, &t->round->v[i]))
			continue;
		sent[n++] = t->round->v[i];
		expect_view(t, i, &view);
		eval_free(&view.v);
	}
	rc = wire_send(t->w, t->round->lane, sent, n);
	free(sent);
	return rc;
}

/* --- counters --- */

static int add_elem(const union filter_elem *elem, int family, void *arg)
{
	const struct bp_elem *e = &elem->e;
	struct trial *t = arg;

	(void)family;
	if (e->tuple >> 7 == BP_SPACE_CUT)
		return 0;
	if (e->rule >= t->ids) {
		SAY(t, "# an element speaks of rule %u, which is not there\n", e->rule);
		differs(t, t->round->n);
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
		SAY(t, "# rule %u: oracle counts %llu packets, %llu bytes; kernel %llu, %llu\n", id,
			want->packets, want->bytes, got->packets, got->bytes);
		differs(t, t->round->n);
	}
}

static void compare_total(
	struct trial *t, enum bp_dir dir, const char *what, uint64_t want, uint64_t got)
{
	if (want == got)
		return;
	SAY(t, "# %s %s: oracle counts %llu, kernel %llu\n", dir == BP_IN ? "in" : "out", what,
		(unsigned long long)want, (unsigned long long)got);
	differs(t, t->round->n);
}

static void compare_totals(struct trial *t, enum bp_dir dir, const struct bp_totals *after)
{
	const struct bp_totals *want = &t->want[dir], *before = &t->before[dir];

	compare_total(t, dir, "passed", want->passed, after->passed - before->passed);
	compare_total(t, dir, "blocked", want->blocked, after->blocked - before->blocked);
	compare_total(t, dir, "malformed", want->malformed, after->malformed - before->malformed);
	compare_total(t, dir, "unfinished", 0, after->unfinished - before->unfinished);
}

static int compare_counters(struct trial *t)
{
	struct bp_totals after[BP_DIRS];
	int layer, rc = 0;

	for (layer = 0; layer < TWIN_LAYERS && !rc; layer++) {
		if (t->w->in_force[layer])
			rc = table_walk(&t->w->in_force[layer]->gen->table, add_elem, t);
	}
	if (!rc)
		rc = get_totals(t, after);
	if (rc)
		return rc;
	compare_rules(t);
	compare_totals(t, BP_IN, &after[BP_IN]);
	compare_totals(t, BP_OUT, &after[BP_OUT]);
	return 0;
}

#define LARGE 200 /* rules */
#define HUGE 2000 /* filters */

static uint64_t filters_of(const struct world *w)
{
	uint64_t filters = 0;
	int layer;

	for (layer = 0; layer < TWIN_LAYERS; layer++) {
		if (w->in_force[layer])
			filters += w->in_force[layer]->gen->table.tables->filters;
	}
	return filters;
}

int round_run(
	struct world *w, const struct round *round, struct covered *covered, FILE *say, size_t *bad)
{
	struct trial t = {
		.w = w, .round = round, .say = say, .covered = covered, .bad = round->n
	};
	int rc = round->lane ? wire_open(w) : 0;

	if (!rc)
		rc = start(&t);
	if (!rc)
		rc = round->lane ? run_wire(&t) : run_samples(&t);
	if (!rc)
		rc = compare_counters(&t);
	if (!rc && covered) {
		covered->policies++;
		covered->rules += round->policy->n;
		covered->patched += w->patched;
		covered->huge += filters_of(w) > HUGE;
		covered->layered += w->in_force[TWIN_STATIC] && w->in_force[TWIN_DYNAMIC];
		covered->by_sizing[round->sizing]++;
		covered->large += round->policy->n > LARGE;
	}
	free(t.want_rules);
	free(t.got_rules);
	*bad = t.bad;
	return rc ? rc : t.differs ? ROUND_DIFFERS : ROUND_SAME;
}
