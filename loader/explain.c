// SPDX-License-Identifier: GPL-2.0-only
#include "explain.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "awaited.h"
#include "clocks.h"
#include "env.h"
#include "fault.h"
#include "policies.h"
#include "probe.h"

#define ETH_HEADER 14
#define SURE_LENGTH 3072 /* BPF_PROG_TEST_RUN takes a frame of no more bytes on any hook */
#define ELSEWHERE 1	 /* an interface by which forwarded packets come in; which one is all one */
#define TRIES 3

/* --- the policy --- */

/* A generation made of the policy for the question alone: neither pinned nor attached, so that only
 * the instance that is asked is loaded over it. */
static int load_policy(struct explainer *ex, struct diag *diag)
{
	struct compile_env env;
	struct plan *plan = NULL;
	int rc = ex->host.kernel ? 0 : kernel_load(&ex->kernel, diag);

	env_now(&env);
	if (!rc)
		rc = plan_new(ex->policy, &env, &plan, diag);
	if (!rc)
		rc = generation_load_for(0, plan,
			&(ex->kernel ? ex->kernel : ex->host.kernel)->shared, &ex->loaded, diag);
	plan_free(&plan);
	ex->gen = ex->loaded;
	ex->by = EXPLAIN_LOADED;
	return rc;
}

/* Nobody is asked: no rule decides. */
static int no_policy(struct explainer *ex, enum explain_by by)
{
	ex->by = by;
	ex->none = policy_new("");
	ex->policy = ex->none;
	return ex->none ? 0 : -ENOMEM;
}

/* Whether the policy is what judges: 1, 0, or -errno with a diag. */
static int is_in_force(const struct explainer *ex, struct diag *diag)
{
	const struct host *host = &ex->host;

	if (ex->other)
		return 0;
	if (host->fault)
		return host->kernel && host->kernel->gen;
	return awaited_is_back(host->kernel, host->store) ? 1 : host_steps(host, diag);
}

static int choose_policy(struct explainer *ex, const char *name, struct diag *diag)
{
	struct policy *stored = ex->host.store->policy;
	struct names names = {};
	int rc, is;

	if (name && (!stored || strcmp(stored->name, name))) {
		rc = policies_load(ex->host.store, name, &names, &ex->other, diag);
		names_warn(&names, diag);
		names_free(&names);
		if (rc)
			return rc;
		stored = ex->other;
	}
	ex->name = stored ? stored->name : NULL;
	ex->number = ex->host.kernel ? kernel_in_force(ex->host.kernel) : 0;
	if (vantage_never(&ex->vantage.link))
		return no_policy(ex, EXPLAIN_NEVER);
	if (!name && host_is_foreign(&ex->host))
		return fault_tell_all(&ex->host, diag);
	if (!stored)
		return no_policy(ex, EXPLAIN_NOBODY);
	ex->policy = stored;
	is = is_in_force(ex, diag);
	if (is < 0)
		return is;
	if (is) {
		ex->by = EXPLAIN_IN_FORCE;
		ex->gen = ex->host.kernel->gen;
		ex->journal = ex->gen->table.tables->journal;
		return 0;
	}
	/* What `on` would put in force; what was asked for by name; what a warning was about. */
	if (name || ex->host.off || (ex->host.kernel && ex->host.kernel->gen))
		return load_policy(ex, diag);
	return no_policy(ex, EXPLAIN_NOBODY);
}

/* The pointers alone: the rules stay the layers'. */
static int join(struct explainer *ex)
{
	const struct policy *layers[] = { ex->policy, ex->dynamic.rules };
	size_t n = 0;

	ex->all.rules = calloc(layers[0]->n + layers[1]->n + 1, sizeof(*ex->all.rules));
	if (!ex->all.rules)
		return -ENOMEM;
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < layers[i]->n; k++)
			ex->all.rules[n++] = layers[i]->rules[k];
	ex->all.n = n;
	return 0;
}

/* Dynamic rules are there whatever the policy is, or whether there is one. */
static int open_dynamic(struct explainer *ex, struct diag *diag)
{
	const struct kernel *k = ex->by == EXPLAIN_NEVER ? NULL : ex->host.kernel;
	int rc = dynamic_rules_open(&ex->dynamic, k, NULL, true, diag);

	if (!rc && ex->dynamic.gen) {
		rc = asker_open(
			ex->dynamic.gen, &k->shared, ex->vantage.hook, &ex->dynamic_asker, diag);
		if (ex->by == EXPLAIN_NOBODY)
			ex->by = EXPLAIN_IN_FORCE;
	}
	return rc ? rc : join(ex);
}

bool explainer_asks(const struct explainer *ex)
{
	return ex->asker || ex->dynamic_asker;
}

bool explainer_blind(const struct explainer *ex)
{
	return ex->dynamic.n_untold || (ex->by == EXPLAIN_IN_FORCE && ex->host.n_untold);
}

int explainer_open(struct explainer *ex, const char *policy, const struct spec_packet *packet,
	struct diag *diag)
{
	int rc;

	*ex = (struct explainer){};
	rc = host_open_to_read(&ex->host, diag);
	if (!rc)
		rc = fault_store(&ex->host, true, diag);
	if (!rc)
		rc = vantage_find(packet, &ex->vantage, diag);
	if (!rc) {
		rc = nl_addresses_get(&ex->own);
		if (rc)
			rc = diag_errno(diag, -rc, "cannot ask for this host's addresses");
	}
	if (!rc)
		rc = choose_policy(ex, policy, diag);
	if (!rc && ex->gen)
		rc = asker_open(ex->gen, &(ex->kernel ? ex->kernel : ex->host.kernel)->shared,
			ex->vantage.hook, &ex->asker, diag);
	if (!rc)
		rc = open_dynamic(ex, diag);
	return rc;
}

void explainer_close(struct explainer *ex)
{
	asker_free(&ex->asker);
	asker_free(&ex->dynamic_asker);
	dynamic_rules_close(&ex->dynamic);
	free(ex->all.rules);
	generation_free(&ex->loaded);
	kernel_free(&ex->kernel);
	policy_free(&ex->other);
	policy_free(&ex->none);
	free(ex->own.v);
	host_close(&ex->host);
}

/* --- the kernel --- */

bool explainer_own(const struct explainer *ex, const struct frame *frame)
{
	for (size_t i = 0; i < ex->own.n; i++)
		if (prefix_holds(&ex->own.v[i], frame->family, frame->src))
			return true;
	return false;
}

/* Asks both layers. */
static int run(struct explainer *ex, const struct frame *read, const void *data, size_t len,
	struct bp_answer *answer)
{
	struct bp_answer dynamic;
	const struct asker_frame frame = {
		.data = data,
		.len = len,
		.ifindex = ex->vantage.link.ifindex,
		.ingress_ifindex = ex->vantage.dir == BP_IN  ? (uint32_t)ex->vantage.link.ifindex
				   : explainer_own(ex, read) ? 0
							     : ELSEWHERE,
	};

	int rc = ex->asker ? asker_ask(ex->asker, &frame, answer) : 0;

	if (rc || !ex->dynamic_asker)
		return rc;
	rc = asker_ask(ex->dynamic_asker, &frame, &dynamic);
	if (!rc && ex->asker)
		dynamic_answer(answer, &dynamic);
	else if (!rc)
		*answer = dynamic;
	return rc;
}

/* Whether it is known that BPF_PROG_TEST_RUN takes no such frame. */
static bool cannot_run(const struct explainer *ex, const struct explain_frame *f)
{
	unsigned int type;

	if (f->len < ETH_HEADER || f->len > SURE_LENGTH)
		return true;
	type = f->data[ETH_HEADER - 2] << 8 | f->data[ETH_HEADER - 1];
	return !bp_hook_is_xdp(ex->vantage.hook) &&
	       ((type == 0x0800 && f->len < ETH_HEADER + 20) ||
		       (type == 0x86dd && f->len < ETH_HEADER + 40));
}

/* Of a frame that the kernel does not run: whether its local end is this host. */
static int ask_me(struct explainer *ex, const struct frame *read, struct bp_answer *answer)
{
	struct frame like = *read;
	uint8_t data[PROBE_ROOM];
	size_t len;

	*answer = (struct bp_answer){};
	if (!read->family)
		return 0;
	like.proto = IPPROTO_UDP;
	like.has_ports = true;
	like.has_type = false;
	len = probe_build(&like, data);
	return run(ex, read, data, len, answer);
}

/* *refused: the answer holds `me` alone. */
static int ask(struct explainer *ex, const struct explain_frame *f, const struct frame *read,
	bool *refused, struct bp_answer *answer, struct diag *diag)
{
	int rc = run(ex, read, f->data, f->len, answer);

	*refused = (rc == -EINVAL || rc == -ENOMEM) && cannot_run(ex, f);
	if (*refused)
		rc = ask_me(ex, read, answer);
	return rc ? diag_errno(diag, -rc, "the kernel did not run the classifier") : 0;
}

/* --- the oracle --- */

/* Rules that have a time, whose gates say what is over. */
struct timed {
	struct rule **v;
	size_t n;
	const struct generation *gen;
	uint64_t boot_now;
};

static int note_gate(const union filter_elem *elem, int family, void *arg)
{
	const struct bp_elem *e = &elem->e;
	const struct timed *t = arg;

	(void)family;
	if (!e->gate)
		return 0;
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i]->id == e->rule)
			t->v[i]->deadline =
				t->gen->table.gates[e->gate] > t->boot_now ? UINT64_MAX : 1;
	return 0;
}

/*
 * The kernel's clock goes by nanoseconds and cannot be set; that of the policy can. Which rules
 * are over is the kernel's to say.
 */
static int take_gates(struct explainer *ex)
{
	const struct generation *gens[] = { ex->gen, ex->dynamic.gen };
	struct compile_env env;
	struct timed t = {};
	int rc = 0;

	t.v = calloc(ex->all.n + 1, sizeof(*t.v));
	if (!t.v)
		return -ENOMEM;
	for (size_t i = 0; i < ex->all.n; i++)
		if (ex->all.rules[i]->deadline)
			t.v[t.n++] = ex->all.rules[i];
	env_now(&env);
	t.boot_now = env.boot_now;
	for (int i = 0; i < 2 && t.n && !rc; i++) {
		t.gen = gens[i];
		rc = t.gen ? table_walk(&t.gen->table, note_gate, &t) : 0;
	}
	free(t.v);
	return rc;
}

static int eval(
	const struct explainer *ex, const struct frame *read, bool me, struct eval_verdict *verdict)
{
	const struct eval_env env = {
		.dir = ex->vantage.dir,
		.ifname = ex->vantage.link.name,
		.me = me,
		.now = wall_clock(),
	};

	return eval_frame(explainer_blind(ex) ? ex->policy : &ex->all, &env, read, verdict);
}

/* Somebody has changed the rules under us: then the oracle does not know them. */
bool explainer_changed(struct explainer *ex)
{
	const struct bp_tables *t = ex->gen ? ex->gen->table.tables : NULL;
	const struct kernel *k = ex->host.kernel;

	if (ex->by == EXPLAIN_IN_FORCE && (kernel_in_force(k) != ex->number ||
						  (t && (t->dirty || t->journal != ex->journal))))
		ex->changed = true;
	if (ex->by != EXPLAIN_NEVER && !ex->changed)
		ex->changed = dynamic_rules_changed(&ex->dynamic, k);
	return ex->changed;
}

static void put_hex(const struct explain_frame *f, char *hex, size_t size)
{
	size_t most = (size - 8) / 2, i;

	for (i = 0; i < f->len && i < most; i++)
		snprintf(hex + 2 * i, 3, "%02x", f->data[i]);
	hex[2 * i] = '\0';
	if (i < f->len)
		strcat(hex, "...");
}

static int they_differ(const struct explainer *ex, const struct explain_frame *f,
	const struct bp_answer *a, const struct eval_verdict *v, struct diag *diag)
{
	char hex[512];

	put_hex(f, hex, sizeof(hex));
	return diag_set(diag, DIAG_SYSTEM, EILSEQ,
		"internal error: the kernel's classifier and its twin differ on a frame; please "
		"report it, with 'bpfpol list --json'\n"
		"kernel: %s, rule %u, read as %u; twin: %s, rule %u, reason %u\n"
		"frame of %zu bytes, %s %s, local end %sme: %s",
		a->blocked ? "block" : "pass", a->rule, a->reading, v->block ? "block" : "pass",
		v->winner ? v->winner->id : 0, v->reason, f->len,
		ex->vantage.dir == BP_IN ? "in" : "out", vantage_hook_text(&ex->vantage),
		a->me ? "" : "not ", hex);
}

/* --- both --- */

static enum eval_reason reason_of(const struct bp_answer *a)
{
	if (a->reading == READ_EXEMPT)
		return REASON_EXEMPT;
	if (a->hidden)
		return REASON_MALFORMED;
	return a->rule ? REASON_RULE : REASON_NO_MATCH;
}

static void take_answer(const struct bp_answer *a, struct judgement *j)
{
	j->block = a->blocked;
	j->malformed = a->reading > READ_WHOLE;
	j->reason = reason_of(a);
	j->rule = a->rule;
}

static void take_verdict(const struct eval_verdict *v, struct judgement *j)
{
	j->block = v->block;
	j->malformed = v->malformed;
	j->reason = v->reason;
	j->rule = v->winner ? v->winner->id : 0;
}

/* The oracle alone. */
static int judge_by_twin(struct explainer *ex, bool me, struct judgement *j, struct eval_verdict *v)
{
	int rc = eval(ex, &j->frame, me, v);

	if (!rc)
		take_verdict(v, j);
	return rc;
}

/* The kernel alone: of the rules that match only the one that wins is known. */
static int judge_by_kernel(const struct explainer *ex, const struct bp_answer *a,
	struct judgement *j, struct eval_verdict *v)
{
	ptrdiff_t at = policy_find_id(&ex->all, a->rule);

	take_answer(a, j);
	*v = (struct eval_verdict){};
	if (at < 0)
		return 0;
	v->matched = calloc(1, sizeof(*v->matched));
	if (!v->matched)
		return -ENOMEM;
	v->winner = v->matched[0] = ex->all.rules[at];
	v->n_matched = 1;
	return 0;
}

/* A rule may end between the two questions: then they are asked again. */
static int judge_by_both(struct explainer *ex, const struct explain_frame *f, struct bp_answer *a,
	struct judgement *j, struct eval_verdict *v, struct diag *diag)
{
	int rc = 0;

	for (int i = 0; i < TRIES && !rc; i++) {
		bool refused;

		rc = eval(ex, &j->frame, a->me, v);
		if (rc || judgement_agrees(a, &j->frame, v)) {
			take_answer(a, j);
			return rc;
		}
		if (explainer_changed(ex)) {
			eval_free(v);
			return judge_by_kernel(ex, a, j, v);
		}
		if (i == TRIES - 1)
			break;
		eval_free(v);
		rc = take_gates(ex);
		if (!rc)
			rc = ask(ex, f, &j->frame, &refused, a, diag);
	}
	return rc ? rc : they_differ(ex, f, a, v, diag);
}

int explainer_judge(struct explainer *ex, const struct explain_frame *f, bool check,
	struct judgement *j, struct eval_verdict *verdict, struct diag *diag)
{
	size_t skip = f->l3 ? ETH_HEADER : 0;
	struct eval_verdict own = {}, *v = verdict ? verdict : &own;
	struct bp_answer answer = {};
	bool refused = false;
	int rc = 0;

	*j = (struct judgement){};
	*v = (struct eval_verdict){};
	if (ex->vantage.hook == BP_GENERIC)
		frame_read_generic(f->data, f->len, &j->frame);
	else
		frame_read(f->data + skip, f->len - skip, f->l3, &j->frame);
	if (explainer_asks(ex))
		rc = ask(ex, f, &j->frame, &refused, &answer, diag);
	if (rc)
		return rc;
	j->untried = refused;
	if (refused || !explainer_asks(ex))
		rc = judge_by_twin(ex, answer.me, j, v);
	else if (explainer_blind(ex))
		rc = judge_by_kernel(ex, &answer, j, v);
	else if (verdict || (check && !ex->changed))
		rc = judge_by_both(ex, f, &answer, j, v, diag);
	else
		take_answer(&answer, j);
	if (rc || !verdict)
		eval_free(v);
	return rc;
}
