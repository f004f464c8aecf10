/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sizing - how much metadata a pool gets, and how much of a pool is kept free
 *
 * Pure arithmetic. All in bytes.
 */
#ifndef POOL_SIZING_H
#define POOL_SIZING_H

#include <stdint.h>

#include "base/size.h"

#define SIZING_HEADER_BYTES	MIB	      /* in front of every device of ours */
#define SIZING_META_MIN_BYTES	(16 * MIB)    /* a pool of the smallest kind */
#define SIZING_META_MAX_BYTES	(16256 * MIB) /* the kernel uses 255 bitmaps of 16320 blocks */
#define SIZING_DATA_MIN_BYTES	(64 * MIB)
#define SIZING_DEFAULT_BYTES	(100 * GIB)
#define SIZING_VOLUME_MAX_BYTES (256 * 1024 * GIB)

/**
 * sizing_meta_bytes - the metadata that a pool of so much data should have
 *
 * A mapping takes 16 bytes, in nodes that are half full on average and are
 * copied when a shared one changes: 64 bytes for each block of data leave room
 * for a thousand snapshots. A pool that runs out of metadata, unlike one that
 * runs out of data, needs a repair; so at least 1 GiB where this is no more
 * than 1/32 of the data, and 1/32 of the data where it is. Whole MiB.
 */
uint64_t sizing_meta_bytes(uint64_t data_bytes, uint64_t block_bytes);

/**
 * sizing_meta_reserve_bytes - free metadata below which no volume is added
 *
 * A quarter, but not more than 256 MiB: loading an image of 10 GiB takes about
 * 10 MiB. The kernel's own reserve is not part of it, as the status line
 * counts that as used.
 */
uint64_t sizing_meta_reserve_bytes(uint64_t meta_total_bytes);

/* Free data below which no volume is added: 1/64, not more than 1 GiB. */
uint64_t sizing_data_reserve_bytes(uint64_t data_total_bytes);

/* The default for a file pool where so much is free: 100 GiB, or 80 %. Whole MiB. */
uint64_t sizing_default_bytes(uint64_t free_bytes);

#endif
