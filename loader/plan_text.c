// SPDX-License-Identifier: GPL-2.0-only
#include "plan_text.h"

#include <inttypes.h>

/* One family and direction. */
struct part {
	unsigned int tuples[BP_KINDS];
	uint64_t entries;
};

static const char *const part_names[BP_DIRS][BP_FAMILIES] = {
	[BP_IN] = { [BP_V4] = "in ipv4", [BP_V6] = "in ipv6" },
	[BP_OUT] = { [BP_V4] = "out ipv4", [BP_V6] = "out ipv6" },
};

static struct part part_of(const struct plan *plan, int dir, int family)
{
	const struct bp_tables *t = &plan->tables;
	struct part part = {};

	for (int kind = 0; kind < BP_KINDS; kind++)
		part.tuples[kind] = __builtin_popcountll(t->live[dir][family][kind]);
	for (int space = 0; space < BP_SPACES; space++)
		for (int i = 0; i < BP_TUPLES; i++)
			part.entries += t->used[dir][family][space][i];
	return part;
}

/*
 * Lookups that a packet may cost at most: each tuple that decides, and each that counts. Few
 * packets are looked up in more than those whose keys are there: the indices rule the others out.
 */
static unsigned int probes(const struct part *part)
{
	return part->tuples[BP_DECIDE] + part->tuples[BP_TALLY];
}

static uint64_t bytes_of(const struct plan *plan)
{
	uint64_t bytes = 0;

	for (int part = 0; part < TABLE_PARTS; part++)
		bytes += table_part_size(&plan->tables.sizes, part);
	return bytes;
}

void plan_text(FILE *out, const struct plan *plan)
{
	fprintf(out,
		"Plan: %" PRIu64 " rules, %" PRIu64 " filters of %u shapes, about %" PRIu64
		" KiB\n",
		(uint64_t)plan->tables.rules, (uint64_t)plan->tables.filters, plan->n_shapes,
		(bytes_of(plan) + 1023) / 1024);
	fprintf(out, "  %-9s %8s %10s %8s\n", "", "TUPLES", "ENTRIES", "PROBES");
	for (int dir = 0; dir < BP_DIRS; dir++) {
		for (int family = 0; family < BP_FAMILIES; family++) {
			struct part part = part_of(plan, dir, family);

			fprintf(out, "  %-9s %8u %10" PRIu64 " %8u\n", part_names[dir][family],
				probes(&part) + part.tuples[BP_SHADOW] + part.tuples[BP_BLIND],
				part.entries, probes(&part));
		}
	}
}

void plan_json(struct jw *j, const struct plan *plan)
{
	jw_object(j, "plan");
	jw_u64(j, "rules", plan->tables.rules);
	jw_u64(j, "filters", plan->tables.filters);
	jw_u64(j, "shapes", plan->n_shapes);
	jw_u64(j, "bytes", bytes_of(plan));
	jw_array(j, "parts");
	for (int dir = 0; dir < BP_DIRS; dir++) {
		for (int family = 0; family < BP_FAMILIES; family++) {
			struct part part = part_of(plan, dir, family);

			jw_object(j, NULL);
			jw_str(j, "direction", dir == BP_IN ? "in" : "out");
			jw_u64(j, "family", family == BP_V4 ? 4 : 6);
			jw_u64(j, "tuples",
				probes(&part) + part.tuples[BP_SHADOW] + part.tuples[BP_BLIND]);
			jw_u64(j, "entries", part.entries);
			jw_u64(j, "probes", probes(&part));
			jw_object_end(j);
		}
	}
	jw_array_end(j);
	jw_object_end(j);
}
