// SPDX-License-Identifier: GPL-2.0-only
/* host.h: opening, for commands that look and for those that change. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "attach.h"
#include "await.h"
#include "dirs.h"
#include "enforce.h"
#include "fault.h"
#include "lock.h"
#include "off.h"
#include "signals.h"
#include "tie.h"
#include "tried.h"

static void note_off(struct host *host, const struct off *off)
{
	host->off = off->is;
	host->off_left = off->left;
	host->off_unsure = off->unsure;
	host->ended = off->ended;
}

/*
 * Pins are named by the numbers of interfaces, and each network namespace has its own. One that is
 * gone, or has nothing attached any more, gives place.
 */
static int check_namespace(const struct kernel *k, struct diag *diag)
{
	uint64_t ours = kernel_namespace(), theirs = k->ctl->netns;

	if (!ours && errno != ENOENT) /* without /proc nobody knows */
		return diag_errno(diag, errno, "cannot tell which network namespace this is");
	if (!ours || theirs == ours)
		return 0;
	if (theirs && attached_any())
		return diag_set(diag, DIAG_SYSTEM, EXDEV,
			"%s holds the filter of another network namespace, net:[%" PRIu64 "], and "
			"this one is net:[%" PRIu64 "]; give it directories of its own by "
			"BPFPOL_CONF_DIR, BPFPOL_STATE_DIR, BPFPOL_BPFFS and BPFPOL_RUN_DIR, or "
			"run this in the other one",
			dirs_get()->bpffs, theirs, ours);
	k->ctl->netns = ours;
	return 0;
}

static const char cut_short[] =
	"another version of bpfpol was cut short here: some interfaces may go by its rules";

/* No change may come on top of that. */
static int be_alone(struct host *host, enum host_use use, struct diag *diag)
{
	int rc = enforce_alone(host, diag);

	if (!rc || use == HOST_CHANGE)
		return rc;
	diag_to_warning(diag, cut_short);
	return 0;
}

static void warn_rival(const struct host *host, struct diag *diag)
{
	if (!host->kernel || !host->kernel->rival)
		return;
	diag_set(diag, DIAG_SYSTEM, EPROTO, "'bpfpol restore' puts those on disk in their place");
	diag_to_warning(diag, cut_short);
}

/* What is said already, as of rules on trial, stays what it is. */
static void tend_tried(struct diag *diag)
{
	struct diag own = { .changes = diag->changes };

	tried_tend(&own);
	diag_add_warnings(diag, &own);
	diag_free(&own);
}

/* A change needs a store that can be written; who only looks is told, and sees what judges. */
static int tend(struct host *host, enum host_use use, enum host_use also, struct diag *diag)
{
	struct kernel *k = host->kernel;
	int rc = await_tend(host, also & HOST_SALVAGE, diag);

	/* What came with rules goes by the kernel's time, and stays with what is confirmed there.
	 */
	if (!k || !kernel_awaits(k) || !kernel_time_left(k))
		tend_tried(diag);
	host->ended |= tried_has_ended();
	if (rc && use == HOST_CHANGE)
		return rc;
	if (rc)
		diag_to_warning(diag, kernel_is_kept(host->kernel)
					      ? "the last change is confirmed, but a reboot may "
						"take it back"
					      : "the change that was not confirmed is not in "
						"force any more, but still on disk");
	/* `restore` does it when it has mended the store. */
	rc = also & HOST_SALVAGE ? 0 : be_alone(host, use, diag);
	return rc || use != HOST_CHANGE ? rc : await_refuse(host, true, diag);
}

/* The lock, and what is pinned. Who waits for the lock can be told to end, who has it to change is
 * not (signals.h). */
static int open_kernel(struct host *host, enum host_use use, struct diag *diag)
{
	int rc = use != HOST_READ || path_is_there(dirs_get()->run) ? lock_take(diag) : 0;

	if (!rc && use != HOST_READ)
		signals_hold();
	if (!rc)
		rc = kernel_open(&host->kernel, diag);
	if (rc == -ENOENT && diag->kind == DIAG_NONE)
		rc = 0;
	if (!rc && host->kernel)
		rc = kernel_tidy(host->kernel, use == HOST_READ, diag);
	return rc || !host->kernel ? rc : check_namespace(host->kernel, diag);
}

/* Its directory, and that what is in force is of that store. */
static int open_store(struct host *host, enum host_use use, enum host_use also, struct diag *diag)
{
	bool ask = host->kernel && !(also & HOST_TAKE);
	int rc = ask ? tie_check(host->kernel, also & HOST_SALVAGE, diag) : 0;

	if (!rc)
		rc = use != HOST_READ ? dir_make(dirs_get()->state, diag)
				      : dir_check(dirs_get()->state, diag);
	if (rc == -ENOENT && diag->kind == DIAG_NONE)
		rc = 0; /* nothing is stored */
	if (!rc && ask && use != HOST_READ)
		tie_follow(host->kernel);
	return rc;
}

/* What is said on disk is not asked, where that is not of this filter or cannot be read. */
static int go_without(struct host *host)
{
	struct off off;

	off_look_at_word(host->kernel, &off);
	note_off(host, &off);
	return 0;
}

/* look: what is wrong with the store is noted. */
static int open_host(
	struct host *host, enum host_use use, enum host_use also, bool look, struct diag *diag)
{
	bool dry_run = use == HOST_TRY;
	struct off off;
	int rc;

	if (dry_run)
		use = HOST_READ;
	*host = (struct host){ .take = also & HOST_TAKE };
	if (geteuid())
		return diag_set(
			diag, DIAG_DENIED, EPERM, "this needs root: run it again with sudo");
	rc = open_kernel(host, use, diag);
	if (!rc)
		rc = open_store(host, use, also, diag);
	else
		look = false;
	if (rc && look && rc != -ENOMEM)
		return fault_note(host, rc, diag) ? -ENOMEM : go_without(host);
	if (!rc && host->kernel && use != HOST_READ && kernel_recover(host->kernel, diag))
		diag_to_warning(diag, "counters of earlier rules are not carried over yet");
	if (rc)
		off_look_at_word(host->kernel, &off);
	else
		rc = use == HOST_READ ? off_look(host->kernel, &off, diag)
				      : off_tend(host->kernel, also & HOST_ON, &off, diag);
	note_off(host, &off);
	host->tried_rc = tried_left(&host->tried_left);
	if (!rc && use == HOST_READ) {
		host->ended |= tried_has_ended();
		warn_rival(host, diag);
	}
	if (!rc && dry_run)
		return await_refuse(host, false, diag);
	return rc || use == HOST_READ ? rc : tend(host, use, also, diag);
}

int host_open(struct host *host, enum host_use how, struct diag *diag)
{
	enum host_use also = how & (HOST_SALVAGE | HOST_TAKE | HOST_ON);

	return open_host(host, how & ~also, also, false, diag);
}

/* Where nothing is pinned, reading makes nothing. */
static enum host_use use_of_host(void)
{
	return kernel_is_pinned() ? HOST_TEND : HOST_READ;
}

int host_open_to_look(struct host *host, struct diag *diag)
{
	return open_host(host, HOST_READ, 0, true, diag);
}

static int open_to_read(struct host *host, struct diag *diag)
{
	enum host_use use = use_of_host();
	int rc = open_host(host, use, 0, true, diag);

	if (rc || use == HOST_READ || host->fault)
		return rc;
	/* A store that cannot be read is no warning: it is what is said. */
	rc = host_in_step(host) || !host->kernel ? 0 : host_store(host, diag);
	if (rc)
		return rc == -ENOMEM ? rc : fault_note(host, rc, diag);
	enforce_catch_up(host, diag);
	return 0;
}

int host_open_to_read(struct host *host, struct diag *diag)
{
	int rc = open_to_read(host, diag);

	signals_let(); /* what others began is ended, and what is left may take its time */
	return rc;
}
