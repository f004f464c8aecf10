/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash - read runs of a device and tell the digests of its blocks
 *
 * Past the page cache where the file allows it: what counts is what the disk has. Several
 * threads read and hash, each a piece of its own, so that neither the disk nor a processor
 * waits for the other. What cannot be read is told block by block. What is known is not read.
 */
#ifndef VERITY_HASH_H
#define VERITY_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/progress.h"
#include "verity/list.h"

struct blocksums; /* base/blocksums.h */

/* Some pool blocks, one after the other, on the device and among the listed ones. */
struct hash_piece {
	uint64_t start;	 /* pool block of the device */
	uint64_t first;	 /* which of the listed blocks that is */
	uint64_t length; /* pool blocks */
	/* 32 bytes for each 4096; zero bytes where a block could not be read */
	const unsigned char *sums;
	const bool *unreadable; /* one for each 4096 bytes */
};

struct hash_args {
	const char *device; /* or a file */
	uint64_t block_bytes;
	const struct verity_run *runs;
	size_t nr_runs;
	uint64_t first; /* of the listed blocks; how many */
	uint64_t length;
	const struct blocksums *known; /* of the device's blocks; may be NULL */
	/* Called by the threads, at times by several at once. Returns 0, or -1 with err filled. */
	int (*piece)(void *ctx, const struct hash_piece *piece, struct error *err);
	void *ctx;
	/* Told by the thread that called hash_runs(); may be NULL. */
	struct progress *progress;
	const char *item;
	uint64_t done_bytes; /* before this call */
	uint64_t total_bytes;
};

/* ERR_CANCELLED on a signal; ERR_IO only when the device does not open. */
int hash_runs(const struct hash_args *args, struct error *err);

#endif
