/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ext4_inodes - what a comparison of two file systems knows of an inode number
 *
 * Not for callers outside fs/.
 */
#ifndef FS_EXT4_INODES_H
#define FS_EXT4_INODES_H

#include <stddef.h>
#include <stdint.h>

enum {
	INODE_CHANGED = 1u << 0, /* in use in the child, and not the parent's byte for byte */
	INODE_IS_DIR = 1u << 1,	 /* in the child */
	INODE_LEADS = 1u << 2,	 /* a directory with something changed below */
	INODE_SOUGHT = 1u << 3,	 /* not all of its names are known */
	INODE_READ = 1u << 4,	 /* its entries were looked at for names that are sought */
	INODE_MET = 1u << 5,	 /* the comparison came by */
};

struct ext4_known {
	uint32_t inode;
	uint16_t flags;
	uint16_t names; /* found so far */
};

/* Starts as { 0 }. */
struct ext4_inodes {
	struct ext4_known *slots;
	size_t nr;
	size_t cap; /* a power of two */
};

/* NULL for a number never added. Borrowed until the next ext4_inodes_add(). */
struct ext4_known *ext4_inodes_find(const struct ext4_inodes *set, uint32_t inode);
/* Finds it, or adds it without flags. */
struct ext4_known *ext4_inodes_add(struct ext4_inodes *set, uint32_t inode);
void ext4_inodes_done(struct ext4_inodes *set);

#endif
