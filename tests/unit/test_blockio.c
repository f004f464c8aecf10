/* SPDX-License-Identifier: Apache-2.0 */
#include "ext4w/blockio.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/blocksums.h"
#include "unit.h"

#define NR_BLOCKS (4 * CHUNK_BLOCKS)

static void test_sums(void)
{
	static uint8_t data[NR_BLOCKS * BLOCK_BYTES];
	auto_blocksums struct blocksums *first = NULL, *second = NULL;
	char path[] = "/tmp/veneer-blockio-XXXXXX";
	auto_blockio struct blockio *io = NULL;
	struct error err = { 0 };
	int fd = mkstemp(path);

	CU_ASSERT_EQUAL_FATAL(0, ftruncate(fd, sizeof(data)));
	CU_ASSERT_EQUAL_FATAL(0, blockio_open(path, &io, &err));
	CU_ASSERT_PTR_NULL(blockio_take_sums(io));
	blockio_sum(io);
	CU_ASSERT_EQUAL(0, blockio_write(io, 0, 3 * CHUNK_BLOCKS, data, &err));
	CU_ASSERT_EQUAL(0, blockio_drain(io, &err));
	blockio_discard(io, CHUNK_BLOCKS, CHUNK_BLOCKS);
	first = blockio_take_sums(io);
	CU_ASSERT_PTR_NOT_NULL(blocksums_get(first, 0));
	CU_ASSERT_PTR_NULL(blocksums_get(first, 1));
	CU_ASSERT_PTR_NOT_NULL(blocksums_get(first, 2));
	CU_ASSERT_EQUAL(0, blockio_write(io, 3 * CHUNK_BLOCKS, CHUNK_BLOCKS, data, &err));
	CU_ASSERT_EQUAL(0, blockio_drain(io, &err));
	second = blockio_take_sums(io);
	CU_ASSERT_PTR_NULL(blocksums_get(second, 0));
	CU_ASSERT_PTR_NOT_NULL(blocksums_get(second, 3));
	CU_ASSERT_PTR_NULL(blocksums_get(first, 3));
	close(fd);
	unlink(path);
}

UNIT_SUITE(blockio, { "digests are of what was written since the last ones", test_sums });
