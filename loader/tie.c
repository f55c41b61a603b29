// SPDX-License-Identifier: GPL-2.0-only
#include "tie.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dirs.h"
#include "store.h"

#define ID_FORMAT "bpfpol store %016" PRIx64 "\n"
#define ID_LEN (sizeof("bpfpol store 0123456789abcdef\n") - 1)

static uint64_t id_parse(const char *text, size_t len)
{
	char same[64];
	uint64_t id;

	if (len != ID_LEN || sscanf(text, "bpfpol store %16" SCNx64, &id) != 1)
		return 0;
	snprintf(same, sizeof(same), ID_FORMAT, id);
	return strcmp(same, text) ? 0 : id;
}

/*
 * 0: it has none. One that is damaged is none: it is replaced by rename alone, so that neither a
 * kill nor a power loss leaves a part of one, and what did that knew nothing of us.
 */
static int id_read(uint64_t *id, struct diag *diag)
{
	char *path = path_join(dirs_get()->state, "id"), *text = NULL;
	size_t len;
	int rc = path ? kept_read(path, &text, &len, diag) : -ENOMEM;

	*id = rc ? 0 : id_parse(text, len);
	if (rc == -EBADMSG) {
		diag_clear(diag);
		rc = 0;
	}
	free(text);
	free(path);
	return rc == -ENOENT ? 0 : rc;
}

static int id_write(uint64_t id)
{
	char *path = path_join(dirs_get()->state, "id"), text[64];
	struct diag ignored = {};
	int len = snprintf(text, sizeof(text), ID_FORMAT, id);
	int rc = path ? file_make_way(path, &ignored) : -ENOMEM;

	if (!rc)
		rc = file_write(path, text, len, &ignored);
	diag_free(&ignored);
	free(path);
	return rc;
}

/* The store's; or else `wish`, or for want of that a new one. 0: it cannot be read or written. */
static uint64_t id_make(uint64_t wish)
{
	struct diag ignored = {};
	uint64_t id = 0;
	int rc = id_read(&id, &ignored);

	diag_free(&ignored);
	if (rc || id)
		return rc ? 0 : id;
	while (!wish)
		if (getrandom(&wish, sizeof(wish), 0) != sizeof(wish))
			return 0;
	return id_write(wish) ? 0 : wish;
}

static const struct bp_tables *tables_of(const struct kernel *k)
{
	return k->gen ? k->gen->table.tables : NULL;
}

static bool stands_for_it(const struct bp_tables *t)
{
	return t && store_unchanged(t->state_inode, t->state_mtime, t->journal);
}

static bool has_state(void)
{
	char *path = path_join(dirs_get()->state, "state");
	bool has = path && path_is_there(path); /* or nobody knows: whoever reads it is told */

	free(path);
	return has;
}

/* May be cut, as in the control word. */
static void get_place(char place[BP_NAME])
{
	char *real = realpath(dirs_get()->state, NULL);

	snprintf(place, BP_NAME, "%s", real ? real : dirs_get()->state);
	free(real);
}

static bool is_place_of(const struct bp_ctl *ctl)
{
	char place[BP_NAME];

	get_place(place);
	return !strcmp(place, ctl->store_dir);
}

/* The place is what was noted; it may have moved since. id: 0: nothing says which one this is. */
static int refuse_other(const struct kernel *k, uint64_t id, struct diag *diag)
{
	const struct dirs *dirs = dirs_get();

	if (!id || is_place_of(k->ctl))
		return diag_set(diag, DIAG_SYSTEM, EXDEV,
			"%s filters by the rules of the store in %.200s, and %s holds another one, "
			"or its "
			"file id, which would say that it is that one, is lost or damaged, so that "
			"nothing is changed; put that file back from a backup, or 'bpfpol restore "
			"--force' puts the rules that are here in force in place of those",
			dirs->bpffs, k->ctl->store_dir, dirs->state);
	return diag_set(diag, DIAG_SYSTEM, EXDEV,
		"%s filters by the rules of the store in %.200s, and %s holds another one, so "
		"that nothing is changed; name that store by BPFPOL_STATE_DIR, or give this one a "
		"filter of its own by BPFPOL_BPFFS; 'bpfpol restore --force' puts this one's "
		"rules in force in place of those",
		dirs->bpffs, k->ctl->store_dir, dirs->state);
}

static int refuse_lost(const struct kernel *k, struct diag *diag)
{
	const struct dirs *dirs = dirs_get();

	if (store_can_go_back())
		return diag_set(diag, DIAG_SYSTEM, EXDEV,
			"%s/state is lost, and %s filters by the rules that it held; 'bpfpol "
			"restore' goes back to those before the last change, or put it back from a "
			"backup",
			dirs->state, dirs->bpffs);
	return diag_set(diag, DIAG_SYSTEM, EXDEV,
		"there is no store in %s, and %s filters by the rules of the one in %.200s, so "
		"that "
		"nothing is changed; if that is another directory name it by BPFPOL_STATE_DIR; if "
		"it "
		"is lost put it back from a backup; 'bpfpol off' stops the filter, 'bpfpol restore "
		"--force' begins without any rules",
		dirs->state, dirs->bpffs, k->ctl->store_dir);
}

int tie_check(const struct kernel *k, bool salvages, struct diag *diag)
{
	const struct bp_tables *t = tables_of(k);
	uint64_t id = 0, ours = k->ctl->store;
	int rc;

	if (!ours || stands_for_it(t))
		return 0;
	rc = dir_check(dirs_get()->state, diag);
	if (!rc)
		rc = id_read(&id, diag);
	if (rc && (rc != -ENOENT || diag->kind != DIAG_NONE))
		return rc;
	if (has_state())
		return id == ours ? 0 : refuse_other(k, id, diag);
	if (id && id != ours)
		return refuse_other(k, id, diag);
	/* Where no rule is in force there is nothing to lose. */
	return (t && !t->rules) || (salvages && store_can_go_back()) ? 0 : refuse_lost(k, diag);
}

int tie_check_word(const struct bp_ctl *ctl, struct diag *diag)
{
	struct diag ignored = {};
	uint64_t id;
	int rc = ctl->store ? dir_check(dirs_get()->state, &ignored) : -ENOENT;

	if (!rc)
		rc = id_read(&id, &ignored);
	diag_free(&ignored);
	/* Whatever is in that place is what a boot goes by. */
	if (rc || id == ctl->store || (!id && !has_state()) || is_place_of(ctl))
		return 0;
	return diag_set(diag, DIAG_SYSTEM, EXDEV,
		"%s holds another store than that in %.200s, whose rules are in force: only there "
		"it could be written down",
		dirs_get()->state, ctl->store_dir);
}

bool tie_is_ours(const struct bp_ctl *ctl)
{
	struct diag ignored = {};
	uint64_t id = 0;

	if (ctl->store && !dir_check(dirs_get()->state, &ignored))
		id_read(&id, &ignored);
	diag_free(&ignored);
	if (id)
		return id == ctl->store;
	return ctl->netns == kernel_namespace() && (!ctl->store_dir[0] || is_place_of(ctl));
}

static void note_place(struct kernel *k)
{
	get_place(k->ctl->store_dir);
}

void tie_keep(struct kernel *k, bool take)
{
	uint64_t id = id_make(take ? 0 : k->ctl->store);

	note_place(k);
	__atomic_store_n(&k->ctl->store, id, __ATOMIC_SEQ_CST);
}

/* Its `id` is lost, or is not what one is like. A number that is another store's has been refused.
 */
static bool id_is_lost(void)
{
	char *path = path_join(dirs_get()->state, "id");
	struct stat st;
	bool lost = path && (stat(path, &st) ? errno == ENOENT : st.st_size != ID_LEN);

	free(path);
	return lost;
}

/*
 * The number is there before a `state` is written that is not in force yet: who dies between the
 * two would leave a store that nothing says it is that one.
 */
void tie_follow(struct kernel *k)
{
	if (stands_for_it(tables_of(k)) && (!k->ctl->store || id_is_lost()))
		tie_keep(k, false);
	else if (k->ctl->store && strcmp(k->ctl->store_dir, dirs_get()->state))
		note_place(k);
}
