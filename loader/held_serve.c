// SPDX-License-Identifier: GPL-2.0-only
#include "held_serve.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "held_text.h"
#include "lock.h"
#include "pairs.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define MOST_TEXT (1U << 28) /* bytes */

struct call {
	struct held *held;
	const struct wire_request *request;
	char **words; /* behind the name and the options */
	int n;
	const int *fds; /* that came along, but for the lock */
	int n_fds;
	struct apply_opts opts;
	bool locked; /* who asks has the lock, and shares it */
	FILE *out;
};

static int bad_request(struct diag *diag)
{
	return diag_set(diag, DIAG_USAGE, EINVAL, "the agent knows no such request");
}

/* Sealed it is a file in memory, which nobody changes or cuts while it is read, and no device that
 * never ends. */
static int read_file(int fd, char **text, size_t *len, struct diag *diag)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	ssize_t got = 0;
	int err;

	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) || st.st_size > MOST_TEXT)
		return bad_request(diag);
	*text = malloc(st.st_size + 1);
	if (!*text)
		return -ENOMEM;
	for (*len = 0; *len < (size_t)st.st_size; *len += got) {
		got = pread(fd, *text + *len, st.st_size - *len, *len);
		if (got <= 0)
			break;
	}
	if (*len == (size_t)st.st_size)
		return 0;
	err = got < 0 ? errno : EIO;
	free(*text);
	*text = NULL;
	return diag_errno(diag, err, "cannot read the rules");
}

/* A million addresses take a while, in which others have their turn. */
static int read_long(const struct call *c, struct policy **rules, struct diag *diag)
{
	char *text = NULL;
	size_t len = 0;
	int rc;

	if (c->held->quick)
		return -EINPROGRESS;
	held_give_turn(c->held);
	rc = read_file(c->fds[0], &text, &len, diag);
	if (!rc)
		rc = held_read(text, len, rules);
	free(text);
	held_take_turn(c->held);
	return rc;
}

static int take_rules(const struct call *c, int at, struct policy **rules, struct diag *diag)
{
	int rc;

	if (c->n == at + 1 && !c->n_fds) {
		rc = held_read(c->words[at], strlen(c->words[at]), rules);
	} else if (c->n == at && c->n_fds == 1) {
		rc = read_long(c, rules, diag);
	} else {
		return bad_request(diag);
	}
	if (rc == -EBADMSG)
		return bad_request(diag);
	for (size_t i = 0; !rc && i < (*rules)->n; i++)
		(*rules)->rules[i]->id = 0;
	return rc;
}

/* Commands send what was said twice once. */
static int check_repeats(const struct policy *rules, struct diag *diag)
{
	size_t *first = policy_firsts(rules);
	int rc = first ? 0 : -ENOMEM;

	for (size_t i = 0; i < rules->n && !rc; i++)
		if (first[i] != i)
			rc = diag_set(
				diag, DIAG_USAGE, EINVAL, "two rules of one request are the same");
	free(first);
	return rc;
}

static int add(const struct call *c, struct diag *diag)
{
	struct policy *rules = NULL;
	struct applied *applied = NULL;
	size_t n;
	int rc = take_rules(c, 0, &rules, diag);

	if (!rc && rules->n > 1)
		rc = check_repeats(rules, diag);
	if (rc) {
		policy_free(&rules);
		return rc;
	}
	n = rules->n;
	applied = calloc(n + 1, sizeof(*applied));
	rc = applied ? held_add(c->held, rules, &c->opts, applied, diag) : -ENOMEM;
	for (size_t i = 0; i < n && !rc; i++)
		fprintf(c->out, "%d %" PRIu32 "\n", applied[i].outcome, applied[i].id);
	free(applied);
	policy_free(&rules);
	return rc;
}

static int action_of(const char *word)
{
	for (int a = 0; a < BP_ACTIONS; a++)
		if (!strcmp(word, action_name(a)))
			return a;
	return -1;
}

static int take_away(const struct call *c, struct diag *diag)
{
	struct apply_removed removed = {};
	struct policy *rules = NULL;
	int rc = c->n ? take_rules(c, 1, &rules, diag) : bad_request(diag);

	if (!rc && rules->n != 1)
		rc = bad_request(diag);
	if (!rc)
		rc = held_remove(
			c->held, rules->rules[0], action_of(c->words[0]), &c->opts, &removed, diag);
	for (size_t i = 0; i < removed.n && !rc; i++)
		fprintf(c->out, "%" PRIu32 "\n", removed.ids[i]);
	policy_free(&rules);
	return rc;
}

static int take_id(const struct call *c, uint32_t *id, struct diag *diag)
{
	int used = 0;

	if (!c->n || sscanf(c->words[0], "%" SCNu32 "%n", id, &used) != 1 || c->words[0][used])
		return bad_request(diag);
	return 0;
}

static int take_id_away(const struct call *c, struct diag *diag)
{
	uint32_t id;
	int rc = c->n == 1 ? take_id(c, &id, diag) : bad_request(diag);

	return rc ? rc : held_remove_id(c->held, id, &c->opts, diag);
}

static int retire(const struct call *c, struct diag *diag)
{
	bool keep = c->n == 2 && !strcmp(c->words[1], "keep");
	uint32_t id;
	int rc = c->n == 1 + keep && c->locked ? take_id(c, &id, diag) : bad_request(diag);

	return rc ? rc : held_retire(c->held, id, keep, diag);
}

static int drop(const struct call *c, struct diag *diag)
{
	size_t n = 0;
	int rc = c->n ? bad_request(diag) : held_drop(c->held, &c->opts, &n, diag);

	if (!rc)
		fprintf(c->out, "%zu\n", n);
	return rc;
}

static int tell_all(const struct call *c, struct diag *diag)
{
	bool lists = c->n == 1 && !strcmp(c->words[0], "lists");

	if (c->n > lists)
		return bad_request(diag);
	/* An agent that has just begun holds none. */
	return held_write(c->out, c->held->d ? c->held->rules : &(struct policy){}, lists);
}

static int tell_one(const struct call *c, struct diag *diag)
{
	const struct rule *rule;
	struct rule *rules[1];
	uint32_t id;
	bool lists = c->n == 2 && !strcmp(c->words[1], "lists");
	int rc = c->n == 1 + lists ? take_id(c, &id, diag) : bad_request(diag);

	if (!rc)
		rc = held_find(c->held, id, &rule, diag);
	if (rc)
		return rc;
	rules[0] = (struct rule *)rule;
	return held_write(c->out, &(struct policy){ .rules = rules, .n = 1 }, lists);
}

static int take_arrays(const struct call *c, struct diag *diag)
{
	if (c->n || c->n_fds != BP_ARRAYS || held_offer(c->held, c->fds))
		return bad_request(diag);
	c->held->look = true;
	return 0;
}

static int run(struct call *c, struct diag *diag)
{
	static const struct {
		const char *name;
		int (*run)(const struct call *, struct diag *);
	} requests[] = { { "add", add }, { "remove", take_away }, { "remove-id", take_id_away },
		{ "retire", retire }, { "drop", drop }, { "rules", tell_all }, { "rule", tell_one },
		{ "arrays", take_arrays } };

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (strcmp(c->request->words[0], requests[i].name))
			continue;
		/* Who gave up has said that it failed. Of the arrays nobody waits to hear. */
		if (c->request->gone && requests[i].run != take_arrays)
			return 0;
		return c->held->d || requests[i].run == tell_all ? requests[i].run(c, diag)
								 : -EAGAIN;
	}
	return -ENOSYS;
}

static void take_options(struct call *c)
{
	c->words = c->request->words + 1;
	c->n = c->request->n - 1;
	for (; c->n; c->words++, c->n--) {
		if (!strcmp(c->words[0], "--dry-run"))
			c->opts.dry_run = true;
		else if (!strcmp(c->words[0], "--force"))
			c->opts.force = true;
		else if (!strcmp(c->words[0], "--locked"))
			c->locked = true;
		else
			break;
	}
	c->n_fds = c->request->n_fds - c->locked;
	c->fds = c->n_fds > 0 ? c->request->fds + c->locked : NULL;
}

/* The lock comes first among what comes along. It is held, by who asks or here, until the answer is
 * made. */
static int run_locked(struct call *c, struct diag *diag)
{
	int rc = c->n_fds >= 0 ? lock_share(c->request->fds[0]) : -EBADF;

	if (rc == -EBADF)
		rc = bad_request(diag);
	else if (!rc)
		rc = run(c, diag);
	lock_release();
	return rc;
}

int held_serve(struct held *h, const struct wire_request *request, bool quick, FILE *out, FILE *err)
{
	struct call c = { .held = h, .request = request, .out = out };
	struct diag diag = {};
	int rc, code = 0;

	if (!request->n)
		return -ENOENT;
	take_options(&c);
	h->quick = quick;
	rc = c.locked ? run_locked(&c, &diag) : run(&c, &diag);
	h->quick = false;
	if (rc == -ENOSYS) {
		code = -ENOENT;
	} else if (rc == -EINPROGRESS && diag.kind == DIAG_NONE) {
		code = rc;
	} else if (rc == -EAGAIN && diag.kind == DIAG_NONE) {
		code = WIRE_BUSY;
	} else if (rc) {
		if (diag.kind == DIAG_NONE)
			diag_errno(&diag, -rc, "the agent could not do it");
		fputs(diag.message, err);
		code = diag.kind;
	} else {
		fputs(diag.warnings, err);
	}
	diag_free(&diag);
	return code;
}
