/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmeta - read the metadata of a thin pool
 *
 * Only reads. What is read is treated as hostile: every block is verified
 * before use, and damage is ERR_CORRUPT with the block number and what the
 * block stands for.
 *
 *	message "reserve_metadata_snap", block number from the pool's status
 *	tmeta_open(path, held_root)
 *	tmeta_delta(), tmeta_list_ids(), tmeta_usage()
 *	tmeta_close()
 *	message "release_metadata_snap"
 *
 * A pool that is not active needs no metadata snapshot.
 */
#ifndef TMETA_TMETA_H
#define TMETA_TMETA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Metadata of one pool at one moment. */
struct tmeta;

struct tmeta_info {
	uint64_t transaction_id;
	uint64_t held_root;	   /* block of the metadata snapshot, 0 without one */
	uint64_t data_block_bytes; /* size of one pool block */
	uint64_t nr_data_blocks;   /* of the pool; 0 (unknown) in a metadata snapshot */
	uint64_t nr_data_used;	   /* of the pool; 0 (unknown) in a metadata snapshot */
	uint64_t nr_meta_blocks;   /* size of the metadata device in blocks of 4096 bytes */
	bool needs_check;	   /* thin_check must run before activation */
};

/**
 * tmeta_open - open a metadata device, or a file with a copy of one
 * @held_root_block: block of the metadata snapshot, from the pool's status line;
 *                   0 reads the live superblock, for a pool that is not active
 *
 * Reads past the page cache where the file allows it, because the kernel
 * writes metadata past it. Returns 0, or -1: ERR_NOT_FOUND or ERR_DENIED from
 * open, ERR_UNSUPPORTED for a newer format or a file of another type,
 * ERR_CORRUPT, ERR_IO. The caller owns *ret.
 */
int tmeta_open(const char *path, uint64_t held_root_block, struct tmeta **ret, struct error *err);
void tmeta_close(struct tmeta *tmeta);
#define auto_tmeta __attribute__((cleanup(tmeta_close_)))
static inline void tmeta_close_(struct tmeta **tmeta)
{
	tmeta_close(*tmeta);
}

void tmeta_info(const struct tmeta *tmeta, struct tmeta_info *ret);

#endif
