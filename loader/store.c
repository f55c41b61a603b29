// SPDX-License-Identifier: GPL-2.0-only
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "dirs.h"
#include "spec.h"
#include "store_parts.h"

#define STATE_HEAD "bpfpol state 1\n"

/* One line of the state file, without its newline. */
static int state_line(struct store *s, const char *line, struct diag *diag)
{
	struct rule *rule;
	int rc;

	if (sscanf(line, "commit %" SCNu64, &s->commit) == 1 ||
		sscanf(line, "next-id %" SCNu32, &s->next_id) == 1)
		return 0;
	if (!strncmp(line, "assigned ", 9)) {
		s->policy = policy_new(line + 9);
		return s->policy ? 0 : -ENOMEM;
	}
	if (strncmp(line, "rule ", 5) || !s->policy)
		return store_damaged("state", diag);
	rc = rule_from_record(line + 5, &rule);
	if (rc)
		return rc == -ENOMEM ? rc : store_damaged("state", diag);
	rc = policy_add(s->policy, &rule);
	if (rc)
		rule_free(&rule);
	return rc;
}

/* The text ends with "end CRC32\n" of all that stands before. */
static int check_sum(char *text, size_t len)
{
	static const size_t tail = sizeof("end 01234567\n") - 1;
	unsigned int sum;
	char *end = text + len - tail;

	if (len < tail || sscanf(end, "end %8x\n", &sum) != 1 ||
		crc32(0, (const Bytef *)text, len - tail) != sum)
		return -EINVAL;
	*end = '\0';
	return 0;
}

static int state_parse(struct store *s, char *text, size_t len, struct diag *diag)
{
	int rc = 0;

	if (check_sum(text, len) || strncmp(text, STATE_HEAD, strlen(STATE_HEAD)))
		return store_damaged("state", diag);
	text += strlen(STATE_HEAD);
	for (char *line = strtok(text, "\n"); line && !rc; line = strtok(NULL, "\n"))
		rc = state_line(s, line, diag);
	return rc;
}

static int stat_state(uint64_t *inode, uint64_t *mtime)
{
	char *path = state_path("state");
	struct stat st;
	int rc = path ? stat(path, &st) ? -errno : 0 : -ENOMEM;

	free(path);
	if (rc)
		return rc;
	*inode = st.st_ino;
	*mtime = st.st_mtim.tv_sec * 1000000000ULL + st.st_mtim.tv_nsec;
	return 0;
}

int store_load(struct store **out, struct diag *diag)
{
	struct store *s = calloc(1, sizeof(*s));
	char *path = state_path("state"), *text = NULL;
	size_t len;
	int rc = s && path ? file_read(path, &text, &len, diag) : -ENOMEM;

	if (s)
		s->next_id = 1;
	if (!rc)
		rc = state_parse(s, text, len, diag);
	if (!rc)
		rc = stat_state(&s->inode, &s->mtime);
	else if (rc == -ENOENT)
		rc = 0;
	if (!rc)
		rc = journal_load(s, diag);
	for (size_t i = 0; !rc && s->policy && i < s->policy->n; i++)
		rc = lists_load(s->policy->rules[i], diag);
	free(text);
	free(path);
	if (rc)
		store_free(&s);
	else
		*out = s;
	return rc;
}

void store_free(struct store **store)
{
	struct store *s = *store;

	if (!s)
		return;
	for (size_t i = 0; i < s->n_changes; i++) {
		free(s->changes[i].text);
		free(s->changes[i].line);
	}
	free(s->changes);
	policy_free(&s->policy);
	free(s);
	*store = NULL;
}

bool store_unchanged(uint64_t inode, uint64_t mtime, uint64_t journal)
{
	uint64_t inode_now, mtime_now;
	char *path;
	struct stat st;
	bool same;

	if (stat_state(&inode_now, &mtime_now) || inode_now != inode || mtime_now != mtime)
		return false;
	path = state_path("journal");
	same = path && !stat(path, &st) && (uint64_t)st.st_size == journal;
	free(path);
	return same;
}

int store_add(struct store *s, struct rule **rule, struct diag *diag)
{
	int rc;

	if (!s->policy)
		s->policy = policy_new("local");
	if (!s->policy)
		return -ENOMEM;
	if (!(*rule)->id)
		(*rule)->id = s->next_id;
	if ((*rule)->id >= s->next_id)
		s->next_id = (*rule)->id + 1;
	(*rule)->lists = s->commit + 1;
	rc = lists_save(*rule, diag);
	if (!rc)
		rc = store_note(s, CHANGE_ADD, *rule);
	return rc ? rc : policy_add(s->policy, rule);
}

int store_del(struct store *s, size_t index, struct diag *diag)
{
	int rc = store_note(s, CHANGE_DEL, s->policy->rules[index]);

	(void)diag;
	if (!rc)
		policy_remove(s->policy, index);
	return rc;
}

int store_set(struct store *s, size_t index, struct diag *diag)
{
	(void)diag;
	return store_note(s, CHANGE_SET, s->policy->rules[index]);
}

static int state_text(const struct store *s, char **text, size_t *len)
{
	FILE *out = open_memstream(text, len);
	int rc = out ? 0 : -ENOMEM;

	if (!out)
		return rc;
	fprintf(out, STATE_HEAD "commit %" PRIu64 "\nnext-id %" PRIu32 "\n", s->commit, s->next_id);
	if (s->policy)
		fprintf(out, "assigned %s\n", s->policy->name);
	for (size_t i = 0; s->policy && i < s->policy->n && !rc; i++) {
		char *record = NULL;

		rc = rule_record(s->policy->rules[i], &record);
		if (!rc) {
			fprintf(out, "rule %s\n", record);
			free(record);
		}
	}
	if (!fflush(out))
		fprintf(out, "end %08lx\n", crc32(0, (const Bytef *)*text, *len));
	if (fclose(out) && !rc)
		rc = -ENOMEM;
	if (rc)
		free(*text);
	return rc;
}

static int state_write(const struct store *s, struct diag *diag)
{
	char *path = state_path("state"), *text = NULL;
	size_t len;
	int rc = path ? state_text(s, &text, &len) : -ENOMEM;

	if (!rc) {
		rc = file_write(path, text, len, diag);
		free(text);
	}
	free(path);
	return rc;
}

/* The change is made; what is left can be made up for by the next commit. */
static void commit_rest(struct store *s, const char *text, size_t len, struct diag *diag)
{
	if (stat_state(&s->inode, &s->mtime))
		s->inode = 0; /* never in step: the next command reads all again */
	if (journal_reset(s, diag)) {
		s->inode = 0; /* the old journal is this commit's no more: nothing may be added to it */
		diag_to_warning(diag, "the change is made, but the journal is not begun anew");
	}
	if (text && policy_file_finish(s, text, len, diag))
		diag_to_warning(diag, "the change is made, but the policy file does not show it");
	lists_sweep(s->policy);
}

int store_commit(struct store *s, struct diag *diag)
{
	char *text = NULL;
	size_t len = 0;
	int rc = policy_file_text(s, &text, &len, diag);

	s->commit++;
	if (!rc && text)
		rc = policy_file_prepare(s, text, len, diag);
	if (!rc)
		rc = state_write(s, diag);
	if (!rc)
		commit_rest(s, text, len, diag);
	else
		s->commit--;
	free(text);
	return rc;
}
