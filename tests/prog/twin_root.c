/* SPDX-License-Identifier: GPL-2.0-only */
/* The root programs by themselves: switched off, and without a policy. */
#include "twin.h"

#include <string.h>

#include "clocks.h"

/* A bare IPv4 header without payload behind an Ethernet header: a frame for every hook. */
static const uint8_t frame[34] = { [0] = 2, [6] = 2, [12] = 8, [14] = 0x45, [17] = 20, [23] = 253 };

static int totals_of(const struct world *w, struct bp_totals totals[BP_DIRS])
{
	struct diag diag = { 0 };
	int rc = kernel_totals(w->k, totals, &diag);

	diag_free(&diag);
	return rc;
}

/* It passes, and counts as that many that did. */
static int passes(const struct world *w, enum bp_hook hook, uint64_t packets, const char *state)
{
	size_t from = hook_is_l3(hook) ? 14 : 0;
	const struct sample s = { .data = frame + from, .len = sizeof(frame) - from, .hook = hook };
	struct bp_totals want[BP_DIRS], got[BP_DIRS];
	bool blocked;
	int rc = totals_of(w, want);

	if (!rc)
		rc = hook_run(w, &s, &blocked);
	if (!rc)
		rc = totals_of(w, got);
	if (rc < 0)
		return rc;
	want[hook_dir(hook)].passed += packets;
	if (rc == HOOK_RAN && !blocked && !memcmp(want, got, sizeof(got)))
		return ROUND_SAME;
	printf("# %s, %s: the frame is not just passed and counted as %llu\n", hook_names[hook],
		state, (unsigned long long)packets);
	return ROUND_DIFFERS;
}

int root_run(struct world *w, struct gen *g, size_t job, struct covered *covered)
{
	int hook, rc = ROUND_SAME;

	unload_static(w);
	for (hook = 0; hook < BP_HOOKS && !rc; hook++) {
		rc = passes(w, hook, 1, "without a policy");
		w->k->ctl->off = BP_OFF;
		if (!rc)
			rc = passes(w, hook, 0, "off");
		w->k->ctl->off = kernel_clock() + 3600000000000ULL;
		if (!rc)
			rc = passes(w, hook, 0, "off for an hour");
		w->k->ctl->off = kernel_clock();
		if (!rc)
			rc = passes(w, hook, 1, "off, and the time is over");
		w->k->ctl->off = 0;
		covered->frames += 4;
		covered->by_hook[hook] += 4;
	}
	return rc;
}
