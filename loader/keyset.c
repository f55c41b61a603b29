// SPDX-License-Identifier: GPL-2.0-only
#include "keyset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 64

/* Keys are a multiple of 8 bytes. Multiply and fold (as in wyhash): good enough, and quick. */
static size_t hash(const void *key, size_t size)
{
	uint64_t h = 0x9e3779b97f4a7c15ULL;

	for (size_t at = 0; at < size; at += 8) {
		uint64_t word;
		__uint128_t product;

		memcpy(&word, (const uint8_t *)key + at, 8);
		product = (__uint128_t)(h ^ word) * 0xd6e8feb86659fd93ULL;
		h = (uint64_t)product ^ (uint64_t)(product >> 64);
	}
	return h;
}

static const uint8_t *key_at(const struct keyset *set, uint32_t index)
{
	return *set->keys + (size_t)index * set->key_size;
}

/* Where the key is, or where it would go. */
static size_t probe(const struct keyset *set, const void *key)
{
	size_t at = hash(key, set->key_size) & set->mask;

	while (set->slots[at] && memcmp(key_at(set, set->slots[at] - 1), key, set->key_size))
		at = (at + 1) & set->mask;
	return at;
}

int keyset_init(struct keyset *set, const uint8_t *const *keys, size_t key_size)
{
	*set = (struct keyset){ .keys = keys, .key_size = key_size, .mask = FIRST_ROOM - 1 };
	set->slots = calloc(FIRST_ROOM, sizeof(*set->slots));
	return set->slots ? 0 : -ENOMEM;
}

void keyset_free(struct keyset *set)
{
	free(set->slots);
	set->slots = NULL;
}

uint32_t keyset_find(const struct keyset *set, const void *key)
{
	uint32_t slot = set->slots[probe(set, key)];

	return slot ? slot - 1 : KEYSET_NONE;
}

static int grow(struct keyset *set)
{
	struct keyset bigger = *set;

	bigger.mask = set->mask * 2 + 1;
	bigger.slots = calloc(bigger.mask + 1, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i <= set->mask; i++)
		if (set->slots[i])
			bigger.slots[probe(&bigger, key_at(set, set->slots[i] - 1))] =
				set->slots[i];
	free(set->slots);
	*set = bigger;
	return 0;
}

int keyset_add(struct keyset *set, uint32_t index)
{
	if (set->n * 2 > set->mask) {
		int rc = grow(set);

		if (rc)
			return rc;
	}
	set->slots[probe(set, key_at(set, index))] = index + 1;
	set->n++;
	return 0;
}
