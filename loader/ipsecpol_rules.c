/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A filter of ipsecpol as rules. `0` on the right makes it one for what comes in, on the left for
 * what goes out; without `0` it is one of each, as written. A mirrored one is joined by those
 * with the ends exchanged. A name is a rule for each of its addresses.
 */
#include "ipsecpol_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The addresses that an end stands for; for FILT_ME and FILT_ANY none, and `kind` says all. */
struct place {
	enum filt_kind kind;
	const struct prefix *v;
	size_t n;
	int port;
};

static const struct ipsecpol_name *known_name(const struct ipsecpol *out, const char *name)
{
	for (size_t i = 0; i < out->n_names; i++)
		if (!strcmp(out->names[i].name, name))
			return &out->names[i];
	return NULL;
}

static int add_name(struct ipsecpol *out, const char *name, struct prefixes *addresses)
{
	struct ipsecpol_name *v = reallocarray(out->names, out->n_names + 1, sizeof(*out->names));

	if (v)
		out->names = v;
	if (!v || !(v[out->n_names].name = strdup(name)))
		return -ENOMEM;
	prefixes_sort(addresses);
	v[out->n_names++].addresses = *addresses;
	*addresses = (struct prefixes){};
	return 0;
}

/* Each name is looked up once, so that all of a command means the same addresses. */
static int look_up(const struct rules_of *of, struct span span, const struct ipsecpol_name **found)
{
	char *name = strndup(span.s, span.len);
	struct prefixes addresses = {};
	const char *why = "it has no address";
	int err;

	if (!name)
		return -ENOMEM;
	*found = known_name(of->out, name);
	if (*found) {
		free(name);
		return 0;
	}
	err = of->env->resolve(name, &addresses, &why, of->env->arg);
	if (!err && !addresses.n)
		err = -ENOENT;
	if (err && err != -ENOMEM) {
		spec_fail(of->words, span, "no address is known for the host '%.*s': %s",
			SHOW(span), why);
		of->words->diag->kind = DIAG_UNKNOWN;
		err = -ENOENT;
	}
	if (!err)
		err = add_name(of->out, name, &addresses);
	if (!err)
		*found = known_name(of->out, name);
	free(addresses.v);
	free(name);
	return err;
}

static int find_place(const struct rules_of *of, const struct filt_end *end, struct place *place)
{
	const struct ipsecpol_name *name;
	int err;

	*place = (struct place){ .kind = end->kind, .port = end->port };
	if (end->kind == FILT_PREFIX) {
		place->v = &end->prefix;
		place->n = 1;
	}
	if (end->kind != FILT_NAME)
		return 0;
	err = look_up(of, end->name, &name);
	if (err)
		return err;
	place->v = name->addresses.v;
	place->n = name->addresses.n;
	return 0;
}

static int set_end(struct end *end, const struct place *place, const struct prefix *prefix)
{
	if (place->kind == FILT_ME)
		end->kind = END_ME;
	if (prefix) {
		end->kind = END_PREFIX;
		end->prefix = *prefix;
	}
	if (place->port < 0)
		return 0;
	end->ports.v = malloc(sizeof(*end->ports.v));
	if (!end->ports.v)
		return -ENOMEM;
	end->ports.v[0] = (struct port_range){ place->port, place->port };
	end->ports.n = 1;
	return 0;
}

/* The rule language judges what is possible at all: the rule's own text must read back. */
static int check_rule(const struct words *words, const struct filt *filt, const struct rule *rule)
{
	const struct spec_opts opts = { .action = -1 };
	struct rule *again = NULL;
	struct diag diag = {};
	char *text = spec_text(rule, SPEC_ALL);
	int err = text ? spec_parse_line(text, &opts, &again, &diag) : -ENOMEM;

	if (err && err != -ENOMEM)
		spec_fail(words, filt->at, "%s", diag.message);
	rule_free(&again);
	diag_free(&diag);
	free(text);
	return err;
}

/* The rule of that match, or NULL. */
static const struct rule *same_match(const struct policy *policy, const char *text)
{
	for (size_t i = 0; i < policy->n; i++) {
		char *is = spec_text(policy->rules[i], SPEC_MATCH);
		bool same = is && !strcmp(is, text);

		free(is);
		if (same)
			return policy->rules[i];
	}
	return NULL;
}

/* What was said twice is kept once. */
static int keep_rule(const struct rules_of *of, const struct filt *filt, struct rule **rule)
{
	char *text = spec_text(*rule, SPEC_MATCH);
	const struct rule *is;
	int err = 0;

	if (!text)
		return -ENOMEM;
	is = same_match(of->out->policy, text);
	if (!is)
		err = policy_add(of->out->policy, rule);
	else if (is->action != (*rule)->action)
		err = spec_fail(of->words, filt->at,
			"'%s' is to be blocked and to pass: leave one of the two out", text);
	free(text);
	return err;
}

/* One rule: what goes from `from` to `to`, arriving or leaving. A name labels its rules. */
struct one {
	enum rule_dir dir;
	const struct place *from, *to;
	const struct prefix *src, *dst;
	const char *ifname;
};

static char *label_of(const struct filt *filt)
{
	const struct filt_end *end = filt->left.kind == FILT_NAME ? &filt->left : &filt->right;

	if (filt->label)
		return strdup(filt->label);
	return strndup(end->name.s, end->name.len);
}

static int add_rule(const struct rules_of *of, const struct filt *filt, const struct one *one)
{
	bool named = filt->left.kind == FILT_NAME || filt->right.kind == FILT_NAME;
	struct rule *rule = NULL;
	int err = rule_new(&rule);

	if (err)
		return err;
	rule->action = filt->action;
	rule->dir = one->dir;
	rule->proto = filt->proto;
	err = set_end(&rule->from, one->from, one->src);
	if (!err)
		err = set_end(&rule->to, one->to, one->dst);
	if (!err && one->ifname)
		err = (rule->ifname = strdup(one->ifname)) ? 0 : -ENOMEM;
	if (!err && (filt->label || named))
		err = (rule->label = label_of(filt)) ? 0 : -ENOMEM;
	if (!err)
		err = check_rule(of->words, filt, rule);
	if (!err)
		err = keep_rule(of, filt, &rule);
	rule_free(&rule);
	return err;
}

static int add_on_links(const struct rules_of *of, const struct filt *filt, struct one *one)
{
	int err = 0;

	if (!of->n_links)
		return add_rule(of, filt, one);
	for (size_t i = 0; i < of->n_links && !err; i++) {
		one->ifname = of->links[i];
		err = add_rule(of, filt, one);
	}
	return err;
}

/* Of a name's addresses those of the other family, or not of the protocol's, are left out. */
static bool fits(const struct filt *filt, const struct prefix *a, const struct prefix *b)
{
	const char *why;
	int family = proto_family(filt->proto, &why);

	if (filt->left.kind != FILT_NAME && filt->right.kind != FILT_NAME)
		return true;
	if (a && b && a->family != b->family)
		return false;
	return !family || ((!a || a->family == family) && (!b || b->family == family));
}

/* Every pair of addresses, in that direction. */
static int add_pairs(const struct rules_of *of, const struct filt *filt, enum rule_dir dir,
	const struct place *from, const struct place *to)
{
	int err = 0;

	for (size_t i = 0; i < (from->n ? from->n : 1) && !err; i++) {
		for (size_t j = 0; j < (to->n ? to->n : 1) && !err; j++) {
			struct one one = {
				.dir = dir,
				.from = from,
				.to = to,
				.src = from->n ? &from->v[i] : NULL,
				.dst = to->n ? &to->v[j] : NULL,
			};

			if (fits(filt, one.src, one.dst))
				err = add_on_links(of, filt, &one);
		}
	}
	return err;
}

static int add_as_written(const struct rules_of *of, const struct filt *filt,
	const struct place *from, const struct place *to)
{
	int err = 0;

	if (from->kind != FILT_ME)
		err = add_pairs(of, filt, DIR_IN, from, to);
	if (!err && to->kind != FILT_ME)
		err = add_pairs(of, filt, DIR_OUT, from, to);
	return err;
}

static bool any_fits(const struct filt *filt, const struct place *a, const struct place *b)
{
	for (size_t i = 0; i < (a->n ? a->n : 1); i++)
		for (size_t j = 0; j < (b->n ? b->n : 1); j++)
			if (fits(filt, a->n ? &a->v[i] : NULL, b->n ? &b->v[j] : NULL))
				return true;
	return false;
}

int filt_rules(const struct rules_of *of, const struct filt *filt)
{
	struct place left, right;
	int err = find_place(of, &filt->left, &left);

	if (!err)
		err = find_place(of, &filt->right, &right);
	/* The second look-up may have moved the names, but not their addresses. */
	if (!err && !any_fits(filt, &left, &right))
		return spec_fail(of->words, filt->at,
			"the two ends and the protocol have no address family in common: one is "
			"IPv4, another IPv6");
	if (!err)
		err = add_as_written(of, filt, &left, &right);
	if (!err && filt->mirrored)
		err = add_as_written(of, filt, &right, &left);
	return err;
}
