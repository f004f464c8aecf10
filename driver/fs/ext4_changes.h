/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ext4_changes - what changed between two ext4 file systems, found by their blocks
 *
 * The child is a later state of a copy of the parent. Where the two devices
 * differ is known beforehand, from the pool's mapping; from there:
 *
 *	blocks of inode tables that differ	-> changed inodes
 *	directories that changed, and ".."	-> which directories lead to them
 *	downwards from the root, these only	-> paths, and what happened to them
 *
 * No mount, no walk over the tree: the cost follows the change. One step may
 * cost more: a file that was changed in place has no way to its directory, so
 * directories are searched whose inodes are near, where ext4 puts a file's
 * directory, then farther ones. Still, all that is read is directories.
 *
 * A change is one of name, kind, mode, owner, device number, attributes; of
 * mtime and size except for directories, whose mtime says nothing; of a link's
 * target, or a file's content. Times of which one is in whole seconds are
 * compared in whole seconds, as Docker does.
 */
#ifndef FS_EXT4_CHANGES_H
#define FS_EXT4_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Bytes of the devices that may differ. */
struct ext4_changes_range {
	uint64_t start_bytes;
	uint64_t len_bytes;
};

enum ext4_change {
	EXT4_ADDED, /* told of every entry below, too */
	EXT4_CHANGED,
	EXT4_DELETED, /* told of the top only */
};

struct ext4_changes_args {
	const char *parent; /* block device or file; nobody writes to either */
	const char *child;
	const struct ext4_changes_range *ranges; /* rising, not overlapping */
	size_t nr_ranges;
	/*
	 * Called in the order of the walk: a directory before its entries, these
	 * sorted bytewise. path is relative, without a slash in front; is_dir is
	 * the child's kind, or that of what was deleted. Returns 0, or -1 with err filled.
	 */
	int (*found)(void *ctx, enum ext4_change change, const char *path, bool is_dir,
		     struct error *err);
	void *ctx;
};

struct ext4_changes_cost {
	uint64_t blocks_read;	  /* of 4096 bytes, of both devices */
	uint64_t inodes_changed;  /* what the inode tables say */
	uint64_t inodes_searched; /* those whose directory had to be searched for */
};

/**
 * ext4_changes - find the changes between two devices
 *
 * Returns 0, or -1: ERR_UNSUPPORTED (another file system, a feature that is not
 * known here, a journal with content) or ERR_CORRUPT: the caller can still
 * mount both and compare them; what was told to found() is void. ERR_LIMIT for
 * a path that is too long, ERR_IO, ERR_CANCELLED.
 */
int ext4_changes(const struct ext4_changes_args *args, struct ext4_changes_cost *ret,
		 struct error *err);

#endif
