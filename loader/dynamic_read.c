// SPDX-License-Identifier: GPL-2.0-only
/* The dynamic layer, read back from the kernel: programs by the arrays, and maps by the programs.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dynamic.h"
#include "fds.h"
#include "layer.h"

#define MOST_MAPS 64  /* that a program refers to */
#define PATIENCE 1000 /* ms until a new generation has the counters of the one before */

/*
 * The programs' ids; 0: that one is gone. When the holder is, the kernel empties one array after
 * the other, and a layer that still judges packets on one hook is there.
 */
static int programs_of(const struct layer *layer, bool odd, uint32_t ids[BP_HOOKS])
{
	bool any = false;
	int rc = 0;

	for (int hook = 0; hook < BP_HOOKS && !rc; hook++) {
		rc = layer_program(layer, hook, odd, &ids[hook]);
		any |= !rc && ids[hook];
	}
	return rc || any ? rc : -ENOENT;
}

/* The arrays are open for no longer than that takes: see layer.h. */
static int read_programs(const struct kernel *k, uint64_t number, uint32_t ids[BP_HOOKS])
{
	struct layer layer;
	int rc = number ? layer_open(&k->shared, &layer) : -ENOENT;

	if (rc)
		return rc;
	rc = programs_of(&layer, number & 1, ids);
	layer_close(&layer);
	return rc;
}

static uint64_t number_of(const struct kernel *k)
{
	return __atomic_load_n(&k->ctl->dynamic, __ATOMIC_SEQ_CST);
}

bool dynamic_is_held(const struct kernel *k)
{
	uint32_t ids[BP_HOOKS];
	uint64_t number;
	int rc;

	do {
		number = number_of(k);
		rc = read_programs(k, number, ids);
	} while (rc && number != number_of(k));
	return rc != -ENOENT;
}

/* Takes the map, if it is one of the generation's own. */
static int take_map(struct generation *gen, int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int *to = NULL;

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	for (int part = 0; part < TABLE_PARTS; part++)
		if (!strcmp(info.name, generation_pin_name(part)))
			to = &gen->part_fd[part];
	if (!strcmp(info.name, COUNTS_MAP))
		to = &gen->base_fd;
	if (!to)
		return 0;
	if (*to >= 0)
		close(*to);
	*to = fd_copy(fd);
	return *to < 0 ? -errno : 0;
}

static int read_maps(struct generation *gen)
{
	__u32 ids[MOST_MAPS];
	struct bpf_prog_info info = { .nr_map_ids = MOST_MAPS, .map_ids = (uintptr_t)ids };
	__u32 len = sizeof(info);
	int hook = 0, rc;

	while (hook < BP_HOOKS - 1 && gen->classify[hook] < 0)
		hook++;
	if (gen->classify[hook] < 0)
		return -ENOENT;
	rc = bpf_obj_get_info_by_fd(gen->classify[hook], &info, &len) ? -errno : 0;

	for (__u32 i = 0; i < info.nr_map_ids && i < MOST_MAPS && !rc; i++) {
		int fd = bpf_map_get_fd_by_id(ids[i]);

		rc = fd < 0 ? -errno : take_map(gen, fd);
		if (fd >= 0)
			close(fd);
	}
	for (int part = 0; part < TABLE_PARTS && !rc; part++)
		if (gen->part_fd[part] < 0)
			rc = -ENOENT;
	return rc;
}

/* -ENOENT also when it goes while we look. */
static int read_all(const uint32_t ids[BP_HOOKS], struct generation *gen)
{
	int rc = 0;

	for (int hook = 0; hook < BP_HOOKS && !rc; hook++) {
		if (!ids[hook])
			continue;
		gen->classify[hook] = bpf_prog_get_fd_by_id(ids[hook]);
		if (gen->classify[hook] < 0 && errno != ENOENT)
			rc = -errno;
	}
	return rc ? rc : read_maps(gen);
}

static int read_generation(
	const uint32_t ids[BP_HOOKS], bool odd, struct generation **out, struct diag *diag)
{
	struct generation *gen;
	int rc = generation_new(&gen);

	if (rc)
		return rc;
	gen->dynamic = true;
	gen->odd = odd;
	rc = read_all(ids, gen);
	if (!rc)
		rc = generation_map(gen, NULL, diag);
	if (rc)
		generation_free(&gen);
	else
		*out = gen;
	return rc;
}

static int read_number(
	const struct kernel *k, uint64_t number, struct generation **out, struct diag *diag)
{
	uint32_t ids[BP_HOOKS];
	int rc = read_programs(k, number, ids);

	if (!rc)
		rc = read_generation(ids, number & 1, out, diag);
	if (rc && rc != -ENOENT && diag->kind == DIAG_NONE)
		rc = diag_errno(diag, -rc, "cannot read the dynamic rules back");
	return rc;
}

/* One that was replaced while we looked is no answer. */
int dynamic_read(const struct kernel *k, struct generation **gen, struct diag *diag)
{
	uint64_t number;
	int rc;

	do {
		number = number_of(k);
		rc = read_number(k, number, gen, diag);
	} while (rc == -ENOENT && number != number_of(k));
	return rc;
}

/* One that is just about to get the counters of the one before has too few. */
int dynamic_keep(const struct kernel *k, struct generation **gen, struct diag *diag)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	int rc = dynamic_read(k, gen, diag);

	for (int i = 0; !rc && i < PATIENCE; i++) {
		if (__atomic_load_n(&(*gen)->table.tables->folded, __ATOMIC_SEQ_CST))
			return 0;
		nanosleep(&ms, NULL);
		generation_free(gen);
		rc = dynamic_read(k, gen, diag);
	}
	return rc;
}

static int add_counts(struct rule_counts *counts, const struct generation *gen)
{
	int rc = counts_add_table(counts, &gen->table);

	return !rc && gen->base_fd >= 0 ? counts_add_map(counts, gen->base_fd) : rc;
}

int dynamic_kept_counts(const struct generation *gen, struct rule_counts *counts)
{
	int rc;

	*counts = (struct rule_counts){};
	rc = add_counts(counts, gen);
	counts_sum(counts);
	return rc;
}

static int read_slot(const struct layer *layer, bool odd, struct generation **gen)
{
	uint32_t ids[BP_HOOKS];
	struct diag ignored = {};
	int rc = programs_of(layer, odd, ids);

	if (!rc)
		rc = read_generation(ids, odd, gen, &ignored);
	diag_free(&ignored);
	return rc == -ENOENT ? 0 : rc;
}

static bool is_folded(const struct generation *gen)
{
	return gen && gen->table.tables->folded;
}

/*
 * Of two that stand there the newer one is not settled: what the older has counted is in its base,
 * or is not yet.
 */
int dynamic_last_counts(const struct layer *layer, struct rule_counts *counts)
{
	struct generation *gen[2] = {}, *newer, *older;
	int rc;

	*counts = (struct rule_counts){};
	kernel_wait_for_packets();
	rc = read_slot(layer, false, &gen[0]);
	if (!rc)
		rc = read_slot(layer, true, &gen[1]);
	newer = gen[!gen[0] || is_folded(gen[0])];
	older = newer == gen[0] ? gen[1] : gen[0];
	if (!rc && !newer && !older)
		rc = -ENOENT;
	if (!rc && newer)
		rc = add_counts(counts, newer);
	if (!rc && older && (!newer || newer->base_fd < 0))
		rc = add_counts(counts, older);
	counts_sum(counts);
	generation_free(&gen[0]);
	generation_free(&gen[1]);
	return rc;
}

int dynamic_counts(const struct kernel *k, struct rule_counts *counts, struct diag *diag)
{
	struct generation *gen = NULL;
	int rc = dynamic_keep(k, &gen, diag);

	*counts = (struct rule_counts){};
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = dynamic_kept_counts(gen, counts);
	generation_free(&gen);
	return rc;
}

void dynamic_answer(struct bp_answer *answer, const struct bp_answer *dynamic)
{
	if (answer->hidden)
		return;
	if (!dynamic->hidden && dynamic->rank <= answer->rank)
		return;
	answer->hidden = dynamic->hidden;
	answer->blocked = dynamic->blocked;
	answer->rule = dynamic->rule;
	answer->rank = dynamic->rank;
	answer->until = dynamic->until;
}
