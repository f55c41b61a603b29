// SPDX-License-Identifier: GPL-2.0-only
#include "env.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "clocks.h"
#include "netlink.h"

#define NSEC 1000000000ULL

static int cannot_ask(int err, const char *name, struct diag *diag)
{
	return diag ? diag_errno(diag, err, "cannot ask for the interface '%s'", name) : -err;
}

int env_ifindex(const char *name, struct diag *diag)
{
	unsigned int ifindex = if_nametoindex(name);
	char is[IF_NAMESIZE];

	if (!ifindex)
		return errno == ENODEV ? 0 : cannot_ask(errno, name, diag);
	if (!if_indextoname(ifindex, is)) /* it may have gone in between */
		return errno == ENXIO ? 0 : cannot_ask(errno, name, diag);
	return strcmp(is, name) ? 0 : ifindex;
}

static int ifindex_of(const char *name, void *arg)
{
	(void)arg;
	return env_ifindex(name, NULL);
}

void env_now(struct compile_env *env)
{
	uint64_t real, boot;

	clocks_now(&real, &boot);
	*env = (struct compile_env){
		.ifindex = ifindex_of,
		.now = real / NSEC,
		.past = real % NSEC,
		.boot_now = boot,
	};
}

int env_links(uint64_t *links, struct diag *diag)
{
	struct nl_links list;
	int rc = nl_links_list(&list);

	if (rc)
		return diag ? diag_errno(diag, -rc, "cannot list the interfaces") : rc;
	*links = nl_links_print(&list);
	nl_links_free(&list);
	return 0;
}
