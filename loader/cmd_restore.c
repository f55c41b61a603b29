// SPDX-License-Identifier: GPL-2.0-only
/*
 * restore: what runs at boot. It puts as much in force as it can, whatever is missing or damaged,
 * and says what it could not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "assign.h"
#include "awaited.h"
#include "classifier.h"
#include "command.h"
#include "due.h"
#include "enforce.h"
#include "json.h"
#include "links.h"
#include "off.h"
#include "pairs.h"
#include "policies.h"
#include "protected.h"
#include "shelf.h"
#include "ssh.h"
#include "tie.h"
#include "tried.h"

struct restore {
	struct host host;
	struct remembered_list remembered;
	struct nl_links links;
	struct link_choices choices; /* what is remembered and there */
	char **missing;		     /* remembered, and not there */
	size_t n_missing;
	bool salvaged; /* not all of the store could be read */
	bool damaged;  /* nor all of its journal, or the list of interfaces: also what was put right
			*/
};

static void warn(struct diag *diag, const char *so)
{
	diag_to_warning(diag, so);
	for (char *line = strtok(diag->warnings, "\n"); line; line = strtok(NULL, "\n"))
		fprintf(stderr, "bpfpol: warning: %s\n", line);
	diag->warnings[0] = '\0';
	diag_clear(diag);
}

/* Where a trial is over it is what was before, and the lists of that are to be read. */
static int end_trial(struct restore *r, struct diag *diag)
{
	const struct kernel *k = r->host.kernel;
	struct store *s = r->host.store;
	int rc = awaited_check(k, s, diag);

	if (!rc)
		return store_salvage_copies(s, diag);
	/* Without a boot the kernel has gone back, whoever reads what that was. */
	if (rc == -ENOMEM || (k && k->gen))
		return rc;
	warn(diag, "the change is in force as long as that lasts");
	awaited_for_now(s);
	return 0;
}

/* The store, or what can be saved of it. */
static int load_store(struct restore *r, bool dry_run, struct diag *diag)
{
	int rc = host_store(&r->host, diag);
	bool unread = rc && !store_is_damage(rc);

	if (rc == -ENOMEM || (!rc && !store_is_lost(r->host.store)))
		return rc;
	if (unread && host_in_step(&r->host))
		return rc; /* what is in force is what it says */
	if (rc == -EUCLEAN)
		warn(diag, "they are LOST; see to them again");
	diag_clear(diag);
	store_free(&r->host.store);
	rc = store_salvage(dry_run, &r->host.store, diag);
	if (rc)
		return rc;
	if (!dry_run)
		tried_tend(diag); /* without a state nothing stands that rules came with */
	rc = end_trial(r, diag);
	r->salvaged = !unread || r->host.store->untidy || r->host.store->unread;
	r->host.aside = r->host.store->unread || r->host.store->for_now;
	return rc;
}

/* The same of the list of interfaces, which costs no rule. */
static int load_remembered(struct restore *r, bool dry_run, struct diag *diag)
{
	int rc = remembered_load(&r->remembered, diag);

	if (!rc && !dry_run && remembered_mend(diag))
		warn(diag, "the list of interfaces is not written anew");
	return rc;
}

static int load(struct restore *r, bool dry_run, struct diag *diag)
{
	int rc = load_store(r, dry_run, diag);

	if (!rc)
		rc = load_remembered(r, dry_run, diag);
	if (!rc)
		r->damaged = r->salvaged || r->host.store->lost || r->remembered.why;
	return rc;
}

/*
 * Programs of another build go on as they are with every other command, but cannot be asked by this
 * one (explain). On trial they wait until that is settled.
 */
static bool is_own(const struct host *host)
{
	return host->kernel->gen->table.tables->programs == classifiers_print() ||
	       host->store->confirm.seconds;
}

/* Whether nothing is to be put in force, being there. Names of interfaces are asked anew. */
static bool stands(const struct restore *r)
{
	const struct policy *policy = r->host.store->policy;

	return host_in_step(&r->host) && !r->salvaged && is_own(&r->host) &&
	       !(policy && policy_names_interface(policy));
}

/*
 * What was damaged is written as it could be read, so that this is said once; and a store that
 * takes another's place is there to be read.
 */
static int write_anew(struct restore *r, struct diag *diag)
{
	struct store *s = r->host.store;
	bool is_new = r->salvaged || s->untidy || (r->host.take && !s->inode);

	return is_new && !r->host.aside && !s->for_now ? store_commit(s, diag) : 0;
}

static bool has_nothing(const struct restore *r)
{
	const struct kernel *k = r->host.kernel;

	return !r->host.store->policy && !r->remembered.n && !r->host.take && !(k && k->gen);
}

/* The rules first: an interface that is attached then is filtered from its first packet on. */
static int put_in_force(struct restore *r, bool dry_run, struct diag *diag)
{
	if (has_nothing(r))
		return dry_run ? 0 : write_anew(r, diag);
	if (dry_run)
		return enforce_try(&r->host, diag);
	return stands(r) ? 0 : enforce(&r->host, diag);
}

static int find_missing(struct restore *r)
{
	r->missing = calloc(r->remembered.n + 1, sizeof(*r->missing));
	if (!r->missing)
		return -ENOMEM;
	for (size_t i = 0; i < r->remembered.n; i++) {
		const struct remembered *is = &r->remembered.v[i];

		if (is->mode != ATTACH_NONE && !word_is_pattern(is->name) &&
			!nl_by_name(&r->links, is->name))
			r->missing[r->n_missing++] = is->name;
	}
	return 0;
}

static void not_filtered(const struct link_choice *choice, struct diag *diag)
{
	char so[IF_NAMESIZE + 32];

	snprintf(so, sizeof(so), "%s is NOT filtered", choice->link->name);
	warn(diag, so);
}

/* One that is there is not asked about again; what cannot be attached is no matter here. */
static int try_links(struct restore *r, struct diag *diag)
{
	struct diag ignored = {};
	int rc = choices_check(&r->choices, &ignored);

	diag_free(&ignored);
	return rc == -ENOMEM ? rc : enforce_try_links(&r->host, &r->choices, diag);
}

static int attach_all(struct restore *r, bool dry_run, struct diag *diag)
{
	int rc = choices_follow(&r->choices, &r->links, &r->remembered);

	if (!rc && !r->host.unguarded)
		rc = try_links(r, diag);
	if (!rc)
		rc = choices_attach_each(&r->host, &r->choices, dry_run, not_filtered, diag);
	return rc ? rc : find_missing(r);
}

static bool differs(const struct rule_pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++) {
		const struct rule *in_force = pairs->v[i].a, *file = pairs->v[i].b;

		/* A `for` of the file may have run out: it counts from an assignment. */
		if (in_force && file ? !rule_same_lists(in_force, file) : !file || !file->lifetime)
			return true;
	}
	return false;
}

/* What is in force is what was assigned. The file may say something else by now, or nothing. */
static int check_file(const struct store *store, struct diag *diag)
{
	const char *name = store->policy ? store->policy->name : NULL;
	char typed[POLICY_NAME_TYPED];
	struct policy *file = NULL;
	struct rule_pairs pairs = {};
	int rc;

	if (!name)
		return 0;
	/* Where changes wait for a file that is gone, it would be read as it is to be. */
	rc = shelf_must_have(store, name, diag);
	if (!rc)
		rc = policies_load(store, name, NULL, &file, diag);
	if (rc == -ENOMEM)
		return rc;
	if (rc) {
		diag_place_in_message(diag);
		warn(diag, "the rules as they were assigned last are in force: the policy's file "
			   "cannot be used as it is now");
		return 0;
	}
	rc = rule_pairs(store->policy, file, &pairs);
	if (!rc && differs(&pairs)) {
		diag_set(diag, DIAG_USAGE, EINVAL, "'bpfpol policy diff %s --in-force' shows it",
			policy_name_typed(name, typed));
		warn(diag, "the rules as they were assigned last are in force: the policy's file "
			   "differs from them");
	}
	rule_pairs_free(&pairs);
	policy_free(&file);
	return rc;
}

static void say_json(const struct args *args, const struct restore *r)
{
	const struct policy *policy = r->host.store ? r->host.store->policy : NULL;
	const struct link_choice *v = r->choices.v;
	bool dry_run = args->given & OPT_DRY_RUN;
	struct jw j;

	jw_begin(&j, stdout);
	jw_object(&j, NULL);
	jw_bool(&j, "off", r->host.off);
	jw_str(&j, "policy", policy ? policy->name : NULL);
	jw_u64(&j, "rules", policy ? policy->n : 0);
	jw_bool(&j, "salvaged", r->damaged);
	jw_bool(&j, "dry_run", dry_run);
	jw_array(&j, "interfaces");
	for (size_t i = 0; i < r->choices.n; i++)
		if (!v[i].failed && (!dry_run || v[i].how != ATTACH_NONE))
			jw_str(&j, NULL, v[i].link->name);
	jw_array_end(&j);
	jw_array(&j, "failed");
	for (size_t i = 0; i < r->choices.n; i++)
		if (v[i].failed && !dry_run)
			jw_str(&j, NULL, v[i].link->name);
	jw_array_end(&j);
	jw_array(&j, "missing");
	for (size_t i = 0; i < r->n_missing; i++)
		jw_str(&j, NULL, r->missing[i]);
	jw_array_end(&j);
	jw_object_end(&j);
}

static void say_text(const struct args *args, const struct restore *r)
{
	const struct policy *policy = r->host.store ? r->host.store->policy : NULL;
	bool dry_run = args->given & OPT_DRY_RUN;

	if (r->host.off && !r->host.off_left) {
		printf("Filtering is off, and stays so; 'bpfpol on' starts it again.\n");
		return;
	}
	if (r->host.off)
		printf("Filtering is off, and is back by itself in %" PRIu64 " s.\n",
			in_seconds(r->host.off_left));
	if (policy)
		printf("Policy '%s' %s in force: %zu rules.\n", policy->name,
			dry_run ? "would be" : "is", policy->n);
	else
		printf("No policy is assigned.\n");
	for (size_t i = 0; i < r->choices.n; i++) {
		const struct link_choice *c = &r->choices.v[i];

		if (dry_run)
			printf("Would filter on %s.\n", c->link->name);
		else if (!c->failed)
			printf("%s: %s.\n", c->link->name, attach_mode_text(c->how));
	}
	for (size_t i = 0; i < r->n_missing; i++)
		printf("%s is not there; when it is, 'bpfpol restore' filters it, too.\n",
			r->missing[i]);
}

/* A list of interfaces that was lost would go unnoticed: all else is as it should be. */
static void warn_nowhere(const struct restore *r, struct diag *diag)
{
	for (size_t i = 0; i < r->remembered.n; i++)
		if (r->remembered.v[i].mode != ATTACH_NONE)
			return;
	if (!r->host.store->policy || attached_any())
		return;
	diag_set(diag, DIAG_UNKNOWN, ENODEV,
		"no interface is remembered; 'bpfpol attach IFACE' says where to filter");
	warn(diag, "nothing is filtered");
}

static int restore(struct restore *r, bool dry_run, struct diag *diag)
{
	int rc = load(r, dry_run, diag);

	if (!rc)
		rc = nl_links_get(&r->links);
	if (!rc)
		rc = put_in_force(r, dry_run, diag);
	if (!rc && !dry_run)
		rc = enforce_alone(&r->host, diag);
	if (!rc)
		rc = attach_all(r, dry_run, diag);
	/* A boot has left nobody who waits for the end of a trial. */
	if (!rc && !dry_run && r->host.tried_left && due_arm(in_seconds(r->host.tried_left), diag))
		warn(diag, "what was attached on trial is detached by whatever command comes next");
	if (!rc)
		rc = check_file(r->host.store, diag);
	if (!rc)
		assign_warn_absent(r->host.store->policy, diag);
	if (!rc && !dry_run)
		warn_nowhere(r, diag);
	if (!rc)
		r->damaged |= r->host.store->stays;
	return rc;
}

/*
 * `off` asks for no lock, and may have come while interfaces were attached, which was undone then.
 * It is no failure: a restore that comes a moment later says the same.
 */
static bool off_came(struct host *host, const struct diag *diag)
{
	struct diag ignored = {};
	struct off off;
	bool came = diag->kind == DIAG_REFUSED && host->kernel && !host->off &&
		    !off_look(host->kernel, &off, &ignored) && off.is && !off.left;

	diag_free(&ignored);
	return came;
}

/*
 * While filtering is off: a store that is damaged is mended, as `on` could not read it, and one
 * that takes another's place is there to be read.
 */
static int mend(struct restore *r, bool dry_run, struct diag *diag)
{
	int rc = load(r, dry_run, diag);

	if (!rc && !dry_run)
		rc = write_anew(r, diag);
	if (!rc && !dry_run && r->host.take && r->host.kernel)
		tie_keep(r->host.kernel, true);
	return rc;
}

/* A boot puts back what was decided before, whoever that cuts: nobody is connected. */
static bool is_to_ask(void)
{
	struct diag diag = {};
	bool yes = protected_over_ssh(&diag);

	if (diag.kind != DIAG_NONE)
		warn(&diag, "it is not asked what the rules cut");
	diag_free(&diag);
	return yes;
}

static bool any_failed(const struct link_choices *c)
{
	bool any = false;

	for (size_t i = 0; i < c->n; i++)
		any |= c->v[i].failed;
	return any;
}

static void restore_free(struct restore *r)
{
	choices_free(&r->choices);
	free(r->missing);
	nl_links_free(&r->links);
	remembered_free(&r->remembered);
	host_close(&r->host);
}

int cmd_restore(const struct args *args, struct diag *diag)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	bool force = args->given & OPT_FORCE;
	struct restore r = {};
	int rc = args_none(args, diag);

	if (!rc)
		rc = host_open(&r.host,
			(dry_run ? HOST_READ : HOST_TEND) | HOST_SALVAGE | (force ? HOST_TAKE : 0),
			diag);
	r.host.unguarded = rc || force || !is_to_ask();
	if (!rc && r.host.off && !r.host.off_left) /* on trial the programs stand all the time */
		rc = mend(&r, dry_run, diag);
	else if (!rc)
		rc = restore(&r, dry_run, diag);
	if (rc && off_came(&r.host, diag)) {
		diag_clear(diag);
		choices_free(&r.choices);
		r.host.off = true;
		rc = 0;
	}
	if (!rc)
		(args->given & OPT_JSON ? say_json : say_text)(args, &r);
	if (!rc && (r.host.aside || (r.host.store && r.host.store->for_now)))
		rc = diag_set(diag, DIAG_SYSTEM, EIO,
			"not all of the store can be read, and nothing of it is changed; see the "
			"warnings");
	else if (!rc && r.damaged)
		rc = diag_set(diag, DIAG_SYSTEM, EBADMSG,
			"the store %s not as it was written: what could be saved of it is %s; "
			"look at it with 'bpfpol list', and see the warnings",
			dry_run ? "is" : "was",
			r.host.off ? "what 'bpfpol on' puts in force" : "in force");
	else if (!rc && r.host.off_unsure)
		rc = diag_set(diag, DIAG_SYSTEM, EIO,
			"nothing is filtered, as nobody knows until when that was to be; see the "
			"warnings");
	else if (!rc && any_failed(&r.choices))
		rc = diag_set(diag, DIAG_SYSTEM, EIO,
			"not every interface is filtered; see the warnings");
	/* Nothing was written in its place. */
	if (rc && !dry_run)
		store_move_back(r.host.store);
	restore_free(&r);
	return rc;
}
