// SPDX-License-Identifier: GPL-2.0-only
/* A policy's text going out: what is wrong with one that was read, and canonical text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy_text.h"
#include "spec_parts.h"
#include "stream.h"

const char *policy_text_line(const struct policy_text *t, const struct text_place *place)
{
	return t->sources[place->source].text + place->at;
}

void policy_text_diag(const struct policy_text *t, const struct text_flaw *f, struct diag *diag)
{
	diag_set(diag, DIAG_USAGE, EINVAL, "%s", f->message);
	snprintf(diag->file, sizeof(diag->file), "%s", t->sources[f->place.source].path);
	diag->line = f->place.line;
	if (f->width)
		diag_place(diag, policy_text_line(t, &f->place), f->column, f->width);
}

static void put_flaw(FILE *out, const struct policy_text *t, const struct text_flaw *f)
{
	struct diag diag = {};
	char *text;

	policy_text_diag(t, f, &diag);
	text = diag_text(&diag);
	if (text)
		fputs(text, out);
	free(text);
	diag_free(&diag);
}

int policy_text_fail(const struct policy_text *t, size_t most, struct diag *diag)
{
	size_t shown = t->n_flaws < most ? t->n_flaws : most, size;
	FILE *out;

	if (!t->n_flaws)
		return 0;
	policy_text_diag(t, &t->flaws[0], diag);
	out = stream_open(&diag->more, &size);
	if (!out)
		return -EINVAL;
	for (size_t i = 1; i < shown; i++)
		put_flaw(out, t, &t->flaws[i]);
	if (t->n_flaws > shown)
		fprintf(out, "bpfpol: %zu more errors; 'bpfpol policy check' shows all\n",
			t->n_flaws - shown);
	if (stream_close(out)) {
		free(diag->more);
		diag->more = NULL;
	}
	return -EINVAL;
}

static void put_directive(FILE *out, const char *word, const char *text)
{
	fprintf(out, "%s ", word);
	put_quoted(out, text);
	putc('\n', out);
}

bool policy_has_line(const struct rule *rule)
{
	return !rule->deadline || (rule->lifetime && !rule_is_replaced(rule));
}

/* `for` is printed only while no deadline is fixed. */
char *policy_rule_line(const struct rule *rule)
{
	struct rule in_file = *rule;

	in_file.deadline = 0;
	return spec_text(&in_file, SPEC_ALL);
}

char *policy_text_print(const struct policy *policy)
{
	char *text = NULL;
	size_t size;
	FILE *out = stream_open(&text, &size);
	int rc = 0;

	if (!out)
		return NULL;
	put_directive(out, "policy", policy->name);
	if (policy->description)
		put_directive(out, "description", policy->description);
	putc('\n', out);
	for (size_t i = 0; i < policy->n && !rc; i++) {
		const struct rule *rule = policy->rules[i];
		char *line = policy_has_line(rule) ? policy_rule_line(rule) : strdup("");

		rc = line ? 0 : -ENOMEM;
		if (line && *line)
			fprintf(out, "%s\n", line);
		free(line);
	}
	if (stream_close(out) || rc) {
		free(text);
		return NULL;
	}
	return text;
}

const char *policy_name_typed(const char *name, char buf[POLICY_NAME_TYPED])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_.+:,@%";

	/* No name holds a quote. */
	if (!name[strspn(name, plain)])
		return name;
	snprintf(buf, POLICY_NAME_TYPED, "'%s'", name);
	return buf;
}
