/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/sizing.h"

#define BYTES_PER_DATA_BLOCK 64
#define META_USUAL_BYTES     GIB
#define META_SHARE	     32

static uint64_t at_most(uint64_t value, uint64_t limit)
{
	return value < limit ? value : limit;
}

static uint64_t at_least(uint64_t value, uint64_t limit)
{
	return value > limit ? value : limit;
}

uint64_t sizing_meta_bytes(uint64_t data_bytes, uint64_t block_bytes)
{
	uint64_t bytes = data_bytes / block_bytes * BYTES_PER_DATA_BLOCK;

	bytes = at_least(bytes, at_most(META_USUAL_BYTES, data_bytes / META_SHARE));
	bytes = at_least(size_round_up(bytes, MIB), SIZING_META_MIN_BYTES);
	return at_most(bytes, SIZING_META_MAX_BYTES);
}

uint64_t sizing_meta_reserve_bytes(uint64_t meta_total_bytes)
{
	return at_most(meta_total_bytes / 4, 256 * MIB);
}

uint64_t sizing_data_reserve_bytes(uint64_t data_total_bytes)
{
	return at_most(data_total_bytes / 64, GIB);
}

uint64_t sizing_default_bytes(uint64_t free_bytes)
{
	return size_round_down(at_most(SIZING_DEFAULT_BYTES, free_bytes / 10 * 8), MIB);
}
