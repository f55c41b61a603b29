// SPDX-License-Identifier: GPL-2.0-only
#include "classifier.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Where things lie in tables of those sizes: constants to the verifier. */
static void set_layout(const volatile struct bp_layout *to, const struct bp_sizes *sizes)
{
	struct bp_layout layout;

	bp_layout_of(sizes, &layout);
	memcpy((void *)to, &layout, sizeof(layout));
}

static int open_xdp(const struct bp_sizes *sizes, struct objects *o)
{
	o->xdp = xdp_bpf__open();
	if (!o->xdp)
		return -errno;
	set_layout(&o->xdp->rodata->layout, sizes);
	o->xdp->rodata->have_frags =
		libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_get_buff_len, NULL) == 1;
	if (o->xdp->rodata->have_frags)
		bpf_program__set_flags(o->xdp->progs.classify_xdp, BPF_F_XDP_HAS_FRAGS);
	return 0;
}

static int open_tc(const struct bp_sizes *sizes, struct objects *o)
{
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

	while (part < TABLE_PARTS && strcmp(bpf_map__name(map), generation_part_name(part)))
		part++;
	return part;
}

/* Those that are there already, the object shares; the others it makes. */
static int share_maps(struct bpf_object *object, const struct generation *gen, int totals_fd)
{
	struct bpf_map *map;
	int rc = 0;

	bpf_object__for_each_map(map, object)
	{
		enum table_part part = part_of(map);
		int fd = part < TABLE_PARTS ? gen->part_fd[part] : -1;

		if (!strcmp(bpf_map__name(map), "totals"))
			fd = totals_fd;
		if (fd >= 0 && !rc)
			rc = bpf_map__reuse_fd(map, fd);
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
		gen->part_fd[part] = dup(bpf_map__fd(map));
		if (gen->part_fd[part] < 0)
			return -errno;
	}
	return 0;
}

static struct bpf_program *program_of(const struct objects *o, enum bp_hook hook)
{
	switch (hook) {
	case BP_XDP:
		return o->xdp->progs.classify_xdp;
	case BP_GENERIC:
		return o->xdp->progs.classify_generic;
	case BP_TC_IN:
		return o->tc->progs.classify_tc_in;
	case BP_TC_OUT:
		return o->tc->progs.classify_tc_out;
	case BP_L3_IN:
		return o->tc->progs.classify_l3_in;
	default:
		return o->tc->progs.classify_l3_out;
	}
}

static struct bpf_object *object_of(const struct objects *o, bool xdp)
{
	return xdp ? o->xdp->obj : o->tc->obj;
}

/* Only these of the object's programs are loaded: each costs milliseconds to verify. */
static void select_hooks(const struct objects *o, bool xdp, unsigned int hooks)
{
	for (int hook = 0; hook < BP_HOOKS; hook++)
		if (bp_hook_is_xdp(hook) == xdp)
			bpf_program__set_autoload(program_of(o, hook), hooks >> hook & 1);
}

/* An object that was opened, over those of the generation's maps that are there. */
static int load_object(struct objects *o, bool xdp, unsigned int hooks,
	const struct generation *gen, const struct bp_sizes *sizes, int totals_fd)
{
	struct bpf_object *object = object_of(o, xdp);
	int rc = size_maps(object, sizes);

	select_hooks(o, xdp, hooks);
	if (!rc)
		rc = share_maps(object, gen, totals_fd);
	return rc ? rc : bpf_object__load(object);
}

static int take_programs(
	struct generation *gen, const struct objects *o, bool xdp, unsigned int hooks)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		if (bp_hook_is_xdp(hook) != xdp || !(hooks >> hook & 1))
			continue;
		gen->classify[hook] = dup(bpf_program__fd(program_of(o, hook)));
		if (gen->classify[hook] < 0)
			return -errno;
	}
	return 0;
}

/* The maps come with the XDP object, also where none of its programs is wanted. */
int classifiers_load(
	struct generation *gen, const struct bp_sizes *sizes, int totals_fd, unsigned int hooks)
{
	struct objects o = {};
	int rc = open_xdp(sizes, &o);

	if (!rc)
		rc = load_object(&o, true, hooks, gen, sizes, totals_fd);
	if (!rc)
		rc = take_maps(gen, o.xdp->obj);
	if (!rc)
		rc = take_programs(gen, &o, true, hooks);
	if (!rc && hooks & HOOKS_TC)
		rc = classifiers_add(gen, sizes, totals_fd, hooks & HOOKS_TC);
	objects_free(&o);
	return rc;
}

int classifiers_add(
	struct generation *gen, const struct bp_sizes *sizes, int totals_fd, unsigned int hooks)
{
	struct objects o = {};
	bool xdp = !(hooks & HOOKS_TC);
	int rc = xdp ? open_xdp(sizes, &o) : open_tc(sizes, &o);

	if (!rc)
		rc = load_object(&o, xdp, hooks, gen, sizes, totals_fd);
	if (!rc)
		rc = take_programs(gen, &o, xdp, hooks);
	objects_free(&o);
	return rc;
}

/* Asking. */

struct asker {
	struct objects objects;
	enum bp_hook hook;
	int prog_fd;
	int answer_fd;
};

static int load_one(struct asker *a, const struct generation *gen, int totals_fd)
{
	const struct bp_sizes *sizes = &gen->table.tables->sizes;
	struct objects *o = &a->objects;
	bool xdp = bp_hook_is_xdp(a->hook);
	int rc = xdp ? open_xdp(sizes, o) : open_tc(sizes, o);

	if (rc)
		return rc;
	if (xdp)
		o->xdp->rodata->explain = true;
	else
		o->tc->rodata->explain = true;
	rc = load_object(o, xdp, 1U << a->hook, gen, sizes, totals_fd);
	if (rc)
		return rc;
	a->prog_fd = bpf_program__fd(program_of(o, a->hook));
	a->answer_fd = bpf_object__find_map_fd_by_name(object_of(o, xdp), "answer");
	return a->answer_fd < 0 ? a->answer_fd : 0;
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
	return diag_set(diag, DIAG_SYSTEM, EPROTO,
		"the classifier in force is another version's than this bpfpol, and cannot be "
		"asked; 'bpfpol restore' puts this version's in its place");
}

int asker_open(const struct generation *gen, int totals_fd, enum bp_hook hook, struct asker **out,
	struct diag *diag)
{
	struct asker *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return -ENOMEM;
	a->hook = hook;
	rc = load_one(a, gen, totals_fd);
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
	objects_free(&a->objects);
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

int asker_ask(struct asker *a, const struct asker_frame *frame, struct bp_answer *answer)
{
	__u32 zero = 0;
	int rc = bp_hook_is_xdp(a->hook) ? run_xdp(a->prog_fd, frame) : run_tc(a->prog_fd, frame);

	if (!rc && bpf_map_lookup_elem(a->answer_fd, &zero, answer))
		rc = -errno;
	return rc;
}
