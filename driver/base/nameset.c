/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open addressing in many small tables, chosen by the hash's top bits: one
 * table grows at a time, so growing needs no second copy of everything.
 */
#include "base/nameset.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"

#define TABLE_BITS 8
#define NR_TABLES  (1u << TABLE_BITS)
#define FIRST_SIZE 16u /* slots; a power of two */

struct table {
	uint64_t *slots; /* 0: free */
	uint32_t size;
	uint32_t used;
};

struct nameset {
	uint64_t key[2];
	size_t used;
	size_t max;
	struct table tables[NR_TABLES];
};

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

static void sip_start(uint64_t v[4], const uint64_t key[2])
{
	v[0] = key[0] ^ UINT64_C(0x736f6d6570736575);
	v[1] = key[1] ^ UINT64_C(0x646f72616e646f6d);
	v[2] = key[0] ^ UINT64_C(0x6c7967656e657261);
	v[3] = key[1] ^ UINT64_C(0x7465646279746573);
}

/* @before: bytes that sip_word() took already */
static uint64_t sip_rest(uint64_t v[4], const void *data, size_t len, size_t before)
{
	const uint8_t *at = data;
	uint64_t word, last = (uint64_t)(len + before) << 56;

	for (; len >= 8; at += 8, len -= 8) {
		memcpy(&word, at, sizeof(word));
		sip_word(v, le64toh(word));
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)at[i] << (8 * i);
	sip_word(v, last);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t nameset_siphash(const uint64_t key[2], const void *data, size_t len)
{
	uint64_t v[4];

	sip_start(v, key);
	return sip_rest(v, data, len, 0);
}

/* Never 0, which marks a free slot. */
static uint64_t hash_of(const struct nameset *set, uint64_t inode, const char *name, size_t len)
{
	uint64_t v[4], hash;

	sip_start(v, set->key);
	sip_word(v, inode);
	hash = sip_rest(v, name, len, sizeof(inode));
	return hash ?: 1;
}

struct nameset *nameset_new(size_t max)
{
	struct nameset *set = xcalloc(1, sizeof(*set));

	set->max = max;
	if (getrandom(set->key, sizeof(set->key), 0) != (ssize_t)sizeof(set->key))
		abort(); /* 16 bytes are never interrupted once the kernel is seeded */
	return set;
}

void nameset_clear(struct nameset *set)
{
	for (size_t i = 0; i < NR_TABLES; i++) {
		free(set->tables[i].slots);
		set->tables[i] = (struct table){ 0 };
	}
	set->used = 0;
}

void nameset_free(struct nameset *set)
{
	if (!set)
		return;
	nameset_clear(set);
	free(set);
}

/* The slot that holds the hash, or the free one where it belongs. */
static uint64_t *find_slot(const struct table *table, uint64_t hash)
{
	uint32_t at = (uint32_t)hash & (table->size - 1);

	while (table->slots[at] && table->slots[at] != hash)
		at = (at + 1) & (table->size - 1);
	return &table->slots[at];
}

static void grow(struct table *table)
{
	struct table bigger = { .size = table->size ? table->size * 2 : FIRST_SIZE };

	bigger.slots = xcalloc(bigger.size, sizeof(*bigger.slots));
	bigger.used = table->used;
	for (uint32_t i = 0; i < table->size; i++)
		if (table->slots[i])
			*find_slot(&bigger, table->slots[i]) = table->slots[i];
	free(table->slots);
	*table = bigger;
}

int nameset_add(struct nameset *set, uint64_t inode, const char *name, size_t len,
		struct error *err)
{
	uint64_t hash = hash_of(set, inode, name, len);
	struct table *table = &set->tables[hash >> (64 - TABLE_BITS)];
	uint64_t *slot;

	/* At most three quarters full: then a search ends after a few steps. */
	if (table->used * 4 >= table->size * 3)
		grow(table);
	slot = find_slot(table, hash);
	if (*slot)
		return 0;
	if (set->used == set->max)
		return err_set(err, ERR_LIMIT, "a layer with more than %zu entries", set->max);
	*slot = hash;
	table->used++;
	set->used++;
	return 1;
}

bool nameset_has(const struct nameset *set, uint64_t inode, const char *name, size_t len)
{
	uint64_t hash = hash_of(set, inode, name, len);
	const struct table *table = &set->tables[hash >> (64 - TABLE_BITS)];

	return table->size && *find_slot(table, hash);
}
