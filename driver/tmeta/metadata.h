/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata - what the modules of tmeta/ know of an opened metadata device
 *
 * Not for callers outside tmeta/.
 */
#ifndef TMETA_METADATA_H
#define TMETA_METADATA_H

#include "tmeta/btree.h"
#include "tmeta/tmeta.h"

struct tmeta {
	struct block_reader *blocks;
	struct tmeta_info info;
	struct btree volumes; /* thin id -> root of its mapping */
	struct btree details; /* thin id -> struct disk_details */
};

/* The tree whose root a value of tmeta->volumes names. */
void tmeta_mapping_tree(const struct tmeta *tmeta, uint64_t id, uint64_t root, struct btree *ret);

/* ERR_CORRUPT for a data block that the pool has not; not known in a metadata snapshot. */
int tmeta_check_data_block(const struct tmeta *tmeta, const struct btree *tree, uint64_t data_block,
			   struct error *err);

#endif
