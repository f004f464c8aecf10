/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blockio - blocks of one device: read at once, written behind by a thread of its own
 *
 * Not for callers outside ext4w/. What is written is collected in runs of neighbouring blocks;
 * a full run, or one that the next block does not continue, goes to the thread. Runs are written
 * in their order, past the page cache where the file allows it. A read sees what was written
 * before it. Memory: NR_RUNS buffers of RUN_BYTES.
 */
#ifndef EXT4W_BLOCKIO_H
#define EXT4W_BLOCKIO_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct blocksums; /* base/blocksums.h */

#define BLOCK_BYTES  4096u
#define CHUNK_BLOCKS 16u /* 64 KiB: the smallest block of a pool, whose whole blocks cost no copy */

struct blockio;

/* Opens a block device or a file for reading and writing. The caller owns *ret. */
int blockio_open(const char *path, struct blockio **ret, struct error *err);
/* What was not written yet never will be. */
void blockio_free(struct blockio *io);
static inline void blockio_free_(struct blockio **io)
{
	blockio_free(*io);
}
#define auto_blockio __attribute__((cleanup(blockio_free_)))

uint64_t blockio_nr_blocks(const struct blockio *io);

/* ERR_CORRUPT beyond the end of the device. */
int blockio_read(struct blockio *io, uint64_t block, uint32_t nr, void *ret, struct error *err);

/**
 * blockio_room - where to put the next blocks to be written
 * @nr: how many neighbours are wanted, at least 1
 * @ret: until the next call that is no blockio_room() for it; its content is undefined
 *
 * Returns how many of them fit, at least 1, or -1, also for what was written earlier.
 */
int blockio_room(struct blockio *io, uint64_t block, uint32_t nr, uint8_t **ret, struct error *err);
/* The same with the bytes. */
int blockio_write(struct blockio *io, uint64_t block, uint32_t nr, const void *data,
		  struct error *err);

/* Everything is with the device, though perhaps in its cache. */
int blockio_drain(struct blockio *io, struct error *err);
/* And now it is durable. */
int blockio_sync(struct blockio *io, struct error *err);
/* Tells the device that these hold nothing, when all is written. Not being able to is no error. */
void blockio_discard(struct blockio *io, uint64_t block, uint64_t nr);

/* Before anything is written: from now on the thread makes the digests of what it writes, too. */
void blockio_sum(struct blockio *io);
/* After blockio_drain(): those since the last call, for the caller to own; NULL without the above. */
struct blocksums *blockio_take_sums(struct blockio *io);

#endif
