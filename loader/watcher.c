// SPDX-License-Identifier: GPL-2.0-only
#include "watcher.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fds.h"
#include "kernel.h"
#include "solo.h"
#include "watch.skel.h"

#define LOCK "watch.lock"
#define SECOND 1000000000ULL

struct watcher {
	struct watch_want want;
	watch_fn *fn;
	void *arg;
	int lock_fd;
	struct watch_bpf *skel; /* NULL: there is nothing to watch */
	struct ring_buffer *ring;
	uint32_t ifindex;	      /* on which, if want.on */
	uint32_t scratch;	      /* what it was loaded over: the map's id */
	int generations[BP_ARRAYS];   /* where classifiers jump to; -1 */
	uint32_t relay[BP_HOOKS];     /* ids of the programs that stand there */
	struct bp_watch_tally before; /* of programs before these */
};

static int on_event(void *arg, void *data, size_t size)
{
	struct watcher *w = arg;

	(void)size;
	return w->fn ? w->fn(data, w->arg) : 0;
}

static struct bpf_program *program(const struct watcher *w, const char *what, int hook)
{
	static const char *const names[BP_HOOKS] = { "xdp", "generic", "tc_in", "tc_out", "l3_in",
		"l3_out" };
	char name[32];

	snprintf(name, sizeof(name), "%s_%s", what, names[hook]);
	return bpf_object__find_program_by_name(w->skel->obj, name);
}

static void set_constants(struct watcher *w)
{
	struct watch_bpf__rodata *c = w->skel->rodata;

	c->have_frags =
		libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_get_buff_len, NULL) == 1;
	if (c->have_frags) {
		bpf_program__set_flags(w->skel->progs.relay_xdp, BPF_F_XDP_HAS_FRAGS);
		bpf_program__set_flags(w->skel->progs.tell_xdp, BPF_F_XDP_HAS_FRAGS);
	}
	c->snap = w->want.bytes;
	c->only_rule = w->want.rule;
	c->verdict = w->want.verdict;
	c->n_wanted = w->want.n_wanted;
	c->on = w->want.on;
	w->skel->bss->on_ifindex = w->ifindex;
	c->price = w->want.rate ? SECOND / w->want.rate : 0;
	c->purse = c->price > SECOND ? c->price : SECOND;
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

static uint32_t program_id(int fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

/* The arrays from which relays jump: the only descriptors of these are this process's. */
static int fill_arrays(const struct watcher *w)
{
	const int arrays[BP_ARRAYS] = {
		[BP_ARRAY_XDP] = bpf_map__fd(w->skel->maps.xdp_watcher),
		[BP_ARRAY_GENERIC] = bpf_map__fd(w->skel->maps.generic_watcher),
		[BP_ARRAY_TC] = bpf_map__fd(w->skel->maps.tc_watcher),
	};

	for (__u32 hook = 0; hook < BP_HOOKS; hook++) {
		int fd = bpf_program__fd(program(w, "tell", hook));

		if (bpf_map_update_elem(arrays[bp_array_of(hook)], &hook, &fd, BPF_ANY))
			return -errno;
	}
	return 0;
}

static int fill_wanted(const struct watcher *w)
{
	int fd = bpf_map__fd(w->skel->maps.wanted);

	for (__u32 i = 0; i < w->want.n_wanted; i++)
		if (bpf_map_update_elem(fd, &i, &w->want.wanted[i], BPF_ANY))
			return -errno;
	return 0;
}

static int load_programs(struct watcher *w, const struct shared *shared)
{
	int rc;

	w->skel = watch_bpf__open();
	if (!w->skel)
		return -errno;
	set_constants(w);
	rc = bpf_map__reuse_fd(w->skel->maps.scratch, shared->fd[SHARED_SCRATCH]);
	if (!rc && w->want.n_wanted)
		rc = bpf_map__set_max_entries(w->skel->maps.wanted, w->want.n_wanted);
	if (!rc)
		rc = watch_bpf__load(w->skel);
	if (!rc)
		rc = fill_wanted(w);
	if (!rc)
		rc = fill_arrays(w);
	if (rc)
		return rc;
	w->ring = ring_buffer__new(bpf_map__fd(w->skel->maps.events), on_event, w, NULL);
	return w->ring ? 0 : -errno;
}

static void add_tally(struct bp_watch_tally *to, const struct bp_watch_tally *t)
{
	to->told += t->told;
	to->left_out += t->left_out;
	to->lost += t->lost;
}

/* The account of a CPU begins with its tally. */
static void sum_tally(const struct watcher *w, struct bp_watch_tally *to)
{
	size_t size = bpf_map__value_size(w->skel->maps.accounts);
	int cpus = libbpf_num_possible_cpus();
	uint8_t *each = cpus > 0 ? calloc(cpus, size) : NULL;
	__u32 zero = 0;

	if (each && !bpf_map_lookup_elem(bpf_map__fd(w->skel->maps.accounts), &zero, each))
		for (int i = 0; i < cpus; i++)
			add_tally(to, (void *)(each + i * size));
	free(each);
}

/* The slots may be another's by now: only what is ours goes. */
static void displace(struct watcher *w)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		int array = w->generations[bp_array_of(hook)];
		__u32 slot = bp_watch_slot(hook), id;

		if (array >= 0 && w->relay[hook] && !bpf_map_lookup_elem(array, &slot, &id) &&
			id == w->relay[hook])
			bpf_map_delete_elem(array, &slot);
		w->relay[hook] = 0;
	}
}

static void unload(struct watcher *w)
{
	displace(w);
	for (int i = 0; i < BP_ARRAYS; i++) {
		if (w->generations[i] >= 0)
			close(w->generations[i]);
		w->generations[i] = -1;
	}
	if (w->ring)
		ring_buffer__consume(w->ring);
	if (w->skel)
		sum_tally(w, &w->before);
	ring_buffer__free(w->ring);
	watch_bpf__destroy(w->skel);
	w->ring = NULL;
	w->skel = NULL;
	w->scratch = 0;
}

static int load(struct watcher *w, const struct kernel *k)
{
	int rc = load_programs(w, &k->shared);

	for (int i = 0; i < BP_ARRAYS && !rc; i++) {
		w->generations[i] = fd_copy(k->shared.fd[SHARED_GENERATIONS + i]);
		if (w->generations[i] < 0)
			rc = -errno;
	}
	for (int hook = 0; hook < BP_HOOKS && !rc; hook++)
		w->relay[hook] = program_id(bpf_program__fd(program(w, "relay", hook)));
	if (!rc)
		w->scratch = map_id(k->shared.fd[SHARED_SCRATCH]);
	return rc;
}

/* What a watcher before has left there is replaced. */
static int place(const struct watcher *w)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		int array = w->generations[bp_array_of(hook)];
		int fd = bpf_program__fd(program(w, "relay", hook));
		__u32 slot = bp_watch_slot(hook), id;

		if (!bpf_map_lookup_elem(array, &slot, &id) && id == w->relay[hook])
			continue;
		if (bpf_map_update_elem(array, &slot, &fd, BPF_ANY))
			return -errno;
	}
	return 0;
}

static int follow(struct watcher *w, const struct kernel *k, struct diag *diag)
{
	int rc = 0;

	if (w->skel && w->scratch != map_id(k->shared.fd[SHARED_SCRATCH]))
		unload(w);
	if (!w->skel) {
		rc = load(w, k);
		if (rc) {
			unload(w);
			return diag_errno(diag, -rc, "the kernel did not take what watches");
		}
	}
	rc = place(w);
	return rc ? diag_errno(diag, -rc, "cannot put what watches in its place") : 0;
}

int watcher_follow(struct watcher *w, struct diag *diag)
{
	struct kernel *k = NULL;
	int rc = kernel_open(&k, diag);

	if (rc == -ENOENT) {
		unload(w);
		return 1;
	}
	if (!rc)
		rc = follow(w, k, diag);
	kernel_free(&k);
	return rc;
}

static int take_lock(struct watcher *w, struct diag *diag)
{
	char number[32] = "";
	int pid = 0, rc = solo_take(LOCK, &w->lock_fd, &pid, diag);

	if (rc != -EBUSY)
		return rc;
	if (pid)
		snprintf(number, sizeof(number), ", process %d", pid);
	return diag_set(diag, DIAG_SYSTEM, EBUSY,
		"another 'bpfpol watch' runs%s: one can at a time, so end that one first", number);
}

int watcher_open(const struct watch_want *want, watch_fn *fn, void *arg, struct watcher **out,
	struct diag *diag)
{
	struct watcher *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return -ENOMEM;
	*w = (struct watcher){ .want = *want, .fn = fn, .arg = arg, .lock_fd = -1 };
	for (int i = 0; i < BP_ARRAYS; i++)
		w->generations[i] = -1;
	rc = take_lock(w, diag);
	if (rc)
		watcher_close(&w);
	else
		*out = w;
	return rc;
}

void watcher_on(struct watcher *w, uint32_t ifindex)
{
	w->ifindex = ifindex;
	if (w->skel)
		__atomic_store_n(&w->skel->bss->on_ifindex, ifindex, __ATOMIC_SEQ_CST);
}

int watcher_fd(const struct watcher *w)
{
	return w->ring ? ring_buffer__epoll_fd(w->ring) : -1;
}

int watcher_read(struct watcher *w)
{
	int rc = w->ring ? ring_buffer__consume(w->ring) : 0;

	return rc < 0 ? rc : 0;
}

void watcher_stop(struct watcher *w)
{
	displace(w);
}

struct bp_watch_tally watcher_tally(const struct watcher *w)
{
	struct bp_watch_tally t = w->before;

	if (w->skel)
		sum_tally(w, &t);
	return t;
}

void watcher_close(struct watcher **out)
{
	struct watcher *w = *out;

	if (!w)
		return;
	w->fn = NULL;
	unload(w);
	if (w->lock_fd >= 0)
		close(w->lock_fd);
	free(w);
	*out = NULL;
}
