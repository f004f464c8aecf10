/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ext4w - the tree writer that turns entries straight into the blocks of an unmounted ext4
 *
 * Same rules and same result as the one that uses system calls beneath a mount (layer/tree_fs);
 * no system call for a file. Content goes to the device as it comes, in whole free chunks;
 * inodes and folders follow as memory wants them to, bitmaps and superblock at the layer's end.
 *
 * Crash safety: between begin_layer and the end of ext4w_flush() the volume is damaged, so it must
 * be one that is thrown away when the process stops: a working volume, which the catalogue knows
 * as such (db/journal). Its parent shares no block that is written to: a thin snapshot.
 */
#ifndef EXT4W_EXT4W_H
#define EXT4W_EXT4W_H

#include <stdint.h>

#include "base/err.h"
#include "base/tree_writer.h"

struct blocksums; /* base/blocksums.h */

/**
 * ext4w_open - write to the file system on a device or in a file that nobody has mounted
 *
 * Nothing is written before begin_layer. ERR_UNSUPPORTED, and what for, when the kernel has to
 * write it: a feature that is not known here, a journal to be replayed. ERR_CORRUPT. The caller
 * owns *ret; it may serve several layers one after the other.
 */
int ext4w_open(const char *path, struct tree_writer **ret, struct error *err);
void ext4w_free(struct tree_writer *tree);

/* After end_layer: everything is on the device. */
int ext4w_flush(struct tree_writer *tree, struct error *err);

/* Before the first layer: digests are made of all that is written to the device. */
void ext4w_sum(struct tree_writer *tree);
/* After ext4w_flush(): of what was written since the last call. The caller owns it; or NULL. */
struct blocksums *ext4w_take_sums(struct tree_writer *tree);

struct ext4w_room {
	uint64_t nr_bytes; /* without its own structures, where the superblock says those */
	uint64_t free_bytes;
	uint32_t nr_inodes;
	uint32_t free_inodes;
};

struct ext4w_room ext4w_room(const struct tree_writer *tree);

#endif
