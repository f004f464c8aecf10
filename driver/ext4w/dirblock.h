/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dirblock - the blocks of a directory: entries, and the nodes of a hash tree over them
 *
 * Not for callers outside ext4w/. Pure: memory in, memory out. Every block ends in its checksum.
 * Source: Linux Documentation/filesystems/ext4/directory.rst
 */
#ifndef EXT4W_DIRBLOCK_H
#define EXT4W_DIRBLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ext4w/blockio.h"

#define DIRBLOCK_ROOM	    (BLOCK_BYTES - 12u) /* for entries */
#define DIRBLOCK_ROOT_LIMIT 507u		/* entries of the index in the first block */
#define DIRBLOCK_NODE_LIMIT 510u		/* and in others */

struct dirblock_entry {
	uint32_t inode;
	const char *name; /* not NUL-terminated */
	uint8_t len;
	uint8_t type;
};

/* Where one child of an index begins. */
struct dirblock_index {
	uint32_t hash;
	uint32_t block; /* of the directory */
};

/* What an entry takes in a block. */
static inline uint32_t dirblock_bytes(uint32_t name_len)
{
	return (8 + name_len + 3) & ~3u;
}

/**
 * dirblock_begin - an empty block of entries
 * @seed: wfs_inode_seed() of the directory
 */
struct dirblock {
	uint8_t *data;
	uint32_t seed;
	uint32_t used;
	uint32_t last; /* where the last entry begins */
};

void dirblock_begin(struct dirblock *block, uint8_t *data, uint32_t seed);
/* Returns false when it does not fit. */
bool dirblock_add(struct dirblock *block, const struct dirblock_entry *entry);
void dirblock_end(struct dirblock *block);

/* The first block of an indexed directory. levels: of nodes below it. */
void dirblock_root(uint8_t *data, uint32_t seed, uint32_t number, uint32_t parent,
		   uint8_t hash_version, uint8_t levels, const struct dirblock_index *items,
		   uint32_t nr);
void dirblock_node(uint8_t *data, uint32_t seed, const struct dirblock_index *items, uint32_t nr);

/**
 * dirblock_read - the entries of a block, "." and ".." too
 * @found: called for each; returns 0, or -1
 *
 * ERR_CORRUPT: a wrong checksum, or entries that cannot be.
 */
int dirblock_read(const uint8_t *data, uint32_t seed,
		  int (*found)(void *ctx, const struct dirblock_entry *entry, struct error *err),
		  void *ctx, struct error *err);

#endif
