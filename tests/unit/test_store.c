// SPDX-License-Identifier: GPL-2.0-only
/* The store: what is written reads back, also after a commit that failed. */
#include "dirs.h"
#include "store_kit.h"

static void nothing_yet(void **state)
{
	struct store *s = load(), *previous = NULL;

	(void)state;
	assert_null(s->policy);
	assert_int_equal(s->next_id, 1);
	assert_false(store_is_lost(s));
	assert_false(store_is_assigned(s, "p"));
	assert_int_equal(store_load_previous(s, &previous, &diag), -ENOENT);
	assert_int_equal(diag.kind, DIAG_UNKNOWN);
	store_free(&s);
	assert_int_equal(store_salvage(false, &s, &diag), -ENOENT);
}

static void a_commit_reads_back(void **state)
{
	struct store *s = assigned(worms);

	(void)state;
	stored(WORMS);
	assert_true(store_is_assigned(s, "p"));
	assert_int_equal(s->commit, 1);
	assert_non_null(strstr(content("conf/policies/p.policy"), "udp to port 1434"));
	assert_false(is_there("state/fold.1"));
	assert_false(store_unchanged(s->inode, s->mtime + 1, s->journal));
	assert_false(store_unchanged(s->inode, s->mtime, s->journal + 1));
	store_free(&s);
}

static void rules_change_in_a_commit(void **state)
{
	struct store *s = assigned(worms);

	(void)state;
	assert_int_equal(store_del(s, 0), 0);
	s->policy->rules[0]->log = false;
	assert_int_equal(store_set(s, 0), 0);
	add(s, "count icmp for 2h name \"pings\"");
	s->policy->rules[1]->deadline = 4000000000;
	s->policy->rules[1]->lifetime = 7200;
	commit(s);
	stored("2 permit out tcp to port 25\n3 count in icmp name \"pings\"\n");
	assert_null(strstr(content("conf/policies/p.policy"), "1434"));
	assert_null(strstr(content("conf/policies/p.policy"), "log"));
	store_free(&s);
	s = load();
	assert_int_equal(s->policy->rules[1]->deadline, 4000000000);
	assert_int_equal(s->policy->rules[1]->lifetime, 7200);
	assert_int_equal(s->next_id, 4);
	store_free(&s);
}

static void the_journal_reads_back(void **state)
{
	struct store *s = assigned(worms);
	__u64 journal = s->journal, before;
	struct rule *rule = rule_of("block esp");
	const uint32_t gone[] = { 1, 2 };

	(void)state;
	rule->id = 3;
	assert_int_equal(journal_add(&journal, rule, &diag), 0);
	stored(WORMS "3 block in esp\n");
	rule->log = true;
	assert_int_equal(journal_set(&journal, rule, &diag), 0);
	before = journal;
	assert_int_equal(journal_del(&journal, gone, 2, &diag), 0);
	stored("3 block in esp log\n");
	assert_int_equal(journal_cut(&journal, before, &diag), 0);
	assert_int_equal(journal, before);
	stored(WORMS "3 block in esp log\n");
	assert_int_equal(journal_next(&journal, 77, &diag), 0);
	assert_true(store_unchanged(s->inode, s->mtime, journal));
	assert_false(journal_is_long(journal));
	store_free(&s);
	s = load();
	assert_int_equal(s->next_id, 77);
	commit(s); /* into the state */
	assert_string_equal(content("state/journal"), "journal 2\n");
	stored(WORMS "3 block in esp log\n");
	assert_non_null(strstr(content("conf/policies/p.policy"), "block in esp log"));
	rule_free(&rule);
	store_free(&s);
}

static void a_journal_that_cannot_be_written(void **state)
{
	struct store *s = assigned(worms);
	__u64 journal = s->journal;
	struct rule *rule = rule_of("block esp");

	(void)state;
	rule->id = 3;
	limit_files(journal + 4);
	assert_true(journal_add(&journal, rule, &diag) < 0);
	limit_files(RLIM_INFINITY);
	assert_int_equal(diag.kind, DIAG_SYSTEM);
	assert_int_equal(journal, s->journal);
	assert_true(store_unchanged(s->inode, s->mtime, journal));
	rename(in_dir("state/journal"), in_dir("state/aside"));
	assert_int_equal(journal_next(&journal, 9, &diag), -ENOENT);
	assert_int_equal(journal_cut(&journal, 1, &diag), -ENOENT);
	assert_int_equal(journal, s->journal);
	/* A text that would not read back. */
	free(rule->label);
	rule->label = strdup("a\nb");
	assert_int_equal(journal_add(&journal, rule, &diag), -EBADMSG);
	rule_free(&rule);
	store_free(&s);
}

static struct store *before(const struct store *s)
{
	struct store *previous = NULL;

	if (store_load_previous(s, &previous, &diag))
		fail_msg("%s", diag.message);
	return previous;
}

static void going_back(void **state)
{
	struct store *s = assigned(worms), *previous = before(s);
	struct policy *q = policy_new("q");
	__u64 journal = s->journal;
	struct rule *rule;

	(void)state;
	assert_null(previous->policy);
	store_free(&previous);
	add(s, "block tcp/7");
	commit(s);
	previous = before(s);
	assert_string_equal(text_of(previous), WORMS);
	assert_int_equal(store_go_back(s, previous), 0);
	commit(s);
	stored(WORMS);
	assert_null(strstr(content("conf/policies/p.policy"), "port 7"));
	store_free(&previous);
	previous = before(s); /* the undoing is undone */
	assert_int_equal(store_go_back(s, previous), 0);
	store_free(&previous);
	store_assign(s, &q); /* in the same breath another policy */
	commit(s);
	assert_true(is_there("state/policies/p"));
	store_free(&s);
	s = load();
	assert_true(store_is_assigned(s, "q"));
	journal = s->journal;
	rule = rule_of("block udp/9");
	rule->id = s->next_id;
	assert_int_equal(journal_add(&journal, rule, &diag), 0);
	rule_free(&rule);
	store_free(&s);
	s = load();
	previous = before(s); /* by the journal's last record */
	assert_int_equal(previous->policy->n, 0);
	store_free(&previous);
	commit(s); /* only clears up: it is still the last change */
	previous = before(s);
	assert_true(s->cut);
	assert_int_equal(previous->policy->n, 0);
	store_free(&previous);
	store_free(&s);
}

static void to_a_set_or_removed_rule(void **state)
{
	struct store *s = assigned(worms), *previous;

	(void)state;
	assert_int_equal(store_del(s, 0), 0);
	s->policy->rules[0]->log = false;
	assert_int_equal(store_set(s, 0), 0);
	commit(s);
	previous = before(s);
	previous->policy->rules[0]->included = false;
	assert_int_equal(store_go_back(s, previous), 0);
	commit(s);
	stored(WORMS);
	assert_non_null(strstr(content("conf/policies/p.policy"), "tcp to port 25 log"));
	assert_non_null(strstr(content("conf/policies/p.policy"), "1434"));
	store_free(&previous);
	store_free(&s);
}

/* The line that a change wrote of a rule which stands in an included file alone goes with it. */
static void to_included_rules(void **state)
{
	struct store *s = assigned(worms), *previous;

	(void)state;
	for (int i = 0; i < 2; i++) {
		s->policy->rules[i]->included = true;
		s->policy->rules[i]->own_line = i;
	}
	s->changed = true;
	commit(s);
	store_free(&s);
	s = load();
	for (int i = 0; i < 2; i++) {
		assert_true(s->policy->rules[i]->included);
		assert_int_equal(s->policy->rules[i]->own_line, i);
		s->policy->rules[i]->log ^= true;
		assert_int_equal(store_set(s, i), 0);
	}
	commit(s);
	assert_non_null(strstr(content("conf/policies/p.policy"), "port 1434 log\n"));
	previous = before(s);
	assert_int_equal(store_go_back(s, previous), 0);
	commit(s);
	stored(WORMS);
	assert_null(strstr(content("conf/policies/p.policy"), "1434"));
	assert_non_null(strstr(content("conf/policies/p.policy"), "tcp to port 25 log\n"));
	store_free(&previous);
	store_free(&s);
}

static void lists_are_copied(void **state)
{
	struct store *s = with_a_list();

	(void)state;
	assert_string_equal(content("state/lists/1.2.from"),
		"# bpfpol list 1\n192.0.2.0/24\n2001:db8::1\n# end e90524d1\n");
	assert_false(lists_left(s->policy));
	store_free(&s);
	unlink(in_dir("list"));
	s = load();
	assert_int_equal(s->policy->rules[0]->from.list.n, 2);
	assert_int_equal(store_del(s, 0), 0);
	commit(s);
	assert_true(is_there("state/lists/1.2.from")); /* one can go back to it */
	add(s, "block udp/1");
	commit(s);
	assert_false(is_there("state/lists/1.2.from"));
	store_free(&s);
}

static void lists_that_cannot_be_read(void **state)
{
	struct rule *rule = rule_of("block from @nowhere/at-all to @list");

	(void)state;
	assert_int_equal(store_read_lists(rule, NULL, &diag), -EINVAL);
	assert_int_equal(diag.kind, DIAG_USAGE);
	assert_non_null(strstr(diag.message, "nowhere/at-all"));
	rule_free(&rule);
	put("list", "192.0.2.0/24\n10.0.0.300\n");
	rule = rule_of("block in udp from 10.0.0.1 to @list");
	assert_int_equal(store_read_list(fuzz_dir(), &rule->to, NULL, &diag), -EINVAL);
	assert_int_equal(diag.kind, DIAG_USAGE);
	assert_int_equal(store_read_list(fuzz_dir(), &rule->from, NULL, &diag), 0);
	put("list", "192.0.2.0/24\n");
	mkdir(in_dir("a\001b"), 0700);
	rename(in_dir("list"), in_dir("a\001b/list"));
	assert_int_equal(store_read_list(in_dir("a\001b"), &rule->to, NULL, &diag), -EINVAL);
	assert_non_null(strstr(diag.message, "characters"));
	rule_free(&rule);
}

/* A commit that fails leaves all as it was. */
static void a_commit_that_fails(void **state)
{
	struct store *s = assigned(worms), *again;
	char *text = strdup(content("state/state"));

	(void)state;
	add(s, "block tcp/7");
	limit_files(10);
	assert_true(store_commit(s, &diag) < 0);
	limit_files(RLIM_INFINITY);
	assert_int_equal(diag.kind, DIAG_SYSTEM);
	assert_int_equal(s->commit, 1);
	assert_string_equal(content("state/state"), text);
	again = load();
	assert_string_equal(text_of(again), WORMS);
	store_free(&again);
	commit(s); /* and then it can */
	stored(WORMS "3 block in tcp to port 7\n");
	store_free(&s);
	free(text);
}

/* Nor is anything leaked, which the build with sanitizers sees. */
static void a_file_that_grows_too_large(void **state)
{
	char long_text[8192];
	struct store *s;

	(void)state;
	memset(long_text, '#', sizeof(long_text));
	strcpy(long_text + sizeof(long_text) - 20, "\nblock udp/1434\n");
	s = assigned(worms);
	put("conf/policies/p.policy", long_text);
	add(s, "block tcp/7");
	limit_files(4096);
	commit(s);
	limit_files(RLIM_INFINITY);
	assert_non_null(strstr(diag.warnings, "does not show it"));
	assert_string_equal(content("conf/policies/p.policy"), long_text);
	store_free(&s);
}

/* The file of the policy cannot be written: the change holds, and the next commit makes up for it.
 */
static void a_file_that_cannot_be_written(void **state)
{
	struct store *s = assigned(worms);
	char *text;
	size_t len;

	(void)state;
	unlink(in_dir("conf/policies/p.policy"));
	mkdir(in_dir("conf/policies/p.policy"), 0700);
	add(s, "block tcp/7");
	commit(s);
	assert_non_null(strstr(diag.warnings, "does not show it"));
	assert_true(is_there("state/fold.2"));
	store_free(&s);
	rmdir(in_dir("conf/policies/p.policy"));
	put("conf/policies/p.policy", "# mine\nblock udp/1434\n");
	s = load();
	assert_true(s->untidy);
	assert_int_equal(store_policy_text(s, "p", &text, &len, &diag), 0);
	assert_non_null(strstr(text, "port 7"));
	free(text);
	commit(s);
	assert_non_null(strstr(content("conf/policies/p.policy"), "# mine\n"));
	assert_non_null(strstr(content("conf/policies/p.policy"), "port 7"));
	assert_false(is_there("state/fold.2"));
	assert_int_equal(store_policy_text(s, "p", &text, &len, &diag), 0);
	free(text);
	assert_int_equal(store_policy_text(NULL, "none", &text, &len, &diag), -ENOENT);
	store_free(&s);
}

/* From the commit on it is gone, also while its file cannot be removed. */
static void a_policy_is_thrown_away(void **state)
{
	struct store *s = assigned(worms);
	char *text;
	size_t len;

	(void)state;
	unlink(in_dir("conf/policies/p.policy"));
	mkdir(in_dir("conf/policies/p.policy"), 0700);
	add(s, "block tcp/7");
	commit(s);
	assert_int_equal(store_throw_away(s, "p"), 0);
	store_assign(s, NULL);
	commit(s);
	store_free(&s);
	assert_non_null(strstr(content("state/fold.3"), "\npolicy p\ngone\nend "));
	s = load();
	assert_true(store_is_gone(s, "p"));
	assert_false(store_is_gone(s, "q"));
	assert_int_equal(store_policy_text(s, "p", &text, &len, &diag), -ENOENT);
	assert_int_not_equal(store_settle(s, "p", &diag), 0);
	assert_true(store_is_gone(s, "p"));
	diag_clear(&diag);
	rmdir(in_dir("conf/policies/p.policy"));
	put("conf/policies/p.policy", "block udp/1434\n");
	assert_int_equal(store_settle(s, "p", &diag), 0);
	assert_false(store_is_gone(s, "p"));
	assert_false(is_there("conf/policies/p.policy"));
	assert_false(is_there("state/policies/p"));
	assert_false(is_there("state/fold.3"));
	store_free(&s);
}

/* So is one that is replaced another from the commit on, also while its file cannot be written. */
static void a_policy_is_replaced(void **state)
{
	struct store *s = assigned(worms);
	struct policy *known = NULL;
	char *text;
	size_t len;

	(void)state;
	s->policy->rules[1]->deadline = 4000000000;
	assert_int_equal(store_set(s, 1), 0);
	commit(s);
	assert_int_equal(known_save(s->policy, &diag), 0);
	unlink(in_dir("conf/policies/p.policy"));
	mkdir(in_dir("conf/policies/p.policy"), 0700);
	assert_int_equal(store_replace(s, "p", "block udp/7"), 0);
	commit(s);
	store_free(&s);
	assert_non_null(strstr(content("state/fold.3"), "\npolicy p\ntext 11\nblock udp/7\nend "));
	s = load();
	assert_int_equal(s->policy->rules[1]->deadline, 4000000000);
	assert_true(rule_is_replaced(s->policy->rules[1])); /* it ends with the assignment */
	assert_int_equal(store_known(NULL, "p", &known, &diag), 0);
	assert_int_equal(known->n, 2);
	policy_free(&known);
	assert_int_equal(store_known(s, "p", &known, &diag), 0);
	assert_int_equal(known->n, 1);
	policy_free(&known);
	assert_int_equal(store_policy_text(s, "p", &text, &len, &diag), 0);
	assert_string_equal(text, "block udp/7");
	free(text);
	add(s, "block tcp/9"); /* on top of it */
	commit(s);
	store_free(&s);
	s = load();
	diag_clear(&diag);
	rmdir(in_dir("conf/policies/p.policy"));
	assert_int_equal(store_settle(s, "p", &diag), 0);
	assert_string_equal(
		content("conf/policies/p.policy"), "block udp/7\nblock in tcp to port 9\n");
	assert_false(is_there("state/fold.4"));
	store_free(&s);
	assert_int_equal(known_load("p", &known, &diag), 0);
	assert_int_equal(known->n, 1);
	policy_free(&known);
}

/* What a commit that failed left to be folded is not of the next one, which has its number. */
static void a_fold_that_was_left(void **state)
{
	struct store *s = assigned(worms);

	(void)state;
	assert_int_equal(store_throw_away(s, "p"), 0);
	mkdir(in_dir("state/state.new"), 0700);
	assert_int_not_equal(store_commit(s, &diag), 0);
	rmdir(in_dir("state/state.new"));
	assert_true(is_there("state/fold.2"));
	diag_clear(&diag);
	store_free(&s);
	s = load();
	s->commit++;
	assert_int_equal(fold_save(s, &diag), 0);
	assert_false(is_there("state/fold.2"));
	store_free(&s);
}

/* A file that is made for what waits holds all rules of the policy, though another is assigned. */
static void a_file_that_is_made_late(void **state)
{
	struct store *s = assigned(worms);
	struct policy *q = policy_new("q");

	(void)state;
	unlink(in_dir("conf/policies/p.policy"));
	mkdir(in_dir("conf/policies/p.policy"), 0700);
	add(s, "block tcp/7");
	store_assign(s, &q);
	commit(s);
	store_free(&s);
	rmdir(in_dir("conf/policies/p.policy"));
	s = load();
	commit(s);
	assert_non_null(strstr(content("conf/policies/p.policy"), "port 1434"));
	assert_non_null(strstr(content("conf/policies/p.policy"), "port 7"));
	store_free(&s);
}

/* What waits for the file is older than what stands in the journal since: the last word counts. */
static void a_file_that_waits_while_rules_change(void **state)
{
	struct store *s = assigned(worms);
	const uint32_t tcp = 3;
	__u64 journal;

	(void)state;
	unlink(in_dir("conf/policies/p.policy"));
	mkdir(in_dir("conf/policies/p.policy"), 0700);
	add(s, "block tcp/7");
	assert_int_equal(store_del(s, 0), 0);
	commit(s);
	journal = s->journal;
	assert_int_equal(journal_del(&journal, &tcp, 1, &diag), 0);
	add(s, "block udp/1434");
	assert_int_equal(journal_add(&journal, s->policy->rules[s->policy->n - 1], &diag), 0);
	store_free(&s);
	rmdir(in_dir("conf/policies/p.policy"));
	put("conf/policies/p.policy", "block udp/1434\n");
	for (int lenient = 0; lenient < 2; lenient++) {
		char *text;
		size_t len;

		assert_int_equal(
			lenient ? store_salvage(false, &s, &diag) : store_load(&s, &diag), 0);
		assert_int_equal(store_policy_text(s, "p", &text, &len, &diag), 0);
		assert_null(strstr(text, "port 7"));
		assert_non_null(strstr(text, "1434"));
		free(text);
		store_free(&s);
	}
	stored("2 permit out tcp to port 25 log\n4 block in udp to port 1434\n");
}

/* A file that is no text is not folded into; one that is there as it should be is not written. */
static void files_that_stay(void **state)
{
	struct store *s = assigned(worms);
	struct stat before, after;

	(void)state;
	assert_int_equal(stat(in_dir("conf/policies/p.policy"), &before), 0);
	assert_int_equal(policy_file_write("p", content("conf/policies/p.policy"),
				 strlen(content("conf/policies/p.policy")), &diag),
		0);
	assert_int_equal(stat(in_dir("conf/policies/p.policy"), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	fuzz_put(in_dir("conf/policies/p.policy"), "a\0b\n", 4);
	add(s, "block tcp/7");
	commit(s);
	assert_non_null(strstr(diag.warnings, "zero byte"));
	assert_int_equal(memcmp(content("conf/policies/p.policy"), "a\0b\n", 4), 0);
	store_free(&s);
}

static void hosts_of_last_time(void **state)
{
	const char *const none[] = { NULL };
	struct names names = { .offline = true };
	struct store *s = assigned(none);
	bool changed = true;
	struct rule *rule;

	(void)state;
	mkdir(in_dir("state/names"), 0700);
	put("state/names/a.example", "192.0.2.7\n");
	rule = rule_of("block from dns:a.example");
	assert_int_equal(store_read_lists(rule, &names, &diag), 0);
	assert_int_equal(rule->from.list.n, 1);
	assert_int_equal(store_add(s, &rule), 0);
	commit(s);
	s->names = &names;
	assert_int_equal(store_look_up(s, &changed, &diag), 0);
	assert_false(changed);
	names_free(&names);
	names.offline = true;
	put("state/names/a.example", "192.0.2.8\n192.0.2.9\n");
	assert_int_equal(store_look_up(s, &changed, &diag), 0);
	assert_true(changed);
	assert_int_equal(s->policy->rules[0]->from.list.n, 2);
	names_warn(&names, &diag);
	assert_non_null(strstr(diag.warnings, "last time"));
	names_free(&names);
	s->names = NULL;
	store_free(&s);
}

/* What nobody could read is not written: 256 MiB of zeroes and one more, which take no memory. */
static void a_file_that_is_too_long(void **state)
{
	size_t len = ((size_t)256 << 20) + 1;
	char *text = calloc(len, 1);

	(void)state;
	assert_non_null(text);
	assert_int_equal(file_write(in_dir("state/long"), text, len, &diag), -EFBIG);
	assert_false(is_there("state/long") || is_there("state/long.new"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(nothing_yet), T(a_commit_reads_back),
		T(rules_change_in_a_commit), T(the_journal_reads_back),
		T(a_journal_that_cannot_be_written), T(going_back), T(to_a_set_or_removed_rule),
		T(to_included_rules), T(lists_are_copied), T(lists_that_cannot_be_read),
		T(a_commit_that_fails), T(a_policy_is_thrown_away), T(a_policy_is_replaced),
		T(a_fold_that_was_left), T(a_file_that_is_made_late),
		T(a_file_that_cannot_be_written), T(a_file_that_grows_too_large),
		T(a_file_that_waits_while_rules_change), T(files_that_stay),
		T(a_file_that_is_too_long), T(hosts_of_last_time) };

	use_own_disk();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
