/* SPDX-License-Identifier: GPL-2.0-only */
/* A host for ipsecpol's tests: its names, files and interfaces; and a command line in words. */
#ifndef IPSECPOL_KIT_H
#define IPSECPOL_KIT_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipsecpol.h"
#include "spec.h"

#define KIT_WORDS 64

static inline int kit_resolve(const char *name, struct prefixes *list, const char **why, void *arg)
{
	static const struct {
		const char *name, *address;
	} hosts[] = {
		{ "dual.example", "192.0.2.1" },
		{ "dual.example", "2001:db8::1" },
		{ "two.example", "198.51.100.2" },
		{ "two.example", "198.51.100.1" },
		{ "six.example", "2001:db8::6" },
	};
	size_t i;

	(void)arg;
	list->v = calloc(sizeof(hosts) / sizeof(hosts[0]), sizeof(*list->v));
	list->n = 0;
	if (!list->v)
		return -ENOMEM;
	for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (!strcmp(hosts[i].name, name))
			spec_parse_prefix(hosts[i].address, strlen(hosts[i].address),
				&list->v[list->n++], why);
	if (list->n)
		return 0;
	free(list->v);
	list->v = NULL;
	*why = "nobody knows it";
	return -ENOENT;
}

static inline int kit_links(bool dialup, char ***names, size_t *n, void *arg)
{
	(void)arg;
	*n = 0;
	*names = calloc(2, sizeof(**names));
	if (!*names)
		return -ENOMEM;
	if (!dialup) {
		(*names)[(*n)++] = strdup("eth0");
		(*names)[(*n)++] = strdup("eth1");
	}
	return 0;
}

static inline bool kit_is_file(const char *name, void *arg)
{
	static const char *const files[] = { "P", "notes.txt", "x=0:1434:UDP",
		"192.0.2.1=0:1434:UDP", "+", "my notes=0:1434:UDP", "*=0:1434:TCP" };
	size_t i = 0;

	(void)arg;
	while (i < sizeof(files) / sizeof(files[0]) && strcmp(name, files[i]))
		i++;
	return i < sizeof(files) / sizeof(files[0]);
}

static const struct ipsecpol_env kit_env = {
	.resolve = kit_resolve,
	.links = kit_links,
	.is_file = kit_is_file,
};

/* Cuts a line where a shell would, in place; both kinds of quotes, no escapes. */
static inline int kit_words(char *line, char *words[KIT_WORDS])
{
	char *in = line, *out = line;
	int n = 0;

	while (*in && n < KIT_WORDS) {
		char quote = 0;

		while (*in == ' ')
			in++;
		if (!*in)
			break;
		words[n++] = out;
		while (*in && (quote || *in != ' ')) {
			if (*in == quote)
				quote = 0;
			else if (!quote && (*in == '\'' || *in == '"'))
				quote = *in;
			else
				*out++ = *in;
			in++;
		}
		if (*in)
			in++;
		*out++ = '\0';
	}
	return n;
}

#endif
