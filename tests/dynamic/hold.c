/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A holder of dynamic rules, and one who reads them back, for the end-to-end tests.
 *
 * hold: does what each line of stdin says, and answers each with one line, `ok` and how many
 * microseconds it took, or `error` and why. It holds the rules until it dies.
 *
 *	add RULE
 *	remove RULE
 *	many N		N addresses, each a rule, in place of all rules
 *	load		all of them anew
 *	check		what a holder looks at every second
 *
 * hold read: `ID PACKETS BYTES` for each dynamic rule that has counted, then `elements N`; needs no
 * holder's help.
 *
 * hold verified: `NAME N`, instructions that the verifier went through, for each program of the
 * layer.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dynamic.h"
#include "env.h"
#include "host.h"
#include "spec.h"

#define FIRST_ID 1000000

struct holder {
	struct dynamic *d;
	struct policy *rules;
	uint32_t next_id;
	struct compile_env env;
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int parse(const char *line, struct rule **rule, struct diag *diag)
{
	struct spec_opts opts = { .action = -1 };
	int rc = spec_parse_line(line, &opts, rule, diag);

	if (!rc)
		(*rule)->layer = LAYER_DYNAMIC;
	return rc;
}

/* All of them in one step. */
static int load_all(struct holder *h, struct diag *diag)
{
	struct dynamic_change *c = NULL;
	int rc = dynamic_begin(h->d, &c, diag);

	if (!rc)
		rc = dynamic_build(h->d, c, h->rules, &h->env, diag);
	if (!rc)
		rc = dynamic_switch(h->d, c, h->rules, diag);
	if (!rc) {
		dynamic_sum(c, NULL);
		dynamic_settle(h->d, c, diag);
	}
	dynamic_change_free(&c);
	return rc;
}

static int add(struct holder *h, const char *line, struct diag *diag)
{
	struct rule *rule = NULL;
	const struct rule *added;
	int rc = parse(line, &rule, diag);

	if (rc)
		return rc;
	rule->id = h->next_id++;
	added = rule;
	rc = policy_add(h->rules, &rule);
	if (rc)
		return rc;
	rc = dynamic_add(h->d, h->rules, added, &h->env, diag);
	if (rc == -ENOSPC)
		rc = load_all(h, diag);
	if (rc)
		policy_remove(h->rules, h->rules->n - 1);
	return rc;
}

/* policy_remove() frees it, so it is taken out of the list by hand. */
static int take_out(struct holder *h, const char *line, struct diag *diag)
{
	struct rule *like = NULL, *rule;
	int rc = parse(line, &like, diag);
	ptrdiff_t at;
	uint32_t id;

	if (!rc)
		rc = dynamic_find(h->d, like, like->action, &id);
	rule_free(&like);
	if (rc)
		return rc;
	at = policy_find_id(h->rules, id);
	if (at < 0)
		return -EPROTO;
	rc = rule_copy(h->rules->rules[at], &rule);
	if (rc)
		return rc;
	policy_remove(h->rules, at);
	rc = dynamic_remove(h->d, h->rules, rule, &h->env);
	if (rc == -ENOSPC)
		rc = load_all(h, diag);
	rule_free(&rule);
	return rc;
}

static int many(struct holder *h, const char *line, struct diag *diag)
{
	unsigned long i, n = strtoul(line, NULL, 10);
	int rc = 0;

	policy_free(&h->rules);
	h->rules = policy_new("dynamic");
	for (i = 0; i < n && !rc; i++) {
		struct rule *rule = NULL;
		char text[64];

		snprintf(text, sizeof(text), "block %lu.%lu.%lu.%lu", 11 + (i >> 24), i >> 16 & 255,
			i >> 8 & 255, i & 255);
		rc = parse(text, &rule, diag);
		if (rc)
			break;
		rule->id = h->next_id++;
		rc = policy_add(h->rules, &rule);
	}
	return rc ? rc : load_all(h, diag);
}

static int load(struct holder *h, const char *line, struct diag *diag)
{
	(void)line;
	return load_all(h, diag);
}

static int check(struct holder *h, const char *line, struct diag *diag)
{
	int rc = dynamic_check(h->d, h->rules, diag);

	(void)line;
	if (rc == -ESTALE)
		rc = load_all(h, diag);
	return rc < 0 ? rc : 0;
}

static int obey(struct holder *h, const char *line, struct diag *diag)
{
	static const struct {
		const char *word;
		int (*run)(struct holder *, const char *, struct diag *);
	} words[] = { { "add ", add }, { "remove ", take_out }, { "many ", many }, { "load", load },
		{ "check", check } };

	env_now(&h->env);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i].word);

		if (!strncmp(line, words[i].word, n))
			return words[i].run(h, line + n, diag);
	}
	return -EINVAL;
}

static void answer(int rc, double us, struct diag *diag)
{
	if (rc)
		printf("error %s\n", diag->kind == DIAG_NONE ? strerror(-rc) : diag->message);
	else
		printf("ok %.0f\n", us);
	diag_free(diag);
	*diag = (struct diag){ 0 };
}

static int hold(void)
{
	struct holder h = { .rules = policy_new("dynamic"), .next_id = FIRST_ID };
	struct diag diag = { 0 };
	char *line = NULL;
	size_t room = 0;
	int rc = dynamic_open(&h.d, &diag);

	env_now(&h.env);
	if (!rc)
		rc = load_all(&h, &diag);
	answer(rc, 0, &diag);
	while (!rc && getline(&line, &room, stdin) > 0) {
		double begun = now_us();

		line[strcspn(line, "\n")] = 0;
		rc = obey(&h, line, &diag);
		answer(rc, now_us() - begun, &diag);
		rc = 0;
	}
	free(line);
	dynamic_close(&h.d);
	policy_free(&h.rules);
	return rc != 0;
}

static int count_one(const union filter_elem *elem, int family, void *arg)
{
	(void)family;
	*(size_t *)arg += elem->e.tuple >> 7 == BP_SPACE_ALL;
	return 0;
}

static int read_back(struct kernel *k, struct diag *diag)
{
	struct generation *gen = NULL;
	struct rule_counts counts = { 0 };
	size_t n = 0;
	int rc = dynamic_counts(k, &counts, diag);

	for (size_t i = 0; i < counts.n; i++)
		printf("%u %" PRIu64 " %" PRIu64 "\n", counts.v[i].rule, counts.v[i].packets,
			counts.v[i].bytes);
	free(counts.v);
	if (!rc)
		rc = dynamic_read(k, &gen, diag);
	if (!rc)
		table_walk(&gen->table, count_one, &n);
	if (!rc || rc == -ENOENT)
		printf("elements %zu\n", n);
	generation_free(&gen);
	return rc == -ENOENT ? 0 : rc;
}

static void print_verified(int fd)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len))
		printf("%s %u\n", info.name, info.verified_insns);
}

/* Of a layer loaded for the purpose, over no rules: what a program is does not depend on them. */
static int verified(struct kernel *k, struct diag *diag)
{
	struct policy *none = policy_new("none");
	struct generation *gen = NULL;
	struct compile_env env;
	struct plan *plan = NULL;
	int rc;

	env_now(&env);
	rc = none ? plan_new(none, &env, &plan, diag) : -ENOMEM;
	if (!rc)
		rc = generation_load_dynamic(plan, &k->shared, false, &gen, diag);
	for (int hook = 0; hook < BP_HOOKS && !rc; hook++) {
		print_verified(gen->classify[hook]);
		print_verified(gen->count[hook]);
	}
	generation_free(&gen);
	plan_free(&plan);
	policy_free(&none);
	return rc;
}

static int look(int (*run)(struct kernel *, struct diag *))
{
	struct diag diag = { 0 };
	struct kernel *k = NULL;
	int rc = kernel_open(&k, &diag);

	if (!rc)
		rc = run(k, &diag);
	if (rc)
		answer(rc, 0, &diag);
	kernel_free(&k);
	return rc != 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	kernel_quiet();
	if (argc == 1)
		return hold();
	if (argc == 2 && !strcmp(argv[1], "read"))
		return look(read_back);
	if (argc == 2 && !strcmp(argv[1], "verified"))
		return look(verified);
	fprintf(stderr, "usage: hold [read|verified]\n");
	return 2;
}
