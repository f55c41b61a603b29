// SPDX-License-Identifier: GPL-2.0-only
#include "direct.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* libbpf does not say which object's program it loads. The agent has two threads that load. */
static _Thread_local struct {
	struct bpf_map *const *maps;
	size_t n;
} loading;

static bool is_direct(int fd)
{
	for (size_t i = 0; i < loading.n; i++)
		if (fd == bpf_map__fd(loading.maps[i]))
			return true;
	return false;
}

/* BPF_LD | BPF_IMM | BPF_DW is of two instructions: the map, and then how far in its value. */
static int prepare(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	size_t n = bpf_program__insn_cnt(prog);
	struct bpf_insn *code = malloc(n * sizeof(*code));
	int rc;

	(void)opts;
	(void)cookie;
	if (!code)
		return -ENOMEM;
	memcpy(code, bpf_program__insns(prog), n * sizeof(*code));
	for (size_t i = 0; i + 1 < n; i++) {
		if (code[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		if (code[i].src_reg == BPF_PSEUDO_MAP_FD && is_direct(code[i].imm)) {
			code[i].src_reg = BPF_PSEUDO_MAP_VALUE;
			code[i + 1].imm = 0;
		}
		i++;
	}
	rc = bpf_program__set_insns(prog, code, n);
	free(code);
	return rc;
}

int direct_begin(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = prepare);
	static bool begun;
	int rc;

	if (begun)
		return 0;
	rc = libbpf_register_prog_handler("root_xdp", BPF_PROG_TYPE_XDP, BPF_XDP, NULL);
	if (rc >= 0)
		rc = libbpf_register_prog_handler(
			"classifier_xdp", BPF_PROG_TYPE_XDP, BPF_XDP, &opts);
	if (rc >= 0)
		rc = libbpf_register_prog_handler(
			"classifier_tc", BPF_PROG_TYPE_SCHED_CLS, 0, &opts);
	begun = rc >= 0;
	return rc < 0 ? rc : 0;
}

int direct_load(struct bpf_object *object, struct bpf_map *const *maps, size_t n)
{
	int rc;

	loading.maps = maps;
	loading.n = n;
	rc = bpf_object__load(object);
	loading.n = 0;
	return rc;
}
