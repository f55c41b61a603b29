// SPDX-License-Identifier: GPL-2.0-only
#include "generation.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "classifier.h"
#include "dirs.h"
#include "pinned.h"
#include "windows.h"

static int *fd_at(struct generation *gen, size_t i)
{
	return i < TABLE_PARTS ? &gen->part_fd[i] : &gen->classify[i - TABLE_PARTS];
}

int generation_new(struct generation **out)
{
	struct generation *gen = calloc(1, sizeof(*gen));

	if (!gen)
		return -ENOMEM;
	for (size_t i = 0; i < GENERATION_PINS; i++)
		*fd_at(gen, i) = -1;
	for (int hook = 0; hook < BP_HOOKS; hook++)
		gen->count[hook] = -1;
	gen->base_fd = -1;
	*out = gen;
	return 0;
}

void generation_free(struct generation **out)
{
	struct generation *gen = *out;

	if (!gen)
		return;
	windows_close(&gen->table);
	for (size_t i = 0; i < GENERATION_PINS; i++)
		if (*fd_at(gen, i) >= 0)
			close(*fd_at(gen, i));
	for (int hook = 0; hook < BP_HOOKS; hook++)
		if (gen->count[hook] >= 0)
			close(gen->count[hook]);
	if (gen->base_fd >= 0)
		close(gen->base_fd);
	free(gen);
	*out = NULL;
}

/* sizes: of a new one, which is about to be filled. */
int generation_map(struct generation *gen, const struct bp_sizes *sizes, struct diag *diag)
{
	int rc = windows_open(&gen->table, gen->part_fd, sizes);

	if (!rc && sizes)
		rc = windows_fill(&gen->table);
	return rc ? diag_errno(diag, -rc, "cannot map the rules' tables") : 0;
}

/* What loading came to, of tables of that size. */
static int not_taken(const struct bp_sizes *sizes, int rc, struct diag *diag)
{
	size_t bytes = (1 << 20) - 1;

	if (rc != -ENOMEM)
		return diag_errno(diag, -rc, "the kernel did not take the classifier");
	for (int part = 0; part < TABLE_PARTS; part++)
		bytes += table_part_size(sizes, part);
	return diag_set(diag, DIAG_SYSTEM, ENOMEM,
		"the kernel has no memory for these rules, which take %zu MB: it takes fewer "
		"rules, "
		"or more memory, of this host or of the control group that the command runs in",
		bytes >> 20);
}

static int load(struct generation *gen, unsigned int hooks, const struct plan *plan,
	const struct shared *shared, struct diag *diag)
{
	int rc = classifiers_load(gen, &plan->tables.sizes, shared, hooks);

	if (rc)
		rc = not_taken(&plan->tables.sizes, rc, diag);
	if (!rc)
		rc = generation_map(gen, &plan->tables.sizes, diag);
	if (rc)
		return rc;
	gen->table.tables->programs = classifiers_print();
	rc = plan_fill(plan, &gen->table, diag);
	windows_leave(&gen->table);
	return rc;
}

int generation_load_for(unsigned int hooks, const struct plan *plan, const struct shared *shared,
	struct generation **out, struct diag *diag)
{
	struct generation *gen;
	int rc = generation_new(&gen);

	if (rc)
		return rc;
	rc = load(gen, hooks, plan, shared, diag);
	if (rc)
		generation_free(&gen);
	else
		*out = gen;
	return rc;
}

int generation_load(const struct plan *plan, const struct shared *shared, struct generation **out,
	struct diag *diag)
{
	return generation_load_for(HOOKS_ALL, plan, shared, out, diag);
}

int generation_load_dynamic(const struct plan *plan, const struct shared *shared, bool odd,
	struct generation **out, struct diag *diag)
{
	struct generation *gen;
	int rc = generation_new(&gen);

	if (rc)
		return rc;
	gen->dynamic = true;
	gen->odd = odd;
	rc = load(gen, HOOKS_ALL, plan, shared, diag);
	if (rc)
		generation_free(&gen);
	else
		*out = gen;
	return rc;
}

int generation_add(
	struct generation *gen, enum bp_hook hook, const struct shared *shared, struct diag *diag)
{
	char *path = generation_path(gen->number, hook);
	int rc = path ? 0 : -ENOMEM;

	if (!rc && gen->table.tables->programs != classifiers_print())
		gen->table.tables->programs = 0;
	if (!rc && gen->classify[hook] < 0)
		rc = classifiers_add(gen, &gen->table.tables->sizes, shared, 1U << hook);
	if (rc && rc != -ENOMEM)
		diag_errno(diag, -rc, "the kernel did not take the classifier");
	if (!rc) {
		unlink(path); /* of a command that died here */
		if (bpf_obj_pin(gen->classify[hook], path))
			rc = diag_errno(diag, errno, "cannot pin %s", path);
	}
	free(path);
	return rc;
}

/* By its name, of which the kernel keeps the beginning. */
static bool is_classifier(int fd, enum bp_hook hook)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &len) &&
	       !strncmp(info.name, generation_pin_name(TABLE_PARTS + hook), sizeof(info.name) - 1);
}

void generation_open_classifiers(struct generation *gen)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		char *path = generation_path(gen->number, hook);
		int fd = path ? bpf_obj_get(path) : -1;

		if (fd >= 0 && gen->classify[hook] < 0 && is_classifier(fd, hook))
			gen->classify[hook] = fd;
		else if (fd >= 0)
			close(fd);
		free(path);
	}
}

void generation_remove(struct generation *gen, enum bp_hook hook)
{
	char *path = generation_path(gen->number, hook);

	if (path)
		unlink(path);
	free(path);
	if (gen->classify[hook] >= 0)
		close(gen->classify[hook]);
	gen->classify[hook] = -1;
}

int generation_pin(const struct generation *gen, uint64_t number, struct diag *diag)
{
	char *dir = generation_dir(number);
	int rc = dir ? 0 : -ENOMEM;

	generation_unpin(number); /* the remains of one that was never finished */
	if (!rc && mkdir(dir, 0700))
		rc = diag_errno(diag, errno, "cannot make %s", dir);
	for (size_t i = 0; i < GENERATION_PINS && !rc; i++) {
		int fd = *fd_at((struct generation *)gen, i);
		char *path;

		if (fd < 0)
			continue; /* a hook where nothing is attached */
		path = path_join(dir, "%s", generation_pin_name(i));
		if (!path || bpf_obj_pin(fd, path))
			rc = diag_errno(diag, path ? errno : ENOMEM, "cannot pin %s in %s",
				generation_pin_name(i), dir);
		free(path);
	}
	if (rc)
		generation_unpin(number);
	free(dir);
	return rc;
}

/* All that is in it: another version may have had parts of other names. */
void generation_unpin_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		unlinkat(dirfd(d), entry->d_name, 0);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	rmdir(dir);
}

void generation_unpin(uint64_t number)
{
	char *dir = generation_dir(number);

	if (dir)
		generation_unpin_dir(dir);
	free(dir);
}

static bool next_number(DIR *d, unsigned long long *number, int *err)
{
	struct dirent *entry;

	while (d && (entry = dir_next(d, err)))
		if (sscanf(entry->d_name, "gen-%llu", number) == 1)
			return true;
	return false;
}

int generation_highest(uint64_t *highest)
{
	DIR *d = opendir(dirs_get()->bpffs);
	unsigned long long number;
	int rc = d || errno == ENOENT ? 0 : -errno;

	*highest = 0;
	while (next_number(d, &number, &rc))
		if (number > *highest)
			*highest = number;
	if (d)
		closedir(d);
	return rc;
}

void generation_sweep(uint64_t keep, uint64_t last)
{
	DIR *d = opendir(dirs_get()->bpffs);
	unsigned long long number;
	int err;

	while (next_number(d, &number, &err))
		if (number != keep && number <= last)
			generation_unpin(number);
	if (d)
		closedir(d);
}

static int open_part(const char *dir, size_t part, int *fd, struct diag *diag)
{
	const struct map_kind kind = { BPF_MAP_TYPE_ARRAY, .name = generation_pin_name(part) };
	char *path = path_join(dir, "%s", generation_pin_name(part));
	int rc;

	*fd = path ? pinned_open(path, PINNED_MAP, diag) : -ENOMEM;
	rc = *fd < 0 ? *fd : pinned_is_map(*fd, &kind, path, diag);
	free(path);
	return rc;
}

int generation_open(uint64_t number, struct generation **out, struct diag *diag)
{
	char *dir = generation_dir(number);
	struct generation *gen = NULL;
	int rc = dir ? generation_new(&gen) : -ENOMEM;

	/* The classifiers are named by the program arrays; here only the maps are of use. */
	for (size_t i = 0; i < TABLE_PARTS && !rc; i++)
		rc = open_part(dir, i, fd_at(gen, i), diag);
	free(dir);
	if (rc && rc != -ENOENT && diag->kind == DIAG_NONE)
		rc = diag_errno(diag, -rc, "cannot open the pinned rules");
	if (!rc)
		rc = generation_map(gen, NULL, diag);
	if (rc) {
		generation_free(&gen);
		return rc;
	}
	gen->number = number;
	*out = gen;
	return 0;
}
