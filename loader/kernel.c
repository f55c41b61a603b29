// SPDX-License-Identifier: GPL-2.0-only
#include "kernel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dirs.h"
#include "root.skel.h"

static const char *const pin_names[] = { "ctl", "totals", "xdp_generations", "generic_generations",
	"tc_generations", "bpfpol_xdp", "bpfpol_generic", "bpfpol_tc_in", "bpfpol_tc_out",
	"bpfpol_l3_in", "bpfpol_l3_out" };
#define PINS (sizeof(pin_names) / sizeof(pin_names[0]))
#define MAP_PINS 5 /* the first ones */
_Static_assert(PINS == MAP_PINS + BP_HOOKS, "a name each");

static int *fd_at(struct kernel *k, size_t i)
{
	int *fds[] = { &k->ctl_fd, &k->totals_fd, &k->xdp_generations, &k->generic_generations,
		&k->tc_generations };

	return i < MAP_PINS ? fds[i] : &k->root[i - MAP_PINS];
}

static int new_kernel(struct kernel **out)
{
	struct kernel *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	for (size_t i = 0; i < PINS; i++)
		*fd_at(k, i) = -1;
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
	free(k);
	*out = NULL;
}

static int map_ctl(struct kernel *k, struct diag *diag)
{
	void *memory =
		mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, k->ctl_fd, 0);

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
		k->ctl_fd = dup(bpf_map__fd(skel->maps.ctl));
		k->totals_fd = dup(bpf_map__fd(skel->maps.totals));
		k->xdp_generations = dup(bpf_map__fd(skel->maps.xdp_generations));
		k->generic_generations = dup(bpf_map__fd(skel->maps.generic_generations));
		k->tc_generations = dup(bpf_map__fd(skel->maps.tc_generations));
		k->root[BP_XDP] = dup(bpf_program__fd(skel->progs.bpfpol_xdp));
		k->root[BP_GENERIC] = dup(bpf_program__fd(skel->progs.bpfpol_generic));
		k->root[BP_TC_IN] = dup(bpf_program__fd(skel->progs.bpfpol_tc_in));
		k->root[BP_TC_OUT] = dup(bpf_program__fd(skel->progs.bpfpol_tc_out));
		k->root[BP_L3_IN] = dup(bpf_program__fd(skel->progs.bpfpol_l3_in));
		k->root[BP_L3_OUT] = dup(bpf_program__fd(skel->progs.bpfpol_l3_out));
		rc = k->root[BP_L3_OUT] < 0 ? -errno : 0;
	}
	root_bpf__destroy(skel);
	rc = rc ? diag_errno(diag, -rc, "the kernel did not take the programs") : map_ctl(k, diag);
	if (rc) {
		kernel_free(&k);
		return rc;
	}
	k->ctl->abi = BP_ABI;
	k->ctl->next_id = 1;
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
	char *ctl = path_join(dirs_get()->bpffs, "%s", pin_names[0]);
	struct kernel *k = NULL;
	int rc = ctl ? kernel_load(&k, diag) : -ENOMEM;

	if (!rc && unlink(ctl) && errno != ENOENT)
		rc = diag_errno(diag, errno, "cannot remove %s", ctl);
	for (size_t i = 1; i < PINS && !rc; i++)
		rc = pin(*fd_at(k, i), pin_names[i], diag);
	free(ctl);
	if (rc)
		kernel_free(&k);
	else
		*out = k;
	return rc;
}

int kernel_publish(const struct kernel *k, struct diag *diag)
{
	return pin(k->ctl_fd, pin_names[0], diag);
}

static int open_pins(struct kernel *k)
{
	int rc = 0;

	for (size_t i = 0; i < PINS && !rc; i++) {
		char *path = path_join(dirs_get()->bpffs, "%s", pin_names[i]);

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

static int counts_add(struct rule_counts *c, uint32_t rule, uint64_t packets, uint64_t bytes)
{
	if (c->n == c->room) {
		size_t room = c->room ? c->room * 2 : 256;
		struct rule_count *v = realloc(c->v, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		c->v = v;
		c->room = room;
	}
	c->v[c->n++] = (struct rule_count){ rule, packets, bytes };
	return 0;
}

static int count_elem(const union filter_elem *elem, int family, void *arg)
{
	const struct bp_elem *e = &elem->e;

	(void)family;
	return e->bytes ? counts_add(arg, e->rule, e->packets, e->bytes) : 0;
}

static int by_rule(const void *a, const void *b)
{
	const struct rule_count *x = a, *y = b;

	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

static void counts_sum(struct rule_counts *c)
{
	size_t kept = 0;

	if (c->n)
		qsort(c->v, c->n, sizeof(c->v[0]), by_rule);
	for (size_t i = 0; i < c->n; i++) {
		if (kept && c->v[kept - 1].rule == c->v[i].rule) {
			c->v[kept - 1].packets += c->v[i].packets;
			c->v[kept - 1].bytes += c->v[i].bytes;
		} else {
			c->v[kept++] = c->v[i];
		}
	}
	c->n = kept;
}

static char *base_path(uint64_t number)
{
	return path_join(dirs_get()->bpffs, "gen-%llu/base", (unsigned long long)number);
}

/* Adds what `base` of that generation holds; a generation without one has none. */
static int add_base(uint64_t number, struct rule_counts *c, struct diag *diag)
{
	char *path = base_path(number);
	int fd = path ? bpf_obj_get(path) : -1;
	int rc = 0;
	__u32 id, *previous = NULL;

	free(path);
	if (fd < 0)
		return errno == ENOENT ? 0 : diag_errno(diag, errno, "cannot open old counters");
	while (!rc && !bpf_map_get_next_key(fd, previous, &id)) {
		struct bp_count count;

		if (!bpf_map_lookup_elem(fd, &id, &count))
			rc = counts_add(c, id, count.packets, count.bytes);
		previous = &id;
	}
	close(fd);
	return rc;
}

static int generation_counts(const struct generation *gen, struct rule_counts *c, struct diag *diag)
{
	int rc = table_walk(&gen->table, count_elem, c);

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

const struct rule_count *counts_find(const struct rule_counts *counts, uint32_t rule)
{
	const struct rule_count key = { .rule = rule };

	return counts->n ? bsearch(&key, counts->v, counts->n, sizeof(key), by_rule) : NULL;
}

int kernel_totals(const struct kernel *k, struct bp_totals totals[BP_DIRS], struct diag *diag)
{
	int cpus = libbpf_num_possible_cpus();
	struct bp_totals *each = cpus > 0 ? calloc(cpus, sizeof(*each)) : NULL;
	int rc = each ? 0 : -ENOMEM;

	memset(totals, 0, BP_DIRS * sizeof(*totals));
	for (__u32 dir = 0; dir < BP_DIRS && !rc; dir++) {
		if (bpf_map_lookup_elem(k->totals_fd, &dir, each))
			rc = diag_errno(diag, errno, "cannot read the totals");
		for (int i = 0; i < cpus && !rc; i++) {
			totals[dir].passed += each[i].passed;
			totals[dir].blocked += each[i].blocked;
			totals[dir].malformed += each[i].malformed;
		}
	}
	free(each);
	return rc;
}

/* Switching. */

/* Writes counts to a map of their own, pinned beside the generation that goes on from them. */
static int write_base(uint64_t number, const struct rule_counts *c, struct diag *diag)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	char *path = base_path(number);
	int fd = path ? bpf_map_create(BPF_MAP_TYPE_HASH, "bpfpol_base", sizeof(__u32),
				sizeof(struct bp_count), c->n ? c->n : 1, &opts)
		      : -1;
	int rc = fd < 0 ? -errno : 0;

	for (size_t i = 0; i < c->n && !rc; i++) {
		struct bp_count count = { c->v[i].packets, c->v[i].bytes };

		if (bpf_map_update_elem(fd, &c->v[i].rule, &count, BPF_ANY))
			rc = -errno;
	}
	if (!rc) {
		unlink(path);
		rc = bpf_obj_pin(fd, path) ? -errno : 0;
	}
	if (fd >= 0)
		close(fd);
	free(path);
	return rc ? diag_errno(diag, -rc, "cannot keep the counters of the rules before") : 0;
}

/* Returns when every packet that was being judged when it was called has been judged. */
static void wait_for_packets(void)
{
	syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

int kernel_generations(const struct kernel *k, int hook)
{
	return hook == BP_XDP	    ? k->xdp_generations
	       : hook == BP_GENERIC ? k->generic_generations
				    : k->tc_generations;
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
	displace(k, number); /* what a command that died left there */
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		__u32 slot = bp_slot(hook, number);

		if (gen->classify[hook] >= 0 && bpf_map_update_elem(kernel_generations(k, hook),
							&slot, &gen->classify[hook], BPF_ANY))
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
	rc = generation_add(k->gen, hook, k->totals_fd, diag);
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
 * The old generation's final counts become the new one's base; then its pins go, and whatever
 * else a command that died left pinned. `folded` comes last: until then all of it is done again.
 */
static int fold(struct kernel *k, uint64_t old_number, struct diag *diag)
{
	struct generation *old = NULL;
	struct rule_counts counts = {};
	int rc = generation_open(old_number, &old, diag);

	if (old_number)
		wait_for_packets();
	if (!rc) {
		rc = generation_counts(old, &counts, diag);
		if (!rc)
			rc = write_base(k->gen->number, &counts, diag);
	} else if (rc == -ENOENT) {
		rc = 0; /* the first, or one whose counters are kept already */
	}
	if (!rc) {
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
	int rc = generation_pin(gen, number, diag);

	if (rc)
		return rc;
	rc = place(k, gen, number);
	if (rc)
		rc = diag_errno(diag, -rc, "cannot place the classifiers beside those in force");
	if (!rc && commit)
		rc = commit(arg, diag);
	if (rc) {
		displace(k, number);
		generation_unpin(number);
		return rc;
	}
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
