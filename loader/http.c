// SPDX-License-Identifier: GPL-2.0-only
#include "http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A part of the bytes that were read. */
struct span {
	const char *at;
	size_t len;
};

static const struct {
	enum http_status status;
	const char *text;
} texts[] = {
	{ HTTP_OK, "200 OK" },
	{ HTTP_BAD, "400 Bad Request" },
	{ HTTP_NOT_FOUND, "404 Not Found" },
	{ HTTP_NO_METHOD, "405 Method Not Allowed" },
	{ HTTP_TOO_LARGE, "431 Request Header Fields Too Large" },
	{ HTTP_FAILED, "500 Internal Server Error" },
	{ HTTP_BUSY, "503 Service Unavailable" },
	{ HTTP_NO_VERSION, "505 HTTP Version Not Supported" },
};

const char *http_status_text(enum http_status status)
{
	size_t i = 0;

	while (texts[i].status != status)
		i++;
	return texts[i].text;
}

static bool is(struct span s, const char *word)
{
	return s.len == strlen(word) && !memcmp(s.at, word, s.len);
}

/* Names and most values are the same in any case. */
static bool is_any_case(struct span s, const char *word)
{
	return s.len == strlen(word) && !strncasecmp(s.at, word, s.len);
}

static bool holds(struct span s, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= s.len; i++)
		if (!strncasecmp(s.at + i, word, len))
			return true;
	return false;
}

/* The bytes up to the character, which is taken off as well; all, where there is none. */
static struct span cut(struct span *rest, char c)
{
	const char *end = rest->len ? memchr(rest->at, c, rest->len) : NULL;
	struct span s = { rest->at, end ? (size_t)(end - rest->at) : rest->len };
	size_t taken = s.len + (end != NULL);

	rest->at += taken;
	rest->len -= taken;
	return s;
}

static struct span trim(struct span s)
{
	while (s.len && (*s.at == ' ' || *s.at == '\t')) {
		s.at++;
		s.len--;
	}
	while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static struct span cut_line(struct span *rest)
{
	struct span line = cut(rest, '\n');

	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Where the empty line behind a head ends; 0: it is not there yet. */
static size_t head_length(struct span all)
{
	struct span rest = all;

	while (rest.len && memchr(rest.at, '\n', rest.len)) {
		struct span line = cut_line(&rest);

		if (!line.len && line.at != all.at)
			return rest.at - all.at;
	}
	return 0;
}

/* http://HOST/PATH is as good as /PATH. What stands behind a ? says nothing here. */
static void take_path(struct span target, struct http_request *r)
{
	struct span path;

	if (target.len > 7 && !strncasecmp(target.at, "http://", 7)) {
		const char *slash = memchr(target.at + 7, '/', target.len - 7);

		if (!slash)
			target = (struct span){ "/", 1 };
		else
			target = (struct span){ slash, target.at + target.len - slash };
	}
	path = cut(&target, '?');
	if (path.len < sizeof(r->path)) {
		memcpy(r->path, path.at, path.len);
		r->path[path.len] = '\0';
	}
}

static enum http_status take_request_line(struct span line, struct http_request *r)
{
	struct span method = cut(&line, ' '), target = cut(&line, ' '), version = line;

	if (!method.len || !target.len || version.len != 8 || memcmp(version.at, "HTTP/", 5))
		return HTTP_BAD;
	if (!is(version, "HTTP/1.1") && !is(version, "HTTP/1.0"))
		return HTTP_NO_VERSION;
	if (*target.at != '/' && strncasecmp(target.at, "http://", 7) && !is(target, "*"))
		return HTTP_BAD;
	r->keep = is(version, "HTTP/1.1");
	r->head = is(method, "HEAD");
	take_path(target, r);
	return r->head || is(method, "GET") ? HTTP_OK : HTTP_NO_METHOD;
}

/* What else there is in a head is nothing to us. */
struct fields {
	bool host, body;
};

static enum http_status take_field(struct span line, struct http_request *r, struct fields *f)
{
	struct span value = line, name = cut(&value, ':');

	if (!name.len || name.len == line.len || memchr(name.at, ' ', name.len) ||
		memchr(name.at, '\t', name.len))
		return HTTP_BAD; /* a line that goes on the one before is none either */
	value = trim(value);
	if (is_any_case(name, "host"))
		f->host = true;
	else if (is_any_case(name, "connection"))
		r->keep = r->keep ? !holds(value, "close") : holds(value, "keep-alive");
	else if (is_any_case(name, "accept"))
		r->open_metrics |= holds(value, "application/openmetrics-text");
	else if (is_any_case(name, "transfer-encoding"))
		f->body = true;
	else if (is_any_case(name, "content-length"))
		f->body |= !is(value, "0");
	return HTTP_OK;
}

/* Behind a body that nobody reads no second request is found. */
static enum http_status take_head(struct span head, struct http_request *r)
{
	struct span line = cut_line(&head);
	enum http_status status = take_request_line(line, r);
	bool must_host = r->keep;
	struct fields f = {};

	while (status == HTTP_OK && (line = cut_line(&head)).len)
		status = take_field(line, r, &f);
	if (status == HTTP_OK && must_host && !f.host)
		status = HTTP_BAD;
	if (f.body)
		r->keep = false;
	return status;
}

size_t http_get_request(const char *bytes, size_t len, struct http_request *r)
{
	struct span all = { bytes, len };
	size_t skipped = 0, head;

	*r = (struct http_request){ .status = HTTP_OK };
	/* An empty line in front is to be overlooked. */
	while (skipped < len && (bytes[skipped] == '\r' || bytes[skipped] == '\n'))
		skipped++;
	all.at += skipped;
	all.len -= skipped;
	head = head_length(all);
	if (head > HTTP_HEAD || (!head && len >= HTTP_HEAD))
		r->status = HTTP_TOO_LARGE;
	else if (!head)
		return 0;
	else
		r->status = take_head((struct span){ all.at, head }, r);
	if (r->status == HTTP_OK)
		return skipped + head;
	r->keep = false;
	return len;
}

size_t http_put_head(
	const struct http_request *r, const char *type, size_t length, char *head, size_t size)
{
	int n = snprintf(head, size,
		"HTTP/1.1 %s\r\n"
		"Content-Type: %s\r\n"
		"Content-Length: %zu\r\n"
		"Cache-Control: no-store\r\n"
		"%s"
		"Connection: %s\r\n"
		"\r\n",
		http_status_text(r->status), type, length,
		r->status == HTTP_NO_METHOD ? "Allow: GET, HEAD\r\n" : "",
		r->keep ? "keep-alive" : "close");

	return n < 0 || (size_t)n >= size ? 0 : n;
}
