// SPDX-License-Identifier: GPL-2.0-only
/* The store's files when they are damaged: it is told, and as much saved as can be. */
#include "store_kit.h"

/* What is in the file, in text of that size. */
static void keep(char *text, size_t size, const char *file)
{
	const char *found = content(file);

	assert_in_range(strlen(found), 1, size - 1);
	memcpy(text, found, strlen(found) + 1);
}

static void a_damaged_fold(void **state)
{
	static const char *const bad[] = { "nothing of ours\n",
		"bpfpol fold 1\npolicy p\nend 00000000\n" };
	struct store *s = assigned(worms);

	(void)state;
	store_free(&s);
	for (size_t i = 0; i < 2; i++) {
		put("state/fold.1", bad[i]);
		diag.warnings[0] = '\0';
		stored(WORMS);
		assert_non_null(strstr(diag.warnings, "may not show"));
	}
	unlink(in_dir("state/fold.1"));
	mkdir(in_dir("state/fold.1"), 0700);
	diag.warnings[0] = '\0';
	stored(WORMS);
	assert_non_null(strstr(diag.warnings, "may not show"));
	rmdir(in_dir("state/fold.1"));
}

static void a_damaged_state(void **state)
{
	struct store *s = assigned(worms), *saved = NULL;
	char *text;

	(void)state;
	add(s, "block tcp/7");
	commit(s);
	store_free(&s);
	text = strdup(content("state/state"));
	text[strlen(text) - 3] ^= 1;
	put("state/state", text);
	put("state/state.damaged", "another time's");
	assert_int_equal(store_load(&s, &diag), -EBADMSG);
	assert_non_null(strstr(diag.message, "restore"));
	assert_int_equal(store_salvage(false, &saved, &diag), 0);
	assert_non_null(strstr(diag.warnings, "kept as state.damaged.2"));
	assert_string_equal(text_of(saved), WORMS);
	assert_true(saved->next_id > 1000);
	assert_true(saved->untidy);
	assert_string_equal(content("state/state.damaged"), "another time's");
	assert_string_equal(content("state/state.damaged.2"), text);
	commit(saved);
	store_free(&saved);
	stored(WORMS);
	free(text);
}

static void a_lost_state(void **state)
{
	struct store *s = assigned(worms);

	(void)state;
	add(s, "block tcp/7");
	commit(s);
	store_free(&s);
	unlink(in_dir("state/state"));
	s = load();
	assert_true(store_is_lost(s));
	store_free(&s);
	assert_int_equal(store_salvage(false, &s, &diag), 0);
	assert_non_null(strstr(diag.warnings, "is gone"));
	assert_string_equal(text_of(s), WORMS);
	store_free(&s);
}

static void a_damaged_journal(void **state)
{
	struct store *s = assigned(worms), *saved = NULL;
	struct rule *rule = rule_of("block esp");
	__u64 journal = s->journal;

	(void)state;
	rule->id = 3;
	put("state/journal", "journal 1\n00000000 del 1\n"); /* one that holds comes after it */
	journal = strlen(content("state/journal"));
	assert_int_equal(journal_add(&journal, rule, &diag), 0);
	stored(WORMS);
	assert_non_null(strstr(diag.warnings, "LOST"));
	store_free(&s);
	/* Whole, but nothing that we write: of a rule that is not there. */
	put("state/journal", "journal 1\n");
	journal = strlen("journal 1\n");
	rule->id = 99;
	assert_int_equal(journal_set(&journal, rule, &diag), 0);
	assert_int_equal(store_load(&s, &diag), -EBADMSG);
	diag_clear(&diag);
	assert_int_equal(store_salvage(false, &saved, &diag), 0);
	assert_non_null(strstr(diag.warnings, "latest changes"));
	assert_string_equal(text_of(saved), WORMS);
	store_free(&saved);
	rule_free(&rule);
}

static bool is_lost(void)
{
	struct store *s;

	diag.warnings[0] = '\0';
	s = load();
	assert_int_equal(s->untidy, strstr(diag.warnings, "LOST") != NULL);
	store_free(&s);
	return strstr(diag.warnings, "LOST");
}

static bool is_lost_with(const char *journal)
{
	put("state/journal", journal);
	return is_lost();
}

/* What stands in the journal's place, with changes in force that stood there; or that is legal. */
/* A block of them in the midst hides the records behind it, which were durable. */
static void a_journal_with_zeroes(void **state)
{
	struct store *s = assigned(worms);
	struct rule *rule = rule_of("block esp");
	size_t n = s->policy->n, end[4] = { s->journal };
	__u64 journal = s->journal;
	char *text;

	(void)state;
	for (int i = 0; i < 3; i++) {
		rule->id = 10 + i;
		assert_int_equal(journal_add(&journal, rule, &diag), 0);
		end[i + 1] = journal;
	}
	rule_free(&rule);
	store_free(&s);
	text = strdup(content("state/journal"));
	memset(text + end[1], 0, end[2] - end[1]);
	fuzz_put(in_dir("state/journal"), text, end[3]);
	s = load();
	assert_int_equal(s->policy->n, n + 1);
	assert_true(s->next_id > 13); /* those behind had been told */
	assert_non_null(strstr(diag.warnings, "LOST"));
	assert_true(s->untidy);
	store_free(&s);
	free(text);
}

/* What stands behind the last record and is none is said, and the ids of it are not given again. */
static void a_journal_with_a_torn_tail(void **state)
{
	struct store *s = assigned(worms);
	struct rule *rule = rule_of("block esp");
	size_t n = s->policy->n;
	__u64 journal = s->journal, whole;
	char *text;

	(void)state;
	for (rule->id = 10; rule->id < 13; rule->id++) {
		whole = journal;
		assert_int_equal(journal_add(&journal, rule, &diag), 0);
	}
	rule_free(&rule);
	store_free(&s);
	text = strdup(content("state/journal"));
	for (int zero = 0; zero < 2; zero++)
		for (size_t len = whole; len <= journal - !zero; len++) {
			if (zero)
				memset(text + whole, 0, len - whole);
			fuzz_put(in_dir("state/journal"), text, len);
			diag.warnings[0] = '\0';
			s = load();
			assert_int_equal(s->policy->n, n + 2);
			assert_int_equal(s->untidy, len > whole);
			assert_int_equal(!!strstr(diag.warnings, "are no record"), len > whole);
			assert_null(strstr(diag.warnings, "LOST"));
			assert_in_range(s->next_id, 12 + (len > whole), len > whole ? 14 : 12);
			store_free(&s);
		}
	free(text);
}

static void a_journal_without_its_head(void **state)
{
	static const char *const left[] = { "journal 1\n", "journal 0\n",
		"journal 1\ne51cd3e1 next 9\n" };
	struct store *s = assigned(worms);
	struct rule *rule = rule_of("block esp");
	char kept[500], own[500], other[500];
	__u64 journal = s->journal;

	(void)state;
	rule->id = 3;
	assert_int_equal(journal_add(&journal, rule, &diag), 0);
	store_free(&s);
	s = load();
	add(s, "block tcp/7");
	commit(s);
	journal = s->journal;
	rule->id = 5;
	assert_int_equal(journal_add(&journal, rule, &diag), 0);
	store_free(&s);
	keep(own, sizeof(own), "state/journal");
	keep(kept, sizeof(kept), "state/previous.1.journal");
	memcpy(other, own, sizeof(other));
	other[strlen("journal ")]--;
	assert_true(is_lost_with(other)); /* of an earlier one, but not what that had */
	other[strlen("journal ")] += 2;
	assert_true(is_lost_with(other)); /* of a later one */
	assert_true(is_lost_with(""));
	assert_true(is_lost_with("\n"));
	assert_true(is_lost_with("journal 2"));
	assert_true(is_lost_with("jpurnal 2\n"));
	assert_true(is_lost_with(own + 1));
	assert_false(is_lost_with(own));
	assert_false(is_lost_with(kept)); /* died before it was begun anew */
	for (size_t i = 0; i < 3; i++)
		assert_false(is_lost_with(left[i]));
	unlink(in_dir("state/journal"));
	assert_true(is_lost());
	unlink(in_dir("state/previous.1.journal")); /* no policy was assigned before */
	assert_false(is_lost());
	rule_free(&rule);
}

static void a_copy_that_is_gone(void **state)
{
	const char *const none[] = { NULL };
	struct store *s = assigned(none);
	char text[300];

	(void)state;
	put("list", "192.0.2.0/24\n");
	for (int i = 0; i < 2; i++) {
		struct rule *rule;

		snprintf(text, sizeof(text), "block in %s from @%s", i ? "udp" : "tcp",
			in_dir("list"));
		rule = rule_of(text);
		assert_int_equal(store_read_lists(rule, NULL, &diag), 0);
		assert_int_equal(store_add(s, &rule), 0);
	}
	commit(s);
	store_free(&s);
	unlink(in_dir("state/lists/1.2.from"));
	assert_int_equal(store_load(&s, &diag), 0);
	assert_int_equal(store_read_copies(s, &diag), -EBADMSG);
	assert_non_null(strstr(diag.message, "bpfpol restore"));
	store_free(&s);
	diag_clear(&diag);
	assert_int_equal(store_salvage(false, &s, &diag), 0); /* from the list itself */
	assert_int_equal(s->policy->n, 2);
	assert_int_equal(s->policy->rules[0]->from.list.n, 1);
	store_free(&s);
	unlink(in_dir("list"));
	assert_int_equal(store_salvage(false, &s, &diag), 0);
	assert_non_null(strstr(diag.warnings, "LEFT OUT"));
	assert_int_equal(s->policy->n, 1);
	store_free(&s);
}

static int read_copies(void)
{
	struct store *s = NULL;
	int rc;

	diag_clear(&diag);
	assert_int_equal(store_load(&s, &diag), 0);
	rc = store_read_copies(s, &diag);
	store_free(&s);
	return rc;
}

static void expect_damaged(const char *text, size_t len)
{
	fuzz_put(in_dir("state/lists/1.2.from"), text, len);
	assert_int_equal(read_copies(), -EBADMSG);
	assert_non_null(strstr(diag.message, "is damaged; 'bpfpol restore'"));
}

/* Each of its bytes is changed, lost or doubled, and it is cut before each. */
static void a_copy_that_is_damaged(void **state)
{
	struct store *s = with_a_list();
	char good[200], bad[201];
	size_t len;

	(void)state;
	store_free(&s);
	keep(good, sizeof(good), "state/lists/1.2.from");
	len = strlen(good);
	for (size_t i = 0; i < len; i++) {
		memcpy(bad, good, len);
		bad[i] ^= 1;
		expect_damaged(bad, len);
		bad[i] = '\0';
		expect_damaged(bad, len);
		expect_damaged(good, i);
		memcpy(bad + i, good + i + 1, len - i - 1);
		expect_damaged(bad, len - 1);
		memcpy(bad, good, i + 1);
		memcpy(bad + i + 1, good + i, len - i);
		expect_damaged(bad, len + 1);
	}
	assert_int_equal(store_salvage(false, &s, &diag), 0); /* from the list itself */
	assert_int_equal(s->policy->rules[0]->from.list.n, 2);
	assert_non_null(strstr(diag.warnings, "could not be read"));
	store_free(&s);
	put("state/lists/1.2.from", "192.0.2.0/24\n"); /* of an older version */
	assert_int_equal(read_copies(), 0);
}

static void what_is_known_of_others(void **state)
{
	struct policy *p = policy_new("other"), *got = NULL;
	struct rule *rule = rule_of("block udp/5");

	(void)state;
	rule->id = 12;
	assert_int_equal(policy_add(p, &rule), 0);
	assert_int_equal(known_load("other", &got, &diag), 0);
	assert_int_equal(got->n, 0);
	policy_free(&got);
	assert_int_equal(known_save(p, &diag), 0);
	assert_int_equal(known_load("other", &got, &diag), 0);
	assert_int_equal(got->rules[0]->id, 12);
	policy_free(&got);
	put("state/policies/other", "bpfpol state 1\nassigned other\n");
	assert_int_equal(known_load("other", &got, &diag), -EBADMSG);
	assert_non_null(strstr(diag.message, "policies/other"));
	assert_int_equal(known_remove("other", &diag), 0);
	assert_int_equal(known_remove("other", &diag), 0);
	assert_false(is_there("state/policies/other"));
	policy_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(a_damaged_fold), T(a_damaged_state), T(a_lost_state),
		T(a_damaged_journal), T(a_journal_with_zeroes), T(a_journal_with_a_torn_tail),
		T(a_journal_without_its_head), T(a_copy_that_is_gone), T(a_copy_that_is_damaged),
		T(what_is_known_of_others) };

	use_own_disk();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
