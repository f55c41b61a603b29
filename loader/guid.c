// SPDX-License-Identifier: GPL-2.0-only
#include "guid.h"

#include <stdio.h>
#include <string.h>
#include <uuid/uuid.h>

/* 1769152d-69cd-441c-b4e8-55e683378e46: drawn at random, once and for all. */
static const struct guid bpfpol = { { 0x17, 0x69, 0x15, 0x2d, 0x69, 0xcd, 0x44, 0x1c, 0xb4, 0xe8,
	0x55, 0xe6, 0x83, 0x37, 0x8e, 0x46 } };

void guid_of_name(const struct guid *space, const char *name, struct guid *guid)
{
	struct guid in = *space; /* `guid` may be `space` */

	uuid_generate_sha1(guid->bytes, in.bytes, name, strlen(name));
}

void guid_of_host(const char *machine_id, struct guid *guid)
{
	guid_of_name(&bpfpol, machine_id ? machine_id : "", guid);
}

const char *guid_text(const struct guid *guid, char buf[GUID_SIZE])
{
	char bare[UUID_STR_LEN];

	uuid_unparse_upper(guid->bytes, bare);
	snprintf(buf, GUID_SIZE, "{%s}", bare);
	return buf;
}
