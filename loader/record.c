// SPDX-License-Identifier: GPL-2.0-only
/* What the files of the store share: how a rule is written down, and checksums. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "dirs.h"
#include "spec.h"
#include "store_parts.h"

char *state_path(const char *fmt, ...)
{
	char *name = NULL, *path = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&name, fmt, args) >= 0)
		path = path_join(dirs_get()->state, "%s", name);
	va_end(args);
	free(name);
	return path;
}

static int record_text(const struct rule *rule, char **record)
{
	char *text = spec_text(rule, SPEC_ALL), lifetime[24] = "";
	int n = -1;

	if (rule->deadline && rule->lifetime)
		snprintf(lifetime, sizeof(lifetime), "/%" PRIu64, rule->lifetime);
	if (text)
		n = asprintf(record, "%" PRIu32 " %" PRIu64 "%s %s%" PRIu64 "%s %s", rule->id,
			rule->deadline, lifetime, rule->included && rule->own_line ? "+" : "",
			rule->lists, rule->included ? "+" : "", text);
	free(text);
	return n < 0 ? -ENOMEM : 0;
}

int rule_record(const struct rule *rule, char **record)
{
	struct rule *back = NULL;
	char *text = NULL;
	int rc = record_text(rule, &text);

	if (rc)
		return rc;
	rc = rule_from_record(text, &back);
	rule_free(&back);
	if (rc)
		free(text);
	else
		*record = text;
	return rc;
}

/* What stands before the rule; returns its length, or -EBADMSG. */
static int record_head(const char *record, struct rule *rule)
{
	int at = 0, lists = 0;

	if (sscanf(record, "%" SCNu32 " %" SCNu64 "%n", &rule->id, &rule->deadline, &at) != 2)
		return -EBADMSG;
	if (record[at] == '/' &&
		sscanf(record + at, "/%" SCNu64 "%n", &rule->lifetime, &lists) != 1)
		return -EBADMSG;
	at += lists;
	lists = 0;
	rule->own_line = !strncmp(record + at, " +", 2);
	if (sscanf(record + at, " %" SCNu64 "%n", &rule->lists, &lists) != 1)
		return -EBADMSG;
	at += lists;
	rule->included = record[at] == '+';
	at += rule->included;
	return record[at] == ' ' ? at + 1 : -EBADMSG;
}

int rule_from_record(const char *record, struct rule **rule)
{
	const struct spec_opts opts = { .action = -1 };
	struct diag ignored = {};
	struct rule head = {};
	int at = record_head(record, &head), rc;

	if (at < 0)
		return at;
	rc = spec_parse_line(record + at, &opts, rule, &ignored);
	diag_free(&ignored);
	if (rc)
		return rc == -ENOMEM ? rc : -EBADMSG;
	(*rule)->id = head.id;
	(*rule)->deadline = head.deadline;
	(*rule)->lists = head.lists;
	(*rule)->lifetime = head.deadline ? head.lifetime : 0;
	(*rule)->included = head.included;
	(*rule)->own_line = head.own_line;
	return 0;
}

int store_damaged(const char *name, struct diag *diag)
{
	if (!strncmp(name, "previous.", strlen("previous.")))
		return diag_set(diag, DIAG_SYSTEM, EBADMSG,
			"%s/%s is damaged, gone or of another version, so that nothing goes back "
			"to what it held; what is in force stays so",
			dirs_get()->state, name);
	return diag_set(diag, DIAG_SYSTEM, EBADMSG,
		"%s/%s is damaged or of another version, so the policy in force cannot be read; "
		"'bpfpol restore' goes back to the one before it, or restore it from a backup, or "
		"begin without it: move state, journal and previous.* in %s away, then 'bpfpol "
		"restore --force'",
		dirs_get()->state, name, dirs_get()->state);
}

#define END_LINE 13 /* characters of "end 01234567\n" */

int sum_check(char *text, size_t len)
{
	char line[END_LINE + 1], *end = text + len - END_LINE;

	if (len < END_LINE)
		return -EINVAL;
	snprintf(line, sizeof(line), "end %08lx\n", crc32(0, (const Bytef *)text, end - text));
	if (strcmp(line, end))
		return -EINVAL;
	*end = '\0';
	return 0;
}

void sum_put(FILE *out, char *const *text, const size_t *len)
{
	if (!fflush(out) && !ferror(out))
		fprintf(out, "end %08lx\n", crc32(0, (const Bytef *)*text, *len));
}

int policy_put(FILE *out, const struct policy *policy)
{
	int rc = 0;

	fprintf(out, "assigned %s\n", policy->name);
	for (size_t i = 0; i < policy->n && !rc; i++) {
		char *record = NULL;

		rc = rule_record(policy->rules[i], &record);
		if (!rc) {
			fprintf(out, "rule %s\n", record);
			free(record);
		}
	}
	return rc;
}

int step_note(struct store *s, uint32_t id)
{
	uint32_t *v = reallocarray(s->step, s->n_step + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	s->step = v;
	v[s->n_step++] = id;
	return 0;
}

void skip_ids(struct store *s, size_t n)
{
	s->next_id = n < UINT32_MAX - s->next_id ? s->next_id + n : UINT32_MAX;
}
