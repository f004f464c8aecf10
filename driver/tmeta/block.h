/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block - read and verify metadata blocks of 4096 bytes
 *
 * A block is believed when its checksum and its own number are right. A small
 * fixed number of tree nodes is kept, so that walking two trees side by side
 * does not read their common nodes twice.
 */
#ifndef TMETA_BLOCK_H
#define TMETA_BLOCK_H

#include <stdint.h>

#include "base/err.h"

struct block_reader;

/* See tmeta_open() for the errors. */
int block_reader_open(const char *path, struct block_reader **ret, struct error *err);
void block_reader_close(struct block_reader *reader);
#define auto_block_reader __attribute__((cleanup(block_reader_close_)))
static inline void block_reader_close_(struct block_reader **reader)
{
	block_reader_close(*reader);
}

/* Blocks the device has room for, bounded by what the kernel would use. */
uint64_t block_reader_nr_blocks(const struct block_reader *reader);
/* Blocks read from the device so far; those found in memory do not count. */
uint64_t block_reader_nr_read(const struct block_reader *reader);

/**
 * block_read_node - a tree node
 * @ret: META_BLOCK_BYTES, aligned to them; borrowed until the next call
 *
 * Returns 0, or -1: ERR_CORRUPT (names the block), ERR_IO.
 */
int block_read_node(struct block_reader *reader, uint64_t block, const void **ret,
		    struct error *err);

/* Nodes whose numbers have the same quotient by this can be fetched together. */
#define BLOCK_GROUP 64u

/**
 * block_fetch - read the nodes first to last at once, for block_read_node() to find
 *
 * Both must be of one group. They are verified when they are asked for; that is
 * also where a failure to read them is reported.
 */
void block_fetch(struct block_reader *reader, uint64_t first, uint64_t last);

/* The superblock, or a metadata snapshot's copy of it; never kept. */
int block_read_super(struct block_reader *reader, uint64_t block, const void **ret,
		     struct error *err);

/* Of a space map: the index of its bitmaps, and one of them; never kept. */
int block_read_index(struct block_reader *reader, uint64_t block, const void **ret,
		     struct error *err);
int block_read_bitmap(struct block_reader *reader, uint64_t block, const void **ret,
		      struct error *err);

/* Gives a superblock that was changed its checksum. */
void block_seal_super(void *data);

#endif
