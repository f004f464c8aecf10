/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ext4_file - where the content of an inode lies, and what it is
 *
 * Not for callers outside fs/. Extent trees, the older trees of indirect
 * blocks, and data inside the inode. Errors are those of fs/ext4_image.
 */
#ifndef FS_EXT4_FILE_H
#define FS_EXT4_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "fs/ext4_image.h"

/* Blocks with data. What no run covers is a hole, or was never written: zeros. */
struct ext4_run {
	uint64_t logical;
	uint64_t physical;
	uint64_t nr;
};

/* Runs rise and do not overlap. Starts as { 0 }. */
struct ext4_map {
	struct ext4_run *runs;
	size_t nr;
	size_t cap;
	uint64_t nr_blocks; /* sum of the runs */
};

/* For an inode whose content is not inside of it. */
int ext4_map_read(struct ext4_image *image, const struct ext4_inode *inode, struct ext4_map *ret,
		  struct error *err);
void ext4_map_done(struct ext4_map *map);
#define auto_ext4_map __attribute__((cleanup(ext4_map_done)))

/* Is the content inside the inode: inline data, or a short link's target? */
bool ext4_inode_is_inline(const struct ext4_inode *inode);
/* That content; ret is reset and filled with as many bytes as the inode's size says. */
int ext4_inline_content(const struct ext4_inode *inode, struct buf *ret, struct error *err);

/* Which blocks may differ between two images: sorted, not overlapping. */
struct ext4_range {
	uint64_t first_block;
	uint64_t nr_blocks;
};

struct ext4_ranges {
	struct ext4_range *items;
	size_t nr;
};

bool ext4_ranges_have(const struct ext4_ranges *ranges, uint64_t block);

/* One side of a comparison. */
struct ext4_side {
	struct ext4_image *image;
	const struct ext4_inode *inode;
};

/**
 * ext4_content_differs - compare two files, or links, of equal size
 * @changed: where the two images may differ: other blocks are equal if their numbers are
 *
 * Returns 1, 0, -1.
 */
int ext4_content_differs(const struct ext4_side *a, const struct ext4_side *b,
			 const struct ext4_ranges *changed, struct error *err);

#endif
