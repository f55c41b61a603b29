// SPDX-License-Identifier: GPL-2.0-only
#include "kernel.h"

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

#include "clocks.h"
#include "direct.h"
#include "dirs.h"
#include "fds.h"
#include "pinned.h"
#include "root.skel.h"

static const char *const root_names[BP_HOOKS] = { "bpfpol_xdp", "bpfpol_generic", "bpfpol_tc_in",
	"bpfpol_tc_out", "bpfpol_l3_in", "bpfpol_l3_out" };
#define PINS (SHARED_MAPS + BP_HOOKS) /* ctl is the first */
_Static_assert(SHARED_CTL == 0, "kernel_publish() takes it last");

bool kernel_is_xdp_name(const char *name)
{
	for (int hook = 0; hook < BP_HOOKS; hook++)
		if (bp_hook_is_xdp(hook) && !strcmp(name, root_names[hook]))
			return true;
	return false;
}

bool kernel_is_root_name(const char *name)
{
	for (int hook = 0; hook < BP_HOOKS; hook++)
		if (!strcmp(name, root_names[hook]))
			return true;
	return false;
}

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
	generation_free(&k->other);
	generation_free(&k->none);
	free(k->next);
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

		*fd_at(k, i) = fd_copy(fd);
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
		k->made[i] = fd_copy(fd);
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
	rc = direct_begin();
	skel = rc ? NULL : root_bpf__open();
	if (skel &&
		libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_get_buff_len, NULL) == 1)
		bpf_program__set_flags(skel->progs.bpfpol_xdp, BPF_F_XDP_HAS_FRAGS);
	if (!rc)
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
	k->beside = true;
	rc = generation_highest(&k->others);
	if (rc) {
		kernel_free(&k);
		return diag_errno(diag, -rc, "cannot list %s", dirs_get()->bpffs);
	}
	if (k->others)
		k->others = (k->others | 1) + 1; /* the place of number 0 */
	*out = k;
	return 0;
}

static int pin(int fd, const char *dir, const char *name, struct diag *diag)
{
	char *path = path_join(dir, "%s", name);
	int rc = path ? 0 : -ENOMEM;

	if (path)
		unlink(path);
	if (path && bpf_obj_pin(fd, path))
		rc = diag_errno(diag, errno, "cannot pin %s", path);
	free(path);
	return rc;
}

/* A directory that nobody has: programs that hang on interfaces may refer to what stands in others.
 */
static int make_next(struct kernel *k, struct diag *diag)
{
	const char *bpffs = dirs_get()->bpffs;

	for (unsigned int n = 1;; n++) {
		free(k->next);
		k->next = path_join(bpffs, "next-%u", n);
		if (!k->next)
			return -ENOMEM;
		if (!mkdir(k->next, 0700))
			return 0;
		if (errno != EEXIST)
			return diag_errno(diag, errno, "cannot make %s", k->next);
	}
}

int kernel_pin(struct kernel *k, struct diag *diag)
{
	int rc = make_next(k, diag);

	for (size_t i = 0; i < PINS && !rc; i++)
		rc = pin(*fd_at(k, i), k->next, pin_name(i), diag);
	if (rc && k->next)
		generation_unpin_dir(k->next);
	return rc;
}

bool kernel_is_pinned(void)
{
	char *path = path_join(dirs_get()->bpffs, "%s", pin_name(SHARED_CTL));
	bool is = !path || path_is_there(path);

	free(path);
	return is;
}

static __u32 map_id(int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

/*
 * Whether it is pinned twice: what stands there is of this ctl. Or its ctl, which is pinned first
 * and published last, is not there: it was begun and no link was given it, or its sweep was begun.
 */
static bool is_spare(const struct kernel *k, const char *next)
{
	char *path = path_join(next, "%s", pin_name(SHARED_CTL));
	int fd = path ? bpf_obj_get(path) : -1;
	bool spare = path && fd < 0 && errno == ENOENT;

	if (fd >= 0) {
		spare = map_id(fd) && map_id(fd) == map_id(k->shared.fd[SHARED_CTL]);
		close(fd);
	}
	free(path);
	return spare;
}

enum sweep { SWEEP_ALL, SWEEP_SPARE, SWEEP_NONE };

/* Whether one is left that is no spare. -errno. */
static int sweep_next(const struct kernel *k, enum sweep which)
{
	DIR *d = opendir(dirs_get()->bpffs);
	struct dirent *entry;
	bool left = false;
	int err = d ? 0 : -errno;

	while (d && (entry = dir_next(d, &err))) {
		char *path = strncmp(entry->d_name, "next-", strlen("next-"))
				     ? NULL
				     : path_join(dirs_get()->bpffs, "%s", entry->d_name);
		bool spare = path && which != SWEEP_ALL && is_spare(k, path);

		if (path && (which == SWEEP_ALL || (spare && which == SWEEP_SPARE)))
			generation_unpin_dir(path);
		else if (path && !spare)
			left = true;
		free(path);
	}
	if (d)
		closedir(d);
	return err ? err : left;
}

int kernel_tidy(struct kernel *k, bool look, struct diag *diag)
{
	int left = sweep_next(k, look ? SWEEP_NONE : SWEEP_SPARE);

	k->rival = left > 0;
	return left < 0 ? diag_errno(diag, -left, "cannot list %s", dirs_get()->bpffs) : 0;
}

void kernel_is_alone(struct kernel *k)
{
	sweep_next(k, SWEEP_ALL);
	/* Theirs may be number 0, too. Where that is ours it judges without its pins. */
	if (!k->other && (!k->gen || k->gen->table.tables->folded))
		generation_sweep(k->gen ? k->gen->number : UINT64_MAX, UINT64_MAX);
	k->rival = false;
}

int kernel_publish(struct kernel *k, struct diag *diag)
{
	char *ctl = path_join(dirs_get()->bpffs, "%s", pin_name(SHARED_CTL));
	int rc = ctl ? 0 : -ENOMEM;

	if (!rc && unlink(ctl) && errno != ENOENT)
		rc = diag_errno(diag, errno, "cannot remove %s", ctl);
	for (size_t i = PINS; i-- > 0 && !rc;)
		rc = pin(*fd_at(k, i), dirs_get()->bpffs, pin_name(i), diag);
	if (!rc) {
		sweep_next(k, SWEEP_ALL); /* no link needs the others any more */
		generation_sweep(0, k->others);
		k->beside = false;
	}
	free(ctl);
	return rc;
}

static const struct map_kind shared_kinds[SHARED_MAPS] = {
	[SHARED_CTL] = { .type = BPF_MAP_TYPE_ARRAY },
	[SHARED_TOTALS] = { BPF_MAP_TYPE_PERCPU_ARRAY, .value_size = sizeof(struct bp_totals) },
	[SHARED_SCRATCH] = { .type = BPF_MAP_TYPE_PERCPU_ARRAY },
	[SHARED_GENERATIONS] = { .type = BPF_MAP_TYPE_PROG_ARRAY },
	[SHARED_GENERATIONS + 1] = { .type = BPF_MAP_TYPE_PROG_ARRAY },
	[SHARED_GENERATIONS + 2] = { .type = BPF_MAP_TYPE_PROG_ARRAY },
};
_Static_assert(BP_ARRAYS == 3, "a kind each");

static int check_pin(struct kernel *k, size_t i, const char *path, struct diag *diag)
{
	struct map_kind kind;

	if (i >= SHARED_MAPS)
		return pinned_is_program(*fd_at(k, i), pin_name(i), path, diag);
	kind = shared_kinds[i];
	kind.name = pin_name(i);
	return pinned_is_map(*fd_at(k, i), &kind, path, diag);
}

/* What another version's are, it knows. */
static int check_pins(struct kernel *k, size_t first, size_t end, struct diag *diag)
{
	int rc = 0;

	for (size_t i = first; i < end && !rc; i++) {
		char *path = path_join(dirs_get()->bpffs, "%s", pin_name(i));

		rc = path ? check_pin(k, i, path, diag) : -ENOMEM;
		free(path);
	}
	return rc;
}

static int open_pins(struct kernel *k, struct diag *diag)
{
	int rc = 0;

	for (size_t i = 0; i < PINS && !rc; i++) {
		char *path = path_join(dirs_get()->bpffs, "%s", pin_name(i));

		*fd_at(k, i) = path ? pinned_open(path,
					      i < SHARED_MAPS ? PINNED_MAP : PINNED_PROGRAM, diag)
				    : -ENOMEM;
		rc = *fd_at(k, i) < 0 ? *fd_at(k, i) : 0;
		free(path);
	}
	return rc;
}

bool kernel_awaits(const struct kernel *k)
{
	return k->ctl->confirm_of && k->ctl->confirm_of == k->ctl->generation;
}

uint64_t kernel_time_left(const struct kernel *k)
{
	uint64_t now = kernel_clock();

	return k->ctl->confirm_by > now ? k->ctl->confirm_by - now : 0;
}

uint64_t kernel_in_force(const struct kernel *k)
{
	return k->ctl->generation - (kernel_awaits(k) && !kernel_time_left(k));
}

/* Nobody judges by number 0. One whose pins are gone is as good as none. */
static int open_number(uint64_t number, struct generation **gen, struct diag *diag)
{
	int rc = number ? generation_open(number, gen, diag) : 0;

	return rc == -ENOENT ? 0 : rc;
}

/* What judges, and where one awaits confirmation, or going back from it is not done, the other. */
static int open_generations(struct kernel *k, struct diag *diag)
{
	uint64_t number = kernel_in_force(k), trial = k->ctl->confirm_of;
	int rc = open_number(number, &k->gen, diag);

	if (!rc && trial && (trial == number || trial == number + 1))
		rc = open_number(trial == number ? trial - 1 : trial, &k->other, diag);
	return rc;
}

static int is_read_only(struct diag *diag)
{
	return diag_set(diag, DIAG_SYSTEM, EROFS,
		"cannot open what is pinned in %s: Read-only file system; what is in force stays "
		"so; 'mount -o remount,rw' where that bpffs is mounted, and try again",
		dirs_get()->bpffs);
}

int kernel_open(struct kernel **out, struct diag *diag)
{
	struct kernel *k;
	int rc = new_kernel(&k);

	if (rc)
		return rc;
	rc = dir_check(dirs_get()->bpffs, diag);
	if (!rc)
		rc = open_pins(k, diag);
	if (rc == -EROFS)
		rc = is_read_only(diag);
	if (!rc)
		rc = check_pins(k, SHARED_CTL, SHARED_CTL + 1, diag);
	if (!rc)
		rc = map_ctl(k, diag);
	if (!rc && k->ctl->abi != BP_ABI)
		rc = -ENOENT;
	if (!rc)
		rc = check_pins(k, SHARED_CTL + 1, PINS, diag);
	if (!rc)
		memcpy(k->shared.dynamic, k->ctl->dynamic_map, sizeof(k->shared.dynamic));
	if (!rc)
		rc = open_generations(k, diag);
	if (rc)
		kernel_free(&k);
	else
		*out = k;
	return rc;
}

int kernel_totals(const struct kernel *k, struct bp_totals totals[BP_DIRS], struct diag *diag)
{
	int cpus = libbpf_num_possible_cpus();
	struct bp_totals *each = cpus > 0 ? calloc(cpus, sizeof(*each)) : NULL;
	int rc = each ? 0 : -ENOMEM;

	if (cpus < 0)
		rc = diag_errno(diag, -cpus,
			"cannot read how many processors there are, below /sys/devices/system/cpu; "
			"mount /sys");
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
