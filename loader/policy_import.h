/* SPDX-License-Identifier: GPL-2.0-only */
/* The text of a policy made ready for the store, where it lies in another directory. */
#ifndef BPFPOL_POLICY_IMPORT_H
#define BPFPOL_POLICY_IMPORT_H

#include <stddef.h>

/*
 * A copy of the text in which lists are named by absolute paths, and `policy "..."` says `name`.
 * Nothing else differs. path: of the file that it comes from. Caller frees; -ENOMEM.
 */
int policy_import_text(
	const char *path, const char *name, const char *text, char **out, size_t *len);

#endif
