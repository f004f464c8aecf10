/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/sizing.h"
#include "unit.h"

static void test_metadata_size(void)
{
	CU_ASSERT_EQUAL(sizing_meta_bytes(64 * MIB, 64 * KIB), 16 * MIB);
	CU_ASSERT_EQUAL(sizing_meta_bytes(2 * GIB, 64 * KIB), 64 * MIB);
	CU_ASSERT_EQUAL(sizing_meta_bytes(100 * GIB, 64 * KIB), GIB);
	CU_ASSERT_EQUAL(sizing_meta_bytes(100 * GIB, MIB), GIB);
	CU_ASSERT_EQUAL(sizing_meta_bytes(4096 * GIB, 64 * KIB), 4 * GIB);
	CU_ASSERT_EQUAL(sizing_meta_bytes(100 * 1024 * GIB, 64 * KIB), SIZING_META_MAX_BYTES);
}

static void test_metadata_is_whole_mib(void)
{
	for (uint64_t data = 64 * MIB; data < 8192 * GIB; data = data * 5 / 3) {
		uint64_t meta = sizing_meta_bytes(data, 64 * KIB);

		CU_ASSERT_EQUAL(meta % MIB, 0);
		CU_ASSERT(meta >= SIZING_META_MIN_BYTES && meta <= SIZING_META_MAX_BYTES);
	}
}

static void test_reserves(void)
{
	CU_ASSERT_EQUAL(sizing_meta_reserve_bytes(16 * MIB), 4 * MIB);
	CU_ASSERT_EQUAL(sizing_meta_reserve_bytes(GIB), 256 * MIB);
	CU_ASSERT_EQUAL(sizing_meta_reserve_bytes(15 * GIB), 256 * MIB);
	CU_ASSERT_EQUAL(sizing_data_reserve_bytes(2 * GIB), 32 * MIB);
	CU_ASSERT_EQUAL(sizing_data_reserve_bytes(1024 * GIB), GIB);
}

/* The kernel's reserve of 10 %, at most 16 MiB, counts as used from the start. */
static void test_an_empty_pool_is_above_its_reserve(void)
{
	for (uint64_t data = 64 * MIB; data < 8192 * GIB; data = data * 5 / 3) {
		uint64_t meta = sizing_meta_bytes(data, 64 * KIB);
		uint64_t used = meta / 10 + data / (64 * KIB) / 4 + MIB;

		CU_ASSERT(meta - used > sizing_meta_reserve_bytes(meta));
	}
}

static void test_default_size(void)
{
	CU_ASSERT_EQUAL(sizing_default_bytes(1024 * GIB), 100 * GIB);
	CU_ASSERT_EQUAL(sizing_default_bytes(10 * GIB), 8 * GIB);
	CU_ASSERT_EQUAL(sizing_default_bytes(10 * GIB + 12345) % MIB, 0);
}

UNIT_SUITE(sizing, { "metadata follows the data", test_metadata_size },
	   { "metadata is whole MiB within the kernel's limits", test_metadata_is_whole_mib },
	   { "reserves follow the size", test_reserves },
	   { "an empty pool is above its reserve", test_an_empty_pool_is_above_its_reserve },
	   { "the default takes at most 80 % of what is free", test_default_size });
