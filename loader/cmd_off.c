// SPDX-License-Identifier: GPL-2.0-only
/* off, on. */
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "awaited.h"
#include "command.h"
#include "dirs.h"
#include "enforce.h"
#include "guard.h"
#include "json.h"
#include "late.h"
#include "links.h"
#include "lock.h"
#include "pinned.h"
#include "off.h"
#include "roots.h"
#include "signals.h"
#include "tie.h"

#define LOCK_PATIENCE 10 /* seconds; longer than any command should take */

/* What is, or with --dry-run would be. seconds: until it is on again by itself; 0: for good. */
static void say(const struct args *args, bool off, uint64_t seconds, const char *text)
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
	if (seconds)
		jw_u64(&j, "confirm_in", seconds);
	else
		jw_null(&j, "confirm_in");
	jw_object_end(&j);
}

/* What became of an attempt to stop. */
struct stop {
	bool switched;	    /* the control word says that all is to pass */
	size_t left;	    /* links that are still where they were */
	bool unknown;	    /* nobody can tell which links there are */
	bool other;	    /* the store is not that of the filter, and is left alone */
	bool written;	    /* a reboot and every later command will know */
	struct diag kernel; /* why not, in the kernel */
	struct diag disk;
	struct diag pins;   /* why what is pinned was not believed */
	struct diag others; /* what filters and is not ours */
};

/*
 * To write to it, also where the bpffs is read-only: then the kernel opens no pin for writing, but
 * what its number names has no file system.
 */
static int open_word(const char *path)
{
	LIBBPF_OPTS(bpf_obj_get_opts, read_only, .file_flags = BPF_F_RDONLY);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_obj_get(path), pin, err;

	if (fd >= 0 || errno != EROFS)
		return fd;
	pin = bpf_obj_get_opts(path, &read_only);
	if (pin < 0)
		return pin;
	if (!bpf_obj_get_info_by_fd(pin, &info, &len))
		fd = bpf_map_get_fd_by_id(info.id);
	err = errno;
	close(pin);
	errno = err;
	return fd;
}

/*
 * The control word alone, and by hand: what else is pinned may be damaged, and must not stand in
 * the way. One of another ABI has other words, and is left alone.
 */
static int switch_off(struct stop *s, struct diag *diag)
{
	const struct map_kind kind = { BPF_MAP_TYPE_ARRAY, .name = shared_name(SHARED_CTL) };
	int rc = dir_check(dirs_get()->bpffs, diag), fd;
	char *path = rc ? NULL : path_join(dirs_get()->bpffs, "ctl");
	struct bp_ctl *ctl;

	if (!path)
		return rc ? rc : -ENOMEM;
	fd = open_word(path);
	if (fd < 0) {
		rc = errno == ENOENT ? -ENOENT : diag_errno(diag, errno, "cannot open %s", path);
		free(path);
		return rc;
	}
	rc = pinned_is_map(fd, &kind, path, diag);
	ctl = rc ? MAP_FAILED : mmap(NULL, sizeof(*ctl), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (rc) {
		; /* the kernel is asked which it is */
	} else if (ctl == MAP_FAILED) {
		rc = diag_errno(diag, errno, "cannot write to %s", path);
	} else if (ctl->abi != BP_ABI) {
		rc = diag_set(diag, DIAG_SYSTEM, EPROTO, "%s is another version's", path);
	} else {
		__atomic_store_n(&ctl->off, BP_OFF, __ATOMIC_SEQ_CST);
		s->other = tie_check_word(ctl, &s->disk);
	}
	if (ctl != MAP_FAILED)
		munmap(ctl, sizeof(*ctl));
	close(fd);
	free(path);
	return rc;
}

static const char *reason(const struct diag *diag)
{
	return diag->kind != DIAG_NONE ? diag->message : "there is too little memory";
}

static bool stopped(const struct stop *s)
{
	return s->switched || (!s->left && !s->unknown);
}

/* What was found without the pins is what there is. */
static void detach_found(struct stop *s, const struct roots *roots)
{
	struct diag finding = {};
	size_t others = 0;

	s->unknown = roots_detach(roots, &s->left, &others, &finding) && !s->left;
	diag_free(&s->kernel);
	s->kernel = finding;
	if (others)
		diag_set(&s->others, DIAG_SYSTEM, EXDEV,
			"what still filters goes by the rules of another store, in %.200s; if that "
			"is meant, name it by BPFPOL_STATE_DIR",
			roots->other);
	/* Nothing is ours, as far as can be told, and our pins may say otherwise. */
	if (s->switched || s->pins.kind == DIAG_NONE || !others)
		return;
	s->unknown = true;
	diag_free(&s->kernel);
	s->kernel = s->others;
	s->others = (struct diag){};
}

/* What was found is stopped, but there may be more. */
static void cannot_ask(struct stop *s, struct diag *finding)
{
	if (s->switched) {
		diag_set(&s->others, DIAG_SYSTEM, EIO,
			"whether more filters than what is pinned is not known: %.400s",
			reason(finding));
		return;
	}
	s->unknown = true;
	diag_free(&s->kernel);
	s->kernel = *finding;
	*finding = (struct diag){};
}

/* What is left lets every packet pass, unless it is another version's: those may be anywhere. */
static void look_for_older(struct stop *s, const struct roots *roots)
{
	int stay = roots_stay(roots, ROOT_OLDER);

	if (stay > 0)
		s->switched = false;
	else if (stay)
		diag_set(&s->others, DIAG_SYSTEM, EIO,
			"whether another version's programs filter here is not known: %s",
			strerror(-stay));
}

/*
 * The kernel's switch first: from then on every packet passes. Where no pin of ours leads to it,
 * as they are gone or can be anybody's, the kernel tells what it has loaded; where one does, the
 * kernel tells what else has been loaded while ours was out of sight. Then the programs come off,
 * and the state is written down so that a reboot keeps it, unless filtering goes on: then nobody is
 * to be told otherwise.
 */
static void stop_all(struct stop *s)
{
	struct diag finding = {};
	struct roots roots = {};
	int switching = switch_off(s, &s->pins), asking, rc;
	bool known = switching == -EPROTO || switching == -ENXIO;

	asking = known ? 0 : roots_switch_off(&roots, !switching, &finding);
	s->switched = !switching || (!known && !asking && roots_have(&roots, ROOT_OFF));
	rc = detach_all(&s->left, &s->kernel);
	s->unknown = rc && !s->left;
	if (!known && !(asking && s->switched))
		detach_found(s, &roots);
	if (asking)
		cannot_ask(s, &finding);
	else if (!known && s->left)
		look_for_older(s, &roots);
	if (!s->switched && known && s->pins.kind != DIAG_NONE) {
		diag_free(&s->kernel);
		s->kernel = s->pins;
		s->pins = (struct diag){};
	}
	s->written = stopped(s) && !s->other && (!off_write(&s->disk) || off_is_written());
	roots_free(&roots);
	diag_free(&finding);
}

static void stop_free(struct stop *s)
{
	diag_free(&s->kernel);
	diag_free(&s->disk);
	diag_free(&s->pins);
	diag_free(&s->others);
}

static int tell(const struct args *args, const struct stop *s, struct diag *diag)
{
	if (!stopped(s))
		return diag_set(diag, DIAG_SYSTEM, EIO,
			"filtering could NOT be stopped everywhere: %.400s; see to it that root "
			"can write to the bpffs at %s ('mount -o remount,rw' if it is read-only), "
			"then run 'bpfpol off' again",
			reason(&s->kernel), dirs_get()->bpffs);
	if (!s->written && !s->switched)
		return diag_set(diag, DIAG_SYSTEM, EIO,
			"nothing is filtered now, but that could not be written down, so the next "
			"'bpfpol block' filters again: %.400s",
			reason(&s->disk));
	if (!s->written)
		fprintf(stderr,
			"bpfpol: warning: filtering is off, but a reboot may turn it on: %s\n",
			reason(&s->disk));
	if (s->left || s->unknown)
		fprintf(stderr,
			"bpfpol: warning: the program lets every packet pass, but stays on the "
			"interfaces: %s\n",
			reason(&s->kernel));
	if (s->pins.kind != DIAG_NONE)
		fprintf(stderr,
			"bpfpol: warning: the kernel was asked what filters, and not what is "
			"pinned, which 'bpfpol on' will need: %s\n",
			s->pins.message);
	if (s->others.kind != DIAG_NONE)
		fprintf(stderr, "bpfpol: warning: %s\n", s->others.message);
	say(args, true, 0, "Filtering is off on every interface; 'bpfpol on' starts it again.");
	return 0;
}

/*
 * Once more, with the lock: a command that had it may have attached, or a concurrent `on` undone
 * what was done. Where that fails, what was done before still holds.
 */
static void stop_again(struct stop *first)
{
	struct stop again = {};
	struct diag lock = {};
	const struct diag *why = NULL;

	if (lock_take_within(LOCK_PATIENCE, &lock)) {
		why = &lock;
	} else {
		signals_hold();
		stop_all(&again);
		signals_let();
		if (stopped(first) && !stopped(&again)) {
			why = &again.kernel;
		} else {
			stop_free(first);
			*first = again;
			again = (struct stop){};
		}
	}
	if (why)
		fprintf(stderr,
			"bpfpol: warning: a command that ran at the same time may filter again; "
			"'bpfpol status' shows it: %s\n",
			reason(why));
	stop_free(&again);
	diag_free(&lock);
}

/*
 * Of another version's programs the control word says nothing: with ours in their place it does.
 * Where that is not to be had, nobody could promise that filtering comes back.
 */
static int take_their_place(struct host *host, struct diag *diag)
{
	int rc;

	host->unguarded = true; /* what was decided then */
	rc = enforce(host, diag);
	if (!rc || rc == -ENOMEM)
		return rc;
	diag_to_warning(diag,
		"what filters now is another version's, and this one's cannot take its "
		"place");
	return diag_set(diag, DIAG_SYSTEM, EPROTO,
		"another version's programs do not know of --confirm; 'bpfpol off' without it "
		"stops them until 'bpfpol on'");
}

/* One that no pin leads to would filter on, and nobody could promise when it is back. */
static int be_all(const struct host *host, struct diag *diag)
{
	int rc = roots_beside(host->kernel ? host->kernel->shared.fd[SHARED_CTL] : -1);

	if (rc > 0)
		return diag_set(diag, DIAG_SYSTEM, EEXIST,
			"another filter of this store is loaded, whose pins are gone or hidden, "
			"and it does not know of --confirm; 'bpfpol off' without it stops both "
			"until 'bpfpol on'");
	if (rc) {
		diag_errno(diag, -rc, "cannot ask the kernel which programs it has loaded");
		diag_to_warning(diag, "whether more filters than what is pinned is not known");
	}
	return 0;
}

static int begin_try(struct host *host, bool dry_run, struct diag *diag)
{
	int rc;

	if (host->off)
		return diag_set(diag, DIAG_REFUSED, EPERM,
			"filtering is off, and stays so; 'bpfpol on' starts it again");
	rc = be_all(host, diag);
	if (rc)
		return rc;
	return dry_run || host->kernel || !attached_any() ? 0 : take_their_place(host, diag);
}

/* The programs stay on the interfaces until that is confirmed, and look at the time themselves. */
static int try_off(const struct args *args, uint64_t seconds, struct diag *diag)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	struct host host = {};
	char text[160];
	int rc = host_open(&host, dry_run ? HOST_TRY : HOST_CHANGE, diag);

	if (!rc)
		rc = begin_try(&host, dry_run, diag);
	if (!rc && !dry_run)
		rc = off_begin(host.kernel, seconds, diag);
	if (!rc && !dry_run)
		late_forget();
	if (!rc) {
		snprintf(text, sizeof(text),
			dry_run ? "Would stop all filtering for %" PRIu64 " s."
				: "Filtering is off on every interface, and is back by itself in "
				  "%" PRIu64 " s; 'bpfpol policy confirm' keeps it off.",
			seconds);
		say(args, true, seconds, text);
	}
	host_close(&host);
	return rc;
}

/* Stops at once, whoever holds the lock. Asks nothing of the store. */
int cmd_off(const struct args *args, struct diag *diag)
{
	struct stop stop = {};
	uint64_t confirm = 0;
	int rc = args_none(args, diag);

	if (!rc)
		rc = args_confirm(args, &confirm, diag);
	if (!rc && confirm)
		return try_off(args, confirm, diag);

	if (rc)
		return rc;
	if (geteuid())
		return diag_set(
			diag, DIAG_DENIED, EPERM, "this needs root: run it again with sudo");
	if (args->given & OPT_DRY_RUN) {
		say(args, true, 0, "Would stop all filtering.");
		return 0;
	}
	signals_hold();
	stop_all(&stop);
	signals_let(); /* that holds already, and the lock may be waited for */
	stop_again(&stop);
	rc = tell(args, &stop, diag);
	stop_free(&stop);
	return rc;
}

/* The remembered interfaces that are there now. */
static int choose_remembered(
	const struct nl_links *links, struct link_choices *choices, struct diag *diag)
{
	struct remembered_list list;
	int rc = remembered_load(&list, diag);

	if (!rc)
		rc = choices_follow(choices, links, &list);
	remembered_free(&list);
	return rc;
}

static int turn_on(struct host *host, struct link_choices *choices, struct diag *diag)
{
	int rc = host_in_step(host) ? 0 : enforce(host, diag);

	if (!rc)
		rc = choices_attach(host, choices, diag);
	if (rc)
		return rc;
	rc = off_end(host->kernel, diag);
	if (rc)
		choices_undo(host, choices);
	else
		late_forget();
	return rc;
}

static int try_on(struct host *host, bool dry_run, struct diag *diag)
{
	struct link_choices choices = {};
	struct nl_links links = {};
	int rc = nl_links_get(&links);

	host->off = false;
	host->ending_off = true;
	if (!rc)
		rc = choose_remembered(&links, &choices, diag);
	if (!rc)
		rc = enforce_try_links(host, &choices, diag);
	if (!rc && !dry_run)
		rc = turn_on(host, &choices, diag);
	host->adding = NULL;
	choices_free(&choices);
	nl_links_free(&links);
	return rc;
}

/* On, and yet nothing is filtered: that must not go unsaid. */
static void warn_nothing(void)
{
	struct remembered_list list;
	struct diag ignored = {};
	bool any = false;

	if (attached_any() || remembered_load(&list, &ignored)) {
		diag_free(&ignored);
		return;
	}
	for (size_t i = 0; i < list.n; i++)
		any |= list.v[i].mode != ATTACH_NONE;
	fprintf(stderr, "bpfpol: warning: nothing is filtered: %s; 'bpfpol attach IFACE' %s\n",
		any ? "none of the interfaces that are remembered is attached"
		    : "no interface is remembered",
		any ? "attaches another" : "says where to filter");
	remembered_free(&list);
}

int cmd_on(const struct args *args, struct diag *diag)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	struct host host = {};
	int rc = args_none(args, diag);
	bool was_off;

	if (!rc)
		rc = host_open(&host, dry_run ? HOST_READ : HOST_TEND | HOST_ON, diag);
	host.unguarded = args->given & OPT_FORCE;
	was_off = host.off;
	if (!rc && was_off)
		rc = try_on(&host, dry_run, diag);
	if (!rc)
		say(args, false, 0,
			!was_off  ? "Filtering was not off."
			: dry_run ? "Would filter again."
				  : "Filtering is on again.");
	if (!rc && !dry_run)
		warn_nothing();
	host_close(&host);
	return rc;
}

int off_confirm(const struct args *args, struct host *host, struct diag *diag)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	size_t left;
	int rc = dry_run ? 0 : off_keep(host->kernel, diag);

	if (rc)
		return rc;
	if (!dry_run && detach_all(&left, diag))
		diag_to_warning(
			diag, "every packet passes, but the program stays on the interfaces");
	say(args, true, 0,
		dry_run ? "Filtering would stay off."
			: "Filtering stays off; 'bpfpol on' starts it again.");
	return 0;
}

/*
 * Who came in since is not to be cut. A store that is damaged stands in the way of no going back:
 * which rules that brings, the kernel tells.
 */
static int try_back(struct host *host, struct diag *diag)
{
	if (!host_store(host, diag))
		return try_on(host, true, diag);
	diag_clear(diag);
	return guard_in_force(host, diag);
}

int off_rollback(const struct args *args, struct host *host, struct diag *diag)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	int rc;

	host->unguarded = args->given & OPT_FORCE;
	rc = host->unguarded ? 0 : try_back(host, diag);
	if (!rc && !dry_run)
		rc = off_end(host->kernel, diag);
	if (rc)
		return rc;
	if (!dry_run) {
		host->off = false;
		rc = enforce_take_over(host, diag); /* its word is not ours to write */
		if (rc)
			return rc;
		enforce_catch_up(host, diag);
		warn_nothing();
	}
	say(args, false, 0, dry_run ? "Would filter again." : "Filtering is on again.");
	return 0;
}
