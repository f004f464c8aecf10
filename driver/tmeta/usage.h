/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage - which volumes a pool holds, and which blocks only one of them uses
 *
 * A block is exclusive to a volume when no other volume maps it: deleting the
 * volume gives back exactly those blocks. All counts are pool blocks.
 */
#ifndef TMETA_USAGE_H
#define TMETA_USAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tmeta/tmeta.h"

struct tmeta_volume {
	uint32_t id;
	uint32_t creation_time;	   /* the pool's snapshot counter when it was made */
	uint32_t snapshotted_time; /* and when it was last a snapshot's origin */
	uint64_t transaction_id;   /* of the pool when it was made */
	uint64_t mapped_blocks;
	uint64_t exclusive_blocks; /* 0 from tmeta_list() */
	uint64_t shared_blocks;	   /* mapped - exclusive; 0 from tmeta_list() */
};

/**
 * tmeta_list_ids - all thin ids, rising
 * @ret_ids: new (free it); NULL when there are none
 *
 * Returns 0, or -1: ERR_CORRUPT, ERR_IO.
 */
int tmeta_list_ids(struct tmeta *tmeta, uint32_t **ret_ids, size_t *ret_nr, struct error *err);

/* All volumes with what the details tree says, by rising id. *ret is new (free it). */
int tmeta_list(struct tmeta *tmeta, struct tmeta_volume **ret, size_t *ret_nr, struct error *err);

/**
 * tmeta_usage - all volumes with their exclusive and shared blocks
 * @ret:              new (free it), by rising id; NULL when there are none
 * @ret_total_blocks: distinct data blocks that any volume maps; may be NULL
 *
 * Reads every leaf of the pool once, shared or not: the cost follows the
 * metadata in use. Takes 8 bytes of memory for each mapping in a leaf and
 * 4 bytes for each block of the metadata device.
 *
 * Returns 0, or -1: ERR_CORRUPT, ERR_IO, ERR_LIMIT for more than 2^24-2 volumes.
 */
int tmeta_usage(struct tmeta *tmeta, struct tmeta_volume **ret, size_t *ret_nr,
		uint64_t *ret_total_blocks, struct error *err);

#endif
