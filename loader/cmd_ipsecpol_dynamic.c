// SPDX-License-Identifier: GPL-2.0-only
/* ipsecpol without -w: rules that the agent holds; and what is said of rules in either case. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "cmd_ipsecpol.h"
#include "first.h"
#include "links.h"
#include "spec.h"
#include "store.h"

static const char *const outcomes[] = {
	[APPLIED] = "added",
	[APPLIED_ALREADY] = "already there",
	[APPLIED_REPLACED] = "changed",
	[APPLIED_PROLONGED] = "changed",
};

int given_begin(struct given_rules *given, const struct policy *rules)
{
	given->texts = calloc(rules->n + 1, sizeof(*given->texts));
	given->applied = calloc(rules->n + 1, sizeof(*given->applied));
	if (!given->texts || !given->applied)
		return -ENOMEM;
	for (size_t i = 0; i < rules->n; i++) {
		given->texts[i] = spec_text(rules->rules[i], SPEC_ALL);
		if (!given->texts[i])
			return -ENOMEM;
		given->n++;
	}
	return 0;
}

void given_free(struct given_rules *given)
{
	for (size_t i = 0; i < given->n; i++)
		free(given->texts[i]);
	free(given->texts);
	free(given->applied);
}

void given_print(const struct given_rules *given, const char *what, bool dry_run)
{
	for (size_t i = 0; i < given->n; i++) {
		const struct applied *a = &given->applied[i];

		if (dry_run)
			printf("Would be %s%s: %s\n", outcomes[a->outcome], what, given->texts[i]);
		else
			printf("Rule %" PRIu32 " %s%s%s: %s\n", a->id,
				a->outcome == APPLIED_ALREADY ? "is " : "", outcomes[a->outcome],
				what, given->texts[i]);
	}
}

void given_json(const struct given_rules *given, struct jw *j)
{
	jw_array(j, "rules");
	for (size_t i = 0; i < given->n; i++) {
		jw_object(j, NULL);
		jw_str(j, "outcome", outcomes[given->applied[i].outcome]);
		if (given->applied[i].id)
			jw_u64(j, "id", given->applied[i].id);
		else
			jw_null(j, "id");
		jw_str(j, "rule", given->texts[i]);
		jw_object_end(j);
	}
	jw_array_end(j);
}

/* -u */
static int drop_all(const struct args *args, struct diag *diag)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	size_t n = 0;
	struct jw j;
	int rc = dynamic_drop(args, &n, diag);

	if (rc)
		return rc;
	if (args->given & OPT_JSON) {
		jw_begin(&j, stdout);
		jw_object(&j, NULL);
		jw_bool(&j, "dry_run", dry_run);
		jw_str(&j, "layer", "dynamic");
		jw_u64(&j, "dropped", n);
		jw_object_end(&j);
	} else if (n) {
		printf("%s dropped: %zu.\n",
			dry_run ? "Dynamic rules that would be" : "Dynamic rules", n);
	} else {
		printf("There is no dynamic rule: nothing to do.\n");
	}
	return 0;
}

static void say(const struct args *args, const struct names *names, const struct given_rules *given,
	const struct link_choices *first, bool off)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	struct jw j;

	if (!(args->given & OPT_JSON)) {
		say_attached(first);
		given_print(given, " (dynamic)", dry_run);
		names_print(names);
		if (off)
			printf("Filtering is off; 'bpfpol on' puts them in force.\n");
		return;
	}
	jw_begin(&j, stdout);
	jw_object(&j, NULL);
	jw_bool(&j, "dry_run", dry_run);
	jw_str(&j, "layer", "dynamic");
	jw_bool(&j, "in_force", !off && !dry_run);
	json_attached(&j, first);
	given_json(given, &j);
	names_json(names, &j);
	jw_object_end(&j);
}

int ipsecpol_dynamic(
	const struct args *args, const struct ipsecpol *p, struct names *names, struct diag *diag)
{
	struct given_rules given = {};
	struct first_links first = {};
	bool off = false;
	int rc = 0;

	if (p->drop_dynamic)
		return drop_all(args, diag);
	for (size_t i = 0; i < p->policy->n && !rc; i++)
		rc = store_read_lists(p->policy->rules[i], names, diag);
	if (!rc)
		rc = given_begin(&given, p->policy);
	if (!rc)
		rc = dynamic_put(args, p->policy, &first, given.applied, &off, diag);
	if (!rc) {
		names_warn(names, diag);
		say(args, names, &given, &first.choices, off);
	}
	first_links_free(&first);
	given_free(&given);
	return rc;
}
