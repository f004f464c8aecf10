/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ext4_pair - two states of one ext4 file system, and the inodes that changed
 *
 * Not for callers outside fs/. Errors are those of fs/ext4_changes.
 */
#ifndef FS_EXT4_PAIR_H
#define FS_EXT4_PAIR_H

#include <stdint.h>

#include "base/err.h"
#include "fs/ext4_changes.h"
#include "fs/ext4_file.h"
#include "fs/ext4_image.h"
#include "fs/ext4_inodes.h"

struct ext4_pair {
	struct ext4_image *parent;
	struct ext4_image *child;
	struct ext4_ranges ranges;
	struct ext4_inodes inodes;
	uint64_t nr_changed;
	uint64_t nr_sought; /* inodes of which not all names are known */
	uint64_t nr_searched;
};

/* On failure, too, ext4_pair_done() is due. */
int ext4_pair_open(const struct ext4_changes_args *args, struct ext4_pair *ret, struct error *err);
void ext4_pair_done(struct ext4_pair *pair);
#define auto_ext4_pair __attribute__((cleanup(ext4_pair_done)))

/* Fills the set of inodes. Those that are the same in the end are left out. */
int ext4_pair_scan(struct ext4_pair *pair, struct error *err);

/* In the sense of fs/ext4_changes: returns 1, 0, -1. The two may have different numbers. */
int ext4_pair_differ(struct ext4_pair *pair, const struct ext4_inode *parent,
		     const struct ext4_inode *child, struct error *err);

/* Marks every directory of the child that leads to a changed inode. */
int ext4_pair_search(struct ext4_pair *pair, struct error *err);

#endif
