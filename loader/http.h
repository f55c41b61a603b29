/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of HTTP/1.1 (RFC 9112) as one takes who offers one page to be read: heads of requests,
 * and of responses. Pure: of bytes that may come from anybody, and in pieces.
 */
#ifndef BPFPOL_HTTP_H
#define BPFPOL_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HTTP_HEAD 8192 /* bytes of a request's head at most */

enum http_status {
	HTTP_OK = 200,
	HTTP_BAD = 400,
	HTTP_NOT_FOUND = 404,
	HTTP_NO_METHOD = 405,
	HTTP_TOO_LARGE = 431,
	HTTP_FAILED = 500,
	HTTP_BUSY = 503,
	HTTP_NO_VERSION = 505,
};

struct http_request {
	enum http_status status; /* HTTP_OK: GET or HEAD, of any path; or why it is refused */
	bool head;		 /* HEAD: no body is wanted */
	bool keep;		 /* the connection stays open after the reply */
	bool open_metrics;	 /* it takes application/openmetrics-text */
	char path[64];		 /* without a query; "" if it is longer */
};

/*
 * Takes a request's head off the beginning of these bytes. Returns how many it was; 0: it is not
 * all there yet. A request that is refused is not read on: *request has its status, keep is false,
 * and all bytes are taken.
 */
size_t http_get_request(const char *bytes, size_t len, struct http_request *request);

/* A response's head, for a body of that length. Returns its bytes; `size` of 512 is enough. */
#define HTTP_RESPONSE 512
size_t http_put_head(const struct http_request *request, const char *type, size_t length,
	char *head, size_t size);
/* "404 Not Found" */
const char *http_status_text(enum http_status status);

#endif
