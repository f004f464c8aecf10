/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta - what one volume maps that another does not
 *
 * Both mapping trees are walked side by side in key order. A subtree whose
 * root is the same metadata block in both is skipped unread: dm-thin copies a
 * shared node before it changes it, so the same block has the same content.
 * The cost follows the change, not the size of the volumes.
 */
#ifndef TMETA_DELTA_H
#define TMETA_DELTA_H

#include <stdint.h>

#include "base/err.h"
#include "tmeta/tmeta.h"

/* In place of a thin id: a volume without a mapped block. Our thin ids start at 1. */
#define TMETA_EMPTY 0u

/* Counts pool blocks. */
struct tmeta_delta {
	uint64_t own_blocks; /* mapped by the child to a data block that the parent has not there */
	uint64_t dropped_blocks; /* mapped by the parent, not by the child */
	uint64_t nodes_read;	 /* metadata blocks that had to be read for this answer */
};

enum tmeta_change {
	TMETA_ADDED,   /* only the child maps it */
	TMETA_CHANGED, /* both do, to different data blocks */
	TMETA_DROPPED, /* only the parent maps it */
};

/*
 * Called for ranges that rise and do not overlap; neighbours of one kind come
 * as one range. start and length count pool blocks of the virtual device.
 * Returns 0 to go on, or -1 with err filled.
 */
typedef int tmeta_range_fn(void *context, enum tmeta_change change, uint64_t start, uint64_t length,
			   struct error *err);

/**
 * tmeta_delta - compare two volumes
 * @parent_id: thin id or TMETA_EMPTY
 * @child_id:  thin id or TMETA_EMPTY
 * @ret:       filled on success, untouched on failure
 *
 * Returns 0, or -1: ERR_NOT_FOUND when a volume is not in this metadata,
 * ERR_CORRUPT, ERR_IO.
 */
int tmeta_delta(struct tmeta *tmeta, uint32_t parent_id, uint32_t child_id, struct tmeta_delta *ret,
		struct error *err);

/* The same, and tells each range to fn. */
int tmeta_delta_ranges(struct tmeta *tmeta, uint32_t parent_id, uint32_t child_id,
		       tmeta_range_fn *fn, void *context, struct tmeta_delta *ret,
		       struct error *err);

#endif
