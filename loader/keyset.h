/* SPDX-License-Identifier: GPL-2.0-only */
/* A hash table from a key's bytes to a number: which element of a plan has that key. Pure. */
#ifndef BPFPOL_KEYSET_H
#define BPFPOL_KEYSET_H

#include <stddef.h>
#include <stdint.h>

struct keyset {
	const uint8_t *const *keys; /* where the caller's array of keys is now */
	size_t key_size;
	uint32_t *slots; /* index + 1; 0: empty */
	size_t n, mask;
};

#define KEYSET_NONE UINT32_MAX

/* The set stores indices only; keys lie at (*keys)[index * key_size], which may move. */
int keyset_init(struct keyset *set, const uint8_t *const *keys, size_t key_size);
void keyset_free(struct keyset *set);
/* The index of an equal key, or KEYSET_NONE. */
uint32_t keyset_find(const struct keyset *set, const void *key);
/* The key must not be there yet. -ENOMEM. */
int keyset_add(struct keyset *set, uint32_t index);

#endif
