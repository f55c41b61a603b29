/* SPDX-License-Identifier: GPL-2.0-only */
/* A store on a disk of its own, for the tests that look at its files. */
#ifndef BPFPOL_STORE_KIT_H
#define BPFPOL_STORE_KIT_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../fuzz/fuzz.h"
#include "spec.h"
#include "store_parts.h"

static struct diag diag;

static inline char *in_dir(const char *name)
{
	static char path[4][256];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", fuzz_dir(), name);
	return path[turn];
}

static inline void put(const char *name, const char *text)
{
	fuzz_put(in_dir(name), text, strlen(text));
}

static inline char *content(const char *name)
{
	static char text[65536];
	FILE *in = fopen(in_dir(name), "r");

	text[0] = '\0';
	if (in) {
		text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
		fclose(in);
	}
	return text;
}

static inline bool is_there(const char *name)
{
	return !access(in_dir(name), F_OK);
}

static inline int begin(void **state)
{
	(void)state;
	fuzz_dir_empty(fuzz_dir());
	for (int i = 0; i < 2; i++)
		if (mkdir(in_dir(i ? "state" : "conf"), 0700) && errno != EEXIST)
			return -1;
	diag = (struct diag){};
	return 0;
}

static inline int end(void **state)
{
	(void)state;
	diag_free(&diag);
	return 0;
}

/* No file may grow beyond that: what is written fails with EFBIG. */
static inline void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes;
	setrlimit(RLIMIT_FSIZE, &limit);
}

static inline struct rule *rule_of(const char *text)
{
	const struct spec_opts opts = { .action = -1 };
	struct rule *rule = NULL;

	assert_int_equal(spec_parse_line(text, &opts, &rule, &diag), 0);
	return rule;
}

static inline struct store *load(void)
{
	struct store *s = NULL;
	int rc = store_load(&s, &diag);

	if (rc)
		fail_msg("%s", diag.message);
	assert_int_equal(store_read_copies(s, &diag), 0);
	return s;
}

static inline void commit(struct store *s)
{
	if (store_commit(s, &diag))
		fail_msg("%s", diag.message);
	assert_true(store_unchanged(s->inode, s->mtime, s->journal));
}

static inline void add(struct store *s, const char *text)
{
	struct rule *rule = rule_of(text);

	assert_int_equal(store_add(s, &rule), 0);
}

/* The policy p with those rules, committed. */
static inline struct store *assigned(const char *const *rules)
{
	struct store *s = load();
	struct policy *p = policy_new("p");

	store_assign(s, &p);
	for (; *rules; rules++)
		add(s, *rules);
	commit(s);
	return s;
}

/* With one rule, whose list stands in a file `list`. */
static inline struct store *with_a_list(void)
{
	const char *const none[] = { NULL };
	struct store *s = assigned(none);
	char text[300];
	struct rule *rule;

	put("list", "192.0.2.0/24\n2001:db8::1\n");
	snprintf(text, sizeof(text), "block from @%s", in_dir("list"));
	rule = rule_of(text);
	assert_int_equal(store_read_lists(rule, NULL, &diag), 0);
	assert_int_equal(store_add(s, &rule), 0);
	commit(s);
	return s;
}

/* The rules of a store as text, a line each, with their ids. */
static inline const char *text_of(const struct store *s)
{
	static char text[4096];
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; s->policy && i < s->policy->n; i++) {
		char *rule = spec_text(s->policy->rules[i], SPEC_ALL);

		used += snprintf(
			text + used, sizeof(text) - used, "%u %s\n", s->policy->rules[i]->id, rule);
		free(rule);
	}
	return text;
}

/* What is on the disk is just that. */
static inline void stored(const char *expected)
{
	struct store *s = load();

	assert_string_equal(text_of(s), expected);
	store_free(&s);
}

__attribute__((unused)) static const char *const worms[] = { "block udp/1434",
	"permit out tcp/25 log", NULL };
#define WORMS "1 block in udp to port 1434\n2 permit out tcp to port 25 log\n"

/* What main() begins with. */
static inline void use_own_disk(void)
{
	signal(SIGXFSZ, SIG_IGN);
	setenv("BPFPOL_STATE_DIR", in_dir("state"), 1);
	setenv("BPFPOL_CONF_DIR", in_dir("conf"), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
