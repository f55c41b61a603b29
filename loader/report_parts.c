// SPDX-License-Identifier: GPL-2.0-only
/* What reports of several kinds have in common. */
#include "report_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "spec.h"

void time_left_text(uint64_t seconds, char *buf, size_t size)
{
	static const struct {
		unsigned int seconds;
		char letter;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	int i = 0;

	while (units[i].seconds > 1 && seconds < 2 * units[i].seconds)
		i++;
	snprintf(buf, size, "%" PRIu64 "%c", seconds / units[i].seconds, units[i].letter);
}

char *rule_line(const struct status_rule *r)
{
	char *text;

	if (!r->untold)
		return spec_text(r->rule, SPEC_ALL);
	if (asprintf(&text, "%s %s ... (%s)", action_name(r->rule->action), dir_name(r->rule->dir),
		    r->rule->layer == LAYER_DYNAMIC
			    ? "the agent does not tell the rest"
			    : "'bpfpol status --debug' shows its filters") < 0)
		return NULL;
	return text;
}

void text_not_in_force(FILE *out, const struct status *st)
{
	if (st->fault)
		fprintf(out, "The store cannot be used; this is what the kernel has in force.\n");
	if (st->off_in)
		fprintf(out,
			"Filtering is OFF, and is back by itself in %" PRIu64
			" s; 'bpfpol policy rollback' ends it now, 'bpfpol policy confirm' keeps "
			"it off.\n",
			st->off_in);
	else if (st->off)
		fprintf(out, "Filtering is OFF; 'bpfpol on' starts it again.\n");
	else if (st->foreign)
		fprintf(out,
			"Another version of bpfpol filters: what follows is what is on disk%s.\n",
			st->policy ? ", and not counted here" : "");
	else if (st->policy && !st->generation)
		fprintf(out,
			"Policy '%s' is stored but NOT IN FORCE: every packet passes. "
			"'bpfpol restore' puts it in force.\n",
			st->policy);
}

int json_put_rule(struct jw *j, const char *key, const struct status_rule *r)
{
	char *filter = r->untold ? NULL : spec_text(r->rule, SPEC_MATCH);

	if (!filter && !r->untold)
		return -ENOMEM;
	jw_object(j, key);
	jw_u64(j, "id", r->rule->id);
	jw_str(j, "name", r->rule->label);
	jw_str(j, "action", action_name(r->rule->action));
	jw_str(j, "direction", dir_name(r->rule->dir));
	jw_str(j, "filter", filter);
	jw_str(j, "layer", layer_name(r->rule->layer));
	if (r->untold)
		jw_null(j, "log");
	else
		jw_bool(j, "log", r->rule->log);
	if (r->rule->deadline)
		jw_u64(j, "expires_in", r->expires_in);
	else
		jw_null(j, "expires_in");
	jw_u64(j, "packets", r->packets);
	jw_u64(j, "bytes", r->bytes);
	jw_object_end(j);
	free(filter);
	return 0;
}

void json_put_interfaces(struct jw *j, const char *key, const struct status *st, bool all)
{
	jw_array(j, key);
	for (size_t i = 0; i < st->n_interfaces; i++) {
		const struct status_interface *f = &st->interfaces[i];

		if (!all && !f->remembered && f->ingress[0] == 'n')
			continue;
		jw_object(j, NULL);
		jw_str(j, "name", f->name);
		jw_u64(j, "ifindex", f->ifindex);
		jw_str(j, "ingress", f->ingress);
		jw_str(j, "egress", f->egress);
		jw_str(j, "why", f->why);
		jw_array(j, "notes");
		for (int n = 0; n < STATUS_NOTES; n++)
			if (f->notes[n][0])
				jw_str(j, NULL, f->notes[n]);
		jw_array_end(j);
		jw_object_end(j);
	}
	jw_array_end(j);
}
