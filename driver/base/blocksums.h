/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocksums - SHA-256 of blocks of 4096 bytes, made when they are written (base/blockhash)
 *
 * Whoever wants the digests of a device's blocks afterwards need not read those that are kept
 * here. It keeps what it can: memory is bounded by BLOCKSUMS_MAX_BYTES, enough for 2 GiB, and by
 * 8 KiB for each 128 MiB of the device that has some. Several threads may only get, at once.
 */
#ifndef BASE_BLOCKSUMS_H
#define BASE_BLOCKSUMS_H

#include <stddef.h>
#include <stdint.h>

#include "base/blockhash.h"

#define BLOCKSUMS_BLOCK_BYTES BLOCKHASH_BYTES
#define BLOCKSUMS_CHUNK	      16u /* blocks: what is got together */
#define BLOCKSUMS_MAX_BYTES   (16u << 20)

struct blocksums;

/* Of a device of so many blocks. */
struct blocksums *blocksums_new(uint64_t nr_blocks);
void blocksums_free(struct blocksums *sums);
static inline void blocksums_free_(struct blocksums **sums)
{
	blocksums_free(*sums);
}
#define auto_blocksums __attribute__((cleanup(blocksums_free_)))

/* These were written; what was there before counts no longer. All of them lie on the device. */
void blocksums_put(struct blocksums *sums, struct blockhash *hash, uint64_t block, uint64_t nr,
		   const uint8_t *data);
/* What these hold now is not known here. */
void blocksums_drop(struct blocksums *sums, uint64_t block, uint64_t nr);

/**
 * blocksums_get - the digests of one chunk
 * @chunk: the first of its blocks is BLOCKSUMS_CHUNK times this
 *
 * BLOCKSUMS_CHUNK times 32 bytes, borrowed until the next put; NULL where not all are known.
 */
const uint8_t *blocksums_get(const struct blocksums *sums, uint64_t chunk);

#endif
