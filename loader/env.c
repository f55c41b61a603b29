// SPDX-License-Identifier: GPL-2.0-only
#include "env.h"

#include <net/if.h>
#include <string.h>

#include "clocks.h"

#define NSEC 1000000000ULL

uint32_t env_ifindex(const char *name)
{
	uint32_t ifindex = if_nametoindex(name);
	char is[IF_NAMESIZE];

	return ifindex && if_indextoname(ifindex, is) && !strcmp(is, name) ? ifindex : 0;
}

static uint32_t ifindex_of(const char *name, void *arg)
{
	(void)arg;
	return env_ifindex(name);
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

uint64_t env_links(void)
{
	struct if_nameindex *links = if_nameindex();
	uint64_t sum = 1; /* 0 says that no rule names an interface */

	for (struct if_nameindex *l = links; l && l->if_index; l++) {
		uint64_t hash = 0xcbf29ce484222325ULL ^ l->if_index; /* FNV-1a */

		for (const char *c = l->if_name; *c; c++)
			hash = (hash ^ (uint8_t)*c) * 0x100000001b3ULL;
		sum += hash; /* in whatever order they come */
	}
	if (links)
		if_freenameindex(links);
	return sum ? sum : 1;
}
