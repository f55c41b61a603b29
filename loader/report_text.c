// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report_parts.h"
#include "spec.h"
#include "utf8.h"

static int put_rule(FILE *out, const struct status_rule *r)
{
	char *text = rule_line(r);
	char left[32] = "-";

	if (!text)
		return -ENOMEM;
	if (r->rule->deadline)
		time_left_text(r->expires_in, left, sizeof(left));
	fprintf(out, "%6" PRIu32 " %12" PRIu64 " %14" PRIu64 "  %-7s %5s  %s\n", r->rule->id,
		r->packets, r->bytes, layer_name(r->rule->layer), left, text);
	free(text);
	return 0;
}

static int text_rules(FILE *out, const struct status *st)
{
	int rc = 0;

	text_not_in_force(out, st);
	if (st->fault && !st->n_rules)
		fprintf(out, "No rule is in force; everything passes.\n");
	else if (st->fault)
		;
	else if (!st->policy && st->n_rules)
		fprintf(out, "No policy is assigned; these rules are gone when the agent ends.\n");
	else if (!st->policy)
		fprintf(out, "No policy is assigned; 'bpfpol block udp/1434' makes one.\n");
	else if (!st->n_rules)
		fprintf(out, "Policy '%s' has no rules; everything passes.\n", st->policy);
	if (st->n_rules)
		fprintf(out, "%6s %12s %14s  %-7s %5s  %s\n", "ID", "PACKETS", "BYTES", "LAYER",
			"LEFT", "RULE");
	for (size_t i = 0; i < st->n_rules && !rc; i++)
		rc = put_rule(out, &st->rules[i]);
	return rc;
}

static void put_interface(FILE *out, const struct status_interface *f)
{
	fprintf(out, "  %-*s %-12s %-7s %s\n", utf8_width(f->name, 15), f->name, f->ingress,
		f->egress, f->why);
}

static void interface_head(FILE *out)
{
	fprintf(out, "  %-15s %-12s %-7s %s\n", "INTERFACE", "IN", "OUT", "WHY");
}

/* Of all interfaces, behind their table. */
static void put_notes(FILE *out, const struct status *st)
{
	bool any = false;

	for (size_t i = 0; i < st->n_interfaces * STATUS_NOTES; i++) {
		const struct status_interface *f = &st->interfaces[i / STATUS_NOTES];
		const char *note = f->notes[i % STATUS_NOTES];

		if (!*note)
			continue;
		fprintf(out, "%s  %s: %s\n", any ? "" : "\nNotes\n", f->name, note);
		any = true;
	}
}

static int text_interfaces(FILE *out, const struct status *st)
{
	interface_head(out);
	for (size_t i = 0; i < st->n_interfaces; i++)
		put_interface(out, &st->interfaces[i]);
	put_notes(out, st);
	return 0;
}

static void put_filtered(FILE *out, const struct status *st)
{
	bool any = false;

	for (size_t i = 0; i < st->n_interfaces; i++) {
		const struct status_interface *f = &st->interfaces[i];

		if (!f->remembered && !strcmp(f->ingress, "none"))
			continue;
		if (!any)
			interface_head(out);
		any = true;
		put_interface(out, f);
	}
	if (!any)
		fprintf(out, "  no interface is filtered; 'bpfpol attach IFACE' changes that\n");
}

static void put_port(FILE *out, const char *what, uint16_t lo, uint16_t hi)
{
	if (lo == hi)
		fprintf(out, " %s %u", what, lo);
	else if (lo < hi)
		fprintf(out, " %s %u-%u", what, lo, hi);
}

static void put_prefix(FILE *out, const char *what, int family, const void *bytes, uint8_t len)
{
	struct prefix p = { .family = family == BP_V4 ? 4 : 6, .len = len };
	char buf[64];

	memcpy(p.bytes, bytes, family == BP_V4 ? 4 : 16);
	spec_prefix_text(&p, buf, sizeof(buf));
	fprintf(out, " %s %s", what, buf);
}

static void put_filter(FILE *out, const struct status_filter *s)
{
	const struct filter *f = &s->filter;
	char proto[16];

	fprintf(out, "%6" PRIu32 " %12" PRIu64 " %14" PRIu64 "  %-7s  %s %s %s", s->rule,
		s->packets, s->bytes, layer_name(s->layer), action_name(s->action),
		f->shape.dir == BP_IN ? "in" : "out", f->shape.family == BP_V4 ? "ipv4" : "ipv6");
	if (s->ifindex)
		fprintf(out, " ifindex %" PRIu32, s->ifindex);
	if (f->shape.flags & BPT_PROTO)
		fprintf(out, " %s", spec_proto_text(f->proto, proto, sizeof(proto)));
	put_prefix(out, "remote", f->shape.family, f->remote, f->shape.rlen);
	put_port(out, "port", f->rport.lo, f->rport.hi);
	if (f->shape.flags & BPT_ME)
		fprintf(out, " local me");
	else
		put_prefix(out, "local", f->shape.family, f->local, f->shape.llen);
	put_port(out, "port", f->lport.lo, f->lport.hi);
	fputc('\n', out);
}

static void put_totals(FILE *out, const char *what, const struct bp_totals *t)
{
	fprintf(out, "  %-4s %12" PRIu64 " passed %12" PRIu64 " blocked %12" PRIu64 " malformed\n",
		what, (uint64_t)t->passed, (uint64_t)t->blocked, (uint64_t)t->malformed);
}

static void put_trial(FILE *out, const struct status *st)
{
	if (st->tried_in)
		fprintf(out,
			"What 'attach' did last awaits confirmation and goes back by itself in "
			"%" PRIu64 " s; 'bpfpol policy confirm' keeps it.\n",
			st->tried_in);
	if (st->confirm_in)
		fprintf(out,
			"The last change awaits confirmation and goes back by itself in %" PRIu64
			" s; 'bpfpol policy confirm' keeps it.\n",
			st->confirm_in);
	if (st->went_back)
		fprintf(out,
			"The last change was not confirmed in time and went back by itself, "
			"%" PRIu64 " s ago.\n",
			st->went_back);
	if (st->tried_back)
		fprintf(out,
			"What 'attach' did last was not confirmed in time and went back by "
			"itself, %" PRIu64 " s ago.\n",
			st->tried_back);
	if (st->off_back)
		fprintf(out,
			"'off' was not confirmed in time, and filtering came back by itself, "
			"%" PRIu64 " s ago.\n",
			st->off_back);
}

static int text_status(FILE *out, const struct status *st)
{
	text_not_in_force(out, st);
	put_trial(out, st);
	if (st->policy)
		fprintf(out,
			"Policy '%s' (local): %zu rules, %" PRIu64 " filters, generation %" PRIu64
			"\n",
			st->policy, st->n_rules - st->n_dynamic, st->n_filters, st->generation);
	else if (st->fault)
		fprintf(out, "No policy is in force, and it is not known which one is assigned.\n");
	else
		fprintf(out, "No policy is assigned.\n");
	if (st->n_dynamic)
		fprintf(out, "Dynamic rules of the agent: %zu, %" PRIu64 " filters\n",
			st->n_dynamic, st->n_held);
	fprintf(out, "bpfpol %s, kernel %s", st->version, st->kernel.release);
	if (st->agent > 0)
		fprintf(out, ", agent %d", st->agent);
	fprintf(out, "%s\n\n", st->agent > 0 ? "" : st->agent ? ", agent" : ", no agent");
	put_filtered(out, st);
	put_notes(out, st);
	for (size_t i = 0; i < st->n_protected; i++)
		fprintf(out, "%s  %s\n", i ? "" : "\nProtected from being cut\n", st->protected[i]);
	fprintf(out, "\nPackets\n");
	put_totals(out, "in", &st->totals[BP_IN]);
	put_totals(out, "out", &st->totals[BP_OUT]);
	fprintf(out,
		"\nARP, neighbour discovery (ICMPv6 types 133 to 136) and frames that are not IP\n"
		"always pass. Outbound, what is sent past TC passes: PACKET_QDISC_BYPASS, AF_XDP\n"
		"transmit, XDP redirect (all need privileges).\n");
	if (st->filters)
		fprintf(out, "\nFilters in the kernel: %zu\n%6s %12s %14s  %-7s  %s\n",
			st->n_listed, "RULE", "PACKETS", "BYTES", "LAYER", "FILTER");
	for (size_t i = 0; i < st->n_listed; i++)
		put_filter(out, &st->filters[i]);
	return 0;
}

const struct report report_text = {
	.rules = text_rules,
	.status = text_status,
	.interfaces = text_interfaces,
	.rates = text_rates,
	.packet = text_packet,
	.capture = text_capture,
	.watched = text_watched,
};
