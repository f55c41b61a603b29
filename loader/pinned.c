// SPDX-License-Identifier: GPL-2.0-only
#include "pinned.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char what_to_do[] =
	"move it back, or remove it, and 'bpfpol restore' makes anew what is missing";

/* What the kernel calls the file of a descriptor. */
static const struct {
	const char *file;
	enum pinned kind;
} files[] = {
	{ "anon_inode:bpf-map", PINNED_MAP }, { "anon_inode:bpf-prog", PINNED_PROGRAM },
	{ "anon_inode:bpf-link", PINNED_LINK },
	{ "anon_inode:bpf_link", PINNED_LINK }, /* who made it */
};

/* Of each kind the kernel tells in another shape, which does not say of which it is. Without /proc,
 * or by a name that is new, it is taken to be what it should be. */
static enum pinned kind_of(int fd, enum pinned should)
{
	char path[32], file[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, file, sizeof(file) - 1);
	file[n < 0 ? 0 : n] = '\0';
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (!strcmp(file, files[i].file))
			return files[i].kind;
	return should;
}

/* bpffs says EACCES of what is no BPF object: a directory, or a link that leads elsewhere. */
int pinned_open(const char *path, enum pinned kind, struct diag *diag)
{
	static const char *const names[] = {
		[PINNED_MAP] = "map",
		[PINNED_PROGRAM] = "program",
		[PINNED_LINK] = "link",
	};
	int fd = bpf_obj_get(path);
	enum pinned is;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 && errno == EACCES)
		return diag_set(diag, DIAG_SYSTEM, EUCLEAN,
			"%s is no pin, or a security module keeps it closed; %s", path, what_to_do);
	if (fd < 0)
		return diag_errno(diag, errno, "cannot open %s", path);
	is = kind_of(fd, kind);
	if (is == kind)
		return fd;
	close(fd);
	return diag_set(diag, DIAG_SYSTEM, EUCLEAN, "%s is a %s, and is to be a %s; %s", path,
		names[is], names[kind], what_to_do);
}

/*
 * The kernel keeps the beginning of a name; none where libbpf was told by one error, when it asked,
 * that the kernel knows no names.
 */
static bool is_named(const char kept[BPF_OBJ_NAME_LEN], const char *name)
{
	return !*kept || !strncmp(kept, name, BPF_OBJ_NAME_LEN - 1);
}

static int is_another(const char *what, const char *name, const char *path, struct diag *diag)
{
	return diag_set(diag, DIAG_SYSTEM, EUCLEAN,
		"%s is another %s than its name says, '%.*s'; %s", path, what, BPF_OBJ_NAME_LEN,
		name, what_to_do);
}

int pinned_is_map(int fd, const struct map_kind *kind, const char *path, struct diag *diag)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return diag_errno(diag, errno, "cannot tell which map %s is", path);
	if (info.type == kind->type && info.key_size == sizeof(__u32) &&
		(!kind->value_size || info.value_size == kind->value_size) &&
		is_named(info.name, kind->name))
		return 0;
	return is_another("map", info.name, path, diag);
}

int pinned_is_program(int fd, const char *name, const char *path, struct diag *diag)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return diag_errno(diag, errno, "cannot tell which program %s is", path);
	return is_named(info.name, name) ? 0 : is_another("program", info.name, path, diag);
}
