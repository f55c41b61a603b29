// SPDX-License-Identifier: GPL-2.0-only
#include "layer.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#include "fds.h"

int layer_open(const struct shared *shared, struct layer *layer)
{
	int rc = 0;

	for (int i = 0; i < BP_ARRAYS; i++) {
		if (rc)
			layer->fd[i] = -1;
		else if (shared->dynamic_fd)
			layer->fd[i] = fd_copy(shared->dynamic_fd[i]);
		else
			layer->fd[i] = bpf_map_get_fd_by_id(shared->dynamic[i]);
		if (!rc && layer->fd[i] < 0)
			rc = -errno;
	}
	if (rc)
		layer_close(layer);
	return rc;
}

void layer_close(struct layer *layer)
{
	for (int i = 0; i < BP_ARRAYS; i++) {
		if (layer->fd[i] >= 0)
			close(layer->fd[i]);
		layer->fd[i] = -1;
	}
}

static int put(const struct layer *layer, int hook, __u32 slot, int program)
{
	return bpf_map_update_elem(layer->fd[bp_array_of(hook)], &slot, &program, BPF_ANY) ? -errno
											   : 0;
}

/* What counts comes first: a classifier that is there finds it. */
int layer_place(const struct layer *layer, const struct generation *gen)
{
	int rc = 0;

	for (int hook = 0; hook < BP_HOOKS && !rc; hook++) {
		rc = put(layer, hook, bp_count_slot(hook, gen->odd), gen->count[hook]);
		if (!rc)
			rc = put(layer, hook, bp_slot(hook, gen->odd), gen->classify[hook]);
	}
	return rc;
}

void layer_displace(const struct layer *layer, bool odd)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		__u32 slot = bp_slot(hook, odd);

		bpf_map_delete_elem(layer->fd[bp_array_of(hook)], &slot);
		slot = bp_count_slot(hook, odd);
		bpf_map_delete_elem(layer->fd[bp_array_of(hook)], &slot);
	}
}

int layer_program(const struct layer *layer, enum bp_hook hook, bool odd, uint32_t *id)
{
	__u32 slot = bp_slot(hook, odd);

	*id = 0;
	if (!bpf_map_lookup_elem(layer->fd[bp_array_of(hook)], &slot, id) || errno == ENOENT)
		return 0;
	return -errno;
}

bool layer_is_placed(const struct layer *layer, bool odd)
{
	uint32_t id;

	for (int hook = 0; hook < BP_HOOKS; hook++)
		if (layer_program(layer, hook, odd, &id) || !id)
			return false;
	return true;
}
