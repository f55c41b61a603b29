/* SPDX-License-Identifier: GPL-2.0-only */
/* What `status` must say of interfaces where packets are not judged or counted exactly. */
#ifndef BPFPOL_NOTES_H
#define BPFPOL_NOTES_H

#include "attach.h"
#include "status.h"

/* Adds the notes to st->interfaces, by st->rules. Asks the kernel if need be. */
int notes_take(struct status *st, const struct attached_list *attached, struct nl_links *links,
	struct diag *diag);

#endif
