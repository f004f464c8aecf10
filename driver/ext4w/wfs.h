/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wfs - an unmounted ext4 file system that is being written to: its geometry, superblock and
 * group descriptors
 *
 * Not for callers outside ext4w/. Memory: 120 bytes for each group of 128 MiB, and 8 or 16 KiB for
 * those that a layer takes from or gives back to. Opened only when all of its features are known here and it is
 * clean; anything else is ERR_UNSUPPORTED, and the kernel has to write it. What is read is hostile.
 *
 * Crash safety: nothing on the device is consistent until wfs_write() and blockio_sync() came back.
 * The caller throws the volume away when it does not get there.
 *
 * Source: Linux Documentation/filesystems/ext4/ (super.rst, group_descr.rst, checksums.rst)
 */
#ifndef EXT4W_WFS_H
#define EXT4W_WFS_H

#include <ext2fs/ext2_fs.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ext4w/blockio.h"

#define GROUP_BLOCKS	32768u /* a bitmap of one block */
#define INODE_BYTES	256u
#define BLOCK_INODES	(BLOCK_BYTES / INODE_BYTES)
#define EXTRA_BYTES	32u /* i_extra_isize of the inodes made here */
#define ROOT_INODE	2u
#define MAX_FILE_BLOCKS UINT32_MAX

/* What was loaded of a group. `old` is what was in use when the layer began: not to be taken. */
struct group {
	uint8_t *blocks; /* bitmaps of BLOCK_BYTES, or NULL */
	uint8_t *old_blocks;
	uint8_t *inodes;
	uint8_t *old_inodes;
	bool blocks_dirty;
	bool inodes_dirty;
	uint32_t table_init; /* blocks of the inode table that hold inodes, from its start */
};

/* Where the next ones are taken from: [next, end). */
struct window {
	uint64_t next;
	uint64_t end;
	uint32_t group; /* where to look for the next window */
	uint32_t at;	/* in that group */
	bool any;	/* whole free chunks have run out: take what there is */
};

struct itable;

struct wfs {
	struct blockio *io;
	struct ext2_super_block super; /* little-endian, as on disk */
	uint64_t nr_blocks;
	uint64_t free_blocks;
	uint32_t nr_inodes;
	uint32_t free_inodes;
	uint32_t nr_groups;
	uint32_t group_inodes;
	uint32_t first_inode;
	uint32_t csum_seed;
	int hash_version; /* of libext2fs: with "unsigned" */
	bool has_index, has_dir_nlink;
	struct ext4_group_desc *descs; /* whole blocks */
	uint32_t nr_desc_blocks;
	bool *desc_dirty; /* of each of these */
	struct group *groups;
	struct window blocks;
	struct window inodes;
	struct itable *itable;
	bool freed; /* something was given back since the layer began */
	int64_t now_seconds;
	uint32_t now_nanoseconds;
};

/**
 * wfs_open - look at a file system and take it for writing
 *
 * Nothing is written. ERR_UNSUPPORTED by name, ERR_CORRUPT. The caller owns *ret.
 */
int wfs_open(const char *path, struct wfs **ret, struct error *err);
void wfs_free(struct wfs *fs);
static inline void wfs_free_(struct wfs **fs)
{
	wfs_free(*fs);
}
#define auto_wfs __attribute__((cleanup(wfs_free_)))

/* What was freed until now may be used again; the clock of what is made from now on. */
void wfs_begin(struct wfs *fs);
/* Bitmaps, descriptors and superblock: after everything else. Not synced. */
int wfs_write(struct wfs *fs, struct error *err);
/* What was freed goes back to the device, whole chunks of it. */
void wfs_discard_freed(struct wfs *fs);

uint64_t wfs_block_bitmap(const struct wfs *fs, uint32_t group);
uint64_t wfs_inode_bitmap(const struct wfs *fs, uint32_t group);
uint64_t wfs_inode_table(const struct wfs *fs, uint32_t group);
void wfs_desc_changed(struct wfs *fs, uint32_t group);

/* CRC-32C of what belongs to the file system, and the seed of what belongs to one inode. */
uint32_t wfs_crc(uint32_t seed, const void *data, size_t len);
uint32_t wfs_inode_seed(const struct wfs *fs, uint32_t number, uint32_t generation);

#endif
