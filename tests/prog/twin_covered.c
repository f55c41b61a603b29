/* SPDX-License-Identifier: GPL-2.0-only */
#include "twin.h"

void covered_add(struct covered *sum, const struct covered *c)
{
	const uint64_t *from = (const uint64_t *)c;
	uint64_t *to = (uint64_t *)sum;
	size_t i;

	for (i = 0; i < sizeof(*c) / sizeof(*from); i++)
		to[i] += from[i];
}

static double share(uint64_t part, uint64_t all)
{
	return all ? 100.0 * part / all : 0;
}

static void print_hooks(const struct covered *c)
{
	int i;

	printf("# frames by hook:");
	for (i = 0; i < BP_HOOKS; i++)
		printf(" %s %llu,", hook_names[i], (unsigned long long)c->by_hook[i]);
	printf(" of these split %llu, forwarded %llu, aggregates %llu (%llu without a number)",
		(unsigned long long)c->split, (unsigned long long)c->forwarded,
		(unsigned long long)c->aggregates, (unsigned long long)c->unsaid);
	printf("; reasons asked of %llu; %llu more that BPF_PROG_TEST_RUN refuses\n",
		(unsigned long long)c->asked, (unsigned long long)c->refused);
}

const char *covered_lacks(const struct covered *c)
{
	const struct {
		const char *what;
		uint64_t n, least;
	} needs[] = {
		{ "blocked frames", c->blocked, c->frames / 20 },
		{ "passed frames", c->passed, c->frames / 20 },
		{ "frames decided by a rule", c->decided, c->frames / 10 },
		{ "frames counted by one", c->counted, c->frames / 50 },
		{ "frames blocked as malformed", c->cut_blocked, c->frames / 200 },
		{ "frames that hide their protocol", c->hidden, c->frames / 200 },
		{ "such that are blocked for it", c->hidden_blocked, c->frames / 1000 },
		{ "frames with headers elsewhere", c->split + c->unsplit, c->frames / 200 },
		{ "forwarded frames", c->forwarded, c->frames / 50 },
		{ "aggregates", c->aggregates, c->frames / 100 },
		{ "aggregates without a number", c->unsaid, c->frames / 500 },
		{ "frames asked about", c->asked, c->frames / 20 },
		{ "policies of many rules", c->large, c->policies / 50 },
		{ "policies of many filters", c->huge, c->policies / 100 },
		{ "policies in tight tables", c->by_sizing[TIGHT], c->policies / 10 },
		{ "policies in wide tables", c->by_sizing[WIDE], c->policies / 10 },
		{ "policies made in place", c->patched, c->policies / 20 },
		{ "policies of two layers", c->layered, c->policies / 5 },
		{ "frames that a dynamic rule decides before a static one", c->across[TWIN_DYNAMIC],
			c->frames / 100 },
		{ "frames that a static rule decides before a dynamic one", c->across[TWIN_STATIC],
			c->frames / 100 },
		{ "rules that are hit", c->hit, c->rules / 10 },
		{ "policies that compile", c->policies, c->redraws * 20 },
	};
	size_t i;
	int k;

	for (i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		if (needs[i].n < needs[i].least)
			return needs[i].what;
	}
	for (k = 0; k < BP_HOOKS; k++) {
		if (c->by_hook[k] < c->frames / (2 * BP_HOOKS))
			return hook_names[k];
	}
	for (k = 0; k < FRAME_CLASSES; k++) {
		if (c->by_class[k] < c->frames / 200)
			return "frames of every class";
	}
	return NULL;
}

void covered_print(const struct covered *c)
{
	static const char *const classes[] = { "exempt", "whole", "cut", "bad", "fifth tag" };
	int i;

	if (!c->policies)
		return;
	printf("# %llu policies, %llu of them of many rules, %llu of many filters, ",
		(unsigned long long)c->policies, (unsigned long long)c->large,
		(unsigned long long)c->huge);
	printf("%llu made in place, %llu in tight and %llu in wide tables, %llu more too large\n# ",
		(unsigned long long)c->patched, (unsigned long long)c->by_sizing[TIGHT],
		(unsigned long long)c->by_sizing[WIDE], (unsigned long long)c->redraws);
	printf("%llu rules, %.0f %% of them hit; ", (unsigned long long)c->rules,
		share(c->hit, c->rules));
	printf("%llu policies of two layers, both of which match %.1f %%, the dynamic one wins "
	       "%.1f %%\n",
		(unsigned long long)c->layered,
		share(c->across[TWIN_STATIC] + c->across[TWIN_DYNAMIC], c->frames),
		share(c->across[TWIN_DYNAMIC], c->frames));
	print_hooks(c);
	printf("# %.1f %% blocked, of them %.1f %% as malformed; %.1f %% decided by a rule, ",
		share(c->blocked, c->frames), share(c->cut_blocked, c->blocked),
		share(c->decided, c->frames));
	printf("%.1f %% counted by one\n# read as", share(c->counted, c->frames));
	for (i = 0; i < FRAME_CLASSES; i++)
		printf("%s %s %.1f %%", i ? "," : "", classes[i], share(c->by_class[i], c->frames));
	printf("\n# protocol hidden: %.1f %%, of them %.1f %% blocked as malformed\n",
		share(c->hidden, c->frames), share(c->hidden_blocked, c->hidden));
}
