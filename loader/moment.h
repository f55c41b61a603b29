/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BPFPOL_MOMENT_H
#define BPFPOL_MOMENT_H

#include "confirm.h"

void moment_now(struct moment *now);

#endif
