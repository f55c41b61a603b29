// SPDX-License-Identifier: GPL-2.0-only
#include "map_check.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

/*
 * The kernel keeps the beginning of a name; none where libbpf was told by one error, when it asked,
 * that the kernel knows no names.
 */
static bool is_kind(const struct bpf_map_info *info, const struct map_kind *kind)
{
	return info->type == kind->type && info->key_size == sizeof(__u32) &&
	       (!kind->value_size || info->value_size == kind->value_size) &&
	       (!*info->name || !strncmp(info->name, kind->name, sizeof(info->name) - 1));
}

int map_check(int fd, const struct map_kind *kind, const char *pin, struct diag *diag)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return diag_errno(diag, errno, "cannot tell which map %s is", pin);
	if (is_kind(&info, kind))
		return 0;
	return diag_set(diag, DIAG_SYSTEM, EUCLEAN,
		"%s is another map than its name says, '%.*s'; move it back, or remove it, and "
		"'bpfpol restore' makes anew what is missing",
		pin, (int)sizeof(info.name), info.name);
}
