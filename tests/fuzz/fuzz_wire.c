// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent's protocol. The first byte says what the rest is:
 *	q	a request's bytes, in pieces of every length
 *	a	a reply's, likewise
 *	w	words, a line each, that are written and read back
 *	t	two texts with a zero byte between them, a reply, likewise
 * What is taken is the same however much stands behind it; what is refused, is refused for good.
 */
#include "fuzz.h"

#include "wire.h"

#define MOST_WORDS 64

typedef ssize_t (*get_fn)(const uint8_t *bytes, size_t len, bool whole);

static ssize_t get_request(const uint8_t *bytes, size_t len, bool whole)
{
	struct wire_request request = {};
	ssize_t took = wire_get_request(bytes, len, &request);
	uint8_t *again;
	size_t size;

	if (took > 0 && whole) {
		REQUIRE(!wire_put_request(request.words, request.n, &again, &size), "no memory");
		REQUIRE((size_t)took == size && !memcmp(again, bytes, size), "%zu", size);
		free(again);
	}
	free(request.words);
	return took;
}

static ssize_t get_reply(const uint8_t *bytes, size_t len, bool whole)
{
	struct wire_reply reply = {};
	ssize_t took = wire_get_reply(bytes, len, &reply);
	uint8_t *again;
	size_t size;

	if (took > 0 && whole) {
		REQUIRE(!wire_put_reply(&reply, &again, &size), "no memory");
		REQUIRE((size_t)took == size && !memcmp(again, bytes, size), "%zu", size);
		free(again);
	}
	return took;
}

/* In memory of just that size, so that ASan sees a step too far. */
static ssize_t get(get_fn fn, const uint8_t *bytes, size_t len, bool whole)
{
	uint8_t *copy = malloc(len ? len : 1);
	ssize_t took;

	REQUIRE(copy, "no memory");
	memcpy(copy, bytes, len);
	took = fn(copy, len, whole);
	REQUIRE(took <= (ssize_t)len, "%zd of %zu", took, len);
	free(copy);
	return took;
}

/* Every length of a short one, some of a long one. */
static void in_pieces(get_fn fn, const uint8_t *bytes, size_t size)
{
	ssize_t all = get(fn, bytes, size, true);

	for (size_t n = 0; n < size; n += size < 512 ? 1 : size / 256) {
		ssize_t took = get(fn, bytes, n, false);

		REQUIRE(!took || took == all, "%zd of %zu, %zd of %zu", took, n, all, size);
		if (all > 0)
			REQUIRE(!took == (n < (size_t)all), "%zd of %zu, not %zd", took, n, all);
	}
}

static void words_read_back(char *text)
{
	char *words[MOST_WORDS];
	struct wire_request got;
	uint8_t *bytes;
	size_t len;
	int n = fuzz_split(text, '\n', words, MOST_WORDS);

	REQUIRE(!wire_put_request(words, n, &bytes, &len), "no memory");
	REQUIRE(wire_get_request(bytes, len, &got) == (ssize_t)len, "%d words", n);
	REQUIRE(got.n == n, "%d of %d words", got.n, n);
	for (int i = 0; i < n; i++)
		REQUIRE(!strcmp(got.words[i], words[i]), "%s: %s", words[i], got.words[i]);
	free(got.words);
	in_pieces(get_request, bytes, len);
	free(bytes);
}

static void texts_read_back(const uint8_t *data, size_t size)
{
	const uint8_t *zero = memchr(data, '\0', size);
	size_t first = zero ? (size_t)(zero - data) : size;
	struct wire_reply reply = { size % 6, (const char *)data, (const char *)data + first, first,
		size - first };
	uint8_t *bytes;
	size_t len;

	REQUIRE(!wire_put_reply(&reply, &bytes, &len), "no memory");
	in_pieces(get_reply, bytes, len);
	REQUIRE(get(get_reply, bytes, len, true) == (ssize_t)len, "%zu bytes", len);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	switch (data[0]) {
	case 'q':
		in_pieces(get_request, data + 1, size - 1);
		break;
	case 'a':
		in_pieces(get_reply, data + 1, size - 1);
		break;
	case 'w':
		text = fuzz_text(data + 1, size - 1);
		words_read_back(text);
		free(text);
		break;
	case 't':
		texts_read_back(data + 1, size - 1);
		break;
	}
	return 0;
}
