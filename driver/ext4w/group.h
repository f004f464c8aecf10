/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group - blocks and inodes are taken and given back in the bitmaps of their groups
 *
 * Not for callers outside ext4w/. Bitmaps are read when a group is first used. What a layer
 * frees is not used again before the layer's end, so the parent of a layer that is never
 * committed stays whole whatever shares its blocks.
 *
 * A layer takes whole free chunks of the device, one after the other, and for its inodes whole
 * chunks of the inode tables; only when these have run out does it take what is left.
 * Source: Linux Documentation/filesystems/ext4/ (bitmaps.rst, group_descr.rst)
 */
#ifndef EXT4W_GROUP_H
#define EXT4W_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ext4w/wfs.h"

/**
 * group_take_blocks - up to want neighbouring blocks
 *
 * Returns how many, at least 1, or -1 with ENOSPC in err->sys_errno.
 */
int group_take_blocks(struct wfs *fs, uint32_t want, uint64_t *ret_first, struct error *err);
/* ERR_CORRUPT when they are not in use. */
int group_free_blocks(struct wfs *fs, uint64_t first, uint64_t nr, struct error *err);

/* What is left of the chunk that blocks are taken from is written as zeros: it is a whole one. */
int group_fill_chunk(struct wfs *fs, struct error *err);

int group_take_inode(struct wfs *fs, bool is_dir, uint32_t *ret, struct error *err);
int group_free_inode(struct wfs *fs, uint32_t number, bool is_dir, struct error *err);
/* The bitmaps that changed, and their checksums in the descriptors. */
int group_write_all(struct wfs *fs, struct error *err);

#endif
