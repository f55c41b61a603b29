/* SPDX-License-Identifier: GPL-2.0-only */
/* The agent's protocol: what is written reads back; in pieces, cut, and mangled, it does no harm.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire.h"

static char *const words[] = { "block", "--dynamic", "", "udp/1434", "name", "two words" };
#define WORDS (int)(sizeof(words) / sizeof(words[0]))

/* In memory of just that size, so that a sanitizer sees a step too far. */
static ssize_t get_request(const uint8_t *bytes, size_t len, struct wire_request *request)
{
	uint8_t *copy = malloc(len ? len : 1);
	ssize_t took;

	memcpy(copy, bytes, len);
	took = wire_get_request(copy, len, request);
	if (took > 0) {
		assert_true((size_t)took <= len);
		for (int i = 0; i < request->n; i++)
			assert_true(request->words[i] + strlen(request->words[i]) <
				    (char *)copy + took);
		free(request->words);
	}
	free(copy);
	return took;
}

static void requests_read_back(void **state)
{
	struct wire_request got;
	uint8_t *bytes;
	size_t len;

	(void)state;
	for (int n = 0; n <= WORDS; n++) {
		assert_int_equal(wire_put_request(words, n, &bytes, &len), 0);
		assert_int_equal(wire_get_request(bytes, len, &got), len);
		assert_int_equal(got.n, n);
		for (int i = 0; i < n; i++)
			assert_string_equal(got.words[i], words[i]);
		free(got.words);
		/* Another one behind it is not looked at. */
		bytes = realloc(bytes, 2 * len);
		memcpy(bytes + len, bytes, len);
		assert_int_equal(get_request(bytes, 2 * len, &got), len);
		free(bytes);
	}
}

static void requests_in_pieces(void **state)
{
	struct wire_request got;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(wire_put_request(words, WORDS, &bytes, &len), 0);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(get_request(bytes, n, &got), 0);
	assert_int_equal(get_request(bytes, len, &got), len);
	free(bytes);
}

static void too_large(void **state)
{
	char *word = malloc(WIRE_MOST + 1), *many[WIRE_WORDS + 1];
	char *one[] = { word };
	struct wire_request got;
	uint8_t *bytes;
	size_t len;

	(void)state;
	memset(word, 'x', WIRE_MOST);
	word[WIRE_MOST] = '\0';
	assert_int_equal(wire_put_request(one, 1, &bytes, &len), -E2BIG);
	word[WIRE_MOST - 1] = '\0';
	assert_int_equal(wire_put_request(one, 1, &bytes, &len), 0);
	assert_int_equal(len, WIRE_REQUEST_HEAD + WIRE_MOST);
	assert_int_equal(get_request(bytes, len, &got), len);
	free(bytes);
	for (int i = 0; i <= WIRE_WORDS; i++)
		many[i] = "x";
	assert_int_equal(wire_put_request(many, WIRE_WORDS + 1, &bytes, &len), -E2BIG);
	assert_int_equal(wire_put_request(many, WIRE_WORDS, &bytes, &len), 0);
	assert_int_equal(get_request(bytes, len, &got), len);
	/* A head is enough to refuse: bytes stand at 8. */
	memcpy(bytes + 8, &(uint32_t){ WIRE_MOST + 1 }, 4);
	assert_int_equal(get_request(bytes, WIRE_REQUEST_HEAD, &got), -E2BIG);
	memcpy(bytes + 8, &(uint32_t){ UINT32_MAX }, 4);
	assert_int_equal(get_request(bytes, WIRE_REQUEST_HEAD, &got), -E2BIG);
	free(bytes);
	free(word);
}

static void not_ours(void **state)
{
	struct wire_request got;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(wire_put_request(words, WORDS, &bytes, &len), 0);
	bytes[len - 1] = 'x'; /* the last word does not end */
	assert_int_equal(get_request(bytes, len, &got), -EPROTO);
	bytes[len - 1] = '\0';
	bytes[6]++; /* a word more than there are */
	assert_int_equal(get_request(bytes, len, &got), -EPROTO);
	bytes[6] -= 2; /* bytes behind the last */
	assert_int_equal(get_request(bytes, len, &got), -EPROTO);
	bytes[6]++;
	bytes[4]++;
	assert_int_equal(get_request(bytes, len, &got), -EPROTONOSUPPORT);
	bytes[4]--;
	bytes[0] ^= 1;
	assert_int_equal(get_request(bytes, len, &got), -EPROTO);
	free(bytes);
}

static void replies_read_back(void **state)
{
	const struct wire_reply said = { 3, "out\n", "error: \0 in it", 4, 14 };
	struct wire_reply got;
	uint8_t *bytes, *copy;
	size_t len;

	(void)state;
	assert_int_equal(wire_put_reply(&said, &bytes, &len), 0);
	for (size_t n = 0; n < len; n++) {
		copy = malloc(n ? n : 1);
		memcpy(copy, bytes, n);
		assert_int_equal(wire_get_reply(copy, n, &got), 0);
		free(copy);
	}
	assert_int_equal(wire_get_reply(bytes, len, &got), len);
	assert_int_equal(got.exit, 3);
	assert_int_equal(got.out_len, 4);
	assert_memory_equal(got.out, said.out, 4);
	assert_int_equal(got.err_len, 14);
	assert_memory_equal(got.err, said.err, 14);
	memcpy(bytes + 8, &(uint32_t){ WIRE_REPLY_MOST }, 4);
	memcpy(bytes + 12, &(uint32_t){ 1 }, 4);
	assert_int_equal(wire_get_reply(bytes, len, &got), -E2BIG);
	bytes[5]++;
	assert_int_equal(wire_get_reply(bytes, len, &got), -EPROTONOSUPPORT);
	bytes[0]++;
	assert_int_equal(wire_get_reply(bytes, len, &got), -EPROTO);
	free(bytes);
}

/* Whole requests with some bytes changed, and any bytes at all: an answer, and no step too far. */
static void mangled(void **state)
{
	struct wire_request got;
	struct wire_reply reply;
	unsigned int seed = 1, taken = 0, refused = 0;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(wire_put_request(words, WORDS, &bytes, &len), 0);
	for (int i = 0; i < 200000; i++) {
		uint8_t other[256];
		size_t n = i % 3 ? len : (size_t)(rand_r(&seed) % 200);
		ssize_t took;

		memcpy(other, bytes, len);
		for (int k = rand_r(&seed) % 4; k >= 0; k--)
			other[rand_r(&seed) % len] = rand_r(&seed);
		if (i % 5 == 0)
			for (size_t k = 0; k < n; k++)
				other[k] = rand_r(&seed);
		took = get_request(other, n, &got);
		assert_true(took >= -EPROTONOSUPPORT && took <= (ssize_t)n);
		taken += took > 0;
		refused += took < 0;
		took = wire_get_reply(other, n < sizeof(other) ? n : sizeof(other), &reply);
		assert_true(took <= (ssize_t)n);
	}
	assert_true(taken > 1000 && refused > 1000);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_read_back),
		cmocka_unit_test(requests_in_pieces),
		cmocka_unit_test(too_large),
		cmocka_unit_test(not_ours),
		cmocka_unit_test(replies_read_back),
		cmocka_unit_test(mangled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
