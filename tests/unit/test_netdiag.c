/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "netdiag.h"
#include "spec.h"

#define MAX 16

/* A host with three addresses, its loopback's, one filtered interface, and filters. */
struct world {
	struct prefix address[8];
	struct prefixes addresses;
	struct status_interface iface[2];
	struct status_filter filter[MAX];
	struct status status;
	struct netdiag nd;
};

static void add_address(struct world *w, const char *text)
{
	const char *why;

	assert_int_equal(
		spec_parse_prefix(text, strlen(text), &w->address[w->addresses.n++], &why), 0);
}

static void world_make(struct world *w)
{
	*w = (struct world){};
	add_address(w, "10.77.0.2");
	add_address(w, "127.0.0.1");
	add_address(w, "192.0.2.7");
	add_address(w, "::1");
	add_address(w, "fd77::2");
	w->addresses.v = w->address;
	w->iface[0] = (struct status_interface){
		.name = "lo", .ifindex = 1, .ingress = "none", .egress = "none"
	};
	w->iface[1] = (struct status_interface){
		.name = "eth0", .ifindex = 2, .ingress = "xdp-native", .egress = "tcx"
	};
	w->status = (struct status){ .policy = "Block UDP 1434 Filter",
		.generation = 3,
		.interfaces = w->iface,
		.n_interfaces = 2,
		.filters = w->filter };
	w->nd = (struct netdiag){ .status = &w->status,
		.addresses = &w->addresses,
		.machine_id = "0123456789abcdef0123456789abcdef",
		.path = "/etc/bpfpol/policies/Block UDP 1434 Filter.policy",
		.debug = true };
}

static void put_filter(const struct filter *f, const struct rule *rule, struct status_filter *out)
{
	uint32_t print;

	assert_int_equal(rule_print(rule, &print), 0);
	*out = (struct status_filter){ .filter = *f,
		.rule = rule->id,
		.ifindex = rule->ifname ? 2 : 0,
		.print = print,
		.action = rule->action,
		.layer = rule->layer };
}

static int keep_filter(const struct filter *f, void *arg)
{
	struct world *w = ((void **)arg)[0];

	if (is_shadow(&f->shape))
		return 0;
	assert_true(w->status.n_listed < MAX);
	put_filter(f, ((void **)arg)[1], &w->filter[w->status.n_listed++]);
	return 0;
}

static void add_rule_of(struct world *w, enum rule_layer layer, const char *text)
{
	const struct spec_opts opts = { .action = -1 };
	struct rule *rule = NULL;
	struct diag diag = {};
	void *both[2] = { w };

	if (spec_parse_line(text, &opts, &rule, &diag))
		fail_msg("%s: %s", text, diag.message);
	rule->layer = layer;
	both[1] = rule;
	assert_int_equal(filter_each(rule, keep_filter, both), 0);
	rule_free(&rule);
}

static void add_rule(struct world *w, const char *text)
{
	add_rule_of(w, LAYER_STATIC, text);
}

static char *print(const struct world *w, int (*report)(FILE *, const struct netdiag *))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(report(out, &w->nd), 0);
	fclose(out);
	return text;
}

/* The text with each GUID as {...}, so that it can be compared. */
static char *print_blank(const struct world *w)
{
	char *text = print(w, netdiag_text), *at = text;

	while ((at = strchr(at, '{'))) {
		assert_int_equal(strcspn(at, "}"), 37);
		memmove(at + 4, at + 37, strlen(at + 37) + 1);
		memcpy(at, "{...", 4);
		at++;
	}
	return text;
}

static void says(const struct world *w, const char *expected)
{
	char *text = print_blank(w);

	assert_string_equal(text, expected);
	free(text);
}

#define HEAD "IP Security test . . . . . . . . . : "
#define ACTIVE HEAD "Passed\nLocal IPSec Policy Active: 'Block UDP 1434 Filter'\n"
#define PATH "IP Security Policy Path: /etc/bpfpol/policies/Block UDP 1434 Filter.policy\n\n"
#define IDS "No Name\nFilter Id: {...}\nPolicy Id: {...}\n"

static void no_policy(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	w.status.policy = NULL;
	says(&w, HEAD "Passed\nIPSec policy service is active, but no policy is assigned.\n");
}

static void first_lines(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	w.nd.debug = false;
	says(&w, ACTIVE);
	w.nd.directory = true;
	says(&w, HEAD "Passed\nDirectory IPSec Policy Active: 'Block UDP 1434 Filter'\n");
	w.nd.directory = false;
	w.nd.debug = true;
	says(&w, ACTIVE PATH "There are 0 filters\n");
}

#define NOT_IN_FORCE \
	HEAD "Failed\nLocal IPSec Policy assigned, but NOT IN FORCE: 'Block UDP 1434 Filter'\n"

static void not_in_force(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	add_rule(&w, "block udp/1434");
	w.status.off = true;
	says(&w, NOT_IN_FORCE "filtering is off; 'bpfpol on' starts it again.\n");
	w.status.off = false;
	w.status.generation = 0;
	says(&w, NOT_IN_FORCE "it is on disk alone; 'bpfpol restore' puts it in force.\n");
	w.status.generation = 3;
	w.iface[1].egress = "none";
	w.iface[1].ingress = "none";
	says(&w, NOT_IN_FORCE "no interface is filtered; 'bpfpol attach IFACE' changes that.\n");
	w.iface[1].egress = "tcx";
	w.status.n_listed = 0;
	says(&w, ACTIVE PATH "There are 0 filters\n");
}

#define IN_UDP(ADDR, MASK)                                          \
	IDS "Src Addr : 0.0.0.0 Src Mask : 0.0.0.0\n"               \
	    "Dest Addr : " ADDR " Dest Mask : " MASK "\n"           \
	    "Tunnel Addr : 0.0.0.0 Src Port : 0 Dest Port : 1434\n" \
	    "Protocol : 17 TunnelFilter: No\nFlags : Inbound Block\n"

#define DYNAMIC                                                  \
	IDS "Src Addr : 203.0.113.0 Src Mask : 255.255.255.0\n"  \
	    "Dest Addr : 0.0.0.0 Dest Mask : 0.0.0.0\n"          \
	    "Tunnel Addr : 0.0.0.0 Src Port : 0 Dest Port : 0\n" \
	    "Protocol : 0 TunnelFilter: No\nFlags : Inbound Block\nDynamic : Yes\n"

/* They are in force whatever becomes of the policy, but not while nothing is filtered. */
static void dynamic_rules(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	add_rule_of(&w, LAYER_DYNAMIC, "block from 203.0.113.0/24");
	add_rule(&w, "block udp/1434 from 198.51.100.7");
	w.status.generation = 0;
	says(&w, NOT_IN_FORCE "it is on disk alone; 'bpfpol restore' puts it in force.\n" PATH
			      "There are 1 filters\n" DYNAMIC);
	w.status.policy = NULL;
	says(&w, HEAD "Passed\nIPSec policy service is active, but no policy is assigned.\n"
		      "\nThere are 1 filters\n" DYNAMIC);
	w.status.off = true;
	says(&w, HEAD "Passed\nIPSec policy service is active, but no policy is assigned.\n");
}

static void me_is_each_address(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	add_rule(&w, "block udp/1434 to me");
	assert_int_equal(w.status.n_listed, 2);
	says(&w, ACTIVE PATH "There are 3 filters\n" IN_UDP("10.77.0.2", "255.255.255.255")
			 IN_UDP("192.0.2.7", "255.255.255.255") IDS
		"Src Addr : :: Src Mask : /0\nDest Addr : fd77::2 Dest Mask : /128\n"
		"Tunnel Addr : 0.0.0.0 Src Port : 0 Dest Port : 1434\n"
		"Protocol : 17 TunnelFilter: No\nFlags : Inbound Block\n");
	w.addresses.n = 2;
	says(&w, ACTIVE PATH "There are 1 filters\n" IN_UDP("10.77.0.2", "255.255.255.255"));
	w.addresses.n = 0;
	says(&w, ACTIVE PATH "There are 0 filters\n");
}

static void outbound_has_the_ends_exchanged(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	add_rule(&w,
		"permit out tcp from 10.1.0.0/16 port 7 to 198.51.100.0/255.255.255.252 port 25");
	says(&w, ACTIVE PATH "There are 1 filters\n" IDS
			     "Src Addr : 10.1.0.0 Src Mask : 255.255.0.0\n"
			     "Dest Addr : 198.51.100.0 Dest Mask : 255.255.255.252\n"
			     "Tunnel Addr : 0.0.0.0 Src Port : 7 Dest Port : 25\n"
			     "Protocol : 6 TunnelFilter: No\nFlags : Outbound Permit\n");
}

static void what_windows_had_not(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	add_rule(&w, "block in on eth0 tcp from 10.0.0.0/8 to port 6000-6063");
	add_rule(&w, "block icmp type 3 code 4 from 10.0.0.1 to 10.0.0.2");
	add_rule(&w, "count udp/53");
	says(&w, ACTIVE PATH
		"There are 2 filters\n" IDS "Src Addr : 10.0.0.0 Src Mask : 255.0.0.0\nDest Addr : "
		"0.0.0.0 Dest Mask : 0.0.0.0\n"
		"Tunnel Addr : 0.0.0.0 Src Port : 0 Dest Port : 6000-6063\n"
		"Protocol : 6 TunnelFilter: No\nFlags : Inbound Block\nInterface : eth0\n" IDS
		"Src Addr : 10.0.0.1 Src Mask : 255.255.255.255\n"
		"Dest Addr : 10.0.0.2 Dest Mask : 255.255.255.255\n"
		"Tunnel Addr : 0.0.0.0 Src Port : 0 Dest Port : 0\n"
		"Protocol : 1 TunnelFilter: No\nFlags : Inbound Block\nICMP Type : 3 Code : 4\n"
		"\n2 more only count and decide nothing; 'bpfpol status --debug' shows them.\n");
}

static json_t *load(const struct world *w)
{
	char *text = print(w, netdiag_json);
	json_error_t error;
	json_t *root = json_loads(text, 0, &error);

	if (!root)
		fail_msg("%s: %s", error.text, text);
	free(text);
	return root;
}

static const char *string_at(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void as_json(void **state)
{
	json_t *root, *filters, *first;
	struct world w;

	(void)state;
	world_make(&w);
	add_rule(&w, "block udp/1434 to me");
	root = load(&w);
	filters = json_object_get(root, "filters");
	first = json_array_get(filters, 0);
	assert_true(json_is_true(json_object_get(root, "passed")));
	assert_true(json_is_null(json_object_get(root, "why")));
	assert_string_equal(string_at(json_object_get(root, "policy"), "source"), "local");
	assert_int_equal(json_array_size(filters), 3);
	assert_string_equal(string_at(first, "dest_addr"), "10.77.0.2");
	assert_string_equal(string_at(first, "dest_mask"), "255.255.255.255");
	assert_string_equal(
		string_at(first, "policy_id"), string_at(json_object_get(root, "policy"), "id"));
	assert_true(json_is_null(json_object_get(first, "src_ports")));
	assert_true(json_is_null(json_object_get(first, "interface")));
	assert_int_equal(json_integer_value(json_object_get(first, "protocol")), 17);
	json_decref(root);
	w.status.policy = NULL;
	root = load(&w);
	assert_true(json_is_null(json_object_get(root, "policy")));
	json_decref(root);
}

/* All filter ids, one after the other. */
static char *ids(const struct world *w)
{
	json_t *root = load(w), *filters = json_object_get(root, "filters");
	char *all = calloc(1, 40 * (json_array_size(filters) + 1));

	for (size_t i = 0; i < json_array_size(filters); i++) {
		strcat(all, string_at(json_array_get(filters, i), "filter_id"));
		strcat(all, " ");
	}
	json_decref(root);
	return all;
}

static void ids_are_stable(void **state)
{
	char *before, *after;
	struct world w;

	(void)state;
	world_make(&w);
	add_rule(&w, "block udp/1434 to me");
	before = ids(&w);
	for (size_t i = 0; i < w.status.n_listed; i++) {
		w.filter[i].packets = 5;
		w.filter[i].rule = 99;
	}
	after = ids(&w);
	assert_string_equal(before, after);
	free(after);
	w.nd.machine_id = "another";
	after = ids(&w);
	assert_string_not_equal(before, after);
	free(after);
	free(before);
}

/* Rules that share a filter, and filters that differ in one thing each. */
static void ids_are_unique(void **state)
{
	static const char *const rules[] = { "block tcp/80 from 10.0.0.1",
		"permit tcp/80 from 10.0.0.1", "block out tcp/80 to 10.0.0.1",
		"block tcp/80,443 from 10.0.0.1", "block tcp/80-81 from 10.0.0.1",
		"block udp/80 from 10.0.0.1", "block on eth0 tcp/80 from 10.0.0.1",
		"block icmp type 8 from 10.0.0.1", "block icmp type 8 code 0 from 10.0.0.1",
		"block emergency tcp/80 from 10.0.0.1" };
	struct world w;
	char *all, *id;

	(void)state;
	world_make(&w);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		add_rule(&w, rules[i]);
	all = ids(&w);
	assert_int_equal(strlen(all), 39 * 11);
	for (id = all; *id; id += 39) {
		char one[40] = "";

		memcpy(one, id, 38);
		assert_null(strstr(id + 38, one));
	}
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_policy),
		cmocka_unit_test(first_lines),
		cmocka_unit_test(not_in_force),
		cmocka_unit_test(dynamic_rules),
		cmocka_unit_test(me_is_each_address),
		cmocka_unit_test(outbound_has_the_ends_exchanged),
		cmocka_unit_test(what_windows_had_not),
		cmocka_unit_test(as_json),
		cmocka_unit_test(ids_are_stable),
		cmocka_unit_test(ids_are_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
