// SPDX-License-Identifier: GPL-2.0-only
#include "wanted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "spec.h"

static void take_prefix(const uint8_t *address, unsigned int len, uint32_t *to, uint32_t *mask)
{
	uint8_t bits[16] = {};

	for (unsigned int i = 0; i < len; i++)
		bits[i / 8] |= 0x80 >> i % 8;
	memcpy(mask, bits, sizeof(bits));
	memcpy(to, address, sizeof(bits));
	for (int i = 0; i < 4; i++)
		to[i] &= mask[i];
}

static struct bp_wanted *more(struct wanted *wanted)
{
	if (wanted->n == wanted->room) {
		uint32_t room = wanted->room ? 2 * wanted->room : 16;
		struct bp_wanted *v = realloc(wanted->v, room * sizeof(*v));

		if (!v)
			return NULL;
		wanted->v = v;
		wanted->room = room;
	}
	return &wanted->v[wanted->n++];
}

static int take_filter(const struct filter *f, void *arg)
{
	const struct port_range any = { 0, 65535 };
	struct port_range rport = f->shape.flags & (BPT_RPORT | BPT_RRANGE) ? f->rport : any;
	struct port_range lport = f->shape.flags & (BPT_LPORT | BPT_LRANGE) ? f->lport : any;
	struct wanted *wanted = arg;
	struct bp_wanted *w;

	if (is_shadow(&f->shape))
		return 0;
	if (wanted->n == BP_WANTED)
		return -E2BIG;
	w = more(wanted);
	if (!w)
		return -ENOMEM;
	*w = (struct bp_wanted){
		.rport_lo = rport.lo,
		.rport_hi = rport.hi,
		.lport_lo = lport.lo,
		.lport_hi = lport.hi,
		.dir = f->shape.dir,
		.family = f->shape.family,
		.proto = f->proto,
		.flags = f->shape.flags & (BPT_PROTO | BPT_L4 | BPT_PORTS),
	};
	take_prefix(f->remote, f->shape.rlen, w->remote, w->remote_mask);
	take_prefix(f->local, f->shape.llen, w->local, w->local_mask);
	return 0;
}

static int refuse(int argc, char *const *argv, struct diag *diag, const char *why)
{
	if (argc == 1)
		diag_place_word(diag, argv[0]);
	return diag_set(diag, DIAG_USAGE, EINVAL, "%s", why);
}

static const char *why_not(const struct rule *rule, bool has_action)
{
	if (has_action && rule->action == BP_COUNT)
		return "a packet is blocked or not: begin with block, with permit, or with neither";
	if (rule->emergency || rule->log || rule->label || rule->lifetime)
		return "emergency, for, log and name say nothing of a packet: leave them out";
	if (rule->from.kind == END_FILE || rule->to.kind == END_FILE)
		return "packets are not watched by a list: give an address or a prefix, or count "
		       "with it ('bpfpol count from @FILE log') and watch --id N";
	if (rule->from.kind == END_ME || rule->to.kind == END_ME)
		return "packets are not watched by 'me': give the address, or in or out alone, or "
		       "count with it ('bpfpol count to me log') and watch --id N";
	return NULL;
}

static int take_rule(const struct rule *rule, bool all, struct wanted *wanted)
{
	uint32_t n = wanted->n;
	int rc = filter_each(rule, take_filter, wanted);

	/* Of a rule without a body also what has no family. */
	for (; n < wanted->n; n++)
		wanted->v[n].any = all;
	return rc;
}

static bool has_body(const struct rule *rule)
{
	return rule->proto != PROTO_ANY || rule->from.kind != END_ANY || rule->to.kind != END_ANY ||
	       rule->from.ports.n || rule->to.ports.n;
}

/* As written, but out. An address that stands alone is the other one's there, too. */
static int take_out(const struct rule *rule, bool all, bool bare, struct wanted *wanted)
{
	struct rule out = *rule;

	out.dir = DIR_OUT;
	if (bare) {
		out.from = rule->to;
		out.to = rule->from;
	}
	return take_rule(&out, all, wanted);
}

static int take_all(const struct rule *rule, const struct spec_said *said, struct wanted *wanted)
{
	bool all = !has_body(rule);
	int rc = take_rule(rule, all, wanted);

	if (!rc && !said->dir)
		rc = take_out(rule, all, said->bare, wanted);
	if (!rc && rule->ifname) {
		wanted->ifname = strdup(rule->ifname);
		rc = wanted->ifname ? 0 : -ENOMEM;
	}
	return rc;
}

int wanted_parse(int argc, char *const *argv, struct wanted *wanted, struct diag *diag)
{
	bool has_action = false;
	struct spec_said said = {};
	const struct spec_opts opts = {
		.action = -1,
		.action_optional = true,
		.has_action = &has_action,
		.said = &said,
	};
	struct rule *rule = NULL;
	const char *why;
	int rc;

	*wanted = (struct wanted){};
	if (!argc)
		return 0;
	/* Alone they are no rule. */
	if (argc == 1 && (!strcmp(argv[0], "block") || !strcmp(argv[0], "permit"))) {
		wanted->verdict = argv[0][0] == 'b' ? 1 : 2;
		return 0;
	}
	rc = spec_parse_args(argc, argv, &opts, &rule, diag);
	if (rc)
		return rc;
	why = why_not(rule, has_action);
	rc = why ? refuse(argc, argv, diag, why) : take_all(rule, &said, wanted);
	if (rc == -E2BIG)
		rc = refuse(argc, argv, diag,
			"that are more than 4096 matches, of addresses and ports: ask for fewer, "
			"or count with that rule ('bpfpol count ... log') and watch --id N");
	if (!rc && has_action)
		wanted->verdict = rule->action == BP_BLOCK ? 1 : 2;
	rule_free(&rule);
	if (rc)
		wanted_free(wanted);
	return rc;
}

void wanted_free(struct wanted *wanted)
{
	free(wanted->ifname);
	free(wanted->v);
	*wanted = (struct wanted){};
}
