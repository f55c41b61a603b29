// SPDX-License-Identifier: GPL-2.0-only
/* Packets that `watch` was told of: a line each, as text or as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report_parts.h"
#include "spec_parts.h"

#define REASON 512

static const char *const dir_words[BP_DIRS] = { [BP_IN] = "in", [BP_OUT] = "out" };

/* Like tcpdump, by the clock on the wall. */
static void put_time(FILE *out, const struct timespec *time)
{
	struct tm tm;
	char text[16] = "";

	if (localtime_r(&time->tv_sec, &tm))
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	fprintf(out, "%s.%06ld", text, time->tv_nsec / 1000);
}

static int put_rule(FILE *out, const struct rule *rule)
{
	char *text = rule ? spec_text(rule, SPEC_ACTION | SPEC_MATCH) : NULL;

	if (rule && !text)
		return -ENOMEM;
	if (rule)
		fprintf(out, ": %s", text);
	if (rule && rule->label) {
		putc(' ', out);
		put_quoted(out, rule->label);
	}
	free(text);
	return 0;
}

static int put_logged(FILE *out, const struct watched *w)
{
	unsigned int n = watched_logged(w->event);
	int rc = 0;

	for (unsigned int i = 0; i < n && !rc; i++) {
		if (w->event->log_rule[i] == w->event->rule)
			continue;
		fprintf(out, "; rule %" PRIu32 " logs it", w->event->log_rule[i]);
		rc = put_rule(out, w->logged[i]);
	}
	if (w->event->logged > n)
		fprintf(out, "; and %" PRIu32 " more", w->event->logged - n);
	return rc;
}

int watched_why(FILE *out, const struct watched *w)
{
	char why[REASON];
	int rc;

	watched_reason(w->event, why, sizeof(why));
	fputs(why, out);
	rc = put_rule(out, w->rule);
	return rc ? rc : put_logged(out, w);
}

int text_watched(FILE *out, const struct watched *w)
{
	const struct bp_event *e = w->event;
	char what[FRAME_TEXT];
	struct frame frame;
	int rc;

	watched_frame(e, &frame);
	frame_text(&frame, what);
	put_time(out, &w->time);
	if (w->interface)
		fprintf(out, " %s", w->interface);
	else
		fprintf(out, " #%" PRIu32, e->ifindex);
	fprintf(out, " %s %s %s, ", dir_words[watched_dir(e)], e->blocked ? "BLOCK" : "PASS", what);
	if (e->packets > 1)
		fprintf(out, "%" PRIu32 " packets, ", e->packets);
	fprintf(out, "%" PRIu64 " bytes; ", (uint64_t)e->bytes);
	rc = watched_why(out, w);
	if (e->left_out)
		fprintf(out, " (before it %" PRIu64 " not shown)", (uint64_t)e->left_out);
	fputc('\n', out);
	return rc;
}

static void put_json_time(struct jw *j, const struct timespec *time)
{
	char day[32] = "", text[64];
	struct tm tm;

	if (gmtime_r(&time->tv_sec, &tm))
		strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%06ldZ", day, time->tv_nsec / 1000);
	jw_str(j, "time", text);
}

static void put_json_end(
	struct jw *j, const char *key, const struct frame *f, const uint8_t *address, uint16_t port)
{
	struct prefix p = { .family = f->family, .len = f->family == 4 ? 32 : 128 };
	char text[64];

	memcpy(p.bytes, address, p.len / 8);
	spec_prefix_text(&p, text, sizeof(text));
	jw_object(j, key);
	jw_str(j, "address", text);
	if (f->has_ports)
		jw_u64(j, "port", port);
	else
		jw_null(j, "port");
	jw_object_end(j);
}

static void put_json_frame(struct jw *j, const struct frame *f)
{
	char what[FRAME_TEXT], proto[16];

	frame_text(f, what);
	jw_str(j, "packet", what);
	if (!f->family) {
		jw_null(j, "protocol");
		jw_null(j, "from");
		jw_null(j, "to");
		return;
	}
	jw_str(j, "protocol",
		f->proto == PROTO_UNREAD ? NULL : spec_proto_text(f->proto, proto, sizeof(proto)));
	put_json_end(j, "from", f, f->src, f->sport);
	put_json_end(j, "to", f, f->dst, f->dport);
	if (f->has_type) {
		jw_u64(j, "type", f->type);
		jw_u64(j, "code", f->code);
	}
}

static int put_json_rule(struct jw *j, const char *key, uint32_t id, const struct rule *rule)
{
	char *filter = rule ? spec_text(rule, SPEC_MATCH) : NULL;

	if (rule && !filter)
		return -ENOMEM;
	jw_object(j, key);
	jw_u64(j, "id", id);
	jw_str(j, "name", rule ? rule->label : NULL);
	jw_str(j, "action", rule ? action_name(rule->action) : NULL);
	jw_str(j, "filter", filter);
	jw_str(j, "layer", rule ? layer_name(rule->layer) : NULL);
	jw_object_end(j);
	free(filter);
	return 0;
}

int json_watched(FILE *out, const struct watched *w)
{
	const struct bp_event *e = w->event;
	char why[REASON];
	struct frame frame;
	struct jw j;
	int rc = 0;

	watched_frame(e, &frame);
	watched_reason(e, why, sizeof(why));
	jw_begin(&j, out);
	j.flat = true;
	jw_object(&j, NULL);
	put_json_time(&j, &w->time);
	jw_str(&j, "interface", w->interface);
	jw_u64(&j, "ifindex", e->ifindex);
	jw_str(&j, "direction", dir_words[watched_dir(e)]);
	jw_str(&j, "verdict", e->blocked ? "block" : "pass");
	jw_str(&j, "reason", why);
	jw_bool(&j, "malformed", e->reading > READ_WHOLE);
	if (e->rule)
		rc = put_json_rule(&j, "rule", e->rule, w->rule);
	else
		jw_null(&j, "rule");
	jw_array(&j, "logged_by");
	for (unsigned int i = 0; i < watched_logged(e) && !rc; i++)
		rc = put_json_rule(&j, NULL, e->log_rule[i], w->logged[i]);
	jw_array_end(&j);
	put_json_frame(&j, &frame);
	jw_u64(&j, "packets", e->packets);
	jw_u64(&j, "bytes", e->bytes);
	jw_u64(&j, "left_out", e->left_out);
	jw_object_end(&j);
	return rc;
}
