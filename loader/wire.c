// SPDX-License-Identifier: GPL-2.0-only
#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_MAGIC 0x51504642U /* "BFPQ" */
#define REPLY_MAGIC 0x41504642U	  /* "BFPA" */

struct request_head {
	uint32_t magic;
	uint16_t version, words;
	uint32_t bytes;
};
_Static_assert(sizeof(struct request_head) == WIRE_REQUEST_HEAD, "no gaps");

struct reply_head {
	uint32_t magic;
	uint16_t version, exit;
	uint32_t out, err;
};
_Static_assert(sizeof(struct reply_head) == 16, "no gaps");

int wire_put_request(char *const *words, int n, uint8_t **bytes, size_t *len)
{
	struct request_head head = { REQUEST_MAGIC, WIRE_VERSION, n, 0 };
	size_t size = 0, at = sizeof(head);
	uint8_t *out;

	for (int i = 0; i < n; i++)
		size += strlen(words[i]) + 1;
	if (n < 0 || n > WIRE_WORDS || size > WIRE_MOST)
		return -E2BIG;
	head.bytes = size;
	out = malloc(sizeof(head) + size);
	if (!out)
		return -ENOMEM;
	memcpy(out, &head, sizeof(head));
	for (int i = 0; i < n; i++) {
		size_t word = strlen(words[i]) + 1;

		memcpy(out + at, words[i], word);
		at += word;
	}
	*bytes = out;
	*len = at;
	return 0;
}

static int check_request(const struct request_head *head)
{
	if (head->magic != REQUEST_MAGIC)
		return -EPROTO;
	if (head->version != WIRE_VERSION)
		return -EPROTONOSUPPORT;
	if (head->bytes > WIRE_MOST || head->words > WIRE_WORDS)
		return -E2BIG;
	return head->words > head->bytes ? -EPROTO : 0; /* an empty word has a byte, too */
}

ssize_t wire_get_request(const uint8_t *bytes, size_t len, struct wire_request *request)
{
	struct request_head head;
	const char *at = (const char *)bytes + sizeof(head), *end;
	char **words;
	int rc, n = 0;

	if (len < sizeof(head))
		return 0;
	memcpy(&head, bytes, sizeof(head));
	rc = check_request(&head);
	if (rc)
		return rc;
	if (len - sizeof(head) < head.bytes)
		return 0;
	words = calloc(head.words + 1, sizeof(*words));
	if (!words)
		return -ENOMEM;
	for (end = at + head.bytes; at < end && n < head.words; n++) {
		const char *last = memchr(at, '\0', end - at);

		if (!last)
			break;
		words[n] = (char *)at;
		at = last + 1;
	}
	if (n < head.words || at < end) {
		free(words);
		return -EPROTO;
	}
	*request = (struct wire_request){ .words = words, .n = n };
	return sizeof(head) + head.bytes;
}

int wire_put_reply(const struct wire_reply *reply, uint8_t **bytes, size_t *len)
{
	struct reply_head head = { REPLY_MAGIC, WIRE_VERSION, reply->exit, reply->out_len,
		reply->err_len };
	uint8_t *out;

	if (reply->out_len > WIRE_REPLY_MOST || reply->err_len > WIRE_REPLY_MOST - reply->out_len)
		return -E2BIG;
	out = malloc(sizeof(head) + reply->out_len + reply->err_len);
	if (!out)
		return -ENOMEM;
	memcpy(out, &head, sizeof(head));
	if (reply->out_len)
		memcpy(out + sizeof(head), reply->out, reply->out_len);
	if (reply->err_len)
		memcpy(out + sizeof(head) + reply->out_len, reply->err, reply->err_len);
	*bytes = out;
	*len = sizeof(head) + reply->out_len + reply->err_len;
	return 0;
}

ssize_t wire_get_reply(const uint8_t *bytes, size_t len, struct wire_reply *reply)
{
	struct reply_head head;
	const char *text = (const char *)bytes + sizeof(head);

	if (len < sizeof(head))
		return 0;
	memcpy(&head, bytes, sizeof(head));
	if (head.magic != REPLY_MAGIC)
		return -EPROTO;
	if (head.version != WIRE_VERSION)
		return -EPROTONOSUPPORT;
	if (head.out > WIRE_REPLY_MOST || head.err > WIRE_REPLY_MOST - head.out)
		return -E2BIG;
	if (len - sizeof(head) < (size_t)head.out + head.err)
		return 0;
	*reply = (struct wire_reply){ head.exit, text, text + head.out, head.out, head.err };
	return sizeof(head) + head.out + head.err;
}
