// SPDX-License-Identifier: GPL-2.0-only
#include "fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "told.h"

int fault_note(struct host *host, int rc, struct diag *diag)
{
	if (!host->fault)
		host->fault = strdup(diag->kind ? diag->message : strerror(-rc));
	if (!host->fault)
		return -ENOMEM;
	host->fault_rc = rc;
	host->aside = true;
	diag_clear(diag);
	return 0;
}

int fault_tell(const struct host *host, struct diag *diag)
{
	if (!host->fault)
		return 0;
	return diag_set(diag, DIAG_SYSTEM, -host->fault_rc, "%s", host->fault);
}

int fault_foreign(struct diag *diag)
{
	return diag_set(diag, DIAG_SYSTEM, EPROTO,
		"what filters now is another version's, or a pin of it was taken away: its rules "
		"and counters cannot be read; 'bpfpol restore' puts this version's programs and "
		"the rules on disk in its place");
}

int fault_tell_all(const struct host *host, struct diag *diag)
{
	int rc = fault_tell(host, diag);

	return !rc && host_is_foreign(host) ? fault_foreign(diag) : rc;
}

void fault_warn(const struct host *host, struct diag *diag)
{
	if (!host->fault)
		return;
	fault_tell(host, diag);
	diag_to_warning(diag, "the store cannot be used");
}

static int read_in_force(const struct host *host, struct told *told)
{
	const struct generation *gen = host->kernel ? host->kernel->gen : NULL;
	const char *name = gen ? gen->table.tables->policy : "";
	struct filters filters = {};
	struct compile_env env;
	int rc = 0;

	env_now(&env);
	if (gen)
		rc = filters_read(&filters, &gen->table, LAYER_STATIC, env.boot_now);
	if (!rc)
		rc = told_make(&filters, name, &env, told);
	free(filters.v);
	return rc;
}

/* Its rules are in force, whatever the policy is called. */
static int store_of(const struct host *host, struct told *told, struct store **out)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->next_id = host->kernel ? host->kernel->ctl->next_id : 1;
	s->known = s->next_id;
	s->whole = true;
	if (told->rules->n || *told->rules->name) {
		s->policy = told->rules;
		told->rules = NULL;
	}
	*out = s;
	return 0;
}

static int take_from_kernel(struct host *host)
{
	struct told told = {};
	struct store *store = NULL;
	int rc = read_in_force(host, &told);

	if (!rc)
		rc = store_of(host, &told, &store);
	if (!rc) {
		store_free(&host->store);
		free(host->untold);
		host->store = store;
		host->untold = told.untold;
		host->n_untold = told.n_untold;
		told.untold = NULL;
	}
	told_free(&told);
	return rc;
}

/* Read but for what its lists hold, and what it says is in force. */
static bool lacks_lists_alone(const struct host *host)
{
	return host->store && host->store->policy && host_in_step(host);
}

int fault_store(struct host *host, bool lists, struct diag *diag)
{
	int rc = 0;

	if (host->untold)
		return 0;
	if (!host->fault) {
		rc = lists ? host_store(host, diag) : host_store_names(host, diag);
		if (!rc || rc == -ENOMEM)
			return rc;
		rc = fault_note(host, rc, diag);
	}
	if (!rc && lacks_lists_alone(host)) {
		host->n_untold = 1;
		return 0;
	}
	return rc ? rc : take_from_kernel(host);
}
