/* SPDX-License-Identifier: GPL-2.0-only */
/* GUIDs as Windows shows them: RFC 4122 version 5 (SHA-1 of names), so the same each time. Pure. */
#ifndef BPFPOL_GUID_H
#define BPFPOL_GUID_H

#include <stdint.h>

struct guid {
	uint8_t bytes[16];
};

/*
 * Where the names of one computer begin: two computers give the same policy different GUIDs, and
 * the computer's own id cannot be read from them. machine_id NULL: it has none, and shares its
 * GUIDs with all such.
 */
void guid_of_host(const char *machine_id, struct guid *guid);
/* The GUID of that name in that name space. */
void guid_of_name(const struct guid *space, const char *name, struct guid *guid);

#define GUID_SIZE 39 /* {XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX} */
const char *guid_text(const struct guid *guid, char buf[GUID_SIZE]);

#endif
