// SPDX-License-Identifier: GPL-2.0-only
#include "kernel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dirs.h"
#include "root.skel.h"
#include "spare.h"

static const char *const root_names[BP_HOOKS] = { "bpfpol_xdp", "bpfpol_generic", "bpfpol_tc_in",
	"bpfpol_tc_out", "bpfpol_l3_in", "bpfpol_l3_out" };
#define PINS (SHARED_MAPS + BP_HOOKS) /* ctl is the first */
_Static_assert(SHARED_CTL == 0, "kernel_init() pins all but that");

static const char *pin_name(size_t i)
{
	return i < SHARED_MAPS ? shared_name(i) : root_names[i - SHARED_MAPS];
}

static int *fd_at(struct kernel *k, size_t i)
{
	return i < SHARED_MAPS ? &k->shared.fd[i] : &k->root[i - SHARED_MAPS];
}

static int new_kernel(struct kernel **out)
{
	struct kernel *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	for (size_t i = 0; i < PINS; i++)
		*fd_at(k, i) = -1;
	for (int i = 0; i < BP_ARRAYS; i++)
		k->made[i] = -1;
	*out = k;
	return 0;
}

void kernel_free(struct kernel **out)
{
	struct kernel *k = *out;

	if (!k)
		return;
	generation_free(&k->gen);
	if (k->ctl)
		munmap(k->ctl, sizeof(*k->ctl));
	for (size_t i = 0; i < PINS; i++)
		if (*fd_at(k, i) >= 0)
			close(*fd_at(k, i));
	for (int i = 0; i < BP_ARRAYS; i++)
		if (k->made[i] >= 0)
			close(k->made[i]);
	free(k);
	*out = NULL;
}

static int map_ctl(struct kernel *k, struct diag *diag)
{
	void *memory = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED,
		k->shared.fd[SHARED_CTL], 0);

	if (memory == MAP_FAILED)
		return diag_errno(diag, errno, "cannot map the control word");
	k->ctl = memory;
	return 0;
}

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return level == LIBBPF_WARN && getenv("BPFPOL_DEBUG") ? vfprintf(stderr, fmt, args) : 0;
}

void kernel_quiet(void)
{
	libbpf_set_print(quiet);
}

/* Descriptors of our own, of maps and programs by their names. */
static int take(struct kernel *k, const struct bpf_object *object)
{
	for (size_t i = 0; i < PINS; i++) {
		int fd = i < SHARED_MAPS ? bpf_object__find_map_fd_by_name(object, pin_name(i))
					 : bpf_program__fd(bpf_object__find_program_by_name(
						   object, pin_name(i)));

		*fd_at(k, i) = dup(fd);
		if (*fd_at(k, i) < 0)
			return -errno;
	}
	return 0;
}

/*
 * The dynamic layer's arrays. To open them by their ids takes more rights than an agent keeps, so
 * who loads them has them while it has the rest.
 */
static int take_dynamic(struct kernel *k, const struct bpf_object *object)
{
	for (int i = 0; i < BP_ARRAYS; i++) {
		struct bpf_map_info info = {};
		__u32 len = sizeof(info);
		int fd = bpf_object__find_map_fd_by_name(object, shared_dynamic_name(i));

		if (bpf_obj_get_info_by_fd(fd, &info, &len))
			return -errno;
		k->shared.dynamic[i] = info.id;
		k->made[i] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (k->made[i] < 0)
			return -errno;
	}
	k->shared.dynamic_fd = k->made;
	return 0;
}

uint64_t kernel_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : st.st_ino;
}

int kernel_load(struct kernel **out, struct diag *diag)
{
	struct kernel *k;
	struct root_bpf *skel;
	int rc = new_kernel(&k);

	if (rc)
		return rc;
	kernel_quiet();
	if (!libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_loop, NULL)) {
		kernel_free(&k);
		return diag_set(diag, DIAG_SYSTEM, ENOTSUP,
			"this kernel is older than 5.17, which bpfpol needs");
	}
	skel = root_bpf__open();
	if (skel &&
		libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_get_buff_len, NULL) == 1)
		bpf_program__set_flags(skel->progs.bpfpol_xdp, BPF_F_XDP_HAS_FRAGS);
	rc = skel ? root_bpf__load(skel) : -errno;
	if (!rc) {
		rc = take(k, skel->obj);
		if (!rc)
			rc = take_dynamic(k, skel->obj);
	}
	root_bpf__destroy(skel);
	rc = rc ? diag_errno(diag, -rc, "the kernel did not take the programs") : map_ctl(k, diag);
	if (rc) {
		kernel_free(&k);
		return rc;
	}
	k->ctl->abi = BP_ABI;
	k->ctl->next_id = 1;
	k->ctl->netns = kernel_namespace();
	memcpy(k->ctl->dynamic_map, k->shared.dynamic, sizeof(k->ctl->dynamic_map));
	*out = k;
	return 0;
}

static int pin(int fd, const char *name, struct diag *diag)
{
	char *path = path_join(dirs_get()->bpffs, "%s", name);
	int rc = path ? 0 : -ENOMEM;

	if (path)
		unlink(path);
	if (path && bpf_obj_pin(fd, path))
		rc = diag_errno(diag, errno, "cannot pin %s", path);
	free(path);
	return rc;
}

int kernel_init(struct kernel **out, struct diag *diag)
{
	char *ctl = path_join(dirs_get()->bpffs, "%s", pin_name(SHARED_CTL));
	struct kernel *k = NULL;
	int rc = ctl ? kernel_load(&k, diag) : -ENOMEM;

	if (!rc && unlink(ctl) && errno != ENOENT)
		rc = diag_errno(diag, errno, "cannot remove %s", ctl);
	if (!rc)
		spare_drop(); /* its programs count for other totals */
	for (size_t i = 1; i < PINS && !rc; i++)
		rc = pin(*fd_at(k, i), pin_name(i), diag);
	free(ctl);
	if (rc)
		kernel_free(&k);
	else
		*out = k;
	return rc;
}

int kernel_publish(const struct kernel *k, struct diag *diag)
{
	return pin(k->shared.fd[SHARED_CTL], pin_name(SHARED_CTL), diag);
}

static int open_pins(struct kernel *k)
{
	int rc = 0;

	for (size_t i = 0; i < PINS && !rc; i++) {
		char *path = path_join(dirs_get()->bpffs, "%s", pin_name(i));

		*fd_at(k, i) = path ? bpf_obj_get(path) : -1;
		if (*fd_at(k, i) < 0)
			rc = path ? -errno : -ENOMEM;
		free(path);
	}
	return rc;
}

int kernel_open(struct kernel **out, struct diag *diag)
{
	struct kernel *k;
	int rc = new_kernel(&k);

	if (rc)
		return rc;
	rc = dir_check(dirs_get()->bpffs, diag);
	if (!rc)
		rc = open_pins(k);
	if (rc && rc != -ENOENT)
		rc = diag->kind != DIAG_NONE
			     ? rc
			     : diag_errno(diag, -rc, "cannot open what is pinned in %s",
				       dirs_get()->bpffs);
	if (!rc)
		rc = map_ctl(k, diag);
	if (!rc && k->ctl->abi != BP_ABI)
		rc = -ENOENT;
	if (!rc)
		memcpy(k->shared.dynamic, k->ctl->dynamic_map, sizeof(k->shared.dynamic));
	if (!rc && k->ctl->generation) {
		rc = generation_open(k->ctl->generation, &k->gen, diag);
		if (rc == -ENOENT) /* its pins are gone: as good as none */
			rc = 0;
	}
	if (rc)
		kernel_free(&k);
	else
		*out = k;
	return rc;
}

/* Counters. */

static char *base_path(uint64_t number)
{
	return path_join(dirs_get()->bpffs, "gen-%llu/base", (unsigned long long)number);
}

/* Adds what `base` of that generation holds; a generation without one has none. */
static int add_base(uint64_t number, struct rule_counts *c, struct diag *diag)
{
	char *path = base_path(number);
	int fd = path ? bpf_obj_get(path) : -1;
	int rc;

	free(path);
	if (fd < 0)
		return errno == ENOENT ? 0 : diag_errno(diag, errno, "cannot open old counters");
	rc = counts_add_map(c, fd);
	close(fd);
	return rc ? diag_errno(diag, -rc, "cannot read old counters") : 0;
}

static int generation_counts(const struct generation *gen, struct rule_counts *c, struct diag *diag)
{
	int rc = counts_add_table(c, &gen->table);

	if (!rc)
		rc = add_base(gen->number, c, diag);
	counts_sum(c);
	return rc;
}

int kernel_counts(const struct kernel *k, struct rule_counts *counts, struct diag *diag)
{
	*counts = (struct rule_counts){};
	return k->gen ? generation_counts(k->gen, counts, diag) : 0;
}

int kernel_totals(const struct kernel *k, struct bp_totals totals[BP_DIRS], struct diag *diag)
{
	int cpus = libbpf_num_possible_cpus();
	struct bp_totals *each = cpus > 0 ? calloc(cpus, sizeof(*each)) : NULL;
	int rc = each ? 0 : -ENOMEM;

	memset(totals, 0, BP_DIRS * sizeof(*totals));
	for (__u32 dir = 0; dir < BP_DIRS && !rc; dir++) {
		if (bpf_map_lookup_elem(k->shared.fd[SHARED_TOTALS], &dir, each))
			rc = diag_errno(diag, errno, "cannot read the totals");
		for (int i = 0; i < cpus && !rc; i++) {
			totals[dir].passed += each[i].passed;
			totals[dir].blocked += each[i].blocked;
			totals[dir].malformed += each[i].malformed;
			totals[dir].unfinished += each[i].unfinished;
		}
	}
	free(each);
	return rc;
}

/* Switching. */

/* Writes counts to a map of their own, pinned beside the generation that goes on from them. */
static int write_base(uint64_t number, const struct rule_counts *c, struct diag *diag)
{
	char *path = base_path(number), *fresh = NULL;
	int fd = path && asprintf(&fresh, "%s-new", path) > 0 ? counts_to_map(c) : -ENOMEM;
	int rc = fd < 0 ? fd : 0;

	if (!rc) {
		unlink(fresh); /* of a command that died here */
		rc = bpf_obj_pin(fd, fresh) || rename(fresh, path) ? -errno : 0;
	}
	if (fd >= 0)
		close(fd);
	free(fresh);
	free(path);
	return rc ? diag_errno(diag, -rc, "cannot keep the counters of the rules before") : 0;
}

int kernel_add_count(const struct kernel *k, const struct rule_count *count, struct diag *diag)
{
	struct rule_counts counts = {};
	int rc = k->gen ? add_base(k->gen->number, &counts, diag) : -ENOENT;

	if (!rc)
		rc = counts_add(
			&counts, &(struct rule_counts){ .v = (struct rule_count *)count, .n = 1 });
	counts_sum(&counts);
	if (!rc)
		rc = write_base(k->gen->number, &counts, diag);
	free(counts.v);
	return rc;
}

bool kernel_wait_for_packets(void)
{
	return !syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

int kernel_generations(const struct kernel *k, int hook)
{
	return k->shared.fd[SHARED_GENERATIONS + bp_array_of(hook)];
}

static void displace(const struct kernel *k, uint64_t number)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		__u32 slot = bp_slot(hook, number);

		bpf_map_delete_elem(kernel_generations(k, hook), &slot);
	}
}

/* Puts the generation's classifiers beside those in force, where nobody calls them yet. */
static int place(const struct kernel *k, const struct generation *gen, uint64_t number)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		int array = kernel_generations(k, hook), fd = gen->classify[hook];
		__u32 slot = bp_slot(hook, number);

		if (fd < 0)
			bpf_map_delete_elem(array, &slot); /* a dead command's, or a spare's */
		else if (bpf_map_update_elem(array, &slot, &fd, BPF_ANY))
			return -errno;
	}
	return 0;
}

int kernel_need(struct kernel *k, enum bp_hook hook, struct diag *diag)
{
	int array = kernel_generations(k, hook), rc;
	__u32 slot, id;

	if (!k->gen)
		return 0;
	slot = bp_slot(hook, k->gen->number);
	if (!bpf_map_lookup_elem(array, &slot, &id))
		return 0;
	k->added |= 1U << hook;
	rc = generation_add(k->gen, hook, &k->shared, diag);
	if (!rc && bpf_map_update_elem(array, &slot, &k->gen->classify[hook], BPF_ANY))
		rc = diag_errno(diag, errno, "cannot place the classifier");
	return rc;
}

void kernel_unneed(struct kernel *k, unsigned int in_use)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		__u32 slot;

		if (!((k->added & ~in_use) >> hook & 1))
			continue;
		slot = bp_slot(hook, k->gen->number);
		bpf_map_delete_elem(kernel_generations(k, hook), &slot);
		generation_remove(k->gen, hook);
	}
	k->added &= in_use;
}

/*
 * The old generation's final counts become the new one's base; then it is the spare, or its pins
 * go, and with them whatever a command that died left pinned. `folded` comes last: until then all
 * of it is done again.
 */
static int fold(struct kernel *k, uint64_t old_number, struct diag *diag)
{
	struct generation *old = NULL;
	struct rule_counts counts = {};
	int rc = generation_open(old_number, &old, diag);
	bool unused = !old_number || kernel_wait_for_packets();

	if (!rc) {
		rc = generation_counts(old, &counts, diag);
		if (!rc)
			rc = write_base(k->gen->number, &counts, diag);
	} else if (rc == -ENOENT) {
		rc = 0; /* the first, or one whose counters are kept already */
	}
	if (!rc) {
		if (!old || !unused || spare_keep(old))
			displace(k, old_number);
		generation_sweep(k->gen->number);
		k->gen->table.tables->folded = 1;
	}
	generation_free(&old);
	free(counts.v);
	return rc;
}

int kernel_recover(struct kernel *k, struct diag *diag)
{
	if (!k->gen || k->gen->table.tables->folded)
		return 0;
	return fold(k, k->gen->number - 1, diag);
}

int kernel_switch(struct kernel *k, struct generation *gen, int (*commit)(void *, struct diag *),
	void *arg, struct diag *diag)
{
	uint64_t old = k->ctl->generation, number = old + 1;
	bool give_back = gen->number == number; /* it was the spare */
	int rc = give_back ? 0 : generation_pin(gen, number, diag);

	if (rc)
		return rc;
	rc = place(k, gen, number);
	if (rc) {
		give_back = false; /* something is wrong with it */
		rc = diag_errno(diag, -rc, "cannot place the classifiers beside those in force");
	}
	if (!rc && commit)
		rc = commit(arg, diag);
	if (rc && !give_back) {
		displace(k, number);
		generation_unpin(number);
	}
	if (rc)
		return rc;
	gen->number = number;
	__atomic_store_n(&k->ctl->generation, number, __ATOMIC_SEQ_CST);
	generation_free(&k->gen);
	k->gen = gen;
	k->added = 0;
	if (fold(k, old, diag))
		diag_to_warning(
			diag, "the rules are in force, but not yet with their old counters");
	return 0;
}
