// SPDX-License-Identifier: GPL-2.0-only
#include "roots.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "generation.h"
#include "kernel.h"
#include "tie.h"

#define MOST_MAPS 16 /* a root program has four */
#define TRIES 3	     /* of a question for which the kernel has no memory */

/*
 * Maps that were looked at: the six root programs of a load have them in common, and a machine may
 * have hundreds of loads. Those of one load come one behind the other, so the last are asked first.
 */
struct seen {
	__u32 map;
	bool word; /* it is a control word */
	int is;	   /* and what was found there */
};
struct search {
	int (*ask)(void *arg, int fd); /* of a control word; -errno, or what is kept as `is` */
	void *arg;
	struct seen *v;
	size_t n;
};

static const struct seen *find_seen(const struct search *s, __u32 map)
{
	for (size_t i = s->n; i--;)
		if (s->v[i].map == map)
			return &s->v[i];
	return NULL;
}

static int look_at_map(const struct search *s, int fd, struct seen *seen)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	seen->word = info.type == BPF_MAP_TYPE_ARRAY && info.max_entries == 1 &&
		     info.map_flags & BPF_F_MMAPABLE && !strcmp(info.name, shared_name(SHARED_CTL));
	seen->is = seen->word ? s->ask(s->arg, fd) : 0;
	return seen->is < 0 ? seen->is : 0;
}

/* NULL and 0: it is gone. */
static int see(struct search *s, __u32 map, const struct seen **seen)
{
	struct seen *v, fresh = { .map = map };
	int fd, rc;

	*seen = find_seen(s, map);
	if (*seen)
		return 0;
	fd = bpf_map_get_fd_by_id(map);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	rc = look_at_map(s, fd, &fresh);
	close(fd);
	if (rc)
		return rc;
	v = realloc(s->v, (s->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	s->v = v;
	v[s->n] = fresh;
	*seen = &v[s->n++];
	return 0;
}

/* What was found in the control word that the program asks. -ENOENT: it asks none. */
static int see_word(struct search *s, const __u32 *maps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct seen *seen;
		int rc = see(s, maps[i], &seen);

		if (rc)
			return rc;
		if (seen && seen->word)
			return seen->is;
	}
	return -ENOENT;
}

/* The same of a program. -ENOENT: it is no root program, or gone. */
static int see_program(struct search *s, __u32 id)
{
	__u32 maps[MOST_MAPS] = {};
	struct bpf_prog_info info = { .nr_map_ids = MOST_MAPS, .map_ids = (uintptr_t)maps };
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id), rc;

	if (fd < 0)
		return fd;
	rc = bpf_obj_get_info_by_fd(fd, &info, &len) ? -errno : 0;
	close(fd);
	if (rc)
		return rc;
	if (!kernel_is_root_name(info.name) ||
		(info.type != BPF_PROG_TYPE_XDP && info.type != BPF_PROG_TYPE_SCHED_CLS))
		return -ENOENT;
	return see_word(s, maps, info.nr_map_ids < MOST_MAPS ? info.nr_map_ids : MOST_MAPS);
}

/* -ENOENT: there is none behind it. */
static int next_program(__u32 *id)
{
	int rc = -ENOMEM;

	for (int i = 0; i < TRIES && rc == -ENOMEM; i++)
		rc = bpf_prog_get_next_id(*id, id);
	return rc;
}

static int keep(struct roots *r, __u32 prog, enum root_kind kind)
{
	struct root *v = realloc(r->v, (r->n + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	r->v = v;
	v[r->n++] = (struct root){ prog, kind };
	return 0;
}

struct switching {
	struct roots *r;
	uint64_t here; /* of this network namespace alone; 0: of all */
};

/* enum root_kind */
static int use_word(void *arg, int fd)
{
	const struct switching *s = arg;
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	struct bp_ctl *ctl;
	int kind = ROOT_OLDER;

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.value_size != sizeof(*ctl))
		return kind;
	ctl = mmap(NULL, sizeof(*ctl), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ctl == MAP_FAILED)
		return -errno;
	if (ctl->abi == BP_ABI && (!s->here || ctl->netns == s->here) && tie_is_ours(ctl)) {
		kind = ROOT_OFF;
		__atomic_store_n(&ctl->off, BP_OFF, __ATOMIC_SEQ_CST);
	} else if (ctl->abi == BP_ABI) {
		kind = ROOT_OTHER;
		if (ctl->off != BP_OFF && ctl->netns == kernel_namespace())
			snprintf(s->r->other, sizeof(s->r->other), "%s", ctl->store_dir);
	}
	munmap(ctl, sizeof(*ctl));
	return kind;
}

int roots_switch_off(struct roots *r, bool here, struct diag *diag)
{
	struct switching switching = { r, here ? kernel_namespace() : 0 };
	struct search search = { .ask = use_word, .arg = &switching };
	__u32 id = 0;
	int rc = 0, next;

	*r = (struct roots){ .everywhere = !here };
	while (!(next = next_program(&id))) {
		int kind = see_program(&search, id);
		int one = kind >= 0 ? keep(r, id, kind) : kind == -ENOENT ? 0 : kind;

		rc = rc ? rc : one;
	}
	if (!rc && next != -ENOENT)
		rc = next;
	free(search.v);
	return rc ? diag_errno(diag, -rc, "cannot ask the kernel which programs it has loaded") : 0;
}

/* 1: a control word of ours here, other than `known`, by which packets are filtered. */
static int filters_beside(void *known, int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	struct bp_ctl *ctl;
	int is;

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.id == *(const __u32 *)known || info.value_size != sizeof(*ctl))
		return 0;
	ctl = mmap(NULL, sizeof(*ctl), PROT_READ, MAP_SHARED, fd, 0);
	if (ctl == MAP_FAILED)
		return -errno;
	is = ctl->abi == BP_ABI && tie_is_ours(ctl) && ctl->netns == kernel_namespace() &&
	     ctl->off != BP_OFF;
	munmap(ctl, sizeof(*ctl));
	return is;
}

int roots_beside(int word)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), id = 0;
	struct search search = { .ask = filters_beside, .arg = &info.id };
	int rc = 0, next = 0;

	if (word >= 0 && bpf_obj_get_info_by_fd(word, &info, &len))
		return -errno;
	while (!rc && !(next = next_program(&id))) {
		rc = see_program(&search, id);
		rc = rc == -ENOENT ? 0 : rc;
	}
	free(search.v);
	return rc || next == -ENOENT ? rc : next;
}

bool roots_have(const struct roots *r, enum root_kind kind)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].kind == kind)
			return true;
	return false;
}

void roots_free(struct roots *r)
{
	free(r->v);
	*r = (struct roots){};
}
