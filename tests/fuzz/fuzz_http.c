// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heads of requests that the agent's /metrics is sent, in pieces of every length. What is taken is
 * the same however much stands behind it, and what is answered is a whole head.
 */
#include "fuzz.h"

#include "http.h"

/* In memory of just that size, so that ASan sees a step too far. */
static size_t get(const uint8_t *bytes, size_t len, struct http_request *request)
{
	char *copy = malloc(len ? len : 1);
	size_t took;

	REQUIRE(copy, "no memory");
	memcpy(copy, bytes, len);
	memset(request, 0xa5, sizeof(*request));
	took = http_get_request(copy, len, request);
	REQUIRE(took <= len, "%zu of %zu", took, len);
	REQUIRE(memchr(request->path, '\0', sizeof(request->path)), "a path without an end");
	if (took && request->status != HTTP_OK)
		REQUIRE(took == len && !request->keep, "%d: %zu of %zu", request->status, took,
			len);
	free(copy);
	return took;
}

static bool is_same(const struct http_request *a, const struct http_request *b)
{
	return a->status == b->status && a->head == b->head && a->keep == b->keep &&
	       a->open_metrics == b->open_metrics && !strcmp(a->path, b->path);
}

static void has_head(const struct http_request *request, size_t length)
{
	const char *status = http_status_text(request->status);
	char head[HTTP_RESPONSE + 1] = "", is[HTTP_RESPONSE];
	size_t len =
		http_put_head(request, "text/plain; charset=utf-8", length, head, HTTP_RESPONSE);

	REQUIRE(len && len < HTTP_RESPONSE && strlen(head) == len, "%zu bytes", len);
	REQUIRE(!strcmp(head + len - 4, "\r\n\r\n"), "%s", head);
	snprintf(is, sizeof(is), "HTTP/1.1 %s\r\n", status);
	REQUIRE(!strncmp(head, is, strlen(is)), "%s, not %s", head, is);
	REQUIRE(!strstr(head, "keep-alive") == !request->keep, "%s", head);
}

/* Of a request that is whole no part is one, and no more is taken where more stands behind. */
static void in_pieces(const uint8_t *bytes, size_t size)
{
	struct http_request all, part;
	size_t took = get(bytes, size, &all);

	if (took)
		has_head(&all, size);
	for (size_t n = 0; n < size; n += size < 512 ? 1 : size / 256) {
		size_t now = get(bytes, n, &part);

		if (!took)
			REQUIRE(!now, "%zu of %zu, none of %zu", now, n, size);
		if (took && all.status == HTTP_OK)
			REQUIRE(n < took ? !now : now == took && is_same(&all, &part),
				"%zu of %zu, %zu of %zu", now, n, took, size);
		if (now && part.status == HTTP_OK)
			REQUIRE(now == took, "%zu of %zu, %zu of %zu", now, n, took, size);
	}
}

/* The requests that come in a row over one connection, as long as it stays open. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request request;

	while (size) {
		size_t took = get(data, size, &request);

		in_pieces(data, size);
		if (!took || !request.keep)
			break;
		data += took;
		size -= took;
	}
	return 0;
}
