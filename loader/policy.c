/* SPDX-License-Identifier: GPL-2.0-only */
#include "policy.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

int rule_new(struct rule **rule)
{
	struct rule *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->proto = PROTO_ANY;
	new->type = -1;
	new->code = -1;
	*rule = new;
	return 0;
}

static void end_free(struct end *end)
{
	free(end->file);
	free(end->list.v);
	free(end->ports.v);
}

void rule_free(struct rule **rule)
{
	if (!*rule)
		return;
	end_free(&(*rule)->from);
	end_free(&(*rule)->to);
	free((*rule)->ifname);
	free((*rule)->label);
	free(*rule);
	*rule = NULL;
}

static int copy_text(const char *from, char **to)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int copy_array(const void *from, size_t n, size_t size, void *to)
{
	void *copy = malloc(n * size + 1);

	if (copy && n)
		memcpy(copy, from, n * size);
	*(void **)to = copy;
	return copy ? 0 : -ENOMEM;
}

static int copy_end(const struct end *from, struct end *to)
{
	int rc = copy_text(from->file, &to->file);

	if (!rc)
		rc = copy_array(from->list.v, from->list.n, sizeof(*from->list.v), &to->list.v);
	if (!rc)
		rc = copy_array(from->ports.v, from->ports.n, sizeof(*from->ports.v), &to->ports.v);
	return rc;
}

int rule_copy(const struct rule *rule, struct rule **copy)
{
	struct rule *new = malloc(sizeof(*new));
	int rc;

	if (!new)
		return -ENOMEM;
	*new = *rule;
	new->ifname = new->label = NULL;
	new->from.file = new->to.file = NULL;
	new->from.list.v = new->to.list.v = NULL;
	new->from.ports.v = new->to.ports.v = NULL;
	rc = copy_end(&rule->from, &new->from);
	if (!rc)
		rc = copy_end(&rule->to, &new->to);
	if (!rc)
		rc = copy_text(rule->ifname, &new->ifname);
	if (!rc)
		rc = copy_text(rule->label, &new->label);
	if (rc)
		rule_free(&new);
	else
		*copy = new;
	return rc;
}

bool rule_has_list(const struct rule *rule)
{
	return rule->from.kind == END_FILE || rule->to.kind == END_FILE;
}

const char *list_host(const char *file)
{
	return strncmp(file, "dns:", 4) ? NULL : file + 4;
}

bool rule_has_host(const struct rule *rule)
{
	return (rule->from.kind == END_FILE && list_host(rule->from.file)) ||
	       (rule->to.kind == END_FILE && list_host(rule->to.file));
}

static bool same_list(const struct prefixes *a, const struct prefixes *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (prefix_cmp(&a->v[i], &b->v[i]))
			return false;
	return true;
}

bool rule_same_lists(const struct rule *a, const struct rule *b)
{
	return same_list(&a->from.list, &b->from.list) && same_list(&a->to.list, &b->to.list);
}

static bool same_word(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same_end(const struct end *a, const struct end *b)
{
	return a->kind == b->kind && a->ports.n == b->ports.n &&
	       (a->kind != END_PREFIX || !prefix_cmp(&a->prefix, &b->prefix)) &&
	       (a->kind != END_FILE || same_word(a->file, b->file)) &&
	       (!a->ports.n || !memcmp(a->ports.v, b->ports.v, a->ports.n * sizeof(*a->ports.v)));
}

bool rule_same_match(const struct rule *a, const struct rule *b)
{
	return a->dir == b->dir && a->emergency == b->emergency && a->proto == b->proto &&
	       a->type == b->type && a->code == b->code && same_word(a->ifname, b->ifname) &&
	       same_end(&a->from, &b->from) && same_end(&a->to, &b->to);
}

static bool same_rule(const struct rule *a, const struct rule *b)
{
	return a->id == b->id && a->action == b->action && a->layer == b->layer &&
	       a->log == b->log && a->included == b->included && a->lifetime == b->lifetime &&
	       a->deadline == b->deadline && same_word(a->label, b->label) &&
	       rule_same_match(a, b) && rule_same_lists(a, b);
}

static int by_id(const void *a, const void *b)
{
	const struct rule *const *x = a, *const *y = b;

	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

static struct rule **sorted(const struct policy *policy)
{
	struct rule **rules = calloc(policy->n + 1, sizeof(*rules));

	for (size_t i = 0; rules && i < policy->n; i++)
		rules[i] = policy->rules[i];
	if (rules)
		qsort(rules, policy->n, sizeof(*rules), by_id);
	return rules;
}

bool policy_same(const struct policy *a, const struct policy *b)
{
	struct rule **x, **y;
	bool same;

	if (a->n != b->n || strcmp(a->name, b->name))
		return false;
	x = sorted(a);
	y = sorted(b);
	same = x && y;
	for (size_t i = 0; same && i < a->n; i++)
		same = same_rule(x[i], y[i]);
	free(x);
	free(y);
	return same;
}

struct policy *policy_new(const char *name)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		return NULL;
	policy->name = strdup(name);
	if (!policy->name) {
		free(policy);
		return NULL;
	}
	return policy;
}

void policy_free(struct policy **policy)
{
	size_t i;

	if (!*policy)
		return;
	for (i = 0; i < (*policy)->n; i++)
		rule_free(&(*policy)->rules[i]);
	free((*policy)->rules);
	free((*policy)->name);
	free((*policy)->description);
	free(*policy);
	*policy = NULL;
}

int policy_add(struct policy *policy, struct rule **rule)
{
	if (policy->n == policy->room) {
		size_t room = policy->room ? 2 * policy->room : 16;
		struct rule **rules = reallocarray(policy->rules, room, sizeof(*rules));

		if (!rules)
			return -ENOMEM;
		policy->rules = rules;
		policy->room = room;
	}
	policy->rules[policy->n++] = *rule;
	*rule = NULL;
	return 0;
}

ptrdiff_t policy_find_id(const struct policy *policy, uint32_t id)
{
	size_t i;

	for (i = 0; i < policy->n; i++) {
		if (policy->rules[i]->id == id)
			return i;
	}
	return -1;
}

void policy_remove(struct policy *policy, size_t index)
{
	struct rule **at = &policy->rules[index];

	rule_free(at);
	policy->n--;
	memmove(at, at + 1, (policy->n - index) * sizeof(*at));
}

bool policy_names_interface(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n; i++)
		if (policy->rules[i]->ifname)
			return true;
	return false;
}

void policy_drop_lists(struct policy *policy)
{
	for (size_t i = 0; i < policy->n; i++) {
		struct end *ends[] = { &policy->rules[i]->from, &policy->rules[i]->to };

		for (int k = 0; k < 2; k++) {
			free(ends[k]->list.v);
			ends[k]->list = (struct prefixes){};
		}
	}
}

/*
 * An inout rule holds for what leaves with its ends exchanged: its `from` is remote both ways.
 * So the rule's own direction decides, whichever way the packet goes.
 */
const struct end *rule_remote(const struct rule *rule, enum bp_dir dir)
{
	(void)dir;
	return rule->dir == DIR_OUT ? &rule->to : &rule->from;
}

const struct end *rule_local(const struct rule *rule, enum bp_dir dir)
{
	(void)dir;
	return rule->dir == DIR_OUT ? &rule->from : &rule->to;
}

bool rule_has_dir(const struct rule *rule, enum bp_dir dir)
{
	return rule->dir == DIR_INOUT || rule->dir == (dir == BP_IN ? DIR_IN : DIR_OUT);
}

bool proto_has_ports(int proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
	       proto == IPPROTO_DCCP || proto == IPPROTO_UDPLITE;
}

bool proto_has_type(int proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static uint64_t number_of(const uint8_t bytes[8])
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return be64toh(word);
}

/* As numbers: a call of memcmp() for each was a tenth of what loading a million takes. */
int prefix_cmp(const struct prefix *a, const struct prefix *b)
{
	if (a->family != b->family)
		return a->family - b->family;
	for (size_t i = 0; i < sizeof(a->bytes); i += 8) {
		uint64_t x = number_of(a->bytes + i), y = number_of(b->bytes + i);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return a->len - b->len;
}

static int prefix_order(const void *a, const void *b)
{
	return prefix_cmp(a, b);
}

#define FEW_PREFIXES 4096
#define BUCKETS (2 << 16) /* IPv4 and IPv6, by their first 16 bits */

static size_t bucket_of(const struct prefix *p)
{
	return (p->family == 6 ? BUCKETS / 2 : 0) + (p->bytes[0] << 8) + p->bytes[1];
}

/* Of a million addresses 20 share a bucket: four times as fast as to sort them all. */
static int sort_by_buckets(struct prefixes *list)
{
	size_t *end = calloc(BUCKETS + 1, sizeof(*end));
	struct prefix *v = malloc(list->n * sizeof(*v));
	int rc = end && v ? 0 : -ENOMEM;

	for (size_t i = 0; i < list->n && !rc; i++)
		end[bucket_of(&list->v[i]) + 1]++;
	for (size_t i = 0; i < BUCKETS && !rc; i++)
		end[i + 1] += end[i];
	for (size_t i = 0; i < list->n && !rc; i++)
		v[end[bucket_of(&list->v[i])]++] = list->v[i];
	for (size_t i = 0; i < BUCKETS && !rc; i++) {
		size_t first = i ? end[i - 1] : 0;

		if (end[i] - first > 1)
			qsort(v + first, end[i] - first, sizeof(*v), prefix_order);
	}
	free(end);
	if (rc) {
		free(v);
		return rc;
	}
	free(list->v);
	list->v = v;
	return 0;
}

void prefixes_sort(struct prefixes *list)
{
	size_t kept = 0, i;

	if (!list->n)
		return;
	for (i = 1; i < list->n && prefix_cmp(&list->v[i - 1], &list->v[i]) <= 0; i++)
		;
	/* Copies of lists are in order, and many lists are. */
	if (i < list->n && (list->n < FEW_PREFIXES || sort_by_buckets(list)))
		qsort(list->v, list->n, sizeof(*list->v), prefix_order);
	for (i = 1; i < list->n; i++) {
		if (prefix_cmp(&list->v[kept], &list->v[i]))
			list->v[++kept] = list->v[i];
	}
	list->n = kept + 1;
}

bool prefix_holds(const struct prefix *prefix, int family, const uint8_t address[16])
{
	unsigned int whole = prefix->len / 8, rest = prefix->len % 8;

	if (prefix->family != family || memcmp(prefix->bytes, address, whole))
		return false;
	return !rest || !((prefix->bytes[whole] ^ address[whole]) >> (8 - rest));
}

static const char *const actions[] = {
	[BP_BLOCK] = "block",
	[BP_PERMIT] = "permit",
	[BP_COUNT] = "count",
};

static const char *const dirs[] = {
	[DIR_IN] = "in",
	[DIR_OUT] = "out",
	[DIR_INOUT] = "inout",
};

static const char *const layers[] = {
	[LAYER_STATIC] = "static",
	[LAYER_DYNAMIC] = "dynamic",
	[LAYER_DOMAIN] = "domain",
};

const char *action_name(enum bp_action action)
{
	return actions[action];
}

const char *dir_name(enum rule_dir dir)
{
	return dirs[dir];
}

const char *layer_name(enum rule_layer layer)
{
	return layers[layer];
}
