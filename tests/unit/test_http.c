/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests of HTTP, whole and in pieces; metrics in the older format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http.h"
#include "metrics_plain.h"
#include "stream.h"

#define HOST "Host: x\r\n"

static struct http_request ask(const char *text)
{
	struct http_request r;
	size_t len = strlen(text);

	/* Until all is there, nothing is taken. */
	for (size_t n = 0; n < len; n++)
		if (http_get_request(text, n, &r))
			assert_int_not_equal(r.status, HTTP_OK);
	assert_int_equal(http_get_request(text, len, &r), len);
	return r;
}

static void good(void **state)
{
	struct http_request r = ask("GET /metrics HTTP/1.1\r\n" HOST "\r\n");

	(void)state;
	assert_int_equal(r.status, HTTP_OK);
	assert_string_equal(r.path, "/metrics");
	assert_true(r.keep && !r.head && !r.open_metrics);
	r = ask("\r\n\nHEAD http://x:1/metrics?a=/b HTTP/1.1\nhost:x\nCONNECTION: a, Close\n\n");
	assert_int_equal(r.status, HTTP_OK);
	assert_string_equal(r.path, "/metrics");
	assert_true(!r.keep && r.head);
	r = ask("GET http://x HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
	assert_string_equal(r.path, "/");
	assert_true(r.keep);
	r = ask("GET / HTTP/1.1\r\n" HOST "Accept: a/b, application/OpenMetrics-text;q=1\r\n\r\n");
	assert_true(r.open_metrics);
	/* What is behind a body is no request. */
	assert_false(ask("GET / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n").keep);
	assert_false(ask("GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n").keep);
	assert_true(ask("GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n").keep);
}

static void two(void **state)
{
	const char *text = "GET /a HTTP/1.1\r\n" HOST "\r\nGET /b HTTP/1.1\r\n" HOST "\r\n";
	struct http_request r;
	size_t n = http_get_request(text, strlen(text), &r);

	(void)state;
	assert_string_equal(r.path, "/a");
	assert_int_equal(http_get_request(text + n, strlen(text) - n, &r), strlen(text) - n);
	assert_string_equal(r.path, "/b");
}

static void bad(void **state)
{
	static const struct {
		const char *text;
		enum http_status status;
	} cases[] = {
		{ "x\r\n\r\n", HTTP_BAD },
		{ "GET / HTTP/1.1\r\n\r\n", HTTP_BAD },
		{ "GET / HTTP/1.1 \r\n" HOST "\r\n", HTTP_BAD },
		{ "GET / HTTP/1.1\r\n" HOST " x\r\n\r\n", HTTP_BAD },
		{ "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", HTTP_BAD },
		{ "GET x HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD },
		{ "GET / HTTP/3.0\r\n" HOST "\r\n", HTTP_NO_VERSION },
		{ "PUT / HTTP/1.1\r\n" HOST "\r\n", HTTP_NO_METHOD },
	};
	char *long_one = malloc(HTTP_HEAD + 1);
	struct http_request r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		r = ask(cases[i].text);
		assert_int_equal(r.status, cases[i].status);
		assert_false(r.keep);
	}
	memset(long_one, 'x', HTTP_HEAD);
	assert_int_equal(http_get_request(long_one, HTTP_HEAD - 1, &r), 0);
	assert_int_equal(http_get_request(long_one, HTTP_HEAD, &r), HTTP_HEAD);
	assert_int_equal(r.status, HTTP_TOO_LARGE);
	free(long_one);
}

static void heads(void **state)
{
	struct http_request r = { .status = HTTP_OK, .keep = true };
	char head[HTTP_RESPONSE] = "";
	size_t n = http_put_head(&r, "a/b", 7, head, sizeof(head));

	(void)state;
	assert_int_equal(n, strlen(head));
	assert_non_null(
		strstr(head, "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 7\r\n"));
	assert_non_null(strstr(head, "Connection: keep-alive\r\n\r\n"));
	r = (struct http_request){ .status = HTTP_NO_METHOD };
	http_put_head(&r, "a/b", 7, head, sizeof(head));
	assert_non_null(strstr(head, "\r\nAllow: GET, HEAD\r\nConnection: close\r\n\r\n"));
	assert_int_equal(http_put_head(&r, "a/b", 7, head, 20), 0);
}

static void plain(void **state)
{
	static const char text[] = "# TYPE a counter\n# UNIT a bytes\n# HELP a What it is.\n"
				   "a_total{b=\"c\"} 1\n# TYPE d info\n# HELP d It.\nd_info 1\n"
				   "# TYPE e gauge\n# HELP e x\ne 2\n# EOF\n";
	char *got = NULL;
	size_t len;
	FILE *out = stream_open(&got, &len);

	(void)state;
	assert_int_equal(metrics_plain(text, sizeof(text) - 1, out), 0);
	assert_int_equal(stream_close(out), 0);
	assert_string_equal(got,
		"# TYPE a_total counter\n# HELP a_total What it is.\na_total{b=\"c\"} 1\n"
		"# TYPE d_info gauge\n# HELP d_info It.\nd_info 1\n"
		"# TYPE e gauge\n# HELP e x\ne 2\n");
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(two),
		cmocka_unit_test(bad),
		cmocka_unit_test(heads),
		cmocka_unit_test(plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
