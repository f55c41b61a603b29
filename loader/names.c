// SPDX-License-Identifier: GPL-2.0-only
#include "names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dirs.h"
#include "spec.h"
#include "stream.h"

static char *kept_path(const char *host)
{
	return path_join(dirs_get()->state, "names/%s", host);
}

/* Asking. */

static bool prefix_of(const struct addrinfo *ai, struct prefix *prefix)
{
	const struct sockaddr_in *in = (const void *)ai->ai_addr;
	const struct sockaddr_in6 *in6 = (const void *)ai->ai_addr;

	if (ai->ai_family == AF_INET) {
		*prefix = (struct prefix){ .family = 4, .len = 32 };
		memcpy(prefix->bytes, &in->sin_addr, 4);
		return true;
	}
	if (ai->ai_family == AF_INET6) {
		*prefix = (struct prefix){ .family = 6, .len = 128 };
		memcpy(prefix->bytes, &in6->sin6_addr, 16);
		return true;
	}
	return false;
}

/* Nobody who knows is no failure: then *why says so. */
static int ask(const char *host, struct prefixes *list, const char **why)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	size_t n = 0;
	int rc = getaddrinfo(host, NULL, &hints, &found);

	if (rc) {
		*why = gai_strerror(rc);
		return rc == EAI_MEMORY ? -ENOMEM : 0;
	}
	for (const struct addrinfo *ai = found; ai; ai = ai->ai_next)
		n++;
	list->v = calloc(n, sizeof(*list->v));
	for (const struct addrinfo *ai = found; list->v && ai; ai = ai->ai_next)
		list->n += prefix_of(ai, &list->v[list->n]);
	freeaddrinfo(found);
	if (!list->v)
		return -ENOMEM;
	prefixes_sort(list);
	if (!list->n)
		*why = "it has no address";
	return 0;
}

/* What is kept. */

/* Its text and what that says; what cannot be read is not there. */
static int read_kept(const char *host, char **text, struct prefixes *list)
{
	char *path = kept_path(host);
	struct diag ignored = {};
	size_t len;
	int rc = path ? file_read(path, text, &len, &ignored) : -ENOMEM;

	if (rc)
		*text = NULL;
	else if (spec_parse_list(path, *text, len, list, &ignored) == -ENOMEM)
		rc = -ENOMEM;
	diag_free(&ignored);
	free(path);
	return rc == -ENOMEM ? rc : 0;
}

static void forget(struct host_name *name)
{
	free(name->host);
	free(name->addresses.v);
	free(name->before);
}

static int look_up(const struct names *names, const char *host, struct host_name *out)
{
	struct prefixes kept = {};
	int rc;

	*out = (struct host_name){ .host = strdup(host), .why = "nobody was asked" };
	rc = out->host ? read_kept(host, &out->before, &kept) : -ENOMEM;
	if (!rc && !names->offline) {
		out->why = NULL;
		rc = ask(host, &out->addresses, &out->why);
	}
	if (!rc && out->why) {
		free(out->addresses.v);
		out->addresses = kept;
		kept = (struct prefixes){};
	}
	free(kept.v);
	if (rc)
		forget(out);
	return rc;
}

int names_find(struct names *names, const char *host, const struct host_name **found)
{
	struct host_name *v, name;
	int rc;

	for (size_t i = 0; i < names->n; i++) {
		*found = &names->v[i];
		if (!strcmp(names->v[i].host, host))
			return 0;
	}
	rc = look_up(names, host, &name);
	if (rc)
		return rc;
	v = reallocarray(names->v, names->n + 1, sizeof(*v));
	if (!v) {
		forget(&name);
		return -ENOMEM;
	}
	names->v = v;
	v[names->n] = name;
	*found = &v[names->n++];
	return 0;
}

int names_read(struct names *names, const char *host, struct prefixes *list, struct diag *diag)
{
	struct names last = { .offline = true, .lenient = true };
	const struct host_name *name;
	struct prefixes copy = {};
	int rc;

	names = names ? names : &last;
	rc = names_find(names, host, &name);
	if (!rc && !names->lenient && !name->addresses.n)
		rc = diag_set(diag, DIAG_USAGE, ENOENT, "no address is known for the host '%s': %s",
			host, name->why);
	if (!rc && name->addresses.n) {
		copy.v = malloc(name->addresses.n * sizeof(*copy.v));
		rc = copy.v ? 0 : -ENOMEM;
	}
	if (!rc && copy.v) {
		copy.n = name->addresses.n;
		memcpy(copy.v, name->addresses.v, copy.n * sizeof(*copy.v));
	}
	if (!rc) {
		free(list->v);
		*list = copy;
	}
	names_free(&last);
	return rc;
}

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		forget(&names->v[i]);
	free(names->v);
	*names = (struct names){};
}

static void put_addresses(FILE *out, const struct prefixes *list, const char *between)
{
	for (size_t i = 0; i < list->n; i++) {
		char text[64];

		spec_prefix_text(&list->v[i], text, sizeof(text));
		fprintf(out, "%s%s", i ? between : "", text);
	}
}

static int save(struct host_name *name, struct diag *diag)
{
	char *path = kept_path(name->host), *text = NULL;
	size_t len;
	FILE *out = path ? stream_open(&text, &len) : NULL;
	int rc = -ENOMEM;

	if (out) {
		put_addresses(out, &name->addresses, "\n");
		fputs("\n", out);
		rc = stream_close(out) ? -ENOMEM : 0;
	}
	if (!rc && (!name->before || strcmp(name->before, text))) {
		rc = file_write(path, text, len, diag);
		name->saved = !rc;
	}
	free(text);
	free(path);
	return rc;
}

int names_save(struct names *names, struct diag *diag)
{
	char *dir = names && names->n ? path_join(dirs_get()->state, "names") : NULL;
	int rc = !names || !names->n ? 0 : dir ? dir_make(dir, diag) : -ENOMEM;

	for (size_t i = 0; names && i < names->n && !rc; i++)
		if (!names->v[i].why && !names->v[i].saved)
			rc = save(&names->v[i], diag);
	free(dir);
	return rc;
}

/* What cannot be put back is what the name is now: at worst newer than what is in force. */
void names_undo(struct names *names)
{
	struct diag ignored = {};

	for (size_t i = 0; names && i < names->n; i++) {
		struct host_name *name = &names->v[i];
		char *path = name->saved ? kept_path(name->host) : NULL;

		if (path && name->before)
			file_write(path, name->before, strlen(name->before), &ignored);
		else if (path)
			file_remove(path, &ignored);
		name->saved = false;
		free(path);
	}
	diag_free(&ignored);
}

/* What is kept and of whom nobody speaks any more. */

struct sweep {
	struct kept {
		char *host;
		bool used;
	} * v;
	size_t n;
};

/* Calls fn for each file of a directory; false: it was not read to its end, or fn gave up. */
static bool each_file(
	const char *dir, bool (*fn)(const char *path, const char *name, void *arg), void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	bool all = d || errno == ENOENT;

	errno = 0;
	while (d && all && (entry = readdir(d))) {
		char *path = path_join(dir, "%s", entry->d_name);
		struct stat st;

		all = path && !stat(path, &st) &&
		      (!S_ISREG(st.st_mode) || fn(path, entry->d_name, arg));
		free(path);
		errno = 0;
	}
	all &= !errno || !d;
	if (d)
		closedir(d);
	return all;
}

static bool note_kept(const char *path, const char *name, void *arg)
{
	struct sweep *s = arg;
	struct kept *v = reallocarray(s->v, s->n + 1, sizeof(*v));

	(void)path;
	if (!v)
		return false;
	s->v = v;
	v[s->n].used = false;
	v[s->n].host = strdup(name);
	return v[s->n++].host;
}

/* Whether a text, in which capitals count as others, speaks of the host. */
static bool speaks_of(const char *text, const char *host)
{
	size_t len = strlen(host);

	while ((text = strcasestr(text, "dns:"))) {
		text += strlen("dns:");
		if (!strncasecmp(text, host, len) && !isalnum((unsigned char)text[len]) &&
			!strchr("-_.", text[len] ? text[len] : ' '))
			return true;
	}
	return false;
}

static bool note_used(const char *path, const char *name, void *arg)
{
	struct sweep *s = arg;
	struct diag ignored = {};
	char *text;
	size_t len;
	int rc = file_read(path, &text, &len, &ignored);

	(void)name;
	for (size_t i = 0; i < s->n && !rc; i++)
		s->v[i].used |= speaks_of(text, s->v[i].host);
	if (!rc)
		free(text);
	diag_free(&ignored);
	return !rc;
}

/* What cannot be read may speak of any of them: then all stay. */
void names_sweep(void)
{
	const char *state = dirs_get()->state;
	char *kept = path_join(state, "names"), *known = path_join(state, "policies");
	char *policies = path_join(dirs_get()->conf, "policies");
	bool all = kept && known && policies;
	struct sweep s = {};

	all = all && each_file(kept, note_kept, &s) && s.n && each_file(policies, note_used, &s) &&
	      each_file(state, note_used, &s) && each_file(known, note_used, &s);
	for (size_t i = 0; i < s.n; i++) {
		char *path = all && !s.v[i].used ? kept_path(s.v[i].host) : NULL;

		if (path)
			unlink(path);
		free(path);
		free(s.v[i].host);
	}
	free(s.v);
	free(policies);
	free(known);
	free(kept);
}

/* What is said. */

void names_warn(const struct names *names, struct diag *diag)
{
	for (size_t i = 0; i < names->n; i++) {
		const struct host_name *name = &names->v[i];

		if (!name->why || !name->addresses.n)
			continue;
		diag_set(diag, DIAG_UNKNOWN, ENOENT, "no address of '%s' is to be had: %s",
			name->host, name->why);
		diag_to_warning(diag, "those of last time stay");
	}
}

void names_print(const struct names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		const struct host_name *name = &names->v[i];

		printf("%s %s ", name->host, name->why ? "was, last time," : "is now");
		put_addresses(stdout, &name->addresses, ", ");
		printf("; each assign looks it up again.\n");
	}
}

void names_json(const struct names *names, struct jw *j)
{
	jw_array(j, "names");
	for (size_t i = 0; i < names->n; i++) {
		const struct prefixes *list = &names->v[i].addresses;

		jw_object(j, NULL);
		jw_str(j, "name", names->v[i].host);
		jw_bool(j, "looked_up", !names->v[i].why);
		jw_array(j, "addresses");
		for (size_t k = 0; k < list->n; k++) {
			char text[64];

			spec_prefix_text(&list->v[k], text, sizeof(text));
			jw_str(j, NULL, text);
		}
		jw_array_end(j);
		jw_object_end(j);
	}
	jw_array_end(j);
}
