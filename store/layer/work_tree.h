/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work_tree - how the files of a working volume are written: as blocks, or by a mount
 *
 * Blocks are several times faster, and possible where no one has the volume mounted and each
 * feature of its file system is known (driver/ext4w). The store's options may say otherwise.
 */
#ifndef LAYER_WORK_TREE_H
#define LAYER_WORK_TREE_H

#include <stdbool.h>

#include "base/err.h"

struct blocksums; /* base/blocksums.h */
struct tree_writer;
struct work;

/* Starts as { 0 }. */
struct work_tree {
	struct work *work; /* borrowed */
	struct tree_writer *tree;
	bool direct; /* it writes blocks; the volume is not mounted */
};

/**
 * work_tree_open - the writer for a working volume
 *
 * One that is mounted is written through that mount. Where blocks cannot be written it mounts the
 * volume, and warns if "direct" was asked for.
 */
int work_tree_open(struct work *work, struct work_tree *ret, struct error *err);
/* A volume that was mounted stays so. */
void work_tree_close(struct work_tree *tree);
#define auto_work_tree __attribute__((cleanup(work_tree_close)))

/*
 * After end_layer: everything is on the device, and e2fsck agrees where the options want that. An
 * error says so where it is the pool that is full or has failed.
 */
int work_tree_flush(const struct work_tree *tree, struct error *err);

/* Before its first layer: the digests of the volume's blocks are made while these are written. */
void work_tree_sum(const struct work_tree *tree);
/* After a flush: those since the last call. The caller owns it; NULL where files go by a mount. */
struct blocksums *work_tree_take_sums(const struct work_tree *tree);

/* Says what writing failed with in better words where volume or pool are full. */
void work_tree_explain(const struct work_tree *tree, struct error *err);

#endif
