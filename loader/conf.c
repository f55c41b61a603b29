// SPDX-License-Identifier: GPL-2.0-only
#include "conf.h"

#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "spec.h"

#define BLANKS " \t\r"
#define BETWEEN BLANKS "," /* names */

/* One line, taken apart in place. */
struct entry {
	const char *file, *line;
	unsigned int number;
	size_t key, key_len, value, value_len; /* in the line */
};

static int fail(
	const struct entry *e, size_t column, size_t width, struct diag *diag, const char *message)
{
	snprintf(diag->file, sizeof(diag->file), "%s", e->file);
	diag->line = e->number;
	diag_place(diag, e->line, column, width ? width : 1);
	return diag_set(diag, DIAG_USAGE, EINVAL, "%s", message);
}

static bool is_name(const char *word, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr("/:\"'", word[i]) || (unsigned char)word[i] <= ' ')
			return false;
	return len && (len < IF_NAMESIZE || memchr(word, '*', len) || memchr(word, '[', len));
}

/* As far as a blank or a comma; between brackets a comma is one of the letters. */
static size_t name_length(const char *word, size_t most)
{
	bool in_brackets = false;
	size_t len;

	for (len = 0; len < most && !strchr(BLANKS, word[len]); len++) {
		if (word[len] == ',' && !in_brackets)
			break;
		in_brackets = word[len] == '[' || (in_brackets && word[len] != ']');
	}
	return len;
}

/* Names and patterns, with blanks or commas between them. */
static int take_interfaces(struct conf *conf, const struct entry *e, struct diag *diag)
{
	size_t at = e->value, end = e->value + e->value_len;

	while (at < end) {
		size_t len = name_length(e->line + at, end - at);
		char **v;

		if (!is_name(e->line + at, len))
			return fail(e, at, len, diag,
				"that is no interface's name; names and patterns stand with blanks "
				"between them, as in eth0 wan*");
		v = realloc(conf->interfaces, (conf->n_interfaces + 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		conf->interfaces = v;
		v[conf->n_interfaces] = strndup(e->line + at, len);
		if (!v[conf->n_interfaces])
			return -ENOMEM;
		conf->n_interfaces++;
		at += len + strspn(e->line + at + len, BETWEEN);
	}
	return 0;
}

/* What is protected is one word: an address, or ports of one protocol. */
static bool can_protect(const struct rule *r)
{
	if (r->from.kind == END_PREFIX)
		return r->proto == PROTO_ANY;
	return r->from.kind == END_ANY && r->to.kind == END_ANY && r->proto != PROTO_ANY &&
	       proto_has_ports(r->proto) && r->to.ports.n;
}

/* What is wrong with a rule helps where an address or ports are meant, and not with other words. */
static bool is_nearly_one(const char *value, const struct diag *why)
{
	bool has_colon = strchr(value, ':') && strncasecmp(value, "dns:", 4);

	return why->text && (why->column || has_colon || (*value >= '0' && *value <= '9'));
}

static int parse_protect(
	const struct entry *e, const char *value, struct rule **rule, struct diag *diag)
{
	const struct spec_opts opts = { .action = BP_BLOCK };
	struct diag why = {};
	int rc = strpbrk(value, BLANKS) ? -EINVAL : spec_parse_line(value, &opts, rule, &why);

	if (rc == -EINVAL && is_nearly_one(value, &why))
		rc = fail(e, e->value + why.column, why.width, diag, why.message);
	else if (rc == -EINVAL || (!rc && !can_protect(*rule)))
		rc = fail(e, e->value, e->value_len, diag,
			"`protect` takes an address or a protocol with ports, as in 10.0.0.0/8 or "
			"tcp/22; for more of them write a line each");
	if (rc)
		rule_free(rule);
	diag_free(&why);
	return rc;
}

static int take_protect(struct conf *conf, const struct entry *e, char *value, struct diag *diag)
{
	struct protect *v;
	struct rule *rule = NULL;
	int rc = parse_protect(e, value, &rule, diag);

	if (rc)
		return rc;
	v = realloc(conf->protects, (conf->n_protects + 1) * sizeof(*v));
	if (v)
		conf->protects = v;
	value = v ? strdup(value) : NULL;
	if (!value) {
		rule_free(&rule);
		return -ENOMEM;
	}
	v[conf->n_protects++] = (struct protect){ .rule = rule, .text = value, .line = e->number };
	return 0;
}

/* ADDRESS:PORT or [ADDRESS]:PORT. False: it is neither. */
static bool parse_address(const char *value, struct conf_address *a)
{
	const char *colon = strrchr(value, ':');
	const size_t brackets = *value == '['; /* one at each end */
	size_t len = colon ? colon - value : 0;
	struct prefix p;
	const char *why;
	char *end, text[64];
	unsigned long port;

	if (!colon || colon[1] < '0' || colon[1] > '9' || len < 2 + brackets ||
		(brackets && colon[-1] != ']'))
		return false;
	port = strtoul(colon + 1, &end, 10);
	if (*end || !port || port > 65535 ||
		spec_parse_prefix(value + brackets, len - 2 * brackets, &p, &why) ||
		p.len != (p.family == 4 ? 32 : 128) || brackets != (p.family == 6) ||
		memchr(value, '/', len))
		return false;
	*a = (struct conf_address){ .port = port, .family = p.family };
	memcpy(a->address, p.bytes, sizeof(a->address));
	a->loopback = p.family == 4
			      ? p.bytes[0] == 127
			      : p.bytes[15] == 1 && !memcmp(p.bytes, (const uint8_t[15]){}, 15);
	spec_prefix_text(&p, text, sizeof(text));
	snprintf(a->text, sizeof(a->text), brackets ? "[%.50s]:%lu" : "%.50s:%lu", text, port);
	return true;
}

static int take_metrics(struct conf *conf, const struct entry *e, char *value, struct diag *diag)
{
	if (conf->metrics.port)
		return fail(e, e->key, e->key_len, diag, "`metrics` stands twice in this file");
	return parse_address(value, &conf->metrics)
		       ? 0
		       : fail(e, e->value, e->value_len, diag,
				 "`metrics` takes an address of this host and a port, as in "
				 "127.0.0.1:9477 or [::1]:9477");
}

static int take_dropin(struct conf *conf, const struct entry *e, char *value, struct diag *diag)
{
	if (conf->dropin)
		return fail(e, e->key, e->key_len, diag, "`dropin` stands twice in this file");
	if (value[0] != '/')
		return fail(e, e->value, e->value_len, diag,
			"`dropin` takes the whole path of a directory, as in "
			"/etc/bpfpol/dynamic.d");
	conf->dropin = strdup(value);
	return conf->dropin ? 0 : -ENOMEM;
}

static bool key_is(const struct entry *e, const char *key)
{
	return strlen(key) == e->key_len && !memcmp(e->line + e->key, key, e->key_len);
}

static int take_line(struct conf *conf, const struct entry *e,
	int (*take)(struct conf *, const struct entry *, char *, struct diag *), struct diag *diag)
{
	char *value = strndup(e->line + e->value, e->value_len);
	int rc = value ? take(conf, e, value, diag) : -ENOMEM;

	free(value);
	return rc;
}

static int take(struct conf *conf, const struct entry *e, struct diag *diag)
{
	static const char *const others[] = { "domain" };

	if (key_is(e, "interfaces"))
		return take_interfaces(conf, e, diag);
	if (key_is(e, "protect"))
		return take_line(conf, e, take_protect, diag);
	if (key_is(e, "metrics"))
		return take_line(conf, e, take_metrics, diag);
	if (key_is(e, "dropin"))
		return take_line(conf, e, take_dropin, diag);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (!key_is(e, others[i]))
			continue;
		conf->unused = others[i];
		return 0;
	}
	return fail(e, e->key, e->key_len, diag,
		"there is no such key; there are `interfaces`, `protect`, `metrics` and `dropin`");
}

/* 1: nothing stands on the line. */
static int split(struct entry *e, struct diag *diag)
{
	size_t end = strcspn(e->line, "#"), equals = strcspn(e->line, "=");

	e->key = strspn(e->line, BLANKS);
	if (e->key >= end)
		return 1;
	while (strchr(BLANKS, e->line[end - 1]))
		end--;
	if (equals >= end || equals == e->key)
		return fail(e, e->key, end - e->key, diag, "a line is `key = value`");
	e->key_len = equals - e->key;
	while (strchr(BLANKS, e->line[e->key + e->key_len - 1]))
		e->key_len--;
	e->value = equals + 1;
	e->value += strspn(e->line + e->value, BLANKS);
	if (e->value >= end)
		return fail(e, equals, 1, diag, "a value is missing behind the `=`");
	e->value_len = end - e->value;
	return 0;
}

int conf_parse(const char *file, const char *text, struct conf *conf, struct diag *diag)
{
	struct conf got = {};
	int rc = 0;

	if (!strncmp(text, "\xef\xbb\xbf", 3)) /* as in policies and lists */
		text += 3;
	for (struct entry e = { .file = file, .number = 1 }; *text && !rc; e.number++) {
		size_t len = strcspn(text, "\n");
		char *line = strndup(text, len);

		e.line = line;
		rc = line ? split(&e, diag) : -ENOMEM;
		if (!rc)
			rc = take(&got, &e, diag);
		else if (rc == 1)
			rc = 0;
		free(line);
		text += len + (text[len] == '\n');
	}
	if (rc)
		conf_free(&got);
	else
		*conf = got;
	return rc;
}

void conf_free(struct conf *conf)
{
	for (size_t i = 0; i < conf->n_interfaces; i++)
		free(conf->interfaces[i]);
	free(conf->interfaces);
	for (size_t i = 0; i < conf->n_protects; i++) {
		rule_free(&conf->protects[i].rule);
		free(conf->protects[i].text);
	}
	free(conf->protects);
	free(conf->dropin);
	*conf = (struct conf){};
}
