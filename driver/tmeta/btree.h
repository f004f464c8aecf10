/* SPDX-License-Identifier: Apache-2.0 */
/*
 * btree - walk a persistent-data B-tree of 64-bit keys
 *
 * A node is checked before use: block number, checksum, kind, value size, number
 * of entries, rising keys, and that all keys lie where its parent says. Since
 * the ranges of siblings are disjoint and every node but an empty root has a
 * key, no walk can go in circles or take more steps than the device has nodes.
 *
 * Source: Linux drivers/md/persistent-data/dm-btree.c
 */
#ifndef TMETA_BTREE_H
#define TMETA_BTREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "tmeta/block.h"
#include "tmeta/format.h"

/* The largest device has 4 million blocks and a node has 84 children or more: 5 would do. */
#define BTREE_HEIGHT_MAX 16u

struct btree {
	struct block_reader *blocks; /* borrowed */
	uint64_t root;
	uint32_t value_bytes;
	char name[40]; /* for messages: "mapping of volume 5" */
};

/* A subtree (level > 0) or one key with its value (level 0). */
struct btree_item {
	unsigned level; /* height of the subtree: 1 is a leaf */
	uint64_t first; /* its keys lie between these, both included */
	uint64_t last;
	uint64_t block;	      /* root of the subtree; level > 0 only */
	const uint8_t *value; /* value_bytes, borrowed until the cursor moves; level 0 only */
};

/**
 * btree_node - read one node and check it on its own
 * @ret: borrowed until the next node is read
 *
 * The value size is that of the tree in a leaf, 8 in an internal node.
 */
int btree_node(const struct btree *tree, uint64_t block, const struct disk_node **ret,
	       struct error *err);
bool btree_node_is_leaf(const struct disk_node *node);
uint32_t btree_node_nr(const struct disk_node *node);
uint64_t btree_node_key(const struct disk_node *node, uint32_t index);
/* The number of the child in an internal node; the value otherwise. */
const uint8_t *btree_node_value(const struct disk_node *node, uint32_t index);

/* How many levels of nodes lie below and with this node: 1 for a leaf. */
int btree_height(const struct btree *tree, uint64_t block, unsigned *ret, struct error *err);

/* Copies value_bytes to ret_value. ERR_NOT_FOUND when no such key is there. */
int btree_lookup(const struct btree *tree, uint64_t key, void *ret_value, struct error *err);

/*
 * A cursor stands on an item: at the beginning on the whole tree, at the end
 * on none. Entering a subtree moves to its first item; skipping moves behind
 * the item.
 */
struct btree_cursor;
int btree_cursor_new(const struct btree *tree, struct btree_cursor **ret, struct error *err);
void btree_cursor_free(struct btree_cursor *cursor);
#define auto_btree_cursor __attribute__((cleanup(btree_cursor_free_)))
static inline void btree_cursor_free_(struct btree_cursor **cursor)
{
	btree_cursor_free(*cursor);
}
/* NULL at the end. Borrowed until the cursor moves. */
const struct btree_item *btree_cursor_item(const struct btree_cursor *cursor);
int btree_cursor_enter(struct btree_cursor *cursor, struct error *err);
void btree_cursor_skip(struct btree_cursor *cursor);

typedef int btree_entry_fn(void *context, uint64_t key, const uint8_t *value, struct error *err);

/* Calls fn for every key in rising order, until it returns -1. */
int btree_walk(const struct btree *tree, btree_entry_fn *fn, void *context, struct error *err);

#endif
