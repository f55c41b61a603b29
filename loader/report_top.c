// SPDX-License-Identifier: GPL-2.0-only
/* Rates as a table, once, and as JSON. */
#include <errno.h>
#include <inttypes.h>

#include "report_parts.h"
#include "top.h"

static const char *const dir_names[] = { [BP_IN] = "in", [BP_OUT] = "out" };

static void put_total(FILE *out, const char *name, const struct top_total *t)
{
	char passed[TOP_NUMBER], blocked[TOP_NUMBER], malformed[TOP_NUMBER];

	fprintf(out, "  %-4s %8s passed/s %8s blocked/s %8s malformed/s\n", name,
		top_number(t->passed, passed), top_number(t->blocked, blocked),
		top_number(t->malformed, malformed));
}

int text_rates(FILE *out, struct top_table *t)
{
	text_not_in_force(out, t->status);
	if (t->status->policy)
		fprintf(out, "Policy '%s', over %.1f s\n", t->status->policy, t->ns / 1e9);
	else
		fprintf(out, "No policy is %s; over %.1f s\n",
			t->status->fault ? "in force" : "assigned", t->ns / 1e9);
	for (int dir = 0; dir < BP_DIRS; dir++)
		put_total(out, dir_names[dir], &t->totals[dir]);
	if (t->shown)
		fprintf(out, "\n%6s %10s %10s %12s %14s  %s\n", "ID", "PACKETS/s", "BYTES/s",
			"PACKETS", "BYTES", "RULE");
	for (size_t i = 0; i < t->shown; i++) {
		const struct top_row *row = &t->rows[i];
		const char *text = top_text(&t->rows[i]);
		char packets[TOP_NUMBER] = "-", bytes[TOP_NUMBER] = "-";

		if (!text)
			return -ENOMEM;
		if (row->known) {
			top_number(row->packet_rate, packets);
			top_number(row->byte_rate, bytes);
		}
		fprintf(out, "%6" PRIu32 " %10s %10s %12" PRIu64 " %14" PRIu64 "  %s\n",
			row->rule->rule->id, packets, bytes, row->rule->packets, row->rule->bytes,
			text);
	}
	return 0;
}

static void put_total_json(struct jw *j, const char *name, const struct top_total *t)
{
	jw_object(j, name);
	jw_real(j, "passed_per_second", t->passed);
	jw_real(j, "blocked_per_second", t->blocked);
	jw_real(j, "malformed_per_second", t->malformed);
	jw_object_end(j);
}

/* Without a rate, as it came in between: null. */
static void put_rate_json(struct jw *j, const char *key, bool known, double rate)
{
	if (known)
		jw_real(j, key, rate);
	else
		jw_null(j, key);
}

int json_rates(FILE *out, struct top_table *t)
{
	struct jw j;
	int rc = 0;

	jw_begin(&j, out);
	jw_object(&j, NULL);
	jw_real(&j, "seconds", t->ns / 1e9);
	jw_bool(&j, "off", t->status->off);
	jw_str(&j, "policy", t->status->policy);
	jw_object(&j, "totals");
	for (int dir = 0; dir < BP_DIRS; dir++)
		put_total_json(&j, dir_names[dir], &t->totals[dir]);
	jw_object_end(&j);
	json_put_interfaces(&j, "interfaces", t->status, false);
	jw_array(&j, "rules");
	for (size_t i = 0; i < t->shown && !rc; i++) {
		const struct top_row *row = &t->rows[i];

		jw_object(&j, NULL);
		put_rate_json(&j, "packets_per_second", row->known, row->packet_rate);
		put_rate_json(&j, "bytes_per_second", row->known, row->byte_rate);
		jw_u64(&j, "packets", row->packets);
		jw_u64(&j, "bytes", row->bytes);
		rc = json_put_rule(&j, "rule", row->rule);
		jw_object_end(&j);
	}
	jw_array_end(&j);
	jw_object_end(&j);
	return rc;
}
