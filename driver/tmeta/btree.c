/* SPDX-License-Identifier: Apache-2.0 */
#include "tmeta/btree.h"

#include <assert.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"

struct frame {
	uint8_t node[META_BLOCK_BYTES]; /* own copy: the reader's slot may be reused */
	unsigned level;
	uint32_t index;
	uint64_t last; /* no key of this node is larger */
};

struct btree_cursor {
	struct btree tree;
	bool at_root; /* standing on the whole tree */
	unsigned nr_frames;
	struct btree_item item;
	struct frame frames[BTREE_HEIGHT_MAX];
};

bool btree_node_is_leaf(const struct disk_node *node)
{
	return le32toh(node->flags) & NODE_FLAG_LEAF;
}

uint32_t btree_node_nr(const struct disk_node *node)
{
	return le32toh(node->nr_entries);
}

uint64_t btree_node_key(const struct disk_node *node, uint32_t index)
{
	return get_le64((const uint8_t *)(node + 1) + (size_t)index * sizeof(uint64_t));
}

const uint8_t *btree_node_value(const struct disk_node *node, uint32_t index)
{
	const uint8_t *values =
		(const uint8_t *)(node + 1) + (size_t)le32toh(node->max_entries) * sizeof(uint64_t);

	return values + (size_t)index * le32toh(node->value_bytes);
}

static uint64_t child_at(const struct disk_node *node, uint32_t index)
{
	return get_le64(btree_node_value(node, index));
}

/* What is wrong with the node, or NULL. */
static const char *node_complaint(const struct btree *tree, const struct disk_node *node)
{
	uint32_t flags = le32toh(node->flags);
	uint32_t nr = le32toh(node->nr_entries);
	uint64_t max = le32toh(node->max_entries);
	uint64_t value_bytes = le32toh(node->value_bytes);

	if (flags != NODE_FLAG_INTERNAL && flags != NODE_FLAG_LEAF)
		return "is neither a leaf nor an internal node";
	if (value_bytes != (flags == NODE_FLAG_LEAF ? tree->value_bytes : sizeof(uint64_t)))
		return "has values of another size";
	if (max == 0 || max % 3 != 0 ||
	    max * (sizeof(uint64_t) + value_bytes) > META_BLOCK_BYTES - sizeof(*node))
		return "claims room for an impossible number of entries";
	if (nr > max)
		return "has more entries than room";
	if (nr == 0 && flags == NODE_FLAG_INTERNAL)
		return "has no child";
	for (uint32_t i = 1; i < nr; i++)
		if (btree_node_key(node, i - 1) >= btree_node_key(node, i))
			return "has keys that do not rise";
	return NULL;
}

int btree_node(const struct btree *tree, uint64_t block, const struct disk_node **ret,
	       struct error *err)
{
	const char *complaint;
	const void *data;

	if (block_read_node(tree->blocks, block, &data, err) < 0)
		return err_add(err, "%s", tree->name);
	complaint = node_complaint(tree, data);
	if (complaint)
		return err_set(err, ERR_CORRUPT, "%s: metadata block %ju %s", tree->name,
			       (uintmax_t)block, complaint);
	*ret = data;
	return 0;
}

static int too_high(const struct btree *tree, struct error *err)
{
	return err_set(err, ERR_CORRUPT, "%s: tree at metadata block %ju is higher than %u levels",
		       tree->name, (uintmax_t)tree->root, BTREE_HEIGHT_MAX);
}

int btree_height(const struct btree *tree, uint64_t block, unsigned *ret, struct error *err)
{
	const struct disk_node *node;

	for (unsigned height = 1; height <= BTREE_HEIGHT_MAX; height++) {
		if (btree_node(tree, block, &node, err) < 0)
			return -1;
		if (btree_node_is_leaf(node)) {
			*ret = height;
			return 0;
		}
		block = child_at(node, 0);
	}
	return too_high(tree, err);
}

/* The last index whose key is not larger than key, or -1. */
static int64_t find_at_or_before(const struct disk_node *node, uint64_t key)
{
	int64_t low = -1;
	int64_t high = btree_node_nr(node);

	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;

		if (btree_node_key(node, (uint32_t)middle) <= key)
			low = middle;
		else
			high = middle;
	}
	return low;
}

int btree_lookup(const struct btree *tree, uint64_t key, void *ret_value, struct error *err)
{
	uint64_t block = tree->root;

	for (unsigned depth = 0; depth < BTREE_HEIGHT_MAX; depth++) {
		const struct disk_node *node;
		int64_t index;

		if (btree_node(tree, block, &node, err) < 0)
			return -1;
		index = find_at_or_before(node, key);
		if (index < 0 ||
		    (btree_node_is_leaf(node) && btree_node_key(node, (uint32_t)index) != key))
			return err_set(err, ERR_NOT_FOUND, "%s: no entry %ju", tree->name,
				       (uintmax_t)key);
		if (btree_node_is_leaf(node)) {
			memcpy(ret_value, btree_node_value(node, (uint32_t)index),
			       tree->value_bytes);
			return 0;
		}
		block = child_at(node, (uint32_t)index);
	}
	return too_high(tree, err);
}

int btree_cursor_new(const struct btree *tree, struct btree_cursor **ret, struct error *err)
{
	auto_btree_cursor struct btree_cursor *cursor = xmalloc(sizeof(*cursor));

	cursor->tree = *tree;
	cursor->at_root = true;
	cursor->nr_frames = 0;
	cursor->item = (struct btree_item){ .last = UINT64_MAX, .block = tree->root };
	if (btree_height(tree, tree->root, &cursor->item.level, err) < 0)
		return -1;
	*ret = take_ptr(cursor);
	return 0;
}

void btree_cursor_free(struct btree_cursor *cursor)
{
	free(cursor);
}

const struct btree_item *btree_cursor_item(const struct btree_cursor *cursor)
{
	return cursor->at_root || cursor->nr_frames ? &cursor->item : NULL;
}

/* Leaves nodes that are used up and describes the entry that is next. */
static void settle(struct btree_cursor *cursor)
{
	while (cursor->nr_frames) {
		const struct frame *frame = &cursor->frames[cursor->nr_frames - 1];
		const struct disk_node *node = (const struct disk_node *)frame->node;
		struct btree_item *item = &cursor->item;

		if (frame->index == btree_node_nr(node)) {
			cursor->nr_frames--;
			if (cursor->nr_frames)
				cursor->frames[cursor->nr_frames - 1].index++;
			continue;
		}
		item->level = frame->level - 1;
		item->first = btree_node_key(node, frame->index);
		item->value = btree_node_value(node, frame->index);
		item->block = item->level ? get_le64(item->value) : 0;
		if (!item->level)
			item->last = item->first;
		else if (frame->index + 1 < btree_node_nr(node))
			item->last = btree_node_key(node, frame->index + 1) - 1;
		else
			item->last = frame->last;
		return;
	}
}

/* Does the node fit where its parent put it? The empty root of a tree is fine. */
static int check_place(const struct btree_cursor *cursor, const struct disk_node *node,
		       struct error *err)
{
	const struct btree_item *item = &cursor->item;
	uint32_t nr = btree_node_nr(node);
	const char *complaint = NULL;

	if (btree_node_is_leaf(node) != (item->level == 1))
		complaint = "is not at the same depth as the others";
	else if (nr == 0 && !cursor->at_root)
		complaint = "is empty";
	else if (nr && (btree_node_key(node, 0) < item->first ||
			btree_node_key(node, nr - 1) > item->last))
		complaint = "has keys outside";
	if (!complaint)
		return 0;
	return err_set(err, ERR_CORRUPT, "%s, keys %ju to %ju: metadata block %ju %s",
		       cursor->tree.name, (uintmax_t)item->first, (uintmax_t)item->last,
		       (uintmax_t)item->block, complaint);
}

int btree_cursor_enter(struct btree_cursor *cursor, struct error *err)
{
	const struct btree_item *item = &cursor->item;
	const struct disk_node *node;
	struct frame *frame;

	assert(item->level > 0 && cursor->nr_frames < BTREE_HEIGHT_MAX);
	if (cancel_check(err) < 0 || btree_node(&cursor->tree, item->block, &node, err) < 0 ||
	    check_place(cursor, node, err) < 0)
		return -1;
	frame = &cursor->frames[cursor->nr_frames++];
	memcpy(frame->node, node, META_BLOCK_BYTES);
	frame->level = item->level;
	frame->index = 0;
	frame->last = item->last;
	cursor->at_root = false;
	settle(cursor);
	return 0;
}

void btree_cursor_skip(struct btree_cursor *cursor)
{
	if (cursor->nr_frames)
		cursor->frames[cursor->nr_frames - 1].index++;
	cursor->at_root = false;
	settle(cursor);
}

int btree_walk(const struct btree *tree, btree_entry_fn *fn, void *context, struct error *err)
{
	auto_btree_cursor struct btree_cursor *cursor = NULL;
	const struct btree_item *item;

	if (btree_cursor_new(tree, &cursor, err) < 0)
		return -1;
	while ((item = btree_cursor_item(cursor))) {
		if (item->level) {
			if (btree_cursor_enter(cursor, err) < 0)
				return -1;
			continue;
		}
		if (fn(context, item->first, item->value, err) < 0)
			return -1;
		btree_cursor_skip(cursor);
	}
	return 0;
}
