/* SPDX-License-Identifier: GPL-2.0-only */
/* What the compiler and rules are told of this moment: names of interfaces, and times. */
#ifndef BPFPOL_ENV_H
#define BPFPOL_ENV_H

#include <stdint.h>

#include "compile.h"

void env_now(struct compile_env *env);
/*
 * 0: no interface has that name. Another name that it goes by (`ip link property add ... altname`)
 * does not count, though the kernel takes it: a rule has one name, by which it is followed, shown
 * and explained.
 */
uint32_t env_ifindex(const char *name);
/* Fingerprint of the interfaces that are there, by name and number; never 0. */
uint64_t env_links(void);

#endif
