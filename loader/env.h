/* SPDX-License-Identifier: GPL-2.0-only */
/* What the compiler and rules are told of this moment: names of interfaces, and times. */
#ifndef BPFPOL_ENV_H
#define BPFPOL_ENV_H

#include <stdint.h>

#include "compile.h"

void env_now(struct compile_env *env);
/*
 * 0: no interface has that name; -errno with a diag, unless that is NULL: it could not be asked,
 * which nobody may take for "no". Another name that it goes by (`ip link property add ... altname`)
 * does not count, though the kernel takes it: a rule has one name, by which it is followed, shown
 * and explained.
 */
int env_ifindex(const char *name, struct diag *diag);
/* Fingerprint of the interfaces that are there, by name and number; never 0. -errno with a diag,
 * unless that is NULL. */
int env_links(uint64_t *links, struct diag *diag);

#endif
