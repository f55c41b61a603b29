/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether one rule's match holds all of another's: to tell which rule to take away. Pure. */
#ifndef BPFPOL_COVER_H
#define BPFPOL_COVER_H

#include "policy.h"

/* Lists are not looked into: one covers itself alone. */
bool rule_covers(const struct rule *wide, const struct rule *narrow);

#endif
