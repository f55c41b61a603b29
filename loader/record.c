// SPDX-License-Identifier: GPL-2.0-only
/* What store.c and its helpers share: how a rule is written down, and what a commit is to fold. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "spec.h"
#include "store_parts.h"

char *state_path(const char *name)
{
	return path_join(dirs_get()->state, "%s", name);
}

static int record_text(const struct rule *rule, char **record)
{
	char *text = spec_text(rule, SPEC_ALL);
	int n = text ? asprintf(record, "%" PRIu32 " %" PRIu64 " %" PRIu64 " %s", rule->id,
			       rule->deadline, rule->lists, text)
		     : -1;

	free(text);
	return n < 0 ? -ENOMEM : 0;
}

int rule_record(const struct rule *rule, char **record)
{
	struct rule *back = NULL;
	int rc = record_text(rule, record);

	if (rc)
		return rc;
	rc = rule_from_record(*record, &back);
	rule_free(&back);
	if (rc)
		free(*record);
	return rc;
}

int rule_from_record(const char *record, struct rule **rule)
{
	const struct spec_opts opts = { .action = -1 };
	struct diag ignored = {};
	uint64_t deadline, lists;
	uint32_t id;
	int at, rc;

	if (sscanf(record, "%" SCNu32 " %" SCNu64 " %" SCNu64 " %n", &id, &deadline, &lists, &at) !=
		3)
		return -EBADMSG;
	rc = spec_parse_line(record + at, &opts, rule, &ignored);
	diag_free(&ignored);
	if (rc)
		return rc == -ENOMEM ? rc : -EBADMSG;
	(*rule)->id = id;
	(*rule)->deadline = deadline;
	(*rule)->lists = lists;
	(*rule)->lifetime = 0;
	return 0;
}

int store_damaged(const char *name, struct diag *diag)
{
	return diag_set(diag, DIAG_SYSTEM, EBADMSG,
		"%s/%s is damaged or of another version, so the policy in force cannot be read; "
		"restore it from a backup, or move it away to begin without it",
		dirs_get()->state, name);
}

int store_note(struct store *s, enum change_op op, const struct rule *rule)
{
	struct change *c;

	if (s->n_changes == s->changes_room) {
		size_t room = s->changes_room ? s->changes_room * 2 : 16;
		struct change *more = realloc(s->changes, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->changes = more;
		s->changes_room = room;
	}
	c = &s->changes[s->n_changes];
	*c = (struct change){ .op = op, .text = spec_text(rule, SPEC_ACTION | SPEC_MATCH) };
	if (op != CHANGE_DEL && !rule->deadline)
		c->line = spec_text(rule, SPEC_ALL);
	if (!c->text || (op != CHANGE_DEL && !rule->deadline && !c->line)) {
		free(c->text);
		free(c->line);
		return -ENOMEM;
	}
	s->n_changes++;
	return 0;
}
