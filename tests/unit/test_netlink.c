/* SPDX-License-Identifier: GPL-2.0-only */
/* Where filtering starts when nothing is attached: nl_default_links() on hosts made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netlink.h"

#define LINKS(...)                                                                      \
	{                                                                               \
		.v = (struct nl_link[]){ __VA_ARGS__ },                                 \
		.n = sizeof((struct nl_link[]){ __VA_ARGS__ }) / sizeof(struct nl_link) \
	}

#define LO                                                   \
	{                                                    \
		.ifindex = 1, .name = "lo", .loopback = true \
	}

/* expected: the names, joined by blanks. */
static void expect_default(const struct nl_links *links, const char *expected)
{
	const struct nl_link **v;
	char names[256] = "";
	size_t n;

	assert_int_equal(nl_default_links(links, &v, &n), 0);
	for (size_t i = 0; i < n; i++) {
		strcat(names, i ? " " : "");
		strcat(names, v[i]->name);
	}
	free(v);
	assert_string_equal(names, expected);
}

static void test_nothing(void **state)
{
	struct nl_links none = { 0 }, lo = LINKS(LO);

	(void)state;
	expect_default(&none, "");
	expect_default(&lo, "");
}

static void test_hardware(void **state)
{
	struct nl_links links =
		LINKS(LO, { .ifindex = 2, .name = "eth0", .hardware = true, .default_route = true },
			{ .ifindex = 3, .name = "eth1", .hardware = true },
			{ .ifindex = 4, .name = "veth0" });

	(void)state;
	expect_default(&links, "eth0 eth1");
}

/* A container, a VPN: the default route leaves by something that has no hardware. */
static void test_virtual(void **state)
{
	struct nl_links links = LINKS(LO, { .ifindex = 2, .name = "eth0", .hardware = true },
		{ .ifindex = 3, .name = "wg0", .default_route = true },
		{ .ifindex = 4, .name = "veth0" });

	(void)state;
	expect_default(&links, "eth0 wg0");
}

/* A CAN bus and InfiniBand have hardware, too, but frames that nobody here reads. */
static void test_unreadable(void **state)
{
	struct nl_links links =
		LINKS(LO, { .ifindex = 2, .name = "can0", .hardware = true, .unreadable = true },
			{ .ifindex = 3, .name = "eth0", .hardware = true },
			{ .ifindex = 4, .name = "ib0", .default_route = true, .unreadable = true });

	(void)state;
	expect_default(&links, "eth0");
}

/* VLAN on a bond on two cards: filtered at the cards alone. */
static void test_stack(void **state)
{
	struct nl_links links =
		LINKS(LO, { .ifindex = 2, .name = "eth0", .hardware = true, .master = 4 },
			{ .ifindex = 3, .name = "eth1", .hardware = true, .master = 4 },
			{ .ifindex = 4, .name = "bond0" },
			{ .ifindex = 5, .name = "bond0.7", .lower = 4, .default_route = true });

	(void)state;
	expect_default(&links, "eth0 eth1");
}

/* The members of a bridge are virtual too: the bridge itself is filtered. */
static void test_virtual_bridge(void **state)
{
	struct nl_links links = LINKS(LO, { .ifindex = 2, .name = "veth0", .master = 4 },
		{ .ifindex = 3, .name = "tap0", .master = 4 },
		{ .ifindex = 4, .name = "br0", .default_route = true });

	(void)state;
	expect_default(&links, "br0");
}

/* Links that name each other, as a virtual pair does. */
static void test_loop(void **state)
{
	struct nl_links links = LINKS(LO,
		{ .ifindex = 2, .name = "a", .lower = 3, .master = 3, .default_route = true },
		{ .ifindex = 3, .name = "b", .lower = 2, .master = 2 });

	(void)state;
	expect_default(&links, "a");
}

static void test_lookup(void **state)
{
	struct nl_links links = LINKS(LO, { .ifindex = 7, .name = "eth0" });
	struct nl_links none = { 0 };

	(void)state;
	assert_ptr_equal(nl_by_index(&links, 7), &links.v[1]);
	assert_ptr_equal(nl_by_name(&links, "eth0"), &links.v[1]);
	assert_null(nl_by_index(&links, 2));
	assert_null(nl_by_name(&links, "eth"));
	assert_null(nl_by_index(&none, 1));
}

/* Asked of the real kernel, which needs no privilege. */
static void test_kernel(void **state)
{
	const struct nl_link *lo;
	struct nl_links links;

	(void)state;
	assert_int_equal(nl_links_get(&links), 0);
	lo = nl_by_index(&links, 1);
	assert_non_null(lo);
	assert_string_equal(lo->name, "lo");
	assert_true(lo->loopback && !lo->hardware && !lo->l3 && lo->mtu);
	for (size_t i = 1; i < links.n; i++)
		assert_true(links.v[i - 1].ifindex < links.v[i].ifindex);
	nl_links_free(&links);
	assert_null(links.v);
}

/* A pair that came again under other numbers; names that change places; one name, or two. */
static void test_fingerprint(void **state)
{
	struct nl_links sets[] = {
		LINKS({ 0 }),
		LINKS({ .ifindex = 16, .name = "u3" }, { .ifindex = 17, .name = "v3" }),
		LINKS({ .ifindex = 18, .name = "u3" }, { .ifindex = 19, .name = "v3" }),
		LINKS({ .ifindex = 16, .name = "v3" }, { .ifindex = 17, .name = "u3" }),
		LINKS({ .ifindex = 16, .name = "v3" }, { .ifindex = 19, .name = "u3" }),
		LINKS({ .ifindex = 16, .name = "u3" }),
		LINKS({ .ifindex = 272, .name = "u3" }),
	};
	size_t n = sizeof(sets) / sizeof(*sets);

	(void)state;
	sets[0].n = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t print = nl_links_print(&sets[i]);

		assert_true(print);
		assert_true(print == nl_links_print(&sets[i]));
		for (size_t o = 0; o < i; o++)
			assert_true(print != nl_links_print(&sets[o]));
	}
}

/* Pairs whose names differ in a letter, as they come and come again. */
static void test_fingerprint_of_pairs(void **state)
{
	struct nl_links pair = LINKS({ .name = "a0" }, { .name = "b0" });
	uint64_t seen[200];
	size_t n = 0;

	(void)state;
	for (char letter = 'b'; letter < 'f'; letter++)
		for (int at = 2; at < 100; at += 2) {
			pair.v[1].name[0] = letter;
			pair.v[0].ifindex = at;
			pair.v[1].ifindex = at + 1;
			seen[n] = nl_links_print(&pair);
			for (size_t i = 0; i < n; i++)
				assert_true(seen[i] != seen[n]);
			n++;
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_hardware),
		cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_fingerprint_of_pairs),
		cmocka_unit_test(test_virtual),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_stack),
		cmocka_unit_test(test_virtual_bridge),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
