/* SPDX-License-Identifier: Apache-2.0 */
/*
 * itable - inodes, in the blocks of the inode tables that were touched
 *
 * Not for callers outside ext4w/. Inodes are copied in and out. At most NR_SLOTS chunks of the
 * tables are in memory; what gives way is written. Parts of a table that no inode was ever in are
 * not read but start as zeros.
 * Source: Linux Documentation/filesystems/ext4/ (inodes.rst, ifork.rst, checksums.rst)
 */
#ifndef EXT4W_ITABLE_H
#define EXT4W_ITABLE_H

#include <ext2fs/ext2_fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"
#include "ext4w/wfs.h"

/* As on disk: little-endian. */
struct inode {
	uint32_t number;
	union {
		struct ext2_inode_large disk;
		uint8_t bytes[INODE_BYTES];
	};
};

struct itable;

struct itable *itable_new(void);
void itable_free(struct itable *table);

/* ERR_CORRUPT for a number that cannot be, a wrong checksum, or one that is not in use. */
int inode_read(struct wfs *fs, uint32_t number, struct inode *ret, struct error *err);
/* Sets ctime and checksum. */
int inode_write(struct wfs *fs, struct inode *inode, struct error *err);
/* The inode is nobody's any more: all zeros. */
int inode_erase(struct wfs *fs, uint32_t number, struct error *err);
/* Everything that changed. */
int itable_write(struct wfs *fs, struct error *err);

/* A new one of this kind, with nothing but its mode, one link, and the layer's time of creation. */
void inode_init(const struct wfs *fs, uint32_t number, mode_t mode, struct inode *ret);

mode_t inode_mode(const struct inode *inode);
void inode_set_mode(struct inode *inode, mode_t mode);
uint32_t inode_owner(const struct inode *inode);
uint32_t inode_owner_group(const struct inode *inode);
void inode_set_owner(struct inode *inode, uint32_t uid, uint32_t gid);
uint64_t inode_size(const struct inode *inode);
void inode_set_size(struct inode *inode, uint64_t size);
uint32_t inode_links(const struct inode *inode);
void inode_set_links(struct inode *inode, uint32_t links);
uint64_t inode_xattr_block(const struct inode *inode);
void inode_set_xattr_block(struct inode *inode, uint64_t block);
struct timespec inode_mtime(const struct inode *inode);
void inode_set_mtime(struct inode *inode, const struct timespec *mtime);
void inode_set_times(struct inode *inode, const struct timespec *atime,
		     const struct timespec *mtime);
/* Blocks of 4096 bytes that are its own: content, the nodes of its extents, attributes. */
uint64_t inode_blocks(const struct inode *inode);
void inode_set_blocks(struct inode *inode, uint64_t nr);
bool inode_has_flag(const struct inode *inode, uint32_t flag);
void inode_set_flag(struct inode *inode, uint32_t flag, bool on);
/* Bytes of the fields it has: behind these attributes begin. */
uint32_t inode_body(const struct inode *inode);

#endif
