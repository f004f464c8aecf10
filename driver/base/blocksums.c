/* SPDX-License-Identifier: Apache-2.0 */
#include "base/blocksums.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/pages.h"

#define GROUP_CHUNKS 2048u /* 128 MiB */
#define SLAB_ITEMS   256u
#define MAX_ITEMS    (BLOCKSUMS_MAX_BYTES / sizeof(struct item))
#define ALL_KNOWN    UINT16_MAX

struct item {
	uint8_t sums[BLOCKSUMS_CHUNK][DIGEST_RAW_LEN];
	uint16_t known; /* a bit for each */
};

/* Which item is a chunk's, counted from 1; 0: it has none. */
struct group {
	uint32_t items[GROUP_CHUNKS];
};

struct blocksums {
	struct group **groups;
	uint64_t nr_groups;
	struct item *slabs[MAX_ITEMS / SLAB_ITEMS + 1];
	uint32_t nr_items;
};

struct blocksums *blocksums_new(uint64_t nr_blocks)
{
	struct blocksums *sums = xcalloc(1, sizeof(*sums));
	uint64_t per_group = (uint64_t)GROUP_CHUNKS * BLOCKSUMS_CHUNK;

	sums->nr_groups = (nr_blocks + per_group - 1) / per_group;
	sums->groups = xcalloc(sums->nr_groups + 1, sizeof(struct group *));
	return sums;
}

void blocksums_free(struct blocksums *sums)
{
	if (!sums)
		return;
	for (uint64_t i = 0; i < sums->nr_groups; i++)
		free(sums->groups[i]);
	for (uint32_t i = 0; i * SLAB_ITEMS < sums->nr_items; i++)
		free(sums->slabs[i]);
	free(sums->groups);
	free(sums);
}

static struct item *item_at(const struct blocksums *sums, uint32_t number)
{
	return number ? &sums->slabs[(number - 1) / SLAB_ITEMS][(number - 1) % SLAB_ITEMS] : NULL;
}

static struct item *find(const struct blocksums *sums, uint64_t chunk)
{
	const struct group *group = sums->groups[chunk / GROUP_CHUNKS];

	return group ? item_at(sums, group->items[chunk % GROUP_CHUNKS]) : NULL;
}

/* NULL when memory for more has come to its bound. */
static struct item *find_or_add(struct blocksums *sums, uint64_t chunk)
{
	struct group **group = &sums->groups[chunk / GROUP_CHUNKS];
	struct item **slab = &sums->slabs[sums->nr_items / SLAB_ITEMS];
	struct item *item = find(sums, chunk);

	if (item || sums->nr_items == MAX_ITEMS)
		return item;
	if (!*group)
		*group = xcalloc(1, sizeof(**group));
	if (!*slab) {
		*slab = xcalloc(SLAB_ITEMS, sizeof(**slab));
		pages_touch(*slab, SLAB_ITEMS * sizeof(**slab));
	}
	(*group)->items[chunk % GROUP_CHUNKS] = ++sums->nr_items;
	return item_at(sums, sums->nr_items);
}

void blocksums_put(struct blocksums *sums, struct blockhash *hash, uint64_t block, uint64_t nr,
		   const uint8_t *data)
{
	while (nr) {
		struct item *item = find_or_add(sums, block / BLOCKSUMS_CHUNK);
		uint32_t at = block % BLOCKSUMS_CHUNK, part = BLOCKSUMS_CHUNK - at;

		if (part > nr)
			part = (uint32_t)nr;
		if (item) {
			blockhash_run(hash, data, part, item->sums[at]);
			item->known |= (uint16_t)(((1u << part) - 1) << at);
		}
		block += part;
		nr -= part;
		data += (size_t)part * BLOCKSUMS_BLOCK_BYTES;
	}
}

void blocksums_drop(struct blocksums *sums, uint64_t block, uint64_t nr)
{
	for (uint64_t end = block + nr; block < end; block++) {
		struct item *item = find(sums, block / BLOCKSUMS_CHUNK);

		if (item)
			item->known &= (uint16_t) ~(1u << (block % BLOCKSUMS_CHUNK));
	}
}

const uint8_t *blocksums_get(const struct blocksums *sums, uint64_t chunk)
{
	const struct item *item = chunk / GROUP_CHUNKS < sums->nr_groups ? find(sums, chunk) : NULL;

	return item && item->known == ALL_KNOWN ? item->sums[0] : NULL;
}
