/* SPDX-License-Identifier: Apache-2.0 */
#include "tmeta/delta.h"

#include <stdbool.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "tmeta/metadata.h"

/* One of the two volumes; cursor is NULL for TMETA_EMPTY. */
struct side {
	struct btree tree;
	struct btree_cursor *cursor;
};

static void side_done(struct side *side)
{
	btree_cursor_free(side->cursor);
}
#define auto_side __attribute__((cleanup(side_done)))

/* Counts, and joins neighbouring blocks of one kind to a range before telling it. */
struct tally {
	const struct tmeta *tmeta;
	tmeta_range_fn *fn;
	void *context;
	enum tmeta_change change;
	uint64_t start;
	uint64_t length;
	uint64_t own;
	uint64_t dropped;
};

static int tally_flush(struct tally *tally, struct error *err)
{
	uint64_t length = tally->length;

	tally->length = 0;
	if (!length || !tally->fn)
		return 0;
	return tally->fn(tally->context, tally->change, tally->start, length, err);
}

static int tally_add(struct tally *tally, enum tmeta_change change, uint64_t block,
		     struct error *err)
{
	if (change == TMETA_DROPPED)
		tally->dropped++;
	else
		tally->own++;
	if (tally->length && tally->change == change && tally->start + tally->length == block) {
		tally->length++;
		return 0;
	}
	if (tally_flush(tally, err) < 0)
		return -1;
	tally->change = change;
	tally->start = block;
	tally->length = 1;
	return 0;
}

static int side_find(struct tmeta *tmeta, uint32_t id, struct side *side, struct error *err)
{
	uint64_t root;

	if (id == TMETA_EMPTY)
		return 0;
	if (btree_lookup(&tmeta->volumes, id, &root, err) < 0)
		return err->kind == ERR_NOT_FOUND
			       ? err_set(err, ERR_NOT_FOUND, "no volume %u in the pool", id)
			       : err_add(err, "volume %u", id);
	tmeta_mapping_tree(tmeta, id, le64toh(root), &side->tree);
	return 0;
}

/* A fresh snapshot still has its origin's root. */
static bool is_same_tree(const struct side *a, const struct side *b)
{
	return a->tree.blocks == b->tree.blocks && a->tree.root == b->tree.root;
}

static int side_start(struct side *side, struct error *err)
{
	if (!side->tree.blocks)
		return 0;
	return btree_cursor_new(&side->tree, &side->cursor, err);
}

static const struct btree_item *side_item(const struct side *side)
{
	return side->cursor ? btree_cursor_item(side->cursor) : NULL;
}

static int side_data_block(const struct side *side, const struct tally *tally, uint64_t *ret,
			   struct error *err)
{
	*ret = mapping_data_block(get_le64(side_item(side)->value));
	return tmeta_check_data_block(tally->tmeta, &side->tree, *ret, err);
}

/* The other side has nothing where this item is: all of it is a change. */
static int take_alone(struct side *side, enum tmeta_change change, struct tally *tally,
		      struct error *err)
{
	const struct btree_item *item = side_item(side);
	uint64_t data_block;

	if (item->level)
		return btree_cursor_enter(side->cursor, err);
	if (side_data_block(side, tally, &data_block, err) < 0 ||
	    tally_add(tally, change, item->first, err) < 0)
		return -1;
	btree_cursor_skip(side->cursor);
	return 0;
}

/* The same key on both sides. */
static int take_pair(struct side *left, struct side *right, struct tally *tally, struct error *err)
{
	uint64_t left_block;
	uint64_t right_block;

	if (side_data_block(left, tally, &left_block, err) < 0 ||
	    side_data_block(right, tally, &right_block, err) < 0)
		return -1;
	if (left_block != right_block &&
	    tally_add(tally, TMETA_CHANGED, side_item(right)->first, err) < 0)
		return -1;
	btree_cursor_skip(left->cursor);
	btree_cursor_skip(right->cursor);
	return 0;
}

/* Items whose ranges overlap. The trees may differ in height: open the higher subtree first. */
static int take_both(struct side *left, struct side *right, struct tally *tally, struct error *err)
{
	unsigned left_level = side_item(left)->level;
	unsigned right_level = side_item(right)->level;

	if (left_level && left_level == right_level &&
	    side_item(left)->block == side_item(right)->block) {
		btree_cursor_skip(left->cursor);
		btree_cursor_skip(right->cursor);
		return 0;
	}
	if (!left_level && !right_level)
		return take_pair(left, right, tally, err);
	if (left_level >= right_level && btree_cursor_enter(left->cursor, err) < 0)
		return -1;
	if (right_level >= left_level && btree_cursor_enter(right->cursor, err) < 0)
		return -1;
	return 0;
}

static int compare(struct side *left, struct side *right, struct tally *tally, struct error *err)
{
	for (;;) {
		const struct btree_item *l = side_item(left);
		const struct btree_item *r = side_item(right);
		int done;

		if (!l && !r)
			return tally_flush(tally, err);
		if (!r || (l && l->last < r->first))
			done = take_alone(left, TMETA_DROPPED, tally, err);
		else if (!l || r->last < l->first)
			done = take_alone(right, TMETA_ADDED, tally, err);
		else
			done = take_both(left, right, tally, err);
		if (done < 0)
			return -1;
	}
}

int tmeta_delta_ranges(struct tmeta *tmeta, uint32_t parent_id, uint32_t child_id,
		       tmeta_range_fn *fn, void *context, struct tmeta_delta *ret,
		       struct error *err)
{
	auto_side struct side parent = { 0 };
	auto_side struct side child = { 0 };
	struct tally tally = { .tmeta = tmeta, .fn = fn, .context = context };
	uint64_t read_before = block_reader_nr_read(tmeta->blocks);

	if (side_find(tmeta, parent_id, &parent, err) < 0 ||
	    side_find(tmeta, child_id, &child, err) < 0)
		return -1;
	if (!is_same_tree(&parent, &child) &&
	    (side_start(&parent, err) < 0 || side_start(&child, err) < 0 ||
	     compare(&parent, &child, &tally, err) < 0))
		return -1;
	*ret = (struct tmeta_delta){
		.own_blocks = tally.own,
		.dropped_blocks = tally.dropped,
		.nodes_read = block_reader_nr_read(tmeta->blocks) - read_before,
	};
	return 0;
}

int tmeta_delta(struct tmeta *tmeta, uint32_t parent_id, uint32_t child_id, struct tmeta_delta *ret,
		struct error *err)
{
	return tmeta_delta_ranges(tmeta, parent_id, child_id, NULL, NULL, ret, err);
}
