/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ext4_owner - whose blocks these are: a path, or which part of the file system
 *
 * For blocks that are damaged: the file system around them is understood as far as it can
 * be, checksums that do not match count for nothing, and what cannot be told is said so.
 * Reads every inode and every directory, also after a signal: what was found is worth telling.
 */
#ifndef FS_EXT4_OWNER_H
#define FS_EXT4_OWNER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ext4_owner {
	const char *what; /* "content of", "directory", "inode table", "free block", …; static */
	uint32_t inode;	  /* 0: of no file */
	const char *path; /* absolute; NULL: of no file, or no name was found */
};

/*
 * @index: which of the blocks. A block of an inode table is told once for each inode in it
 *         that has a name. Returns 0, or -1 with err filled.
 */
typedef int ext4_owner_fn(void *ctx, size_t index, const struct ext4_owner *owner,
			  struct error *err);

/**
 * ext4_owners - tell the owners of some blocks
 * @device: a block device or a file, to which nobody writes
 * @blocks: numbers of blocks of 4096 bytes, rising
 *
 * Each is told at least once, in order. ERR_CORRUPT when there is no superblock that can be read,
 * ERR_UNSUPPORTED for another block size.
 */
int ext4_owners(const char *device, const uint64_t *blocks, size_t nr, ext4_owner_fn *found,
		void *ctx, struct error *err);

#endif
