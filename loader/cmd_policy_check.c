// SPDX-License-Identifier: GPL-2.0-only
/* policy check. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "dirs.h"
#include "env.h"
#include "host.h"
#include "json.h"
#include "never.h"
#include "plan_text.h"
#include "policies.h"
#include "spec.h"
#include "stream.h"

/* What is worth knowing of a line. */
struct remark {
	struct text_place at;
	char *message;
};

struct check {
	struct policy_text *text;
	struct remark *remarks;
	size_t n, room;
	struct never *never; /* of each rule */
	char *unfit;	     /* why the whole does not fit into the kernel's maps; NULL: it does */
	struct plan *plan;   /* NULL: there are errors */
};

char *policy_word_name(const char *word)
{
	const char *slash = strrchr(word, '/'), *name = slash ? slash + 1 : word;
	const char *dot = strrchr(name, '.');
	size_t len = dot && !strcmp(dot, ".policy") ? (size_t)(dot - name) : strlen(name);

	return strndup(name, len);
}

/* Input that cannot be read is bad usage, unless it is not permitted to. */
static int unreadable(int rc, struct diag *diag)
{
	if (rc && diag->kind == DIAG_SYSTEM)
		diag->kind = DIAG_USAGE;
	return rc;
}

int policy_word_read(const char *word, char **text, size_t *len, struct diag *diag)
{
	int rc = input_read(strcmp(word, "-") ? word : "/dev/stdin", text, len, diag);

	if (!rc)
		return 0;
	diag_place_word(diag, word);
	if (rc != -ENOENT)
		return unreadable(rc, diag);
	return diag_set(diag, DIAG_USAGE, ENOENT, "there is no file '%s'", word);
}

/* The file of that name, or else the policy, and then the store, which the caller frees. */
static int read_word(const char *word, char **path, char **text, size_t *len, struct store **store,
	struct diag *diag)
{
	struct host host = {};
	int rc;

	*path = strdup(word);
	rc = *path ? policy_word_read(word, text, len, diag) : -ENOMEM;
	if (rc != -ENOENT || policy_name_flaw(word))
		return rc;
	if (geteuid())
		return diag_set(diag, DIAG_USAGE, ENOENT,
			"there is no file '%s'; to check the policy of that name run this again "
			"with sudo",
			word);
	diag_clear(diag);
	free(*path);
	*path = policies_path(word);
	rc = *path ? host_open(&host, HOST_READ, diag) : -ENOMEM;
	if (!rc)
		rc = host_store_names(&host, diag);
	if (!rc)
		rc = policies_read(host.store, word, text, len, diag);
	*store = host.store;
	host.store = NULL;
	host_close(&host); /* names are looked up without the lock */
	if (rc != -ENOENT)
		return unreadable(rc, diag);
	diag_place_word(diag, word);
	return diag_set(diag, DIAG_USAGE, ENOENT,
		"there is no file and no policy '%s'; 'bpfpol policy list' shows the policies",
		word);
}

/* Names are looked up, as they would be at an assignment, but not kept. */
static int load(const char *word, struct policy_text **out, struct diag *diag)
{
	struct names names = { .lenient = true };
	char *path = NULL, *text, *name = NULL;
	struct store *store = NULL;
	size_t len;
	int rc = read_word(word, &path, &text, &len, &store, diag);

	if (!rc) {
		name = policy_word_name(path);
		rc = policies_parse(store, path, text, len, name ? name : word, &names, out);
	}
	store_free(&store);
	names_warn(&names, diag);
	names_free(&names);
	free(name);
	free(path);
	return rc;
}

static int remark(struct check *c, const struct text_place *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int remark(struct check *c, const struct text_place *at, const char *fmt, ...)
{
	va_list args;
	char *message;
	int len;

	if (c->n == c->room) {
		size_t room = c->room ? c->room * 2 : 16;
		struct remark *v = reallocarray(c->remarks, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		c->remarks = v;
		c->room = room;
	}
	va_start(args, fmt);
	len = vasprintf(&message, fmt, args);
	va_end(args);
	if (len < 0)
		return -ENOMEM;
	c->remarks[c->n++] = (struct remark){ *at, message };
	return 0;
}

/* "FILE:LINE", or where the remark is in the same file "line LINE", and the rule. */
static void put_other(FILE *out, const struct policy_text *t, size_t rule, size_t other)
{
	const struct text_place *at = &t->place[other];
	char *text = spec_text(t->policy->rules[other], SPEC_ACTION | SPEC_MATCH);

	if (at->source == t->place[rule].source)
		fprintf(out, "line %u", at->line);
	else
		fprintf(out, "%s:%u", t->sources[at->source].path, at->line);
	fprintf(out, " '%s'", text ? text : "");
	free(text);
}

static int covered(struct check *c, size_t rule, const struct never *never)
{
	char *others = NULL;
	size_t size;
	FILE *out = stream_open(&others, &size);
	int rc;

	if (!out)
		return -ENOMEM;
	for (unsigned int i = 0; i < never->n_by; i++) {
		fputs(i == 0 ? "" : i + 1 < never->n_by || never->more ? ", " : " and ", out);
		put_other(out, c->text, rule, never->by[i]);
	}
	if (never->more)
		fputs(" and others", out);
	if (stream_close(out))
		return -ENOMEM;
	rc = remark(c, &c->text->place[rule],
		"this rule can never win: %s %s over all that it matches", others,
		never->n_by > 1 || never->more ? "together win" : "wins");
	free(others);
	return rc;
}

static int remark_empty(struct check *c, size_t rule)
{
	const struct rule *is = c->text->policy->rules[rule];
	const struct text_place *at = &c->text->place[rule];
	const struct end *ends[] = { &is->from, &is->to };

	for (int i = 0; i < 2; i++)
		if (ends[i]->kind == END_FILE && !ends[i]->list.n && list_host(ends[i]->file))
			return remark(c, at,
				"no address of the host '%s' is to be had: while that is so, the "
				"policy cannot be assigned",
				list_host(ends[i]->file));
	return remark(c, at, "this rule matches nothing: its list is empty");
}

static int never_remark(struct check *c, size_t rule, const struct never *never)
{
	const struct policy_text *t = c->text;
	const struct text_place *at = &t->place[rule];
	const char *why = "";

	switch (never->why) {
	case NEVER_COVERED:
		return covered(c, rule, never);
	case NEVER_REPEATS:
		if (t->place[never->by[0]].source == t->place[rule].source)
			return remark(
				c, at, "this rule repeats line %u", t->place[never->by[0]].line);
		return remark(c, at, "this rule repeats %s:%u",
			t->sources[t->place[never->by[0]].source].path,
			t->place[never->by[0]].line);
	case NEVER_EXEMPT:
		return remark(c, at,
			"this rule can never match: neighbour discovery (ICMPv6 types 133 to 136) "
			"always passes");
	case NEVER_EMPTY:
		return remark_empty(c, rule);
	case NEVER_ENDS:
		return remark(c, at,
			"this rule matches nothing: its two ends have no addresses of the same "
			"family");
	case NEVER_PROTO:
		proto_family(t->policy->rules[rule]->proto, &why);
		return remark(c, at, "this rule matches nothing: %s", why);
	default:
		return 0;
	}
}

static int interface_remark(struct check *c, size_t rule, struct diag *diag)
{
	const char *name = c->text->policy->rules[rule]->ifname;
	int is;

	if (name && !strcmp(name, "lo"))
		return remark(c, &c->text->place[rule],
			"this rule matches nothing: the loopback is never filtered");
	is = name ? env_ifindex(name, diag) : 1;
	if (is)
		return is < 0 ? is : 0;
	return remark(c, &c->text->place[rule],
		"there is no interface '%s' now; this rule takes effect when there is", name);
}

static int find_remarks(struct check *c, struct diag *diag)
{
	bool cut_short;
	int rc = never_find(c->text->policy, &c->never, &cut_short);

	for (size_t i = 0; !rc && i < c->text->policy->n; i++) {
		rc = never_remark(c, i, &c->never[i]);
		if (!rc)
			rc = interface_remark(c, i, diag);
	}
	if (!rc && cut_short) {
		diag_set(diag, DIAG_SYSTEM, E2BIG, "too many rules overlap");
		diag_to_warning(
			diag, "the search for rules that can never win was not brought to its end");
	}
	return rc;
}

/* A policy of its own, so that the places of c->text stay those of its rules. */
static int compile_it(struct check *c, struct diag *diag)
{
	const struct policy *policy = c->text->policy;
	struct policy whole = { .rules = calloc(policy->n + 1, sizeof(*whole.rules)) };
	struct compile_env env;
	struct table table = {};
	int rc = whole.rules ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < policy->n; i++) {
		policy->rules[i]->id = i + 1;
		if (c->never[i].why != NEVER_REPEATS)
			whole.rules[whole.n++] = policy->rules[i];
	}
	env_now(&env);
	if (!rc)
		rc = compile(&whole, &env, &c->plan, &table, diag);
	if (!rc)
		c->plan->tables = *table.tables; /* filled */
	table_free(&table);
	if (rc == -E2BIG) {
		c->unfit = strdup(diag->message);
		rc = c->unfit ? 0 : -ENOMEM;
	}
	free(whole.rules);
	return rc;
}

static void put_remark(FILE *out, const struct check *c, const struct remark *r)
{
	const char *line = policy_text_line(c->text, &r->at);
	size_t column = strspn(line, " \t");

	fprintf(out, "bpfpol: warning: %s:%u:%zu: %s\n", c->text->sources[r->at.source].path,
		r->at.line, column + 1, r->message);
}

/* In one piece: there may be many, and stderr has no buffer. */
static void put_remarks(const struct check *c)
{
	char *text = NULL;
	size_t size;
	FILE *out = stream_open(&text, &size);

	for (size_t i = 0; out && i < c->n; i++)
		put_remark(out, c, &c->remarks[i]);
	if (out && !stream_close(out))
		fputs(text, stderr);
	free(text);
}

static void say_text(const struct args *args, const struct check *c)
{
	size_t errors = c->text->n_flaws + !!c->unfit;

	put_remarks(c);
	printf("%s: policy '%s', %zu rules, %zu %s, %zu %s\n", c->text->sources[0].path,
		c->text->policy->name, c->text->policy->n, errors, errors == 1 ? "error" : "errors",
		c->n, c->n == 1 ? "warning" : "warnings");
	if (args->given & OPT_PLAN && c->plan)
		plan_text(stdout, c->plan);
}

static void json_place(struct jw *j, const struct policy_text *t, const struct text_place *at,
	size_t column, const char *message)
{
	jw_object(j, NULL);
	jw_str(j, "file", t->sources[at->source].path);
	jw_u64(j, "line", at->line);
	jw_u64(j, "column", column + 1);
	jw_str(j, "text", policy_text_line(t, at));
	jw_str(j, "message", message);
	jw_object_end(j);
}

static void say_json(const struct args *args, const struct check *c)
{
	const struct policy_text *t = c->text;
	struct jw j;

	jw_begin(&j, stdout);
	jw_object(&j, NULL);
	jw_str(&j, "file", t->sources[0].path);
	jw_str(&j, "policy", t->policy->name);
	jw_str(&j, "description", t->policy->description);
	jw_u64(&j, "rules", t->policy->n);
	jw_array(&j, "errors");
	for (size_t i = 0; i < t->n_flaws; i++)
		json_place(&j, t, &t->flaws[i].place, t->flaws[i].column, t->flaws[i].message);
	if (c->unfit) {
		jw_object(&j, NULL);
		jw_str(&j, "file", t->sources[0].path);
		jw_str(&j, "message", c->unfit);
		jw_object_end(&j);
	}
	jw_array_end(&j);
	jw_array(&j, "warnings");
	for (size_t i = 0; i < c->n; i++) {
		const struct remark *r = &c->remarks[i];

		json_place(&j, t, &r->at, strspn(policy_text_line(t, &r->at), " \t"), r->message);
	}
	jw_array_end(&j);
	if (args->given & OPT_PLAN && c->plan)
		plan_json(&j, c->plan);
	jw_object_end(&j);
}

/* All errors are printed by main, as of any command; in JSON they stand on stdout already. */
static int verdict(const struct args *args, const struct check *c, struct diag *diag)
{
	const struct policy_text *t = c->text;

	if (t->n_flaws && args->given & OPT_JSON)
		return diag_set(diag, DIAG_USAGE, EINVAL, "%s: %zu %s", t->sources[0].path,
			t->n_flaws, t->n_flaws == 1 ? "error" : "errors");
	if (t->n_flaws)
		return policy_text_fail(t, SIZE_MAX, diag);
	if (c->unfit)
		return diag_set(diag, DIAG_USAGE, E2BIG, "%s: %s", t->sources[0].path, c->unfit);
	return 0;
}

static void check_free(struct check *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->remarks[i].message);
	free(c->remarks);
	free(c->unfit);
	free(c->never);
	plan_free(&c->plan);
	policy_text_free(&c->text);
}

/* A file that was renamed, or copied, and still calls itself otherwise. */
static int name_remark(struct check *c)
{
	const struct policy_text *t = c->text;
	char *name = policy_word_name(t->sources[0].path);
	int rc = name ? 0 : -ENOMEM;

	if (!rc && t->named && strcmp(t->sources[0].path, "-") && strcmp(name, t->policy->name))
		rc = remark(c, &t->name_place,
			"the file calls itself by another name than its own: in the store a policy "
			"is called what its file is called");
	free(name);
	return rc;
}

int cmd_policy_check(const struct args *args, struct diag *diag)
{
	struct check c = {};
	int rc = args_one(args, "a file, or a policy of the store", diag);

	if (!rc)
		rc = load(args->words[0], &c.text, diag);
	if (rc)
		return rc;
	rc = name_remark(&c);
	if (!rc)
		rc = find_remarks(&c, diag);
	if (!rc && !c.text->n_flaws)
		rc = compile_it(&c, diag);
	if (!rc) {
		(args->given & OPT_JSON ? say_json : say_text)(args, &c);
		rc = verdict(args, &c, diag);
	}
	check_free(&c);
	return rc;
}
