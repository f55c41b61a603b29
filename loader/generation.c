// SPDX-License-Identifier: GPL-2.0-only
#include "generation.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "classifier.h"
#include "dirs.h"

#define BATCH 4096
#define LEAST_GATES 4096

/* Room for as many gates again. */
static uint32_t room_for_gates(size_t n)
{
	size_t room = LEAST_GATES;

	while (room < n * 2)
		room *= 2;
	return room < BP_GATES ? room : BP_GATES;
}

static void *map_memory(int fd, size_t size)
{
	long page = sysconf(_SC_PAGESIZE);
	void *memory = mmap(
		NULL, (size + page - 1) / page * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static size_t sets_size(const struct bp_sizes *sizes)
{
	return BP_DIRS * BP_FAMILIES * bp_sets_words(sizes) * sizeof(uint64_t);
}

static size_t present_size(const struct bp_sizes *sizes)
{
	return bp_present_words(sizes) * sizeof(uint64_t);
}

static int map_tables(struct generation *gen, struct diag *diag)
{
	gen->tables = map_memory(gen->tables_fd, sizeof(*gen->tables));
	return gen->tables ? 0 : diag_errno(diag, errno, "cannot map the rules' tables");
}

static int map_rest(struct generation *gen, struct diag *diag)
{
	gen->gates = map_memory(gen->gates_fd, gen->gates_room * 8UL);
	gen->sets = gen->gates ? map_memory(gen->sets_fd, sets_size(&gen->sizes)) : NULL;
	gen->present = gen->sets ? map_memory(gen->present_fd, present_size(&gen->sizes)) : NULL;
	if (!gen->present)
		return diag_errno(diag, errno, "cannot map the rules' indices");
	return 0;
}

/* Every descriptor of a generation, in the order of pin_names. */
static const char *const pin_names[] = { "tables", "gates", "sets", "present", "rules4", "rules6",
	"classify_xdp", "classify_generic", "classify_tc_in", "classify_tc_out", "classify_l3_in",
	"classify_l3_out" };
#define PINS (sizeof(pin_names) / sizeof(pin_names[0]))
#define MAP_PINS 6 /* the first ones */
_Static_assert(PINS == MAP_PINS + BP_HOOKS, "a name each");

static int *fd_at(struct generation *gen, size_t i)
{
	int *fds[] = { &gen->tables_fd, &gen->gates_fd, &gen->sets_fd, &gen->present_fd,
		&gen->rules[BP_V4], &gen->rules[BP_V6] };

	return i < MAP_PINS ? fds[i] : &gen->classify[i - MAP_PINS];
}

static int new_generation(struct generation **out)
{
	struct generation *gen = calloc(1, sizeof(*gen));

	if (!gen)
		return -ENOMEM;
	for (size_t i = 0; i < PINS; i++)
		*fd_at(gen, i) = -1;
	*out = gen;
	return 0;
}

void generation_free(struct generation **out)
{
	struct generation *gen = *out;

	if (!gen)
		return;
	if (gen->tables)
		munmap(gen->tables, sizeof(*gen->tables));
	if (gen->gates)
		munmap(gen->gates, gen->gates_room * 8UL);
	if (gen->sets)
		munmap(gen->sets, sets_size(&gen->sizes));
	if (gen->present)
		munmap(gen->present, present_size(&gen->sizes));
	for (size_t i = 0; i < PINS; i++)
		if (*fd_at(gen, i) >= 0)
			close(*fd_at(gen, i));
	free(gen);
	*out = NULL;
}

/* Elements in batches; where the kernel has none for this map, one by one. */
static int fill_rules(int fd, const struct plan_set *set)
{
	for (size_t at = 0; at < set->n;) {
		__u32 count = set->n - at < BATCH ? set->n - at : BATCH;
		const uint8_t *keys = set->keys + at * set->key_size;
		const uint8_t *elems = set->elems + at * set->elem_size;

		if (bpf_map_update_batch(fd, keys, elems, &count, NULL)) {
			count = 1;
			if (bpf_map_update_elem(fd, keys, elems, BPF_NOEXIST))
				return -errno;
		}
		at += count;
	}
	return 0;
}

int generation_fill(struct generation *gen, const struct plan *plan, struct diag *diag)
{
	int rc = 0;

	for (int f = 0; f < BP_FAMILIES && !rc; f++)
		rc = fill_rules(gen->rules[f], &plan->set[f]);
	if (rc)
		return diag_errno(diag, -rc, "the kernel took only a part of the rules");
	memcpy(gen->gates, plan->gates, plan->n_gates * sizeof(*plan->gates));
	memcpy(gen->sets, plan->sets, sets_size(&gen->sizes));
	memcpy(gen->present, plan->present, present_size(&gen->sizes));
	*gen->tables = plan->tables;
	return 0;
}

int generation_load(
	const struct plan *plan, int totals_fd, struct generation **out, struct diag *diag)
{
	struct generation *gen;
	int rc = new_generation(&gen);

	if (rc)
		return rc;
	gen->gates_room = room_for_gates(plan->n_gates);
	gen->sizes = plan->tables.sizes;
	for (int f = 0; f < BP_FAMILIES; f++)
		gen->rules_room[f] = plan->map_room[f];
	rc = classifiers_load(gen, totals_fd);
	if (rc)
		rc = diag_errno(diag, -rc, "the kernel did not take the classifier");
	if (!rc)
		rc = map_tables(gen, diag);
	if (!rc)
		gen->tables->sizes = gen->sizes;
	if (!rc)
		rc = map_rest(gen, diag);
	if (!rc)
		rc = generation_fill(gen, plan, diag);
	if (rc)
		generation_free(&gen);
	else
		*out = gen;
	return rc;
}

int generation_classifier(const struct generation *gen, enum bp_hook hook)
{
	char *path;
	int fd;

	if (gen->classify[hook] >= 0 || !gen->number)
		return dup(gen->classify[hook]);
	path = path_join(dirs_get()->bpffs, "gen-%llu/%s", (unsigned long long)gen->number,
		pin_names[MAP_PINS + hook]);
	fd = path ? bpf_obj_get(path) : -1;
	free(path);
	return fd;
}

static char *generation_dir(uint64_t number)
{
	return path_join(dirs_get()->bpffs, "gen-%llu", (unsigned long long)number);
}

int generation_pin(const struct generation *gen, uint64_t number, struct diag *diag)
{
	char *dir = generation_dir(number);
	int rc = dir ? 0 : -ENOMEM;

	generation_unpin(number); /* the remains of one that was never finished */
	if (!rc && mkdir(dir, 0700))
		rc = diag_errno(diag, errno, "cannot make %s", dir);
	for (size_t i = 0; i < PINS && !rc; i++) {
		char *path = path_join(dir, "%s", pin_names[i]);

		if (!path || bpf_obj_pin(*fd_at((struct generation *)gen, i), path))
			rc = diag_errno(diag, path ? errno : ENOMEM, "cannot pin %s in %s",
				pin_names[i], dir);
		free(path);
	}
	if (rc)
		generation_unpin(number);
	free(dir);
	return rc;
}

void generation_unpin(uint64_t number)
{
	char *dir = generation_dir(number);

	for (size_t i = 0; dir && i <= PINS; i++) {
		char *path = path_join(dir, "%s", i < PINS ? pin_names[i] : "base");

		if (path)
			unlink(path);
		free(path);
	}
	if (dir)
		rmdir(dir);
	free(dir);
}

void generation_sweep(uint64_t keep)
{
	DIR *d = opendir(dirs_get()->bpffs);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		unsigned long long number;

		if (sscanf(entry->d_name, "gen-%llu", &number) == 1 && number != keep)
			generation_unpin(number);
	}
	if (d)
		closedir(d);
}

static int map_room(int fd, uint32_t *room)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	*room = info.max_entries;
	return 0;
}

int generation_open(uint64_t number, struct generation **out, struct diag *diag)
{
	char *dir = generation_dir(number);
	struct generation *gen = NULL;
	int rc = dir ? new_generation(&gen) : -ENOMEM;

	/* The classifiers are named by the program arrays; here only the maps are of use. */
	for (size_t i = 0; i < MAP_PINS && !rc; i++) {
		char *path = path_join(dir, "%s", pin_names[i]);
		int fd = path ? bpf_obj_get(path) : -1;

		if (fd < 0)
			rc = path ? -errno : -ENOMEM;
		*fd_at(gen, i) = fd;
		free(path);
	}
	free(dir);
	if (!rc)
		rc = map_room(gen->gates_fd, &gen->gates_room);
	for (int f = 0; f < BP_FAMILIES && !rc; f++)
		rc = map_room(gen->rules[f], &gen->rules_room[f]);
	if (rc && rc != -ENOENT)
		rc = diag_errno(diag, -rc, "cannot open the pinned rules");
	if (!rc)
		rc = map_tables(gen, diag);
	if (!rc) {
		gen->sizes = gen->tables->sizes;
		rc = map_rest(gen, diag);
	}
	if (rc) {
		generation_free(&gen);
		return rc;
	}
	gen->number = number;
	*out = gen;
	return 0;
}

struct batch {
	uint8_t keys[BATCH * sizeof(struct bp_key6)];
	uint8_t elems[BATCH * sizeof(struct bp_elem6)];
};

static int walk_family(const struct generation *gen, int family, struct batch *batch,
	int (*fn)(const union filter_key *, int, const union filter_elem *, void *), void *arg)
{
	size_t key_size = filter_key_size(family), elem_size = filter_elem_size(family);
	__u32 position[16]; /* opaque to us; a bucket number, at most a key's size */
	bool first = true;

	for (;;) {
		__u32 count = BATCH;
		int rc = bpf_map_lookup_batch(gen->rules[family], first ? NULL : position, position,
			batch->keys, batch->elems, &count, NULL);

		if (rc && errno != ENOENT)
			return -errno;
		for (__u32 i = 0; i < count; i++) {
			union filter_key key = {};
			union filter_elem elem = {};
			int stop;

			memcpy(&key, batch->keys + i * key_size, key_size);
			memcpy(&elem, batch->elems + i * elem_size, elem_size);
			stop = fn(&key, family, &elem, arg);
			if (stop)
				return stop;
		}
		if (rc)
			return 0;
		first = false;
	}
}

int generation_walk(const struct generation *gen,
	int (*fn)(
		const union filter_key *key, int family, const union filter_elem *elem, void *arg),
	void *arg, struct diag *diag)
{
	struct batch *batch = malloc(sizeof(*batch));
	int rc = batch ? 0 : -ENOMEM;

	for (int family = 0; family < BP_FAMILIES && !rc; family++)
		rc = walk_family(gen, family, batch, fn, arg);
	free(batch);
	return rc < 0 ? diag_errno(diag, -rc, "cannot read the rules back from the kernel") : rc;
}
