/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ext4_dir - the names in a directory, read block by block
 *
 * Not for callers outside fs/. The nodes of an index look like empty blocks, so
 * an indexed directory reads like any other. Errors are those of fs/ext4_image.
 */
#ifndef FS_EXT4_DIR_H
#define FS_EXT4_DIR_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "fs/ext4_image.h"

struct ext4_entry {
	const char *name;
	uint32_t inode;
};

/* Sorted bytewise; no "." and "..", no name twice. Starts as { 0 }. */
struct ext4_dir {
	struct ext4_entry *entries;
	size_t nr;
	size_t cap;
	uint32_t parent; /* ".." */
	struct buf names;
};

int ext4_dir_read(struct ext4_image *image, const struct ext4_inode *inode, struct ext4_dir *ret,
		  struct error *err);
void ext4_dir_done(struct ext4_dir *dir);
#define auto_ext4_dir __attribute__((cleanup(ext4_dir_done)))

/* Only "..": costs one block, or none. */
int ext4_dir_parent(struct ext4_image *image, const struct ext4_inode *inode, uint32_t *ret,
		    struct error *err);

#endif
