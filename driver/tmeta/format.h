/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format - the metadata device of a thin pool, as it lies on disk
 *
 * Little-endian, in blocks of 4096 bytes. The superblock is block 0; a metadata
 * snapshot ("held root") is a copy of it in another block. Two trees start
 * there: mapping (thin id -> root of that volume's tree: virtual block -> data
 * block and time) and details (thin id -> struct disk_details).
 *
 * Source: Linux drivers/md/dm-thin-metadata.c and
 * drivers/md/persistent-data/dm-btree-internal.h and dm-space-map-common.h
 */
#ifndef TMETA_FORMAT_H
#define TMETA_FORMAT_H

#include <assert.h>
#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/le.h"

#define META_BLOCK_BYTES 4096u
/* The kernel uses no more than this of a metadata device: 15.875 GiB. */
#define META_MAX_BLOCKS (UINT64_C(255) * 16320)

#define SUPER_CSUM_SALT	 160774u
#define NODE_CSUM_SALT	 121107u
#define BITMAP_CSUM_SALT 240779u
#define INDEX_CSUM_SALT	 160478u

#define SUPER_MAGIC	       UINT64_C(27022010)
#define SUPER_VERSION_MAX      2u
#define SUPER_FLAG_NEEDS_CHECK (UINT32_C(1) << 0)
#define SUPER_BLOCK	       UINT64_C(0)
#define META_BLOCK_SECTORS     8u
/* Limits of the pool's block size, in sectors. */
#define DATA_BLOCK_SECTORS_MIN 128u
#define DATA_BLOCK_SECTORS_MAX 2097152u

#define NODE_FLAG_INTERNAL (UINT32_C(1) << 0)
#define NODE_FLAG_LEAF	   (UINT32_C(1) << 1)

#define THIN_ID_MAX ((UINT64_C(1) << 24) - 1)

/* Every field of these structs is little-endian: read it through le32toh(), le64toh(). */
struct disk_space_map_root {
	uint64_t nr_blocks;
	uint64_t nr_allocated;
	uint64_t bitmap_root;
	uint64_t ref_count_root;
} __attribute__((packed));

struct disk_super {
	uint32_t csum;
	uint32_t flags;
	uint64_t block_nr;
	uint8_t uuid[16];
	uint64_t magic;
	uint32_t version;
	uint32_t time;
	uint64_t transaction_id;
	uint64_t held_root;
	struct disk_space_map_root data_sm_root; /* zero in a metadata snapshot */
	uint8_t data_sm_pad[128 - sizeof(struct disk_space_map_root)];
	struct disk_space_map_root meta_sm_root; /* zero in a metadata snapshot */
	uint8_t meta_sm_pad[128 - sizeof(struct disk_space_map_root)];
	uint64_t mapping_root;
	uint64_t details_root;
	uint32_t data_block_sectors;
	uint32_t meta_block_sectors;
	uint64_t nr_meta_blocks; /* when it was formatted; not kept up when it grows */
	uint32_t compat_flags;
	uint32_t compat_ro_flags;
	uint32_t incompat_flags;
} __attribute__((packed));

static_assert(offsetof(struct disk_super, data_sm_root) == 64, "superblock layout");
static_assert(offsetof(struct disk_super, meta_sm_root) == 192, "superblock layout");
static_assert(offsetof(struct disk_super, mapping_root) == 320, "superblock layout");
static_assert(offsetof(struct disk_super, data_block_sectors) == 336, "superblock layout");
static_assert(offsetof(struct disk_super, nr_meta_blocks) == 344, "superblock layout");

/* Followed by keys[max_entries] of 8 bytes, then values[max_entries] of value_bytes. */
struct disk_node {
	uint32_t csum;
	uint32_t flags;
	uint64_t block_nr;
	uint32_t nr_entries;
	uint32_t max_entries; /* a multiple of 3 */
	uint32_t value_bytes;
	uint32_t padding;
} __attribute__((packed));

static_assert(sizeof(struct disk_node) == 32, "node layout");

/* Where bitmap_root of the metadata's own space map points to; the data's has a tree instead. */
struct disk_index {
	uint32_t csum;
	uint32_t padding;
	uint64_t block_nr;
	struct {
		uint64_t bitmap_block;
		uint32_t nr_free;
		uint32_t none_free_before;
	} __attribute__((packed)) entries[255];
} __attribute__((packed));

static_assert(sizeof(struct disk_index) == META_BLOCK_BYTES, "index layout");

/* Two bits for each block, from the lowest: both 0 for one that nobody uses. */
struct disk_bitmap {
	uint32_t csum;
	uint32_t padding;
	uint64_t block_nr;
	uint8_t counts[META_BLOCK_BYTES - 16];
} __attribute__((packed));

#define BITMAP_BLOCKS UINT64_C(16320) /* that one bitmap is for */

static_assert(sizeof(struct disk_bitmap) == META_BLOCK_BYTES, "bitmap layout");

struct disk_details {
	uint64_t mapped_blocks;
	uint64_t transaction_id; /* of the pool when the volume was made */
	uint32_t creation_time;
	uint32_t snapshotted_time;
} __attribute__((packed));

static_assert(sizeof(struct disk_details) == 24, "details layout");

/* The value of a volume's mapping: data block in the upper 40 bits, time in the lower 24. */
static inline uint64_t mapping_data_block(uint64_t value)
{
	return value >> 24;
}

#endif
