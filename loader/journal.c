// SPDX-License-Identifier: GPL-2.0-only
/*
 * The journal: a head "journal COMMIT", then one record a line, "CRC32 OP ARGUMENTS". A journal
 * of an earlier commit than the state's is empty: its changes are in the state already, and those
 * of the last are in previous.N.journal. What comes after the first line that is torn or does not
 * check is not there: that is said, as nobody knows whether it was acknowledged. Where no policy is
 * assigned there is no journal: single changes are changes of a policy.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "dirs.h"
#include "store_parts.h"
#include "stream.h"

#define LONG_JOURNAL 65536
/* The least that a record which gives an id takes: "CRC32 add 1 0 0 block in\n". */
#define LEAST_RECORD 28

static uint32_t sum_of(const char *text)
{
	return crc32(0, (const Bytef *)text, strlen(text));
}

static int note(struct store *s, enum change_op op, struct rule *rule)
{
	int rc = step_note(s, rule->id);

	return rc ? rc : fold_note(s, op, rule);
}

/* Puts the rule in the place of the one with its id. */
static int replace_rule(struct store *s, struct rule **rule)
{
	ptrdiff_t at = s->policy ? policy_find_id(s->policy, (*rule)->id) : -1;
	struct rule *old;

	if (at < 0)
		return -EBADMSG;
	old = s->policy->rules[at];
	s->policy->rules[at] = *rule;
	*rule = NULL;
	rule_free(&old);
	return note(s, CHANGE_PUT, s->policy->rules[at]);
}

static int apply_rule(struct store *s, const char *record, bool add)
{
	struct rule *rule = NULL;
	int rc = s->policy ? rule_from_record(record, &rule) : -EBADMSG;

	if (!rc && !add)
		rc = replace_rule(s, &rule);
	if (!rc && add) {
		if (rule->id >= s->next_id)
			s->next_id = rule->id + 1;
		rc = note(s, CHANGE_PUT, rule);
		if (!rc)
			rc = policy_add(s->policy, &rule);
	}
	rule_free(&rule);
	return rc;
}

static int apply_del(struct store *s, const char *record)
{
	int used, rc = 0;
	uint32_t id;

	for (; !rc && sscanf(record, "%" SCNu32 "%n", &id, &used) == 1; record += used) {
		ptrdiff_t at = s->policy ? policy_find_id(s->policy, id) : -1;

		if (at < 0)
			return -EBADMSG;
		rc = note(s, CHANGE_DEL, s->policy->rules[at]);
		if (!rc)
			policy_remove(s->policy, at);
	}
	return rc ? rc : *record ? -EBADMSG : 0;
}

static int apply_next(struct store *s, const char *record)
{
	uint32_t id;
	int end = 0;

	if (sscanf(record, "%" SCNu32 "%n", &id, &end) != 1 || record[end])
		return -EBADMSG;
	if (id > s->next_id)
		s->next_id = id;
	return 0;
}

/* -EINVAL: torn, the journal ends before it. -EBADMSG: whole, but nothing that we wrote. */
static int apply(struct store *s, const char *line)
{
	unsigned int sum;

	if (strlen(line) < 9 || line[8] != ' ' || sscanf(line, "%8x", &sum) != 1 ||
		sum_of(line + 9) != sum)
		return -EINVAL;
	line += 9;
	if (!strncmp(line, "next ", 5))
		return apply_next(s, line + 5);
	s->n_step = 0;
	if (!strncmp(line, "add ", 4))
		return apply_rule(s, line + 4, true);
	if (!strncmp(line, "set ", 4))
		return apply_rule(s, line + 4, false);
	if (!strncmp(line, "del ", 4))
		return apply_del(s, line + 4);
	return -EBADMSG;
}

/* Whether a change that checks stands there: then it is no torn tail. */
static bool holds_change(char *text)
{
	unsigned int sum;

	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (strlen(line) > 9 && sscanf(line, "%8x ", &sum) == 1 &&
			sum_of(line + 9) == sum && strncmp(line + 9, "next ", 5))
			return true;
	}
	return false;
}

/*
 * Whether changes were in what is there in place of the commit's journal; text NULL: nothing is.
 * Whoever dies between state and journal leaves the one of the commit before, which is kept as
 * that, or holds no change.
 */
static bool all_is_lost(const struct store *s, char *text, size_t len)
{
	char *path = state_path("previous.%" PRIu64 ".journal", s->previous);
	char *head = text ? strchr(text, '\n') : NULL, *before = NULL;
	struct diag ignored = {};
	uint64_t commit;
	size_t n = 0;
	bool lost, kept = path && !file_read(path, &before, &n, &ignored);

	if (!text)
		lost = kept;
	else if (!head || sscanf(text, "journal %" SCNu64 "\n", &commit) != 1 || commit > s->commit)
		lost = true;
	else
		lost = !(kept && n == len && !memcmp(before, text, n)) && holds_change(head + 1);
	diag_free(&ignored);
	free(before);
	free(path);
	return lost;
}

/* It is that commit's, or one's before, which was not begun anew. */
static bool has_head(const struct store *s, const char *text)
{
	uint64_t commit;

	return text && strchr(text, '\n') && sscanf(text, "journal %" SCNu64 "\n", &commit) == 1 &&
	       commit <= s->commit;
}

/* Zeroes are lines that do not check: what comes behind a block of them is looked at. */
static void break_at_zeroes(char *text, size_t len)
{
	for (char *at = text; (at = memchr(at, '\0', text + len - at)); at++)
		*at = '\n';
}

/* *torn: bytes behind the last record, which are none. */
static int apply_all(struct store *s, char *text, size_t len, bool *lost, size_t *torn)
{
	uint64_t commit;
	char *line = text, *end;
	int rc = 0;

	break_at_zeroes(text, len);
	end = strchr(line, '\n');
	if (!end || sscanf(line, "journal %" SCNu64 "\n", &commit) != 1 || commit != s->commit)
		return 0;
	for (line = end + 1; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		rc = apply(s, line);
		if (rc)
			break;
		if (strncmp(line + 9, "next ", 5))
			s->undo = line - text;
	}
	s->journal = line - text;
	*torn = len - s->journal;
	s->untidy |= *torn;
	*lost = rc == -EINVAL && holds_change(end + 1);
	return rc == -EINVAL ? 0 : rc;
}

int journal_load(struct store *s, const char *path, struct diag *diag)
{
	return journal_load_until(s, path, UINT64_MAX, diag);
}

static void warn_lost(const struct store *s, const char *path, bool there, struct diag *diag)
{
	if (s->journal)
		diag_set(diag, DIAG_SYSTEM, EBADMSG, "%s is damaged at byte %" PRIu64, path,
			s->journal + 1);
	else
		diag_set(diag, DIAG_SYSTEM, EBADMSG,
			there ? "%s is damaged at its beginning, or of another time than state"
			      : "%s is gone",
			path);
	diag_to_warning(diag, "changes of single rules are LOST; see to them again");
}

/* By a power loss in the middle of a command, or by damage: which of them, nothing on disk tells.
 */
static void warn_torn(const char *path, size_t torn, struct diag *diag)
{
	diag_set(diag, DIAG_SYSTEM, EBADMSG,
		"%s ends with %zu bytes that are no record, as of a change that a power loss "
		"stopped before it was done, or else of damage",
		path, torn);
	diag_to_warning(diag, "the last change may be missing; see to it again");
}

int journal_load_until(struct store *s, const char *path, uint64_t until, struct diag *diag)
{
	bool lost = false, present = !strcmp(strrchr(path, '/'), "/journal");
	char *text = NULL;
	size_t len = 0, torn = 0;
	int rc = kept_read(path, &text, &len, diag);

	if (!rc && until < len) {
		len = until;
		text[len] = '\0';
	}
	if (!rc)
		rc = apply_all(s, text, len, &lost, &torn);
	if ((!rc || rc == -ENOENT) && present && s->policy && !s->journal) {
		lost = all_is_lost(s, text, len);
		s->untidy |= lost;
		s->behind = !lost;
		s->headless = !has_head(s, text);
	} else if ((!rc || rc == -ENOENT) && s->policy && !s->journal && !has_head(s, text)) {
		rc = -EBADMSG; /* one that is gone back to held more, or nobody knows */
	}
	s->lost |= lost;
	if (torn || lost)
		skip_ids(s, lost ? ID_SLACK : torn / LEAST_RECORD + 1);
	if (lost)
		warn_lost(s, path, text, diag);
	else if (torn && present && !rc)
		warn_torn(path, torn, diag);
	if (rc == -EBADMSG)
		rc = store_damaged(strrchr(path, '/') + 1, diag);
	free(text);
	return rc == -ENOENT ? 0 : rc;
}

int journal_reset(struct store *s, struct diag *diag)
{
	char *path = state_path("journal"), *text = NULL;
	int len = asprintf(&text, "journal %" PRIu64 "\n", s->commit);
	int rc = -ENOMEM;

	if (path && len > 0)
		rc = s->policy ? file_write(path, text, len, diag) : file_remove(path, diag);
	if (!rc) {
		s->journal = s->policy ? len : 0;
		s->behind = s->headless = false;
	}
	free(path);
	if (len > 0)
		free(text);
	return rc;
}

/*
 * All of it and durable, or nothing of it. *stands: the disk does not let it be taken back, so the
 * record may stand; the sizes differ, so all is read again.
 */
static int append(int fd, const char *line, size_t len, uint64_t size, bool *stands)
{
	ssize_t put = write(fd, line, len);
	int rc = put == (ssize_t)len ? 0 : put < 0 ? -errno : -ENOSPC;

	if (!rc && fdatasync(fd))
		rc = -errno;
	*stands = rc && ftruncate(fd, size);
	return rc;
}

static int journal_write(__u64 *journal, const char *op, const char *record, struct diag *diag)
{
	char *path = state_path("journal"), *body = NULL, *line = NULL;
	int fd = -1, len = -1, rc = -ENOMEM;
	bool stands = false;

	if (path && asprintf(&body, "%s %s", op, record) > 0)
		len = asprintf(&line, "%08" PRIx32 " %s\n", sum_of(body), body);
	if (len > 0) {
		fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
		rc = fd < 0 ? -errno : append(fd, line, len, *journal, &stands);
		if (stands)
			rc = diag_errno(diag, -rc,
				"cannot write %s, nor take back what was written, so that the next "
				"command may bring the change all the same",
				path);
		else if (rc)
			rc = diag_unwritten(diag, -rc, "cannot write", path);
		else
			*journal += len;
	}
	if (fd >= 0)
		close(fd);
	free(line);
	free(body);
	free(path);
	return rc;
}

static int journal_rule(__u64 *journal, const char *op, const struct rule *rule, struct diag *diag)
{
	char *record = NULL;
	int rc = rule_record(rule, &record);

	if (rc == -EBADMSG)
		return diag_set(diag, DIAG_SYSTEM, EBADMSG,
			"the rule could not be read back from disk, so it is not stored");
	if (!rc)
		rc = journal_write(journal, op, record, diag);
	free(record);
	return rc;
}

int journal_add(__u64 *journal, const struct rule *rule, struct diag *diag)
{
	return journal_rule(journal, "add", rule, diag);
}

int journal_set(__u64 *journal, const struct rule *rule, struct diag *diag)
{
	return journal_rule(journal, "set", rule, diag);
}

int journal_del(__u64 *journal, const uint32_t *ids, size_t n, struct diag *diag)
{
	char *record = NULL;
	size_t len;
	FILE *out = stream_open(&record, &len);
	int rc = -ENOMEM;

	if (!out)
		return rc;
	for (size_t i = 0; i < n; i++)
		fprintf(out, i ? " %" PRIu32 : "%" PRIu32, ids[i]);
	if (!stream_close(out))
		rc = journal_write(journal, "del", record, diag);
	free(record);
	return rc;
}

int journal_cut(__u64 *journal, __u64 length, struct diag *diag)
{
	char *path = state_path("journal");
	int fd = path ? open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
	int rc = path ? 0 : -ENOMEM;

	if (path && (fd < 0 || ftruncate(fd, length) || fdatasync(fd)))
		rc = diag_errno(diag, errno, "cannot take the last record of %s back", path);
	if (!rc)
		*journal = length;
	if (fd >= 0)
		close(fd);
	free(path);
	return rc;
}

int journal_next(__u64 *journal, uint32_t next_id, struct diag *diag)
{
	char record[16];

	snprintf(record, sizeof(record), "%" PRIu32, next_id);
	return journal_write(journal, "next", record, diag);
}

static bool line_checks(const char *line, const char *end)
{
	char *after;
	unsigned long sum = strtoul(line, &after, 16);

	return after == line + 8 && *after == ' ' &&
	       crc32(0, (const Bytef *)line + 9, end - line - 9) == sum;
}

bool journal_is_sound(uint64_t size)
{
	char *path = state_path("journal"), *text = NULL, head[32];
	struct diag ignored = {};
	uint64_t commit;
	size_t len = 0;
	bool sound = path && !state_commit(&commit) && !file_read(path, &text, &len, &ignored) &&
		     len == size;

	if (sound) {
		const char *line = text, *end;
		int n = snprintf(head, sizeof(head), "journal %" PRIu64 "\n", commit);

		sound = !strncmp(text, head, n);
		line += sound ? n : 0;
		for (; sound && (end = strchr(line, '\n')); line = end + 1)
			sound = line_checks(line, end);
		sound &= line == text + len;
	}
	diag_free(&ignored);
	free(text);
	free(path);
	return sound;
}

bool journal_is_long(uint64_t journal)
{
	return journal > LONG_JOURNAL;
}
