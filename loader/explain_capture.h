/* SPDX-License-Identifier: GPL-2.0-only */
/* Captures, packet by packet through an explainer. */
#ifndef BPFPOL_EXPLAIN_CAPTURE_H
#define BPFPOL_EXPLAIN_CAPTURE_H

#include "explain.h"
#include "explained.h"

struct explain_files {
	const char *pcap;
	const char *write_blocked; /* NULL: nothing is written */
	bool each;		   /* every packet is kept for the report */
};

/* Fills all of the struct but ->at. */
int explain_capture_run(struct explainer *ex, const struct explain_files *files,
	struct explained_capture *out, struct diag *diag);
void explained_capture_free(struct explained_capture *capture);

/* Rules with their counters, as reports show them. */
struct explained_rules {
	const struct dynamic_rules *dynamic;
	struct rule_counts counts;
	uint64_t now;
};
int explained_rules_begin(
	const struct explainer *ex, struct explained_rules *rules, struct diag *diag);
struct status_rule explained_rule(const struct explained_rules *rules, const struct rule *rule);
void explained_rules_end(struct explained_rules *rules);

#endif
