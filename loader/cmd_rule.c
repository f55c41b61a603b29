// SPDX-License-Identifier: GPL-2.0-only
/* block, permit, count, remove. */
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "await.h"
#include "clocks.h"
#include "command.h"
#include "dirs.h"
#include "env.h"
#include "first.h"
#include "json.h"
#include "links.h"
#include "lock.h"
#include "policies.h"
#include "seat.h"
#include "shelf.h"
#include "spec.h"
#include "tell.h"

/*
 * --rule says the same as `name`, which stands nearer and wins. Of two times none is nearer:
 * whoever says both means something that is not done.
 */
static int take_options(const struct args *args, struct rule *rule, struct diag *diag)
{
	if (args->lifetime && rule->lifetime) {
		diag_place(diag, "--for", 0, 5);
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"the rule has a time of its own, by `for`: leave one out");
	}
	if (args->lifetime && spec_parse_duration(args->lifetime, &rule->lifetime)) {
		diag_place_word(diag, args->lifetime);
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"'%s' is not a time; write 90s, 15m, 2h or 7d", args->lifetime);
	}
	if (args->rule && (!*args->rule || !text_is_printable(args->rule))) {
		diag_place_word(diag, args->rule);
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"a label is UTF-8 text without control characters, and not empty");
	}
	if (args->rule && !rule->label) {
		rule->label = strdup(args->rule);
		if (!rule->label)
			return -ENOMEM;
	}
	return 0;
}

static int check_here(const struct args *args, const struct rule *rule, struct diag *diag)
{
	int is = rule->ifname ? env_ifindex(rule->ifname, diag) : 1;

	if (is)
		return is < 0 ? is : 0;
	diag_place_word(diag, rule->ifname);
	for (int i = 1; i < args->n; i++)
		if (!strcmp(args->words[i - 1], "on") && !strcmp(args->words[i], rule->ifname))
			args_place(args, i, diag);
	return diag_set(diag, DIAG_UNKNOWN, ENODEV,
		"there is no interface '%s'; 'bpfpol interfaces' lists them", rule->ifname);
}

/* A host without addresses is an error. */
static void warn_empty(const struct rule *rule, struct diag *diag)
{
	const struct end *ends[] = { &rule->from, &rule->to };

	for (int i = 0; i < 2; i++) {
		if (ends[i]->kind != END_FILE || ends[i]->list.n || list_host(ends[i]->file))
			continue;
		diag_set(diag, DIAG_USAGE, ENODATA, "%s holds no address", ends[i]->file);
		diag_to_warning(diag, "the rule matches nothing, as its list is empty");
	}
}

/* Only what is in force can be tried. */
static int refuse_trial(const struct args *args, const char *what, struct diag *diag)
{
	diag_place_word(diag, args->confirm);
	return diag_set(diag, DIAG_USAGE, EINVAL,
		"--confirm is for static rules that are in force, not for %s: leave it out", what);
}

static int ask_trial(const struct args *args, struct host *host, struct diag *diag)
{
	uint64_t seconds;
	int rc = args_confirm(args, &seconds, diag);

	return rc ? rc : await_ask(host, seconds, diag);
}

/* Whether --policy names one that is not assigned. Without it, nothing is read. */
static int is_elsewhere(
	const struct args *args, struct host *host, bool *elsewhere, struct diag *diag)
{
	int rc = args->policy ? policies_check_name(args->policy, diag) : 0;

	*elsewhere = false;
	if (rc || !args->policy)
		return rc;
	rc = host_store_names(host, diag);
	if (!rc)
		*elsewhere = !store_is_assigned(host->store, args->policy);
	if (!rc && *elsewhere && args->confirm)
		rc = refuse_trial(args, "those of a policy that is not assigned", diag);
	return rc;
}

/* What a rule was added to, or changed in, when that is not what is in force. "": it is. */
static void not_in_force(const struct args *args, const struct host *host, char *buf, size_t size)
{
	if (args->given & OPT_DYNAMIC)
		snprintf(buf, size, " (dynamic)%s",
			host->off ? ", and waits: filtering is off" : "");
	else if (args->policy && !store_is_assigned(host->store, args->policy))
		snprintf(buf, size, " in policy '%s', which is not assigned", args->policy);
	else
		snprintf(buf, size, "%s", host->off ? " in the store; filtering is off" : "");
}

/* What was done awaits confirmation. */
static bool on_trial(const struct host *host)
{
	return host->confirm && host->store && host->store->confirm.seconds;
}

/* A rule in words, made before anything is done: to say what was done must not fail then. */
struct said {
	char *text, *timed; /* without and with the time that was asked for */
	uint64_t seconds;   /* that time; 0: for good */
};

/* Its time begins when all else is done that takes long: to wait, to attach. */
static void begin(struct rule *rule, const struct said *said)
{
	if (said->seconds)
		rule->deadline = wall_deadline(said->seconds);
}

/* From here on the rule has a deadline. With it a lifetime would be one that its file says. */
static int said_new(struct rule *rule, struct said *said)
{
	*said = (struct said){ .timed = spec_text(rule, SPEC_ALL), .seconds = rule->lifetime };
	begin(rule, said);
	rule->lifetime = 0;
	said->text = spec_text(rule, SPEC_ALL);
	return said->text && said->timed ? 0 : -ENOMEM;
}

static void said_free(struct said *said)
{
	free(said->text);
	free(said->timed);
}

/* Otherwise an equal rule stands, and ends when it would have. */
static bool ends_as_asked(const struct applied *applied)
{
	return applied->outcome == APPLIED || applied->outcome == APPLIED_PROLONGED;
}

static void json_applied(const struct args *args, const char *outcome,
	const struct applied *applied, const struct said *said, const struct host *host,
	const struct link_choices *first, const struct names *names)
{
	struct jw j;

	jw_begin(&j, stdout);
	jw_object(&j, NULL);
	jw_str(&j, "outcome", outcome);
	jw_u64(&j, "id", applied->id);
	jw_str(&j, "rule", said->text);
	if (ends_as_asked(applied) && said->seconds)
		jw_u64(&j, "expires_in", said->seconds);
	jw_str(&j, "layer", args->given & OPT_DYNAMIC ? "dynamic" : "static");
	if (args->policy) {
		jw_str(&j, "policy", args->policy);
		jw_bool(&j, "in_force", !host->off && store_is_assigned(host->store, args->policy));
	}
	json_attached(&j, first);
	if (on_trial(host))
		jw_u64(&j, "confirm_in", host->confirm);
	if (names->n)
		names_json(names, &j);
	jw_object_end(&j);
}

static void say_applied(const struct args *args, const struct applied *applied,
	const struct said *said, const struct host *host, const struct link_choices *first,
	const struct names *names)
{
	static const char *const outcomes[] = {
		[APPLIED] = "added",
		[APPLIED_ALREADY] = "already there",
		[APPLIED_REPLACED] = "replaced",
		[APPLIED_PROLONGED] = "replaced",
	};
	static const char *const done[] = {
		[APPLIED] = "added",
		[APPLIED_REPLACED] = "changed; it was already there",
		[APPLIED_PROLONGED] = "changed; it was already there, and the later end holds",
	};
	const char *text = ends_as_asked(applied) ? said->timed : said->text;
	bool dry_run = args->given & OPT_DRY_RUN;
	char where[POLICY_NAME_MOST + 64];

	if (args->given & OPT_JSON) {
		json_applied(args,
			dry_run && applied->outcome != APPLIED_ALREADY ? "dry run"
								       : outcomes[applied->outcome],
			applied, said, host, first, names);
		return;
	}
	say_attached(first);
	names_print(names);
	not_in_force(args, host, where, sizeof(where));
	if (applied->assigned)
		printf("Policy 'local' %s assigned, with the rules that its file has.\n",
			dry_run ? "would be" : "is");
	if (applied->outcome == APPLIED_ALREADY)
		printf("Rule %" PRIu32 " is already there%s%s: %s\n", applied->id,
			said->seconds ? ", and ends no earlier" : "", where, text);
	else if (dry_run)
		printf("Would %s rule %" PRIu32 "%s: %s\n",
			applied->outcome == APPLIED ? "add" : "change", applied->id, where, text);
	else
		printf("Rule %" PRIu32 " %s%s: %s\n", applied->id, done[applied->outcome], where,
			text);
	if (on_trial(host))
		say_confirm(host->confirm);
}

/* To what is in force; attaches first if nothing is attached. */
static int add_in_force(const struct args *args, struct host *host, struct rule **rule,
	const struct said *said, const struct apply_opts *opts, struct first_links *first,
	struct applied *applied, struct diag *diag)
{
	unsigned int in = rule_has_dir(*rule, BP_IN), out = rule_has_dir(*rule, BP_OUT);
	char on[IF_NAMESIZE] = "";
	int rc = refuse_while_off(host, args, diag);

	if ((*rule)->ifname) /* the rule is the store's, then */
		snprintf(on, sizeof(on), "%s", (*rule)->ifname);
	if (!rc)
		rc = first_links_begin(host, first, opts->dry_run, diag);
	begin(*rule, said);
	if (!rc)
		rc = apply_add(host, rule, opts, applied, diag);
	if (rc && !opts->dry_run)
		choices_undo(host, &first->choices);
	if (!rc && !opts->dry_run)
		warn_one_way(host, in << BP_IN | out << BP_OUT, diag);
	if (!rc && !opts->dry_run && !host->off && *on)
		warn_not_there(on, diag);
	return rc;
}

/* Opens the host for the change. *elsewhere: it is of a policy that is not in force. */
static int open_for(const struct args *args, const struct apply_opts *opts, struct host *host,
	bool *elsewhere, struct diag *diag)
{
	int rc = host_open(host, opts->dry_run ? HOST_TRY : HOST_CHANGE, diag);

	host->unguarded = opts->force;
	if (!rc)
		rc = ask_trial(args, host, diag);
	return rc ? rc : is_elsewhere(args, host, elsewhere, diag);
}

static int add_rule(const struct args *args, struct rule **rule, const struct said *said,
	struct names *names, struct diag *diag)
{
	struct apply_opts opts = {
		.dry_run = args->given & OPT_DRY_RUN,
		.force = args->given & OPT_FORCE,
		.names = names,
	};
	struct first_links first = {};
	struct applied applied;
	struct host host = {};
	const struct policy rules = { .rules = rule, .n = 1 };
	bool elsewhere;
	int rc = open_for(args, &opts, &host, &elsewhere, diag);

	begin(*rule, said);
	if (!rc)
		rc = elsewhere
			     ? shelf_add(&host, args->policy, &rules, false, &opts, &applied, diag)
			     : add_in_force(args, &host, rule, said, &opts, &first, &applied, diag);
	if (!rc) {
		names_warn(names, diag);
		say_applied(args, &applied, said, &host, &first.choices, names);
	}
	first_links_free(&first);
	host_close(&host);
	return rc;
}

/* The same into the agent, and by it into the kernel. */
static int add_dynamic(const struct args *args, struct rule *rule, const struct said *said,
	struct names *names, struct diag *diag)
{
	const struct policy rules = { .rules = &rule, .n = 1 };
	struct first_links first = {};
	struct applied applied = {};
	struct host host = {};
	int rc = dynamic_put(args, &rules, &first, &applied, &host.off, diag);

	if (!rc) {
		if (rule->ifname && !host.off && !(args->given & OPT_DRY_RUN))
			warn_not_there(rule->ifname, diag);
		names_warn(names, diag);
		say_applied(args, &applied, said, &host, &first.choices, names);
	}
	first_links_free(&first);
	return rc;
}

/* The agent's rules are of no policy. */
static int check_dynamic(const struct args *args, struct diag *diag)
{
	if (args->given & OPT_DYNAMIC && args->confirm)
		return refuse_trial(args, "the agent's", diag);
	if (!(args->given & OPT_DYNAMIC) || !args->policy)
		return 0;
	diag_place_word(diag, args->policy);
	return diag_set(diag, DIAG_USAGE, EINVAL,
		"a dynamic rule belongs to no policy: leave out --policy, or --dynamic");
}

static int cmd_add(const struct args *args, enum bp_action action, struct diag *diag)
{
	const struct spec_opts opts = { .action = action };
	struct names names = {};
	struct rule *rule = NULL;
	struct said said = {};
	int rc = check_dynamic(args, diag);

	if (!rc)
		rc = spec_parse_args(args->n, args->words, &opts, &rule, diag);
	if (!rc)
		rc = take_options(args, rule, diag);
	if (!rc)
		rc = check_here(args, rule, diag);
	if (!rc)
		rc = store_read_lists(rule, &names, diag);
	if (!rc)
		warn_empty(rule, diag);
	if (!rc)
		rc = said_new(rule, &said);
	if (!rc)
		rc = args->given & OPT_DYNAMIC ? add_dynamic(args, rule, &said, &names, diag)
					       : add_rule(args, &rule, &said, &names, diag);
	said_free(&said);
	names_free(&names);
	rule_free(&rule);
	return rc;
}

int cmd_block(const struct args *args, struct diag *diag)
{
	return cmd_add(args, BP_BLOCK, diag);
}

int cmd_permit(const struct args *args, struct diag *diag)
{
	return cmd_add(args, BP_PERMIT, diag);
}

int cmd_count(const struct args *args, struct diag *diag)
{
	return cmd_add(args, BP_COUNT, diag);
}

static void say_removed(const struct args *args, const struct apply_removed *removed, bool dynamic)
{
	uint64_t seconds = args->confirm ? strtoul(args->confirm, NULL, 10) : 0; /* it was read */
	struct jw j;

	if (!(args->given & OPT_JSON)) {
		for (size_t i = 0; i < removed->n; i++)
			printf("%s rule %" PRIu32 "%s.\n",
				args->given & OPT_DRY_RUN ? "Would remove" : "Removed",
				removed->ids[i], dynamic ? " (dynamic)" : "");
		say_confirm(args->given & OPT_DRY_RUN ? 0 : seconds);
		return;
	}
	jw_begin(&j, stdout);
	jw_object(&j, NULL);
	jw_str(&j, "outcome", args->given & OPT_DRY_RUN ? "dry run" : "removed");
	jw_str(&j, "layer", dynamic ? "dynamic" : "static");
	jw_array(&j, "ids");
	for (size_t i = 0; i < removed->n; i++)
		jw_u64(&j, NULL, removed->ids[i]);
	jw_array_end(&j);
	if (seconds)
		jw_u64(&j, "confirm_in", seconds);
	jw_object_end(&j);
}

/* The absolute path of a file that may be gone by now. */
static char *absolute(const char *file)
{
	char *path = realpath(file, NULL), *copy, *dir, *name;

	if (path || errno != ENOENT)
		return path;
	copy = strdup(file);
	name = copy ? strrchr(copy, '/') : NULL;
	if (name)
		*name++ = '\0';
	dir = realpath(name ? (*copy ? copy : "/") : ".", NULL);
	if (copy && dir)
		path = path_join(dir, "%s", name ? name : copy);
	free(dir);
	free(copy);
	return path;
}

/* Paths are kept absolute, so that a list is found again from any directory. */
static void absolute_lists(struct rule *rule)
{
	struct end *ends[] = { &rule->from, &rule->to };

	for (int i = 0; i < 2; i++) {
		bool is_file = ends[i]->kind == END_FILE && !list_host(ends[i]->file);
		char *path = is_file ? absolute(ends[i]->file) : NULL;

		if (path) {
			free(ends[i]->file);
			ends[i]->file = path;
		}
	}
}

/* No such rule: all that was said of it is the place. */
static void place_unknown(const struct args *args, struct diag *diag)
{
	if (args->id)
		diag_place_word(diag, args->id);
	else
		args_place(args, 0, diag);
	if (diag->text)
		diag->width = strlen(diag->text);
}

/* By its id, or as it is written; one of the two. */
static int act_remove(const struct args *args, const struct rule *rule, int action,
	struct apply_removed *removed, struct diag *diag)
{
	struct apply_opts opts = {
		.dry_run = args->given & OPT_DRY_RUN,
		.force = args->given & OPT_FORCE,
	};
	uint32_t id = removed->ids[0];
	struct host host = {};
	bool elsewhere;
	int rc = open_for(args, &opts, &host, &elsewhere, diag);

	if (!rc && rule)
		rc = elsewhere
			     ? shelf_remove(&host, args->policy, rule, action, &opts, removed, diag)
			     : apply_remove(&host, rule, action, &opts, removed, diag);
	else if (!rc)
		rc = elsewhere ? shelf_remove_id(&host, args->policy, id, &opts, diag)
			       : apply_remove_id(&host, id, &opts, diag);
	host_close(&host);
	return rc;
}

static int act_remove_dynamic(const struct args *args, const struct rule *rule, int action,
	struct apply_removed *removed, struct diag *diag)
{
	return rule ? dynamic_remove_rule(args, rule, action, removed, diag)
		    : dynamic_remove_id(args, removed->ids[0], diag);
}

/* One like it is dynamic, or else covers it where no static one was named: what is to be said. */
static void point_to_dynamic(const struct rule *rule, int action, bool named, struct diag *diag)
{
	const struct apply_opts look = { .dry_run = true };
	struct apply_removed found;
	struct diag says = {};

	if (!tell_remove(rule, action, &look, &found, &says))
		diag_set(diag, DIAG_UNKNOWN, ENOENT,
			"no static rule has that match, but dynamic rule %" PRIu32 " does: add "
			"--dynamic, or write --id %" PRIu32,
			found.ids[0], found.ids[0]);
	else if (!named && says.kind == DIAG_UNKNOWN)
		diag_set(diag, DIAG_UNKNOWN, ENOENT, "%s", says.message);
	diag_free(&says);
}

/* The other way round. */
static void point_to_static(
	const struct args *args, const struct rule *rule, int action, struct diag *diag)
{
	struct args look = { .given = args->given | OPT_DRY_RUN | OPT_FORCE };
	struct apply_removed found = {};
	struct diag ignored = {};

	if (!act_remove(&look, rule, action, &found, &ignored))
		diag_set(diag, DIAG_UNKNOWN, ENOENT,
			"no dynamic rule has that match, but static rule %" PRIu32
			" does: leave out --dynamic, or write --id %" PRIu32,
			found.ids[0], found.ids[0]);
	diag_free(&ignored);
}

/* Ids are of one sequence, so whoever names one need not say where it stands. */
static int try_dynamic(const struct args *args, const struct rule *rule, int action, bool named,
	struct apply_removed *removed, bool *dynamic, struct diag *diag)
{
	int pid, rc = -ENOENT;

	lock_release(); /* the agent may take a while, and want it */
	if (!seat_is_taken(&pid))
		return rc;
	if (rule) {
		point_to_dynamic(rule, action, named, diag);
		return rc;
	}
	diag_clear(diag);
	rc = dynamic_remove_id(args, removed->ids[0], diag);
	*dynamic = !rc;
	return rc;
}

static int act_remove_any(const struct args *args, const struct rule *rule, int action,
	struct apply_removed *removed, bool *dynamic, struct diag *diag)
{
	int rc;

	*dynamic = args->given & OPT_DYNAMIC;
	if (*dynamic) {
		rc = act_remove_dynamic(args, rule, action, removed, diag);
		if (rc && rule && diag->kind == DIAG_UNKNOWN)
			point_to_static(args, rule, action, diag);
		return rc;
	}
	rc = act_remove(args, rule, action, removed, diag);
	if (rc && diag->kind == DIAG_UNKNOWN && !args->policy && !args->confirm)
		rc = try_dynamic(args, rule, action, rc == -EEXIST, removed, dynamic, diag);
	return rc;
}

int remove_by_id(uint32_t id, struct diag *diag)
{
	struct apply_removed removed = { .ids = { id }, .n = 1 };
	bool dynamic;

	return act_remove_any(&(struct args){}, NULL, -1, &removed, &dynamic, diag);
}

static int remove_rule(const struct args *args, const struct rule *rule, int action, uint32_t id,
	struct diag *diag)
{
	struct apply_removed removed = { .ids = { id }, .n = 1 };
	bool dynamic;
	int rc = act_remove_any(args, rule, action, &removed, &dynamic, diag);

	if (!rc)
		say_removed(args, &removed, dynamic);
	else if (diag->kind == DIAG_UNKNOWN && !diag->text)
		place_unknown(args, diag);
	return rc;
}

int cmd_remove(const struct args *args, struct diag *diag)
{
	bool has_action = false;
	const struct spec_opts opts = {
		.action = -1, .action_optional = true, .has_action = &has_action
	};
	struct rule *rule = NULL;
	uint32_t id = 0;
	int rc = check_dynamic(args, diag);

	if (rc)
		return rc;
	if (args->id) {
		rc = args_id(args, &id, diag);
		return rc ? rc : remove_rule(args, NULL, -1, id, diag);
	}
	rc = spec_parse_args(args->n, args->words, &opts, &rule, diag);
	if (!rc) {
		absolute_lists(rule);
		rc = remove_rule(args, rule, has_action ? (int)rule->action : -1, 0, diag);
	}
	rule_free(&rule);
	return rc;
}
