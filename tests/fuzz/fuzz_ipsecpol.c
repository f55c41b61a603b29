// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arguments of ipsecpol, on the host of the golden tests. Rules that they give can be stored: each
 * has a text that reads back as it, and no two are equal.
 */
#include "fuzz.h"

#include "../golden/ipsecpol_kit.h"

static void is_told(int rc, struct diag *diag)
{
	REQUIRE(rc == -EINVAL || rc == -ENOENT, "%d", rc);
	REQUIRE(diag->kind == (rc == -EINVAL ? DIAG_USAGE : DIAG_UNKNOWN), "%s", diag->message);
	fuzz_told(rc, diag);
}

static void can_be_stored(const struct ipsecpol *p)
{
	const struct policy *policy = p->policy;

	for (size_t i = 0; i < policy->n; i++) {
		char *text = fuzz_reads_back(policy->rules[i]);

		for (size_t j = 0; j < i; j++) {
			char *other = spec_text(policy->rules[j], SPEC_ACTION | SPEC_MATCH);
			char *one = spec_text(policy->rules[i], SPEC_ACTION | SPEC_MATCH);

			REQUIRE(strcmp(one, other), "%s", one);
			free(one);
			free(other);
		}
		free(text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = fuzz_text(data, size), *words[KIT_WORDS];
	struct ipsecpol p = {};
	struct diag diag = {};
	int rc = ipsecpol_parse(kit_words(line, words), words, &kit_env, &p, &diag);

	if (rc) {
		is_told(rc, &diag);
	} else {
		REQUIRE(diag.kind == DIAG_NONE, "%s", diag.message);
		if (!p.help)
			can_be_stored(&p);
		ipsecpol_free(&p);
	}
	diag_free(&diag);
	free(line);
	return 0;
}
