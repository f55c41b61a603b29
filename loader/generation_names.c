// SPDX-License-Identifier: GPL-2.0-only
/* What the parts of a generation, and the maps that all share, are called. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "dirs.h"
#include "fds.h"
#include "generation.h"

static const char *const pin_names[] = { "tables", "gates", "sets", "fine", "present", "elems4",
	"elems6", "classify_xdp", "classify_generic", "classify_tc_in", "classify_tc_out",
	"classify_l3_in", "classify_l3_out" };
_Static_assert(sizeof(pin_names) / sizeof(pin_names[0]) == GENERATION_PINS, "a name each");

static const char *const shared_names[] = { "ctl", "totals", "scratch", "xdp_generations",
	"generic_generations", "tc_generations" };
static const char *const dynamic_names[] = { "xdp_dynamic", "generic_dynamic", "tc_dynamic" };
_Static_assert(sizeof(shared_names) / sizeof(shared_names[0]) == SHARED_MAPS, "a name each");

const char *shared_name(enum shared_map map)
{
	return shared_names[map];
}

const char *shared_dynamic_name(enum bp_array array)
{
	return dynamic_names[array];
}

const char *generation_pin_name(size_t pin)
{
	return pin_names[pin];
}

char *generation_dir(uint64_t number)
{
	return path_join(dirs_get()->bpffs, "gen-%llu", (unsigned long long)number);
}

char *generation_path(uint64_t number, enum bp_hook hook)
{
	return path_join(dirs_get()->bpffs, "gen-%llu/%s", (unsigned long long)number,
		pin_names[TABLE_PARTS + hook]);
}

int generation_classifier(const struct generation *gen, enum bp_hook hook)
{
	char *path;
	int fd;

	if (gen->classify[hook] >= 0)
		return fd_copy(gen->classify[hook]);
	if (!gen->number) {
		errno = ENOENT;
		return -1;
	}
	path = generation_path(gen->number, hook);
	fd = path ? bpf_obj_get(path) : -1;
	free(path);
	return fd;
}
