// SPDX-License-Identifier: GPL-2.0-only
/* What the agent tells of its rules. What is read, told again, is read as the same. */
#include "fuzz.h"

#include <errno.h>

#include "held_text.h"

static char *told(const struct policy *rules, bool lists, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	REQUIRE(out, "no memory");
	REQUIRE(!held_write(out, rules, lists), "no memory");
	fclose(out);
	return text;
}

static void reads_back(const struct policy *rules, bool lists)
{
	struct policy *again = NULL;
	size_t len, twice_len;
	char *text = told(rules, lists, &len), *twice;

	REQUIRE(!held_read(text, len, &again), "%s", text);
	REQUIRE(again->n == rules->n, "%zu of %zu", again->n, rules->n);
	twice = told(again, lists, &twice_len);
	REQUIRE(len == twice_len && !memcmp(text, twice, len), "%s---\n%s", text, twice);
	free(twice);
	free(text);
	policy_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1); /* of just that size */
	struct policy *rules = NULL;
	int rc;

	REQUIRE(text, "no memory");
	memcpy(text, data, size);
	rc = held_read(text, size, &rules);
	free(text);
	REQUIRE(!rc || rc == -EBADMSG || rc == -ENOMEM, "%d", rc);
	if (rc)
		return 0;
	for (size_t i = 0; i < rules->n; i++) {
		REQUIRE(rules->rules[i]->id && rules->rules[i]->layer == LAYER_DYNAMIC, "%zu", i);
		free(fuzz_reads_back(rules->rules[i]));
	}
	reads_back(rules, true);
	if (rules->n && !rule_has_list(rules->rules[0]))
		reads_back(rules, rule_has_list(rules->rules[rules->n - 1]));
	policy_free(&rules);
	return 0;
}
