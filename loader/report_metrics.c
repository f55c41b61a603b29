// SPDX-License-Identifier: GPL-2.0-only
/*
 * OpenMetrics 1.0 text, and the same as JSON. Labels that an operator can multiply are bounded:
 * rules by SERIES, their texts by LABEL. A rule's counters carry its id alone, which is never given
 * twice; what it says stands in bpfpol_rule_info, so that a new label or end makes no new series of
 * counters.
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

/* Either back-end gets the same families and samples. */
struct writer {
	FILE *out;
	struct jw *json;	 /* NULL: as text */
	const char *name, *type; /* of the family */
};

struct label {
	const char *key, *value;
};

static const char *suffix(const struct writer *w)
{
	return !strcmp(w->type, "counter") ? "_total" : !strcmp(w->type, "info") ? "_info" : "";
}

static void begin(
	struct writer *w, const char *name, const char *type, const char *unit, const char *help)
{
	w->name = name;
	w->type = type;
	if (w->json) {
		jw_object(w->json, name);
		jw_str(w->json, "type", type);
		jw_str(w->json, "unit", unit);
		jw_str(w->json, "help", help);
		jw_array(w->json, "samples");
		return;
	}
	fprintf(w->out, "# TYPE %s %s\n", name, type);
	if (unit)
		fprintf(w->out, "# UNIT %s %s\n", name, unit);
	fprintf(w->out, "# HELP %s %s\n", name, help);
}

static void end(struct writer *w)
{
	if (!w->json)
		return;
	jw_array_end(w->json);
	jw_object_end(w->json);
}

/* Cut to LABEL bytes before the escapes. */
static void text_label(FILE *out, const struct label *label)
{
	const char *value = label->value, *end = value + strlen(value);
	bool cut = end - value > LABEL;

	if (cut)
		end = value + LABEL - 3;
	fprintf(out, "%s=\"", label->key);
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

static void text_sample(struct writer *w, const struct label *labels, size_t n, uint64_t value)
{
	fprintf(w->out, "%s%s", w->name, suffix(w));
	for (size_t i = 0; i < n; i++) {
		fputs(i ? "," : "{", w->out);
		text_label(w->out, &labels[i]);
	}
	fprintf(w->out, "%s %" PRIu64 "\n", n ? "}" : "", value);
}

/* Nothing is cut: there is no series to be kept short. */
static void json_sample(struct jw *j, const struct label *labels, size_t n, uint64_t value)
{
	jw_object(j, NULL);
	jw_object(j, "labels");
	for (size_t i = 0; i < n; i++)
		jw_str(j, labels[i].key, labels[i].value);
	jw_object_end(j);
	jw_u64(j, "value", value);
	jw_object_end(j);
}

static void sample(struct writer *w, const struct label *labels, size_t n, uint64_t value)
{
	if (w->json)
		json_sample(w->json, labels, n, value);
	else
		text_sample(w, labels, n, value);
}

#define SAMPLE(w, value, ...)                            \
	sample(w, (const struct label[]){ __VA_ARGS__ }, \
		sizeof((const struct label[]){ __VA_ARGS__ }) / sizeof(struct label), value)

/* One that has no labels. */
static void put_gauge(struct writer *w, const char *name, uint64_t value, const char *help)
{
	begin(w, name, "gauge", NULL, help);
	sample(w, NULL, 0, value);
	end(w);
}

static void put_infos(struct writer *w, const struct status *st)
{
	begin(w, "bpfpol_build", "info", NULL, "The program's version, and the kernel's.");
	SAMPLE(w, 1, { "version", st->version }, { "kernel", st->kernel.release });
	end(w);
	put_gauge(w, "bpfpol_off", st->off, "1 while 'bpfpol off' has stopped all filtering.");
	put_gauge(w, "bpfpol_in_force", st->policy && st->generation && !st->off,
		"1 while a policy is assigned, loaded into the kernel and not off.");
	put_gauge(w, "bpfpol_store_readable", !status_store_error(st),
		"1 while the store on disk can be used; 0: a file of it cannot, and what is told "
		"may be the kernel's word alone.");
	begin(w, "bpfpol_policy", "info", NULL, "The assigned policy; no sample: none is.");
	if (st->policy)
		SAMPLE(w, 1, { "name", st->policy }, { "source", "local" });
	end(w);
}

static void put_state(struct writer *w, const struct status *st)
{
	put_infos(w, st);
	put_gauge(w, "bpfpol_generation", st->generation,
		"Number of the rule set that judges packets; 0: none does.");
	put_gauge(w, "bpfpol_rules", st->n_rules - st->n_dynamic, "Rules of the assigned policy.");
	put_gauge(w, "bpfpol_filters", st->n_filters,
		"Their filters in the kernel: a rule is one for each direction, family and list "
		"entry.");
	put_gauge(w, "bpfpol_dynamic_rules", st->n_dynamic, "Dynamic rules that are in force.");
	put_gauge(w, "bpfpol_dynamic_filters", st->n_held, "Their filters in the kernel.");
}

static const char *const dirs[] = { [BP_IN] = "in", [BP_OUT] = "out" };

static void put_totals(struct writer *w, const struct status *st)
{
	begin(w, "bpfpol_packets", "counter", "packets",
		"Packets that the filter has seen on all interfaces, by what became of them.");
	for (int dir = 0; dir < BP_DIRS; dir++) {
		const struct bp_totals *t = &st->totals[dir];

		SAMPLE(w, t->passed, { "direction", dirs[dir] }, { "verdict", "passed" });
		SAMPLE(w, t->blocked, { "direction", dirs[dir] }, { "verdict", "blocked" });
	}
	end(w);
	begin(w, "bpfpol_malformed_packets", "counter", "packets",
		"Those of bpfpol_packets that are too short to read, or whose lengths lie.");
	for (int dir = 0; dir < BP_DIRS; dir++)
		SAMPLE(w, st->totals[dir].malformed, { "direction", dirs[dir] });
	end(w);
	begin(w, "bpfpol_unfinished_packets", "counter", "packets",
		"Those that were judged by a part of the rules: never, unless the tables are "
		"damaged.");
	for (int dir = 0; dir < BP_DIRS; dir++)
		SAMPLE(w, st->totals[dir].unfinished, { "direction", dirs[dir] });
	end(w);
}

static void put_filtered(
	struct writer *w, const struct status_interface *f, const char *dir, const char *how)
{
	SAMPLE(w, strcmp(how, "none") != 0, { "interface", f->name }, { "direction", dir },
		{ "how", how });
}

static void put_interfaces(struct writer *w, const struct status *st)
{
	begin(w, "bpfpol_interface_filtered", "gauge", NULL,
		"1 where that direction is filtered; 0 where it should be and is not. Interfaces "
		"that nobody asked to filter are left out.");
	for (size_t i = 0; i < st->n_interfaces; i++) {
		const struct status_interface *f = &st->interfaces[i];

		if (!f->remembered && !strcmp(f->ingress, "none") && !strcmp(f->egress, "none"))
			continue;
		put_filtered(w, f, dirs[BP_IN], f->ingress);
		put_filtered(w, f, dirs[BP_OUT], f->egress);
	}
	end(w);
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

#define ID_ROOM 12

static const char *id_text(const struct status_rule *r, char buf[ID_ROOM])
{
	snprintf(buf, ID_ROOM, "%" PRIu32, r->rule->id);
	return buf;
}

static int put_rule(struct writer *w, const struct status_rule *r)
{
	char *filter = spec_text(r->rule, SPEC_MATCH), id[ID_ROOM];

	if (!filter)
		return -ENOMEM;
	SAMPLE(w, 1, { "id", id_text(r, id) }, { "action", action_name(r->rule->action) },
		{ "direction", dir_name(r->rule->dir) }, { "filter", filter },
		{ "name", r->rule->label ? r->rule->label : "" },
		{ "layer", layer_name(r->rule->layer) });
	free(filter);
	return 0;
}

static void put_counts(struct writer *w, const struct chosen *c, bool bytes)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct status_rule *r = c->v[i];
		char id[ID_ROOM];

		SAMPLE(w, bytes ? r->bytes : r->packets, { "id", id_text(r, id) },
			{ "action", action_name(r->rule->action) });
	}
}

static int put_rules(struct writer *w, const struct status *st)
{
	struct chosen c;
	int rc = choose(st, &c);

	if (rc)
		return rc;
	put_gauge(w, "bpfpol_rule_series_limit", SERIES,
		"So many rules at most, of both layers, have series of their own; if there are "
		"more, those with the most packets do.");
	begin(w, "bpfpol_rule", "info", NULL,
		"What the rule with that id says; in OpenMetrics text, cut above 256 bytes.");
	for (size_t i = 0; i < c.n && !rc; i++)
		rc = c.v[i]->untold ? 0 : put_rule(w, c.v[i]);
	end(w);
	begin(w, "bpfpol_rule_packets", "counter", "packets",
		"Packets that the rule has decided on, or that a count rule has matched.");
	put_counts(w, &c, false);
	end(w);
	begin(w, "bpfpol_rule_bytes", "counter", "bytes",
		"Bytes of these packets, from the Ethernet header on.");
	put_counts(w, &c, true);
	end(w);
	free(c.v);
	return rc;
}

static int put_all(struct writer *w, const struct status *st)
{
	put_state(w, st);
	put_totals(w, st);
	put_interfaces(w, st);
	return put_rules(w, st);
}

int metrics_write(FILE *out, const struct status *st, const struct metric *more, size_t n_more)
{
	struct writer w = { .out = out };
	int rc = put_all(&w, st);

	for (size_t i = 0; i < n_more && !rc; i++) {
		begin(&w, more[i].name, more[i].type, NULL, more[i].help);
		sample(&w, NULL, 0, more[i].value);
		end(&w);
	}
	if (!rc)
		fputs("# EOF\n", out);
	return rc;
}

static int metrics_status(FILE *out, const struct status *st)
{
	return metrics_write(out, st, NULL, 0);
}

static int metrics_json(FILE *out, const struct status *st)
{
	struct jw j;
	int rc;

	jw_begin(&j, out);
	jw_object(&j, NULL);
	jw_str(&j, "store_error", status_store_error(st));
	jw_object(&j, "metrics");
	rc = put_all(&(struct writer){ .out = out, .json = &j }, st);
	jw_object_end(&j);
	jw_object_end(&j);
	return rc;
}

const struct report report_metrics = {
	.status = metrics_status,
};

const struct report report_metrics_json = {
	.status = metrics_json,
};
