// SPDX-License-Identifier: GPL-2.0-only
#include "guard_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clocks.h"
#include "probe.h"
#include "report_parts.h"
#include "spec.h"

#define NSEC 1000000000ULL

/*
 * For less than that nobody is cut. A rule's end is reckoned anew with each generation, and is not
 * the same to the second.
 */
#define SHORT (2 * NSEC)

static int ask(struct guard *g, const struct generation *gen, struct asker **askers,
	const struct place *at, const struct frame *frame, struct bp_answer *answer,
	struct diag *diag)
{
	uint8_t data[PROBE_ROOM];
	const struct asker_frame probe = {
		.data = data,
		.len = probe_build(frame, data),
		.ifindex = at->link->ifindex,
		.ingress_ifindex = at->dir == BP_IN ? at->link->ifindex : 0,
		.moment = g->moment,
	};
	int rc = askers[at->hook] ? 0
				  : asker_open(gen, &g->host->kernel->shared, at->hook,
					    &askers[at->hook], diag);

	if (rc)
		return rc;
	rc = asker_ask(askers[at->hook], &probe, answer);
	return rc ? diag_errno(diag, -rc, "the kernel did not run the classifier") : 0;
}

/* What becomes of a packet by a generation alone, and with the dynamic rules. */
struct fate {
	struct bp_answer alone, both;
};

static int join(struct guard *g, const struct place *at, const struct frame *frame,
	struct fate *fate, struct diag *diag)
{
	struct bp_answer dynamic;
	int rc = ask(g, g->dynamic.gen, g->beside, at, frame, &dynamic, diag);

	if (rc == -EPROTO) {
		diag_clear(diag); /* another version's: nobody knows */
		generation_free(&g->dynamic.gen);
		return 0;
	}
	if (!rc)
		dynamic_answer(&fate->both, &dynamic);
	return rc;
}

static int ask_then(struct guard *g, const struct place *at, const struct frame *frame,
	struct fate *fate, struct diag *diag)
{
	int rc = g->gen ? ask(g, g->gen, g->then, at, frame, &fate->alone, diag) : 0;

	fate->both = fate->alone;
	return rc || !g->dynamic.gen || g->layers ? rc : join(g, at, frame, fate, diag);
}

/* Rules of both layers are asked together where it is on, or comes back by itself: as if it had. */
bool guard_is_off(const struct guard *g)
{
	return g->host->kernel->ctl->off && !g->layers;
}

/* What is stopped already is not cut by the change. */
static int ask_now(struct guard *g, const struct place *at, const struct frame *frame,
	struct fate *fate, struct diag *diag)
{
	const struct kernel *k = g->host->kernel;
	int rc;

	if (!at->filtered || guard_is_off(g))
		return 0;
	if (g->was) {
		rc = ask(g, g->was, g->now, at, frame, &fate->both, diag);
		fate->alone = fate->both;
		return rc;
	}
	if (k->gen &&
		k->gen == g->gen) /* an interface comes to others, for which nothing changes */
		return ask_then(g, at, frame, fate, diag);
	rc = k->gen ? ask(g, k->gen, g->now, at, frame, &fate->alone, diag) : 0;
	if (rc == -EPROTO) {
		diag_clear(diag);
		return 0;
	}
	fate->both = fate->alone;
	return rc || !g->dynamic.gen ? rc : join(g, at, frame, fate, diag);
}

/* One that the store does not know yet has no number that anybody could look up. */
static bool has_number(const struct guard *g, uint32_t id)
{
	return !g->host->store || id < g->host->store->known;
}

static char *rule_name(const struct guard *g, uint32_t id)
{
	ptrdiff_t i = policy_find_id(g->policy, id);
	const char *layer = "";
	char *text, *name;
	int n;

	if (i < 0)
		return NULL;
	if (g->dynamic.rules && policy_find_id(g->dynamic.rules, id) >= 0)
		layer = "dynamic ";
	text = spec_text(g->policy->rules[i], SPEC_ACTION | SPEC_MATCH);
	if (!text)
		return NULL;
	n = *layer || has_number(g, id)
		    ? asprintf(&name, "%srule %" PRIu32 " '%s'", layer, id, text)
		    : asprintf(&name, "the rule '%s'", text);
	free(text);
	return n < 0 ? NULL : name;
}

/* kept: only as long as a dynamic rule permits it. */
static char *when_text(const struct guard *g, bool kept)
{
	uint64_t now = kernel_clock(), end = g->moment - SHORT;
	char left[24], *rule, *text;
	int n;

	if (!g->moment)
		return strdup(kept ? " as soon as no dynamic rule permits it" : "");
	time_left_text(end > now ? (end - now + NSEC - 1) / NSEC : 0, left, sizeof(left));
	rule = rule_name(g, g->ended);
	n = asprintf(&text, " in %s, when %s ends%s", left, rule ? rule : "a rule in force",
		kept ? " and no dynamic rule permits it" : "");
	free(rule);
	return n < 0 ? NULL : text;
}

static int refuse(struct guard *g, const struct place *at, const struct protected_packet *packet,
	uint32_t id, bool kept, struct diag *diag)
{
	char *rule = rule_name(g, id), *what = protect_text(packet), *when = when_text(g, kept);
	int rc = diag_set(diag, DIAG_REFUSED, EPERM,
		"%s would cut %s (what %s %s)%s; nothing is changed; --force goes ahead all the "
		"same",
		rule ? rule : "a rule", what ? what : "what is protected",
		at->dir == BP_IN ? "arrives at" : "leaves by", at->link->name, when ? when : "");

	free(rule);
	free(what);
	free(when);
	return rc;
}

/* Of the rules that decide, the one that ends first. */
struct ending {
	uint64_t at; /* 0: none does */
	uint32_t rule;
};

static void note_ending(const struct bp_answer *answer, struct ending *first)
{
	if (answer->until && (!first->at || answer->until < first->at))
		*first = (struct ending){ .at = answer->until, .rule = answer->rule };
}

/* At g->moment. first: until when what is found holds. */
static int try_moment(struct guard *g, const struct place *at,
	const struct protected_packet *packet, struct ending *first, struct diag *diag)
{
	struct fate then = {}, now = {};
	int rc = ask_then(g, at, &packet->frame, &then, diag);

	*first = (struct ending){};
	note_ending(&then.alone, first);
	note_ending(&then.both, first);
	if (rc || (!then.alone.blocked && !then.both.blocked))
		return rc;
	rc = ask_now(g, at, &packet->frame, &now, diag);
	note_ending(&now.alone, first);
	note_ending(&now.both, first);
	if (rc || now.both.blocked)
		return rc;
	if (then.both.blocked)
		return refuse(g, at, packet, then.both.rule, false, diag);
	/* A dynamic permit is gone with the agent, at the latest by the next boot. */
	return now.alone.blocked ? 0 : refuse(g, at, packet, then.alone.rule, true, diag);
}

/*
 * Now, and at each moment at which it may become another matter: rules only end from here on, so
 * that the one that decides goes on deciding until it ends itself.
 */
int guard_try(struct guard *g, const struct place *at, const struct protected_packet *packet,
	struct diag *diag)
{
	struct ending first;
	uint64_t moment;
	int rc;

	if (packet->dir != at->dir)
		return 0;
	g->moment = 0;
	do {
		moment = g->moment;
		rc = try_moment(g, at, packet, &first, diag);
		g->moment = first.at + SHORT;
		g->ended = first.rule;
	} while (!rc && first.at > moment);
	return rc;
}
