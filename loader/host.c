// SPDX-License-Identifier: GPL-2.0-only
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "awaited.h"
#include "dirs.h"
#include "env.h"
#include "off.h"
#include "signals.h"
#include "spare.h"
#include "tell.h"

int host_store(struct host *host, struct diag *diag)
{
	int rc = host_store_names(host, diag);

	return rc ? rc : store_read_copies(host->store, diag);
}

/*
 * Changes of single rules that are in force have gone from the journal: more of it was in force
 * than there is. Only a command that was killed may have taken one back.
 */
static bool has_lost(const struct host *host)
{
	const struct bp_tables *t =
		host->kernel && host->kernel->gen ? host->kernel->gen->table.tables : NULL;
	const struct store *s = host->store;

	return t && !t->dirty && s->inode && t->state_inode == s->inode &&
	       t->state_mtime == s->mtime && t->journal > s->journal;
}

/* What is in force stays so, whoever comes, until somebody says that it is to go. */
static int load(struct host *host, struct diag *diag)
{
	size_t warned = strlen(diag->warnings);
	int rc = store_load(&host->store, diag);

	if (!rc && store_is_lost(host->store)) {
		store_free(&host->store);
		return diag_set(diag, DIAG_SYSTEM, EBADMSG,
			"%s/state is lost; 'bpfpol restore' goes back to the rules before the last "
			"change, or put it back from a backup, or begin without it: move journal "
			"and previous.* away",
			dirs_get()->state);
	}
	if (rc || !has_lost(host))
		return rc;
	store_free(&host->store);
	diag->warnings[warned] = '\0'; /* that they are lost, which they are not yet */
	return diag_set(diag, DIAG_SYSTEM, EUCLEAN,
		"%s/journal is damaged, and has lost changes of single rules that are in force; "
		"put it back from a backup, or 'bpfpol restore' goes on without them",
		dirs_get()->state);
}

int host_store_names(struct host *host, struct diag *diag)
{
	int rc = host->store ? 0 : load(host, diag);

	/* A store that was moved away or put back from a backup must not give a number twice. */
	if (!rc && host->kernel && host->kernel->ctl->next_id > host->store->next_id)
		host->store->next_id = host->kernel->ctl->next_id;
	if (!rc && !host->store->known)
		host->store->known = host->store->next_id;
	return rc ? rc : awaited_check(host->kernel, host->store, diag);
}

/* `off` asks for no lock, and may have come in between. */
static int take_off_word(struct host *host, struct diag *diag)
{
	struct off off;
	uint64_t word;
	int rc = off_word(&word, diag);

	if (rc) {
		kernel_free(&host->kernel);
		return rc;
	}
	host->kernel->ctl->off = word;
	off_look_at_word(host->kernel, &off);
	host->off = off.is;
	host->off_left = off.left;
	host->off_unsure = off.unsure;
	return 0;
}

int host_kernel_load(struct host *host, struct diag *diag)
{
	int rc = dir_make_bpffs(dirs_get()->bpffs, diag);

	if (!rc)
		rc = kernel_load(&host->kernel, diag);
	if (rc)
		return rc;
	spare_drop(); /* its programs count for other totals, as do those of number 0 */
	generation_unpin(0);
	return take_off_word(host, diag);
}

static void say_replaced(bool lost, struct diag *diag)
{
	diag_set(diag, DIAG_SYSTEM, EPROTO,
		"it is replaced; counters begin anew, and dynamic rules of its agent are gone: "
		"'systemctl restart bpfpol-agent'");
	diag_to_warning(
		diag, lost ? "what filtered had lost its control word"
			   : "what filtered was another version's, or a pin of it was gone");
}

/*
 * Programs of an earlier root stay where they hang, but must obey this one. Until they do its
 * arrays stay pinned, without which it would let everything pass.
 */
int host_kernel_hang(struct host *host, struct diag *diag)
{
	bool others = attached_any(), lost = !kernel_is_pinned();
	int rc = take_off_word(host, diag);

	if (rc)
		return rc;
	rc = kernel_pin(host->kernel, diag);
	if (!rc)
		rc = attach_adopt(host->kernel, NULL, diag);
	if (!rc)
		rc = kernel_publish(host->kernel, diag);
	if (rc) {
		kernel_free(&host->kernel);
		return rc;
	}
	if (others)
		say_replaced(lost, diag);
	if (!host->agent)
		tell_arrays(host->kernel->made);
	return 0;
}

int host_kernel(struct host *host, struct diag *diag)
{
	int rc;

	if (host->kernel)
		return 0;
	rc = host_kernel_load(host, diag);
	return rc ? rc : host_kernel_hang(host, diag);
}

bool host_is_foreign(const struct host *host)
{
	return !host->kernel && !host->off && attached_any();
}

/* While one awaits confirmation, interfaces are those of the moment when it began. */
static int links_stand(const struct host *host, const struct bp_tables *t, struct diag *diag)
{
	uint64_t links = t->links;
	int rc = links && !kernel_awaits(host->kernel) ? env_links(&links, diag) : 0;

	return rc ? rc : t->links == links;
}

int host_steps(const struct host *host, struct diag *diag)
{
	const struct bp_tables *t;

	if (!host->kernel || !host->kernel->gen || host->first || host->astray)
		return 0;
	t = host->kernel->gen->table.tables;
	if (t->dirty || !store_unchanged(t->state_inode, t->state_mtime, t->journal))
		return 0;
	return links_stand(host, t, diag);
}

bool host_in_step(const struct host *host)
{
	return host_steps(host, NULL) > 0;
}

void host_stamp(struct generation *gen, const struct store *s)
{
	struct bp_tables *t = gen->table.tables;

	t->state_inode = s->inode;
	t->state_mtime = s->mtime;
	t->journal = s->journal;
	snprintf(t->policy, sizeof(t->policy), "%s", s->policy ? s->policy->name : "");
}

int host_commit(struct host *host, struct diag *diag)
{
	bool in_step = host_in_step(host);
	struct bp_tables *t = in_step ? host->kernel->gen->table.tables : NULL;
	int rc;

	if (t)
		t->dirty = 1; /* killed from here on, the next command rebuilds */
	rc = store_commit(host->store, diag);
	if (!rc && t)
		host_stamp(host->kernel->gen, host->store);
	if (t)
		t->dirty = 0;
	return rc;
}

int host_give_ids(struct host *host, uint32_t next_id, struct diag *diag)
{
	struct bp_tables *t;
	int rc;

	if (next_id <= host->store->next_id)
		return 0;
	host->store->next_id = next_id;
	t = host_in_step(host) ? host->kernel->gen->table.tables : NULL;
	if (!t || !t->journal)
		return host_commit(host, diag);
	t->dirty = 1;
	rc = journal_next(&t->journal, next_id, diag);
	if (!rc)
		host->kernel->ctl->next_id = next_id;
	t->dirty = 0;
	return rc;
}

int host_reserve_ids(struct host *host, uint32_t n, uint32_t *first, struct diag *diag)
{
	struct bp_tables *t = host_in_step(host) ? host->kernel->gen->table.tables : NULL;
	struct bp_ctl *ctl = host->kernel ? host->kernel->ctl : NULL;
	int rc;

	if (t && t->journal) {
		*first = ctl->next_id;
		t->dirty = 1;
		rc = journal_next(&t->journal, *first + n, diag);
		if (!rc)
			ctl->next_id = *first + n;
		t->dirty = 0;
		return rc;
	}
	rc = host_store_names(host, diag);
	if (rc)
		return rc;
	*first = host->store->next_id;
	rc = host_give_ids(host, *first + n, diag);
	if (!rc && ctl && ctl->next_id < *first + n)
		ctl->next_id = *first + n;
	return rc;
}

void host_close(struct host *host)
{
	kernel_free(&host->kernel);
	store_free(&host->store);
	free(host->fault);
	free(host->untold);
	host->fault = NULL;
	host->untold = NULL;
	signals_let();
}
