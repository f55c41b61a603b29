// SPDX-License-Identifier: GPL-2.0-only
#include "spare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "classifier.h"
#include "dirs.h"

/* Of all its maps. A larger one costs memory, and what the verifier takes is little beside it. */
#define MOST (6 << 20)

static char *spare_dir(void)
{
	return path_join(dirs_get()->bpffs, "spare");
}

static bool is_small(const struct bp_sizes *sizes)
{
	size_t sum = 0;

	for (int part = 0; part < TABLE_PARTS; part++)
		sum += table_part_size(sizes, part);
	return sum <= MOST;
}

/* What a generation keeps of the one before it. */
static int forget_base(const char *dir)
{
	char *path = path_join(dir, GENERATION_BASE);
	int rc = path ? 0 : -ENOMEM;

	if (!rc && unlink(path) && errno != ENOENT)
		rc = -errno;
	free(path);
	return rc;
}

/* In one step. The base goes last: until then it may be asked for. */
static int move_in(uint64_t number)
{
	char *from = generation_dir(number), *to = spare_dir();
	int rc = from && to ? 0 : -ENOMEM;

	if (!rc) {
		generation_unpin_dir(to);
		rc = rename(from, to) ? -errno : 0;
	}
	if (!rc)
		forget_base(to);
	free(from);
	free(to);
	return rc;
}

static int move_out(uint64_t number)
{
	char *from = spare_dir(), *to = generation_dir(number);
	int rc = from && to ? 0 : -ENOMEM;

	if (!rc) {
		generation_unpin_dir(to); /* the remains of one that was never finished */
		rc = rename(from, to) ? -errno : 0;
	}
	if (!rc)
		rc = forget_base(to); /* whoever kept it may have died over that */
	free(from);
	free(to);
	return rc;
}

int spare_keep(const struct generation *gen)
{
	const struct bp_tables *t = gen->table.tables;

	if (t->programs != classifiers_print() || !is_small(&t->sizes))
		return -EINVAL;
	return move_in(gen->number);
}

/* Exactly the classifiers of those hooks. */
static int suit_hooks(
	struct generation *gen, unsigned int hooks, const struct shared *shared, struct diag *diag)
{
	int rc = 0;

	generation_open_classifiers(gen);
	for (int hook = 0; hook < BP_HOOKS && !rc; hook++) {
		if (!(hooks >> hook & 1))
			generation_remove(gen, hook);
		else if (gen->classify[hook] < 0)
			rc = generation_add(gen, hook, shared, diag);
	}
	return rc;
}

/* -ERANGE: it is of another size; it is as it was, and may serve another time. */
static int make_ready(struct generation *gen, const struct bp_sizes *wants, unsigned int hooks,
	const struct shared *shared, struct diag *diag)
{
	const struct bp_tables *t = gen->table.tables;
	int rc = 0;

	if (t->programs != classifiers_print())
		return -EINVAL;
	if (!table_sizes_serve(&t->sizes, wants))
		return -ERANGE;
	rc = suit_hooks(gen, hooks, shared, diag);
	if (!rc)
		rc = table_empty(&gen->table);
	return rc;
}

struct generation *spare_take(uint64_t number, const struct bp_sizes *wants, unsigned int hooks,
	const struct shared *shared)
{
	struct generation *gen = NULL;
	struct diag ignored = {};
	int rc;

	if (move_out(number))
		return NULL; /* what is left there goes before another is pinned */
	rc = generation_open(number, &gen, &ignored)
		     ? -EINVAL
		     : make_ready(gen, wants, hooks, shared, &ignored);
	if (rc == -ERANGE) {
		spare_give_back(&gen);
	} else if (rc) {
		generation_unpin(number);
		generation_free(&gen);
	}
	diag_free(&ignored);
	return gen;
}

void spare_give_back(struct generation **gen)
{
	if (*gen && (*gen)->number && move_in((*gen)->number))
		generation_unpin((*gen)->number);
	generation_free(gen);
}

void spare_drop(void)
{
	char *dir = spare_dir();

	if (dir)
		generation_unpin_dir(dir);
	free(dir);
}
