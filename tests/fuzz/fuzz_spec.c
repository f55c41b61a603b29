// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rule language. What reads as a rule has a canonical text, which reads back as that rule. The
 * first byte says how the rest is given: a line, a line after `block`, words of `remove`.
 */
#include "fuzz.h"

#include "spec.h"

static int parse(char how, char *text, struct rule **rule, struct diag *diag)
{
	bool has_action;
	struct spec_opts opts = { .action = -1, .has_action = &has_action };
	char *words[64];

	if (how == 'b')
		opts.action = BP_BLOCK;
	if (how != 'a' && how != 'r')
		return spec_parse_line(text, &opts, rule, diag);
	opts.action_optional = how == 'r';
	return spec_parse_args(fuzz_split(text, ' ', words, 64), words, &opts, rule, diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rule *rule = NULL;
	struct diag diag = {};
	char *text;
	int rc;

	if (!size)
		return 0;
	text = fuzz_text(data + 1, size - 1);
	rc = parse(data[0], text, &rule, &diag);
	if (rc) {
		REQUIRE(!rule, "a refused rule is given");
		fuzz_told(rc, &diag);
	} else {
		REQUIRE(diag.kind == DIAG_NONE, "%s", diag.message);
		free(fuzz_reads_back(rule));
	}
	rule_free(&rule);
	diag_free(&diag);
	free(text);
	return 0;
}
