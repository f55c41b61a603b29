/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules put together from filters that were read back from the kernel, where nobody tells what they
 * say. The names of their interfaces are asked of the system.
 */
#ifndef BPFPOL_TOLD_H
#define BPFPOL_TOLD_H

#include "compile.h"
#include "filters.h"

struct told {
	struct policy *rules;
	bool *untold; /* of each rule: it is not all known, see struct status_rule */
	size_t n_untold;
};

/* Of all the filters, which it sorts. name: the policy's. env: of the moment they are of. -ENOMEM.
 */
int told_make(struct filters *filters, const char *name, const struct compile_env *env,
	struct told *told);
void told_free(struct told *told);

#endif
