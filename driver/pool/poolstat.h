/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poolstat - the fill level and health of a thin pool, from its dm status line
 *
 * Pure text parsing. Source: Linux drivers/md/dm-thin.c pool_status()
 */
#ifndef POOL_POOLSTAT_H
#define POOL_POOLSTAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define POOLSTAT_META_BLOCK_BYTES UINT64_C(4096)

struct poolstat {
	uint64_t transaction_id;
	uint64_t meta_used_blocks; /* of POOLSTAT_META_BLOCK_BYTES, the kernel's reserve included */
	uint64_t meta_total_blocks;
	uint64_t data_used_blocks; /* pool blocks; their size is in the table */
	uint64_t data_total_blocks;
	uint64_t held_block; /* metadata snapshot; 0 without one */
	bool failed;	     /* every I/O fails; all counters are zero */
	bool read_only;
	bool out_of_data;
	bool needs_check; /* thin_check must run before the next change */
};

/**
 * poolstat_parse - read one status line of a "thin-pool" target
 * @line: the text behind "start length type"
 * @ret:  filled on success, untouched on failure
 *
 * Returns 0, or -1 with ERR_CORRUPT when the kernel sent a line we do not know.
 */
int poolstat_parse(const char *line, struct poolstat *ret, struct error *err);

#endif
