/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ext4_image - read the structures of an ext4 file system without mounting it
 *
 * Not for callers outside fs/. What is read is treated as hostile: numbers are
 * checked before use, checksums are verified where the file system has them,
 * and a file system that cannot be understood is ERR_UNSUPPORTED (a feature or
 * geometry that is not ours, a journal that must be replayed) or ERR_CORRUPT.
 * Reads past the page cache where the file allows it, for the kernel's own
 * cache of a device may be older than the device.
 * Source: Linux Documentation/filesystems/ext4/
 */
#ifndef FS_EXT4_IMAGE_H
#define FS_EXT4_IMAGE_H

#include <ext2fs/ext2_fs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define EXT4_BLOCK_BYTES  4096u /* others are ERR_UNSUPPORTED */
#define EXT4_INODE_BYTES  256u	/* others are ERR_UNSUPPORTED */
#define EXT4_BLOCK_INODES (EXT4_BLOCK_BYTES / EXT4_INODE_BYTES)
#define EXT4_ROOT_INODE	  2u

struct ext4_image;

/* An inode as it lies on disk: little-endian, to be read through the functions below. */
struct ext4_inode {
	uint32_t number;
	struct {
		struct ext2_inode_large fields;
		uint8_t rest[EXT4_INODE_BYTES - sizeof(struct ext2_inode_large)];
	} disk;
};

int ext4_image_open(const char *path, struct ext4_image **ret, struct error *err);
void ext4_image_close(struct ext4_image *image);
#define auto_ext4_image __attribute__((cleanup(ext4_image_close_)))
static inline void ext4_image_close_(struct ext4_image **image)
{
	ext4_image_close(*image);
}

uint64_t ext4_image_nr_blocks(const struct ext4_image *image);
uint32_t ext4_image_nr_inodes(const struct ext4_image *image);
uint32_t ext4_image_nr_groups(const struct ext4_image *image);
uint32_t ext4_image_group_inodes(const struct ext4_image *image);
bool ext4_image_has_inline_data(const struct ext4_image *image);
/* Blocks of 4096 bytes read from the device so far; those found in memory do not count. */
uint64_t ext4_image_nr_read(const struct ext4_image *image);

/*
 * ERR_CORRUPT beyond the end of the file system, and when far more was read
 * than there is: only a structure that leads back into itself does that.
 */
int ext4_read_block(struct ext4_image *image, uint64_t block, void *ret, struct error *err);
/* Reads a few neighbours at once, for ext4_read_block() to find; failures show there. */
void ext4_fetch_blocks(struct ext4_image *image, uint64_t first, uint32_t nr);

/*
 * Where a group's inode table begins, and how many of its inodes were ever
 * used: behind these may be anything.
 */
int ext4_table(struct ext4_image *image, uint32_t group, uint64_t *ret_block, uint32_t *ret_used,
	       struct error *err);

/* Returns 1, 0 when the number is not in use (has no names), -1. */
int ext4_read_inode(struct ext4_image *image, uint32_t number, struct ext4_inode *ret,
		    struct error *err);

/* Metadata is sealed by CRC32c, where this feature is on. */
bool ext4_has_csum(const struct ext4_image *image);
/* The seed for what belongs to the file system, and for what belongs to one inode. */
uint32_t ext4_csum_seed(const struct ext4_image *image);
uint32_t ext4_inode_seed(const struct ext4_image *image, const struct ext4_inode *inode);
uint32_t ext4_crc(uint32_t seed, const void *data, size_t len);

bool ext4_inode_in_use(const struct ext4_inode *inode);
uint16_t ext4_inode_mode(const struct ext4_inode *inode);
uint32_t ext4_inode_uid(const struct ext4_inode *inode);
uint32_t ext4_inode_gid(const struct ext4_inode *inode);
uint64_t ext4_inode_size(const struct ext4_inode *inode);
uint32_t ext4_inode_links(const struct ext4_inode *inode);
uint32_t ext4_inode_flags(const struct ext4_inode *inode);
uint64_t ext4_inode_xattr_block(const struct ext4_inode *inode);
int64_t ext4_inode_mtime(const struct ext4_inode *inode, uint32_t *ret_nanoseconds);
/* In seconds. Only the kernel's clock sets these two; 0 where an inode has no time of creation. */
int64_t ext4_inode_ctime(const struct ext4_inode *inode);
int64_t ext4_inode_crtime(const struct ext4_inode *inode);
/* Bytes behind the fields that are known to this inode: where attributes begin. */
uint32_t ext4_inode_body(const struct ext4_inode *inode);

#endif
