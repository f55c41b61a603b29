// SPDX-License-Identifier: GPL-2.0-only
#include "tell.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "held_text.h"
#include "lock.h"
#include "seat.h"
#include "stream.h"

#define MOST_WORDS 6
#define MOST_TEXT 32768	  /* bytes of a rule among the words; more go in a file of their own */
#define PATIENCE 10	  /* seconds that the agent may be busy with others */
#define LONG_PATIENCE 120 /* ...and with a long list */

struct question {
	char *words[MOST_WORDS];
	int n;
	int fds[2]; /* of what goes along */
	int n_fds;
	int text_fd; /* the one among them that is to be closed behind the question; -1: none */
	bool is_long;
};

struct answer {
	uint8_t *bytes;
	struct wire_reply reply;
};

static void begin(struct question *q, const char *word, const struct apply_opts *opts)
{
	*q = (struct question){ .text_fd = -1 };
	q->words[q->n++] = (char *)word;
	if (opts && opts->dry_run)
		q->words[q->n++] = "--dry-run";
	if (opts && opts->force)
		q->words[q->n++] = "--force";
}

/*
 * The same of what changes something: who has the lock has looked at the host for it, which is to
 * stay as it was seen until the agent has done it, whatever becomes of this process.
 */
static void begin_change(struct question *q, const char *word, const struct apply_opts *opts)
{
	begin(q, word, opts);
	if (lock_held() < 0 || (opts && opts->dry_run))
		return;
	q->words[q->n++] = "--locked";
	q->fds[q->n_fds++] = lock_held();
}

static void end(const struct question *q)
{
	if (q->text_fd >= 0)
		close(q->text_fd);
}

/* What it could not do, as if it had been tried here; what is worth knowing becomes warnings. */
static int take_reply(const struct wire_reply *reply, struct diag *diag)
{
	size_t used = strlen(diag->warnings);

	if (!reply->exit) {
		snprintf(diag->warnings + used, sizeof(diag->warnings) - used, "%.*s",
			(int)reply->err_len, reply->err);
		return 0;
	}
	return diag_set(diag, reply->exit, reply->exit == DIAG_UNKNOWN ? ENOENT : EREMOTEIO, "%.*s",
		(int)reply->err_len, reply->err);
}

/* The caller frees answer->bytes. */
static int ask(const struct question *q, struct answer *answer, struct diag *diag)
{
	const struct seat_question question = {
		.words = q->words,
		.n = q->n,
		.fds = q->fds,
		.n_fds = q->n_fds,
		.patience = q->is_long ? LONG_PATIENCE : 0,
	};
	const struct timespec moment = { .tv_nsec = 5000000 };
	uint64_t end = clock_ms() + PATIENCE * 1000;
	int rc;

	*answer = (struct answer){};
	do {
		if (answer->bytes)
			nanosleep(&moment, NULL);
		free(answer->bytes);
		rc = seat_ask_with(&question, &answer->bytes, &answer->reply, diag);
	} while (!rc && answer->reply.exit == WIRE_BUSY && clock_ms() < end);
	if (!rc && answer->reply.exit == WIRE_BUSY)
		rc = diag_set(diag, DIAG_SYSTEM, EBUSY,
			"another command holds the lock, and the agent waits for it; try again");
	else if (!rc)
		rc = take_reply(&answer->reply, diag);
	if (rc) {
		free(answer->bytes);
		answer->bytes = NULL;
	}
	return rc;
}

/* Rules as text. */

/* What cannot change any more is read without a thought. */
static int put_aside(const char *text, size_t len, int *fd, struct diag *diag)
{
	int got = memfd_create("bpfpol rules", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;

	if (got < 0)
		return diag_errno(diag, errno, "cannot make a file in memory");
	while (done < len) {
		ssize_t part = write(got, text + done, len - done);

		if (part <= 0)
			break;
		done += part;
	}
	if (done < len || fcntl(got, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)) {
		int rc = diag_errno(diag, errno, "cannot write to a file in memory");

		close(got);
		return rc;
	}
	*fd = got;
	return 0;
}

/* A rule that nobody has numbered gets a number here: the text has one. */
static int write_rules(const struct policy *rules, char **text, size_t *len)
{
	struct policy numbered = { .n = rules->n };
	struct rule *copies = calloc(rules->n + 1, sizeof(*copies));
	FILE *out = NULL;
	int rc = -ENOMEM;

	numbered.rules = calloc(rules->n + 1, sizeof(*numbered.rules));
	if (copies && numbered.rules)
		out = stream_open(text, len);
	for (size_t i = 0; out && i < rules->n; i++) {
		copies[i] = *rules->rules[i];
		copies[i].id = i + 1;
		numbered.rules[i] = &copies[i];
	}
	if (out) {
		rc = held_write(out, &numbered, true);
		if (stream_close(out) && !rc)
			rc = -ENOMEM;
	}
	free(numbered.rules);
	free(copies);
	return rc;
}

/* *text: to be freed behind the question. */
static int add_rules(struct question *q, const struct policy *rules, char **text, struct diag *diag)
{
	size_t len;
	int rc = write_rules(rules, text, &len);

	if (rc)
		return rc;
	q->is_long = len > MOST_TEXT;
	if (!q->is_long) {
		q->words[q->n++] = *text;
		return 0;
	}
	rc = put_aside(*text, len, &q->text_fd, diag);
	if (!rc)
		q->fds[q->n_fds++] = q->text_fd;
	return rc;
}

/* What comes back. */

static int nonsense(struct diag *diag)
{
	return diag_set(diag, DIAG_SYSTEM, EPROTO,
		"the agent that runs is of another version; 'systemctl restart bpfpol-agent' "
		"starts this one");
}

/* A line "NAME ID" for each rule. */
static int take_applied(
	const struct wire_reply *reply, struct applied *applied, size_t n, struct diag *diag)
{
	char *text = strndup(reply->out, reply->out_len), *at = text;
	int rc = text ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !rc; i++) {
		unsigned int outcome;
		int used = 0;

		applied[i] = (struct applied){};
		if (sscanf(at, "%u %" SCNu32 "\n%n", &outcome, &applied[i].id, &used) != 2 ||
			!used || outcome > APPLIED_PROLONGED)
			rc = nonsense(diag);
		applied[i].outcome = outcome;
		at += used;
	}
	free(text);
	return rc;
}

int tell_add(const struct policy *rules, const struct apply_opts *opts, struct applied *applied,
	struct diag *diag)
{
	struct question q;
	struct answer answer = {};
	char *text = NULL;
	int rc;

	begin_change(&q, "add", opts);
	rc = add_rules(&q, rules, &text, diag);
	if (!rc)
		rc = ask(&q, &answer, diag);
	if (!rc)
		rc = take_applied(&answer.reply, applied, rules->n, diag);
	free(answer.bytes);
	free(text);
	end(&q);
	return rc;
}

static int take_removed(
	const struct wire_reply *reply, struct apply_removed *removed, struct diag *diag)
{
	char *text = strndup(reply->out, reply->out_len), *at = text;
	uint32_t id;
	int used = 0;

	if (!text)
		return -ENOMEM;
	for (removed->n = 0; removed->n < BP_ACTIONS; at += used) {
		if (sscanf(at, "%" SCNu32 "\n%n", &id, &used) != 1)
			break;
		removed->ids[removed->n++] = id;
	}
	free(text);
	return removed->n ? 0 : nonsense(diag);
}

int tell_remove(const struct rule *rule, int action, const struct apply_opts *opts,
	struct apply_removed *removed, struct diag *diag)
{
	struct rule *rules[] = { (struct rule *)rule };
	struct answer answer = {};
	struct question q;
	char *text = NULL;
	int rc;

	begin_change(&q, "remove", opts);
	q.words[q.n++] = action < 0 ? "any" : (char *)action_name(action);
	rc = add_rules(&q, &(struct policy){ .rules = rules, .n = 1 }, &text, diag);
	if (!rc)
		rc = ask(&q, &answer, diag);
	if (!rc)
		rc = take_removed(&answer.reply, removed, diag);
	free(answer.bytes);
	free(text);
	end(&q);
	return rc;
}

/* opts: NULL: it changes nothing. */
static int ask_of_id(const char *word, uint32_t id, const struct apply_opts *opts, const char *more,
	struct answer *answer, struct diag *diag)
{
	char number[16];
	struct question q;

	snprintf(number, sizeof(number), "%" PRIu32, id);
	if (opts)
		begin_change(&q, word, opts);
	else
		begin(&q, word, NULL);
	q.words[q.n++] = number;
	if (more)
		q.words[q.n++] = (char *)more;
	return ask(&q, answer, diag);
}

int tell_remove_id(uint32_t id, const struct apply_opts *opts, struct diag *diag)
{
	struct answer answer;
	int rc = ask_of_id("remove-id", id, opts, NULL, &answer, diag);

	free(answer.bytes);
	return rc;
}

int tell_retire(uint32_t id, bool keep, struct diag *diag)
{
	const struct apply_opts opts = {};
	struct answer answer;
	int rc = ask_of_id("retire", id, &opts, keep ? "keep" : NULL, &answer, diag);

	free(answer.bytes);
	return rc;
}

int tell_drop(const struct apply_opts *opts, size_t *n, struct diag *diag)
{
	struct answer answer;
	struct question q;
	int rc;

	begin_change(&q, "drop", opts);
	rc = ask(&q, &answer, diag);
	if (!rc)
		*n = strtoul(answer.reply.out_len ? answer.reply.out : "0", NULL, 10);
	free(answer.bytes);
	return rc;
}

static int take_rules(struct answer *answer, struct policy **rules, struct diag *diag)
{
	int rc = held_read(answer->reply.out, answer->reply.out_len, rules);

	free(answer->bytes);
	return rc == -EBADMSG ? nonsense(diag) : rc;
}

/* Who does not answer this either hangs, and need not be waited for as long as for all the rules.
 */
static int greet(struct diag *diag)
{
	struct answer answer;
	struct question q;
	int rc;

	begin(&q, "status", NULL);
	rc = ask(&q, &answer, diag);
	free(answer.bytes);
	return rc;
}

int tell_rules(struct policy **rules, struct diag *diag)
{
	struct answer answer;
	struct question q;
	int rc = greet(diag);

	if (rc)
		return rc;
	begin(&q, "rules", NULL);
	q.words[q.n++] = "lists";
	q.is_long = true;
	rc = ask(&q, &answer, diag);
	return rc ? rc : take_rules(&answer, rules, diag);
}

int tell_rule(uint32_t id, bool lists, struct policy **rules, struct diag *diag)
{
	struct answer answer;
	int rc = ask_of_id("rule", id, NULL, lists ? "lists" : NULL, &answer, diag);

	return rc ? rc : take_rules(&answer, rules, diag);
}

void tell_arrays(const int fd[BP_ARRAYS])
{
	char *words[] = { "arrays" };
	struct diag ignored = {};
	int pid;

	if (seat_is_taken(&pid))
		seat_tell(&(struct seat_question){ words, 1, fd, BP_ARRAYS, 1 }, &ignored);
	diag_free(&ignored);
}
