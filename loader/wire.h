/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What goes over the agent's socket. A request is the words of a command line, a reply what the
 * command would print and its exit code. Both begin with a head in the host's byte order:
 *
 *	request	u32 magic, u16 version, u16 words, u32 bytes; then the words, each ended by a 0
 *	reply	u32 magic, u16 version, u16 exit code, u32 bytes of output, u32 bytes of errors;
 *		then both
 *
 * Pure: of bytes that may come from anybody, and in pieces.
 */
#ifndef BPFPOL_WIRE_H
#define BPFPOL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WIRE_VERSION 1
#define WIRE_MOST 65536		   /* bytes of a request's words */
#define WIRE_WORDS 1024		   /* words of a request */
#define WIRE_REQUEST_HEAD 12	   /* bytes */
#define WIRE_FDS 4		   /* descriptors beside a request */
#define WIRE_BUSY 75		   /* exit code: the same request may be served a moment later */
#define WIRE_REPLY_MOST (1U << 28) /* bytes of a reply, both texts together */

struct wire_request {
	char **words; /* they point into the bytes that were read */
	int n;
	/* Of these wire_get_request() says nothing. */
	const int *fds; /* descriptors that came along */
	int n_fds;
	uint64_t who; /* who asked: a number that no other client has */
	bool gone;    /* and waits for no reply any more */
};

/* The bytes of a request; caller frees. -E2BIG: more than fits. -ENOMEM. */
int wire_put_request(char *const *words, int n, uint8_t **bytes, size_t *len);

/*
 * Takes a request off the beginning of these bytes. Returns how many it was; 0: it is not all there
 * yet. -EPROTO: this is none. -EPROTONOSUPPORT: of another version. -E2BIG: larger than allowed;
 * both as soon as the head says so. -ENOMEM. The caller frees request->words.
 */
ssize_t wire_get_request(const uint8_t *bytes, size_t len, struct wire_request *request);

struct wire_reply {
	int exit;
	const char *out, *err; /* they point into the bytes that were read */
	size_t out_len, err_len;
};

/* The bytes of a reply; caller frees. -E2BIG. -ENOMEM. */
int wire_put_reply(const struct wire_reply *reply, uint8_t **bytes, size_t *len);
/* The same as with requests. */
ssize_t wire_get_reply(const uint8_t *bytes, size_t len, struct wire_reply *reply);

#endif
