/* SPDX-License-Identifier: Apache-2.0 */
#include "base/blocksums.h"

#include <string.h>

#include "base/digest.h"
#include "unit.h"

#define NR_BLOCKS (4u << 20) /* 16 GiB */
#define LAST	  (NR_BLOCKS / BLOCKSUMS_CHUNK - 1)

static uint8_t data[2 * BLOCKSUMS_CHUNK * BLOCKSUMS_BLOCK_BYTES];

static void fill(uint8_t first)
{
	for (size_t i = 0; i < 2 * BLOCKSUMS_CHUNK; i++)
		memset(data + i * BLOCKSUMS_BLOCK_BYTES, first + (int)i, BLOCKSUMS_BLOCK_BYTES);
}

/* The digest of the at-th block of a chunk is that of a block of these bytes. */
static void check_sum(const struct blocksums *sums, uint64_t chunk, unsigned int at, uint8_t byte)
{
	uint8_t block[BLOCKSUMS_BLOCK_BYTES], wanted[DIGEST_RAW_LEN];
	const uint8_t *got = blocksums_get(sums, chunk);

	memset(block, byte, sizeof(block));
	digest_raw_of(block, sizeof(block), wanted);
	CU_ASSERT_PTR_NOT_NULL_FATAL(got);
	CU_ASSERT_EQUAL(0, memcmp(got + at * DIGEST_RAW_LEN, wanted, DIGEST_RAW_LEN));
}

static void test_whole_chunks(void)
{
	auto_blocksums struct blocksums *sums = blocksums_new(NR_BLOCKS);
	auto_blockhash struct blockhash *hash = blockhash_new();

	fill(1);
	CU_ASSERT_PTR_NULL(blocksums_get(sums, 0));
	/* From the midst of a chunk to the midst of the next but one, and then the rest. */
	blocksums_put(sums, hash, 5, 2 * BLOCKSUMS_CHUNK, data);
	CU_ASSERT_PTR_NULL(blocksums_get(sums, 0));
	CU_ASSERT_PTR_NULL(blocksums_get(sums, 2));
	check_sum(sums, 1, 0, 12);
	check_sum(sums, 1, 15, 27);
	blocksums_put(sums, hash, 0, 5, data);
	check_sum(sums, 0, 4, 5);
	check_sum(sums, 0, 5, 1);
	/* The end of the device, and what is beyond it. */
	blocksums_put(sums, hash, (uint64_t)LAST * BLOCKSUMS_CHUNK, BLOCKSUMS_CHUNK, data);
	check_sum(sums, LAST, 0, 1);
	CU_ASSERT_PTR_NULL(blocksums_get(sums, LAST + 1));
	CU_ASSERT_PTR_NULL(blocksums_get(sums, UINT64_MAX));
}

static void test_last_write_counts(void)
{
	auto_blocksums struct blocksums *sums = blocksums_new(NR_BLOCKS);
	auto_blockhash struct blockhash *hash = blockhash_new();

	fill(1);
	blocksums_put(sums, hash, 0, 2 * BLOCKSUMS_CHUNK, data);
	fill(100);
	blocksums_put(sums, hash, 3, 1, data);
	check_sum(sums, 0, 2, 3);
	check_sum(sums, 0, 3, 100);
	check_sum(sums, 0, 4, 5);
	blocksums_drop(sums, 15, 2);
	CU_ASSERT_PTR_NULL(blocksums_get(sums, 0));
	CU_ASSERT_PTR_NULL(blocksums_get(sums, 1));
	blocksums_put(sums, hash, 15, 1, data);
	check_sum(sums, 0, 15, 100);
	CU_ASSERT_PTR_NULL(blocksums_get(sums, 1));
	blocksums_drop(sums, NR_BLOCKS - 100, 100); /* of which nothing is known */
}

/* What came first is kept. */
static void test_bound(void)
{
	auto_blocksums struct blocksums *sums = blocksums_new(NR_BLOCKS);
	auto_blockhash struct blockhash *hash = blockhash_new();
	const uint64_t per_chunk = BLOCKSUMS_CHUNK * DIGEST_RAW_LEN;
	uint64_t chunk;

	fill(1);
	for (chunk = 0; chunk * per_chunk < BLOCKSUMS_MAX_BYTES; chunk++)
		blocksums_put(sums, hash, chunk * BLOCKSUMS_CHUNK + (chunk ? 15 : 0),
			      chunk ? 1 : BLOCKSUMS_CHUNK, data);
	CU_ASSERT(chunk < LAST);
	blocksums_put(sums, hash, (uint64_t)LAST * BLOCKSUMS_CHUNK, BLOCKSUMS_CHUNK, data);
	CU_ASSERT_PTR_NULL(blocksums_get(sums, LAST));
	check_sum(sums, 0, 7, 8);
	blocksums_put(sums, hash, BLOCKSUMS_CHUNK, BLOCKSUMS_CHUNK, data);
	check_sum(sums, 1, 7, 8);
}

UNIT_SUITE(blocksums, { "a chunk is known when all of it is", test_whole_chunks },
	   { "the last write counts", test_last_write_counts },
	   { "memory is bounded", test_bound });
