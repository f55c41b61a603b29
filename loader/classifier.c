// SPDX-License-Identifier: GPL-2.0-only
#include "classifier.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "direct.h"
#include "fds.h"
#include "tc.skel.h"
#include "xdp.skel.h"

/* The object of a hook, opened; either may be NULL. */
struct objects {
	struct xdp_bpf *xdp;
	struct tc_bpf *tc;
};

static void objects_free(struct objects *o)
{
	xdp_bpf__destroy(o->xdp);
	tc_bpf__destroy(o->tc);
}

static uint64_t mix(uint64_t sum, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint64_t word;

	for (; size; at += sizeof(word), size -= size < sizeof(word) ? size : sizeof(word)) {
		word = 0;
		memcpy(&word, at, size < sizeof(word) ? size : sizeof(word));
		sum = (sum ^ word) * 0x9e3779b97f4a7c15ULL;
		sum ^= sum >> 32;
	}
	return sum;
}

uint64_t classifiers_print(void)
{
	static uint64_t sum;
	const void *bytes;
	size_t size;

	if (!sum) {
		bytes = xdp_bpf__elf_bytes(&size);
		sum = mix(BP_ABI, bytes, size);
		bytes = tc_bpf__elf_bytes(&size);
		sum = mix(sum, bytes, size);
		sum += !sum;
	}
	return sum;
}

/* Where things lie in tables of those sizes: constants to the verifier. */
static void set_layout(const volatile struct bp_layout *to, const struct bp_sizes *sizes)
{
	struct bp_layout layout;

	bp_layout_of(sizes, &layout);
	memcpy((void *)to, &layout, sizeof(layout));
}

static int open_xdp(const struct bp_sizes *sizes, struct objects *o)
{
	int rc = direct_begin();

	if (rc)
		return rc;
	o->xdp = xdp_bpf__open();
	if (!o->xdp)
		return -errno;
	set_layout(&o->xdp->rodata->layout, sizes);
	o->xdp->rodata->have_frags =
		libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_get_buff_len, NULL) == 1;
	if (o->xdp->rodata->have_frags) {
		bpf_program__set_flags(o->xdp->progs.classify_xdp, BPF_F_XDP_HAS_FRAGS);
		bpf_program__set_flags(o->xdp->progs.count_xdp, BPF_F_XDP_HAS_FRAGS);
	}
	return 0;
}

static int open_tc(const struct bp_sizes *sizes, struct objects *o)
{
	int rc = direct_begin();

	if (rc)
		return rc;
	o->tc = tc_bpf__open();
	if (!o->tc)
		return -errno;
	set_layout(&o->tc->rodata->layout, sizes);
	return 0;
}

/* Which part of the generation's tables a map is; TABLE_PARTS: none. */
static enum table_part part_of(const struct bpf_map *map)
{
	int part = 0;

	while (part < TABLE_PARTS && strcmp(bpf_map__name(map), generation_pin_name(part)))
		part++;
	return part;
}

/* -1: there is none. One that cannot be copied is not taken for that: a map would be made instead.
 */
static int copy_fd(int fd, int *copy)
{
	*copy = fd < 0 ? -1 : fd_copy(fd);
	return fd >= 0 && *copy < 0 ? -errno : 0;
}

/*
 * The map of that name which is there already, in a descriptor of its own; -1: none is. A program
 * with an array of its own for dynamic rules would never hear of them: that one must be there.
 */
static int shared_fd(const struct shared *shared, const char *name, int *fd)
{
	*fd = -1;
	for (int i = 0; i < SHARED_MAPS; i++)
		if (!strcmp(name, shared_name(i)))
			return copy_fd(shared->fd[i], fd);
	for (int i = 0; i < BP_ARRAYS; i++) {
		if (strcmp(name, shared_dynamic_name(i)))
			continue;
		*fd = shared->dynamic_fd ? fd_copy(shared->dynamic_fd[i])
					 : bpf_map_get_fd_by_id(shared->dynamic[i]);
		if (*fd < 0)
			return -errno;
	}
	return 0;
}

/* Those that are there already, the object shares; the others it makes. */
static int share_maps(
	struct bpf_object *object, const struct generation *gen, const struct shared *shared)
{
	struct bpf_map *map;
	int rc = 0;

	bpf_object__for_each_map(map, object)
	{
		enum table_part part = part_of(map);
		int fd = -1;

		if (!rc)
			rc = part == TABLE_PARTS ? shared_fd(shared, bpf_map__name(map), &fd)
						 : copy_fd(gen->part_fd[part], &fd);
		if (fd >= 0 && !rc)
			rc = bpf_map__reuse_fd(map, fd);
		if (fd >= 0)
			close(fd);
	}
	return rc;
}

/* One large element, or many: what does not stand in one is an array of what its type says. */
static int size_map(struct bpf_map *map, enum table_part part, const struct bp_sizes *sizes)
{
	size_t size = table_part_size(sizes, part);

	if (part == PART_SETS || part == PART_PRESENT)
		return bpf_map__set_value_size(map, size);
	return bpf_map__set_max_entries(map, size / bpf_map__value_size(map));
}

static int size_maps(struct bpf_object *object, const struct bp_sizes *sizes)
{
	struct bpf_map *map;
	int rc = 0;

	bpf_object__for_each_map(map, object)
	{
		enum table_part part = part_of(map);

		if (part < TABLE_PARTS && !rc)
			rc = size_map(map, part, sizes);
	}
	return rc;
}

/* The generation's maps, from the object that has made them. */
static int take_maps(struct generation *gen, struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		enum table_part part = part_of(map);

		if (part == TABLE_PARTS)
			continue;
		gen->part_fd[part] = fd_copy(bpf_map__fd(map));
		if (gen->part_fd[part] < 0)
			return -errno;
	}
	return 0;
}

static struct bpf_object *object_of(const struct objects *o, bool xdp)
{
	return xdp ? o->xdp->obj : o->tc->obj;
}

static struct bpf_program *find(const struct objects *o, const char *what, enum bp_hook hook)
{
	static const char *const names[BP_HOOKS] = { "xdp", "generic", "tc_in", "tc_out", "l3_in",
		"l3_out" };
	char name[32];

	snprintf(name, sizeof(name), "%s_%s", what, names[hook]);
	return bpf_object__find_program_by_name(object_of(o, bp_hook_is_xdp(hook)), name);
}

static struct bpf_program *program_of(const struct objects *o, enum bp_hook hook)
{
	return find(o, "classify", hook);
}

/* Only these of the object's programs are loaded: each costs milliseconds to verify. Those that
 * count are the dynamic layer's. */
static void select_hooks(
	const struct objects *o, bool xdp, unsigned int hooks, const struct generation *gen)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		bool wanted = hooks >> hook & 1;

		if (bp_hook_is_xdp(hook) != xdp)
			continue;
		bpf_program__set_autoload(program_of(o, hook), wanted);
		bpf_program__set_autoload(find(o, "count", hook), wanted && gen->dynamic);
	}
}

/* An object that was opened, over those of the generation's maps that are there. */
static int load_object(struct objects *o, bool xdp, unsigned int hooks,
	const struct generation *gen, const struct bp_sizes *sizes, const struct shared *shared)
{
	struct bpf_object *object = object_of(o, xdp);
	struct bpf_map *const direct[] = {
		xdp ? o->xdp->maps.sets : o->tc->maps.sets,
		xdp ? o->xdp->maps.present : o->tc->maps.present,
	};
	int rc = size_maps(object, sizes);

	select_hooks(o, xdp, hooks, gen);
	if (!rc)
		rc = share_maps(object, gen, shared);
	return rc ? rc : direct_load(object, direct, sizeof(direct) / sizeof(direct[0]));
}

/* A descriptor of its own: the object's go with the object. */
static int take(int of_object, int *fd)
{
	*fd = of_object < 0 ? of_object : fd_copy(of_object);
	return of_object < 0 ? of_object : *fd < 0 ? -errno : 0;
}

static int take_programs(
	struct generation *gen, const struct objects *o, bool xdp, unsigned int hooks)
{
	int rc = 0;

	for (int hook = 0; hook < BP_HOOKS && !rc; hook++) {
		if (bp_hook_is_xdp(hook) != xdp || !(hooks >> hook & 1))
			continue;
		rc = take(bpf_program__fd(program_of(o, hook)), &gen->classify[hook]);
		if (!rc && gen->dynamic)
			rc = take(bpf_program__fd(find(o, "count", hook)), &gen->count[hook]);
	}
	return rc;
}

/* The maps come with the XDP object, also where none of its programs is wanted. */
int classifiers_load(struct generation *gen, const struct bp_sizes *sizes,
	const struct shared *shared, unsigned int hooks)
{
	struct objects o = {};
	int rc = open_xdp(sizes, &o);

	if (!rc) {
		o.xdp->rodata->dynamic = gen->dynamic;
		o.xdp->rodata->odd = gen->odd;
		rc = load_object(&o, true, hooks, gen, sizes, shared);
	}
	if (!rc)
		rc = take_maps(gen, o.xdp->obj);
	if (!rc)
		rc = take_programs(gen, &o, true, hooks);
	if (!rc && hooks & HOOKS_TC)
		rc = classifiers_add(gen, sizes, shared, hooks & HOOKS_TC);
	objects_free(&o);
	return rc;
}

int classifiers_add(struct generation *gen, const struct bp_sizes *sizes,
	const struct shared *shared, unsigned int hooks)
{
	struct objects o = {};
	bool xdp = !(hooks & HOOKS_TC);
	int rc = xdp ? open_xdp(sizes, &o) : open_tc(sizes, &o);

	if (!rc && !xdp) {
		o.tc->rodata->dynamic = gen->dynamic;
		o.tc->rodata->odd = gen->odd;
	}
	if (!rc)
		rc = load_object(&o, xdp, hooks, gen, sizes, shared);
	if (!rc)
		rc = take_programs(gen, &o, xdp, hooks);
	objects_free(&o);
	return rc;
}

/* Asking. */

struct asker {
	enum bp_hook hook;
	int prog_fd;
	int answer_fd;
	uint64_t moment; /* that it was told last */
};

/*
 * It shares all but `scratch`, so that packets that come by while it is asked are nothing to it,
 * nor it to them.
 */
static int load_one(const struct asker *a, const struct generation *gen,
	const struct shared *shared, struct objects *o)
{
	struct shared other = *shared;
	const struct bp_sizes *sizes = &gen->table.tables->sizes;
	bool xdp = bp_hook_is_xdp(a->hook);
	int rc = xdp ? open_xdp(sizes, o) : open_tc(sizes, o);

	if (rc)
		return rc;
	other.fd[SHARED_SCRATCH] = -1;
	if (xdp)
		o->xdp->rodata->explain = true;
	else
		o->tc->rodata->explain = true;
	return load_object(o, xdp, 1U << a->hook, gen, sizes, &other);
}

/*
 * Of the object no more is kept than is asked: it has descriptors of the dynamic layer's arrays,
 * and whoever keeps one keeps dynamic rules in force.
 */
static int begin_asking(struct asker *a, const struct generation *gen, const struct shared *shared)
{
	struct objects o = {};
	int rc = load_one(a, gen, shared, &o);

	if (!rc)
		rc = take(bpf_program__fd(program_of(&o, a->hook)), &a->prog_fd);
	if (!rc)
		rc = take(bpf_object__find_map_fd_by_name(
				  object_of(&o, bp_hook_is_xdp(a->hook)), "answer"),
			&a->answer_fd);
	objects_free(&o);
	return rc;
}

static int tag_of(int fd, __u8 tag[BPF_TAG_SIZE])
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	memcpy(tag, info.tag, BPF_TAG_SIZE);
	return 0;
}

/*
 * Whether it is the program that judges packets, and not another version's. Where the hook's is not
 * loaded none does, and the one that is asked is the one that would be.
 */
static int same_program(const struct asker *a, const struct generation *gen, struct diag *diag)
{
	__u8 asked[BPF_TAG_SIZE], judges[BPF_TAG_SIZE];
	int fd = generation_classifier(gen, a->hook), rc;

	if (fd < 0 && errno == ENOENT)
		return 0;
	rc = tag_of(fd, judges);
	if (fd >= 0)
		close(fd);
	if (!rc)
		rc = tag_of(a->prog_fd, asked);
	if (rc)
		return diag_errno(diag, -rc, "cannot tell which classifier judges packets");
	if (!memcmp(asked, judges, BPF_TAG_SIZE))
		return 0;
	if (gen->dynamic)
		return diag_set(diag, DIAG_SYSTEM, EPROTO,
			"the agent is another version's than this bpfpol, and its dynamic rules "
			"cannot be asked; 'systemctl restart bpfpol-agent' starts this one, and "
			"ends "
			"them");
	return diag_set(diag, DIAG_SYSTEM, EPROTO,
		"the classifier in force is another version's than this bpfpol, and cannot be "
		"asked; 'bpfpol restore' puts this version's in its place");
}

int asker_open(const struct generation *gen, const struct shared *shared, enum bp_hook hook,
	struct asker **out, struct diag *diag)
{
	struct asker *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return -ENOMEM;
	*a = (struct asker){ .hook = hook, .prog_fd = -1, .answer_fd = -1 };
	rc = begin_asking(a, gen, shared);
	if (rc)
		rc = diag_errno(diag, -rc, "the kernel did not take the classifier to be asked");
	else
		rc = same_program(a, gen, diag);
	if (rc)
		asker_free(&a);
	else
		*out = a;
	return rc;
}

void asker_free(struct asker **out)
{
	struct asker *a = *out;

	if (!a)
		return;
	if (a->prog_fd >= 0)
		close(a->prog_fd);
	if (a->answer_fd >= 0)
		close(a->answer_fd);
	free(a);
	*out = NULL;
}

static int run_xdp(int fd, const struct asker_frame *f)
{
	struct xdp_md ctx = { .data_end = f->len, .ingress_ifindex = f->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = f->len,
		.ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1);

	return bpf_prog_test_run_opts(fd, &opts) ? -errno : 0;
}

static int run_tc(int fd, const struct asker_frame *f)
{
	struct __sk_buff ctx = { .ifindex = f->ifindex, .ingress_ifindex = f->ingress_ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = f->len,
		.ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1);

	return bpf_prog_test_run_opts(fd, &opts) ? -errno : 0;
}

static int tell_moment(struct asker *a, uint64_t moment)
{
	const struct bp_answer told = { .moment = moment };
	__u32 zero = 0;

	if (a->moment == moment)
		return 0;
	if (bpf_map_update_elem(a->answer_fd, &zero, &told, BPF_ANY))
		return -errno;
	a->moment = moment;
	return 0;
}

int asker_ask(struct asker *a, const struct asker_frame *frame, struct bp_answer *answer)
{
	__u32 zero = 0;
	int rc = tell_moment(a, frame->moment);

	if (!rc)
		rc = bp_hook_is_xdp(a->hook) ? run_xdp(a->prog_fd, frame)
					     : run_tc(a->prog_fd, frame);
	if (!rc && bpf_map_lookup_elem(a->answer_fd, &zero, answer))
		rc = -errno;
	return rc;
}
