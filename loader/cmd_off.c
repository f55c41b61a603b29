// SPDX-License-Identifier: GPL-2.0-only
/* off, on. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "dirs.h"
#include "json.h"
#include "links.h"

static char *off_path(void)
{
	return path_join(dirs_get()->state, "off");
}

static void say(const struct args *args, bool off, const char *text)
{
	struct jw j;

	if (!(args->given & OPT_JSON)) {
		puts(text);
		return;
	}
	jw_begin(&j, stdout);
	jw_object(&j, NULL);
	jw_bool(&j, "off", off);
	jw_bool(&j, "dry_run", args->given & OPT_DRY_RUN);
	jw_object_end(&j);
}

/*
 * The kernel's switch first: from then on every packet passes. Then the programs come off, and
 * the state is written down so that a reboot keeps it. Asks nothing of the store.
 */
int cmd_off(const struct args *args, struct diag *diag)
{
	struct kernel *kernel = NULL;
	char *path;
	int rc;

	if (geteuid())
		return diag_set(
			diag, DIAG_DENIED, EPERM, "this needs root: run it again with sudo");
	if (args->given & OPT_DRY_RUN) {
		say(args, true, "Would stop all filtering.");
		return 0;
	}
	if (!kernel_open(&kernel, diag))
		__atomic_store_n(&kernel->ctl->off, 1, __ATOMIC_SEQ_CST);
	detach_all();
	kernel_free(&kernel);
	diag->kind = DIAG_NONE;
	path = off_path();
	rc = path ? dir_make(dirs_get()->state, diag) : -ENOMEM;
	if (!rc)
		rc = file_write(path, "off\n", 4, diag);
	if (rc)
		fprintf(stderr,
			"bpfpol: warning: filtering is off, but a reboot may turn it on: %s\n",
			diag->message);
	free(path);
	say(args, true, "Filtering is off on every interface; 'bpfpol on' starts it again.");
	return 0;
}

/* The remembered interfaces that are there now. */
static int choose_remembered(
	const struct nl_links *links, struct link_choices *choices, struct diag *diag)
{
	struct remembered_list list;
	int rc = remembered_load(&list, diag);

	for (size_t i = 0; i < links->n && !rc; i++) {
		const struct remembered *r = remembered_find(&list, links->v[i].name);

		if (r && !links->v[i].loopback)
			rc = choices_add(choices, &links->v[i], r->mode);
	}
	remembered_free(&list);
	return rc;
}

static int turn_on(struct host *host, struct diag *diag)
{
	struct link_choices choices = {};
	struct nl_links links = {};
	char *path = off_path();
	int rc = path ? nl_links_get(&links) : -ENOMEM;

	host->off = false;
	if (!rc && !host_in_step(host))
		rc = host_rebuild(host, diag);
	if (!rc)
		rc = choose_remembered(&links, &choices, diag);
	if (!rc)
		rc = choices_attach(host, &choices, diag);
	if (!rc) {
		rc = file_remove(path, diag);
		if (rc)
			choices_undo(&choices);
		else
			__atomic_store_n(&host->kernel->ctl->off, 0, __ATOMIC_SEQ_CST);
	}
	choices_free(&choices);
	nl_links_free(&links);
	free(path);
	return rc;
}

int cmd_on(const struct args *args, struct diag *diag)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	struct host host = {};
	int rc = host_open(&host, dry_run ? HOST_READ : HOST_CHANGE, diag);
	bool was_off = host.off;

	if (!rc && was_off && !dry_run)
		rc = turn_on(&host, diag);
	if (!rc)
		say(args, was_off && dry_run,
			!was_off  ? "Filtering was not off."
			: dry_run ? "Would filter again."
				  : "Filtering is on again.");
	host_close(&host);
	return rc;
}
