/* SPDX-License-Identifier: Apache-2.0 */
#include "verity/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "limits.h"

#define FANOUT	   (VERITY_BLOCK_BYTES / VERITY_SUM_BYTES)
#define LEVELS_MAX 10u		  /* 128 to the tenth is more than 64 bits of blocks */
#define BATCH_SUMS UINT64_C(8192) /* about so many are written at once */

/* Consecutive pool blocks with digests that follow each other in one list. */
struct source {
	uint64_t start, length;
	const struct verity_list *list; /* NULL: zeros */
	uint64_t first;			/* of the list's own blocks */
};

struct sources {
	struct source *items;
	size_t nr, cap;
};

struct composer {
	struct sources sources; /* rising, without gaps */
	uint64_t per_block;	/* digests for each pool block */
	uint64_t nr_blocks;	/* of 4096 bytes, on the device */
	uint64_t level_at[LEVELS_MAX];
	uint64_t level_blocks[LEVELS_MAX];
	unsigned nr_levels;
	unsigned char zero_sum[VERITY_SUM_BYTES];
	int fd;
};

static void composer_done(struct composer *composer)
{
	free(composer->sources.items);
}
#define auto_composer __attribute__((cleanup(composer_done)))

/* ---- which list has what ---- */

static void add_source(struct sources *sources, struct source source)
{
	if (!source.length)
		return;
	if (sources->nr == sources->cap) {
		sources->cap = sources->cap ? sources->cap * 2 : 64;
		sources->items = xrealloc(sources->items, sources->cap * sizeof(*sources->items));
	}
	sources->items[sources->nr++] = source;
}

/* Those of the old sources that lie between two pool blocks; *at moves on. */
static void keep_between(const struct sources *old, size_t *at, uint64_t from, uint64_t to,
			 struct sources *ret)
{
	for (; *at < old->nr; (*at)++) {
		struct source part = old->items[*at];
		uint64_t end = part.start + part.length;

		if (part.start >= to)
			return;
		if (end <= from)
			continue;
		if (part.start < from) {
			part.first += from - part.start;
			part.start = from;
		}
		part.length = (end < to ? end : to) - part.start;
		add_source(ret, part);
		if (end > to)
			return;
	}
}

/* What a layer lists comes in the place of what is below. */
static void lay_over(struct sources *sources, const struct verity_list *list)
{
	struct sources laid = { 0 };
	uint64_t from = 0, first = 0;
	size_t at = 0;

	for (size_t i = 0; i < list->nr_runs; i++) {
		const struct verity_run *run = &list->runs[i];

		keep_between(sources, &at, from, run->start, &laid);
		add_source(&laid, (struct source){ run->start, run->length,
						   run->dropped ? NULL : list, first });
		first += run->dropped ? 0 : run->length;
		from = run->start + run->length;
	}
	keep_between(sources, &at, from, UINT64_MAX, &laid);
	free(sources->items);
	*sources = laid;
}

static int lay_all(struct composer *composer, const struct verity_list *lists, size_t nr,
		   struct error *err)
{
	for (size_t i = 0; i < nr; i++) {
		static const unsigned char none[DIGEST_RAW_LEN];
		const unsigned char *below = i ? lists[i - 1].root : none;

		if (memcmp(lists[i].of.parent_root, below, DIGEST_RAW_LEN) != 0 ||
		    lists[i].of.block_bytes != lists[0].of.block_bytes)
			return err_set(err, ERR_CORRUPT,
				       "the digests of layer %s were made above other ones",
				       lists[i].of.chain.text);
		lay_over(&composer->sources, &lists[i]);
	}
	return 0;
}

/* ---- digests of the data ---- */

static const struct source *find_source(const struct sources *sources, uint64_t pool_block,
					uint64_t *ret_end)
{
	size_t low = 0, high = sources->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sources->items[middle].start + sources->items[middle].length <= pool_block)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_end = UINT64_MAX;
	if (low == sources->nr)
		return NULL;
	if (sources->items[low].start > pool_block) {
		*ret_end = sources->items[low].start;
		return NULL;
	}
	*ret_end = sources->items[low].start + sources->items[low].length;
	return &sources->items[low];
}

/* Digests of nr blocks of 4096 bytes from the first-th on: whole pool blocks. */
static int get_sums(struct composer *composer, uint64_t first, uint64_t nr, unsigned char *ret,
		    struct error *err)
{
	uint64_t block = first / composer->per_block, end = (first + nr) / composer->per_block;
	uint64_t bytes = composer->per_block * VERITY_SUM_BYTES;

	while (block < end) {
		uint64_t until;
		const struct source *source = find_source(&composer->sources, block, &until);
		uint64_t part = (until < end ? until : end) - block;

		if (source && source->list) {
			if (verity_list_sums(source->list, source->first + block - source->start,
					     part, ret, err) < 0)
				return -1;
		} else {
			for (uint64_t i = 0; i < part * composer->per_block; i++)
				memcpy(ret + i * VERITY_SUM_BYTES, composer->zero_sum,
				       VERITY_SUM_BYTES);
		}
		ret += part * bytes;
		block += part;
	}
	return 0;
}

/* ---- levels ---- */

static void plan(struct composer *composer, uint64_t device_bytes)
{
	uint64_t nr = device_bytes / VERITY_BLOCK_BYTES, at = 0;

	composer->nr_blocks = nr;
	while (nr > 1) {
		nr = (nr + FANOUT - 1) / FANOUT;
		composer->level_blocks[composer->nr_levels++] = nr;
	}
	for (unsigned level = composer->nr_levels; level-- > 0;) {
		composer->level_at[level] = at;
		at += composer->level_blocks[level];
	}
}

uint64_t tree_bytes(uint64_t device_bytes)
{
	struct composer composer = { 0 };
	uint64_t nr = 0;

	plan(&composer, device_bytes);
	for (unsigned level = 0; level < composer.nr_levels; level++)
		nr += composer.level_blocks[level];
	return nr * VERITY_BLOCK_BYTES;
}

/* Digests that are whole pool blocks and whole hash blocks. */
static uint64_t batch_size(uint64_t per_block)
{
	uint64_t nr = per_block;

	while (nr % FANOUT)
		nr += per_block;
	return nr < BATCH_SUMS ? BATCH_SUMS / nr * nr : nr;
}

/*
 * The lowest level, from the lists. above: gets a digest for each of its blocks. A hash
 * block that is the same as the one before, as in the unused part of a volume, is not hashed again.
 */
static int write_lowest(struct composer *composer, unsigned char *above, struct error *err)
{
	uint64_t batch_sums = batch_size(composer->per_block);
	auto_free unsigned char *sums = malloc(batch_sums * VERITY_SUM_BYTES);

	if (!sums)
		return err_set(err, ERR_LIMIT, "no memory for digests");
	for (uint64_t at = 0; at < composer->nr_blocks; at += batch_sums) {
		uint64_t left = composer->nr_blocks - at,
			 nr = left < batch_sums ? left : batch_sums;
		uint64_t hash_blocks = (nr + FANOUT - 1) / FANOUT;
		unsigned char *above_at = above + at / FANOUT * VERITY_SUM_BYTES;

		memset(sums, 0, batch_sums * VERITY_SUM_BYTES);
		if (cancel_check(err) < 0 || get_sums(composer, at, nr, sums, err) < 0 ||
		    io_pwrite(composer->fd, sums, hash_blocks * VERITY_BLOCK_BYTES,
			      (composer->level_at[0] + at / FANOUT) * VERITY_BLOCK_BYTES, err) < 0)
			return -1;
		for (uint64_t i = 0; i < hash_blocks; i++) {
			const unsigned char *block = sums + i * VERITY_BLOCK_BYTES;
			unsigned char *sum = above_at + i * VERITY_SUM_BYTES;

			if (i && memcmp(block, block - VERITY_BLOCK_BYTES, VERITY_BLOCK_BYTES) == 0)
				memcpy(sum, sum - VERITY_SUM_BYTES, VERITY_SUM_BYTES);
			else
				digest_raw_of(block, VERITY_BLOCK_BYTES, sum);
		}
	}
	return 0;
}

/* Takes the digests of one level as the next one's content, up to the root. */
static int write_upper(struct composer *composer, unsigned char *sums, struct error *err)
{
	for (unsigned level = 1; level < composer->nr_levels; level++) {
		uint64_t nr = composer->level_blocks[level - 1];
		uint64_t hash_blocks = composer->level_blocks[level];

		memset(sums + nr * VERITY_SUM_BYTES, 0,
		       hash_blocks * VERITY_BLOCK_BYTES - nr * VERITY_SUM_BYTES);
		if (io_pwrite(composer->fd, sums, hash_blocks * VERITY_BLOCK_BYTES,
			      composer->level_at[level] * VERITY_BLOCK_BYTES, err) < 0)
			return -1;
		for (uint64_t i = 0; i < hash_blocks; i++) {
			unsigned char sum[VERITY_SUM_BYTES];

			digest_raw_of(sums + i * VERITY_BLOCK_BYTES, VERITY_BLOCK_BYTES, sum);
			memcpy(sums + i * VERITY_SUM_BYTES, sum, sizeof(sum));
		}
	}
	return 0;
}

static int write_levels(struct composer *composer, unsigned char ret_root[DIGEST_RAW_LEN],
			struct error *err)
{
	auto_free unsigned char *sums = NULL;

	/* Room for whole hash blocks of the level above. */
	sums = malloc((composer->level_blocks[0] + FANOUT) * VERITY_SUM_BYTES);
	if (!sums)
		return err_set(err, ERR_LIMIT, "no memory for a hash tree");
	if (write_lowest(composer, sums, err) < 0 || write_upper(composer, sums, err) < 0)
		return -1;
	memcpy(ret_root, sums, DIGEST_RAW_LEN);
	return 0;
}

int tree_write(const struct verity_list *lists, size_t nr_lists, uint64_t device_bytes, int fd,
	       unsigned char ret_root[DIGEST_RAW_LEN], struct error *err)
{
	static const char zeros[VERITY_BLOCK_BYTES];
	auto_composer struct composer composer = { .fd = fd };
	uint64_t block_bytes = nr_lists ? lists[0].of.block_bytes : 0;

	if (!nr_lists || !device_bytes || device_bytes % block_bytes ||
	    device_bytes / block_bytes > LIMIT_VERITY_BLOCKS)
		return err_set(err, ERR_LIMIT, "no hash tree can be made for this device");
	digest_raw_of(zeros, sizeof(zeros), composer.zero_sum);
	composer.per_block = verity_per_block(block_bytes);
	plan(&composer, device_bytes);
	if (lay_all(&composer, lists, nr_lists, err) < 0)
		return -1;
	return write_levels(&composer, ret_root, err);
}
