// SPDX-License-Identifier: GPL-2.0-only
/* Address lists. What is read of one, printed, is the same list. And durations, by the way. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <errno.h>

#include "spec.h"

static bool same_lists(const struct prefixes *a, const struct prefixes *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (prefix_cmp(&a->v[i], &b->v[i]))
			return false;
	return true;
}

static char *list_text(const struct prefixes *list, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	REQUIRE(out, "no memory");
	for (size_t i = 0; i < list->n; i++) {
		char buf[INET6_ADDRSTRLEN + 4];

		spec_prefix_text(&list->v[i], buf, sizeof(buf));
		fprintf(out, "%s\n", buf);
		REQUIRE(!i || prefix_cmp(&list->v[i - 1], &list->v[i]) < 0, "%s", buf);
	}
	fclose(out);
	return text;
}

static void list_reads_back(const struct prefixes *list)
{
	struct prefixes again = {};
	struct diag diag = {};
	size_t len;
	char *text = list_text(list, &len);

	if (list->n)
		REQUIRE(!spec_parse_list("again", text, len, &again, &diag), "%s: %s", text,
			diag.message);
	REQUIRE(same_lists(list, &again), "%s", text);
	free(again.v);
	free(text);
	diag_free(&diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct prefixes list = {};
	struct diag diag = {};
	uint64_t seconds = 0;
	int rc = spec_parse_list("list", text, size, &list, &diag);

	if (rc)
		fuzz_told(rc, &diag);
	else
		list_reads_back(&list);
	if (!spec_parse_duration(text, &seconds))
		REQUIRE(seconds && seconds < UINT64_MAX / 1000000000 / 2, "%s", text);
	free(list.v);
	diag_free(&diag);
	free(text);
	return 0;
}
