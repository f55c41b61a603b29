// SPDX-License-Identifier: GPL-2.0-only
/* Which interfaces are remembered, as it stands on disk. */
#include "attach.h"
#include "store_kit.h"

#define BEGIN "bpfpol interfaces 1\n"
#define OLD "eth0 native\nwan* auto\nwan3 none\n"

/* How many are read; whether that was warned of goes to *warned. */
static size_t read_them(bool *warned)
{
	struct remembered_list list;
	size_t n;

	diag_free(&diag);
	diag = (struct diag){};
	assert_int_equal(remembered_load(&list, &diag), 0);
	n = list.n;
	*warned = strstr(diag.warnings, "is not as it was written");
	remembered_free(&list);
	return n;
}

static void save_them(void)
{
	struct remembered_list list = {};

	assert_int_equal(remembered_add(&list, "eth0", ATTACH_NATIVE), 0);
	assert_int_equal(remembered_add(&list, "wan*", ATTACH_AUTO), 0);
	assert_int_equal(remembered_add(&list, "wan3", ATTACH_NONE), 0);
	assert_int_equal(remembered_save(&list, &diag), 0);
	remembered_free(&list);
}

static void it_reads_back(void **state)
{
	bool warned;

	(void)state;
	save_them();
	assert_int_equal(read_them(&warned), 3);
	assert_false(warned);
	assert_memory_equal(
		content("state/interfaces"), BEGIN OLD "end ", strlen(BEGIN OLD "end "));
}

/* Cut or changed anywhere that is said, and what can be read counts. */
static void damaged_anywhere(void **state)
{
	size_t read = 0, end;
	bool warned;
	char *all;

	(void)state;
	save_them();
	all = strdup(content("state/interfaces"));
	end = strlen(all);
	assert_int_equal(unlink(in_dir("state/interfaces.copy")), 0);
	for (size_t i = 0; i < end; i++) {
		char was = all[i];

		fuzz_put(in_dir("state/interfaces"), all, i);
		assert_in_range(read_them(&warned), read, 3);
		assert_true(warned);
		read += all[i] == '\n' && i >= strlen(BEGIN) && read < 3;
		for (int how = 0; how < 2; how++) {
			all[i] = how ? was ^ 1 : '\0';
			fuzz_put(in_dir("state/interfaces"), all, end);
			assert_in_range(read_them(&warned), was == '\n' ? 1 : 2, 3);
			assert_true(warned);
		}
		all[i] = was;
	}
	free(all);
}

static void the_line_is_named(void **state)
{
	bool warned;

	(void)state;
	put("state/interfaces", BEGIN "eth0 auto\neth1 aut\neth2 auto\nend 01234567\n");
	assert_int_equal(read_them(&warned), 2);
	assert_non_null(strstr(diag.warnings, "interfaces is damaged in line 3,"));
}

static void of_an_older_version(void **state)
{
	bool warned;

	(void)state;
	put("state/interfaces", OLD);
	assert_int_equal(read_them(&warned), 3);
	assert_false(warned);
	put("state/interfaces", "eth0 native\nwan\nwan3 none\n");
	assert_int_equal(read_them(&warned), 2);
	assert_true(warned);
	assert_non_null(strstr(diag.warnings, "in line 2,"));
}

static void none_leaves_no_file(void **state)
{
	struct remembered_list list = {};
	bool warned;

	(void)state;
	save_them();
	assert_int_equal(remembered_save(&list, &diag), 0);
	assert_false(is_there("state/interfaces") || is_there("state/interfaces.copy"));
	assert_int_equal(read_them(&warned), 0);
	assert_false(warned);
	put("state/interfaces", "");
	assert_int_equal(read_them(&warned), 0);
	assert_true(warned);
}

/* Whatever one of the two has become, the other counts, and at a boot both are as they were. */
static void either_is_enough(void **state)
{
	static const char *const names[] = { "state/interfaces", "state/interfaces.copy" };
	char *all;
	bool warned;

	(void)state;
	save_them();
	all = strdup(content(names[0]));
	for (size_t i = 0; i < 2; i++) {
		for (int how = 0; how < 5; how++) {
			const char *path = in_dir(names[i]);

			unlink(path);
			if (how == 1)
				put(names[i], "");
			else if (how == 2)
				fuzz_put(path, all, strlen(all) - 9);
			else if (how == 3)
				assert_int_equal(mkdir(path, 0700), 0);
			else if (how == 4)
				assert_int_equal(mkfifo(path, 0600), 0);
			assert_int_equal(read_them(&warned), 3);
			assert_int_equal(warned, !i);
			assert_int_equal(remembered_mend(&diag), 0);
			assert_string_equal(content(names[0]), all);
			assert_string_equal(content(names[1]), all);
			rmdir(in_dir("state/interfaces.damaged"));
			rmdir(in_dir("state/interfaces.copy.damaged"));
		}
	}
	free(all);
}

/* An older version knows no copy, and leaves it behind where it removes the list. */
static void a_copy_that_is_left(void **state)
{
	bool warned;

	(void)state;
	save_them();
	unlink(in_dir("state/interfaces"));
	assert_int_equal(read_them(&warned), 3);
	assert_true(warned);
	assert_non_null(strstr(diag.warnings, "or an older version of bpfpol"));
}

/* A directory in the list's place is kept, whatever was kept before. */
static void nothing_aside_is_lost(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		save_them();
		unlink(in_dir("state/interfaces"));
		assert_int_equal(mkdir(in_dir("state/interfaces"), 0700), 0);
		fuzz_put(in_dir("state/interfaces/what"), &"0\n1\n2\n"[2 * i], 2);
		assert_int_equal(remembered_mend(&diag), 0);
	}
	assert_string_equal(content("state/interfaces.damaged/what"), "0\n");
	assert_string_equal(content("state/interfaces.damaged.2/what"), "1\n");
	assert_string_equal(content("state/interfaces.damaged.3/what"), "2\n");
	assert_int_equal(chdir(in_dir("state")), 0);
	assert_int_equal(system("rm -r interfaces*damaged*"), 0);
}

/* What cannot be read may say more than what would be written in its place. */
static void unread_is_left(void **state)
{
	struct remembered_list list = {};
	char *text = NULL;
	bool warned;

	(void)state;
	assert_int_equal(mkdir(in_dir("state/interfaces"), 0700), 0);
	assert_int_equal(read_them(&warned), 0);
	assert_true(warned);
	assert_int_equal(remembered_load(&list, &diag), 0);
	assert_true(list.unread);
	assert_int_equal(remembered_save(&list, &diag), -EIO);
	assert_non_null(strstr(diag.message, "move both away"));
	assert_int_equal(remembered_text(&text, &diag), -EIO);
	assert_null(text);
	remembered_free(&list);
	rmdir(in_dir("state/interfaces"));
}

static enum attach_mode mode_of(const char *name)
{
	struct remembered_list list;
	const struct remembered *r;
	enum attach_mode mode;

	assert_int_equal(remembered_load(&list, &diag), 0);
	r = remembered_find(&list, name);
	mode = r ? r->mode : ATTACH_NONE;
	remembered_free(&list);
	return mode;
}

/* Its own line; or the mode that a pattern was given last; a pattern that has none changes none. */
static void which_mode_counts(void **state)
{
	(void)state;
	put("state/interfaces", "eth* tc\neth1* generic\neth? auto\neth10 native\neth12 none\n");
	assert_int_equal(mode_of("eth2"), ATTACH_TC);
	assert_int_equal(mode_of("eth1"), ATTACH_GENERIC);
	assert_int_equal(mode_of("eth10"), ATTACH_NATIVE);
	assert_int_equal(mode_of("eth11"), ATTACH_GENERIC);
	assert_int_equal(mode_of("eth12"), ATTACH_NONE);
	assert_int_equal(mode_of("wan0"), ATTACH_NONE);
	put("state/interfaces", "eth? auto\neth* auto\n");
	assert_int_equal(mode_of("eth1"), ATTACH_AUTO);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { T(it_reads_back), T(damaged_anywhere),
		T(the_line_is_named), T(of_an_older_version), T(none_leaves_no_file),
		T(either_is_enough), T(a_copy_that_is_left), T(nothing_aside_is_lost),
		T(unread_is_left), T(which_mode_counts) };

	use_own_disk();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
