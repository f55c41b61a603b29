// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which interfaces are to be filtered. The input is the file `interfaces`, behind a '+' with its
 * checksum put right, and behind a line "==" bpfpol.conf. What is read, saved and read again is the
 * same; what a name matches does not depend on what was asked before.
 */
#include "fuzz.h"

#include <zlib.h>

#include "attach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	setenv("BPFPOL_STATE_DIR", fuzz_dir(), 1);
	setenv("BPFPOL_CONF_DIR", fuzz_dir(), 1);
	return 0;
}

static void put(const char *name, const void *data, size_t size)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", fuzz_dir(), name);
	fuzz_put(path, data, size);
}

static void put_summed(const uint8_t *data, size_t size)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	REQUIRE(out, "no memory");
	fwrite(data, 1, size, out);
	fprintf(out, "end %08lx\n", crc32(0, data, size));
	fclose(out);
	put("interfaces", text, len);
	free(text);
}

static bool is_damaged(const struct diag *diag)
{
	return strstr(diag->warnings, "is not as it was written");
}

static void load(struct remembered_list *list)
{
	struct diag diag = {};
	int rc = remembered_load(list, &diag);

	REQUIRE(!rc, "%d: %s", rc, diag.message);
	diag_free(&diag);
}

/* Warnings of bpfpol.conf are told as ever. */
static void saves_the_same(const struct remembered_list *list)
{
	struct remembered_list again = {};
	struct diag diag = {};

	REQUIRE(!remembered_save(list, &diag), "%s", diag.message);
	REQUIRE(!remembered_load(&again, &diag), "%s", diag.message);
	REQUIRE(!is_damaged(&diag), "%s", diag.warnings);
	REQUIRE(again.n == list->n, "%zu of %zu", again.n, list->n);
	for (size_t i = 0; i < list->n; i++) {
		const struct remembered *is = &list->v[i], *r = &again.v[i];

		/* Those of bpfpol.conf are alike, and in its order. */
		for (size_t j = 0; j < again.n && is->configured && strcmp(r->name, is->name); j++)
			r = &again.v[j];
		REQUIRE(!strcmp(r->name, is->name) && r->mode == is->mode &&
				r->configured == is->configured,
			"%s: %s", is->name, r->name);
	}
	remembered_free(&again);
	diag_free(&diag);
}

static void changes(struct remembered_list *list)
{
	char name[64];
	bool configured;

	if (!list->n)
		return;
	snprintf(name, sizeof(name), "%s", list->v[0].name);
	configured = list->v[0].configured;
	remembered_find(list, name);
	REQUIRE(!remembered_add(list, "eth7", ATTACH_TC), "no memory");
	REQUIRE(remembered_find(list, "eth7")->mode == ATTACH_TC, "%s", name);
	remembered_readmit(list, "*");
	for (size_t i = 0; i < list->n; i++)
		REQUIRE(list->v[i].mode != ATTACH_NONE, "%s", list->v[i].name);
	remembered_remove(list, "eth7");
	remembered_remove(list, name);
	for (size_t i = 0; i < list->n && !configured; i++)
		REQUIRE(list->v[i].configured || strcmp(list->v[i].name, name), "%s", name);
	saves_the_same(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *conf = memmem(data, size, "\n==\n", 4);
	size_t own = conf ? (size_t)(conf + 1 - data) : size;
	struct remembered_list list = {};

	fuzz_dir_empty(fuzz_dir());
	if (own && *data == '+')
		put_summed(data + 1, own - 1);
	else
		put("interfaces", data, own);
	if (conf)
		put("bpfpol.conf", conf + 4, size - own - 3);
	load(&list);
	saves_the_same(&list);
	changes(&list);
	remembered_free(&list);
	return 0;
}
