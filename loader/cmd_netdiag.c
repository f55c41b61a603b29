// SPDX-License-Identifier: GPL-2.0-only
/* netdiag /test:ipsec [/debug]: the report of Windows' tool of that name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "dirs.h"
#include "fault.h"
#include "gather.h"
#include "netdiag.h"
#include "netlink.h"

struct asked {
	bool word[NETDIAG_WORDS];
};

static int wrong_word(const struct args *args, int index, const char *message, struct diag *diag)
{
	args_place(args, index, diag);
	return diag_set(diag, DIAG_USAGE, EINVAL, "%s", message);
}

/* /test:NAME, -test:NAME, --test NAME, --test=NAME. Returns how many words were used. */
static int take_test(const struct args *args, int index, const char *word, struct diag *diag)
{
	const char *next = index + 1 < args->n ? args->words[index + 1] : NULL;
	const char *name = word[4] ? word + 5 : next;

	if (!name || !*name)
		return wrong_word(args, index, "which test? There is one here: /test:ipsec", diag);
	if (strcasecmp(name, "ipsec"))
		return wrong_word(args, word[4] ? index : index + 1,
			"there is one test here: /test:ipsec", diag);
	return word[4] ? 1 : 2;
}

static const char *without_dashes(const char *word)
{
	if (word[0] == '/')
		return word + 1;
	return word[0] == '-' ? word + 1 + (word[1] == '-') : "";
}

/* Returns how many words were used, or -EINVAL. */
static int take_word(const struct args *args, int index, struct asked *asked, struct diag *diag)
{
	const char *word = without_dashes(args->words[index]);
	int i = 0;

	if (!strncasecmp(word, "test", 4) && strchr(":=", word[4])) /* or the word's end */
		return take_test(args, index, word, diag);
	if (!strcmp(word, "?"))
		word = netdiag_words[NETDIAG_HELP];
	while (i < NETDIAG_WORDS && strcasecmp(word, netdiag_words[i]))
		i++;
	if (i == NETDIAG_WORDS)
		return wrong_word(args, index,
			"netdiag takes /test:ipsec, and /debug to list every filter", diag);
	asked->word[i] = true;
	return 1;
}

/* The first line of the file; NULL where it has none. */
static char *line_of(const char *path)
{
	struct diag diag = {};
	char *text = NULL;
	size_t len;

	if (file_read(path, &text, &len, &diag))
		text = NULL;
	diag_free(&diag);
	if (text)
		text[strcspn(text, "\r\n")] = '\0';
	if (text && *text && strcmp(text, "uninitialized")) /* machine-id(5) */
		return text;
	free(text);
	return NULL;
}

/* Where no system has given this computer an id, as in a container, its name tells it from others.
 */
static char *machine_id(void)
{
	char *id = line_of("/etc/machine-id");

	if (!id)
		id = line_of("/var/lib/dbus/machine-id");
	return id ? id : line_of("/proc/sys/kernel/hostname");
}

static int show(const struct asked *asked, const struct status *st, struct diag *diag)
{
	struct prefixes addresses = {};
	struct netdiag nd = {
		.status = st, .addresses = &addresses, .debug = asked->word[NETDIAG_DEBUG]
	};
	char *id = machine_id();
	char *path =
		path_join(dirs_get()->conf, "policies/%s.policy", st->policy ? st->policy : "");
	int rc = path ? 0 : -ENOMEM;

	nd.machine_id = id;
	nd.path = path;
	if (!rc && asked->word[NETDIAG_DEBUG]) {
		rc = nl_addresses_get(&addresses);
		if (rc)
			diag_errno(diag, -rc, "cannot list this host's addresses");
	}
	if (!rc)
		rc = asked->word[NETDIAG_JSON] ? netdiag_json(stdout, &nd)
					       : netdiag_text(stdout, &nd);
	free(addresses.v);
	free(path);
	free(id);
	return rc;
}

int cmd_netdiag(const struct args *args, struct diag *diag)
{
	struct asked asked = {};
	struct host host = {};
	struct status st = {};
	int rc = 0;

	for (int i = 0; i < args->n;) {
		int used = take_word(args, i, &asked, diag);

		if (used < 0)
			return used;
		i += used;
	}
	if (asked.word[NETDIAG_HELP]) {
		help_one(command_find("netdiag"));
		return 0;
	}
	/* To read is to change nothing, not even what a killed command left half done. */
	rc = host_open_to_look(&host, diag);
	if (!rc)
		rc = gather(&host,
			GATHER_INTERFACES | (asked.word[NETDIAG_DEBUG] ? GATHER_FILTERS : 0), &st,
			diag);
	if (!rc)
		rc = show(&asked, &st, diag);
	if (!rc)
		rc = fault_tell_all(&host, diag);
	gather_free(&st);
	host_close(&host);
	return rc;
}
