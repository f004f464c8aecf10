/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table - the text of device-mapper tables
 *
 * Pure: no ioctl. Sizes come in bytes and must be whole sectors. Devices are
 * named by number, because a path is looked up by the kernel and may not exist
 * there. Source: Linux drivers/md/dm-linear.c linear_ctr(), dm-thin.c
 * pool_ctr() and thin_ctr().
 */
#ifndef DM_TABLE_H
#define DM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TABLE_BLOCK_BYTES_MIN UINT64_C(65536)	   /* of a pool block */
#define TABLE_BLOCK_BYTES_MAX UINT64_C(1073741824) /* 2097152 sectors */

struct table_line {
	uint64_t start_sectors;
	uint64_t len_sectors;
	const char *type; /* static */
	char *params;
};

/* Starts as { 0 }. Lines follow each other without a gap. */
struct table {
	struct table_line *lines;
	size_t nr;
};

void table_done(struct table *table);
#define auto_table __attribute__((cleanup(table_done)))

/* Appends len_bytes of the device from offset_bytes on. */
void table_add_linear(struct table *table, dev_t device, uint64_t offset_bytes, uint64_t len_bytes);

/* A pool that zeroes new blocks and, once full, fails writes instead of letting them wait. */
void table_add_thin_pool(struct table *table, dev_t meta, dev_t data, uint64_t data_bytes,
			 uint64_t block_bytes, uint64_t low_water_blocks);

void table_add_thin(struct table *table, dev_t pool, uint32_t thin_id, uint64_t len_bytes);

/*
 * dm-verity of the first len_bytes of a device: SHA-256 without salt, data and hash blocks of
 * block_bytes, the tree from the begin of another device on; root in hex.
 * Source: Linux drivers/md/dm-verity-target.c verity_ctr()
 */
void table_add_verity(struct table *table, dev_t data, dev_t tree, uint64_t len_bytes,
		      uint32_t block_bytes, const char *root);

/* Where the next line starts: the size of the device so far. */
uint64_t table_sectors(const struct table *table);

#endif
