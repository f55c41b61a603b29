/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "guid.h"

/* RFC 9562, A.4: www.example.com in the name space of DNS. */
static void known_vector(void **state)
{
	const struct guid dns = { { 0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4,
		0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8 } };
	struct guid guid;
	char text[GUID_SIZE];

	(void)state;
	guid_of_name(&dns, "www.example.com", &guid);
	assert_string_equal(guid_text(&guid, text), "{2ED6657D-E927-568B-95E1-2665A8AEA6A2}");
	assert_int_equal(strlen(text), GUID_SIZE - 1);
}

static void in_place(void **state)
{
	struct guid host, once, twice;

	(void)state;
	guid_of_host("0123456789abcdef0123456789abcdef", &host);
	guid_of_name(&host, "a", &once);
	guid_of_name(&host, "a", &host);
	assert_memory_equal(&once, &host, sizeof(once));
	guid_of_name(&once, "a", &twice);
	assert_memory_not_equal(&once, &twice, sizeof(once));
}

/* What is printed today is printed after every upgrade, too. */
static void stable_and_per_host(void **state)
{
	struct guid a, b, none;
	char text[GUID_SIZE];

	(void)state;
	guid_of_host("0123456789abcdef0123456789abcdef", &a);
	guid_of_host("0123456789abcdef0123456789abcdee", &b);
	guid_of_host(NULL, &none);
	assert_memory_not_equal(&a, &b, sizeof(a));
	assert_memory_not_equal(&a, &none, sizeof(a));
	assert_string_equal(guid_text(&a, text), "{15DBDADD-1D44-5EB9-8B9F-6DAC40D445A9}");
	assert_string_equal(guid_text(&none, text), "{1BF84233-1F13-5768-B3B4-4219AD546102}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_vector),
		cmocka_unit_test(in_place),
		cmocka_unit_test(stable_and_per_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
