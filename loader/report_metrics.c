// SPDX-License-Identifier: GPL-2.0-only
/*
 * OpenMetrics 1.0 text. Labels that an operator can multiply are bounded: rules by SERIES, their
 * texts by LABEL. A rule's counters carry its id alone, which is never given twice; what it says
 * stands in bpfpol_rule_info, so that a new label or end makes no new series of counters.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report_parts.h"
#include "spec.h"
#include "utf8.h"

#define SERIES 1000 /* rules */
#define LABEL 256   /* bytes of a value */

static void put_head(
	FILE *out, const char *name, const char *type, const char *unit, const char *help)
{
	fprintf(out, "# TYPE %s %s\n", name, type);
	if (unit)
		fprintf(out, "# UNIT %s %s\n", name, unit);
	fprintf(out, "# HELP %s %s\n", name, help);
}

/* One that has no labels. */
static void put_gauge(FILE *out, const char *name, uint64_t value, const char *help)
{
	put_head(out, name, "gauge", NULL, help);
	fprintf(out, "%s %" PRIu64 "\n", name, value);
}

/* key="value", cut to LABEL bytes before the escapes. */
static void put_label(FILE *out, const char *before, const char *key, const char *value)
{
	const char *end = value + strlen(value);
	bool cut = end - value > LABEL;

	if (cut)
		end = value + LABEL - 3;
	fprintf(out, "%s%s=\"", before, key);
	while (value < end) {
		unsigned int len = utf8_len(value);

		if (value + len > end)
			break;
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else if (!len || (unsigned char)*value < 0x20 || *value == 0x7f)
			fputs(UTF8_BAD, out);
		else
			fwrite(value, 1, len, out);
		value += len ? len : 1;
	}
	fprintf(out, "%s\"", cut ? "..." : "");
}

static void put_state(FILE *out, const struct status *st)
{
	put_head(out, "bpfpol_build", "info", NULL, "The program's version, and the kernel's.");
	put_label(out, "bpfpol_build_info{", "version", st->version);
	put_label(out, ",", "kernel", st->kernel.release);
	fputs("} 1\n", out);
	put_gauge(out, "bpfpol_off", st->off, "1 while 'bpfpol off' has stopped all filtering.");
	put_gauge(out, "bpfpol_in_force", st->policy && st->generation && !st->off,
		"1 while a policy is assigned, loaded into the kernel and not off.");
	put_gauge(out, "bpfpol_store_readable", !st->fault,
		"1 while the store on disk can be used; 0: what is told is the kernel's word "
		"alone.");
	put_head(out, "bpfpol_policy", "info", NULL, "The assigned policy; no sample: none is.");
	if (st->policy) {
		put_label(out, "bpfpol_policy_info{", "name", st->policy);
		fputs(",source=\"local\"} 1\n", out);
	}
	put_gauge(out, "bpfpol_generation", st->generation,
		"Number of the rule set that judges packets; 0: none does.");
	put_gauge(
		out, "bpfpol_rules", st->n_rules - st->n_dynamic, "Rules of the assigned policy.");
	put_gauge(out, "bpfpol_filters", st->n_filters,
		"Their filters in the kernel: a rule is one for each direction, family and list "
		"entry.");
	put_gauge(out, "bpfpol_dynamic_rules", st->n_dynamic, "Dynamic rules that are in force.");
	put_gauge(out, "bpfpol_dynamic_filters", st->n_held, "Their filters in the kernel.");
}

static void put_totals(FILE *out, const struct status *st)
{
	static const char *const dirs[] = { [BP_IN] = "in", [BP_OUT] = "out" };

	put_head(out, "bpfpol_packets", "counter", "packets",
		"Packets that the filter has seen on all interfaces, by what became of them.");
	for (int dir = 0; dir < BP_DIRS; dir++)
		fprintf(out,
			"bpfpol_packets_total{direction=\"%s\",verdict=\"passed\"} %" PRIu64 "\n"
			"bpfpol_packets_total{direction=\"%s\",verdict=\"blocked\"} %" PRIu64 "\n",
			dirs[dir], (uint64_t)st->totals[dir].passed, dirs[dir],
			(uint64_t)st->totals[dir].blocked);
	put_head(out, "bpfpol_malformed_packets", "counter", "packets",
		"Those of bpfpol_packets that are too short to read, or whose lengths lie.");
	for (int dir = 0; dir < BP_DIRS; dir++)
		fprintf(out, "bpfpol_malformed_packets_total{direction=\"%s\"} %" PRIu64 "\n",
			dirs[dir], (uint64_t)st->totals[dir].malformed);
	put_head(out, "bpfpol_unfinished_packets", "counter", "packets",
		"Those that were judged by a part of the rules: never, unless the tables are "
		"damaged.");
	for (int dir = 0; dir < BP_DIRS; dir++)
		fprintf(out, "bpfpol_unfinished_packets_total{direction=\"%s\"} %" PRIu64 "\n",
			dirs[dir], (uint64_t)st->totals[dir].unfinished);
}

static void put_filtered(
	FILE *out, const struct status_interface *f, const char *dir, const char *how)
{
	put_label(out, "bpfpol_interface_filtered{", "interface", f->name);
	fprintf(out, ",direction=\"%s\",how=\"%s\"} %d\n", dir, how, strcmp(how, "none") != 0);
}

static void put_interfaces(FILE *out, const struct status *st)
{
	put_head(out, "bpfpol_interface_filtered", "gauge", NULL,
		"1 where that direction is filtered; 0 where it should be and is not. Interfaces "
		"that nobody asked to filter are left out.");
	for (size_t i = 0; i < st->n_interfaces; i++) {
		const struct status_interface *f = &st->interfaces[i];

		if (!f->remembered && !strcmp(f->ingress, "none") && !strcmp(f->egress, "none"))
			continue;
		put_filtered(out, f, "in", f->ingress);
		put_filtered(out, f, "out", f->egress);
	}
}

/* The rules that get series: all, or those with the most packets, in the order of their ids. */
struct chosen {
	const struct status_rule **v;
	size_t n;
};

static int by_packets(const void *a, const void *b)
{
	const struct status_rule *x = *(const struct status_rule *const *)a;
	const struct status_rule *y = *(const struct status_rule *const *)b;

	if (x->packets != y->packets)
		return x->packets > y->packets ? -1 : 1;
	return x->rule->id < y->rule->id ? -1 : x->rule->id > y->rule->id;
}

static int by_id(const void *a, const void *b)
{
	const struct status_rule *x = *(const struct status_rule *const *)a;
	const struct status_rule *y = *(const struct status_rule *const *)b;

	return x->rule->id < y->rule->id ? -1 : x->rule->id > y->rule->id;
}

static int choose(const struct status *st, struct chosen *c)
{
	*c = (struct chosen){ .v = calloc(st->n_rules + 1, sizeof(*c->v)) };
	if (!c->v)
		return -ENOMEM;
	/* Without a part of their counts they would fall: no series for once is better. */
	for (size_t i = 0; i < st->n_rules; i++)
		if (!st->behind || st->rules[i].rule->layer == LAYER_DYNAMIC)
			c->v[c->n++] = &st->rules[i];
	if (c->n > SERIES) {
		qsort(c->v, c->n, sizeof(*c->v), by_packets);
		c->n = SERIES;
	}
	if (c->n)
		qsort(c->v, c->n, sizeof(*c->v), by_id);
	return 0;
}

static int put_rule(FILE *out, const struct status_rule *r)
{
	char *filter = spec_text(r->rule, SPEC_MATCH);

	if (!filter)
		return -ENOMEM;
	fprintf(out, "bpfpol_rule_info{id=\"%" PRIu32 "\",action=\"%s\",direction=\"%s\"",
		r->rule->id, action_name(r->rule->action), dir_name(r->rule->dir));
	put_label(out, ",", "filter", filter);
	put_label(out, ",", "name", r->rule->label ? r->rule->label : "");
	fprintf(out, ",layer=\"%s\"} 1\n", layer_name(r->rule->layer));
	free(filter);
	return 0;
}

static void put_counts(FILE *out, const struct chosen *c, const char *unit)
{
	bool bytes = !strcmp(unit, "bytes");

	for (size_t i = 0; i < c->n; i++)
		fprintf(out, "bpfpol_rule_%s_total{id=\"%" PRIu32 "\",action=\"%s\"} %" PRIu64 "\n",
			unit, c->v[i]->rule->id, action_name(c->v[i]->rule->action),
			bytes ? c->v[i]->bytes : c->v[i]->packets);
}

static int put_rules(FILE *out, const struct status *st)
{
	struct chosen c;
	int rc = choose(st, &c);

	if (rc)
		return rc;
	put_gauge(out, "bpfpol_rule_series_limit", SERIES,
		"So many rules at most, of both layers, have series of their own; if there are "
		"more, those with the most packets do.");
	put_head(out, "bpfpol_rule", "info", NULL,
		"What the rule with that id says; texts above 256 bytes are cut.");
	for (size_t i = 0; i < c.n && !rc; i++)
		rc = c.v[i]->untold ? 0 : put_rule(out, c.v[i]);
	put_head(out, "bpfpol_rule_packets", "counter", "packets",
		"Packets that the rule has decided on, or that a count rule has matched.");
	put_counts(out, &c, "packets");
	put_head(out, "bpfpol_rule_bytes", "counter", "bytes",
		"Bytes of these packets, from the Ethernet header on.");
	put_counts(out, &c, "bytes");
	free(c.v);
	return rc;
}

static void put_more(FILE *out, const struct metric *m)
{
	bool counter = !strcmp(m->type, "counter");

	put_head(out, m->name, m->type, NULL, m->help);
	fprintf(out, "%s%s %" PRIu64 "\n", m->name, counter ? "_total" : "", m->value);
}

int metrics_write(FILE *out, const struct status *st, const struct metric *more, size_t n_more)
{
	int rc;

	put_state(out, st);
	put_totals(out, st);
	put_interfaces(out, st);
	rc = put_rules(out, st);
	for (size_t i = 0; i < n_more && !rc; i++)
		put_more(out, &more[i]);
	if (!rc)
		fputs("# EOF\n", out);
	return rc;
}

static int metrics_status(FILE *out, const struct status *st)
{
	return metrics_write(out, st, NULL, 0);
}

const struct report report_metrics = {
	.status = metrics_status,
};
