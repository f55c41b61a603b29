/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A rule's canonical text: every word in the grammar's order, the direction always, numbers for
 * ports. What it prints, spec.c reads back as an equal rule.
 */
#include "spec_parts.h"
#include "stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest first: a time is printed in the largest unit that it is a whole number of. */
static const struct {
	char unit;
	uint32_t seconds;
} units[] = {
	{ 'd', 24 * 60 * 60 },
	{ 'h', 60 * 60 },
	{ 'm', 60 },
	{ 's', 1 },
};

#define UNITS (sizeof(units) / sizeof(units[0]))
/* A century: keeps every sum with a clock's nanoseconds within 64 bits. */
#define LONGEST_SECONDS (36500ULL * 24 * 60 * 60)

int spec_parse_duration(const char *text, uint64_t *seconds)
{
	uint64_t value = 0;
	const char *s;
	size_t i;

	for (s = text; is_digit(*s) && value <= LONGEST_SECONDS; s++)
		value = value * 10 + (*s - '0');
	for (i = 0; i < UNITS; i++) {
		if (*s == units[i].unit)
			break;
	}
	if (!value || i == UNITS || s[1] || value > LONGEST_SECONDS / units[i].seconds)
		return -EINVAL;
	*seconds = value * units[i].seconds;
	return 0;
}

void spec_complete_duration(const char *begun, spec_put *put, void *arg)
{
	static const char *const usual[] = { "15m", "1h", "2h", "1d", "7d" };
	size_t digits = strspn(begun, "0123456789");
	uint64_t seconds;
	char text[32];

	for (size_t i = 0; !digits && i < sizeof(usual) / sizeof(usual[0]); i++)
		if (!strncmp(usual[i], begun, strlen(begun)))
			put(usual[i], NULL, arg);
	for (size_t i = 0; digits && digits < sizeof(text) - 1 && i < UNITS; i++) {
		snprintf(text, sizeof(text), "%.*s%c", (int)digits, begun, units[i].unit);
		if (!strncmp(text, begun, strlen(begun)) && !spec_parse_duration(text, &seconds))
			put(text, NULL, arg);
	}
}

static void put_duration(FILE *out, uint64_t seconds)
{
	size_t i = 0;

	while (seconds % units[i].seconds)
		i++;
	fprintf(out, "%llu%c", (unsigned long long)(seconds / units[i].seconds), units[i].unit);
}

void put_quoted(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		putc(*text, out);
	}
	putc('"', out);
}

/* A name that is a word of its own, in quotes when it would not read back without. */
static void put_name(FILE *out, const char *name)
{
	if (text_is_word(name))
		fputs(name, out);
	else
		put_quoted(out, name);
}

static void put_ports(FILE *out, const struct ports *ports)
{
	const char *before = " port ";
	size_t i;

	for (i = 0; i < ports->n; i++) {
		const struct port_range *range = &ports->v[i];

		fprintf(out, range->lo == range->hi ? "%s%u" : "%s%u-%u", before, range->lo,
			range->hi);
		before = ",";
	}
}

static void put_end(FILE *out, const char *word, const struct end *end)
{
	char prefix[INET6_ADDRSTRLEN + 4];

	if (end->kind == END_ANY && !end->ports.n)
		return;
	fprintf(out, " %s", word);
	switch (end->kind) {
	case END_ANY:
		break;
	case END_ME:
		fputs(" me", out);
		break;
	case END_PREFIX:
		spec_prefix_text(&end->prefix, prefix, sizeof(prefix));
		fprintf(out, " %s", prefix);
		break;
	case END_FILE:
		fputs(list_host(end->file) ? " " : " @", out);
		put_name(out, end->file);
		break;
	}
	put_ports(out, &end->ports);
}

static void put_match(FILE *out, const struct rule *rule)
{
	char proto[16];

	fprintf(out, " %s", dir_name(rule->dir));
	if (rule->emergency)
		fputs(" emergency", out);
	if (rule->ifname) {
		fputs(" on ", out);
		put_name(out, rule->ifname);
	}
	if (rule->proto != PROTO_ANY)
		fprintf(out, " %s", spec_proto_text(rule->proto, proto, sizeof(proto)));
	if (rule->type >= 0)
		fprintf(out, " type %d", rule->type);
	if (rule->code >= 0)
		fprintf(out, " code %d", rule->code);
	put_end(out, "from", &rule->from);
	put_end(out, "to", &rule->to);
}

static void put_options(FILE *out, const struct rule *rule)
{
	if (rule->lifetime && !rule->deadline) {
		fputs(" for ", out);
		put_duration(out, rule->lifetime);
	}
	if (rule->log)
		fputs(" log", out);
	if (rule->label) {
		fputs(" name ", out);
		put_quoted(out, rule->label);
	}
}

char *spec_text(const struct rule *rule, unsigned int parts)
{
	char *text = NULL;
	size_t size;
	FILE *out = stream_open(&text, &size);

	if (!out)
		return NULL;
	if (parts & SPEC_ACTION)
		fprintf(out, " %s", action_name(rule->action));
	if (parts & SPEC_MATCH)
		put_match(out, rule);
	if (parts & SPEC_OPTIONS)
		put_options(out, rule);
	if (stream_close(out)) {
		free(text);
		return NULL;
	}
	/* Every word brings the blank before it; the first one's goes. */
	if (size)
		memmove(text, text + 1, size);
	return text;
}
