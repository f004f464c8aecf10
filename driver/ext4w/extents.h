/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extents - which blocks a file has: the tree of extents of an inode, written and read as a whole
 *
 * Not for callers outside ext4w/. Four extents fit into the inode; more make a tree of blocks of
 * 340, as deep as is needed.
 * Source: Linux Documentation/filesystems/ext4/ifork.rst, "Extent Tree"
 */
#ifndef EXT4W_EXTENTS_H
#define EXT4W_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ext4w/itable.h"

struct extent {
	uint32_t logical; /* the first block in the file */
	uint32_t nr;
	uint64_t physical;
};

/* Rising, not overlapping. Starts as { 0 }. */
struct extent_list {
	struct extent *items;
	size_t nr;
	size_t cap;
};

void extent_list_done(struct extent_list *list);
#define auto_extent_list __attribute__((cleanup(extent_list_done)))
/* Behind what is there; a continuation makes the last one longer. */
void extent_list_add(struct extent_list *list, uint32_t logical, uint64_t physical, uint32_t nr);
uint64_t extent_list_blocks(const struct extent_list *list);

/**
 * extents_write - the inode gets these extents, and new blocks for the nodes of their tree
 * @ret_nodes: how many
 *
 * What it had before is not looked at.
 */
int extents_write(struct wfs *fs, struct inode *inode, const struct extent_list *list,
		  uint32_t *ret_nodes, struct error *err);

/**
 * extents_read - the extents of an inode that has some
 * @ret:   appended to; unwritten ones too
 * @nodes: the blocks of the tree's nodes, one extent each; may be NULL
 *
 * ERR_CORRUPT; ERR_UNSUPPORTED for an inode that maps its blocks the old way.
 */
int extents_read(struct wfs *fs, const struct inode *inode, struct extent_list *ret,
		 struct extent_list *nodes, struct error *err);

#endif
