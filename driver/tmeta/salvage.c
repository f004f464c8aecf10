/* SPDX-License-Identifier: Apache-2.0 */
#include "tmeta/salvage.h"

#include <stddef.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "tmeta/metadata.h"

/* Keys that the damaged tree cannot tell of, both included. */
struct range {
	uint64_t first, last;
};

struct walk {
	struct btree_cursor *damaged; /* NULL: nothing of it can be read */
	struct btree_cursor *mended;
	struct range *blind; /* rising */
	size_t nr_blind;
	size_t at; /* the first one that the mended cursor may still be in */
	struct tmeta_salvage found;
};

static void walk_done(struct walk *walk)
{
	btree_cursor_free(walk->damaged);
	btree_cursor_free(walk->mended);
	free(walk->blind);
}
#define auto_walk __attribute__((cleanup(walk_done)))

static void add_blind(struct walk *walk, uint64_t first, uint64_t last)
{
	walk->blind = xrealloc(walk->blind, (walk->nr_blind + 1) * sizeof(*walk->blind));
	walk->blind[walk->nr_blind++] = (struct range){ first, last };
}

/* Keys rise from call to call. */
static bool is_blind(struct walk *walk, uint64_t key)
{
	while (walk->at < walk->nr_blind && walk->blind[walk->at].last < key)
		walk->at++;
	return walk->at < walk->nr_blind && walk->blind[walk->at].first <= key;
}

static const struct btree_item *item_of(const struct btree_cursor *cursor)
{
	return cursor ? btree_cursor_item(cursor) : NULL;
}

static int open_volume(struct tmeta *tmeta, uint32_t id, struct btree_cursor **ret,
		       struct error *err)
{
	struct btree tree;
	uint64_t root;

	if (btree_lookup(&tmeta->volumes, id, &root, err) < 0)
		return -1;
	tmeta_mapping_tree(tmeta, id, le64toh(root), &tree);
	return btree_cursor_new(&tree, ret, err);
}

/* What cannot be entered is passed by, and remembered. */
static int enter_damaged(struct walk *walk, struct error *err)
{
	const struct btree_item *item = btree_cursor_item(walk->damaged);
	uint64_t first = item->first, last = item->last;

	if (btree_cursor_enter(walk->damaged, err) == 0)
		return 0;
	if (err->kind == ERR_CANCELLED)
		return -1;
	add_blind(walk, first, last);
	btree_cursor_skip(walk->damaged);
	return 0;
}

/* The mended one has nothing here. */
static int take_damaged(struct walk *walk, struct error *err)
{
	if (btree_cursor_item(walk->damaged)->level)
		return enter_damaged(walk, err);
	walk->found.lost_blocks++;
	btree_cursor_skip(walk->damaged);
	return 0;
}

static int take_mended(struct walk *walk, struct error *err)
{
	const struct btree_item *item = btree_cursor_item(walk->mended);

	if (item->level)
		return btree_cursor_enter(walk->mended, err);
	if (is_blind(walk, item->first))
		walk->found.unsure_blocks++;
	else
		walk->found.other = true;
	btree_cursor_skip(walk->mended);
	return 0;
}

/* Items that overlap: the higher subtree is opened first. */
static int take_both(struct walk *walk, struct error *err)
{
	const struct btree_item *l = btree_cursor_item(walk->damaged);
	const struct btree_item *r = btree_cursor_item(walk->mended);

	if (l->level && l->level >= r->level)
		return enter_damaged(walk, err);
	if (r->level)
		return btree_cursor_enter(walk->mended, err);
	if (mapping_data_block(get_le64(l->value)) != mapping_data_block(get_le64(r->value)))
		walk->found.other = true;
	btree_cursor_skip(walk->damaged);
	btree_cursor_skip(walk->mended);
	return 0;
}

int tmeta_salvage(struct tmeta *damaged, struct tmeta *mended, uint32_t id,
		  struct tmeta_salvage *ret, struct error *err)
{
	auto_walk struct walk walk = { 0 };

	if (open_volume(damaged, id, &walk.damaged, err) < 0)
		add_blind(&walk, 0, UINT64_MAX);
	if (open_volume(mended, id, &walk.mended, err) < 0)
		return err_add(err, "volume %u", id);
	for (;;) {
		const struct btree_item *l = item_of(walk.damaged);
		const struct btree_item *r = item_of(walk.mended);
		int done;

		if (!l && !r)
			break;
		if (!r || (l && l->last < r->first))
			done = take_damaged(&walk, err);
		else if (!l || r->last < l->first)
			done = take_mended(&walk, err);
		else
			done = take_both(&walk, err);
		if (done < 0)
			return -1;
	}
	*ret = walk.found;
	return 0;
}
