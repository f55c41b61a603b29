/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A filter of ipsecpol as rules. `0` on the right makes it one for what comes in, on the left for
 * what goes out; without `0` it is one of each, as written. A mirrored one is joined by those
 * with the ends exchanged. A name stays one, dns:NAME, and brings the addresses that it has now.
 */
#include "ipsecpol_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The addresses that an end stands for; for FILT_ME and FILT_ANY none, and `kind` says all. */
struct place {
	enum filt_kind kind;
	size_t name; /* FILT_NAME: which of out->names */
	struct prefixes is;
	int port;
};

static ptrdiff_t known_name(const struct ipsecpol *out, const char *name)
{
	for (size_t i = 0; i < out->n_names; i++)
		if (!strcmp(out->names[i].name, name))
			return i;
	return -1;
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

static int ask(const struct rules_of *of, struct span span, const char *name)
{
	struct prefixes addresses = {};
	const char *why = "it has no address";
	int err = of->env->resolve(name, &addresses, &why, of->env->arg);

	if (!err && !addresses.n)
		err = -ENOENT;
	if (err && err != -ENOMEM) {
		spec_fail(of->words, span, "no address is known for the host '%.*s': %s",
			SHOW(span), why);
		err = -EINVAL;
	}
	if (!err)
		err = add_name(of->out, name, &addresses);
	free(addresses.v);
	return err;
}

/* Each name is looked up once, so that all of a command means the same addresses. */
static int look_up(const struct rules_of *of, struct span span, size_t *found)
{
	char *name = strndup(span.s, span.len);
	int err = name ? 0 : -ENOMEM;

	for (char *c = name; c && *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c |= 0x20;
	if (!err && known_name(of->out, name) < 0)
		err = ask(of, span, name);
	if (!err)
		*found = known_name(of->out, name);
	free(name);
	return err;
}

static int find_place(const struct rules_of *of, struct filt_end *end, struct place *place)
{
	int err;

	*place = (struct place){ .kind = end->kind, .port = end->port };
	if (end->kind == FILT_PREFIX)
		place->is = (struct prefixes){ &end->prefix, 1 };
	if (end->kind != FILT_NAME)
		return 0;
	err = look_up(of, end->name, &place->name);
	if (!err)
		place->is = of->out->names[place->name].addresses;
	return err;
}

static int name_end(const struct ipsecpol_name *name, struct end *end)
{
	size_t len = strlen(name->name) + sizeof("dns:");

	end->kind = END_FILE;
	end->file = malloc(len);
	end->list.v = calloc(name->addresses.n, sizeof(*end->list.v));
	if (!end->file || !end->list.v)
		return -ENOMEM;
	snprintf(end->file, len, "dns:%s", name->name);
	end->list.n = name->addresses.n;
	memcpy(end->list.v, name->addresses.v, end->list.n * sizeof(*end->list.v));
	return 0;
}

static int set_end(const struct ipsecpol *out, struct end *end, const struct place *place)
{
	if (place->kind == FILT_NAME && name_end(&out->names[place->name], end))
		return -ENOMEM;
	if (place->kind == FILT_ME)
		end->kind = END_ME;
	if (place->kind == FILT_PREFIX) {
		end->kind = END_PREFIX;
		end->prefix = place->is.v[0];
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

static int fail_both(const struct rules_of *of, const struct filt *filt, const struct rule *rule)
{
	char *text = spec_text(rule, SPEC_MATCH);
	int err =
		text ? spec_fail(of->words, filt->at,
			       "'%s' is to be blocked and to pass: leave one of the two out", text)
		     : -ENOMEM;

	free(text);
	return err;
}

/* What was said twice is kept once. */
static int keep_rule(const struct rules_of *of, const struct filt *filt, struct rule **rule)
{
	const struct policy *policy = of->out->policy;

	for (size_t i = 0; i < policy->n; i++)
		if (rule_same_match(policy->rules[i], *rule))
			return policy->rules[i]->action == (*rule)->action
				       ? 0
				       : fail_both(of, filt, *rule);
	return policy_add(of->out->policy, rule);
}

/* One rule: what goes from `from` to `to`, arriving or leaving. */
struct one {
	enum rule_dir dir;
	const struct place *from, *to;
	const char *ifname;
};

static int add_rule(const struct rules_of *of, const struct filt *filt, const struct one *one)
{
	struct rule *rule = NULL;
	int err = rule_new(&rule);

	if (err)
		return err;
	rule->action = filt->action;
	rule->dir = one->dir;
	rule->proto = filt->proto;
	err = set_end(of->out, &rule->from, one->from);
	if (!err)
		err = set_end(of->out, &rule->to, one->to);
	if (!err && one->ifname)
		err = (rule->ifname = strdup(one->ifname)) ? 0 : -ENOMEM;
	if (!err && filt->label)
		err = (rule->label = strdup(filt->label)) ? 0 : -ENOMEM;
	if (!err)
		err = check_rule(of->words, filt, rule);
	if (!err)
		err = keep_rule(of, filt, &rule);
	rule_free(&rule);
	return err;
}

static int add_on_links(const struct rules_of *of, const struct filt *filt, enum rule_dir dir,
	const struct place *from, const struct place *to)
{
	struct one one = { .dir = dir, .from = from, .to = to };
	int err = 0;

	if (!of->n_links)
		return add_rule(of, filt, &one);
	for (size_t i = 0; i < of->n_links && !err; i++) {
		one.ifname = of->links[i];
		err = add_rule(of, filt, &one);
	}
	return err;
}

static int add_as_written(const struct rules_of *of, const struct filt *filt,
	const struct place *from, const struct place *to)
{
	int err = 0;

	if (from->kind != FILT_ME)
		err = add_on_links(of, filt, DIR_IN, from, to);
	if (!err && to->kind != FILT_ME)
		err = add_on_links(of, filt, DIR_OUT, from, to);
	return err;
}

/* Whether a packet of that family can be from, or to, that end. */
static bool has_family(const struct place *place, int family)
{
	for (size_t i = 0; i < place->is.n; i++)
		if (place->is.v[i].family == family)
			return true;
	return !place->is.n;
}

/* A rule of which a packet of neither family could be is a mistake, where a name shares in it. */
static bool fits(const struct filt *filt, const struct place *a, const struct place *b)
{
	const char *why;
	int proto = proto_family(filt->proto, &why);

	if (a->kind != FILT_NAME && b->kind != FILT_NAME)
		return true;
	for (int family = 4; family <= 6; family += 2)
		if ((!proto || proto == family) && has_family(a, family) && has_family(b, family))
			return true;
	return false;
}

int filt_rules(const struct rules_of *of, struct filt *filt)
{
	struct place left, right;
	int err = find_place(of, &filt->left, &left);

	if (!err)
		err = find_place(of, &filt->right, &right);
	if (!err && !fits(filt, &left, &right))
		return spec_fail(of->words, filt->at,
			"the two ends and the protocol have no address family in common: one is "
			"IPv4, another IPv6");
	if (!err)
		err = add_as_written(of, filt, &left, &right);
	if (!err && filt->mirrored)
		err = add_as_written(of, filt, &right, &left);
	return err;
}
