// SPDX-License-Identifier: GPL-2.0-only
/* The files that hold a whole policy: state, previous.N.state and policies/NAME. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dirs.h"
#include "policy_text.h"
#include "store_parts.h"
#include "stream.h"

#define STATE_HEAD "bpfpol state 1\n"

static int take_rule(struct store *s, const char *record)
{
	struct rule *rule = NULL;
	int rc = s->policy ? rule_from_record(record, &rule) : -EBADMSG;

	if (!rc)
		rc = policy_add(s->policy, &rule);
	rule_free(&rule);
	return rc;
}

/* "N [cut] ID...", see struct store. */
static int take_previous(struct store *s, const char *text)
{
	int used = 0, rc = 0;
	uint32_t id;

	if (sscanf(text, "%" SCNu64 "%n", &s->previous, &used) != 1)
		return -EBADMSG;
	text += used;
	s->cut = !strncmp(text, " cut", 4);
	text += s->cut ? 4 : 0;
	for (; !rc && sscanf(text, "%" SCNu32 "%n", &id, &used) == 1; text += used)
		rc = step_note(s, id);
	return rc ? rc : *text ? -EBADMSG : 0;
}

/* One line of the file, without its newline. */
static int take_line(struct store *s, const char *line)
{
	if (!strncmp(line, "rule ", 5))
		return take_rule(s, line + 5);
	if (!strncmp(line, "previous ", 9))
		return take_previous(s, line + 9);
	if (!strncmp(line, "confirm ", 8))
		return confirm_parse(line, &s->confirm);
	if (sscanf(line, "went-back %" SCNu64, &s->went_back) == 1) {
		s->back = true;
		return 0;
	}
	if (sscanf(line, "commit %" SCNu64, &s->commit) == 1 ||
		sscanf(line, "next-id %" SCNu32, &s->next_id) == 1)
		return 0;
	if (strncmp(line, "assigned ", 9) || s->policy)
		return -EBADMSG;
	s->policy = policy_new(line + 9);
	return s->policy ? 0 : -ENOMEM;
}

/* -EPROTO: whole, and of another version. */
static int take_text(struct store *s, char *text, size_t len)
{
	unsigned int version;
	int rc = 0;

	if (sum_check(text, len))
		return -EBADMSG;
	if (strncmp(text, STATE_HEAD, strlen(STATE_HEAD)))
		return sscanf(text, "bpfpol state %u", &version) == 1 ? -EPROTO : -EBADMSG;
	text += strlen(STATE_HEAD);
	for (char *line = text, *end; (end = strchr(line, '\n')) && !rc; line = end + 1) {
		*end = '\0';
		rc = take_line(s, line);
	}
	return rc;
}

static int load(struct store *s, const char *path, const char *name, struct diag *diag)
{
	char *text = NULL;
	size_t len;
	int rc = kept_read(path, &text, &len, diag);

	if (!rc) {
		rc = take_text(s, text, len);
		if (rc == -EPROTO)
			diag_set(diag, DIAG_SYSTEM, EPROTO,
				"%s/%s was written by a newer version of bpfpol; install that one "
				"again, or 'bpfpol restore' goes back to the rules before the last "
				"change",
				dirs_get()->state, name);
	}
	if (rc == -EBADMSG)
		rc = store_damaged(name, diag);
	free(text);
	return rc;
}

int state_load(struct store *s, const char *path, struct diag *diag)
{
	return load(s, path, strrchr(path, '/') + 1, diag);
}

int state_commit(uint64_t *commit)
{
	char *path = state_path("state"), text[64];
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	int rc = path ? -errno : -ENOMEM;
	ssize_t got;

	free(path);
	if (fd < 0)
		return rc;
	got = read(fd, text, sizeof(text) - 1);
	rc = got < 0 ? -errno : 0;
	close(fd);
	if (rc)
		return rc;
	text[got] = '\0';
	return sscanf(text, STATE_HEAD "commit %" SCNu64, commit) == 1 ? 0 : -EBADMSG;
}

/* The head, what `put` writes, and the checksum. */
static int write_file(const char *path, int (*put)(FILE *out, const void *what), const void *what,
	struct diag *diag)
{
	char *text = NULL;
	size_t len;
	FILE *out = path ? stream_open(&text, &len) : NULL;
	int rc = -ENOMEM;

	if (!out)
		return rc;
	fputs(STATE_HEAD, out);
	rc = put(out, what);
	sum_put(out, &text, &len);
	if (stream_close(out))
		rc = -ENOMEM;
	if (!rc)
		rc = file_write(path, text, len, diag);
	free(text);
	return rc;
}

static int put_state(FILE *out, const void *what)
{
	const struct store *s = what;

	fprintf(out, "commit %" PRIu64 "\nprevious %" PRIu64 "%s", s->commit, s->previous,
		s->cut ? " cut" : "");
	for (size_t i = 0; i < s->n_step; i++)
		fprintf(out, " %" PRIu32, s->step[i]);
	fprintf(out, "\nnext-id %" PRIu32 "\n", s->next_id);
	if (s->confirm.seconds)
		confirm_print(out, &s->confirm);
	if (s->back)
		fprintf(out, "went-back %" PRIu64 "\n", s->went_back);
	return s->policy ? policy_put(out, s->policy) : 0;
}

int state_write(const struct store *s, struct diag *diag)
{
	char *path = state_path("state");
	int rc = write_file(path, put_state, s, diag);

	free(path);
	return rc;
}

static int put_policy(FILE *out, const void *what)
{
	return policy_put(out, what);
}

int known_load(const char *name, struct policy **policy, struct diag *diag)
{
	char *path = state_path("policies/%s", name), *shown = NULL;
	struct store s = {};
	int rc = path && asprintf(&shown, "policies/%s", name) > 0 ? load(&s, path, shown, diag)
								   : -ENOMEM;

	if (rc == -ENOENT)
		rc = 0;
	if (rc == -EBADMSG)
		diag_set(diag, DIAG_SYSTEM, EBADMSG,
			"%s is damaged or of another version; put it back from a backup, or move "
			"it away: then rules of '%s' get new ids, and its timed rules are gone",
			path, name);
	if (!rc && !s.policy) {
		s.policy = policy_new(name);
		rc = s.policy ? 0 : -ENOMEM;
	}
	free(shown);
	free(path);
	free(s.step);
	if (rc)
		policy_free(&s.policy);
	else
		*policy = s.policy;
	return rc;
}

int known_save(const struct policy *policy, struct diag *diag)
{
	char *dir = state_path("policies"), *path = state_path("policies/%s", policy->name);
	int rc = dir ? dir_make(dir, diag) : -ENOMEM;

	if (!rc)
		rc = write_file(path, put_policy, policy, diag);
	free(path);
	free(dir);
	return rc;
}

static bool drop_timed(struct policy *policy)
{
	size_t n = policy->n;

	for (size_t i = n; i--;)
		if (!policy_has_line(policy->rules[i]))
			policy_remove(policy, i);
	return policy->n < n;
}

int known_forget_timed(const char *name, struct diag *diag)
{
	struct policy *known = NULL;
	int rc = known_load(name, &known, diag);

	if (!rc && drop_timed(known))
		rc = known_save(known, diag);
	policy_free(&known);
	return rc;
}

int store_known(const struct store *s, const char *name, struct policy **known, struct diag *diag)
{
	int rc = known_load(name, known, diag);

	for (size_t i = 0; !rc && s && i < s->n_folds; i++)
		if (s->folds[i].text && !strcmp(s->folds[i].policy, name))
			drop_timed(*known);
	return rc;
}

int known_remove(const char *name, struct diag *diag)
{
	char *path = state_path("policies/%s", name);
	int rc = path ? file_remove(path, diag) : -ENOMEM;

	free(path);
	return rc;
}
