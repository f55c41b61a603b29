// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "report_parts.h"
#include "spec.h"

static int put_rules(struct jw *j, const char *key, const struct status *st)
{
	int rc = 0;

	jw_array(j, key);
	for (size_t i = 0; i < st->n_rules && !rc; i++)
		rc = json_put_rule(j, NULL, &st->rules[i]);
	jw_array_end(j);
	return rc;
}

static void put_policy(struct jw *j, const struct status *st)
{
	if (!st->policy) {
		jw_null(j, "policy");
		return;
	}
	jw_object(j, "policy");
	jw_str(j, "name", st->policy);
	jw_str(j, "source", "local");
	jw_u64(j, "rules", st->n_rules - st->n_dynamic);
	jw_u64(j, "filters", st->n_filters);
	jw_u64(j, "generation", st->generation);
	jw_null(j, "overrides");
	if (st->confirm_in || st->off_in || st->tried_in)
		jw_u64(j, "confirm_in",
			st->off_in     ? st->off_in
			: st->tried_in ? st->tried_in
				       : st->confirm_in);
	else
		jw_null(j, "confirm_in");
	jw_object_end(j);
}

static void put_totals(struct jw *j, const char *key, const struct bp_totals *t)
{
	jw_object(j, key);
	jw_u64(j, "passed", t->passed);
	jw_u64(j, "blocked", t->blocked);
	jw_u64(j, "malformed", t->malformed);
	jw_object_end(j);
}

static int json_rules(FILE *out, const struct status *st)
{
	struct jw j;
	int rc;

	jw_begin(&j, out);
	jw_object(&j, NULL);
	rc = put_rules(&j, "rules", st);
	if (st->fault)
		jw_str(&j, "store_error", status_store_error(st));
	jw_object_end(&j);
	return rc;
}

static int json_interfaces(FILE *out, const struct status *st)
{
	struct jw j;

	jw_begin(&j, out);
	jw_object(&j, NULL);
	json_put_interfaces(&j, "interfaces", st, true);
	if (status_store_error(st))
		jw_str(&j, "store_error", status_store_error(st));
	jw_object_end(&j);
	return 0;
}

static void put_prefix(struct jw *j, const char *key, int family, const void *bytes, uint8_t len)
{
	struct prefix p = { .family = family == BP_V4 ? 4 : 6, .len = len };
	char buf[64];

	for (int i = 0; i < (family == BP_V4 ? 4 : 16); i++)
		p.bytes[i] = ((const uint8_t *)bytes)[i];
	spec_prefix_text(&p, buf, sizeof(buf));
	jw_str(j, key, buf);
}

static void put_ports(struct jw *j, const char *key, uint16_t lo, uint16_t hi)
{
	if (hi < lo) {
		jw_null(j, key);
		return;
	}
	jw_array(j, key);
	jw_u64(j, NULL, lo);
	jw_u64(j, NULL, hi);
	jw_array_end(j);
}

static void put_filter(struct jw *j, const struct status_filter *s)
{
	const struct filter *f = &s->filter;
	int family = f->shape.family;

	jw_object(j, NULL);
	jw_u64(j, "rule", s->rule);
	jw_str(j, "layer", layer_name(s->layer));
	jw_str(j, "action", action_name(s->action));
	jw_str(j, "direction", f->shape.dir == BP_IN ? "in" : "out");
	jw_u64(j, "family", family == BP_V4 ? 4 : 6);
	put_prefix(j, "remote", family, f->remote, f->shape.rlen);
	put_prefix(j, "local", family, f->local, f->shape.llen);
	jw_bool(j, "me", f->shape.flags & BPT_ME);
	if (f->shape.flags & BPT_PROTO)
		jw_u64(j, "protocol", f->proto);
	else
		jw_null(j, "protocol");
	put_ports(j, "remote_ports", f->rport.lo, f->rport.hi);
	put_ports(j, "local_ports", f->lport.lo, f->lport.hi);
	jw_u64(j, "ifindex", s->ifindex);
	jw_u64(j, "packets", s->packets);
	jw_u64(j, "bytes", s->bytes);
	jw_object_end(j);
}

/* 0: null */
static void put_seconds(struct jw *j, const char *key, uint64_t seconds)
{
	if (seconds)
		jw_u64(j, key, seconds);
	else
		jw_null(j, key);
}

static int json_status(FILE *out, const struct status *st)
{
	struct jw j;
	int rc;

	jw_begin(&j, out);
	jw_object(&j, NULL);
	jw_str(&j, "version", st->version);
	jw_str(&j, "kernel", st->kernel.release);
	jw_bool(&j, "off", st->off);
	put_seconds(&j, "off_confirm_in", st->off_in);
	put_seconds(&j, "attach_confirm_in", st->tried_in);
	jw_str(&j, "agent", st->agent ? "running" : "stopped");
	put_policy(&j, st);
	jw_str(&j, "store_error", status_store_error(st));
	put_seconds(&j, "went_back", st->went_back);
	put_seconds(&j, "attach_went_back", st->tried_back);
	put_seconds(&j, "off_went_back", st->off_back);
	jw_object(&j, "dynamic");
	jw_u64(&j, "rules", st->n_dynamic);
	jw_u64(&j, "filters", st->n_held);
	jw_object_end(&j);
	json_put_interfaces(&j, "interfaces", st, false);
	rc = put_rules(&j, "rules", st);
	if (st->filters) {
		jw_array(&j, "filters");
		for (size_t i = 0; i < st->n_listed; i++)
			put_filter(&j, &st->filters[i]);
		jw_array_end(&j);
	}
	jw_array(&j, "protected");
	for (size_t i = 0; i < st->n_protected; i++)
		jw_str(&j, NULL, st->protected[i]);
	jw_array_end(&j);
	jw_object(&j, "totals");
	put_totals(&j, "in", &st->totals[BP_IN]);
	put_totals(&j, "out", &st->totals[BP_OUT]);
	jw_object_end(&j);
	jw_object_end(&j);
	return rc;
}

const struct report report_json = {
	.rules = json_rules,
	.status = json_status,
	.interfaces = json_interfaces,
	.rates = json_rates,
	.packet = json_packet,
	.capture = json_capture,
	.watched = json_watched,
};
