// SPDX-License-Identifier: GPL-2.0-only
/*
 * Captures, pcap and pcapng, with the frames in them. A copy of what could be read holds the same
 * records.
 */
#include "fuzz.h"

#include <unistd.h>

#include "capture.h"
#include "frame.h"

#define MOST 64 /* records */

struct seen {
	size_t n;
	struct {
		uint32_t caplen, len;
		uint8_t *data;
	} v[MOST];
};

static void look(const struct capture *c, const struct capture_record *r, struct seen *seen)
{
	struct frame frame;
	uint8_t *bytes = (uint8_t *)fuzz_text(r->data, r->caplen);

	REQUIRE(r->caplen <= r->len, "%u of %u", r->caplen, r->len);
	frame_read(bytes, r->caplen, capture_l3(c), &frame);
	seen->v[seen->n].caplen = r->caplen;
	seen->v[seen->n].len = r->len;
	seen->v[seen->n++].data = bytes;
}

static void read_all(struct capture *c, struct capture_copy *copy, struct seen *seen)
{
	struct capture_record record;
	struct diag diag = {};
	int rc = 0;

	while (seen->n < MOST && (rc = capture_next(c, &record, &diag)) == 1) {
		look(c, &record, seen);
		if (copy)
			REQUIRE(!capture_copy_add(copy, &record, &diag), "%s", diag.message);
	}
	if (rc < 0)
		fuzz_told(rc, &diag);
	REQUIRE(capture_read(c) >= 0, "%f", capture_read(c));
	diag_free(&diag);
}

static void forget(struct seen *seen)
{
	for (size_t i = 0; i < seen->n; i++)
		free(seen->v[i].data);
	seen->n = 0;
}

static void is_a_copy(const char *path, const struct seen *of)
{
	struct seen seen = {};
	struct capture *c = NULL;
	struct diag diag = {};

	REQUIRE(!capture_open(path, &c, &diag), "%s", diag.message);
	read_all(c, NULL, &seen);
	REQUIRE(seen.n == of->n, "%zu of %zu records", seen.n, of->n);
	for (size_t i = 0; i < seen.n; i++)
		REQUIRE(seen.v[i].caplen == of->v[i].caplen && seen.v[i].len == of->v[i].len &&
				!memcmp(seen.v[i].data, of->v[i].data, seen.v[i].caplen),
			"record %zu", i);
	forget(&seen);
	capture_free(&c);
	diag_free(&diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char in[80], out[80];
	struct capture_copy *copy = NULL;
	struct capture *c = NULL;
	struct seen seen = {};
	struct diag diag = {};
	int rc;

	snprintf(in, sizeof(in), "%s/in.pcap", fuzz_dir());
	snprintf(out, sizeof(out), "%s/out.pcap", fuzz_dir());
	unlink(out);
	fuzz_put(in, data, size);
	rc = capture_open(in, &c, &diag);
	if (rc) {
		fuzz_told(rc, &diag);
	} else {
		REQUIRE(!capture_copy_begin(c, out, &copy, &diag), "%s", diag.message);
		read_all(c, copy, &seen);
		REQUIRE(!capture_copy_end(copy, &diag), "%s", diag.message);
		capture_copy_free(&copy);
		is_a_copy(out, &seen);
		forget(&seen);
		capture_free(&c);
	}
	diag_free(&diag);
	return 0;
}
