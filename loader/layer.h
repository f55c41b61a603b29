/* SPDX-License-Identifier: GPL-2.0-only */
/* The dynamic layer's program arrays. Who has them open keeps what is in them in force. */
#ifndef BPFPOL_LAYER_H
#define BPFPOL_LAYER_H

#include "generation.h"

struct layer {
	int fd[BP_ARRAYS];
};

/* -errno. Without shared->dynamic_fd the maps are found by their ids, for CAP_SYS_ADMIN. */
int layer_open(const struct shared *shared, struct layer *layer);
void layer_close(struct layer *layer);

/* Puts the generation's programs where a number like its own is looked for. -errno. */
int layer_place(const struct layer *layer, const struct generation *gen);
void layer_displace(const struct layer *layer, bool odd);
/* Whether a program stands there. */
bool layer_is_placed(const struct layer *layer, bool odd);
/* The program's id, or 0: there is none. -errno: not known. */
int layer_program(const struct layer *layer, enum bp_hook hook, bool odd, uint32_t *id);

#endif
